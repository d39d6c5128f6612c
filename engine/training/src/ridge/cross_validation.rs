//! Which penalty of a grid predicts best on rows that it was not fitted on, from the sums of each fold.
//!
//! The sums of a training part are those of the other folds, joined in the order of the folds; nothing is
//! subtracted. The squared error on the fold left out follows from its own sums, in double-double, so one
//! scan is enough for all penalties and folds. The chosen penalty is then fitted on all rows.

use serde::{Deserialize, Serialize};

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::in_order;

use super::{Penalty, is_trusted};
use crate::data::TrainingData;
use crate::design::{WholeRows, exact_sums, join};
use crate::error::{SolveError, TrainingError};
use crate::solve::{Normal, ridge, ridge_coefficients};

/// How a penalty was chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossValidation {
    /// Parts that the rows were cut into.
    pub folds: u32,
    /// The rows of each.
    pub fold_rows: Vec<u64>,
    /// Every penalty that was tried, ascending.
    pub alphas: Vec<AlphaScore>,
    /// The one with the least mean squared error; of equal ones, the largest.
    pub chosen: f64,
    /// What to know about the choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How well one penalty predicts rows that it was not fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlphaScore {
    /// The penalty.
    pub alpha: f64,
    /// The mean of the squared errors over all rows, each predicted without its fold.
    pub mean_squared_error: f64,
    /// The standard error of the mean of `per_fold`: its standard deviation (divisor folds - 1) over the root
    /// of the number of folds.
    pub standard_error: f64,
    /// The mean squared error of each fold.
    pub per_fold: Vec<f64>,
}

/// The centred problem of each fold, from all rows of `columns` features and labels.
pub(super) fn sums_of_rows(
    rows: &WholeRows,
    fold_of_row: &[u32],
    columns: usize,
    folds: u32,
    execution: &Execution,
) -> Result<Vec<Option<Normal>>> {
    let numbers: Vec<u32> = (0..folds).collect();
    let all = rows.block();
    let sums_of = |number: &u32| {
        let mut own = WholeRows::default();
        for (row, _) in fold_of_row.iter().enumerate().filter(|(_, fold_of_row)| *fold_of_row == number) {
            own.push(all.row(row, columns));
        }
        if own.cells.is_empty() {
            return Ok(None);
        }
        exact_sums(own.block(), columns).map(Some)
    };
    in_parallel(&numbers, execution, sums_of)
}

/// The folds, each of which must have rows.
pub(super) fn complete(
    sums: Vec<Option<Normal>>,
    data: TrainingData<'_>,
) -> Result<Vec<Normal>, TrainingError> {
    let folds = u32::try_from(sums.len()).unwrap_or(u32::MAX);
    let rows = sums.iter().flatten().map(|normal| normal.rows).sum();
    if rows == 0 {
        return Err(data.no_rows());
    }
    let complete =
        (1..).zip(sums).map(|(fold, normal)| normal.ok_or(TrainingError::FoldEmpty { fold, folds, rows }));
    complete.collect()
}

/// Does `work` on each item and gives the results in order.
fn in_parallel<I: Sync, T: Send>(
    items: &[I],
    execution: &Execution,
    work: impl Fn(&I) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut results = Vec::with_capacity(items.len());
    in_order(items, execution, work, |_, result| {
        results.push(result);
        Ok(())
    })?;
    Ok(results)
}

/// The sums of each fold for one label, and the penalties to try.
pub(super) struct Folds<'a> {
    data: TrainingData<'a>,
    /// Ascending; at least one.
    alphas: Vec<f64>,
    sums: Vec<Normal>,
}

impl<'a> Folds<'a> {
    /// Of the sums over all labels, what concerns one of them.
    pub(super) fn new(
        data: TrainingData<'a>,
        penalty: &Penalty,
        sums: &[Normal],
        (width, target): (usize, usize),
    ) -> Self {
        let sums = sums.iter().map(|sums| sums.clone().target(width, target)).collect();
        Self { data, alphas: penalty.alphas(), sums }
    }

    /// The penalty with the least error, and how it was chosen where there was a choice.
    pub(super) fn choose(&self, execution: &Execution) -> Result<(f64, Option<CrossValidation>)> {
        if self.sums.len() == 1 {
            return Ok((self.alphas[0], None));
        }
        let fold_rows: Vec<u64> = self.sums.iter().map(|sums| sums.rows).collect();
        let record = record(&self.alphas, &self.errors(execution)?, &fold_rows);
        Ok((record.chosen, Some(record)))
    }

    /// The sums of all folds but one, joined in order.
    pub(super) fn joined(&self, left_out: Option<usize>) -> Result<Normal> {
        let mut joined = None;
        for (fold, sums) in self.sums.iter().enumerate() {
            if Some(fold) != left_out {
                join(&mut joined, sums.clone());
            }
        }
        joined.ok_or_else(|| CommonError::Internal("a cross-validation has at least two folds".into()).into())
    }

    fn for_each_fold<T: Send>(
        &self,
        execution: &Execution,
        work: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let folds: Vec<usize> = (0..self.sums.len()).collect();
        in_parallel(&folds, execution, |fold| work(*fold))
    }

    /// Whether the sums are exact enough for the smallest penalty, hence for all; `all` are those of all folds.
    pub(super) fn are_trusted(&self, all: &Normal, execution: &Execution) -> Result<bool> {
        let least = self.alphas[0];
        let is_trusted = |training: &Normal| ridge(training, least).is_ok_and(|found| is_trusted(&found));
        if self.sums.len() == 1 {
            return Ok(is_trusted(all));
        }
        let trusted = self.for_each_fold(execution, |fold| Ok(is_trusted(&self.joined(Some(fold))?)))?;
        Ok(trusted.into_iter().all(|trusted| trusted) && is_trusted(all))
    }

    /// The sums of squared errors: for each fold, those of each penalty fitted on the other folds.
    fn errors(&self, execution: &Execution) -> Result<Vec<Vec<DoubleDouble>>> {
        self.for_each_fold(execution, |fold| {
            let training = self.joined(Some(fold))?;
            let error = |alpha: &f64| {
                execution.cancel.check()?;
                let (coefficients, intercept) =
                    ridge_coefficients(&training, *alpha).map_err(|error| self.data.failed(error))?;
                let square = self.sums[fold].squared_error(&coefficients, intercept);
                if square.is_finite() {
                    return Ok(square);
                }
                Err(self.data.failed(SolveError::ErrorNotFinite { alpha: *alpha }).into())
            };
            self.alphas.iter().map(error).collect()
        })
    }
}

/// What came of the penalties: `errors` are the sums of squared errors of each fold, penalty by penalty.
pub(super) fn record(alphas: &[f64], errors: &[Vec<DoubleDouble>], fold_rows: &[u64]) -> CrossValidation {
    let scores = alphas.iter().enumerate().map(|(index, &alpha)| {
        let of_folds: Vec<DoubleDouble> = errors.iter().map(|of_fold| of_fold[index]).collect();
        score(alpha, &of_folds, fold_rows)
    });
    let alphas: Vec<AlphaScore> = scores.collect();
    let (chosen, note) = choose(&alphas);
    let folds = u32::try_from(fold_rows.len()).unwrap_or(u32::MAX);
    CrossValidation { folds, fold_rows: fold_rows.to_vec(), alphas, chosen, note }
}

fn score(alpha: f64, errors: &[DoubleDouble], fold_rows: &[u64]) -> AlphaScore {
    let add = |sum: DoubleDouble, square: &DoubleDouble| sum + *square;
    let rows = DoubleDouble::from(fold_rows.iter().sum::<u64>());
    let mean_squared_error = (errors.iter().fold(DoubleDouble::ZERO, add) / rows).to_f64();
    let per_fold: Vec<f64> = errors
        .iter()
        .zip(fold_rows)
        .map(|(square, &rows)| (*square / DoubleDouble::from(rows)).to_f64())
        .collect();
    let folds = per_fold.len() as f64;
    let mean = per_fold.iter().sum::<f64>() / folds;
    let spread: f64 = per_fold.iter().map(|error| (error - mean) * (error - mean)).sum();
    let standard_error = (spread / (folds - 1.0) / folds).sqrt();
    AlphaScore { alpha, mean_squared_error, standard_error, per_fold }
}

/// The penalty with the least error, of equal ones the largest; and a note where the best may lie outside.
fn choose(scores: &[AlphaScore]) -> (f64, Option<String>) {
    let mut best = 0;
    for (index, score) in scores.iter().enumerate() {
        if score.mean_squared_error <= scores[best].mean_squared_error {
            best = index;
        }
    }
    let chosen = scores[best].alpha;
    let note = match best {
        _ if scores.len() == 1 => None,
        // There is nothing below 0.
        0 if chosen > 0.0 => {
            Some(format!("{chosen} is the smallest penalty of the grid; a smaller one may be better"))
        }
        _ if best + 1 == scores.len() => {
            Some(format!("{chosen} is the largest penalty of the grid; a larger one may be better"))
        }
        _ => None,
    };
    (chosen, note)
}
