//! Predictions of batches. A sum runs over the features in order, in every row the same way.

use arrow::array::{Array, ArrayRef, Float64Array};
use arrow::buffer::NullBuffer;

use sluice_core::column::numbers;
use sluice_core::error::Result;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace, NotANumber, SparseRows};
use sluice_core::seam::FeatureModel;

use super::{LinearModel, Link, Output};
use crate::design::rows::not_a_number;
use crate::glm::{Class, places};

impl LinearModel {
    /// The predictions of a batch, one column for each output.
    ///
    /// # Errors
    /// `TrainingError::FeatureNotANumber` at the first feature, then row, that is null, NaN or infinite.
    pub fn predict(&self, features: &FeatureBatch, space: &FeatureSpace) -> Result<Vec<Float64Array>> {
        match first_unsound(features) {
            Some(problem) => Err(not_a_number(problem, space)),
            None => Ok(self.columns(features, space, None)),
        }
    }

    /// The predictions of a batch, null in rows in which a feature is null, NaN or infinite: for scoring, where
    /// one bad row must not stop the others.
    #[must_use]
    pub fn predict_sound(&self, features: &FeatureBatch, space: &FeatureSpace) -> Vec<Float64Array> {
        let nulls = first_unsound(features).map(|_| soundness(features));
        self.columns(features, space, nulls.as_ref())
    }

    /// The predictions of one row, one for each output; none where a feature is NaN or infinite. The same bits as those
    /// of a batch with this row.
    #[must_use]
    pub fn predict_row(&self, features: &[RowFeature<'_>], space: &FeatureSpace) -> Option<Vec<f64>> {
        let is_sound = |feature: &RowFeature<'_>| match feature {
            RowFeature::Number(value) => value.is_finite(),
            RowFeature::Code(_) => true,
            RowFeature::Sparse(sparse) => sparse.row(0).all(|(_, value)| value.is_finite()),
        };
        if !features.iter().all(is_sound) {
            return None;
        }
        let sums = self.outputs.iter().map(|output| vec![output.sum_of_row(features, space)]).collect();
        Some(self.calibrated(self.link.predictions(sums)).into_iter().flatten().collect())
    }

    /// The labels of a batch as numbers that predictions compare with: 1 of the positive class and 0 of the other, else
    /// the label itself.
    ///
    /// # Errors
    /// `GlmError::UnknownClass` with the row; a column of another kind.
    pub fn labels(&self, label: &ArrayRef) -> Result<Float64Array> {
        let Some(glm) = self.glm.as_ref().filter(|glm| !glm.classes.is_empty()) else {
            return numbers(&self.label, label, "the label");
        };
        let mut classes: Vec<Class> = glm.classes.iter().map(|class| class.class.clone()).collect();
        if let (Some(positive), [first, _]) = (&glm.positive, classes.as_slice())
            && first == positive
        {
            classes.reverse();
        }
        Ok(places(&self.label, label, &classes, |_| true)?.into())
    }

    /// Probabilities as the calibration has them, where there is one.
    fn calibrated(&self, mut predictions: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        if let Some(calibration) = &self.calibration {
            let all = predictions.iter_mut().flatten();
            all.for_each(|probability| *probability = calibration.probability(*probability));
        }
        predictions
    }

    fn columns(
        &self,
        features: &FeatureBatch,
        space: &FeatureSpace,
        nulls: Option<&NullBuffer>,
    ) -> Vec<Float64Array> {
        let sums = self.outputs.iter().map(|output| output.sums(features, space)).collect();
        let predictions = self.calibrated(self.link.predictions(sums)).into_iter();
        predictions.map(|values| Float64Array::new(values.into(), nulls.cloned())).collect()
    }
}

impl FeatureModel for LinearModel {
    fn label(&self) -> &str {
        &self.label
    }

    fn targets(&self) -> Vec<String> {
        self.outputs.iter().map(|output| output.target.clone()).collect()
    }

    fn predict_sound(&self, features: &FeatureBatch, space: &FeatureSpace) -> Result<Vec<Float64Array>> {
        Ok(Self::predict_sound(self, features, space))
    }

    fn label_values(&self, label: &ArrayRef) -> Result<Float64Array> {
        self.labels(label)
    }
}

impl Link {
    /// Predictions from the sums of each output.
    #[must_use]
    pub fn predictions(self, mut sums: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
        let each = |sums: &mut Vec<Vec<f64>>, inverse: fn(f64) -> f64| {
            sums.iter_mut().flatten().for_each(|sum| *sum = inverse(*sum));
        };
        match self {
            Self::Identity => {}
            Self::Logit => each(&mut sums, logistic),
            Self::Log => each(&mut sums, f64::exp),
            Self::Softmax => softmax(&mut sums),
        }
        sums
    }
}

/// 1 / (1 + e^−sum), without overflow at either end.
fn logistic(sum: f64) -> f64 {
    let small = (-sum.abs()).exp();
    if sum < 0.0 { small / (1.0 + small) } else { 1.0 / (1.0 + small) }
}

/// Sums of the classes become probabilities, row by row.
fn softmax(sums: &mut [Vec<f64>]) {
    for row in 0..sums.first().map_or(0, Vec::len) {
        let largest = sums.iter().map(|sums| sums[row]);
        let largest = largest.fold(f64::NEG_INFINITY, |most, sum| if sum > most { sum } else { most });
        let mut total = 0.0;
        for sums in sums.iter_mut() {
            sums[row] = (sums[row] - largest).exp();
            total += sums[row];
        }
        sums.iter_mut().for_each(|sums| sums[row] /= total);
    }
}

/// A feature of one row.
#[derive(Clone, Copy, Debug)]
pub enum RowFeature<'a> {
    /// A number.
    Number(f64),
    /// The code of a level; `None` for none of them.
    Code(Option<u32>),
    /// Terms with their numbers, as the first of some sparse rows.
    Sparse(&'a SparseRows),
}

impl Output {
    /// As [`Output::sums`], of one row.
    fn sum_of_row(&self, features: &[RowFeature<'_>], space: &FeatureSpace) -> f64 {
        let (mut sum, mut first) = (self.intercept, 0);
        for (feature, spec) in features.iter().zip(&space.features) {
            let coefficients = &self.coefficients[first..first + spec.width()];
            first += coefficients.len();
            match feature {
                RowFeature::Number(value) => sum += coefficients[0].value * value,
                RowFeature::Code(code) => {
                    if let Some(coefficient) = code.and_then(|code| coefficients.get(code as usize)) {
                        sum += coefficient.value;
                    }
                }
                RowFeature::Sparse(sparse) => {
                    for (term, value) in sparse.row(0) {
                        sum += coefficients[term].value * value;
                    }
                }
            }
        }
        sum
    }

    /// Intercept + Σ coefficient x feature of each row; any number where a feature is none.
    fn sums(&self, features: &FeatureBatch, space: &FeatureSpace) -> Vec<f64> {
        let mut sums = vec![self.intercept; features.rows];
        let mut first = 0;
        for (column, spec) in features.columns.iter().zip(&space.features) {
            let coefficients = &self.coefficients[first..first + spec.width()];
            first += coefficients.len();
            match column {
                FeatureColumn::Numbers(values) => {
                    let coefficient = coefficients[0].value;
                    for (sum, value) in sums.iter_mut().zip(values.values()) {
                        *sum += coefficient * value;
                    }
                }
                FeatureColumn::Codes(codes) => {
                    for (sum, code) in sums.iter_mut().zip(codes) {
                        if let Some(coefficient) = code.and_then(|code| coefficients.get(code as usize)) {
                            *sum += coefficient.value;
                        }
                    }
                }
                FeatureColumn::Sparse(sparse) => {
                    for (row, sum) in sums.iter_mut().enumerate() {
                        for (term, value) in sparse.row(row) {
                            *sum += coefficients[term].value * value;
                        }
                    }
                }
            }
        }
        sums
    }
}

/// The first feature, then row, that is null, NaN or infinite.
fn first_unsound(features: &FeatureBatch) -> Option<NotANumber> {
    features.columns.iter().enumerate().find_map(|(feature, column)| match column {
        FeatureColumn::Numbers(values) => {
            let all = values.null_count() == 0
                && values.values().iter().fold(true, |sound, value| sound & value.is_finite());
            let row = if all { None } else { values.iter().position(|value| !is_number(value)) }?;
            Some(NotANumber { feature, row, is_null: values.is_null(row) })
        }
        FeatureColumn::Codes(_) => None,
        FeatureColumn::Sparse(sparse) => {
            let row = (0..features.rows).find(|&row| sparse.row(row).any(|(_, value)| !value.is_finite()))?;
            Some(NotANumber { feature, row, is_null: false })
        }
    })
}

/// Which rows have a number in every feature.
fn soundness(features: &FeatureBatch) -> NullBuffer {
    let mut sound = vec![true; features.rows];
    for column in &features.columns {
        match column {
            FeatureColumn::Numbers(values) => {
                for (sound, value) in sound.iter_mut().zip(values) {
                    *sound &= is_number(value);
                }
            }
            FeatureColumn::Codes(_) => {}
            FeatureColumn::Sparse(sparse) => {
                for (row, sound) in sound.iter_mut().enumerate() {
                    *sound &= sparse.row(row).all(|(_, value)| value.is_finite());
                }
            }
        }
    }
    NullBuffer::from(sound)
}

fn is_number(value: Option<f64>) -> bool {
    value.is_some_and(f64::is_finite)
}
