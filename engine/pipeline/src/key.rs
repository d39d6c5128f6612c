//! Keys of what is kept to be found again: by digests of what it was read from, its options, and the engine.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use sluice_core::artifact::{EngineRecord, hex_digest};
use sluice_core::error::{CommonError, Result};

/// What a step or a state depends on, by name. Equal parts give equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KeyParts(BTreeMap<String, String>);

impl KeyParts {
    /// The engine itself: another version or processor level may round otherwise.
    pub(crate) fn new() -> Self {
        let engine = EngineRecord::current();
        Self::default().with("engine", format!("{} {}", engine.version, engine.cpu_level))
    }

    /// Adds the digest of an input.
    pub(crate) fn with(mut self, name: &str, digest: impl Into<String>) -> Self {
        self.0.insert(name.into(), digest.into());
        self
    }

    /// Adds options.
    pub(crate) fn with_options<T: Serialize>(self, name: &str, options: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(options).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(self.with(name, hex_digest(&bytes)))
    }

    /// The key: the first 32 hex digits of the SHA-256 of the parts.
    pub(crate) fn key(&self) -> Result<String> {
        let bytes = serde_json::to_vec(&self.0).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(hex_digest(&bytes)[..32].to_owned())
    }

    /// The names of the parts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn to_json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    /// What differs from the parts of an earlier run, in words.
    pub(crate) fn changes_since(&self, earlier: &Self) -> String {
        let changed: Vec<&str> = self
            .0
            .iter()
            .filter(|(name, digest)| earlier.0.get(*name) != Some(*digest))
            .map(|(name, _)| name.as_str())
            .chain(earlier.0.keys().filter(|name| !self.0.contains_key(*name)).map(String::as_str))
            .collect();
        match changed.as_slice() {
            [] => "its artifact is gone".into(),
            names => format!("changed: {}", names.join(", ")),
        }
    }
}

impl From<BTreeMap<String, String>> for KeyParts {
    fn from(parts: BTreeMap<String, String>) -> Self {
        Self(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_named() {
        let parts = KeyParts::default().with("dataset", "a").with("options", "x");
        let other = KeyParts::default().with("dataset", "a").with("options", "y");
        assert_ne!(parts.key().unwrap(), other.key().unwrap());
        assert_eq!(parts.key().unwrap(), parts.clone().key().unwrap());
        assert_eq!(other.changes_since(&parts), "changed: options");
        assert_eq!(parts.changes_since(&parts), "its artifact is gone");
        assert_eq!(parts.changes_since(&KeyParts::default().with("dataset", "a")), "changed: options");
    }
}
