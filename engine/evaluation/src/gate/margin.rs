//! How far a candidate may be from the baseline: a number in the metric's unit, or a percentage of the baseline.

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use sluice_core::options::{OptionsError, Range};

use super::text::figure;
use crate::comparison::{Estimate, Interval};
use crate::metric::{Direction, Undefined};

/// A margin: `0.5`, or `2%` of the baseline's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Margin {
    /// In the unit of the metric.
    Absolute(f64),
    /// Percent of the magnitude of the baseline's value: 2 for `2%`.
    Percent(f64),
}

impl From<f64> for Margin {
    fn from(margin: f64) -> Self {
        Self::Absolute(margin)
    }
}

impl std::fmt::Display for Margin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absolute(margin) => formatter.write_str(&figure(*margin)),
            Self::Percent(percent) => write!(formatter, "{}%", figure(*percent)),
        }
    }
}

impl Serialize for Margin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Absolute(margin) => serializer.serialize_f64(*margin),
            Self::Percent(percent) => serializer.serialize_str(&format!("{percent}%")),
        }
    }
}

impl<'de> Deserialize<'de> for Margin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MarginVisitor)
    }
}

struct MarginVisitor;

impl Visitor<'_> for MarginVisitor {
    type Value = Margin;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a number, or a percentage such as `2%`")
    }

    fn visit_f64<E>(self, margin: f64) -> Result<Margin, E> {
        Ok(Margin::Absolute(margin))
    }

    fn visit_u64<E>(self, margin: u64) -> Result<Margin, E> {
        Ok(Margin::Absolute(margin as f64))
    }

    fn visit_i64<E>(self, margin: i64) -> Result<Margin, E> {
        Ok(Margin::Absolute(margin as f64))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Margin, E> {
        let percent = text.trim().strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        let percent = percent.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))?;
        Ok(Margin::Percent(percent))
    }
}

impl Margin {
    /// The margin, if it is in the range.
    pub(crate) fn check(self, name: &str, range: Range) -> Result<Self, OptionsError> {
        match self {
            Self::Absolute(margin) => range.check(name, margin).map(Self::Absolute),
            Self::Percent(percent) => range.check(name, percent).map(Self::Percent),
        }
    }

    /// The percentage, if it is one.
    pub(crate) fn percent(self) -> Option<f64> {
        match self {
            Self::Absolute(_) => None,
            Self::Percent(percent) => Some(percent),
        }
    }

    /// In the unit of the metric.
    pub(crate) fn of_baseline(self, baseline: Option<f64>) -> Option<f64> {
        match self {
            Self::Absolute(margin) => Some(margin),
            Self::Percent(percent) => baseline.map(|baseline| percent / 100.0 * baseline.abs()),
        }
    }
}

/// The estimates that a test of a margin needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimates {
    /// Candidate minus baseline.
    pub(crate) change: Estimate,
    /// The standard error of the candidate's value.
    pub(crate) candidate: Result<Interval, Undefined>,
    /// The baseline's value.
    pub(crate) baseline: f64,
    /// The standard error of the baseline's value.
    pub(crate) of_baseline: Result<Interval, Undefined>,
}

impl Estimates {
    /// What remains of the change once the margin is granted, so that it is harm where it is not 0, and the rest of
    /// the margin: for an absolute margin the change itself.
    ///
    /// A share t of the baseline b is itself uncertain, so that not c − b but c − k·b is tested, k = 1 ± t:
    /// Var(c − kb) = (1 − k) Var(c) + k(k − 1) Var(b) + k Var(c − b), from Cov(c, b) = (Var c + Var b − Var(c − b))/2.
    pub(crate) fn beyond(&self, margin: Margin, direction: Direction) -> Result<(Estimate, f64), Undefined> {
        let share = match margin {
            Margin::Absolute(margin) => return Ok((self.change, margin)),
            Margin::Percent(percent) => percent / 100.0,
        };
        let harm_of_more = direction.harm(1.0).unwrap_or(1.0);
        let step = share * self.baseline.signum() * harm_of_more;
        let factor = 1.0 + step;
        let square = |interval: Result<Interval, Undefined>| {
            let error = interval?.standard_error.ok_or(Undefined::NoReplicates)?;
            Ok(error * error)
        };
        let (candidate, baseline) = (square(self.candidate)?, square(self.of_baseline)?);
        let change = self.change.standard_error * self.change.standard_error;
        let variance = factor * change + step * (factor * baseline - candidate);
        let difference = self.change.difference - step * self.baseline;
        Ok((Estimate::new(difference, variance, self.change.degrees_of_freedom)?, 0.0))
    }
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;
    use crate::comparison::Method;

    #[test]
    fn margins_are_numbers_or_percentages() {
        for (json, margin) in [
            ("0.5", Margin::Absolute(0.5)),
            ("2", Margin::Absolute(2.0)),
            ("\"2%\"", Margin::Percent(2.0)),
            ("\" 0.5 %\"", Margin::Percent(0.5)),
        ] {
            let read: Margin = serde_json::from_str(json).unwrap();
            assert_eq!(read, margin);
            let written = serde_json::to_string(&margin).unwrap();
            assert_eq!(serde_json::from_str::<Margin>(&written).unwrap(), margin);
        }
        let error = serde_json::from_str::<Margin>("\"two\"").unwrap_err().to_string();
        assert!(error.contains("a number, or a percentage such as `2%`"), "{error}");
    }

    /// c − k·b of two means over the same rows, against the t test of the rows' own c − k·b.
    #[test]
    fn a_share_of_the_baseline_is_as_uncertain_as_the_baseline() {
        let candidate = [1.0, 4.0, 2.0, 8.0, 5.5];
        let baseline = [1.5, 3.0, 2.0, 6.0, 7.5];
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let of = |values: &[f64]| {
            let centre = mean(values);
            let square: f64 = values.iter().map(|value| (value - centre) * (value - centre)).sum();
            let rows = values.len() as f64;
            Estimate::new(centre, square / (rows - 1.0) / rows, rows - 1.0).unwrap()
        };
        let both = |factor: f64| -> Vec<f64> {
            candidate.iter().zip(baseline).map(|(c, b)| c - factor * b).collect()
        };
        let interval = |estimate: &Estimate| Ok(Interval::of(estimate, 0.05));
        let estimates = Estimates {
            change: of(&both(1.0)),
            candidate: interval(&of(&candidate)),
            baseline: mean(&baseline),
            of_baseline: interval(&of(&baseline)),
        };
        assert_eq!(estimates.candidate.unwrap().method, Method::Delta);
        for (direction, factor) in [(Direction::LowerIsBetter, 1.1), (Direction::HigherIsBetter, 0.9)] {
            let (found, margin) = estimates.beyond(Margin::Percent(10.0), direction).unwrap();
            let expected = of(&both(factor));
            assert_relative(margin, 0.0, 0.0);
            assert_relative(found.difference, expected.difference, 1e-13);
            assert_relative(found.standard_error, expected.standard_error, 1e-13);
        }
    }
}
