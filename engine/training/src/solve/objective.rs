//! What is minimised: ½ Σ w (y − b − x·c)² + absolute · Σ |cⱼ| + ½ square · Σ cⱼ², over all c or over c ≥ 0.

use crate::error::SolveError;

/// The penalties of a least-squares problem, in the units of its sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// The penalty as it was asked for, for messages and the record.
    pub alpha: f64,
    /// What the sum of the magnitudes of the coefficients is multiplied by.
    pub absolute: f64,
    /// What half the sum of the squares of the coefficients is multiplied by.
    pub square: f64,
    /// Whether coefficients below 0 are ruled out.
    pub non_negative: bool,
}

/// The penalties of each feature, for features that were scaled.
#[derive(Clone, Debug)]
pub(super) struct Penalties {
    /// The penalty as the factor of the system takes it: 0 where no square is penalised, so that columns that others
    /// determine are left out.
    pub(super) square_alpha: f64,
    pub(super) absolute: Vec<f64>,
    pub(super) square: Vec<f64>,
    pub(super) non_negative: bool,
}

impl Objective {
    /// Ridge regression; with penalty 0 least squares.
    #[must_use]
    pub fn ridge(alpha: f64) -> Self {
        Self { alpha, absolute: 0.0, square: alpha, non_negative: false }
    }

    /// Whether coefficients may be 0 at the minimum because of a penalty or a bound, not because of the data.
    #[must_use]
    pub fn selects(&self) -> bool {
        self.absolute > 0.0 || self.non_negative
    }

    /// # Errors
    /// [`SolveError::AlphaOutOfRange`] where a penalty is negative, infinite or NaN.
    pub(super) fn check(&self) -> Result<(), SolveError> {
        let is_sound = |penalty: f64| penalty >= 0.0 && penalty.is_finite();
        if is_sound(self.alpha) && is_sound(self.absolute) && is_sound(self.square) {
            return Ok(());
        }
        Err(SolveError::AlphaOutOfRange { alpha: self.alpha })
    }

    /// The same for each of so many features.
    pub(super) fn each(&self, features: usize) -> Penalties {
        Penalties {
            square_alpha: self.square_alpha(),
            absolute: vec![self.absolute; features],
            square: vec![self.square; features],
            non_negative: self.non_negative,
        }
    }

    /// The penalty of the squares as it was asked for.
    pub(super) fn square_alpha(&self) -> f64 {
        if self.square == 0.0 { 0.0 } else { self.alpha }
    }
}
