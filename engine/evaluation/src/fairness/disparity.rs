//! Distances of rates between groups, with their intervals.

use std::collections::BTreeMap;

use sluice_core::distribution::normal;

use super::{Disparity, Distance, Group};
use crate::metric::{Metric, Side, Undefined};

/// A rate of one group.
pub(super) struct GroupRate<'a> {
    group: &'a str,
    value: Result<f64, Undefined>,
    /// None where there are too few rows to say.
    standard_error: Option<f64>,
}

/// Whether a disparity is a difference or a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Difference,
    Ratio,
}

/// A disparity by its name in the field; of several rates the worse.
pub(super) struct Measure {
    pub(super) name: &'static str,
    rates: &'static [&'static str],
    kind: Kind,
}

/// All of them.
pub(super) static MEASURES: &[Measure] = &[
    Measure { name: "demographic_parity_difference", rates: &["selection_rate"], kind: Kind::Difference },
    Measure { name: "demographic_parity_ratio", rates: &["selection_rate"], kind: Kind::Ratio },
    Measure { name: "equal_opportunity_difference", rates: &["recall"], kind: Kind::Difference },
    Measure { name: "equal_opportunity_ratio", rates: &["recall"], kind: Kind::Ratio },
    Measure {
        name: "equalized_odds_difference",
        rates: &["recall", "false_positive_rate"],
        kind: Kind::Difference,
    },
    Measure { name: "equalized_odds_ratio", rates: &["recall", "false_positive_rate"], kind: Kind::Ratio },
    Measure { name: "predictive_parity_difference", rates: &["precision"], kind: Kind::Difference },
    Measure { name: "predictive_parity_ratio", rates: &["precision"], kind: Kind::Ratio },
];

impl<'a> GroupRate<'a> {
    pub(super) fn of(group: &'a Group<'_>, metric: &Metric, side: Side) -> Self {
        Self {
            group: &group.name,
            value: group.slice.value(metric, side),
            standard_error: group.slice.standard_error(metric, side).ok(),
        }
    }

    /// How far it is from that of the reference.
    pub(super) fn distance(&self, reference: &Self, alpha: f64) -> Distance {
        let values = self.value.ok().zip(reference.value.ok());
        let difference = values.map(|(own, theirs)| own - theirs);
        let ratio = values.and_then(|(own, theirs)| (theirs > 0.0).then(|| own / theirs));
        Distance {
            difference,
            difference_interval: difference.and_then(|value| self.of_difference(reference, value, alpha)),
            ratio,
            ratio_interval: ratio.and_then(|value| self.of_ratio(reference, value, alpha)),
        }
    }

    /// The interval of a difference: variances add.
    fn of_difference(&self, other: &Self, value: f64, alpha: f64) -> Option<[f64; 2]> {
        let reach = normal::upper_quantile(alpha / 2.0) * self.standard_error?.hypot(other.standard_error?);
        Some([value - reach, value + reach])
    }

    /// The interval of a ratio: variances of logarithms add (delta method). A rate of 0 has no logarithm.
    fn of_ratio(&self, other: &Self, value: f64, alpha: f64) -> Option<[f64; 2]> {
        let relative =
            |rate: &Self| Some(rate.standard_error? / rate.value.ok().filter(|value| *value > 0.0)?);
        let reach = normal::upper_quantile(alpha / 2.0) * relative(self)?.hypot(relative(other)?);
        Some([value * (-reach).exp(), value * reach.exp()])
    }
}

impl Measure {
    /// Between the groups that lie furthest apart; of several rates the one that says worse.
    pub(super) fn between(&self, rates: &BTreeMap<&str, Vec<GroupRate<'_>>>, alpha: f64) -> Disparity {
        let mut worst: Option<(f64, Disparity)> = None;
        for name in self.rates {
            let disparity = match rates.get(name).map(Vec::as_slice) {
                Some(groups) if !groups.is_empty() => self.of_rate(name, groups, alpha),
                _ => Disparity { note: Some("there are no groups".into()), ..Disparity::default() },
            };
            let Some(value) = disparity.value else { return disparity };
            let harm = if self.kind == Kind::Difference { value } else { -value };
            if worst.as_ref().is_none_or(|(most, _)| harm > *most) {
                worst = Some((harm, disparity));
            }
        }
        worst.map(|(_, disparity)| disparity).unwrap_or_default()
    }

    fn of_rate(&self, name: &str, groups: &[GroupRate<'_>], alpha: f64) -> Disparity {
        let nothing =
            |note: String| Disparity { metric: Some(name.into()), note: Some(note), ..Disparity::default() };
        let mut values = Vec::with_capacity(groups.len());
        for group in groups {
            match group.value {
                Ok(value) => values.push(value),
                Err(reason) => {
                    return nothing(format!("`{name}` does not exist in {}: {reason}", group.group));
                }
            }
        }
        let further = |is_further: fn(f64, f64) -> bool| {
            let better = |best: usize, place: usize| {
                if is_further(values[place], values[best]) { place } else { best }
            };
            (1..values.len()).fold(0, better)
        };
        let (high, low) = (further(|value, best| value > best), further(|value, best| value < best));
        let (highest, lowest) = (&groups[high], &groups[low]);
        let (value, interval) = match self.kind {
            Kind::Difference => {
                let value = values[high] - values[low];
                (value, lowest.of_difference(highest, value, alpha))
            }
            Kind::Ratio if values[high] > 0.0 => {
                let value = values[low] / values[high];
                (value, lowest.of_ratio(highest, value, alpha))
            }
            Kind::Ratio => return nothing(format!("`{name}` is 0 in every group")),
        };
        let is_one = high == low;
        let note = if groups.len() == 1 {
            Some("there is one group only".to_owned())
        } else if is_one {
            Some(format!("`{name}` is the same in every group"))
        } else if interval.is_none() && self.kind == Kind::Ratio {
            Some("a rate of 0, or one known from too few rows, gives no interval".to_owned())
        } else {
            None
        };
        Disparity {
            value: Some(value),
            interval: if is_one { None } else { interval },
            metric: Some(name.into()),
            highest: Some(highest.group.into()),
            lowest: Some(lowest.group.into()),
            note,
        }
    }
}
