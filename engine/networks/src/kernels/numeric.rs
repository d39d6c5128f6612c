//! What numeric features become before the first layer: bins or waves (Gorishniy et al. 2022).

use std::f32::consts::TAU;

/// min(max((x - low) scale, min), max) for every bin; `bins` holds the four constants of all bins one after the other.
pub(crate) fn piecewise(features: &[f32], bins: &[f32], output: &mut [f32]) {
    let count = bins.len() / 4;
    let per_feature = count / features.len().max(1);
    let (low, rest) = bins.split_at(count);
    let (scale, rest) = rest.split_at(count);
    let (min, max) = rest.split_at(count);
    for (at, output) in output.iter_mut().enumerate() {
        let share = (features[at / per_feature] - low[at]) * scale[at];
        let share = if share < min[at] { min[at] } else { share };
        *output = if share > max[at] { max[at] } else { share };
    }
}

/// Sines, then cosines, of 2 π c x.
pub(crate) fn periodic(features: &[f32], frequencies: &[f32], output: &mut [f32]) {
    let count = frequencies.len() / features.len().max(1);
    let rows = frequencies.chunks_exact(count.max(1)).zip(output.chunks_exact_mut(2 * count.max(1)));
    for (x, (frequencies, output)) in features.iter().zip(rows) {
        let (sines, cosines) = output.split_at_mut(count);
        for ((c, sine), cosine) in frequencies.iter().zip(sines).zip(cosines) {
            (*sine, *cosine) = (TAU * c * x).sin_cos();
        }
    }
}

/// The gradient of the frequencies, from the waves themselves: ∂sin = 2 π x cos, ∂cos = - 2 π x sin.
pub(crate) fn periodic_backward(
    features: &[f32],
    waves: &[f32],
    gradient: &[f32],
    frequency_gradient: &mut [f32],
) {
    let count = frequency_gradient.len() / features.len().max(1);
    let two = 2 * count.max(1);
    let rows = waves.chunks_exact(two).zip(gradient.chunks_exact(two));
    let rows = rows.zip(frequency_gradient.chunks_exact_mut(count.max(1)));
    for (x, ((waves, gradient), output)) in features.iter().zip(rows) {
        for at in 0..count {
            let along = gradient[at] * waves[count + at] - gradient[count + at] * waves[at];
            output[at] += TAU * x * along;
        }
    }
}

/// Adds the gradient of the features of bins: the slope of those that are neither empty nor full.
pub(crate) fn piecewise_by_feature(features: &[f32], bins: &[f32], gradient: &[f32], into: &mut [f32]) {
    let count = bins.len() / 4;
    let per_feature = count / features.len().max(1);
    for (at, gradient) in gradient.iter().enumerate() {
        let [low, scale, min, max] = [0, 1, 2, 3].map(|constant| bins[constant * count + at]);
        let feature = at / per_feature;
        let share = (features[feature] - low) * scale;
        if share > min && share < max {
            into[feature] += gradient * scale;
        }
    }
}

/// Adds the gradient of the features of waves: ∂sin = 2 π c cos, ∂cos = - 2 π c sin.
pub(crate) fn periodic_by_feature(frequencies: &[f32], waves: &[f32], gradient: &[f32], into: &mut [f32]) {
    let count = frequencies.len() / into.len().max(1);
    let two = 2 * count.max(1);
    let rows = waves.chunks_exact(two).zip(gradient.chunks_exact(two));
    let rows = rows.zip(frequencies.chunks_exact(count.max(1)));
    for (into, ((waves, gradient), frequencies)) in into.iter_mut().zip(rows) {
        for at in 0..count {
            let along = gradient[at] * waves[count + at] - gradient[count + at] * waves[at];
            *into += TAU * frequencies[at] * along;
        }
    }
}

/// The constants of `bins` bins between the quantiles of each feature; `columns` holds each feature's values in order.
///
/// The first bin goes on to the left and the last to the right, as far as [`BEYOND`] bins; where quantiles coincide (few
/// distinct values) there are fewer bins, and those left over are always 0.
pub(crate) fn bins_of(columns: &[Vec<f32>], bins: usize) -> Vec<f32> {
    let count = columns.len() * bins;
    let mut constants = vec![0.0_f32; 4 * count];
    for (feature, sorted) in columns.iter().enumerate() {
        let mut edges: Vec<f32> = (0..=bins)
            .filter_map(|edge| sorted.get(edge * sorted.len().saturating_sub(1) / bins).copied())
            .collect();
        edges.dedup();
        let last = edges.len().saturating_sub(1);
        for (bin, pair) in edges.windows(2).enumerate() {
            let at = feature * bins + bin;
            let scale = 1.0 / (pair[1] - pair[0]);
            if !scale.is_finite() {
                continue; // an edge so near the other that a bin between them tells nothing
            }
            constants[at] = pair[0];
            constants[count + at] = scale;
            constants[2 * count + at] = if bin == 0 { -BEYOND } else { 0.0 };
            constants[3 * count + at] = if bin + 1 == last { BEYOND } else { 1.0 };
        }
    }
    constants
}

/// How many widths of the outermost bin values outside of the training range go on.
pub(crate) const BEYOND: f32 = 1000.0;

#[cfg(test)]
mod tests {
    use super::{bins_of, piecewise};

    #[test]
    fn bins_fill_from_the_left() {
        let values: Vec<f32> = (0..=100).map(|value| value as f32).collect();
        let bins = bins_of(&[values], 4);
        let encode = |x: f32| {
            let mut output = vec![0.0; 4];
            piecewise(&[x], &bins, &mut output);
            output
        };
        assert_eq!(encode(0.0), [0.0, 0.0, 0.0, 0.0]);
        assert_eq!(encode(50.0), [1.0, 1.0, 0.0, 0.0]);
        assert_eq!(encode(62.5), [1.0, 1.0, 0.5, 0.0]);
        assert_eq!(encode(100.0), [1.0, 1.0, 1.0, 1.0]);
        assert_eq!(encode(150.0), [1.0, 1.0, 1.0, 3.0]);
        assert_eq!(encode(-25.0), [-1.0, 0.0, 0.0, 0.0]);
        assert!(encode(f32::MAX).iter().all(|value| value.is_finite()));
    }

    #[test]
    fn few_distinct_values_and_none_make_fewer_bins() {
        let bins = bins_of(&[vec![0.0, 0.0, 0.0, 1.0], vec![3.0; 5], vec![]], 3);
        let mut output = vec![0.0; 9];
        piecewise(&[1.0, 4.0, 9.0], &bins, &mut output);
        assert_eq!(output, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    }
}
