//! How far single precision may be from double, score by score.

use std::f64::consts::TAU;

use super::{
    DoubleNetwork, Point, Trace, deviation, normed, pairs, periodic, piecewise, slope, slope_of_result,
};
use crate::plan::{Buffer, Step, TensorId};
use crate::spec::Activation;

/// The unit of rounding of single precision.
const UNIT: f64 = 5.960_464_477_539_063e-8;

/// How many times the noise two computations in single precision may be apart.
pub const FAR: f64 = 16.0;

impl DoubleNetwork<'_> {
    /// About the standard deviation of what single precision adds to each score, in any order of summation: the rounding
    /// errors of all steps, taken as independent, to first order (N. J. Higham & T. Mary, "A new approach to probabilistic
    /// rounding error analysis", SIAM J. Sci. Comput. 41, 2019: such errors grow with the root of their number). `numeric`
    /// is what the numbers of the row are off by already.
    #[must_use]
    pub fn noise(&self, point: &Point, trace: &Trace, numeric: &[f64]) -> Vec<f64> {
        let mut noise: Vec<Vec<f64>> = self.plan.widths.iter().map(|width| vec![0.0; *width]).collect();
        for step in &self.plan.steps {
            let mut output = std::mem::take(&mut noise[step.output()]);
            self.noise_of(step, trace, (point, numeric), &noise, &mut output);
            noise[step.output()] = output;
        }
        std::mem::take(&mut noise[self.plan.scores])
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each kind of step")]
    fn noise_of(
        &self,
        step: &Step,
        trace: &Trace,
        (point, numeric): (&Point, &[f64]),
        noise: &[Vec<f64>],
        output: &mut [f64],
    ) {
        let tensor = |id: TensorId| self.tensors[id].as_slice();
        let held = |buffer: Buffer| trace.0[buffer].as_slice();
        let numbers = point.numeric.len().max(1);
        // What the numbers themselves are off by, rounded once.
        let entry = |feature: usize| numeric[feature] + UNIT * point.numeric[feature].abs();
        match step {
            Step::Numeric { offset, .. } => {
                (0..point.numeric.len()).for_each(|feature| output[offset + feature] = entry(feature));
            }
            Step::Piecewise { bins, offset, .. } => {
                let per_feature = tensor(*bins).len() / 4 / numbers;
                piecewise(&point.numeric, tensor(*bins), |at, value, slope| {
                    let feature = at / per_feature;
                    let own = 2.0 * UNIT * (value.abs() + slope.abs() * point.numeric[feature].abs());
                    output[offset + at] = slope.abs() * entry(feature) + own;
                });
            }
            Step::Periodic { frequencies, offset, .. } => {
                let per_feature = 2 * tensor(*frequencies).len() / numbers;
                let waves = tensor(*frequencies).len() / numbers;
                periodic(&point.numeric, tensor(*frequencies), |at, _, _| {
                    let (feature, wave) = (at / per_feature, at % waves);
                    let speed = (TAU * tensor(*frequencies)[feature * waves + wave]).abs();
                    let angle = speed * (entry(feature) + 2.0 * UNIT * point.numeric[feature].abs());
                    let own = angle + 2.0 * UNIT;
                    output[offset + at] = if own < 2.0 { own } else { 2.0 };
                });
            }
            Step::Embed { .. } => {}
            Step::Linear { input, output: to, weight, activation, .. } => {
                for (row, (output, y)) in output.iter_mut().zip(held(*to)).enumerate() {
                    let weights = self.row_of(*weight, row);
                    let (mut carried, mut terms) = (0.0, 0.0);
                    for ((weight, x), noise) in weights.iter().zip(held(*input)).zip(&noise[*input]) {
                        carried += (weight * noise).powi(2);
                        terms += (weight * x).powi(2);
                    }
                    let own = UNIT * UNIT * (weights.len() as f64 + 1.0) * (terms + y * y);
                    let sum = (carried + own).sqrt();
                    *output = activation.map_or(sum, |activation| noise_after(activation, None, *y, sum));
                }
            }
            Step::Activate { input, activation, output: to } => {
                let rows = held(*input).iter().zip(held(*to)).zip(&noise[*input]);
                for (output, ((z, y), noise)) in output.iter_mut().zip(rows) {
                    *output = noise_after(*activation, Some(*z), *y, *noise);
                }
            }
            Step::LayerNorm { input, gain, output: to, .. } => {
                let (normed, deviation) = normed(held(*input));
                let count = normed.len() as f64;
                let mean = (noise[*input].iter().map(|noise| noise * noise).sum::<f64>() / count).sqrt();
                let size = (held(*input).iter().map(|x| x * x).sum::<f64>() / count).sqrt();
                for (at, (output, y)) in output.iter_mut().zip(held(*to)).enumerate() {
                    let own = noise[*input][at] + (mean + 2.0 * UNIT * size) * (1.0 + normed[at].abs());
                    *output = tensor(*gain)[at].abs() * own / deviation + 4.0 * UNIT * y.abs();
                }
            }
            Step::BatchNorm { input, gain, mean, variance, output: to, .. } => {
                for (at, (output, y)) in output.iter_mut().zip(held(*to)).enumerate() {
                    let slope = (tensor(*gain)[at] / deviation(tensor(*variance)[at])).abs();
                    let size = held(*input)[at].abs() + tensor(*mean)[at].abs();
                    *output = slope * (noise[*input][at] + 4.0 * UNIT * size) + 2.0 * UNIT * y.abs();
                }
            }
            Step::Dropout { input, .. } => output.copy_from_slice(&noise[*input]),
            Step::Add { left, right, output: to } => {
                let both = noise[*left].iter().zip(&noise[*right]).zip(held(*to));
                for (output, ((left, right), y)) in output.iter_mut().zip(both) {
                    *output = left.hypot(*right) + UNIT * y.abs();
                }
            }
            Step::Sum { input, output: to } => {
                let vectors = held(*input).len() / output.len().max(1);
                for (at, (output, y)) in output.iter_mut().zip(held(*to)).enumerate() {
                    let width = held(*to).len();
                    let terms = (0..vectors).map(|vector| held(*input)[vector * width + at].powi(2));
                    *output = UNIT * ((vectors as f64) * (terms.sum::<f64>() + y * y)).sqrt();
                }
            }
            Step::Interact { vector, embeddings, dimension, output: to } => {
                let none: &[f64] = &[];
                let of = |all: &'_ dyn Fn(Buffer) -> Vec<f64>| -> Vec<f64> {
                    let own = vector.map_or_else(Vec::new, all);
                    own.into_iter().chain(embeddings.map_or_else(Vec::new, all)).collect()
                };
                let (values, off) =
                    (of(&|buffer| held(buffer).to_vec()), of(&|buffer| noise[buffer].clone()));
                let own = vector.map_or(none, |vector| noise[vector].as_slice());
                output[..own.len()].copy_from_slice(own);
                let count = values.len() / dimension;
                let results = held(*to)[own.len()..].iter();
                for ((output, y), (left, right)) in
                    output[own.len()..].iter_mut().zip(results).zip(pairs(count))
                {
                    let (mut carried, mut terms) = (0.0, 0.0);
                    for at in 0..*dimension {
                        let (l, r) = (left * dimension + at, right * dimension + at);
                        carried += (values[l] * off[r]).powi(2) + (values[r] * off[l]).powi(2);
                        terms += (values[l] * values[r]).powi(2);
                    }
                    let own = UNIT * UNIT * (*dimension as f64 + 1.0) * (terms + y * y);
                    *output = (carried + own).sqrt();
                }
            }
        }
    }
}

/// What an activation leaves of the noise of z: that times the steepest slope near z, and what computing it adds.
fn noise_after(activation: Activation, z: Option<f64>, y: f64, noise: f64) -> f64 {
    /// No activation is steeper: the slopes of `SiLU` and GELU reach 1.1 and 1.13.
    const STEEPEST: f64 = 1.13;
    let near = match activation {
        // At the kink either side may be taken.
        Activation::Relu | Activation::LeakyRelu | Activation::Elu => 1.0,
        Activation::Silu | Activation::Gelu => {
            z.map_or(STEEPEST, |z| slope(activation, z).abs() + FAR * noise)
        }
        Activation::Tanh | Activation::Sigmoid => slope_of_result(activation, y).abs() + FAR * noise,
    };
    let steepest = if near < STEEPEST { near } else { STEEPEST };
    steepest * noise + 4.0 * UNIT * (y.abs() + UNIT)
}
