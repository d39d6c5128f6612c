//! Statistics of the steps from the highest score to the lowest, each in one walk.

use sluice_core::double_double::DoubleDouble;

use super::ranked::StepStatistic;

/// The rows of one score; all are weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The score.
    pub(crate) score: f64,
    /// Positive rows.
    pub(crate) positive: f64,
    /// Negative rows.
    pub(crate) negative: f64,
    /// Positive rows at this score and above.
    pub(crate) true_positives: f64,
    /// Negative rows at this score and above.
    pub(crate) false_positives: f64,
}

impl Step {
    /// The rows at this score and above.
    fn taken(&self) -> f64 {
        self.true_positives + self.false_positives
    }

    /// The share of the rows at this score and above that are positive.
    pub(crate) fn precision(&self) -> f64 {
        self.true_positives / self.taken()
    }

    /// The highest threshold that takes its rows.
    pub(crate) fn threshold(&self) -> f64 {
        self.score.next_down()
    }
}

/// A statistic on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Walk {
    statistic: StepStatistic,
    positive: f64,
    negative: f64,
    /// What is added up.
    sum: DoubleDouble,
    /// What was found.
    best: f64,
    is_found: bool,
}

impl Walk {
    /// Before the first step; the weight of both classes is above 0.
    pub(crate) fn new(statistic: StepStatistic, positive: f64, negative: f64) -> Self {
        Self { statistic, positive, negative, sum: DoubleDouble::ZERO, best: 0.0, is_found: false }
    }

    /// Takes a step of some weight.
    pub(crate) fn step(&mut self, step: &Step) {
        let recall = step.true_positives / self.positive;
        let false_positive_rate = step.false_positives / self.negative;
        let specificity = (self.negative - step.false_positives) / self.negative;
        match self.statistic {
            StepStatistic::AveragePrecision => self.sum = self.sum + step.positive * step.precision(),
            StepStatistic::PrecisionRecallArea => self.sum = self.sum + interpolated(step),
            StepStatistic::KolmogorovSmirnov => self.rise(true, (recall - false_positive_rate).abs()),
            StepStatistic::Gain(share) | StepStatistic::Lift(share) => self.gain(share, step),
            StepStatistic::PrecisionAtRecall(least) => self.rise(recall >= least, step.precision()),
            StepStatistic::RecallAtPrecision(least) => self.rise(step.precision() >= least, recall),
            StepStatistic::SensitivityAtSpecificity(least) => self.rise(specificity >= least, recall),
            StepStatistic::SpecificityAtSensitivity(least) => self.rise(recall >= least, specificity),
            StepStatistic::RecallAtFalsePositiveRate(most) => self.rise(false_positive_rate <= most, recall),
            StepStatistic::ThresholdAtRecall(least) => {
                if !self.is_found && recall >= least {
                    (self.best, self.is_found) = (step.threshold(), true);
                }
            }
        }
    }

    fn rise(&mut self, is_allowed: bool, value: f64) {
        if is_allowed && value > self.best {
            self.best = value;
        }
    }

    /// Of a step that the share ends in, its rows count in proportion.
    fn gain(&mut self, share: f64, step: &Step) {
        let wanted = share * (self.positive + self.negative);
        let before = step.taken() - step.positive - step.negative;
        if before >= wanted {
            return;
        }
        let part = (wanted - before) / (step.positive + step.negative);
        let part = if part < 1.0 { part } else { 1.0 };
        self.best = (step.true_positives - step.positive + part * step.positive) / self.positive;
    }

    /// The statistic after the last step.
    pub(crate) fn value(&self) -> f64 {
        match self.statistic {
            StepStatistic::AveragePrecision | StepStatistic::PrecisionRecallArea => {
                (self.sum / DoubleDouble::from(self.positive)).to_f64()
            }
            StepStatistic::Lift(share) => self.best / share,
            _ => self.best,
        }
    }
}

/// ∫ TP/(TP + FP) dTP over a step in which TP grows in proportion to TP + FP (J. Davis and M. Goadrich, "The
/// relationship between precision-recall and ROC curves", ICML 2006): with the slope s = ΔTP/Δ(TP + FP) and the
/// intercept i = TP − s(TP + FP) before it, s (ΔTP + i ln of the growth of TP + FP).
fn interpolated(step: &Step) -> f64 {
    let grown = step.positive + step.negative;
    let (taken, found) = (step.taken() - grown, step.true_positives - step.positive);
    let slope = step.positive / grown;
    let intercept = found - slope * taken;
    let growth = if taken > 0.0 { (grown / taken).ln_1p() } else { 0.0 };
    slope * (step.positive + intercept * growth)
}
