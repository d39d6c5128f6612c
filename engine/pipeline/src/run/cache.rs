//! Which steps need not run: a step is keyed by the digests of what it reads, its options and the engine, and its
//! artifact lies in the store under that key. An artifact is complete or absent, so after a crash the next run
//! finds exactly the steps that were done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use serde_json::Value;

use sluice_core::artifact::{EngineRecord, hex_digest, sweep_drafts};
use sluice_core::error::{CommonError, Result};

use super::earlier::numbers;
use super::step_name::StepName;

/// What a step depends on, by name. Equal parts give equal bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeyParts(BTreeMap<String, String>);

impl KeyParts {
    /// The engine itself: another version or processor level may round otherwise.
    pub(super) fn new() -> Self {
        let engine = EngineRecord::current();
        Self::default().with("engine", format!("{} {}", engine.version, engine.cpu_level))
    }

    /// Adds the digest of an input.
    pub(super) fn with(mut self, name: &str, digest: impl Into<String>) -> Self {
        self.0.insert(name.into(), digest.into());
        self
    }

    /// Adds options.
    pub(super) fn with_options<T: Serialize>(self, name: &str, options: &T) -> Result<Self> {
        let bytes = serde_json::to_vec(options).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(self.with(name, hex_digest(&bytes)))
    }

    /// The key: the first 32 hex digits of the SHA-256 of the parts.
    pub(super) fn key(&self) -> Result<String> {
        let bytes = serde_json::to_vec(&self.0).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(hex_digest(&bytes)[..32].to_owned())
    }

    pub(super) fn to_json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    /// What differs from the parts of an earlier run, in words.
    pub(super) fn changes_since(&self, earlier: &Self) -> String {
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

/// The artifacts of all runs, by step and key.
#[derive(Clone, Debug)]
pub(super) struct Store {
    root: PathBuf,
}

impl Store {
    pub(super) fn new(out: &Path) -> Self {
        Self { root: out.join("artifacts") }
    }

    /// Removes what killed runs have left of artifacts, whatever their keys; runs at work keep theirs.
    pub(super) fn sweep(&self) {
        for step in StepName::ALL {
            sweep_drafts(&self.root.join(step.folder().unwrap_or(step.name())));
        }
    }

    /// Where the artifact of a step with this key is, or will be.
    pub(super) fn path(&self, step: StepName, key: &str) -> PathBuf {
        self.root.join(step.folder().unwrap_or(step.name())).join(key)
    }
}

/// What the latest run before this one recorded of each step.
pub(super) fn latest_parts(runs: &Path, before: Option<u64>) -> BTreeMap<StepName, KeyParts> {
    // A run that was killed has no record; the one before it has.
    numbers(runs, before)
        .iter()
        .rev()
        .find_map(|number| parts_of(&runs.join(format!("{number:04}/run.json"))))
        .unwrap_or_default()
}

fn parts_of(record: &Path) -> Option<BTreeMap<StepName, KeyParts>> {
    let record: Value = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
    let steps = record.get("steps")?.as_array()?;
    Some(
        steps
            .iter()
            .filter_map(|step| {
                let name: StepName = serde_json::from_value(step.get("name")?.clone()).ok()?;
                let parts: BTreeMap<String, String> =
                    serde_json::from_value(step.get("made_from")?.clone()).ok()?;
                Some((name, KeyParts(parts)))
            })
            .collect(),
    )
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
