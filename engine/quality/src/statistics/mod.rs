//! Statistics of a data set in one pass: [`Statistics`] is one [`ColumnProfile`] per column, and what the
//! [`StatisticsOptions`] ask for beyond that.
//!
//! A part that looks at several columns is one more field of `relations::Relations`, an accumulator of its own, which
//! the whole and every slice has; every method takes the fields apart, so that the compiler names each place where the
//! new one is missing.

mod association;
mod categories;
mod composed;
mod crosses;
mod few_values;
mod options;
mod profile;
mod relations;
mod row_filter;
mod rows;
mod slice_counts;
mod slice_key;
mod slice_spec;
mod sliced;
mod time;
mod weighted;

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::Inputs;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::{State, fold};
use sluice_core::group::GroupMap;
use sluice_core::plan::{Plan, PlannedColumn};
use sluice_core::seam::BatchSource;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};
use sluice_summaries::ColumnSummary;

pub use association::{ColumnAssociation, LabelAssociation};
pub use categories::Categories;
pub use composed::{ComposedFeature, ComposedKind};
pub use crosses::{CrossFeatures, MAX_CROSS_COLUMNS};
pub use options::{CrossSpec, MAX_SLICES, StatisticsError, StatisticsOptions};
pub use profile::ColumnProfile;
#[cfg(test)]
pub(crate) use profile::{equal_width, histograms, pooled};
pub use slice_spec::SliceSpec;

use profile::Ranked;
use rows::RowStatistics;
use sliced::Sliced;
use weighted::weights_of;

/// Everything that statistics gather in one pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statistics {
    num_rows: u64,
    whole: RowStatistics,
    sliced: Vec<Sliced>,
}

impl Statistics {
    /// The accumulator of these statistics over a source with these columns.
    ///
    /// # Errors
    /// As [`StatisticsOptions::check_columns`]; a label that can be none, and too many pairs.
    pub fn new(options: &StatisticsOptions, columns: &[PlannedColumn]) -> Result<Self> {
        options.check_columns(columns)?;
        let whole = RowStatistics::new(options, columns)?;
        let sliced = |spec| Sliced::new(spec, options.max_slices, whole.empty(), columns);
        let sliced = options.slices.iter().map(sliced).collect::<Result<_>>()?;
        Ok(Self { num_rows: 0, whole, sliced })
    }

    /// The same for the rows of a plan: quantiles of a large table look at a sample of its values. Where spans are
    /// summed up one by one, a sample may not depend on how many of them there are, so that every value is looked at.
    #[must_use]
    pub fn for_plan(self, plan: &Plan) -> Self {
        let rows = if plan.spans.is_empty() { plan.rows() } else { 0 };
        let Self { num_rows, whole, sliced } = self;
        // Rows of slices come gathered, so that a place in the table says nothing of them.
        Self { num_rows, whole: whole.with_table_rows(rows), sliced }
    }
}

impl Accumulator for Statistics {
    type Output = DatasetStatistics;

    fn inputs(&self) -> Inputs {
        let Self { num_rows: _, whole, sliced } = self;
        let mut inputs = whole.columns().fold(Inputs::default(), Inputs::with_counted);
        if let Some(weight) = whole.weight_column() {
            inputs = whole.columns().fold(inputs.with_column(weight), Inputs::with_column);
        }
        for slices in sliced {
            inputs = slices.key_columns().fold(inputs, Inputs::with_column);
            // Weights need the rows.
            let with = if whole.weight_column().is_some() { Inputs::with_column } else { Inputs::with_coded };
            inputs = slices.described().fold(inputs, with);
        }
        // Slices relate the same columns.
        inputs.union(whole.related())
    }

    fn empty(&self) -> Self {
        let Self { num_rows: _, whole, sliced } = self;
        Self { num_rows: 0, whole: whole.empty(), sliced: sliced.iter().map(Sliced::empty).collect() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Self { num_rows, whole, sliced } = self;
        let batch = match input {
            Input::Counted(counted) => {
                let ranked = if sliced.is_empty() { None } else { Ranked::of(&counted.values) };
                whole.view(counted, ranked.as_ref())?;
                return sliced.iter_mut().try_for_each(|slices| slices.coded(counted, ranked.as_ref()));
            }
            Input::Apart(rows) => return whole.apart(rows),
            Input::Rows(batch) => batch,
        };
        let weights = match whole.weight_column() {
            Some(weight) => Some(weights_of(weight, batch.require(weight)?)?),
            None => None,
        };
        *num_rows += batch.rows() as u64;
        whole.batch(batch, weights.as_deref())?;
        sliced.iter_mut().try_for_each(|slices| slices.rows(batch, weights.as_deref()))
    }

    /// Columns are joined by name: the rows of a part that has no such column count as absent.
    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        let Self { num_rows, whole, sliced } = self;
        whole.merge(later.whole, (*num_rows, later.num_rows))?;
        *num_rows += later.num_rows;
        sliced.iter_mut().zip(later.sliced).try_for_each(|(mine, theirs)| mine.merge(theirs))
    }

    /// Without the number of rows and the name, which [`finish`] knows.
    fn finish(self) -> DatasetStatistics {
        let Self { num_rows: _, whole, sliced } = self;
        let mut statistics = whole.finish();
        for slices in sliced {
            let (slicing, found) = slices.finish();
            statistics.slicings.push(slicing);
            for slice in found {
                // `company` and `company=Flash` have one in common, which is the same twice.
                if !statistics.slices.iter().any(|known| known.conditions == slice.conditions) {
                    statistics.slices.push(slice);
                }
            }
        }
        statistics
    }

    fn size_bytes(&self) -> usize {
        let Self { num_rows: _, whole, sliced } = self;
        whole.size_bytes() + sliced.iter().map(Sliced::size_bytes).sum::<usize>()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        let Self { num_rows: _, whole, sliced } = self;
        sliced.iter().map(Sliced::heaviest).fold(whole.heaviest(), Heaviest::of)
    }
}

/// What a profile answers under the name of its column.
fn finished(column: &str, profile: ColumnProfile) -> Vec<ColumnStatistics> {
    ColumnProfile::named(column, profile.finish())
}

fn show_categories(
    columns: &mut [ColumnStatistics],
    name: &str,
    frequencies: &sluice_summaries::Frequencies,
) {
    if let Some(column) = columns.iter_mut().find(|column| column.path.is_empty() && column.name == name) {
        categories::show(frequencies, column);
    }
}

/// The statistics that a folded state answers.
#[must_use]
pub fn finish(name: &str, state: State<Statistics>) -> DatasetStatistics {
    DatasetStatistics { name: name.into(), num_rows: state.rows, ..state.accumulator.finish() }
}

/// Computes the statistics of a source in one scan, with the default options.
///
/// # Errors
/// What reading meets.
pub fn compute(name: &str, source: &dyn BatchSource, execution: &Execution) -> Result<DatasetStatistics> {
    compute_with(&StatisticsOptions::default(), name, source, execution)
}

/// Computes the statistics of a source in one scan.
///
/// # Errors
/// What is wrong with the options, and what reading meets.
pub fn compute_with(
    options: &StatisticsOptions,
    name: &str,
    source: &dyn BatchSource,
    execution: &Execution,
) -> Result<DatasetStatistics> {
    let statistics = Statistics::new(options, &source.plan().columns)?.for_plan(source.plan());
    execution.progress.begin(&format!("statistics of {name}"), source.plan().extent());
    let state = fold(source, &statistics, execution)?;
    execution.progress.end();
    Ok(finish(name, state))
}

#[cfg(test)]
mod options_tests;
#[cfg(test)]
mod sliced_tests;
#[cfg(test)]
mod spans_tests;
#[cfg(test)]
mod tests;
