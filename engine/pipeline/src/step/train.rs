//! Train: a model on the transformed training rows, packaged with its transform and some example rows.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::RecordBatch;

use sluice_core::artifact::Artifact;
use sluice_core::batch::RowIdentity;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::Missing;
use sluice_core::plan::PlanOptions;
use sluice_core::role::Roles;
use sluice_core::seam::{BatchSource, BatchTransform};
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_ingest::Dataset;
use sluice_training::{FitOptions, LinearModel, ModelSpec, TrainingColumns, TrainingData, fit_with};
use sluice_transform::{OfTrainingRows, Transform};

use crate::step::kept_states::Reading;
use crate::step::train_kept::KeptGather;
use crate::step::train_state::folds_of;
use crate::step::{TRAIN, made_from};

/// Rows that the package is tried on: the first are its examples, all go through its ONNX files.
const SAMPLE_ROWS: usize = 100;

/// What a model learns from, beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct TrainInputs<'a> {
    /// The fitted transform and its artifact.
    pub transform: (&'a Transform, &'a Artifact),
    /// What columns are for: rows of one key stay in one fold.
    pub roles: &'a Roles,
    /// Whether the package holds ONNX files.
    pub onnx: OnnxMode,
    /// Where the sums of spans are kept: a span whose sums are there is not read.
    pub states: Option<&'a Path>,
    /// A model that an iteration starts from.
    pub start: Option<&'a LinearModel>,
}

/// A model, and what fitting it has read.
#[derive(Debug)]
pub struct Trained {
    /// Its package.
    pub package: ModelPackage,
    /// What was read.
    pub reading: Reading,
}

/// Fits the model and writes its package. With a folder of states, spans whose sums are kept there are not read, and those
/// of the others are kept there; the package is the same bytes.
///
/// # Errors
/// What fitting and writing meet; `TrainStateError` where states serve the model nothing.
pub fn train(
    spec: &ModelSpec,
    dataset: &Dataset,
    inputs: TrainInputs<'_>,
    target: &Path,
    execution: &Execution,
) -> Result<Trained> {
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    let TrainInputs { transform: (transform, transform_artifact), roles, onnx, states, start } = inputs;
    let columns = columns_of(spec, &source, roles)?;
    // The rows of training are those of the transform: what it learnt of their labels they must not see.
    let shared = OfTrainingRows::of(transform);
    let data = TrainingData { source: &source, transform: &shared, columns: &columns };
    let made_from =
        made_from([("dataset", dataset.artifact().digest()), ("transform", transform_artifact.digest())]);
    let publish = (transform, onnx, made_from, target);
    let rows = |source: &dyn BatchSource| sample(source, transform);
    let Some(folder) = states else {
        let options = FitOptions { gather: None, start };
        let package = fit_and_publish(spec, (data, options), rows, publish, execution)?;
        let mut reading = Reading::default();
        reading.add(&Missing::new(source.plan(), |_| false));
        return Ok(Trained { package, reading });
    };
    let mut gather = KeptGather {
        folder,
        dataset,
        source: &source,
        transform,
        columns: &columns,
        folds: folds_of(spec)?,
        execution,
        reading: Reading::default(),
    };
    let options = FitOptions { gather: Some(&mut gather), start };
    let package = fit_and_publish(spec, (data, options), rows, publish, execution)?;
    Ok(Trained { package, reading: gather.reading })
}

/// Fits and writes the package; `rows` are the first ones, asked for when there is a model.
pub(super) fn fit_and_publish(
    spec: &ModelSpec,
    (data, options): (TrainingData<'_>, FitOptions<'_>),
    rows: impl FnOnce(&dyn BatchSource) -> Result<RecordBatch>,
    (transform, onnx, made_from, target): (&Transform, OnnxMode, BTreeMap<String, String>, &Path),
    execution: &Execution,
) -> Result<ModelPackage> {
    let model = fit_with(spec, data, options, execution)?;
    let parts = PackageParts { transform: transform.clone(), model };
    parts.publish(&rows(data.source)?, onnx, made_from, target)
}

/// The columns that a fit reads beside the features, all of which must be there.
pub(super) fn columns_of(
    spec: &ModelSpec,
    source: &dyn BatchSource,
    roles: &Roles,
) -> Result<TrainingColumns> {
    let columns = TrainingColumns {
        label: roles.label.clone().unwrap_or_default(),
        further_labels: spec.targets().to_vec(),
        weight: roles.weight.clone(),
        identity: Some(RowIdentity::choose(&roles.key, &source.plan().column_names())),
    };
    for (column, role) in columns
        .labels()
        .map(|label| (label, "label"))
        .chain(columns.weight.iter().map(|weight| (weight.as_str(), "weight")))
    {
        check_column(source, column, role)?;
    }
    Ok(columns)
}

fn check_column(source: &dyn BatchSource, column: &str, role: &str) -> Result<()> {
    if source.plan().column(column).is_some() {
        return Ok(());
    }
    let mut available = source.plan().column_names();
    available.retain(|name| !name.starts_with(sluice_core::RESERVED_PREFIX));
    Err(CommonError::ColumnMissing {
        column: column.into(),
        place: format!("the data, but it is the {role}"),
        available,
    }
    .into())
}

/// The first training rows, with the columns that the model reads.
pub(super) fn sample(source: &dyn BatchSource, transform: &Transform) -> Result<RecordBatch> {
    let needed = transform.inputs();
    let plan = source.plan();
    let columns: Vec<usize> =
        (0..plan.columns.len()).filter(|index| needed.contains(&plan.columns[*index].name)).collect();
    let head = source.head(&columns, SAMPLE_ROWS)?;
    head.into_iter()
        .next()
        .ok_or_else(|| CommonError::Internal("the training rows have vanished".into()).into())
}
