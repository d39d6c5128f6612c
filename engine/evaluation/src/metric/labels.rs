//! Metrics of sets of labels: a row has any number of several labels, and a probability of each. A label is predicted where
//! its probability is above the threshold.
//!
//! - `micro_…`: over all pairs of a row and a label;
//! - `macro_…`: the mean over the labels; `weighted_…`: by their rows;
//! - `samples_…`: the mean over the rows.
//!
//! In the means over labels and rows, a rate whose divisor is 0 counts as 0, as scikit-learn counts it (`zero_division`);
//! micro averages and those of one label do not exist there. Every metric is a function of means over rows, so that rows
//! are what intervals and changes are estimated from, however many labels a row has.

use sluice_core::options::Range;

use super::dual::Dual;
use super::regression::{definition, mean, moments, ratio};
use super::{Definition, Direction, Formula, Parameter, TaskKind, Undefined};
use crate::measure::{LabelTerm, Scope, Term};

type Value = Result<Dual, Undefined>;

const TASKS: &[TaskKind] = &[TaskKind::MultiLabel];

const HIGHER: Direction = Direction::HigherIsBetter;
const LOWER: Direction = Direction::LowerIsBetter;

static THRESHOLD: &[Parameter] =
    &[Parameter { name: "threshold", default: 0.5, range: || Range::closed(0.0, 1.0) }];

/// Other names.
pub(super) static ALIASES: &[(&str, &str)] = &[
    ("exact_match_ratio", "subset_accuracy"),
    ("label_ranking_average_precision_score", "label_ranking_average_precision"),
    ("lrap", "label_ranking_average_precision"),
];

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    at("precision", "share of rows predicted to have a label that have it", HIGHER, |values| {
        rate(Scope::Named, values, |means| one(means).precision())
    }),
    at("recall", "share of rows with a label that are predicted so", HIGHER, |values| {
        rate(Scope::Named, values, |means| one(means).recall())
    }),
    at("f1", "harmonic mean of precision and recall of a label", HIGHER, |values| {
        rate(Scope::Named, values, |means| one(means).f1())
    }),
    at(
        "jaccard",
        "share of the rows that have a label or are predicted so that are both",
        HIGHER,
        |values| rate(Scope::Named, values, |means| one(means).jaccard()),
    ),
    at("micro_precision", "share of predicted labels that are there", HIGHER, |values| {
        rate(Scope::All, values, |means| one(means).precision())
    }),
    at("micro_recall", "share of labels that are predicted", HIGHER, |values| {
        rate(Scope::All, values, |means| one(means).recall())
    }),
    at("micro_f1", "harmonic mean of micro_precision and micro_recall", HIGHER, |values| {
        rate(Scope::All, values, |means| one(means).f1())
    }),
    at("micro_jaccard", "share of the labels that are there or predicted that are both", HIGHER, |values| {
        rate(Scope::All, values, |means| one(means).jaccard())
    }),
    at("macro_precision", "mean of the labels' precision", HIGHER, |values| {
        rate(Scope::Each, values, |means| average(means, |label| label.precision()))
    }),
    at("macro_recall", "mean of the labels' recall", HIGHER, |values| {
        rate(Scope::Each, values, |means| average(means, |label| label.recall()))
    }),
    at("macro_f1", "mean of the labels' f1", HIGHER, |values| {
        rate(Scope::Each, values, |means| average(means, |label| label.f1()))
    }),
    at("macro_jaccard", "mean of the labels' jaccard", HIGHER, |values| {
        rate(Scope::Each, values, |means| average(means, |label| label.jaccard()))
    }),
    at("weighted_precision", "mean of the labels' precision, by their rows", HIGHER, |values| {
        rate(Scope::Each, values, |means| weighted(means, |label| label.precision()))
    }),
    at("weighted_recall", "mean of the labels' recall, by their rows", HIGHER, |values| {
        rate(Scope::Each, values, |means| weighted(means, |label| label.recall()))
    }),
    at("weighted_f1", "mean of the labels' f1, by their rows", HIGHER, |values| {
        rate(Scope::Each, values, |means| weighted(means, |label| label.f1()))
    }),
    at("weighted_jaccard", "mean of the labels' jaccard, by their rows", HIGHER, |values| {
        rate(Scope::Each, values, |means| weighted(means, |label| label.jaccard()))
    }),
    at("samples_precision", "mean over rows: share of predicted labels that are there", HIGHER, |values| {
        of_rows(LabelTerm::Precision(values[0]))
    }),
    at("samples_recall", "mean over rows: share of labels that are predicted", HIGHER, |values| {
        of_rows(LabelTerm::Recall(values[0]))
    }),
    at("samples_f1", "mean over rows of the harmonic mean of both", HIGHER, |values| {
        of_rows(LabelTerm::F1(values[0]))
    }),
    at(
        "samples_jaccard",
        "mean over rows: share of the labels that are there or predicted that are both",
        HIGHER,
        |values| of_rows(LabelTerm::Jaccard(values[0])),
    ),
    at(
        "subset_accuracy",
        "share of rows whose labels are predicted, all of them and no other",
        HIGHER,
        |values| of_rows(LabelTerm::Exact(values[0])),
    ),
    at("hamming_loss", "share of pairs of a row and a label that are predicted wrongly", LOWER, |values| {
        of_rows(LabelTerm::Hamming(values[0]))
    }),
    definition(
        "log_loss",
        "mean over rows and labels of -ln of the probability given to what came",
        LOWER,
        TASKS,
        |_| of_rows(LabelTerm::LogLoss),
    ),
    definition(
        "coverage_error",
        "mean over rows: how many of the most probable labels hold all that are there",
        LOWER,
        TASKS,
        |_| of_rows(LabelTerm::Coverage),
    ),
    definition(
        "label_ranking_loss",
        "mean over rows: share of pairs of a label that is there and one that is not in the wrong order",
        LOWER,
        TASKS,
        |_| of_rows(LabelTerm::RankingLoss),
    ),
    definition(
        "label_ranking_average_precision",
        "mean over rows and their labels: share of the labels at least as probable that are there",
        HIGHER,
        TASKS,
        |_| of_rows(LabelTerm::RankingPrecision),
    ),
];

/// One with a threshold.
const fn at(
    name: &'static str,
    meaning: &'static str,
    direction: Direction,
    formula: fn(&[f64]) -> Formula,
) -> Definition {
    Definition { parameters: THRESHOLD, ..definition(name, meaning, direction, TASKS, formula) }
}

/// The mean of a number per row.
fn of_rows(term: LabelTerm) -> Formula {
    mean(Term::Labels(term))
}

/// A rate of the shares of rows with a hit, with a label and with its prediction, of each label in the scope.
fn rate(scope: Scope, values: &[f64], value: fn(&[Dual]) -> Value) -> Formula {
    let threshold = values[0];
    let terms =
        [LabelTerm::Hits(scope, threshold), LabelTerm::Labels(scope), LabelTerm::Predicted(scope, threshold)];
    moments(&terms.map(Term::Labels), value)
}

/// Of one label, or of all pairs of rows and labels: how many a row has on average.
struct Label<'a> {
    /// Labels that are there and predicted.
    hits: &'a Dual,
    /// Labels that are there.
    labels: &'a Dual,
    /// Labels that are predicted.
    predicted: &'a Dual,
}

impl Label<'_> {
    fn precision(&self) -> Value {
        ratio(self.hits, self.predicted, "predictions of a label")
    }

    fn recall(&self) -> Value {
        ratio(self.hits, self.labels, "labels")
    }

    fn f1(&self) -> Value {
        ratio(&(self.hits + self.hits), &(self.labels + self.predicted), "labels, nor predictions of one")
    }

    fn jaccard(&self) -> Value {
        ratio(self.hits, &(&(self.labels + self.predicted) - self.hits), "labels, nor predictions of one")
    }
}

/// The labels of means that stand as hits of all, labels of all, predictions of all.
fn all(means: &[Dual]) -> impl Iterator<Item = Label<'_>> {
    let (hits, rest) = means.split_at(means.len() / 3);
    let (labels, predicted) = rest.split_at(hits.len());
    let both = hits.iter().zip(labels).zip(predicted);
    both.map(|((hits, labels), predicted)| Label { hits, labels, predicted })
}

/// The only one.
fn one(means: &[Dual]) -> Label<'_> {
    Label { hits: &means[0], labels: &means[1], predicted: &means[2] }
}

/// A rate whose divisor is 0 counts as 0.
fn or_zero(rate: Value) -> Dual {
    rate.unwrap_or_else(|_| Dual::constant(0.0))
}

/// The mean over labels.
fn average(means: &[Dual], of: fn(&Label<'_>) -> Value) -> Value {
    let total = all(means).fold(Dual::constant(0.0), |total, label| &total + &or_zero(of(&label)));
    ratio(&total, &Dual::constant((means.len() / 3) as f64), "labels")
}

/// The mean over labels, by their rows.
fn weighted(means: &[Dual], of: fn(&Label<'_>) -> Value) -> Value {
    let (mut total, mut whole) = (Dual::constant(0.0), Dual::constant(0.0));
    for label in all(means) {
        total = &total + &(label.labels * &or_zero(of(&label)));
        whole = &whole + label.labels;
    }
    ratio(&total, &whole, "labels")
}
