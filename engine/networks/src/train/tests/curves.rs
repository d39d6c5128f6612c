//! The losses of 50 steps beside PyTorch's, by our kernels for processors and for cards and through candle: rows, start weights and order are the same bits,
//! by the formulas of `benches/networks/torch_curves.py`, which printed what is expected.

use std::sync::Arc;

use candle_core::{Device as Candle, Result, Tensor};

use crate::compute::Pass;
use crate::gpu::CardEngine;
use crate::gpu::emulated::Emulated;
use crate::layout::{CategoricalInput, InputLayout};
use crate::plan::{Plan, Start};
use crate::random::Key;
use crate::rows::Block;
use crate::spec::{Activation, Adagrad, AdamW, Loss, NetworkSpec, Norm, Optimizer, Sgd};
use crate::tensors::{self, Flat, Graph};
use crate::train::cpu::Cpu;
use crate::train::engine::{Engine, StepOrder};
use crate::train::epochs::Training;
use crate::train::order::Window;
use crate::train::shard::Objective;
use crate::train::step::Work;
use crate::train::team::Team;

const ROWS: usize = 640;
const FEATURES: usize = 8;
const IDS: u32 = 11;
const BATCH: usize = 64;
const STEPS: usize = 50;

/// Numbers between -1 and 1 that single precision holds exactly.
fn values(seed: u32) -> impl Iterator<Item = f32> {
    (0_u32..).map(move |at| {
        let mut bits = at.wrapping_mul(2_654_435_761).wrapping_add(seed * 97 + 12_345);
        for _ in 0..2 {
            bits = (bits ^ (bits >> 16)).wrapping_mul(0x045d_9f3b);
        }
        ((bits ^ (bits >> 16)) >> 8) as f32 / 8_388_608.0 - 1.0
    })
}

fn rows(loss: Loss, has_ids: bool) -> Block {
    let numeric: Vec<f32> = values(1000).take(ROWS * FEATURES).collect();
    let ids: Vec<u32> = (0..ROWS as u32).map(|row| row * 7 % IDS).collect();
    let labels = numeric.chunks_exact(FEATURES).zip(&ids).map(|(x, id)| {
        let y = x[0] + x[1] * 0.5 + (id % 3) as f32 * 0.25;
        match loss {
            Loss::Logistic => f32::from(u8::from(y > 0.25)),
            Loss::Softmax => (y + 1.0).clamp(0.0, 2.0).floor(),
            _ => y,
        }
    });
    let labels = labels.collect();
    let ids = if has_ids { ids } else { Vec::new() };
    Block { rows: ROWS, numeric, ids, labels, weights: Vec::new(), groups: Vec::new() }
}

fn start(plan: &Plan) -> Vec<f32> {
    let mut weights = vec![0.0; plan.total];
    // PyTorch has its running means apart.
    let learned = plan.tensors.iter().filter(|tensor| !tensor.name.contains("running"));
    for (number, tensor) in (0..).zip(learned) {
        let middle = if tensor.start == Start::Constant(1.0) { 1.0 } else { 0.0 };
        for (weight, value) in weights[tensor.range()].iter_mut().zip(values(number)) {
            *weight = middle + 0.25 * value;
        }
    }
    weights
}

/// The mean loss of each batch, before its step.
fn curve(engine: &mut dyn Engine, rate: f64, rows: Block) -> Vec<f64> {
    let window = Window {
        blocks: vec![Arc::new(rows)],
        numbers: vec![0],
        order: (0..ROWS as u32).collect(),
        is_last: true,
    };
    engine.take(window).unwrap();
    let mut done = Vec::new();
    for step in 0..STEPS {
        let first = step * BATCH % ROWS;
        let (step, key) = (step as u64 + 1, Key::fixed(1));
        let order = StepOrder { step, batch: step, first, rows: BATCH, key, rate };
        engine.step(&order, &mut done).unwrap();
    }
    engine.settle(&mut done).unwrap();
    done.iter().map(|sums| sums.loss / sums.weight).collect()
}

/// The same by candle's automatic gradients.
fn with_autograd(spec: &NetworkSpec, plan: &Plan, weights: &[f32], loss: Loss) -> Result<Vec<f64>> {
    let device = Candle::Cpu;
    let mut weights = weights.to_vec();
    let mut flat = Flat::start(&weights[..plan.trainable], &spec.optimizer, &device)?;
    let block = rows(loss, !spec.embeddings.is_empty());
    let ones = vec![1.0; ROWS];
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let first = step * BATCH % ROWS;
        let part = |values: &[f32]| Tensor::new(&values[first..first + BATCH], &device);
        let numeric = &block.numeric[first * FEATURES..(first + BATCH) * FEATURES];
        let ids = if block.ids.is_empty() { &[][..] } else { &block.ids[first..first + BATCH] };
        let batch = tensors::Rows {
            count: BATCH,
            numeric: Some(Tensor::from_slice(numeric, (BATCH, FEATURES), &device)?),
            ids: if ids.is_empty() { Vec::new() } else { vec![Tensor::new(ids, &device)?] },
            labels: part(&block.labels)?,
            weights: part(&ones)?,
            groups: None,
        };
        let graph = Graph::new(plan, &weights, &device)?;
        let pass = Pass::Train { key: Key::fixed(1), first_row: 0 };
        let mean = (Graph::loss(loss, &graph.forward(&batch, pass)?, &batch)? / BATCH as f64)?;
        let store = mean.backward()?;
        let mut gradient = vec![0.0_f32; plan.trainable];
        for (tensor, variable) in plan.tensors.iter().zip(&graph.variables) {
            if let Some(own) = store.get(variable.as_tensor()) {
                gradient[tensor.range()].copy_from_slice(&own.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        let length = gradient.iter().map(|part| f64::from(*part).powi(2)).sum::<f64>().sqrt();
        let limit = spec.gradient_clip.filter(|limit| *limit < length);
        let factor = limit.map_or(1.0, |limit| limit / (length + 1e-6));
        let gradient = (Tensor::new(gradient, &device)? * factor)?;
        flat.follow(&spec.optimizer, step as u64 + 1, spec.optimizer.learning_rate(), &gradient)?;
        weights[..plan.trainable].copy_from_slice(&flat.weights.to_vec1::<f32>()?);
        losses.push(f64::from(mean.to_scalar::<f32>()?));
    }
    Ok(losses)
}

fn cases() -> Vec<(NetworkSpec, Loss)> {
    let base = |hidden: &[u32], activation, norm, optimizer| {
        let mut spec = NetworkSpec::mlp(hidden);
        (spec.activation, spec.norm, spec.optimizer) = (activation, norm, optimizer);
        spec.batch_size = BATCH as u32;
        spec
    };
    let adamw = Optimizer::AdamW(AdamW { learning_rate: 0.01, weight_decay: 0.01, ..AdamW::default() });
    let sgd = Optimizer::Sgd(Sgd { learning_rate: 0.05, momentum: 0.9, nesterov: true, weight_decay: 0.0 });
    let adagrad = Optimizer::Adagrad(Adagrad { learning_rate: 0.05, ..Adagrad::default() });
    let mut squared = base(&[32, 16], Activation::Relu, Norm::None, adamw);
    squared.gradient_clip = Some(0.5);
    let mut logistic = base(&[24], Activation::Silu, Norm::Layer, sgd);
    logistic.embeddings.insert("id".into(), 5);
    let mut softmax = base(&[24], Activation::Tanh, Norm::Batch, adagrad);
    softmax.embeddings.insert("id".into(), 4);
    vec![(squared, Loss::Squared), (logistic, Loss::Logistic), (softmax, Loss::Softmax)]
}

#[test]
fn losses_of_steps_are_those_of_pytorch() {
    for ((spec, loss), expected) in cases().into_iter().zip(TORCH) {
        let has_ids = !spec.embeddings.is_empty();
        let categorical = has_ids.then(|| CategoricalInput { name: "id".into(), ids: IDS });
        let inputs = InputLayout {
            numeric: (0..FEATURES).map(|column| format!("x{column}")).collect(),
            categorical: categorical.into_iter().collect(),
        };
        let plan = Plan::new(&spec, &inputs, if loss == Loss::Softmax { 3 } else { 1 });
        let objective = Objective { loss, scale: None, class_factors: Vec::new() };
        let (rate, weights) = (spec.optimizer.learning_rate(), start(&plan));
        let work = Work::new(&spec, &plan, &objective, weights.clone());
        let ours = curve(&mut Cpu { work: &work, team: &Team::new(0) }, rate, rows(loss, has_ids));
        let training = Training { spec: &spec, plan: &plan, objective: &objective };
        let candles = with_autograd(&spec, &plan, &weights, loss).unwrap();
        let mut engine = CardEngine::new(&training, ROWS as u64, Emulated::new(), &weights, None).unwrap();
        let card = curve(&mut engine, rate, rows(loss, has_ids));
        for (name, found) in [("ours", ours), ("candle", candles), ("card", card)] {
            assert_eq!(found.len(), STEPS);
            for (step, (found, expected)) in (1..).zip(found.iter().zip(expected)) {
                let off = (found - expected).abs();
                // Six decimals, and the rounding of single precision, which the steps carry on.
                assert!(off <= 5e-7 + 1e-5 * expected, "{name}, {loss:?}, step {step}: {found} {expected}");
            }
        }
    }
}

#[test]
fn pairs_of_groups_cost_the_same_on_a_card() {
    let mut spec = NetworkSpec::mlp(&[16]);
    spec.batch_size = BATCH as u32;
    let numeric = (0..FEATURES).map(|column| format!("x{column}")).collect();
    let plan = Plan::new(&spec, &InputLayout { numeric, categorical: Vec::new() }, 1);
    let objective = Objective { loss: Loss::Pairwise, scale: None, class_factors: Vec::new() };
    let weights = start(&plan);
    // Groups of 7 rows that differ in their upper half alone, and weights.
    let mut rows = rows(Loss::Pairwise, false);
    rows.groups = (0..ROWS as u64).map(|row| (row / 7) << 32).collect();
    rows.weights = values(2000).take(ROWS).map(|value| 1.0 + 0.5 * value).collect();
    let work = Work::new(&spec, &plan, &objective, weights.clone());
    let ours = curve(&mut Cpu { work: &work, team: &Team::new(0) }, 0.01, rows.clone());
    let training = Training { spec: &spec, plan: &plan, objective: &objective };
    let mut engine = CardEngine::new(&training, ROWS as u64, Emulated::new(), &weights, None).unwrap();
    let card = curve(&mut engine, 0.01, rows);
    assert!(ours[STEPS - 1] < 0.9 * ours[0]);
    for (ours, card) in ours.iter().zip(&card) {
        assert!((ours - card).abs() <= 1e-5 * ours, "{ours} {card}");
    }
}

// torch 2.15.0, `benches/networks/torch_curves.py`.
const TORCH: [[f64; STEPS]; 3] = [
    [
        0.789_328, 0.706_152, 0.659_280, 0.494_245, 0.547_298, 0.430_582, 0.435_453, 0.309_174, 0.341_983,
        0.335_674, 0.406_925, 0.307_611, 0.303_111, 0.257_453, 0.207_723, 0.159_498, 0.130_922, 0.112_615,
        0.070_013, 0.087_153, 0.095_767, 0.071_137, 0.066_482, 0.068_214, 0.097_245, 0.080_658, 0.071_302,
        0.086_097, 0.094_856, 0.073_085, 0.063_143, 0.070_384, 0.051_195, 0.051_890, 0.068_170, 0.053_841,
        0.043_898, 0.051_133, 0.043_572, 0.061_201, 0.068_731, 0.049_836, 0.045_256, 0.050_912, 0.054_300,
        0.046_179, 0.038_078, 0.044_971, 0.045_113, 0.052_714,
    ],
    [
        0.767_530, 0.708_812, 0.706_473, 0.652_697, 0.638_092, 0.619_281, 0.583_108, 0.583_845, 0.510_278,
        0.495_902, 0.458_157, 0.437_558, 0.348_402, 0.370_108, 0.358_883, 0.340_149, 0.298_546, 0.282_486,
        0.228_045, 0.203_030, 0.236_105, 0.302_008, 0.240_795, 0.280_156, 0.193_586, 0.228_841, 0.180_981,
        0.194_418, 0.168_704, 0.156_571, 0.188_814, 0.250_505, 0.212_091, 0.277_248, 0.175_313, 0.222_829,
        0.151_763, 0.161_223, 0.118_623, 0.130_600, 0.138_902, 0.162_506, 0.134_594, 0.190_825, 0.131_207,
        0.134_194, 0.081_536, 0.107_309, 0.076_797, 0.081_009,
    ],
    [
        1.108_341, 0.855_237, 0.711_198, 0.665_043, 0.646_701, 0.562_455, 0.478_242, 0.398_595, 0.475_212,
        0.512_649, 0.438_297, 0.429_053, 0.334_258, 0.307_101, 0.385_229, 0.320_201, 0.291_059, 0.280_127,
        0.305_698, 0.396_766, 0.331_379, 0.317_129, 0.233_955, 0.217_726, 0.295_563, 0.230_189, 0.221_236,
        0.235_189, 0.230_909, 0.358_226, 0.283_448, 0.264_700, 0.191_026, 0.174_356, 0.254_602, 0.184_161,
        0.184_980, 0.211_145, 0.189_351, 0.336_169, 0.254_707, 0.235_674, 0.168_457, 0.148_482, 0.231_740,
        0.155_678, 0.162_046, 0.196_267, 0.163_300, 0.321_573,
    ],
];
