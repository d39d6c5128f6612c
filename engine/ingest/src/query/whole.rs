//! Queries that look at several rows at once: joins, aggregates, windows. Their answer is sorted by a unique key, so
//! that it is the same rows in the same order on every machine, and written to Parquet to be read split by split.
//!
//! Polars' streaming engine answers those whose values do not depend on the order of the rows. Sums of floats do
//! (each order rounds its own way), so the others go through its in-memory engine with every join and every
//! grouping told to keep the order of the rows.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::{Field, Schema};
use arrow::row::{OwnedRow, RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use polars::prelude as pl;
use polars::prelude::PlanCallback;
use polars::sql::SQLContext;
use polars_plan::plans::IR;

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::plan::{Plan, Split};
use sluice_core::seam::{BATCH_ROWS, BatchSource, Delivery, Request};
use sluice_source::{FileSource, Format, SourceOptions};

use super::error::QueryError;
use super::exchange::{from_polars, to_polars};
use super::row_wise::planned;
use super::{InputRecord, NamedSource, Query};
use crate::stage::{StagedFile, stage};
use crate::write::column_type;

/// How long a query may go on unasked before an interruption is looked for.
const PATIENCE: Duration = Duration::from_millis(50);

/// What is known of the query, and how its answer is sorted.
#[derive(Clone, Copy, Debug)]
pub(super) struct How<'a> {
    /// Whether values depend on the order in which rows are met.
    pub(super) ordered: bool,
    /// Whether it joins.
    pub(super) joins: bool,
    /// The columns that identify a row of the answer.
    pub(super) key: &'a [String],
}

/// The answer, sorted and staged.
#[derive(Debug)]
pub(super) struct Whole {
    staged: FileSource,
    plan: Plan,
    joins: bool,
}

impl Whole {
    pub(super) fn new(
        query: &Query,
        sources: &[NamedSource],
        how: How<'_>,
        digest: String,
        scratch: &Path,
        execution: &Execution,
    ) -> Result<Self> {
        let mut context = SQLContext::new();
        for input in sources {
            let table = table(input, scratch, execution)?;
            context.register(&input.name, table);
        }
        let mut answer = context.execute(&query.text).map_err(|error| query.failed(&error))?;
        let schema = answer.collect_schema().map_err(|error| query.failed(&error))?;
        let names: Vec<String> = schema.iter_names().map(ToString::to_string).collect();
        if let Some(column) = how.key.iter().find(|column| !names.contains(column)) {
            return Err(QueryError::KeyMissing { column: column.clone(), available: names }.into());
        }
        let order = pl::SortMultipleOptions::default().with_maintain_order(true);
        let sorted = answer.sort(how.key.iter().map(String::as_str).collect::<Vec<_>>(), order);
        let empty = from_polars(&pl::DataFrame::empty_with_schema(&schema))?;
        let columns = planned(empty.schema_ref())?;
        let path = scratch.join("answer.parquet");
        let mut file = StagedFile::new(&path, empty.schema_ref())?;
        let mut keys = Keys::new(how, empty.schema_ref())?;
        collect(query, sorted, how.ordered, execution, &mut |batch| {
            keys.check(&batch)?;
            file.write(&batch)
        })?;
        file.finish()?;
        let staged = sluice_source::open("answer.parquet", scratch, &SourceOptions::default(), execution)?;
        let mut plan = staged.plan().clone();
        plan.columns = columns;
        plan.digest = digest;
        Ok(Self { staged, plan, joins: how.joins })
    }

    pub(super) fn notes(&self, inputs: &BTreeMap<String, InputRecord>) -> Vec<String> {
        let largest = inputs.iter().max_by_key(|(_, input)| input.rows);
        match largest {
            Some((name, input)) if self.joins && self.plan.rows() > input.rows => vec![format!(
                "the join multiplies rows: the answer has {}, the largest input, `{name}`, {}",
                self.plan.rows(),
                input.rows
            )],
            _ => Vec::new(),
        }
    }
}

/// An input as a table: its Parquet files as they are (copied here, where they are elsewhere), or all of it staged, in the types of the normal form.
fn table(input: &NamedSource, scratch: &Path, execution: &Execution) -> Result<pl::LazyFrame> {
    let failed = |error: pl::PolarsError| QueryError::Failed { problem: error.to_string(), position: None };
    let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (index, column) in input.source.plan().columns.iter().enumerate() {
        let data_type = column_type(&input.source, index)?;
        arrays.push(new_empty_array(&data_type));
        fields.push(Field::new(&column.name, data_type, true));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(0));
    let empty = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| CommonError::Internal(error.to_string()))?;
    let files: Vec<PathBuf> = if input.source.format() == Format::Parquet {
        input.source.local_paths(scratch, &format!("input-{}", input.name))?
    } else {
        let path = scratch.join(format!("input-{}.parquet", input.name));
        stage(&input.source, &input.name, empty.schema_ref(), &path, execution)?;
        vec![path]
    };
    let empty = to_polars(&empty, &input.name)?;
    let columns: Vec<pl::Expr> = empty
        .schema()
        .iter()
        .map(|(name, data_type)| pl::col(name.clone()).strict_cast(data_type.clone()))
        .collect();
    let tables = files
        .iter()
        .map(|path| {
            let options = pl::ScanArgsParquet { glob: false, ..pl::ScanArgsParquet::default() };
            let path = pl::PlRefPath::try_from_path(path)?;
            Ok(pl::LazyFrame::scan_parquet(path, options)?.select(columns.clone()))
        })
        .collect::<pl::PolarsResult<Vec<_>>>()
        .map_err(failed)?;
    Ok(pl::concat(tables, pl::UnionArgs::default()).map_err(failed)?)
}

/// Runs a query on a thread of its own and hands its rows over in order, so that an interruption ends it at once.
fn collect(
    query: &Query,
    frame: pl::LazyFrame,
    ordered: bool,
    execution: &Execution,
    sink: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let (sender, receiver) = sync_channel::<pl::PolarsResult<pl::DataFrame>>(2);
    let running = std::thread::Builder::new()
        .name("query".into())
        .spawn(move || {
            let answer = catch_unwind(AssertUnwindSafe(|| {
                if ordered { in_memory(frame, &sender) } else { streaming(frame, &sender) }
            }));
            let error = match answer {
                Ok(answer) => answer.err(),
                // What polars' engines do not do ends in a panic rather than an error.
                Err(panic) => Some(pl::PolarsError::ComputeError(said(panic.as_ref()).into())),
            };
            if let Some(error) = error {
                // Nobody listens any more when the query was given up.
                let _ = sender.send(Err(error));
            }
        })
        .map_err(|error| CommonError::Internal(format!("no thread for the query: {error}")))?;
    receive(query, &receiver, execution, sink)?;
    running.join().map_err(|_| CommonError::Internal("polars stopped in the middle of the query".into()))?;
    Ok(())
}

/// What a panic says.
fn said(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    format!("polars gave it up: {text}")
}

fn receive(
    query: &Query,
    receiver: &Receiver<pl::PolarsResult<pl::DataFrame>>,
    execution: &Execution,
    sink: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    loop {
        execution.cancel.check()?;
        match receiver.recv_timeout(PATIENCE) {
            Ok(frame) => {
                let frame = frame.map_err(|error| query.failed(&error))?;
                let rows = frame.height();
                for first in (0..rows).step_by(BATCH_ROWS) {
                    let offset = i64::try_from(first).unwrap_or(i64::MAX);
                    sink(from_polars(&frame.slice(offset, BATCH_ROWS))?)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

type Sender = SyncSender<pl::PolarsResult<pl::DataFrame>>;

fn streaming(frame: pl::LazyFrame, sender: &Sender) -> pl::PolarsResult<()> {
    let sender = sender.clone();
    // Answering true ends the query.
    let hand_over = PlanCallback::new(move |frame: pl::DataFrame| Ok(sender.send(Ok(frame)).is_err()));
    let chunk = std::num::NonZeroUsize::new(BATCH_ROWS);
    frame.sink_batches(hand_over, true, chunk)?.collect_with_engine(pl::Engine::Streaming).map(drop)
}

fn in_memory(frame: pl::LazyFrame, sender: &Sender) -> pl::PolarsResult<()> {
    let answer = frame._collect_post_opt(|_, plan, _, _| {
        for index in 0..plan.len() {
            keep_order(plan.get_mut(polars_utils::arena::Node(index)));
        }
        Ok(())
    })?;
    // A receiver that is gone has given the query up.
    let _ = sender.send(Ok(answer));
    Ok(())
}

/// Tells an operation of a plan to keep the order of its rows. (A grouping that need not may be split up by the
/// number of threads, and then rounds its sums accordingly.)
fn keep_order(operation: &mut IR) {
    match operation {
        IR::GroupBy { maintain_order, .. } => *maintain_order = true,
        IR::Join { options, .. } => {
            Arc::make_mut(options).args.maintain_order = pl::MaintainOrderJoin::LeftRight;
        }
        IR::Distinct { options, .. } => options.maintain_order = true,
        _ => {}
    }
}

/// Sees that no two rows have the same key; equal ones are neighbours, since the rows are sorted.
struct Keys {
    columns: Vec<(usize, String)>,
    converter: RowConverter,
    last: Option<OwnedRow>,
    rows: u64,
    joins: bool,
}

impl Keys {
    fn new(how: How<'_>, schema: &Schema) -> Result<Self> {
        let mut columns = Vec::new();
        let mut fields = Vec::new();
        for name in how.key {
            if let Ok(index) = schema.index_of(name) {
                columns.push((index, name.clone()));
                fields.push(SortField::new(schema.field(index).data_type().clone()));
            }
        }
        let converter =
            RowConverter::new(fields).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(Self { columns, converter, last: None, rows: 0, joins: how.joins })
    }

    fn check(&mut self, batch: &RecordBatch) -> Result<()> {
        let arrays: Vec<ArrayRef> =
            self.columns.iter().map(|(index, _)| Arc::clone(batch.column(*index))).collect();
        let rows = self
            .converter
            .convert_columns(&arrays)
            .map_err(|error| CommonError::Internal(error.to_string()))?;
        for (index, row) in rows.iter().enumerate() {
            let repeats = match index.checked_sub(1) {
                Some(before) => rows.row(before) == row,
                None => self.last.as_ref().is_some_and(|last| last.row() == row),
            };
            if repeats {
                let second = self.rows + index as u64 + 1;
                let shown: Vec<String> = self
                    .columns
                    .iter()
                    .zip(&arrays)
                    .map(|((_, name), array)| format!("{name}: {}", shown(array, index)))
                    .collect();
                let key = shown.join(", ");
                return Err(QueryError::KeyTwice { first: second - 1, second, key, joins: self.joins }.into());
            }
        }
        self.last = rows.num_rows().checked_sub(1).map(|last| rows.row(last).owned()).or(self.last.take());
        self.rows += batch.num_rows() as u64;
        Ok(())
    }
}

fn shown(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".into();
    }
    array_value_to_string(array, row).unwrap_or_default()
}

impl BatchSource for Whole {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        "the query's answer".into()
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        self.staged.read(split, request, sink)
    }
}
