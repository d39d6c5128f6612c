//! SQL over named inputs, answered by polars: filters, derived columns, joins and aggregates before the rows are
//! shared out.
//!
//! [`Query::parse`] refuses what is no query over the inputs; [`shape`] decides how it is answered. Row-wise
//! queries ([`row_wise`]) go batch by batch, in flat memory and the order of the input. All others ([`whole`]) are
//! answered over Parquet (text is staged first, so that there is one CSV reader) and sorted by a unique key, since
//! polars promises no order. [`lineage`] follows each column of the answer to the columns that it is made from.

mod error;
mod exchange;
mod lineage;
mod parse;
mod row_wise;
mod shape;
mod whole;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use polars::prelude as pl;
use polars::sql::SQLContext;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::plan::{Plan, PlannedColumn, Split};
use sluice_core::role::Lineage;
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_source::FileSource;

pub use error::{Position, QueryError};

use exchange::{from_polars, to_polars};
use row_wise::RowWise;
use shape::Shape;
use whole::Whole;

/// An input under the name that a query calls it by.
#[derive(Debug)]
pub struct NamedSource {
    /// Its name.
    pub name: String,
    /// Its files.
    pub source: FileSource,
}

/// A query that was parsed and found to be one over the inputs.
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    parsed: Box<sqlparser::ast::Query>,
    shape: Shape,
}

/// What a query did, for the record of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryRecord {
    /// The query.
    pub text: String,
    /// Whether it was answered row by row, in the order of its input; else its answer is sorted by the key.
    pub row_by_row: bool,
    /// The inputs that it read, by name.
    pub inputs: BTreeMap<String, InputRecord>,
    /// Rows of the answer.
    pub rows: u64,
    /// The source columns that each column of the answer is made from, as `input.column`; null where unknown.
    pub lineage: Lineage,
}

/// An input of a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRecord {
    /// The digest of its plan.
    pub digest: String,
    /// Its rows.
    pub rows: u64,
    /// Its files, with their rows.
    pub files: BTreeMap<String, u64>,
}

impl Query {
    /// Parses a query over inputs of these names, in polars' dialect of SQL.
    ///
    /// # Errors
    /// [`QueryError`] with the place in the text.
    ///
    /// # Examples
    /// ```
    /// use sluice_ingest::Query;
    ///
    /// let inputs = ["trips".to_owned()];
    /// let query = Query::parse("SELECT *, tips / fare AS share FROM trips WHERE fare > 0", &inputs)?;
    /// assert!(query.is_row_wise());
    /// assert!(Query::parse("SELECT * FROM tripz", &inputs).is_err());
    /// # Ok::<(), sluice_ingest::QueryError>(())
    /// ```
    pub fn parse(text: &str, inputs: &[String]) -> Result<Self, QueryError> {
        let parsed = parse::parse(text, inputs)?;
        let shape = shape::shape(&parsed);
        Ok(Self { text: text.into(), parsed, shape })
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is answered batch by batch.
    #[must_use]
    pub fn is_row_wise(&self) -> bool {
        matches!(self.shape, Shape::RowWise { .. })
    }

    /// Whether it reads this input.
    #[must_use]
    pub fn reads(&self, input: &str) -> bool {
        parse::tables(&self.parsed).contains(input)
    }

    /// Refuses a query whose answer has no order, when no key is given to sort it by.
    ///
    /// # Errors
    /// [`QueryError::NoKey`].
    pub fn check_key(&self, key: &[String]) -> Result<(), QueryError> {
        match &self.shape {
            Shape::Whole { reason, .. } if key.is_empty() => {
                Err(QueryError::NoKey { reason: reason.clone() })
            }
            Shape::Whole { .. } | Shape::RowWise { .. } => Ok(()),
        }
    }

    /// Names, in order, and lineage of the answer's columns as far as the text alone tells them, from the names of
    /// the inputs' columns; `None` when an expression was given no name.
    #[must_use]
    pub fn outline(&self, inputs: &BTreeMap<String, Vec<String>>) -> Option<(Vec<String>, Lineage)> {
        lineage::outline(&self.parsed, inputs)
    }

    /// The columns of the answer with their kinds, from those of the inputs, without a row; `None` where an input has
    /// columns whose type only the data tell.
    ///
    /// # Errors
    /// [`QueryError`] for what polars refuses, such as operands of kinds that do not fit.
    pub fn columns(
        &self,
        inputs: &BTreeMap<String, Vec<PlannedColumn>>,
    ) -> Result<Option<Vec<PlannedColumn>>> {
        let mut context = SQLContext::new();
        for (input, columns) in inputs {
            let types: Option<Vec<_>> = columns.iter().map(|column| column.kind.normal_type()).collect();
            let Some(types) = types else { return Ok(None) };
            let fields = columns
                .iter()
                .zip(&types)
                .map(|(column, data_type)| Field::new(&column.name, data_type.clone(), true));
            let empty = RecordBatch::new_empty(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
            context.register(input, pl::IntoLazy::lazy(to_polars(&empty, input)?));
        }
        let schema = context
            .execute(&self.text)
            .and_then(|mut answer| answer.collect_schema())
            .map_err(|error| self.failed(&error))?;
        let empty = from_polars(&pl::DataFrame::empty_with_schema(&schema))?;
        Ok(Some(row_wise::planned(empty.schema_ref())?))
    }

    /// The lineage of the columns that an answer has.
    fn lineage(&self, sources: &[NamedSource], outputs: &[String]) -> Lineage {
        let inputs =
            sources.iter().map(|input| (input.name.clone(), input.source.plan().column_names())).collect();
        lineage::lineage(&self.parsed, &inputs, outputs)
    }

    /// What polars says, with the place of the name that it complains of.
    fn failed(&self, error: &polars::prelude::PolarsError) -> QueryError {
        let problem = error.to_string();
        let quoted = problem.split(['"', '\'', '`']).nth(1).unwrap_or_default();
        let position = parse::find_column(&self.parsed, quoted, &self.text);
        // Polars adds its plan, which means nothing to who wrote SQL.
        let problem =
            problem.split("\n\nResolved plan until failure").next().unwrap_or(&problem).trim().to_owned();
        QueryError::Failed { problem, position }
    }

    /// Answers the query over the inputs that it reads. What does not fit in memory batch by batch is kept in
    /// `scratch`, which must outlive the answer; `key` are the columns that identify a row of the answer.
    ///
    /// # Errors
    /// [`QueryError`], and what reading the inputs meets.
    pub fn answer(
        self,
        mut sources: Vec<NamedSource>,
        key: &[String],
        scratch: &Path,
        execution: &Execution,
    ) -> Result<Answer> {
        self.check_key(key)?;
        sources.retain(|input| self.reads(&input.name));
        let inputs: BTreeMap<String, InputRecord> = sources
            .iter()
            .map(|input| {
                let plan = input.source.plan();
                let files = plan.files.iter().map(|file| (file.path.clone(), file.rows)).collect();
                (input.name.clone(), InputRecord { digest: plan.digest.clone(), rows: plan.rows(), files })
            })
            .collect();
        let identity = serde_json::to_vec(&(&self.text, key, &inputs)).unwrap_or_default();
        let digest = format!("{:032x}", xxh3_128(&identity));
        let (rows, lineage) = match &self.shape {
            Shape::RowWise { .. } => {
                let rows = RowWise::new(&self, &mut sources, digest)?;
                let lineage =
                    lineage::lineage(&self.parsed, &rows.input_names(), &rows.plan().column_names());
                (Rows::RowWise(Box::new(rows)), lineage)
            }
            Shape::Whole { ordered, joins, .. } => {
                let how = whole::How { ordered: *ordered, joins: *joins, key };
                let rows = Whole::new(&self, &sources, how, digest, scratch, execution)?;
                let lineage = self.lineage(&sources, &rows.plan().column_names());
                (Rows::Whole(Box::new(rows)), lineage)
            }
        };
        Ok(Answer { text: self.text, inputs, rows, lineage })
    }
}

/// The answer of a query, as a source.
#[derive(Debug)]
pub struct Answer {
    text: String,
    inputs: BTreeMap<String, InputRecord>,
    rows: Rows,
    lineage: Lineage,
}

#[derive(Debug)]
enum Rows {
    RowWise(Box<RowWise>),
    Whole(Box<Whole>),
}

impl Answer {
    fn source(&self) -> &dyn BatchSource {
        match &self.rows {
            Rows::RowWise(rows) => rows.as_ref(),
            Rows::Whole(rows) => rows.as_ref(),
        }
    }

    /// What the query did, when its answer had so many rows.
    #[must_use]
    pub fn record(&self, rows: u64) -> QueryRecord {
        QueryRecord {
            text: self.text.clone(),
            row_by_row: matches!(self.rows, Rows::RowWise(_)),
            inputs: self.inputs.clone(),
            rows,
            lineage: self.lineage.clone(),
        }
    }

    /// Rows of all inputs.
    #[must_use]
    pub fn rows_read(&self) -> u64 {
        self.inputs.values().map(|input| input.rows).sum()
    }

    /// What surprises about the number of rows, in words: a join that multiplies them.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        match &self.rows {
            Rows::RowWise(_) => Vec::new(),
            Rows::Whole(rows) => rows.notes(&self.inputs),
        }
    }
}

impl BatchSource for Answer {
    fn plan(&self) -> &Plan {
        self.source().plan()
    }

    fn name(&self) -> String {
        "the query".into()
    }

    fn countable(&self, split: &Split) -> Vec<bool> {
        self.source().countable(split)
    }

    fn separable(&self) -> bool {
        self.source().separable()
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        self.source().read(split, request, sink)
    }
}
