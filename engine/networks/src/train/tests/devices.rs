//! Training by our kernels for cards, here on the processor: the same losses as by those for processors, within rounding.

use candle_core::{DType, Device as Candle, Tensor};

use super::{label, layout, options, rows, source, specs};
use crate::gpu::driver::{Arguments, Driver, Kernel};
use crate::gpu::emulated::{self, Emulated};
use crate::gpu::rows::RowPlaces;
use crate::model::NetworkDescription;
use crate::random::Key;
use crate::rows::{MemoryRows, Rows};
use crate::spec::{Activation, Adagrad, AdamW, Loss, NetworkSpec, Norm, Optimizer, Precision, Sgd};
use crate::train::loss::loss_and_gradient;
use crate::train::place::{Computing, Place};
use crate::train::{Checkpoints, FitOptions, FittedNetwork, fit, fit_at};

fn on_card(
    spec: &NetworkSpec,
    classes: usize,
    options: FitOptions<'_>,
) -> sluice_core::Result<FittedNetwork> {
    let place = Place { name: "card".into(), computing: Computing::Emulated };
    let description = NetworkDescription::new(spec, &layout(), &label(classes)).unwrap();
    let (mut training, mut validation) = (source(2_450, classes, 1), source(500, classes, 2));
    fit_at(spec, description, (&mut training, Some(&mut validation)), options, place)
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
        let theirs = on_card(&spec, classes, options(1)).unwrap();
        assert_eq!(theirs.device, "card");
        assert_eq!(theirs.history.len(), ours.history.len());
        for (theirs, ours) in theirs.history.iter().zip(&ours.history) {
            let close = |theirs: f64, ours: f64| (theirs - ours).abs() <= 1e-4 * ours.abs();
            let (theirs_loss, ours_loss) = theirs.validation_loss.zip(ours.validation_loss).unwrap();
            assert!(close(theirs.training_loss, ours.training_loss), "{theirs:?} {ours:?} {spec:?}");
            assert!(close(theirs.gradient_norm, ours.gradient_norm), "{theirs:?} {ours:?} {spec:?}");
            // A bias before a batch norm has a gradient of rounding alone, of which AdamW makes whole steps; running means
            // follow them late.
            let bound = if spec.norm == Norm::Batch { 2e-3 } else { 1e-4 };
            let off = (theirs_loss - ours_loss).abs();
            assert!(off <= bound * ours_loss, "{theirs:?} {ours:?} {spec:?}");
            assert_eq!((theirs.steps, theirs.learning_rate), (ours.steps, ours.learning_rate));
        }
    }
}

#[test]
fn rows_of_many_blocks_are_the_same_on_a_card() {
    // Of the first all stay on the card; of the second no training rows, and not the last of the validation rows: see
    // `CACHED_WORDS`.
    for count in [150_000, 300_000] {
        let mut spec = NetworkSpec::mlp(&[3]);
        (spec.batch_size, spec.epochs) = (4_000, 2);
        let (numeric, ids, labels) = rows(count, 0, 1);
        let weights: Vec<f32> = (0..count).map(|row| 0.5 + (row % 3) as f32).collect();
        let source = || {
            let mut source = MemoryRows::new(4, 2);
            source.push(&numeric, &ids, &labels, &weights).unwrap();
            source
        };
        let layouts = (&layout(), &label(0));
        let ours = fit(&spec, layouts, &mut source(), Some(&mut source()), options(2)).unwrap();
        let place = Place { name: "card".into(), computing: Computing::Emulated };
        let description = NetworkDescription::new(&spec, &layout(), &label(0)).unwrap();
        let mut inputs = (source(), source());
        let rows: (&mut dyn Rows, Option<&mut dyn Rows>) = (&mut inputs.0, Some(&mut inputs.1));
        let theirs = fit_at(&spec, description, rows, options(1), place).unwrap();
        for (theirs, ours) in theirs.history.iter().zip(&ours.history) {
            let off = (theirs.training_loss - ours.training_loss).abs();
            assert!(off <= 1e-4 * ours.training_loss, "{theirs:?} {ours:?}");
            let (theirs, ours) = theirs.validation_loss.zip(ours.validation_loss).unwrap();
            assert!((theirs - ours).abs() <= 1e-4 * ours, "{theirs} {ours}");
        }
        assert_eq!(theirs.history.len(), 2);
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
        // One slot, the first.
        let rows = [words(&labels), words(&weights), (0..count as u32).collect(), vec![0]].concat();
        let places = RowPlaces { order: 2 * count, slots: 3 * count, ..RowPlaces::default() };
        let option = if let Loss::Huber { delta: option } | Loss::Quantile { level: option } = loss {
            option
        } else {
            0.0
        };
        let at = [0, count, 2 * count, 0, count];
        let arguments = Arguments::new(at, [number]).with([option as f32, 1.0]).of_rows(&places);
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
fn kernels_stand_in_the_order_of_their_names() {
    for (position, (kernel, name)) in Kernel::ALL.into_iter().enumerate() {
        assert_eq!(kernel as usize, position, "{name}");
        assert_eq!(format!("{kernel:?}").to_lowercase(), name.replace('_', ""));
    }
}

#[test]
fn numbers_of_sixteen_bits_are_the_nearest() {
    // Ties, what is too great or too small, multiples of the smallest number, and numbers that look like chance.
    let mut values = vec![0.0_f32, -0.0, 1.0, -2.5, 65_504.0, 65_519.0, 65_520.0, 1e30, -1e30, f32::INFINITY];
    values.extend([1.000_488_3, 1.001_464_8, 6.1e-5, 5.96e-8, 2.98e-8, 2.9e-8, 8.9e-8, 1e-40, 3.0e38]);
    let key = Key::new(1, 2);
    values.extend((0..1000).map(|at| key.symmetric(at) * 2.0_f32.powi(at as i32 % 48 - 30)));
    let count = values.len();
    for (number, dtype) in [DType::BF16, DType::F16].into_iter().enumerate() {
        let mut model: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        model.resize(2 * count, 0);
        let arguments = Arguments::new([0, count], [number]);
        Emulated::new().run(Kernel::Halve, &mut model, &Vec::new(), &arguments, count).unwrap();
        let rounded = Tensor::new(values.as_slice(), &Candle::Cpu).unwrap().to_dtype(dtype).unwrap();
        let expected: Vec<f32> = rounded.to_dtype(DType::F32).unwrap().to_vec1().unwrap();
        let precision = [Precision::Bf16, Precision::F16][number];
        for (at, expected) in expected.iter().enumerate() {
            let found = emulated::number(&model, count, at, precision);
            assert_eq!(
                found.to_bits(),
                expected.to_bits(),
                "{} as {dtype:?}: {found} {expected}",
                values[at]
            );
        }
    }
}

#[test]
fn sixteen_bits_come_near() {
    for precision in [Precision::Bf16, Precision::F16] {
        for (mut spec, classes) in specs() {
            if let Optimizer::Adagrad(adagrad) = &mut spec.optimizer {
                // From 0 its first steps are of the whole rate whatever the gradient, rounding alone among them.
                adagrad.initial = 0.1;
            }
            let exact = on_card(&spec, classes, options(1)).unwrap();
            spec.precision = precision;
            let rounded = on_card(&spec, classes, options(1)).unwrap();
            let last = |network: &FittedNetwork| network.history.last().unwrap().validation_loss.unwrap();
            let (exact, rounded) = (last(&exact), last(&rounded));
            assert!((exact - rounded).abs() < 2e-3 * exact, "{exact} {rounded} {spec:?}");
            assert!((exact - rounded).abs() > 0.0, "nothing was rounded");
        }
    }
}

#[test]
fn a_card_goes_on_with_the_same_bits() {
    let mut specs = specs_of_cards();
    specs[1].0.precision = Precision::F16;
    let folder = tempfile::tempdir().unwrap();
    for (number, (spec, classes)) in specs.into_iter().enumerate() {
        let whole = on_card(&spec, classes, options(1)).unwrap();
        for rows in [300, 2_100, 3_000, 6_900] {
            let path = folder.path().join(format!("{number}-{rows}"));
            let options = || {
                let checkpoints = Checkpoints { path: path.clone(), interval: std::time::Duration::MAX };
                FitOptions { checkpoints: Some(checkpoints), ..options(1) }
            };
            let mut stopped = options();
            super::interrupt_after(&mut stopped.execution, rows);
            let error = on_card(&spec, classes, stopped).unwrap_err();
            assert_eq!(error.kind(), sluice_core::ErrorKind::Interrupted(2), "{error:?}");
            let resumed = on_card(&spec, classes, options()).unwrap();
            assert_eq!(resumed.history, whole.history, "after {rows} rows");
            assert_eq!(
                resumed.model.to_safetensors().unwrap(),
                whole.model.to_safetensors().unwrap(),
                "after {rows} rows"
            );
        }
    }
}
