//! States of the sums that a model is solved from: what shards of the training rows are merged from, and what is kept of
//! spans from one window to the next.
//!
//! Sums are taken before the affine maps that the transform ends in, so that a span's sums serve every window in which the
//! rest of the transform is the same. The state of a shard also holds what the model is made of beside the sums: the
//! model's options, the fitted transform, and the first rows. What is solved from merged states is the very bytes of one
//! run.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::Accumulator as _;
use sluice_core::artifact::{Artifact, ArtifactError, Draft, EngineRecord};
use sluice_core::batch::RowIdentity;
use sluice_core::error::{CommonError, Diagnostic, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{Partial, fold_splits};
use sluice_core::plan::{Piece, Plan, PlanOptions, PlannedColumn, Split};
use sluice_core::role::Roles;
use sluice_core::seam::{BatchSource, BatchTransform as _, Delivery, Request};
use sluice_delivery::ModelPackage;
use sluice_delivery::onnx::OnnxMode;
use sluice_ingest::Dataset;
use sluice_training::design::{Design, Form, Gathered};
use sluice_training::{FitOptions, Gather, ModelSpec, TrainingColumns, TrainingData, TrainingError};
use sluice_transform::{OfTrainingRows, Transform};

use super::kept_states::states_in;
use super::state::{Shard, StateError};
use super::train::{TrainInputs, check_features, columns_of, fit_and_publish, sample};
use super::transform::check_rows;
use crate::spec::TrainSpec;
use crate::step::{TRAIN, made_from};

/// The artifact's kind.
pub const TRAIN_STATE_KIND: &str = "train-state";
/// The version of its format.
pub const TRAIN_STATE_VERSION: u32 = 1;
pub(super) const FILE: &str = "state.json";
pub(super) const SUMS_FILE: &str = "sums.state";
const SAMPLE_FILE: &str = "sample.arrow";

/// States of models that do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum TrainStateError {
    /// A model that is not solved from sums.
    #[error("`{family}` reads the rows again and again, so that no state of them serves it")]
    NotFromSums {
        /// The family.
        family: &'static str,
    },
    /// Of another model, label, transform or data.
    #[error("`{path}` is a state of another {what} than `{first}`")]
    Other {
        /// In what they differ.
        what: &'static str,
        /// The first state.
        first: String,
        /// This one.
        path: String,
    },
    /// The state of a span, which does not know what model is wanted.
    #[error("`{path}` is what was kept of a span, not the state of a shard")]
    NotOfAShard {
        /// The state.
        path: String,
    },
    /// Columns that sums in `f64` cannot tell apart.
    #[error(
        "the features are so nearly dependent that their sums must be exact, and those of these states are not"
    )]
    IllConditioned,
}

impl Diagnostic for TrainStateError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NotFromSums { .. } => "leave out `--partial` and `--keep-state`",
                Self::Other { .. } => {
                    "make all states of one data set, with the same transform, model, label, weight and key"
                }
                Self::NotOfAShard { .. } => "merge states that `sluice train --partial` wrote",
                Self::IllConditioned => "make all states again with `--exact`",
            }
            .into(),
        )
    }
}

/// What sums depend on, beside the rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SumsRecord {
    /// The transform before the affine maps that it ends in.
    pub(super) transform: Transform,
    labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<String>,
    folds: u32,
    /// What decides the fold of a row, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<RowIdentity>,
    /// Of the data: batches are cut by their number.
    columns: Vec<PlannedColumn>,
    form: Form,
}

/// What a model is made of beside the sums.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelRecord {
    model: ModelSpec,
    roles: Roles,
    onnx: OnnxMode,
    transform: Transform,
    /// Of the transform's artifact.
    transform_digest: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StateRecord {
    pub(super) sums: SumsRecord,
    /// The digest of the data set, or of the rows of a span.
    pub(super) data: String,
    pub(super) num_rows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<ModelRecord>,
}

impl SumsRecord {
    /// Of what a design gathers.
    pub(super) fn new(
        transform: &Transform,
        columns: &TrainingColumns,
        (folds, form): (u32, Form),
        plan: &Plan,
    ) -> Self {
        Self {
            transform: transform.split_affine().0,
            labels: columns.labels().map(str::to_owned).collect(),
            weight: columns.weight.clone(),
            folds,
            identity: columns.identity.clone().filter(|_| folds > 1),
            columns: plan.columns.clone(),
            form,
        }
    }

    /// What an operation has learnt that is not what it had learnt in `earlier`, in words; nothing where other operations
    /// were asked for.
    pub(super) fn learnt_since(&self, earlier: &Self) -> Option<String> {
        let (now, before) = (self.transform.nodes(), earlier.transform.nodes());
        now.iter().find_map(|node| {
            let same = |other: &&sluice_transform::Node| {
                (&other.operation, &other.inputs, &other.outputs)
                    == (&node.operation, &node.inputs, &node.outputs)
            };
            let other = before.iter().find(same)?;
            let input = node.inputs.first().map_or("", |input| input.split('#').next().unwrap_or(input));
            (other.mapper != node.mapper)
                .then(|| format!("what `{}` has learnt of `{input}`", node.operation))
        })
    }
}

impl StateRecord {
    /// Of a span, to be kept.
    pub(super) fn kept(sums: SumsRecord, data: String, num_rows: u64) -> Self {
        Self { sums, data, num_rows, model: None }
    }
}

/// The state of some of the training rows.
#[derive(Clone, Debug)]
pub struct TrainState {
    record: StateRecord,
    partial: Partial<Design>,
    sample: Option<RecordBatch>,
}

impl TrainState {
    /// The state of a shard of the training rows; exact if it must be told before whether the columns are
    /// ill-conditioned.
    ///
    /// # Errors
    /// [`TrainStateError::NotFromSums`], and what reading meets.
    pub fn of_shard(
        spec: &TrainSpec,
        dataset: &Dataset,
        inputs: TrainInputs<'_>,
        (shard, is_exact): (Shard, bool),
        execution: &Execution,
    ) -> Result<Self> {
        let not_from_sums = || TrainStateError::NotFromSums { family: spec.family() };
        let model = spec.linear().ok_or_else(not_from_sums)?;
        let folds = folds_of(model)?;
        let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
        check_rows(dataset, &source)?;
        let columns = columns_of(spec, &source, inputs.roles)?;
        let (transform, artifact) = inputs.transform;
        check_features(spec, dataset, transform, inputs.roles)?;
        let shared = OfTrainingRows::of(transform);
        let data = TrainingData { source: &source, transform: &shared, columns: &columns };
        let design = match Design::new(data, folds)? {
            design if is_exact && design.form() == Form::Blocked => Design::exact(data, folds),
            design => design,
        };
        let plan = source.plan();
        execution.progress.begin("train", plan.extent());
        let partial = fold_splits(&source, shard.splits(plan), &design, execution)?;
        execution.progress.end();
        let model = ModelRecord {
            model: model.clone(),
            roles: inputs.roles.clone(),
            onnx: inputs.onnx,
            transform: transform.clone(),
            transform_digest: artifact.digest().to_owned(),
        };
        let record = StateRecord {
            sums: SumsRecord::new(transform, &columns, (folds, design.form()), plan),
            data: dataset.artifact().digest().to_owned(),
            num_rows: partial.rows(),
            model: Some(model),
        };
        Ok(Self { record, partial, sample: Some(sample(&source, transform)?) })
    }

    /// The sums alone.
    pub(super) fn into_partial(self) -> Partial<Design> {
        self.partial
    }

    /// Rows read.
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
        draft.write_json(FILE, &self.record)?;
        draft.write_bytes(SUMS_FILE, &bytes_of(&self.partial)?)?;
        if let Some(sample) = &self.sample {
            draft.write_bytes(SAMPLE_FILE, &to_ipc(sample)?)?;
        }
        draft.publish(TRAIN_STATE_KIND, TRAIN_STATE_VERSION, made_from([("dataset", &self.record.data)]))
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`; `FoldError` and `TrainingError` for a state that is damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.display().to_string();
        let artifact = Artifact::open(folder, TRAIN_STATE_KIND, TRAIN_STATE_VERSION)?;
        let (found, current) = (&artifact.manifest().engine.version, EngineRecord::current().version);
        if *found != current {
            return Err(StateError::OtherEngine { path, found: found.clone(), current }.into());
        }
        let record: StateRecord = artifact.read_json(FILE)?;
        let partial = partial_of(&artifact.read(SUMS_FILE)?, &record)
            .map_err(|error| error.in_place(format!("`{path}`")))?;
        let sample = match record.model {
            Some(_) => Some(from_ipc(&artifact.read(SAMPLE_FILE)?, &path)?),
            None => None,
        };
        Ok(Self { record, partial, sample })
    }

    /// Opens and merges the states in these folders, in any order.
    ///
    /// # Errors
    /// [`TrainStateError`] and `FoldError` where they do not fit together, and what opening meets.
    pub fn merge(folders: &[impl AsRef<Path>]) -> Result<Self> {
        let mut whole: Option<(String, Self)> = None;
        for folder in states_in(folders, TRAIN_STATE_KIND)? {
            let (path, state) = (folder.display().to_string(), Self::open(&folder)?);
            if state.record.model.is_none() {
                return Err(TrainStateError::NotOfAShard { path }.into());
            }
            match &mut whole {
                None => whole = Some((path, state)),
                Some((first, whole)) => whole.join(first, state, &path)?,
            }
        }
        Ok(whole.ok_or(StateError::Nothing)?.1)
    }

    fn join(&mut self, first: &str, other: Self, path: &str) -> Result<()> {
        if let Some(what) = difference(&self.record, &other.record)? {
            return Err(TrainStateError::Other { what, first: first.into(), path: path.into() }.into());
        }
        self.partial.merge(other.partial).map_err(|error| error.in_place(format!("`{path}`")))?;
        self.record.num_rows += other.record.num_rows;
        Ok(())
    }

    /// Solves, and writes the package: the bytes of one run.
    ///
    /// # Errors
    /// `FoldError` where a part of the data is missing, [`TrainStateError::IllConditioned`], and what solving and writing
    /// meet.
    pub fn finish(self, target: &Path, execution: &Execution) -> Result<ModelPackage> {
        let Self { record, partial, sample } = self;
        let lost = || CommonError::Internal("the state of a shard without its model".into());
        let (model, sample) = (record.model.ok_or_else(lost)?, sample.ok_or_else(lost)?);
        let source = Elsewhere::new(record.sums.columns, partial.rows());
        let columns = columns_of(&TrainSpec::Linear(model.model.clone()), &source, &model.roles)?;
        let mut gather = Merged(Some(partial.finish()?.accumulator));
        let shared = OfTrainingRows::of(&model.transform);
        let data = TrainingData { source: &source, transform: &shared, columns: &columns };
        let options = FitOptions { gather: Some(&mut gather), start: None };
        let made_from = made_from([("dataset", &record.data), ("transform", &model.transform_digest)]);
        let rows = |_: &dyn BatchSource| Ok(sample);
        let publish = (&model.transform, model.onnx, made_from, target);
        fit_and_publish(&model.model, (data, options), rows, publish, execution)
    }
}

/// The folds of a model that is solved from sums.
pub(super) fn folds_of(spec: &ModelSpec) -> Result<u32, TrainStateError> {
    spec.folds().ok_or(TrainStateError::NotFromSums { family: spec.family() })
}

/// In what the models of two states differ.
fn difference(first: &StateRecord, other: &StateRecord) -> Result<Option<&'static str>> {
    let (Some(mine), Some(theirs)) = (&first.model, &other.model) else { return Ok(Some("model")) };
    Ok(if first.data != other.data {
        Some("data set")
    } else if mine.transform_digest != theirs.transform_digest {
        Some("transform")
    } else if mine.roles != theirs.roles {
        Some("label, weight or key")
    } else if mine.model != theirs.model || mine.onnx != theirs.onnx {
        Some("model")
    } else if first.sums.form != other.sums.form {
        Some("form (`--exact`)")
    } else {
        let json = |record: &StateRecord| serde_json::to_value(&record.sums);
        let is_same = |(first, other)| first == other;
        let internal = |error: serde_json::Error| CommonError::Internal(error.to_string());
        let both = json(first).and_then(|first| Ok((first, json(other)?))).map_err(internal)?;
        (!is_same(both)).then_some("transform")
    })
}

/// Sums that were merged: there is no second scan.
struct Merged(Option<Design>);

impl Gather for Merged {
    fn gather(&mut self, design: &Design) -> Result<Gathered> {
        let merged = self.0.take().ok_or(TrainStateError::IllConditioned)?;
        // Exact sums serve where others would do.
        if merged.is_for(design) { Ok(merged.finish()) } else { Err(TrainingError::OtherSums.into()) }
    }
}

/// Rows that were read by those who made the states.
struct Elsewhere(Plan);

impl Elsewhere {
    fn new(columns: Vec<PlannedColumn>, rows: u64) -> Self {
        let rows = Piece { file: 0, first_row: 0, rows, bytes: None };
        Self(Plan::new(Vec::new(), columns, [rows], PlanOptions::default()))
    }
}

impl BatchSource for Elsewhere {
    fn plan(&self) -> &Plan {
        &self.0
    }

    fn name(&self) -> String {
        "the merged states".into()
    }

    fn read(&self, _: &Split, _: &Request, _: &mut dyn FnMut(Delivery) -> Result<()>) -> Result<()> {
        Err(CommonError::Internal("states are solved without reading rows".into()).into())
    }
}

pub(super) fn bytes_of<A: Serialize>(partial: &Partial<A>) -> Result<Vec<u8>> {
    partial.to_bytes(TRAIN_STATE_KIND, TRAIN_STATE_VERSION)
}

/// The sums of a state, each checked against what the state says of itself.
pub(super) fn partial_of(bytes: &[u8], record: &StateRecord) -> Result<Partial<Design>> {
    let partial = Partial::from_bytes(bytes, TRAIN_STATE_KIND, TRAIN_STATE_VERSION)?;
    let sums = &record.sums;
    let is_sound = |design: &Design| {
        let is_own = design.labels() == sums.labels
            && design.width() == sums.transform.space().width()
            && design.form() == sums.form;
        is_own && design.check().is_ok()
    };
    match partial.part_of(|design| Some(design).filter(|design| is_sound(design))) {
        Some(_) => Ok(partial),
        None => Err(TrainingError::StateContradictory.into()),
    }
}

fn to_ipc(rows: &RecordBatch) -> Result<Vec<u8>, CommonError> {
    let internal = |error: arrow::error::ArrowError| CommonError::Internal(error.to_string());
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema()).map_err(internal)?;
    writer.write(rows).map_err(internal)?;
    writer.into_inner().map_err(internal)
}

fn from_ipc(bytes: &[u8], path: &str) -> Result<RecordBatch, ArtifactError> {
    let damaged = |problem: String| ArtifactError::Damaged {
        path: PathBuf::from(path).join(SAMPLE_FILE).display().to_string(),
        problem,
    };
    let mut rows = StreamReader::try_new(bytes, None).map_err(|error| damaged(error.to_string()))?;
    let batch = rows.next().ok_or_else(|| damaged("it has no rows".into()))?;
    batch.map_err(|error| damaged(error.to_string()))
}
