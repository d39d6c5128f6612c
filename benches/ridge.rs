//! Ridge regression of a table in memory: reads the numbers of a Parquet file, then fits, and prints as JSON what one fit
//! costs, without the reading. `benches/peers` times it beside `scikit-learn`.
//!
//!     ridge FILE LABEL THREADS

#![allow(clippy::print_stdout, reason = "a program of its own, whose result is for another program")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use sluice_core::plan::PlanOptions;
use sluice_core::role::Roles;
use sluice_core::{BatchTransform, Execution};
use sluice_testkit::MemorySource;
use sluice_training::{RidgeOptions, TrainingColumns, TrainingData, fit_ridge};
use sluice_transform::{Operation, TransformSpec, fit};

/// Fits that are timed together: where the system counts CPU time in hundredths of seconds.
const FITS: u32 = 5;

/// A second, in the ticks of `/proc/self/stat` (Linux has them at 100 on every machine).
const TICKS: f64 = 100.0;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, label, threads] = arguments.as_slice() else {
        return Err("ridge FILE LABEL THREADS".into());
    };
    let table = doubles(file)?;
    let schema = table.schema();
    let features = schema.fields().iter().map(|field| field.name().clone());
    let features: Vec<String> = features.filter(|name| name != label).collect();
    let execution = Execution::with_threads(threads.parse()?);
    let source = MemorySource::new(&table, PlanOptions::SPLIT_ROWS);
    let spec = TransformSpec(vec![Operation::PassThrough(features)]);
    let transform: Arc<dyn BatchTransform> = Arc::new(fit(&spec, &source, &Roles::default(), &execution)?);
    let columns = TrainingColumns::from(label.as_str());
    let data = TrainingData { source: &source, transform: &transform, columns: &columns };
    let (started, before) = (Instant::now(), cpu_seconds());
    let mut coefficient = f64::NAN;
    for _ in 0..FITS {
        let model = fit_ridge(data, &RidgeOptions::from(1.0), &execution)?;
        coefficient = model.label_output().coefficients.first().map_or(f64::NAN, |first| first.value);
    }
    let wall = started.elapsed().as_secs_f64() / f64::from(FITS);
    let cpu = cpu_seconds().zip(before).map(|(after, before)| (after - before) / f64::from(FITS));
    println!("{}", serde_json::json!({ "wall": wall, "cpu": cpu, "figure": coefficient }));
    Ok(())
}

/// The columns of doubles of a Parquet file, as one batch.
fn doubles(path: &str) -> Result<RecordBatch, Box<dyn Error + Send + Sync>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(fs_err::File::open(path)?.into_parts().0)?;
    let fields = builder.schema().fields().iter().enumerate();
    let chosen = fields.filter(|(_, field)| field.data_type() == &DataType::Float64).map(|(index, _)| index);
    let mask = ProjectionMask::roots(builder.parquet_schema(), chosen.collect::<Vec<_>>());
    let reader = builder.with_projection(mask).build()?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let first = batches.first().ok_or("the file has no rows")?;
    Ok(concat_batches(&first.schema(), &batches)?)
}

/// User and system time of this process; `None` where the system does not tell it as Linux does.
fn cpu_seconds() -> Option<f64> {
    let stat = fs_err::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
    Some(ticks.sum::<Result<f64, _>>().ok()? / TICKS)
}
