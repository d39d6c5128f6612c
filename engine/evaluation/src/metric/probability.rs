//! Metrics of probabilities against classes that need no threshold.

use sluice_core::options::Range;

use super::dual::Dual;
use super::regression::{definition, mean, moments, ratio};
use super::{BinFormula, Definition, Direction, Formula, Parameter, TaskKind, Undefined};
use crate::measure::Term;

type Value = Result<Dual, Undefined>;

const TASKS: &[TaskKind] = &[TaskKind::Binary, TaskKind::MultiClass];

const BINARY: &[TaskKind] = &[TaskKind::Binary];

const LOWER: Direction = Direction::LowerIsBetter;
const HIGHER: Direction = Direction::HigherIsBetter;

static BINS: &[Parameter] =
    &[Parameter { name: "bins", default: 10.0, range: || Range::closed(1.0, 1000.0) }];

/// Other names, as scikit-learn, Keras and TFMA have them.
pub(super) static ALIASES: &[(&str, &str)] = &[
    ("cross_entropy", "log_loss"),
    ("binary_cross_entropy", "log_loss"),
    ("categorical_cross_entropy", "log_loss"),
    ("brier_score_loss", "brier_score"),
    ("ece", "expected_calibration_error"),
    ("tjur_discrimination", "coefficient_of_discrimination"),
    ("relative_tjur_discrimination", "relative_coefficient_of_discrimination"),
];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    definition(
        "log_loss",
        "mean of -ln of the probability given to the class that came",
        LOWER,
        TASKS,
        |_| mean(Term::LogLoss),
    ),
    definition(
        "brier_score",
        "mean squared error of the probability; of several classes the sum over them",
        LOWER,
        TASKS,
        |_| mean(Term::Brier),
    ),
    Definition {
        parameters: BINS,
        ..definition(
            "expected_calibration_error",
            "mean distance of probability and frequency over bins of equal width; of several classes of the \
             predicted one",
            LOWER,
            TASKS,
            |values| Formula::Bins(BinFormula { bins: whole(values[0]) }),
        )
    },
    definition(
        "normalized_entropy",
        "log_loss / that of always predicting the prevalence",
        LOWER,
        BINARY,
        |_| moments(&[Term::LogLoss, Term::Observed], normalized_entropy),
    ),
    definition(
        "coefficient_of_discrimination",
        "mean probability of positive rows less that of negative rows (Tjur)",
        HIGHER,
        BINARY,
        |_| {
            moments(DISCRIMINATION, |means| {
                let [positive, negative] = mean_probabilities(means)?;
                Ok(&positive - &negative)
            })
        },
    ),
    definition(
        "relative_coefficient_of_discrimination",
        "mean probability of positive rows / that of negative rows",
        HIGHER,
        BINARY,
        |_| {
            moments(DISCRIMINATION, |means| {
                let [positive, negative] = mean_probabilities(means)?;
                ratio(&positive, &negative, "probabilities above 0 of negative rows")
            })
        },
    ),
];

const DISCRIMINATION: &[Term] = &[Term::Observed, Term::Predicted, Term::PositivePrediction];

/// A parameter that counts something; its range bounds it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and small")]
pub(super) fn whole(value: f64) -> usize {
    value as usize
}

/// Mean log loss / entropy of the mean label (X. He et al., "Practical lessons from predicting clicks on ads at
/// Facebook", 2014).
fn normalized_entropy(means: &[Dual]) -> Value {
    let positive = &means[1];
    let negative = &Dual::constant(1.0) - positive;
    if !(positive.value.high > 0.0 && negative.value.high > 0.0) {
        return Err(Undefined::OneClass);
    }
    let entropy = -&(&(positive * &positive.ln()) + &(&negative * &negative.ln()));
    Ok(&means[0] / &entropy)
}

/// The mean probability of positive and of negative rows, from the means of y, p and yp.
fn mean_probabilities(means: &[Dual]) -> Result<[Dual; 2], Undefined> {
    let negative = &Dual::constant(1.0) - &means[0];
    if !(means[0].value.high > 0.0 && negative.value.high > 0.0) {
        return Err(Undefined::OneClass);
    }
    Ok([&means[2] / &means[0], &(&means[1] - &means[2]) / &negative])
}
