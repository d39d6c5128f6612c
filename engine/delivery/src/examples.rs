//! Example rows with their predictions: what a model does, in a form that a person and a test can read. Every
//! opening of a package predicts them again.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringViewArray,
    UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};
use sluice_core::plan::PlannedColumn;

/// Rows of the model's inputs, and what it predicts for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Examples {
    /// The input columns.
    pub columns: Vec<String>,
    /// The rows; numbers that JSON lacks are the texts `NaN`, `inf` and `-inf`, decimals their unscaled text.
    pub rows: Vec<Vec<Value>>,
    /// One prediction per row.
    pub predictions: Vec<f64>,
}

impl Examples {
    /// Takes down rows of a table and their predictions.
    ///
    /// # Errors
    /// When a column is missing or of a type that no model takes.
    pub fn take(inputs: &[PlannedColumn], table: &RecordBatch, predictions: &Float64Array) -> Result<Self> {
        let columns: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        let mut rows = vec![Vec::with_capacity(columns.len()); table.num_rows()];
        for input in inputs {
            let array = table.column_by_name(&input.name).ok_or_else(|| CommonError::ColumnMissing {
                column: input.name.clone(),
                place: "the training rows".into(),
                available: table.schema().fields().iter().map(|field| field.name().clone()).collect(),
            })?;
            for (row, cells) in rows.iter_mut().enumerate() {
                cells.push(to_json(&input.name, array, row)?);
            }
        }
        Ok(Self { columns, rows, predictions: predictions.values().to_vec() })
    }

    /// The rows as a table with columns of these kinds; `Err` with the row that does not fit.
    ///
    /// # Errors
    /// The index of the first row that does not fit the kinds.
    pub fn table(&self, inputs: &[PlannedColumn]) -> std::result::Result<RecordBatch, usize> {
        let width = inputs.len();
        if let Some(row) = self.rows.iter().position(|cells| cells.len() != width) {
            return Err(row);
        }
        let arrays = inputs
            .iter()
            .enumerate()
            .map(|(index, input)| {
                let cells: Vec<&Value> = self.rows.iter().map(|row| &row[index]).collect();
                from_json(&input.kind, &cells)
            })
            .collect::<std::result::Result<Vec<_>, usize>>()?;
        let fields: Vec<Field> = inputs
            .iter()
            .zip(&arrays)
            .map(|(input, array)| Field::new(&input.name, array.data_type().clone(), true))
            .collect();
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(|_| 0)
    }
}

fn to_json(name: &str, array: &ArrayRef, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match Column::view(array) {
        Column::Null(_) => Value::Null,
        Column::Boolean(values) => Value::from(values.value(row)),
        Column::Integer(values) => Value::from(values.value(row)),
        Column::Unsigned(values) => Value::from(values.value(row)),
        Column::Float(values) => {
            let value = values.value(row);
            serde_json::Number::from_f64(value).map_or_else(|| Value::from(value.to_string()), Value::Number)
        }
        Column::Decimal(values) => Value::from(values.value(row).to_string()),
        view @ (Column::Text(_) | Column::CodedText(..)) => view.text(row).map_or(Value::Null, Value::from),
        Column::Binary(_)
        | Column::Date(_)
        | Column::TimestampMicrosecond(_)
        | Column::TimestampNanosecond(_)
        | Column::Other(_) => {
            return Err(CommonError::ColumnKind {
                column: name.into(),
                found: ColumnKind::of(array.data_type()).to_string(),
                expected: "numbers, text or booleans",
                purpose: "an example row".into(),
            }
            .into());
        }
    })
}

/// Reads every cell, or answers the row of the first that does not fit.
fn cells<T>(
    values: &[&Value],
    read: impl Fn(&Value) -> Option<T>,
) -> std::result::Result<Vec<Option<T>>, usize> {
    values
        .iter()
        .enumerate()
        .map(|(row, value)| if value.is_null() { Ok(None) } else { read(value).map(Some).ok_or(row) })
        .collect()
}

fn from_json(kind: &ColumnKind, values: &[&Value]) -> std::result::Result<ArrayRef, usize> {
    let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    Ok(match kind {
        ColumnKind::Boolean => Arc::new(BooleanArray::from(cells(values, Value::as_bool)?)),
        ColumnKind::Integer => Arc::new(Int64Array::from(cells(values, Value::as_i64)?)),
        ColumnKind::Unsigned => Arc::new(UInt64Array::from(cells(values, Value::as_u64)?)),
        ColumnKind::Float => Arc::new(Float64Array::from(cells(values, number)?)),
        ColumnKind::Decimal { precision, scale } => {
            let unscaled = cells(values, |value| value.as_str()?.parse::<i128>().ok())?;
            let array = Decimal128Array::from(unscaled).with_precision_and_scale(*precision, *scale);
            Arc::new(array.map_err(|_| 0_usize)?)
        }
        ColumnKind::Text => {
            Arc::new(StringViewArray::from(cells(values, |value| value.as_str().map(str::to_owned))?))
        }
        ColumnKind::Null => Arc::new(arrow::array::NullArray::new(values.len())),
        ColumnKind::Binary
        | ColumnKind::Date
        | ColumnKind::Timestamp { .. }
        | ColumnKind::List(_)
        | ColumnKind::Struct(_)
        | ColumnKind::Other(_) => {
            return Err(0);
        }
    })
}
