//! Example rows with their predictions: what a model does, in a form that a person and a test can read. Every
//! opening of a package predicts them again.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    ListArray, RecordBatch, StringViewArray, TimestampMicrosecondArray, TimestampNanosecondArray,
    UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
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
    /// The rows; numbers that JSON lacks are the texts `NaN`, `inf` and `-inf`, decimals their unscaled text, dates
    /// days and timestamps micro- or nanoseconds since 1970-01-01, lists lists.
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
        Column::Date(values) => Value::from(values.value(row)),
        Column::TimestampMicrosecond(values) => Value::from(values.value(row)),
        Column::TimestampNanosecond(values) => Value::from(values.value(row)),
        Column::Other(lists) if lists.as_list_opt::<i32>().is_some() => {
            let items = lists.as_list::<i32>().value(row);
            let cells = (0..items.len()).map(|item| to_json(name, &items, item));
            Value::Array(cells.collect::<Result<_>>()?)
        }
        Column::Binary(_) | Column::Other(_) => {
            return Err(CommonError::ColumnKind {
                column: name.into(),
                found: ColumnKind::of(array.data_type()).to_string(),
                expected: "numbers, text, booleans, dates, timestamps, or lists of them",
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
        ColumnKind::Date => {
            let day = |value: &Value| value.as_i64().and_then(|day| i32::try_from(day).ok());
            Arc::new(Date32Array::from(cells(values, day)?))
        }
        ColumnKind::Timestamp { zone, nanoseconds: false } => {
            let instants = TimestampMicrosecondArray::from(cells(values, Value::as_i64)?);
            Arc::new(instants.with_timezone_opt(zone.as_deref()))
        }
        ColumnKind::Timestamp { zone, nanoseconds: true } => {
            let instants = TimestampNanosecondArray::from(cells(values, Value::as_i64)?);
            Arc::new(instants.with_timezone_opt(zone.as_deref()))
        }
        ColumnKind::List(item) => lists_from_json(item, values)?,
        ColumnKind::Binary | ColumnKind::Struct(_) | ColumnKind::Other(_) => {
            return Err(0);
        }
    })
}

fn lists_from_json(item: &ColumnKind, values: &[&Value]) -> std::result::Result<ArrayRef, usize> {
    let lists = cells(values, |value| value.as_array().cloned())?;
    let items: Vec<&Value> = lists.iter().flatten().flatten().collect();
    let row_of = |item: usize| {
        let ends = lists.iter().scan(0, |end, list| {
            *end += list.as_ref().map_or(0, Vec::len);
            Some(*end)
        });
        ends.take_while(|end| *end <= item).count()
    };
    let items = from_json(item, &items).map_err(row_of)?;
    let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.as_ref().map_or(0, Vec::len)));
    let nulls: NullBuffer = lists.iter().map(Option::is_some).collect::<Vec<bool>>().into();
    let field = Field::new("item", items.data_type().clone(), true);
    let lists = ListArray::try_new(Arc::new(field), offsets, items, Some(nulls)).map_err(|_| 0_usize)?;
    Ok(Arc::new(lists))
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Builder, ListBuilder};
    use sluice_core::column::normalize;

    use super::*;

    #[test]
    fn dates_and_lists_come_back() {
        let mut lists = ListBuilder::new(Float64Builder::new());
        lists.append_value([Some(1.5), None, Some(f64::NAN)]);
        lists.append_null();
        lists.append_value([]);
        let instants = vec![Some(-1), None, Some(1_700_000_000_123_456)];
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("day", Arc::new(Date32Array::from(vec![Some(-719_162), Some(19_000), None]))),
            ("wall", Arc::new(TimestampMicrosecondArray::from(instants.clone()))),
            ("at", Arc::new(TimestampNanosecondArray::from(instants).with_timezone("+05:30"))),
            ("trace", normalize(&(Arc::new(lists.finish()) as ArrayRef)).unwrap()),
        ];
        let table = RecordBatch::try_from_iter_with_nullable(
            columns.iter().map(|(name, array)| (*name, Arc::clone(array), true)),
        );
        let (table, predictions) = (table.unwrap(), Float64Array::from(vec![1.0, 2.0, 3.0]));
        let planned = columns.iter().map(|(name, array)| PlannedColumn {
            name: (*name).to_owned(),
            kind: ColumnKind::of(array.data_type()),
        });
        let inputs: Vec<PlannedColumn> = planned.collect();
        let examples = Examples::take(&inputs, &table, &predictions).unwrap();
        let text = serde_json::to_string(&examples).unwrap();
        assert!(text.contains(r#"[-719162,-1,-1,[1.5,null,"NaN"]]"#), "{text}");
        let mut restored: Examples = serde_json::from_str(&text).unwrap();
        let again = Examples::take(&inputs, &restored.table(&inputs).unwrap(), &predictions).unwrap();
        assert_eq!(again, examples);
        for ((_, array), found) in columns.iter().zip(restored.table(&inputs).unwrap().columns()) {
            assert_eq!(array.data_type(), found.data_type());
        }
        restored.rows[2][3] = serde_json::json!([1.0, true]);
        assert_eq!(restored.table(&inputs).unwrap_err(), 2, "the row that does not fit is named");
    }
}
