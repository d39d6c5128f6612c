//! JSON lines from end to end: what is read is what was written, and bad lines say what is wrong with them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use sluice_core::column::{Column, ColumnKind};
use sluice_core::plan::PlanOptions;
use sluice_core::seam::{Delivery, Request};
use sluice_core::{BatchSource, Error, ErrorKind, Execution};

use crate::{FileSource, Format, SourceOptions, header, open};

fn open_with(name: &str, folder: &Path, split_rows: u64) -> Result<FileSource, Error> {
    let options = SourceOptions { plan: PlanOptions { split_rows }, ..SourceOptions::default() };
    open(name, folder, &options, &Execution::default())
}

fn open_text(text: &[u8], split_rows: u64) -> Result<(tempfile::TempDir, FileSource), Error> {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("t.jsonl"), text).unwrap();
    let source = open_with("t.jsonl", folder.path(), split_rows)?;
    Ok((folder, source))
}

fn read_columns(source: &FileSource, columns: &[usize]) -> Result<RecordBatch, Error> {
    let mut batches = Vec::new();
    for split in &source.plan().splits {
        let mut rows = 0;
        source.read(split, &Request { rows: columns.to_vec(), ..Request::default() }, &mut |delivery| {
            if let Delivery::Rows(batch) = delivery {
                rows += batch.num_rows() as u64;
                batches.push(batch);
            }
            Ok(())
        })?;
        assert_eq!(rows, split.rows());
    }
    let Some(first) = batches.first() else {
        return Ok(RecordBatch::new_empty(crate::batches::schema_of(source.plan(), columns)));
    };
    for (array, &column) in first.columns().iter().zip(columns) {
        assert_eq!(ColumnKind::of(array.data_type()), source.plan().columns[column].kind);
    }
    Ok(concat_batches(&first.schema(), &batches).unwrap())
}

fn read_all(source: &FileSource) -> Result<RecordBatch, Error> {
    read_columns(source, &(0..source.plan().columns.len()).collect::<Vec<_>>())
}

fn strings(table: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |row, column: &_| array_value_to_string(column, row).unwrap();
    (0..table.num_rows())
        .map(|row| table.columns().iter().map(|column| cell(row, column)).collect())
        .collect()
}

fn kinds(source: &FileSource) -> Vec<String> {
    source.plan().columns.iter().map(|column| column.kind.to_string()).collect()
}

#[test]
fn types_keys_and_nulls() {
    let text = r#"{"i": 1, "u": 18446744073709551615, "f": 1e-7, "b": true, "s": "007", "n": null}
{"s": "2020-01-01", "i": -2, "late": ["1", "{"]}

{"b": false, "f": -0, "s": "", "q\"": "\u00e9\n", "late": []}
"#;
    for split_rows in 1..5 {
        let (_folder, source) = open_text(text.as_bytes(), split_rows).unwrap();
        assert_eq!(source.format(), Format::Jsonl);
        assert_eq!(source.plan().column_names(), ["i", "u", "f", "b", "s", "n", "late", "q\""]);
        let expected = [
            "integer",
            "unsigned integer",
            "float",
            "boolean",
            "text",
            "empty (only nulls)",
            "list of text",
            "text",
        ];
        assert_eq!(kinds(&source), expected);
        let table = read_all(&source).unwrap();
        assert_eq!(
            strings(&table),
            [
                ["1", "18446744073709551615", "1e-7", "true", "007", "", "", ""],
                ["-2", "", "", "", "2020-01-01", "", "[1, {]", ""],
                ["", "", "-0.0", "false", "", "", "[]", "é\n"],
            ]
        );
        assert!(!table.column(4).is_null(2) && table.column(0).is_null(2), "an empty string is no null");
        assert_eq!(strings(&read_columns(&source, &[4, 6]).unwrap())[1], ["2020-01-01", "[1, {]"]);
        assert_eq!(source.head(&[0], 2).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    }
}

#[test]
fn what_stays_text_says_why() {
    for (text, note) in [
        ("{\"x\":1}\n{\"x\":\"a\"}", "kept as text: \"a\" is not an integer (row 2)"),
        ("{\"x\":\"a\"}\n{\"x\":1}", "kept as text: \"a\" is text (row 1), \"1\" is not (row 2)"),
        (
            "{\"x\":18446744073709551616}",
            "kept as text: \"18446744073709551616\" does not fit 64 bits (row 1)",
        ),
        ("{\"x\":1e999}", "kept as text: \"1e999\" is beyond double precision (row 1)"),
        ("{\"x\":{}}\n{\"x\":null}", "kept as JSON text: objects without keys (row 1)"),
        (
            "{\"x\":9007199254740993}\n{\"x\":0.5}",
            "kept as text: \"0.5\" is a float, beside it integers past 2^53",
        ),
        ("{\"x\":\"\"}\n{\"x\":true}", "kept as text: \"\" is text (row 1), \"true\" is not (row 2)"),
    ] {
        let (_folder, source) = open_text(text.as_bytes(), 9).unwrap();
        let inference = &source.inference()[0];
        assert_eq!(inference.kind, ColumnKind::Text);
        assert!(
            inference.note.as_deref().unwrap_or_default().starts_with(note),
            "{text}: {:?}",
            inference.note
        );
        read_all(&source).unwrap();
    }
    let (_folder, source) = open_text(b"{\"x\":\"1\"}\n{\"x\":\"2\"}", 9).unwrap();
    assert_eq!((kinds(&source)[0].as_str(), source.inference()[0].note.as_deref()), ("text", None));
}

#[test]
fn lists_and_objects_are_lists_and_structs() {
    let text = r#"{"p": {"name": "a", "at": [0.5, 1]}, "tags": [["x"], null, []], "e": []}
{"p": null, "tags": null}
{"p": {"at": [], "zip": "007", "o": {}}, "tags": [], "e": [null]}
{"tags": [[null, "1"]], "p": {"at": [true, {"deep": 1}]}}
"#;
    let sound: String = text.lines().take(3).collect::<Vec<_>>().join("\n");
    for split_rows in 1..5 {
        let (_folder, source) = open_text(sound.as_bytes(), split_rows).unwrap();
        let expected = ["struct of name, at, zip, o", "list of list of text", "list of empty (only nulls)"];
        assert_eq!(kinds(&source), expected);
        let fields = [
            ("name", ColumnKind::Text),
            ("at", ColumnKind::List(Box::new(ColumnKind::Float))),
            ("zip", ColumnKind::Text),
            ("o", ColumnKind::Text),
        ];
        let fields = fields.map(|(name, kind)| (name.to_owned(), kind));
        assert_eq!(source.plan().columns[0].kind, ColumnKind::Struct(fields.to_vec()));
        let note = "`.o` kept as JSON text: objects without keys (row 3)";
        assert_eq!(source.inference()[0].note.as_deref(), Some(note));
        let table = read_all(&source).unwrap();
        assert_eq!(
            strings(&table),
            [
                ["{name: a, at: [0.5, 1.0], zip: , o: }", "[[x], , []]", "[]"],
                ["", "", ""],
                ["{name: , at: [], zip: 007, o: {}}", "[]", "[]"],
            ]
        );
        assert!(table.column(0).is_null(1) && table.column(1).is_null(1) && table.column(2).is_null(1));
        assert_eq!(strings(&read_columns(&source, &[1]).unwrap())[0], ["[[x], , []]"]);
    }
    let error = open_text(text.as_bytes(), 2).map(|_| ()).unwrap_err();
    let message = "`t.jsonl`, row 4 (line 4): `p.at[]` is an object, but a single value in row 1";
    assert_eq!((error.to_string().as_str(), error.kind()), (message, ErrorKind::Malformed));
}

#[test]
fn files_bring_their_own_keys_and_packing() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = ("{\"a\":1,\"b\":\"x\"}\n".repeat(3), "{\"c\":0.5,\"a\":2}\n".repeat(2));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(two.as_bytes()).unwrap();
    fs_err::write(folder.path().join("1.jsonl"), &one).unwrap();
    fs_err::write(folder.path().join("2.jsonl.gz"), gzip.finish().unwrap()).unwrap();
    fs_err::write(folder.path().join("3.ndjson.zst"), zstd::encode_all(one.as_bytes(), 1).unwrap()).unwrap();
    fs_err::write(folder.path().join("4.ndjson"), "").unwrap();
    let (x, c) = (["1", "x", ""], ["2", "", "0.5"]);
    for split_rows in 1..9 {
        let source = open_with(".", folder.path(), split_rows).unwrap();
        assert_eq!(source.plan().column_names(), ["a", "b", "c"]);
        assert_eq!(strings(&read_all(&source).unwrap()), [x, x, x, c, c, x, x, x]);
        assert_eq!(open_with(".", folder.path(), split_rows).unwrap().plan().digest, source.plan().digest);
    }
    assert_eq!(header(".", folder.path(), &SourceOptions::default()).unwrap(), ["a", "b", "c"]);
    let source = open_with(".", folder.path(), 4).unwrap();
    fs_err::write(folder.path().join("1.jsonl"), one.replace("1,", "9,")).unwrap();
    assert_ne!(open_with(".", folder.path(), 4).unwrap().plan().digest, source.plan().digest);
    fs_err::write(folder.path().join("1.jsonl"), one.replace("\"a\":1", "\"a\":x")).unwrap();
    let error = read_all(&source).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Unavailable, "`./1.jsonl` changed while it was read")
    );
}

#[test]
fn messages_name_place_and_remedy() {
    for (text, message) in [
        (&b""[..], "`t.jsonl` is empty"),
        (b" \n\n", "`t.jsonl` is empty"),
        (b"{}\n", "`t.jsonl` has no columns"),
        (
            b"{\"a\":1}\n\n{\"a\":1,\"a\":2}\n",
            "`t.jsonl`, row 2 (line 3): key `a` stands twice in the object",
        ),
        (
            b"{\"a\":1}\n{\"a\":007}\n",
            "`t.jsonl`, row 2 (line 2): a number with a leading zero; write it as a string (byte 7 of the line)",
        ),
        (
            b"[{\"a\":1}]",
            "`t.jsonl`, row 1 (line 1): a list instead of an object; write one object per line (byte 1 of the line)",
        ),
        (b"{\n\"a\":1}", "`t.jsonl`, row 1 (line 1): the line ends within the object (byte 2 of the line)"),
        (b"{\"a\":\"\xE9\"}", "`t.jsonl`, row 1 (line 1): byte 7 of the line is not UTF-8"),
        (
            b"{\"a\":[]}\n{\"a\":null}\n{\"a\":\"x\"}",
            "`t.jsonl`, row 3 (line 3): `a` is a single value, but a list in row 1",
        ),
        (
            b"{\"a\":{\"b\":[1]}}\n{\"a\":{\"b\":[2,{}]}}",
            "`t.jsonl`, row 2 (line 2): `a.b[]` is an object, but a single value in row 1",
        ),
        (b"{\"a\":[[],{}]}", "`t.jsonl`, row 1 (line 1): `a[]` is an object, but a list in row 1"),
        (b"{\"a\":{\"b\":1,\"b\":2}}", "`t.jsonl`, row 1 (line 1): key `b` stands twice in the object"),
        (b"{\"__x\":1}", "`t.jsonl` has a column `__x`, but names that begin with `__` are reserved"),
        (b"\xFF\xFEa\0", "`t.jsonl` is UTF-16, not UTF-8 text"),
    ] {
        let error = open_text(text, 9).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), ErrorKind::Malformed, "{message}");
        assert!(error.hint().is_some(), "{message}");
    }
    let many = (0..20_000).fold(String::new(), |mut text, key| {
        writeln!(text, "{{\"k{key}\": 1}}").unwrap();
        text
    });
    let error = open_text(many.as_bytes(), 9).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("row 16385 (line 16385): more than 16384 different keys"), "{error}");
}

/// A value of each kind as JSON.
fn value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "[ -~\n\t\"\\\\é→😀\u{1}]{0,12}".prop_map(Into::into),
    ]
}

/// Nested values of one shape.
fn nested() -> impl Strategy<Value = serde_json::Value> {
    let item = prop::option::of(prop::collection::vec(prop::option::of(any::<i8>()), 0..3));
    prop::option::of((item, prop::option::of("[ -~é]{0,15}")))
        .prop_map(|pair| pair.map(|(list, text)| serde_json::json!({"list": [list], "text": text})).into())
}

fn equal(table: &RecordBatch, column: usize, row: usize, value: Option<&serde_json::Value>) -> bool {
    let array = table.column(column);
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return matches!(Column::view(array), Column::Null(_)) || array.is_null(row);
    };
    match Column::view(array) {
        Column::Integer(values) => value.as_i64() == Some(values.value(row)),
        Column::Unsigned(values) => value.as_u64() == Some(values.value(row)),
        Column::Float(values) => value.as_f64().map(f64::to_bits) == Some(values.value(row).to_bits()),
        Column::Boolean(values) => value.as_bool() == Some(values.value(row)),
        Column::Other(_) => from_arrow(array, row) == *value,
        view => match value.as_str() {
            Some(text) => view.text(row) == Some(text),
            None => view.text(row) == Some(value.to_string().as_str()),
        },
    }
}

/// What an array holds, as JSON.
fn from_arrow(array: &arrow::array::ArrayRef, row: usize) -> serde_json::Value {
    if array.is_null(row) {
        return serde_json::Value::Null;
    }
    match array.data_type() {
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|item| from_arrow(&items, item)).collect()
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(array.as_struct().columns());
            columns.map(|(field, column)| (field.name().clone(), from_arrow(column, row))).collect()
        }
        _ => match Column::view(array) {
            Column::Integer(values) => values.value(row).into(),
            Column::Null(_) => serde_json::Value::Null,
            view => view.text(row).into(),
        },
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        uniform in any::<bool>(),
        values in prop::collection::vec(prop::collection::vec((0..4_usize, value(), nested()), 1..4), 1..30),
        split_rows in 1..9_u64,
    ) {
        let mut text = String::new();
        let mut rows = Vec::new();
        for row in values {
            let mut object = serde_json::Map::new();
            for (key, value, nested) in row {
                object.insert("nested".into(), nested);
                let value = if uniform { serde_json::Value::from(key) } else { value };
                object.insert(format!("k\"{key}"), value);
            }
            writeln!(text, "{}", serde_json::Value::Object(object.clone())).unwrap();
            rows.push(object);
        }
        let (_folder, source) = open_text(text.as_bytes(), split_rows).unwrap();
        prop_assert_eq!(source.plan().rows(), rows.len() as u64);
        prop_assert_eq!(source.plan().splits.len() as u64, (rows.len() as u64).div_ceil(split_rows));
        let table = read_all(&source).unwrap();
        for (row, object) in rows.iter().enumerate() {
            for (column, name) in source.plan().column_names().iter().enumerate() {
                prop_assert!(equal(&table, column, row, object.get(name)), "row {row}, {name}: {text}");
            }
        }
    }

    #[test]
    fn hostile_text_never_panics(text in "[{}\\[\\]\":,a1 \n\\\\ué.-]{0,60}", split_rows in 1..4_u64) {
        if let Ok((_folder, source)) = open_text(text.as_bytes(), split_rows) {
            prop_assert_eq!(read_all(&source).unwrap().num_rows() as u64, source.plan().rows());
        }
    }
}
