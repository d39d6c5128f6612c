//! Our models among those of [linfa](https://docs.rs/linfa): a [`ModelSpec`] fits its data sets, the model predicts its
//! records, and its data sets become tables.
//!
//! Everything goes the way that files go: the same scan, solver and errors.
//!
//! ```
//! use linfa::prelude::*;
//! use ndarray::array;
//! use sluice_training::ModelSpec;
//!
//! let data = linfa::Dataset::new(array![[1.0], [2.0], [4.0]], array![3.0, 5.0, 9.0]);
//! let model = ModelSpec::Ridge(0.0.into()).fit(&data)?;
//! let predicted = model.predict(&array![[10.0]]);
//! assert!((predicted[0] - 21.0_f64).abs() < 1e-12);
//! # Ok::<(), sluice_training::interop::FitError>(())
//! ```

mod columns;
mod table;

use std::ops::Deref;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use linfa::dataset::{AsSingleTargets, AsTargets};
use linfa::traits::{Fit, PredictInplace};
use linfa::{Dataset, DatasetBase};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Data, Ix2};

use sluice_core::error::CommonError;
use sluice_core::execution::Execution;
use sluice_core::seam::BatchTransform;

use crate::data::{TrainingColumns, TrainingData};
use crate::model::LinearModel;
use crate::spec::{ModelSpec, fit};

use columns::{Columns, batch_of};
pub use table::TableSource;

const LABEL: &str = "label";
const WEIGHT: &str = "weight";

/// Why a data set of linfa was not fitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// What our own fits meet.
    #[error("{0}")]
    Model(sluice_core::Error),
    /// What linfa says.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}

impl From<sluice_core::Error> for FitError {
    fn from(error: sluice_core::Error) -> Self {
        Self::Model(error)
    }
}

/// What the targets of a data set may be, and the column that they become.
pub trait Target {
    /// The column.
    fn column(values: ArrayView1<'_, Self>) -> ArrayRef
    where
        Self: Sized;
}

impl Target for f64 {
    fn column(values: ArrayView1<'_, Self>) -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(values.iter().copied()))
    }
}

impl Target for bool {
    fn column(values: ArrayView1<'_, Self>) -> ArrayRef {
        Arc::new(values.iter().map(|value| Some(*value)).collect::<BooleanArray>())
    }
}

impl Target for usize {
    /// Classes are counted from 0, far below the end of signed integers.
    fn column(values: ArrayView1<'_, Self>) -> ArrayRef {
        let whole = values.iter().map(|value| i64::try_from(*value).unwrap_or(i64::MAX));
        Arc::new(Int64Array::from_iter_values(whole))
    }
}

impl Target for String {
    fn column(values: ArrayView1<'_, Self>) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(values.iter()))
    }
}

/// A data set of linfa as a table: a column for each feature by its name (`x0`, `x1`, … where it has none), the target
/// as `label`, and weights as `weight` where there are some.
///
/// # Errors
/// Targets or weights that are not as many as the records.
pub fn table_of<D, T>(dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<RecordBatch, FitError>
where
    D: Data<Elem = f64>,
    T: AsSingleTargets,
    T::Elem: Target,
{
    let records = dataset.records();
    let given = dataset.feature_names();
    let name = |index: usize| given.get(index).cloned().unwrap_or_else(|| format!("x{index}"));
    let mut columns: Vec<(String, ArrayRef)> = records
        .columns()
        .into_iter()
        .enumerate()
        .map(|(index, column)| {
            let values = Float64Array::from_iter_values(column.iter().copied());
            (name(index), Arc::new(values) as ArrayRef)
        })
        .collect();
    columns.push((LABEL.into(), T::Elem::column(dataset.as_single_targets())));
    if let Some(weights) = dataset.weights() {
        let weights = Float64Array::from_iter_values(weights.iter().map(|weight| f64::from(*weight)));
        columns.push((WEIGHT.into(), Arc::new(weights)));
    }
    let rows = records.nrows();
    if let Some((_, column)) = columns.iter().find(|(_, column)| column.len() != rows) {
        return Err(linfa::Error::MismatchedShapes(rows, column.len()).into());
    }
    RecordBatch::try_from_iter(columns)
        .map_err(|error| sluice_core::Error::from(CommonError::Internal(error.to_string())).into())
}

/// Columns of a table as a data set of linfa.
///
/// # Errors
/// A column that is missing, no number, or has nulls.
pub fn dataset_of(
    table: &RecordBatch,
    features: &[&str],
    label: &str,
) -> Result<Dataset<f64, f64, ndarray::Ix1>, FitError> {
    let batch = sluice_core::batch::Batch::new(table);
    let column = |name: &str| -> sluice_core::Result<Array1<f64>> {
        let values = sluice_core::column::numbers(name, batch.require(name)?, "a data set of linfa")?;
        if values.null_count() > 0 {
            return Err(CommonError::ColumnKind {
                column: name.into(),
                found: "a column with nulls".into(),
                expected: "a number in every row",
                purpose: "a data set of linfa".into(),
            }
            .into());
        }
        Ok(values.values().iter().copied().collect())
    };
    let mut records = Array2::zeros((table.num_rows(), features.len()));
    for (name, mut target) in features.iter().zip(records.columns_mut()) {
        target.assign(&column(name)?);
    }
    Ok(Dataset::new(records, column(label)?).with_feature_names(features.to_vec()))
}

impl<D, T> Fit<ArrayBase<D, Ix2>, T, FitError> for ModelSpec
where
    D: Data<Elem = f64>,
    T: AsSingleTargets,
    <T as AsTargets>::Elem: Target,
{
    type Object = LinfaModel;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<LinfaModel, FitError> {
        self.check().map_err(sluice_core::Error::from)?;
        let table = table_of(dataset)?;
        let mut names: Vec<String> =
            table.schema().fields().iter().map(|field| field.name().clone()).collect();
        names.truncate(dataset.records().ncols());
        let weight = dataset.weights().map(|_| WEIGHT.to_owned());
        let columns = TrainingColumns { weight, ..TrainingColumns::from(LABEL) };
        let source = TableSource::new(table)?;
        let transform: Arc<dyn BatchTransform> = Arc::new(Columns::new(names));
        let data = TrainingData { source: &source, transform: &transform, columns: &columns };
        Ok(LinfaModel(fit(self, data, &Execution::default())?))
    }
}

/// A fitted model that linfa can ask.
#[derive(Clone, Debug, PartialEq)]
pub struct LinfaModel(pub LinearModel);

impl Deref for LinfaModel {
    type Target = LinearModel;

    fn deref(&self) -> &LinearModel {
        &self.0
    }
}

impl<D: Data<Elem = f64>> PredictInplace<ArrayBase<D, Ix2>, Array1<f64>> for LinfaModel {
    /// The prediction of the label; NaN where a feature is NaN or infinite.
    ///
    /// # Panics
    /// If the records have other columns than the model: linfa's trait knows no error.
    fn predict_inplace(&self, records: &ArrayBase<D, Ix2>, predicted: &mut Array1<f64>) {
        let width = self.label_output().coefficients.len();
        assert_eq!(records.ncols(), width, "the model was fitted on {width} columns");
        let names = (0..width).map(|index| format!("x{index}")).collect();
        let (batch, space) = batch_of(records, names);
        let found = self.predict_sound(&batch, &space);
        for (target, value) in predicted.iter_mut().zip(found.iter().next().into_iter().flatten()) {
            *target = value.unwrap_or(f64::NAN);
        }
    }

    fn default_target(&self, records: &ArrayBase<D, Ix2>) -> Array1<f64> {
        Array1::zeros(records.nrows())
    }
}

#[cfg(test)]
mod tests;
