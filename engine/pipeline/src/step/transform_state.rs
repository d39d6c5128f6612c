//! States of a transform that is being fitted: what shards of a data set, and stored spans, are merged from.
//!
//! A fit takes one scan or several; each is a round. A shard answers the state of its part of the rows in the round at
//! hand. Merged, the states tell what that scan told; the transform is then fitted, or the merged state goes to the
//! shards of the next round. A state holds its round, all finished rounds before it, and what must be the same
//! in all states of a merge: operations, roles, columns. What is fitted so is the very bytes of one run.

use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft, EngineRecord};
use sluice_core::error::{CommonError, Diagnostic, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{Part, PartStates, Partial, fold_splits};
use sluice_core::plan::{Plan, PlanOptions, PlannedColumn};
use sluice_core::role::Roles;
use sluice_core::seam::BatchSource as _;
use sluice_ingest::Dataset;
use sluice_transform::{Analysis, Fitter, Transform, TransformSpec};

use super::kept_states::{Kept, states_in};
use super::state::{Shard, StateError};
use super::transform::{check_leaks, check_rows};
use crate::step::{TRAIN, made_from};

/// The artifact's kind.
pub const TRANSFORM_STATE_KIND: &str = "transform-state";
/// The version of its format.
pub const TRANSFORM_STATE_VERSION: u32 = 2;
const FILE: &str = "state.json";

/// States of transforms that do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum TransformStateError {
    /// Of other operations or roles.
    #[error("`{path}` is a state of another transform than `{first}`")]
    OtherTransform {
        /// The first state.
        first: String,
        /// This one.
        path: String,
    },
    /// Of data with other columns.
    #[error("the data of `{path}` have other columns than those of `{first}`")]
    OtherColumns {
        /// The first state, or what is read.
        first: String,
        /// This one.
        path: String,
    },
    /// Of another round, or of one that goes on from other states.
    #[error("`{path}` is of scan {found}, `{first}` of scan {expected}")]
    OtherScan {
        /// The first state.
        first: String,
        /// Its scan.
        expected: usize,
        /// This one.
        path: String,
        /// Its scan.
        found: usize,
    },
    /// Both are of one scan, but the scans before it told different things.
    #[error("`{path}` goes on from another state than `{first}`")]
    OtherPast {
        /// The first state.
        first: String,
        /// This one.
        path: String,
    },
    /// Rows that the scans before did not read.
    #[error("scan {scan} reads {part}, which the scans before it did not")]
    OtherRows {
        /// The scan.
        scan: usize,
        /// What is read.
        part: String,
    },
    /// Rows that the scans before read and this one did not.
    #[error("no state of scan {scan} has read {part}, which the scans before it did")]
    MissingRows {
        /// The scan.
        scan: usize,
        /// What is missing.
        part: String,
    },
    /// A state of some of the rows is given where a scan goes on from all of them.
    #[error("`{path}` is the state of a shard, from which no scan can go on")]
    NotMerged {
        /// The state.
        path: String,
    },
}

impl Diagnostic for TransformStateError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::OtherTransform { .. } => "make all states with the same operations and roles",
                Self::OtherColumns { .. } => "fit on data sets with the same columns",
                Self::OtherScan { .. } | Self::OtherPast { .. } => {
                    "merge the states of one scan, all made with the same `--continue`"
                }
                Self::OtherRows { .. } | Self::MissingRows { .. } => "read the same data sets in every scan",
                Self::NotMerged { .. } => "merge the states of all shards first: `sluice transform merge`",
            }
            .into(),
        )
    }
}

/// What must be the same in states that are merged, and what they were made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRecord {
    transform: TransformSpec,
    roles: Roles,
    columns: Vec<PlannedColumn>,
    /// The digest of the data set; of merged states all of them, in order.
    data: Vec<String>,
    /// Scans that are over; their states are whole.
    finished_scans: usize,
    /// Whether there is the state of a further scan, of some of the rows.
    has_partial: bool,
    num_rows: u64,
}

/// The state of a transform that is being fitted.
#[derive(Clone, Debug)]
pub struct TransformState {
    record: StateRecord,
    /// The states of the scans that are over, as bytes: equal states are equal bytes.
    finished: Vec<Vec<u8>>,
    partial: Option<Partial<Analysis>>,
}

/// What comes of a round.
#[derive(Debug)]
pub enum Round {
    /// Everything is known.
    Fitted {
        /// The transform.
        transform: Box<Transform>,
        /// The digest of what it was fitted on.
        data: String,
    },
    /// Another scan is needed, which goes on from this state.
    Next(Box<TransformState>),
}

impl TransformState {
    /// The state of a shard of the training rows in the first scan.
    ///
    /// # Errors
    /// What is wrong with the operations, and what reading meets.
    pub fn begin(
        (spec, roles): (&TransformSpec, &Roles),
        dataset: &Dataset,
        shard: Shard,
        execution: &Execution,
    ) -> Result<Self> {
        let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
        let record = StateRecord {
            transform: spec.clone(),
            roles: roles.clone(),
            columns: source.plan().columns.clone(),
            data: Vec::new(),
            finished_scans: 0,
            has_partial: false,
            num_rows: 0,
        };
        Self { record, finished: Vec::new(), partial: None }.scan(dataset, shard, execution)
    }

    /// The state of a shard of the training rows in the scan that goes on from this state, which was opened from
    /// `path`.
    ///
    /// # Errors
    /// [`TransformStateError`] for a state of a shard and for other data, and as [`TransformState::begin`].
    pub fn go_on(self, path: &Path, dataset: &Dataset, shard: Shard, execution: &Execution) -> Result<Self> {
        let path = path.display().to_string();
        if self.partial.is_some() {
            return Err(TransformStateError::NotMerged { path }.into());
        }
        let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
        if source.plan().columns != self.record.columns {
            let first = dataset.artifact().folder().display().to_string();
            return Err(TransformStateError::OtherColumns { first, path }.into());
        }
        self.scan(dataset, shard, execution)
    }

    fn scan(mut self, dataset: &Dataset, shard: Shard, execution: &Execution) -> Result<Self> {
        let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
        check_rows(dataset, &source)?;
        let fitter = self.fitter()?;
        check_leaks(&fitter, dataset, &self.record.roles)?;
        self.record.data = vec![dataset.artifact().digest().to_owned()];
        if let Some(analysis) = fitter.next_scan()? {
            execution.progress.begin("transform", source.plan().extent());
            let splits = shard.splits(source.plan());
            let partial = fold_splits(&source, splits, &analysis, execution)?;
            execution.progress.end();
            self.check_parts(&partial)?;
            self.record.num_rows = partial.rows();
            self.partial = Some(partial);
        }
        Ok(self)
    }

    /// The fitter after the scans that are over.
    fn fitter(&self) -> Result<Fitter> {
        let mut fitter = Fitter::new(&self.record.transform, &self.record.columns, &self.record.roles)?;
        for bytes in &self.finished {
            fitter.absorb(read(bytes)?.finish()?.accumulator)?;
        }
        Ok(fitter)
    }

    /// Refuses parts of the data that the first scan did not read.
    fn check_parts(&self, partial: &Partial<Analysis>) -> Result<()> {
        let Some(first) = self.finished.first() else { return Ok(()) };
        let known: Vec<Part> = read(first)?.parts().cloned().collect();
        match partial.parts().find(|part| !known.contains(part)) {
            None => Ok(()),
            Some(part) => {
                let scan = self.scan_number();
                Err(TransformStateError::OtherRows { scan, part: part.to_string() }.into())
            }
        }
    }

    /// The scan at hand, from 1.
    #[must_use]
    pub fn scan_number(&self) -> usize {
        self.finished.len() + 1
    }

    /// Rows read in the scan at hand.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.record.num_rows
    }

    /// Writes the artifact.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        let (finished_scans, has_partial) = (self.finished.len(), self.partial.is_some());
        draft.write_json(FILE, &StateRecord { finished_scans, has_partial, ..self.record.clone() })?;
        for (index, bytes) in self.finished.iter().enumerate() {
            draft.write_bytes(&file_of(index + 1), bytes)?;
        }
        if let Some(partial) = &self.partial {
            draft.write_bytes(&file_of(self.scan_number()), &bytes_of(partial)?)?;
        }
        let made_from = made_from([("dataset", &self.record.data.join("+"))]);
        draft.publish(TRANSFORM_STATE_KIND, TRANSFORM_STATE_VERSION, made_from)
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`; `FoldError` for a state that is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.display().to_string();
        let artifact = Artifact::open(folder, TRANSFORM_STATE_KIND, TRANSFORM_STATE_VERSION)?;
        let (found, current) = (&artifact.manifest().engine.version, EngineRecord::current().version);
        if *found != current {
            return Err(StateError::OtherEngine { path, found: found.clone(), current }.into());
        }
        let record: StateRecord = artifact.read_json(FILE)?;
        let numbers = 1..=record.finished_scans;
        let finished = numbers.map(|scan| artifact.read(&file_of(scan))).collect::<Result<_, _>>()?;
        let mut state = Self { record, finished, partial: None };
        if state.record.has_partial {
            let bytes = artifact.read(&file_of(state.scan_number()))?;
            state.partial = Some(read(&bytes).map_err(|error| error.in_place(format!("`{path}`")))?);
        }
        Ok(state)
    }

    /// Opens and merges the states in these folders, in any order; of a folder that `--keep-state` wrote, all.
    ///
    /// # Errors
    /// [`TransformStateError`] and `FoldError` where they do not fit together, and what opening meets.
    pub fn merge(folders: &[impl AsRef<Path>]) -> Result<Self> {
        let mut whole: Option<(String, Self)> = None;
        for folder in states_in(folders, TRANSFORM_STATE_KIND)? {
            let (path, state) = (folder.display().to_string(), Self::open(&folder)?);
            match &mut whole {
                None => whole = Some((path, state)),
                Some((first, whole)) => whole.join(first, state, path)?,
            }
        }
        let (_, mut whole) = whole.ok_or(StateError::Nothing)?;
        whole.record.data.sort();
        whole.record.data.dedup();
        Ok(whole)
    }

    fn join(&mut self, first: &str, other: Self, path: String) -> Result<()> {
        let first = first.to_owned();
        if self.record.transform != other.record.transform || self.record.roles != other.record.roles {
            return Err(TransformStateError::OtherTransform { first, path }.into());
        }
        if self.record.columns != other.record.columns {
            return Err(TransformStateError::OtherColumns { first, path }.into());
        }
        if self.finished.len() != other.finished.len() {
            let (expected, found) = (self.scan_number(), other.scan_number());
            return Err(TransformStateError::OtherScan { first, expected, path, found }.into());
        }
        if self.finished != other.finished {
            return Err(TransformStateError::OtherPast { first, path }.into());
        }
        match (&mut self.partial, other.partial) {
            (Some(mine), Some(partial)) => {
                mine.merge(partial).map_err(|error| error.in_place(format!("`{path}`")))?;
            }
            (None, None) => {}
            _ => return Err(TransformStateError::OtherPast { first, path }.into()),
        }
        self.record.num_rows += other.record.num_rows;
        self.record.data.extend(other.record.data);
        Ok(())
    }

    /// Ends the scan at hand: the transform, or the state that the next scan goes on from.
    ///
    /// # Errors
    /// `FoldError` where a part of the data is missing, and what fitting meets.
    pub fn end(mut self) -> Result<Round> {
        let mut fitter = self.fitter()?;
        if let Some(partial) = self.partial.take() {
            let bytes = bytes_of(&partial)?;
            if let Some(first) = self.finished.first() {
                let read: Vec<&Part> = partial.parts().collect();
                let scan = self.scan_number();
                if let Some(missing) = self::read(first)?.parts().find(|part| !read.contains(part)) {
                    return Err(TransformStateError::MissingRows { scan, part: missing.to_string() }.into());
                }
            }
            fitter.absorb(partial.finish()?.accumulator)?;
            self.finished.push(bytes);
        }
        if fitter.next_scan()?.is_some() {
            return Ok(Round::Next(Box::new(self)));
        }
        let transform = Box::new(fitter.finish()?);
        Ok(Round::Fitted { transform, data: self.record.data.join("+") })
    }
}

/// The states of the first scan of a fit, kept span by span. What later scans gather hangs on the rows of all spans, so
/// that a window that moves cannot use it.
#[derive(Debug)]
pub(super) struct KeptAnalyses<'a> {
    pub(super) kept: Kept<'a>,
    record: StateRecord,
}

impl<'a> KeptAnalyses<'a> {
    /// Those in `folder` of a fit of these operations.
    pub(super) fn new(
        folder: &Path,
        dataset: &'a Dataset,
        (spec, roles): (&TransformSpec, &Roles),
        plan: &Plan,
    ) -> Result<Self> {
        let record = StateRecord {
            transform: spec.clone(),
            roles: roles.clone(),
            columns: plan.columns.clone(),
            data: Vec::new(),
            finished_scans: 0,
            has_partial: true,
            num_rows: 0,
        };
        let kind = (TRANSFORM_STATE_KIND, TRANSFORM_STATE_VERSION);
        let kept = Kept::new(folder, kind, (dataset, TRAIN), &(spec, roles, &plan.columns))?;
        Ok(Self { kept, record })
    }

    /// The state of a part.
    pub(super) fn take(&self, part: &Part) -> Result<Partial<Analysis>> {
        let place = self.kept.place(part)?;
        let moved = || StateError::Moved { path: place.path().display().to_string() };
        Ok(TransformState::open(place.path())?.partial.ok_or_else(moved)?)
    }

    /// Keeps the state of a part, which may be borrowed from that of a shared scan.
    pub(super) fn keep<A: Serialize>(&self, state: &Partial<A>) -> Result<()> {
        let Some(part) = state.parts().next() else { return Ok(()) };
        let place = self.kept.place(part)?;
        let (data, num_rows) = (vec![place.rows.clone()], state.rows());
        let record = StateRecord { data, num_rows, ..self.record.clone() };
        place.publish(&self.kept, |draft| {
            draft.write_json(FILE, &record)?;
            draft.write_bytes(&file_of(1), &bytes_of(state)?)
        })
    }
}

impl PartStates<Analysis> for KeptAnalyses<'_> {
    fn take(&mut self, part: &Part) -> Result<Partial<Analysis>> {
        KeptAnalyses::take(self, part)
    }

    fn keep(&mut self, state: &Partial<Analysis>) -> Result<()> {
        KeptAnalyses::keep(self, state)
    }
}

fn read(bytes: &[u8]) -> Result<Partial<Analysis>> {
    Partial::from_bytes(bytes, TRANSFORM_STATE_KIND, TRANSFORM_STATE_VERSION)
}

fn bytes_of<A: Serialize>(partial: &Partial<A>) -> Result<Vec<u8>, CommonError> {
    let bytes = partial.to_bytes(TRANSFORM_STATE_KIND, TRANSFORM_STATE_VERSION);
    bytes.map_err(|error| CommonError::Internal(error.to_string()))
}

fn file_of(scan: usize) -> String {
    format!("scan-{scan}.state")
}
