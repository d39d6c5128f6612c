//! What the tests of operations share: fitting from the words of a pipeline file, features as plain numbers, and the
//! laws that hold for every operation.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
};
use serde_json::Value as Json;
use sluice_core::batch::Batch;
use sluice_core::column::normalize;
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn};
use sluice_core::role::Roles;
use sluice_core::seam::{BatchSource, BatchTransform};
use sluice_testkit::{MemorySource, laws};

use crate::graph::Cell;
use crate::{Fitter, Transform, TransformSpec, fit};

/// A table of columns in normal form.
pub(crate) fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let normal = columns.into_iter().map(|(name, array)| (name, normalize(&array).unwrap(), true));
    RecordBatch::try_from_iter_with_nullable(normal).unwrap()
}

/// Reference values, with the script that made them beside the file.
pub(crate) fn reference(file: &str) -> Json {
    let path = sluice_testkit::datasets::repository().join("engine/transform/tests/data").join(file);
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

/// The numbers of a list in reference values.
pub(crate) fn numbers_of(list: &Json) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// One feature of a table, by the name of its column.
pub(crate) fn feature(transform: &Transform, table: &RecordBatch, name: &str) -> Vec<Option<f64>> {
    let columns = features(transform, table);
    let known: Vec<&String> = columns.iter().map(|(name, _)| name).collect();
    let found = columns.iter().find(|(found, _)| found == name);
    found.unwrap_or_else(|| panic!("no feature `{name}` among {known:?}")).1.clone()
}

/// Operations as they stand in a pipeline file.
pub(crate) fn spec(operations: &Json) -> TransformSpec {
    serde_json::from_value(operations.clone()).unwrap()
}

/// A case of the tests of TensorFlow Transform.
pub(crate) fn golden(id: &str) -> Json {
    let cases = reference("tft_categories.json");
    cases.as_array().unwrap().iter().find(|case| case["id"] == id).unwrap().clone()
}

/// A table from lists by name: numbers (`"NaN"` among them), texts, booleans or lists of texts, with nulls.
pub(crate) fn columns_of(columns: &Json) -> RecordBatch {
    let array = |values: &Vec<Json>| -> ArrayRef {
        if values.iter().any(Json::is_array) {
            let mut lists = ListBuilder::new(StringBuilder::new());
            for list in values {
                match list.as_array() {
                    Some(items) => lists.append_value(items.iter().map(Json::as_str)),
                    None => lists.append_null(),
                }
            }
            Arc::new(lists.finish())
        } else if values.iter().any(Json::is_boolean) {
            Arc::new(values.iter().map(Json::as_bool).collect::<BooleanArray>())
        } else if values.iter().any(Json::is_number) {
            let number = |value: &Json| if value == "NaN" { Some(f64::NAN) } else { value.as_f64() };
            Arc::new(values.iter().map(number).collect::<Float64Array>())
        } else {
            Arc::new(values.iter().map(Json::as_str).collect::<StringArray>())
        }
    };
    let columns = columns.as_object().unwrap().iter();
    table(columns.map(|(name, values)| (name.as_str(), array(values.as_array().unwrap()))).collect())
}

fn roles(label: Option<&str>) -> Roles {
    Roles { label: label.map(str::to_owned), ..Roles::default() }
}

/// Fits operations on a table, split in pieces of three rows, without roles.
pub(crate) fn fitted(table: &RecordBatch, operations: &Json) -> sluice_core::Result<Transform> {
    fitted_of(table, operations, None)
}

/// The same with a label.
pub(crate) fn fitted_of(
    table: &RecordBatch,
    operations: &Json,
    label: Option<&str>,
) -> sluice_core::Result<Transform> {
    let source = MemorySource::new(table, 3);
    fit(&spec(operations), &source, &roles(label), &Execution::with_threads(2))
}

/// The message and the hint of the error that fitting meets.
pub(crate) fn refusal(table: &RecordBatch, operations: &Json) -> String {
    let error = fitted(table, operations).unwrap_err();
    format!("{error} / {}", error.hint().unwrap_or_default())
}

/// The features of a table, by the names of their columns; null is `None`, levels are indicators.
pub(crate) fn features(transform: &Transform, table: &RecordBatch) -> Vec<(String, Vec<Option<f64>>)> {
    features_of(transform, table)
}

/// The same of any transform.
pub(crate) fn features_of(
    transform: &dyn BatchTransform,
    table: &RecordBatch,
) -> Vec<(String, Vec<Option<f64>>)> {
    let batch = transform.apply(&Batch::new(table)).unwrap();
    let mut columns = Vec::new();
    for (spec, column) in transform.space().features.iter().zip(&batch.columns) {
        for (place, name) in spec.column_names().into_iter().enumerate() {
            let cell = |row: usize| match column {
                FeatureColumn::Numbers(values) => (!values.is_null(row)).then(|| values.value(row)),
                FeatureColumn::Codes(codes) => {
                    Some(f64::from(!codes.is_null(row) && codes.value(row) as usize == place))
                }
                FeatureColumn::Sparse(sparse) => {
                    Some(sparse.row(row).find(|(term, _)| *term == place).map_or(0.0, |(_, value)| value))
                }
            };
            columns.push((name, (0..table.num_rows()).map(cell).collect()));
        }
    }
    columns
}

/// One row of features, with the bits of its numbers.
#[derive(Debug, PartialEq)]
enum Bits {
    Null,
    Number(u64),
    Code(Option<u32>),
    Sparse(Vec<(usize, u64)>),
}

fn bits_of_batch(batch: &FeatureBatch, row: usize) -> Vec<Bits> {
    let bits = |column: &FeatureColumn| match column {
        FeatureColumn::Numbers(values) if values.is_null(row) => Bits::Null,
        FeatureColumn::Numbers(values) => Bits::Number(values.value(row).to_bits()),
        FeatureColumn::Codes(codes) => Bits::Code((!codes.is_null(row)).then(|| codes.value(row))),
        FeatureColumn::Sparse(sparse) => {
            Bits::Sparse(sparse.row(row).map(|(term, value)| (term, value.to_bits())).collect())
        }
    };
    batch.columns.iter().map(bits).collect()
}

fn bits_of_cells(cells: &[Cell<'_>]) -> Vec<Bits> {
    let bits = |cell: &Cell<'_>| match cell {
        Cell::Code(code) => Bits::Code(*code),
        Cell::Sparse(sparse) => {
            Bits::Sparse(sparse.row(0).map(|(term, value)| (term, value.to_bits())).collect())
        }
        number => number.number().unwrap().map_or(Bits::Null, |value| Bits::Number(value.to_bits())),
    };
    cells.iter().map(bits).collect()
}

/// Checks that batches of any size, a stored and restored transform, and one row at a time give the same bits.
///
/// # Panics
/// When they do not.
pub(crate) fn check_paths(transform: &Transform, table: &RecordBatch) {
    let rows = table.num_rows();
    let whole = transform.apply(&Batch::new(table)).unwrap();
    let expected: Vec<Vec<Bits>> = (0..rows).map(|row| bits_of_batch(&whole, row)).collect();
    let text = serde_json::to_string(transform).unwrap();
    let restored: Transform = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&restored).unwrap(), text, "a restored transform is another");
    for size in [1, 2, 7] {
        for first in (0..rows).step_by(size) {
            let part = table.slice(first, size.min(rows - first));
            let features = restored.apply(&Batch::new(&part)).unwrap();
            for row in 0..part.num_rows() {
                assert_eq!(
                    bits_of_batch(&features, row),
                    expected[first + row],
                    "row {} in parts of {size}",
                    first + row
                );
            }
        }
    }
    let inputs: Vec<&Arc<dyn Array>> =
        restored.input_columns().iter().map(|column| table.column_by_name(&column.name).unwrap()).collect();
    for (row, expected) in expected.iter().enumerate() {
        let cells: Vec<Cell<'_>> = inputs.iter().map(|array| Cell::of_column(array, row)).collect();
        assert_eq!(bits_of_cells(&restored.apply_row(&cells).unwrap()), *expected, "row {row} alone");
    }
}

/// Checks that threads and shards do not change a byte of any scan, nor of what is fitted.
///
/// # Panics
/// When they do.
pub(crate) fn check_laws(table: &RecordBatch, operations: &Json) {
    check_laws_of(table, operations, None);
}

/// The same with a label.
///
/// # Panics
/// When they do.
pub(crate) fn check_laws_of(table: &RecordBatch, operations: &Json, label: Option<&str>) {
    let source = MemorySource::new(table, 37).with_batch_rows(10);
    let roles = roles(label);
    let mut fitter = Fitter::new(&spec(operations), &source.plan().columns, &roles).unwrap();
    while let Some(analysis) = fitter.next_scan().unwrap() {
        laws::check(&source, &analysis);
        let state = sluice_core::fold::fold(&source, &analysis, &Execution::with_threads(2)).unwrap();
        fitter.absorb(state.accumulator).unwrap();
    }
    let expected = serde_json::to_string(&fitter.finish().unwrap()).unwrap();
    let other = fit(&spec(operations), &source, &roles, &Execution::with_threads(7)).unwrap();
    assert_eq!(serde_json::to_string(&other).unwrap(), expected, "seven threads fit another transform");
}
