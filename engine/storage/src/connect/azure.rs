//! Azure Blob Storage: variables, one of which may hold all of them, then the machine.

use std::sync::Arc;

use object_store::RetryConfig;
use object_store::azure::{AzureConfigKey as Setting, MicrosoftAzureBuilder};

use super::{Client, Environment, is_plain, machine_must_have_credentials, options, refused, settings};
use crate::error::StorageError;
use crate::location::Remote;
use crate::retry::Patience;

pub(super) fn client(
    remote: &Remote,
    environment: &Environment,
    patience: Patience,
    retries: RetryConfig,
) -> Result<Client, StorageError> {
    let found = found(environment);
    let get =
        |wanted: Setting| found.iter().rev().find(|(key, _)| *key == wanted).map(|(_, value)| value.as_str());
    let emulated = environment.is_true("AZURE_STORAGE_USE_EMULATOR");
    if remote.account().is_none() && get(Setting::AccountName).is_none() && !emulated {
        let hint = "set `AZURE_STORAGE_ACCOUNT_NAME`, or name it in the URL: `az://CONTAINER@ACCOUNT/KEY`";
        return Err(settings(remote, "the account is not known".into(), Some(hint)));
    }
    let grants = [
        Setting::AccessKey,
        Setting::SasKey,
        Setting::Token,
        Setting::ClientId,
        Setting::FederatedTokenFile,
        Setting::MsiEndpoint,
        Setting::UseAzureCli,
        Setting::SkipSignature,
    ];
    let known = emulated || grants.into_iter().any(|setting| get(setting).is_some());
    let plain = is_plain(get(Setting::Endpoint));
    if !known {
        machine_must_have_credentials(remote)?;
    }
    let mut builder = MicrosoftAzureBuilder::new()
        .with_container_name(remote.root())
        .with_client_options(options(patience, plain))
        .with_retry(retries);
    for (setting, value) in found {
        builder = builder.with_config(setting, value);
    }
    if let Some(account) = remote.account() {
        builder = builder.with_account(account);
    }
    Ok(Arc::new(builder.build().map_err(|error| refused(remote, &error))?))
}

/// What the variables come to; later ones win.
fn found(environment: &Environment) -> Vec<(Setting, String)> {
    let mut found =
        environment.get("AZURE_STORAGE_CONNECTION_STRING").map(connection_string).unwrap_or_default();
    let names = [("AZURE_STORAGE_ACCOUNT", Setting::AccountName), ("AZURE_STORAGE_KEY", Setting::AccessKey)];
    for (name, setting) in names {
        found.extend(environment.get(name).map(|value| (setting, value.to_owned())));
    }
    for (key, value) in environment.beginning("AZURE_") {
        if let Ok(setting) = key.parse::<Setting>() {
            found.push((setting, value.to_owned()));
        }
    }
    found
}

/// `AccountName=…;AccountKey=…;BlobEndpoint=…`, as the portal shows it.
fn connection_string(text: &str) -> Vec<(Setting, String)> {
    let mut found = Vec::new();
    let (mut account, mut suffix, mut protocol, mut endpoint) = (None, None, "https", None);
    for (key, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
        match key.trim().to_ascii_lowercase().as_str() {
            "accountname" => account = Some(value),
            "accountkey" => found.push((Setting::AccessKey, value.to_owned())),
            "sharedaccesssignature" => found.push((Setting::SasKey, value.to_owned())),
            "blobendpoint" => endpoint = Some(value.trim_end_matches('/').to_owned()),
            "endpointsuffix" => suffix = Some(value),
            "defaultendpointsprotocol" => protocol = value,
            _ => {}
        }
    }
    if let (None, Some(account), Some(suffix)) = (&endpoint, account, suffix) {
        endpoint = Some(format!("{protocol}://{account}.blob.{suffix}"));
    }
    found.extend(account.map(|account| (Setting::AccountName, account.to_owned())));
    found.extend(endpoint.map(|endpoint| (Setting::Endpoint, endpoint)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_is_taken_apart() {
        let text = "DefaultEndpointsProtocol=http;AccountName=dev;AccountKey=a+b==;BlobEndpoint=http://127.0.0.1:1/dev/;";
        let found = connection_string(text);
        assert!(found.contains(&(Setting::AccessKey, "a+b==".into())));
        assert!(found.contains(&(Setting::AccountName, "dev".into())));
        assert!(found.contains(&(Setting::Endpoint, "http://127.0.0.1:1/dev".into())));
        let found = connection_string(
            "AccountName=x;EndpointSuffix=core.windows.net;SharedAccessSignature=sv=1&sig=2",
        );
        assert!(found.contains(&(Setting::Endpoint, "https://x.blob.core.windows.net".into())));
        assert!(found.contains(&(Setting::SasKey, "sv=1&sig=2".into())));
    }

    #[test]
    fn the_names_of_the_command_line_are_known_too() {
        let variables =
            [("AZURE_STORAGE_ACCOUNT", "a"), ("AZURE_STORAGE_KEY", "k"), ("AZURE_STORAGE_SAS_TOKEN", "s")];
        let all = variables.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let found = found(&Environment(all));
        for expected in [(Setting::AccountName, "a"), (Setting::AccessKey, "k"), (Setting::SasKey, "s")] {
            assert!(found.contains(&(expected.0, expected.1.into())), "{expected:?}");
        }
    }
}
