//! A network in double precision, one row at a time, with the derivatives of its scores by what it reads.
//!
//! Slow and plain: what explanations integrate along, and what an export is held against. It follows the same [`Plan`] as
//! the kernels, with the weights as they are; dropout does nothing, batch norm takes its running means.

mod noise;
#[cfg(test)]
mod tests;

use std::f64::consts::TAU;

use crate::plan::{Buffer, NORM_EPSILON, Plan, Step, TensorId};
use crate::spec::Activation;

pub use noise::FAR;

/// The slope of the leaky `ReLU` below 0.
const LEAK: f64 = 0.01;
/// The constants of GELU's tanh formula: √(2 / π) and the factor of the cube.
const GELU: (f64, f64) = (0.797_884_560_802_865_4, 0.044_715);

/// What a row reads: its numbers, and a vector for each [`Step::Embed`] of the plan, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The numeric features.
    pub numeric: Vec<f64>,
    /// The vectors that stand for its ids.
    pub vectors: Vec<Vec<f64>>,
}

impl Point {
    /// The point at `share` of the way from `from` to this one.
    #[must_use]
    pub fn between(&self, from: &Self, share: f64) -> Self {
        let mix = |from: &[f64], to: &[f64]| -> Vec<f64> {
            from.iter().zip(to).map(|(from, to)| from + share * (to - from)).collect()
        };
        let vectors = from.vectors.iter().zip(&self.vectors).map(|(from, to)| mix(from, to)).collect();
        Self { numeric: mix(&from.numeric, &self.numeric), vectors }
    }

    /// Zeros of the same form.
    fn like(&self) -> Self {
        let vectors = self.vectors.iter().map(|vector| vec![0.0; vector.len()]).collect();
        Self { numeric: vec![0.0; self.numeric.len()], vectors }
    }
}

/// A network in double precision.
#[derive(Clone, Copy, Debug)]
pub struct DoubleNetwork<'a> {
    plan: &'a Plan,
    tensors: &'a [Vec<f64>],
}

/// What each buffer of the plan holds for a row.
#[derive(Clone, Debug)]
pub struct Trace(Vec<Vec<f64>>);

impl<'a> DoubleNetwork<'a> {
    /// Of a plan with the values of its tensors, in the order of [`Plan::tensors`].
    #[must_use]
    pub fn new(plan: &'a Plan, tensors: &'a [Vec<f64>]) -> Self {
        Self { plan, tensors }
    }

    /// The point of a row with these ids, one for each categorical feature, all in range.
    #[must_use]
    pub fn point(&self, numeric: Vec<f64>, ids: &[u32]) -> Point {
        let vectors = self.plan.steps.iter().filter_map(|step| match step {
            Step::Embed { feature, table, .. } => Some(self.row_of(*table, ids[*feature] as usize).to_vec()),
            _ => None,
        });
        Point { numeric, vectors: vectors.collect() }
    }

    /// A row of a tensor of two dimensions.
    fn row_of(&self, tensor: TensorId, row: usize) -> &'a [f64] {
        let width = self.plan.tensors[tensor].shape.get(1).copied().unwrap_or(1);
        &self.tensors[tensor][row * width..(row + 1) * width]
    }

    /// The scores of a row before their link.
    #[must_use]
    pub fn scores(&self, point: &Point) -> Vec<f64> {
        let mut trace = self.trace(point);
        std::mem::take(&mut trace.0[self.plan.scores])
    }

    /// What every buffer holds.
    #[must_use]
    pub fn trace(&self, point: &Point) -> Trace {
        let mut buffers: Vec<Vec<f64>> = self.plan.widths.iter().map(|width| vec![0.0; *width]).collect();
        let mut vectors = point.vectors.iter();
        for step in &self.plan.steps {
            let mut output = std::mem::take(&mut buffers[step.output()]);
            self.step(step, &buffers, point, &mut vectors, &mut output);
            buffers[step.output()] = output;
        }
        Trace(buffers)
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each kind of step")]
    fn step<'p>(
        &self,
        step: &Step,
        buffers: &[Vec<f64>],
        point: &Point,
        vectors: &mut impl Iterator<Item = &'p Vec<f64>>,
        output: &mut [f64],
    ) {
        let tensor = |id: TensorId| self.tensors[id].as_slice();
        match step {
            Step::Numeric { offset, .. } => {
                output[*offset..*offset + point.numeric.len()].copy_from_slice(&point.numeric);
            }
            Step::Piecewise { bins, offset, .. } => {
                piecewise(&point.numeric, tensor(*bins), |at, value, _| output[offset + at] = value);
            }
            Step::Periodic { frequencies, offset, .. } => {
                periodic(&point.numeric, tensor(*frequencies), |at, value, _| output[offset + at] = value);
            }
            Step::Embed { offset, .. } => {
                if let Some(vector) = vectors.next() {
                    output[*offset..*offset + vector.len()].copy_from_slice(vector);
                }
            }
            Step::Linear { input, weight, bias, activation, .. } => {
                for (row, (output, bias)) in output.iter_mut().zip(tensor(*bias)).enumerate() {
                    let weights = self.row_of(*weight, row);
                    let sum = weights.iter().zip(&buffers[*input]).map(|(weight, x)| weight * x).sum::<f64>();
                    *output = activation.map_or(sum + bias, |activation| value(activation, sum + bias));
                }
            }
            Step::Activate { input, activation, .. } => {
                for (output, x) in output.iter_mut().zip(&buffers[*input]) {
                    *output = value(*activation, *x);
                }
            }
            Step::LayerNorm { input, gain, shift, .. } => {
                let (normed, _) = normed(&buffers[*input]);
                let constants = tensor(*gain).iter().zip(tensor(*shift));
                for ((output, x), (gain, shift)) in output.iter_mut().zip(normed).zip(constants) {
                    *output = gain * x + shift;
                }
            }
            Step::BatchNorm { input, gain, shift, mean, variance, .. } => {
                for (at, (output, x)) in output.iter_mut().zip(&buffers[*input]).enumerate() {
                    let slope = tensor(*gain)[at] / deviation(tensor(*variance)[at]);
                    *output = slope * (x - tensor(*mean)[at]) + tensor(*shift)[at];
                }
            }
            Step::Dropout { input, .. } => output.copy_from_slice(&buffers[*input]),
            Step::Add { left, right, .. } => {
                for ((output, left), right) in output.iter_mut().zip(&buffers[*left]).zip(&buffers[*right]) {
                    *output = left + right;
                }
            }
            Step::Sum { input, .. } => {
                output.fill(0.0);
                for vector in buffers[*input].chunks_exact(output.len()) {
                    output.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
                }
            }
            Step::Interact { vector, embeddings, dimension, .. } => {
                let own = vector.map_or(&[][..], |vector| &buffers[vector]);
                let others = embeddings.map_or(&[][..], |others| &buffers[others]);
                output[..own.len()].copy_from_slice(own);
                let vectors: Vec<&[f64]> =
                    own.chunks_exact(*dimension).chain(others.chunks_exact(*dimension)).collect();
                let pairs = pairs(vectors.len());
                for (output, (left, right)) in output[own.len()..].iter_mut().zip(pairs) {
                    *output = vectors[left].iter().zip(vectors[right]).map(|(a, b)| a * b).sum();
                }
            }
        }
    }

    /// The derivatives of one of the scores by what the row reads, at a point with its trace.
    #[must_use]
    pub fn gradient(&self, point: &Point, trace: &Trace, score: usize) -> Point {
        let mut gradients: Vec<Vec<f64>> = self.plan.widths.iter().map(|width| vec![0.0; *width]).collect();
        gradients[self.plan.scores][score] = 1.0;
        let mut found = point.like();
        let mut next_vector = point.vectors.len();
        for step in self.plan.steps.iter().rev() {
            let gradient = std::mem::take(&mut gradients[step.output()]);
            self.step_back(step, trace, (point, &mut found, &mut next_vector), &gradient, &mut gradients);
            // Steps that fill one buffer side by side all read its gradient.
            gradients[step.output()] = gradient;
        }
        found
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each kind of step")]
    fn step_back(
        &self,
        step: &Step,
        trace: &Trace,
        (point, found, next_vector): (&Point, &mut Point, &mut usize),
        gradient: &[f64],
        gradients: &mut [Vec<f64>],
    ) {
        let tensor = |id: TensorId| self.tensors[id].as_slice();
        let held = |buffer: Buffer| trace.0[buffer].as_slice();
        let numbers = point.numeric.len();
        match step {
            Step::Numeric { offset, .. } => add(&mut found.numeric, &gradient[*offset..*offset + numbers]),
            Step::Piecewise { bins, offset, .. } => {
                let per_feature = tensor(*bins).len() / 4 / numbers.max(1);
                piecewise(&point.numeric, tensor(*bins), |at, _, slope| {
                    found.numeric[at / per_feature] += slope * gradient[offset + at];
                });
            }
            Step::Periodic { frequencies, offset, .. } => {
                let per_feature = 2 * tensor(*frequencies).len() / numbers.max(1);
                periodic(&point.numeric, tensor(*frequencies), |at, _, slope| {
                    found.numeric[at / per_feature] += slope * gradient[offset + at];
                });
            }
            Step::Embed { offset, .. } => {
                *next_vector -= 1;
                let vector = &mut found.vectors[*next_vector];
                let width = vector.len();
                add(vector, &gradient[*offset..*offset + width]);
            }
            Step::Linear { input, output, weight, activation, .. } => {
                for (row, (gradient, y)) in gradient.iter().zip(held(*output)).enumerate() {
                    let slope = activation.map_or(1.0, |activation| slope_of_result(activation, *y));
                    let back = gradient * slope;
                    let weights = self.row_of(*weight, row);
                    gradients[*input].iter_mut().zip(weights).for_each(|(sum, w)| *sum += back * w);
                }
            }
            Step::Activate { input, activation, .. } => {
                let slopes = held(*input).iter().map(|z| slope(*activation, *z));
                for ((sum, gradient), slope) in gradients[*input].iter_mut().zip(gradient).zip(slopes) {
                    *sum += gradient * slope;
                }
            }
            Step::LayerNorm { input, gain, .. } => {
                let (normed, deviation) = normed(held(*input));
                let back: Vec<f64> = gradient.iter().zip(tensor(*gain)).map(|(g, gain)| g * gain).collect();
                let count = back.len() as f64;
                let mean = back.iter().sum::<f64>() / count;
                let along = back.iter().zip(&normed).map(|(g, x)| g * x).sum::<f64>() / count;
                for ((sum, back), x) in gradients[*input].iter_mut().zip(&back).zip(&normed) {
                    *sum += (back - mean - x * along) / deviation;
                }
            }
            Step::BatchNorm { input, gain, variance, .. } => {
                for (at, (sum, gradient)) in gradients[*input].iter_mut().zip(gradient).enumerate() {
                    *sum += gradient * tensor(*gain)[at] / deviation(tensor(*variance)[at]);
                }
            }
            Step::Dropout { input, .. } => add(&mut gradients[*input], gradient),
            Step::Add { left, right, .. } => {
                add(&mut gradients[*left], gradient);
                add(&mut gradients[*right], gradient);
            }
            Step::Sum { input, .. } => {
                for vector in gradients[*input].chunks_exact_mut(gradient.len()) {
                    add(vector, gradient);
                }
            }
            Step::Interact { vector, embeddings, dimension, .. } => {
                let own = vector.map_or(&[][..], held);
                let others = embeddings.map_or(&[][..], held);
                let vectors: Vec<&[f64]> =
                    own.chunks_exact(*dimension).chain(others.chunks_exact(*dimension)).collect();
                let mut back = vec![vec![0.0; *dimension]; vectors.len()];
                for (gradient, (left, right)) in gradient[own.len()..].iter().zip(pairs(vectors.len())) {
                    for at in 0..*dimension {
                        back[left][at] += gradient * vectors[right][at];
                        back[right][at] += gradient * vectors[left][at];
                    }
                }
                let mut back = back.into_iter();
                if let Some(vector) = vector {
                    add(&mut gradients[*vector], &gradient[..own.len()]);
                    back.by_ref().take(1).for_each(|back| add(&mut gradients[*vector], &back));
                }
                if let Some(others) = embeddings {
                    for (sum, back) in gradients[*others].chunks_exact_mut(*dimension).zip(back) {
                        add(sum, &back);
                    }
                }
            }
        }
    }
}

fn add(sums: &mut [f64], values: &[f64]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

/// Every two of so many: (0, 1), (0, 2), (1, 2), …
fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..count).flat_map(|right| (0..right).map(move |left| (left, right)))
}

/// The values of the bins of every feature, with their slopes.
fn piecewise(features: &[f64], bins: &[f64], mut visit: impl FnMut(usize, f64, f64)) {
    let count = bins.len() / 4;
    let per_feature = count / features.len().max(1);
    for at in 0..count {
        let [low, scale, least, most] = [0, 1, 2, 3].map(|constant| bins[constant * count + at]);
        let share = (features[at / per_feature] - low) * scale;
        let (value, slope) = match share {
            below if below < least => (least, 0.0),
            above if above > most => (most, 0.0),
            within => (within, scale),
        };
        visit(at, value, slope);
    }
}

/// The waves of every feature, sines before cosines, with their slopes.
fn periodic(features: &[f64], frequencies: &[f64], mut visit: impl FnMut(usize, f64, f64)) {
    let count = frequencies.len() / features.len().max(1);
    for (feature, x) in features.iter().enumerate() {
        for wave in 0..count {
            let speed = TAU * frequencies[feature * count + wave];
            let (sine, cosine) = (speed * x).sin_cos();
            visit(2 * feature * count + wave, sine, speed * cosine);
            visit((2 * feature + 1) * count + wave, cosine, -speed * sine);
        }
    }
}

fn deviation(variance: f64) -> f64 {
    (variance + f64::from(NORM_EPSILON)).sqrt()
}

/// Values less their mean, over their deviation, and that.
fn normed(values: &[f64]) -> (Vec<f64>, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    let deviation = deviation(variance);
    (values.iter().map(|value| (value - mean) / deviation).collect(), deviation)
}

fn logistic(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

/// f(z).
fn value(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Relu if z < 0.0 => 0.0,
        Activation::LeakyRelu if z < 0.0 => LEAK * z,
        Activation::Elu if z < 0.0 => z.exp_m1(),
        Activation::Relu | Activation::LeakyRelu | Activation::Elu => z,
        Activation::Silu => z * logistic(z),
        Activation::Gelu => 0.5 * z * (1.0 + (GELU.0 * (z + GELU.1 * z * z * z)).tanh()),
        Activation::Tanh => z.tanh(),
        Activation::Sigmoid => logistic(z),
    }
}

/// f'(z).
fn slope(activation: Activation, z: f64) -> f64 {
    match activation {
        Activation::Silu => {
            let s = logistic(z);
            s * (1.0 + z * (1.0 - s))
        }
        Activation::Gelu => {
            let t = (GELU.0 * (z + GELU.1 * z * z * z)).tanh();
            0.5 * (1.0 + t) + 0.5 * z * (1.0 - t * t) * GELU.0 * (1.0 + 3.0 * GELU.1 * z * z)
        }
        _ => slope_of_result(activation, value(activation, z)),
    }
}

/// f'(z) where the result f(z) tells it, as it does of the activations that stand in a [`Step::Linear`].
fn slope_of_result(activation: Activation, y: f64) -> f64 {
    match activation {
        Activation::Relu => f64::from(u8::from(y > 0.0)),
        Activation::LeakyRelu if y > 0.0 => 1.0,
        Activation::LeakyRelu => LEAK,
        Activation::Elu if y > 0.0 => 1.0,
        Activation::Elu => y + 1.0,
        Activation::Tanh => 1.0 - y * y,
        Activation::Sigmoid => y * (1.0 - y),
        // Not in a `Linear` step: they have one of their own, which keeps z.
        Activation::Silu | Activation::Gelu => f64::NAN,
    }
}
