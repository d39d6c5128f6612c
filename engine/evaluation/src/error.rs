//! What can be wrong with an evaluation. A model that is not good enough is no error: that is a
//! [`crate::gate::Verdict`].

use sluice_core::error::{Diagnostic, Error, ErrorKind};
use sluice_core::memory::{MemoryLimit, size};
use sluice_core::options::{quoted, suggest};

use crate::measure::Excluded;

/// Why a model could not be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// A label or a prediction that metrics cannot take.
    #[error("{what} is {found}")]
    NotFinite {
        /// The label column, or whose prediction.
        what: String,
        /// `null`, `NaN` or `infinite`.
        found: &'static str,
    },
    /// A model that does not give one number per row.
    #[error("{model} does not give {outputs} {} per row", if *outputs == 1 { "number" } else { "numbers" })]
    NotOneNumber {
        /// Which model, as in `the candidate`.
        model: String,
        /// How many it should give.
        outputs: usize,
    },
    /// A probability beyond 0 and 1.
    #[error("{what} is {found}, which is no probability")]
    NotAProbability {
        /// Whose.
        what: String,
        /// The number.
        found: f64,
    },
    /// The baseline met something that it cannot take.
    #[error("the baseline cannot predict these rows")]
    BaselineFailed {
        /// What it met.
        #[source]
        source: Error,
    },
    /// A contender met something that it cannot take.
    #[error("contender `{name}` cannot predict these rows")]
    ContenderFailed {
        /// Its name.
        name: String,
        /// What it met.
        #[source]
        source: Error,
    },
    /// A contender that cannot be measured beside the candidate.
    #[error("contender `{name}` cannot be measured beside the candidate: {reason}")]
    ContenderMisfit {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// There is nothing to evaluate on.
    #[error("{source_name} has no rows to evaluate on")]
    RowsMissing {
        /// The source.
        source_name: String,
    },
    /// Something is missing in every row.
    #[error("no row is left to evaluate on: {excluded}")]
    AllExcluded {
        /// What is missing.
        excluded: Excluded,
    },
    /// A slice column in which every value is null.
    #[error("slice column `{column}` is null in all rows")]
    SliceColumnEmpty {
        /// The column.
        column: String,
    },
    /// More slices than an evaluation can hold and anyone can read.
    #[error("slicing by {columns} makes more than {limit} slices")]
    TooManySlices {
        /// The columns, quoted.
        columns: String,
        /// How many are allowed.
        limit: usize,
    },
    /// More rows than can be put in order.
    #[error("metrics of order are asked for over {rows} rows, and at most {limit} can be put in order")]
    TooManyRows {
        /// How many rows.
        rows: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// Figures of order that are asked for in more replicates and slices than the memory holds.
    #[error(
        "metrics of order in {replicates} replicates of {slices} slices take {}, but the memory limit is {limit}",
        size(*bytes as u64)
    )]
    ReplicatesTooLarge {
        /// How many replicates.
        replicates: usize,
        /// How many slices, of all slicings.
        slices: usize,
        /// What their values take.
        bytes: usize,
        /// The limit.
        limit: MemoryLimit,
    },
    /// A group that others are to be compared with, and that has no rows.
    #[error("no group is `{reference}`")]
    ReferenceMissing {
        /// What was asked for.
        reference: String,
        /// The groups that there are.
        groups: Vec<String>,
    },
    /// Sums of another evaluation.
    #[error("these sums belong to another evaluation: {difference} differs")]
    OtherEvaluation {
        /// What differs.
        difference: &'static str,
    },
}

impl Diagnostic for EvaluationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFinite { .. }
            | Self::NotOneNumber { .. }
            | Self::NotAProbability { .. }
            | Self::RowsMissing { .. }
            | Self::AllExcluded { .. }
            | Self::SliceColumnEmpty { .. } => ErrorKind::Malformed,
            Self::BaselineFailed { source } | Self::ContenderFailed { source, .. } => source.kind(),
            Self::ContenderMisfit { .. }
            | Self::TooManySlices { .. }
            | Self::TooManyRows { .. }
            | Self::ReplicatesTooLarge { .. }
            | Self::ReferenceMissing { .. }
            | Self::OtherEvaluation { .. } => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotFinite { what, .. } if what.starts_with("label") => {
                Some("leave rows without a usable label out of the data, or let `missing: exclude` do so and count them".into())
            }
            Self::NotFinite { what, .. } if what.starts_with("metric") => {
                Some("let the expression answer a number for every row, as in `COALESCE(price, 0)`".into())
            }
            Self::NotFinite { .. } => {
                Some("impute or clip the features that this row brings to the model, or let `missing: exclude` leave such rows out".into())
            }
            Self::NotOneNumber { outputs: 1, .. } => {
                Some("evaluate a model that predicts one number per row".into())
            }
            Self::NotOneNumber { .. } => {
                Some("evaluate a model of as many classes as the candidate has".into())
            }
            Self::NotAProbability { .. } => {
                Some("give the probability of the positive class, between 0 and 1".into())
            }
            Self::BaselineFailed { source } => source.hint(),
            Self::ContenderFailed { name, source } => {
                source.hint().or_else(|| Some(format!("leave contender `{name}` out, or mend it")))
            }
            Self::ContenderMisfit { .. } => {
                Some("all models of an evaluation predict the same label from columns of the same rows".into())
            }
            Self::AllExcluded { .. } => {
                Some("check the label and the features of the rows: `missing: refuse` names the first".into())
            }
            Self::RowsMissing { .. } => Some("check how the data are divided into subsets".into()),
            Self::SliceColumnEmpty { column } => {
                Some(format!("remove `{column}` from the slices, or check where its values were lost"))
            }
            Self::TooManySlices { .. } => {
                Some("slice by columns of fewer values, or bucketize them first".into())
            }
            Self::TooManyRows { .. } => Some(
                "take `order_statistics: histogram`, which has no such limit, evaluate on a sample, or leave metrics such as `auc` and `spearman` out"
                    .into(),
            ),
            Self::ReplicatesTooLarge { .. } => {
                Some("ask for fewer replicates, fewer slices, or raise `--memory`".into())
            }
            Self::ReferenceMissing { reference, groups } => {
                let names = groups.iter().map(String::as_str);
                suggest(reference, names.clone())
                    .or_else(|| Some(format!("the groups are {}", quoted(names.take(20)))))
            }
            Self::OtherEvaluation { .. } => Some("merge states of one evaluation only".into()),
        }
    }
}
