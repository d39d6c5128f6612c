//! How the average prediction moves with the value of a source column: over the rows of a sample, the mean prediction
//! with the column set to each value of a grid (Friedman, "Greedy function approximation", Annals of Statistics 29, 2001,
//! equation 53; scikit-learn's `partial_dependence(kind="average", method="brute")`). For a linear model the curve is
//! exact for the sample, as it is for any other.
//!
//! The grid holds values of the sample: all of them where they are few enough, else of numbers, dates and times the
//! quantiles from 1 % to 99 % (nearest rank, each value once), of text the most frequent (ties by bytes). Rows without a
//! prediction are left out, grid value by grid value.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, RecordBatch, UInt64Array};
use arrow::compute::{SortOptions, sort_to_indices, take};
use arrow::util::display::array_value_to_string;
use serde::{Deserialize, Serialize};

use sluice_core::column::{ColumnKind, numbers};
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Extent};
use sluice_core::fold::in_order;
use sluice_core::options::{OptionsError, Range};
use sluice_summaries::ExactSum;

use super::sample::Sample;
use super::{Explained, arrow, with_column};
use crate::error::TrainingError;

/// The share of the values below the first and above the last of a grid of quantiles.
const TAIL: f64 = 0.01;

/// How fine the grid is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DependenceOptions {
    /// Values of a grid, at most.
    pub grid: u32,
}

impl DependenceOptions {
    /// Values unless told otherwise.
    pub const DEFAULT_GRID: u32 = 30;
    /// The sizes that are allowed.
    pub const GRID: Range = Range::closed(2.0, 1000.0);

    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn check(&self) -> Result<(), OptionsError> {
        Self::GRID.check("grid", f64::from(self.grid)).map(drop)
    }
}

/// The curve of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dependence {
    /// The source column.
    pub column: String,
    /// The values that it was set to: numbers and times ascending, text by its frequency.
    pub grid: Vec<GridValue>,
    /// One for each output of the model.
    pub curves: Vec<DependenceCurve>,
}

/// The mean predictions of an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DependenceCurve {
    /// The column that it predicts.
    pub target: String,
    /// One per value of the grid; absent where no row has a prediction.
    pub averages: Vec<Option<f64>>,
}

/// A value of a grid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum GridValue {
    /// A number.
    Number(f64),
    /// Anything else, as text.
    Text(String),
}

/// The curve of a source column over the rows of a sample, which has the columns of the model's inputs.
///
/// # Errors
/// [`TrainingError::NoGrid`], [`TrainingError::NothingToExplain`], a column that the model does not read, and what
/// predicting meets.
pub fn partial_dependence(
    explained: Explained<'_>,
    sample: &Sample,
    column: &str,
    options: DependenceOptions,
    execution: &Execution,
) -> Result<Dependence> {
    options.check()?;
    let index = index_of(explained, &sample.rows, column)?;
    let values = sample.rows.column(index);
    let places = grid_places(column, values, options.grid as usize)?;
    if places.is_empty() {
        return Err(TrainingError::NothingToExplain { rows: sample.rows.num_rows() }.into());
    }
    let grid = take(values, &UInt64Array::from(places), None).map_err(arrow)?;
    let averages = averages_at(explained, &sample.rows, index, &grid, execution)?;
    let curves = explained.model.targets().into_iter().enumerate().map(|(output, target)| DependenceCurve {
        target,
        averages: averages.iter().map(|averages| averages.get(output).copied().flatten()).collect(),
    });
    Ok(Dependence { column: column.to_owned(), grid: grid_values(column, &grid)?, curves: curves.collect() })
}

fn index_of(explained: Explained<'_>, rows: &RecordBatch, column: &str) -> Result<usize> {
    let inputs = explained.transform.inputs();
    let found = rows.schema().index_of(column).ok().filter(|_| inputs.iter().any(|input| input == column));
    found.ok_or_else(|| {
        let place = "what the model reads".into();
        CommonError::ColumnMissing { column: column.into(), place, available: inputs }.into()
    })
}

/// By value of the grid the mean prediction of each output.
pub(super) fn averages_at(
    explained: Explained<'_>,
    rows: &RecordBatch,
    index: usize,
    grid: &ArrayRef,
    execution: &Execution,
) -> Result<Vec<Vec<Option<f64>>>> {
    let places: Vec<u64> = (0..grid.len() as u64).collect();
    let rows_of_value = rows.num_rows() as u64;
    let extent = Extent { rows: Some(places.len() as u64 * rows_of_value), ..Extent::default() };
    execution.progress.begin("dependence", extent);
    let mut averages = Vec::with_capacity(places.len());
    in_order(
        &places,
        execution,
        |place| {
            let same = UInt64Array::from(vec![*place; rows.num_rows()]);
            let values = take(grid, &same, None).map_err(arrow)?;
            let predictions = explained.predict(&with_column(rows, index, values)?)?;
            Ok(predictions.iter().map(|batches| mean(batches)).collect())
        },
        |_, found| {
            execution.progress.advance(rows_of_value, 0);
            averages.push(found);
            Ok(())
        },
    )?;
    execution.progress.end();
    Ok(averages)
}

fn mean(batches: &[Float64Array]) -> Option<f64> {
    let values: Vec<f64> = batches.iter().flat_map(Float64Array::iter).flatten().collect();
    let mut sum = ExactSum::new();
    sum.add_slice(&values);
    (!values.is_empty()).then(|| sum.to_f64() / values.len() as f64)
}

/// Where in the sample the values of the grid stand.
fn grid_places(column: &str, values: &ArrayRef, most: usize) -> Result<Vec<u64>> {
    let is_text = match ColumnKind::of(values.data_type()) {
        ColumnKind::Text | ColumnKind::Boolean => true,
        kind @ (ColumnKind::List(_)
        | ColumnKind::Struct(_)
        | ColumnKind::Binary
        | ColumnKind::Null
        | ColumnKind::Other(_)) => {
            return Err(TrainingError::NoGrid { column: column.into(), found: kind.to_string() }.into());
        }
        _ => false,
    };
    if is_text { frequent(values, most) } else { ordered(column, values, most) }
}

/// The places of the most frequent values, by frequency, then bytes.
fn frequent(values: &ArrayRef, most: usize) -> Result<Vec<u64>> {
    let mut seen: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for row in (0..values.len()).filter(|row| !values.is_null(*row)) {
        let text = array_value_to_string(values, row).map_err(arrow)?;
        seen.entry(text).or_insert((0, row as u64)).0 += 1;
    }
    let mut found: Vec<(u64, u64)> = seen.into_values().collect();
    // Stable: of one frequency in the order of the bytes.
    found.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    Ok(found.into_iter().take(most).map(|(_, row)| row).collect())
}

/// The places of all values, ascending, or of quantiles where they are too many.
fn ordered(column: &str, values: &ArrayRef, most: usize) -> Result<Vec<u64>> {
    let order = sort_to_indices(values, Some(SortOptions { descending: false, nulls_first: false }), None)
        .map_err(arrow)?;
    let is_number = match ColumnKind::of(values.data_type()).is_number() {
        true => Some(numbers(column, values, "partial dependence")?),
        false => None,
    };
    let is_a_value = |row: usize| {
        !values.is_null(row) && is_number.as_ref().is_none_or(|numbers| numbers.value(row).is_finite())
    };
    let rows: Vec<u32> = order.values().iter().copied().filter(|row| is_a_value(*row as usize)).collect();
    let shown = |row: &u32| array_value_to_string(values, *row as usize).map_err(arrow);
    let once = |places: Vec<u32>| -> Result<Vec<u64>> {
        let (mut kept, mut last) = (Vec::new(), None);
        for row in places {
            let text = shown(&row)?;
            if last.as_ref() != Some(&text) {
                kept.push(u64::from(row));
                last = Some(text);
            }
        }
        Ok(kept)
    };
    let distinct = once(rows.clone())?;
    if distinct.len() <= most {
        return Ok(distinct);
    }
    once((0..most).map(|step| rows[quantile_rank(step, most, rows.len())]).collect())
}

/// The rank, from 0, of step number `step` of `steps` from 1 % to 99 % of `count` values.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the count")]
fn quantile_rank(step: usize, steps: usize, count: usize) -> usize {
    let share = TAIL + (1.0 - 2.0 * TAIL) * step as f64 / (steps - 1) as f64;
    std::cmp::min((share * (count - 1) as f64).round() as usize, count - 1)
}

fn grid_values(column: &str, grid: &ArrayRef) -> Result<Vec<GridValue>> {
    let kind = ColumnKind::of(grid.data_type());
    if kind.is_number() && kind != ColumnKind::Boolean {
        let values = numbers(column, &Arc::clone(grid), "partial dependence")?;
        return Ok(values.values().iter().map(|value| GridValue::Number(*value)).collect());
    }
    (0..grid.len()).map(|row| Ok(GridValue::Text(array_value_to_string(grid, row).map_err(arrow)?))).collect()
}
