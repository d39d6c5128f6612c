//! Isotonic regression: pool adjacent violators (Barlow, Bartholomew, Bremner & Brunk, "Statistical Inference under Order
//! Restrictions", 1972, section 1.2), between its steps straight lines, beyond its ends constant, as scikit-learn's
//! `IsotonicRegression(out_of_bounds="clip")`.
//!
//! Rows of equal score are one row of their weighted mean first, so that the order of rows decides nothing. linfa-linear's
//! isotonic regression takes each row for itself, in an order that ties leave open, and holds weights in `f32`; it is
//! what the tests compare with where scores differ and weights are equal.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;

use super::ScoredRow;

/// Steps joined by lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Isotonic {
    /// Scores, ascending, each once.
    scores: Vec<f64>,
    /// The probability at each, not falling.
    probabilities: Vec<f64>,
}

/// Neighbours that share a probability.
struct Pool {
    first: f64,
    last: f64,
    positive: DoubleDouble,
    weight: DoubleDouble,
}

impl Pool {
    fn probability(&self) -> DoubleDouble {
        self.positive / self.weight
    }
}

impl Isotonic {
    /// Of at least one row.
    pub(super) fn fit(rows: &[ScoredRow]) -> Self {
        let mut rows = rows.to_vec();
        rows.sort_by(|a, b| a.score.total_cmp(&b.score).then(a.is_positive.cmp(&b.is_positive)));
        let mut pools: Vec<Pool> = Vec::new();
        for same in rows.chunk_by(|a, b| a.score.total_cmp(&b.score).is_eq()) {
            let sum = |takes_part: &dyn Fn(&ScoredRow) -> bool| {
                let rows = same.iter().filter(|row| takes_part(row));
                rows.fold(DoubleDouble::ZERO, |sum, row| sum + row.weight)
            };
            let score = same[0].score;
            let (positive, weight) = (sum(&|row| row.is_positive), sum(&|_| true));
            let mut pool = Pool { first: score, last: score, positive, weight };
            while let Some(before) = pools.pop_if(|before| !falls_short(before, &pool)) {
                pool.first = before.first;
                pool.positive = before.positive + pool.positive;
                pool.weight = before.weight + pool.weight;
            }
            pools.push(pool);
        }
        let (mut scores, mut probabilities) = (Vec::new(), Vec::new());
        for pool in pools {
            let probability = pool.probability().to_f64();
            for score in [pool.first, pool.last] {
                if scores.last().is_none_or(|last: &f64| last.total_cmp(&score).is_ne()) {
                    scores.push(score);
                    probabilities.push(probability);
                }
            }
        }
        Self { scores, probabilities }
    }

    /// The probability at a score.
    pub(super) fn at(&self, score: f64) -> f64 {
        if score.is_nan() {
            return score;
        }
        let above = self.scores.partition_point(|known| *known <= score);
        match (above.checked_sub(1), self.scores.get(above)) {
            (None, _) => self.probabilities.first().copied().unwrap_or(f64::NAN),
            (Some(below), None) => self.probabilities[below],
            (Some(below), Some(next)) => {
                let (low, high) = (self.probabilities[below], self.probabilities[above]);
                let share = (score - self.scores[below]) / (next - self.scores[below]);
                low + share * (high - low)
            }
        }
    }
}

/// Whether the probability of the first is below that of the second: a / b < c / d without division.
fn falls_short(first: &Pool, second: &Pool) -> bool {
    (second.positive * first.weight - first.positive * second.weight).high > 0.0
}
