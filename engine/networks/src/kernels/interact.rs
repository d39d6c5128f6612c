//! Products of every two vectors of a row (DLRM, Naumov et al. 2019).

use super::scalar::dot;
use super::vectorised;

/// The vector at `position`: the numeric features' first, then those of the categorical ones.
#[inline(always)]
fn vector<'a>(own: &'a [f32], others: &'a [f32], dimension: usize, position: usize) -> &'a [f32] {
    let first = own.len() / dimension;
    if position < first {
        return own;
    }
    let begin = (position - first) * dimension;
    &others[begin..begin + dimension]
}

/// One row: `own` (empty without numeric features) and the products of the second vector with the first, of the third with
/// both, …, into `output`.
pub(crate) fn forward(own: &[f32], others: &[f32], dimension: usize, output: &mut [f32]) {
    let vectors = (own.len() + others.len()) / dimension;
    output[..own.len()].copy_from_slice(own);
    let products = &mut output[own.len()..];
    vectorised(|| {
        let mut next = 0;
        for right in 1..vectors {
            for left in 0..right {
                products[next] =
                    dot(vector(own, others, dimension, left), vector(own, others, dimension, right));
                next += 1;
            }
        }
    });
}

/// Adds to the gradients of both kinds of vectors.
pub(crate) fn backward(
    own: &[f32],
    others: &[f32],
    dimension: usize,
    gradient: &[f32],
    own_gradient: &mut [f32],
    other_gradient: &mut [f32],
) {
    let vectors = (own.len() + others.len()) / dimension;
    let first = own.len() / dimension;
    let products = &gradient[own.len()..];
    vectorised(|| {
        for (into, gradient) in own_gradient.iter_mut().zip(gradient) {
            *into += gradient;
        }
        let mut add = |to: usize, from: usize, factor: f32| {
            let into = if to < first {
                &mut own_gradient[..dimension]
            } else {
                &mut other_gradient[(to - first) * dimension..(to - first + 1) * dimension]
            };
            for (into, from) in into.iter_mut().zip(vector(own, others, dimension, from)) {
                *into += factor * from;
            }
        };
        let mut next = 0;
        for right in 1..vectors {
            for left in 0..right {
                add(left, right, products[next]);
                add(right, left, products[next]);
                next += 1;
            }
        }
    });
}
