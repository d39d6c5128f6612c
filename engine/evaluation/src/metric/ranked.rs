//! Metrics that follow from the order in which a model puts the rows.
//!
//! Rows of an equal score are one step, as no threshold tells them apart. P and N are the weights of the positive and
//! of the negative rows, TP and FP of those at a score and above; a threshold t takes the rows scored above it.

use serde::{Deserialize, Serialize};
use sluice_core::options::Range;

use super::{Definition, Direction, Formula, Parameter, TaskKind};

/// A function of sorted rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Statistic {
    /// The area under the ROC curve.
    Auc,
    /// Twice the area less one.
    Gini,
    /// Something of the steps from the highest score to the lowest.
    Steps(StepStatistic),
    /// A quantile of |prediction − label|.
    ErrorQuantile(f64),
    /// The correlation of the ranks of labels and predictions.
    Spearman,
}

/// A function of the steps from the highest score to the lowest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum StepStatistic {
    /// Σ (ΔTP/P) · TP/(TP + FP).
    AveragePrecision,
    /// The area under the interpolated curve of precision over recall.
    PrecisionRecallArea,
    /// max |TP/P − FP/N|.
    KolmogorovSmirnov,
    /// TP/P where so large a share of all rows is taken.
    Gain(f64),
    /// The same over the share.
    Lift(f64),
    /// max TP/(TP + FP) where TP/P is at least this.
    PrecisionAtRecall(f64),
    /// max TP/P where TP/(TP + FP) is at least this.
    RecallAtPrecision(f64),
    /// max TP/P where 1 − FP/N is at least this.
    SensitivityAtSpecificity(f64),
    /// max 1 − FP/N where TP/P is at least this.
    SpecificityAtSensitivity(f64),
    /// max TP/P where FP/N is at most this.
    RecallAtFalsePositiveRate(f64),
    /// The highest threshold where TP/P is at least this.
    ThresholdAtRecall(f64),
}

impl Statistic {
    /// Between what its values are.
    pub(crate) fn bounds(self) -> [f64; 2] {
        match self {
            Self::Gini | Self::Spearman => [-1.0, 1.0],
            Self::ErrorQuantile(_) => [0.0, f64::INFINITY],
            Self::Steps(StepStatistic::Lift(share)) => [0.0, 1.0 / share],
            Self::Auc | Self::Steps(_) => [0.0, 1.0],
        }
    }
}

impl StepStatistic {
    /// Whether it is the largest over all thresholds, and by chance larger than any has in truth.
    pub(crate) fn is_largest(self) -> bool {
        matches!(self, Self::KolmogorovSmirnov)
    }

    /// Whether it is a share of something.
    pub(crate) fn is_rate(self) -> bool {
        !matches!(self, Self::Lift(_) | Self::ThresholdAtRecall(_))
    }
}

const BINARY: &[TaskKind] = &[TaskKind::Binary];
const REGRESSION: &[TaskKind] = &[TaskKind::Regression];

/// From 0 to 1, both included.
const fn level(name: &'static str, default: f64) -> Parameter {
    Parameter { name, default, range: || Range::closed(0.0, 1.0) }
}

/// Between 0 and 1.
const fn share(name: &'static str, default: f64) -> Parameter {
    Parameter { name, default, range: || Range::open(0.0, 1.0) }
}

static TOP: &[Parameter] = &[share("share", 0.1)];
static RECALL: &[Parameter] = &[level("recall", 0.8)];
static PRECISION: &[Parameter] = &[level("precision", 0.8)];
static SPECIFICITY: &[Parameter] = &[level("specificity", 0.9)];
static SENSITIVITY: &[Parameter] = &[level("sensitivity", 0.9)];
static FALSE_POSITIVE_RATE: &[Parameter] = &[level("false_positive_rate", 0.1)];
static QUANTILE: &[Parameter] = &[share("quantile", 0.9)];

const fn of(
    name: &'static str,
    meaning: &'static str,
    tasks: &'static [TaskKind],
    parameters: &'static [Parameter],
    formula: fn(&[f64]) -> Formula,
) -> Definition {
    Definition { name, meaning, direction: Direction::HigherIsBetter, tasks, parameters, formula }
}

const fn steps(statistic: StepStatistic) -> Formula {
    Formula::Ranked(Statistic::Steps(statistic))
}

/// The definitions.
pub(super) static DEFINITIONS: &[Definition] = &[
    of(
        "auc",
        "area under the ROC curve: how likely a positive row is scored above a negative one, ties half",
        BINARY,
        &[],
        |_| Formula::Ranked(Statistic::Auc),
    ),
    of("gini", "twice the area under the ROC curve less one: 0 by chance, 1 at best", BINARY, &[], |_| {
        Formula::Ranked(Statistic::Gini)
    }),
    of(
        "average_precision",
        "mean of precision at each recall, in steps as scikit-learn has it",
        BINARY,
        &[],
        |_| steps(StepStatistic::AveragePrecision),
    ),
    of(
        "auc_pr",
        "area under the precision-recall curve, interpolated by Davis and Goadrich as TFMA has it",
        BINARY,
        &[],
        |_| steps(StepStatistic::PrecisionRecallArea),
    ),
    of(
        "ks",
        "greatest distance between recall and false positive rate (Kolmogorov-Smirnov)",
        BINARY,
        &[],
        |_| steps(StepStatistic::KolmogorovSmirnov),
    ),
    of("gain", "share of the positive rows among the rows scored highest", BINARY, TOP, |values| {
        steps(StepStatistic::Gain(values[0]))
    }),
    of(
        "lift",
        "how much more positive rows are among the rows scored highest than by chance",
        BINARY,
        TOP,
        |values| steps(StepStatistic::Lift(values[0])),
    ),
    of(
        "precision_at_recall",
        "best precision of a threshold with at least this recall",
        BINARY,
        RECALL,
        |values| steps(StepStatistic::PrecisionAtRecall(values[0])),
    ),
    of(
        "recall_at_precision",
        "best recall of a threshold with at least this precision",
        BINARY,
        PRECISION,
        |values| steps(StepStatistic::RecallAtPrecision(values[0])),
    ),
    of(
        "sensitivity_at_specificity",
        "best recall of a threshold with at least this specificity",
        BINARY,
        SPECIFICITY,
        |values| steps(StepStatistic::SensitivityAtSpecificity(values[0])),
    ),
    of(
        "specificity_at_sensitivity",
        "best specificity of a threshold with at least this recall",
        BINARY,
        SENSITIVITY,
        |values| steps(StepStatistic::SpecificityAtSensitivity(values[0])),
    ),
    of(
        "recall_at_false_positive_rate",
        "best recall of a threshold with at most this false positive rate",
        BINARY,
        FALSE_POSITIVE_RATE,
        |values| steps(StepStatistic::RecallAtFalsePositiveRate(values[0])),
    ),
    Definition {
        direction: Direction::None,
        ..of("threshold_at_recall", "highest threshold with at least this recall", BINARY, RECALL, |values| {
            steps(StepStatistic::ThresholdAtRecall(values[0]))
        })
    },
    Definition {
        direction: Direction::LowerIsBetter,
        ..of("median_absolute_error", "median of the absolute error", REGRESSION, &[], |_| {
            Formula::Ranked(Statistic::ErrorQuantile(0.5))
        })
    },
    Definition {
        direction: Direction::LowerIsBetter,
        ..of("absolute_error_quantile", "quantile of the absolute error", REGRESSION, QUANTILE, |values| {
            Formula::Ranked(Statistic::ErrorQuantile(values[0]))
        })
    },
    of("spearman", "correlation of the ranks of labels and predictions", REGRESSION, &[], |_| {
        Formula::Ranked(Statistic::Spearman)
    }),
];
