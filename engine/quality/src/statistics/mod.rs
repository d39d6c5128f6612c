//! Statistics of a data set in one pass: [`Statistics`] is one [`ColumnProfile`] per column, and what the
//! [`StatisticsOptions`] ask for beyond that.
//!
//! A part that looks at several columns is one more field of [`Statistics`], an accumulator of its own, built in
//! [`Statistics::new`]; every method takes the fields apart, so that the compiler names each place where the new one
//! is missing.

mod association;
mod categories;
mod columns;
mod crosses;
mod options;
mod profile;
mod slice_key;
mod slice_spec;
mod time;

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

pub use association::{ColumnAssociation, LabelAssociation};
pub use categories::Categories;
pub use crosses::{CrossFeatures, MAX_CROSS_COLUMNS};
pub use options::{CrossSpec, MAX_SLICES, StatisticsError, StatisticsOptions};
pub use profile::ColumnProfile;
pub use slice_spec::SliceSpec;

/// Everything that statistics gather in one pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Statistics {
    rows: u64,
    profiles: Vec<OfColumn<ColumnProfile>>,
    categories: Vec<OfColumn<Categories>>,
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
        let described = || columns.iter().filter(|column| options.describes(&column.name));
        let is_category = |column: &&PlannedColumn| options.categories.contains(&column.name);
        let of_label = |label: &String| {
            let with_label: Vec<PlannedColumn> = columns
                .iter()
                .filter(|column| column.name == *label || options.describes(&column.name))
                .cloned()
                .collect();
            LabelAssociation::new(label, &with_label)
        };
        let has_crosses = !options.crosses.is_empty();
        Ok(Self {
            rows: 0,
            association: options.label.as_ref().map(of_label).transpose()?,
            crosses: has_crosses.then(|| CrossFeatures::new(&options.crosses, described())).transpose()?,
            profiles: described()
                .map(|column| OfColumn::new(&column.name, ColumnProfile::new(column.kind.clone())))
                .collect(),
            categories: described()
                .filter(is_category)
                .map(|column| OfColumn::new(&column.name, Categories::default()))
                .collect(),
        })
    }
}

impl Accumulator for Statistics {
    type Output = DatasetStatistics;

    fn inputs(&self) -> Inputs {
        let Self { rows: _, profiles, categories, association, crosses } = self;
        let together = association.inputs().union(crosses.inputs());
        profiles.inputs().union(categories.inputs()).union(together)
    }

    fn empty(&self) -> Self {
        let Self { rows: _, profiles, categories, association, crosses } = self;
        Self {
            rows: 0,
            profiles: profiles.empty(),
            categories: categories.empty(),
            association: association.empty(),
            crosses: crosses.empty(),
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Self { rows, profiles, categories, association, crosses } = self;
        if let Input::Rows(batch) = input {
            *rows += batch.rows() as u64;
        }
        profiles.update(input)?;
        categories.update(input)?;
        association.update(input)?;
        crosses.update(input)
    }

    /// Columns are joined by name: rows of a part that has no such column count as absent.
    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        let Self { rows, profiles, categories, association, crosses } = self;
        let rows_of = (*rows, later.rows);
        columns::merge(profiles, later.profiles, rows_of);
        columns::merge(categories, later.categories, rows_of);
        *rows += later.rows;
        association.merge(later.association, groups)?;
        crosses.merge(later.crosses, groups)
    }

    /// Without the number of rows and the name, which [`finish`] knows.
    fn finish(self) -> DatasetStatistics {
        let Self { rows: _, profiles, categories, association, crosses } = self;
        let mut columns: Vec<ColumnStatistics> =
            profiles.into_iter().flat_map(|profile| finished(&profile.column, profile.summary)).collect();
        for (column, frequencies) in categories.finish() {
            show_categories(&mut columns, &column, &frequencies);
        }
        for found in association.finish().unwrap_or_default() {
            let mut described = columns.iter_mut().filter(|column| column.path.is_empty());
            if let Some(column) = described.find(|column| column.name == found.column) {
                column.association = Some(found.association);
                column.custom.extend(found.lift);
            }
        }
        let crosses = crosses.finish().unwrap_or_default();
        DatasetStatistics { columns, crosses, ..DatasetStatistics::default() }
    }

    fn size_bytes(&self) -> usize {
        let Self { rows: _, profiles, categories, association, crosses } = self;
        profiles.size_bytes() + categories.size_bytes() + association.size_bytes() + crosses.size_bytes()
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
mod tests;
