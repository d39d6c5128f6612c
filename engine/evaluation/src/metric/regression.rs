//! Metrics of numbers against numbers, each a function of means over the rows of a slice.

use sluice_core::options::Range;

use super::dual::Dual;
use super::{Definition, Direction, Formula, MomentFormula, Parameter, TaskKind, Undefined};
use crate::measure::Term;

type Value = Result<Dual, Undefined>;

/// Probabilities are numbers too, compared with labels of 1 and 0.
const TASKS: &[TaskKind] = &[TaskKind::Regression, TaskKind::Binary];

const NUMBERS: &[TaskKind] = &[TaskKind::Regression];

const LOWER: Direction = Direction::LowerIsBetter;
const HIGHER: Direction = Direction::HigherIsBetter;

static QUANTILE: &[Parameter] =
    &[Parameter { name: "quantile", default: 0.5, range: || Range::open(0.0, 1.0) }];

static DELTA: &[Parameter] = &[Parameter { name: "delta", default: 1.0, range: || Range::above(0.0) }];

static POWER: &[Parameter] = &[Parameter { name: "power", default: 1.5, range: || Range::at_least(1.0) }];

/// Other names, as scikit-learn, Keras and TFMA have them.
pub(super) static ALIASES: &[(&str, &str)] = &[
    ("root_mean_squared_error", "rmse"),
    ("mean_squared_error", "mse"),
    ("mean_absolute_error", "mae"),
    ("r2_score", "r2"),
    ("mean_absolute_percentage_error", "mape"),
    ("symmetric_mean_absolute_percentage_error", "smape"),
    ("mean_squared_logarithmic_error", "msle"),
    ("mean_squared_log_error", "msle"),
    ("root_mean_squared_log_error", "rmsle"),
    ("pearson_correlation", "pearson"),
    ("squared_pearson_correlation", "squared_pearson"),
    ("pinball_loss", "quantile_loss"),
    ("bias", "mean_error"),
    ("calibration", "calibration_ratio"),
];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    definition("rmse", "root of the mean squared error", LOWER, TASKS, |_| {
        moments(&[Term::SquaredError], |means| Ok(means[0].sqrt()))
    }),
    definition("mse", "mean squared error", LOWER, TASKS, |_| mean(Term::SquaredError)),
    definition("mae", "mean absolute error", LOWER, TASKS, |_| mean(Term::AbsoluteError)),
    definition("r2", "share of the label's variance that is explained", HIGHER, TASKS, |_| {
        moments(&[Term::SquaredError, Term::Label, Term::LabelSquare], r2)
    }),
    definition("mean_error", "mean of prediction minus label", Direction::ZeroIsBest, TASKS, |_| {
        mean(Term::Error)
    }),
    definition(
        "mape",
        "mean of |error| / |label| over the rows whose label is not 0",
        LOWER,
        NUMBERS,
        |_| {
            moments(&[Term::PercentageError, Term::NonZeroLabel], |means| {
                ratio(&means[0], &means[1], "labels other than 0")
            })
        },
    ),
    definition("smape", "mean of 2 |error| / (|label| + |prediction|), from 0 to 2", LOWER, NUMBERS, |_| {
        mean(Term::SymmetricPercentageError)
    }),
    definition(
        "msle",
        "mean squared difference of ln(1 + prediction) and ln(1 + label)",
        LOWER,
        NUMBERS,
        |_| mean(Term::SquaredLogarithmicError),
    ),
    definition("rmsle", "root of msle", LOWER, NUMBERS, |_| {
        moments(&[Term::SquaredLogarithmicError], |means| Ok(means[0].sqrt()))
    }),
    definition(
        "explained_variance",
        "as r2, of errors less their mean, so that a constant bias does not count",
        HIGHER,
        TASKS,
        |_| {
            let terms = [Term::Error, Term::ExactSquaredError, Term::Label, Term::LabelSquare];
            moments(&terms, explained_variance)
        },
    ),
    definition("pearson", "linear correlation of label and prediction", HIGHER, TASKS, |_| {
        moments(CORRELATION, pearson)
    }),
    definition(
        "squared_pearson",
        "squared linear correlation of label and prediction",
        HIGHER,
        TASKS,
        |_| moments(CORRELATION, |means| Ok(pearson(means)?.square())),
    ),
    definition("max_error", "largest |error|", LOWER, TASKS, |_| Formula::Maximum(Term::AbsoluteError)),
    Definition {
        parameters: QUANTILE,
        ..definition(
            "quantile_loss",
            "mean of quantile (label - prediction), or (1 - quantile)(prediction - label) where that is positive",
            LOWER,
            NUMBERS,
            |values| mean(Term::QuantileLoss(values[0])),
        )
    },
    Definition {
        parameters: DELTA,
        ..definition(
            "huber_loss",
            "mean of half the squared error, linear beyond an error of delta",
            LOWER,
            NUMBERS,
            |values| mean(Term::HuberLoss(values[0])),
        )
    },
    definition("poisson_deviance", "mean deviance of counts: labels at least 0", LOWER, NUMBERS, |_| {
        mean(Term::Deviance(1.0))
    }),
    definition("gamma_deviance", "mean deviance of amounts: labels above 0", LOWER, NUMBERS, |_| {
        mean(Term::Deviance(2.0))
    }),
    Definition {
        parameters: POWER,
        ..definition(
            "tweedie_deviance",
            "mean deviance where the variance grows as a power of the mean",
            LOWER,
            NUMBERS,
            |values| mean(Term::Deviance(values[0])),
        )
    },
    definition("mean_prediction", "mean of the prediction", Direction::None, TASKS, |_| {
        mean(Term::Predicted)
    }),
    definition("mean_label", "mean of the label", Direction::None, TASKS, |_| mean(Term::Observed)),
    definition("calibration_ratio", "mean prediction / mean label", Direction::OneIsBest, TASKS, |_| {
        moments(&[Term::Predicted, Term::Observed], |means| {
            if means[1].value.high == 0.0 {
                return Err(Undefined::Nothing("labels that add up to anything but 0"));
            }
            Ok(&means[0] / &means[1])
        })
    }),
];

const CORRELATION: &[Term] =
    &[Term::Label, Term::LabelSquare, Term::Prediction, Term::PredictionSquare, Term::LabelPrediction];

/// One without parameters.
pub(super) const fn definition(
    name: &'static str,
    meaning: &'static str,
    direction: Direction,
    tasks: &'static [TaskKind],
    formula: fn(&[f64]) -> Formula,
) -> Definition {
    Definition { name, meaning, direction, tasks, parameters: &[], formula }
}

pub(super) fn moments(terms: &[Term], value: fn(&[Dual]) -> Value) -> Formula {
    Formula::Moments(MomentFormula { terms: terms.to_vec(), value })
}

/// The mean of a term.
pub(super) fn mean(term: Term) -> Formula {
    moments(&[term], |means| Ok(means[0].clone()))
}

/// A ratio; `what` there must be some of.
pub(super) fn ratio(part: &Dual, whole: &Dual, what: &'static str) -> Value {
    if whole.value.high > 0.0 { Ok(part / whole) } else { Err(Undefined::Nothing(what)) }
}

/// 1 − Σ(p − y)²/Σ(y − ȳ)². That of a constant label is undefined (scikit-learn answers 0 or 1 there, which no bound
/// should be compared with).
fn r2(means: &[Dual]) -> Value {
    let variance = variance(&means[1], &means[2], Undefined::ConstantLabel)?;
    Ok(&Dual::constant(1.0) - &(&means[0] / &variance))
}

/// 1 − Var(p − y)/Var(y).
fn explained_variance(means: &[Dual]) -> Value {
    let of_label = variance(&means[2], &means[3], Undefined::ConstantLabel)?;
    let of_error = &means[1] - &means[0].square();
    Ok(&Dual::constant(1.0) - &(&of_error / &of_label))
}

/// Cov(y, p)/√(Var(y) Var(p)), from the means of y, y², p, p² and yp.
fn pearson(means: &[Dual]) -> Value {
    let of_label = variance(&means[0], &means[1], Undefined::ConstantLabel)?;
    let of_prediction = variance(&means[2], &means[3], Undefined::ConstantPrediction)?;
    let covariance = &means[4] - &(&means[0] * &means[2]);
    // A root each: the product of both variances may pass the range of f64 where the quotient does not.
    Ok(&(&covariance / &of_label.sqrt()) / &of_prediction.sqrt())
}

/// From the means of a number and of its square; of a number that is not constant.
fn variance(mean: &Dual, square: &Dual, constant: Undefined) -> Value {
    let variance = square - &mean.square();
    if !variance.value.is_finite() {
        return Err(Undefined::TooLarge);
    }
    // What is left of equal numbers is rounding.
    let is_constant = variance.value.high <= 1e-30 * square.value.high;
    if is_constant { Err(constant) } else { Ok(variance) }
}
