//! Ridge regression of designs too wide for a matrix of their products: thousands of indicators, which stay codes.
//!
//! Conjugate gradients (Hestenes & Stiefel, Journal of Research of the National Bureau of Standards 49 (1952), with the
//! diagonal as preconditioner) on the normal equations, of which nothing is kept but vectors: each step reads the rows
//! once and adds up `X'W(Xp)` for all systems that are still at work - every penalty in every fold of a
//! cross-validation, every label. Memory is some vectors per system, whatever the rows.
//!
//! - `piece`: rows as the scans take them, numbers as columns, indicators as codes;
//! - `survey`: the first scan, which gathers what belongs to single columns;
//! - `products`: the scan of a step, and that of squared errors;
//! - `conjugate`: the steps.
//!
//! Columns of numbers are shifted and scaled as for Gram matrices; indicators are not, so that they stay 0. What a
//! matrix would tell beside the solution (standard errors, the trace of the hat matrix) is not known here.

mod conjugate;
mod piece;
mod products;
mod survey;
#[cfg(test)]
mod tests;

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::execution::Execution;

use crate::data::TrainingData;
use crate::error::SolveError;
use crate::solve::{Diagnostics, Method, RidgeSolution};

use conjugate::{Solved, System};
use products::squared_errors;
use survey::Survey;

/// The bytes that the matrices of products of all folds may take before a design is solved by iterations, unless told
/// otherwise. Solving with a matrix takes some six of them.
pub const GRAM_LIMIT: u64 = 128 << 20;

/// Whether the matrices of the products of so many columns, one for each fold, pass a limit in bytes.
#[must_use]
pub fn is_wide(columns: usize, folds: u32, limit: u64) -> bool {
    let columns = columns as u64;
    let entries = columns.saturating_mul(columns.saturating_add(1)) / 2;
    entries.saturating_mul(u64::from(folds)).saturating_mul(size_of::<DoubleDouble>() as u64) > limit
}

/// A design that is solved by scans.
#[derive(Debug)]
pub struct WideDesign<'a> {
    data: TrainingData<'a>,
    folds: u32,
    survey: Survey,
}

impl<'a> WideDesign<'a> {
    /// Reads the rows once, for what belongs to single columns.
    ///
    /// # Errors
    /// What reading meets; that there are no rows.
    pub fn new(data: TrainingData<'a>, folds: u32, execution: &Execution) -> Result<Self> {
        let survey = Survey::of(data, folds, execution)?;
        Ok(Self { data, folds, survey })
    }

    /// The rows of each fold.
    #[must_use]
    pub fn fold_rows(&self) -> Vec<u64> {
        self.survey.folds.iter().map(|fold| fold.rows).collect()
    }

    /// The weights of each fold.
    #[must_use]
    pub fn fold_weights(&self) -> Vec<f64> {
        self.survey.folds.iter().map(|fold| fold.weight.to_f64()).collect()
    }

    /// The weighted mean of each column of the design.
    #[must_use]
    pub fn column_means(&self) -> Vec<f64> {
        self.survey.column_means()
    }

    /// The weighted mean of a label, and the weighted sum of its squares about it.
    #[must_use]
    pub fn label_moments(&self, target: usize) -> (f64, f64) {
        let all = self.survey.without(None);
        let mean = self.survey.label_mean(&all, target);
        (mean.to_f64(), self.survey.label_square(&all, target).to_f64())
    }

    /// The sums of squared errors: for each fold, those of each penalty fitted on the other folds.
    ///
    /// # Errors
    /// [`SolveError`] where the steps do not come to an end; what reading meets.
    pub fn cross_validate(
        &self,
        target: usize,
        alphas: &[f64],
        execution: &Execution,
    ) -> Result<Vec<Vec<DoubleDouble>>> {
        let systems: Vec<System> = (0..self.folds)
            .flat_map(|fold| alphas.iter().map(move |&alpha| (fold, alpha)))
            .map(|(fold, alpha)| System { target, alpha, left_out: Some(fold) })
            .collect();
        let solved = self.solve_systems(&systems, execution)?;
        let models: Vec<_> = systems.iter().zip(&solved).collect();
        let errors = squared_errors(self.data, &self.survey, &models, execution)?;
        Ok(errors.chunks(alphas.len()).map(<[DoubleDouble]>::to_vec).collect())
    }

    /// Fits a label with a penalty above 0 on all rows.
    ///
    /// # Errors
    /// [`SolveError`] where the steps do not come to an end or the penalty is 0; what reading meets.
    pub fn solve(&self, target: usize, alpha: f64, execution: &Execution) -> Result<RidgeSolution> {
        let system = System { target, alpha, left_out: None };
        let solved = self.solve_systems(&[system], execution)?.remove(0);
        let residual_square = squared_errors(self.data, &self.survey, &[(&system, &solved)], execution)?;
        let all = self.survey.without(None);
        let (coefficients, intercept) = self.survey.in_units(&all, target, &solved.solution);
        let constant = self.survey.constant(&all);
        if let Some(feature) = coefficients.iter().position(|coefficient| !coefficient.is_finite()) {
            return Err(self.data.failed(SolveError::CoefficientNotFinite { feature }).into());
        }
        let diagnostics = Diagnostics {
            alpha,
            rows: all.rows,
            rank: coefficients.len() - constant.len(),
            constant,
            aliased: Vec::new(),
            condition: solved.condition,
            effective_degrees: None,
            residual_square: residual_square[0].to_f64(),
            label_square: self.survey.label_square(&all, target).to_f64(),
            residual_variance: None,
            standard_errors: None,
            intercept_standard_error: None,
            method: Method::ConjugateGradients,
            refinements: solved.steps,
        };
        Ok(RidgeSolution { coefficients, intercept, diagnostics })
    }

    fn solve_systems(&self, systems: &[System], execution: &Execution) -> Result<Vec<Solved>> {
        if let Some(system) = systems.iter().find(|system| !(system.alpha > 0.0)) {
            return Err(self.data.failed(SolveError::PenaltyMissing { alpha: system.alpha }).into());
        }
        conjugate::solve(self.data, &self.survey, systems, execution)
    }
}
