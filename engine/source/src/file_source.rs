//! Files as a source of batches.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;

use sluice_core::error::CommonError;
use sluice_core::execution::{Cancel, Extent};
use sluice_core::plan::{Piece, Plan, PlanOptions, PlannedColumn, PlannedSpan, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::{Execution, Result};
use sluice_storage::Location;

use crate::ahead::{Ahead, Unit};
use crate::batches::{Sink, bare_rows};
use crate::cells::ColumnInference;
use crate::columns::check_row_hash;
use crate::csv;
use crate::error::{SourceError, is_remote, unreadable};
use crate::input::Place;
use crate::ipc::{self, IpcFile};
use crate::jsonl;
use crate::listing::{ListedFile, list};
use crate::options::{Dialect, Format, SourceOptions};
use crate::parquet::{self, Fetched, ParquetFile};
use crate::remote_file::{Fetch, RemoteStream, STREAM_BYTES, read_magics};
use crate::tfrecord;
use crate::whole_files;

/// Files of one format and the same columns, planned and ready to be read.
#[derive(Debug)]
pub struct FileSource {
    location: String,
    files: Vec<ListedFile>,
    plan: Plan,
    reader: Reader,
    /// Of files that are elsewhere.
    ahead: Option<Ahead>,
}

#[derive(Debug)]
enum Reader {
    Csv { dialect: Dialect, inference: Vec<ColumnInference>, orders: Vec<Vec<usize>> },
    Jsonl { inference: Vec<ColumnInference>, types: Vec<DataType> },
    Parquet(Vec<ParquetFile>),
    Arrow(Vec<IpcFile>),
    Tfrecord(Vec<DataType>),
}

impl Reader {
    /// The reader of some of the files.
    fn of_files(&self, kept: &[usize]) -> Self {
        match self {
            Self::Csv { dialect, inference, orders } => Self::Csv {
                dialect: dialect.clone(),
                inference: inference.clone(),
                orders: kept.iter().map(|number| orders[*number].clone()).collect(),
            },
            Self::Jsonl { inference, types } => {
                Self::Jsonl { inference: inference.clone(), types: types.clone() }
            }
            Self::Parquet(files) => Self::Parquet(kept.iter().map(|number| files[*number].clone()).collect()),
            Self::Arrow(files) => Self::Arrow(kept.iter().map(|number| files[*number].clone()).collect()),
            Self::Tfrecord(types) => Self::Tfrecord(types.clone()),
        }
    }
}

/// Opens a file, the files that a glob (`*`, `?`, `[..]`, `**`) matches, or all files of one known format in a
/// folder and its subfolders. A relative location is taken from `base`. A URL (`s3://`, `gs://`, `az://`) stands in the
/// same way for objects of a bucket; `http://` and `https://` for a single file.
///
/// CSV, JSON lines and TFRecord are read once from end to end, to find types and split bounds; of Parquet files the footers;
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
    let (files, format) = list(location, base, options.format, &execution.cancel)?;
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
        let (mut files, format) = list(&span.location, base, options.format, &execution.cancel)?;
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

pub(crate) fn open_files(
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
        Format::Csv | Format::Jsonl | Format::Arrow | Format::Tfrecord => {
            files.iter().map(ListedFile::size_bytes).sum()
        }
    };
    execution.progress.begin("looking through", Extent { rows: None, bytes });
    if matches!(format, Format::Csv | Format::Jsonl) {
        read_magics(&files);
    }
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
            let mut found = whole_files::survey::<ParquetFile>(&files, options.plan, execution)?;
            let plan = Plan::with_spans(found.planned, found.columns, spans, found.pieces, options.plan);
            parquet::note_uses(&mut found.files, &plan.splits);
            (plan, Reader::Parquet(found.files))
        }
        Format::Arrow => {
            let found = whole_files::survey::<IpcFile>(&files, options.plan, execution)?;
            let plan = Plan::with_spans(found.planned, found.columns, spans, found.pieces, options.plan);
            (plan, Reader::Arrow(found.files))
        }
        Format::Tfrecord => {
            let found = tfrecord::survey(&files, options, execution)?;
            let plan = Plan::with_spans(found.files, found.columns, spans, found.pieces, options.plan);
            (plan, Reader::Tfrecord(found.types))
        }
    };
    execution.progress.end();
    check_row_hash(&files[0].shown, &plan.columns)?;
    let is_remote = files.iter().any(|file| file.place.remote().is_some());
    let ahead = is_remote.then(|| Ahead::new(execution.memory));
    Ok(FileSource { location: shown(location), files, plan, reader, ahead })
}

/// A location without what grants access to it.
fn shown(location: &str) -> String {
    match Location::parse(location) {
        Ok(remote @ Location::Remote(_)) => remote.to_string(),
        _ => location.into(),
    }
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
/// Parquet and Arrow IPC. JSON lines and TFRecord have none, and are read.
///
/// # Errors
/// As [`open`], as far as the header shows it.
pub fn header(location: &str, base: &Path, options: &SourceOptions) -> Result<Header> {
    let dialect = options.dialect()?;
    let (files, format) = list(location, base, options.format, &Cancel::default())?;
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
        Format::Tfrecord => Ok(tfrecord::survey(&files, options, &Execution::default())?.columns.into()),
    }
}

/// The schema of a Parquet or Arrow IPC file, of several the first, as its writer left it: with widths of numbers and
/// with what may be null, which a source does not keep. None for formats of text, which have no schema.
///
/// # Errors
/// As [`open`], as far as the schema shows it.
pub fn arrow_schema(location: &str, base: &Path, options: &SourceOptions) -> Result<Option<SchemaRef>> {
    let (files, format) = list(location, base, options.format, &Cancel::default())?;
    let Some(first) = files.first() else { return Ok(None) };
    match format {
        Format::Parquet => parquet::arrow_schema(first).map(Some),
        Format::Arrow => Ok(Some(Arc::new(ipc::schema(first)?))),
        Format::Csv | Format::Jsonl | Format::Tfrecord => Ok(None),
    }
}

impl FileSource {
    /// What was found out about each column of text files; empty for formats that say it themselves.
    #[must_use]
    pub fn inference(&self) -> &[ColumnInference] {
        match &self.reader {
            Reader::Csv { inference, .. } | Reader::Jsonl { inference, .. } => inference,
            Reader::Parquet(_) | Reader::Arrow(_) | Reader::Tfrecord(_) => &[],
        }
    }

    /// Where its files are, in the order of the plan; those that are elsewhere are copied into `scratch`, under `name`.
    ///
    /// # Errors
    /// What copying meets.
    pub fn local_paths(&self, scratch: &Path, name: &str) -> Result<Vec<PathBuf>> {
        let path = |(number, file): (usize, &ListedFile)| match &file.place {
            Place::Local(path) => Ok(path.clone()),
            Place::Remote(remote) => {
                let path = scratch.join(format!("{name}-{number}"));
                let mut copy = fs_err::File::create(&path).map_err(CommonError::on("create", &path))?;
                let mut stream = RemoteStream::whole(Arc::clone(remote), 0..remote.size_bytes());
                std::io::copy(&mut stream, &mut copy).map_err(|error| {
                    if is_remote(&error) {
                        unreadable(&file.shown, error)
                    } else {
                        CommonError::file("write", &path, error).into()
                    }
                })?;
                Ok(path)
            }
        };
        self.files.iter().enumerate().map(path).collect()
    }

    /// The format of its files.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.reader {
            Reader::Csv { .. } => Format::Csv,
            Reader::Jsonl { .. } => Format::Jsonl,
            Reader::Parquet(_) => Format::Parquet,
            Reader::Arrow(_) => Format::Arrow,
            Reader::Tfrecord(_) => Format::Tfrecord,
        }
    }

    /// The files in one folder of its location as a source of their own, with the columns of all.
    #[must_use]
    pub fn within(&self, folder: &str, options: PlanOptions) -> Self {
        let prefix = format!("{folder}/");
        let is_within = |number: &usize| self.files[*number].relative.starts_with(&prefix);
        let kept: Vec<usize> = (0..self.files.len()).filter(is_within).collect();
        let pieces = self.plan.splits.iter().flat_map(|split| &split.pieces).filter_map(|piece| {
            let file = kept.binary_search(&piece.file).ok()?;
            Some(Piece { file, ..piece.clone() })
        });
        let files = kept.iter().map(|number| self.plan.files[*number].clone()).collect();
        Self {
            location: Path::new(&self.location).join(folder).display().to_string(),
            files: kept.iter().map(|number| self.files[*number].clone()).collect(),
            plan: Plan::new(files, self.plan.columns.clone(), pieces, options),
            reader: self.reader.of_files(&kept),
            ahead: None,
        }
    }

    /// What a split wants of files that are elsewhere, with the columns of these indices.
    fn units(&self, split: &Split, columns: &[usize]) -> Vec<Unit<'_>> {
        if let Reader::Parquet(files) = &self.reader {
            return parquet::units(files, split, columns);
        }
        let is_text = !matches!(self.reader, Reader::Arrow(_));
        let units = split.pieces.iter().filter_map(|piece| {
            let (remote, (start, end)) = (self.files[piece.file].place.remote()?, piece.bytes?);
            // Text is read from one end to the other, with requests of its own under way.
            let end = if is_text { std::cmp::min(end, start + STREAM_BYTES) } else { end };
            let range = start..end;
            Some(Unit { remote, place: (piece.file, start), ranges: vec![range], uses: 1 })
        });
        units.collect()
    }

    /// What was fetched of a split, with the columns of these indices: nothing of files on this machine. The splits
    /// after it are fetched meanwhile.
    fn fetch(&self, split: &Split, columns: &[usize]) -> Fetched {
        let Some(ahead) = self.ahead.as_ref().filter(|_| !columns.is_empty()) else {
            return Fetched::default();
        };
        let units_of = |number: u64| {
            let of_plan = || self.plan.splits.get(usize::try_from(number).ok()?);
            // The one that is read may be a part of one of the plan.
            let split = if number == split.number { split } else { of_plan()? };
            Some(self.units(split, columns))
        };
        Fetched::new(ahead.take(columns, split.number, units_of))
    }

    fn read_rows(
        &self,
        split: &Split,
        columns: &[usize],
        fetched: &Fetched,
        sink: &mut Sink<'_>,
    ) -> Result<()> {
        for piece in &split.pieces {
            let start = piece.bytes.map_or(0, |(start, _)| start);
            let found = fetched.get((piece.file, start));
            let flow = match &self.reader {
                _ if columns.is_empty() => bare_rows(piece.rows, sink)?,
                Reader::Csv { dialect, orders, .. } => {
                    let how = (dialect, &orders[piece.file][..]);
                    let piece = (piece, self.first_bytes(piece, found)?);
                    csv::read(&self.files[piece.0.file], how, &self.plan, piece, columns, sink)?
                }
                Reader::Jsonl { types, .. } => {
                    let piece = (piece, self.first_bytes(piece, found)?);
                    jsonl::read(&self.files[piece.0.file], (&self.plan, types), piece, columns, sink)?
                }
                Reader::Parquet(files) => files[piece.file].read(piece, columns, fetched, sink)?,
                Reader::Arrow(files) => files[piece.file].read(piece, columns, found.cloned(), sink)?,
                Reader::Tfrecord(types) => {
                    let piece = (piece, self.first_bytes(piece, found)?);
                    tfrecord::read(&self.files[piece.0.file], (&self.plan, types), piece, columns, sink)?
                }
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// The first bytes of a piece, if they were fetched.
    fn first_bytes(&self, piece: &Piece, fetched: Option<&Arc<Fetch>>) -> Result<Option<Bytes>> {
        let (Some(fetch), Some((start, end))) = (fetched, piece.bytes) else { return Ok(None) };
        let end = std::cmp::min(end, start + STREAM_BYTES);
        let failed = |error| unreadable(&self.files[piece.file].shown, error);
        fetch
            .bytes(start..end)
            .map(Some)
            .map_err(|error| fetch.take_failure().unwrap_or_else(|| failed(error)))
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
            Reader::Csv { .. } | Reader::Jsonl { .. } | Reader::Arrow(_) | Reader::Tfrecord(_) => {
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
            Reader::Csv { .. } | Reader::Jsonl { .. } | Reader::Arrow(_) | Reader::Tfrecord(_) => None,
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
        let wanted = [&request.counted, &request.apart, &request.rows, &request.coded];
        let mut wanted: Vec<usize> = wanted.into_iter().flatten().copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let fetched = self.fetch(split, &wanted);
        let count = |columns: &[usize], has_codes: bool, sink: &mut dyn FnMut(Delivery) -> Result<()>| {
            let Reader::Parquet(files) = &self.reader else { return Ok(()) };
            columns.iter().try_for_each(|&column| {
                let counted = parquet::count(files, split, &self.plan, (column, has_codes), &fetched)?;
                sink(Delivery::Counted(counted))
            })
        };
        count(&request.counted, false, sink)?;
        if let Reader::Parquet(files) = &self.reader {
            for piece in &split.pieces {
                let mut sink = |column, values| sink(Delivery::Apart { column, values });
                files[piece.file].read_apart(piece, &request.apart, &fetched, &mut sink)?;
            }
        }
        self.read_rows(split, &request.rows, &fetched, &mut |batch| {
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
            let fetched = Fetched::in_passing(&self.units(split, columns));
            self.read_rows(split, columns, &fetched, &mut |batch| {
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

    use arrow::array::{ArrayRef, Int64Array};

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
