//! From a place and the environment to a client. What grants access goes to the client and nowhere else.

mod amazon;
mod azure;
mod google;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use object_store::http::HttpBuilder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::error::{Cause, Failure, Operation, Service, StorageError};
use crate::explain::redacted;
use crate::location::Remote;
use crate::retry::Patience;
use crate::store::Bucket;

type Client = Arc<dyn ObjectStore>;

/// How long connecting may take; a server that is there answers at once.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The machine's own metadata service, the same address at Amazon, Google and Azure.
const METADATA: ([u8; 4], u16) = ([169, 254, 169, 254], 80);

/// The variables of the environment that are not empty.
#[derive(Clone, Default)]
struct Environment(BTreeMap<String, String>);

impl Environment {
    fn of_process() -> Self {
        let text = |(key, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((key.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).filter(|(_, value)| !value.is_empty()).collect())
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The first of several names that is set.
    fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| self.get(key))
    }

    fn is_true(&self, key: &str) -> bool {
        self.get(key)
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on"))
    }

    /// The variables that begin so, in lower case.
    fn beginning(&self, prefix: &str) -> impl Iterator<Item = (String, &str)> {
        let prefix = prefix.to_owned();
        self.0
            .iter()
            .filter(move |(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| (key.to_ascii_lowercase(), value.as_str()))
    }
}

/// A client of the bucket that `remote` lies in.
pub(crate) fn connect(remote: &Remote) -> Result<Bucket, StorageError> {
    let environment = Environment::of_process();
    let patience = Patience::of_environment().map_err(|reason| settings(remote, reason, None))?;
    let make = |retries: RetryConfig| -> Result<Client, StorageError> {
        match remote.service() {
            Service::S3 => amazon::client(remote, &environment, patience, retries),
            Service::Google => google::client(remote, &environment, patience, retries),
            Service::Azure => azure::client(remote, &environment, patience, retries),
            Service::Web | Service::Memory => web(remote, patience, retries),
        }
    };
    let (client, once) = (make(patience.retries())?, make(patience.once())?);
    Ok(Bucket { shown: remote.bucket().to_owned(), service: remote.service(), patience, client, once })
}

fn web(remote: &Remote, patience: Patience, retries: RetryConfig) -> Result<Client, StorageError> {
    let query = remote.query().map(|query| format!("?{query}")).unwrap_or_default();
    let builder = HttpBuilder::new()
        .with_url(format!("{}{query}", remote.root()))
        .with_client_options(options(patience, true))
        .with_retry(retries);
    Ok(Arc::new(builder.build().map_err(|error| refused(remote, &error))?))
}

fn options(patience: Patience, allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_timeout(patience.request)
        .with_connect_timeout(std::cmp::min(CONNECT_WITHIN, patience.request))
        .with_allow_http(allow_http)
}

/// Whether the endpoint that was chosen is not encrypted.
fn is_plain(endpoint: Option<&str>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("http://"))
}

fn settings(remote: &Remote, reason: String, hint: Option<&str>) -> StorageError {
    StorageError::Settings { bucket: remote.bucket().to_owned(), reason, hint: hint.map(str::to_owned) }
}

/// What a builder says of its settings.
fn refused(remote: &Remote, error: &object_store::Error) -> StorageError {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    settings(remote, redacted(&innermost.to_string()), None)
}

/// Asking for credentials of the machine where there is no such service takes minutes; this takes two seconds.
fn machine_must_have_credentials(remote: &Remote) -> Result<(), StorageError> {
    let address = SocketAddr::from(METADATA);
    let there = (0..2).any(|_| TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok());
    if there { Ok(()) } else { Err(no_credentials(remote)) }
}

fn no_credentials(remote: &Remote) -> StorageError {
    StorageError::Failed {
        operation: Operation::Open,
        object: remote.bucket().to_owned(),
        service: remote.service(),
        failure: Failure::Credentials,
        cause: Some(Cause(
            "the environment names none, and this machine has no service that hands them out".into(),
        )),
    }
}
