//! A linear layer with its bias and activation: forward in one product and one pass, backward in one pass and two
//! products.
//!
//! For rows x of width k, weights W (n x k) and biases b: y = f(x Wᵀ + b). Backward, with g the gradient of y:
//! d = g f'(y), ∂W += dᵀ x, ∂b += Σ d over rows, ∂x = d W. A layer of one output is a product with a vector, for which
//! own loops are faster than a product of matrices.

use super::activation::{for_each_activation, slope, value};
use super::matrix::{Matrix, Write, multiply};
use super::scalar::dot;
use super::vectorised;
use crate::spec::Activation;

/// The shape of a layer's work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Rows.
    pub(crate) rows: usize,
    /// Numbers per row that go in.
    pub(crate) inputs: usize,
    /// Numbers per row that come out.
    pub(crate) outputs: usize,
}

/// output = f(input weightᵀ + bias).
pub(crate) fn forward(
    shape: Shape,
    input: &[f32],
    weight: &[f32],
    bias: &[f32],
    activation: Option<Activation>,
    output: &mut [f32],
) {
    let Shape { rows, inputs, outputs } = shape;
    let output = &mut output[..rows * outputs];
    if outputs == 1 {
        let weight = &weight[..inputs];
        vectorised(|| {
            for (output, row) in output.iter_mut().zip(input.chunks_exact(inputs.max(1))) {
                *output = dot(row, weight);
            }
        });
    } else {
        let input = Matrix::new(input, rows, inputs);
        multiply(input, Matrix::new(weight, outputs, inputs).transposed(), output, Write::Replace);
    }
    match activation {
        None => vectorised(|| {
            for row in output.chunks_exact_mut(outputs) {
                for (output, bias) in row.iter_mut().zip(bias) {
                    *output += bias;
                }
            }
        }),
        Some(activation) => for_each_activation!(activation, ACTIVATION => vectorised(|| {
            for row in output.chunks_exact_mut(outputs) {
                for (output, bias) in row.iter_mut().zip(bias) {
                    *output = value(ACTIVATION, *output + bias);
                }
            }
        })),
    }
}

/// Makes d of the gradient of y in place, and adds its sum over rows to the biases' gradient.
pub(crate) fn backward_sums(
    shape: Shape,
    output: &[f32],
    activation: Option<Activation>,
    gradient: &mut [f32],
    bias_gradient: &mut [f32],
) {
    let Shape { rows, outputs, .. } = shape;
    let gradient = &mut gradient[..rows * outputs];
    let bias_gradient = &mut bias_gradient[..outputs];
    match activation {
        None => vectorised(|| {
            for row in gradient.chunks_exact(outputs) {
                for (bias, gradient) in bias_gradient.iter_mut().zip(row) {
                    *bias += gradient;
                }
            }
        }),
        Some(activation) => for_each_activation!(activation, ACTIVATION => vectorised(|| {
            for (row, output) in gradient.chunks_exact_mut(outputs).zip(output.chunks_exact(outputs)) {
                for ((gradient, output), bias) in row.iter_mut().zip(output).zip(bias_gradient.iter_mut()) {
                    let d = *gradient * slope(ACTIVATION, *output);
                    *gradient = d;
                    *bias += d;
                }
            }
        })),
    }
}

/// weight gradient += dᵀ input.
pub(crate) fn backward_weight(shape: Shape, sums: &[f32], input: &[f32], weight_gradient: &mut [f32]) {
    let Shape { rows, inputs, outputs } = shape;
    if outputs == 1 {
        let weight_gradient = &mut weight_gradient[..inputs];
        vectorised(|| {
            for (d, row) in sums[..rows].iter().zip(input.chunks_exact(inputs.max(1))) {
                for (gradient, input) in weight_gradient.iter_mut().zip(row) {
                    *gradient += d * input;
                }
            }
        });
        return;
    }
    let sums = Matrix::new(sums, rows, outputs).transposed();
    multiply(sums, Matrix::new(input, rows, inputs), weight_gradient, Write::Add);
}

/// input gradient = or += d weight.
pub(crate) fn backward_input(
    shape: Shape,
    sums: &[f32],
    weight: &[f32],
    input_gradient: &mut [f32],
    write: Write,
) {
    let Shape { rows, inputs, outputs } = shape;
    if outputs == 1 {
        let weight = &weight[..inputs];
        let input_gradient = &mut input_gradient[..rows * inputs];
        vectorised(|| {
            for (d, row) in sums[..rows].iter().zip(input_gradient.chunks_exact_mut(inputs.max(1))) {
                for (gradient, weight) in row.iter_mut().zip(weight) {
                    *gradient = if write == Write::Add { *gradient } else { 0.0 } + d * weight;
                }
            }
        });
        return;
    }
    let weight = Matrix::new(weight, outputs, inputs);
    multiply(Matrix::new(sums, rows, outputs), weight, input_gradient, write);
}
