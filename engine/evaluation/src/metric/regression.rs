//! Metrics of numbers against numbers, each a function of means over the rows of a slice.

use super::dual::Dual;
use super::{Definition, Direction, Formula, MomentFormula, TaskKind, Undefined};
use crate::measure::Term;

type Value = Result<Dual, Undefined>;

/// Probabilities are numbers too, compared with labels of 1 and 0.
const TASKS: &[TaskKind] = &[TaskKind::Regression, TaskKind::Binary];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    Definition {
        name: "rmse",
        meaning: "root of the mean squared error",
        direction: Direction::LowerIsBetter,
        tasks: TASKS,
        parameters: &[],
        formula: |_| moments(&[Term::SquaredError], |means| Ok(means[0].sqrt())),
    },
    Definition {
        name: "mse",
        meaning: "mean squared error",
        direction: Direction::LowerIsBetter,
        tasks: TASKS,
        parameters: &[],
        formula: |_| mean(Term::SquaredError),
    },
    Definition {
        name: "mae",
        meaning: "mean absolute error",
        direction: Direction::LowerIsBetter,
        tasks: TASKS,
        parameters: &[],
        formula: |_| mean(Term::AbsoluteError),
    },
    Definition {
        name: "r2",
        meaning: "share of the label's variance that is explained",
        direction: Direction::HigherIsBetter,
        tasks: TASKS,
        parameters: &[],
        formula: |_| moments(&[Term::SquaredError, Term::Label, Term::LabelSquare], r2),
    },
    Definition {
        name: "mean_error",
        meaning: "mean of prediction minus label",
        direction: Direction::ZeroIsBest,
        tasks: TASKS,
        parameters: &[],
        formula: |_| mean(Term::Error),
    },
];

pub(super) fn moments(terms: &[Term], value: fn(&[Dual]) -> Value) -> Formula {
    Formula::Moments(MomentFormula { terms: terms.to_vec(), value })
}

/// The mean of a term.
pub(super) fn mean(term: Term) -> Formula {
    moments(&[term], |means| Ok(means[0].clone()))
}

/// 1 − Σ(p − y)²/Σ(y − ȳ)². That of a constant label is undefined (scikit-learn answers 0 or 1 there, which no bound
/// should be compared with).
fn r2(means: &[Dual]) -> Value {
    let variance = variance(&means[1], &means[2])?;
    Ok(&Dual::constant(1.0) - &(&means[0] / &variance))
}

/// From the means of a number and of its square; of a number that is not constant.
fn variance(mean: &Dual, square: &Dual) -> Value {
    let variance = square - &mean.square();
    if !variance.value.is_finite() {
        return Err(Undefined::TooLarge);
    }
    // What is left of equal numbers is rounding.
    let is_constant = variance.value.high <= 1e-30 * square.value.high;
    if is_constant { Err(Undefined::ConstantLabel) } else { Ok(variance) }
}
