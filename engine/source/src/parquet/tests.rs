//! Parquet files from end to end: rows as written, counted views equal to the rows, damage told.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use arrow::array::{
    Array, ArrayRef, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array, Int64Array,
    RecordBatch, StringArray, UInt32Array, UInt64Array,
};
use arrow::util::display::array_value_to_string;

use sluice_core::column::ColumnKind;
use sluice_core::plan::{PlanOptions, Split};
use sluice_core::seam::{BATCH_ROWS, CountedColumn, Delivery, NO_VALUE, Request};
use sluice_core::{BatchSource, Error, ErrorKind, Execution};
use sluice_testkit::datasets::{external, repository};

use crate::{FileSource, SourceOptions, open};

type Counts = BTreeMap<String, u64>;

fn open_with(name: &str, folder: &Path, split_rows: u64) -> Result<FileSource, Error> {
    let options = SourceOptions { plan: PlanOptions { split_rows }, ..SourceOptions::default() };
    open(name, folder, &options, &Execution::default())
}

/// Reads a split: the rows in batches, and the counted views.
fn read(
    source: &FileSource,
    split: &Split,
    request: &Request,
) -> Result<(Vec<RecordBatch>, Vec<CountedColumn>), Error> {
    let (mut batches, mut counted) = (Vec::new(), Vec::new());
    source.read(split, request, &mut |delivery| {
        match delivery {
            Delivery::Rows(batch) => {
                assert!((1..=BATCH_ROWS).contains(&batch.num_rows()));
                batches.push(batch);
            }
            Delivery::Counted(column) => {
                assert!(batches.is_empty(), "counted views come before rows");
                counted.push(column);
            }
            Delivery::Apart { .. } => panic!("not asked for"),
        }
        Ok(())
    })?;
    assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), split.rows());
    Ok((batches, counted))
}

/// Everything that can be read of a source; each countable column is compared with its rows. Answers how many
/// columns of splits were counted.
fn check(source: &FileSource) -> Result<usize, Error> {
    let columns = source.plan().columns.len();
    let mut checked = 0;
    for split in &source.plan().splits {
        let counted =
            source.countable(split).into_iter().enumerate().filter(|(_, yes)| *yes).map(|(index, _)| index);
        let request = Request { counted: counted.collect(), ..Request::of_rows((0..columns).collect()) };
        let (batches, counted) = read(source, split, &request)?;
        assert_eq!(counted.len(), request.counted.len());
        for (column, apart) in read_apart(source, split)?.into_iter().enumerate() {
            let together: Vec<ArrayRef> =
                batches.iter().map(|batch| Arc::clone(batch.column(column))).collect();
            assert_eq!(apart, together);
        }
        for (view, &column) in counted.iter().zip(&request.counted) {
            let planned = &source.plan().columns[column];
            assert_eq!((&view.column, view.split, view.rows()), (&planned.name, split.number, split.rows()));
            assert_eq!(ColumnKind::of(view.values.data_type()), planned.kind);
            assert!(view.counts.iter().all(|&count| count > 0) && view.values.null_count() == 0);
            assert_eq!(counts_of_view(view), counts_of_rows(&batches, column), "{}", planned.name);
            checked += 1;
        }
        check_codes(source, split, &batches, &request.counted)?;
        for batch in &batches {
            for (array, planned) in batch.columns().iter().zip(&source.plan().columns) {
                assert_eq!(ColumnKind::of(array.data_type()), planned.kind);
            }
        }
    }
    Ok(checked)
}

/// Reads a split column by column.
fn read_apart(source: &FileSource, split: &Split) -> Result<Vec<Vec<ArrayRef>>, Error> {
    let columns = source.plan().columns.len();
    let mut apart = vec![Vec::new(); columns];
    let request = Request { apart: (0..columns).collect(), ..Request::default() };
    source.read(split, &request, &mut |delivery| {
        match delivery {
            Delivery::Apart { column, values } => apart[column].push(values),
            Delivery::Rows(batch) => assert_eq!(batch.num_columns(), 0),
            Delivery::Counted(_) => panic!("not asked for"),
        }
        Ok(())
    })?;
    Ok(apart)
}

/// The codes of the rows of a split name the values of its rows.
fn check_codes(
    source: &FileSource,
    split: &Split,
    batches: &[RecordBatch],
    columns: &[usize],
) -> Result<(), Error> {
    let mut views = Vec::new();
    let mut rows = 0;
    let request = Request { rows: vec![0], coded: columns.to_vec(), ..Request::default() };
    source.read(split, &request, &mut |delivery| {
        match delivery {
            Delivery::Rows(batch) => {
                assert!(views.is_empty(), "codes come after rows");
                rows += batch.num_rows();
            }
            Delivery::Counted(column) => views.push(column),
            Delivery::Apart { .. } => panic!("not asked for"),
        }
        Ok(())
    })?;
    assert_eq!(views.len(), columns.len());
    for (view, &column) in views.iter().zip(columns) {
        let codes = view.codes.as_ref().unwrap();
        assert_eq!(codes.len(), rows);
        let mut counts = vec![0; view.counts.len()];
        let mut codes = codes.iter();
        for batch in batches {
            for row in 0..batch.num_rows() {
                let (mut mine, mut theirs) = (Counts::new(), Counts::new());
                add(&mut theirs, batch.column(column), row, 1);
                match *codes.next().unwrap() {
                    NO_VALUE => assert!(batch.column(column).is_null(row)),
                    code => {
                        counts[code as usize] += 1;
                        add(&mut mine, &view.values, code as usize, 1);
                        assert_eq!(mine, theirs);
                    }
                }
            }
        }
        assert_eq!(counts, view.counts);
    }
    Ok(())
}

fn add(counts: &mut Counts, array: &ArrayRef, row: usize, times: u64) {
    if times > 0 {
        let key = if array.is_null(row) {
            "null".into()
        } else {
            // Zones by name have no text here, but their instants are numbers.
            let is_instant = matches!(array.data_type(), arrow::datatypes::DataType::Timestamp(..));
            let mut shown = array.slice(row, 1);
            if is_instant {
                shown = arrow::compute::cast(&shown, &arrow::datatypes::DataType::Int64).unwrap();
            }
            format!("={}", array_value_to_string(&shown, 0).unwrap())
        };
        *counts.entry(key).or_default() += times;
    }
}

fn counts_of_view(view: &CountedColumn) -> Counts {
    let mut counts = Counts::new();
    for (row, &count) in view.counts.iter().enumerate() {
        add(&mut counts, &view.values, row, count);
    }
    if view.nulls > 0 {
        counts.insert("null".into(), view.nulls);
    }
    counts
}

fn counts_of_rows(batches: &[RecordBatch], column: usize) -> Counts {
    let mut counts = Counts::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            add(&mut counts, batch.column(column), row, 1);
        }
    }
    counts
}

/// A table whose columns repeat, with nulls, NaN and -0.0.
fn table(rows: usize) -> RecordBatch {
    let nullable = |index: usize| (index % 7 != 3).then_some(index);
    let number = |index: usize| f64::from(u32::try_from(index % 11).unwrap());
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "i",
            Arc::new(
                (0..rows)
                    .map(|i| nullable(i).map(|i| i64::try_from(i % 13).unwrap() - 6))
                    .collect::<Int64Array>(),
            ),
        ),
        ("i8", Arc::new((0..rows).map(|i| Some(i8::try_from(i % 5).unwrap() - 3)).collect::<Int8Array>())),
        (
            "u32",
            Arc::new(
                (0..rows)
                    .map(|i| nullable(i).map(|i| u32::MAX - u32::try_from(i % 3).unwrap()))
                    .collect::<UInt32Array>(),
            ),
        ),
        ("u64", Arc::new((0..rows).map(|i| Some(u64::MAX - (i % 3) as u64)).collect::<UInt64Array>())),
        (
            "f",
            Arc::new(
                (0..rows)
                    .map(|i| nullable(i).map(|i| [number(i), f64::NAN, -0.0][i % 3]))
                    .collect::<Float64Array>(),
            ),
        ),
        ("f32", Arc::new((0..rows).map(|i| Some([0.5_f32, f32::INFINITY][i % 2])).collect::<Float32Array>())),
        (
            "d",
            Arc::new(
                (0..rows)
                    .map(|i| nullable(i).map(|i| i32::try_from(i % 9).unwrap() - 4))
                    .collect::<Date32Array>(),
            ),
        ),
        (
            "s",
            Arc::new(
                (0..rows)
                    .map(|i| nullable(i).map(|i| ["", "é", "a word beyond twelve bytes"][i % 3]))
                    .collect::<StringArray>(),
            ),
        ),
        ("b", Arc::new((0..rows).map(|i| nullable(i).map(|i| i % 2 == 0)).collect::<BooleanArray>())),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| {
        let nullable = array.null_count() > 0;
        (name, array, nullable)
    }))
    .unwrap()
}

fn write(path: &Path, table: &RecordBatch, properties: WriterPropertiesBuilder) {
    let file = fs_err::File::create(path).unwrap().into_file();
    let mut writer = ArrowWriter::try_new(file, table.schema(), Some(properties.build())).unwrap();
    writer.write(table).unwrap();
    writer.close().unwrap();
}

fn properties() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_max_row_group_row_count(Some(1000))
        .set_data_page_row_count_limit(300)
        .set_write_batch_size(100)
}

#[test]
fn counted_views_equal_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    let zstd = Compression::ZSTD(ZstdLevel::default());
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, zstd] {
            let path = folder.path().join("t.parquet");
            write(&path, &table(3500), properties().set_writer_version(version).set_compression(compression));
            for (split_rows, counted_splits) in [(1000, 4), (2000, 2), (10_000, 1)] {
                let source = open_with("t.parquet", folder.path(), split_rows).unwrap();
                assert_eq!(source.plan().rows(), 3500);
                // All but the booleans, which have no dictionary.
                assert_eq!(check(&source).unwrap(), 8 * counted_splits);
            }
            // Splits that cut row groups are read by rows alone.
            let source = open_with("t.parquet", folder.path(), 100).unwrap();
            assert_eq!((source.plan().splits.len(), check(&source).unwrap()), (35, 0));
        }
    }
}

#[test]
fn cut_row_groups_give_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(2500);
    write(&folder.path().join("t.parquet"), &table, properties());
    for split_rows in [1, 7, 999, 1000, 1001, 5000] {
        let source = open_with("t.parquet", folder.path(), split_rows).unwrap();
        let mut row = 0;
        for split in &source.plan().splits {
            for batch in read(&source, split, &Request::of_rows(vec![0, 7])).unwrap().0 {
                for index in 0..batch.num_rows() {
                    for (mine, original) in [(0, 0), (1, 7)] {
                        let cell = |array: &dyn Array, row| array_value_to_string(array, row).unwrap();
                        assert_eq!(cell(batch.column(mine), index), cell(table.column(original), row));
                    }
                    row += 1;
                }
            }
        }
        assert_eq!(row, 2500);
        let head = source.head(&[7], 1700).unwrap();
        assert_eq!(head.iter().map(RecordBatch::num_rows).sum::<usize>(), 1700);
        let bare = read(&source, &source.plan().splits[0], &Request::default()).unwrap().0;
        assert_eq!(bare[0].num_columns(), 0);
        let groups = [0, 999, 1000, 2499, 2500].map(|row| source.row_group(0, row));
        assert_eq!(groups, [Some(0), Some(0), Some(1), Some(2), None]);
    }
}

#[test]
fn a_dictionary_given_up_midway_is_not_countable() {
    let folder = tempfile::tempdir().unwrap();
    let unique: StringArray = (0..4000).map(|index| Some(format!("value number {index}"))).collect();
    let table = RecordBatch::try_from_iter([("s", Arc::new(unique) as ArrayRef)]).unwrap();
    let path = folder.path().join("t.parquet");
    write(
        &path,
        &table,
        WriterProperties::builder().set_dictionary_page_size_limit(2000).set_write_batch_size(64),
    );
    let source = open_with("t.parquet", folder.path(), 10_000).unwrap();
    assert_eq!(source.countable(&source.plan().splits[0]), [false]);
    assert_eq!(check(&source).unwrap(), 0);
    assert_eq!(
        counts_of_rows(&read(&source, &source.plan().splits[0], &Request::of_rows(vec![0])).unwrap().0, 0)
            .len(),
        4000
    );
    write(&path, &table, WriterProperties::builder().set_dictionary_enabled(false));
    assert_eq!(check(&open_with("t.parquet", folder.path(), 10_000).unwrap()).unwrap(), 0);
}

#[test]
fn widths_may_differ_between_files() {
    let folder = tempfile::tempdir().unwrap();
    let narrow: ArrayRef = Arc::new(Int8Array::from(vec![1, 1, -2]));
    let wide: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(1 << 40)]));
    for (name, array) in [("a.parquet", narrow), ("b.parquet", wide)] {
        let table = RecordBatch::try_from_iter([("x", array)]).unwrap();
        write(&folder.path().join(name), &table, WriterProperties::builder());
    }
    let source = open_with("*.parquet", folder.path(), 100).unwrap();
    assert_eq!((source.plan().splits.len(), check(&source).unwrap()), (1, 1));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    write(
        &folder.path().join("c.parquet"),
        &RecordBatch::try_from_iter([("x", text)]).unwrap(),
        WriterProperties::builder(),
    );
    let error = open_with(".", folder.path(), 100).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().ends_with("column `x` is text instead of integer"), "{error}");
}

#[test]
fn columns_may_stand_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(500);
    let orders =
        [vec![0, 1, 2, 3, 4, 5, 6, 7, 8], vec![8, 3, 5, 1, 0, 7, 2, 6, 4], vec![7, 0, 8, 6, 1, 2, 3, 5, 4]];
    for (number, order) in orders.iter().enumerate() {
        let path = folder.path().join(format!("{number}.parquet"));
        write(&path, &table.project(order).unwrap(), properties());
    }
    let alone = open_with("0.parquet", folder.path(), 500).unwrap();
    for split_rows in [200, 500, 10_000] {
        let source = open_with("*.parquet", folder.path(), split_rows).unwrap();
        check(&source).unwrap();
        assert_eq!(source.plan().columns, alone.plan().columns);
        for columns in [vec![0, 3, 7], (0..9).collect(), vec![4], vec![]] {
            let expected = alone.head(&columns, 500).unwrap().into_iter();
            let expected: Vec<Vec<String>> = expected.flat_map(|batch| rows_of(&batch)).collect();
            let found = source.head(&columns, 1500).unwrap().into_iter();
            let found: Vec<Vec<String>> = found.flat_map(|batch| rows_of(&batch)).collect();
            assert!(found == [&expected[..], &expected, &expected].concat(), "{columns:?}");
        }
    }
    let counted = open_with("*.parquet", folder.path(), 10_000).unwrap();
    assert!(check(&counted).unwrap() > 5, "counted across files of different order");
    write(&folder.path().join("3.parquet"), &table.project(&[1, 0]).unwrap(), properties());
    let error = open_with("*.parquet", folder.path(), 100).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("`3.parquet` and `0.parquet` do not have"), "{error}");
    assert!(
        error.to_string().ends_with("columns `u32`, `u64`, `f`, `f32`, `d` and 2 more are missing"),
        "{error}"
    );
}

fn rows_of(batch: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |row, column: &ArrayRef| array_value_to_string(column, row).unwrap();
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| cell(row, column)).collect())
        .collect()
}

#[test]
fn files_of_the_repository() {
    let folder = repository().join("tests/data");
    let source = open_with("tiny.parquet", &folder, 100).unwrap();
    assert_eq!(source.plan().rows(), 12);
    assert!(check(&source).unwrap() > 0);
    for (name, message) in [
        ("not_parquet.parquet", "`not_parquet.parquet` is not a Parquet file: it does not begin with `PAR1`"),
        ("truncated.parquet", "`truncated.parquet` is a damaged Parquet file: its end is missing"),
    ] {
        let error = open_with(name, &folder, 100).map(|_| ()).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Malformed, message));
        assert!(error.hint().is_some());
    }
}

#[test]
fn real_files_read_or_say_why_not() {
    let Some(root) = external("parquet") else { return };
    let (mut counted, mut refused) = (0, BTreeSet::new());
    for part in ["good", "bad"] {
        for entry in fs_err::read_dir(root.join(part)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if !name.ends_with(".parquet") {
                continue;
            }
            for split_rows in [3, 1 << 18] {
                match open_with(&name, &root.join(part), split_rows).and_then(|source| check(&source)) {
                    Ok(checked) => counted += checked,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Malformed, "{error:?}");
                        refused.insert(error.to_string());
                    }
                }
            }
        }
    }
    assert!(counted > 0);
    let expected = [
        "cannot read row group 0 of `ARROW-RS-GH-6229-LEVELS.parquet`",
        "cannot read the footer of `PARQUET-1481.parquet`",
    ];
    assert_eq!(refused.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn without_proof_in_the_footer_nothing_is_counted() {
    let Some(root) = external("taxi") else { return };
    // An old writer that lists PLAIN for the dictionary page and has no statistics of its pages.
    let source = open_with("taxi_part1.parquet", &root, 1 << 18).unwrap();
    assert_eq!((source.plan().rows(), check(&source).unwrap()), (10_000, 0));
    assert!(source.inference().is_empty());
}

#[test]
fn damage_anywhere_is_an_error_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    write(&path, &table(200), properties().set_compression(Compression::SNAPPY));
    let whole = fs_err::read(&path).unwrap();
    for step in 0..300 {
        let mut bytes = whole.clone();
        let at = step * bytes.len() / 300;
        bytes[at] ^= 1 << (step % 8);
        if step % 3 == 0 {
            bytes.truncate(at);
        }
        fs_err::write(&path, &bytes).unwrap();
        // Flipped bits may leave a file that is well formed, whose counted views need not equal its rows.
        let Ok(source) = open_with("t.parquet", folder.path(), 1000) else { continue };
        for split in &source.plan().splits {
            let countable = source.countable(split).into_iter().enumerate().filter(|(_, yes)| *yes);
            let counted: Vec<usize> = countable.map(|(index, _)| index).collect();
            let rows: Vec<usize> = (0..9).filter(|&index| index < source.plan().columns.len()).collect();
            for request in [
                Request { counted: counted.clone(), ..Request::default() },
                Request { coded: counted, ..Request::default() },
                Request { apart: rows.clone(), ..Request::default() },
                Request::of_rows(rows),
            ] {
                let _ = source.read(split, &request, &mut |_| Ok(()));
            }
        }
    }
}
