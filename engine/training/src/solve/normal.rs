//! The least-squares problem after one scan: what remains of the rows.
//!
//! With weights `w`, features `x` and label `y`, and with an intercept, means are weighted means and cross
//! products are about them: `cross[i][j] = sum w (x_i - mean_i)(x_j - mean_j)`. Without an intercept, cross
//! products are about zero and the means are not used. All numbers must be finite ([`Normal::check`]).

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
    /// The relative error of cross products from blocks of at most 65,536 rows in `f64`, joined in
    /// double-double.
    pub const BLOCKED: f64 = 1.0 / (1_u64 << 48) as f64;

    /// The number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.means.len()
    }

    /// Whether feature `index` does not vary: its standard deviation is at most 2^-62 of its mean, which is
    /// less than one rounding in one of 65,536 rows; without an intercept, whether it is zero throughout.
    #[must_use]
    pub fn is_constant(&self, index: usize) -> bool {
        let square = self.cross.at(index, index).high;
        let mean = if self.intercept { self.means[index].high } else { 0.0 };
        !(square > 0.0) || square.sqrt() <= CONSTANT * self.weight_sum.sqrt() * mean.abs()
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
