//! Rates of a confusion matrix at a threshold: a row is predicted positive where its probability is above it.
//!
//! Each is a function of the weights of true and false positives and negatives that does not change when all are
//! doubled, so that its derivatives say how much each row contributes to its error.

use sluice_core::options::Range;

use super::dual::Dual;
use super::{Definition, Direction, Formula, Parameter, TaskKind, Undefined};

type Value = Result<Dual, Undefined>;

/// The weights of the four kinds of rows, with derivatives.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(crate) true_positives: Dual,
    pub(crate) false_positives: Dual,
    pub(crate) true_negatives: Dual,
    pub(crate) false_negatives: Dual,
}

/// A rate at a threshold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConfusionFormula {
    pub(crate) threshold: f64,
    pub(crate) rate: Rate,
}

/// How a rate follows from the counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rate {
    /// A share of some rows, whose interval is Wilson's: the part, and the rows it is of.
    Share { of: &'static str, parts: fn(&Counts) -> (Dual, Dual) },
    /// Any other function.
    Function(fn(&Counts) -> Value),
}

impl Rate {
    pub(crate) fn value(self, counts: &Counts) -> Value {
        match self {
            Self::Share { of, parts } => {
                let (part, whole) = parts(counts);
                ratio(&part, &whole, of)
            }
            Self::Function(function) => function(counts),
        }
    }
}

const TASKS: &[TaskKind] = &[TaskKind::Binary];

static THRESHOLD: &[Parameter] =
    &[Parameter { name: "threshold", default: 0.5, range: || Range::closed(0.0, 1.0) }];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    Definition {
        name: "accuracy",
        meaning: "share of rows whose class is predicted",
        direction: Direction::HigherIsBetter,
        tasks: TASKS,
        parameters: THRESHOLD,
        formula: |values| share(values, "rows", |c| (&c.true_positives + &c.true_negatives, c.total())),
    },
    Definition {
        name: "precision",
        meaning: "share of rows predicted positive that are",
        direction: Direction::HigherIsBetter,
        tasks: TASKS,
        parameters: THRESHOLD,
        formula: |values| {
            share(values, "rows predicted positive", |c| (c.true_positives.clone(), c.predicted_positive()))
        },
    },
    Definition {
        name: "recall",
        meaning: "share of positive rows that are predicted so",
        direction: Direction::HigherIsBetter,
        tasks: TASKS,
        parameters: THRESHOLD,
        formula: |values| share(values, "positive rows", |c| (c.true_positives.clone(), c.positive())),
    },
    Definition {
        name: "f1",
        meaning: "harmonic mean of precision and recall",
        direction: Direction::HigherIsBetter,
        tasks: TASKS,
        parameters: THRESHOLD,
        formula: |values| {
            rate(values, |c| {
                let both = &c.true_positives + &c.true_positives;
                ratio(
                    &both,
                    &(&both + &(&c.false_positives + &c.false_negatives)),
                    "positive rows, nor predicted so",
                )
            })
        },
    },
];

impl Counts {
    fn total(&self) -> Dual {
        &self.predicted_positive() + &(&self.true_negatives + &self.false_negatives)
    }

    fn positive(&self) -> Dual {
        &self.true_positives + &self.false_negatives
    }

    fn predicted_positive(&self) -> Dual {
        &self.true_positives + &self.false_positives
    }
}

/// A ratio; `what` there must be some of.
fn ratio(part: &Dual, whole: &Dual, what: &'static str) -> Value {
    if whole.value.high > 0.0 { Ok(part / whole) } else { Err(Undefined::Nothing(what)) }
}

fn rate(values: &[f64], function: fn(&Counts) -> Value) -> Formula {
    Formula::Confusion(ConfusionFormula { threshold: values[0], rate: Rate::Function(function) })
}

fn share(values: &[f64], of: &'static str, parts: fn(&Counts) -> (Dual, Dual)) -> Formula {
    Formula::Confusion(ConfusionFormula { threshold: values[0], rate: Rate::Share { of, parts } })
}
