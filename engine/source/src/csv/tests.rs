//! CSV files from end to end: what is read is what was written, and bad files say what is wrong with them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;

use sluice_core::column::{Column, ColumnKind};
use sluice_core::plan::{PlanOptions, Split};
use sluice_core::seam::{Delivery, Request};
use sluice_core::{BatchSource, Error, ErrorKind, Execution};
use sluice_testkit::datasets::{external, repository};

use crate::{CsvOptions, CsvType, FileSource, SourceOptions, open};

fn options(split_rows: u64, csv: CsvOptions) -> SourceOptions {
    SourceOptions { csv, plan: PlanOptions { split_rows }, ..SourceOptions::default() }
}

fn open_text(text: &[u8], options: &SourceOptions) -> Result<(tempfile::TempDir, FileSource), Error> {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("t.csv"), text).unwrap();
    let source = open("t.csv", folder.path(), options, &Execution::default())?;
    Ok((folder, source))
}

fn read_split(source: &FileSource, split: &Split) -> Result<Vec<RecordBatch>, Error> {
    let rows = (0..source.plan().columns.len()).collect();
    let mut batches = Vec::new();
    source.read(split, &Request { rows, ..Request::default() }, &mut |delivery| {
        if let Delivery::Rows(batch) = delivery {
            batches.push(batch);
        }
        Ok(())
    })?;
    Ok(batches)
}

fn read_all(source: &FileSource) -> Result<RecordBatch, Error> {
    let mut batches = Vec::new();
    for split in &source.plan().splits {
        let read = read_split(source, split)?;
        assert_eq!(read.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), split.rows());
        batches.extend(read);
    }
    let all: Vec<usize> = (0..source.plan().columns.len()).collect();
    Ok(concat_batches(&crate::batches::schema_of(source.plan(), &all), &batches).unwrap())
}

fn strings(table: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |row, column: &_| array_value_to_string(column, row).unwrap();
    (0..table.num_rows())
        .map(|row| table.columns().iter().map(|column| cell(row, column)).collect())
        .collect()
}

fn failure(text: &[u8]) -> Error {
    open_text(text, &SourceOptions::default()).map(|_| ()).unwrap_err()
}

#[test]
fn types_nulls_and_quotes() {
    let text = "i,u,f,b,d,t,s,n\n1,18446744073709551615, 0.5 ,True,2020-01-01,2020-01-01T10:00:00Z, a ,\n\
                -2,,NaN,,,,\"\",\n";
    let (_folder, source) = open_text(text.as_bytes(), &SourceOptions::default()).unwrap();
    let kinds: Vec<String> = source.plan().columns.iter().map(|column| column.kind.to_string()).collect();
    assert_eq!(
        kinds,
        [
            "integer",
            "unsigned integer",
            "float",
            "boolean",
            "date",
            "timestamp in +00:00",
            "text",
            "empty (only nulls)"
        ]
    );
    let table = read_all(&source).unwrap();
    for (column, planned) in table.columns().iter().zip(&source.plan().columns) {
        assert_eq!(ColumnKind::of(column.data_type()), planned.kind);
    }
    assert_eq!(
        strings(&table),
        [
            ["1", "18446744073709551615", "0.5", "true", "2020-01-01", "2020-01-01T10:00:00Z", " a ", ""],
            ["-2", "", "NaN", "", "", "", "", ""]
        ]
    );
    assert!(!table.column(6).is_null(1), "a quoted empty cell is an empty string");
    assert!(table.column(1).is_null(1));
}

#[test]
fn options_are_followed() {
    let csv = CsvOptions {
        delimiter: ';',
        header: false,
        null_values: vec!["?".into()],
        types: [("column_1".to_owned(), CsvType::Integer)].into(),
    };
    let (_folder, source) = open_text(b"007; ?;x\n1;\"?\";?\n", &options(9, csv.clone())).unwrap();
    assert_eq!(source.plan().column_names(), ["column_1", "column_2", "column_3"]);
    assert_eq!(strings(&read_all(&source).unwrap()), [["7", "", "x"], ["1", "?", ""]]);
    let error = open_text(b"x;1;2\n", &options(9, csv.clone())).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "`t.csv`, row 1 (line 1): `x` in column `column_1` is not an integer");
    let types = [("zip".to_owned(), CsvType::Text)].into();
    let error = open_text(b"a;b\n1;2\n", &options(9, CsvOptions { types, ..csv })).map(|_| ()).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Usage, "column `zip` is not in `t.csv`")
    );
}

#[test]
fn several_files_are_typed_together() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("b.csv", "x,y\n1,\n2,\n"), ("a.csv", "x,y\n0.5,z\n")] {
        fs_err::write(folder.path().join(name), text).unwrap();
    }
    let open_all = || open("*.csv", folder.path(), &options(2, CsvOptions::default()), &Execution::default());
    let source = open_all().unwrap();
    assert_eq!(strings(&read_all(&source).unwrap()), [["0.5", "z"], ["1.0", ""], ["2.0", ""]]);
    assert_eq!(source.plan().locate(1, 1), Some(("b.csv".into(), 2)));
    assert_eq!(source.head(&[0], 2).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 2);
    let digest = source.plan().digest.clone();
    assert_eq!(open_all().unwrap().plan().digest, digest);
    let csv = CsvOptions { null_values: vec!["-".into(), String::new()], ..CsvOptions::default() };
    let source = open("*.csv", folder.path(), &options(2, csv), &Execution::default()).unwrap();
    assert_ne!(source.plan().digest, digest, "another dialect reads other values");
    fs_err::write(folder.path().join("b.csv"), "x,y\n1,\n3,\n").unwrap();
    assert_ne!(open_all().unwrap().plan().digest, digest);
    fs_err::write(folder.path().join("c.csv"), "y,z\n1,2\n").unwrap();
    let error = open_all().map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`c.csv` and `a.csv` do not have the same columns: column `x` is missing, column `z` is extra"
    );
}

#[test]
fn columns_may_stand_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("a.csv", "x,y,z\n1,a,0.5\n"), ("b.csv", "z,x,y\n1.5,2,b\n2.5,3,c\n"), ("c.csv", "y,x,z\nd,4,\n")]
    {
        fs_err::write(folder.path().join(name), text).unwrap();
    }
    let open_all =
        |rows| open("*.csv", folder.path(), &options(rows, CsvOptions::default()), &Execution::default());
    let expected = [["1", "a", "0.5"], ["2", "b", "1.5"], ["3", "c", "2.5"], ["4", "d", ""]];
    for split_rows in 1..5 {
        assert_eq!(strings(&read_all(&open_all(split_rows).unwrap()).unwrap()), expected);
    }
    let some = open_all(9).unwrap().head(&[1, 2], 9).unwrap();
    let some = concat_batches(&some[0].schema(), &some).unwrap();
    assert_eq!(strings(&some), [["a", "0.5"], ["b", "1.5"], ["c", "2.5"], ["d", ""]]);
    fs_err::write(folder.path().join("d.csv"), b"z,y,x\n1,\xff,2\n").unwrap();
    let error = open_all(9).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("column `y` is not UTF-8"), "names are those of the file: {error}");
    fs_err::write(folder.path().join("d.csv"), "z,x,x\n1,2,3\n").unwrap();
    assert!(
        open_all(9).map(|_| ()).unwrap_err().to_string().starts_with("`d.csv` has two columns named `x`")
    );
}

#[test]
fn types_may_follow_from_the_first_rows() {
    let first = |rows| SourceOptions { infer_rows: Some(rows), ..options(2, CsvOptions::default()) };
    let text = "i,f,s,d,n\n1,0.5,a,2020-01-01,\n2,7,b,2020-01-02,\n 3 ,-1e3,4,,\n";
    let (_folder, whole) = open_text(text.as_bytes(), &options(2, CsvOptions::default())).unwrap();
    for rows in 2..5 {
        let (_folder, source) = open_text(text.as_bytes(), &first(rows)).unwrap();
        assert_eq!(source.plan().digest, whole.plan().digest);
        assert_eq!(read_all(&source).unwrap(), read_all(&whole).unwrap());
    }
    for (column, good, bad, kind) in [
        ("i", "1", "0.5", "integer"),
        ("i", "1", "007", "integer"),
        ("i", "1", "+5", "integer"),
        ("i", "1", "18446744073709551615", "integer"),
        ("f", "0.5", "9007199254740993", "float"),
        ("f", "0.5", "x", "float"),
        ("b", "true", "1", "boolean"),
        ("d", "2020-01-01", "2020-01-01 00:00:00", "date"),
        ("t", "2020-01-01 00:00:00", "2020-01-01 00:00:00Z", "timestamp"),
        ("t", "2020-01-01 00:00:00", "2020-01-01 00:00:00.0000001", "timestamp"),
        ("n", "", "x", "empty (only nulls)"),
    ] {
        let text = format!("k,{column}\n1,{good}\n2,{good}\n3,{good}\n\n4,{bad}\n5,{good}\n");
        let (_folder, source) = open_text(text.as_bytes(), &first(2)).unwrap();
        let error = read_all(&source).unwrap_err();
        let expected = format!(
            "`t.csv`, row 4 (line 6): `{bad}` in column `{column}` does not fit its type, {kind} by the first 2 rows"
        );
        assert_eq!((error.kind(), error.to_string()), (ErrorKind::Malformed, expected));
        let hint = format!("raise `infer_rows`, or give the type of `{column}`");
        assert_eq!(error.hint(), Some(hint));
        assert_eq!(source.head(&[0], 9).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
        let types = [(column.to_owned(), CsvType::Text)].into();
        let csv = CsvOptions { types, ..CsvOptions::default() };
        let given = SourceOptions { infer_rows: Some(2), ..options(2, csv) };
        let (_folder, source) = open_text(text.as_bytes(), &given).unwrap();
        assert_eq!(strings(&read_all(&source).unwrap())[3], ["4", bad]);
    }
    let types = [("a".to_owned(), CsvType::Integer)].into();
    let given =
        SourceOptions { infer_rows: Some(1), ..options(2, CsvOptions { types, ..CsvOptions::default() }) };
    let error = open_text(b"a,b\n1,1\n007,2\nx,3\n", &given).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "`t.csv`, row 3 (line 4): `x` in column `a` is not an integer");
    let error = open_text(b"a,b\n1,2\n3\n", &first(1)).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("expected 2 cells"), "rows are still counted: {error}");
    assert_eq!(open_text(b"a\n", &first(0)).map(|_| ()).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn given_types_of_all_columns_are_trusted_until_read() {
    let given = |types: &[(&str, CsvType)], schema: &[(&str, CsvType)]| {
        let named = |types: &[(&str, CsvType)]| types.iter().map(|(n, t)| ((*n).to_owned(), *t)).collect();
        let csv = CsvOptions { types: named(types), ..CsvOptions::default() };
        SourceOptions { schema_types: named(schema), ..options(2, csv) }
    };
    let schema = [("i", CsvType::Integer), ("t", CsvType::Text), ("elsewhere", CsvType::Date)];
    let all = given(&[], &schema);
    let good = "i,t\n007,\"a\nb\"\n\n,2\n-3,\n";
    let (_folder, source) = open_text(good.as_bytes(), &all).unwrap();
    assert_eq!(source.plan().splits.len(), 2);
    assert_eq!(strings(&read_all(&source).unwrap()), [["7", "a\nb"], ["", "2"], ["-3", ""]]);
    let (_folder, checked) = open_text(good.as_bytes(), &given(&[("i", CsvType::Integer)], &[])).unwrap();
    assert_eq!(source.plan().digest, checked.plan().digest, "one plan, whoever says the types");
    let (_folder, source) = open_text(b"i,t\n,1\n", &all).unwrap();
    assert_eq!(source.plan().columns[0].kind, ColumnKind::Integer, "also without a value");
    let (_folder, source) = open_text(good.as_bytes(), &given(&[("i", CsvType::Text)], &schema)).unwrap();
    assert_eq!(strings(&read_all(&source).unwrap())[0][0], "007", "`csv.types` goes first");
    for (rows, message) in [
        ("1,a\n2,b\n\n0.5,c\n", "`t.csv`, row 3 (line 5): `0.5` in column `i` is not an integer"),
        (
            "1,a\n9223372036854775808,b\n",
            "`t.csv`, row 2 (line 3): `9223372036854775808` in column `i` is not an integer",
        ),
        ("1,a\n2\n", "`t.csv`, row 2 (line 3): expected 2 cells, found 1"),
        ("1,a\n2,\"b\n", "`t.csv`, row 2 (line 3): the quote opened in this row is never closed"),
        ("1,a\n2,\"b\"c\n", "`t.csv`, row 2 (line 3): text follows the closing quote of cell 2"),
        ("1,a\n2,\0\n", "`t.csv`, row 2 (line 3): NUL byte in column `t` (byte offset 10)"),
    ] {
        let (_folder, source) = open_text(format!("i,t\n{rows}").as_bytes(), &all).unwrap();
        let error = read_all(&source).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Malformed, message));
    }
    let error = open_text(b"i,t\nx,1\n", &given(&[("i", CsvType::Integer)], &[])).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("`x` in column `i`"), "beside an inferred one it is checked at once");
    let zoned = given(&[("i", CsvType::Timestamp), ("t", CsvType::Text)], &[]);
    let (_folder, source) = open_text(b"i,t\n2020-01-01T00:00:00Z,\n", &zoned).unwrap();
    assert_eq!(source.plan().columns[0].kind.to_string(), "timestamp in +00:00", "cells tell the zone");
}

#[test]
fn the_first_rows_are_those_of_the_listing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a.csv", "x\n1\n2\n"), ("b.csv", "x\n3\n0.5\n"), ("c.csv", "x\n4\n")] {
        fs_err::write(folder.path().join(name), text).unwrap();
    }
    for (rows, kind) in [(1, "integer"), (2, "integer"), (3, "integer"), (4, "float"), (9, "float")] {
        let options = SourceOptions { infer_rows: Some(rows), ..options(1, CsvOptions::default()) };
        let source = open("*.csv", folder.path(), &options, &Execution::default()).unwrap();
        assert_eq!(source.plan().columns[0].kind.to_string(), kind);
        match read_all(&source) {
            Ok(table) => assert_eq!((table.num_rows(), kind), (5, "float")),
            Err(error) => assert!(error.to_string().starts_with("`b.csv`, row 2 (line 3)"), "{error}"),
        }
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

#[test]
fn packed_files_read_like_plain_ones() {
    let text: String = (0..200_000).fold("\u{feff}a,b,c\n".into(), |mut text, row| {
        writeln!(text, "{row},{},\"x\ny {}\"", f64::from(row) / 8.0, row % 7).unwrap();
        text
    });
    let (_plain, plain) = open_text(text.as_bytes(), &SourceOptions::default()).unwrap();
    let expected = read_all(&plain).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("t.csv.gz", gzip(text.as_bytes())),
        ("t.csv.zst", zstd(text.as_bytes())),
        ("t.TSV.GZ", gzip(text.as_bytes())),
        ("named-otherwise.csv", gzip(text.as_bytes())),
        ("nameless", zstd(text.as_bytes())),
        ("several.csv.gz", text.as_bytes().chunks(1_000_003).flat_map(gzip).collect()),
        ("several.csv.zst", text.as_bytes().chunks(1_000_003).flat_map(zstd).collect()),
    ] {
        fs_err::write(folder.path().join(name), &bytes).unwrap();
        let open_it = |rows| {
            open(name, folder.path(), &options(rows, CsvOptions::default()), &Execution::default()).unwrap()
        };
        let source = open_it(1000);
        assert_eq!(source.plan().splits.len(), 1, "one piece, {name}");
        assert_eq!(source.plan().splits[0].pieces[0].bytes, Some((0, bytes.len() as u64)));
        assert_eq!(source.plan().columns, plain.plan().columns);
        assert_eq!(read_all(&source).unwrap(), expected, "{name}");
        assert_eq!(open_it(1000).plan().digest, source.plan().digest);
        assert_eq!(source.head(&[0], 3).unwrap()[0].num_rows(), 3);
    }
    let listed = open("*.csv.*", folder.path(), &SourceOptions::default(), &Execution::default()).unwrap();
    assert_eq!((listed.plan().files.len(), listed.plan().rows()), (4, 800_000));
}

#[test]
fn real_packed_files_are_read() {
    let csv = |delimiter, header| CsvOptions { delimiter, header, ..CsvOptions::default() };
    for (part, name, csv, shape) in [
        ("diabetes", "diabetes_data.csv.gz", csv(',', false), (442, 10)),
        ("iris", "iris.csv.gz", csv(',', true), (150, 5)),
    ] {
        let Some(root) = external(part) else { continue };
        let source = open(name, &root, &options(100, csv), &Execution::default()).unwrap();
        let table = read_all(&source).unwrap();
        assert_eq!((table.num_rows(), table.num_columns()), shape, "{name}");
    }
}

#[test]
fn damaged_packed_files_say_so() {
    let text = "a,b\n1,2\n".repeat(100);
    for (name, bytes) in [("t.csv.gz", gzip(text.as_bytes())), ("t.csv.zst", zstd(text.as_bytes()))] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let open_it =
            || open(name, folder.path(), &SourceOptions::default(), &Execution::default()).map(|_| ());
        let mut flipped = bytes.clone();
        flipped[4] = 0xFF;
        flipped[bytes.len() - 6] ^= 0x55;
        let mut trailed = bytes.clone();
        trailed.extend_from_slice(b"trailing");
        for damaged in [&bytes[..bytes.len() - 1], &bytes[..5], &flipped, &trailed] {
            fs_err::write(&path, damaged).unwrap();
            let error = open_it().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{error}");
            assert!(error.hint().is_some() && error.to_string().contains(name), "{error}");
        }
        let twice = if bytes[0] == 0x1F { gzip(&bytes) } else { zstd(&bytes) };
        fs_err::write(&path, twice).unwrap();
        assert_eq!(
            open_it().unwrap_err().to_string(),
            format!("`{name}` is compressed twice, not UTF-8 text")
        );
        let ragged = b"a,b\n1,2\n\n1\n";
        fs_err::write(&path, if bytes[0] == 0x1F { gzip(ragged) } else { zstd(ragged) }).unwrap();
        let message = format!("`{name}`, row 2 (line 4): expected 2 cells, found 1");
        assert_eq!(open_it().unwrap_err().to_string(), message);
        fs_err::write(&path, &bytes).unwrap();
        let source = open(name, folder.path(), &SourceOptions::default(), &Execution::default()).unwrap();
        fs_err::write(&path, flipped).unwrap();
        assert_eq!(read_all(&source).unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn a_file_that_changes_is_unavailable() {
    for (changed, kind) in [("x\n1\n2\n3\n", ErrorKind::Unavailable), ("x\n1\na\n", ErrorKind::Unavailable)] {
        let (folder, source) = open_text(b"x\n1\n2\n", &SourceOptions::default()).unwrap();
        fs_err::write(folder.path().join("t.csv"), changed).unwrap();
        let error = read_all(&source).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (kind, "`t.csv` changed while it was read"));
        fs_err::remove_file(folder.path().join("t.csv")).unwrap();
        assert_eq!(read_all(&source).unwrap_err().kind(), ErrorKind::Unavailable);
    }
}

#[test]
fn messages_name_place_and_remedy() {
    for (text, message, hint) in [
        (&b""[..], "`t.csv` is empty", "header"),
        (b"\n\n", "`t.csv` is empty", "header"),
        (b"a,b\n1,2\n\n1\n", "`t.csv`, row 2 (line 4): expected 2 cells, found 1", "quote"),
        (b"a;b\n1;2\n", "`t.csv` has one column, `a;b`, when cut at `,`", "set the delimiter to `;`"),
        (b"a\tb\n1\t2\n", "`t.csv` has one column, `a b`, when cut at `,`", "set the delimiter to a tab"),
        (b"a,a\n", "`t.csv` has two columns named `a`, number 1 and number 2", "rename"),
        (b"__x\n", "`t.csv` has a column `__x`, but names that begin with `__` are reserved", "rename"),
        (
            b"a,b\r\n1,\"x\r\n\r\n",
            "`t.csv`, row 1 (line 2): the quote opened in this row is never closed",
            "close",
        ),
        (b"a,b\n1,\"x\"y\n", "`t.csv`, row 1 (line 2): text follows the closing quote of cell 2", "twice"),
        (b"a,b\n1,M\xE1\n", "`t.csv`, row 1 (line 2): column `b` is not UTF-8 (byte offset 7)", "UTF-8"),
        (b"a,b\n1,\0\n", "`t.csv`, row 1 (line 2): NUL byte in column `b` (byte offset 6)", "NUL"),
        (b"\xFF\xFEa\0\n\0", "`t.csv` is UTF-16, not UTF-8 text", "convert"),
        (b"\x1F\x8B\x08\x00", "`t.csv` is damaged or cut off: it cannot be unpacked as gzip", "again"),
        (
            b"__row_hash\n1\n",
            "column `__row_hash` of `t.csv` is integer, but holds unsigned row hashes when `sluice ingest` writes it",
            "rename",
        ),
    ] {
        let error = failure(text);
        assert_eq!(error.to_string(), message);
        assert_eq!(error.kind(), ErrorKind::Malformed, "{message}");
        assert!(error.hint().unwrap().contains(hint), "{message}: {:?}", error.hint());
    }
}

#[test]
fn a_header_alone_is_a_table_without_rows() {
    let (_folder, source) = open_text(b"a,b\n", &SourceOptions::default()).unwrap();
    assert_eq!((source.plan().rows(), source.plan().splits.len(), source.plan().columns.len()), (0, 0, 2));
    let (_folder, source) = open_text(b"18446744073709551615", &SourceOptions::default()).unwrap();
    assert_eq!(source.plan().column_names(), ["18446744073709551615"]);
}

fn all_in(folder: &Path, extension: &str) -> Vec<String> {
    let mut names: Vec<String> = fs_err::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|found| found == extension))
        .collect();
    names.sort();
    names
}

#[test]
fn hostile_files_of_the_repository() {
    let folder = repository().join("tests/data");
    let mut refused = Vec::new();
    for name in all_in(&folder, "csv") {
        match open(&name, &folder, &options(4, CsvOptions::default()), &Execution::default()) {
            Ok(source) => {
                let table = read_all(&source).unwrap();
                assert_eq!(table.num_rows() as u64, source.plan().rows(), "{name}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Malformed, "{name}: {error}");
                assert!(error.hint().is_some() && error.to_string().contains(&name), "{name}: {error}");
                refused.push(name);
            }
        }
    }
    assert_eq!(
        refused,
        [
            "duplicate_columns.csv",
            "empty.csv",
            "latin1.csv",
            "nul_bytes.csv",
            "ragged.csv",
            "semicolons.csv",
            "unterminated_quote.csv"
        ]
    );
}

#[test]
fn real_files_read_or_say_why_not() {
    let Some(root) = external("csv") else { return };
    let mut refused = Vec::new();
    for part in ["arrow", "duckdb", "rust-csv", "spectrum", "tfx"] {
        for name in all_in(&root.join(part), "csv") {
            match open(&name, &root.join(part), &options(2, CsvOptions::default()), &Execution::default()) {
                Ok(source) => assert_eq!(read_all(&source).unwrap().num_rows() as u64, source.plan().rows()),
                Err(error) => refused.push(format!("{error}")),
            }
        }
    }
    assert_eq!(
        refused,
        [
            "`auto_duplicate_header_col.csv` has two columns named `a`, number 1 and number 3",
            "`inconsistent_cells.csv`, row 1 (line 3): expected 3 cells, found 4",
            "`invalid_utf8.csv` is UTF-16, not UTF-8 text",
            "`nullpadding_header.csv`, row 1 (line 2): expected 1 cell, found 4",
            "`strange.csv`, header (line 1): text follows the closing quote of cell 1",
            "`uspop-latin1.csv`, row 3 (line 4): column `City` is not UTF-8 (byte offset 125)",
        ]
    );
}

#[test]
fn spectrum_cells_are_as_expected() {
    let Some(root) = external("csv/spectrum") else { return };
    for name in all_in(&root, "json") {
        let expected: serde_json::Value =
            serde_json::from_slice(&fs_err::read(root.join(&name)).unwrap()).unwrap();
        // One expectation is of another file than the one beside it, and no list.
        let Some(expected) = expected.as_array() else { continue };
        let csv = name.replace(".json", ".csv");
        let types = |source: &FileSource| {
            source.plan().column_names().into_iter().map(|name| (name, CsvType::Text)).collect()
        };
        let source = open(&csv, &root, &SourceOptions::default(), &Execution::default()).unwrap();
        let text = CsvOptions { types: types(&source), ..CsvOptions::default() };
        let source = open(&csv, &root, &options(1, text), &Execution::default()).unwrap();
        let table = strings(&read_all(&source).unwrap());
        assert_eq!(table.len(), expected.len(), "{name}");
        for (row, expected) in table.iter().zip(expected) {
            for (column, cell) in source.plan().column_names().iter().zip(row) {
                // This checkout of the collection has its CRLF within quotes as LF.
                let expected = expected[column].as_str().map(|text| text.replace("\r\n", "\n"));
                assert_eq!(Some(cell.replace("\r\n", "\n")), expected, "{name} {column}");
            }
        }
    }
}

/// A cell of each type as text, or null.
fn cell(kind: usize) -> BoxedStrategy<Option<String>> {
    let value = match kind {
        0 => any::<i64>().prop_map(|value| value.to_string()).boxed(),
        1 => any::<f64>().prop_map(|value| format!("{value:?}")).boxed(),
        2 => any::<bool>().prop_map(|value| value.to_string()).boxed(),
        _ => "[ -~\n\r\"é→,;]{0,12}".boxed(),
    };
    prop::option::weighted(0.9, value).boxed()
}

fn table() -> impl Strategy<Value = (Vec<usize>, Vec<Vec<Option<String>>>)> {
    prop::collection::vec(0..4_usize, 1..5).prop_flat_map(|kinds| {
        let row: Vec<_> = kinds.iter().map(|&kind| cell(kind)).collect();
        (Just(kinds), prop::collection::vec(row, 0..40))
    })
}

fn write(kinds: &[usize], rows: &[Vec<Option<String>>], end: &str) -> String {
    let mut text: String = (0..kinds.len()).map(|index| format!("c{index}")).collect::<Vec<_>>().join(",");
    for row in rows {
        text += end;
        for (index, (cell, kind)) in row.iter().zip(kinds).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match cell {
                // A line without anything is no row.
                None if kinds.len() == 1 => text += "NA",
                None => text += comma,
                Some(cell) if *kind == 3 => write!(text, "{comma}\"{}\"", cell.replace('"', "\"\"")).unwrap(),
                Some(cell) => write!(text, "{comma}{cell}").unwrap(),
            }
        }
    }
    text
}

fn equal(array: &arrow::array::ArrayRef, row: usize, cell: Option<&String>) -> bool {
    let Some(cell) = cell else {
        return matches!(Column::view(array), Column::Null(_)) || array.is_null(row);
    };
    match Column::view(array) {
        Column::Integer(values) => Ok(values.value(row)) == cell.parse(),
        Column::Unsigned(values) => Ok(values.value(row)) == cell.parse(),
        Column::Float(values) => cell
            .parse::<f64>()
            .is_ok_and(|cell| cell.to_bits() == values.value(row).to_bits() || cell.is_nan()),
        Column::Boolean(values) => Ok(values.value(row)) == cell.parse(),
        view => view.text(row) == Some(cell.as_str()),
    }
}

proptest! {
    #[test]
    fn what_was_written_is_read((kinds, rows) in table(), end in 0..3_usize, split_rows in 1..9_u64) {
        let text = write(&kinds, &rows, ["\n", "\r\n", "\r"][end]);
        let csv = CsvOptions {
            null_values: vec![String::new(), "NA".into()],
            types: kinds.iter().enumerate().filter(|(_, kind)| **kind == 3)
                .map(|(index, _)| (format!("c{index}"), CsvType::Text)).collect(),
            ..CsvOptions::default()
        };
        let (_folder, source) = open_text(text.as_bytes(), &options(split_rows, csv)).unwrap();
        prop_assert_eq!(source.plan().rows(), rows.len() as u64);
        prop_assert_eq!(source.plan().splits.len() as u64, (rows.len() as u64).div_ceil(split_rows));
        let table = read_all(&source).unwrap();
        for (row, cells) in rows.iter().enumerate() {
            for (index, cell) in cells.iter().enumerate() {
                prop_assert!(equal(table.column(index), row, cell.as_ref()), "row {row}, {cell:?}");
            }
        }
    }

    #[test]
    fn hostile_text_never_panics(text in "[a1,.\"\n\r\0é;-]{0,60}", split_rows in 1..4_u64) {
        if let Ok((_folder, source)) = open_text(text.as_bytes(), &options(split_rows, CsvOptions::default())) {
            prop_assert_eq!(read_all(&source).unwrap().num_rows() as u64, source.plan().rows());
        }
    }
}
