//! The interval of a value, and where it comes from.

use serde::{Deserialize, Serialize};
use sluice_core::distribution::{normal, student};

use super::Estimate;

/// Where an interval comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Student's t on a standard error of the delta method.
    Delta,
    /// Wilson's score interval of a share (J. American Statistical Association 22 (1927)).
    Wilson,
    /// DeLong's error of an area under a ROC curve, of its logit so that the ends stay between 0 and 1.
    #[serde(rename = "delong")]
    DeLong,
    /// Student's t on a standard error of the bootstrap; of a share, Wilson's with as many rows as that error is worth.
    Bootstrap,
    /// The same of the jackknife.
    Jackknife,
}

/// An interval that holds the true value in a 1 − alpha share of such evaluations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// The standard error of the value, where it has one; Wilson's interval is not made of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// Where it comes from.
    pub method: Method,
}

impl Interval {
    /// That of an estimate.
    #[must_use]
    pub fn of(estimate: &Estimate, alpha: f64) -> Self {
        let [low, high] = estimate.interval(alpha);
        Self { low, high, standard_error: Some(estimate.standard_error), method: Method::Delta }
    }

    /// The same with these ends, if there are any.
    #[must_use]
    pub(crate) fn with_ends(self, ends: Option<[f64; 2]>) -> Self {
        ends.map_or(self, |[low, high]| Self { low, high, ..self })
    }

    /// The same for a share: Wilson's, of as many rows as would have this standard error.
    #[must_use]
    pub(crate) fn of_share(self, estimate: &Estimate, rows: f64, alpha: f64) -> Self {
        let share = estimate.difference;
        let variance = estimate.standard_error * estimate.standard_error;
        // Of no part, or of all, no replicate tells the spread.
        let rows = if variance > 0.0 { share * (1.0 - share) / variance } else { rows };
        let quantile = student::upper_quantile(alpha / 2.0, estimate.degrees_of_freedom);
        let Self { low, high, .. } = Self::score(share, rows, quantile);
        Self { low, high, ..self }
    }

    /// That of a share of so many rows, a real number where they have weights.
    #[must_use]
    pub fn wilson(share: f64, rows: f64, alpha: f64) -> Self {
        Self::score(share, rows, normal::upper_quantile(alpha / 2.0))
    }

    fn score(share: f64, rows: f64, quantile: f64) -> Self {
        let square = quantile * quantile;
        let centre = (share + square / (2.0 * rows)) / (1.0 + square / rows);
        let variance = share * (1.0 - share) / rows + square / (4.0 * rows * rows);
        let reach = quantile * variance.sqrt() / (1.0 + square / rows);
        // Rounding leaves the ends a little beside 0 and 1.
        let low = if share > 0.0 { (centre - reach).clamp(0.0, 1.0) } else { 0.0 };
        let high = if share < 1.0 { (centre + reach).clamp(0.0, 1.0) } else { 1.0 };
        Self { low, high, standard_error: None, method: Method::Wilson }
    }

    /// That of an area under a ROC curve, where the smaller class has so many rows. The logit ln(A/(1 − A)) has the
    /// standard error s/(A(1 − A)) (delta method). An area of 0 or 1 has no variance in the sample, which does not
    /// mean that it has none: its interval is Wilson's for a share of the rows of the smaller class.
    #[must_use]
    pub fn delong(estimate: &Estimate, rows: f64, alpha: f64) -> Self {
        let (area, standard_error) = (estimate.difference, Some(estimate.standard_error));
        if !(area > 0.0 && area < 1.0) {
            return Self {
                standard_error,
                method: Method::DeLong,
                ..Self::wilson(area.clamp(0.0, 1.0), rows, alpha)
            };
        }
        let logit = Estimate {
            difference: (area / (1.0 - area)).ln(),
            standard_error: estimate.standard_error / (area * (1.0 - area)),
            ..*estimate
        };
        let [low, high] = match logit.standard_error > 0.0 {
            true => logit.interval(alpha).map(|logit| 1.0 / (1.0 + (-logit).exp())),
            false => [area, area],
        };
        Self { low, high, standard_error, method: Method::DeLong }
    }

    /// That of an increasing linear function of what this is of.
    #[must_use]
    pub(crate) fn map(self, function: impl Fn(f64) -> f64) -> Self {
        let slope = function(1.0) - function(0.0);
        Self {
            low: function(self.low),
            high: function(self.high),
            standard_error: self.standard_error.map(|error| slope * error),
            method: self.method,
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    #[test]
    fn wilson_equals_statsmodels() {
        // statsmodels 0.15 proportion_confint(count, nobs, 0.05, method="wilson").
        for (count, rows, low, high) in [
            (7.0, 50.0, 0.069_508_334_270_162_88, 0.261_861_937_105_855_37),
            (0.0, 10.0, 0.0, 0.277_532_799_862_889_26),
            (10.0, 10.0, 0.722_467_200_137_110_6, 1.0),
        ] {
            let interval = Interval::wilson(count / rows, rows, 0.05);
            assert_relative(interval.low, low, 1e-14);
            assert_relative(interval.high, high, 1e-14);
        }
    }
}
