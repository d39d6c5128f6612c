//! Gradients of shards become one, and weights follow it: block by block of the weights, so that threads share the work.
//!
//! Formulas as in PyTorch, t the step from 1, g the gradient, η the rate:
//! - `AdamW`: w -= η λ w; m += (1 - β₁)(g - m); v = β₂ v + (1 - β₂) g²; w -= η / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε);
//! - SGD: g += λ w; m = μ m + g; w -= η m, or η (g + μ m) with Nesterov's;
//! - Adagrad: g += λ w; v += g²; w -= η g / (√v + ε).

use crate::kernels::{scalar, vectorised};
use crate::spec::{Adagrad, AdamW, Optimizer, Sgd};

/// Weights in a block, at most.
pub(crate) const BLOCK_WEIGHTS: usize = 4096;

/// Some weights that follow each other, with what the optimizer keeps of them.
#[derive(Clone, Debug)]
pub(crate) struct WeightBlock {
    /// The place of the first among all weights.
    pub(crate) start: usize,
    /// The table they are of, if any, and the place of the first in it.
    pub(crate) table: Option<(usize, usize)>,
    /// The weights.
    pub(crate) weights: Vec<f32>,
    /// Means of gradients or of their squares, as the optimizer wants.
    pub(crate) slots: [Vec<f32>; 2],
    /// The gradient of this step.
    pub(crate) gradient: Vec<f32>,
    /// Σ gradient², f64 of a fixed order.
    pub(crate) squares: f64,
}

impl WeightBlock {
    pub(crate) fn new(
        start: usize,
        table: Option<(usize, usize)>,
        weights: Vec<f32>,
        optimizer: &Optimizer,
    ) -> Self {
        let length = weights.len();
        let initial = match optimizer {
            #[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
            Optimizer::Adagrad(options) => options.initial as f32,
            Optimizer::AdamW(_) | Optimizer::Sgd(_) => 0.0,
        };
        let slot = |number: usize| vec![initial; if number < optimizer.slots() { length } else { 0 }];
        Self { start, table, weights, slots: [slot(0), slot(1)], gradient: vec![0.0; length], squares: 0.0 }
    }

    /// The gradient as the sum over shards along a fixed tree, times `scale`.
    pub(crate) fn reduce(&mut self, parts: &[&[f32]], scale: f32) {
        vectorised(|| add_tree(parts, &mut self.gradient));
        self.scale(scale);
    }

    /// The gradient as given, times `scale`.
    pub(crate) fn take(&mut self, gradient: &[f32], scale: f32) {
        self.gradient.copy_from_slice(gradient);
        self.scale(scale);
    }

    fn scale(&mut self, scale: f32) {
        vectorised(|| self.gradient.iter_mut().for_each(|gradient| *gradient *= scale));
        // A block's sum in f32 lanes is exact enough for a length; over blocks it is f64.
        self.squares = f64::from(vectorised(|| scalar::dot(&self.gradient, &self.gradient)));
    }

    /// Lets the weights follow the gradient, shortened by `clip`.
    pub(crate) fn follow(&mut self, optimizer: &Optimizer, step: u64, rate: f64, clip: f32) {
        let Self { weights, slots: [first, second], gradient, .. } = self;
        vectorised(|| {
            if clip < 1.0 {
                gradient.iter_mut().for_each(|gradient| *gradient *= clip);
            }
            match optimizer {
                Optimizer::AdamW(options) => adamw(options, step, rate, weights, first, second, gradient),
                Optimizer::Sgd(options) => sgd(options, rate, weights, first, gradient),
                Optimizer::Adagrad(options) => adagrad(options, rate, weights, first, gradient),
            }
        });
    }
}

/// ((0 + 1) + (2 + 3)) + …, whoever computes it.
#[inline(always)]
fn add_tree(parts: &[&[f32]], output: &mut [f32]) {
    const LANES: usize = 256;
    for (number, output) in output.chunks_mut(LANES).enumerate() {
        let first = number * LANES;
        let of = |part: usize| &parts[part][first..first + output.len()];
        // Sums of 2^level parts that wait for their neighbour; at most 16 shards are 5 levels.
        let mut waiting = [[0.0_f32; LANES]; 6];
        let mut filled = [false; 6];
        for part in 0..parts.len() {
            let mut sum = [0.0_f32; LANES];
            sum[..output.len()].copy_from_slice(of(part));
            let mut level = 0;
            while filled[level] {
                for (sum, waiting) in sum.iter_mut().zip(&waiting[level]) {
                    *sum += waiting;
                }
                filled[level] = false;
                level += 1;
            }
            waiting[level] = sum;
            filled[level] = true;
        }
        let mut total = [0.0_f32; LANES];
        for (waiting, filled) in waiting.iter().zip(filled) {
            if filled {
                for (total, waiting) in total.iter_mut().zip(waiting) {
                    *total += waiting;
                }
            }
        }
        output.copy_from_slice(&total[..output.len()]);
    }
}

/// β to the power of the step.
pub(crate) fn power(base: f64, step: u64) -> f64 {
    base.powi(i32::try_from(step).unwrap_or(i32::MAX))
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
fn adamw(
    options: &AdamW,
    step: u64,
    rate: f64,
    weights: &mut [f32],
    means: &mut [f32],
    squares: &mut [f32],
    gradient: &[f32],
) {
    let keep = (1.0 - rate * options.weight_decay) as f32;
    let (one_less_beta1, beta2) = ((1.0 - options.beta1) as f32, options.beta2 as f32);
    let one_less_beta2 = (1.0 - options.beta2) as f32;
    let length = (rate / (1.0 - power(options.beta1, step))) as f32;
    let root = (1.0 - power(options.beta2, step)).sqrt() as f32;
    let epsilon = options.epsilon as f32;
    let rows = weights.iter_mut().zip(means).zip(squares).zip(gradient);
    for (((weight, mean), square), g) in rows {
        let m = *mean + one_less_beta1 * (g - *mean);
        let v = beta2 * *square + one_less_beta2 * (g * g);
        *mean = m;
        *square = v;
        *weight = *weight * keep - length * (m / (v.sqrt() / root + epsilon));
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
fn sgd(options: &Sgd, rate: f64, weights: &mut [f32], means: &mut [f32], gradient: &[f32]) {
    let (decay, rate) = (options.weight_decay as f32, rate as f32);
    let momentum = options.momentum as f32;
    for ((weight, mean), g) in weights.iter_mut().zip(means).zip(gradient) {
        let g = g + decay * *weight;
        let m = momentum * *mean + g;
        *mean = m;
        *weight -= rate * if options.nesterov { g + momentum * m } else { m };
    }
}

#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
fn adagrad(options: &Adagrad, rate: f64, weights: &mut [f32], squares: &mut [f32], gradient: &[f32]) {
    let (decay, rate) = (options.weight_decay as f32, rate as f32);
    let epsilon = options.epsilon as f32;
    for ((weight, square), g) in weights.iter_mut().zip(squares).zip(gradient) {
        let g = g + decay * *weight;
        *square += g * g;
        *weight -= rate * (g / (square.sqrt() + epsilon));
    }
}

#[cfg(test)]
mod tests {
    use super::{WeightBlock, add_tree};
    use crate::spec::{Adagrad, AdamW, Optimizer, Sgd};

    /// Three steps from (1, -2) with gradients (0.1, -0.2), (0.3, 0.4), (-0.5, 0.6).
    fn three_steps(optimizer: Optimizer) -> Vec<f32> {
        let mut block = WeightBlock::new(0, None, vec![1.0, -2.0], &optimizer);
        for (step, gradient) in (1..).zip([[0.1_f32, -0.2], [0.3, 0.4], [-0.5, 0.6]]) {
            block.take(&gradient, 1.0);
            block.follow(&optimizer, step, optimizer.learning_rate(), 1.0);
        }
        block.weights
    }

    #[test]
    fn steps_are_those_of_pytorch() {
        // torch 2.15 on the CPU: p = tensor([1., -2.]), then for each gradient p.grad = tensor(...), optimizer.step().
        let adamw = AdamW { learning_rate: 0.1, weight_decay: 0.01, ..AdamW::default() };
        let sgd = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01, nesterov: false };
        let adagrad = Adagrad { learning_rate: 0.1, weight_decay: 0.01, ..Adagrad::default() };
        for (optimizer, expected) in [
            (Optimizer::AdamW(adamw), TORCH[0]),
            (Optimizer::Sgd(sgd), TORCH[1]),
            (Optimizer::Sgd(Sgd { nesterov: true, ..sgd }), TORCH[2]),
            (Optimizer::Adagrad(adagrad), TORCH[3]),
        ] {
            let found = three_steps(optimizer);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 3e-7, "{optimizer:?}: {found} {expected}");
            }
        }
    }

    const TORCH: [[f32; 2]; 4] = [
        [0.821_607_95, -1.998_915_7],
        [0.960_362_8, -2.070_625_5],
        [0.971_486_1, -2.137_611_2],
        [0.888_993_74, -2.066_278_5],
    ];

    #[test]
    fn a_tree_adds_each_part_once() {
        for count in 1..=16_usize {
            let parts: Vec<Vec<f32>> =
                (0..count).map(|part| (0..700).map(|at| (part * 1000 + at) as f32).collect()).collect();
            let parts: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
            let mut sum = vec![0.0; 700];
            add_tree(&parts, &mut sum);
            for (at, sum) in sum.iter().enumerate() {
                let expected: f32 = parts.iter().map(|part| part[at]).sum();
                assert!((sum - expected).abs() < 1e-6);
            }
        }
    }
}
