//! Between what a statistic of steps lies where scores are known by ranges only.
//!
//! Rows of different ranges stand in a known order, those within one in any. With TP₀, FP₀ before a range and TP₁, FP₁ after
//! it, every step within has TP₀ ≤ TP ≤ TP₁ and FP₀ ≤ FP ≤ FP₁, and the last is at TP₁, FP₁ whatever the order:
//!
//! - the largest of something over all steps is at least what the ends of the ranges say, and at most what the corners
//!   TP₁, FP₀ (and TP₀, FP₁ for the distance of both) would;
//! - of a share of the rows that ends within a range, a rows of which are taken, TP is from TP₀ + a − ΔFP to TP₀ + a;
//! - Σ ΔTP · precision is at least ∫ t/(t + FP₁) dt over TP₀ to TP₁, and at most ΔTP · TP₁/(TP₁ + FP₀), or
//!   ∫ t/(t + FP₀) dt where it is interpolated;
//! - a threshold lies between the least and the greatest score of its range.
//!
//! A range of one score is a step, and leaves no doubt.

use super::ranked::StepStatistic;
use super::steps::{Effect, Step, Walk};

/// The rows of a range of scores.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScoreRange {
    /// The step that they would be, were they tied at the least of their scores.
    pub(crate) step: Step,
    /// The greatest of their scores.
    pub(crate) greatest: f64,
}

impl ScoreRange {
    /// Whether all rows have one score.
    pub(crate) fn is_step(&self) -> bool {
        self.step.score >= self.greatest
    }

    /// Positive and negative rows before it.
    fn before(&self) -> [f64; 2] {
        [self.step.true_positives - self.step.positive, self.step.false_positives - self.step.negative]
    }
}

/// The bounds of a statistic on their way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BoundWalk {
    statistic: StepStatistic,
    positive: f64,
    negative: f64,
    low: Walk,
    high: Walk,
}

impl BoundWalk {
    /// Before the first range; the weight of both classes is above 0.
    pub(crate) fn new(statistic: StepStatistic, positive: f64, negative: f64) -> Self {
        let walk = Walk::new(statistic, positive, negative);
        Self { statistic, positive, negative, low: walk, high: walk }
    }

    /// Takes the range that follows.
    pub(crate) fn take(&mut self, range: &ScoreRange) {
        if range.is_step() {
            self.low.step(&range.step);
            self.high.step(&range.step);
            return;
        }
        let (step, [true_positives, false_positives]) = (&range.step, range.before());
        match self.statistic {
            StepStatistic::AveragePrecision | StepStatistic::PrecisionRecallArea => {
                self.low.take(Effect::Add(area(true_positives, step.positive, step.false_positives)));
                let high = match self.statistic {
                    StepStatistic::AveragePrecision if step.positive > 0.0 => {
                        step.positive * step.true_positives / (step.true_positives + false_positives)
                    }
                    StepStatistic::AveragePrecision => 0.0,
                    _ => area(true_positives, step.positive, false_positives),
                };
                self.high.take(Effect::Add(high));
            }
            StepStatistic::Gain(share) | StepStatistic::Lift(share) => {
                let wanted = share * (self.positive + self.negative) - true_positives - false_positives;
                if wanted > 0.0 {
                    let all = step.positive + step.negative;
                    let taken = if wanted < all { wanted } else { all };
                    let low = if taken > step.negative { taken - step.negative } else { 0.0 };
                    let high = if taken < step.positive { taken } else { step.positive };
                    self.low.take(Effect::Set((true_positives + low) / self.positive));
                    self.high.take(Effect::Set((true_positives + high) / self.positive));
                }
            }
            StepStatistic::ThresholdAtRecall(_) => {
                self.low.step(step);
                self.high.step(&Step { score: range.greatest, ..*step });
            }
            _ => {
                self.low.step(step);
                self.high.step(&Step { false_positives, ..*step });
                self.high.step(&Step { true_positives, ..*step });
                self.high.step(step);
            }
        }
    }

    /// The bounds after the last range.
    pub(crate) fn ends(&self) -> [f64; 2] {
        [self.low.value(), self.high.value()]
    }
}

/// ∫ t/(t + FP) dt from so many true positives over so many more.
fn area(true_positives: f64, more: f64, false_positives: f64) -> f64 {
    if !(more > 0.0) || !(false_positives > 0.0) {
        return more;
    }
    more - false_positives * (more / (true_positives + false_positives)).ln_1p()
}
