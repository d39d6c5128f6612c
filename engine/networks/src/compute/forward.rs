//! A plan forward: from features to scores before their link.

use super::workspace::Workspace;
use crate::kernels::dropout::{self, Draw};
use crate::kernels::linear::{self, Shape};
use crate::kernels::{activation, interact, norm, numeric, vectorised};
use crate::layout::Inputs;
use crate::plan::{Buffer, NORM_EPSILON, Plan, Step, TensorId};
use crate::random::Key;

/// What a pass is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// Scores: no dropout, running means.
    Score,
    /// A step of training: dropout by the key of the step, means of these rows, of which the first is that of the batch.
    Train {
        /// Of seed and step.
        key: Key,
        /// The batch's number of the first row.
        first_row: u64,
    },
}

impl Pass {
    /// How a place draws its dropout; not at all when scoring.
    pub(crate) fn draw(self, place: u64, rate: f32) -> Option<Draw> {
        match self {
            Self::Score => None,
            Self::Train { key, first_row } => Some(Draw { key: key.with(place), first_row, rate }),
        }
    }
}

/// Fills the buffers of `workspace` for these rows.
pub(crate) fn forward(
    plan: &Plan,
    weights: &[f32],
    inputs: &Inputs<'_>,
    workspace: &mut Workspace,
    pass: Pass,
) {
    for (position, step) in plan.steps.iter().enumerate() {
        // The buffer that is written is taken out, so that the others can be read.
        let mut taken = std::mem::take(&mut workspace.values[step.output()]);
        let output = &mut taken[..inputs.rows * plan.widths[step.output()]];
        let forward = Forward { plan, weights, inputs, values: &workspace.values, pass };
        let statistics = &mut workspace.statistics[position];
        match step {
            Step::Numeric { .. } | Step::Piecewise { .. } | Step::Periodic { .. } | Step::Embed { .. } => {
                forward.features(step, output);
            }
            Step::LayerNorm { .. } | Step::BatchNorm { .. } => forward.norm(step, output, statistics),
            _ => forward.layer(step, output),
        }
        workspace.values[step.output()] = taken;
    }
}

/// Calls `fill` with each row's columns from `offset` on, `width` of them.
fn fill_columns(
    output: &mut [f32],
    stride: usize,
    (offset, width): (usize, usize),
    mut fill: impl FnMut(usize, &mut [f32]),
) {
    if width == 0 {
        return;
    }
    for (row, output) in output.chunks_exact_mut(stride).enumerate() {
        fill(row, &mut output[offset..offset + width]);
    }
}

struct Forward<'a> {
    plan: &'a Plan,
    weights: &'a [f32],
    inputs: &'a Inputs<'a>,
    values: &'a [Vec<f32>],
    pass: Pass,
}

impl Forward<'_> {
    fn tensor(&self, id: TensorId) -> &[f32] {
        &self.weights[self.plan.tensors[id].range()]
    }

    fn read(&self, buffer: Buffer) -> &[f32] {
        &self.values[buffer][..self.inputs.rows * self.plan.widths[buffer]]
    }

    /// The part of a row of a buffer; nothing of none.
    fn row(&self, buffer: Option<Buffer>, row: usize) -> &[f32] {
        let Some(buffer) = buffer else { return &[] };
        let width = self.plan.widths[buffer];
        &self.values[buffer][row * width..(row + 1) * width]
    }

    /// The steps that read features.
    fn features(&self, step: &Step, output: &mut [f32]) {
        let rows = self.inputs.rows;
        let stride = self.plan.widths[step.output()];
        let columns = self.inputs.numeric.len() / rows.max(1);
        let numbers = |row: usize| &self.inputs.numeric[row * columns..(row + 1) * columns];
        match step {
            Step::Numeric { .. } if stride == columns => output.copy_from_slice(self.inputs.numeric),
            Step::Numeric { offset, .. } => {
                fill_columns(output, stride, (*offset, columns), |row, output| {
                    output.copy_from_slice(numbers(row));
                });
            }
            Step::Piecewise { bins, offset, .. } => {
                let bins = self.tensor(*bins);
                fill_columns(output, stride, (*offset, bins.len() / 4), |row, output| {
                    numeric::piecewise(numbers(row), bins, output);
                });
            }
            Step::Periodic { frequencies, offset, .. } => {
                let frequencies = self.tensor(*frequencies);
                fill_columns(output, stride, (*offset, 2 * frequencies.len()), |row, output| {
                    numeric::periodic(numbers(row), frequencies, output);
                });
            }
            Step::Embed { feature, table, offset, .. } => {
                let width = self.plan.tensors[*table].shape[1];
                let table = self.tensor(*table);
                let features = self.inputs.ids.len() / rows.max(1);
                fill_columns(output, stride, (*offset, width), |row, output| {
                    let id = self.inputs.ids[row * features + feature] as usize;
                    output.copy_from_slice(&table[id * width..(id + 1) * width]);
                });
            }
            _ => {}
        }
    }

    fn norm(&self, step: &Step, output: &mut [f32], statistics: &mut [f32]) {
        let stride = self.plan.widths[step.output()];
        match step {
            Step::LayerNorm { input, gain, shift, .. } => {
                let (gain, shift) = (self.tensor(*gain), self.tensor(*shift));
                norm::layer_forward(stride, self.read(*input), gain, shift, output, statistics);
            }
            Step::BatchNorm { input, gain, shift, mean, variance, .. } => {
                let (gain, shift) = (self.tensor(*gain), self.tensor(*shift));
                if matches!(self.pass, Pass::Train { .. }) {
                    norm::batch_forward(stride, self.read(*input), gain, shift, output, statistics);
                    return;
                }
                let variances = self.tensor(*variance).iter();
                let scale: Vec<f32> =
                    variances.map(|variance| 1.0 / (variance + NORM_EPSILON).sqrt()).collect();
                let mean = self.tensor(*mean);
                norm::batch_apply(stride, self.read(*input), gain, shift, mean, &scale, output);
            }
            _ => {}
        }
    }

    /// The steps between features and scores, but for norms.
    fn layer(&self, step: &Step, output: &mut [f32]) {
        let rows = self.inputs.rows;
        let stride = self.plan.widths[step.output()];
        match step {
            Step::Linear { input, weight, bias, activation, .. } => {
                let shape = Shape { rows, inputs: self.plan.widths[*input], outputs: stride };
                let (weight, bias) = (self.tensor(*weight), self.tensor(*bias));
                linear::forward(shape, self.read(*input), weight, bias, *activation, output);
            }
            Step::Activate { input, activation, .. } => {
                activation::apply(*activation, self.read(*input), output);
            }
            Step::Dropout { input, rate, place, .. } => match self.pass.draw(*place, *rate) {
                Some(draw) => dropout::apply(draw, stride, self.read(*input), output, false),
                None => output.copy_from_slice(self.read(*input)),
            },
            Step::Add { left, right, .. } => {
                let (left, right) = (self.read(*left), self.read(*right));
                vectorised(|| {
                    for ((output, left), right) in output.iter_mut().zip(left).zip(right) {
                        *output = left + right;
                    }
                });
            }
            Step::Sum { input, .. } => {
                output.fill(0.0);
                let rows = self.read(*input).chunks_exact(self.plan.widths[*input]);
                for (output, input) in output.chunks_exact_mut(stride).zip(rows) {
                    for part in input.chunks_exact(stride) {
                        output.iter_mut().zip(part).for_each(|(output, part)| *output += part);
                    }
                }
            }
            Step::Interact { vector, embeddings, dimension, .. } => {
                for (row, output) in output.chunks_exact_mut(stride).enumerate() {
                    let (own, others) = (self.row(*vector, row), self.row(*embeddings, row));
                    interact::forward(own, others, *dimension, output);
                }
            }
            _ => {}
        }
    }
}
