//! Training as cards do it, here on the processor: through candle, and by our kernels for cards. The same losses as our kernels' for
//! processors, within rounding.

use candle_core::Device as Candle;

use super::{label, layout, options, source, specs};
use crate::gpu::covers;
use crate::gpu::driver::{Arguments, Driver, Kernel};
use crate::gpu::emulated::Emulated;
use crate::model::NetworkDescription;
use crate::plan::Plan;
use crate::spec::{Activation, Adagrad, AdamW, Loss, NetworkSpec, Norm, Optimizer, Precision, Sgd};
use crate::tensors::device::{Computing, Place};
use crate::train::loss::loss_and_gradient;
use crate::train::{Checkpoints, FitOptions, FittedNetwork, fit_at};

fn place() -> Place {
    Place { name: "candle".into(), computing: Computing::Tensors(Candle::Cpu) }
}

/// A card without one: our kernels for cards, on the processor.
fn card() -> Place {
    Place { name: "card".into(), computing: Computing::Emulated }
}

fn on_device(
    spec: &NetworkSpec,
    classes: usize,
    options: FitOptions<'_>,
) -> sluice_core::Result<FittedNetwork> {
    at(place(), spec, classes, options)
}

fn at(
    place: Place,
    spec: &NetworkSpec,
    classes: usize,
    options: FitOptions<'_>,
) -> sluice_core::Result<FittedNetwork> {
    let description = NetworkDescription::new(spec, &layout(), &label(classes)).unwrap();
    let (mut training, mut validation) = (source(2_450, classes, 1), source(500, classes, 2));
    fit_at(spec, description, (&mut training, Some(&mut validation)), options, place)
}

#[test]
fn losses_on_a_device_are_those_of_our_kernels() {
    for (spec, classes) in specs() {
        let ours = super::fitted(&spec, 2_450, classes, 2);
        let theirs = on_device(&spec, classes, options(1)).unwrap();
        assert_eq!(theirs.device, "candle");
        assert_eq!(theirs.history.len(), ours.history.len());
        for (theirs, ours) in theirs.history.iter().zip(&ours.history) {
            let close = |theirs: f64, ours: f64| (theirs - ours).abs() <= 2e-4 * ours.abs();
            assert!(close(theirs.training_loss, ours.training_loss), "{theirs:?} {ours:?} {spec:?}");
            assert!(close(theirs.gradient_norm, ours.gradient_norm), "{theirs:?} {ours:?} {spec:?}");
            // A bias before a batch norm has a gradient of rounding alone, of which AdamW makes whole steps; running means
            // follow them late.
            let bound = if spec.norm == Norm::Batch { 2e-3 } else { 2e-4 };
            let (theirs_loss, ours_loss) = theirs.validation_loss.zip(ours.validation_loss).unwrap();
            let off = (theirs_loss - ours_loss).abs();
            assert!(off <= bound * ours_loss, "{theirs:?} {ours:?} {spec:?}");
            assert_eq!((theirs.steps, theirs.learning_rate), (ours.steps, ours.learning_rate));
        }
    }
}

/// Of every step, activation and optimizer, and all losses but that of counts.
fn specs_of_cards() -> Vec<(NetworkSpec, usize)> {
    let all = specs();
    let mut layered = all[2].0.clone();
    (layered.norm, layered.dropout) = (Norm::Layer, 0.2);
    let mut crossed = all[3].0.clone();
    (crossed.loss, crossed.optimizer) = (Some(Loss::Pairwise), Optimizer::AdamW(AdamW::default()));
    let with = |activation, loss, optimizer| {
        let mut spec = all[0].0.clone();
        (spec.activation, spec.loss, spec.optimizer) = (activation, Some(loss), optimizer);
        spec
    };
    let adagrad = Adagrad { learning_rate: 0.05, initial: 0.1, ..Adagrad::default() };
    let sgd = Sgd { learning_rate: 0.02, weight_decay: 1e-3, ..Sgd::default() };
    let huber = with(Activation::Gelu, Loss::Huber { delta: 0.7 }, Optimizer::Adagrad(adagrad));
    let quantile = with(Activation::Tanh, Loss::Quantile { level: 0.8 }, Optimizer::Sgd(sgd));
    let elu = with(Activation::Elu, Loss::Squared, Optimizer::AdamW(AdamW::default()));
    let sigmoid = with(Activation::Sigmoid, Loss::Logistic, Optimizer::AdamW(AdamW::default()));
    let leaky = with(Activation::LeakyRelu, Loss::Softmax, Optimizer::AdamW(AdamW::default()));
    let pairs = with(Activation::Relu, Loss::Pairwise, Optimizer::AdamW(AdamW::default()));
    let others = [(huber, 0), (quantile, 0), (elu, 0), (sigmoid, 2), (leaky, 3), (pairs, 0)];
    all.into_iter().chain([(layered, 3), (crossed, 0)]).chain(others).collect()
}

#[test]
fn losses_on_a_card_are_those_of_our_kernels() {
    for (spec, classes) in specs_of_cards() {
        let ours = super::fitted(&spec, 2_450, classes, 2);
        let theirs = at(card(), &spec, classes, options(1)).unwrap();
        assert_eq!(theirs.history.len(), ours.history.len());
        for (theirs, ours) in theirs.history.iter().zip(&ours.history) {
            let close = |theirs: f64, ours: f64| (theirs - ours).abs() <= 1e-4 * ours.abs();
            let (theirs_loss, ours_loss) = theirs.validation_loss.zip(ours.validation_loss).unwrap();
            assert!(close(theirs.training_loss, ours.training_loss), "{theirs:?} {ours:?} {spec:?}");
            assert!(close(theirs.gradient_norm, ours.gradient_norm), "{theirs:?} {ours:?} {spec:?}");
            // As above.
            let bound = if spec.norm == Norm::Batch { 2e-3 } else { 1e-4 };
            let off = (theirs_loss - ours_loss).abs();
            assert!(off <= bound * ours_loss, "{theirs:?} {ours:?} {spec:?}");
            assert_eq!((theirs.steps, theirs.learning_rate), (ours.steps, ours.learning_rate));
        }
    }
}

#[test]
fn losses_of_rows_on_a_card_are_those_of_our_kernels() {
    let scores = [-1e4_f32, -30.0, -1.5, -0.2, 0.0, 0.3, 2.0, 30.0, 1e4];
    let count = scores.len();
    let labels: Vec<f32> = (0..count).map(|row| (row % 2) as f32).collect();
    let weights: Vec<f32> = (0..count).map(|row| 0.5 + 0.1 * row as f32).collect();
    let card = Emulated::new();
    let of_numbers = [
        Loss::Squared,
        Loss::Huber { delta: 0.7 },
        Loss::Quantile { level: 0.9 },
        Loss::Poisson,
        Loss::Logistic,
    ];
    for (number, loss) in of_numbers.into_iter().enumerate() {
        let (mut gradient, mut losses) = (vec![0.0; count], vec![0.0; count]);
        loss_and_gradient(loss, &scores, (&labels, &weights, &[]), &mut gradient, &mut losses);
        let words = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let mut model = [words(&scores), vec![0; 2 * count]].concat();
        let rows = [words(&labels), words(&weights), (0..count as u32).collect()].concat();
        let option = if let Loss::Huber { delta: option } | Loss::Quantile { level: option } = loss {
            option
        } else {
            0.0
        };
        let at = [0, count, 2 * count, 0, count, 2 * count];
        let arguments = Arguments::new(at, [number]).with([option as f32, 1.0]);
        card.run(Kernel::Loss, &mut model, &rows, &arguments, count).unwrap();
        for (row, (gradient, value)) in gradient.iter().zip(&losses).enumerate() {
            for (found, expected) in [(model[count + row], gradient), (model[2 * count + row], value)] {
                let (found, off) = (f32::from_bits(found), (f32::from_bits(found) - expected).abs());
                assert!(off <= 2e-6 * expected.abs() + 1e-6, "{loss:?} {}: {found} {expected}", scores[row]);
            }
        }
    }
}

#[test]
fn sixteen_bits_are_left_to_candle() {
    let covered = |spec: &NetworkSpec| covers(spec, &Plan::new(spec, &layout(), 1));
    let mlp = NetworkSpec::mlp(&[8]);
    assert!(covered(&mlp));
    assert!(!covered(&NetworkSpec { precision: Precision::Bf16, ..mlp }));
}

#[test]
fn sixteen_bits_come_near() {
    for precision in [Precision::Bf16, Precision::F16] {
        for (mut spec, classes) in specs() {
            let exact = on_device(&spec, classes, options(1)).unwrap();
            spec.precision = precision;
            let rounded = on_device(&spec, classes, options(1)).unwrap();
            let last = |network: &FittedNetwork| network.history.last().unwrap().validation_loss.unwrap();
            let (exact, rounded) = (last(&exact), last(&rounded));
            // A constant has a loss of about 1.
            assert!((exact - rounded).abs() < 0.02, "{exact} {rounded} {spec:?}");
            assert!((exact - rounded).abs() > 0.0, "nothing was rounded");
        }
    }
}

#[test]
fn a_device_goes_on_with_the_same_bits() {
    let mut specs = specs();
    specs[1].0.precision = Precision::F16;
    go_on_with_the_same_bits(place, specs);
}

#[test]
fn a_card_goes_on_with_the_same_bits() {
    go_on_with_the_same_bits(card, specs_of_cards());
}

fn go_on_with_the_same_bits(place: fn() -> Place, specs: Vec<(NetworkSpec, usize)>) {
    let folder = tempfile::tempdir().unwrap();
    for (number, (spec, classes)) in specs.into_iter().enumerate() {
        let on_device = |options| at(place(), &spec, classes, options);
        let whole = on_device(options(1)).unwrap();
        for rows in [300, 2_100, 3_000, 6_900] {
            let path = folder.path().join(format!("{number}-{rows}"));
            let options = || {
                let checkpoints = Checkpoints { path: path.clone(), interval: std::time::Duration::MAX };
                FitOptions { checkpoints: Some(checkpoints), ..options(1) }
            };
            let mut stopped = options();
            super::interrupt_after(&mut stopped.execution, rows);
            let error = on_device(stopped).unwrap_err();
            assert_eq!(error.kind(), sluice_core::ErrorKind::Interrupted(2), "{error:?}");
            let resumed = on_device(options()).unwrap();
            assert_eq!(resumed.history, whole.history, "after {rows} rows");
            assert_eq!(
                resumed.model.to_safetensors().unwrap(),
                whole.model.to_safetensors().unwrap(),
                "after {rows} rows"
            );
        }
    }
}
