use serde_json::json;

use super::{DoubleNetwork, FAR, Point};
use crate::layout::{CategoricalInput, InputLayout, LabelLayout};
use crate::model::NetworkModel;
use crate::rows::MemoryRows;
use crate::spec::NetworkSpec;
use crate::train::{FitOptions, fit};

const ROWS: usize = 200;

/// Numbers and ids that repeat after many rows.
fn rows() -> (Vec<f32>, Vec<u32>) {
    let draw = |at: usize| (at * 7919 % 2003) as f32 / 1001.0 - 1.0;
    let ids = (0..ROWS).flat_map(|row| [(row * 31 % 7) as u32, (row * 17 % 3) as u32]);
    ((0..ROWS * 3).map(draw).collect(), ids.collect())
}

/// A network of each kind of step, after a few steps of training.
fn models() -> Vec<NetworkModel> {
    let numbers = json!({ "piecewise_linear": { "bins": 4 } });
    let waves = json!({ "periodic": { "frequencies": 3, "sigma": 0.5 } });
    let mlp = json!({ "mlp": { "hidden": [13, 6] } });
    let specs = [
        json!({ "architecture": mlp, "norm": "layer", "activation": "elu" }),
        json!({ "architecture": mlp, "norm": "batch", "dropout": 0.1, "activation": "tanh" }),
        json!({ "architecture": { "wide_and_deep": { "hidden": [8] } }, "activation": "gelu", "numeric_embedding": numbers }),
        json!({ "architecture": { "residual": { "width": 8, "blocks": 2 } }, "norm": "layer", "activation": "silu" }),
        json!({ "architecture": { "interactions": { "dimension": 4, "bottom": [5], "hidden": [7] } },
                "activation": "leaky_relu", "numeric_embedding": waves }),
        json!({ "architecture": { "mlp": { "hidden": [9] } }, "activation": "sigmoid" }),
    ];
    let inputs = InputLayout {
        numeric: ["a", "b", "c"].map(String::from).to_vec(),
        categorical: vec![
            CategoricalInput { name: "k".into(), ids: 7 },
            CategoricalInput { name: "l".into(), ids: 3 },
        ],
    };
    let label = LabelLayout { name: "y".into(), classes: Vec::new() };
    let (numeric, ids) = rows();
    let labels: Vec<f32> = (0..ROWS).map(|row| numeric[row * 3] * numeric[row * 3 + 1]).collect();
    let fitted = |spec: serde_json::Value| {
        let mut spec: NetworkSpec = serde_json::from_value(spec).unwrap();
        (spec.batch_size, spec.epochs) = (50, 2);
        let mut rows = MemoryRows::new(3, 2);
        rows.push(&numeric, &ids, &labels, &[]).unwrap();
        fit(&spec, (&inputs, &label), &mut rows, None, FitOptions::default()).unwrap().model
    };
    specs.into_iter().map(fitted).collect()
}

fn doubles(model: &NetworkModel) -> Vec<Vec<f64>> {
    model.tensors().map(|(_, values)| values.iter().map(|value| f64::from(*value)).collect()).collect()
}

#[test]
fn scores_are_those_of_the_kernels_within_the_noise() {
    let (numeric, ids) = rows();
    for model in models() {
        let tensors = doubles(&model);
        let double = DoubleNetwork::new(model.plan(), &tensors);
        let inputs = crate::layout::Inputs { rows: ROWS, numeric: &numeric, ids: &ids };
        let single = model.sums(&inputs).unwrap();
        let mut largest = 0.0_f64;
        for row in 0..ROWS {
            let own = numeric[row * 3..row * 3 + 3].iter().map(|value| f64::from(*value)).collect();
            let point = double.point(own, &ids[row * 2..row * 2 + 2]);
            let trace = double.trace(&point);
            let noise = double.noise(&point, &trace, &[0.0; 3])[0];
            let apart = (double.scores(&point)[0] - f64::from(single[row])).abs();
            assert!(apart <= FAR * noise, "{apart} {noise} of {:?}", model.description().architecture);
            // A bound that lets everything pass says nothing.
            assert!(noise < 1e-4, "{noise} of {:?}", model.description().architecture);
            largest = if apart / noise > largest { apart / noise } else { largest };
        }
        assert!(largest > 1e-3, "the noise is {largest} times too large");
    }
}

#[test]
fn gradients_are_central_differences() {
    let (numeric, ids) = rows();
    for model in models() {
        let tensors = doubles(&model);
        let double = DoubleNetwork::new(model.plan(), &tensors);
        for row in 0..20 {
            // Beside the values of the rows, which are edges of bins.
            let own = numeric[row * 3..row * 3 + 3].iter().map(|value| f64::from(*value) + 1.3e-4).collect();
            let point = double.point(own, &ids[row * 2..row * 2 + 2]);
            let gradient = double.gradient(&point, &double.trace(&point), 0);
            let score = |point: &Point| double.scores(point)[0];
            let moved = |change: &dyn Fn(&mut Point, f64)| {
                let at = |by: f64| {
                    let mut there = point.clone();
                    change(&mut there, by);
                    score(&there)
                };
                (at(1e-6) - at(-1e-6)) / 2e-6
            };
            let close = |found: f64, expected: f64| {
                assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{found} {expected}");
            };
            for at in 0..3 {
                close(gradient.numeric[at], moved(&|point, by| point.numeric[at] += by));
            }
            for (vector, own) in gradient.vectors.iter().enumerate() {
                for (at, found) in own.iter().enumerate() {
                    close(*found, moved(&|point, by| point.vectors[vector][at] += by));
                }
            }
        }
    }
}
