//! Which rows stand out, and a sample of all of them, in bounded memory and the same for any order of merging.

use serde::{Deserialize, Serialize};

use sluice_core::plan::Plan;

/// Rows named for each way to stand out.
const ROWS: usize = 10;

/// Rows that charts are drawn from.
pub(super) const SAMPLE_ROWS: usize = 1000;

/// A row with its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct PlacedRow {
    pub(super) split: u64,
    pub(super) row: u64,
    pub(super) figures: RowFigures,
}

/// What a fit says of one row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowFigures {
    /// The prediction.
    pub fitted: f64,
    /// The label less the prediction, times the root of the weight.
    pub residual: f64,
    /// The residual over its own standard deviation, estimated with the row included.
    pub studentized: f64,
    /// What the prediction changes with the label: the diagonal entry of the hat matrix.
    pub leverage: f64,
    /// How far leaving out the row moves all predictions.
    pub cooks_distance: f64,
}

/// A row that stands out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InfluentialRow {
    /// Its file, relative to the source.
    pub file: String,
    /// The row in that file, from 1, without a header.
    pub row: u64,
    /// Its figures.
    #[serde(flatten)]
    pub figures: RowFigures,
}

/// The rows with the largest value of a measure, descending; of equals, the earlier row first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Largest {
    rows: Vec<(f64, PlacedRow)>,
}

impl Largest {
    pub(super) fn push(&mut self, value: f64, row: PlacedRow) {
        let place = |value: f64, row: &PlacedRow| (-value, row.split, row.row);
        let own = place(value, &row);
        if self.rows.len() == ROWS && self.rows.last().is_some_and(|(v, last)| place(*v, last) <= own) {
            return;
        }
        let at = self.rows.partition_point(|(value, row)| place(*value, row) < own);
        self.rows.insert(at, (value, row));
        self.rows.truncate(ROWS);
    }

    pub(super) fn merge(&mut self, later: Self) {
        later.rows.into_iter().for_each(|(value, row)| self.push(value, row));
    }

    /// The rows with their files.
    pub(super) fn located(self, plan: &Plan) -> Vec<InfluentialRow> {
        let located = self.rows.into_iter().filter_map(|(_, row)| {
            let (file, place) = plan.locate(row.split, row.row)?;
            Some(InfluentialRow { file, row: place, figures: row.figures })
        });
        located.collect()
    }
}

/// The rows with the least hashes, ascending: the same for any order, and any row alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Sample {
    rows: Vec<(u64, PlacedRow)>,
}

impl Sample {
    pub(super) fn push(&mut self, hash: u64, row: PlacedRow) {
        let own = (hash, row.split, row.row);
        let place = |(hash, row): &(u64, PlacedRow)| (*hash, row.split, row.row);
        if self.rows.len() == SAMPLE_ROWS && self.rows.last().is_some_and(|last| place(last) <= own) {
            return;
        }
        let at = self.rows.partition_point(|held| place(held) < own);
        self.rows.insert(at, (hash, row));
        self.rows.truncate(SAMPLE_ROWS);
    }

    pub(super) fn merge(&mut self, later: Self) {
        later.rows.into_iter().for_each(|(hash, row)| self.push(hash, row));
    }

    /// In the order of their predictions.
    pub(super) fn figures(self) -> Vec<RowFigures> {
        let mut figures: Vec<RowFigures> = self.rows.into_iter().map(|(_, row)| row.figures).collect();
        figures.sort_by(|a, b| a.fitted.total_cmp(&b.fitted).then(a.residual.total_cmp(&b.residual)));
        figures
    }
}
