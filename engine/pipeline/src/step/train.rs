//! Train: a model on the transformed training rows, packaged with its transform and some example rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use arrow::array::RecordBatch;

use sluice_core::artifact::Artifact;
use sluice_core::batch::RowIdentity;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::Missing;
use sluice_core::plan::PlanOptions;
use sluice_core::role::{Lineage, Roles};
use sluice_core::seam::{BatchSource, BatchTransform};
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_ingest::Dataset;
use sluice_training::{
    FitOptions, LinearModel, ModelSpec, TrainingColumns, TrainingData, TrainingError, fit_with,
};
use sluice_transform::{OfTrainingRows, Transform};

use crate::spec::TrainSpec;
use crate::step::kept_states::Reading;
use crate::step::train_kept::KeptGather;
use crate::step::train_network;
use crate::step::train_state::{TrainStateError, folds_of};
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
    /// How often the training of a network notes how far it is, beside the package, to go on from there after an
    /// interruption; never without.
    pub checkpoints: Option<Duration>,
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
    spec: &TrainSpec,
    dataset: &Dataset,
    inputs: TrainInputs<'_>,
    target: &Path,
    execution: &Execution,
) -> Result<Trained> {
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    let TrainInputs { transform: (transform, transform_artifact), roles, onnx, states, start, .. } = inputs;
    let columns = columns_of(spec, &source, roles)?;
    check_features(spec, dataset, transform, roles)?;
    let spec = match spec {
        TrainSpec::Linear(spec) => spec,
        TrainSpec::Network(_) if states.is_some() => {
            return Err(TrainStateError::NotFromSums { family: spec.family() }.into());
        }
        TrainSpec::Network(spec) => {
            let package = train_network::train(spec, (dataset, &columns), inputs, target, execution)?;
            let mut reading = Reading::default();
            reading.add(&Missing::new(source.plan(), |_| false));
            return Ok(Trained { package, reading });
        }
    };
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
    let parts = PackageParts::new(transform.clone(), model);
    parts.publish(&rows(data.source)?, onnx, made_from, target)
}

/// The columns that a fit reads beside the features, all of which must be there.
pub(super) fn columns_of(
    spec: &TrainSpec,
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
        .chain(spec.columns())
    {
        check_column(source, column, role)?;
    }
    Ok(columns)
}

/// Refuses features that read a column with a role or know the label, which a transform fitted without these roles may
/// have, and targets that the features know.
///
/// # Errors
/// As [`Transform::check_roles`] and [`check_targets`].
pub(super) fn check_features(
    spec: &TrainSpec,
    dataset: &Dataset,
    transform: &Transform,
    roles: &Roles,
) -> Result<()> {
    let lineage = dataset.record().query.as_ref().map(|query| &query.lineage);
    transform.check_roles(roles, lineage)?;
    let features = &transform.space().features;
    let sources = features.iter().map(|feature| (feature.name.as_str(), feature.sources.as_slice()));
    check_targets(spec.targets(), sources, roles, lineage)
}

/// Refuses targets that have a role, are named twice, or that a feature is made from: it would know what it shall
/// predict. `features` are their names with the columns that they read.
///
/// # Errors
/// [`TrainingError::TargetRole`], [`TrainingError::TargetLeaks`].
pub fn check_targets<'a>(
    targets: &[String],
    features: impl Iterator<Item = (&'a str, &'a [String])> + Clone,
    roles: &Roles,
    lineage: Option<&Lineage>,
) -> Result<()> {
    for (place, target) in targets.iter().enumerate() {
        if roles.of(target).is_some() || targets[..place].contains(target) {
            return Err(TrainingError::TargetRole { target: target.clone() }.into());
        }
        let as_label = Roles { label: Some(target.clone()), allow: roles.allow.clone(), ..Roles::default() };
        let knows = |source: &String| {
            source == target || lineage.is_some_and(|lineage| as_label.leak(source, lineage).is_some())
        };
        for (feature, sources) in features.clone() {
            if let Some(source) = sources.iter().find(|source| knows(source))
                && !roles.allow.iter().any(|allowed| allowed == feature)
            {
                let (target, feature) = (target.clone(), feature.to_owned());
                return Err(TrainingError::TargetLeaks { target, feature, column: source.clone() }.into());
            }
        }
    }
    Ok(())
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
