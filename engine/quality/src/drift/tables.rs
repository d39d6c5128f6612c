//! The numbers of the rows themselves, for distances that are exact: per column all values with their counts up to a
//! number of different values, a fine sketch of them beyond.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use sluice_core::RESERVED_PREFIX;
use sluice_core::accumulator::Accumulator;
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::{BatchSource, CountedColumn};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, Presence};
use sluice_summaries::{ColumnSummary, OfColumn, Quantiles, finite_counted, finite_rows};

use super::{Cumulative, DriftOptions};
use crate::statistics::{Statistics, StatisticsOptions, compute_with, finish};

/// Different values up to which a table is exact: 1 MiB a column.
pub const TABLE_CAPACITY: usize = 1 << 16;
const PURPOSE: &str = "a comparison of numbers";

/// The numbers of each column, by its name.
pub type Tables = BTreeMap<String, Cumulative>;

/// The finite numbers of a column.
struct NumberTable {
    values: Quantiles,
    capacity: usize,
    rows: Vec<f64>,
    counted: Vec<(f64, u64)>,
}

impl NumberTable {
    fn new(capacity: usize) -> Self {
        let values = Quantiles::with_capacity(capacity);
        Self { values, capacity, rows: Vec::new(), counted: Vec::new() }
    }
}

impl ColumnSummary for NumberTable {
    type Output = Option<Cumulative>;

    fn empty(&self) -> Self {
        Self::new(self.capacity)
    }

    fn rows(&mut self, name: &str, values: &ArrayRef) -> Result<()> {
        // What else is counted here stands in the statistics of the same scan.
        finite_rows(name, values, PURPOSE, &mut Presence::default(), &mut self.rows)?;
        self.values.update(&self.rows);
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        finite_counted(column, PURPOSE, &mut Presence::default(), &mut self.counted)?;
        for (value, count) in &self.counted {
            self.values.update_counted(*value, *count);
        }
        Ok(())
    }

    fn absent(&mut self, _: u64) {}

    fn merge(&mut self, later: Self) {
        self.values.merge(later.values);
    }

    fn finish(self) -> Option<Cumulative> {
        Cumulative::of_ranks(&self.values.ranks())
    }

    fn size_bytes(&self) -> usize {
        self.values.size_bytes() + self.rows.capacity() * 8 + self.counted.capacity() * 16
    }
}

/// What a comparison needs of the rows of a source, in one scan: the statistics of the columns that are compared, of
/// `time` if that is asked for, and the tables of those of numbers. Other columns are not read. They are among the
/// statistics by name and type alone, as if no row had a value, so that options which name them are known to be right.
///
/// # Errors
/// As [`compute_with_tables`].
pub fn compute_compared(
    name: &str,
    source: &dyn BatchSource,
    (asked, time): (&DriftOptions, Option<&str>),
    is_exact: bool,
    execution: &Execution,
) -> Result<(DatasetStatistics, Tables)> {
    let planned = &source.plan().columns;
    let is_read = |column: &PlannedColumn| {
        asked.compares(&column.name) || time == Some(column.name.as_str()) || has_fields(&column.kind)
    };
    let known: Vec<&PlannedColumn> =
        planned.iter().filter(|column| !column.name.starts_with(RESERVED_PREFIX)).collect();
    let mut columns: Vec<String> =
        known.iter().filter(|column| is_read(column)).map(|column| column.name.clone()).collect();
    if columns.is_empty() {
        // One is needed to know how many rows there are.
        columns.extend(known.first().map(|column| column.name.clone()));
    }
    let is_integer = |column: &&&PlannedColumn| {
        matches!(column.kind, ColumnKind::Integer | ColumnKind::Unsigned) && columns.contains(&column.name)
    };
    let integers = known.iter().filter(is_integer).map(|column| column.name.clone());
    let categories = integers.filter(|name| asked.categorical.contains(name)).collect();
    let (weight, slices) = (asked.weight.clone(), asked.slices.clone());
    let options = StatisticsOptions { columns, categories, weight, slices, ..StatisticsOptions::default() };
    // By weights numbers are known at quantiles only.
    let (mut statistics, tables) = if asked.weight.is_some() {
        (compute_with(&options, name, source, execution)?, Tables::new())
    } else {
        compute_with_tables(name, source, &options, is_exact, execution)?
    };
    let unread: Vec<&PlannedColumn> =
        known.into_iter().filter(|column| !options.columns.contains(&column.name)).collect();
    let rows = statistics.num_rows;
    statistics.columns.extend(unread.iter().map(|column| without_values(column, rows)));
    for slice in &mut statistics.slices {
        let rows = slice.num_rows;
        slice.columns.extend(unread.iter().map(|column| without_values(column, rows)));
    }
    Ok((statistics, tables))
}

/// Whether a column holds structs, whose fields are compared by names of their own.
fn has_fields(kind: &ColumnKind) -> bool {
    match kind {
        ColumnKind::Struct(_) => true,
        ColumnKind::List(item) => has_fields(item),
        _ => false,
    }
}

/// A column of which only name and type are known; of lists the type is that of what they hold.
fn without_values(column: &PlannedColumn, rows: u64) -> ColumnStatistics {
    let mut kind = &column.kind;
    while let ColumnKind::List(item) = kind {
        kind = item;
    }
    let mut known = ColumnStatistics::new(&column.name, kind.clone());
    (known.presence.num_rows, known.presence.num_missing) = (rows, rows);
    known
}

/// The statistics of the rows of a source and the tables of its columns of numbers, in one scan. With `capacity` none,
/// every different value is kept: memory then grows with their number.
///
/// # Errors
/// What is wrong with the options, and what reading meets.
pub fn compute_with_tables(
    name: &str,
    source: &dyn BatchSource,
    options: &StatisticsOptions,
    is_exact: bool,
    execution: &Execution,
) -> Result<(DatasetStatistics, Tables)> {
    let capacity = if is_exact { usize::MAX / 64 } else { TABLE_CAPACITY };
    let plan = source.plan();
    let statistics = Statistics::new(options, &plan.columns)?.for_plan(plan);
    let is_wanted = |column: &&PlannedColumn| column.kind.is_number() && options.describes(&column.name);
    let tables: Vec<_> = plan.columns.iter().filter(is_wanted).collect();
    let tables: Vec<_> =
        tables.into_iter().map(|column| OfColumn::new(&column.name, NumberTable::new(capacity))).collect();
    execution.progress.begin(&format!("statistics of {name}"), plan.extent());
    let state = fold(source, &(statistics, tables), execution)?;
    execution.progress.end();
    let (rows, groups) = (state.rows, state.groups);
    let (statistics, tables) = state.accumulator;
    let state = sluice_core::fold::State { groups, rows, accumulator: statistics };
    let tables = tables.finish().into_iter().filter_map(|(column, table)| Some((column, table?)));
    Ok((finish(name, state), tables.collect()))
}
