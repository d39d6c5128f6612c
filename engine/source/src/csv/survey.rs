//! The pre-pass over CSV files: names and types of the columns, rows, split bounds and fingerprint.
//!
//! Files are looked at in parts on all threads, each once; what the parts tell is joined in the order of the
//! rows, so that types, notes, bounds and errors are those of reading from end to end, for any size of the parts
//! and any number of threads. Memory grows with the threads, not with the files. Types are inferred over all
//! files together, so that a column that is empty in one file takes its type from the others.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};

use sluice_core::error::CommonError;
use sluice_core::fold::in_order;
use sluice_core::plan::{Piece, PlannedColumn, PlannedFile};
use sluice_core::{Error, Execution, Result};

use super::part::{Chain, Common, Findings, Layout, News, Range, Stop, read_packed, read_range};
use super::row_reader::RowReader;
use super::{line_of, row_error};
use crate::ahead::{Ahead, Unit};
use crate::cells::{Class, ColumnInference, Inference, shorten};
use crate::columns::{check_names, match_names};
use crate::error::{CsvPlace, SourceError};
use crate::listing::ListedFile;
use crate::options::{Dialect, SourceOptions, trim};
use crate::text_input::{Packing, open_file, open_text};

/// What the pre-pass finds out.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) files: Vec<PlannedFile>,
    pub(crate) columns: Vec<PlannedColumn>,
    pub(crate) pieces: Vec<Piece>,
    pub(crate) inference: Vec<ColumnInference>,
    /// For each file and column of the table, the cell of the file's rows that holds it.
    pub(crate) orders: Vec<Vec<usize>>,
    /// Whether no cell was looked at, since all types were given.
    pub(crate) is_trusting: bool,
}

/// Bytes of a part: many enough to outweigh what each costs by itself, few enough to be held by all threads.
const PART_BYTES: u64 = 1 << 21;

/// Looks at all files once.
pub(crate) fn survey(
    files: &[ListedFile],
    dialect: &Dialect,
    options: &SourceOptions,
    execution: &Execution,
) -> Result<Survey> {
    survey_in_parts(files, dialect, options, execution, PART_BYTES)
}

/// As [`survey`], with parts of this size, which is at least 4 bytes: a byte order mark is never cut.
pub(super) fn survey_in_parts(
    files: &[ListedFile],
    dialect: &Dialect,
    options: &SourceOptions,
    execution: &Execution,
    part_bytes: u64,
) -> Result<Survey> {
    let (names, first_row_at) = read_names(&files[0], dialect)?;
    check_names(&files[0].shown, &names)?;
    check_given(&files[0].shown, &names, options)?;
    let dialect = Dialect { is_trusting: dialect.gives_all(&names), ..dialect.clone() };
    let forced: Vec<_> = names.iter().map(|name| dialect.given.get(name).copied()).collect();
    let inference = forced.iter().map(|forced| Inference::new(*forced)).collect();
    let common = Common { dialect: &dialect, execution, forced };
    let layouts = Layouts::new(files, &names, &dialect);
    layouts.set_first(first_row_at);
    let tasks = tasks(files, std::cmp::max(part_bytes, 4));
    let chains: Vec<Chain> = files.iter().map(|_| Chain::new()).collect();
    let mut joined = Joined {
        files,
        dialect: &dialect,
        names: &names,
        layouts: &layouts,
        split_rows: std::cmp::max(options.plan.split_rows, 1),
        inference,
        rows: 0,
        file: FileSoFar::default(),
        planned: Vec::new(),
        pieces: Vec::new(),
    };
    let ahead = Ahead::new(execution.memory);
    let work = |task: &Task| {
        let file = &files[task.file];
        let layout = layouts.of(task.file);
        match (task.range, layout) {
            (Some(range), layout) => {
                let fetched = file.place.remote().and_then(|_| {
                    let units_of = |number| units_of(files, &tasks, number);
                    ahead.take(&[], task.number, units_of).pop().map(|(_, fetch)| fetch)
                });
                read_range(file, (range, fetched), &chains[task.file], layout, &common)
            }
            (None, Some(layout)) => read_packed(file, layout, &common),
            (None, None) => Ok(Findings::default()),
        }
    };
    in_order(&tasks, execution, work, |task, findings| joined.take(task, findings))?;
    let Joined { inference, planned, pieces, .. } = joined;
    let orders = (0..files.len()).filter_map(|file| Some(layouts.of(file)?.order.clone())).collect();
    let (mut columns, mut notes) = (Vec::new(), Vec::new());
    for (name, column) in names.iter().zip(inference) {
        let (kind, note) = column.finish();
        columns.push(PlannedColumn { name: name.clone(), kind: kind.clone() });
        notes.push(ColumnInference { column: name.clone(), kind, note });
    }
    let is_trusting = dialect.is_trusting;
    Ok(Survey { files: planned, columns, pieces, inference: notes, orders, is_trusting })
}

/// The names of the columns of the first file, from its first row alone.
pub(crate) fn header(files: &[ListedFile], dialect: &Dialect) -> Result<Vec<String>> {
    let (names, _) = read_names(&files[0], dialect)?;
    check_names(&files[0].shown, &names)?;
    Ok(names)
}

/// Types are given for columns that are there.
pub(super) fn check_given(file: &str, names: &[String], options: &SourceOptions) -> Result<()> {
    match options.csv.types.keys().find(|column| !names.contains(column)) {
        Some(column) => {
            let (column, place, available) = (column.clone(), format!("`{file}`"), names.to_vec());
            Err(CommonError::ColumnMissing { column, place, available }.into())
        }
        None => Ok(()),
    }
}

/// The names of the columns of a file, and where its rows begin.
pub(super) fn read_names(file: &ListedFile, dialect: &Dialect) -> Result<(Vec<String>, u64)> {
    let (_, packing) = open_file(file)?;
    let mut reader = RowReader::new(open_text(file)?, 0, dialect.delimiter);
    let failed = |error| row_error(file, packing, error, None, &[]);
    check_magic(file, reader.peek().map_err(failed)?)?;
    let row = reader.next_row().map_err(failed)?;
    let Some(row) = row else { return Err(SourceError::EmptyFile { file: file.shown.clone() }.into()) };
    let mut scratch = String::new();
    let mut names = Vec::with_capacity(row.len());
    for index in 0..row.len() {
        let cell = row.cell(index, &mut scratch);
        let name = if cell.quoted { cell.text } else { trim(cell.text) };
        if row.len() == 1 && !cell.quoted {
            check_delimiter(file, dialect, name)?;
        }
        let unnamed = !dialect.header || name.is_empty();
        names.push(if unnamed { format!("column_{}", index + 1) } else { name.to_owned() });
    }
    let first_row_at = if dialect.header { reader.position() } else { 0 };
    Ok((names, first_row_at))
}

fn check_delimiter(file: &ListedFile, dialect: &Dialect, header: &str) -> Result<()> {
    let likely = [b';', b'\t', b'|', b',']
        .into_iter()
        .find(|&other| other != dialect.delimiter && header.as_bytes().contains(&other));
    let Some(likely) = likely else { return Ok(()) };
    Err(SourceError::WrongDelimiter {
        file: file.shown.clone(),
        header: shorten(header),
        delimiter: shown_delimiter(dialect.delimiter),
        likely: shown_delimiter(likely),
    }
    .into())
}

/// How the columns stand in each file, found out by whoever first needs it.
struct Layouts<'a> {
    files: &'a [ListedFile],
    names: &'a [String],
    dialect: &'a Dialect,
    found: Vec<OnceLock<Option<Layout>>>,
    /// Why there is none, by file.
    errors: Mutex<BTreeMap<usize, Error>>,
}

impl<'a> Layouts<'a> {
    fn new(files: &'a [ListedFile], names: &'a [String], dialect: &'a Dialect) -> Self {
        let found = files.iter().map(|_| OnceLock::new()).collect();
        Self { files, names, dialect, found, errors: Mutex::new(BTreeMap::new()) }
    }

    fn set_first(&self, first_row_at: u64) {
        let order = (0..self.names.len()).collect();
        self.found[0].get_or_init(|| Some(Layout { names: self.names.to_vec(), order, first_row_at }));
    }

    fn of(&self, number: usize) -> Option<&Layout> {
        self.found[number].get_or_init(|| self.find(number)).as_ref()
    }

    fn find(&self, number: usize) -> Option<Layout> {
        let file = &self.files[number];
        let found = read_names(file, self.dialect).and_then(|(names, first_row_at)| {
            let order = match_names(&self.files[0].shown, self.names, &file.shown, &names)?;
            Ok(Layout { names, order, first_row_at })
        });
        found
            .map_err(|error| self.errors.lock().unwrap_or_else(PoisonError::into_inner).insert(number, error))
            .ok()
    }

    fn take_error(&self, number: usize) -> Option<Error> {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).remove(&number)
    }
}

/// A part of a file.
struct Task {
    number: u64,
    file: usize,
    packing: Packing,
    /// None where the whole file is one part.
    range: Option<Range>,
}

/// What a part wants of a file that is elsewhere.
fn units_of<'a>(files: &'a [ListedFile], tasks: &[Task], number: u64) -> Option<Vec<Unit<'a>>> {
    let task = tasks.get(usize::try_from(number).ok()?)?;
    let unit = task.range.zip(files[task.file].place.remote()).map(|(range, remote)| Unit {
        remote,
        place: (task.file, range.start),
        ranges: vec![range.fetched()],
        uses: 1,
    });
    Some(unit.into_iter().collect())
}

/// All parts in order. What cannot be opened is a part too, so that its error comes after those of the files
/// before it.
fn tasks(files: &[ListedFile], part_bytes: u64) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (file, listed) in files.iter().enumerate() {
        let opened = open_file(listed).ok();
        let packing = opened.as_ref().map_or(Packing::Plain, |(_, packing)| *packing);
        let size_bytes = opened.and_then(|(input, _)| input.size_bytes().ok());
        let first = tasks.len() as u64;
        let Some(size_bytes) = size_bytes.filter(|_| packing == Packing::Plain) else {
            tasks.push(Task { number: first, file, packing, range: None });
            continue;
        };
        let parts = std::cmp::max(size_bytes.div_ceil(part_bytes), 1);
        tasks.extend((0..parts).zip(0..).map(|(part, number)| {
            let start = part * part_bytes;
            let end = std::cmp::min(start + part_bytes, size_bytes);
            let range = Some(Range { number, start, end, size_bytes });
            Task { number: first + part, file, packing, range }
        }));
    }
    tasks
}

/// What is known of the file that is being joined.
#[derive(Default)]
struct FileSoFar {
    rows: u64,
    bounds: Vec<u64>,
}

/// All parts so far.
struct Joined<'a> {
    files: &'a [ListedFile],
    dialect: &'a Dialect,
    names: &'a [String],
    layouts: &'a Layouts<'a>,
    split_rows: u64,
    inference: Vec<Inference>,
    /// Of all files.
    rows: u64,
    file: FileSoFar,
    planned: Vec<PlannedFile>,
    pieces: Vec<Piece>,
}

impl Joined<'_> {
    /// Takes in the part that follows.
    fn take(&mut self, task: &Task, mut findings: Findings) -> Result<()> {
        if let Some(error) = self.layouts.take_error(task.file) {
            return Err(error);
        }
        for news in std::mem::take(&mut findings.news) {
            self.take_news(task, &news, &mut findings.leading_texts[news.column])?;
        }
        if let Some(stop) = findings.stop {
            return Err(self.stopped(task, stop, self.file.rows + findings.rows + 1));
        }
        if let Some(range) = task.range {
            let until_bound = (self.split_rows - self.file.rows % self.split_rows) % self.split_rows;
            let mut next = until_bound;
            while let Some(start) = usize::try_from(next).ok().and_then(|at| findings.row_starts.get(at)) {
                self.file.bounds.push(range.start + u64::from(*start));
                next += self.split_rows;
            }
        }
        self.file.rows += findings.rows;
        self.rows += findings.rows;
        if let Some((size_bytes, fingerprint)) = findings.end {
            self.end_file(task, size_bytes, fingerprint);
        }
        Ok(())
    }

    fn take_news(&mut self, task: &Task, news: &News, leading_texts: &mut u32) -> Result<()> {
        let inference = &mut self.inference[news.column];
        let is_beyond = self.dialect.infer_rows.is_some_and(|rows| self.rows + news.row >= rows);
        if !inference.is_open() || is_beyond && !inference.is_forced() {
            return Ok(());
        }
        let file = &self.files[task.file];
        let number = self.file.rows + news.row + 1;
        let several = self.files.len() > 1;
        let place =
            || if several { format!("row {number} of `{}`", file.shown) } else { format!("row {number}") };
        if let Err(forced) = inference.take(&news.text, news.class, place) {
            let (offset, column, text) = (news.offset, news.column, news.text.clone());
            return Err(self.stopped(task, Stop::CellType { offset, column, text, forced }, number));
        }
        if news.class == Class::Text {
            inference.skip_texts(std::mem::take(leading_texts).saturating_sub(1));
        }
        Ok(())
    }

    /// The error of a row; rows count from 1.
    fn stopped(&self, task: &Task, stop: Stop, row: u64) -> Error {
        let file = &self.files[task.file];
        let place =
            |offset| CsvPlace { file: file.shown.clone(), row: Some(row), line: line_of(file, offset) };
        match stop {
            Stop::Row(error) => {
                let names = self.layouts.of(task.file).map_or(&[][..], |layout| &layout.names);
                row_error(file, task.packing, error, Some(row), names)
            }
            Stop::Ragged { offset, found } => {
                SourceError::Ragged { place: place(offset), expected: self.names.len(), found }.into()
            }
            Stop::CellType { offset, column, text, forced } => SourceError::CellType {
                place: place(offset),
                column: self.names[column].clone(),
                cell: text,
                expected: forced.with_article(),
                forced,
            }
            .into(),
        }
    }

    fn end_file(&mut self, task: &Task, size_bytes: u64, fingerprint: String) {
        let FileSoFar { rows, bounds } = std::mem::take(&mut self.file);
        let path = self.files[task.file].relative.clone();
        self.planned.push(PlannedFile { path, size_bytes, rows, fingerprint });
        match task.range {
            Some(_) => self.pieces.extend(pieces(task.file, &bounds, rows, self.split_rows, size_bytes)),
            // There is no way into the middle of a packed file.
            None => {
                let bytes = Some((0, size_bytes));
                self.pieces.push(Piece { file: task.file, first_row: 0, rows, bytes });
            }
        }
    }
}

/// The pieces of a file whose every `split_rows`-th row begins at these bounds.
pub(crate) fn pieces(file: usize, bounds: &[u64], rows: u64, split_rows: u64, size_bytes: u64) -> Vec<Piece> {
    let ends = bounds.iter().skip(1).copied().chain([size_bytes]);
    let mut first_row = 0;
    let mut pieces = Vec::with_capacity(bounds.len());
    for (&start, end) in bounds.iter().zip(ends) {
        let piece_rows = std::cmp::min(split_rows, rows - first_row);
        pieces.push(Piece { file, first_row, rows: piece_rows, bytes: Some((start, end)) });
        first_row += piece_rows;
    }
    pieces
}

fn shown_delimiter(delimiter: u8) -> String {
    if delimiter == b'\t' { "a tab".into() } else { format!("`{}`", char::from(delimiter)) }
}

/// Other kinds of files that come under the name of a text format.
pub(crate) fn check_magic(file: &ListedFile, magic: &[u8]) -> Result<()> {
    let (what, hint) = match magic {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => {
            ("UTF-16", "convert the file to UTF-8, for example with `iconv -f utf-16 -t utf-8`")
        }
        [0x1F, 0x8B, ..] | [0x28, 0xB5, 0x2F, 0xFD] => ("compressed twice", "unpack it once first"),
        b"PK\x03\x04" => ("a ZIP archive or a spreadsheet", "unpack it, or export the sheet as CSV"),
        b"PAR1" | b"PARE" => ("Parquet", "set the format to `parquet`, or end its name in `.parquet`"),
        b"ARRO" => ("Arrow IPC", "set the format to `arrow`, or end its name in `.arrow`"),
        _ => return Ok(()),
    };
    Err(SourceError::NotText { file: file.shown.clone(), what, hint }.into())
}
