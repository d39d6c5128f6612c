//! Statistics of a data set in one pass: [`Statistics`] is one [`ColumnProfile`] per column, and what the
//! [`StatisticsOptions`] ask for beyond that.
//!
//! A part that looks at several columns is one more field of [`Statistics`], an accumulator of its own, built in
//! [`Statistics::new`]; every method takes the fields apart, so that the compiler names each place where the new one
//! is missing.

mod categories;
mod few_values;
mod options;
mod profile;
mod rows;
mod slice_key;
mod slice_spec;
mod sliced;
mod time;
mod weighted;

use serde::{Deserialize, Serialize};

use sluice_core::RESERVED_PREFIX;
use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::{State, fold};
use sluice_core::group::GroupMap;
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::BatchSource;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};
use sluice_summaries::{ColumnSummary, OfColumn};

pub use categories::Categories;
pub use options::{CrossSpec, MAX_SLICES, StatisticsError, StatisticsOptions};
pub use profile::ColumnProfile;
pub use slice_spec::SliceSpec;

use rows::RowStatistics;
use sliced::Sliced;
use weighted::weights_of;

/// Everything that statistics gather in one pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statistics {
    whole: RowStatistics,
    sliced: Vec<Sliced>,
}

impl Statistics {
    /// The accumulator of these statistics over a source with these columns.
    ///
    /// # Errors
    /// As [`StatisticsOptions::check_columns`].
    pub fn new(options: &StatisticsOptions, columns: &[PlannedColumn]) -> Result<Self> {
        options.check_columns(columns)?;
        let whole = RowStatistics::new(options, columns);
        let sliced = |spec| Sliced::new(spec, options.max_slices, whole.empty(), columns);
        Ok(Self { sliced: options.slices.iter().map(sliced).collect(), whole })
    }
}

impl Accumulator for Statistics {
    type Output = DatasetStatistics;

    fn inputs(&self) -> Inputs {
        let Self { whole, sliced } = self;
        let mut inputs = whole.columns().fold(Inputs::default(), Inputs::with_counted);
        if let Some(weight) = whole.weight_column() {
            inputs = whole.columns().fold(inputs.with_column(weight), Inputs::with_column);
        }
        for slices in sliced {
            inputs = slices.columns().fold(inputs, Inputs::with_column);
        }
        inputs
    }

    fn empty(&self) -> Self {
        let Self { whole, sliced } = self;
        Self { whole: whole.empty(), sliced: sliced.iter().map(Sliced::empty).collect() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Self { whole, sliced } = self;
        let batch = match input {
            Input::Counted(counted) => return whole.view(counted),
            Input::Rows(batch) => batch,
        };
        let weights = match whole.weight_column() {
            Some(weight) => Some(weights_of(weight, batch.require(weight)?)?),
            None => None,
        };
        whole.batch(batch, weights.as_deref())?;
        sliced.iter_mut().try_for_each(|slices| slices.rows(batch, weights.as_deref()))
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        let Self { whole, sliced } = self;
        whole.merge(later.whole);
        sliced.iter_mut().zip(later.sliced).try_for_each(|(mine, theirs)| mine.merge(theirs))
    }

    /// Without the number of rows and the name, which [`finish`] knows.
    fn finish(self) -> DatasetStatistics {
        let Self { whole, sliced } = self;
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
        let Self { whole, sliced } = self;
        whole.size_bytes() + sliced.iter().map(Sliced::size_bytes).sum::<usize>()
    }
}

/// What a profile answers under the name of its column.
fn finished(column: &str, profile: ColumnProfile) -> Vec<ColumnStatistics> {
    let mut statistics = profile.finish();
    statistics.name = column.into();
    vec![statistics]
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

/// The profiles of a source: one per column that is not ours.
#[must_use]
pub fn profiles(source: &dyn BatchSource) -> Vec<OfColumn<ColumnProfile>> {
    source
        .plan()
        .columns
        .iter()
        .filter(|column| !column.name.starts_with(RESERVED_PREFIX))
        .map(|column| OfColumn::new(&column.name, ColumnProfile::new(column.kind.clone())))
        .collect()
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
    let statistics = Statistics::new(options, &source.plan().columns)?;
    execution.progress.begin(&format!("statistics of {name}"), source.plan().extent());
    let state = fold(source, &statistics, execution)?;
    execution.progress.end();
    Ok(finish(name, state))
}

#[cfg(test)]
mod options_tests;
#[cfg(test)]
mod tests;
