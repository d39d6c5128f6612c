//! Metrics of several classes. The predicted class is that of the highest probability; of equal ones the first.
//!
//! Precision of a class that is never predicted, and recall of a class without rows, are 0 in averages, as scikit-learn
//! counts them; a class with neither is left out of them.

use sluice_core::double_double::DoubleDouble;
use sluice_core::options::Range;

use super::dual::Dual;
use super::probability::whole;
use super::regression::{definition, mean, ratio};
use super::{Definition, Direction, Formula, Parameter, TaskKind, Undefined};
use crate::measure::Term;

type Value = Result<Dual, Undefined>;

/// The weights of rows by class, with derivatives.
#[derive(Clone, Debug)]
pub(crate) struct ClassCounts {
    /// Of the class and predicted so.
    pub(crate) hits: Vec<Dual>,
    /// Of the class.
    pub(crate) labels: Vec<Dual>,
    /// Predicted to be of the class.
    pub(crate) predicted: Vec<Dual>,
}

/// A rate of a matrix of classes.
#[derive(Clone, Debug)]
pub(crate) struct ClassFormula {
    pub(crate) rate: ClassRate,
    /// The class it is of, if it is of one.
    pub(crate) class: Option<String>,
}

/// How a rate follows from the counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClassRate {
    /// From all classes.
    Whole(fn(&ClassCounts) -> Value),
    /// From one class.
    OfClass(fn(&ClassCounts, usize) -> Value),
    /// A share of some rows of one class, whose interval is Wilson's: the part, and the rows it is of.
    Share { of: &'static str, parts: fn(&ClassCounts, usize) -> (Dual, Dual) },
}

impl ClassRate {
    /// Whether it needs a class.
    pub(crate) fn is_of_class(self) -> bool {
        !matches!(self, Self::Whole(_))
    }

    /// Its value; the place of its class counts where it is of one.
    pub(crate) fn value(self, counts: &ClassCounts, class: usize) -> Value {
        match self {
            Self::Whole(function) => function(counts),
            Self::OfClass(function) => function(counts, class),
            Self::Share { of, parts } => {
                let (part, whole) = parts(counts, class);
                ratio(&part, &whole, of)
            }
        }
    }
}

const TASKS: &[TaskKind] = &[TaskKind::MultiClass];

const HIGHER: Direction = Direction::HigherIsBetter;

static FIRST: &[Parameter] = &[Parameter { name: "k", default: 2.0, range: || Range::closed(1.0, 1000.0) }];

/// Other names. Averaged over rows, precision, recall and f1 of several classes are the accuracy.
pub(super) static ALIASES: &[(&str, &str)] = &[
    ("micro_precision", "accuracy"),
    ("micro_recall", "accuracy"),
    ("micro_f1", "accuracy"),
    ("weighted_recall", "accuracy"),
    ("top_k_accuracy_score", "top_k_accuracy"),
];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    definition("accuracy", "share of rows whose class is predicted", HIGHER, TASKS, |_| {
        mean(Term::IsAmong(1))
    }),
    Definition {
        parameters: FIRST,
        ..definition(
            "top_k_accuracy",
            "share of rows whose class is among the k most probable; of equal ones the first",
            HIGHER,
            TASKS,
            |values| mean(Term::IsAmong(whole(values[0]))),
        )
    },
    definition("precision", "share of rows predicted to be of a class that are", HIGHER, TASKS, |_| {
        formula(ClassRate::Share {
            of: "rows predicted to be of the class",
            parts: |c, class| (c.hits[class].clone(), c.predicted[class].clone()),
        })
    }),
    definition("recall", "share of rows of a class that are predicted so", HIGHER, TASKS, |_| {
        formula(ClassRate::Share {
            of: "rows of the class",
            parts: |c, class| (c.hits[class].clone(), c.labels[class].clone()),
        })
    }),
    definition("f1", "harmonic mean of precision and recall of a class", HIGHER, TASKS, |_| {
        formula(ClassRate::OfClass(|c, class| {
            let both = &c.hits[class] + &c.hits[class];
            ratio(&both, &(&c.labels[class] + &c.predicted[class]), "rows of the class, nor predicted so")
        }))
    }),
    definition("macro_precision", "mean of the classes' precision", HIGHER, TASKS, |_| {
        formula(ClassRate::Whole(|c| c.mean(|c, class| share(&c.hits[class], &c.predicted[class]))))
    }),
    definition("macro_recall", "mean of the classes' recall", HIGHER, TASKS, |_| {
        formula(ClassRate::Whole(|c| c.mean(|c, class| share(&c.hits[class], &c.labels[class]))))
    }),
    definition("macro_f1", "mean of the classes' f1", HIGHER, TASKS, |_| {
        formula(ClassRate::Whole(|c| c.mean(ClassCounts::f1)))
    }),
    definition("weighted_precision", "mean of the classes' precision, by their rows", HIGHER, TASKS, |_| {
        formula(ClassRate::Whole(|c| c.weighted(|c, class| share(&c.hits[class], &c.predicted[class]))))
    }),
    definition("weighted_f1", "mean of the classes' f1, by their rows", HIGHER, TASKS, |_| {
        formula(ClassRate::Whole(|c| c.weighted(ClassCounts::f1)))
    }),
    definition("balanced_accuracy", "mean recall of the classes that have rows", HIGHER, TASKS, |_| {
        formula(ClassRate::Whole(|c| {
            let is_there = |class: &usize| c.labels[*class].value.high > 0.0;
            average((0..c.labels.len()).filter(is_there).map(|class| share(&c.hits[class], &c.labels[class])))
        }))
    }),
    definition("mcc", "correlation of classes and predicted classes", HIGHER, TASKS, |_| {
        formula(ClassRate::Whole(mcc))
    }),
    definition(
        "cohen_kappa",
        "agreement of classes and predicted classes beyond chance",
        HIGHER,
        TASKS,
        |_| {
            formula(ClassRate::Whole(|c| {
                let (observed, expected) = (c.agreement(), c.product(&c.labels, &c.predicted));
                let beyond = &Dual::constant(1.0) - &expected;
                if beyond.value.high > 0.0 {
                    Ok(&(&observed - &expected) / &beyond)
                } else {
                    Err(Undefined::OneClass)
                }
            }))
        },
    ),
];

fn formula(rate: ClassRate) -> Formula {
    Formula::Classes(ClassFormula { rate, class: None })
}

impl ClassCounts {
    fn total(&self) -> Dual {
        sum(self.labels.iter())
    }

    fn f1(&self, class: usize) -> Dual {
        share(&(&self.hits[class] + &self.hits[class]), &(&self.labels[class] + &self.predicted[class]))
    }

    /// The share of rows whose class is predicted.
    fn agreement(&self) -> Dual {
        &sum(self.hits.iter()) / &self.total()
    }

    /// Σ of products of shares of all rows.
    fn product(&self, first: &[Dual], second: &[Dual]) -> Dual {
        let total = self.total();
        let products: Vec<Dual> =
            first.iter().zip(second).map(|(first, second)| &(first / &total) * &(second / &total)).collect();
        sum(products.iter())
    }

    /// The mean over the classes that have rows or are predicted.
    fn mean(&self, of: impl Fn(&Self, usize) -> Dual) -> Value {
        let is_there =
            |class: &usize| self.labels[*class].value.high > 0.0 || self.predicted[*class].value.high > 0.0;
        average((0..self.labels.len()).filter(is_there).map(|class| of(self, class)))
    }

    /// The mean over the classes, by their rows.
    fn weighted(&self, of: impl Fn(&Self, usize) -> Dual) -> Value {
        let parts: Vec<Dual> =
            (0..self.labels.len()).map(|class| &self.labels[class] * &of(self, class)).collect();
        ratio(&sum(parts.iter()), &self.total(), "rows")
    }
}

/// Part of a whole; nothing of nothing is nothing.
fn share(part: &Dual, whole: &Dual) -> Dual {
    if whole.value.high > 0.0 { part / whole } else { Dual::constant(0.0) }
}

fn sum<'a>(numbers: impl Iterator<Item = &'a Dual>) -> Dual {
    numbers.fold(Dual { value: DoubleDouble::ZERO, slope: Vec::new() }, |sum, number| &sum + number)
}

fn average(numbers: impl Iterator<Item = Dual>) -> Value {
    let numbers: Vec<Dual> = numbers.collect();
    if numbers.is_empty() {
        return Err(Undefined::Nothing("rows"));
    }
    Ok(&sum(numbers.iter()) / &Dual::constant(numbers.len() as f64))
}

/// R_K of Gorodkin (2004), from shares of all rows: (Σ hits − Σ label · predicted) / √((1 − Σ label²)(1 − Σ predicted²)).
fn mcc(c: &ClassCounts) -> Value {
    let spread = |counts: &[Dual], what: &'static str| {
        let spread = &Dual::constant(1.0) - &c.product(counts, counts);
        // What is left of a single class is rounding.
        if spread.value.high > 1e-25 { Ok(spread.sqrt()) } else { Err(Undefined::Nothing(what)) }
    };
    let labels = spread(&c.labels, "rows of a second class")?;
    let predicted = spread(&c.predicted, "rows predicted to be of a second class")?;
    let covariance = &c.agreement() - &c.product(&c.labels, &c.predicted);
    Ok(&(&covariance / &labels) / &predicted)
}
