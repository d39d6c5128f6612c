//! Losses of rows with their gradients by the last sums z, weighted, not yet divided by the sum of weights.
//!
//! | loss | of a row | ∂z |
//! |---|---|---|
//! | squared | (z - y)² | 2 (z - y) |
//! | huber δ | ½ r² up to δ, δ (\|r\| - ½ δ) beyond, r = z - y | r clipped to ±δ |
//! | quantile τ | max(τ (y - z), (τ - 1) (y - z)) | 1 - τ above y, -τ below |
//! | poisson | exp(z) - y z | exp(z) - y |
//! | logistic | max(z, 0) - z y + ln(1 + exp(-\|z\|)) | 1 / (1 + exp(-z)) - y |
//! | softmax | ln Σ exp(z) - z of the class | share of exp(z), less 1 for the class |
//!
//! Pairs of rows are the matter of [`pairs`]. As PyTorch's `MSELoss`, `HuberLoss`, `PoissonNLLLoss`, `BCEWithLogitsLoss` and `CrossEntropyLoss`.

use super::pairs;
use crate::kernels::{scalar, vectorised};
use crate::model::softmax;
use crate::spec::Loss;

/// The loss of a row of one sum and its derivative.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "options of a loss, in the precision of the weights")]
fn of_row(loss: Loss, z: f32, y: f32) -> (f32, f32) {
    match loss {
        Loss::Squared => ((z - y) * (z - y), 2.0 * (z - y)),
        Loss::Huber { delta } => {
            let (delta, r) = (delta as f32, z - y);
            let clipped = if r > delta { delta } else { r };
            let clipped = if clipped < -delta { -delta } else { clipped };
            // ½ c² + c (r - c): the first inside, both beyond.
            (0.5 * clipped * clipped + clipped * (r - clipped), clipped)
        }
        Loss::Quantile { level } => {
            let (level, under) = (level as f32, y - z);
            if under > 0.0 { (level * under, -level) } else { ((level - 1.0) * under, 1.0 - level) }
        }
        Loss::Poisson => {
            let rate = scalar::exp(z);
            (rate - y * z, rate - y)
        }
        // The other two are not of one sum: the caller has their own loops.
        Loss::Logistic | Loss::Softmax | Loss::Pairwise => {
            let (plus, share) = scalar::softplus(z);
            (plus - z * y, share - y)
        }
    }
}

macro_rules! rows_of {
    ($loss:expr, $sums:expr, $labels:expr, $weights:expr, $gradient:expr, $losses:expr) => {
        vectorised(|| {
            let rows =
                $sums.iter().zip($labels).zip($weights).zip($gradient.iter_mut()).zip($losses.iter_mut());
            for ((((z, y), weight), gradient), value) in rows {
                let (loss, slope) = of_row($loss, *z, *y);
                *gradient = weight * slope;
                *value = weight * loss;
            }
        })
    };
}

/// Σ weight x loss of these rows, with the gradients of their sums into `gradient`; `losses` is room for a number per row.
pub(crate) fn loss_and_gradient(
    loss: Loss,
    sums: &[f32],
    (labels, weights, groups): (&[f32], &[f32], &[u64]),
    gradient: &mut [f32],
    losses: &mut [f32],
) -> f64 {
    // A kind at a time, so that each has a loop of its own.
    match loss {
        Loss::Squared => rows_of!(Loss::Squared, sums, labels, weights, gradient, losses),
        Loss::Huber { delta } => rows_of!(Loss::Huber { delta }, sums, labels, weights, gradient, losses),
        Loss::Quantile { level } => {
            rows_of!(Loss::Quantile { level }, sums, labels, weights, gradient, losses);
        }
        Loss::Poisson => rows_of!(Loss::Poisson, sums, labels, weights, gradient, losses),
        Loss::Logistic => rows_of!(Loss::Logistic, sums, labels, weights, gradient, losses),
        Loss::Softmax => of_classes(sums, labels, weights, gradient, losses),
        Loss::Pairwise => return pairs::loss_and_gradient(sums, labels, weights, groups, gradient),
    }
    losses.iter().map(|value| f64::from(*value)).sum()
}

fn of_classes(sums: &[f32], labels: &[f32], weights: &[f32], gradient: &mut [f32], losses: &mut [f32]) {
    let classes = sums.len() / labels.len().max(1);
    let rows = sums.chunks_exact(classes.max(1)).zip(gradient.chunks_exact_mut(classes.max(1)));
    let rows = rows.zip(labels).zip(weights).zip(losses);
    for ((((z, gradient), label), weight), value) in rows {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be a class")]
        let class = *label as usize;
        gradient.copy_from_slice(z);
        vectorised(|| softmax(gradient));
        // A probability is never 0 here: exponents end at e^-87.
        *value = weight * -gradient[class].ln();
        let greatest = z.iter().fold(f32::NEG_INFINITY, |most, z| if *z > most { *z } else { most });
        if gradient[class] < 1e-30 {
            // Far below the others: the logarithm of the sum is that of the greatest.
            *value = weight * (greatest - z[class]);
        }
        gradient[class] -= 1.0;
        for slope in gradient {
            *slope *= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::loss_and_gradient;
    use crate::kernels::scalar::ln_one_plus;
    use crate::spec::Loss;

    const OF_NUMBERS: [Loss; 5] = [
        Loss::Squared,
        Loss::Huber { delta: 0.7 },
        Loss::Quantile { level: 0.9 },
        Loss::Poisson,
        Loss::Logistic,
    ];

    fn one(loss: Loss, z: &[f32], y: f32) -> (f64, Vec<f32>) {
        let mut gradient = vec![0.0; z.len()];
        let value = loss_and_gradient(loss, z, (&[y], &[2.0], &[]), &mut gradient, &mut [0.0]);
        (value, gradient)
    }

    #[test]
    fn gradients_are_central_differences_and_scale_with_the_weight() {
        for loss in OF_NUMBERS {
            for (z, y) in [(0.3, 1.0), (-1.2, 0.0), (2.5, 1.0), (0.05, 0.0)] {
                let width = 1e-3;
                let (above, below) = (one(loss, &[z + width], y).0, one(loss, &[z - width], y).0);
                let difference = (above - below) / f64::from(2.0 * width);
                let gradient = f64::from(one(loss, &[z], y).1[0]);
                assert!((gradient - difference).abs() < 2e-3, "{loss:?} at {z}: {gradient} {difference}");
            }
        }
        let z = [0.3_f32, -0.5, 1.2];
        for class in 0..3 {
            let moved = |at: usize, by: f32| {
                let mut z = z;
                z[at] += by;
                one(Loss::Softmax, &z, class as f32).0
            };
            for at in 0..3 {
                let difference = (moved(at, 1e-3) - moved(at, -1e-3)) / 2e-3;
                let gradient = f64::from(one(Loss::Softmax, &z, class as f32).1[at]);
                assert!((gradient - difference).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn extreme_sums_have_finite_losses() {
        for z in [-1e4_f32, 1e4] {
            for loss in OF_NUMBERS {
                let (value, gradient) = one(loss, &[z], 1.0);
                assert!(value.is_finite() && gradient[0].is_finite(), "{loss:?} {z}");
            }
            let (value, gradient) = one(Loss::Softmax, &[z, 0.0, -z], 0.0);
            assert!(value.is_finite() && value >= 0.0 && gradient.iter().all(|slope| slope.is_finite()));
        }
        assert!((one(Loss::Softmax, &[-1e4, 1e4], 0.0).0 - 4e4).abs() < 1.0);
        assert!((one(Loss::Logistic, &[-1e4], 1.0).0 - 2e4).abs() < 1.0);
    }

    #[test]
    fn the_logarithm_is_exact_for_small_and_great_shares() {
        for e in [1.0_f32, 0.5, 0.1, 1e-3, 1e-10, 0.0] {
            let exact = f64::from(e).ln_1p();
            assert!((f64::from(ln_one_plus(e)) - exact).abs() <= 3.0 * f64::from(f32::EPSILON) * exact);
        }
    }
}
