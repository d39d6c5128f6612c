//! The least-squares problem after one scan: what remains of the rows.
//!
//! With weights `w`, features `x` and label `y`, and with an intercept, means are weighted means and cross
//! products are about them: `cross[i][j] = sum w (x_i - mean_i)(x_j - mean_j)`. Without an intercept, cross
//! products are about zero and the means are not used. All numbers must be finite ([`Normal::check`]).

use super::dot::dot;
use super::packed::Packed;
use crate::error::{Part, SolveError};
use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;

/// The standard deviation, as a share of the mean, at which a column counts as constant.
const CONSTANT: f64 = 1.0 / (1_u64 << 62) as f64;

/// Cross products, means and counts of a least-squares problem with `means.len()` features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// Cross products of the features.
    pub cross: Packed,
    /// Cross products of each feature with the label.
    pub label_cross: Vec<DoubleDouble>,
    /// The sum of squares of the label.
    pub label_square: DoubleDouble,
    /// The means of the features.
    pub means: Vec<DoubleDouble>,
    /// The mean of the label.
    pub label_mean: DoubleDouble,
    /// The number of rows with a weight above zero.
    pub rows: u64,
    /// The sum of the weights; the number of rows where there are none.
    pub weight_sum: f64,
    /// Whether an intercept is fitted, that is, whether cross products are about the means.
    pub intercept: bool,
    /// How exact each cross product is, relative to the norms of its two columns: [`Normal::EXACT`] for
    /// sums in double-double, [`Normal::BLOCKED`] for `f64` blocks. A pivot below it is noise.
    pub relative_error: f64,
}

impl Normal {
    /// The relative error of cross products summed in double-double, with room for 2^8 more.
    pub const EXACT: f64 = 1.0 / (1_u128 << 98) as f64;
    /// The relative error of cross products from blocks of 4,096 rows in `f64`, joined in
    /// double-double.
    pub const BLOCKED: f64 = 1.0 / (1_u64 << 48) as f64;

    /// The number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.means.len()
    }

    /// The problem of label number `target`, where the features from `width` on are labels too, and the label is the
    /// last of them.
    #[must_use]
    pub fn target(self, width: usize, target: usize) -> Self {
        let features = self.features();
        if width == features {
            return self;
        }
        let column = |i: usize, j: usize| match (i == features, j == features) {
            (true, true) => self.label_square,
            (true, false) => self.label_cross[j],
            (false, true) => self.label_cross[i],
            (false, false) => self.cross.at(i, j),
        };
        let label = width + target;
        Self {
            cross: Packed::from_fn(width, column),
            label_cross: (0..width).map(|feature| column(feature, label)).collect(),
            label_square: column(label, label),
            means: self.means[..width].to_vec(),
            label_mean: self.means.get(label).copied().unwrap_or(self.label_mean),
            ..self
        }
    }

    /// The same rows without an intercept: sums about zero.
    #[must_use]
    pub fn through_origin(mut self) -> Self {
        if !self.intercept {
            return self;
        }
        let weight = self.weight_sum;
        for (i, &mean) in self.means.iter().enumerate() {
            for (j, &other) in self.means.iter().enumerate().take(i + 1) {
                let entry = self.cross.at_mut(i, j);
                *entry = *entry + mean * other * weight;
            }
            self.label_cross[i] = self.label_cross[i] + mean * self.label_mean * weight;
        }
        self.label_square = self.label_square + self.label_mean * self.label_mean * weight;
        self.intercept = false;
        self
    }

    /// Whether feature `index` does not vary: its standard deviation is at most 2^-62 of its mean, which is
    /// less than one rounding in one of 65,536 rows; without an intercept, whether it is zero throughout.
    #[must_use]
    pub fn is_constant(&self, index: usize) -> bool {
        let square = self.cross.at(index, index).high;
        let mean = if self.intercept { self.means[index].high } else { 0.0 };
        !(square > 0.0) || square.sqrt() <= CONSTANT * self.weight_sum.sqrt() * mean.abs()
    }

    /// The weighted sum of squared errors, over the rows of these sums, of a model that was fitted on others:
    /// `y'y - 2 c'g + c'Gc + w (mean y - b - c'mean x)^2` with cross products `G` and `g`, coefficients `c`,
    /// intercept `b` and sum of weights `w`; not below 0.
    #[must_use]
    pub fn squared_error(&self, coefficients: &[DoubleDouble], intercept: DoubleDouble) -> DoubleDouble {
        let product = self.cross.multiply(coefficients);
        let about_means =
            self.label_square + dot(coefficients, &product) - dot(coefficients, &self.label_cross) * 2.0;
        let square = if self.intercept {
            let mean_error = self.label_mean - intercept - dot(coefficients, &self.means);
            about_means + mean_error * mean_error * self.weight_sum
        } else {
            about_means
        };
        // What is below 0 is rounding; NaN stays.
        if square.high < 0.0 { DoubleDouble::ZERO } else { square }
    }

    /// Refuses a problem that has no rows, contradicts itself in length, or holds NaN or infinity.
    ///
    /// # Errors
    ///
    /// [`SolveError::RowsMissing`], [`SolveError::LengthMismatch`] or [`SolveError::SumNotFinite`].
    pub fn check(&self) -> Result<(), SolveError> {
        let features = self.features();
        if self.rows == 0 || !(self.weight_sum > 0.0) {
            return Err(SolveError::RowsMissing);
        }
        let lengths = [(Part::Cross, self.cross.size()), (Part::LabelCross, self.label_cross.len())];
        for (part, found) in lengths {
            if found != features || !self.cross.is_whole() {
                return Err(SolveError::LengthMismatch { part, found, expected: features });
            }
        }
        for row in 0..features {
            all_finite(Part::Cross, row, self.cross.row(row))?;
            all_finite(Part::LabelCross, row, &self.label_cross[row..=row])?;
            all_finite(Part::Mean, row, &self.means[row..=row])?;
        }
        all_finite(Part::Label, 0, &[self.label_square, self.label_mean])?;
        all_finite(Part::Weights, 0, &[DoubleDouble::from(self.weight_sum)])
    }
}

fn all_finite(part: Part, index: usize, numbers: &[DoubleDouble]) -> Result<(), SolveError> {
    if numbers.iter().all(|number| number.is_finite()) {
        return Ok(());
    }
    Err(SolveError::SumNotFinite { part, index })
}

#[cfg(test)]
mod tests {
    use super::super::{Objective, PreparedRows, Rows, Trials, ridge};
    use sluice_testkit::assert_relative;

    /// Sixty columns without period, so that trials are factored in `f64`.
    const FEATURES: usize = 60;

    fn noise(index: usize, factor: f64) -> f64 {
        (index as f64 * factor).fract() - 0.5
    }

    #[test]
    fn errors_from_sums_are_those_of_the_rows() {
        let values: Vec<f64> = (0..200 * FEATURES).map(|n| 3.0 + noise(n, 0.618_033_988_749_894_9)).collect();
        let label: Vec<f64> = (0..200).map(|n| 7.0 + 2.0 * noise(n, 0.414_213_562_373_095)).collect();
        for intercept in [true, false] {
            let rows = |from: usize, to: usize| Rows {
                features: FEATURES,
                values: &values[from * FEATURES..to * FEATURES],
                label: &label[from..to],
                weights: None,
                intercept,
            };
            let training = PreparedRows::new(rows(0, 120)).unwrap().normal();
            let left_out = PreparedRows::new(rows(120, 200)).unwrap().normal();
            let expected = ridge(&training, 0.5).unwrap();
            let trial = Trials::new(&training).unwrap().solve(&Objective::ridge(0.5)).unwrap();
            for (found, expected) in trial.coefficients.iter().zip(&expected.coefficients) {
                assert_relative(found.to_f64(), *expected, 1e-14);
            }
            let square: f64 = rows(120, 200)
                .values
                .chunks_exact(FEATURES)
                .zip(&label[120..])
                .map(|(row, label)| (label - expected.predict(row)).powi(2))
                .sum();
            assert_relative(
                left_out.squared_error(&trial.coefficients, trial.intercept).to_f64(),
                square,
                1e-11,
            );
        }
    }
}
