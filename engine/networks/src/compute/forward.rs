//! A plan forward: from features to scores before their link.

use super::workspace::Workspace;
use crate::kernels::dropout::{self, Draw};
use crate::kernels::linear::{self, Shape};
use crate::kernels::{activation, interact, norm, numeric, vectorised};
use crate::layout::Inputs;
use crate::plan::{NORM_EPSILON, Plan, Step, TensorId};
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
    for position in 0..plan.steps.len() {
        let step = &plan.steps[position];
        // The buffer that is written is taken out, so that the others can be read.
        let mut output = std::mem::take(&mut workspace.values[step.output()]);
        compute(plan, weights, inputs, workspace, position, pass, &mut output);
        workspace.values[step.output()] = output;
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

fn compute(
    plan: &Plan,
    weights: &[f32],
    inputs: &Inputs<'_>,
    workspace: &mut Workspace,
    position: usize,
    pass: Pass,
    output: &mut [f32],
) {
    let step = &plan.steps[position];
    let rows = inputs.rows;
    let stride = plan.widths[step.output()];
    let output = &mut output[..rows * stride];
    let tensor = |id: TensorId| &weights[plan.tensors[id].range()];
    let columns = inputs.numeric.len() / rows.max(1);
    let feature_row = |row: usize| &inputs.numeric[row * columns..(row + 1) * columns];
    let values = &workspace.values;
    let read = |buffer: usize| &values[buffer][..rows * plan.widths[buffer]];
    match step {
        Step::Numeric { offset, .. } => {
            if stride == columns {
                output.copy_from_slice(inputs.numeric);
            } else {
                fill_columns(output, stride, (*offset, columns), |row, output| {
                    output.copy_from_slice(feature_row(row));
                });
            }
        }
        Step::Piecewise { bins, offset, .. } => {
            let bins = tensor(*bins);
            fill_columns(output, stride, (*offset, bins.len() / 4), |row, output| {
                numeric::piecewise(feature_row(row), bins, output);
            });
        }
        Step::Periodic { frequencies, offset, .. } => {
            let frequencies = tensor(*frequencies);
            fill_columns(output, stride, (*offset, 2 * frequencies.len()), |row, output| {
                numeric::periodic(feature_row(row), frequencies, output);
            });
        }
        Step::Embed { feature, table, offset, .. } => {
            let width = plan.tensors[*table].shape[1];
            let table = tensor(*table);
            let features = inputs.ids.len() / rows.max(1);
            fill_columns(output, stride, (*offset, width), |row, output| {
                let id = inputs.ids[row * features + feature] as usize;
                output.copy_from_slice(&table[id * width..(id + 1) * width]);
            });
        }
        Step::Linear { input, weight, bias, activation, .. } => {
            let shape = Shape { rows, inputs: plan.widths[*input], outputs: stride };
            linear::forward(shape, read(*input), tensor(*weight), tensor(*bias), *activation, output);
        }
        Step::Activate { input, activation, .. } => activation::apply(*activation, read(*input), output),
        Step::LayerNorm { input, gain, shift, .. } => {
            let statistics = &mut workspace.statistics[position][..2 * rows];
            norm::layer_forward(stride, read(*input), tensor(*gain), tensor(*shift), output, statistics);
        }
        Step::BatchNorm { input, gain, shift, mean, variance, .. } => match pass {
            Pass::Train { .. } => {
                let statistics = &mut workspace.statistics[position];
                norm::batch_forward(stride, read(*input), tensor(*gain), tensor(*shift), output, statistics);
            }
            Pass::Score => {
                let scale: Vec<f32> =
                    tensor(*variance).iter().map(|variance| 1.0 / (variance + NORM_EPSILON).sqrt()).collect();
                let (gain, shift) = (tensor(*gain), tensor(*shift));
                norm::batch_apply(stride, read(*input), gain, shift, tensor(*mean), &scale, output);
            }
        },
        Step::Dropout { input, rate, place, .. } => match pass.draw(*place, *rate) {
            Some(draw) => dropout::apply(draw, stride, read(*input), output, false),
            None => output.copy_from_slice(read(*input)),
        },
        Step::Add { left, right, .. } => {
            let (left, right) = (read(*left), read(*right));
            vectorised(|| {
                for ((output, left), right) in output.iter_mut().zip(left).zip(right) {
                    *output = left + right;
                }
            });
        }
        Step::Sum { input, .. } => {
            let input = read(*input);
            let width = plan.widths[step_input(step)];
            output.fill(0.0);
            for (output, input) in output.chunks_exact_mut(stride).zip(input.chunks_exact(width)) {
                for part in input.chunks_exact(stride) {
                    for (output, part) in output.iter_mut().zip(part) {
                        *output += part;
                    }
                }
            }
        }
        Step::Interact { vector, embeddings, dimension, .. } => {
            let row_of = |buffer: Option<usize>, row: usize| {
                buffer.map_or(&[][..], |buffer| {
                    let width = plan.widths[buffer];
                    &values[buffer][row * width..(row + 1) * width]
                })
            };
            for (row, output) in output.chunks_exact_mut(stride).enumerate() {
                interact::forward(row_of(*vector, row), row_of(*embeddings, row), *dimension, output);
            }
        }
    }
}

fn step_input(step: &Step) -> usize {
    super::workspace::inputs_of(step).next().unwrap_or(0)
}
