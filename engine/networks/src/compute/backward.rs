//! A plan backward: from the gradient of the scores to those of weights and features.

use super::forward::Pass;
use super::workspace::Workspace;
use crate::kernels::linear::{self, Shape};
use crate::kernels::matrix::Write;
use crate::kernels::norm::WeightGradients;
use crate::kernels::{activation, dropout, interact, norm, numeric, vectorised};
use crate::layout::Inputs;
use crate::plan::{Buffer, Plan, Step, TensorId};

/// Where gradients of weights are added to.
pub(crate) struct Gradients<'a> {
    /// Of dense weights, laid out as they.
    pub(crate) dense: &'a mut [f32],
    /// Of the vectors of ids, row after row, of all [`Step::Embed`] in order.
    pub(crate) vectors: &'a mut [f32],
}

/// Two tensors' places in the dense gradients at once.
fn pair<'a>(
    plan: &Plan,
    dense: &'a mut [f32],
    first: TensorId,
    second: TensorId,
) -> (&'a mut [f32], &'a mut [f32]) {
    // Tensors of one step are laid out in the order in which they were made.
    let (first, second) = (plan.tensors[first].range(), plan.tensors[second].range());
    let (left, right) = dense.split_at_mut(second.start);
    (&mut left[first], &mut right[..second.len()])
}

/// Adds up gradients, from that of the scores, which is in `workspace` already; [`forward()`](super::forward()) ran before
/// with the same arguments.
pub(crate) fn backward(
    plan: &Plan,
    weights: &[f32],
    inputs: &Inputs<'_>,
    workspace: &mut Workspace,
    pass: Pass,
    gradients: &mut Gradients<'_>,
) {
    // The first to give a buffer its gradient writes it, later ones add.
    let mut written = vec![false; plan.widths.len()];
    written[plan.scores] = true;
    let mut backward = Backward { plan, weights, inputs, workspace, pass, written };
    let mut column = plan.vector_width();
    for position in (0..plan.steps.len()).rev() {
        if let Step::Embed { table, .. } = &plan.steps[position] {
            column -= plan.tensors[*table].shape[1];
        }
        backward.step(position, column, gradients);
    }
}

struct Backward<'a> {
    plan: &'a Plan,
    weights: &'a [f32],
    inputs: &'a Inputs<'a>,
    workspace: &'a mut Workspace,
    pass: Pass,
    written: Vec<bool>,
}

impl Backward<'_> {
    fn tensor(&self, id: TensorId) -> &[f32] {
        &self.weights[self.plan.tensors[id].range()]
    }

    fn length(&self, buffer: Buffer) -> usize {
        self.inputs.rows * self.plan.widths[buffer]
    }

    /// Takes the gradient of an input out, with whether there is something in it to be added to; nothing where nobody wants
    /// it.
    fn take(&mut self, input: Buffer) -> Option<(Vec<f32>, Write)> {
        let buffer = std::mem::take(&mut self.workspace.gradients[input]);
        if buffer.is_empty() {
            return None;
        }
        let write =
            if std::mem::replace(&mut self.written[input], true) { Write::Add } else { Write::Replace };
        Some((buffer, write))
    }

    fn step(&mut self, position: usize, column: usize, gradients: &mut Gradients<'_>) {
        let plan = self.plan;
        let step = &plan.steps[position];
        let output = step.output();
        let mut gradient = std::mem::take(&mut self.workspace.gradients[output]);
        // Nothing wants it, or nothing that reaches the scores reads it.
        if gradient.is_empty() || !self.written[output] {
            self.workspace.gradients[output] = gradient;
            return;
        }
        let length = self.length(output);
        self.through(position, column, &mut gradient[..length], gradients);
        self.workspace.gradients[output] = gradient;
    }

    fn through(
        &mut self,
        position: usize,
        column: usize,
        gradient: &mut [f32],
        gradients: &mut Gradients<'_>,
    ) {
        let plan = self.plan;
        let step = &plan.steps[position];
        match step {
            Step::Numeric { .. } | Step::Piecewise { .. } => {}
            Step::Periodic { .. } => self.periodic(step, gradient, gradients),
            Step::Embed { table, output, offset, .. } => {
                let width = plan.tensors[*table].shape[1];
                let stride = plan.widths[*output];
                let vectors = gradients.vectors.chunks_exact_mut(plan.vector_width());
                for (into, gradient) in vectors.zip(gradient.chunks_exact(stride)) {
                    into[column..column + width].copy_from_slice(&gradient[*offset..offset + width]);
                }
            }
            Step::Linear { .. } => self.linear(step, gradient, gradients),
            Step::LayerNorm { .. } | Step::BatchNorm { .. } => self.norm(position, gradient, gradients),
            Step::Interact { .. } => self.interact(step, gradient),
            Step::Activate { input, output, activation } => {
                let known = if activation.is_invertible() { *output } else { *input };
                self.into(*input, |values, into, write| {
                    let known = &values[known][..gradient.len()];
                    activation::apply_backward(*activation, known, gradient, into, write == Write::Add);
                });
            }
            Step::Dropout { input, output, rate, place } => {
                let draw = self.pass.draw(*place, *rate);
                self.into(*input, |_, into, write| match draw {
                    Some(draw) => {
                        dropout::apply(draw, plan.widths[*output], gradient, into, write == Write::Add);
                    }
                    None => pass_on(gradient, into, write),
                });
            }
            Step::Add { left, right, .. } => {
                for input in [*left, *right] {
                    self.into(input, |_, into, write| pass_on(gradient, into, write));
                }
            }
            Step::Sum { input, output } => {
                let (width, stride) = (plan.widths[*input], plan.widths[*output]);
                self.into(*input, |_, into, write| {
                    for (into, gradient) in into.chunks_exact_mut(width).zip(gradient.chunks_exact(stride)) {
                        into.chunks_exact_mut(stride).for_each(|part| pass_on(gradient, part, write));
                    }
                });
            }
        }
    }

    /// Lets `work` write the gradient of an input, if anybody wants it; it is given all values too.
    fn into(&mut self, input: Buffer, work: impl FnOnce(&[Vec<f32>], &mut [f32], Write)) {
        if let Some((mut into, write)) = self.take(input) {
            let length = self.length(input);
            work(&self.workspace.values, &mut into[..length], write);
            self.workspace.gradients[input] = into;
        }
    }

    fn periodic(&self, step: &Step, gradient: &[f32], gradients: &mut Gradients<'_>) {
        let Step::Periodic { frequencies, output, offset } = step else { return };
        let range = self.plan.tensors[*frequencies].range();
        let stride = self.plan.widths[*output];
        let columns = self.inputs.numeric.len() / self.inputs.rows;
        let place = *offset..offset + 2 * range.len();
        let rows = self.workspace.values[*output].chunks_exact(stride).zip(gradient.chunks_exact(stride));
        for ((values, gradient), features) in rows.zip(self.inputs.numeric.chunks_exact(columns)) {
            let into = &mut gradients.dense[range.clone()];
            numeric::periodic_backward(features, &values[place.clone()], &gradient[place.clone()], into);
        }
    }

    fn linear(&mut self, step: &Step, gradient: &mut [f32], gradients: &mut Gradients<'_>) {
        let Step::Linear { input, output, weight, bias, activation } = step else { return };
        let (rows, plan) = (self.inputs.rows, self.plan);
        let shape = Shape { rows, inputs: plan.widths[*input], outputs: plan.widths[*output] };
        let (weight_gradient, bias_gradient) = pair(plan, gradients.dense, *weight, *bias);
        let value = &self.workspace.values[*output][..gradient.len()];
        linear::backward_sums(shape, value, *activation, gradient, bias_gradient);
        let read = &self.workspace.values[*input][..rows * shape.inputs];
        linear::backward_weight(shape, gradient, read, weight_gradient);
        if let Some((mut into, write)) = self.take(*input) {
            linear::backward_input(shape, gradient, self.tensor(*weight), &mut into, write);
            self.workspace.gradients[*input] = into;
        }
    }

    fn norm(&mut self, position: usize, gradient: &mut [f32], gradients: &mut Gradients<'_>) {
        let step = &self.plan.steps[position];
        let (Step::LayerNorm { input, gain, shift, .. } | Step::BatchNorm { input, gain, shift, .. }) = step
        else {
            return;
        };
        let Some((mut into, write)) = self.take(*input) else { return };
        let (gain_gradient, shift_gradient) = pair(self.plan, gradients.dense, *gain, *shift);
        let mut weights = WeightGradients { gain: gain_gradient, shift: shift_gradient };
        let read = &self.workspace.values[*input][..gradient.len()];
        let statistics = &self.workspace.statistics[position];
        let (gain, target, add) = (self.tensor(*gain), &mut into[..gradient.len()], write == Write::Add);
        match step {
            Step::LayerNorm { .. } => {
                norm::layer_backward(read, gain, statistics, gradient, &mut weights, target, add);
            }
            _ if matches!(self.pass, Pass::Train { .. }) => {
                norm::batch_backward(read, gain, statistics, gradient, &mut weights, target, add);
            }
            // With running means a batch norm is a factor.
            Step::BatchNorm { variance, .. } => {
                let variance = &self.weights[self.plan.tensors[*variance].range()];
                norm::batch_backward_fixed(gain, variance, gradient, target, add);
            }
            _ => {}
        }
        self.workspace.gradients[*input] = into;
    }

    fn interact(&mut self, step: &Step, gradient: &[f32]) {
        let Step::Interact { vector, embeddings, dimension, output } = step else { return };
        let plan = self.plan;
        let width = |buffer: &Option<Buffer>| buffer.map_or(0, |buffer| plan.widths[buffer]);
        let (own_width, other_width) = (width(vector), width(embeddings));
        let mut take = |buffer: &Option<Buffer>, width: usize| {
            let taken = buffer.and_then(|buffer| self.take(buffer));
            let (mut into, write) = taken.unwrap_or((Vec::new(), Write::Replace));
            into.resize(self.inputs.rows.max(1) * width, 0.0);
            if write == Write::Replace {
                into.fill(0.0);
            }
            into
        };
        let (mut own, mut others) = (take(vector, own_width), take(embeddings, other_width));
        let values = |buffer: &Option<Buffer>, row: usize, width: usize| {
            buffer.map_or(&[][..], |buffer| &self.workspace.values[buffer][row * width..(row + 1) * width])
        };
        for (row, gradient) in gradient.chunks_exact(plan.widths[*output]).enumerate() {
            interact::backward(
                values(vector, row, own_width),
                values(embeddings, row, other_width),
                *dimension,
                gradient,
                &mut own[row * own_width..(row + 1) * own_width],
                &mut others[row * other_width..(row + 1) * other_width],
            );
        }
        for (buffer, gradient) in [(vector, own), (embeddings, others)] {
            if let Some(buffer) = buffer {
                self.workspace.gradients[*buffer] = gradient;
            }
        }
    }
}

/// into = or += gradient.
fn pass_on(gradient: &[f32], into: &mut [f32], write: Write) {
    match write {
        Write::Replace => into[..gradient.len()].copy_from_slice(gradient),
        Write::Add => vectorised(|| {
            for (into, gradient) in into.iter_mut().zip(gradient) {
                *into += gradient;
            }
        }),
    }
}
