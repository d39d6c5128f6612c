//! Metrics of predictions against labels.
//!
//! To add a metric: a [`Definition`] in the file of its family, with its name, direction, the tasks it fits and its
//! formula. Nothing else names metrics: options, reports and the gate go through [`Definition::all`]. A formula is one
//! of a few kinds (`Formula`), which say what is gathered of the rows (`measure`) and give value, interval and the
//! error of a change.

mod bounds;
mod classes;
mod confusion;
mod definition;
mod dual;
mod formula;
mod labels;
mod probability;
mod ranked;
mod regression;
mod steps;

use serde::{Deserialize, Serialize};

pub(crate) use bounds::{BoundWalk, ScoreRange};
pub(crate) use classes::{ClassCounts, ClassFormula, ClassRate};
pub(crate) use confusion::{ConfusionFormula, Counts, Rate};
pub use definition::{Definition, Metric, Parameter, TaskKind};
pub(crate) use dual::Dual;
pub(crate) use formula::{BinFormula, ExpressionFormula, Formula, MomentFormula};
pub(crate) use ranked::{Statistic, StepStatistic};
pub(crate) use regression::mean_of;
pub(crate) use steps::{Effect, Step, Walk};

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// An error, for example.
    LowerIsBetter,
    /// A share explained, for example.
    HigherIsBetter,
    /// A bias: neither more nor less is better by itself.
    ZeroIsBest,
    /// A ratio of predictions to labels, for example.
    OneIsBest,
    /// A share of rows, for example: it describes, and is no merit.
    None,
}

impl Direction {
    /// How much worse a difference (candidate minus baseline) is; `None` where the sign alone cannot tell.
    #[must_use]
    pub fn harm(self, difference: f64) -> Option<f64> {
        match self {
            Self::LowerIsBetter => Some(difference),
            Self::HigherIsBetter => Some(-difference),
            Self::ZeroIsBest | Self::OneIsBest | Self::None => None,
        }
    }
}

/// Whose value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The model that wants to pass.
    Candidate,
    /// The model that it is compared with.
    Baseline,
}

/// Why a figure does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undefined {
    /// The label is the same in all rows of the slice.
    ConstantLabel,
    /// A variance needs two rows.
    TooFewRows,
    /// Labels or predictions are so large that a square passes the range of `f64`.
    TooLarge,
    /// All rows have the weight 0.
    NoWeight,
    /// The rows are all of one class.
    OneClass,
    /// A ratio whose divisor is 0; what there is none of.
    Nothing(&'static str),
    /// Its error is known from replicates only, and there are none.
    NoReplicates,
    /// The rows were not put in order, which [`crate::measure::Measured::rank`] does.
    NotRanked,
    /// Of figures of order, the error of an area under a ROC curve alone is known without replicates.
    NoErrorOfOrder,
    /// It does not exist in some of the replicates that its error is known from.
    TooFewReplicates,
    /// The prediction is the same in all rows of the slice.
    ConstantPrediction,
    /// Labels or predictions that the metric is not for; what it is for.
    OutsideDomain(&'static str),
    /// Noise adds to it, so that it is above its true value on average.
    Biased,
    /// A largest value says nothing of those to come.
    NoErrorOfExtreme,
}

impl std::fmt::Display for Undefined {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ConstantLabel => formatter.write_str("the label is constant"),
            Self::TooFewRows => formatter.write_str("fewer than two rows give no variance"),
            Self::TooLarge => formatter.write_str("its terms are too large for double precision"),
            Self::NoWeight => formatter.write_str("all rows have the weight 0"),
            Self::OneClass => formatter.write_str("all rows are of one class"),
            Self::Nothing(what) => write!(formatter, "there are no {what}"),
            Self::TooFewReplicates => formatter.write_str("it does not exist in too many of the replicates"),
            Self::NoErrorOfOrder | Self::NoReplicates => {
                formatter.write_str("its error is known from `intervals: bootstrap` or `jackknife` only")
            }
            Self::NotRanked => formatter.write_str("its rows were not put in order"),
            Self::ConstantPrediction => formatter.write_str("the prediction is constant"),
            Self::OutsideDomain(domain) => write!(formatter, "it is for {domain} only"),
            Self::Biased => formatter
                .write_str("noise adds to it, so an interval around it would not hold its true value"),
            Self::NoErrorOfExtreme => formatter.write_str("a largest value has no standard error"),
        }
    }
}

#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod golden_classes;
#[cfg(test)]
mod golden_labels;
#[cfg(test)]
mod tests;
