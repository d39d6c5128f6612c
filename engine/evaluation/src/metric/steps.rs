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
        self.take(self.statistic.effect(step, self.positive, self.negative));
    }

    /// Takes what a step does.
    pub(super) fn take(&mut self, effect: Effect) {
        match effect {
            Effect::None => {}
            Effect::Add(value) => self.sum = self.sum + value,
            Effect::Rise(value) => {
                if value > self.best {
                    self.best = value;
                }
            }
            Effect::Set(value) => self.best = value,
            Effect::First(value) => {
                if !self.is_found {
                    (self.best, self.is_found) = (value, true);
                }
            }
        }
    }

    /// The statistic after the last step.
    pub(crate) fn value(&self) -> f64 {
        if self.statistic.is_sum() {
            return (self.sum / DoubleDouble::from(self.positive)).to_f64();
        }
        self.statistic.of_number(self.best, self.positive)
    }
}

/// What a step does to a statistic, whose number starts from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Nothing.
    None,
    /// It grows by this.
    Add(f64),
    /// It is this at least.
    Rise(f64),
    /// It is this.
    Set(f64),
    /// It is this, unless a step before said what it is.
    First(f64),
}

impl StepStatistic {
    /// Whether its steps add up.
    fn is_sum(self) -> bool {
        matches!(self, Self::AveragePrecision | Self::PrecisionRecallArea)
    }

    /// What it is after the last step, of the number that steps made; positive rows weigh so much. A number that no step
    /// said is NaN.
    pub(crate) fn of_number(self, number: f64, positive: f64) -> f64 {
        match self {
            Self::AveragePrecision | Self::PrecisionRecallArea => number / positive,
            Self::Lift(share) => number / share,
            _ if number.is_nan() => 0.0,
            _ => number,
        }
    }

    /// What a step of some weight does, where both classes weigh so much.
    #[inline]
    pub(crate) fn effect(self, step: &Step, positive: f64, negative: f64) -> Effect {
        let recall = step.true_positives / positive;
        let specificity = (negative - step.false_positives) / negative;
        let rise = |is_allowed: bool, value: f64| if is_allowed { Effect::Rise(value) } else { Effect::None };
        match self {
            Self::AveragePrecision => Effect::Add(step.positive * step.precision()),
            Self::PrecisionRecallArea => Effect::Add(interpolated(step)),
            Self::KolmogorovSmirnov => Effect::Rise((recall - step.false_positives / negative).abs()),
            Self::Gain(share) | Self::Lift(share) => gain(share, step, positive, negative),
            Self::PrecisionAtRecall(least) => rise(recall >= least, step.precision()),
            Self::RecallAtPrecision(least) => rise(step.precision() >= least, recall),
            Self::SensitivityAtSpecificity(least) => rise(specificity >= least, recall),
            Self::SpecificityAtSensitivity(least) => rise(recall >= least, specificity),
            Self::RecallAtFalsePositiveRate(most) => rise(step.false_positives / negative <= most, recall),
            Self::ThresholdAtRecall(least) if recall >= least => Effect::First(step.threshold()),
            Self::ThresholdAtRecall(_) => Effect::None,
        }
    }
}

/// Of a step that the share ends in, its rows count in proportion.
fn gain(share: f64, step: &Step, positive: f64, negative: f64) -> Effect {
    let wanted = share * (positive + negative);
    let before = step.taken() - step.positive - step.negative;
    if before >= wanted {
        return Effect::None;
    }
    let part = (wanted - before) / (step.positive + step.negative);
    let part = if part < 1.0 { part } else { 1.0 };
    Effect::Set((step.true_positives - step.positive + part * step.positive) / positive)
}

/// ∫ TP/(TP + FP) dTP over a step in which TP grows in proportion to TP + FP (J. Davis and M. Goadrich, "The
/// relationship between precision-recall and ROC curves", ICML 2006): with the slope s = ΔTP/Δ(TP + FP) and the
/// intercept i = TP − s(TP + FP) before it, s (ΔTP + i ln of the growth of TP + FP).
fn interpolated(step: &Step) -> f64 {
    if !(step.positive > 0.0) {
        return 0.0;
    }
    let grown = step.positive + step.negative;
    let (taken, found) = (step.taken() - grown, step.true_positives - step.positive);
    let slope = step.positive / grown;
    let intercept = found - slope * taken;
    let growth = if taken > 0.0 { (grown / taken).ln_1p() } else { 0.0 };
    slope * (step.positive + intercept * growth)
}
