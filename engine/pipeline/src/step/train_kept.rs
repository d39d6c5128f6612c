//! Sums kept span by span, and the fit that reads only the spans whose sums are not there.

use std::path::Path;
use std::time::SystemTime;

use fs_err as fs;

use sluice_core::accumulator::Accumulator as _;
use sluice_core::artifact::Artifact;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::{Missing, Part, PartStates, Partial, fold_kept};
use sluice_core::seam::BatchSource as _;
use sluice_ingest::Dataset;
use sluice_source::FileSource;
use sluice_training::design::{Design, Gathered};
use sluice_training::{Gather, TrainingColumns};
use sluice_transform::Transform;

use super::kept_states::{Kept, Reading};
use super::train_state::{
    FILE, SUMS_FILE, StateRecord, SumsRecord, TRAIN_STATE_KIND, TRAIN_STATE_VERSION, TrainState, bytes_of,
};
use crate::step::TRAIN;

/// Gathers with the sums that are kept in a folder.
#[derive(Debug)]
pub(super) struct KeptGather<'a> {
    /// Where they are kept.
    pub(super) folder: &'a Path,
    pub(super) dataset: &'a Dataset,
    pub(super) source: &'a FileSource,
    pub(super) transform: &'a Transform,
    pub(super) columns: &'a TrainingColumns,
    pub(super) folds: u32,
    pub(super) execution: &'a Execution,
    /// What was read, in both scans where there are two.
    pub(super) reading: Reading,
}

impl Gather for KeptGather<'_> {
    fn gather(&mut self, design: &Design) -> Result<Gathered> {
        let Self { folder, dataset, source, transform, columns, folds, execution, reading } = self;
        let plan = source.plan();
        let record = SumsRecord::new(transform, columns, (*folds, design.form()), plan);
        let kind = (TRAIN_STATE_KIND, TRAIN_STATE_VERSION);
        let kept = Kept::new(folder, kind, (dataset, TRAIN), &record)?;
        let mut states = KeptSums { kept, record };
        let missing = states.kept.missing(plan);
        reading.add(&missing);
        reading.set_aside(&states.kept);
        reading.unusable.extend(states.outdated(&missing));
        execution.progress.begin("train", missing.extent(plan));
        let state = fold_kept(*source, design, &missing, &mut states, execution)?;
        execution.progress.end();
        Ok(state.accumulator.finish())
    }
}

struct KeptSums<'a> {
    kept: Kept<'a>,
    record: SumsRecord,
}

impl KeptSums<'_> {
    /// Why sums that were kept of a missing part do not fit, where the transform has learnt something else since.
    fn outdated(&self, missing: &Missing) -> Option<String> {
        let mut parts = missing.parts().filter(|(_, is_read)| *is_read);
        let (part, change) = parts.find_map(|(part, _)| {
            let others = self.kept.others(&part);
            let modified = |path: &std::path::PathBuf| {
                fs::metadata(path).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
            };
            let latest = others.into_iter().max_by_key(modified)?;
            let state = Artifact::open(latest, TRAIN_STATE_KIND, TRAIN_STATE_VERSION).ok()?;
            let earlier: StateRecord = state.read_json(FILE).ok()?;
            Some((part, self.record.learnt_since(&earlier.sums)?))
        })?;
        Some(format!("{change} is not what it was when the sums of {part} were kept"))
    }
}

impl PartStates<Design> for KeptSums<'_> {
    fn take(&mut self, part: &Part) -> Result<Partial<Design>> {
        Ok(TrainState::open(self.kept.place(part)?.path())?.into_partial())
    }

    fn keep(&mut self, state: &Partial<Design>) -> Result<()> {
        let Some(part) = state.parts().next() else { return Ok(()) };
        let place = self.kept.place(part)?;
        let record = StateRecord::kept(self.record.clone(), place.rows.clone(), state.rows());
        place.publish(&self.kept, |draft| {
            draft.write_json(FILE, &record)?;
            draft.write_bytes(SUMS_FILE, &bytes_of(state)?)
        })
    }
}
