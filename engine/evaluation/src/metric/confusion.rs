//! Rates of a confusion matrix at a threshold: a row is predicted positive where its probability is above it.
//!
//! Each is a function of the weights of true and false positives and negatives that does not change when all are
//! doubled, so that its derivatives say how much each row contributes to its error.

use sluice_core::options::Range;

use super::dual::Dual;
use super::regression::{definition, ratio};
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
    /// A function with a parameter.
    Parametric { function: fn(&Counts, f64) -> Value, parameter: f64 },
}

impl Rate {
    pub(crate) fn value(self, counts: &Counts) -> Value {
        match self {
            Self::Share { of, parts } => {
                let (part, whole) = parts(counts);
                ratio(&part, &whole, of)
            }
            Self::Function(function) => function(counts),
            Self::Parametric { function, parameter } => function(counts, parameter),
        }
    }
}

const TASKS: &[TaskKind] = &[TaskKind::Binary];

const LOWER: Direction = Direction::LowerIsBetter;
const HIGHER: Direction = Direction::HigherIsBetter;

const POSITIVE: &str = "positive rows";
const NEGATIVE: &str = "negative rows";
const PREDICTED_POSITIVE: &str = "rows predicted positive";
const PREDICTED_NEGATIVE: &str = "rows predicted negative";

const AT: Parameter = Parameter { name: "threshold", default: 0.5, range: || Range::closed(0.0, 1.0) };

static THRESHOLD: &[Parameter] = &[AT];

static THRESHOLD_AND_BETA: &[Parameter] =
    &[AT, Parameter { name: "beta", default: 2.0, range: || Range::above(0.0) }];

/// Other names, as scikit-learn, TFMA, Fairlearn and Aequitas have them.
pub(super) static ALIASES: &[(&str, &str)] = &[
    ("binary_accuracy", "accuracy"),
    ("positive_predictive_value", "precision"),
    ("ppv", "precision"),
    ("true_positive_rate", "recall"),
    ("sensitivity", "recall"),
    ("tpr", "recall"),
    ("f1_score", "f1"),
    ("fbeta_score", "f_beta"),
    ("fall_out", "false_positive_rate"),
    ("fpr", "false_positive_rate"),
    ("miss_rate", "false_negative_rate"),
    ("fnr", "false_negative_rate"),
    ("true_negative_rate", "specificity"),
    ("tnr", "specificity"),
    ("npv", "negative_predictive_value"),
    ("fdr", "false_discovery_rate"),
    ("for", "false_omission_rate"),
    ("predicted_positive_rate", "selection_rate"),
    ("critical_success_index", "threat_score"),
    ("jaccard_score", "threat_score"),
    ("balanced_accuracy_score", "balanced_accuracy"),
    ("matthews_correlation_coefficient", "mcc"),
    ("matthews_corrcoef", "mcc"),
    ("kappa", "cohen_kappa"),
    ("cohen_kappa_score", "cohen_kappa"),
    ("youden_index", "informedness"),
];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    at("accuracy", "share of rows whose class is predicted", HIGHER, |values| {
        share(values, "rows", |c| (&c.true_positives + &c.true_negatives, c.total()))
    }),
    at("precision", "share of rows predicted positive that are", HIGHER, |values| {
        share(values, PREDICTED_POSITIVE, |c| (c.true_positives.clone(), c.predicted_positive()))
    }),
    at("recall", "share of positive rows that are predicted so", HIGHER, |values| {
        share(values, POSITIVE, |c| (c.true_positives.clone(), c.positive()))
    }),
    at("f1", "harmonic mean of precision and recall", HIGHER, |values| rate(values, |c| f_beta(c, 1.0))),
    Definition {
        parameters: THRESHOLD_AND_BETA,
        ..at("f_beta", "as f1, with recall beta times as important as precision", HIGHER, |values| {
            let rate = Rate::Parametric { function: f_beta, parameter: values[1] };
            Formula::Confusion(ConfusionFormula { threshold: values[0], rate })
        })
    },
    at("specificity", "share of negative rows that are predicted so", HIGHER, |values| {
        share(values, NEGATIVE, |c| (c.true_negatives.clone(), c.negative()))
    }),
    at("false_positive_rate", "share of negative rows that are predicted positive", LOWER, |values| {
        share(values, NEGATIVE, |c| (c.false_positives.clone(), c.negative()))
    }),
    at("false_negative_rate", "share of positive rows that are predicted negative", LOWER, |values| {
        share(values, POSITIVE, |c| (c.false_negatives.clone(), c.positive()))
    }),
    at("negative_predictive_value", "share of rows predicted negative that are", HIGHER, |values| {
        share(values, PREDICTED_NEGATIVE, |c| (c.true_negatives.clone(), c.predicted_negative()))
    }),
    at("false_discovery_rate", "share of rows predicted positive that are negative", LOWER, |values| {
        share(values, PREDICTED_POSITIVE, |c| (c.false_positives.clone(), c.predicted_positive()))
    }),
    at("false_omission_rate", "share of rows predicted negative that are positive", LOWER, |values| {
        share(values, PREDICTED_NEGATIVE, |c| (c.false_negatives.clone(), c.predicted_negative()))
    }),
    definition("prevalence", "share of rows that are positive", Direction::None, TASKS, |_| {
        share(&[0.5], "rows", |c| (c.positive(), c.total()))
    }),
    at("selection_rate", "share of rows that are predicted positive", Direction::None, |values| {
        share(values, "rows", |c| (c.predicted_positive(), c.total()))
    }),
    at(
        "threat_score",
        "share of the rows that are positive or predicted so that are both",
        HIGHER,
        |values| {
            share(values, "positive rows, nor predicted so", |c| {
                (c.true_positives.clone(), &c.positive() + &c.false_positives)
            })
        },
    ),
    at("balanced_accuracy", "mean of recall and specificity", HIGHER, |values| {
        rate(values, |c| {
            let both = &c.recall()? + &c.specificity()?;
            Ok(&both / &Dual::constant(2.0))
        })
    }),
    at("informedness", "recall + specificity - 1", HIGHER, |values| {
        rate(values, |c| Ok(&(&c.recall()? + &c.specificity()?) - &Dual::constant(1.0)))
    }),
    at("markedness", "precision + negative predictive value - 1", HIGHER, |values| {
        rate(values, |c| {
            let negative = ratio(&c.true_negatives, &c.predicted_negative(), PREDICTED_NEGATIVE)?;
            Ok(&(&c.precision()? + &negative) - &Dual::constant(1.0))
        })
    }),
    at("mcc", "correlation of classes and predicted classes", HIGHER, |values| rate(values, mcc)),
    at("cohen_kappa", "agreement of classes and predicted classes beyond chance", HIGHER, |values| {
        rate(values, cohen_kappa)
    }),
    at("fowlkes_mallows_index", "geometric mean of precision and recall", HIGHER, |values| {
        rate(values, |c| Ok((&c.precision()? * &c.recall()?).sqrt()))
    }),
    at("positive_likelihood_ratio", "recall / false positive rate", HIGHER, |values| {
        rate(values, |c| ratio(&c.recall()?, &c.fall_out()?, "false positives"))
    }),
    at("negative_likelihood_ratio", "false negative rate / specificity", LOWER, |values| {
        rate(values, |c| {
            let miss_rate = ratio(&c.false_negatives, &c.positive(), POSITIVE)?;
            ratio(&miss_rate, &c.specificity()?, "true negatives")
        })
    }),
    at(
        "diagnostic_odds_ratio",
        "odds of a positive prediction: of positive over of negative rows",
        HIGHER,
        |values| {
            rate(values, |c| {
                let odds = ratio(&c.true_positives, &c.false_negatives, "false negatives")?;
                ratio(&(&odds * &c.true_negatives), &c.false_positives, "false positives")
            })
        },
    ),
    at(
        "prevalence_threshold",
        "share of positive rows below which precision falls off fastest",
        LOWER,
        |values| {
            rate(values, |c| {
                // √fpr/(√tpr + √fpr) is (√(tpr fpr) − fpr)/(tpr − fpr), without its 0/0.
                let (recall, fall_out) = (c.recall()?.sqrt(), c.fall_out()?.sqrt());
                ratio(&fall_out, &(&recall + &fall_out), PREDICTED_POSITIVE)
            })
        },
    ),
];

impl Counts {
    fn total(&self) -> Dual {
        &self.predicted_positive() + &self.predicted_negative()
    }

    fn positive(&self) -> Dual {
        &self.true_positives + &self.false_negatives
    }

    fn negative(&self) -> Dual {
        &self.true_negatives + &self.false_positives
    }

    fn predicted_positive(&self) -> Dual {
        &self.true_positives + &self.false_positives
    }

    fn predicted_negative(&self) -> Dual {
        &self.true_negatives + &self.false_negatives
    }

    fn precision(&self) -> Value {
        ratio(&self.true_positives, &self.predicted_positive(), PREDICTED_POSITIVE)
    }

    fn recall(&self) -> Value {
        ratio(&self.true_positives, &self.positive(), POSITIVE)
    }

    fn specificity(&self) -> Value {
        ratio(&self.true_negatives, &self.negative(), NEGATIVE)
    }

    fn fall_out(&self) -> Value {
        ratio(&self.false_positives, &self.negative(), NEGATIVE)
    }
}

/// (1 + β²) TP / ((1 + β²) TP + β² FN + FP).
fn f_beta(c: &Counts, beta: f64) -> Value {
    let square = Dual::constant(beta * beta);
    let both = &(&Dual::constant(1.0) + &square) * &c.true_positives;
    let whole = &both + &(&(&square * &c.false_negatives) + &c.false_positives);
    ratio(&both, &whole, "positive rows, nor predicted so")
}

/// (TP TN − FP FN) / √(product of the four margins), as shares of all rows, whose products stay in range.
fn mcc(c: &Counts) -> Value {
    let total = c.total();
    let of = |count: &Dual| count / &total;
    let margin = |count: Dual, what: &'static str| {
        if count.value.high > 0.0 { Ok(of(&count).sqrt()) } else { Err(Undefined::Nothing(what)) }
    };
    let product = |first: &Dual, second: &Dual| &of(first) * &of(second);
    let difference =
        &product(&c.true_positives, &c.true_negatives) - &product(&c.false_positives, &c.false_negatives);
    let labels = &margin(c.positive(), POSITIVE)? * &margin(c.negative(), NEGATIVE)?;
    let predictions = &margin(c.predicted_positive(), PREDICTED_POSITIVE)?
        * &margin(c.predicted_negative(), PREDICTED_NEGATIVE)?;
    Ok(&(&difference / &labels) / &predictions)
}

/// (observed − expected agreement) / (1 − expected).
fn cohen_kappa(c: &Counts) -> Value {
    let total = c.total();
    let of = |count: &Dual| count / &total;
    let observed = of(&(&c.true_positives + &c.true_negatives));
    let positive = &of(&c.positive()) * &of(&c.predicted_positive());
    let negative = &of(&c.negative()) * &of(&c.predicted_negative());
    let expected = &positive + &negative;
    let beyond = &Dual::constant(1.0) - &expected;
    if beyond.value.high > 0.0 { Ok(&(&observed - &expected) / &beyond) } else { Err(Undefined::OneClass) }
}

/// One with a threshold.
const fn at(
    name: &'static str,
    meaning: &'static str,
    direction: Direction,
    formula: fn(&[f64]) -> Formula,
) -> Definition {
    Definition { parameters: THRESHOLD, ..definition(name, meaning, direction, TASKS, formula) }
}

fn rate(values: &[f64], function: fn(&Counts) -> Value) -> Formula {
    Formula::Confusion(ConfusionFormula { threshold: values[0], rate: Rate::Function(function) })
}

fn share(values: &[f64], of: &'static str, parts: fn(&Counts) -> (Dual, Dual)) -> Formula {
    Formula::Confusion(ConfusionFormula { threshold: values[0], rate: Rate::Share { of, parts } })
}
