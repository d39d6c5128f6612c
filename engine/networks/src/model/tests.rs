use proptest::prelude::*;

use super::{NetworkDescription, NetworkModel};
use crate::layout::{CategoricalInput, InputLayout, Inputs, LabelLayout};
use crate::random::Key;
use crate::spec::{Activation, Architecture, Loss, NetworkSpec, Norm, NumericEmbedding};
use crate::train::start::start_weights;

pub(crate) fn inputs() -> InputLayout {
    InputLayout {
        numeric: vec!["age".into(), "height".into(), "width".into()],
        categorical: vec![
            CategoricalInput { name: "company".into(), ids: 7 },
            CategoricalInput { name: "kind".into(), ids: 3 },
        ],
    }
}

pub(crate) fn label(classes: usize) -> LabelLayout {
    LabelLayout { name: "tip".into(), classes: (0..classes).map(|class| class.to_string()).collect() }
}

/// A spec of each kind of layer.
pub(crate) fn specs() -> Vec<(NetworkSpec, usize)> {
    let mut mlp = NetworkSpec::mlp(&[33, 16]);
    mlp.norm = Norm::Layer;
    let mut wide = NetworkSpec::from(Architecture::WideAndDeep { hidden: vec![8] });
    wide.activation = Activation::Gelu;
    wide.numeric_embedding = NumericEmbedding::PiecewiseLinear { bins: 4 };
    let mut residual = NetworkSpec::from(Architecture::Residual { width: 12, blocks: 2, hidden: None });
    residual.norm = Norm::Batch;
    residual.dropout = 0.2;
    let mut crossed =
        NetworkSpec::from(Architecture::Interactions { dimension: 5, bottom: vec![9], hidden: vec![11] });
    crossed.numeric_embedding = NumericEmbedding::Periodic { frequencies: 3, sigma: 0.5 };
    let mut counts = NetworkSpec::mlp(&[]);
    counts.loss = Some(Loss::Poisson);
    vec![(mlp, 0), (wide, 2), (residual, 4), (crossed, 0), (counts, 0)]
}

fn model(spec: &NetworkSpec, classes: usize) -> NetworkModel {
    let description = NetworkDescription::new(spec, &inputs(), &label(classes)).unwrap();
    let weights = start_weights(&description.plan().unwrap(), Key::new(5, 1));
    NetworkModel::new(description, weights).unwrap()
}

fn rows(count: usize) -> (Vec<f32>, Vec<u32>) {
    let key = Key::new(9, 9);
    let numeric = (0..count * 3).map(|at| 2.0 * key.symmetric(at as u64)).collect();
    let ids = (0..count).flat_map(|row| [(row % 7) as u32, (row % 3) as u32]).collect();
    (numeric, ids)
}

#[test]
fn weights_survive_the_file_and_its_bytes_are_the_same() {
    for (spec, classes) in specs() {
        let model = model(&spec, classes);
        let bytes = model.to_safetensors().unwrap();
        let text = serde_json::to_string(model.description()).unwrap();
        let description: NetworkDescription = serde_json::from_str(&text).unwrap();
        let again = NetworkModel::from_safetensors(description, &bytes).unwrap();
        assert_eq!(again, model);
        assert_eq!(again.to_safetensors().unwrap(), bytes);
    }
}

#[test]
fn other_weights_are_refused() {
    let spec = NetworkSpec::mlp(&[4]);
    let own = model(&spec, 0);
    let bytes = own.to_safetensors().unwrap();
    let message = |spec: &NetworkSpec, classes: usize, bytes: &[u8]| {
        let description = NetworkDescription::new(spec, &inputs(), &label(classes)).unwrap();
        NetworkModel::from_safetensors(description, bytes).unwrap_err().to_string()
    };
    let wider = NetworkSpec::mlp(&[5]);
    assert!(message(&wider, 0, &bytes).contains("`layers.0.weight` has shape [4, "));
    let deeper = NetworkSpec::mlp(&[4, 4]);
    assert!(message(&deeper, 0, &bytes).contains("`layers.1.weight` has shape [1, 4], not [4, 4]"));
    let linear = NetworkSpec::mlp(&[]);
    assert!(message(&linear, 0, &bytes).contains("`layers.1.bias` is none of its tensors"));
    let mut spoiled = bytes.clone();
    let last = spoiled.len() - 4;
    spoiled[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(message(&spec, 0, &spoiled).contains("holds NaN or an infinity"));
    for length in [0, 7, 8, 100, bytes.len() - 1] {
        assert!(!message(&spec, 0, &bytes[..length]).is_empty());
    }
}

#[test]
fn scores_are_what_the_link_says() {
    let (numeric, ids) = rows(100);
    let inputs = Inputs { rows: 100, numeric: &numeric, ids: &ids };
    for (spec, classes) in specs() {
        let model = model(&spec, classes);
        let scores = model.predict(&inputs).unwrap();
        let sums = model.sums(&inputs).unwrap();
        assert_eq!(scores.len(), 100 * model.description().outputs());
        match classes {
            2 => assert!(
                scores.iter().zip(&sums).all(|(score, z)| (score - 1.0 / (1.0 + (-z).exp())).abs() < 1e-6)
            ),
            4 => assert!(scores.chunks(4).all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6)),
            _ if spec.loss == Some(Loss::Poisson) => {
                assert!(scores.iter().zip(&sums).all(|(score, z)| (score / z.exp() - 1.0).abs() < 1e-6));
            }
            _ => assert_eq!(scores, sums),
        }
    }
}

#[test]
fn gradients_of_features_are_central_differences() {
    for (spec, classes) in specs() {
        let model = model(&spec, classes);
        let (numeric, ids) = rows(70);
        let outputs = model.description().outputs();
        let output = outputs - 1;
        let inputs = Inputs { rows: 70, numeric: &numeric, ids: &ids };
        let gradients = model.gradients(&inputs, output).unwrap();
        for feature in 0..3 {
            let moved = |by: f32| {
                let mut numeric = numeric.clone();
                numeric.iter_mut().skip(feature).step_by(3).for_each(|value| *value += by);
                let sums = model.sums(&Inputs { numeric: &numeric, ..inputs }).unwrap();
                sums.into_iter().skip(output).step_by(outputs).collect::<Vec<f32>>()
            };
            let (above, below) = (moved(1e-3), moved(-1e-3));
            // At a corner of ReLU or of a bin the difference is between both slopes: few rows may be off.
            let off = (0..70)
                .filter(|row| {
                    let difference = (above[*row] - below[*row]) / 2e-3;
                    (gradients.numeric[row * 3 + feature] - difference).abs() > 2e-3 + 0.01 * difference.abs()
                })
                .count();
            assert!(off <= 4, "{off} rows of feature {feature}, {spec:?}");
        }
        assert!(model.gradients(&inputs, outputs).is_err());
    }
}

#[test]
fn values_that_cannot_be_are_named() {
    let model = model(&NetworkSpec::mlp(&[4]), 0);
    let (mut numeric, mut ids) = rows(5);
    let message = |numeric: &[f32], ids: &[u32]| {
        model.predict(&Inputs { rows: 5, numeric, ids }).unwrap_err().to_string()
    };
    assert_eq!(
        message(&numeric[1..], &ids),
        "the table of numeric features holds 14 values, 15 were expected"
    );
    ids[3] = 3;
    assert_eq!(message(&numeric, &ids), "feature `kind` has id 3 in row 1, there are 3 ids from 0");
    numeric[7] = f32::NAN;
    assert_eq!(message(&numeric, &ids), "feature `height` is NaN in row 2");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_bits_of_a_row_do_not_depend_on_its_company(first in 0_usize..200, count in 1_usize..200, which in 0_usize..5) {
        let (spec, classes) = specs().swap_remove(which);
        let model = model(&spec, classes);
        let (numeric, ids) = rows(400);
        let all = model.predict(&Inputs { rows: 400, numeric: &numeric, ids: &ids }).unwrap();
        let outputs = model.description().outputs();
        let part = Inputs {
            rows: count,
            numeric: &numeric[first * 3..(first + count) * 3],
            ids: &ids[first * 2..(first + count) * 2],
        };
        let scores = model.predict(&part).unwrap();
        let expected = &all[first * outputs..(first + count) * outputs];
        prop_assert!(scores.iter().zip(expected).all(|(left, right)| left.to_bits() == right.to_bits()));
    }
}
