//! Amazon S3 and what speaks its protocol: variables first, then the profile of the shared files, then the machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::RetryConfig;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Setting};

use super::{
    Client, Environment, is_plain, machine_must_have_credentials, no_credentials, options, refused, settings,
};
use crate::error::StorageError;
use crate::ini;
use crate::location::Remote;
use crate::retry::Patience;

/// Ways of getting credentials that a profile may name and that need other programs or a browser.
const NOT_OURS: [&str; 5] =
    ["credential_process", "sso_session", "sso_start_url", "source_profile", "credential_source"];

pub(super) fn client(
    remote: &Remote,
    environment: &Environment,
    patience: Patience,
    retries: RetryConfig,
) -> Result<Client, StorageError> {
    let found = found(remote, environment)?;
    let plain = is_plain(found.endpoint.as_deref());
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(remote.root())
        .with_client_options(options(patience, plain))
        .with_retry(retries);
    for (setting, value) in found.settings {
        builder = builder.with_config(setting, value);
    }
    Ok(Arc::new(builder.build().map_err(|error| refused(remote, &error))?))
}

/// What variables and profile come to.
struct Found {
    settings: Vec<(Setting, String)>,
    endpoint: Option<String>,
}

fn found(remote: &Remote, environment: &Environment) -> Result<Found, StorageError> {
    let profile = profile(remote, environment)?;
    let mut settings: Vec<(Setting, String)> = Vec::new();
    let from_profile = |key: &str| profile.get(key).cloned();
    let mut known = environment.get("AWS_ACCESS_KEY_ID").is_some()
        || environment.get("AWS_SECRET_ACCESS_KEY").is_some()
        || environment.is_true("AWS_SKIP_SIGNATURE")
        || environment.get("AWS_METADATA_ENDPOINT").is_some()
        || environment
            .first(&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"])
            .is_some()
        || environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some();
    if !known {
        let of_profile = credentials(remote, environment, &profile)?;
        known = !of_profile.is_empty();
        settings.extend(of_profile);
    }
    settings.extend(from_profile("region").map(|region| (Setting::Region, region)));
    let endpoint = environment
        .first(&["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
        .map(str::to_owned)
        .or_else(|| from_profile("services.s3.endpoint_url"))
        .or_else(|| from_profile("s3.endpoint_url"))
        .or_else(|| from_profile("endpoint_url"));
    for (key, value) in environment.beginning("AWS_") {
        if let Ok(setting) = key.parse::<Setting>() {
            settings.push((setting, value.to_owned()));
        }
    }
    if environment.get("AWS_REGION").is_none()
        && let Some(region) = environment.get("AWS_DEFAULT_REGION")
    {
        settings.push((Setting::Region, region.to_owned()));
    }
    settings.extend(endpoint.clone().map(|endpoint| (Setting::Endpoint, endpoint)));
    if !known {
        if environment.is_true("AWS_EC2_METADATA_DISABLED") {
            return Err(no_credentials(remote));
        }
        machine_must_have_credentials(remote)?;
    }
    Ok(Found { settings, endpoint })
}

/// The credentials that a profile holds or leads to.
fn credentials(
    remote: &Remote,
    environment: &Environment,
    profile: &BTreeMap<String, String>,
) -> Result<Vec<(Setting, String)>, StorageError> {
    let get = |key: &str| profile.get(key).cloned();
    if let (Some(key), Some(secret)) = (get("aws_access_key_id"), get("aws_secret_access_key")) {
        let mut settings = vec![(Setting::AccessKeyId, key), (Setting::SecretAccessKey, secret)];
        settings.extend(get("aws_session_token").map(|token| (Setting::Token, token)));
        return Ok(settings);
    }
    if let (Some(role), Some(file)) = (get("role_arn"), get("web_identity_token_file")) {
        let mut settings = vec![(Setting::RoleArn, role), (Setting::WebIdentityTokenFile, file)];
        settings.extend(get("role_session_name").map(|name| (Setting::RoleSessionName, name)));
        return Ok(settings);
    }
    if let Some(way) = NOT_OURS.iter().find(|way| profile.contains_key(**way)) {
        let name = profile_name(environment);
        let reason =
            format!("the profile `{name}` gets its credentials by `{way}`, which sluice does not know");
        let hint = "set them in the environment: `eval \"$(aws configure export-credentials --format env)\"`";
        return Err(settings(remote, reason, Some(hint)));
    }
    Ok(Vec::new())
}

fn profile_name(environment: &Environment) -> &str {
    environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]).unwrap_or("default")
}

/// The settings of the profile from both files; those of credentials win.
fn profile(remote: &Remote, environment: &Environment) -> Result<BTreeMap<String, String>, StorageError> {
    let home = environment.first(&["HOME", "USERPROFILE"]).map(PathBuf::from).unwrap_or_default();
    let file = |variable: &str, name: &str| {
        environment.get(variable).map_or_else(|| home.join(".aws").join(name), PathBuf::from)
    };
    let config = sections(remote, &file("AWS_CONFIG_FILE", "config"))?;
    let shared = sections(remote, &file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))?;
    let name = profile_name(environment);
    let mut profile = BTreeMap::new();
    let mut there = false;
    let places = [
        config.get(&format!("profile {name}")),
        config.get(name).filter(|_| name == "default"),
        shared.get(name),
    ];
    for section in places.into_iter().flatten() {
        there = true;
        profile.extend(section.clone());
    }
    let asked_for = environment.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]).is_some();
    if asked_for && !there && environment.get("AWS_ACCESS_KEY_ID").is_none() {
        let hint =
            "check `AWS_PROFILE`, and `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` if they are set";
        return Err(settings(remote, format!("there is no profile `{name}`"), Some(hint)));
    }
    if let Some(services) = profile.get("services").and_then(|name| config.get(&format!("services {name}"))) {
        let services: Vec<_> =
            services.iter().map(|(key, value)| (format!("services.{key}"), value.clone())).collect();
        profile.extend(services);
    }
    Ok(profile)
}

fn sections(remote: &Remote, path: &Path) -> Result<ini::Sections, StorageError> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(ini::parse(&text)),
        // In a container there may be no home, or one that must not be looked at.
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound
                    | std::io::ErrorKind::NotADirectory
                    | std::io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(ini::Sections::new())
        }
        Err(error) => Err(settings(remote, error.to_string(), None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::location::Location;

    const CONFIG: &str = "[default]\nregion=eu-west-1\n[profile dev]\nregion=us-west-2\nservices=mine\n[services mine]\n\
                          s3 =\n  endpoint_url=http://127.0.0.1:9\n[profile sso]\nsso_session=corp\n";
    const CREDENTIALS: &str = "[default]\naws_access_key_id=A\naws_secret_access_key=S\n[dev]\naws_access_key_id=D\n\
                               aws_secret_access_key=T\naws_session_token=U\n";

    fn settings_of(variables: &[(&str, &str)]) -> Result<BTreeMap<String, String>, StorageError> {
        let folder = tempfile::tempdir().unwrap();
        let (config, credentials) = (folder.path().join("config"), folder.path().join("credentials"));
        fs_err::write(&config, CONFIG).unwrap();
        fs_err::write(&credentials, CREDENTIALS).unwrap();
        let mut all: BTreeMap<String, String> =
            variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        all.insert("AWS_CONFIG_FILE".into(), config.display().to_string());
        all.insert("AWS_SHARED_CREDENTIALS_FILE".into(), credentials.display().to_string());
        all.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
        let Location::Remote(remote) = Location::parse("s3://b/k").unwrap() else { panic!("not remote") };
        let found = found(&remote, &Environment(all))?;
        Ok(found.settings.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value)).collect())
    }

    #[test]
    fn the_default_profile_is_read() {
        let settings = settings_of(&[]).unwrap();
        assert_eq!(settings["aws_access_key_id"], "A");
        assert_eq!(settings["aws_region"], "eu-west-1");
    }

    #[test]
    fn a_named_profile_with_a_service_section() {
        let settings = settings_of(&[("AWS_PROFILE", "dev")]).unwrap();
        assert_eq!(settings["aws_access_key_id"], "D");
        assert_eq!(settings["aws_session_token"], "U");
        assert_eq!(settings["aws_region"], "us-west-2");
        assert_eq!(settings["aws_endpoint"], "http://127.0.0.1:9");
    }

    #[test]
    fn variables_win_over_files() {
        let variables = [
            ("AWS_ACCESS_KEY_ID", "E"),
            ("AWS_SECRET_ACCESS_KEY", "F"),
            ("AWS_REGION", "xx"),
            ("AWS_DEFAULT_REGION", "yy"),
            ("AWS_PROFILE", "dev"),
            ("AWS_ENDPOINT_URL", "http://a"),
        ];
        let settings = settings_of(&variables).unwrap();
        assert_eq!(settings["aws_access_key_id"], "E");
        assert_eq!(settings["aws_region"], "xx");
        assert_eq!(settings["aws_endpoint"], "http://a");
        assert!(!settings.contains_key("aws_session_token"), "of another key");
        let settings = settings_of(&[("AWS_DEFAULT_REGION", "yy")]).unwrap();
        assert_eq!(settings["aws_region"], "yy");
    }

    #[test]
    fn what_is_missing_or_not_ours_is_said() {
        let text = |variables: &[(&str, &str)]| {
            let error = sluice_core::error::Error::from(settings_of(variables).unwrap_err());
            format!("{error:?}")
        };
        assert!(text(&[("AWS_PROFILE", "nobody")]).contains("no profile `nobody`"));
        assert!(text(&[("AWS_PROFILE", "sso")]).contains("`sso_session`"));
    }
}
