//! The change of a metric from the baseline to the candidate, on the same rows.
//!
//! Every change is estimated by a sum over rows: the mean of per-row differences (a paired t test), or a smooth
//! function of such means, whose variance comes from its first-order term per row (delta method; A. W. van der
//! Vaart, "Asymptotic Statistics", chapter 3). Sample variances have divisor n − 1, tails are Student's t with
//! n − 1 degrees of freedom. With no variance at all the change is certain: p is 0 or 1, the interval a point.
//! Fewer than two rows say nothing about variance.

mod holm;
mod interval;
mod resampling;

use serde::{Deserialize, Serialize};

use sluice_core::distribution::student::{upper_quantile, upper_tail};

pub use holm::holm;
pub use interval::{Interval, Method};
pub use resampling::{BootstrapOptions, IntervalOptions, Resampling};

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

    /// That of so many times as much.
    #[must_use]
    pub(crate) fn scaled(self, factor: f64) -> Self {
        Self {
            difference: factor * self.difference,
            standard_error: factor.abs() * self.standard_error,
            degrees_of_freedom: self.degrees_of_freedom,
        }
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

    /// The same where the error of the estimate has a skewness γ: t with Hall's cubic of it in place of the t itself,
    /// g(t) = t + 2at² + 4a²t³/3 + a with a = γ/6, which is monotone and takes the skewness away up to O(1/n) (P. Hall,
    /// "On the removal of skewness by transformation", J. Royal Statistical Society B 54 (1992)). Inverse:
    /// t = (∛(1 + 6a(g − a)) − 1)/(2a).
    #[must_use]
    pub(crate) fn skewed_interval(&self, skewness: f64, alpha: f64) -> [f64; 2] {
        let a = skewness / 6.0;
        // Below this the cubic is the line, and its inverse 0/0.
        if !(self.standard_error > 0.0) || a.abs() < 1e-8 {
            return self.interval(alpha);
        }
        let quantile = upper_quantile(alpha / 2.0, self.degrees_of_freedom);
        let back = |g: f64| ((1.0 + 6.0 * a * (g - a)).cbrt() - 1.0) / (2.0 * a);
        let end = |g: f64| self.difference - self.standard_error * back(g);
        [end(quantile), end(-quantile)]
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
    fn a_skewed_interval_is_where_halls_cubic_meets_the_quantiles() {
        let estimate = Estimate::new(3.0, 0.25, 199.0).unwrap();
        for skewness in [-0.7, -0.01, 0.3, 1.2] {
            let a = skewness / 6.0;
            let cubic = |t: f64| t + 2.0 * a * t * t + 4.0 / 3.0 * a * a * t * t * t + a;
            let [low, high] = estimate.skewed_interval(skewness, 0.05);
            // scipy 1.17 stats.t.ppf(0.975, 199)
            let quantile = 1.971_956_544_251_753_3;
            assert_relative(cubic((3.0 - low) / 0.5), quantile, 1e-12);
            assert_relative(cubic((3.0 - high) / 0.5), -quantile, 1e-12);
        }
        let plain = estimate.interval(0.05);
        for (found, expected) in estimate.skewed_interval(1e-7, 0.05).into_iter().zip(plain) {
            assert_relative(found, expected, 1e-6);
        }
        for (found, expected) in estimate.skewed_interval(0.0, 0.05).into_iter().zip(plain) {
            assert_relative(found, expected, 0.0);
        }
    }

    #[test]
    fn one_row_says_nothing() {
        assert_eq!(Estimate::new(1.0, 0.0, 0.0), Err(Undefined::TooFewRows));
        let change = Change::of(Err(Undefined::TooFewRows), Some(1.0), Direction::LowerIsBetter, 0.05);
        assert_eq!(change.note.unwrap(), "fewer than two rows give no variance");
        assert_relative(change.difference.unwrap(), 1.0, 0.0);
    }
}
