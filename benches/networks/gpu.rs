//! What must hold on a machine with an NVIDIA card: the same losses as on the CPU, stop and resume with the same bits,
//! numbers of 16 bits that come near, and a card that is too small or not there is said. `benches/gpu.sh` runs it.
//!
//!     gpu [--device cuda:0]
//!
//! Prints a line per check and ends with 1 if one fails.

#![allow(clippy::print_stdout, reason = "a program of its own, whose result is for a person")]

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluice_core::error::Result;
use sluice_core::execution::{Cancel, Extent, Progress};
use sluice_core::{ErrorKind, Execution};
use sluice_networks::spec::{Norm, NumericEmbedding, Precision};
use sluice_networks::{
    Architecture, CategoricalInput, Checkpoints, Device, FitOptions, FittedNetwork, InputLayout, LabelLayout,
    MemoryRows, NetworkSpec, fit,
};

const ROWS: usize = 200_000;
const FEATURES: usize = 12;
const IDS: u32 = 500;

/// A number between -1 and 1 that looks like chance.
fn noise(state: &mut u64) -> f32 {
    (sluice_core::splitmix::next(state) >> 40) as f32 / 8_388_608.0 - 1.0
}

fn rows(classes: usize) -> Result<MemoryRows> {
    let mut state = 42;
    let numeric: Vec<f32> = (0..ROWS * FEATURES).map(|_| noise(&mut state)).collect();
    let ids: Vec<u32> = (0_u32..).take(ROWS).map(|row| row.wrapping_mul(2_654_435_761) % IDS).collect();
    let labels: Vec<f32> = numeric
        .chunks_exact(FEATURES)
        .zip(&ids)
        .map(|(row, id)| {
            let value = row[0] * row[1] + row[2] + (*id % 7) as f32 * 0.2 + 0.1 * noise(&mut state);
            if classes == 0 {
                value
            } else {
                (value.clamp(-0.5, 2.4) + 0.5).floor().min(classes as f32 - 1.0)
            }
        })
        .collect();
    let mut source = MemoryRows::new(FEATURES, 1);
    source.push(&numeric, &ids, &labels, &[])?;
    Ok(source)
}

fn specs() -> Vec<(&'static str, NetworkSpec, usize)> {
    let base = |architecture| {
        let mut spec = NetworkSpec::from(architecture);
        (spec.batch_size, spec.epochs) = (1024, 2);
        spec
    };
    let mlp = base(Architecture::Mlp { hidden: vec![128, 128] });
    let mut wide = base(Architecture::WideAndDeep { hidden: vec![64] });
    (wide.norm, wide.dropout) = (Norm::Layer, 0.2);
    wide.numeric_embedding = NumericEmbedding::PiecewiseLinear { bins: 16 };
    let mut residual = base(Architecture::Residual { width: 64, blocks: 2, hidden: None });
    residual.norm = Norm::Batch;
    let crossed = base(Architecture::Interactions { dimension: 16, bottom: vec![32], hidden: vec![64] });
    vec![("mlp", mlp, 0), ("wide & deep", wide, 3), ("residual", residual, 2), ("interactions", crossed, 0)]
}

fn train(spec: &NetworkSpec, classes: usize, options: FitOptions<'_>) -> Result<FittedNetwork> {
    let inputs = InputLayout {
        numeric: (0..FEATURES).map(|column| format!("x{column}")).collect(),
        categorical: vec![CategoricalInput { name: "id".into(), ids: IDS }],
    };
    let classes_named = (0..classes).map(|class| format!("c{class}")).collect();
    let label = LabelLayout { name: "y".into(), classes: classes_named };
    fit(spec, (&inputs, &label), &mut rows(classes)?, None, options)
}

/// Interrupts a training after so many more rows.
struct Interrupter(Cancel, AtomicU64);

impl Progress for Interrupter {
    fn begin(&self, _what: &str, _total: Extent) {}
    fn advance(&self, rows: u64, _bytes: u64) {
        let left = self.1.load(Ordering::Relaxed);
        self.1.store(left.saturating_sub(rows), Ordering::Relaxed);
        if left <= rows {
            self.0.cancel(2);
        }
    }
    fn end(&self) {}
}

/// The greatest relative difference of the losses of two trainings.
fn difference(left: &FittedNetwork, right: &FittedNetwork) -> f64 {
    let pairs = left.history.iter().zip(&right.history);
    pairs
        .map(|(left, right)| (left.training_loss / right.training_loss - 1.0).abs())
        .fold(0.0, |most, off| if off > most { off } else { most })
}

struct Checks {
    device: Device,
    failed: bool,
}

impl Checks {
    fn say(&mut self, what: &str, holds: bool, found: &str) {
        println!("{} {what}: {found}", if holds { "ok    " } else { "FAILED" });
        self.failed |= !holds;
    }

    /// Losses within 0.1 % of the CPU's in single precision, 2 % in 16 bits: what rounding makes of 390 steps.
    fn losses(&mut self) -> Result<()> {
        for (name, mut spec, classes) in specs() {
            spec.device = Device::Cpu;
            let cpu = train(&spec, classes, FitOptions::default())?;
            spec.device = self.device;
            for (precision, bound) in
                [(Precision::F32, 1e-3), (Precision::Bf16, 0.02), (Precision::F16, 0.02)]
            {
                spec.precision = precision;
                let card = train(&spec, classes, FitOptions::default())?;
                let off = difference(&card, &cpu);
                let what = format!("{name}, {}: losses as on the CPU", precision.name());
                self.say(&what, off <= bound, &format!("{off:.1e} apart, {bound:.0e} allowed"));
            }
        }
        Ok(())
    }

    fn resume(&mut self) -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
        let path = std::env::temp_dir().join(format!("sluice-gpu-{}.checkpoint", std::process::id()));
        for (name, mut spec, classes) in specs() {
            spec.device = self.device;
            let whole = train(&spec, classes, FitOptions::default())?;
            let options = || FitOptions {
                checkpoints: Some(Checkpoints { path: path.clone(), interval: Duration::MAX }),
                ..FitOptions::default()
            };
            for stop in [1, 60_000, 333_000] {
                let mut stopped = options();
                let execution = Execution::default();
                stopped.execution = Execution {
                    progress: Arc::new(Interrupter(execution.cancel.clone(), AtomicU64::new(stop))),
                    ..execution
                };
                let is_interrupt =
                    |error: &sluice_core::Error| matches!(error.kind(), ErrorKind::Interrupted(_));
                let interrupted =
                    train(&spec, classes, stopped).err().is_some_and(|error| is_interrupt(&error));
                let resumed = train(&spec, classes, options())?;
                let same = resumed.model.to_safetensors()? == whole.model.to_safetensors()?;
                let what = format!("{name}: stopped after {stop} rows and resumed");
                self.say(&what, interrupted && same, if same { "the same bits" } else { "other bits" });
                fs_err::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn refusals(&mut self) {
        let mut spec = NetworkSpec::mlp(&[16]);
        spec.device = Device::Cuda(99);
        let message = train(&spec, 0, FitOptions::default()).err().map(|error| error.to_string());
        self.say("a card that is not there", message.is_some(), &message.unwrap_or_default());
        // 206 GB of buffers for 2.4 GB of weights.
        let mut spec = NetworkSpec::mlp(&[1536; 256]);
        (spec.batch_size, spec.device) = (65_536, self.device);
        let error = train(&spec, 0, FitOptions::default()).err();
        let hint = error.as_ref().and_then(sluice_core::Error::hint).unwrap_or_default();
        let message = error.map(|error| error.to_string()).unwrap_or_default();
        self.say("a card that is too small", hint.contains("batch_size"), &format!("{message}; {hint}"));
    }
}

fn main() -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let device = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Device::Cuda(0),
        ["--device", device] => device.parse()?,
        _ => return Err("gpu [--device cuda:0]".into()),
    };
    let mut checks = Checks { device, failed: false };
    checks.losses()?;
    checks.resume()?;
    checks.refusals();
    if checks.failed { Err("a check failed".into()) } else { Ok(()) }
}
