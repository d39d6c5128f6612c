//! How much a column tells the model: by how much the mean squared error grows when its values are dealt to other rows
//! (Breiman, "Random forests", Machine Learning 45, 2001, section 10; scikit-learn's `permutation_importance` with
//! `scoring="neg_mean_squared_error"`). Source columns are permuted, before the transform, so that all features made
//! from one move together.
//!
//! The permutation of a repeat and a column is keyed: row i of the sample, whose order follows from the rows' keys, gets
//! the value of the row whose splitmix64(hash + splitmix64(seed + 2^32 · repeat + name)) is the i-th least, where name is 0
//! and for each byte of the column's name splitmix64(name xor byte). It depends on seed, column and keys alone, not on the order of rows, columns or threads. The importance is the
//! mean over repeats, its standard error the standard deviation of the repeats (divisor repeats − 1) over √repeats.
//! Columns that tell the same share their importance or hide one another: permute them together by leaving one out of
//! the model.
//!
//! Rows without a label or a prediction are left out before anything is permuted. A permuted row whose prediction is no
//! number (a ratio with another row's 0) is left out of that repeat and counted. Time is columns x repeats predictions of
//! the sample; a column that no feature reads is not tried: its importance is exactly 0.

use arrow::array::{BooleanArray, Float64Array, RecordBatch, UInt64Array};
use arrow::compute::take;
use serde::{Deserialize, Serialize};

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Extent};
use sluice_core::fold::in_order;
use sluice_core::options::{OptionsError, Range};
use sluice_summaries::ExactSum;

use super::sample::{Sample, keyed, splitmix};
use super::{Explained, arrow, with_column};
use crate::error::TrainingError;

/// How often, and with which chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermutationOptions {
    /// Permutations of each column.
    pub repeats: u32,
    /// Another number, other permutations.
    pub seed: u64,
}

impl PermutationOptions {
    /// Repeats unless told otherwise.
    pub const DEFAULT_REPEATS: u32 = 5;
    /// The numbers of repeats that are allowed.
    pub const REPEATS: Range = Range::closed(1.0, 1000.0);

    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn check(&self) -> Result<(), OptionsError> {
        Self::REPEATS.check("repeats", f64::from(self.repeats)).map(drop)
    }
}

/// What each column tells the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermutationImportance {
    /// The loss that grows: `mse`.
    pub metric: String,
    /// The rows that it is taken over.
    pub rows: u64,
    /// Rows of the sample without a label or a prediction.
    pub rows_left_out: u64,
    /// The loss of the predictions as they are.
    pub loss: f64,
    /// How the columns were permuted.
    pub options: PermutationOptions,
    /// By importance, the largest first, those of one importance in the order of the model's inputs.
    pub columns: Vec<ColumnImportance>,
}

/// What a column tells the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnImportance {
    /// The source column.
    pub column: String,
    /// The mean growth of the loss.
    pub importance: f64,
    /// Of the mean; absent for one repeat.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
    /// The growth of the loss in each repeat.
    pub repeats: Vec<f64>,
    /// Permuted rows, over all repeats, whose prediction was no number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows_without_prediction: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The importance of each source column for the label's predictions; the sample has the columns of the model's inputs
/// and the label.
///
/// # Errors
/// [`TrainingError::NothingToExplain`], a label that is no number, and what predicting meets.
pub fn permutation_importance(
    explained: Explained<'_>,
    sample: &Sample,
    options: PermutationOptions,
    execution: &Execution,
) -> Result<PermutationImportance> {
    options.check()?;
    let (judged, labels) = judged(explained, sample)?;
    let rows = &judged.rows;
    let (loss, _) = loss(explained, rows, &labels)?;
    let inputs = explained.transform.inputs();
    let used = used(explained);
    let repeats = 0..options.repeats;
    let tried = inputs.iter().filter(|input| used.contains(input));
    let items: Vec<(&String, u32)> =
        tried.flat_map(|column| repeats.clone().map(move |repeat| (column, repeat))).collect();
    let rows_of_item = rows.num_rows() as u64;
    let extent = Extent { rows: Some(items.len() as u64 * rows_of_item), ..Extent::default() };
    execution.progress.begin("permutation", extent);
    let mut columns: Vec<ColumnImportance> = inputs.iter().map(|column| untried(column, options)).collect();
    in_order(
        &items,
        execution,
        |(column, repeat)| {
            let order = permutation(&judged.hashes, column, *repeat, options.seed);
            let index = rows.schema().index_of(column).map_err(arrow)?;
            let values = take(rows.column(index), &order, None).map_err(arrow)?;
            self::loss(explained, &with_column(rows, index, values)?, &labels)
        },
        |(column, repeat), (permuted, without)| {
            execution.progress.advance(rows_of_item, 0);
            if let Some(found) = columns.iter_mut().find(|found| &found.column == *column) {
                found.repeats[*repeat as usize] = permuted - loss;
                found.rows_without_prediction += without;
            }
            Ok(())
        },
    )?;
    execution.progress.end();
    columns.iter_mut().for_each(ColumnImportance::finish);
    columns.sort_by(|a, b| b.importance.total_cmp(&a.importance));
    Ok(PermutationImportance {
        metric: "mse".into(),
        rows: rows.num_rows() as u64,
        rows_left_out: (sample.rows.num_rows() - rows.num_rows()) as u64,
        loss,
        options,
        columns,
    })
}

fn untried(column: &str, options: PermutationOptions) -> ColumnImportance {
    ColumnImportance {
        column: column.to_owned(),
        importance: 0.0,
        standard_error: None,
        repeats: vec![0.0; options.repeats as usize],
        rows_without_prediction: 0,
    }
}

impl ColumnImportance {
    fn finish(&mut self) {
        let count = self.repeats.len() as f64;
        self.importance = self.repeats.iter().sum::<f64>() / count;
        let squares: f64 = self.repeats.iter().map(|growth| (growth - self.importance).powi(2)).sum();
        self.standard_error = (count > 1.0).then(|| (squares / (count - 1.0) / count).sqrt());
    }
}

/// The source columns that a feature is made from.
fn used(explained: Explained<'_>) -> std::collections::BTreeSet<&String> {
    explained.transform.space().features.iter().flat_map(|feature| &feature.sources).collect()
}

/// The places of the rows from which a repeat takes the values of a column.
pub(super) fn permutation(hashes: &[u64], column: &str, repeat: u32, seed: u64) -> UInt64Array {
    let name = column.bytes().fold(0, |name, byte| splitmix(name ^ u64::from(byte)));
    let seed = seed.wrapping_add(u64::from(repeat) << 32).wrapping_add(name);
    let mut order: Vec<(u64, u64)> =
        hashes.iter().enumerate().map(|(place, hash)| (keyed(*hash, seed), place as u64)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, place)| Some(place)).collect()
}

/// The rows that have a label and a prediction, and their labels.
fn judged(explained: Explained<'_>, sample: &Sample) -> Result<(Sample, Vec<f64>)> {
    let label = explained.model.label();
    let column = sample.rows.column_by_name(label).ok_or_else(|| CommonError::ColumnMissing {
        column: label.to_owned(),
        place: "the data, but it is the label that the importance of the features is judged by".into(),
        available: sample.rows.schema().fields().iter().map(|field| field.name().clone()).collect(),
    })?;
    // Of two classes 1 is the positive one.
    let labels = explained.model.label_values(column)?;
    let predictions = explained.predict(&sample.rows)?;
    let predicted = predictions.first().into_iter().flatten().flat_map(Float64Array::iter);
    let is_judged = |(label, predicted): (Option<f64>, Option<f64>)| {
        label.is_some_and(f64::is_finite) && predicted.is_some_and(f64::is_finite)
    };
    let keep: BooleanArray = labels.iter().zip(predicted).map(|pair| Some(is_judged(pair))).collect();
    if keep.true_count() == 0 {
        return Err(TrainingError::NothingToExplain { rows: keep.len() }.into());
    }
    let kept = labels.iter().zip(keep.iter()).filter(|(_, keep)| *keep == Some(true));
    let labels = kept.filter_map(|(label, _)| label).collect();
    Ok((sample.filter(&keep)?, labels))
}

/// The mean squared error, and how many rows have no prediction.
fn loss(explained: Explained<'_>, rows: &RecordBatch, labels: &[f64]) -> Result<(f64, u64)> {
    let predictions = explained.predict(rows)?;
    let (mut sum, mut count) = (ExactSum::new(), 0_u64);
    let predicted = predictions.first().into_iter().flatten().flat_map(Float64Array::iter);
    let mut errors = Vec::with_capacity(labels.len());
    for (label, predicted) in labels.iter().zip(predicted) {
        if let Some(predicted) = predicted.filter(|value| value.is_finite()) {
            errors.push((label - predicted).powi(2));
            count += 1;
        }
    }
    sum.add_slice(&errors);
    Ok((sum.to_f64() / std::cmp::max(count, 1) as f64, labels.len() as u64 - count))
}
