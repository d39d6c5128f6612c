//! Google Cloud Storage: variables, the file of `gcloud`, then the machine.

use std::path::PathBuf;
use std::sync::Arc;

use object_store::RetryConfig;
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};

use super::{Client, Environment, is_plain, machine_must_have_credentials, options, refused};
use crate::error::StorageError;
use crate::location::Remote;
use crate::retry::Patience;

pub(super) fn client(
    remote: &Remote,
    environment: &Environment,
    patience: Patience,
    retries: RetryConfig,
) -> Result<Client, StorageError> {
    let emulator = environment
        .get("STORAGE_EMULATOR_HOST")
        .map(|host| if host.contains("://") { host.to_owned() } else { format!("http://{host}") });
    let endpoint = emulator.clone().or_else(|| environment.get("GOOGLE_BASE_URL").map(str::to_owned));
    let known = has_credentials(environment);
    let mut builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(remote.root())
        .with_client_options(options(patience, is_plain(endpoint.as_deref())))
        .with_retry(retries);
    for (key, value) in environment.beginning("GOOGLE_") {
        if let Ok(setting) = key.parse::<GoogleConfigKey>() {
            builder = builder.with_config(setting, value);
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_base_url(endpoint.trim_end_matches('/'));
    }
    if emulator.is_some() && !known {
        // An emulator takes anybody.
        builder = builder.with_skip_signature(true);
    } else if !known {
        machine_must_have_credentials(remote)?;
    }
    Ok(Arc::new(builder.build().map_err(|error| refused(remote, &error))?))
}

fn has_credentials(environment: &Environment) -> bool {
    let names = [
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
    ];
    let of_gcloud = || {
        let home = environment.get("HOME").map(PathBuf::from)?;
        Some(home.join(".config/gcloud/application_default_credentials.json").is_file())
    };
    environment.first(&names).is_some()
        || environment.is_true("GOOGLE_SKIP_SIGNATURE")
        || of_gcloud().unwrap_or(false)
}
