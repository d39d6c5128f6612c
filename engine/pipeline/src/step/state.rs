//! States of statistics: what shards of one source, and stored spans, are merged from.
//!
//! A state holds, per subset, the partial state of `fold` as bytes, and in `state.json` what must be the same in all
//! states of a merge: the options, the kinds of the columns. Merged states answer the very bytes of one pass over
//! all of their rows.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft, EngineRecord};
use sluice_core::column::ColumnKind;
use sluice_core::error::{Diagnostic, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{Part, Partial, fold_splits};
use sluice_core::plan::{Plan, PlanOptions, PlannedColumn};
use sluice_core::seam::BatchSource;
use sluice_core::statistics::DatasetStatistics;
use sluice_ingest::Dataset;
use sluice_quality::statistics::{ComposedFeature, Statistics, StatisticsOptions, finish};

use super::kept_states::{Kept, check_folder, states_in};
use super::statistics::{StatisticsRecord, spans_of};
use crate::step::made_from;

/// The artifact's kind.
pub const STATE_KIND: &str = "statistics-state";
/// The version of its format.
pub const STATE_VERSION: u32 = 3;
const FILE: &str = "state.json";

/// States that do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A shard that there is not.
    #[error("there is no shard {index} of {count}")]
    NoSuchShard {
        /// Which.
        index: u64,
        /// Of how many.
        count: u64,
    },
    /// Made with other options.
    #[error("`{path}` was made with other options than `{first}`")]
    OtherOptions {
        /// The first state.
        first: String,
        /// This one.
        path: String,
    },
    /// Made by another version.
    #[error("`{path}` was made by sluice {found}, this is {current}")]
    OtherEngine {
        /// The state.
        path: String,
        /// Its version.
        found: String,
        /// Ours.
        current: String,
    },
    /// A column that holds something else.
    #[error("column `{column}` of subset `{subset}` is {expected} in `{first}` and {found} in `{path}`")]
    OtherColumn {
        /// The column.
        column: String,
        /// The subset.
        subset: String,
        /// A state before.
        first: String,
        /// What it holds there.
        expected: ColumnKind,
        /// This state.
        path: String,
        /// What it holds here.
        found: ColumnKind,
    },
    /// A state that lies where that of other rows or options belongs.
    #[error("`{path}` is not the state that its name says")]
    Moved {
        /// The state.
        path: String,
    },
    /// An artifact where a folder of states is wanted.
    #[error("`{path}` is an artifact, not a folder of states")]
    NotAFolderOfStates {
        /// The artifact.
        path: String,
    },
    /// Nothing to merge.
    #[error("there is no state to merge")]
    Nothing,
}

impl Diagnostic for StateError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NoSuchShard { .. } => "shards count from 1, for example `--shard 1/4`",
                Self::OtherOptions { .. } => "make all states with the same options",
                Self::OtherEngine { .. } => "make all states with this version",
                Self::OtherColumn { .. } => "write the column with one type, or leave it out with `exclude`",
                Self::Moved { .. } => "remove it; it is made again",
                Self::NotAFolderOfStates { .. } => "name a folder that holds nothing else, or a new one",
                Self::Nothing => "name the folders of the states",
            }
            .into(),
        )
    }
}

/// A part of a source: shard `index` of `count`, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

impl Shard {
    /// All of a source.
    pub const WHOLE: Self = Self { index: 1, count: 1 };

    /// Shard `index` of `count`.
    ///
    /// # Errors
    /// [`StateError::NoSuchShard`].
    pub fn new(index: u64, count: u64) -> Result<Self> {
        if index == 0 || index > count {
            return Err(StateError::NoSuchShard { index, count }.into());
        }
        Ok(Self { index, count })
    }

    /// Its splits.
    #[must_use]
    pub fn splits(self, plan: &Plan) -> Range<u64> {
        plan.shard(self.index, self.count)
    }
}

/// The state of every subset.
#[derive(Clone, Debug)]
pub struct StatisticsState {
    record: StateRecord,
    partials: BTreeMap<String, Partial<Statistics>>,
}

/// What must be the same in states that are merged, and what they were made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRecord {
    options: StatisticsOptions,
    /// What the options have from a schema.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    composed: Vec<ComposedFeature>,
    /// The digest of the data set or plan; of merged states all of them, in order.
    data: Vec<String>,
    /// The spans of the data sets, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    spans: Vec<u64>,
    subsets: BTreeMap<String, SubsetRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubsetRecord {
    columns: Vec<PlannedColumn>,
    num_rows: u64,
}

impl StatisticsState {
    /// The state of a shard of every subset of a data set, or of the one that is named.
    ///
    /// # Errors
    /// What is wrong with the options, and what reading meets.
    pub fn of_dataset(
        dataset: &Dataset,
        subset: Option<&str>,
        options: &StatisticsOptions,
        shard: Shard,
        execution: &Execution,
    ) -> Result<Self> {
        let mut state = Self::new(options, dataset.artifact().digest(), spans_of(dataset));
        let all = || dataset.record().subsets.keys().map(String::as_str).collect();
        for name in subset.map_or_else(all, |subset| vec![subset]) {
            let source = dataset.subset(name, PlanOptions::default(), execution)?;
            state.add(name, &source, shard, execution)?;
        }
        Ok(state)
    }

    /// The state of a shard of a source that is not shared out: one subset, `all`.
    ///
    /// # Errors
    /// As [`StatisticsState::of_dataset`].
    pub fn of_source(
        source: &dyn BatchSource,
        options: &StatisticsOptions,
        shard: Shard,
        execution: &Execution,
    ) -> Result<Self> {
        let mut state = Self::new(options, &source.plan().digest, Vec::new());
        state.add("all", source, shard, execution)?;
        Ok(state)
    }

    fn new(options: &StatisticsOptions, data: &str, spans: Vec<u64>) -> Self {
        let (options, data, subsets) = (options.clone(), vec![data.to_owned()], BTreeMap::new());
        let composed = options.composed.clone();
        let record = StateRecord { options, composed, data, spans, subsets };
        Self { record, partials: BTreeMap::new() }
    }

    fn add(
        &mut self,
        name: &str,
        source: &dyn BatchSource,
        shard: Shard,
        execution: &Execution,
    ) -> Result<()> {
        let plan = source.plan();
        let statistics = Statistics::new(&self.record.options, &plan.columns)?.for_plan(plan);
        execution.progress.begin(&format!("statistics of {name}"), plan.extent());
        let partial = fold_splits(source, shard.splits(plan), &statistics, execution)?;
        execution.progress.end();
        let record = SubsetRecord { columns: plan.columns.clone(), num_rows: partial.rows() };
        self.record.subsets.insert(name.into(), record);
        self.partials.insert(name.into(), partial);
        Ok(())
    }

    /// Rows read, of all subsets.
    #[must_use]
    pub fn num_rows(&self) -> u64 {
        self.partials.values().map(Partial::rows).sum()
    }

    /// Writes the artifact.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(FILE, &self.record)?;
        for (name, partial) in &self.partials {
            draft.write_bytes(&file_of(name), &partial.to_bytes(STATE_KIND, STATE_VERSION)?)?;
        }
        draft.publish(STATE_KIND, STATE_VERSION, made_from([("data", &self.data_digest())]))
    }

    /// Writes the artifact to where a folder of states has that of a whole source.
    ///
    /// # Errors
    /// [`StateError::NotAFolderOfStates`], and what writing meets.
    pub fn keep(&self, folder: &Path) -> Result<Artifact> {
        check_folder(folder)?;
        self.publish(&folder.join(STATE_KIND).join(format!("all-{}", self.data_digest())))
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`; `FoldError` for a state that is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.display().to_string();
        let artifact = Artifact::open(folder, STATE_KIND, STATE_VERSION)?;
        let (found, current) = (&artifact.manifest().engine.version, EngineRecord::current().version);
        if *found != current {
            return Err(StateError::OtherEngine { path, found: found.clone(), current }.into());
        }
        let record: StateRecord = artifact.read_json(FILE)?;
        let mut partials = BTreeMap::new();
        for name in record.subsets.keys() {
            let bytes = artifact.read(&file_of(name))?;
            let partial = Partial::from_bytes(&bytes, STATE_KIND, STATE_VERSION)
                .map_err(|error| error.in_place(format!("subset `{name}` of `{path}`")))?;
            partials.insert(name.clone(), partial);
        }
        Ok(Self { record, partials })
    }

    /// Opens and merges the states in these folders, in any order; of a folder that `--keep-state` wrote, all.
    ///
    /// # Errors
    /// [`StateError`] and `FoldError` where they do not fit together, and what opening meets.
    pub fn merge(folders: &[impl AsRef<Path>]) -> Result<Self> {
        let mut whole: Option<(String, Self)> = None;
        for folder in states_in(folders, STATE_KIND)? {
            let (path, state) = (folder.display().to_string(), Self::open(&folder)?);
            match &mut whole {
                None => whole = Some((path, state)),
                Some((first, whole)) => whole.join(first, state, &path)?,
            }
        }
        let (_, mut whole) = whole.ok_or(StateError::Nothing)?;
        whole.record.data.sort();
        whole.record.data.dedup();
        whole.record.spans.sort_unstable();
        whole.record.spans.dedup();
        Ok(whole)
    }

    fn join(&mut self, first: &str, other: Self, path: &str) -> Result<()> {
        let asked = |record: &StateRecord| (record.options.clone(), record.composed.clone());
        if asked(&self.record) != asked(&other.record) {
            return Err(StateError::OtherOptions { first: first.into(), path: path.into() }.into());
        }
        for (subset, theirs) in other.record.subsets {
            let Some(mine) = self.record.subsets.get_mut(&subset) else {
                self.record.subsets.insert(subset, theirs);
                continue;
            };
            mine.num_rows += theirs.num_rows;
            for column in theirs.columns {
                match mine.columns.iter().find(|known| known.name == column.name) {
                    None => mine.columns.push(column),
                    Some(known) if known.kind == column.kind => {}
                    Some(known) => {
                        return Err(StateError::OtherColumn {
                            column: column.name,
                            subset,
                            first: first.into(),
                            expected: known.kind.clone(),
                            path: path.into(),
                            found: column.kind,
                        }
                        .into());
                    }
                }
            }
        }
        for (subset, partial) in other.partials {
            match self.partials.get_mut(&subset) {
                Some(mine) => mine
                    .merge(partial)
                    .map_err(|error| error.in_place(format!("subset `{subset}` of `{path}`")))?,
                None => {
                    self.partials.insert(subset, partial);
                }
            }
        }
        self.record.data.extend(other.record.data);
        self.record.spans.extend(other.record.spans);
        Ok(())
    }

    /// The statistics, and the digest of what they were made from: of one source its own, of several all of them.
    ///
    /// # Errors
    /// `FoldError` where a part of the data is missing.
    pub fn finish(self) -> Result<(StatisticsRecord, String)> {
        let digest = self.data_digest();
        let mut subsets = Vec::new();
        for (name, partial) in self.partials {
            let state = partial.finish().map_err(|error| error.in_place(format!("subset `{name}`")))?;
            subsets.push(DatasetStatistics { spans: self.record.spans.clone(), ..finish(&name, state) });
        }
        Ok((StatisticsRecord { subsets }, digest))
    }

    fn data_digest(&self) -> String {
        self.record.data.join("+")
    }
}

/// The states of statistics of one subset, kept span by span.
#[derive(Debug)]
pub(super) struct KeptStatistics<'a> {
    pub(super) kept: Kept<'a>,
    options: &'a StatisticsOptions,
    columns: Vec<PlannedColumn>,
}

impl<'a> KeptStatistics<'a> {
    /// Those in `folder` of statistics with these options.
    pub(super) fn new(
        folder: &Path,
        (dataset, subset): (&'a Dataset, &'a str),
        options: &'a StatisticsOptions,
        plan: &Plan,
    ) -> Result<Self> {
        let kind = (STATE_KIND, STATE_VERSION);
        let asked = (options, &options.composed, &plan.columns);
        let kept = Kept::new(folder, kind, (dataset, subset), &asked)?;
        Ok(Self { kept, options, columns: plan.columns.clone() })
    }

    /// The state of a part.
    pub(super) fn take(&self, part: &Part) -> Result<Partial<Statistics>> {
        let place = self.kept.place(part)?;
        let mut state = StatisticsState::open(place.path())?;
        let moved = || StateError::Moved { path: place.path().display().to_string() };
        Ok(state.partials.remove(self.kept.subset()).ok_or_else(moved)?)
    }

    /// Keeps the state of a part, which may be borrowed from that of a shared scan.
    pub(super) fn keep<S: Serialize>(&self, state: &Partial<S>) -> Result<()> {
        let Some(part) = state.parts().next() else { return Ok(()) };
        let place = self.kept.place(part)?;
        let subset = SubsetRecord { columns: self.columns.clone(), num_rows: state.rows() };
        let record = StateRecord {
            options: self.options.clone(),
            composed: self.options.composed.clone(),
            data: vec![place.rows.clone()],
            spans: part.span.into_iter().collect(),
            subsets: BTreeMap::from([(self.kept.subset().to_owned(), subset)]),
        };
        place.publish(&self.kept, |draft| {
            draft.write_json(FILE, &record)?;
            draft.write_bytes(&file_of(self.kept.subset()), &state.to_bytes(STATE_KIND, STATE_VERSION)?)
        })
    }
}

fn file_of(subset: &str) -> String {
    format!("{subset}.state")
}
