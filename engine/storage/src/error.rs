//! What can go wrong with a bucket, by what can be done about it.

use std::fmt;

use sluice_core::error::{Diagnostic, ErrorKind};

use crate::location::SCHEMES;

/// Whose bucket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Service {
    /// Amazon S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
    /// A web server, which can only be read.
    Web,
    /// In the memory of this process, for tests.
    Memory,
}

/// What was tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a client of a bucket.
    Open,
    /// Reading an object or what is known of it.
    Read,
    /// Listing the objects below a prefix.
    List,
    /// Writing an object.
    Write,
    /// Deleting an object.
    Delete,
    /// Sending a message to a web server.
    Send,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
            Self::Delete => "delete",
            Self::Send => "send to",
        })
    }
}

/// Why it did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The object is not there.
    NotFound,
    /// The bucket or container is not there.
    BucketMissing,
    /// The credentials are good, but do not allow it.
    Permission,
    /// The secret does not belong to the key.
    Signature,
    /// There are no credentials, or they are unknown or have expired.
    Credentials,
    /// The bucket is in another region.
    Region,
    /// Another writer was at it, again and again.
    Conflict,
    /// Too many requests, again and again.
    Throttled,
    /// No answer in time, again and again.
    Timeout,
    /// The server could not be reached.
    Unreachable,
    /// The connection broke, again and again.
    Broken,
    /// The server failed, again and again.
    Server(u16),
    /// The object is another one than when it was first looked at.
    Changed,
    /// The object is shorter than it was said to be.
    Truncated,
    /// The server sends objects only whole.
    RangesUnsupported,
    /// The service cannot do this at all.
    Unsupported,
    /// Something else.
    Other,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotFound => "it is not there",
            Self::BucketMissing => "the bucket is not there",
            Self::Permission => "permission denied",
            Self::Signature => "the signature is wrong",
            Self::Credentials => "the credentials are missing, unknown or expired",
            Self::Region => "the bucket is in another region",
            Self::Conflict => "another writer was at it each time",
            Self::Throttled => "the server took no more requests",
            Self::Timeout => "no answer in time",
            Self::Unreachable => "the server cannot be reached",
            Self::Broken => "the connection broke each time",
            Self::Server(status) => {
                return write!(formatter, "the server failed each time (status {status})");
            }
            Self::Changed => "it has changed since it was first looked at",
            Self::Truncated => "it is shorter than it was said to be",
            Self::RangesUnsupported => "the server sends files only whole",
            Self::Unsupported => "this kind of place cannot do that",
            Self::Other => "it failed",
        })
    }
}

/// What the server or the network said, without what grants access.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Cause(pub(crate) String);

/// Errors of places that are not on this machine.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A URL of a scheme that is not known.
    #[error("`{scheme}://` is not a known kind of place")]
    UnknownScheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// A URL that cannot be one.
    #[error("`{text}` is not a place: {reason}")]
    BadLocation {
        /// The URL without what grants access.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// A file of text that is none.
    #[error("`{object}` is not text in UTF-8")]
    NotText {
        /// The file.
        object: String,
    },
    /// A manifest that names what lies outside of its artifact.
    #[error("the manifest of `{object}` names `{name}`, which is no file of it")]
    BadName {
        /// The artifact.
        object: String,
        /// What it names.
        name: String,
    },
    /// Settings of the environment that do not fit together.
    #[error("cannot open `{bucket}`: {reason}")]
    Settings {
        /// The bucket.
        bucket: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        hint: Option<String>,
    },
    /// An operation that did not succeed.
    #[error("cannot {operation} `{object}`: {failure}")]
    Failed {
        /// What was tried.
        operation: Operation,
        /// The object, or the bucket.
        object: String,
        /// Whose it is.
        service: Service,
        /// Why it did not succeed.
        failure: Failure,
        /// What was answered.
        #[source]
        cause: Option<Cause>,
    },
}

impl StorageError {
    /// Why an operation did not succeed, if it was one.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            Self::UnknownScheme { .. }
            | Self::BadLocation { .. }
            | Self::BadName { .. }
            | Self::NotText { .. }
            | Self::Settings { .. } => None,
        }
    }

    /// Whether `error` says that an operation failed for the reason `failure`.
    #[must_use]
    pub fn is(error: &sluice_core::error::Error, failure: &Failure) -> bool {
        error.downcast_ref::<Self>().and_then(Self::failure) == Some(failure)
    }

    /// Fills in the text of a location that could not be read.
    pub(crate) fn about(self, text: &str) -> Self {
        match self {
            Self::BadLocation { reason, .. } => {
                Self::BadLocation { text: crate::explain::redacted(text), reason }
            }
            Self::UnknownScheme { .. }
            | Self::BadName { .. }
            | Self::NotText { .. }
            | Self::Settings { .. }
            | Self::Failed { .. } => self,
        }
    }
}

impl Diagnostic for StorageError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownScheme { .. } | Self::BadLocation { .. } | Self::Settings { .. } => ErrorKind::Usage,
            Self::Failed { failure: Failure::Unsupported, .. } => ErrorKind::Usage,
            Self::BadName { .. } | Self::NotText { .. } => ErrorKind::Malformed,
            Self::Failed { .. } => ErrorKind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownScheme { .. } => Some(format!("a place is a path or one of {SCHEMES}")),
            Self::BadLocation { .. } | Self::NotText { .. } => None,
            Self::BadName { .. } => Some("it was not written by sluice; make it again".into()),
            Self::Settings { hint, .. } => hint.clone(),
            Self::Failed { failure, service, operation, .. } => hint_of(failure, *service, *operation),
        }
    }
}

fn hint_of(failure: &Failure, service: Service, operation: Operation) -> Option<String> {
    let hint = match failure {
        Failure::NotFound => "check the URL; names in a bucket are case-sensitive".into(),
        Failure::BucketMissing => bucket_hint(service),
        Failure::Permission => format!(
            "let {} {operation} there, or choose others",
            if service == Service::Web { "the user or the token of the URL" } else { "these credentials" }
        ),
        Failure::Signature => signature_hint(service).into(),
        Failure::Credentials => credentials_hint(service).into(),
        Failure::Region => "set `AWS_REGION` to the bucket's region".into(),
        Failure::Conflict => "run again when the other writer is done".into(),
        Failure::Throttled => "run again later, or with fewer processes at a time".into(),
        Failure::Timeout => {
            "run again; `SLUICE_STORAGE_TIMEOUT` is for how many seconds an operation may be tried".into()
        }
        Failure::Unreachable => endpoint_hint(service),
        Failure::Broken | Failure::Server(_) => "run again; nothing was left half written".into(),
        Failure::Changed => "run again when nobody writes to it".into(),
        Failure::Truncated => {
            "it was written while it was read, or cut short by its writer; run again".into()
        }
        Failure::RangesUnsupported => {
            "download it and give its path; parts of a file need a server that knows the header `Range`"
                .into()
        }
        Failure::Unsupported if service == Service::Web => {
            "web servers are read only, one file at a time; use a bucket (`s3://`, `gs://`, `az://`)".into()
        }
        Failure::Unsupported | Failure::Other => return None,
    };
    Some(hint)
}

fn bucket_hint(service: Service) -> String {
    match service {
        Service::S3 => "check its name, and `AWS_ENDPOINT_URL` if it is not one of Amazon's".into(),
        Service::Azure => "check the container's name and `AZURE_STORAGE_ACCOUNT_NAME`".into(),
        Service::Google | Service::Web | Service::Memory => "check its name".into(),
    }
}

fn signature_hint(service: Service) -> &'static str {
    match service {
        Service::S3 => "check `AWS_SECRET_ACCESS_KEY`, or `AWS_PROFILE` and the profile's secret",
        Service::Azure => "check `AZURE_STORAGE_ACCOUNT_KEY` or `AZURE_STORAGE_SAS_TOKEN`",
        Service::Google | Service::Web | Service::Memory => "check the credentials",
    }
}

fn credentials_hint(service: Service) -> &'static str {
    match service {
        Service::S3 => {
            "set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (and `AWS_SESSION_TOKEN`), or `AWS_PROFILE`; \
             `AWS_SKIP_SIGNATURE=true` for a public bucket"
        }
        Service::Google => {
            "set `GOOGLE_APPLICATION_CREDENTIALS` to a key file; `GOOGLE_SKIP_SIGNATURE=true` for a public bucket"
        }
        Service::Azure => {
            "set `AZURE_STORAGE_ACCOUNT_NAME` and one of `AZURE_STORAGE_ACCOUNT_KEY`, `AZURE_STORAGE_SAS_TOKEN`, \
             `AZURE_STORAGE_CONNECTION_STRING`; `AZURE_SKIP_SIGNATURE=true` for a public container"
        }
        Service::Web | Service::Memory => "the URL needs a user and password, or a newer token",
    }
}

fn endpoint_hint(service: Service) -> String {
    let variable = match service {
        Service::S3 => "`AWS_ENDPOINT_URL`",
        Service::Google => "`STORAGE_EMULATOR_HOST`",
        Service::Azure => "`AZURE_STORAGE_ENDPOINT`",
        Service::Web | Service::Memory => return "check the host and the network".into(),
    };
    format!("check the network, and {variable} if it is set")
}
