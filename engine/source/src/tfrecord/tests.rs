//! Records written by hand and by ourselves, read back.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Date32Array, Float64Array, Int64Array,
    ListArray, RecordBatch, StringViewArray, UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema};
use flate2::read::GzDecoder;
use proptest::prelude::*;

use sluice_core::column::ColumnKind;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::{Error, Execution, Result};

use super::records::{head_of, masked_checksum};
use super::write::{ExampleEncoder, ExampleWriter, WrittenExamples};
use crate::{FileSource, Format, SourceOptions, open};

/// The records of these contents.
pub(super) fn framed(contents: &[&[u8]]) -> Vec<u8> {
    let tail = |content: &[u8]| masked_checksum(content).to_le_bytes();
    contents
        .iter()
        .flat_map(|content| [&head_of(content.len() as u64), *content, &tail(content)].concat())
        .collect()
}

pub(super) fn opened(folder: &Path, location: &str, split_rows: u64) -> Result<FileSource> {
    let options = SourceOptions { plan: PlanOptions { split_rows }, ..SourceOptions::default() };
    open(location, folder, &options, &Execution::default())
}

/// All rows, split by split.
fn rows(source: &FileSource) -> RecordBatch {
    let mut batches = Vec::new();
    let request = Request::of_rows((0..source.plan().columns.len()).collect());
    for split in &source.plan().splits {
        source
            .read(split, &request, &mut |delivery| {
                if let Delivery::Rows(batch) = delivery {
                    batches.push(batch);
                }
                Ok(())
            })
            .unwrap();
    }
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

/// The file of some batches, each encoded by itself.
fn written(batches: &[RecordBatch]) -> Result<(Vec<u8>, WrittenExamples), Error> {
    let schema = batches[0].schema();
    let mut writer = ExampleWriter::over(Vec::new(), "rows", &schema)?;
    for batch in batches {
        let mut encoder = ExampleEncoder::new(&schema);
        encoder.push(batch)?;
        writer.append(&encoder.finish()?)?;
    }
    writer.close()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true)))
        .unwrap()
}

/// `{n: [7], b: ["x"], f: [1.5]}`, byte by byte: features are pairs (1: name, 2: feature) in field 1 of field 1, lists
/// stand in fields 1 (bytes), 2 (floats) and 3 (integers) of a feature.
const BY_HAND: &[u8] = b"\x0A\x27\
    \x0A\x0A\x0A\x01n\x12\x05\x1A\x03\x0A\x01\x07\
    \x0A\x0A\x0A\x01b\x12\x05\x0A\x03\x0A\x01x\
    \x0A\x0D\x0A\x01f\x12\x08\x12\x06\x0A\x04\x00\x00\xC0\x3F";

#[test]
fn records_made_by_hand_are_read() {
    let folder = tempfile::tempdir().unwrap();
    // Integers that are not packed mean the same: the tag of one value each.
    let loose = b"\x0A\x0E\x0A\x0C\x0A\x01n\x12\x07\x1A\x05\x08\x07\x08\xAC\x02";
    fs_err::write(folder.path().join("a.tfrecord"), framed(&[BY_HAND, loose, b""])).unwrap();
    let source = opened(folder.path(), "a.tfrecord", 1).unwrap();
    let columns: Vec<String> =
        source.plan().columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect();
    assert_eq!(columns, ["b text", "f float", "n list of integer"]);
    assert_eq!((source.format(), source.plan().splits.len()), (Format::Tfrecord, 3));
    let rows = rows(&source);
    let lists = rows["n"].as_list::<i32>();
    assert_eq!(lists.value(0).as_primitive::<Int64Type>().values(), &[7]);
    assert_eq!(lists.value(1).as_primitive::<Int64Type>().values(), &[7, 300]);
    assert!(lists.is_null(2));
    assert_eq!(rows["b"].as_string_view().iter().collect::<Vec<_>>(), [Some("x"), None, None]);
    assert_eq!(rows["f"].as_primitive::<Float64Type>().value(0).to_bits(), 1.5_f64.to_bits());
}

#[test]
fn the_kinds_of_nothing_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let item = Arc::new(Field::new("item", DataType::Float64, true));
    let lists = ListArray::new(
        item,
        OffsetBuffer::new(vec![0, 0, 0, 2].into()),
        Arc::new(Float64Array::from(vec![f64::NAN, f64::INFINITY])),
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let texts = StringViewArray::from(vec![Some(""), None, Some("x")]);
    let rows_in = batch(vec![
        ("lists", Arc::new(lists)),
        ("texts", Arc::new(texts)),
        ("never", Arc::new(Int64Array::new_null(3))),
    ]);
    let (bytes, _) = written(&[rows_in]).unwrap();
    fs_err::write(folder.path().join("a.tfrecord.gz"), bytes).unwrap();
    let source = opened(folder.path(), "a.tfrecord.gz", 100).unwrap();
    assert_eq!(source.plan().column("never").unwrap().kind, ColumnKind::Null);
    let rows = rows(&source);
    let lists = rows["lists"].as_list::<i32>();
    assert!(!lists.is_null(0) && lists.value(0).is_empty() && lists.is_null(1));
    let numbers = lists.value(2);
    let numbers = numbers.as_primitive::<Float64Type>();
    assert!(numbers.value(0).is_nan() && numbers.value(1) == f64::INFINITY);
    assert_eq!(rows["texts"].as_string_view().iter().collect::<Vec<_>>(), [Some(""), None, Some("x")]);
}

#[test]
fn what_records_cannot_hold_is_converted_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let rows_in = batch(vec![
        ("truth", Arc::new(BooleanArray::from(vec![true, false]))),
        ("day", Arc::new(Date32Array::from(vec![19782, 0]))),
        ("tenth", Arc::new(Float64Array::from(vec![0.1, 0.5]))),
        ("__row_hash", Arc::new(UInt64Array::from(vec![u64::MAX, 1]))),
        ("bytes", Arc::new(BinaryViewArray::from(vec![&b"\xFF"[..], b"y"]))),
    ]);
    let (bytes, told) = written(&[rows_in]).unwrap();
    assert_eq!(told, WrittenExamples { rows: 2, rounded: vec![("tenth".into(), 1)] });
    fs_err::write(folder.path().join("a.tfrecord"), bytes).unwrap();
    let source = opened(folder.path(), "a.tfrecord", 100).unwrap();
    assert_eq!(source.plan().column_names(), ["bytes", "day", "tenth", "truth"]);
    let rows = rows(&source);
    assert_eq!(rows["day"].as_string_view().value(0), "2024-02-29");
    assert_eq!(rows["truth"].as_primitive::<Int64Type>().values(), &[1, 0]);
    assert_eq!(rows["bytes"].as_binary_view().value(0), b"\xFF");
    assert!((rows["tenth"].as_primitive::<Float64Type>().value(0) - 0.1).abs() < 1e-8);

    let refused = |name: &str, column: ArrayRef| format!("{:?}", written(&[batch(vec![(name, column)])]));
    let large = refused("a", Arc::new(Float64Array::from(vec![1.0, 1e300])));
    assert!(large.contains("1e300 in column `a` does not fit into the 32-bit floats"), "{large}");
    let large = refused("a", Arc::new(UInt64Array::from(vec![1, u64::MAX])));
    assert!(large.contains("18446744073709551615 in column `a` does not fit"), "{large}");
    let item = Arc::new(Field::new("item", DataType::Int64, true));
    let items = Arc::new(Int64Array::from(vec![Some(1), None]));
    let lists = ListArray::new(Arc::clone(&item), OffsetBuffer::new(vec![0, 2].into()), items, None);
    let null = refused("a", Arc::new(lists.clone()));
    assert!(null.contains("a list in column `a` holds a null"), "{null}");
    let outer = Arc::new(Field::new("item", DataType::List(item), true));
    let nested = ListArray::new(outer, OffsetBuffer::new(vec![0, 1].into()), Arc::new(lists), None);
    let nested = refused("a", Arc::new(nested));
    assert!(
        nested.contains("column `a` is list of list of integer, which `tf.Example` cannot hold"),
        "{nested}"
    );
}

#[test]
fn a_file_is_one_gzip_member_and_the_same_bytes_again() {
    let rows_in =
        |first: i64| batch(vec![("n", Arc::new(Int64Array::from_iter_values(first..first + 1000)) as _)]);
    let batches = [rows_in(0), rows_in(1000), rows_in(-5)];
    let (bytes, told) = written(&batches).unwrap();
    assert_eq!(told.rows, 3000);
    assert_eq!(bytes, written(&batches).unwrap().0);
    // A decoder of one member reads all of it, and holds it against the checksum at the end.
    let mut unpacked = Vec::new();
    let mut decoder = GzDecoder::new(&bytes[..]);
    std::io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
    assert!(decoder.into_inner().is_empty());
    assert!(unpacked.len() > 3000 * 16);
}

#[test]
fn files_are_known_by_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (bytes, _) = written(&[batch(vec![("n", Arc::new(Int64Array::from(vec![1])) as _)])]).unwrap();
    let split = folder.path().join("Split-train");
    fs_err::create_dir(&split).unwrap();
    fs_err::write(split.join("transformed_examples-00000-of-00002.gz"), &bytes).unwrap();
    // Beam writes a file for each shard, whether it has a row or not.
    fs_err::write(split.join("transformed_examples-00001-of-00002.gz"), b"").unwrap();
    fs_err::write(split.join("notes-00000-of-00001"), "n\n1\n").unwrap();
    fs_err::write(folder.path().join("unnamed"), &bytes).unwrap();
    let source = opened(folder.path(), "Split-train", 100).unwrap();
    let planned: Vec<(&str, u64)> =
        source.plan().files.iter().map(|file| (file.path.as_str(), file.rows)).collect();
    let names = ["transformed_examples-00000-of-00002.gz", "transformed_examples-00001-of-00002.gz"];
    assert_eq!(planned, [(names[0], 1), (names[1], 0)]);
    assert_eq!(opened(folder.path(), "unnamed", 100).unwrap().format(), Format::Tfrecord);
}

/// A cell as records know it: null, or some values.
type Cell = Option<Vec<Value>>;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Integer(i64),
    /// As bits, for NaN's sake.
    Float(u64),
    Bytes(Vec<u8>),
}

fn cells(array: &ArrayRef) -> Vec<Cell> {
    let value = |array: &ArrayRef, row: usize| match array.data_type() {
        DataType::Int64 => Value::Integer(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Float(array.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Utf8View => Value::Bytes(array.as_string_view().value(row).as_bytes().to_vec()),
        _ => Value::Bytes(array.as_binary_view().value(row).to_vec()),
    };
    (0..array.len())
        .map(|row| match array.as_list_opt::<i32>() {
            // An array of nulls has no bitmap that says so.
            _ if array.is_null(row) || array.data_type() == &DataType::Null => None,
            Some(lists) => {
                let items = lists.value(row);
                Some((0..items.len()).map(|item| value(&items, item)).collect())
            }
            None => Some(vec![value(array, row)]),
        })
        .collect()
}

fn list_of(items: ArrayRef, lengths: &[Option<usize>]) -> ArrayRef {
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let nulls = NullBuffer::from_iter(lengths.iter().map(Option::is_some));
    let item = Arc::new(Field::new("item", items.data_type().clone(), true));
    Arc::new(ListArray::new(item, offsets, items, Some(nulls)))
}

prop_compose! {
    fn any_batch()(rows in 1_usize..20)(
        integers in prop::collection::vec(any::<Option<i64>>(), rows),
        floats in prop::collection::vec(any::<Option<f32>>(), rows),
        texts in prop::collection::vec(any::<Option<String>>(), rows),
        bytes in prop::collection::vec(any::<Option<Vec<u8>>>(), rows),
        lengths in prop::collection::vec(prop::option::of(0_usize..4), rows),
        items in prop::collection::vec(any::<i64>(), rows * 4),
    ) -> RecordBatch {
        let used: usize = lengths.iter().flatten().sum();
        let list = |items: ArrayRef| list_of(items.slice(0, used), &lengths);
        let item_texts: StringViewArray = items.iter().map(|item| Some(item.to_string())).collect();
        batch(vec![
            ("ζ", Arc::new(Int64Array::from(integers))),
            ("floats", Arc::new(floats.into_iter().map(|value| value.map(f64::from)).collect::<Float64Array>())),
            ("texts", Arc::new(texts.into_iter().collect::<StringViewArray>())),
            ("bytes", Arc::new(bytes.into_iter().collect::<BinaryViewArray>())),
            ("", list(Arc::new(Int64Array::from(items.clone())))),
            ("list of text", list(Arc::new(item_texts))),
        ])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn what_is_written_is_read(batches in prop::collection::vec(any_batch(), 1..4), split_rows in 1_u64..9) {
        let folder = tempfile::tempdir().unwrap();
        let (packed, told) = written(&batches).unwrap();
        prop_assert!(told.rounded.is_empty());
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut GzDecoder::new(&packed[..]), &mut plain).unwrap();
        let expected = concat_batches(&batches[0].schema(), &batches).unwrap();
        for (name, bytes) in [("a.tfrecord.gz", packed), ("a.tfrecord", plain)] {
            fs_err::write(folder.path().join(name), bytes).unwrap();
            let source = opened(folder.path(), name, split_rows).unwrap();
            let found = rows(&source);
            prop_assert_eq!(found.num_columns(), expected.num_columns());
            let mut names = expected.schema().fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>();
            names.sort();
            prop_assert_eq!(source.plan().column_names(), names.clone());
            for name in names {
                prop_assert_eq!(cells(&found[name.as_str()]), cells(&expected[name.as_str()]), "{}", name);
            }
        }
    }
}

#[test]
fn schemas_are_checked_before_rows() {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "parts",
        DataType::Struct(vec![Field::new("x", DataType::Int64, true)].into()),
        true,
    )]));
    let error = ExampleWriter::over(Vec::new(), "rows", &schema).unwrap_err();
    assert_eq!(error.to_string(), "column `parts` is struct of x, which `tf.Example` cannot hold");
}
