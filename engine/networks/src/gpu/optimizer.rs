//! Weights follow their gradient, in one call; formulas as in [`crate::train`].

use super::driver::{Arguments, Kernel};
use super::layout::Layout;
use crate::spec::Optimizer;
use crate::train::update::power;

/// The kernel of a step, counted from 1, at this rate; the square of the gradient's length is at `square`, 0 is no limit to it.
#[expect(clippy::cast_possible_truncation, reason = "in the precision of the weights")]
pub(super) fn call(
    optimizer: &Optimizer,
    layout: &Layout,
    (step, rate): (u64, f64),
    square: usize,
    limit: Option<f64>,
) -> (Kernel, Arguments) {
    let slot = |number: usize| layout.slots.get(number).copied().unwrap_or(0);
    let at = [layout.weights, slot(0), slot(1), layout.gradients, square];
    let (kernel, mut arguments) = match optimizer {
        Optimizer::AdamW(options) => {
            let f = [
                1.0 - rate * options.weight_decay,
                1.0 - options.beta1,
                options.beta2,
                1.0 - options.beta2,
                rate / (1.0 - power(options.beta1, step)),
                (1.0 - power(options.beta2, step)).sqrt(),
                options.epsilon,
            ];
            (Kernel::AdamW, Arguments::new(at, []).with(f.map(|value| value as f32)))
        }
        Optimizer::Sgd(options) => {
            let f = [options.weight_decay, rate, options.momentum].map(|value| value as f32);
            (Kernel::Sgd, Arguments::new(at, [usize::from(options.nesterov)]).with(f))
        }
        Optimizer::Adagrad(options) => {
            let f = [options.weight_decay, rate, options.epsilon].map(|value| value as f32);
            (Kernel::Adagrad, Arguments::new(at, []).with(f))
        }
    };
    arguments.f[7] = limit.unwrap_or(0.0) as f32;
    (kernel, arguments)
}
