//! Every physical and logical type of Parquet, written page by page, without Arrow's word for what it means.

use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::column::writer::ColumnWriter;
use ::parquet::data_type::{ByteArray, FixedLenByteArray, Int96};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::parser::parse_message_type;
use arrow::array::{
    Array, ArrayRef, DurationSecondArray, Int64Builder, IntervalYearMonthArray, LargeStringBuilder,
    ListArray, ListBuilder, RecordBatch, StringArray, StringBuilder, make_array,
};
use arrow::datatypes::{DataType, Int32Type};
use arrow::util::display::array_value_to_string;

use sluice_core::column::ColumnKind;
use sluice_core::{BatchSource, Error, ErrorKind, Execution};

use crate::{FileSource, SourceOptions, open};

fn read(folder: &Path) -> Result<FileSource, Error> {
    open("t.parquet", folder, &SourceOptions::default(), &Execution::default())
}

/// One row of each: kind and value as they are read.
fn one_row(
    message: &str,
    write: impl Fn(&mut ColumnWriter<'_>, usize),
) -> Result<Vec<(String, String)>, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = fs_err::File::create(folder.path().join("t.parquet")).unwrap();
    let schema = Arc::new(parse_message_type(message).unwrap());
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(WriterProperties::default())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut number = 0;
    while let Some(mut column) = group.next_column().unwrap() {
        write(column.untyped(), number);
        column.close().unwrap();
        number += 1;
    }
    group.close().unwrap();
    writer.close().unwrap();
    let source = read(folder.path())?;
    let columns: Vec<usize> = (0..source.plan().columns.len()).collect();
    let batch = source.head(&columns, 2)?.remove(0);
    assert_eq!(batch.num_rows(), 1);
    let cells = source.plan().columns.iter().zip(batch.columns());
    Ok(cells
        .map(|(column, array)| {
            assert_eq!(ColumnKind::of(array.data_type()), column.kind, "{message}: {}", array.data_type());
            (column.kind.to_string(), array_value_to_string(&without_zone(array), 0).unwrap())
        })
        .collect())
}

/// Arrow shows zones by name only with a data base of them.
fn without_zone(array: &ArrayRef) -> ArrayRef {
    let DataType::Timestamp(unit, _) = array.data_type() else { return Arc::clone(array) };
    make_array(array.to_data().into_builder().data_type(DataType::Timestamp(*unit, None)).build().unwrap())
}

/// The bytes of one value.
fn put(writer: &mut ColumnWriter<'_>, value: i64, bytes: &[u8]) {
    let small = i32::try_from(value).unwrap_or(i32::MAX);
    let text = ByteArray::from(bytes.to_vec());
    match writer {
        ColumnWriter::BoolColumnWriter(writer) => writer.write_batch(&[value != 0], None, None),
        ColumnWriter::Int32ColumnWriter(writer) => writer.write_batch(&[small], None, None),
        ColumnWriter::Int64ColumnWriter(writer) => writer.write_batch(&[value], None, None),
        ColumnWriter::FloatColumnWriter(writer) => writer.write_batch(&[0.5], None, None),
        ColumnWriter::DoubleColumnWriter(writer) => writer.write_batch(&[0.25], None, None),
        ColumnWriter::ByteArrayColumnWriter(writer) => writer.write_batch(&[text], None, None),
        ColumnWriter::FixedLenByteArrayColumnWriter(writer) => {
            writer.write_batch(&[FixedLenByteArray::from(text)], None, None)
        }
        ColumnWriter::Int96ColumnWriter(writer) => {
            let mut value = Int96::new();
            // Noon of 9999-12-31, and 123 nanoseconds.
            let nanoseconds = 43_200_000_000_123_u64;
            let word = |shift: u32| u32::try_from(nanoseconds >> shift & 0xFFFF_FFFF).unwrap();
            value.set_data(word(0), word(32), 5_373_484);
            writer.write_batch(&[value], None, None)
        }
    }
    .unwrap();
}

/// 18 bytes of one, which takes more than 128 bits.
const WIDE: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut at = 14;
    while at < 32 {
        bytes[at] = 1;
        at += 1;
    }
    bytes
};

/// Column, number or bytes that are written; kind and text that are read.
const COLUMNS: &[(&str, i64, &[u8], &str, &str)] = &[
    ("boolean c", 1, b"", "boolean", "true"),
    ("int32 c", -7, b"", "integer", "-7"),
    ("int32 c (INTEGER(8,true))", -7, b"", "integer", "-7"),
    ("int32 c (INTEGER(16,false))", 65_535, b"", "integer", "65535"),
    ("int32 c (INTEGER(32,false))", 7, b"", "integer", "7"),
    ("int64 c (INTEGER(64,false))", -1, b"", "unsigned integer", "18446744073709551615"),
    ("int64 c", i64::MIN, b"", "integer", "-9223372036854775808"),
    ("float c", 0, b"", "float", "0.5"),
    ("double c", 0, b"", "float", "0.25"),
    ("fixed_len_byte_array (2) c (FLOAT16)", 0, &[0, 0x3C], "float", "1.0"),
    ("byte_array c", 0, &[0, 255], "binary", "00ff"),
    ("byte_array c (STRING)", 0, "é".as_bytes(), "text", "é"),
    ("byte_array c (UTF8)", 0, b"x", "text", "x"),
    ("byte_array c (ENUM)", 0, b"RED", "text", "RED"),
    ("byte_array c (JSON)", 0, b"{}", "text", "{}"),
    ("byte_array c (BSON)", 0, &[5, 0, 0, 0, 0], "binary", "0500000000"),
    (
        "fixed_len_byte_array (16) c (UUID)",
        0,
        b"\0\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\x0E\x0F",
        "binary",
        "000102030405060708090a0b0c0d0e0f",
    ),
    ("fixed_len_byte_array (3) c", 0, b"abc", "binary", "616263"),
    ("int32 c (DATE)", -1, b"", "date", "1969-12-31"),
    ("int32 c (TIME(MILLIS,true))", 1, b"", "Time32(ms)", "00:00:00.001"),
    ("int64 c (TIME(MICROS,false))", 1, b"", "Time64(µs)", "00:00:00.000001"),
    ("int64 c (TIME(NANOS,false))", 1, b"", "Time64(ns)", "00:00:00.000000001"),
    ("int64 c (TIMESTAMP(MILLIS,true))", -1, b"", "timestamp in UTC", "1969-12-31T23:59:59.999"),
    ("int64 c (TIMESTAMP(MICROS,false))", 1, b"", "timestamp", "1970-01-01T00:00:00.000001"),
    ("int64 c (TIMESTAMP(NANOS,true))", 1, b"", "timestamp in UTC", "1970-01-01T00:00:00.000000001"),
    ("int64 c (TIMESTAMP_MILLIS)", 1, b"", "timestamp in UTC", "1970-01-01T00:00:00.001"),
    ("int96 c", 0, b"", "timestamp", "9999-12-31T12:00:00"),
    ("int32 c (DECIMAL(9,2))", -1234, b"", "decimal(9, 2)", "-12.34"),
    ("int64 c (DECIMAL(18,0))", 5, b"", "decimal(18, 0)", "5"),
    ("byte_array c (DECIMAL(20,1))", 0, &[0xFF], "decimal(20, 1)", "-0.1"),
    (
        "fixed_len_byte_array (16) c (DECIMAL(38,38))",
        0,
        &[0; 16],
        "decimal(38, 38)",
        "0.00000000000000000000000000000000000000",
    ),
    ("fixed_len_byte_array (20) c (DECIMAL(30,2))", 0, &[0xFF; 20], "decimal(30, 2)", "-0.01"),
    (
        "fixed_len_byte_array (32) c (DECIMAL(76,2))",
        0,
        &WIDE,
        "Decimal256(76, 2)",
        "874539027393357770256302677358759274744.33",
    ),
];

#[test]
fn all_types_are_read() {
    for (column, value, bytes, kind, text) in COLUMNS {
        let found =
            one_row(&format!("message m {{ required {column}; }}"), |writer, _| put(writer, *value, bytes));
        assert_eq!(found.unwrap(), [((*kind).to_owned(), (*text).to_owned())], "{column}");
    }
    for annotation in ["ENUM", "JSON", "STRING"] {
        let message = format!("message m {{ required byte_array c ({annotation}); }}");
        let error = one_row(&message, |writer, _| put(writer, 0, b"\xFF")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{annotation}: {error}");
    }
    let interval = "message m { required group s { required fixed_len_byte_array (12) c (INTERVAL); } }";
    let error = one_row(interval, |writer, _| put(writer, 0, &[1; 12])).unwrap_err();
    let message = "column `s.c` of `t.parquet` is INTERVAL, which is not supported";
    assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Malformed, message));
    assert!(error.hint().is_some());
}

fn write(folder: &Path, columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let table = RecordBatch::try_from_iter(columns).unwrap();
    let file = fs_err::File::create(folder.join("t.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, table.schema(), None).unwrap();
    writer.write(&table).unwrap();
    writer.close().unwrap();
    table
}

#[test]
fn what_arrow_wrote_is_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let months: ArrayRef = Arc::new(IntervalYearMonthArray::from(vec![14]));
    let seconds: ArrayRef = Arc::new(DurationSecondArray::from(vec![-3]));
    let table = write(folder.path(), vec![("months", months), ("seconds", seconds)]);
    let source = read(folder.path()).unwrap();
    let found = source.head(&[0, 1], 1).unwrap().remove(0);
    assert_eq!(found.columns(), table.columns());
    assert_eq!(source.plan().columns[0].kind.to_string(), "Interval(YearMonth)");
}

#[test]
fn nested_columns_come_with_all_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let mut lists = ListBuilder::new(ListBuilder::new(StringBuilder::new()));
    for row in 0..300 {
        for word in 0..row % 4 {
            lists
                .values()
                .values()
                .append_option((word != 1).then(|| format!("word {row} {word} with a tail")));
            lists.values().append(word != 2);
        }
        lists.append(row % 7 != 3);
    }
    let numbers = (0..300).map(|row| (row % 5 != 1).then(|| (0..row % 3).map(Some).collect::<Vec<_>>()));
    let numbers = ListArray::from_iter_primitive::<Int32Type, _, _>(numbers);
    let mut maps = arrow::array::MapBuilder::new(None, LargeStringBuilder::new(), Int64Builder::new());
    for row in 0..300_i64 {
        for key in 0..row % 3 {
            maps.keys().append_value(format!("key {key}"));
            maps.values().append_option((key != 1).then_some(row));
        }
        maps.append(true).unwrap();
    }
    let flat: ArrayRef = Arc::new((0..300).map(|row| Some(["a", "b"][row % 2])).collect::<StringArray>());
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("lists", Arc::new(lists.finish())),
        ("flat", flat),
        ("numbers", Arc::new(numbers)),
        ("maps", Arc::new(maps.finish())),
    ];
    let table = write(folder.path(), columns);
    for split_rows in [60, 1000] {
        let plan = sluice_core::plan::PlanOptions { split_rows };
        let options = SourceOptions { plan, ..SourceOptions::default() };
        let source = open("t.parquet", folder.path(), &options, &Execution::default()).unwrap();
        let kinds: Vec<String> = source.plan().columns.iter().map(|column| column.kind.to_string()).collect();
        assert_eq!(kinds[..3], ["list of list of text", "text", "list of integer"]);
        assert!(kinds[3].starts_with("Map("), "{}", kinds[3]);
        let found = source.head(&[0, 1, 2, 3], 300).unwrap();
        let found = arrow::compute::concat_batches(&found[0].schema(), &found).unwrap();
        for (array, written) in found.columns().iter().zip(table.columns()) {
            let written = sluice_core::column::normalize(written).unwrap();
            let text = |array: &ArrayRef, row| array_value_to_string(array, row).unwrap();
            for row in 0..300 {
                assert_eq!(array.is_null(row), written.is_null(row));
                assert_eq!(text(array, row), text(&written, row));
            }
        }
        let split = &source.plan().splits[0];
        assert_eq!(source.countable(split), [false, split_rows == 1000, false, false]);
    }
}
