//! What can be wrong with a ledger, or with what it is asked.

use rusqlite::ErrorCode;
use sluice_core::error::{Diagnostic, ErrorKind};

/// What is wrong with a ledger, or with what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// There is none.
    #[error("there is no ledger at `{path}`")]
    Absent {
        /// Where it was looked for.
        path: String,
    },
    /// Another process writes to it for longer than one waits.
    #[error("another process has locked the ledger `{path}`")]
    Locked {
        /// The ledger.
        path: String,
    },
    /// Another version of ML Metadata's tables, or of what stands in them.
    #[error("the ledger `{path}` has {what} {found}, this program knows {expected}")]
    OtherVersion {
        /// The ledger.
        path: String,
        /// Of what it is the version.
        what: &'static str,
        /// Its version.
        found: i64,
        /// Ours.
        expected: i64,
    },
    /// A database of something else.
    #[error("`{path}` is a database without the tables of ML Metadata")]
    OtherDatabase {
        /// The file.
        path: String,
    },
    /// Not a database, or one that is damaged.
    #[error("the ledger `{path}` is damaged")]
    Damaged {
        /// The ledger.
        path: String,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// It can be neither read nor written.
    #[error("cannot use the ledger `{path}`")]
    Unusable {
        /// The ledger.
        path: String,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// A statement of ours that the database refuses.
    #[error("internal error: the ledger `{path}` refuses a statement")]
    Refused {
        /// The ledger.
        path: String,
        /// What the database says.
        source: rusqlite::Error,
    },
    /// No run of this name.
    #[error("there is no run `{run}` in `{path}`")]
    NoSuchRun {
        /// What was asked for.
        run: String,
        /// The ledger.
        path: String,
        /// The latest run there is.
        latest: Option<String>,
    },
    /// No artifact of this digest.
    #[error("no artifact in `{path}` has a digest that begins with `{digest}`")]
    NoSuchArtifact {
        /// What was asked for.
        digest: String,
        /// The ledger.
        path: String,
    },
    /// Several artifacts.
    #[error("`{digest}` begins the digests of several artifacts in `{path}`")]
    Ambiguous {
        /// What was asked for.
        digest: String,
        /// The ledger.
        path: String,
        /// Some of them.
        found: Vec<String>,
    },
}

impl LedgerError {
    /// What the database says about a ledger.
    pub(super) fn of(path: &str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked { path },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { path, source },
            Some(
                ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure
                | ErrorCode::DiskFull
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::NoLargeFileSupport
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Unusable { path, source },
            _ => Self::Refused { path, source },
        }
    }
}

impl Diagnostic for LedgerError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Absent { .. } | Self::Locked { .. } | Self::Unusable { .. } => ErrorKind::Unavailable,
            Self::OtherVersion { .. }
            | Self::NoSuchRun { .. }
            | Self::NoSuchArtifact { .. }
            | Self::Ambiguous { .. } => ErrorKind::Usage,
            Self::Damaged { .. } | Self::OtherDatabase { .. } => ErrorKind::Malformed,
            Self::Refused { .. } => ErrorKind::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent { .. } => {
                "`sluice run` writes one into its folder of runs; `--out` says which folder that is".into()
            }
            Self::Locked { .. } => "wait until the other program is done with it, then try again".into(),
            Self::OtherVersion { found, expected, .. } if found > expected => {
                "use a newer sluice, or move it away: the next run begins a new one".into()
            }
            Self::OtherVersion { .. } => {
                "let the client of ML Metadata bring it up to date (`enable_upgrade_migration`), or move it away".into()
            }
            Self::OtherDatabase { .. } => "move it away, or give another folder with `--out`".into(),
            Self::Damaged { .. } => {
                "move it away: the next run begins a new one; artifacts, registry and `runs/*/run.json` do not depend on it"
                    .into()
            }
            Self::Unusable { source, .. } if source.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                "the disk is full: free some space, then run again; nothing was left half written".into()
            }
            Self::Unusable { .. } => "check that its folder can be written, and that the disk is not full".into(),
            Self::Refused { .. } => "this is a bug in sluice; please report it with the log".into(),
            Self::NoSuchRun { latest: Some(latest), .. } => {
                format!("the latest is `{latest}`; `sluice runs list` shows all")
            }
            Self::NoSuchRun { .. } => "no run is recorded there yet".into(),
            Self::NoSuchArtifact { .. } => {
                "`sluice runs show RUN` shows the digests of a run's artifacts; six digits are enough".into()
            }
            Self::Ambiguous { found, .. } => format!("give more of it: {}", found.join(", ")),
        })
    }
}
