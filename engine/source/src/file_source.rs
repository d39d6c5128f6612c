//! Files as a source of batches.

use std::ops::ControlFlow;
use std::path::Path;

use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;

use sluice_core::execution::Extent;
use sluice_core::plan::{Plan, PlannedColumn, PlannedSpan, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::{Execution, Result};

use crate::batches::{Sink, bare_rows};
use crate::cells::ColumnInference;
use crate::columns::check_row_hash;
use crate::csv;
use crate::error::SourceError;
use crate::ipc::{self, IpcFile};
use crate::jsonl;
use crate::listing::{ListedFile, list};
use crate::options::{Dialect, Format, SourceOptions};
use crate::parquet::{self, ParquetFile};
use crate::whole_files;

/// Files of one format and the same columns, planned and ready to be read.
#[derive(Debug)]
pub struct FileSource {
    location: String,
    files: Vec<ListedFile>,
    plan: Plan,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Csv { dialect: Dialect, inference: Vec<ColumnInference>, orders: Vec<Vec<usize>> },
    Jsonl { inference: Vec<ColumnInference>, types: Vec<DataType> },
    Parquet(Vec<ParquetFile>),
    Arrow(Vec<IpcFile>),
}

/// Opens a file, the files that a glob (`*`, `?`, `[..]`, `**`) matches, or all files of one known format in a
/// folder and its subfolders. A relative location is taken from `base`.
///
/// CSV and JSON lines are read once from end to end, to find types and split bounds; of Parquet files the footers;
/// of Arrow IPC the headers of its messages (and all bytes, to identify them).
///
/// # Errors
/// When nothing is there or cannot be read, when a file is not what it claims to be, and when the files do not
/// have the same columns.
///
/// # Examples
/// ```
/// use sluice_core::{BatchSource, Execution};
/// use sluice_source::{SourceOptions, open};
///
/// let folder = tempfile::tempdir()?;
/// fs_err::write(folder.path().join("trips.csv"), "code,fare\n007,12.5\n008,9.0\n")?;
/// let source = open("trips.csv", folder.path(), &SourceOptions::default(), &Execution::default())?;
/// assert_eq!(source.plan().rows(), 2);
/// assert_eq!(source.inference()[0].note.as_deref(), Some("kept as text: \"007\" has a leading zero (row 1)"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open(
    location: &str,
    base: &Path,
    options: &SourceOptions,
    execution: &Execution,
) -> Result<FileSource> {
    let (files, format) = list(location, base, options.format)?;
    open_files(location, (files, format), Vec::new(), options, execution)
}

/// Where the files of a span are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanLocation {
    /// Its number.
    pub span: u64,
    /// Its version, where deliveries are numbered.
    pub version: Option<u64>,
    /// A file, a glob or a folder, as for [`open`].
    pub location: String,
}

/// Opens the files of several spans, ascending, as one source; messages call it `name`.
///
/// # Errors
/// As [`open`], for each span and for all of them together.
pub fn open_spans(
    name: &str,
    spans: &[SpanLocation],
    base: &Path,
    options: &SourceOptions,
    execution: &Execution,
) -> Result<FileSource> {
    let mut all: Option<(Vec<ListedFile>, Format)> = None;
    let mut planned = Vec::new();
    for span in spans {
        let (mut files, format) = list(&span.location, base, options.format)?;
        let before = all.get_or_insert_with(|| (Vec::new(), format));
        if before.1 != format {
            let first = before.0.first().map_or_else(String::new, |file| file.shown.clone());
            return Err(SourceError::SeveralFormats {
                location: name.into(),
                first,
                first_format: before.1,
                other: files.first().map_or_else(String::new, |file| file.shown.clone()),
                other_format: format,
            }
            .into());
        }
        let first_file = before.0.len();
        planned.push(PlannedSpan { span: span.span, version: span.version, first_file });
        for file in &mut files {
            file.relative = format!("span {}/{}", span.span, file.relative);
        }
        before.0.append(&mut files);
    }
    let Some(files) = all else {
        return Err(
            SourceError::NothingFound { location: name.into(), hint: "choose at least one span" }.into()
        );
    };
    open_files(name, files, planned, options, execution)
}

fn open_files(
    location: &str,
    (files, format): (Vec<ListedFile>, Format),
    spans: Vec<PlannedSpan>,
    options: &SourceOptions,
    execution: &Execution,
) -> Result<FileSource> {
    let dialect = options.dialect()?;
    // Parquet is known by its footers; the others are read through, which may take long.
    let bytes = match format {
        Format::Parquet => None,
        Format::Csv | Format::Jsonl | Format::Arrow => files.iter().map(ListedFile::size_bytes).sum(),
    };
    execution.progress.begin("looking through", Extent { rows: None, bytes });
    let (plan, reader) = match format {
        Format::Csv => {
            let found = csv::survey(&files, &dialect, options, execution)?;
            let plan = Plan::with_spans(found.files, found.columns, spans, found.pieces, options.plan);
            let dialect = Dialect { is_trusting: found.is_trusting, ..dialect };
            (plan, Reader::Csv { dialect, inference: found.inference, orders: found.orders })
        }
        Format::Jsonl => {
            let (found, types) = jsonl::survey(&files, options, execution)?;
            let plan = Plan::with_spans(found.files, found.columns, spans, found.pieces, options.plan);
            (plan, Reader::Jsonl { inference: found.inference, types })
        }
        Format::Parquet => {
            let found = whole_files::survey::<ParquetFile>(&files, options.plan, execution)?;
            let plan = Plan::with_spans(found.planned, found.columns, spans, found.pieces, options.plan);
            (plan, Reader::Parquet(found.files))
        }
        Format::Arrow => {
            let found = whole_files::survey::<IpcFile>(&files, options.plan, execution)?;
            let plan = Plan::with_spans(found.planned, found.columns, spans, found.pieces, options.plan);
            (plan, Reader::Arrow(found.files))
        }
    };
    execution.progress.end();
    check_row_hash(&files[0].shown, &plan.columns)?;
    Ok(FileSource { location: location.into(), files, plan, reader })
}

/// The columns of files, as far as their headers tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Their names, in order.
    pub names: Vec<String>,
    /// The same with their kinds; `None` for CSV files unless the types of all columns are given, since only the cells
    /// tell them.
    pub columns: Option<Vec<PlannedColumn>>,
}

impl From<Vec<PlannedColumn>> for Header {
    fn from(columns: Vec<PlannedColumn>) -> Self {
        let names = columns.iter().map(|column| column.name.clone()).collect();
        Self { names, columns: Some(columns) }
    }
}

/// The columns, without reading the rows: from the header of the first CSV file, or from the footers and schemas of
/// Parquet and Arrow IPC. JSON lines have none, and are read.
///
/// # Errors
/// As [`open`], as far as the header shows it.
pub fn header(location: &str, base: &Path, options: &SourceOptions) -> Result<Header> {
    let dialect = options.dialect()?;
    let (files, format) = list(location, base, options.format)?;
    match format {
        Format::Csv => {
            let names = csv::header(&files, &dialect)?;
            let columns = dialect.given_columns(&names);
            Ok(Header { names, columns })
        }
        Format::Parquet => {
            let found = whole_files::survey::<ParquetFile>(&files, options.plan, &Execution::default())?;
            Ok(found.columns.into())
        }
        Format::Jsonl => {
            let (found, _) = jsonl::survey(&files, options, &Execution::default())?;
            Ok(found.columns.into())
        }
        Format::Arrow => Ok(ipc::header(&files)?.into()),
    }
}

impl FileSource {
    /// What was found out about each column of text files; empty for formats that say it themselves.
    #[must_use]
    pub fn inference(&self) -> &[ColumnInference] {
        match &self.reader {
            Reader::Csv { inference, .. } | Reader::Jsonl { inference, .. } => inference,
            Reader::Parquet(_) | Reader::Arrow(_) => &[],
        }
    }

    /// Where its files are, in the order of the plan.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.path.as_path())
    }

    /// The format of its files.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.reader {
            Reader::Csv { .. } => Format::Csv,
            Reader::Jsonl { .. } => Format::Jsonl,
            Reader::Parquet(_) => Format::Parquet,
            Reader::Arrow(_) => Format::Arrow,
        }
    }

    fn read_rows(&self, split: &Split, columns: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        for piece in &split.pieces {
            let flow = match &self.reader {
                _ if columns.is_empty() => bare_rows(piece.rows, sink)?,
                Reader::Csv { dialect, orders, .. } => {
                    let how = (dialect, &orders[piece.file][..]);
                    csv::read(&self.files[piece.file], how, &self.plan, piece, columns, sink)?
                }
                Reader::Jsonl { types, .. } => {
                    jsonl::read(&self.files[piece.file], (&self.plan, types), piece, columns, sink)?
                }
                Reader::Parquet(files) => files[piece.file].read(piece, columns, sink)?,
                Reader::Arrow(files) => files[piece.file].read(piece, columns, sink)?,
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl BatchSource for FileSource {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn name(&self) -> String {
        format!("`{}`", self.location)
    }

    fn countable(&self, split: &Split) -> Vec<bool> {
        match &self.reader {
            Reader::Csv { .. } | Reader::Jsonl { .. } | Reader::Arrow(_) => {
                vec![false; self.plan.columns.len()]
            }
            Reader::Parquet(files) => parquet::countable(files, split, self.plan.columns.len()),
        }
    }

    fn separable(&self) -> bool {
        matches!(self.reader, Reader::Parquet(_))
    }

    fn row_group(&self, file: usize, row: u64) -> Option<u64> {
        match &self.reader {
            Reader::Csv { .. } | Reader::Jsonl { .. } | Reader::Arrow(_) => None,
            Reader::Parquet(files) => {
                let groups = &files.get(file)?.groups;
                let number = groups.partition_point(|group| group.first_row + group.rows <= row);
                (number < groups.len()).then_some(number as u64)
            }
        }
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        let count = |columns: &[usize], has_codes: bool, sink: &mut dyn FnMut(Delivery) -> Result<()>| {
            let Reader::Parquet(files) = &self.reader else { return Ok(()) };
            columns.iter().try_for_each(|&column| {
                sink(Delivery::Counted(parquet::count(files, split, &self.plan, column, has_codes)?))
            })
        };
        count(&request.counted, false, sink)?;
        if let Reader::Parquet(files) = &self.reader {
            for piece in &split.pieces {
                files[piece.file].read_apart(piece, &request.apart, &mut |column, values| {
                    sink(Delivery::Apart { column, values })
                })?;
            }
        }
        self.read_rows(split, &request.rows, &mut |batch| {
            sink(Delivery::Rows(batch))?;
            Ok(ControlFlow::Continue(()))
        })?;
        count(&request.coded, true, sink)
    }

    fn head(&self, columns: &[usize], rows: usize) -> Result<Vec<RecordBatch>> {
        let mut left = rows;
        let mut batches = Vec::new();
        for split in &self.plan.splits {
            if left == 0 {
                break;
            }
            self.read_rows(split, columns, &mut |batch| {
                let taken = std::cmp::min(left, batch.num_rows());
                batches.push(batch.slice(0, taken));
                left -= taken;
                Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
        }
        Ok(batches)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};

    use sluice_core::plan::PlanOptions;

    use super::*;

    fn values(source: &FileSource, split: &Split) -> Vec<RecordBatch> {
        let mut batches = Vec::new();
        let request = Request::of_rows(vec![0]);
        let sink = &mut |delivery| {
            if let Delivery::Rows(batch) = delivery {
                batches.push(batch);
            }
            Ok(())
        };
        source.read(split, &request, sink).unwrap();
        batches
    }

    #[test]
    fn threads_change_neither_plans_nor_rows() {
        let folder = tempfile::tempdir().unwrap();
        let text = |open: &str, close: &str| {
            (0..5000).fold(String::new(), |mut text, row| {
                writeln!(text, "{open}{row}{close}").unwrap();
                text
            })
        };
        let csv = format!("x\n{}", text("", ""));
        let json = text("{\"x\":", "}");
        let array: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5000));
        let batch = RecordBatch::try_from_iter([("x", array)]).unwrap();
        let mut writer = arrow::ipc::writer::FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        for start in (0..5000).step_by(500) {
            writer.write(&batch.slice(start, 500)).unwrap();
        }
        for (name, bytes) in [
            ("t.csv", csv.clone().into_bytes()),
            ("t.csv.zst", zstd::encode_all(csv.as_bytes(), 1).unwrap()),
            ("t.jsonl", json.clone().into_bytes()),
            ("t.jsonl.zst", zstd::encode_all(json.as_bytes(), 1).unwrap()),
            ("t.arrow", writer.into_inner().unwrap()),
        ] {
            fs_err::write(folder.path().join(name), bytes).unwrap();
            let options = SourceOptions { plan: PlanOptions { split_rows: 499 }, ..SourceOptions::default() };
            let opened = [1, 4].map(|threads| {
                let threads = NonZeroUsize::new(threads).unwrap();
                let execution = Execution { threads, ..Execution::default() };
                open(name, folder.path(), &options, &execution).unwrap()
            });
            let source = &opened[0];
            assert_eq!(source.plan(), opened[1].plan());
            let splits = &source.plan().splits;
            let alone: Vec<_> = splits.iter().map(|split| values(source, split)).collect();
            let together: Vec<_> = std::thread::scope(|scope| {
                let running: Vec<_> =
                    splits.iter().map(|split| scope.spawn(|| values(source, split))).collect();
                running.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(alone, together, "{name}");
            let rows: usize = alone.iter().flatten().map(RecordBatch::num_rows).sum();
            assert_eq!((rows, splits.len() > 1), (5000, !name.ends_with(".zst")), "{name}");
        }
    }
}
