//! Training of a network: the transformed rows of the training subset as it reads them, its classes, the subset that it is
//! validated on, and the package.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::datatypes::{Field, Schema};

use sluice_core::artifact::Draft;
use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::{BatchSource, BatchTransform};
use sluice_delivery::network::{
    Baseline, InputReader, NETWORK_FAMILY, Network, NetworkRecord, TrainingRecord,
};
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_ingest::Dataset;
use sluice_networks::spec::ClassWeights;
use sluice_networks::train::{Checkpoints, EpochRecord, FitOptions, fit};
use sluice_networks::{LabelLayout, NetworkSpec};
use sluice_training::glm::{ClassRows, survey_classes};
use sluice_training::{Class, TrainingColumns, TrainingData, TrainingError};
use sluice_transform::OfTrainingRows;

use crate::step::apply::table::{TableEncoder, TableWriter};
use crate::step::network_rows::{Gathering, Label, RowSums};
use crate::step::train::{TrainInputs, sample};
use crate::step::{TRAIN, made_from};

/// The curves of the loss, in a package of a network.
pub const HISTORY_FILE: &str = "history.parquet";

/// Fits a network and writes its package.
///
/// # Errors
/// What fitting and writing meet: [`NetworkError`](sluice_networks::NetworkError), [`TrainingError`] and what the transform
/// and the files say, with file and row where there is one.
#[expect(clippy::too_many_lines, reason = "one thing after the other: label, rows, fit, package")]
pub(super) fn train(
    spec: &NetworkSpec,
    (dataset, columns): (&Dataset, &TrainingColumns),
    inputs: TrainInputs<'_>,
    target: &Path,
    execution: &Execution,
) -> Result<ModelPackage> {
    let (transform, transform_artifact) = inputs.transform;
    if inputs.start.is_some() {
        return Err(TrainingError::NoStart { family: NETWORK_FAMILY }.into());
    }
    let source = dataset.subset(TRAIN, PlanOptions::default(), execution)?;
    let reader = InputReader::of_spec(transform, spec)?;
    let shared = OfTrainingRows::of(transform);
    let data = TrainingData { source: &source, transform: &shared, columns };
    let classes = if is_of_classes(spec, &source, &columns.label) {
        survey_classes(data, execution)?
    } else {
        Vec::new()
    };
    let label = LabelLayout {
        name: columns.label.clone(),
        classes: classes.iter().map(|class| class.class.to_string()).collect(),
    };
    spec.check_with(reader.layout(), &label)?;
    let known: Vec<Class> = classes.iter().map(|class| class.class.clone()).collect();
    let gathering = |source: &dyn BatchSource, transform: &Arc<dyn BatchTransform>| {
        let label = Label { column: columns.label.clone(), classes: known.clone() };
        let weight = columns.weight.clone();
        let group = spec.group.clone();
        Gathering { source, transform: Arc::clone(transform), reader: &reader, label, weight, group }
            .rows(target, execution)
    };
    execution.progress.begin("train, rows", source.plan().extent());
    let (mut training, sums) = gathering(&source, &shared)?;
    execution.progress.end();
    if sums.rows == 0 {
        return Err(no_rows(&source, columns).into());
    }
    let mut validation = match &spec.early_stopping {
        None => None,
        Some(stopping) => {
            let in_option = |error: sluice_core::Error| error.in_place("`network.early_stopping.subset`");
            let source =
                dataset.subset(&stopping.subset, PlanOptions::default(), execution).map_err(in_option)?;
            let fitted: Arc<dyn BatchTransform> = Arc::new(transform.clone());
            execution.progress.begin("train, validation rows", source.plan().extent());
            let gathered = gathering(&source, &fitted)?;
            execution.progress.end();
            Some(gathered)
        }
    };
    let checkpoints =
        inputs.checkpoints.map(|interval| Checkpoints { path: checkpoint_of(target), interval });
    let options = FitOptions { execution: execution.clone(), checkpoints, ..FitOptions::default() };
    let looked_at = validation.as_mut().map(|(rows, _)| rows.as_rows());
    let fitted = fit(spec, (reader.layout(), &label), training.as_rows(), looked_at, options)?;
    let baseline = Baseline::new(&fitted.model, sums.means(), &sums.shares());
    let history = history(&fitted.history)?;
    let record = NetworkRecord {
        family: NETWORK_FAMILY.into(),
        label: columns.label.clone(),
        label_mean: label_mean(&classes, &sums),
        rows: sums.rows,
        classes,
        calibration: None,
        network: fitted.model.description().clone(),
        training: TrainingRecord {
            spec: spec.clone(),
            device: fitted.device,
            parameters: fitted.model.plan().parameters() as u64,
            validation_rows: validation.as_ref().map(|(_, sums)| sums.rows),
            epochs: fitted.history,
            best_epoch: fitted.best_epoch,
            stopped_early: fitted.stopped_early,
        },
        baseline,
    };
    let network = Network::new(record, fitted.model, transform.space())?;
    let parts = PackageParts::new(transform.clone(), network);
    let made_of = [("dataset", dataset.artifact().digest()), ("transform", transform_artifact.digest())];
    let rows = sample(&source, transform)?;
    let attach = |draft: &mut Draft| write_history(&history, draft);
    let package = parts.publish_with(&rows, inputs.onnx, made_from(made_of), target, attach)?;
    if inputs.checkpoints.is_some() {
        let path = checkpoint_of(target);
        match fs_err::remove_file(&path) {
            // A training of seconds may have written none.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CommonError::on("remove", &path)(error).into());
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(package)
}

/// Where a training that makes `target` notes how far it is.
#[must_use]
pub fn checkpoint_of(target: &Path) -> PathBuf {
    let name = target.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
    target.with_file_name(format!(".{name}.checkpoint"))
}

/// The epochs as a table.
fn history(epochs: &[EpochRecord]) -> Result<RecordBatch> {
    let numbers = |of: fn(&EpochRecord) -> Option<f64>| -> ArrayRef {
        Arc::new(epochs.iter().map(of).collect::<Float64Array>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("epoch", Arc::new(epochs.iter().map(|epoch| Some(epoch.epoch)).collect::<UInt32Array>())),
        ("steps", Arc::new(epochs.iter().map(|epoch| Some(epoch.steps)).collect::<UInt64Array>())),
        ("training_loss", numbers(|epoch| Some(epoch.training_loss))),
        ("validation_loss", numbers(|epoch| epoch.validation_loss)),
        ("learning_rate", numbers(|epoch| Some(epoch.learning_rate))),
        ("gradient_norm", numbers(|epoch| Some(epoch.gradient_norm))),
    ];
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(schema, arrays).map_err(|error| CommonError::Internal(error.to_string()))?)
}

fn write_history(history: &RecordBatch, draft: &mut Draft) -> Result<()> {
    let schema = history.schema();
    let mut rows = TableEncoder::parquet(HISTORY_FILE, &schema);
    rows.push(history.clone())?;
    let mut writer = TableWriter::parquet(draft, HISTORY_FILE, &schema)?;
    writer.append(rows.finish()?)?;
    writer.finish(draft).map(drop)
}

/// Whether the label is one of several classes: as the loss says; else text and booleans are, and numbers are amounts.
fn is_of_classes(spec: &NetworkSpec, source: &dyn BatchSource, label: &str) -> bool {
    let is_class = |kind: &ColumnKind| matches!(kind, ColumnKind::Text | ColumnKind::Boolean);
    match &spec.loss {
        Some(loss) => loss.is_of_classes(),
        None if spec.class_weights != ClassWeights::None => true,
        None => source.plan().column(label).is_some_and(|column| is_class(&column.kind)),
    }
}

fn no_rows(source: &dyn BatchSource, columns: &TrainingColumns) -> TrainingError {
    match &columns.weight {
        Some(weight) if source.plan().rows() > 0 => TrainingError::NoWeight { weight: weight.clone() },
        _ => TrainingError::NoRows,
    }
}

/// The mean of an amount; of two classes the share of the second, of more 0.
fn label_mean(classes: &[ClassRows], sums: &RowSums) -> f64 {
    match classes {
        [] => sums.label / sums.weight,
        [first, second] => second.weight / (first.weight + second.weight),
        _ => 0.0,
    }
}
