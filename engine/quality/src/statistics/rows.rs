//! The statistics of some of the rows, column by column and of columns together: what each slice keeps.

use arrow::array::ArrayRef;
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::{Batch, Delivered, Inputs};
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::group::GroupMap;
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::{ColumnRows, CountedColumn};
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics, DatasetWeight};
use sluice_summaries::{ColumnSummary, ExactSum};

use super::categories::Categories;
use super::options::StatisticsOptions;
use super::profile::{ColumnProfile, Prepared, Ranked};
use super::relations::Relations;
use super::weighted::WeightedColumn;
use super::{finished, show_categories};

/// One profile per column, with what the options add to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RowStatistics {
    columns: Vec<RowColumn>,
    weight: Option<Weights>,
    relations: Relations,
    /// Where what comes next apart from the other columns probably belongs.
    #[serde(skip)]
    next_apart: usize,
}

/// How much the rows count.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Weights {
    column: String,
    sum: ExactSum,
    squares: ExactSum,
}

impl Weights {
    fn new(column: &str) -> Self {
        Self { column: column.to_owned(), sum: ExactSum::new(), squares: ExactSum::new() }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RowColumn {
    name: String,
    profile: ColumnProfile,
    categories: Option<Categories>,
    weighted: Option<WeightedColumn>,
}

impl RowColumn {
    fn empty(&self) -> Self {
        Self {
            name: self.name.clone(),
            profile: self.profile.empty(),
            categories: self.categories.as_ref().map(ColumnSummary::empty),
            weighted: self.weighted.as_ref().map(WeightedColumn::empty),
        }
    }

    /// Bytes held beside the struct itself.
    fn held_bytes(&self) -> usize {
        self.profile.size_bytes()
            + self.categories.as_ref().map_or(0, ColumnSummary::size_bytes)
            + self.weighted.as_ref().map_or(0, WeightedColumn::size_bytes)
    }

    /// Adds rows of a part that has no such column, with what they weigh together.
    fn absent(&mut self, rows: u64, weight: Option<&ExactSum>) {
        self.profile.absent(rows);
        if let Some(categories) = &mut self.categories {
            categories.absent(rows);
        }
        if let (Some(weighted), Some(weight)) = (&mut self.weighted, weight) {
            weighted.absent_together(weight);
        }
    }

    fn merge(&mut self, later: Self) {
        self.profile.merge(later.profile);
        if let (Some(mine), Some(theirs)) = (&mut self.categories, later.categories) {
            mine.merge(theirs);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.weighted, later.weighted) {
            mine.merge(theirs);
        }
    }
}

impl RowStatistics {
    /// No rows yet; the options were checked.
    ///
    /// # Errors
    /// As [`Relations::new`].
    pub(super) fn new(options: &StatisticsOptions, columns: &[PlannedColumn]) -> Result<Self> {
        let relations = Relations::new(options, columns)?;
        let described = columns.iter().filter(|column| options.describes(&column.name));
        let column = |column: &PlannedColumn| {
            let is_category = options.categories.contains(&column.name);
            let is_weighted = options.weight.is_some();
            RowColumn {
                name: column.name.clone(),
                profile: ColumnProfile::new(column.kind.clone()),
                categories: is_category.then(Categories::default),
                weighted: is_weighted.then(|| WeightedColumn::new(&column.name, &column.kind, is_category)),
            }
        };
        let weight = options.weight.as_deref().map(Weights::new);
        Ok(Self { columns: described.map(column).collect(), weight, relations, next_apart: 0 })
    }

    /// Tells how many rows there are in all, by which quantiles sample.
    pub(super) fn with_table_rows(mut self, rows: u64) -> Self {
        for column in &mut self.columns {
            column.profile = column.profile.empty().with_table_rows(rows);
        }
        self
    }

    /// The same columns, no rows.
    pub(super) fn empty(&self) -> Self {
        Self {
            columns: self.columns.iter().map(RowColumn::empty).collect(),
            weight: self.weight.as_ref().map(|weight| Weights::new(&weight.column)),
            relations: self.relations.empty(),
            next_apart: 0,
        }
    }

    /// The names of the columns.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// What is read for columns together.
    pub(super) fn related(&self) -> Inputs {
        self.relations.inputs()
    }

    /// Adds rows to what is known of columns together; once, beside the columns.
    pub(super) fn relate(&mut self, batch: &Batch) -> Result<()> {
        self.relations.update(Input::Rows(batch))
    }

    /// The name of a column by its place.
    pub(super) fn column(&self, index: usize) -> Option<&str> {
        self.columns.get(index).map(|column| column.name.as_str())
    }

    /// Adds the weights of rows; once, beside the columns.
    pub(super) fn weights(&mut self, weights: Option<&[f64]>) {
        if let (Some(Weights { sum, squares, .. }), Some(weights)) = (&mut self.weight, weights) {
            sum.add_slice(weights);
            squares.add_slice(&weights.iter().map(|weight| weight * weight).collect::<Vec<_>>());
        }
    }

    /// The column of the weights.
    pub(super) fn weight_column(&self) -> Option<&str> {
        self.weight.as_ref().map(|weight| weight.column.as_str())
    }

    /// Adds the rows of a batch. Columns that come as counted views are met by [`RowStatistics::view`].
    pub(super) fn batch(&mut self, batch: &Batch, weights: Option<&[f64]>) -> Result<()> {
        self.weights(weights);
        self.relate(batch)?;
        self.begin(batch);
        for index in 0..self.columns.len() {
            let name = &self.columns[index].name;
            match (batch.delivered(name), batch.column(name)) {
                (Delivered::Rows(array), _) => self.rows(index, array, weights)?,
                (Delivered::Absent, _) => self.absent(index, batch.rows() as u64, weights),
                // The profile has the counted view, the weights need the rows.
                (Delivered::Apart, Some(array)) => self.weighted_rows(index, array, weights)?,
                (Delivered::Apart, None) => {}
            }
        }
        Ok(())
    }

    /// Tells where the rows that come next stand, by which quantiles sample.
    fn begin(&mut self, batch: &Batch) {
        for RowColumn { name, profile, .. } in &mut self.columns {
            profile.begin(name, batch.split(), batch.first_row());
        }
    }

    /// Adds the counted view of a column over a split; `ranked` are its values, where they are numbers.
    pub(super) fn view(&mut self, counted: &CountedColumn, ranked: Option<&Ranked>) -> Result<()> {
        let Some(index) = self.place_of(&counted.column) else { return Ok(()) };
        let RowColumn { profile, categories, .. } = &mut self.columns[index];
        match ranked {
            // Sorted once for all slices and the whole.
            Some(ranked) if matches!(ranked.values, Prepared::Numbers(_)) => {
                profile.prepared(&ranked.values, &ranked.counts(&counted.counts), counted.nulls);
            }
            _ => profile.counted(counted)?,
        }
        categories.as_mut().map_or(Ok(()), |categories| categories.counted(counted))
    }

    /// Adds rows of one column that come apart from the others, which they do where there are no weights.
    pub(super) fn apart(&mut self, rows: &ColumnRows<'_>) -> Result<()> {
        let Some(index) = self.place_of(rows.column) else { return Ok(()) };
        self.columns[index].profile.begin(rows.column, rows.split, rows.first_row);
        self.rows(index, &rows.values, None)
    }

    /// What comes apart mostly comes in the order of the columns, of which there may be thousands.
    fn place_of(&mut self, name: &str) -> Option<usize> {
        let is_it = |index: &usize| self.columns.get(*index).is_some_and(|column| column.name == name);
        let near = [self.next_apart.checked_sub(1), Some(self.next_apart)].into_iter().flatten().find(is_it);
        let index = near.or_else(|| (0..self.columns.len()).find(is_it))?;
        self.next_apart = index + 1;
        Some(index)
    }

    /// Adds rows to a column.
    pub(super) fn rows(&mut self, index: usize, array: &ArrayRef, weights: Option<&[f64]>) -> Result<()> {
        let RowColumn { name, profile, categories, .. } = &mut self.columns[index];
        profile.rows(name, array)?;
        if let Some(categories) = categories {
            categories.rows(name, array)?;
        }
        self.weighted_rows(index, array, weights)
    }

    fn weighted_rows(&mut self, index: usize, array: &ArrayRef, weights: Option<&[f64]>) -> Result<()> {
        match (&mut self.columns[index].weighted, weights) {
            (Some(weighted), Some(weights)) => weighted.rows(array, weights),
            _ => Ok(()),
        }
    }

    /// Adds values of these ranks with their counts, ascending, and rows that are null; for a column without weights.
    pub(super) fn prepared(&mut self, index: usize, values: &Prepared, counts: &[(u32, u64)], nulls: u64) {
        let RowColumn { profile, categories, .. } = &mut self.columns[index];
        profile.prepared(values, counts, nulls);
        if let Some(categories) = categories {
            categories.prepared(values, counts, *profile.kind() == ColumnKind::Unsigned);
        }
    }

    /// Adds rows in which a column does not exist.
    pub(super) fn absent(&mut self, index: usize, rows: u64, weights: Option<&[f64]>) {
        let RowColumn { profile, categories, weighted, .. } = &mut self.columns[index];
        profile.absent(rows);
        if let Some(categories) = categories {
            categories.absent(rows);
        }
        if let (Some(weighted), Some(weights)) = (weighted, weights) {
            weighted.absent(weights);
        }
    }

    /// Joins the statistics of later rows; `rows` is how many rows each of the two stands for. A column that only one of
    /// the two has was absent in all rows of the other; one that only the later has comes after those that were there.
    ///
    /// # Errors
    /// As [`Relations`] has it.
    pub(super) fn merge(&mut self, later: Self, rows: (u64, u64)) -> Result<()> {
        // Nothing here has groups.
        self.relations.merge(later.relations, &GroupMap::default())?;
        let weight_of = |state: &Option<Weights>| state.as_ref().map(|weight| weight.sum);
        let (weight, later_weight) = (weight_of(&self.weight), weight_of(&later.weight));
        let mut theirs: Vec<Option<RowColumn>> = later.columns.into_iter().map(Some).collect();
        for (index, mine) in self.columns.iter_mut().enumerate() {
            let is_it =
                |other: &Option<RowColumn>| other.as_ref().is_some_and(|other| other.name == mine.name);
            // Nearly always at the same place.
            let place = Some(index).filter(|index| theirs.get(*index).is_some_and(is_it));
            match place.or_else(|| theirs.iter().position(is_it)).and_then(|place| theirs[place].take()) {
                Some(theirs) => mine.merge(theirs),
                None => mine.absent(rows.1, later_weight.as_ref()),
            }
        }
        for column in theirs.into_iter().flatten() {
            let mut joined = column.empty();
            joined.absent(rows.0, weight.as_ref());
            joined.merge(column);
            self.columns.push(joined);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.weight, later.weight) {
            mine.sum.merge(theirs.sum);
            mine.squares.merge(theirs.squares);
        }
        Ok(())
    }

    /// The statistics of the columns, what is known of them together, and the sum of the weights.
    pub(super) fn finish(self) -> DatasetStatistics {
        let mut columns: Vec<ColumnStatistics> = Vec::new();
        for RowColumn { name, profile, categories, weighted } in self.columns {
            let first = columns.len();
            columns.extend(finished(&name, profile));
            if let Some(categories) = categories {
                show_categories(&mut columns[first..], &name, &categories.finish());
            }
            if let Some(weighted) = weighted {
                weighted.show(&mut columns[first..]);
            }
        }
        let weight = self.weight.map(|Weights { column, sum, squares }| DatasetWeight {
            column,
            sum: sum.to_f64(),
            sum_of_squares: Some(squares.to_f64()),
        });
        let mut statistics = DatasetStatistics { columns, weight, ..DatasetStatistics::default() };
        self.relations.finish().show(&mut statistics);
        statistics
    }

    /// Bytes held, capacity included.
    pub(super) fn size_bytes(&self) -> usize {
        let columns = self.columns.iter().map(RowColumn::held_bytes).sum::<usize>();
        let relations = self.relations.size_bytes();
        size_of::<Self>() + self.columns.capacity() * size_of::<RowColumn>() + columns + relations
    }

    /// The column, or what is kept of columns together, that holds the most.
    pub(super) fn heaviest(&self) -> Option<Heaviest> {
        let heaviest = |column: &RowColumn| Heaviest {
            what: format!("column `{}`", column.name),
            bytes: column.held_bytes(),
            advice: Some(format!("leave the column out with `--exclude {}`", column.name)),
        };
        let column = self.columns.iter().max_by_key(|column| column.held_bytes()).map(heaviest);
        Heaviest::of(column, self.relations.heaviest())
    }
}
