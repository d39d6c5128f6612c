//! What a fit reads: the rows, their features, and the columns that stand beside them.

use std::sync::Arc;

use sluice_core::batch::RowIdentity;
use sluice_core::seam::{BatchSource, BatchTransform};

use crate::design::rows::Responses;
use crate::error::{SolveError, TrainingError};

/// What is fitted on what.
#[derive(Clone, Copy)]
pub struct TrainingData<'a> {
    /// The rows.
    pub source: &'a dyn BatchSource,
    /// Their features.
    pub transform: &'a Arc<dyn BatchTransform>,
    /// What stands beside the features.
    pub columns: &'a TrainingColumns,
}

impl std::fmt::Debug for TrainingData<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("TrainingData")
            .field("source", &self.source.name())
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// The columns that a fit reads beside the features.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrainingColumns {
    /// The column to predict.
    pub label: String,
    /// Further columns that the same features predict, each by an equation of its own.
    pub further_labels: Vec<String>,
    /// How much a row counts; all alike without.
    pub weight: Option<String>,
    /// What decides the fold of a row in a cross-validation. Without: the stored row hash if the source has one, else
    /// all its columns.
    pub identity: Option<RowIdentity>,
}

impl From<&str> for TrainingColumns {
    fn from(label: &str) -> Self {
        Self { label: label.into(), ..Self::default() }
    }
}

impl TrainingColumns {
    /// All columns to predict.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.label.as_str()).chain(self.further_labels.iter().map(String::as_str))
    }

    /// The columns beside the features that every row is read with.
    pub(crate) fn responses(&self) -> Responses {
        Responses { labels: self.labels().map(str::to_owned).collect(), weight: self.weight.clone() }
    }
}

impl TrainingData<'_> {
    /// What decides the fold of a row.
    pub(crate) fn identity(&self) -> RowIdentity {
        let chosen = || RowIdentity::choose(&[], &self.source.plan().column_names());
        self.columns.identity.clone().unwrap_or_else(chosen)
    }

    /// A solver's error, with the names of the features that it numbers.
    pub(crate) fn failed(&self, source: SolveError) -> TrainingError {
        TrainingError::Solve { features: self.transform.space().column_names(), source }
    }

    /// That there is nothing to learn from: no rows, or none with a weight.
    pub(crate) fn no_rows(&self) -> TrainingError {
        match &self.columns.weight {
            Some(weight) if self.source.plan().rows() > 0 => {
                TrainingError::NoWeight { weight: weight.clone() }
            }
            _ => TrainingError::NoRows,
        }
    }
}
