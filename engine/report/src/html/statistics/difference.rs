//! Where two data sets differ: kinds, missing values, means, distributions. When a difference counts, and
//! its score, stand in [`trouble`](super::trouble).

use std::collections::BTreeSet;

use sluice_core::statistics::{ColumnStatistics, Quantiles, TopValues};

use crate::html::escape::{VALUE, escape};
use crate::html::figures::{brief, figure, kind, percent, share};
use crate::html::statistics::trouble::{Trouble, trouble};

/// Where two data sets differ.
pub(super) fn between(
    first: &ColumnStatistics,
    other: &ColumnStatistics,
    names: [&str; 2],
    found: &mut Vec<Trouble>,
) {
    let [base, name] = names;
    if first.kind != other.kind {
        let words = format!(
            "{} in {base}, {} in {name}",
            escape(&kind(&first.kind), VALUE),
            escape(&kind(&other.kind), VALUE)
        );
        found.push(trouble(0.95, "other kind", words));
        return;
    }
    let missing = [first, other].map(|column| {
        share(column.presence.num_missing + column.presence.num_absent, column.presence.num_rows)
    });
    let rows = [first, other].map(|column| column.presence.num_rows);
    let moved = (missing[1] - missing[0]).abs();
    if moved >= 0.01 && moved > noise(rows) {
        let words = format!("missing {} in {base}, {} in {name}", percent(missing[0]), percent(missing[1]));
        found.push(trouble((0.3 + 3.0 * moved).clamp(0.0, 1.0), "missing moved", words));
    }
    mean_moved(first, other, names, found);
    new_values(first, other, names, found);
    if let Some((distance, words)) = distribution_moved(first, other, names) {
        found.push(trouble((0.3 + 2.0 * distance).clamp(0.0, 1.0), "distribution moved", words));
    }
}

/// Values that the first data set has not a single time; known only where all of its values are.
fn new_values(
    first: &ColumnStatistics,
    other: &ColumnStatistics,
    names: [&str; 2],
    found: &mut Vec<Trouble>,
) {
    let (Some(left), Some(right)) = (&first.top_values, &other.top_values) else { return };
    if !left.is_complete || left.values.is_empty() {
        return;
    }
    let known: BTreeSet<&str> = left.values.iter().map(|it| it.0.as_str()).collect();
    let new: Vec<&(String, u64)> = right.values.iter().filter(|it| !known.contains(it.0.as_str())).collect();
    let Some((value, _)) = new.first() else { return };
    let count: u64 = new.iter().map(|it| it.1).sum();
    let part = share(count, other.num_values());
    let more = if new.len() > 1 { format!(" and {} more", new.len() - 1) } else { String::new() };
    let words = format!(
        "{} has “{}”{more}, which {} lacks ({} of values)",
        names[1],
        escape(value, VALUE),
        names[0],
        percent(part)
    );
    found.push(trouble((0.4 + part).clamp(0.0, 1.0), "new values", words));
}

/// Four standard errors of the difference of two shares, at most: those of a half.
fn noise(counts: [u64; 2]) -> f64 {
    if counts.contains(&0) {
        return f64::INFINITY;
    }
    2.0 * counts.map(|count| 1.0 / count as f64).iter().sum::<f64>().sqrt()
}

fn mean_moved(
    first: &ColumnStatistics,
    other: &ColumnStatistics,
    names: [&str; 2],
    found: &mut Vec<Trouble>,
) {
    let (Some(left), Some(right)) = (&first.numeric, &other.numeric) else { return };
    let (Some(mean), Some(deviation)) = (left.mean, left.standard_deviation) else { return };
    let (Some(other_mean), Some(other_deviation)) = (right.mean, right.standard_deviation) else { return };
    if left.num_finite == 0 || right.num_finite == 0 {
        return;
    }
    let moved = (other_mean - mean).abs();
    let error =
        deviation.powi(2) / left.num_finite as f64 + other_deviation.powi(2) / right.num_finite as f64;
    let deviations = moved / deviation;
    if deviations >= 0.1 && moved > 4.0 * error.sqrt() {
        let far = if deviations.is_finite() {
            format!(", {} standard deviations", figure((deviations * 100.0).round() / 100.0))
        } else {
            String::new()
        };
        let words =
            format!("mean {} in {}, {} in {}{far}", brief(mean), names[0], brief(other_mean), names[1]);
        found.push(trouble((0.2 + deviations).clamp(0.0, 1.0), "mean moved", words));
    }
}

/// The greatest difference of shares that is sure, with its words.
fn distribution_moved(
    first: &ColumnStatistics,
    other: &ColumnStatistics,
    [base, name]: [&str; 2],
) -> Option<(f64, String)> {
    let is_enough = |distance: f64, counts: [u64; 2]| distance >= 0.05 && distance > noise(counts);
    if let (Some(left), Some(right)) = (&first.top_values, &other.top_values) {
        let counts = [first.num_values(), other.num_values()];
        let (distance, value) = share_difference([left, right], counts)?;
        let shares = [left, right].map(|top| known(top, value).0);
        let [shown, other_shown] =
            [percent(share(shares[0], counts[0])), percent(share(shares[1], counts[1]))];
        let words = format!("“{}” is {shown} of {base}, {other_shown} of {name}", escape(value, VALUE));
        return is_enough(distance, counts).then_some((distance, words));
    }
    let numeric = [first, other].map(|column| column.numeric.as_ref());
    let [Some(left), Some(right)] = numeric else { return None };
    let gap = greatest_gap(left.quantiles.as_ref()?, right.quantiles.as_ref()?)?;
    let words = format!(
        "values up to {} are {} of {base}, {} of {name}",
        figure(gap.value),
        bounded(gap.shares[0]),
        bounded(gap.shares[1])
    );
    is_enough(gap.distance, [left.num_finite, right.num_finite]).then_some((gap.distance, words))
}

/// A share of which only bounds are known.
fn bounded((low, high): (f64, f64)) -> String {
    match (low <= 0.0, high >= 1.0) {
        (true, true) => "an unknown share".into(),
        (true, false) => format!("less than {}", percent(high)),
        (false, true) => format!("at least {}", percent(low)),
        (false, false) => format!("{} to {}", percent(low), percent(high)),
    }
}

/// The least and greatest count that a value can have.
fn known(top: &TopValues, value: &str) -> (u64, u64) {
    match top.values.iter().find(|(mine, _)| mine == value) {
        Some((_, count)) => (*count, *count + top.max_error),
        None if top.is_complete => (0, 0),
        None => (0, top.values.last().map_or(0, |last| last.1) + top.max_error),
    }
}

/// The value whose share surely differs most; of the first hundred of each list.
fn share_difference(tops: [&TopValues; 2], counts: [u64; 2]) -> Option<(f64, &str)> {
    let mut most: Option<(f64, &str)> = None;
    for (value, _) in tops.iter().flat_map(|top| top.values.iter().take(100)) {
        let [left, right] = [0, 1].map(|set| {
            let (low, high) = known(tops[set], value);
            (share(low, counts[set]), share(high, counts[set]))
        });
        let distance = if left.0 - right.1 > right.0 - left.1 { left.0 - right.1 } else { right.0 - left.1 };
        if distance > most.map_or(0.0, |it| it.0) {
            most = Some((distance, value));
        }
    }
    most
}

/// The bounds of the share of values that do not exceed `value`. A quantile is the smallest value that a
/// share of at least q does not exceed; so the share at it is at least q, and below the next greater
/// quantile less than that q.
fn share_up_to(quantiles: &Quantiles, value: f64) -> (f64, f64) {
    let error = quantiles.rank_error_fraction;
    let low = quantiles.values.iter().filter(|(_, at)| *at <= value).map(|(q, _)| *q).next_back();
    let high = quantiles.values.iter().find(|(_, at)| *at > value).map(|(q, _)| *q);
    let low = (low.unwrap_or(0.0) - error).clamp(0.0, 1.0);
    (low, high.map_or(1.0, |high| (high + error).clamp(0.0, 1.0)))
}

/// Where two distributions surely differ.
struct Gap {
    distance: f64,
    value: f64,
    /// Bounds of the shares of values up to it.
    shares: [(f64, f64); 2],
}

/// The greatest lower bound of the Kolmogorov-Smirnov distance.
fn greatest_gap(left: &Quantiles, right: &Quantiles) -> Option<Gap> {
    let mut most: Option<Gap> = None;
    for (_, value) in left.values.iter().chain(&right.values) {
        let shares = [left, right].map(|quantiles| share_up_to(quantiles, *value));
        let (over, under) = (shares[0].0 - shares[1].1, shares[1].0 - shares[0].1);
        let distance = if over > under { over } else { under };
        if distance > most.as_ref().map_or(0.0, |gap| gap.distance) {
            most = Some(Gap { distance, value: *value, shares });
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantiles(values: &[(f64, f64)]) -> Quantiles {
        Quantiles { values: values.to_vec(), rank_error_fraction: 0.0 }
    }

    #[test]
    fn the_distance_of_quantiles_is_a_lower_bound() {
        let left = quantiles(&[(0.0, 0.0), (0.5, 5.0), (1.0, 10.0)]);
        assert!(greatest_gap(&left, &left).is_none());
        // All of the right lies above all of the left.
        let right = quantiles(&[(0.0, 20.0), (0.5, 25.0), (1.0, 30.0)]);
        let gap = greatest_gap(&left, &right).unwrap();
        assert!((gap.distance - 1.0).abs() < 1e-12 && (gap.value - 10.0).abs() < 1e-12);
        // Another grid of the same values makes no difference.
        let finer = quantiles(&[(0.0, 0.0), (0.25, 2.0), (0.5, 5.0), (0.75, 7.0), (1.0, 10.0)]);
        assert!(greatest_gap(&left, &finer).is_none());
    }

    #[test]
    fn values_that_are_not_listed_may_have_the_last_count() {
        let top = |values: &[(&str, u64)], is_complete| TopValues {
            values: values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect(),
            max_error: 0,
            is_complete,
        };
        let left = top(&[("a", 60), ("b", 40)], true);
        let right = top(&[("a", 60), ("c", 30)], false);
        let (distance, value) = share_difference([&left, &right], [100, 100]).unwrap();
        assert_eq!(value, "c");
        assert!((distance - 0.3).abs() < 1e-12);
    }
}
