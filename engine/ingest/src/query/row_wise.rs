//! Queries whose answer follows row by row: each batch of the input goes through polars alone, on the thread that
//! read it, and its rows stay in their order.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::datatypes::{Field, Schema};
use polars::prelude as pl;
use polars::sql::SQLContext;
use sqlparser::ast::{Expr, SelectItem, SetExpr};

use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::{Plan, PlannedColumn, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_source::FileSource;

use super::error::QueryError;
use super::exchange::{from_polars, to_polars};
use super::{NamedSource, Query};
use crate::write::column_type;

/// A row-wise query over its one input.
#[derive(Debug)]
pub(super) struct RowWise {
    query: Query,
    input: String,
    source: FileSource,
    /// The columns of the source that the query reads, ascending.
    used: Vec<usize>,
    /// Whether it may leave rows out.
    filters: bool,
    /// The input's splits with the answer's columns.
    plan: Plan,
}

impl RowWise {
    pub(super) fn new(query: &Query, sources: &mut Vec<NamedSource>, digest: String) -> Result<Self> {
        let Some(NamedSource { name, source }) = sources.pop() else {
            return Err(CommonError::Internal("a query without inputs".into()).into());
        };
        let columns = &source.plan().columns;
        let used = used_columns(query, columns);
        let filters = matches!(&*query.parsed.body, SetExpr::Select(select) if select.selection.is_some() || select.prewhere.is_some());
        let plan = source.plan().clone();
        let mut rows = Self { query: query.clone(), input: name, source, used, filters, plan };
        let sample = rows.empty_batch()?;
        let answer = rows.answer(&sample)?;
        rows.plan.columns = planned(answer.schema_ref())?;
        rows.plan.digest = digest;
        Ok(rows)
    }

    /// The names of the input's columns.
    pub(super) fn input_names(&self) -> BTreeMap<String, Vec<String>> {
        BTreeMap::from([(self.input.clone(), self.source.plan().column_names())])
    }

    fn empty_batch(&self) -> Result<RecordBatch> {
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = self
            .used
            .iter()
            .map(|&index| {
                let column = &self.source.plan().columns[index];
                let data_type = column_type(&self.source, index)?;
                Ok((Field::new(&column.name, data_type.clone(), true), new_empty_array(&data_type)))
            })
            .collect::<Result<Vec<_>>>()?
            .into_iter()
            .unzip();
        batch(fields, arrays, 0)
    }

    fn answer(&self, input: &RecordBatch) -> Result<RecordBatch> {
        let frame = to_polars(input, &self.input)?;
        let mut context = SQLContext::new();
        context.register(&self.input, pl::IntoLazy::lazy(frame));
        let frame = context
            .execute(&self.query.text)
            .and_then(pl::LazyFrame::collect)
            .map_err(|error| self.query.failed(&error))?;
        if !self.filters && frame.height() != input.num_rows() {
            let message = format!("a row-wise query made {} rows of {}", frame.height(), input.num_rows());
            return Err(CommonError::Internal(message).into());
        }
        from_polars(&frame)
    }
}

fn batch(fields: Vec<Field>, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| CommonError::Internal(error.to_string()))?)
}

/// The columns of an answer; no two may share a name.
pub(super) fn planned(schema: &Schema) -> Result<Vec<PlannedColumn>, QueryError> {
    let mut columns: Vec<PlannedColumn> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        if columns.iter().any(|column| column.name == *field.name()) {
            return Err(QueryError::ColumnName {
                column: field.name().clone(),
                why: "and another of that name",
            });
        }
        if field.name().is_empty() {
            return Err(QueryError::ColumnName { column: String::new(), why: "which is no name" });
        }
        columns.push(PlannedColumn { name: field.name().clone(), kind: ColumnKind::of(field.data_type()) });
    }
    Ok(columns)
}

/// The columns that a query names, or all where it has a wildcard.
fn used_columns(query: &Query, columns: &[PlannedColumn]) -> Vec<usize> {
    let all = || (0..columns.len()).collect();
    let SetExpr::Select(select) = &*query.parsed.body else { return all() };
    let wildcard = select.projection.iter().any(|item| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..) | SelectItem::ExprWithAliases { .. }
        )
    });
    if wildcard {
        return all();
    }
    let mut named: Vec<String> = Vec::new();
    let by_pattern = sqlparser::ast::visit_expressions(query.parsed.as_ref(), |expression| {
        match expression {
            Expr::Identifier(name) => named.push(name.value.clone()),
            // `table.column`, or a column and its field.
            Expr::CompoundIdentifier(parts) => named.extend(parts.iter().map(|part| part.value.clone())),
            Expr::Wildcard(_) | Expr::QualifiedWildcard(..) => return ControlFlow::Break(()),
            _ => {}
        }
        ControlFlow::Continue(())
    });
    if by_pattern.is_break() {
        return all();
    }
    (0..columns.len()).filter(|&index| named.contains(&columns[index].name)).collect()
}

impl BatchSource for RowWise {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        self.source.name()
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        let reading = Request { rows: self.used.clone(), ..Request::default() };
        let mut read = 0;
        self.source.read(split, &reading, &mut |delivery| {
            let Delivery::Rows(input) = delivery else { return Ok(()) };
            let first = read;
            read += input.num_rows() as u64;
            let answer = self.answer(&input).map_err(|error| {
                match self.source.plan().place(&self.source.name(), split.number, first) {
                    Some(place) => error.in_place(format!("{} rows from {place}", input.num_rows())),
                    None => error,
                }
            })?;
            let wanted =
                answer.project(&request.rows).map_err(|error| CommonError::Internal(error.to_string()))?;
            sink(Delivery::Rows(wanted))
        })?;
        if read != split.rows() {
            let message = format!("split {} has {} rows but {read} were read", split.number, split.rows());
            return Err(CommonError::Internal(message).into());
        }
        Ok(())
    }
}
