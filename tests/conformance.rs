//! Files that others wrote, value by value against what pyarrow and Python's csv module read in them
//! (`tests/data/conformance.json`, written by `conformance.py` beside it, which says how values are told); what
//! these refuse is refused here too, in bounded memory. And nested columns through the program.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType;
use serde::Deserialize;

use sluice_core::column::Column;
use sluice_core::{BatchSource, Error, ErrorKind, Execution};
use sluice_source::{CsvType, FileSource, SourceOptions, header, open};
use sluice_testkit::datasets::external;

use crate::support::{Place, data};

#[derive(Debug, Deserialize)]
struct Table {
    rows: u64,
    columns: Vec<Expected>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Expected {
    name: String,
    nulls: usize,
    checksum: String,
}

fn expectations() -> BTreeMap<String, Option<Table>> {
    serde_json::from_slice(&fs_err::read(data("conformance.json")).unwrap()).unwrap()
}

/// One value in canonical text.
fn canonical(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".into();
    }
    let listed =
        |items: &ArrayRef| (0..items.len()).map(|item| canonical(items, item)).collect::<Vec<_>>().join(",");
    match Column::view(array) {
        Column::Null(_) => "null".into(),
        Column::Boolean(values) => values.value(row).to_string(),
        Column::Integer(values) => values.value(row).to_string(),
        Column::Unsigned(values) => values.value(row).to_string(),
        Column::Float(values) if values.value(row).is_nan() => "7ff8000000000000".into(),
        Column::Float(values) => format!("{:016x}", values.value(row).to_bits()),
        Column::Decimal(values) => format!("{}e-{}", values.value(row), values.scale()),
        view @ (Column::Text(_) | Column::CodedText(..)) => {
            view.text(row).map_or_else(|| "null".into(), |text| format!("t{text}"))
        }
        Column::Binary(values) => values.value(row).iter().fold("b".into(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        }),
        Column::Date(values) => format!("d{}", values.value(row)),
        Column::TimestampMicrosecond(values) => format!("u{}", values.value(row)),
        Column::TimestampNanosecond(values) => format!("n{}", values.value(row)),
        Column::Other(_) => match array.data_type() {
            DataType::List(_) => format!("[{}]", listed(&array.as_list::<i32>().value(row))),
            DataType::Struct(_) => {
                let array = array.as_struct();
                let fields = array.column_names().into_iter().zip(array.columns());
                let fields = fields.map(|(name, column)| format!("{name}:{}", canonical(column, row)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            DataType::Map(..) => {
                let entries = array.as_map().value(row);
                let (keys, values) = (entries.column(0), entries.column(1));
                let pair = |entry| format!("{}={}", canonical(keys, entry), canonical(values, entry));
                format!("<{}>", (0..entries.len()).map(pair).collect::<Vec<_>>().join(","))
            }
            other => panic!("{other}"),
        },
    }
}

/// FNV-1a.
fn extend(state: u64, text: &str) -> u64 {
    let step = |state: u64, byte| (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    text.bytes().chain([b'\n']).fold(state, step)
}

/// What is read of a source; nulls of text stand for empty text where `empty` says so.
fn summary(source: &FileSource, empty: bool) -> Result<(u64, Vec<Expected>), Error> {
    let columns: Vec<usize> = (0..source.plan().columns.len()).collect();
    let rows = usize::try_from(source.plan().rows()).unwrap();
    let batches = source.head(&columns, rows)?;
    let mut found = Vec::new();
    for (column, name) in source.plan().column_names().into_iter().enumerate() {
        let (mut nulls, mut state) = (0, 0xCBF2_9CE4_8422_2325);
        for batch in &batches {
            let array = batch.column(column);
            for row in 0..array.len() {
                let is_null = array.is_null(row) || *array.data_type() == DataType::Null;
                nulls += usize::from(is_null && !empty);
                let text = if is_null && empty { "t".into() } else { canonical(array, row) };
                state = extend(state, &text);
            }
        }
        found.push(Expected { name, nulls, checksum: format!("{state:016x}") });
    }
    Ok((source.plan().rows(), found))
}

/// A file with a timestamp of the year 290000, which is beyond what pyarrow's conversion of `INT96` carries.
const BEYOND_PYARROW: &str = "parquet/good/int96_from_spark.parquet";

/// The checksum of the microseconds that Spark wrote, by the test of arrow-rs of the same file: 1704141296123456,
/// 1704070800000000, 253402225200000000, 1735599600000000, null, 9089380393200000000.
const SPARK_CHECKSUM: &str = "570f11200ddb2882";

#[test]
fn parquet_files_hold_what_pyarrow_reads() {
    let Some(root) = external("parquet").map(|path| path.parent().unwrap().to_owned()) else { return };
    let (mut read, mut refused) = (0, 0);
    for (name, expected) in expectations().iter().filter(|(name, _)| name.starts_with("parquet/")) {
        let options = SourceOptions::default();
        let found =
            open(name, &root, &options, &Execution::default()).and_then(|source| summary(&source, false));
        match (found, expected) {
            (Ok((rows, columns)), Some(expected)) => {
                assert_eq!(rows, expected.rows, "{name}");
                if name == BEYOND_PYARROW {
                    assert_eq!(columns[0].checksum, SPARK_CHECKSUM, "{name}");
                } else {
                    assert_eq!(columns, expected.columns, "{name}");
                }
                read += 1;
            }
            (Err(error), None) => {
                assert_eq!(error.kind(), ErrorKind::Malformed, "{name}: {error}");
                assert!(error.to_string().contains(name.as_str()), "{error}");
                refused += 1;
            }
            (found, expected) => panic!("{name}: {found:?}, expected {expected:?}"),
        }
    }
    assert_eq!((read, refused), (29, 2));
}

#[test]
fn csv_files_hold_what_python_reads() {
    let Some(root) = external("csv").map(|path| path.parent().unwrap().to_owned()) else { return };
    let (mut read, mut refused) = (0, Vec::new());
    for (name, expected) in expectations().iter().filter(|(name, _)| name.starts_with("csv/")) {
        let found = header(name, &root, &SourceOptions::default()).and_then(|names| {
            let schema_types = names.names.into_iter().map(|name| (name, CsvType::Text)).collect();
            let options = SourceOptions { schema_types, ..SourceOptions::default() };
            open(name, &root, &options, &Execution::default()).and_then(|source| summary(&source, true))
        });
        match (found, expected) {
            (Ok((rows, columns)), Some(expected)) => {
                assert_eq!(rows, expected.rows, "{name}");
                assert_eq!(columns, expected.columns, "{name}");
                read += 1;
            }
            (Err(error), _) => {
                assert_eq!(error.kind(), ErrorKind::Malformed, "{name}: {error}");
                assert!(error.to_string().contains(name.as_str()) && error.hint().is_some(), "{error}");
                assert!(expected.is_none() || error.to_string().contains("two columns named"), "{error}");
                refused.push(name.clone());
            }
            (Ok(_), None) => panic!("{name} is read, but Python refuses it"),
        }
    }
    assert_eq!((read, refused.len()), (20, 6), "{refused:?}");
}

/// Runs the program on a file with at most 4 GiB of address space.
fn in_bounded_memory(place: &Place, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 4194304 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_sluice")]);
    command.args(arguments).args(["--threads", "2"]).current_dir(place.path(".")).output().unwrap()
}

#[test]
fn bad_files_end_in_an_error_and_nothing_else() {
    let Some(root) = external("parquet/bad") else { return };
    for (name, code) in
        [("ARROW-GH-43605.parquet", 0), ("ARROW-RS-GH-6229-LEVELS.parquet", 4), ("PARQUET-1481.parquet", 4)]
    {
        let place = Place::new();
        let file = root.join(name).display().to_string();
        let output = in_bounded_memory(&place, &["statistics", &file, "--out", "statistics"]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{name}: {message}");
        assert!(!message.contains("panicked"), "{name}: {message}");
        assert!(code == 0 || message.contains(name) && message.contains("hint: "), "{name}: {message}");
    }
}

/// Two hundred rows with a list and an object in each, the first half for training.
fn nested() -> String {
    (0..200).fold(String::new(), |mut text, row| {
        let subset = if row < 100 { "train" } else { "eval" };
        let tags: Vec<String> = (0..row % 3).map(|tag| format!("\"tag {tag}\"")).collect();
        let place =
            if row % 7 == 0 { "null".into() } else { format!("{{\"x\": {row}, \"y\": [0.5, null]}}") };
        let tags = tags.join(",");
        writeln!(text, "{{\"id\":{row},\"subset\":\"{subset}\",\"tags\":[{tags}],\"place\":{place}}}")
            .unwrap();
        text
    })
}

fn columns_of(location: &str, base: &Path) -> BTreeMap<String, Vec<String>> {
    let source = open(location, base, &SourceOptions::default(), &Execution::default()).unwrap();
    let columns: Vec<usize> = (0..source.plan().columns.len()).collect();
    let batches = source.head(&columns, 1000).unwrap();
    let cells = |column: usize| -> Vec<String> {
        let arrays = batches.iter().map(|batch| Arc::clone(batch.column(column)));
        arrays.flat_map(|array| (0..array.len()).map(move |row| canonical(&array, row))).collect()
    };
    source.plan().column_names().into_iter().zip(columns).map(|(name, at)| (name, cells(at))).collect()
}

#[test]
fn nested_columns_pass_through_ingest_and_are_counted() {
    let place = Place::new();
    place.write("nested.jsonl", &nested());
    place.sluice(&["ingest", "nested.jsonl", "--subset-column", "subset", "--out", "dataset"]).exits(0);
    let written = columns_of("nested.jsonl", &place.path("."));
    let train = columns_of("train", &place.path("dataset"));
    let eval = columns_of("eval", &place.path("dataset"));
    for (name, cells) in written.iter().filter(|(name, _)| *name != "subset") {
        assert_eq!([&train[name][..], &eval[name]].concat(), *cells, "{name}");
    }
    let mut hashes = [&train["__row_hash"][..], &eval["__row_hash"]].concat();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 200, "rows that differ have hashes that differ");
    place.sluice(&["statistics", "dataset", "--out", "statistics"]).exits(0);
    let statistics = place.json("statistics/statistics.json");
    let columns = statistics["subsets"][0]["columns"].as_array().unwrap();
    let tags = columns.iter().find(|column| column["name"] == "tags").unwrap();
    assert_eq!(tags["valency"]["levels"][0]["num_present"], 100, "{tags}");
    assert!(columns.iter().any(|column| column["path"] == serde_json::json!(["place", "y"])));
    let outcome = place.sluice(&[
        "ingest",
        "nested.jsonl",
        "--share",
        "train=0.5",
        "--share",
        "eval=0.5",
        "--key",
        "tags",
        "--out",
        "by_key",
    ]);
    outcome.exits(0);
}
