//! Rows that take no part because a label, a weight or a prediction is missing: refused unless they may be left out,
//! and then counted by what they lack.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array};
use serde::{Deserialize, Serialize};
use sluice_core::batch::Batch;
use sluice_core::column::{Column, numbers};
use sluice_core::error::{Error, Result};

use super::{Role, scored};

/// What is done with a row in which the label, the weight or a prediction is null, NaN or infinite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// It is an error that names the row.
    #[default]
    Refuse,
    /// It takes no part, for no model: all are compared on the same rows. How many there are stands beside the figures.
    Exclude,
}

impl Missing {
    /// The weights of rows, finite and not negative; 0 of those that take no part for the lack of one.
    pub(crate) fn weights(self, batch: &Batch, column: &str) -> Result<Float64Array> {
        if self == Self::Refuse {
            return scored::weights(batch, column);
        }
        let values = numbers(column, batch.require(column)?, "the weight of the rows")?;
        let present = |row| if is_missing(&values, row) { 0.0 } else { values.value(row) };
        scored::not_negative((0..values.len()).map(present).collect(), column)
    }
}

/// How many rows were left out, each by the first of these that it lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The label.
    pub label: u64,
    /// The weight.
    pub weight: u64,
    /// The candidate's prediction.
    pub candidate: u64,
    /// The baseline's prediction.
    pub baseline: u64,
    /// The prediction of a contender, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contenders: BTreeMap<String, u64>,
}

impl Excluded {
    /// All of them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        let contenders = self.contenders.values().sum::<u64>();
        self.label + self.weight + self.candidate + self.baseline + contenders
    }
}

impl std::fmt::Display for Excluded {
    /// `5 rows are left out: 3 without a label, 2 without a prediction of the candidate`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = self.rows();
        write!(formatter, "{rows} {} left out: ", if rows == 1 { "row is" } else { "rows are" })?;
        let mut parts = vec![
            (self.label, "a label".to_owned()),
            (self.weight, "a weight".into()),
            (self.candidate, "a prediction of the candidate".into()),
            (self.baseline, "a prediction of the baseline".into()),
        ];
        let contenders = self.contenders.iter();
        parts.extend(contenders.map(|(name, rows)| (*rows, format!("a prediction of contender `{name}`"))));
        for (index, (rows, what)) in parts.iter().filter(|(rows, _)| *rows > 0).enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(formatter, "{comma}{rows} without {what}")?;
        }
        Ok(())
    }
}

/// How many rows were left out, as sums hold it: without a label, without a weight, without a prediction of each model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExcludedRows {
    label: u64,
    weight: u64,
    /// In the order of the models; empty where no row was left out.
    predictions: Vec<u64>,
}

impl ExcludedRows {
    pub(super) fn rows(&self) -> u64 {
        self.label + self.weight + self.predictions.iter().sum::<u64>()
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.label += other.label;
        self.weight += other.weight;
        if self.predictions.len() < other.predictions.len() {
            self.predictions.resize(other.predictions.len(), 0);
        }
        for (mine, theirs) in self.predictions.iter_mut().zip(&other.predictions) {
            *mine += theirs;
        }
    }

    /// By the names of the models.
    pub(super) fn named(&self, models: &[Role]) -> Excluded {
        let mut named = Excluded { label: self.label, weight: self.weight, ..Excluded::default() };
        for (model, rows) in models.iter().zip(&self.predictions) {
            match model {
                Role::Candidate => named.candidate = *rows,
                Role::Baseline => named.baseline = *rows,
                Role::Contender(name) => {
                    named.contenders.insert(name.clone(), *rows);
                }
            }
        }
        named
    }
}

/// What a row must have to take part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needed<'a> {
    /// The columns of the label.
    pub(crate) labels: &'a [String],
    /// The weight, if rows have one.
    pub(crate) weight: Option<&'a str>,
    /// Predictions of a model.
    pub(crate) outputs: usize,
    /// Who predicts.
    pub(crate) models: &'a [Role],
}

/// The rows that take part, where some do not.
pub(crate) fn kept(needed: Needed<'_>, batch: &Batch) -> Result<Option<(BooleanArray, ExcludedRows)>> {
    let mut keep = vec![true; batch.rows()];
    let mut mark = |is_missing: &dyn Fn(usize) -> bool| {
        let mut marked = 0;
        for (row, keep) in keep.iter_mut().enumerate() {
            if *keep && is_missing(row) {
                *keep = false;
                marked += 1;
            }
        }
        marked
    };
    let mut excluded = ExcludedRows::default();
    for label in needed.labels {
        excluded.label += mark(&missing(batch.require(label)?));
    }
    if let Some(weight) = needed.weight {
        excluded.weight = mark(&missing(batch.require(weight)?));
    }
    for model in needed.models {
        let columns = scored::predictions(batch, model, needed.outputs)?;
        excluded.predictions.push(mark(&|row| columns.iter().any(|column| is_missing(column, row))));
    }
    Ok((excluded.rows() > 0).then(|| (BooleanArray::from(keep), excluded)))
}

/// An error in the rows that were kept, with its row among all.
pub(crate) fn among_all(mut error: Error, keep: &BooleanArray) -> Error {
    let kept = error.take_row().and_then(|row| usize::try_from(row).ok());
    match kept.and_then(|kept| keep.values().set_indices().nth(kept)) {
        Some(row) => error.at_row(row),
        None => error,
    }
}

fn missing(array: &ArrayRef) -> impl Fn(usize) -> bool {
    move |row| match Column::view(array) {
        Column::Float(values) => is_missing(values, row),
        _ => array.is_null(row),
    }
}

fn is_missing(values: &Float64Array, row: usize) -> bool {
    values.is_null(row) || !values.value(row).is_finite()
}
