//! Statistics of a data set in one pass: one [`ColumnProfile`] per column, each a mergeable summary.

mod profile;
mod time;

use sluice_core::RESERVED_PREFIX;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::{State, fold};
use sluice_core::seam::BatchSource;
use sluice_core::statistics::DatasetStatistics;
use sluice_summaries::OfColumn;

pub use profile::ColumnProfile;
#[cfg(test)]
pub(crate) use profile::{equal_width, pooled};

/// The accumulators of the statistics of a source: one per column that is not ours.
#[must_use]
pub fn profiles(source: &dyn BatchSource) -> Vec<OfColumn<ColumnProfile>> {
    source
        .plan()
        .columns
        .iter()
        .filter(|column| !column.name.starts_with(RESERVED_PREFIX))
        .map(|column| {
            let profile = ColumnProfile::new(column.kind.clone()).with_table_rows(source.plan().rows());
            OfColumn::new(&column.name, profile)
        })
        .collect()
}

/// The statistics that a folded state of [`profiles`] answers.
#[must_use]
pub fn finish(name: &str, state: State<Vec<OfColumn<ColumnProfile>>>) -> DatasetStatistics {
    use sluice_core::Accumulator;
    let columns = state
        .accumulator
        .into_iter()
        .flat_map(|profile| {
            let (column, statistics) = profile.finish();
            ColumnProfile::named(&column, statistics)
        })
        .collect();
    DatasetStatistics { name: name.into(), num_rows: state.rows, columns, ..DatasetStatistics::default() }
}

/// Computes the statistics of a source in one scan.
///
/// # Errors
/// What reading meets.
pub fn compute(name: &str, source: &dyn BatchSource, execution: &Execution) -> Result<DatasetStatistics> {
    execution.progress.begin(&format!("statistics of {name}"), source.plan().extent());
    let state = fold(source, &profiles(source), execution)?;
    execution.progress.end();
    Ok(finish(name, state))
}

#[cfg(test)]
mod tests;
