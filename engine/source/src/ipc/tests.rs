//! Arrow IPC from end to end: rows as written in files and streams, packed or not; damage told.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float32Array, Int8Array, Int64Array, LargeStringArray,
    ListArray, RecordBatch, StringArray, StringViewArray, TimestampSecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Float64Type, Int8Type, Int32Type};
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow::ipc::{CompressionType, MetadataVersion};
use arrow::util::display::array_value_to_string;

use sluice_core::column::{Column, ColumnKind};
use sluice_core::plan::PlanOptions;
use sluice_core::seam::{BATCH_ROWS, Delivery, Request};
use sluice_core::{BatchSource, Error, ErrorKind, Execution};

use crate::{FileSource, Format, SourceOptions, header, open};

fn open_with(name: &str, folder: &Path, split_rows: u64) -> Result<FileSource, Error> {
    let options = SourceOptions { plan: PlanOptions { split_rows }, ..SourceOptions::default() };
    open(name, folder, &options, &Execution::default())
}

fn rows(source: &FileSource, columns: &[usize]) -> Result<Vec<Vec<String>>, Error> {
    let mut table = Vec::new();
    for split in &source.plan().splits {
        let before = table.len() as u64;
        let request = Request { rows: columns.to_vec(), ..Request::default() };
        source.read(split, &request, &mut |delivery| {
            let Delivery::Rows(batch) = delivery else { return Ok(()) };
            assert!((1..=BATCH_ROWS).contains(&batch.num_rows()));
            for (array, &column) in batch.columns().iter().zip(columns) {
                assert_eq!(ColumnKind::of(array.data_type()), source.plan().columns[column].kind);
            }
            table.extend(rows_of(&batch));
            Ok(())
        })?;
        assert_eq!(table.len() as u64 - before, split.rows());
    }
    Ok(table)
}

fn rows_of(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |row, column: &ArrayRef| array_value_to_string(column, row).unwrap();
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| cell(row, column)).collect())
        .collect()
}

fn table(from: i64, rows: i64) -> RecordBatch {
    let numbers = || from..from + rows;
    let word = |i: i64| {
        (i % 5 != 1).then_some(["", "é", "a word beyond twelve bytes"][usize::try_from(i % 3).unwrap()])
    };
    let words = || numbers().map(word);
    let lists =
        numbers().map(|i| (i % 4 != 0).then(|| vec![Some(f64::from(i32::try_from(i).unwrap())), None]));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i8", Arc::new(numbers().map(|i| i8::try_from(i % 100).ok()).collect::<Int8Array>())),
        ("i", Arc::new(numbers().map(|i| (i % 7 != 0).then_some(i)).collect::<Int64Array>())),
        ("u", Arc::new(numbers().map(|i| Some(u64::MAX - i.unsigned_abs())).collect::<UInt64Array>())),
        (
            "f",
            Arc::new(
                numbers()
                    .map(|i| Some([0.5_f32, f32::NAN][usize::from(i % 2 == 0)]))
                    .collect::<Float32Array>(),
            ),
        ),
        ("b", Arc::new(numbers().map(|i| Some(i % 3 == 0)).collect::<BooleanArray>())),
        ("t", Arc::new(TimestampSecondArray::from_iter(numbers().map(Some)).with_timezone("+02:00"))),
        ("s", Arc::new(words().collect::<StringArray>())),
        ("l", Arc::new(words().collect::<LargeStringArray>())),
        ("v", Arc::new(words().collect::<StringViewArray>())),
        ("d", Arc::new(words().collect::<DictionaryArray<Int8Type>>())),
        ("e", Arc::new(words().collect::<DictionaryArray<Int32Type>>())),
        ("n", Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(lists))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn packing(number: usize) -> IpcWriteOptions {
    let kind = [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)][number];
    IpcWriteOptions::try_new(64, false, MetadataVersion::V5).unwrap().try_with_compression(kind).unwrap()
}

fn file_of(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

fn stream_of(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.into_inner().unwrap()
}

#[test]
fn files_and_streams_read_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let whole = table(0, 900);
    let batches: Vec<RecordBatch> =
        [(0, 400), (400, 0), (400, 499), (899, 1)].map(|(start, length)| whole.slice(start, length)).to_vec();
    let all: Vec<usize> = (0..whole.num_columns()).collect();
    let expected = rows_of(&whole);
    for number in 0..3 {
        for (name, bytes) in [
            ("t.arrow", file_of(&batches, packing(number))),
            ("t.feather", file_of(&batches, packing(number))),
            ("t.arrows", stream_of(&batches, packing(number))),
            ("nameless-file", file_of(&batches, packing(number))),
            ("nameless-stream", stream_of(&batches, packing(number))),
        ] {
            fs_err::write(folder.path().join(name), bytes).unwrap();
            for split_rows in [1, 450, 10_000] {
                let source = open_with(name, folder.path(), split_rows).unwrap();
                assert_eq!((source.format(), source.plan().rows()), (Format::Arrow, 900));
                assert_eq!(source.plan().splits.len(), if split_rows > 900 { 1 } else { 3 });
                let found = rows(&source, &all).unwrap();
                // Times of coarser units are shown with the same digits.
                assert_eq!(found, expected, "{name} {number} {split_rows}");
                let some: Vec<Vec<String>> =
                    expected.iter().map(|row| vec![row[1].clone(), row[6].clone()]).collect();
                assert_eq!(rows(&source, &[1, 6]).unwrap(), some);
                assert_eq!(source.head(&[9], 5).unwrap()[0].num_rows(), 5);
                assert!(matches!(
                    Column::view(source.head(&[9], 5).unwrap()[0].column(0)),
                    Column::CodedText(..)
                ));
                let again = open_with(name, folder.path(), split_rows).unwrap();
                assert_eq!(again.plan().digest, source.plan().digest);
            }
            let names = header(name, folder.path(), &SourceOptions::default()).unwrap();
            assert_eq!(names.len(), whole.num_columns());
        }
    }
}

#[test]
fn dictionaries_of_a_stream_may_change() {
    let folder = tempfile::tempdir().unwrap();
    let coded = |words: &[&str]| -> RecordBatch {
        let array: DictionaryArray<Int32Type> = words.iter().copied().collect();
        RecordBatch::try_from_iter([("x", Arc::new(array) as ArrayRef)]).unwrap()
    };
    let batches = [coded(&["a", "b"]), coded(&["c", "c"]), coded(&["b", "d", "b"])];
    fs_err::write(folder.path().join("t.arrows"), stream_of(&batches, packing(0))).unwrap();
    for split_rows in [1, 3, 100] {
        let source = open_with("t.arrows", folder.path(), split_rows).unwrap();
        let found: Vec<String> = rows(&source, &[0]).unwrap().concat();
        assert_eq!(found, ["a", "b", "c", "c", "b", "d", "b"]);
    }
}

#[test]
fn files_may_differ_in_order_and_width() {
    let folder = tempfile::tempdir().unwrap();
    let one = table(0, 20);
    let order: Vec<usize> = (0..one.num_columns()).rev().collect();
    fs_err::write(folder.path().join("a.arrow"), file_of(std::slice::from_ref(&one), packing(0))).unwrap();
    let other = table(20, 5).project(&order).unwrap();
    fs_err::write(folder.path().join("b.arrow"), file_of(&[other], packing(1))).unwrap();
    let source = open_with("*.arrow", folder.path(), 7).unwrap();
    let expected = [rows_of(&one), rows_of(&table(20, 5))].concat();
    let all: Vec<usize> = (0..one.num_columns()).collect();
    assert_eq!(rows(&source, &all).unwrap(), expected);
    let digest = source.plan().digest.clone();
    fs_err::write(folder.path().join("a.arrow"), file_of(&[table(1, 20)], packing(0))).unwrap();
    assert_ne!(open_with("*.arrow", folder.path(), 7).unwrap().plan().digest, digest, "other values");
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    let foreign = RecordBatch::try_from_iter([("x", text)]).unwrap();
    fs_err::write(folder.path().join("c.arrow"), file_of(&[foreign], packing(0))).unwrap();
    let error = open_with("*.arrow", folder.path(), 7).map(|_| ()).unwrap_err();
    assert!(error.to_string().starts_with("`c.arrow` and `a.arrow` do not have the same columns"), "{error}");
}

#[test]
fn large_batches_are_handed_out_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let values: ArrayRef = Arc::new(Int64Array::from_iter_values(0..150_000));
    let batch = RecordBatch::try_from_iter([("x", values)]).unwrap();
    assert_eq!(batch.column(0).data_type(), &DataType::Int64);
    fs_err::write(folder.path().join("t.arrow"), file_of(&[batch], packing(2))).unwrap();
    let source = open_with("t.arrow", folder.path(), 1000).unwrap();
    let found = rows(&source, &[0]).unwrap();
    assert_eq!((found.len(), found[149_999][0].as_str()), (150_000, "149999"));
}

#[test]
fn damage_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let all: Vec<usize> = (0..12).collect();
    let batches = [table(0, 60), table(60, 10)];
    let attempt = |name: &str, bytes: &[u8]| {
        fs_err::write(folder.path().join(name), bytes).unwrap();
        open_with(name, folder.path(), 100).and_then(|source| rows(&source, &all))
    };
    for (name, bytes) in [
        ("t.arrow", file_of(&batches, packing(0))),
        ("z.arrow", file_of(&batches, packing(2))),
        ("t.arrows", stream_of(&batches, packing(1))),
    ] {
        let whole = attempt(name, &bytes).unwrap();
        let step = std::cmp::max(bytes.len() / 60, 1);
        for cut in (1..bytes.len() - 8).step_by(step) {
            match attempt(name, &bytes[..cut]) {
                // A stream may end after any message.
                Ok(rows) => assert!(name == "t.arrows" && whole.starts_with(&rows), "{name} {cut}"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Malformed, "{name} {cut}: {error}");
                    assert!(error.hint().is_some() && error.to_string().contains(name), "{error}");
                }
            }
        }
        let mut random = 12_345_u64;
        for _ in 0..300 {
            let mut flipped = bytes.clone();
            for _ in 0..3 {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let place = usize::try_from(random >> 33).unwrap() % bytes.len();
                flipped[place] ^= u8::try_from(random >> 56).unwrap() | 1;
            }
            if let Err(error) = attempt(name, &flipped) {
                assert!(error.hint().is_some() || error.kind() == ErrorKind::Malformed, "{error:?}");
            }
        }
    }
    for (bytes, message) in [
        (&b""[..], "`x.arrow` is empty"),
        (b"FEA1....", "`x.arrow` is not an Arrow IPC file: it is Feather V1, which is not supported"),
        (
            b"a,b\n1,2\n3,4\n",
            "`x.arrow` is not an Arrow IPC file: it begins neither like a file nor like a stream",
        ),
        (b"ARROW1\0\0", "`x.arrow` is a damaged Arrow IPC file: its end is missing"),
    ] {
        let error = attempt("x.arrow", bytes).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Malformed, message));
    }
    let bytes = file_of(&batches, packing(0));
    fs_err::write(folder.path().join("t.arrow"), &bytes).unwrap();
    let source = open_with("t.arrow", folder.path(), 100).unwrap();
    fs_err::write(folder.path().join("t.arrow"), &bytes[1..]).unwrap();
    assert_eq!(rows(&source, &all).unwrap_err().kind(), ErrorKind::Unavailable);
}
