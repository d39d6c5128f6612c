//! The batch from which on a series is on another level.
//!
//! Every split into batches before and from k on is a two-sample t with the pooled variance on n − 2 degrees of freedom,
//! of the values and of y(i) = ln(value + noise floor), whose spread does not grow with its level; the lesser of both
//! counts, so that neither a long upper nor a long lower tail makes a change. The greatest |t| names the batch, and its two
//! tails times the n − 1 splits are p: Bonferroni's bound of the distribution that Worsley, "On the likelihood ratio test
//! for a shift in location of normal populations", JASA 74, 1979, gives.

use serde::{Deserialize, Serialize};
use sluice_core::distribution::student;

use super::TimelineBatch;
use super::trend::median;

/// Batches below which a change is no proof.
const LEAST: usize = 5;
/// Below it a value is nothing.
const NOTHING: f64 = 1e-9;
/// No deviation can be told to be less: three in a hundred of the values.
const LEAST_DEVIATION: f64 = 0.03;

/// A change of the level of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The first batch on the new level, from 0.
    pub index: usize,
    /// Its name.
    pub batch: String,
    /// The middle of the values before it.
    pub before: f64,
    /// The middle of its own and later values.
    pub after: f64,
    /// The t of the split.
    pub t: f64,
    /// The probability of so large a t at any split where nothing changed, at most.
    pub p: f64,
    /// The share of false changes among all if this p tells one.
    pub q: f64,
    /// Whether one of the levels is above the threshold of an alarm.
    pub is_above: bool,
    /// Whether q is at most the level, and one of the levels above the threshold.
    pub is_proven: bool,
}

/// The most probable change of values with their noise floors by batch; none of constant series, and of short ones.
pub(super) fn of(known: &[(usize, f64, f64)], threshold: f64, batches: &[TimelineBatch]) -> Option<Change> {
    let n = known.len();
    if n < LEAST {
        return None;
    }
    let logarithms: Vec<f64> =
        known.iter().map(|(_, value, noise)| (value + noise.max(NOTHING)).ln()).collect();
    if logarithms.iter().all(|y| (y - logarithms[0]).abs() < 1e-12) {
        return None;
    }
    let values: Vec<f64> = known.iter().map(|(_, value, _)| *value).collect();
    let scale = known.iter().map(|(_, value, noise)| value + noise.max(NOTHING)).sum::<f64>() / n as f64;
    let (mut t, mut split) = (0.0_f64, 1);
    for place in 1..n {
        let found = [(&values, scale), (&logarithms, 1.0)].map(|(of, scale)| {
            let (early, late) = of.split_at(place);
            two_sample(early, late, LEAST_DEVIATION * scale)
        });
        let found = if found[0].abs() < found[1].abs() { found[0] } else { found[1] };
        if found.abs() > t.abs() {
            (t, split) = (found, place);
        }
    }
    let tail = 2.0 * student::upper_tail(t.abs(), (n - 2) as f64);
    let p = (tail * (n - 1) as f64).min(1.0);
    let level =
        |part: &[(usize, f64, f64)]| median(&mut part.iter().map(|(_, value, _)| *value).collect::<Vec<_>>());
    let (early, late) = known.split_at(split);
    let (before, after) = (level(early), level(late));
    let index = late.first().map_or(0, |(index, _, _)| *index);
    let batch = batches.get(index).map_or_else(String::new, |batch| batch.batch.clone());
    let is_above = before > threshold || after > threshold;
    Some(Change { index, batch, before, after, t, p, q: 1.0, is_above, is_proven: false })
}

/// The t of two samples with the pooled variance, whose root is at least `least_deviation`.
fn two_sample(early: &[f64], late: &[f64], least_deviation: f64) -> f64 {
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let (before, after) = (mean(early), mean(late));
    let squares = |part: &[f64], mean: f64| part.iter().map(|y| (y - mean).powi(2)).sum::<f64>();
    let (n, m) = (early.len() as f64, late.len() as f64);
    let variance = (squares(early, before) + squares(late, after)) / (n + m - 2.0);
    let deviation = variance.sqrt().max(least_deviation);
    (after - before) / (deviation * (1.0 / n + 1.0 / m).sqrt())
}
