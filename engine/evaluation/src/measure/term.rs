//! What metrics take the mean of: a number per row, from its label and the prediction of one model.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::two_product;

/// Probabilities are kept this far from 0 and 1 before their logarithm is taken, as scikit-learn does for `float64`.
pub(crate) const LEAST_PROBABILITY: f64 = f64::EPSILON;

/// A number per row. `y` is the label, `p` the prediction, `s` the label shift.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Term {
    /// y − s.
    Label,
    /// (y − s)².
    LabelSquare,
    /// p − s.
    Prediction,
    /// p − y.
    Error,
    /// |p − y|.
    AbsoluteError,
    /// (p − y)².
    SquaredError,
    /// −ln of the probability that was given to the class of the row: of the positive class, or of one of several.
    LogLoss,
}

/// The label and the predictions of one model, of some rows.
#[derive(Clone, Copy)]
pub(crate) struct Answers<'a> {
    pub(crate) label: &'a [f64],
    /// One column per output of the model.
    pub(crate) predictions: &'a [&'a [f64]],
    pub(crate) shift: f64,
}

impl Answers<'_> {
    fn prediction(&self) -> &[f64] {
        self.predictions.first().copied().unwrap_or_default()
    }
}

impl Term {
    /// Whether it is the same for every model.
    pub(crate) fn is_of_label(self) -> bool {
        matches!(self, Self::Label | Self::LabelSquare)
    }

    /// Whether it is never below 0.
    pub(crate) fn is_non_negative(self) -> bool {
        matches!(self, Self::LabelSquare | Self::AbsoluteError | Self::SquaredError | Self::LogLoss)
    }

    /// Its numbers.
    pub(crate) fn values(self, answers: Answers<'_>) -> Vec<f64> {
        let Answers { label, predictions, shift } = answers;
        let prediction = answers.prediction();
        let both = |function: fn(f64, f64) -> f64| combine(prediction, label, function);
        match self {
            Self::Label => label.iter().map(|y| y - shift).collect(),
            Self::LabelSquare => label.iter().map(|y| (y - shift) * (y - shift)).collect(),
            Self::Prediction => prediction.iter().map(|p| p - shift).collect(),
            Self::Error => both(|p, y| p - y),
            Self::AbsoluteError => both(|p, y| (p - y).abs()),
            Self::SquaredError => both(|p, y| (p - y) * (p - y)),
            Self::LogLoss => match predictions {
                [_] => both(|p, y| {
                    let p = p.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
                    if y > 0.5 { -p.ln() } else { -(-p).ln_1p() }
                }),
                classes => class_losses(label, classes),
            },
        }
    }

    /// What rounding took from its numbers, of a square whose mean may be all but that of another.
    pub(crate) fn remainders(self, answers: Answers<'_>) -> Option<Vec<f64>> {
        match self {
            Self::LabelSquare => {
                let shifted = answers.label.iter().map(|y| y - answers.shift);
                Some(shifted.map(|y| two_product(y, y).1).collect())
            }
            _ => None,
        }
    }

    /// Its numbers for the candidate minus those for the baseline, without the cancellation where that can be had.
    pub(crate) fn changes(
        self,
        candidate: Answers<'_>,
        baseline: Answers<'_>,
        own: &[f64],
        theirs: &[f64],
    ) -> Vec<f64> {
        let (c, b) = (candidate.prediction(), baseline.prediction());
        match self {
            Self::Error | Self::Prediction => combine(c, b, |c, b| c - b),
            Self::SquaredError => {
                let sums = c.iter().zip(b).zip(candidate.label);
                sums.map(|((c, b), y)| (c - b) * ((c - y) + (b - y))).collect()
            }
            _ => combine(own, theirs, |c, b| c - b),
        }
    }
}

/// −ln of the share that the class of each row has of all its probabilities; labels are places of classes.
fn class_losses(label: &[f64], classes: &[&[f64]]) -> Vec<f64> {
    label
        .iter()
        .enumerate()
        .map(|(row, &place)| {
            let clipped = |p: f64| p.clamp(LEAST_PROBABILITY, 1.0);
            let total: f64 = classes.iter().map(|class| class[row]).sum();
            let own = classes.get(super::place(place)).map_or(0.0, |class| class[row]);
            -clipped(own / total).ln()
        })
        .collect()
}

pub(crate) fn combine(a: &[f64], b: &[f64], function: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| function(*a, *b)).collect()
}
