//! What metrics take the mean of: a number per row, from its label and the prediction of one model.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::two_product;

use super::label_term::LabelTerm;

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
    /// The same with what rounding takes from it, for a mean that is all but the square of another.
    ExactSquaredError,
    /// y.
    Observed,
    /// p.
    Predicted,
    /// (p − s)².
    PredictionSquare,
    /// (y − s)(p − s).
    LabelPrediction,
    /// 1 where y is not 0, and 0 elsewhere.
    NonZeroLabel,
    /// |p − y| / |y|, and 0 where y is.
    PercentageError,
    /// 2 |p − y| / (|y| + |p|), and 0 where both are.
    SymmetricPercentageError,
    /// (ln(1 + p) − ln(1 + y))², of y and p above −1.
    SquaredLogarithmicError,
    /// q (y − p) where y is above p, and (1 − q)(p − y) elsewhere.
    QuantileLoss(f64),
    /// (p − y)² / 2 up to an error δ, and δ(|p − y| − δ/2) beyond.
    HuberLoss(f64),
    /// The unit deviance of a Tweedie distribution of this power, at least 1.
    Deviance(f64),
    /// (p − y)² of two classes, the sum of it over several.
    Brier,
    /// Whether the class of the row is among so many of the highest probability; of equal ones the first.
    IsAmong(usize),
    /// What an expression answers, by its place in the plan.
    Custom(usize),
    /// y p, of two classes.
    PositivePrediction,
    /// Of sets of labels.
    Labels(LabelTerm),
    /// −ln of the probability that was given to the class of the row: of the positive class, or of one of several.
    LogLoss,
}

/// The label and the predictions of one model, of some rows.
#[derive(Clone, Copy)]
pub(crate) struct Answers<'a> {
    pub(crate) label: &'a [f64],
    /// One column per output of the model.
    pub(crate) predictions: &'a [&'a [f64]],
    /// Of sets of labels whether rows have each of them.
    pub(crate) truths: &'a [&'a [f64]],
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
        match self {
            Self::Labels(term) => term.is_of_label(),
            _ => matches!(self, Self::Label | Self::LabelSquare | Self::Observed | Self::NonZeroLabel),
        }
    }

    /// What labels and predictions it is for; it is NaN of others.
    pub(crate) fn domain(self) -> Option<&'static str> {
        match self {
            Self::SquaredLogarithmicError => Some("labels and predictions above -1"),
            Self::Deviance(power) if power < 2.0 => Some("labels of at least 0 and predictions above 0"),
            Self::Deviance(_) => Some("labels and predictions above 0"),
            _ => None,
        }
    }

    /// Whether it is never below 0.
    pub(crate) fn is_non_negative(self) -> bool {
        match self {
            Self::LabelSquare
            | Self::AbsoluteError
            | Self::SquaredError
            | Self::ExactSquaredError
            | Self::PredictionSquare
            | Self::NonZeroLabel
            | Self::PercentageError
            | Self::SymmetricPercentageError
            | Self::SquaredLogarithmicError
            | Self::QuantileLoss(_)
            | Self::HuberLoss(_)
            | Self::Deviance(_)
            | Self::Brier
            | Self::IsAmong(_)
            | Self::Labels(_)
            | Self::LogLoss => true,
            Self::Custom(_)
            | Self::Label
            | Self::Prediction
            | Self::Error
            | Self::Observed
            | Self::Predicted
            | Self::LabelPrediction
            | Self::PositivePrediction => false,
        }
    }

    /// Whether it is 0 or 1, so that its mean is a share of rows.
    pub(crate) fn is_of_share(self) -> bool {
        match self {
            Self::Labels(term) => term.is_of_share(),
            _ => matches!(self, Self::IsAmong(_) | Self::NonZeroLabel),
        }
    }

    /// Its numbers.
    pub(crate) fn values(self, answers: Answers<'_>) -> Vec<f64> {
        let Answers { label, predictions, truths, shift } = answers;
        let prediction = answers.prediction();
        let both = |function: fn(f64, f64) -> f64| combine(prediction, label, function);
        match self {
            Self::Label => label.iter().map(|y| y - shift).collect(),
            Self::LabelSquare => label.iter().map(|y| (y - shift) * (y - shift)).collect(),
            Self::Prediction => prediction.iter().map(|p| p - shift).collect(),
            Self::Error => both(|p, y| p - y),
            Self::AbsoluteError => both(|p, y| (p - y).abs()),
            Self::SquaredError | Self::ExactSquaredError => both(|p, y| (p - y) * (p - y)),
            Self::Observed => label.to_vec(),
            Self::Predicted => prediction.to_vec(),
            Self::PredictionSquare => prediction.iter().map(|p| (p - shift) * (p - shift)).collect(),
            Self::LabelPrediction => combine(prediction, label, |p, y| (y - shift) * (p - shift)),
            Self::NonZeroLabel => label.iter().map(|y| if *y == 0.0 { 0.0 } else { 1.0 }).collect(),
            Self::PercentageError => both(|p, y| if y == 0.0 { 0.0 } else { (p - y).abs() / y.abs() }),
            Self::SymmetricPercentageError => both(|p, y| {
                let size = y.abs() + p.abs();
                if size > 0.0 { 2.0 * (p - y).abs() / size } else { 0.0 }
            }),
            Self::SquaredLogarithmicError => both(|p, y| {
                let error = if p > -1.0 && y > -1.0 { p.ln_1p() - y.ln_1p() } else { f64::NAN };
                error * error
            }),
            Self::QuantileLoss(quantile) => combine(prediction, label, |p, y| {
                if y > p { quantile * (y - p) } else { (1.0 - quantile) * (p - y) }
            }),
            Self::HuberLoss(delta) => combine(prediction, label, |p, y| {
                let error = (p - y).abs();
                if error <= delta { 0.5 * error * error } else { delta * (error - 0.5 * delta) }
            }),
            Self::Brier => match predictions {
                [_] => both(|p, y| (p - y) * (p - y)),
                classes => class_distances(label, classes),
            },
            // Computed with the columns of the batch, and given to the sums beside labels and predictions.
            Self::Custom(_) => vec![f64::NAN; label.len()],
            Self::Labels(term) => term.values(truths, predictions),
            Self::IsAmong(first) => among(label, predictions, first),
            Self::PositivePrediction => both(|p, y| y * p),
            Self::Deviance(power) => combine(prediction, label, |p, y| unit_deviance(p, y, power)),
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
        let Answers { label, shift, .. } = answers;
        let prediction = answers.prediction();
        let both = |function: fn(f64, f64, f64) -> (f64, f64)| {
            Some(combine(prediction, label, |p, y| {
                let (first, second) = function(p, y, shift);
                two_product(first, second).1
            }))
        };
        match self {
            Self::LabelSquare => {
                let shifted = label.iter().map(|y| y - shift);
                Some(shifted.map(|y| two_product(y, y).1).collect())
            }
            Self::ExactSquaredError => both(|p, y, _| (p - y, p - y)),
            Self::PredictionSquare => both(|p, _, shift| (p - shift, p - shift)),
            Self::LabelPrediction => both(|p, y, shift| (y - shift, p - shift)),
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
            Self::Error | Self::Prediction | Self::Predicted => combine(c, b, |c, b| c - b),
            Self::PredictionSquare => {
                let shift = candidate.shift;
                combine(c, b, |c, b| (c - b) * ((c - shift) + (b - shift)))
            }
            Self::LabelPrediction => {
                let sums = c.iter().zip(b).zip(candidate.label);
                sums.map(|((c, b), y)| (c - b) * (y - candidate.shift)).collect()
            }
            Self::PositivePrediction => {
                let sums = c.iter().zip(b).zip(candidate.label);
                sums.map(|((c, b), y)| y * (c - b)).collect()
            }
            Self::Brier if candidate.predictions.len() > 1 => combine(own, theirs, |c, b| c - b),
            Self::SquaredError | Self::ExactSquaredError | Self::Brier => {
                let sums = c.iter().zip(b).zip(candidate.label);
                sums.map(|((c, b), y)| (c - b) * ((c - y) + (b - y))).collect()
            }
            _ => combine(own, theirs, |c, b| c - b),
        }
    }
}

/// The class of the highest probability; of equal ones the first.
pub(crate) fn predicted_class(classes: &[&[f64]], row: usize) -> usize {
    (1..classes.len())
        .fold(0, |best, class| if classes[class][row] > classes[best][row] { class } else { best })
}

/// 1 where fewer than `first` classes come before that of the row.
fn among(label: &[f64], classes: &[&[f64]], first: usize) -> Vec<f64> {
    let is_among = |(row, label): (usize, &f64)| {
        let came = super::place(*label);
        let own = classes.get(came).map_or(f64::INFINITY, |column| column[row]);
        let comes_before = |(class, column): (usize, &&[f64])| {
            column[row] > own || (class < came && column[row].to_bits() == own.to_bits())
        };
        let before =
            classes.iter().enumerate().filter(|(class, column)| comes_before((*class, *column))).count();
        f64::from(u8::from(came < classes.len() && before < first))
    };
    label.iter().enumerate().map(is_among).collect()
}

/// Σ over classes of the squared distance between probability and what came.
fn class_distances(label: &[f64], classes: &[&[f64]]) -> Vec<f64> {
    let distance = |(row, label): (usize, &f64)| {
        let came = super::place(*label);
        let square = |(class, column): (usize, &&[f64])| {
            let gap = column[row] - f64::from(u8::from(class == came));
            gap * gap
        };
        classes.iter().enumerate().map(square).sum()
    };
    label.iter().enumerate().map(distance).collect()
}

/// The unit deviance: twice the log-likelihood that a prediction loses against the label itself (B. Jørgensen, "The
/// Theory of Dispersion Models", 1997; scikit-learn's `mean_tweedie_deviance`). NaN outside the domain.
fn unit_deviance(p: f64, y: f64, power: f64) -> f64 {
    let is_in = p > 0.0 && if power < 2.0 { y >= 0.0 } else { y > 0.0 };
    if !is_in {
        return f64::NAN;
    }
    let half = if power.to_bits() == 1.0_f64.to_bits() {
        let log_ratio = if y > 0.0 { y * (y / p).ln() } else { 0.0 };
        log_ratio - y + p
    } else if power.to_bits() == 2.0_f64.to_bits() {
        (p / y).ln() + y / p - 1.0
    } else {
        let (one, two) = (1.0 - power, 2.0 - power);
        let of_label = if y > 0.0 { y.powf(two) } else { 0.0 };
        of_label / (one * two) - y * p.powf(one) / one + p.powf(two) / two
    };
    2.0 * half
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
            // A row of nothing but zeros gives its class no share.
            -clipped(if total > 0.0 { own / total } else { 0.0 }).ln()
        })
        .collect()
}

pub(crate) fn combine(a: &[f64], b: &[f64], function: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| function(*a, *b)).collect()
}
