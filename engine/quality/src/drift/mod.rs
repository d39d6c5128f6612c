//! How far two distributions are apart, from the statistics of two data sets or from their rows, and whether that is more
//! than chance: [`compare`]. `docs/drift.md` has the formulas.
//!
//! What TFDV measures:
//!
//! | distance | of | definition | range |
//! |---|---|---|---|
//! | infinity norm | labels | max over v of \|p(v) − q(v)\|, shares of the listed labels | 0 to 1 |
//! | normalized absolute difference | labels | max over v of \|x(v) − y(v)\| / (Σx + Σy), counts | 0 to 1 |
//! | Jensen-Shannon divergence | labels or histograms | ½ KL(P‖M) + ½ KL(Q‖M), M = ½ (P + Q), in bits | 0 to 1 |
//!
//! Labels that one side does not list count 0 there. See `histograms` for how two histograms are aligned.

#![expect(
    clippy::disallowed_methods,
    reason = "what is compared here is never NaN: finite values, counts, and shares of totals above 0"
)]

mod aligned;
mod calibration;
mod cumulative;
#[cfg(test)]
mod decision_tests;
mod distances;
mod domain;
mod findings;
#[cfg(test)]
mod golden_numbers;
mod histogram_noise;
mod histograms;
mod labels;
mod measure;
mod options;
mod report;
mod role;
mod season;
pub mod shares;
mod signals;
pub mod significance;
mod tables;
mod timeline;
mod view;

use std::collections::BTreeMap;

pub use aligned::{Aligned, Bounded};
pub use calibration::{
    Calibration, CalibrationMethod, Comparators, Compared, LEAST_COMPARISONS, Score, Threshold, calibrate,
    calibrate_comparators, write_comparators,
};
pub use cumulative::Cumulative;
pub use distances::TRIM;
pub use domain::{DomainClassifier, DomainClassifierOptions, TellingColumn, add_domain_classifier};
pub use findings::validation_report;
pub use histograms::{Distribution, jensen_shannon_of_histograms};
pub use labels::{AlignedBin, OTHER};
pub use measure::{Comparison, Measure};
pub use options::{DriftError, DriftOptions, parse_threshold};
pub use report::{ColumnDrift, DriftReport, DriftSide, Signal, compare, compare_slices};
pub use role::ColumnRole;
pub use season::Season;
pub use tables::{TABLE_CAPACITY, Tables, compute_compared, compute_with_tables};
pub use timeline::{Alarms, Change, Moment, Series, Timeline, TimelineBatch, Trend, timeline};

/// Labels with their counts, or weights.
pub type Labels<'a> = &'a [(&'a str, f64)];

/// The greatest difference of one label, and that label; of several the last in byte order, as in TFDV.
#[derive(Clone, Debug, PartialEq)]
pub struct LargestDifference {
    /// The distance.
    pub value: f64,
    /// The label that has it; none where neither side has any.
    pub label: Option<String>,
}

/// The counts of both sides by label.
fn paired<'a>(current: Labels<'a>, control: Labels<'a>) -> BTreeMap<&'a str, (f64, f64)> {
    let mut pairs: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (label, count) in current {
        pairs.entry(label).or_default().0 += count;
    }
    for (label, count) in control {
        pairs.entry(label).or_default().1 += count;
    }
    pairs
}

fn total(labels: Labels<'_>) -> f64 {
    labels.iter().map(|(_, count)| count).sum()
}

/// The share of a total; 0 where there is none.
fn share(count: f64, total: f64) -> f64 {
    if total > 0.0 { count / total } else { 0.0 }
}

fn largest<'a>(differences: impl Iterator<Item = (&'a str, f64)>) -> LargestDifference {
    let mut found = LargestDifference { value: 0.0, label: None };
    for (label, difference) in differences {
        if difference >= found.value {
            found = LargestDifference { value: difference, label: Some(label.to_owned()) };
        }
    }
    found
}

/// The greatest difference between the shares of one label.
#[must_use]
pub fn infinity_norm(current: Labels<'_>, control: Labels<'_>) -> LargestDifference {
    let totals = (total(current), total(control));
    let pairs = paired(current, control);
    largest(pairs.iter().map(|(label, (x, y))| (*label, (share(*x, totals.0) - share(*y, totals.1)).abs())))
}

/// The greatest difference between the counts of one label, as a share of all counts of both sides.
#[must_use]
pub fn normalized_absolute_difference(current: Labels<'_>, control: Labels<'_>) -> LargestDifference {
    let all = total(current) + total(control);
    let pairs = paired(current, control);
    largest(pairs.iter().map(|(label, (x, y))| (*label, share((x - y).abs(), all))))
}

/// The Jensen-Shannon divergence of two lists of labels in bits; none where one is empty.
#[must_use]
pub fn jensen_shannon_of_labels(current: Labels<'_>, control: Labels<'_>) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = paired(current, control).into_values().collect();
    jensen_shannon(&pairs)
}

/// The divergence of two lists of counts that belong together; none where one adds up to nothing.
pub(crate) fn jensen_shannon(pairs: &[(f64, f64)]) -> Option<f64> {
    let (p_total, q_total) = pairs.iter().fold((0.0, 0.0), |(p, q), (x, y)| (p + x, q + y));
    if !(p_total > 0.0 && q_total > 0.0) {
        return None;
    }
    let term = |p: f64, m: f64| if p > 0.0 { p * (p / m).log2() } else { 0.0 };
    let mut sum = 0.0;
    for (x, y) in pairs {
        let (p, q) = (x / p_total, y / q_total);
        let middle = f64::midpoint(p, q);
        sum += 0.5 * term(p, middle) + 0.5 * term(q, middle);
    }
    // Rounding may lead a hair outside.
    Some(sum.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_one_side_only_count_zero_on_the_other() {
        let (a, b) = ([("a", 0.3), ("b", 0.7)], [("b", 0.9), ("c", 0.1)]);
        let found = infinity_norm(&a, &b);
        assert_eq!(found.label.as_deref(), Some("a"));
        assert!((found.value - 0.3).abs() < 1e-15);
        assert_eq!(infinity_norm(&[], &[]), LargestDifference { value: 0.0, label: None });
        assert_eq!(infinity_norm(&[("p", 5.0), ("q", 5.0)], &[("r", 1.0)]).label.as_deref(), Some("r"));
    }

    #[test]
    fn of_equal_differences_the_last_label_is_named() {
        let found = infinity_norm(&[("A", 3.0), ("B", 1.0)], &[("A", 1.0)]);
        assert_eq!((found.value, found.label.as_deref()), (0.25, Some("B")));
    }

    #[test]
    fn distances_of_the_same_are_zero_and_of_strangers_one() {
        let (a, b) = ([("x", 2.0), ("y", 3.0)], [("z", 1.0)]);
        assert_eq!(jensen_shannon_of_labels(&a, &a), Some(0.0));
        assert_eq!(jensen_shannon_of_labels(&a, &b), Some(1.0));
        assert_eq!(jensen_shannon_of_labels(&a, &[]), None);
        assert!(normalized_absolute_difference(&a, &a).value.abs() < 1e-15);
    }
}
