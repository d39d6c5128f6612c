//! Ridge regression from one scan: minimises Σ (y − b − x·β)² + alpha·‖β‖², intercept not penalised, alpha not
//! divided by the number of rows (scikit-learn's `Ridge`).
//!
//! Small data are solved in double-double from the rows. Larger data go through a blocked Gram matrix in one
//! scan; if its columns turn out ill-conditioned, a second scan takes the sums in double-double, and the
//! model says so (`method: exact`).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::options::{OptionsError, Range};
use sluice_core::seam::{BatchSource, BatchTransform};

use crate::design::{Design, Gathered, normal_of, split_label};
use crate::error::TrainingError;
use crate::linear::{Coefficient, LinearModel};
use crate::solve::{Normal, RidgeSolution, Rows, ridge, ridge_rows};

/// The condition of the scaled feature columns past which the blocked Gram matrix is not trusted.
const TRUSTED_CONDITION: f64 = 1e6;

/// What the user chooses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RidgeOptions {
    /// The penalty, at least 0; 0 is ordinary least squares.
    pub alpha: f64,
}

impl RidgeOptions {
    /// The penalties that are allowed.
    pub const ALPHA: Range = Range::at_least(0.0);

    /// # Errors
    /// [`OptionsError::OutOfRange`] for a negative, infinite or NaN penalty.
    pub fn check(&self) -> Result<(), OptionsError> {
        Self::ALPHA.check("ridge.alpha", self.alpha).map(drop)
    }
}

/// Fits a ridge regression of `label` on the outputs of `transform`.
///
/// # Errors
/// [`TrainingError`] for what the data make impossible, with file and row where there is one.
pub fn fit_ridge(
    source: &dyn BatchSource,
    transform: &Arc<dyn BatchTransform>,
    label: &str,
    options: &RidgeOptions,
    execution: &Execution,
) -> Result<LinearModel> {
    options.check()?;
    execution.progress.begin("train", source.plan().rows());
    let design = Design::new(source, transform, label)?;
    let (solution, method) = solve(source, transform, label, options, design, execution)?;
    execution.progress.end();
    model(solution, method, transform, label)
}

struct Solved {
    solution: RidgeSolution,
    label_mean: f64,
}

fn solve(
    source: &dyn BatchSource,
    transform: &Arc<dyn BatchTransform>,
    label: &str,
    options: &RidgeOptions,
    design: Design,
    execution: &Execution,
) -> Result<(Solved, &'static str)> {
    let width = design.width();
    let failed = |source| TrainingError::Solve { features: transform.space().column_names(), source };
    match fold(source, &design, execution)?.accumulator.gathered() {
        Gathered::Whole(rows) => {
            let (values, labels) = split_label(&rows, width);
            check_label(&labels, label)?;
            let rows =
                Rows { features: width, values: &values, label: &labels, weights: None, intercept: true };
            let solution = ridge_rows(rows, options.alpha).map_err(failed)?;
            let mut moments = sluice_summaries::Moments::default();
            moments.update(&labels);
            let label_mean = moments.mean().unwrap_or(0.0);
            Ok((Solved { solution, label_mean }, "whole"))
        }
        Gathered::Blocked(gram) => {
            let normal = normal_of(&gram).ok_or(TrainingError::NoRows)?;
            check_normal(&normal, label)?;
            let solution = ridge(&normal, options.alpha);
            // Columns that look dependent in f64 may be told apart in double-double.
            let trusted = solution.as_ref().is_ok_and(|RidgeSolution { diagnostics, .. }| {
                diagnostics.condition.sqrt() <= TRUSTED_CONDITION && diagnostics.aliased.is_empty()
            });
            match solution {
                Ok(solution) if trusted => {
                    Ok((Solved { solution, label_mean: normal.label_mean.to_f64() }, "blocked"))
                }
                _ => solve(source, transform, label, options, Design::exact(transform, label), execution),
            }
        }
        Gathered::Exact(normal) => {
            let normal = normal.ok_or(TrainingError::NoRows)?;
            check_normal(&normal, label)?;
            let solution = ridge(&normal, options.alpha).map_err(failed)?;
            Ok((Solved { solution, label_mean: normal.label_mean.to_f64() }, "exact"))
        }
    }
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

fn model(
    solved: Solved,
    method: &str,
    transform: &Arc<dyn BatchTransform>,
    label: &str,
) -> Result<LinearModel> {
    let Solved { solution, label_mean } = solved;
    let names = transform.space().column_names();
    Ok(LinearModel {
        family: "ridge".into(),
        label: label.into(),
        label_mean,
        intercept: solution.intercept,
        coefficients: names
            .into_iter()
            .zip(solution.coefficients)
            .map(|(column, value)| Coefficient { column, value })
            .collect(),
        method: method.into(),
        diagnostics: solution.diagnostics,
    })
}

#[cfg(test)]
mod tests;
