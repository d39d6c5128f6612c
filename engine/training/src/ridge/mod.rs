//! Ridge regression from one scan: minimises Σ (y − b − x·β)² + alpha·‖β‖², intercept not penalised, alpha not
//! divided by the number of rows (scikit-learn's `Ridge`).
//!
//! The penalty is given, or chosen from a grid by cross-validation out of the same scan (`cross_validation`).
//!
//! Small data are solved in double-double from the rows. Larger data go through a blocked Gram matrix in one
//! scan; if its columns turn out ill-conditioned, a second scan takes the sums in double-double, and the
//! model says so (`method: exact`).

mod cross_validation;
mod penalty;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::batch::RowIdentity;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::options::OptionsError;
use sluice_core::seam::{BatchSource, BatchTransform};

use crate::design::{Design, Gathered, normal_of, split_label};
use crate::error::{SolveError, TrainingError};
use crate::linear::{Coefficient, LinearModel};
use crate::solve::{Normal, RidgeSolution, Rows, ridge, ridge_rows};

pub use cross_validation::{AlphaScore, CrossValidation};
pub use penalty::{Grid, Penalty, PenaltySearch};

/// The condition of the scaled feature columns past which the blocked Gram matrix is not trusted.
const TRUSTED_CONDITION: f64 = 1e6;

/// What the user chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RidgeOptions {
    /// The penalty, or a grid to choose it from.
    pub alpha: Penalty,
}

impl RidgeOptions {
    /// # Errors
    /// [`OptionsError`] for a penalty, a grid or a number of folds out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        self.alpha.check()
    }
}

/// What a fit reads beside the features.
#[derive(Clone, Copy, Debug)]
pub struct FitInputs<'a> {
    /// The column to predict.
    pub label: &'a str,
    /// What decides the fold of a row in a cross-validation. Without: the stored row hash if the source has
    /// one, else all its columns.
    pub identity: Option<&'a RowIdentity>,
}

impl<'a> From<&'a str> for FitInputs<'a> {
    fn from(label: &'a str) -> Self {
        Self { label, identity: None }
    }
}

/// Fits a ridge regression of the label on the outputs of `transform`.
///
/// # Errors
/// [`TrainingError`] for what the data make impossible, with file and row where there is one.
pub fn fit_ridge<'a>(
    source: &dyn BatchSource,
    transform: &Arc<dyn BatchTransform>,
    inputs: impl Into<FitInputs<'a>>,
    options: &RidgeOptions,
    execution: &Execution,
) -> Result<LinearModel> {
    options.check()?;
    let FitInputs { label, identity } = inputs.into();
    let data = Data { source, transform, label };
    let design = Design::new(source, transform, label)?;
    let (solved, cross_validation) = match &options.alpha {
        Penalty::Fixed(alpha) => (solve(data, *alpha, design, execution)?, None),
        Penalty::Searched(search) => {
            let identity =
                identity.cloned().unwrap_or_else(|| RowIdentity::choose(&[], &source.plan().column_names()));
            let (solved, record) = cross_validation::solve(data, search, &identity, design, execution)?;
            (solved, Some(record))
        }
    };
    execution.progress.end();
    Ok(model(solved, cross_validation, data))
}

/// What is fitted on what.
#[derive(Clone, Copy)]
struct Data<'a> {
    source: &'a dyn BatchSource,
    transform: &'a Arc<dyn BatchTransform>,
    label: &'a str,
}

impl Data<'_> {
    fn failed(&self, source: SolveError) -> TrainingError {
        TrainingError::Solve { features: self.transform.space().column_names(), source }
    }
}

struct Solved {
    solution: RidgeSolution,
    label_mean: f64,
    method: &'static str,
}

fn solve(data: Data<'_>, alpha: f64, design: Design, execution: &Execution) -> Result<Solved> {
    let width = design.width();
    // An ill-conditioned matrix takes one more scan, which is a phase of its own.
    execution.progress.begin("train", data.source.plan().extent());
    match fold(data.source, &design, execution)?.accumulator.gathered() {
        Gathered::Whole(rows) => solve_whole(data, &rows, width, alpha),
        Gathered::Blocked(gram) => {
            let normal = normal_of(&gram).ok_or(TrainingError::NoRows)?;
            check_normal(&normal, data.label)?;
            match ridge(&normal, alpha) {
                Ok(solution) if is_trusted(&solution) => {
                    Ok(Solved { solution, label_mean: normal.label_mean.to_f64(), method: "blocked" })
                }
                // Columns that look dependent in f64 may be told apart in double-double.
                _ => solve(data, alpha, Design::exact(data.transform, data.label), execution),
            }
        }
        Gathered::Exact(normal) => {
            let normal = normal.ok_or(TrainingError::NoRows)?;
            check_normal(&normal, data.label)?;
            let solution = ridge(&normal, alpha).map_err(|error| data.failed(error))?;
            Ok(Solved { solution, label_mean: normal.label_mean.to_f64(), method: "exact" })
        }
    }
}

/// Solves from row-major rows, the label last.
fn solve_whole(data: Data<'_>, rows: &[f64], width: usize, alpha: f64) -> Result<Solved> {
    let (values, labels) = split_label(rows, width);
    check_label(&labels, data.label)?;
    let rows = Rows { features: width, values: &values, label: &labels, weights: None, intercept: true };
    let solution = ridge_rows(rows, alpha).map_err(|error| data.failed(error))?;
    let mut moments = sluice_summaries::Moments::default();
    moments.update(&labels);
    Ok(Solved { solution, label_mean: moments.mean().unwrap_or(0.0), method: "whole" })
}

/// Whether the blocked Gram matrix was exact enough for this solution.
fn is_trusted(solution: &RidgeSolution) -> bool {
    let diagnostics = &solution.diagnostics;
    diagnostics.condition.sqrt() <= TRUSTED_CONDITION && diagnostics.aliased.is_empty()
}

fn check_label(labels: &[f64], label: &str) -> Result<(), TrainingError> {
    let Some(first) = labels.first() else { return Err(TrainingError::NoRows) };
    if labels.iter().all(|value| value.to_bits() == first.to_bits()) {
        return Err(TrainingError::LabelConstant {
            label: label.into(),
            value: *first,
            rows: labels.len() as u64,
        });
    }
    Ok(())
}

fn check_normal(normal: &Normal, label: &str) -> Result<(), TrainingError> {
    if normal.label_square.high > 0.0 {
        return Ok(());
    }
    let value = normal.label_mean.to_f64();
    Err(TrainingError::LabelConstant { label: label.into(), value, rows: normal.rows })
}

fn model(solved: Solved, cross_validation: Option<CrossValidation>, data: Data<'_>) -> LinearModel {
    let Solved { solution, label_mean, method } = solved;
    let names = data.transform.space().column_names();
    LinearModel {
        family: "ridge".into(),
        label: data.label.into(),
        label_mean,
        intercept: solution.intercept,
        coefficients: names
            .into_iter()
            .zip(solution.coefficients)
            .map(|(column, value)| Coefficient { column, value })
            .collect(),
        method: method.into(),
        diagnostics: solution.diagnostics,
        cross_validation,
    }
}

#[cfg(test)]
mod tests;
