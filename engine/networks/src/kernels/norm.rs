//! Layer and batch norm, forward and backward.
//!
//! y = gain (x - μ) s + shift with s = 1 / √(σ² + ε); σ² is the mean of squares (not divided by n - 1). With
//! h = (x - μ) s and d = g gain: ∂x = s (d - mean(d) - h mean(d h)), the means over what μ is of: the row of a layer
//! norm, the column of a batch norm (Ioffe & Szegedy 2015, section 3).

use super::scalar::{dot, sum};
use super::vectorised;
use crate::plan::NORM_EPSILON;

/// Layer norm; `statistics` takes μ and s of each row.
pub(crate) fn layer_forward(
    width: usize,
    input: &[f32],
    gain: &[f32],
    shift: &[f32],
    output: &mut [f32],
    statistics: &mut [f32],
) {
    vectorised(|| {
        let rows = input.chunks_exact(width).zip(output.chunks_exact_mut(width));
        for ((input, output), statistics) in rows.zip(statistics.chunks_exact_mut(2)) {
            let mean = sum(input) / width as f32;
            for (output, input) in output.iter_mut().zip(input) {
                *output = input - mean;
            }
            let variance = dot(output, output) / width as f32;
            let scale = 1.0 / (variance + NORM_EPSILON).sqrt();
            for ((output, gain), shift) in output.iter_mut().zip(gain).zip(shift) {
                *output = *output * scale * gain + shift;
            }
            statistics[0] = mean;
            statistics[1] = scale;
        }
    });
}

/// The gradients of a norm's weights.
pub(crate) struct WeightGradients<'a> {
    /// Of the gain.
    pub(crate) gain: &'a mut [f32],
    /// Of the shift.
    pub(crate) shift: &'a mut [f32],
}

/// Of layer norm; `gradient` is used up.
pub(crate) fn layer_backward(
    input: &[f32],
    gain: &[f32],
    statistics: &[f32],
    gradient: &mut [f32],
    weights: &mut WeightGradients<'_>,
    input_gradient: &mut [f32],
    add: bool,
) {
    let width = gain.len();
    let mut normed = vec![0.0_f32; width];
    vectorised(|| {
        let rows = input.chunks_exact(width).zip(gradient.chunks_exact_mut(width));
        let rows = rows.zip(input_gradient.chunks_exact_mut(width)).zip(statistics.chunks_exact(2));
        for (((input, gradient), input_gradient), statistics) in rows {
            let (mean, scale) = (statistics[0], statistics[1]);
            for (normed, input) in normed.iter_mut().zip(input) {
                *normed = (input - mean) * scale;
            }
            for at in 0..width {
                weights.gain[at] += gradient[at] * normed[at];
                weights.shift[at] += gradient[at];
                gradient[at] *= gain[at];
            }
            let plain = sum(gradient) / width as f32;
            let along = dot(gradient, &normed) / width as f32;
            for at in 0..width {
                let before = if add { input_gradient[at] } else { 0.0 };
                input_gradient[at] = before + scale * (gradient[at] - plain - normed[at] * along);
            }
        }
    });
}

/// Batch norm over the rows at hand; `statistics` takes μ of each column, then s, then σ².
pub(crate) fn batch_forward(
    width: usize,
    input: &[f32],
    gain: &[f32],
    shift: &[f32],
    output: &mut [f32],
    statistics: &mut [f32],
) {
    let rows = (input.len() / width.max(1)) as f32;
    let (mean, rest) = statistics.split_at_mut(width);
    let (scale, variance) = rest.split_at_mut(width);
    let variance = &mut variance[..width];
    vectorised(|| {
        mean.fill(0.0);
        variance.fill(0.0);
        for row in input.chunks_exact(width) {
            for (mean, input) in mean.iter_mut().zip(row) {
                *mean += input;
            }
        }
        for mean in mean.iter_mut() {
            *mean /= rows;
        }
        for row in input.chunks_exact(width) {
            for ((variance, mean), input) in variance.iter_mut().zip(mean.iter()).zip(row) {
                let off = input - mean;
                *variance += off * off;
            }
        }
        for (variance, scale) in variance.iter_mut().zip(scale.iter_mut()) {
            *variance /= rows;
            *scale = 1.0 / (*variance + NORM_EPSILON).sqrt();
        }
    });
    batch_apply(width, input, gain, shift, mean, scale, output);
}

/// Batch norm by given means and scales.
pub(crate) fn batch_apply(
    width: usize,
    input: &[f32],
    gain: &[f32],
    shift: &[f32],
    mean: &[f32],
    scale: &[f32],
    output: &mut [f32],
) {
    vectorised(|| {
        for (input, output) in input.chunks_exact(width).zip(output.chunks_exact_mut(width)) {
            for at in 0..width {
                output[at] = (input[at] - mean[at]) * scale[at] * gain[at] + shift[at];
            }
        }
    });
}

/// Of batch norm.
pub(crate) fn batch_backward(
    input: &[f32],
    gain: &[f32],
    statistics: &[f32],
    gradient: &[f32],
    weights: &mut WeightGradients<'_>,
    input_gradient: &mut [f32],
    add: bool,
) {
    let width = gain.len();
    let rows = (input.len() / width.max(1)) as f32;
    let (mean, rest) = statistics.split_at(width);
    let scale = &rest[..width];
    // Sums of g and of g h over the rows; the weights' gradients get them as they are.
    let mut plain = vec![0.0_f32; width];
    let mut along = vec![0.0_f32; width];
    vectorised(|| {
        for (input, gradient) in input.chunks_exact(width).zip(gradient.chunks_exact(width)) {
            for at in 0..width {
                plain[at] += gradient[at];
                along[at] += gradient[at] * ((input[at] - mean[at]) * scale[at]);
            }
        }
        for at in 0..width {
            weights.gain[at] += along[at];
            weights.shift[at] += plain[at];
            plain[at] /= rows;
            along[at] /= rows;
        }
        let pairs = input.chunks_exact(width).zip(gradient.chunks_exact(width));
        for ((input, gradient), input_gradient) in pairs.zip(input_gradient.chunks_exact_mut(width)) {
            for at in 0..width {
                let normed = (input[at] - mean[at]) * scale[at];
                let before = if add { input_gradient[at] } else { 0.0 };
                input_gradient[at] =
                    before + gain[at] * scale[at] * (gradient[at] - plain[at] - normed * along[at]);
            }
        }
    });
}

/// Of batch norm by running means, which do not follow from the rows.
pub(crate) fn batch_backward_fixed(
    gain: &[f32],
    variance: &[f32],
    gradient: &[f32],
    input_gradient: &mut [f32],
    add: bool,
) {
    let width = gain.len();
    for (gradient, into) in gradient.chunks_exact(width).zip(input_gradient.chunks_exact_mut(width)) {
        for at in 0..width {
            let before = if add { into[at] } else { 0.0 };
            into[at] = before + gradient[at] * gain[at] / (variance[at] + NORM_EPSILON).sqrt();
        }
    }
}
