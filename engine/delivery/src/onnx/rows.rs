//! The rows that an export is run on: rows of the data, and for each column the first of them with an edge
//! in that column's place: null, NaN, infinities, extremes, values that no training row had, and the
//! constants of operations. A row for which an expression has no answer is one that `sluice` stops at; it is left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, NullArray,
    RecordBatch, StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt32Array,
    UInt64Array,
};
use arrow::compute::{concat, take};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;
use sluice_transform::constants::{CombinedBy, Key, Levels};
use sluice_transform::{Mapper, Transform};

/// More constants of one column are not tried.
const MAX_CONSTANTS: usize = 200;

/// Days since 1970-01-01 where calendars go wrong: 1970-01-01 and the day before, 1969-03-01 and the day before,
/// 2000-02-29 with the days beside it, 2024-12-31, 1900-03-01, 0000-02-29, 2100-03-01.
const DAYS: [i32; 11] = [0, -1, -306, -307, 11_015, 11_016, 11_017, 20_088, -25_508, -719_469, 47_541];

/// `rows` and the edge rows, with the columns that a transform reads.
pub(crate) fn with_edges(transform: &Transform, rows: &RecordBatch) -> Result<RecordBatch> {
    let inputs = transform.input_columns();
    let mut columns = Vec::with_capacity(inputs.len());
    for input in inputs {
        let array = rows.column_by_name(&input.name).ok_or_else(|| CommonError::ColumnMissing {
            column: input.name.clone(),
            place: "the training rows".into(),
            available: rows.schema().fields().iter().map(|field| field.name().clone()).collect(),
        })?;
        columns.push((plain(array), edges(transform, input)?));
    }
    let sample = rows.num_rows();
    let edge_rows: usize = columns.iter().map(|(_, edges)| edges.len()).sum();
    let mut first = 0;
    let mut arrays = Vec::with_capacity(columns.len());
    for ((values, edges), input) in columns.iter().zip(inputs) {
        // Row 0 everywhere but in the block of this column; the last row holds the first edge of all: null.
        let mut picked: Vec<usize> = (0..sample).collect();
        picked.extend(std::iter::repeat_n(0, edge_rows));
        for edge in 0..edges.len() {
            picked[sample + first + edge] = sample + edge;
        }
        picked.push(sample);
        first += edges.len();
        let picked: UInt32Array = picked.into_iter().map(|row| u32::try_from(row).ok()).collect();
        let all = concat(&[values.as_ref(), edges.as_ref()]).and_then(|all| take(&all, &picked, None));
        let array = all.map_err(|error| {
            CommonError::Internal(format!("edge rows of column `{}`: {error}", input.name))
        })?;
        arrays.push((input.name.as_str(), array, true));
    }
    RecordBatch::try_from_iter_with_nullable(arrays)
        .map_err(|error| CommonError::Internal(format!("edge rows: {error}")).into())
}

/// Text without codes.
fn plain(array: &ArrayRef) -> ArrayRef {
    match Column::view(array) {
        view @ Column::CodedText(..) => {
            Arc::new((0..array.len()).map(|row| view.text(row)).collect::<StringViewArray>())
        }
        _ => Arc::clone(array),
    }
}

/// The edges of a column; the first is null.
fn edges(transform: &Transform, input: &PlannedColumn) -> Result<ArrayRef> {
    let (numbers, texts) = constants(transform, &input.name);
    Ok(match &input.kind {
        ColumnKind::Null => Arc::new(NullArray::new(1)),
        ColumnKind::Boolean => Arc::new(BooleanArray::from(vec![None, Some(false), Some(true)])),
        ColumnKind::Integer => {
            let fixed = [0, 1, -1, 9_007_199_254_740_993, i64::MIN, i64::MAX];
            let values = fixed.into_iter().chain(numbers.iter().filter_map(|value| integer(*value)));
            Arc::new(std::iter::once(None).chain(values.map(Some)).collect::<Int64Array>())
        }
        ColumnKind::Unsigned => {
            let constants = numbers.iter().filter_map(|value| u64::try_from(integer(*value)?).ok());
            let values = [0, 1, u64::MAX].into_iter().chain(constants);
            Arc::new(std::iter::once(None).chain(values.map(Some)).collect::<UInt64Array>())
        }
        ColumnKind::Float => {
            let fixed =
                [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 0.5, -1.0, 1e300, -1e300, 5e-324];
            let values = fixed
                .into_iter()
                .chain(numbers.iter().flat_map(|value| [*value, value.next_down(), value.next_up()]));
            Arc::new(std::iter::once(None).chain(values.map(Some)).collect::<Float64Array>())
        }
        ColumnKind::Decimal { precision, scale } => {
            let largest = 10_i128.pow(u32::from(*precision).min(38)) - 1;
            let values = vec![None, Some(0), Some(1), Some(-1), Some(largest), Some(-largest)];
            let array = Decimal128Array::from(values).with_precision_and_scale(*precision, *scale);
            Arc::new(array.map_err(|error| CommonError::Internal(format!("edge decimals: {error}")))?)
        }
        ColumnKind::Date => {
            let values = DAYS.into_iter().chain([i32::MIN, i32::MAX]);
            Arc::new(std::iter::once(None).chain(values.map(Some)).collect::<Date32Array>())
        }
        ColumnKind::Timestamp { zone, nanoseconds } => {
            let second: i64 = if *nanoseconds { 1_000_000_000 } else { 1_000_000 };
            let midnights = DAYS.into_iter().filter_map(|day| (i64::from(day) * 86_400).checked_mul(second));
            let values = midnights.flat_map(|value| [value, value - 1, value + 45_296 * second]);
            let values: Vec<Option<i64>> =
                std::iter::once(None).chain(values.chain([i64::MIN, i64::MAX]).map(Some)).collect();
            if *nanoseconds {
                Arc::new(TimestampNanosecondArray::from(values).with_timezone_opt(zone.clone()))
            } else {
                Arc::new(TimestampMicrosecondArray::from(values).with_timezone_opt(zone.clone()))
            }
        }
        ColumnKind::Text => {
            let fixed = ["", " ", "a value that no row had", "\u{0}", "Ünseen 🚫"].map(str::to_owned);
            let values = fixed.into_iter().chain(texts);
            Arc::new(std::iter::once(None).chain(values.map(Some)).collect::<StringViewArray>())
        }
        other => {
            return Err(CommonError::Internal(format!("there are no edges of {other} columns")).into());
        }
    })
}

#[allow(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn integer(value: f64) -> Option<i64> {
    (value.abs() < 9e15).then_some(value as i64)
}

/// The numbers and texts that operations on a column, under its own name, compare with.
fn constants(transform: &Transform, column: &str) -> (Vec<f64>, Vec<String>) {
    let mut known = Constants::default();
    for node in transform.nodes() {
        for (place, id) in node.inputs.iter().enumerate() {
            if id.split_once('#').map_or(id.as_str(), |(name, _)| name) == column {
                known.add(&node.mapper, place);
            }
        }
    }
    known.numbers.truncate(MAX_CONSTANTS);
    known.texts.truncate(MAX_CONSTANTS);
    (known.numbers, known.texts)
}

#[derive(Default)]
struct Constants {
    numbers: Vec<f64>,
    texts: Vec<String>,
}

impl Constants {
    /// Those that an operation compares the values of one of its inputs with.
    fn add(&mut self, mapper: &Mapper, input: usize) {
        match mapper {
            Mapper::Bucketize(buckets) => self.numbers.extend(&buckets.edges),
            Mapper::Interpolate(interpolation) => self.numbers.extend(&interpolation.edges),
            Mapper::QuantileTransform(table) => self.numbers.extend(&table.quantiles),
            Mapper::Clip(bounds) => self.numbers.extend(bounds.at_least.iter().chain(&bounds.at_most)),
            Mapper::ScaleToRange(range) => self.numbers.extend([range.minimum, range.maximum]),
            Mapper::OneHot(table) => self.add_levels(table.levels()),
            Mapper::Ordinal(ordinals) => self.add_levels(ordinals.levels.levels()),
            Mapper::Frequency(shares) => self.add_levels(shares.levels.levels()),
            Mapper::TargetMean(means) => self.add_keys(means.levels.keys(), input),
            Mapper::Vocabulary(tokens) => self.add_texts(tokens.tokens().iter().map(String::as_str)),
            Mapper::Cross(combinations) => {
                if let CombinedBy::Levels(table) = &combinations.by {
                    self.add_keys(table.keys(), input);
                }
            }
            Mapper::StandardizePerKey(constants) if input > 0 => {
                self.add_keys(constants.keys.keys(), input - 1);
            }
            Mapper::ScaleToRangePerKey(constants) if input > 0 => {
                self.add_keys(constants.keys.keys(), input - 1);
            }
            Mapper::ImputePerKey(fills) if input > 0 => self.add_keys(fills.keys.keys(), input - 1),
            _ => {}
        }
    }

    fn add_levels(&mut self, levels: &Levels) {
        match levels {
            Levels::Text(levels) => self.texts.extend(levels.iter().cloned()),
            Levels::Integer(levels) => self.numbers.extend(levels.iter().map(|level| *level as f64)),
            Levels::Float(levels) => self.numbers.extend(levels),
            Levels::Boolean(_) => {}
        }
    }

    fn add_keys(&mut self, keys: &[Key], part: usize) {
        let parts: BTreeSet<&str> = keys.iter().filter_map(|key| key.get(part)?.as_deref()).collect();
        self.add_texts(parts.into_iter());
    }

    fn add_texts<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        for text in texts {
            self.numbers.extend(text.parse::<f64>().ok());
            self.texts.push(text.to_owned());
        }
    }
}
