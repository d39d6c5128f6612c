//! Batches to polars and back, through the Arrow C data interface: buffers are shared, not copied.

#![allow(unsafe_code, reason = "the C data interface is how two Arrow implementations share buffers")]

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi, to_ffi};
use polars::prelude as pl;
use polars_arrow::ffi as polars_ffi;

use sluice_core::column::normalize;
use sluice_core::error::Result;

use super::error::QueryError;

/// A batch in normal form as a polars frame. Codes become text: polars keys dictionaries anew.
pub(super) fn to_polars(batch: &RecordBatch, input: &str) -> Result<pl::DataFrame, QueryError> {
    let columns = batch
        .schema_ref()
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, array)| {
            column_to_polars(field.name(), array).map_err(|problem| QueryError::Type {
                column: field.name().clone(),
                place: format!("input `{input}`"),
                found: format!("{} ({problem})", field.data_type()),
                direction: "read",
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    pl::DataFrame::new(batch.num_rows(), columns)
        .map_err(|error| QueryError::Failed { problem: error.to_string(), position: None })
}

fn column_to_polars(name: &str, array: &ArrayRef) -> Result<pl::Column, String> {
    let text = |error: ArrowError| error.to_string();
    let array = match array.data_type() {
        DataType::Dictionary(_, values) => {
            let plain = if **values == DataType::Utf8 { DataType::Utf8View } else { (**values).clone() };
            cast(array, &plain).map_err(text)?
        }
        _ => Arc::clone(array),
    };
    let (exported, schema) = to_ffi(&array.to_data()).map_err(text)?;
    // SAFETY: both crates' structs are `#[repr(C)]` images of the structs `ArrowArray` and `ArrowSchema` of the
    // Arrow C data interface, so they have the same layout. Ownership moves: `transmute` does not drop what it
    // takes, and the importing side calls the release callback once.
    let (exported, schema) = unsafe {
        (
            std::mem::transmute::<FFI_ArrowArray, polars_ffi::ArrowArray>(exported),
            std::mem::transmute::<FFI_ArrowSchema, polars_ffi::ArrowSchema>(schema),
        )
    };
    // SAFETY: the two structs were just exported by arrow, which writes valid ones.
    let (field, imported) = unsafe {
        let mut field = polars_ffi::import_field_from_c(&schema).map_err(|error| error.to_string())?;
        field.name = name.into();
        let imported = polars_ffi::import_array_from_c(exported, field.dtype.clone())
            .map_err(|error| error.to_string())?;
        (field, imported)
    };
    let series = pl::Series::try_from((&field, imported)).map_err(|error| error.to_string())?;
    Ok(pl::Column::from(series))
}

/// A polars frame as a batch in normal form.
pub(super) fn from_polars(frame: &pl::DataFrame) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(frame.width());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(frame.width());
    for column in frame.columns() {
        let array = column_from_polars(column).map_err(|problem| QueryError::Type {
            column: column.name().to_string(),
            place: "the answer".into(),
            found: format!("{} ({problem})", column.dtype()),
            direction: "hand out",
        })?;
        let array = normalize(&array)?;
        fields.push(Field::new(column.name().as_str(), array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(frame.height()));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| QueryError::Failed { problem: error.to_string(), position: None })?;
    Ok(batch)
}

fn column_from_polars(column: &pl::Column) -> Result<ArrayRef, String> {
    let series = column.as_materialized_series().rechunk();
    let chunk = series.to_arrow(0, pl::CompatLevel::newest());
    let field = polars_arrow::datatypes::Field::new(column.name().clone(), chunk.dtype().clone(), true);
    // SAFETY: as above, the other way round.
    let (schema, exported) = unsafe {
        (
            std::mem::transmute::<polars_ffi::ArrowSchema, FFI_ArrowSchema>(polars_ffi::export_field_to_c(
                &field,
            )),
            std::mem::transmute::<polars_ffi::ArrowArray, FFI_ArrowArray>(polars_ffi::export_array_to_c(
                chunk,
            )),
        )
    };
    // SAFETY: the two structs were just exported by polars, which writes valid ones.
    let data = unsafe { from_ffi(exported, &schema) }.map_err(|error| error.to_string())?;
    let array = make_array(data);
    // Categories and enumerations are text.
    match array.data_type() {
        DataType::Dictionary(_, values) => cast(&array, &values.clone()).map_err(|error| error.to_string()),
        _ => Ok(array),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int64Array,
        StringViewArray, TimestampMicrosecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn every_kind_survives_the_way_there_and_back() {
        let coded: DictionaryArray<Int32Type> = vec![Some("x"), None, Some("y")].into_iter().collect();
        let arrays: [(&str, ArrayRef); 9] = [
            ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            ("integer", Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some((1 << 53) + 1)]))),
            ("unsigned", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)]))),
            ("float", Arc::new(Float64Array::from(vec![Some(f64::NAN), None, Some(-0.0)]))),
            (
                "decimal",
                Arc::new(
                    Decimal128Array::from(vec![Some(12_345), None, Some(-1)])
                        .with_precision_and_scale(10, 2)
                        .unwrap(),
                ),
            ),
            (
                "text",
                Arc::new(StringViewArray::from(vec![
                    Some("007"),
                    None,
                    Some("a text of more than twelve bytes"),
                ])),
            ),
            ("date", Arc::new(Date32Array::from(vec![Some(-1), None, Some(20_000)]))),
            (
                "instant",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)])
                        .with_timezone("Europe/Vienna"),
                ),
            ),
            ("wall", Arc::new(TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1)]))),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            arrays.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let back = from_polars(&to_polars(&batch, "t").unwrap()).unwrap();
        assert_eq!(back, batch);
        let coded = RecordBatch::try_from_iter([("coded", Arc::new(coded) as ArrayRef)]).unwrap();
        let back = from_polars(&to_polars(&coded, "t").unwrap()).unwrap();
        let expected: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), None, Some("y")]));
        assert_eq!(back.column(0), &expected);
    }

    #[test]
    fn no_rows_keep_their_columns() {
        let none: ArrayRef = Arc::new(Int64Array::from(Vec::<i64>::new()));
        let batch = RecordBatch::try_from_iter_with_nullable([("n", none, true)]).unwrap();
        assert_eq!(from_polars(&to_polars(&batch, "t").unwrap()).unwrap(), batch);
    }
}
