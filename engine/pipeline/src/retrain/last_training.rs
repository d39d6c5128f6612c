//! When the model in production was trained and on how many rows: from a registry, or from the ledger of its runs.

use serde::{Deserialize, Serialize};
use sluice_core::error::Result;
use sluice_delivery::Registry;

use crate::ledger::{Ledger, RunDetail, RunFilter};
use crate::run::StepName;

/// How the model in production came to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastTraining {
    /// The registry and name of the model, or the folder of the ledger.
    pub place: String,
    /// The version, or the run.
    pub which: String,
    /// The digest of its package.
    pub digest: String,
    /// When, in seconds since 1970-01-01 UTC: when training began, or, of a registry, when the version was first
    /// registered. None where there is no model.
    pub at_seconds: Option<u64>,
    /// Rows that it was trained on, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
}

impl LastTraining {
    pub(super) fn name(&self) -> String {
        let Self { place, which, .. } = self;
        if which.is_empty() { place.clone() } else { format!("{place}, {which}") }
    }

    /// Of a version of a registry, or of an alias there. `place` is how the registry and the model are called. The rows
    /// stand in the package, which is opened for them.
    ///
    /// # Errors
    /// What reading the registry meets; a version that is not there in a registry that has others.
    pub fn of_registry(registry: &Registry, place: &str, version: &str, with_rows: bool) -> Result<Self> {
        let mut found = Self { place: place.to_owned(), ..Self::default() };
        if registry.versions()?.is_empty() {
            return Ok(found);
        }
        let number = registry.resolve(version)?;
        let entry = registry.entry(number)?;
        found.which = format!("version {number}");
        found.digest = entry.digest;
        let pushed = |record: &sluice_delivery::registry::VersionRecord| {
            let origin = record.promoted_from.as_ref().map(|origin| origin.pushed_at_seconds);
            origin.unwrap_or(record.pushed_at_seconds)
        };
        // A version without a record is as old as can be.
        found.at_seconds = Some(entry.record.as_ref().map_or(0, pushed));
        if with_rows {
            found.rows = Some(registry.package(number)?.package().model().rows());
        }
        Ok(found)
    }

    /// Of the newest run of a ledger whose model was accepted. Where it took the model of an earlier run, that run counts.
    ///
    /// # Errors
    /// `LedgerError`.
    pub fn of_ledger(ledger: &Ledger, place: &str, pipeline: Option<&str>) -> Result<Self> {
        let mut found = Self { place: place.to_owned(), ..Self::default() };
        let filter = RunFilter { pipeline: pipeline.map(str::to_owned), ..RunFilter::default() };
        for run in ledger.runs(&filter)? {
            // Rejected and failed runs may have trained what a later one took, but brought nothing into production.
            let is_first = found.digest.is_empty();
            if is_first && run.state != "accepted" {
                continue;
            }
            let Some(trained) = Trained::of(&ledger.detail(&run.run)?) else { continue };
            if is_first {
                found.digest.clone_from(&trained.digest);
            } else if trained.digest != found.digest {
                continue;
            }
            found.which = format!("run {}", run.run);
            found.at_seconds = Some(trained.at_seconds);
            found.rows = trained.rows;
            if !trained.is_cached {
                break;
            }
        }
        Ok(found)
    }
}

/// The step of a run that trained.
struct Trained {
    digest: String,
    at_seconds: u64,
    rows: Option<u64>,
    is_cached: bool,
}

impl Trained {
    fn of(run: &RunDetail) -> Option<Self> {
        let step = run.step(StepName::Train)?;
        let model = step.outputs.iter().find(|artifact| !artifact.digest.is_empty())?;
        let rows = model.properties.get("rows").and_then(serde_json::Value::as_u64);
        let at_seconds = u64::try_from(step.started_ms / 1000).unwrap_or(0);
        Some(Self { digest: model.digest.clone(), at_seconds, rows, is_cached: step.state == "cached" })
    }
}
