//! Files in a bucket against the same files on disk: the same plans, the same rows and views, on any number of
//! threads; and what is told when they change meanwhile.

use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::file::properties::WriterProperties;
use arrow::array::{ArrayRef, Float64Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use bytes::Bytes;
use proptest::prelude::*;

use sluice_core::execution::Cancel;
use sluice_core::plan::{Plan, PlanOptions, Split};
use sluice_core::seam::{CountedColumn, Delivery, Request};
use sluice_core::{BatchSource, ErrorKind, Execution, Result};
use sluice_storage::{Location, Store};

use crate::bucket_listing::Bucket;
use crate::file_source::open_files;
use crate::listing::{list, one_format};
use crate::remote_file::{Fetch, ranges_in_pieces};
use crate::{FileSource, SourceOptions};

const ROWS: usize = 6_000;

fn batch() -> RecordBatch {
    let numbers = || 0..i64::try_from(ROWS).unwrap();
    let columns: [(&str, ArrayRef); 4] = [
        ("number", Arc::new(Int64Array::from_iter_values(numbers().map(|row| row * 7919 % 104_729)))),
        (
            "fare",
            Arc::new(Float64Array::from_iter(
                numbers().map(|row| (row % 13 > 0).then_some(row as f64 / 3.0)),
            )),
        ),
        (
            "zone",
            Arc::new(StringArray::from_iter(
                numbers().map(|row| (row % 11 > 0).then(|| format!("z{}", row % 7))),
            )),
        ),
        (
            "list",
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(
                numbers().map(|row| Some((0..row % 4).map(Some).collect::<Vec<_>>())),
            )),
        ),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn parquet(group_rows: usize) -> Vec<u8> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_column_dictionary_enabled("number".into(), false)
        .set_data_page_row_count_limit(700)
        .set_write_batch_size(100)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch().schema(), Some(properties)).unwrap();
    writer.write(&batch()).unwrap();
    writer.into_inner().unwrap()
}

/// The same table in every format.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let rows = 0..ROWS;
    let csv: String = rows
        .clone()
        .map(|row| format!("{row},\"a \"\"{}\"\"\nb\",{}\n", row % 7, row as f64 / 3.0))
        .collect();
    let csv = format!("id,text,fare\n{csv}");
    let json: String =
        rows.map(|row| format!("{{\"id\":{row},\"text\":\"t{}\",\"list\":[{row},2]}}\n", row % 5)).collect();
    let mut arrow = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch().schema()).unwrap();
    let mut stream = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &batch().schema()).unwrap();
    for start in (0..ROWS).step_by(500) {
        arrow.write(&batch().slice(start, 500)).unwrap();
        stream.write(&batch().slice(start, 500)).unwrap();
    }
    vec![
        ("a.csv.gz", {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            std::io::Write::write_all(&mut encoder, csv.as_bytes()).unwrap();
            encoder.finish().unwrap()
        }),
        ("a.csv", csv.into_bytes()),
        ("a.jsonl.zst", zstd::encode_all(json.as_bytes(), 1).unwrap()),
        ("a.jsonl", json.into_bytes()),
        ("groups.parquet", parquet(900)),
        ("one.parquet", parquet(ROWS)),
        ("a.arrow", arrow.into_inner().unwrap()),
        ("a.arrows", stream.into_inner().unwrap()),
    ]
}

fn options() -> SourceOptions {
    SourceOptions { plan: PlanOptions { split_rows: 499 }, ..SourceOptions::default() }
}

/// Opens what a URL of a bucket in memory stands for.
fn open_in(store: &Store, url: &str, threads: usize) -> Result<FileSource> {
    let location = Location::parse(url)?;
    let files = Bucket { location: &location, store: store.clone() }.list(url, None)?;
    let files = one_format(url, "", files, None)?;
    open_files(url, files, Vec::new(), &options(), &Execution::with_threads(threads))
}

/// Everything that a split delivers, in every way in which it can be asked for.
fn read(source: &FileSource, split: &Split) -> Result<Vec<String>> {
    let countable = source.countable(split);
    let all = 0..source.plan().columns.len();
    let (counted, others): (Vec<usize>, Vec<usize>) = all.clone().partition(|&column| countable[column]);
    let apart = if source.separable() { others.clone() } else { Vec::new() };
    let mut told = Vec::new();
    for request in [
        Request::of_rows(all.collect()),
        Request { rows: vec![others[0]], counted: counted.clone(), coded: Vec::new(), apart },
        Request { rows: others, counted: Vec::new(), coded: counted, apart: Vec::new() },
    ] {
        source.read(split, &request, &mut |delivery| {
            told.push(match delivery {
                Delivery::Rows(batch) => format!("{batch:?}"),
                Delivery::Apart { column, values } => format!("{column} {values:?}"),
                Delivery::Counted(CountedColumn { column, values, counts, nulls, codes, .. }) => {
                    format!("{column} {values:?} {counts:?} {nulls} {codes:?}")
                }
            });
            Ok(())
        })?;
    }
    Ok(told)
}

/// All splits, by several threads in order, as a scan reads them.
fn read_all(source: &FileSource, threads: usize) -> Result<Vec<Vec<String>>> {
    let mut all = Vec::new();
    sluice_core::fold::in_order(
        &source.plan().splits,
        &Execution::with_threads(threads),
        |split| read(source, split),
        |_, told| {
            all.push(told);
            Ok(())
        },
    )?;
    Ok(all)
}

fn without_identity(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.digest.clear();
    plan.files.iter_mut().for_each(|file| file.fingerprint.clear());
    plan
}

#[test]
fn a_bucket_gives_what_the_disk_gives() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory();
    for (name, bytes) in files() {
        fs_err::write(folder.path().join(name), &bytes).unwrap();
        store.write(&format!("d/{name}"), bytes.into()).unwrap();
        let here = crate::open(name, folder.path(), &options(), &Execution::with_threads(2)).unwrap();
        let expected = read_all(&here, 1).unwrap();
        let head = here.head(&[0, 1], 700).unwrap();
        for threads in [1, 3] {
            let there = open_in(&store, &format!("s3://b/d/{name}"), threads).unwrap();
            if name.ends_with("arrow") || name.ends_with("arrows") {
                assert_eq!(without_identity(there.plan()), without_identity(here.plan()), "{name}");
            } else {
                // What identifies these files is read of them anyway.
                assert_eq!(there.plan(), here.plan(), "{name}");
            }
            assert_eq!(there.inference(), here.inference());
            assert!(read_all(&there, threads).unwrap() == expected, "{name}");
            assert!(read_all(&there, threads).unwrap() == expected, "{name} again");
            assert_eq!(there.head(&[0, 1], 700).unwrap(), head, "{name}");
        }
    }
}

#[test]
fn a_name_without_an_ending_is_a_folder_or_an_object() {
    let store = Store::in_memory();
    for key in ["d/a.csv", "bare", "both", "both/a.csv"] {
        store.write(key, Bytes::from_static(b"x\n1\n")).unwrap();
    }
    for (url, expected) in [("s3://b/d", "d/a.csv"), ("s3://b/bare", "bare"), ("s3://b/both", "both/a.csv")] {
        let location = Location::parse(url).unwrap();
        let listed = Bucket { location: &location, store: store.clone() }.list(url, None).unwrap();
        let shown: Vec<&str> = listed.iter().map(|file| file.shown.rsplit("//").next().unwrap()).collect();
        assert_eq!(shown.len(), 1, "{url}: {shown:?}");
        assert!(shown[0].ends_with(expected), "{url}: {shown:?}");
    }
}

#[test]
fn objects_are_listed_by_the_rules_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::in_memory();
    for path in [
        "b.csv",
        "a/2.csv",
        "a/10.csv",
        "a/_x.csv",
        ".h.csv",
        "_tmp/y.csv",
        "notes.txt",
        "a/b/c/3.csv",
        "a/.z/4.csv",
        "[x]/a[1].csv",
        "a!.csv",
        "é/ü.csv",
    ] {
        let file = folder.path().join("t").join(path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, "x\n1\n").unwrap();
        store.write(&format!("t/{path}"), Bytes::from_static(b"x\n1\n")).unwrap();
    }
    store.write("t/marker", Bytes::new()).unwrap();
    for pattern in [
        "t",
        "t/",
        "t/a",
        "t/*.csv",
        "t/**/*.csv",
        "t/a/*.csv",
        "t/a/**/[0-9].csv",
        "t/a/?.csv",
        "t/[x]/a[1].csv",
        "t/a/1*",
        "t/**/[!x]*.csv",
        "t/é/*",
        "t/a!.csv",
        "*/a/2.csv",
    ] {
        let here = list(pattern, folder.path(), None, &Cancel::default()).map(|(files, _)| files);
        let url = format!("s3://b/{pattern}");
        let location = Location::parse(&url).unwrap();
        let there = Bucket { location: &location, store: store.clone() }.list(&url, None);
        let there = there.and_then(|files| one_format(&url, "", files, None)).map(|(files, _)| files);
        let names = |files: Result<Vec<crate::listing::ListedFile>>| {
            files.unwrap().into_iter().map(|file| file.relative).collect::<Vec<_>>()
        };
        let (here, there) = (names(here), names(there));
        assert_eq!(here, there, "{pattern}");
        assert!(!here.is_empty());
    }
    for (missing, told) in [
        ("t/c", "no file to read in `s3://b/t/c`"),
        ("t/c*.csv", "no file to read in `s3://b/t/c*.csv`"),
        ("t/a**/x", "not a valid glob"),
    ] {
        let error = open_in(&store, &format!("s3://b/{missing}"), 1).unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn an_object_that_changes_is_told() {
    for (name, bytes) in files() {
        let store = Store::in_memory();
        store.write(name, bytes.clone().into()).unwrap();
        let source = open_in(&store, &format!("s3://b/{name}"), 2).unwrap();
        store.write(name, bytes.into()).unwrap();
        for told in [read_all(&source, 2).map(drop), source.head(&[0], 10).map(drop)] {
            let error = told.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error:?}");
            assert!(
                format!("{error:?}").contains(name) && error.to_string().contains("changed"),
                "{name}: {error:?}"
            );
        }
        store.delete(name).unwrap();
        let error = read_all(&source, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error:?}");
    }
}

#[test]
fn damage_is_told_as_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files() {
        let store = Store::in_memory();
        let cut = &bytes[..bytes.len() - 9];
        fs_err::write(folder.path().join(name), cut).unwrap();
        store.write(name, Bytes::copy_from_slice(cut)).unwrap();
        let here = crate::open(name, folder.path(), &options(), &Execution::with_threads(2));
        let there = open_in(&store, &format!("s3://b/{name}"), 2);
        let told = |opened: Result<FileSource>| match opened.and_then(|source| read_all(&source, 2)) {
            Ok(_) => None,
            Err(error) => {
                Some((error.kind(), error.to_string().replace("s3://b/", "").replace("memory:///", "")))
            }
        };
        assert_eq!(told(there), told(here), "{name}");
    }
}

#[test]
fn what_is_read_in_pieces_is_the_object() {
    let store = Store::in_memory();
    let object: Vec<u8> = (0..5_000_000_u32).map(|index| ((index * 31) >> 3).to_le_bytes()[0]).collect();
    store.write("o", object.clone().into()).unwrap();
    let location = Location::parse("s3://b/o").unwrap();
    let listed = Bucket { location: &location, store }.list("s3://b/o", None).unwrap().remove(0);
    let remote = listed.place.remote().unwrap();
    let ranges = [4_000_000..4_900_000, 10..2_500_000];
    for fetch in [Fetch::begin(remote, &ranges), Fetch::windowed(remote, &ranges), Fetch::begin(remote, &[])]
    {
        for range in
            [0..5, 10..20, 1_048_000..1_049_000, 5..2_600_000, 3_999_999..4_000_001, 4_899_000..5_000_000]
        {
            let bytes = fetch.bytes(range.clone()).unwrap();
            let place = |offset: u64| usize::try_from(offset).unwrap();
            assert!(bytes == object[place(range.start)..place(range.end)], "{range:?}");
        }
        assert!(fetch.bytes(4_999_999..5_000_001).is_err());
    }
    let mut stream = listed.open().unwrap().stream(3..4_999_000, crate::input::Extent::Beginning).unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut stream, &mut all).unwrap();
    assert!(all == object[3..4_999_000]);
}

#[test]
fn copies_are_the_objects() {
    let store = Store::in_memory();
    let bytes = parquet(900);
    store.write("d/x.parquet", bytes.clone().into()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let source = open_in(&store, "s3://b/d", 1).unwrap();
    let paths = source.local_paths(scratch.path(), "input").unwrap();
    assert_eq!(paths, [scratch.path().join("input-0")]);
    assert!(fs_err::read(&paths[0]).unwrap() == bytes);
    let missing = source.local_paths(Path::new("/nowhere"), "input").unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Unavailable);
}

proptest! {
    /// Pieces hold every byte that is asked for, none twice, and none is too long.
    #[test]
    fn pieces_cover_the_ranges(
        ranges in proptest::collection::vec((0_u64..400, 0_u64..60), 0..8),
        most in 1_u64..90,
        gap in 0_u64..20,
    ) {
        let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
        let pieces = ranges_in_pieces(&ranges, most, gap);
        for offset in 0..500 {
            let held = pieces.iter().filter(|piece| piece.contains(&offset)).count();
            let wanted = ranges.iter().any(|range| range.contains(&offset));
            prop_assert!(held <= 1 && (held == 1 || !wanted));
        }
        prop_assert!(pieces.iter().all(|piece| piece.start < piece.end && piece.end - piece.start <= most));
    }
}
