//! Files as a source of batches.

use std::ops::ControlFlow;
use std::path::Path;

use arrow::record_batch::RecordBatch;

use sluice_core::plan::{Plan, Split};
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::{Execution, Result};

use crate::batches::{Sink, bare_rows};
use crate::columns::check_row_hash;
use crate::csv::{self, ColumnInference};
use crate::listing::{ListedFile, list};
use crate::options::{Dialect, Format, SourceOptions};
use crate::parquet::{self, ParquetFile};

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
    Csv { dialect: Dialect, inference: Vec<ColumnInference> },
    Parquet(Vec<ParquetFile>),
}

/// Opens a file, the files that a glob (`*`, `?`, `[..]`, `**`) matches, or all files of one known format in a
/// folder and its subfolders. A relative location is taken from `base`.
///
/// CSV files are read once from end to end, to find types and split bounds; of Parquet files the footers.
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
    let dialect = options.csv.check()?;
    let (files, format) = list(location, base, options.format)?;
    let (plan, reader) = match format {
        Format::Csv => {
            let found = csv::survey(&files, &dialect, options, execution)?;
            let plan = Plan::new(found.files, found.columns, found.pieces, options.plan);
            (plan, Reader::Csv { dialect, inference: found.inference })
        }
        Format::Parquet => {
            let found = parquet::survey(&files, options.plan, execution)?;
            let plan = Plan::new(found.planned, found.columns, found.pieces, options.plan);
            (plan, Reader::Parquet(found.files))
        }
    };
    check_row_hash(&files[0].shown, &plan.columns)?;
    Ok(FileSource { location: location.into(), files, plan, reader })
}

/// The names of the columns, without reading the rows: from the header of the first CSV file, or from the
/// footers of Parquet files.
///
/// # Errors
/// As [`open`], as far as the header shows it.
pub fn header(location: &str, base: &Path, options: &SourceOptions) -> Result<Vec<String>> {
    let dialect = options.csv.check()?;
    let (files, format) = list(location, base, options.format)?;
    match format {
        Format::Csv => csv::header(&files, &dialect),
        Format::Parquet => {
            let found = parquet::survey(&files, options.plan, &Execution::default())?;
            Ok(found.columns.into_iter().map(|column| column.name).collect())
        }
    }
}

impl FileSource {
    /// What was found out about each column of CSV files; empty for Parquet, which says it itself.
    #[must_use]
    pub fn inference(&self) -> &[ColumnInference] {
        match &self.reader {
            Reader::Csv { inference, .. } => inference,
            Reader::Parquet(_) => &[],
        }
    }

    /// The format of its files.
    #[must_use]
    pub fn format(&self) -> Format {
        match &self.reader {
            Reader::Csv { .. } => Format::Csv,
            Reader::Parquet(_) => Format::Parquet,
        }
    }

    fn read_rows(&self, split: &Split, columns: &[usize], sink: &mut Sink<'_>) -> Result<()> {
        for piece in &split.pieces {
            let flow = match &self.reader {
                _ if columns.is_empty() => bare_rows(piece.rows, sink)?,
                Reader::Csv { dialect, .. } => {
                    csv::read(&self.files[piece.file], dialect, &self.plan, piece, columns, sink)?
                }
                Reader::Parquet(files) => files[piece.file].read(piece, columns, sink)?,
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
            Reader::Csv { .. } => vec![false; self.plan.columns.len()],
            Reader::Parquet(files) => parquet::countable(files, split, self.plan.columns.len()),
        }
    }

    fn read(
        &self,
        split: &Split,
        request: &Request,
        sink: &mut dyn FnMut(Delivery) -> Result<()>,
    ) -> Result<()> {
        if let Reader::Parquet(files) = &self.reader {
            for &column in &request.counted {
                sink(Delivery::Counted(parquet::count(files, split, &self.plan, column)?))?;
            }
        }
        self.read_rows(split, &request.rows, &mut |batch| {
            sink(Delivery::Rows(batch))?;
            Ok(ControlFlow::Continue(()))
        })
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
