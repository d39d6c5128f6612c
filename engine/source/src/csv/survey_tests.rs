//! The pre-pass in parts, on several threads, against reading from end to end, cell by cell.

use std::path::Path;

use proptest::prelude::*;

use sluice_core::column::ColumnKind;
use sluice_core::execution::Cancel;
use sluice_core::plan::{Piece, PlanOptions, PlannedFile};
use sluice_core::{Error, ErrorKind, Execution, Result};

use super::line_of;
use super::row_error;
use super::row_reader::RowReader;
use super::survey::{check_given, pieces, read_names, survey_in_parts};
use crate::cells::{Inference, class_of, shorten};
use crate::columns::{check_names, match_names};
use crate::error::{CsvPlace, SourceError};
use crate::listing::{ListedFile, list};
use crate::options::{Dialect, SourceOptions, trim};
use crate::text_input::{Packing, open_hashed};
use crate::{CsvOptions, CsvType};

type Found = (Vec<PlannedFile>, Vec<(String, ColumnKind, Option<String>)>, Vec<Piece>, Vec<Vec<usize>>);

/// One thread, every cell, no parts.
fn from_end_to_end(files: &[ListedFile], dialect: &Dialect, options: &SourceOptions) -> Result<Found> {
    let (names, _) = read_names(&files[0], dialect)?;
    check_names(&files[0].shown, &names)?;
    check_given(&files[0].shown, &names, options)?;
    let forced: Vec<_> = names.iter().map(|name| dialect.given.get(name).copied()).collect();
    let mut columns: Vec<Inference> = forced.iter().map(|forced| Inference::new(*forced)).collect();
    let (mut planned, mut all_pieces, mut orders) = (Vec::new(), Vec::new(), Vec::new());
    let (mut total, mut scratch) = (0_u64, String::new());
    for (number, file) in files.iter().enumerate() {
        let (own_names, _) = read_names(file, dialect)?;
        let order = match_names(&files[0].shown, &names, &file.shown, &own_names)?;
        let (input, packing) = open_hashed(file, None)?;
        let mut reader = RowReader::new(input, 0, dialect.delimiter);
        let at = |error, row| row_error(file, packing, error, row, &own_names);
        if dialect.header {
            reader.next_row().map_err(|error| at(error, None))?;
        }
        let (mut rows, mut bounds) = (0_u64, Vec::new());
        while let Some(row) = reader.next_row().map_err(|error| at(error, Some(rows + 1)))? {
            if rows.is_multiple_of(options.plan.split_rows) {
                bounds.push(row.offset);
            }
            rows += 1;
            total += 1;
            let place =
                || CsvPlace { file: file.shown.clone(), row: Some(rows), line: line_of(file, row.offset) };
            if row.len() != names.len() {
                let (place, expected) = (place(), names.len());
                return Err(SourceError::Ragged { place, expected, found: row.len() }.into());
            }
            let shown = || {
                let of = if files.len() > 1 { format!(" of `{}`", file.shown) } else { String::new() };
                format!("row {rows}{of}")
            };
            let is_beyond = dialect.infer_rows.is_some_and(|limit| total > limit);
            for (index, column) in columns.iter_mut().enumerate().filter(|(_, column)| column.is_open()) {
                let cell = row.cell(order[index], &mut scratch);
                let text = if cell.quoted { cell.text } else { trim(cell.text) };
                if is_beyond && !column.is_forced() || !cell.quoted && dialect.is_null(text) {
                    continue;
                }
                let taken = class_of(text, forced[index]).and_then(|class| column.take(text, class, shown));
                taken.map_err(|forced| misfit(place(), &names[index], text, forced))?;
            }
        }
        let (size_bytes, fingerprint) = reader.into_input().into_raw().finish(&dialect.mark()).unwrap();
        planned.push(PlannedFile { path: file.relative.clone(), size_bytes, rows, fingerprint });
        all_pieces.extend(if packing == Packing::Plain {
            pieces(number, &bounds, rows, options.plan.split_rows, size_bytes)
        } else {
            vec![Piece { file: number, first_row: 0, rows, bytes: Some((0, size_bytes)) }]
        });
        orders.push(order);
    }
    let columns = names.into_iter().zip(columns).map(|(name, column)| {
        let (kind, note) = column.finish();
        (name, kind, note)
    });
    Ok((planned, columns.collect(), all_pieces, orders))
}

fn misfit(place: CsvPlace, column: &str, text: &str, forced: CsvType) -> SourceError {
    let (column, cell, expected) = (column.to_owned(), shorten(text), forced.with_article());
    SourceError::CellType { place, column, cell, expected, forced }
}

fn in_parts(
    files: &[ListedFile],
    dialect: &Dialect,
    options: &SourceOptions,
    (threads, part_bytes): (usize, u64),
) -> Result<(Found, bool)> {
    let found = survey_in_parts(files, dialect, options, &Execution::with_threads(threads), part_bytes)?;
    let columns = found.inference.into_iter().map(|column| (column.column, column.kind, column.note));
    Ok(((found.files, columns.collect(), found.pieces, found.orders), found.is_trusting))
}

fn told(error: &Error) -> (ErrorKind, String, Option<String>) {
    (error.kind(), error.to_string(), error.hint())
}

fn listed(folder: &Path) -> Vec<ListedFile> {
    list("*", folder, Some(crate::Format::Csv), &Cancel::default()).unwrap().0
}

/// Any text, mostly with a sound beginning, so that there are rows to look at.
fn text(delimiter: char) -> impl Strategy<Value = String> {
    let cell = prop_oneof![
        6 => prop::sample::select(vec!["1", "-2", "0.5", "007", "true", "", "NA", "x", "2020-01-01", "1e9"])
            .prop_map(str::to_owned),
        3 => prop::sample::select(vec!["\"a\"", "\"\"", "\"a\"\"b\"", "\"1\n2\"", "\"\r\n\"", "\"q;,\"", "a\"b"])
            .prop_map(str::to_owned),
        1 => "[ab\",;\n\r\0é]{0,5}",
    ];
    let row = prop::collection::vec(cell, 2).prop_map(move |cells| cells.join(&delimiter.to_string()));
    let end = prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n"]);
    let rows = prop::collection::vec((row, end), 0..12)
        .prop_map(|rows| rows.into_iter().map(|(row, end)| row + end).collect::<String>());
    let tail = prop_oneof![3 => Just(String::new()), 1 => "[ab\",;\n\r]{0,12}"];
    let head = prop::sample::select(vec!["", "\u{feff}", "\n", "\u{feff}\r\n"]);
    (head, rows, tail).prop_map(move |(head, rows, tail)| format!("{head}a{delimiter}\"b\"\n{rows}{tail}"))
}

proptest! {
    #[test]
    fn parts_and_threads_change_nothing(
        (delimiter, texts) in prop::sample::select(vec![',', ';'])
            .prop_flat_map(|delimiter| (Just(delimiter), prop::collection::vec(text(delimiter), 1..3))),
        packed in prop::bool::weighted(0.2),
        header in prop::bool::weighted(0.8),
        infer_rows in prop::option::weighted(0.2, 1..6_u64),
        split_rows in 1..5_u64,
        given in prop::collection::vec(
            prop::option::weighted(0.25, prop::sample::select(vec![
                CsvType::Text, CsvType::Integer, CsvType::Float, CsvType::Timestamp,
            ])), 2),
        part_bytes in 4..40_u64,
        threads in 1..5_usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (number, text) in texts.iter().enumerate() {
            let bytes = if packed && number == 0 {
                zstd::encode_all(text.as_bytes(), 1).unwrap()
            } else {
                text.as_bytes().to_vec()
            };
            fs_err::write(folder.path().join(format!("{number}.csv")), bytes).unwrap();
        }
        let names = if header { ["a", "b"] } else { ["column_1", "column_2"] };
        let types = names.iter().zip(&given)
            .filter_map(|(name, given)| Some(((*name).to_owned(), (*given)?)));
        let csv = CsvOptions {
            delimiter, header, null_values: vec!["NA".into()], types: types.collect(),
        };
        let options = SourceOptions { csv, infer_rows, plan: PlanOptions { split_rows }, ..SourceOptions::default() };
        let dialect = options.dialect().unwrap();
        let files = listed(folder.path());
        let expected = from_end_to_end(&files, &dialect, &options).map_err(|error| told(&error));
        for how in [(threads, part_bytes), (1, part_bytes), (threads, 1 << 20)] {
            let found = in_parts(&files, &dialect, &options, how).map_err(|error| told(&error));
            match (found, &expected) {
                // Without a look at the cells, what is wrong with them comes up later.
                (Ok((_, true)), Err(_)) => {}
                (found, expected) => prop_assert_eq!(&found.map(|(found, _)| found), expected, "{:?}", how),
            }
        }
    }
}

#[test]
fn the_first_error_in_the_data_is_told_whatever_comes_first() {
    let folder = tempfile::tempdir().unwrap();
    let rows = |bad: &str| format!("a,b\n{}{bad}\n{}", "1,2\n".repeat(5000), "1,2,3\n".repeat(5000));
    fs_err::write(folder.path().join("0.csv"), rows("x,\"y\"z")).unwrap();
    fs_err::write(folder.path().join("1.csv"), "c\n").unwrap();
    for threads in [1, 2, 7] {
        let options = SourceOptions::default();
        let files = listed(folder.path());
        let dialect = options.dialect().unwrap();
        let error = in_parts(&files, &dialect, &options, (threads, 64)).unwrap_err();
        let message = "`0.csv`, row 5001 (line 5002): text follows the closing quote of cell 2";
        assert_eq!(error.to_string(), message);
    }
    fs_err::write(folder.path().join("0.csv"), "a,b\n1,2\n").unwrap();
    let options = SourceOptions::default();
    let error = in_parts(&listed(folder.path()), &options.dialect().unwrap(), &options, (3, 64)).unwrap_err();
    assert!(error.to_string().starts_with("`1.csv` and `0.csv` do not have the same columns"), "{error}");
}

#[test]
fn cancelling_ends_the_waiting() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("0.csv"), "a,b\n1,2\n".repeat(10_000)).unwrap();
    let execution = Execution::with_threads(4);
    execution.cancel.cancel(2);
    let options = SourceOptions::default();
    let files = listed(folder.path());
    let error = survey_in_parts(&files, &options.dialect().unwrap(), &options, &execution, 64).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Interrupted(2)), "{:?}", error.kind());
}
