//! The data before: of the earlier runs in the folder that one whose data validation accepted, and whose statistics new
//! data are compared with.

use std::path::{Path, PathBuf};

use fs_err as fs;
use serde_json::Value;

use sluice_core::error::Result;
use sluice_ingest::Dataset;

use super::step_name::StepName;
use crate::step::statistics::StatisticsRecord;

/// Statistics of data that came before.
#[derive(Debug)]
pub(super) struct Previous {
    /// Where they come from, in words.
    pub(super) origin: String,
    /// Where they are.
    pub(super) place: PathBuf,
    /// The statistics.
    pub(super) statistics: StatisticsRecord,
    /// Of their artifact.
    pub(super) digest: String,
}

impl Previous {
    /// The statistics at a path that the pipeline file names.
    pub(super) fn at(path: &Path, shown: &str) -> Result<Self> {
        let (statistics, origin) = StatisticsRecord::open(path)?;
        let digest = origin.digest().to_owned();
        Ok(Self { origin: format!("`{shown}`"), place: path.to_owned(), statistics, digest })
    }
}

/// The latest accepted data before a data set among the runs before a number. Data with spans are compared with the
/// latest spans that end before theirs, so that a span that is run again is compared with what it was compared with at
/// first; other data with those of the latest run that had others. Runs without a record, and runs whose statistics
/// were cleared away, are passed over.
pub(super) fn latest_accepted(
    runs: &Path,
    before: Option<u64>,
    pipeline: &str,
    dataset: &Dataset,
) -> Result<Option<Previous>> {
    let last = dataset.record().spans.last().map(|span| span.span);
    let mut best: Option<(u64, Previous)> = None;
    let mut seen: Vec<PathBuf> = Vec::new();
    for number in numbers(runs, before).into_iter().rev() {
        let folder = runs.join(format!("{number:04}"));
        let link = folder.join(StepName::Statistics.name());
        // The artifacts of a run are links; several runs may share one.
        let Ok(artifact) = fs::canonicalize(&link) else { continue };
        if seen.contains(&artifact) || !is_accepted(&folder.join("run.json"), pipeline) {
            continue;
        }
        seen.push(artifact);
        let (statistics, artifact) = StatisticsRecord::open_artifact(&link)?;
        let theirs = statistics.subsets.iter().find_map(|subset| subset.spans.last().copied());
        let (is_other, end) = match (last, theirs) {
            (Some(last), Some(theirs)) => (theirs < last, theirs),
            _ => {
                let data = artifact.manifest().made_from.get("data").map(String::as_str);
                (data != Some(dataset.artifact().digest()), u64::MAX)
            }
        };
        if !is_other || best.as_ref().is_some_and(|(best, _)| *best >= end) {
            continue;
        }
        let digest = artifact.digest().to_owned();
        let (origin, place) = (format!("run {number}"), link);
        best = Some((end, Previous { origin, place, statistics, digest }));
        // Nothing can be closer.
        if end == u64::MAX || last.is_some_and(|last| end + 1 == last) {
            break;
        }
    }
    Ok(best.map(|(_, previous)| previous))
}

/// The numbers of the runs before one, ascending.
pub(super) fn numbers(runs: &Path, before: Option<u64>) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(runs) else { return Vec::new() };
    let mut numbers: Vec<u64> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number| before.is_none_or(|before| *number < before))
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Whether the record is of this pipeline, and validation accepted the data.
fn is_accepted(record: &Path, pipeline: &str) -> bool {
    let read = || serde_json::from_slice::<Value>(&fs::read(record).ok()?).ok();
    read().is_some_and(|record| record["pipeline"] == pipeline && record["validation"]["accepted"] == true)
}
