//! Models and data for the tests of this crate.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use serde_json::Value;
use sluice_core::batch::Batch;
use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::{BatchTransform, Predictor};
use sluice_testkit::datasets::repository;

use crate::error::EvaluationError;

/// intercept + Σ coefficient · column.
pub(crate) struct Linear {
    digest: String,
    label: String,
    columns: Vec<String>,
    coefficients: Vec<f64>,
    intercept: f64,
    space: FeatureSpace,
}

impl Linear {
    pub(crate) fn predictor(
        digest: &str,
        label: &str,
        terms: &[(&str, f64)],
        intercept: f64,
    ) -> Arc<dyn Predictor> {
        let spec = FeatureSpec { name: "prediction".into(), kind: FeatureKind::Number, sources: Vec::new() };
        Arc::new(Self {
            digest: digest.into(),
            label: label.into(),
            columns: terms.iter().map(|(name, _)| (*name).to_owned()).collect(),
            coefficients: terms.iter().map(|(_, coefficient)| *coefficient).collect(),
            intercept,
            space: FeatureSpace { features: vec![spec] },
        })
    }

    /// The column itself as prediction.
    pub(crate) fn column(digest: &str, name: &str) -> Arc<dyn Predictor> {
        Self::predictor(digest, "y", &[(name, 1.0)], 0.0)
    }
}

impl BatchTransform for Linear {
    fn inputs(&self) -> Vec<String> {
        self.columns.clone()
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let mut predictions = vec![self.intercept; batch.rows()];
        for (name, coefficient) in self.columns.iter().zip(&self.coefficients) {
            let Some(values) = batch.require(name)?.as_primitive_opt::<Float64Type>() else {
                let error = EvaluationError::NotOneNumber { model: "the test".into(), outputs: 1 };
                return Err(Error::from(error).at_row(1));
            };
            for (row, prediction) in predictions.iter_mut().enumerate() {
                *prediction += if values.is_null(row) { f64::NAN } else { coefficient * values.value(row) };
            }
        }
        let column = FeatureColumn::Numbers(Float64Array::from(predictions));
        Ok(FeatureBatch { rows: batch.rows(), columns: vec![column] })
    }
}

impl Predictor for Linear {
    fn digest(&self) -> &str {
        &self.digest
    }

    fn label(&self) -> &str {
        &self.label
    }
}

pub(crate) fn numbers(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(crate) fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

pub(crate) fn table(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter(columns.iter().map(|(name, array)| (*name, Arc::clone(array)))).unwrap()
}

/// Expected values of `datasets/diabetes`.
pub(crate) fn golden(name: &str) -> Value {
    let path = repository().join("datasets/diabetes/expected").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The evaluation rows of `datasets/diabetes`, all columns but `subset`.
pub(crate) fn diabetes() -> RecordBatch {
    let text = std::fs::read_to_string(repository().join("datasets/diabetes/diabetes.csv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let rows: Vec<Vec<&str>> = lines
        .map(|line| line.split(',').collect())
        .filter(|row: &Vec<&str>| row.last() == Some(&"eval"))
        .collect();
    let column = |index: usize| -> Vec<f64> { rows.iter().map(|row| row[index].parse().unwrap()).collect() };
    let columns: Vec<_> = (0..names.len() - 1).map(|index| (names[index], numbers(&column(index)))).collect();
    table(&columns)
}

/// The exact ridge fit of `ridge.json` at a penalty.
pub(crate) fn ridge(alpha: f64) -> Arc<dyn Predictor> {
    let golden = golden("ridge.json");
    let fit = fit(&golden, alpha);
    let names: Vec<&str> =
        golden["features"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let coefficients = fit["exact"]["coefficients"].as_array().unwrap();
    let terms: Vec<(&str, f64)> =
        names.into_iter().zip(coefficients.iter().map(|value| value.as_f64().unwrap())).collect();
    Linear::predictor(
        &format!("ridge {alpha}"),
        "target",
        &terms,
        fit["exact"]["intercept"].as_f64().unwrap(),
    )
}

pub(crate) fn fit(golden: &Value, alpha: f64) -> &Value {
    let is_wanted = |fit: &&Value| fit["alpha"].as_f64().unwrap().to_bits() == alpha.to_bits();
    golden["fits"].as_array().unwrap().iter().find(is_wanted).unwrap()
}
