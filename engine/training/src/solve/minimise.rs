//! The minimum of an [`Objective`], from sums: by one linear system where only squares are penalised, else by
//! selection; with diagnostics, or for many penalties in turn without.

use super::normal::Normal;
use super::objective::Objective;
use super::ridge::{DOUBLE_DOUBLE_FEATURES, finish, intercept_of, solve};
use super::selection::{Descent, Selected};
use super::solution::RidgeSolution;
use super::system::Solved;
use crate::error::SolveError;
use sluice_core::double_double::DoubleDouble;

/// Above this number of features a trial is factored in `f64` and refined: many penalties are tried.
const TRIAL_DOUBLE_DOUBLE_FEATURES: usize = 48;

/// The minimum, with diagnostics.
///
/// # Errors
/// Those of [`ridge()`](super::ridge()), and [`SolveError::NotConverged`].
pub fn minimise(normal: &Normal, objective: &Objective) -> Result<RidgeSolution, SolveError> {
    objective.check()?;
    normal.check()?;
    let penalties = objective.each(normal.features());
    if !objective.selects() {
        let solved = solve(normal, &penalties.square, penalties.square_alpha, DOUBLE_DOUBLE_FEATURES)?;
        let residual_square = solved.residual_square(normal.label_square);
        return finish(normal, &solved, objective.alpha, residual_square);
    }
    let solved = Descent::new(normal).select(normal, &penalties, DOUBLE_DOUBLE_FEATURES)?.solved;
    let trial = Trial::of(normal, &solved);
    let residual_square = normal.squared_error(&trial.coefficients, trial.intercept).to_f64();
    finish_selected(normal, &solved, objective.alpha, residual_square)
}

/// A selection with its diagnostics. It has no standard errors: those of a linear system do not count that the data
/// chose its columns.
pub(super) fn finish_selected(
    normal: &Normal,
    solved: &Solved,
    alpha: f64,
    residual_square: f64,
) -> Result<RidgeSolution, SolveError> {
    let mut solution = finish(normal, solved, alpha, residual_square)?;
    solution.diagnostics.standard_errors = None;
    solution.diagnostics.intercept_standard_error = None;
    Ok(solution)
}

/// What one penalty makes of a problem.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The coefficients.
    pub coefficients: Vec<DoubleDouble>,
    /// The intercept.
    pub intercept: DoubleDouble,
}

impl Trial {
    fn of(normal: &Normal, solved: &Solved) -> Self {
        let coefficients = solved.coefficients(normal.features());
        let intercept = intercept_of(normal, &coefficients);
        Self { coefficients, intercept }
    }

    /// How many coefficients are not 0.
    #[must_use]
    pub fn nonzero(&self) -> usize {
        self.coefficients.iter().filter(|coefficient| coefficient.high != 0.0).count()
    }
}

/// A problem that is solved for one penalty after another, each from where the one before ended.
#[derive(Debug)]
pub struct Trials<'a> {
    normal: &'a Normal,
    descent: Option<Descent>,
}

impl<'a> Trials<'a> {
    /// # Errors
    /// Those of [`Normal::check`].
    pub fn new(normal: &'a Normal) -> Result<Self, SolveError> {
        normal.check()?;
        Ok(Self { normal, descent: None })
    }

    /// The coefficients and the intercept alone, without what the diagnostics cost.
    ///
    /// # Errors
    /// As [`minimise`], but for numbers outside the range of `f64`.
    pub fn solve(&mut self, objective: &Objective) -> Result<Trial, SolveError> {
        objective.check()?;
        let normal = self.normal;
        let penalties = objective.each(normal.features());
        if !objective.selects() {
            let alpha = penalties.square_alpha;
            let solved = solve(normal, &penalties.square, alpha, TRIAL_DOUBLE_DOUBLE_FEATURES)?;
            return Ok(Trial::of(normal, &solved));
        }
        let descent = self.descent.get_or_insert_with(|| Descent::new(normal));
        let Selected { solved, .. } = descent.select(normal, &penalties, TRIAL_DOUBLE_DOUBLE_FEATURES)?;
        Ok(Trial::of(normal, &solved))
    }
}
