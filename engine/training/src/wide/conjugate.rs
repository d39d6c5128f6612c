//! Conjugate gradients for many systems at once: one scan a step.

use faer::{Mat, Side};

use sluice_core::error::Result;
use sluice_core::execution::Execution;

use super::products::{Direction, multiply};
use super::survey::{Centered, Survey};
use crate::data::TrainingData;
use crate::error::SolveError;

/// A system ends where the preconditioned norm of its residual has fallen to this share.
const ENOUGH: f64 = 1e-14;

/// Steps at most.
const MOST_STEPS: usize = 1000;

/// A label on the rows of all folds but one, with a penalty.
#[derive(Clone, Copy, Debug)]
pub(super) struct System {
    pub(super) target: usize,
    pub(super) alpha: f64,
    pub(super) left_out: Option<u32>,
}

/// What came of a system.
#[derive(Debug)]
pub(super) struct Solved {
    /// In the units of the scans.
    pub(super) solution: Vec<f64>,
    pub(super) steps: usize,
    /// An estimate of the condition of the penalised, scaled matrix, from the steps.
    pub(super) condition: f64,
}

/// A system at work.
struct Running {
    left_out: Option<u32>,
    means: Vec<f64>,
    /// The penalty of each column in the units of the scans.
    penalties: Vec<f64>,
    /// The reciprocal of the diagonal; 0 for columns that do not vary, which stay at 0.
    inverse: Vec<f64>,
    solution: Vec<f64>,
    residual: Vec<f64>,
    direction: Vec<f64>,
    /// `r'M⁻¹r`, at the start and now.
    first: f64,
    now: f64,
    /// The lengths of the steps and the shares of the old direction in the new.
    lengths: Vec<f64>,
    shares: Vec<f64>,
}

/// Solves all systems.
///
/// # Errors
/// [`SolveError::NotConverged`]; what reading meets.
pub(super) fn solve(
    data: TrainingData<'_>,
    survey: &Survey,
    systems: &[System],
    execution: &Execution,
) -> Result<Vec<Solved>> {
    let mut running: Vec<Running> = systems.iter().map(|system| Running::new(survey, system)).collect();
    for _ in 0..MOST_STEPS {
        execution.cancel.check()?;
        let mut at_work: Vec<&mut Running> = running.iter_mut().filter(|system| !system.is_done()).collect();
        if at_work.is_empty() {
            return Ok(running.into_iter().map(Running::solved).collect());
        }
        let directions: Vec<Direction<'_>> = at_work.iter().map(|system| system.asks()).collect();
        let products = multiply(data, survey, &directions, execution)?;
        at_work.iter_mut().zip(products).for_each(|(system, product)| system.step(product));
    }
    Err(data.failed(SolveError::NotConverged { steps: MOST_STEPS }).into())
}

impl Running {
    fn new(survey: &Survey, system: &System) -> Self {
        let rows = survey.without(system.left_out);
        let Centered { means, right, diagonal } = survey.centered(&rows, system.target);
        let scales = &survey.layout.scale;
        let penalties: Vec<f64> =
            means.iter().zip(scales).map(|(_, scale)| system.alpha * scale * scale).collect();
        let inverse: Vec<f64> = diagonal
            .iter()
            .zip(&penalties)
            .map(|(own, penalty)| if *own > 0.0 { (own + penalty).recip() } else { 0.0 })
            .collect();
        let direction: Vec<f64> =
            right.iter().zip(&inverse).map(|(right, inverse)| right * inverse).collect();
        let first = dot(&right, &direction);
        Self {
            left_out: system.left_out,
            solution: vec![0.0; means.len()],
            residual: right,
            first,
            now: first,
            lengths: Vec::new(),
            shares: Vec::new(),
            means,
            penalties,
            inverse,
            direction,
        }
    }

    fn is_done(&self) -> bool {
        // Also where everything is 0, or a sum is no number.
        !(self.now > ENOUGH * ENOUGH * self.first)
    }

    fn asks(&self) -> Direction<'_> {
        Direction {
            left_out: self.left_out,
            vector: &self.direction,
            mean: dot(&self.means, &self.direction),
        }
    }

    /// Goes along the direction; `product` is what the rows make of it.
    fn step(&mut self, mut product: Vec<f64>) {
        for ((product, penalty), direction) in product.iter_mut().zip(&self.penalties).zip(&self.direction) {
            *product += penalty * direction;
        }
        let curvature = dot(&self.direction, &product);
        if !(curvature > 0.0) {
            // Rounding is all that is left.
            self.now = 0.0;
            return;
        }
        let length = self.now / curvature;
        for (solution, direction) in self.solution.iter_mut().zip(&self.direction) {
            *solution += length * direction;
        }
        for (residual, product) in self.residual.iter_mut().zip(&product) {
            *residual -= length * product;
        }
        let scaled: Vec<f64> =
            self.residual.iter().zip(&self.inverse).map(|(r, inverse)| r * inverse).collect();
        let now = dot(&self.residual, &scaled);
        let share = now / self.now;
        for (direction, scaled) in self.direction.iter_mut().zip(&scaled) {
            *direction = scaled + share * *direction;
        }
        self.now = now;
        self.lengths.push(length);
        self.shares.push(share);
    }

    fn solved(self) -> Solved {
        Solved {
            steps: self.lengths.len(),
            condition: condition(&self.lengths, &self.shares),
            solution: self.solution,
        }
    }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

/// The ratio of the extreme eigenvalues of the tridiagonal matrix that the steps have built (Saad, Iterative Methods for
/// Sparse Linear Systems, 2nd edition, section 6.7.3); 1 where there was nothing to do.
fn condition(lengths: &[f64], shares: &[f64]) -> f64 {
    let size = lengths.len();
    let entry = |i: usize, j: usize| match i.abs_diff(j) {
        0 if i == 0 => lengths[0].recip(),
        0 => lengths[i].recip() + shares[i - 1] / lengths[i - 1],
        1 => {
            let first = std::cmp::min(i, j);
            shares[first].sqrt() / lengths[first]
        }
        _ => 0.0,
    };
    let matrix = Mat::from_fn(size, size, entry);
    match matrix.self_adjoint_eigenvalues(Side::Lower) {
        Ok(values) if !values.is_empty() && values[0] > 0.0 => values[size - 1] / values[0],
        _ => 1.0,
    }
}
