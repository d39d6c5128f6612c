//! Training through candle, as GPUs do it, here on candle's CPU: the same losses as our kernels', within rounding.

use candle_core::Device as Candle;

use super::{label, layout, options, source, specs};
use crate::model::NetworkDescription;
use crate::spec::{NetworkSpec, Norm, Precision};
use crate::tensors::device::Place;
use crate::train::{Checkpoints, FitOptions, FittedNetwork, fit_at};

fn place() -> Place {
    Place { name: "candle".into(), device: Some(Candle::Cpu) }
}

fn on_device(
    spec: &NetworkSpec,
    classes: usize,
    options: FitOptions<'_>,
) -> sluice_core::Result<FittedNetwork> {
    let description = NetworkDescription::new(spec, &layout(), &label(classes)).unwrap();
    let (mut training, mut validation) = (source(2_450, classes, 1), source(500, classes, 2));
    fit_at(spec, description, (&mut training, Some(&mut validation)), options, place())
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
    let folder = tempfile::tempdir().unwrap();
    for (number, (mut spec, classes)) in specs().into_iter().enumerate() {
        if number == 1 {
            spec.precision = Precision::F16;
        }
        let whole = on_device(&spec, classes, options(1)).unwrap();
        for rows in [300, 2_100, 3_000, 6_900] {
            let path = folder.path().join(format!("{number}-{rows}"));
            let options = || {
                let checkpoints = Checkpoints { path: path.clone(), interval: std::time::Duration::MAX };
                FitOptions { checkpoints: Some(checkpoints), ..options(1) }
            };
            let mut stopped = options();
            super::interrupt_after(&mut stopped.execution, rows);
            let error = on_device(&spec, classes, stopped).unwrap_err();
            assert_eq!(error.kind(), sluice_core::ErrorKind::Interrupted(2), "{error:?}");
            let resumed = on_device(&spec, classes, options()).unwrap();
            assert_eq!(resumed.history, whole.history, "after {rows} rows");
            assert_eq!(
                resumed.model.to_safetensors().unwrap(),
                whole.model.to_safetensors().unwrap(),
                "after {rows} rows"
            );
        }
    }
}
