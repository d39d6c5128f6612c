//! How fast a multilayer perceptron 30-128-128-1 is trained: rows per second of an epoch, shuffle included, best and median
//! of some epochs, as JSON. `benches/networks/run` shows PyTorch beside it.
//!
//!     speed ROWS BATCH THREADS EPOCHS [HIDDEN,HIDDEN,… [DEVICE [PRECISION]]]

#![allow(clippy::print_stdout, reason = "a program of its own, whose result is for another program")]

use std::error::Error;
use std::time::Instant;

use sluice_core::Execution;
use sluice_networks::{
    EpochRecord, FitOptions, InputLayout, LabelLayout, MemoryRows, NetworkSpec, Observer, fit,
};

const FEATURES: usize = 30;

/// When epochs ended.
struct Clock(Vec<Instant>, f64);

impl Observer for Clock {
    fn epoch(&mut self, record: &EpochRecord) {
        self.0.push(Instant::now());
        self.1 = record.training_loss;
    }
}

/// A number between -1 and 1 that looks like chance.
fn noise(state: &mut u64) -> f32 {
    (sluice_core::splitmix::next(state) >> 40) as f32 / 8_388_608.0 - 1.0
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (numbers, hidden) = arguments.split_at(std::cmp::min(4, arguments.len()));
    let [rows, batch, threads, epochs] = numbers else {
        return Err("speed ROWS BATCH THREADS EPOCHS [HIDDEN,… [DEVICE [PRECISION]]]".into());
    };
    let further = |number: usize, usual| hidden.get(number).map_or(usual, String::as_str);
    let (device, precision) = (further(1, "cpu"), further(2, "f32"));
    let hidden = further(0, "128,128");
    let hidden: Vec<u32> = hidden.split(',').map(str::parse).collect::<Result<_, _>>()?;
    let rows: usize = rows.parse()?;
    let mut state = 42;
    let numeric: Vec<f32> = (0..rows * FEATURES).map(|_| noise(&mut state)).collect();
    let labels: Vec<f32> = numeric
        .chunks_exact(FEATURES)
        .map(|row| row[0] * row[1] + row[2] + 0.1 * noise(&mut state))
        .collect();
    let mut source = MemoryRows::new(FEATURES, 0);
    source.push(&numeric, &[], &labels, &[])?;
    let inputs = InputLayout {
        numeric: (0..FEATURES).map(|column| format!("x{column}")).collect(),
        categorical: Vec::new(),
    };
    let label = LabelLayout { name: "y".into(), classes: Vec::new() };
    let mut spec = NetworkSpec::mlp(&hidden);
    spec.batch_size = batch.parse()?;
    spec.epochs = epochs.parse::<u32>()? + 1; // the first one warms up
    spec.device = device.parse()?;
    spec.precision = serde_json::from_value(precision.into())?;
    let mut clock = Clock(Vec::new(), f64::NAN);
    let options = FitOptions {
        execution: Execution::with_threads(threads.parse()?),
        observer: Some(&mut clock),
        ..FitOptions::default()
    };
    fit(&spec, (&inputs, &label), &mut source, None, options)?;
    let mut speeds: Vec<f64> =
        clock.0.windows(2).map(|pair| rows as f64 / (pair[1] - pair[0]).as_secs_f64()).collect();
    speeds.sort_by(f64::total_cmp);
    let median = speeds.get(speeds.len() / 2);
    println!("{}", serde_json::json!({ "median": median, "best": speeds.last(), "loss": clock.1 }));
    Ok(())
}
