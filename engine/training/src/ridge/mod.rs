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

use serde::{Deserialize, Serialize};

use sluice_core::accumulator::Accumulator as _;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::options::OptionsError;

use crate::data::TrainingData;
use crate::design::{Design, Gathered, Sums, WholeRows};
use crate::error::TrainingError;
use crate::model::{Coefficient, LinearModel, Link, Output};
use crate::solve::{Normal, PreparedRows, RidgeSolution, ridge};

use cross_validation::{Folds, complete, sums_of_rows};

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
    /// Columns that the same features predict beside the label, each by an equation of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
}

impl From<f64> for RidgeOptions {
    fn from(alpha: f64) -> Self {
        Self { alpha: alpha.into(), targets: Vec::new() }
    }
}

impl From<Penalty> for RidgeOptions {
    fn from(alpha: Penalty) -> Self {
        Self { alpha, targets: Vec::new() }
    }
}

impl RidgeOptions {
    /// # Errors
    /// [`OptionsError`] for a penalty, a grid or a number of folds out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        self.alpha.check()
    }
}

/// Fits a ridge regression of each label on the outputs of the transform.
///
/// # Errors
/// [`TrainingError`] for what the data make impossible, with file and row where there is one.
pub fn fit_ridge(
    data: TrainingData<'_>,
    options: &RidgeOptions,
    execution: &Execution,
) -> Result<LinearModel> {
    options.check()?;
    let fitted = solve(data, &options.alpha, Design::new(data, options.alpha.folds())?, execution)?;
    execution.progress.end();
    model(fitted, data)
}

/// What came of the rows.
#[derive(Debug)]
struct Fitted {
    /// How they were read.
    method: &'static str,
    /// One for each label.
    targets: Vec<Solved>,
}

/// The model of one label.
#[derive(Debug)]
struct Solved {
    solution: RidgeSolution,
    label_mean: f64,
    cross_validation: Option<CrossValidation>,
}

fn solve(data: TrainingData<'_>, penalty: &Penalty, design: Design, execution: &Execution) -> Result<Fitted> {
    let width = design.width();
    // An ill-conditioned matrix takes one more scan, which is a phase of its own.
    execution.progress.begin("train", data.source.plan().extent());
    match fold(data.source, &design, execution)?.accumulator.finish() {
        Gathered::Whole { rows, fold_of_row } => {
            let targets = each_target(data, |target| {
                let rows = (&rows, fold_of_row.as_slice());
                solve_whole(data, penalty, rows, (width, target), execution)
            })?;
            Ok(Fitted { method: "whole", targets })
        }
        Gathered::Summed(sums) => {
            let is_exact = sums.iter().all(Sums::is_exact);
            let sums = complete(sums.into_iter().map(Sums::normal).collect(), data)?;
            let solved = each_target(data, |target| {
                let folds = Folds::new(data, penalty, &sums, (width, target));
                solve_sums(data, &folds, label(data, target), is_exact, execution)
            })?;
            match solved.into_iter().collect::<Option<Vec<_>>>() {
                Some(targets) => Ok(Fitted { method: if is_exact { "exact" } else { "blocked" }, targets }),
                // Columns that look dependent in f64 may be told apart in double-double.
                None => solve(data, penalty, Design::exact(data, penalty.folds()), execution),
            }
        }
    }
}

/// Solves one label from sums; none where they are not exact enough.
fn solve_sums(
    data: TrainingData<'_>,
    folds: &Folds<'_>,
    label: &str,
    is_exact: bool,
    execution: &Execution,
) -> Result<Option<Solved>> {
    let all = folds.joined(None)?;
    check_normal(&all, label)?;
    if !is_exact && !folds.are_trusted(&all, execution)? {
        return Ok(None);
    }
    let (alpha, cross_validation) = folds.choose(execution)?;
    let solution = ridge(&all, alpha).map_err(|error| data.failed(error))?;
    Ok(Some(Solved { solution, label_mean: all.label_mean.to_f64(), cross_validation }))
}

/// Does `work` for the number of each label.
fn each_target<T>(data: TrainingData<'_>, work: impl FnMut(usize) -> Result<T>) -> Result<Vec<T>> {
    (0..data.columns.labels().count()).map(work).collect()
}

/// The name of a label.
fn label(data: TrainingData<'_>, target: usize) -> &str {
    data.columns.labels().nth(target).unwrap_or_default()
}

/// Solves one label from rows kept whole, with the fold of each where there are several.
fn solve_whole(
    data: TrainingData<'_>,
    penalty: &Penalty,
    (rows, fold_of_row): (&WholeRows, &[u32]),
    (width, target): (usize, usize),
    execution: &Execution,
) -> Result<Solved> {
    let labels = data.columns.labels().count();
    let own = rows.target(width, labels, target);
    check_label(data, &own.label, label(data, target))?;
    let (alpha, cross_validation) = match penalty {
        Penalty::Fixed(alpha) => (*alpha, None),
        Penalty::Searched(search) => {
            let sums = sums_of_rows(rows, fold_of_row, width + labels, search.folds, execution)?;
            Folds::new(data, penalty, &complete(sums, data)?, (width, target)).choose(execution)?
        }
    };
    // From the rows in their own order: the same bits whether this penalty was chosen or given.
    let prepared = PreparedRows::new(own.rows(true)).map_err(|error| data.failed(error))?;
    let solution = prepared.ridge(alpha).map_err(|error| data.failed(error))?;
    let label_mean = prepared.normal().label_mean.to_f64();
    Ok(Solved { solution, label_mean, cross_validation })
}

/// Whether the blocked Gram matrix was exact enough for this solution.
fn is_trusted(solution: &RidgeSolution) -> bool {
    let diagnostics = &solution.diagnostics;
    diagnostics.condition.sqrt() <= TRUSTED_CONDITION && diagnostics.aliased.is_empty()
}

fn check_label(data: TrainingData<'_>, labels: &[f64], label: &str) -> Result<(), TrainingError> {
    let Some(first) = labels.first() else { return Err(data.no_rows()) };
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

fn model(fitted: Fitted, data: TrainingData<'_>) -> Result<LinearModel> {
    let Fitted { method, targets } = fitted;
    let names = data.transform.space().column_names();
    let first = targets.first().ok_or_else(|| CommonError::Internal("a model without a label".into()))?;
    let (label_mean, rows) = (first.label_mean, first.solution.diagnostics.rows);
    let outputs = data.columns.labels().zip(targets).map(|(target, solved)| {
        let Solved { solution, cross_validation, .. } = solved;
        Output {
            target: target.into(),
            alpha: solution.diagnostics.alpha,
            intercept: solution.intercept,
            coefficients: Coefficient::named(&names, &solution.coefficients),
            diagnostics: solution.diagnostics,
            cross_validation,
        }
    });
    Ok(LinearModel {
        family: "ridge".into(),
        label: data.columns.label.clone(),
        label_mean,
        link: Link::Identity,
        method: method.into(),
        rows,
        outputs: outputs.collect(),
        glm: None,
    })
}

#[cfg(test)]
mod tests;
