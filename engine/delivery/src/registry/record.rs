//! What is written beside a version: where it came from, and who claimed its number.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use sluice_core::error::{CommonError, Result};

use crate::who;

/// Where a version came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Its number.
    pub version: u64,
    /// The digest of the package.
    pub digest: String,
    /// The verdict that let it pass.
    pub verdict: Value,
    /// Seconds since 1970-01-01 UTC.
    pub pushed_at_seconds: u64,
    /// Who pushed it, and on which machine; earlier versions of the program did not note it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_by: Option<String>,
    /// The registry that it was promoted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promoted_from: Option<Origin>,
    /// Why it was let in without a verdict that says `pass`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<String>,
}

/// The version of another registry that a version is a copy of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The registry's place, without credentials.
    pub registry: String,
    /// Its number there.
    pub version: u64,
    /// When it was pushed there.
    pub pushed_at_seconds: u64,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_by: Option<String>,
}

impl VersionRecord {
    /// What its verdict says: `pass`, `fail`, `error`; nothing where there is no verdict.
    #[must_use]
    pub fn outcome(&self) -> Option<&str> {
        self.verdict.get("outcome")?.as_str()
    }

    /// Why its verdict does not let it pass, if so.
    pub(super) fn problem(&self) -> Option<String> {
        let about = self.verdict.get("candidate_digest").and_then(Value::as_str);
        match (self.outcome(), about) {
            (None, _) => Some("it has no verdict".into()),
            (Some("pass"), Some(about)) if about == self.digest => None,
            (Some("pass"), _) => Some("its verdict is about another package".into()),
            (Some(outcome), _) => Some(format!("its verdict is `{outcome}`")),
        }
    }
}

/// Who works on the package of a number; the next with the same package goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// The digest of the package.
    pub(super) digest: String,
    /// Who, and on which machine.
    pub(super) by: String,
    /// Seconds since 1970-01-01 UTC.
    pub(super) at_seconds: u64,
}

/// JSON for people, with a final newline.
///
/// # Errors
/// [`CommonError::Internal`].
pub(super) fn pretty<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| CommonError::Internal(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Now, in seconds since 1970-01-01 UTC.
pub(super) fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Who is at work: `USER@HOST`.
pub(super) fn actor() -> String {
    format!("{}@{}", who::user(), who::host())
}
