//! Whether a series rises or falls: the test of Mann and Kendall, and the slope of Theil and Sen.
//!
//! S = Σ over i < j of sign(x(j) − x(i)), with the variance (n (n − 1) (2 n + 5) − Σ t (t − 1) (2 t + 5)) / 18, t the
//! sizes of groups of equal values; p from the normal distribution at (|S| − 1) / deviation (Mann, "Nonparametric tests
//! against trend", Econometrica 13, 1945; Kendall, "Rank Correlation Methods", 1975). The slope is the median of
//! (x(j) − x(i)) / (j − i) (Sen, JASA 63, 1968).

use serde::{Deserialize, Serialize};
use sluice_core::distribution::normal;

/// Batches below which no order of theirs is a proof.
const LEAST: usize = 4;

/// Whether a series rises or falls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// By how much it rises per batch.
    pub slope: f64,
    /// Kendall's rank correlation with the order of the batches, from −1 to 1.
    pub tau: f64,
    /// The probability of so much order where there is none.
    pub p: f64,
    /// The share of false trends among all if this p tells one.
    pub q: f64,
    /// Whether q is at most the level.
    pub is_proven: bool,
}

/// The trend of values by batch; none of constant series, and of short ones.
pub(super) fn of(known: &[(usize, f64, f64)]) -> Option<Trend> {
    let n = known.len() as f64;
    if known.len() < LEAST {
        return None;
    }
    let (mut sum, mut slopes) = (0.0_f64, Vec::new());
    for (place, (i, x, _)) in known.iter().enumerate() {
        for (j, y, _) in &known[place + 1..] {
            let rise = y - x;
            sum += if rise > 0.0 {
                1.0
            } else if rise < 0.0 {
                -1.0
            } else {
                0.0
            };
            slopes.push(rise / (j - i) as f64);
        }
    }
    let mut sorted: Vec<f64> = known.iter().map(|(_, value, _)| *value).collect();
    sorted.sort_by(f64::total_cmp);
    let (mut ties, mut tied_pairs) = (0.0, 0.0);
    for group in sorted.chunk_by(|a, b| a.total_cmp(b).is_eq()) {
        let t = group.len() as f64;
        ties += t * (t - 1.0) * (2.0 * t + 5.0);
        tied_pairs += t * (t - 1.0) / 2.0;
    }
    let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - ties) / 18.0;
    if !(variance > 0.0) {
        return None;
    }
    let z = (sum.abs() - 1.0).max(0.0) / variance.sqrt();
    let pairs = n * (n - 1.0) / 2.0;
    // Kendall's tau-b: batches have no ties.
    let tau = sum / (pairs * (pairs - tied_pairs)).sqrt();
    let p = (2.0 * normal::upper_tail(z)).min(1.0);
    Some(Trend { slope: median(&mut slopes), tau, p, q: 1.0, is_proven: false })
}

/// The middle; of an even number the mean of both.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        length if length % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}
