//! The scans that multiply: `X'W(Xp)` for the systems at work, and the squared errors of solutions.

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::Inputs;
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::group::GroupMap;

use super::conjugate::{Solved, System};
use super::piece::Layout;
use super::survey::Survey;
use crate::data::TrainingData;

/// What a system multiplies.
pub(super) struct Direction<'a> {
    /// The fold whose rows do not take part.
    pub(super) left_out: Option<u32>,
    /// One number per column.
    pub(super) vector: &'a [f64],
    /// `mean'p`, which is taken off each row's sum.
    pub(super) mean: f64,
}

/// `Σ w z (z'p − mean'p)` of each system over the rows that take part.
///
/// # Errors
/// What reading meets.
pub(super) fn multiply(
    data: TrainingData<'_>,
    survey: &Survey,
    directions: &[Direction<'_>],
    execution: &Execution,
) -> Result<Vec<Vec<f64>>> {
    execution.progress.begin("train", data.source.plan().extent());
    let width = survey.layout.width();
    let start =
        Products { data, layout: &survey.layout, directions, sums: vec![vec![0.0; width]; directions.len()] };
    Ok(fold(data.source, &start, execution)?.accumulator.sums)
}

struct Products<'a> {
    data: TrainingData<'a>,
    layout: &'a Layout,
    directions: &'a [Direction<'a>],
    sums: Vec<Vec<f64>>,
}

impl Accumulator for Products<'_> {
    type Output = Vec<Vec<f64>>;

    fn inputs(&self) -> Inputs {
        self.layout.inputs(self.data)
    }

    fn empty(&self) -> Self {
        Self { sums: vec![vec![0.0; self.layout.width()]; self.directions.len()], ..*self }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let mut rows = Vec::new();
        let sums = &mut self.sums;
        self.layout.each_piece(self.data, batch, |piece| {
            for (direction, sums) in self.directions.iter().zip(sums.iter_mut()) {
                piece.times(direction.vector, -direction.mean, &mut rows);
                for (row, (sum, weight)) in rows.iter_mut().zip(&piece.weights).enumerate() {
                    let takes_part = direction.left_out.is_none_or(|fold| !piece.is_in(row, fold));
                    *sum = if takes_part { *sum * weight } else { 0.0 };
                }
                piece.transposed_times(&rows, sums);
            }
        })
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        for (mine, later) in self.sums.iter_mut().zip(&later.sums) {
            mine.iter_mut().zip(later).for_each(|(mine, later)| *mine += later);
        }
        Ok(())
    }

    fn finish(self) -> Vec<Vec<f64>> {
        self.sums
    }

    fn size_bytes(&self) -> usize {
        8 * self.layout.width() * self.directions.len()
    }
}

/// The weighted sums of squared errors of solutions, in the units of the label: over the fold that each left out, or
/// over all rows.
///
/// # Errors
/// What reading meets.
pub(super) fn squared_errors(
    data: TrainingData<'_>,
    survey: &Survey,
    models: &[(&System, &Solved)],
    execution: &Execution,
) -> Result<Vec<DoubleDouble>> {
    execution.progress.begin("train", data.source.plan().extent());
    let models: Vec<Model<'_>> = models
        .iter()
        .map(|(system, solved)| Model {
            target: system.target,
            fold: system.left_out,
            vector: &solved.solution,
            start: survey.start(&survey.without(system.left_out), system.target, &solved.solution),
        })
        .collect();
    let start = Errors {
        data,
        layout: &survey.layout,
        models: &models,
        sums: vec![DoubleDouble::ZERO; models.len()],
    };
    let sums = fold(data.source, &start, execution)?.accumulator.sums;
    let unit = |model: &Model<'_>| survey.layout.scale[survey.layout.width() + model.target].recip();
    Ok(sums.iter().zip(&models).map(|(sum, model)| *sum * unit(model) * unit(model)).collect())
}

/// A solution that is tried.
struct Model<'a> {
    target: usize,
    /// The fold that it is tried on; all rows without.
    fold: Option<u32>,
    vector: &'a [f64],
    start: f64,
}

struct Errors<'a> {
    data: TrainingData<'a>,
    layout: &'a Layout,
    models: &'a [Model<'a>],
    sums: Vec<DoubleDouble>,
}

impl Accumulator for Errors<'_> {
    type Output = Vec<DoubleDouble>;

    fn inputs(&self) -> Inputs {
        self.layout.inputs(self.data)
    }

    fn empty(&self) -> Self {
        Self { sums: vec![DoubleDouble::ZERO; self.models.len()], ..*self }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let mut predictions = Vec::new();
        let sums = &mut self.sums;
        self.layout.each_piece(self.data, batch, |piece| {
            for (model, total) in self.models.iter().zip(sums.iter_mut()) {
                piece.times(model.vector, model.start, &mut predictions);
                let mut sum = 0.0;
                for (row, prediction) in predictions.iter().enumerate() {
                    if model.fold.is_none_or(|fold| piece.is_in(row, fold)) {
                        let error = piece.labels[model.target][row] - prediction;
                        sum += piece.weights[row] * error * error;
                    }
                }
                *total = *total + sum;
            }
        })
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.sums.iter_mut().zip(&later.sums).for_each(|(mine, later)| *mine = *mine + *later);
        Ok(())
    }

    fn finish(self) -> Vec<DoubleDouble> {
        self.sums
    }

    fn size_bytes(&self) -> usize {
        size_of::<DoubleDouble>() * self.models.len()
    }
}
