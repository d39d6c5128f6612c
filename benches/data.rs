//! Tables for the benchmarks: made from a constant seed, in memory or as files, before anything is timed.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::properties::WriterProperties;

/// One seed for all data, so that every run reads the same bytes.
const SEED: u64 = 20_240_229;

/// `SplitMix64` (Steele, Lea & Flood 2014): a generator of one line, and the same numbers on every machine.
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(stream: u64) -> Self {
        Self(SEED.wrapping_add(stream << 32))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Uniform on [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A column of a table.
fn column(index: usize, rows: usize, null_share: f64) -> ArrayRef {
    let mut numbers = Numbers::new(index as u64);
    let mut cell = || {
        let is_null = numbers.unit() < null_share;
        (!is_null).then(|| numbers.next())
    };
    let unit = |value: u64| (value >> 11) as f64 / (1_u64 << 53) as f64;
    match index % 4 {
        // Money: heavy-tailed, rounded to cents, so that a dictionary holds it.
        0 => {
            let cents = |value: u64| (-800.0 * (1.0 - unit(value)).ln()).round() / 100.0;
            Arc::new((0..rows).map(|_| cell().map(cents)).collect::<Float64Array>())
        }
        1 => {
            let small = |value: u64| i64::try_from(value % 3000).unwrap_or(0);
            Arc::new((0..rows).map(|_| cell().map(small)).collect::<Int64Array>())
        }
        2 => {
            let name = |value: u64| format!("company {}", value % 150);
            Arc::new((0..rows).map(|_| cell().map(name)).collect::<StringArray>())
        }
        // Full precision: nearly all values differ.
        _ => Arc::new((0..rows).map(|_| cell().map(unit)).collect::<Float64Array>()),
    }
}

/// Columns `c0`, `c1`, … of money, small integers, names and plain floats in turn; some of their cells null.
pub(crate) fn mixed(rows: usize, columns: usize, null_share: f64) -> RecordBatch {
    let named = (0..columns).map(|index| (format!("c{index}"), column(index, rows, null_share), true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

/// Columns `x0`, `x1`, … of uniform numbers, their sum with noise as `y`, and two slice columns.
pub(crate) fn regression(rows: usize, columns: usize) -> RecordBatch {
    let mut label = vec![0.0; rows];
    let mut named: Vec<(String, ArrayRef)> = Vec::with_capacity(columns + 3);
    for index in 0..columns {
        let mut numbers = Numbers::new(1000 + index as u64);
        let values: Vec<f64> = (0..rows).map(|_| numbers.unit()).collect();
        label.iter_mut().zip(&values).for_each(|(label, value)| *label += value * (1.0 + index as f64));
        named.push((format!("x{index}"), Arc::new(Float64Array::from(values))));
    }
    let mut numbers = Numbers::new(999);
    label.iter_mut().for_each(|label| *label += numbers.unit());
    named.push(("y".into(), Arc::new(Float64Array::from(label))));
    for (name, levels) in [("zone", 20), ("payment", 4)] {
        let level = (0..rows).map(|_| Some(format!("{name} {}", numbers.below(levels))));
        named.push((name.into(), Arc::new(level.collect::<StringArray>())));
    }
    RecordBatch::try_from_iter(named).unwrap()
}

/// Writes a table as Parquet, in row groups of 2^17 rows.
pub(crate) fn write_parquet(path: &Path, table: &RecordBatch, dictionary: bool) {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(dictionary)
        .set_dictionary_page_size_limit(if dictionary { 64 << 20 } else { 1 })
        .set_max_row_group_row_count(Some(1 << 17))
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let file = fs_err::File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, table.schema(), Some(properties)).unwrap();
    writer.write(table).unwrap();
    writer.close().unwrap();
}

/// Decodes all Parquet files below a folder on one thread as arrow-rs does it best, strings as dictionaries, and answers
/// the number of rows.
pub(crate) fn decode(folder: &Path) -> usize {
    let mut rows = 0;
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rows += decode(&path);
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            let file = fs_err::File::open(&path).unwrap().into_file();
            let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).unwrap();
            let coded = |field: &Arc<Field>| match field.data_type() {
                DataType::Utf8 | DataType::Utf8View => {
                    let codes = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
                    Arc::new(field.as_ref().clone().with_data_type(codes))
                }
                _ => Arc::clone(field),
            };
            let fields: Vec<_> = metadata.schema().fields().iter().map(coded).collect();
            let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
            let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
            let reader = reader.with_batch_size(65_536).build().unwrap();
            rows += reader.map(|batch| batch.unwrap().num_rows()).sum::<usize>();
        }
    }
    rows
}

/// Writes a table of [`mixed`] columns as CSV; a null is an empty cell.
pub(crate) fn write_csv(path: &Path, table: &RecordBatch) {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Float64Type, Int64Type};
    let names: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut text = names.join(",");
    text.push('\n');
    for row in 0..table.num_rows() {
        for (index, array) in table.columns().iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            if array.is_null(row) {
                continue;
            }
            match array.data_type() {
                DataType::Float64 => {
                    text.push_str(&array.as_primitive::<Float64Type>().value(row).to_string());
                }
                DataType::Int64 => {
                    text.push_str(&array.as_primitive::<Int64Type>().value(row).to_string());
                }
                _ => text.push_str(array.as_string::<i32>().value(row)),
            }
        }
        text.push('\n');
    }
    fs_err::write(path, text).unwrap();
}
