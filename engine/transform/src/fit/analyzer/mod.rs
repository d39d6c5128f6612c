//! What is gathered of the training rows: one state per analyzer, built in pieces and joined.
//!
//! An analyzer sees one or several values of each row, or the counted view of a source column. States travel between
//! shards in postcard, so they derive plain serde, hold no hash order, and equal content has equal bytes. To add one:
//! a file here and a variant in [`Analyzer`]; the compiler shows the rest.

mod column;
mod counts;
mod items;
mod keyed;
mod ordered;
mod power;
mod products;
mod stored_table;
mod table;
mod target;
mod terms;
mod tokens;

pub(crate) use column::ColumnAnalyzer;
pub(crate) use counts::{Counted, ValueCounts};
pub(crate) use items::ItemCounts;
pub(crate) use keyed::{KeyCounts, Keyed, KeyedColumn, KeyedSums, MAX_KEYS};
pub(crate) use ordered::{Knot, OrderedAnalyzer};
pub(crate) use power::PowerAnalyzer;
pub(crate) use products::ProductsAnalyzer;
pub(crate) use table::{Keys, Table, text_of};
pub(crate) use target::{LevelTarget, TargetMoments};
pub(crate) use terms::TermCounts;
pub(crate) use tokens::{TokenCounts, TokenOptions};

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::seam::CountedColumn;
use sluice_core::spill::Scratch;

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
    fn fill(&mut self, fill: &Fill) -> Result<()> {
        let _ = fill;
        Ok(())
    }

    /// Joins the state of later rows.
    fn merge(&mut self, later: Self) -> Result<()>;

    /// Puts on disk what can be there and takes at least so many bytes.
    fn shed(&mut self, least: usize, scratch: &Scratch) -> Result<()> {
        let _ = (least, scratch);
        Ok(())
    }

    /// Bytes that [`Analyze::shed`] would put on disk.
    fn sheddable_bytes(&self) -> usize {
        0
    }

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

    // Dates, places, text, lists.
    /// How often each term of a text occurs.
    Terms(Box<TermCounts>),
    /// How often each item of lists occurs.
    Items(ItemCounts),
    // The family of numbers.
    /// Moments of one column after power transforms.
    Power(Box<PowerAnalyzer>),
    /// Means and products of several columns.
    Products(ProductsAnalyzer),
    /// One column weighted by ranks.
    Ordered(Box<OrderedAnalyzer>),
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

            Analyzer::Terms($analyzer) => $call,
            Analyzer::Items($analyzer) => $call,
            Analyzer::Power($analyzer) => $call,
            Analyzer::Products($analyzer) => $call,
            Analyzer::Ordered($analyzer) => $call,
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

impl From<TermCounts> for Analyzer {
    fn from(analyzer: TermCounts) -> Self {
        Self::Terms(Box::new(analyzer))
    }
}

impl From<ItemCounts> for Analyzer {
    fn from(analyzer: ItemCounts) -> Self {
        Self::Items(analyzer)
    }
}

impl From<PowerAnalyzer> for Analyzer {
    fn from(analyzer: PowerAnalyzer) -> Self {
        Self::Power(Box::new(analyzer))
    }
}

impl From<OrderedAnalyzer> for Analyzer {
    fn from(analyzer: OrderedAnalyzer) -> Self {
        Self::Ordered(Box::new(analyzer))
    }
}

impl From<ProductsAnalyzer> for Analyzer {
    fn from(analyzer: ProductsAnalyzer) -> Self {
        Self::Products(analyzer)
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
        let Self::Column(analyzer) = self else { return None };
        Some(*analyzer)
    }

    pub(crate) fn into_counts(self) -> Option<ValueCounts> {
        let Self::Counts(analyzer) = self else { return None };
        Some(analyzer)
    }

    pub(crate) fn into_terms(self) -> Option<TermCounts> {
        let Self::Terms(analyzer) = self else { return None };
        Some(*analyzer)
    }

    pub(crate) fn into_items(self) -> Option<ValueCounts> {
        let Self::Items(analyzer) = self else { return None };
        Some(analyzer.into_counts())
    }

    pub(crate) fn into_power(self) -> Option<PowerAnalyzer> {
        let Self::Power(analyzer) = self else { return None };
        Some(*analyzer)
    }

    pub(crate) fn into_products(self) -> Option<ProductsAnalyzer> {
        let Self::Products(analyzer) = self else { return None };
        Some(analyzer)
    }

    pub(crate) fn into_ordered(self) -> Option<OrderedAnalyzer> {
        let Self::Ordered(analyzer) = self else { return None };
        Some(*analyzer)
    }

    pub(crate) fn into_keyed(self) -> Option<KeyedColumn> {
        let Self::Keyed(analyzer) = self else { return None };
        Some(*analyzer)
    }

    pub(crate) fn into_key_counts(self) -> Option<KeyCounts> {
        let Self::KeyCounts(analyzer) = self else { return None };
        Some(analyzer)
    }

    pub(crate) fn into_tokens(self) -> Option<TokenCounts> {
        let Self::Tokens(analyzer) = self else { return None };
        Some(*analyzer)
    }

    pub(crate) fn into_target(self) -> Option<LevelTarget> {
        let Self::Target(analyzer) = self else { return None };
        Some(*analyzer)
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

    fn fill(&mut self, fill: &Fill) -> Result<()> {
        each!(self, analyzer => analyzer.fill(fill))
    }

    fn shed(&mut self, least: usize, scratch: &Scratch) -> Result<()> {
        each!(self, analyzer => analyzer.shed(least, scratch))
    }

    fn sheddable_bytes(&self) -> usize {
        each!(self, analyzer => analyzer.sheddable_bytes())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        match (self, later) {
            (Self::Column(mine), Self::Column(later)) => mine.merge(*later),
            (Self::Counts(mine), Self::Counts(later)) => mine.merge(later),

            (Self::Terms(mine), Self::Terms(later)) => mine.merge(*later),
            (Self::Items(mine), Self::Items(later)) => mine.merge(later),
            (Self::Power(mine), Self::Power(later)) => mine.merge(*later),
            (Self::Products(mine), Self::Products(later)) => mine.merge(later),
            (Self::Ordered(mine), Self::Ordered(later)) => mine.merge(*later),
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
