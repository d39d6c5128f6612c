//! What is gathered of the training rows: one state per analyzer, built in pieces and joined.
//!
//! An analyzer sees one or several values of each row, or the counted view of a source column. States travel between
//! shards in postcard, so they derive plain serde, hold no hash order, and equal content has equal bytes. To add one:
//! a file here and a variant in [`Analyzer`]; the compiler shows the rest.

mod column;
mod counts;
mod keyed;
mod target;
mod tokens;

pub(crate) use column::ColumnAnalyzer;
pub(crate) use counts::{Counts, ValueCounts};
pub(crate) use keyed::{KeyCounts, Keyed, KeyedColumn, MAX_KEYS};
pub(crate) use target::{LevelTarget, TargetMoments};
pub(crate) use tokens::{TokenCounts, TokenOptions};

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::seam::CountedColumn;

use crate::operation::impute::Fill;
use crate::value::Value;

/// An analyzer that an operation wants, and the inputs of the operation that it reads.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Indices into the inputs of the step.
    pub(crate) inputs: Vec<usize>,
    /// The empty state.
    pub(crate) analyzer: Analyzer,
}

impl Wanted {
    /// An analyzer of one input.
    pub(crate) fn of(input: usize, analyzer: impl Into<Analyzer>) -> Self {
        Self { inputs: vec![input], analyzer: analyzer.into() }
    }
}

/// The values of some rows, and how they are called.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// The names of the values, for messages.
    pub(crate) names: Vec<&'a str>,
    /// The values.
    pub(crate) values: Vec<&'a Value>,
    /// The hashes of the rows, where the analyzer wants to know which rows they are.
    pub(crate) hashes: Option<&'a [u64]>,
}

/// The contract of an analyzer.
pub(crate) trait Analyze: Sized {
    /// The same options, no rows.
    fn empty(&self) -> Self;

    /// Tells what kind of column its first input is, before any row.
    fn prepare(&mut self, kind: Option<&ColumnKind>) {
        let _ = kind;
    }

    /// Whether the counted view of its only input will do.
    fn takes_counted(&self) -> bool {
        false
    }

    /// Whether it can be told afterwards what went into missing cells.
    fn takes_fill(&self) -> bool {
        self.takes_counted()
    }

    /// Whether it wants to know which rows they are.
    fn needs_identity(&self) -> bool {
        false
    }

    /// Adds rows.
    fn rows(&mut self, rows: &Rows<'_>) -> Result<()>;

    /// Adds distinct values with their counts.
    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        Err(CommonError::Internal(format!("`{}` was handed over counted", column.column)).into())
    }

    /// Adds rows of a part without the column.
    fn absent(&mut self, rows: u64) {
        let _ = rows;
    }

    /// Takes every null and NaN for this value.
    fn fill(&mut self, fill: &Fill) {
        let _ = fill;
    }

    /// Joins the state of later rows.
    fn merge(&mut self, later: Self) -> Result<()>;

    /// Bytes held beyond the state itself.
    fn size_bytes(&self) -> usize;
}

/// Every analyzer that there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Analyzer {
    /// Moments, quantiles and frequencies of one column.
    Column(Box<ColumnAnalyzer>),
    /// How often each value occurs.
    Counts(ValueCounts),
    // Categories.
    /// Moments, quantiles and frequencies of one column, for each key.
    Keyed(Box<KeyedColumn>),
    /// How often each key occurs.
    KeyCounts(KeyCounts),
    /// How often each token occurs, with weights and labels.
    Tokens(Box<TokenCounts>),
    /// Moments of the label for each level and fold.
    Target(Box<LevelTarget>),
}

/// Hands a call on to the variant.
macro_rules! each {
    ($self:expr, $analyzer:ident => $call:expr) => {
        match $self {
            Analyzer::Column($analyzer) => $call,
            Analyzer::Counts($analyzer) => $call,
            Analyzer::Keyed($analyzer) => $call,
            Analyzer::KeyCounts($analyzer) => $call,
            Analyzer::Tokens($analyzer) => $call,
            Analyzer::Target($analyzer) => $call,
        }
    };
}

impl From<ColumnAnalyzer> for Analyzer {
    fn from(analyzer: ColumnAnalyzer) -> Self {
        Self::Column(Box::new(analyzer))
    }
}

impl From<ValueCounts> for Analyzer {
    fn from(analyzer: ValueCounts) -> Self {
        Self::Counts(analyzer)
    }
}

impl From<KeyedColumn> for Analyzer {
    fn from(analyzer: KeyedColumn) -> Self {
        Self::Keyed(Box::new(analyzer))
    }
}

impl From<KeyCounts> for Analyzer {
    fn from(analyzer: KeyCounts) -> Self {
        Self::KeyCounts(analyzer)
    }
}

impl From<TokenCounts> for Analyzer {
    fn from(analyzer: TokenCounts) -> Self {
        Self::Tokens(Box::new(analyzer))
    }
}

impl From<LevelTarget> for Analyzer {
    fn from(analyzer: LevelTarget) -> Self {
        Self::Target(Box::new(analyzer))
    }
}

impl Analyzer {
    pub(crate) fn into_column(self) -> Option<ColumnAnalyzer> {
        match self {
            Self::Column(analyzer) => Some(*analyzer),
            _ => None,
        }
    }

    pub(crate) fn into_keyed(self) -> Option<KeyedColumn> {
        match self {
            Self::Keyed(analyzer) => Some(*analyzer),
            _ => None,
        }
    }

    pub(crate) fn into_key_counts(self) -> Option<KeyCounts> {
        match self {
            Self::KeyCounts(analyzer) => Some(analyzer),
            _ => None,
        }
    }

    pub(crate) fn into_tokens(self) -> Option<TokenCounts> {
        match self {
            Self::Tokens(analyzer) => Some(*analyzer),
            _ => None,
        }
    }

    pub(crate) fn into_target(self) -> Option<LevelTarget> {
        match self {
            Self::Target(analyzer) => Some(*analyzer),
            _ => None,
        }
    }

    pub(crate) fn into_counts(self) -> Option<ValueCounts> {
        match self {
            Self::Counts(analyzer) => Some(analyzer),
            _ => None,
        }
    }
}

impl Analyze for Analyzer {
    fn empty(&self) -> Self {
        each!(self, analyzer => analyzer.empty().into())
    }

    fn prepare(&mut self, kind: Option<&ColumnKind>) {
        each!(self, analyzer => analyzer.prepare(kind));
    }

    fn takes_counted(&self) -> bool {
        each!(self, analyzer => analyzer.takes_counted())
    }

    fn needs_identity(&self) -> bool {
        each!(self, analyzer => analyzer.needs_identity())
    }

    fn takes_fill(&self) -> bool {
        each!(self, analyzer => analyzer.takes_fill())
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        each!(self, analyzer => analyzer.rows(rows))
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        each!(self, analyzer => analyzer.counted(column))
    }

    fn absent(&mut self, rows: u64) {
        each!(self, analyzer => analyzer.absent(rows));
    }

    fn fill(&mut self, fill: &Fill) {
        each!(self, analyzer => analyzer.fill(fill));
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        match (self, later) {
            (Self::Column(mine), Self::Column(later)) => mine.merge(*later),
            (Self::Counts(mine), Self::Counts(later)) => mine.merge(later),
            (Self::Keyed(mine), Self::Keyed(later)) => mine.merge(*later),
            (Self::KeyCounts(mine), Self::KeyCounts(later)) => mine.merge(later),
            (Self::Tokens(mine), Self::Tokens(later)) => mine.merge(*later),
            (Self::Target(mine), Self::Target(later)) => mine.merge(*later),
            _ => Err(CommonError::Internal("two states of a transform hold other analyzers".into()).into()),
        }
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + each!(self, analyzer => analyzer.size_bytes())
    }
}
