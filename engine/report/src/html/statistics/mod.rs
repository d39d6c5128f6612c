//! The page of statistics: what a data set holds, or how several differ, worst first.
//!
//! From the top: the data sets, what to look at in words with figures, one line per column, the slices, the
//! features of several columns, the pairs of columns, then every column in detail. The first data set is the one that
//! the others are compared with. The order is that of [`trouble`]; the fields of a struct stay below it.
//!
//! The size is bounded by [`StatisticsPageOptions`]; what is left out is said in the page.

mod chart;
mod composed;
mod detail;
mod difference;
mod look;
mod overview;
mod slices;
mod trouble;
mod values;

use std::collections::BTreeMap;

use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

use crate::html::escape::{NAME, escape};
use crate::html::{page, put};
use trouble::Trouble;

/// How much a page of statistics holds.
///
/// | name | default | range | meaning |
/// |---|---|---|---|
/// | `max_columns` | 1500 | 1 and more | columns with a line in the overview |
/// | `max_details` | 500 | 0 and more | columns times data sets, halved, with all their figures |
/// | `max_top_values` | 10 | 1 to 1000 | values shown of those that are frequent |
/// | `max_slices` | 12 | 0 and more | slices of each column; fewer where columns are many |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatisticsPageOptions {
    /// Columns with a line in the overview; of more, the worst.
    pub max_columns: usize,
    /// Columns with all their figures, for at most two data sets; for more data sets in proportion fewer.
    pub max_details: usize,
    /// Values shown of those that are frequent.
    pub max_top_values: usize,
    /// Slices of each column, those with most rows; fewer where there are many columns.
    pub max_slices: usize,
}

impl Default for StatisticsPageOptions {
    fn default() -> Self {
        Self { max_columns: 1500, max_details: 500, max_top_values: 10, max_slices: 12 }
    }
}

/// Data sets that are drawn beside one another: as many as there are colours that everybody can tell apart.
const MAX_SETS: usize = 6;

/// A column, or a field of a struct, over all data sets.
struct Row<'a> {
    /// Its place in the source.
    order: usize,
    /// The place of the column that it is, or is a field of.
    root: usize,
    name: &'a str,
    /// The steps to it.
    steps: &'a [String],
    /// Its statistics in each data set.
    sets: Vec<Option<&'a ColumnStatistics>>,
    troubles: Vec<Trouble>,
    score: f64,
}

impl<'a> Row<'a> {
    /// The statistics in the data sets that have it, with the numbers of these.
    fn present(&self) -> impl Iterator<Item = (usize, &'a ColumnStatistics)> + '_ {
        self.sets.iter().enumerate().filter_map(|(set, column)| column.map(|column| (set, column)))
    }

    /// The statistics in the first data set that has it; every row stands in one.
    fn first(&self) -> Option<&'a ColumnStatistics> {
        self.present().next().map(|(_, column)| column)
    }
}

/// What a page shows.
struct View<'a> {
    sets: Vec<&'a DatasetStatistics>,
    /// Worst first.
    rows: Vec<Row<'a>>,
    options: StatisticsPageOptions,
    /// Data sets and columns that the page leaves out, and the columns that have a line but no details.
    sets_left_out: usize,
    rows_left_out: usize,
    details_left_out: usize,
}

impl<'a> View<'a> {
    fn new(sets: &[&'a DatasetStatistics], options: StatisticsPageOptions) -> Self {
        let shown: Vec<&DatasetStatistics> = sets.iter().take(MAX_SETS).copied().collect();
        let mut rows = joined(&shown);
        for row in &mut rows {
            row.troubles = trouble::of(&row.sets, &shown);
            row.score = trouble::score(&row.troubles);
        }
        sort(&mut rows);
        let (columns, before) = (std::cmp::max(options.max_columns, 1), rows.len());
        rows.truncate(columns);
        let details =
            if shown.len() > 2 { options.max_details * 2 / shown.len() } else { options.max_details };
        Self {
            sets_left_out: sets.len() - shown.len(),
            rows_left_out: before - rows.len(),
            details_left_out: rows.len().saturating_sub(details),
            sets: shown,
            rows,
            options,
        }
    }

    /// Rows with details.
    fn detailed(&self) -> &[Row<'a>] {
        &self.rows[..self.rows.len() - self.details_left_out]
    }

    fn is_compared(&self) -> bool {
        self.sets.len() > 1
    }
}

/// The columns of all data sets by their steps, in the order of the first that has them.
fn joined<'a>(sets: &[&'a DatasetStatistics]) -> Vec<Row<'a>> {
    let mut places: BTreeMap<&[String], usize> = BTreeMap::new();
    let mut rows: Vec<Row<'a>> = Vec::new();
    for (set, statistics) in sets.iter().enumerate() {
        for column in &statistics.columns {
            let order = *places.entry(column.steps()).or_insert_with(|| {
                rows.push(Row {
                    order: rows.len(),
                    root: rows.len(),
                    name: &column.name,
                    steps: column.steps(),
                    sets: vec![None; sets.len()],
                    troubles: Vec::new(),
                    score: 0.0,
                });
                rows.len() - 1
            });
            rows[order].sets[set].get_or_insert(column);
        }
    }
    for row in &mut rows {
        row.root = row.steps.get(..1).and_then(|root| places.get(root)).copied().unwrap_or(row.order);
    }
    rows
}

/// Worst first; a struct by the worst of its fields, which follow it in the order of the source.
fn sort(rows: &mut [Row<'_>]) {
    let mut worst = vec![0.0_f64; rows.len()];
    for row in rows.iter() {
        if row.score > worst[row.root] {
            worst[row.root] = row.score;
        }
    }
    rows.sort_by(|left, right| {
        worst[right.root]
            .total_cmp(&worst[left.root])
            .then(left.root.cmp(&right.root))
            .then(left.order.cmp(&right.order))
    });
}

/// The name of a data set, escaped.
fn set_name(statistics: &DatasetStatistics) -> String {
    if statistics.name.is_empty() { "data".into() } else { escape(&statistics.name, NAME) }
}

/// A page of the statistics of one data set, or of several beside one another: the first is the one that the
/// others are compared with. One file, self-contained; at most six data sets.
#[must_use]
pub fn statistics_page(title: &str, sets: &[&DatasetStatistics], options: &StatisticsPageOptions) -> String {
    let view = View::new(sets, *options);
    let mut body = String::new();
    overview::head(&mut body, title, &view);
    look::section(&mut body, &view);
    overview::controls(&mut body, &view);
    overview::table(&mut body, &view);
    slices::section(&mut body, &view);
    composed::section(&mut body, &view);
    overview::pairs(&mut body, &view);
    put!(body, "<section id=\"details\"><h2>Columns in detail</h2>");
    for row in view.detailed().iter().enumerate() {
        detail::article(&mut body, &view, row);
    }
    if view.details_left_out > 0 {
        put!(
            body,
            "<p class=\"note\">The details of {} columns with less trouble are left out to keep the page \
             small; \
             their figures stand in <code>statistics.json</code>.</p>",
            view.details_left_out
        );
    }
    body.push_str("</section>");
    trouble::explanation(&mut body, view.is_compared());
    page::document(title, "statistics", &body)
}
