//! Standardize: (x − mean) / standard deviation, fitted on the finite values of the training rows, divisor n
//! (scikit-learn's `StandardScaler`). A constant column is centred and not scaled. Null stays null; NaN and
//! infinities stay what they are and stop the training, which names their row.

use arrow::array::Float64Array;
use arrow::datatypes::Float64Type;
use serde::{Deserialize, Serialize};

use sluice_summaries::Moments;

/// The fitted constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standardize {
    /// Subtracted.
    pub mean: f64,
    /// Divided by; never 0.
    pub standard_deviation: f64,
}

impl Standardize {
    /// From the moments of the training rows; `None` when there was no value.
    pub(crate) fn fit(moments: &Moments) -> Option<Self> {
        let mean = moments.mean()?;
        let spread = moments.standard_deviation(0)?;
        // What is left of rounding the mean is not a spread: scikit-learn draws the line at 10 ulp too.
        let negligible = 10.0 * f64::EPSILON * mean.abs();
        let standard_deviation = if spread > negligible { spread } else { 1.0 };
        Some(Self { mean, standard_deviation })
    }

    pub(crate) fn apply(self, values: &Float64Array) -> Float64Array {
        values.unary::<_, Float64Type>(|value| (value - self.mean) / self.standard_deviation)
    }
}
