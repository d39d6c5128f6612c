//! The weights that training starts from, by key: of seed, tensor and position.

use crate::plan::{Plan, Start};
use crate::random::Key;

/// All weights of the plan.
pub(crate) fn start_weights(plan: &Plan, key: Key) -> Vec<f32> {
    let mut weights = vec![0.0; plan.total];
    for (number, tensor) in (0..).zip(&plan.tensors) {
        let key = key.with(number);
        for (position, weight) in (0..).zip(&mut weights[tensor.range()]) {
            *weight = match tensor.start {
                Start::Uniform(bound) => bound * key.symmetric(position),
                Start::Normal(deviation) => deviation * key.normal(position),
                Start::Constant(value) => value,
            };
        }
    }
    weights
}
