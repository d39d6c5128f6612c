//! Which steps need not run: a step is keyed by the digests of what it reads, its options and the engine, and its
//! artifact lies in the store under that key. An artifact is complete or absent, so after a crash the next run
//! finds exactly the steps that were done.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::Value;

use sluice_core::artifact::sweep_drafts;

use super::earlier::numbers;
use super::step_name::StepName;
use crate::key::KeyParts;
use crate::step::state::STATE_KIND;
use crate::step::train_state::TRAIN_STATE_KIND;
use crate::step::transform_state::TRANSFORM_STATE_KIND;

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
        let steps = StepName::ALL.into_iter().map(|step| step.folder().unwrap_or(step.name()));
        for folder in steps.chain([STATE_KIND, TRANSFORM_STATE_KIND, TRAIN_STATE_KIND]) {
            sweep_drafts(&self.root.join(folder));
        }
    }

    /// Where the artifacts are, by kind.
    pub(super) fn root(&self) -> &Path {
        &self.root
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
                Some((name, KeyParts::from(parts)))
            })
            .collect(),
    )
}
