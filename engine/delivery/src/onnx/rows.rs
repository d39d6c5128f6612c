//! The rows that an export is run on: rows of the data, and for each column the first of them with an edge
//! in that column's place: null, NaN, infinities, extremes, values that no training row had, and the
//! constants of operations.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, NullArray, RecordBatch,
    StringViewArray, UInt32Array, UInt64Array,
};
use arrow::compute::{concat, take};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;
use sluice_transform::constants::Levels;
use sluice_transform::{Mapper, Transform};

/// More constants of one column are not tried.
const MAX_CONSTANTS: usize = 200;

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
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for node in transform.nodes() {
        let name =
            node.inputs.first().map_or("", |id| id.split_once('#').map_or(id.as_str(), |(name, _)| name));
        if name != column {
            continue;
        }
        match &node.mapper {
            Mapper::Bucketize(buckets) => numbers.extend(&buckets.edges),
            Mapper::Clip(bounds) => numbers.extend(bounds.at_least.iter().chain(&bounds.at_most)),
            Mapper::ScaleToRange(range) => numbers.extend([range.minimum, range.maximum]),
            Mapper::OneHot(table) => match table.levels() {
                Levels::Text(levels) => texts.extend(levels.iter().cloned()),
                Levels::Integer(levels) => numbers.extend(levels.iter().map(|level| *level as f64)),
                Levels::Float(levels) => numbers.extend(levels),
                Levels::Boolean(_) => {}
            },
            _ => {}
        }
    }
    numbers.truncate(MAX_CONSTANTS);
    texts.truncate(MAX_CONSTANTS);
    (numbers, texts)
}
