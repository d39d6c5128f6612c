//! Linear least squares from one scan, without a penalty, with one of squares, of magnitudes or of both, over all
//! coefficients or those of at least 0. What each family minimises, with weights w that are 1 where there are none:
//!
//! - `least_squares`: Σ w (y − b − x·β)²
//! - `ridge`: Σ w (y − b − x·β)² + alpha·‖β‖², alpha not divided by the number of rows;
//! - `lasso`: Σ w (y − b − x·β)² / (2 Σ w) + alpha·Σ|βⱼ|
//! - `elastic_net`: Σ w (y − b − x·β)² / (2 Σ w) + alpha·(`l1_ratio`·Σ|βⱼ| + ½ (1 − `l1_ratio`)·‖β‖²)
//!
//! These are scikit-learn's estimators of those names. The intercept b is not penalised.
//!
//! The penalty is given, or chosen by cross-validation out of the same scan (`cross_validation`).
//!
//! Small data are solved in double-double from the rows. Larger data go through a blocked Gram matrix in one
//! scan; if its columns turn out ill-conditioned, a second scan takes the sums in double-double, and the
//! model says so (`method: exact`).

mod cross_validation;
mod options;
mod penalty;

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::options::OptionsError;

use crate::data::TrainingData;
use crate::design::affine::ColumnMaps;
use crate::design::{Design, Gathered, Sums, WholeRows};
use crate::error::TrainingError;
use crate::gather::{Gather, Scans};
use crate::inference::{Basis, Inference, infer};
use crate::model::{Coefficient, LinearModel, Link, Output};
use crate::solve::{Normal, PreparedRows, RidgeSolution, minimise};
use crate::wide::{WideDesign, is_wide};

use cross_validation::{Folds, complete, record, sums_of_rows};
use options::Candidate;

pub use cross_validation::{AlphaScore, CrossValidation};
pub use options::{
    ElasticNetOptions, Family, LassoOptions, LeastSquaresOptions, LinearOptions, MixingRatio, RidgeOptions,
};
pub use penalty::{Grid, Penalty, PenaltySearch, Rule};

/// The condition of the scaled feature columns past which the blocked Gram matrix is not trusted.
const TRUSTED_CONDITION: f64 = 1e6;

/// The same where products are features, which are known to more digits than `f64` has: powers of one column nearly
/// determine one another, and are to be told apart to nine digits.
const TRUSTED_OF_PRODUCTS: f64 = 1e3;

/// Fits a ridge regression of each label on the outputs of the transform.
///
/// # Errors
/// As [`fit_linear`].
pub fn fit_ridge(
    data: TrainingData<'_>,
    options: &RidgeOptions,
    execution: &Execution,
) -> Result<LinearModel> {
    options.check()?;
    fit_linear(data, &options.into(), execution)
}

/// Fits a linear model of each label on the outputs of the transform.
///
/// # Errors
/// Options out of their range; [`TrainingError`] for what the data make impossible, with file and row where there is
/// one.
pub fn fit_linear(
    data: TrainingData<'_>,
    options: &LinearOptions,
    execution: &Execution,
) -> Result<LinearModel> {
    fit_linear_from(data, options, &mut Scans { data, execution }, execution)
}

/// Fits a linear model from sums that may have been gathered elsewhere. What is too wide for sums reads the rows itself.
///
/// # Errors
/// As [`fit_linear`], and what gathering meets.
pub fn fit_linear_from(
    data: TrainingData<'_>,
    options: &LinearOptions,
    gather: &mut dyn Gather,
    execution: &Execution,
) -> Result<LinearModel> {
    options.check()?;
    let folds = options.alpha.folds();
    let columns = data.transform.space().width() + data.columns.labels().count();
    if options.gram_limit.is_some_and(|limit| is_wide(columns, folds, limit)) {
        if options.inference.is_some_and(|inference| !inference.is_default()) {
            let problem = format!(
                "is set, but a design of {columns} columns is solved by iterations, which tell no standard errors"
            );
            let hint = Some("raise `gram_limit`, or leave `inference` out".into());
            return Err(OptionsError::Conflict { name: "ridge.inference".into(), problem, hint }.into());
        }
        let fitted = solve_wide(data, options, execution)?;
        execution.progress.end();
        return model(fitted, options, data, execution);
    }
    let design = Design::new(data, folds)?;
    model(solve_from(data, options, (design, gather), execution)?, options, data, execution)
}

/// Fits by what `design` gathers, for as many folds as the penalty asks for.
///
/// # Errors
/// As [`fit_linear`].
pub fn fit_gathered(
    data: TrainingData<'_>,
    options: &LinearOptions,
    design: Design,
    execution: &Execution,
) -> Result<LinearModel> {
    options.check()?;
    if design.folds() != options.alpha.folds() {
        return Err(CommonError::Internal("a design has as many folds as its penalty asks for".into()).into());
    }
    model(solve(data, options, design, execution)?, options, data, execution)
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
    l1_ratio: Option<f64>,
    label_mean: f64,
    /// Of the columns of the design matrix.
    column_means: Vec<f64>,
    cross_validation: Option<CrossValidation>,
    /// What inference needs, where there is something to infer.
    basis: Option<Basis>,
}

/// Solves from scans of the rows.
fn solve(
    data: TrainingData<'_>,
    options: &LinearOptions,
    design: Design,
    execution: &Execution,
) -> Result<Fitted> {
    solve_from(data, options, (design, &mut Scans { data, execution }), execution)
}

fn solve_from(
    data: TrainingData<'_>,
    options: &LinearOptions,
    (design, gather): (Design, &mut dyn Gather),
    execution: &Execution,
) -> Result<Fitted> {
    let width = design.width();
    let (_, maps) = ColumnMaps::of(data.transform);
    match gather.gather(&design)? {
        Gathered::Whole { mut rows, fold_of_row } => {
            maps.apply_to_rows(&mut rows, width + data.columns.labels().count());
            let targets = each_target(data, |target| {
                let rows = (&rows, fold_of_row.as_slice());
                solve_whole(data, options, rows, (width, target), execution)
            })?;
            Ok(Fitted { method: "whole", targets })
        }
        Gathered::Summed(sums) => {
            let is_exact = sums.iter().all(Sums::is_exact);
            let mut sums = complete(sums.into_iter().map(Sums::normal).collect(), data)?;
            sums.iter_mut().for_each(|sums| maps.apply_to_sums(sums));
            let solved = each_target(data, |target| {
                let folds = Folds::new(data, options, &sums, (width, target))?;
                solve_sums(data, options, &folds, (label(data, target), is_exact), execution)
            })?;
            match solved.into_iter().collect::<Option<Vec<_>>>() {
                Some(targets) => Ok(Fitted { method: if is_exact { "exact" } else { "blocked" }, targets }),
                // Columns that look dependent in f64 may be told apart in double-double.
                None => {
                    let design = Design::exact(data, options.alpha.folds());
                    solve_from(data, options, (design, gather), execution)
                }
            }
        }
    }
}

/// Solves by iterations what is too wide for sums of products.
fn solve_wide(data: TrainingData<'_>, options: &LinearOptions, execution: &Execution) -> Result<Fitted> {
    let design = WideDesign::new(data, options.alpha.folds(), execution)?;
    let targets = each_target(data, |target| {
        let (label_mean, label_square) = design.label_moments(target);
        if !(label_square > 0.0) {
            let (label, rows) = (label(data, target).into(), design.fold_rows().iter().sum());
            return Err(TrainingError::LabelConstant { label, value: label_mean, rows }.into());
        }
        let (alpha, cross_validation) = match &options.alpha {
            Penalty::Fixed(alpha) => (*alpha, None),
            Penalty::Searched(search) => {
                // A path, which would ask for the end, is not for ridge.
                let alphas = options.alpha.alphas(|| f64::NAN);
                let errors = design.cross_validate(target, &alphas, execution)?;
                let candidates: Vec<Candidate> =
                    alphas.into_iter().map(|alpha| Candidate { alpha, l1_ratio: None }).collect();
                let folds = (design.fold_rows(), design.fold_weights());
                let record = record(&candidates, &errors, &[], folds, search.rule);
                (record.chosen, Some(record))
            }
        };
        let solution = design.solve(target, alpha, execution)?;
        let column_means = design.column_means();
        Ok(Solved { solution, l1_ratio: None, label_mean, column_means, cross_validation, basis: None })
    })?;
    Ok(Fitted { method: "iterative", targets })
}

/// Solves one label from sums; none where they are not exact enough.
fn solve_sums(
    data: TrainingData<'_>,
    options: &LinearOptions,
    folds: &Folds<'_>,
    (label, is_exact): (&str, bool),
    execution: &Execution,
) -> Result<Option<Solved>> {
    let all = folds.all();
    check_normal(all, label)?;
    if !is_exact && !folds.are_trusted(execution)? {
        return Ok(None);
    }
    let (chosen, cross_validation) = folds.choose(execution)?;
    let objective = options.objective(chosen, all.weight_sum);
    let solution = minimise(all, &objective).map_err(|error| data.failed(error))?;
    let log_weights = data.columns.weight.is_none().then_some(0.0);
    let basis = basis_of(data, options, (all, &solution), log_weights)?;
    let (label_mean, column_means) = folds.means();
    let l1_ratio = chosen.l1_ratio;
    Ok(Some(Solved { solution, l1_ratio, label_mean, column_means, cross_validation, basis }))
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
    options: &LinearOptions,
    (rows, fold_of_row): (&WholeRows, &[u32]),
    (width, target): (usize, usize),
    execution: &Execution,
) -> Result<Solved> {
    let labels = data.columns.labels().count();
    let own = rows.target(width, labels, target);
    check_label(data, options, &own.label, label(data, target))?;
    let (chosen, cross_validation) = match &options.alpha {
        Penalty::Fixed(alpha) => {
            (Candidate { alpha: *alpha, l1_ratio: options.l1_ratios.first().copied() }, None)
        }
        Penalty::Searched(search) => {
            let sums = sums_of_rows(rows, fold_of_row, width + labels, search.folds, execution)?;
            Folds::new(data, options, &complete(sums, data)?, (width, target))?.choose(execution)?
        }
    };
    // From the rows in their own order: the same bits whether this penalty was chosen or given.
    let prepared = PreparedRows::exact(own.rows(options.intercept), own.remainders);
    let prepared = prepared.map_err(|error| data.failed(error))?;
    let normal = prepared.normal();
    let objective = options.objective(chosen, normal.weight_sum);
    let solution = prepared.minimise(&objective).map_err(|error| data.failed(error))?;
    let basis = basis_of(data, options, (&normal, &solution), Some(rows.log_weights()))?;
    let (label_mean, column_means) = own.means();
    let l1_ratio = chosen.l1_ratio;
    Ok(Solved { solution, l1_ratio, label_mean, column_means, cross_validation, basis })
}

/// What inference needs of a fit, where the options have something to infer.
fn basis_of(
    data: TrainingData<'_>,
    options: &LinearOptions,
    (normal, solution): (&Normal, &RidgeSolution),
    log_weights: Option<f64>,
) -> Result<Option<Basis>, TrainingError> {
    let Some(inference) = options.inference else { return Ok(None) };
    Basis::new(normal, &solution.diagnostics, log_weights, inference).map_err(|error| data.failed(error))
}

/// Whether the blocked Gram matrix was exact enough for this solution.
fn is_trusted(data: TrainingData<'_>, solution: &RidgeSolution) -> bool {
    let diagnostics = &solution.diagnostics;
    let limit = if data.transform.rounded().is_empty() { TRUSTED_CONDITION } else { TRUSTED_OF_PRODUCTS };
    diagnostics.condition.sqrt() <= limit && diagnostics.aliased.is_empty()
}

/// Through the origin a constant label is a line like any other, unless it is 0.
fn check_label(
    data: TrainingData<'_>,
    options: &LinearOptions,
    labels: &[f64],
    label: &str,
) -> Result<(), TrainingError> {
    let Some(first) = labels.first() else { return Err(data.no_rows()) };
    let is_constant = labels.iter().all(|value| value.to_bits() == first.to_bits());
    if is_constant && (options.intercept || *first == 0.0) {
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
    fitted: Fitted,
    options: &LinearOptions,
    data: TrainingData<'_>,
    execution: &Execution,
) -> Result<LinearModel> {
    let Fitted { method, targets } = fitted;
    let names = data.transform.space().column_names();
    let first = targets.first().ok_or_else(|| CommonError::Internal("a model without a label".into()))?;
    let (label_mean, rows) = (first.label_mean, first.solution.diagnostics.rows);
    let column_means = first.column_means.clone();
    let inferences = inferences(data, options, &targets, execution)?;
    let solved = targets.into_iter().zip(inferences);
    let outputs = data.columns.labels().zip(solved).map(|(target, (solved, inference))| {
        let Solved { solution, l1_ratio, cross_validation, .. } = solved;
        Output {
            target: target.into(),
            alpha: solution.diagnostics.alpha,
            l1_ratio,
            intercept: solution.intercept,
            coefficients: Coefficient::named(&names, &solution.coefficients),
            diagnostics: solution.diagnostics,
            inference,
            cross_validation,
        }
    });
    Ok(LinearModel {
        family: options.family.name().into(),
        label: data.columns.label.clone(),
        label_mean,
        column_means,
        link: Link::Identity,
        method: method.into(),
        rows,
        outputs: outputs.collect(),
        calibration: None,
        glm: None,
    })
}

/// What the fits say of the population, label by label; nothing where one of them has no basis for it.
fn inferences(
    data: TrainingData<'_>,
    options: &LinearOptions,
    targets: &[Solved],
    execution: &Execution,
) -> Result<Vec<Option<Inference>>> {
    let bases: Option<Vec<_>> =
        targets.iter().map(|solved| Some((&solved.solution, solved.basis.as_ref()?))).collect();
    match (options.inference, bases) {
        (Some(inference), Some(bases)) => {
            Ok(infer(data, inference, &bases, execution)?.into_iter().map(Some).collect())
        }
        _ => Ok(targets.iter().map(|_| None).collect()),
    }
}

#[cfg(test)]
pub(crate) mod tests;
