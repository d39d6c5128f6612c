//! The change of a metric from the baseline to the candidate, on the same rows.
//!
//! Every change is estimated by a sum over rows: the mean of per-row differences (a paired t test), or a smooth
//! function of such means, whose variance comes from its first-order term per row (delta method; A. W. van der
//! Vaart, "Asymptotic Statistics", chapter 3). Sample variances have divisor n − 1, tails are Student's t with
//! n − 1 degrees of freedom. With no variance at all the change is certain: p is 0 or 1, the interval a point.
//! Fewer than two rows say nothing about variance.

mod holm;
mod interval;

use serde::{Deserialize, Serialize};

use sluice_core::distribution::student::{upper_quantile, upper_tail};

pub use holm::holm;
pub use interval::{Interval, Method};

use crate::metric::{Direction, Undefined};

/// An estimated change with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Candidate minus baseline.
    pub difference: f64,
    /// The standard error of the difference.
    pub standard_error: f64,
    /// Rows minus one; with weights, as many rows as would tell as much were their weights equal.
    pub degrees_of_freedom: f64,
}

impl Estimate {
    /// From its variance.
    ///
    /// # Errors
    /// [`Undefined::TooFewRows`] without degrees of freedom, [`Undefined::TooLarge`] when a figure is not finite.
    pub fn new(difference: f64, variance: f64, degrees_of_freedom: f64) -> Result<Self, Undefined> {
        if !(degrees_of_freedom > 0.0) {
            return Err(Undefined::TooFewRows);
        }
        // What rounding left below zero is zero.
        let standard_error = if variance < 0.0 { 0.0 } else { variance.sqrt() };
        if !difference.is_finite() || !standard_error.is_finite() {
            return Err(Undefined::TooLarge);
        }
        Ok(Self { difference, standard_error, degrees_of_freedom })
    }

    /// The interval that holds the true difference in a `1 - alpha` share of such evaluations.
    #[must_use]
    pub fn interval(&self, alpha: f64) -> [f64; 2] {
        if self.standard_error > 0.0 {
            let reach = upper_quantile(alpha / 2.0, self.degrees_of_freedom) * self.standard_error;
            [self.difference - reach, self.difference + reach]
        } else {
            [self.difference, self.difference]
        }
    }

    /// How likely at least this much harm is if the candidate is in truth worse by `margin` at most: small
    /// values prove harm beyond the margin. `None` for metrics without a better direction.
    #[must_use]
    pub fn p_worse(&self, margin: f64, direction: Direction) -> Option<f64> {
        let excess = direction.harm(self.difference)? - margin;
        Some(if self.standard_error > 0.0 {
            upper_tail(excess / self.standard_error, self.degrees_of_freedom)
        } else {
            f64::from(u8::from(!(excess > 0.0)))
        })
    }

    /// How likely at most this much harm is if the candidate is in truth worse by `margin` or more: small
    /// values prove that it is not. `None` for metrics without a better direction.
    #[must_use]
    pub fn p_not_worse(&self, margin: f64, direction: Direction) -> Option<f64> {
        let excess = direction.harm(self.difference)? - margin;
        Some(if self.standard_error > 0.0 {
            upper_tail(-excess / self.standard_error, self.degrees_of_freedom)
        } else {
            f64::from(u8::from(!(excess < 0.0)))
        })
    }
}

/// The change of one metric in one slice, for reports. What cannot be computed is `null`, and `note` says why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Candidate minus baseline.
    pub difference: Option<f64>,
    /// Its standard error.
    pub standard_error: Option<f64>,
    /// Rows minus one.
    pub degrees_of_freedom: Option<f64>,
    /// The two-sided interval at level 1 − alpha.
    pub interval: Option<[f64; 2]>,
    /// One-sided; small: the candidate is worse.
    pub p_worse: Option<f64>,
    /// One-sided; small: the candidate is better, hence not worse.
    pub p_not_worse: Option<f64>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Change {
    /// What a report shows of an estimate. `difference` is known even where its error is not.
    #[must_use]
    pub fn of(
        estimate: Result<Estimate, Undefined>,
        difference: Option<f64>,
        direction: Direction,
        alpha: f64,
    ) -> Self {
        match estimate {
            Ok(estimate) => Self {
                difference: Some(estimate.difference),
                standard_error: Some(estimate.standard_error),
                degrees_of_freedom: Some(estimate.degrees_of_freedom),
                interval: Some(estimate.interval(alpha)),
                p_worse: estimate.p_worse(0.0, direction),
                p_not_worse: estimate.p_not_worse(0.0, direction),
                note: None,
            },
            Err(reason) => Self {
                difference,
                standard_error: None,
                degrees_of_freedom: None,
                interval: None,
                p_worse: None,
                p_not_worse: None,
                note: Some(reason.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    #[test]
    fn without_variance_the_change_is_certain() {
        let lower = Direction::LowerIsBetter;
        let none = Estimate::new(0.0, 0.0, 9.0).unwrap();
        assert_eq!(none.interval(0.05).map(f64::to_bits), [0, 0]);
        assert_relative(none.p_worse(0.0, lower).unwrap(), 1.0, 0.0);
        assert_relative(none.p_not_worse(0.0, lower).unwrap(), 1.0, 0.0);
        assert_relative(none.p_not_worse(0.5, lower).unwrap(), 0.0, 0.0);
        let harm = Estimate::new(2.0, 0.0, 9.0).unwrap();
        assert_relative(harm.p_worse(0.0, lower).unwrap(), 0.0, 0.0);
        assert_relative(harm.p_worse(2.0, lower).unwrap(), 1.0, 0.0);
        assert_relative(harm.p_worse(0.0, Direction::HigherIsBetter).unwrap(), 1.0, 0.0);
        assert!(harm.p_worse(0.0, Direction::ZeroIsBest).is_none());
    }

    #[test]
    fn one_row_says_nothing() {
        assert_eq!(Estimate::new(1.0, 0.0, 0.0), Err(Undefined::TooFewRows));
        let change = Change::of(Err(Undefined::TooFewRows), Some(1.0), Direction::LowerIsBetter, 0.05);
        assert_eq!(change.note.unwrap(), "fewer than two rows give no variance");
        assert_relative(change.difference.unwrap(), 1.0, 0.0);
    }
}
