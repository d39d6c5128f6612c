//! Statistics of a data set in one pass: [`Statistics`] is one [`ColumnProfile`] per column, and what the
//! [`StatisticsOptions`] ask for beyond that.
//!
//! A part that looks at several columns is one more field of [`Statistics`], an accumulator of its own, built in
//! [`Statistics::new`]; every method takes the fields apart, so that the compiler names each place where the new one
//! is missing.

mod association;
mod categories;
mod crosses;
mod few_values;
mod options;
mod profile;
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
pub use crosses::{CrossFeatures, MAX_CROSS_COLUMNS};
pub use options::{CrossSpec, MAX_SLICES, StatisticsError, StatisticsOptions};
pub use profile::ColumnProfile;
#[cfg(test)]
pub(crate) use profile::{equal_width, pooled};
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
    association: Option<LabelAssociation>,
    crosses: Option<CrossFeatures>,
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
        let described = || columns.iter().filter(|column| options.describes(&column.name));
        let of_label = |label: &String| {
            let is_read = |column: &&PlannedColumn| column.name == *label || options.describes(&column.name);
            let read: Vec<PlannedColumn> = columns.iter().filter(is_read).cloned().collect();
            LabelAssociation::new(label, &read)
        };
        let has_crosses = !options.crosses.is_empty();
        Ok(Self {
            num_rows: 0,
            association: options.label.as_ref().map(of_label).transpose()?,
            crosses: has_crosses.then(|| CrossFeatures::new(&options.crosses, described())).transpose()?,
            sliced: options.slices.iter().map(sliced).collect::<Result<_>>()?,
            whole,
        })
    }

    /// The same for the rows of a plan: quantiles of a large table look at a sample of its values. Where spans are
    /// summed up one by one, a sample may not depend on how many of them there are, so that every value is looked at.
    #[must_use]
    pub fn for_plan(self, plan: &Plan) -> Self {
        let rows = if plan.spans.is_empty() { plan.rows() } else { 0 };
        let Self { num_rows, whole, sliced, association, crosses } = self;
        Self {
            num_rows,
            whole: whole.with_table_rows(rows),
            // Their rows come gathered, so that a place in the table says nothing of them.
            sliced,
            association,
            crosses,
        }
    }
}

impl Accumulator for Statistics {
    type Output = DatasetStatistics;

    fn inputs(&self) -> Inputs {
        let Self { num_rows: _, whole, sliced, association, crosses } = self;
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
        inputs.union(association.inputs()).union(crosses.inputs())
    }

    fn empty(&self) -> Self {
        let Self { num_rows: _, whole, sliced, association, crosses } = self;
        Self {
            num_rows: 0,
            whole: whole.empty(),
            sliced: sliced.iter().map(Sliced::empty).collect(),
            association: association.empty(),
            crosses: crosses.empty(),
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Self { num_rows, whole, sliced, association, crosses } = self;
        let batch = match input {
            Input::Counted(counted) => {
                let of = if sliced.is_empty() { Ranked::of_numbers } else { Ranked::of };
                let ranked = of(&counted.values);
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
        association.update(input)?;
        crosses.update(input)?;
        whole.batch(batch, weights.as_deref())?;
        sliced.iter_mut().try_for_each(|slices| slices.rows(batch, weights.as_deref()))
    }

    /// Columns are joined by name: the rows of a part that has no such column count as absent.
    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        let Self { num_rows, whole, sliced, association, crosses } = self;
        association.merge(later.association, groups)?;
        crosses.merge(later.crosses, groups)?;
        whole.merge(later.whole, (*num_rows, later.num_rows));
        *num_rows += later.num_rows;
        sliced.iter_mut().zip(later.sliced).try_for_each(|(mine, theirs)| mine.merge(theirs))
    }

    /// Without the number of rows and the name, which [`finish`] knows.
    fn finish(self) -> DatasetStatistics {
        let Self { num_rows: _, whole, sliced, association, crosses } = self;
        let mut statistics = whole.finish();
        for found in association.finish().unwrap_or_default() {
            let mut columns = statistics.columns.iter_mut().filter(|column| column.path.is_empty());
            if let Some(column) = columns.find(|column| column.name == found.column) {
                column.association = Some(found.association);
                column.custom.extend(found.lift);
            }
        }
        statistics.crosses = crosses.finish().unwrap_or_default();
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
        let Self { num_rows: _, whole, sliced, association, crosses } = self;
        let together = association.size_bytes() + crosses.size_bytes();
        whole.size_bytes() + sliced.iter().map(Sliced::size_bytes).sum::<usize>() + together
    }

    fn heaviest(&self) -> Option<Heaviest> {
        let Self { num_rows: _, whole, sliced, association, crosses } = self;
        let part = |what: &str, bytes: usize, option: &str| {
            let advice = Some(format!("leave out `{option}`"));
            (bytes > 0).then(|| Heaviest { what: what.into(), bytes, advice })
        };
        let label = part("the association with the label", association.size_bytes(), "--label");
        let crosses = part("the crosses", crosses.size_bytes(), "--cross");
        let slices = sliced.iter().map(Sliced::heaviest);
        [label, crosses].into_iter().chain(slices).fold(whole.heaviest(), Heaviest::of)
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
