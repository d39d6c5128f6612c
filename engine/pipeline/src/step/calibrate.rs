//! Calibrate: what the probabilities of a classifier are worth, learnt from rows that it was not fitted on.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, Float64Array, RecordBatch};
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Execution;
use sluice_core::features::FeatureColumn;
use sluice_core::fold::fold;
use sluice_core::group::GroupMap;
use sluice_core::seam::{BatchSource, BatchTransform, Predictor};
use sluice_delivery::onnx::OnnxMode;
use sluice_delivery::{ModelPackage, PackageParts};
use sluice_training::calibration::{Calibration, CalibrationError, CalibrationMethod, ScoredRow};
use sluice_training::{Link, TrainingError};

use crate::step::made_from;

/// Rows that the package is tried on.
const SAMPLE_ROWS: usize = 100;

/// The name of the model among the inputs.
const MODEL: &str = "model";

/// What became of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationRecord {
    /// How.
    pub method: CalibrationMethod,
    /// Rows that it learnt from, those of weight 0 not counted.
    pub rows: u64,
    /// The weighted mean of the squared error of the probabilities before (the Brier score).
    pub brier_before: f64,
    /// The same on the same rows after.
    pub brier_after: f64,
}

/// Learns a calibration of `model` from the rows of `source`, which it should not have been fitted on, and writes the
/// calibrated package to `target`.
///
/// # Errors
/// A model that does not predict the probability of one of two classes, or is calibrated already; rows without a
/// prediction or a label, of one class, or with a weight below 0; what reading and writing meet.
pub fn calibrate(
    model: &ModelPackage,
    (source, digest): (&dyn BatchSource, &str),
    (method, weight): (CalibrationMethod, Option<&str>),
    onnx: OnnxMode,
    target: &Path,
    execution: &Execution,
) -> Result<(CalibrationRecord, ModelPackage)> {
    if model.model().link() != Link::Logit {
        return Err(CalibrationError::NotBinary { label: model.label().into() }.into());
    }
    if model.model().calibration().is_some() {
        return Err(CalibrationError::Calibrated.into());
    }
    for column in model.inputs().iter().map(String::as_str).chain([model.label()]).chain(weight) {
        source.plan().require(column, &source.name())?;
    }
    let shared: Arc<dyn Predictor> = Arc::new(model.clone());
    let scores = Scores { model: shared, weight: weight.map(str::to_owned), rows: Vec::new() };
    execution.progress.begin("calibrate", source.plan().extent());
    let rows = fold(source, &scores, execution)?.accumulator.finish();
    execution.progress.end();
    let calibration = Calibration::fit(method, &rows)?;
    let record = CalibrationRecord {
        method,
        rows: rows.len() as u64,
        brier_before: brier(&rows, |score| score),
        brier_after: brier(&rows, |score| calibration.probability(score)),
    };
    let calibrated = model.model().clone().calibrated(calibration);
    let parts = PackageParts::new(model.transform().clone(), calibrated);
    let made_of = made_from([("data", digest), ("model", model.artifact().digest())]);
    let package = parts.publish(&sample(model, source)?, onnx, made_of, target)?;
    Ok((record, package))
}

/// The weighted mean of the squared error of probabilities.
fn brier(rows: &[ScoredRow], probability: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for row in rows {
        let error = probability(row.score) - f64::from(u8::from(row.is_positive));
        sum += row.weight * error * error;
        weight += row.weight;
    }
    sum / weight
}

/// The first rows, with the columns that the model reads.
fn sample(model: &ModelPackage, source: &dyn BatchSource) -> Result<RecordBatch> {
    let needed = model.inputs();
    let plan = source.plan();
    let columns: Vec<usize> =
        (0..plan.columns.len()).filter(|index| needed.contains(&plan.columns[*index].name)).collect();
    source
        .head(&columns, SAMPLE_ROWS)?
        .into_iter()
        .next()
        .ok_or_else(|| CommonError::Internal("the rows have vanished".into()).into())
}

/// Gathers scores with labels, in the order of the rows.
struct Scores {
    model: Arc<dyn Predictor>,
    weight: Option<String>,
    rows: Vec<ScoredRow>,
}

impl Scores {
    fn add(&mut self, batch: &Batch) -> Result<()> {
        let predicted = batch.features(MODEL)?;
        let [FeatureColumn::Numbers(scores)] = predicted.columns.as_slice() else {
            return Err(CommonError::Internal("a classifier gives one probability".into()).into());
        };
        let labels = self.model.label_values(batch.require(self.model.label())?)?;
        let weights = match &self.weight {
            Some(weight) => Some(numbers(weight, batch.require(weight)?, "the weight of the rows")?),
            None => None,
        };
        for row in 0..batch.rows() {
            let of = |values: &Float64Array| {
                (!values.is_null(row)).then(|| values.value(row)).filter(|value| value.is_finite())
            };
            let at_row = |problem: TrainingError| Error::from(problem).at_row(row);
            let label = of(&labels).ok_or_else(|| {
                at_row(TrainingError::LabelNotANumber { label: self.model.label().into(), found: "null" })
            })?;
            let weight = match (&weights, &self.weight) {
                (Some(values), Some(name)) => {
                    of(values).filter(|weight| *weight >= 0.0).ok_or_else(|| {
                        let found = "null, negative or no finite number";
                        at_row(TrainingError::WeightOutOfRange { weight: name.clone(), found })
                    })?
                }
                _ => 1.0,
            };
            if weight > 0.0 {
                self.rows.push(ScoredRow { score: scores.value(row), is_positive: label > 0.5, weight });
            }
        }
        Ok(())
    }
}

impl Accumulator for Scores {
    type Output = Vec<ScoredRow>;

    fn inputs(&self) -> Inputs {
        let model = Arc::clone(&self.model) as Arc<dyn BatchTransform>;
        let inputs = Inputs::default().with_column(self.model.label()).with_transform(MODEL, &model);
        self.weight.iter().fold(inputs, Inputs::with_column)
    }

    fn empty(&self) -> Self {
        Self { model: Arc::clone(&self.model), weight: self.weight.clone(), rows: Vec::new() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add(batch),
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.rows.extend(later.rows);
        Ok(())
    }

    fn finish(self) -> Vec<ScoredRow> {
        self.rows
    }

    fn size_bytes(&self) -> usize {
        size_of::<ScoredRow>() * self.rows.capacity()
    }
}
