//! Trainings of small networks: their bits, their losses, stops and resumes, and what is refused.

mod curves;
mod devices;

use sluice_core::Execution;

use super::{FitOptions, FittedNetwork, fit};
use crate::layout::{CategoricalInput, InputLayout, LabelLayout};
use crate::random::Key;
use crate::rows::MemoryRows;
use crate::spec::{
    Activation, Adagrad, AdamW, Architecture, ClassWeights, EarlyStopping, Loss, NetworkSpec, Norm,
    NumericEmbedding, Optimizer, Schedule, Sgd,
};
use crate::{Inputs, NetworkError};

fn layout() -> InputLayout {
    InputLayout {
        numeric: (0..4).map(|column| format!("x{column}")).collect(),
        categorical: vec![
            CategoricalInput { name: "group".into(), ids: 5 },
            CategoricalInput { name: "kind".into(), ids: 40 },
        ],
    }
}

fn label(classes: usize) -> LabelLayout {
    LabelLayout { name: "y".into(), classes: (0..classes).map(|class| format!("c{class}")).collect() }
}

/// Rows whose label follows from the features: a curve of the numbers and a shift by group, with noise.
fn rows(count: usize, classes: usize, seed: u64) -> (Vec<f32>, Vec<u32>, Vec<f32>) {
    let key = Key::new(seed, 77);
    let numeric: Vec<f32> = (0..count * 4).map(|at| 1.7 * key.symmetric(at as u64)).collect();
    let ids: Vec<u32> = (0..count)
        .flat_map(|row| [(key.at(row as u64) % 5) as u32, (key.at(row as u64 + (1 << 40)) % 40) as u32])
        .collect();
    let labels = (0..count)
        .map(|row| {
            let x = &numeric[row * 4..row * 4 + 4];
            let noise = 0.1 * key.with(1).symmetric(row as u64);
            let value = x[0] * x[1] + x[2].sin() + 0.5 * ids[row * 2] as f32 + noise;
            match classes {
                0 => value,
                2 => f32::from(u8::from(value > 1.0)),
                _ => value.clamp(0.0, 2.0).round(),
            }
        })
        .collect();
    (numeric, ids, labels)
}

fn source(count: usize, classes: usize, seed: u64) -> MemoryRows {
    let (numeric, ids, labels) = rows(count, classes, seed);
    let mut source = MemoryRows::new(4, 2);
    source.push(&numeric, &ids, &labels, &[]).unwrap();
    source
}

fn options<'a>(threads: usize) -> FitOptions<'a> {
    FitOptions { execution: Execution::with_threads(threads), ..FitOptions::default() }
}

fn fitted(spec: &NetworkSpec, count: usize, classes: usize, threads: usize) -> FittedNetwork {
    let mut validation = source(500, classes, 2);
    let layouts = (&layout(), &label(classes));
    fit(spec, layouts, &mut source(count, classes, 1), Some(&mut validation), options(threads)).unwrap()
}

/// One spec of each kind, with the classes of its label.
fn specs() -> Vec<(NetworkSpec, usize)> {
    let base = |architecture: Architecture| {
        let mut spec = NetworkSpec::from(architecture);
        (spec.batch_size, spec.epochs) = (300, 3);
        spec
    };
    let mut mlp = base(Architecture::Mlp { hidden: vec![32, 16] });
    mlp.gradient_clip = Some(1.0);
    mlp.dropout = 0.1;
    let mut wide = base(Architecture::WideAndDeep { hidden: vec![16] });
    wide.norm = Norm::Layer;
    wide.numeric_embedding = NumericEmbedding::PiecewiseLinear { bins: 8 };
    wide.class_weights = ClassWeights::Balanced;
    wide.optimizer = Optimizer::Sgd(Sgd { learning_rate: 0.05, nesterov: true, ..Sgd::default() });
    let mut residual = base(Architecture::Residual { width: 16, blocks: 2, hidden: Some(24) });
    residual.norm = Norm::Batch;
    residual.activation = Activation::Silu;
    residual.schedule = Schedule::OneCycle { warmup: 0.3, start: 0.04, floor: 1e-4 };
    let mut crossed = base(Architecture::Interactions { dimension: 8, bottom: vec![16], hidden: vec![16] });
    crossed.numeric_embedding = NumericEmbedding::Periodic { frequencies: 4, sigma: 0.3 };
    crossed.optimizer = Optimizer::Adagrad(Adagrad { learning_rate: 0.05, ..Adagrad::default() });
    vec![(mlp, 0), (wide, 2), (residual, 3), (crossed, 0)]
}

#[test]
fn the_same_bits_with_1_2_and_7_threads() {
    for (spec, classes) in specs() {
        // The last batch is smaller, and cut into fewer shards.
        let one = fitted(&spec, 2_450, classes, 1);
        for threads in [2, 7] {
            let other = fitted(&spec, 2_450, classes, threads);
            assert_eq!(other.model.to_safetensors().unwrap(), one.model.to_safetensors().unwrap());
            assert_eq!(other.history, one.history);
        }
    }
}

#[test]
fn losses_fall_below_those_of_the_mean() {
    for (mut spec, classes) in specs() {
        spec.epochs = 30;
        let network = fitted(&spec, 3_000, classes, 2);
        let first = network.history[0].training_loss;
        let last = network.history.last().unwrap();
        let validation = last.validation_loss.unwrap();
        assert!(last.training_loss < 0.7 * first, "{first} {last:?} {spec:?}");
        // What the best constant reaches: the variance 1 of a standardised label, the entropy of the classes.
        let constant = if classes == 0 { 1.0 } else { f64::from(u32::try_from(classes).unwrap()).ln() };
        assert!(validation < 0.6 * constant, "{validation} {spec:?}");
    }
}

#[test]
fn a_few_rows_are_learned_by_heart() {
    for classes in [0, 2, 3] {
        let mut spec = NetworkSpec::mlp(&[64, 64]);
        (spec.batch_size, spec.epochs) = (32, 400);
        spec.optimizer =
            Optimizer::AdamW(AdamW { learning_rate: 3e-3, weight_decay: 0.0, ..AdamW::default() });
        let layouts = (&layout(), &label(classes));
        let network = fit(&spec, layouts, &mut source(32, classes, 1), None, options(1)).unwrap();
        let last = network.history.last().unwrap().training_loss;
        assert!(last < 2e-3, "{last} with {classes} classes");
    }
}

#[test]
fn extreme_values_are_survived_or_named() {
    // Labels of 1e30 and features of 1e6.
    let (mut numeric, ids, mut labels) = rows(600, 0, 1);
    numeric.iter_mut().step_by(7).for_each(|value| *value *= 1e6);
    labels.iter_mut().for_each(|label| *label *= 1e30);
    let mut source = MemoryRows::new(4, 2);
    source.push(&numeric, &ids, &labels, &[]).unwrap();
    let mut spec = NetworkSpec::mlp(&[16]);
    (spec.batch_size, spec.epochs) = (100, 5);
    let network = fit(&spec, (&layout(), &label(0)), &mut source, None, options(2)).unwrap();
    let inputs = Inputs { rows: 600, numeric: &numeric, ids: &ids };
    assert!(network.model.predict(&inputs).unwrap().iter().all(|score| score.is_finite()));
    // A rate at which nothing holds.
    spec.optimizer = Optimizer::Sgd(Sgd { learning_rate: 1e6, ..Sgd::default() });
    let error = fit(&spec, (&layout(), &label(0)), &mut source, None, options(2)).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(NetworkError::Diverged { .. })), "{error:?}");
    assert!(error.to_string().contains(" at step "), "{error}");
}

#[test]
fn early_stopping_keeps_the_best_weights() {
    let (mut spec, classes) = specs().swap_remove(0);
    spec.optimizer = Optimizer::AdamW(AdamW { learning_rate: 0.02, ..AdamW::default() });
    (spec.dropout, spec.epochs, spec.batch_size) = (0.0, 200, 50);
    spec.early_stopping =
        Some(EarlyStopping { patience: 3, subset: "validation".into(), min_improvement: 0.0 });
    let stopped = fitted(&spec, 200, classes, 2);
    assert!(stopped.stopped_early && stopped.history.len() < 200);
    assert_eq!(stopped.history.len(), stopped.best_epoch as usize + 3);
    let losses: Vec<f64> = stopped.history.iter().filter_map(|epoch| epoch.validation_loss).collect();
    let least =
        losses.iter().copied().fold(f64::INFINITY, |least, loss| if loss < least { loss } else { least });
    assert!((losses[stopped.best_epoch as usize - 1] - least).abs() < 1e-12);
    // The weights are those of a training that ends there.
    spec.epochs = stopped.best_epoch;
    spec.early_stopping = None;
    let ended = fitted(&spec, 200, classes, 1);
    assert_eq!(ended.model.to_safetensors().unwrap(), stopped.model.to_safetensors().unwrap());
}

#[test]
fn weights_count_as_repeated_rows() {
    // A batch of all rows: twice a row and a row of weight 2 give the same gradient, but for rounding.
    let (numeric, ids, labels) = rows(100, 2, 1);
    let mut spec = NetworkSpec::mlp(&[8]);
    (spec.batch_size, spec.epochs) = (100, 20);
    let weights: Vec<f32> = (0..100).map(|row| f32::from(u8::from(row < 50)) + 1.0).collect();
    let mut weighted = MemoryRows::new(4, 2);
    weighted.push(&numeric, &ids, &labels, &weights).unwrap();
    let weighted = fit(&spec, (&layout(), &label(2)), &mut weighted, None, options(1)).unwrap();
    let mut repeated = MemoryRows::new(4, 2);
    repeated.push(&numeric, &ids, &labels, &[]).unwrap();
    repeated.push(&numeric[..200], &ids[..100], &labels[..50], &[]).unwrap();
    spec.batch_size = 150;
    let repeated = fit(&spec, (&layout(), &label(2)), &mut repeated, None, options(1)).unwrap();
    for (left, right) in weighted.history.iter().zip(&repeated.history) {
        assert!((left.training_loss - right.training_loss).abs() < 1e-5, "{left:?} {right:?}");
    }
}

#[test]
fn what_cannot_be_trained_is_named() {
    let (numeric, ids, labels) = rows(100, 2, 1);
    let train = |spec: &NetworkSpec, numeric: &[f32], labels: &[f32], weights: &[f32]| {
        let mut source = MemoryRows::new(4, 2);
        source.push(numeric, &ids, labels, weights).unwrap();
        fit(spec, (&layout(), &label(2)), &mut source, None, options(1)).unwrap_err().to_string()
    };
    let mut spec = NetworkSpec::mlp(&[4]);
    assert_eq!(
        train(&spec, &numeric, &labels, &[]),
        "`network.batch_size` is 1024, there are 100 training rows"
    );
    spec.batch_size = 10;
    assert_eq!(train(&spec, &numeric, &vec![1.0; 100], &[]), "label `y` is `c1` in all 100 training rows");
    let mut spoiled = labels.clone();
    spoiled[17] = 2.0;
    assert_eq!(train(&spec, &numeric, &spoiled, &[]), "label `y` is 2 in row 17, not the number of a class");
    let mut spoiled = numeric.clone();
    spoiled[42] = f32::NAN;
    assert_eq!(train(&spec, &spoiled, &labels, &[]), "feature `x2` is NaN in row 10");
    let mut weights = vec![1.0; 100];
    weights[3] = -1.0;
    assert!(train(&spec, &numeric, &labels, &weights).contains("the weight is -1 in row 3"));
    assert_eq!(train(&spec, &numeric, &labels, &vec![0.0; 100]), "no training row has a weight above 0");
    spec.early_stopping = Some(EarlyStopping { patience: 3, subset: "eval".into(), min_improvement: 0.0 });
    assert!(train(&spec, &numeric, &labels, &[]).contains("has no validation rows"));
    spec.early_stopping = None;
    spec.loss = Some(Loss::Squared);
    assert!(train(&spec, &numeric, &labels, &[]).contains("needs a label that is a number"));
}

#[test]
fn an_interrupt_stops_it() {
    let options = options(2);
    options.execution.cancel.cancel(2);
    let spec = specs().swap_remove(0).0;
    let error = fit(&spec, (&layout(), &label(0)), &mut source(1000, 0, 1), None, options).unwrap_err();
    assert_eq!(error.kind(), sluice_core::ErrorKind::Interrupted(2));
}

/// Interrupts a training after so many more rows.
struct Interrupter {
    cancel: sluice_core::execution::Cancel,
    rows: std::sync::atomic::AtomicU64,
}

impl sluice_core::execution::Progress for Interrupter {
    fn begin(&self, _what: &str, _total: sluice_core::execution::Extent) {}
    fn advance(&self, rows: u64, _bytes: u64) {
        use std::sync::atomic::Ordering;
        let left = self.rows.load(Ordering::Relaxed);
        self.rows.store(left.saturating_sub(rows), Ordering::Relaxed);
        if left <= rows {
            self.cancel.cancel(2);
        }
    }
    fn end(&self) {}
}

fn interrupt_after(execution: &mut Execution, rows: u64) {
    execution.progress =
        std::sync::Arc::new(Interrupter { cancel: execution.cancel.clone(), rows: rows.into() });
}

#[test]
fn a_training_that_was_stopped_20_times_has_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (mut spec, classes)) in specs().into_iter().enumerate() {
        (spec.batch_size, spec.epochs) = (64, 12);
        spec.early_stopping =
            Some(EarlyStopping { patience: 9, subset: "validation".into(), min_improvement: 0.0 });
        let whole = fitted(&spec, 1_000, classes, 2);
        let path = folder.path().join(format!("{number}.safetensors"));
        let mut stops = 0;
        let pieces = loop {
            // Between 1 and 20 batches more, on 1 or 3 threads; at last to the end.
            let more = Key::new(number as u64, 50).at(stops) % 20 + 1;
            let mut execution = Execution::with_threads(1 + 2 * usize::from(stops % 2 == 0));
            let rows = if stops < 20 { more * 64 } else { u64::MAX };
            interrupt_after(&mut execution, rows);
            // Half of the stops write at the interrupt only, the others after every step too.
            let interval = std::time::Duration::from_secs(if stops % 3 == 0 { 0 } else { 1000 });
            let checkpoints = Some(super::Checkpoints { path: path.clone(), interval });
            let options = FitOptions { execution, checkpoints, ..FitOptions::default() };
            let mut validation = source(500, classes, 2);
            let layouts = (&layout(), &label(classes));
            let outcome = fit(&spec, layouts, &mut source(1_000, classes, 1), Some(&mut validation), options);
            match outcome {
                Ok(network) => break network,
                Err(error) => {
                    assert_eq!(error.kind(), sluice_core::ErrorKind::Interrupted(2), "{error:?}");
                    stops += 1;
                }
            }
        };
        assert!(stops > 5, "only {stops} stops");
        assert_eq!(pieces.model.to_safetensors().unwrap(), whole.model.to_safetensors().unwrap());
        assert_eq!((pieces.history, pieces.best_epoch), (whole.history, whole.best_epoch));
    }
}

#[test]
fn checkpoints_of_others_and_broken_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let train = |spec: &NetworkSpec, seed: u64| {
        let checkpoints =
            Some(super::Checkpoints { path: path.clone(), interval: std::time::Duration::ZERO });
        let options = FitOptions { checkpoints, ..FitOptions::default() };
        fit(spec, (&layout(), &label(0)), &mut source(200, 0, seed), None, options)
    };
    let mut spec = NetworkSpec::mlp(&[4]);
    (spec.batch_size, spec.epochs) = (100, 2);
    let done = train(&spec, 1).unwrap();
    // One that is done is only read.
    assert_eq!(train(&spec, 1).unwrap(), done);
    let message = |spec: &NetworkSpec, seed| train(spec, seed).unwrap_err().to_string();
    let other = "is of another training: spec, features, label or rows are not the same";
    assert!(message(&spec, 2).ends_with(other));
    let mut faster = spec.clone();
    faster.optimizer = Optimizer::AdamW(AdamW { learning_rate: 0.1, ..AdamW::default() });
    assert!(message(&faster, 1).ends_with(other));
    let bytes = fs_err::read(&path).unwrap();
    for at in [0, 9, bytes.len() / 2, bytes.len() - 3] {
        let mut spoiled = bytes.clone();
        spoiled[at] ^= 1;
        sluice_core::artifact::write_whole(&path, &spoiled).unwrap();
        let text = message(&spec, 1);
        assert!(text.starts_with("checkpoint `") && text.contains(" is "), "{text}");
    }
    for length in [0, 7, bytes.len() - 1] {
        sluice_core::artifact::write_whole(&path, &bytes[..length]).unwrap();
        assert!(message(&spec, 1).ends_with("is broken"));
    }
}
