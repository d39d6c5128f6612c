//! Train: a model on the transformed training rows, packaged with its transform and some example rows.

use std::path::Path;

use arrow::array::RecordBatch;

use sluice_core::artifact::Artifact;
use sluice_core::batch::RowIdentity;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::plan::PlanOptions;
use sluice_core::role::Roles;
use sluice_core::seam::{BatchSource, BatchTransform};
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_ingest::Dataset;
use sluice_training::{ModelSpec, TrainingColumns, TrainingData, fit};
use sluice_transform::{OfTrainingRows, Transform};

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
}

/// Fits the model and writes its package.
///
/// # Errors
/// What fitting and writing meet.
pub fn train(
    spec: &ModelSpec,
    dataset: &Dataset,
    inputs: TrainInputs<'_>,
    target: &Path,
    execution: &Execution,
) -> Result<ModelPackage> {
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    let TrainInputs { transform: (transform, transform_artifact), roles, onnx } = inputs;
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
        .chain(spec.columns())
    {
        check_column(&source, column, role)?;
    }
    // The rows of training are those of the transform: what it learnt of their labels they must not see.
    let shared = OfTrainingRows::of(transform);
    let data = TrainingData { source: &source, transform: &shared, columns: &columns };
    let model = fit(spec, data, execution)?;
    let parts = PackageParts { transform: transform.clone(), model };
    let rows = sample(&source, transform)?;
    let made_from =
        made_from([("dataset", dataset.artifact().digest()), ("transform", transform_artifact.digest())]);
    parts.publish(&rows, onnx, made_from, target)
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
fn sample(source: &dyn BatchSource, transform: &Transform) -> Result<RecordBatch> {
    let needed = transform.inputs();
    let plan = source.plan();
    let columns: Vec<usize> =
        (0..plan.columns.len()).filter(|index| needed.contains(&plan.columns[*index].name)).collect();
    let head = source.head(&columns, SAMPLE_ROWS)?;
    head.into_iter()
        .next()
        .ok_or_else(|| CommonError::Internal("the training rows have vanished".into()).into())
}
