//! The iteration: Newton's method on loss + ½ Σ l2 c² + Σ l1 |c|, each step a scan.
//!
//! At a point with slope g and curvature F (both of minus the log-likelihood) the next point minimises the quadratic
//! there: (F + L2)δ = g − L2 c without absolute penalties, coordinate descent with them (proximal Newton: Lee, Sun &
//! Saunders, SIAM Journal on Optimization 24 (2014)). A step that does not lower the objective by 1e-4 of what the slope
//! promises is halved. The length of a step is √(δ'(F + L2)δ), its size in standard errors; `pace` decides by it whether
//! that step is the last, and whether the scan where it leads takes F too: near the end that of an earlier point serves.
//!
//! With more than two classes the sum of the coefficients over the classes is not determined by the data. The matrix
//! `N` = (1/K) 11' ⊗ D on the columns without penalty makes the system definite and leaves the solution, whose sums are
//! 0, as it is.

use sluice_core::accumulator::Accumulator as _;
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::{fold, in_order};

use super::error::GlmError;
use super::family::Family;
use super::pace::{Pace, Turn};
use super::rows::{KeptBlock, RowReader};
use super::scan::{Point, RowSums, Scan, Scratch, Sums, Wanted};
use super::separation::Recession;
use crate::data::TrainingData;
use crate::error::{SolveError, TrainingError};
use crate::solve::{Packed, Penalised, PenalisedSolution, Penalties, Quadratic, coordinate_descent};

/// Halvings of a step at most.
const HALVINGS: u32 = 40;
/// Steps after which a direction without end is looked for, and again after as many.
const PATIENCE: u32 = 12;
/// The share of the promised fall that a step must bring.
const ENOUGH: f64 = 1e-4;
/// What the loss cannot show beside its own size.
const LOSS_ROUNDING: f64 = 1e-12;
/// The precision of coordinate descent, relative to the largest entry.
const DESCENT_TOLERANCE: f64 = 1e-13;

/// Where rows come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin<'a> {
    /// From memory, block by block.
    Kept(&'a [KeptBlock]),
    /// From the source, each time anew.
    Scanned,
}

/// What is minimised.
pub(super) struct Problem<'a> {
    pub(super) data: TrainingData<'a>,
    pub(super) execution: &'a Execution,
    pub(super) reader: RowReader,
    pub(super) origin: Origin<'a>,
    /// What the progress calls it.
    pub(super) name: &'static str,
    /// What the distribution is called.
    pub(super) family_name: &'static str,
    /// The penalty as the user said it.
    pub(super) alpha: f64,
    /// The penalties of squares, by coefficient.
    pub(super) square: Vec<f64>,
    /// The penalties of magnitudes.
    pub(super) absolute: Vec<f64>,
    pub(super) tolerance: f64,
    pub(super) max_iterations: u32,
    /// Whether the matrix at the end must be that of the end, for the statistics.
    pub(super) needs_matrix: bool,
    /// Whether losses at the start that are no numbers are errors of their rows.
    pub(super) is_strict: bool,
    /// Whether to look for directions without end.
    pub(super) seeks_separation: bool,
}

/// Sums at a point, and the objective there.
pub(super) struct Evaluated {
    pub(super) point: Point,
    pub(super) sums: Sums,
    pub(super) objective: f64,
}

/// How an iteration went.
pub(super) struct Optimum {
    /// The last point at which sums were taken.
    pub(super) evaluated: Evaluated,
    /// The coefficients after the last step.
    pub(super) coefficients: Vec<f64>,
    pub(super) iterations: u32,
    /// The objective at each point, falling.
    pub(super) objectives: Vec<f64>,
    /// The length of the last step, in standard errors.
    pub(super) last_step: f64,
}

/// Where a step leads.
struct Step {
    target: Vec<f64>,
    /// How much the objective would change at first; at most 0.
    slope: f64,
}

impl Step {
    /// In standard errors.
    fn length(&self) -> f64 {
        (-self.slope).sqrt()
    }
}

impl Problem<'_> {
    /// Minimises from `start`.
    pub(super) fn minimise(&self, start: Point) -> Result<Optimum> {
        let mut current = self.evaluate(start, Wanted::Matrix, self.is_strict, "start")?;
        if !current.objective.is_finite() {
            let predictor = current.point.coefficients.first().copied().unwrap_or(0.0);
            return Err(GlmError::LossInfinite { predictor }.into());
        }
        let mut objectives = vec![current.objective];
        let mut pace = Pace::new(self.tolerance, self.needs_matrix);
        for iteration in 1..=self.max_iterations {
            let step = self.step(&current)?;
            let length = step.length();
            let turn = pace.turn(length, current.sums.curvature.to_f64());
            if self.is_suspect(&current, iteration, turn == Turn::End) {
                self.check_separation(&current, &step)?;
            }
            let Turn::Go(wanted) = turn else {
                return Ok(Optimum {
                    evaluated: current,
                    coefficients: step.target,
                    iterations: iteration,
                    objectives,
                    last_step: length,
                });
            };
            current = self.descend(current, &step, wanted, iteration, &mut pace)?;
            objectives.push(current.objective);
        }
        let length = self.step(&current)?.length();
        Err(self.not_converged(self.max_iterations, length).into())
    }

    fn not_converged(&self, iterations: u32, step: f64) -> GlmError {
        GlmError::NotConverged { family: self.family_name, iterations, step }
    }

    /// A solver's error, with the names of the coefficients that it numbers.
    fn failed(&self, source: SolveError, point: &Point) -> TrainingError {
        let intercept = point.intercept.then(|| "(intercept)".to_owned());
        let of_class: Vec<String> =
            intercept.into_iter().chain(self.data.transform.space().column_names()).collect();
        let features = (0..point.family.predictors()).flat_map(|_| of_class.iter().cloned()).collect();
        TrainingError::Solve { features, source }
    }

    /// The first point along the step at which the objective is lower, with a matrix of its own where it is `wanted`
    /// or the step is not taken all the way.
    fn descend(
        &self,
        mut current: Evaluated,
        step: &Step,
        wanted: Wanted,
        iteration: u32,
        pace: &mut Pace,
    ) -> Result<Evaluated> {
        let phase = format!("step {iteration}");
        let rounding = LOSS_ROUNDING * current.objective.abs();
        let mut share = 1.0;
        for halvings in 0..HALVINGS {
            let mut point = current.point.clone();
            for (coefficient, target) in point.coefficients.iter_mut().zip(&step.target) {
                // All the way exactly, so that what is 0 there is 0.
                *coefficient =
                    if share < 1.0 { *coefficient + share * (target - *coefficient) } else { *target };
            }
            // A step that was too long once may be so again.
            let wanted = if halvings == 0 { wanted } else { Wanted::Slope };
            let mut next = self.evaluate(point, wanted, false, &phase)?;
            if next.objective <= current.objective + ENOUGH * share * step.slope + rounding {
                if halvings > 0 {
                    next = self.evaluate(next.point, Wanted::Matrix, false, &phase)?;
                    pace.shortened();
                }
                if next.sums.has_matrix() {
                    pace.renew();
                } else {
                    next.sums.take_matrix(&mut current.sums);
                }
                return Ok(next);
            }
            share /= 2.0;
        }
        if pace.is_stale() {
            // The step may be none downhill, its matrix being that of another point.
            pace.shortened();
            pace.renew();
            return self.evaluate(current.point, Wanted::Matrix, false, &phase);
        }
        Err(self.not_converged(iteration, step.length()).into())
    }

    /// Sums of the rows at a point.
    pub(super) fn evaluate(
        &self,
        point: Point,
        wanted: Wanted,
        is_strict: bool,
        phase: &str,
    ) -> Result<Evaluated> {
        let sums = Sums::new(point.family, point.columns(), wanted);
        let sums = self.gather(&point, sums, is_strict, phase)?;
        let penalties = point.coefficients.iter().zip(&self.square).zip(&self.absolute);
        let penalty: f64 =
            penalties.map(|((c, square), absolute)| 0.5 * square * c * c + absolute * c.abs()).sum();
        let objective = sums.loss.to_f64() + penalty;
        Ok(Evaluated { point, sums, objective })
    }

    fn gather<S>(&self, point: &Point, sums: S, is_strict: bool, phase: &str) -> Result<S>
    where
        S: RowSums,
    {
        match self.origin {
            Origin::Kept(blocks) => {
                let mut total = sums.empty();
                let work = |block: &KeptBlock| {
                    let mut own = sums.empty();
                    own.add(point, block.rows(), &mut Scratch::default());
                    Ok(own)
                };
                in_order(blocks, self.execution, work, |_, own| {
                    total.merge(own);
                    Ok(())
                })?;
                Ok(total)
            }
            Origin::Scanned => {
                let phase = format!("{}, {phase}", self.name);
                self.execution.progress.begin(&phase, self.data.source.plan().extent());
                let scan = Scan::new(self.reader.clone(), point.clone(), sums, is_strict);
                Ok(fold(self.data.source, &scan, self.execution)?.accumulator.finish())
            }
        }
    }

    /// Where the quadratic at a point has its minimum.
    fn step(&self, at: &Evaluated) -> Result<Step> {
        let coefficients = &at.point.coefficients;
        let target = if self.absolute.iter().any(|penalty| *penalty > 0.0) {
            self.descent(at)?
        } else {
            let solution = self.system(at)?.solution();
            coefficients.iter().zip(solution).map(|(old, change)| old + change).collect()
        };
        let mut slope = 0.0;
        for (index, (&new, &old)) in target.iter().zip(coefficients).enumerate() {
            let smooth = self.square[index] * old - at.sums.slope[index].to_f64();
            slope += smooth * (new - old) + self.absolute[index] * (new.abs() - old.abs());
        }
        // Rounding may leave it above 0 where there is nothing to gain.
        Ok(Step { target, slope: if slope < 0.0 { slope } else { -0.0 } })
    }

    /// The system of a step, solved.
    pub(super) fn system(&self, at: &Evaluated) -> Result<PenalisedSolution> {
        let coefficients = &at.point.coefficients;
        let right = at.sums.slope.iter().zip(coefficients).zip(&self.square);
        let right = right
            .map(|((slope, coefficient), penalty)| *slope - DoubleDouble::product(*penalty, *coefficient));
        let penalised = Penalised {
            matrix: self.determined(at.sums.information(), &at.point),
            right: right.collect(),
            penalties: self.square.clone(),
            alpha: self.alpha,
            rows: at.sums.rows,
        };
        Ok(penalised.solve().map_err(|error| self.failed(error, &at.point))?)
    }

    /// The matrix with what determines the sums over the classes.
    fn determined(&self, mut matrix: Packed, point: &Point) -> Packed {
        let Family::Softmax(classes) = point.family else { return matrix };
        let columns = point.columns();
        let share = 1.0 / classes as f64;
        for column in (0..columns).filter(|column| !(self.square[*column] > 0.0)) {
            let of_class = |class: usize| class * columns + column;
            let own = (0..classes).map(|class| matrix.at(of_class(class), of_class(class)));
            let size = own.fold(DoubleDouble::ZERO, |sum, own| sum + own) * share;
            for first in 0..classes {
                for second in 0..=first {
                    let entry = matrix.at_mut(of_class(first), of_class(second));
                    *entry = *entry + size * share;
                }
            }
        }
        matrix
    }

    fn descent(&self, at: &Evaluated) -> Result<Vec<f64>> {
        let information = at.sums.information();
        let size = information.size();
        let coefficients = &at.point.coefficients;
        let mut matrix = vec![0.0; size * size];
        for row in 0..size {
            for column in 0..=row {
                let entry = information.at(row, column).to_f64();
                matrix[row * size + column] = entry;
                matrix[column * size + row] = entry;
            }
        }
        let exact: Vec<DoubleDouble> = coefficients.iter().map(|&c| DoubleDouble::from(c)).collect();
        let product = information.multiply(&exact);
        let linear: Vec<f64> =
            product.iter().zip(&at.sums.slope).map(|(product, slope)| (*product + *slope).to_f64()).collect();
        let mut target = coefficients.clone();
        let penalties = Penalties { absolute: &self.absolute, square: &self.square, non_negative: false };
        let quadratic = Quadratic { matrix: &matrix, linear: &linear };
        coordinate_descent(quadratic, penalties, DESCENT_TOLERANCE, &mut target)
            .map_err(|error| self.failed(error, &at.point))?;
        Ok(target)
    }

    /// Whether the coefficients may be running off.
    fn is_suspect(&self, at: &Evaluated, iteration: u32, is_last: bool) -> bool {
        let fits_all = at.point.family.has_classes() && at.sums.misfits == 0;
        self.seeks_separation
            && (fits_all || iteration.is_multiple_of(PATIENCE) || (is_last && iteration > 8))
    }

    /// # Errors
    /// [`GlmError::Separable`] where the coefficients, or the step, are a direction without end.
    fn check_separation(&self, at: &Evaluated, step: &Step) -> Result<()> {
        let space = self.data.transform.space();
        let names = if self.reader.transform.is_some() { space.column_names() } else { Vec::new() };
        let change: Vec<f64> =
            step.target.iter().zip(&at.point.coefficients).map(|(new, old)| new - old).collect();
        for (direction, is_step) in [(at.point.coefficients.clone(), false), (change, true)] {
            let point = Point { coefficients: direction, ..at.point.clone() };
            let empty = Recession::new(point.family, point.columns());
            let found = self.gather(&point, empty, false, "separation")?;
            if let Some(error) = found.error(&point, is_step, &self.data.columns.label, &names) {
                return Err(error.into());
            }
        }
        Ok(())
    }
}
