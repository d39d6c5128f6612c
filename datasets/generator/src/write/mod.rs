//! The table as files: chunks are made and encoded on all cores and put together in order, so the files are the same
//! bytes for any number of threads.
//!
//! `span-K/part-PPPPP` holds rows P · 2^22 … of span K. Each part is cut into chunks of 2^18 rows (one Parquet row
//! group) or, as CSV, of 2^16.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft, DraftFile, hex_digest};
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::{Execution, Extent};
use sluice_core::fold::in_order;
use sluice_ingest::{EncodedRows, ParquetWriter, RowGroupEncoder};

use crate::taxi::{Taxi, TaxiOptions};

mod csv;

/// The artifact's kind.
pub const TABLE_KIND: &str = "table";
/// The version of its format.
pub const TABLE_VERSION: u32 = 1;
/// The record in the folder of a table.
pub const RECORD_FILE: &str = "table.json";

/// Rows of a file, at most.
const PART_ROWS: u64 = 1 << 22;
/// Rows that are made at a time: several columns of them fit the cache.
const BLOCK_ROWS: u64 = 1 << 13;

/// How the table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Parquet with Snappy.
    Parquet,
    /// CSV with a header; null is an empty cell.
    Csv,
}

impl Format {
    fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }

    fn chunk_rows(self) -> u64 {
        match self {
            Self::Parquet => 1 << 18,
            Self::Csv => 1 << 16,
        }
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TableRecord {
    /// The generator.
    pub table: String,
    /// The options.
    #[serde(flatten)]
    pub options: TaxiOptions,
    /// The format.
    pub format: Format,
    /// Names of the columns, in order.
    pub columns: Vec<String>,
    /// Rows of each file, by path below the folder.
    pub files: BTreeMap<String, u64>,
}

/// Consecutive rows of a file.
#[derive(Debug)]
struct Chunk {
    /// Index of the span.
    span: usize,
    file: String,
    first: u64,
    rows: u64,
}

fn chunks(options: &TaxiOptions, format: Format) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for number in 1..=options.spans {
        for part in 0..options.rows.div_ceil(PART_ROWS) {
            let end = std::cmp::min((part + 1) * PART_ROWS, options.rows);
            let mut first = part * PART_ROWS;
            while first < end {
                let rows = std::cmp::min(format.chunk_rows(), end - first);
                chunks.push(Chunk {
                    // At most a thousand spans.
                    span: usize::try_from(number - 1).unwrap_or(0),
                    file: format!("span-{number}/part-{part:05}.{}", format.extension()),
                    first,
                    rows,
                });
                first += rows;
            }
        }
    }
    chunks
}

/// A chunk as bytes.
enum Encoded {
    Parquet(EncodedRows),
    Csv(Vec<u8>),
}

/// Makes the taxi table and writes it to `target`: an artifact with a folder for each span.
///
/// # Errors
/// [`OptionsError`](sluice_core::options::OptionsError) for options out of range; what writing meets.
pub fn write_taxi(
    options: &TaxiOptions,
    format: Format,
    target: &Path,
    execution: &Execution,
) -> Result<(TableRecord, Artifact)> {
    options.check()?;
    let mut draft = Draft::new(target)?;
    let spans: Vec<Taxi> = Taxi::spans(options);
    let mut files = BTreeMap::new();
    let mut open: Option<OpenFile> = None;
    let total = Extent { rows: Some(options.rows * options.spans), bytes: None };
    execution.progress.begin("taxi", total);
    in_order(
        &chunks(options, format),
        execution,
        |chunk| encode(&spans[chunk.span], chunk, format, execution),
        |chunk, encoded| {
            if let Some(done) = open.take_if(|open| open.name != chunk.file) {
                done.finish(&mut draft)?;
            }
            let file = match &mut open {
                Some(file) => file,
                None => open.insert(OpenFile::new(&mut draft, &spans[chunk.span], &chunk.file, format)?),
            };
            *files.entry(chunk.file.clone()).or_insert(0) += chunk.rows;
            file.append(encoded)
        },
    )?;
    execution.progress.end();
    if let Some(done) = open {
        done.finish(&mut draft)?;
    }
    let columns = crate::taxi::COLUMNS.iter().map(|column| column.name.to_owned()).collect();
    let record = TableRecord { table: "taxi".into(), options: options.clone(), format, columns, files };
    draft.write_json(RECORD_FILE, &record)?;
    let chosen = serde_json::to_vec(options).map_err(|error| CommonError::Internal(error.to_string()))?;
    let made_from = BTreeMap::from([("options".to_owned(), hex_digest(&chosen))]);
    Ok((record, draft.publish(TABLE_KIND, TABLE_VERSION, made_from)?))
}

fn encode(taxi: &Taxi, chunk: &Chunk, format: Format, execution: &Execution) -> Result<Encoded> {
    let bug = |error: ArrowError| CommonError::Internal(error.to_string());
    let mut encoder = RowGroupEncoder::new(&chunk.file, taxi.schema());
    let mut text = Vec::new();
    let end = chunk.first + chunk.rows;
    let mut first = chunk.first;
    while first < end {
        execution.cancel.check()?;
        let rows = std::cmp::min(BLOCK_ROWS, end - first);
        let batch = taxi.batch(first, usize::try_from(rows).unwrap_or(0)).map_err(bug)?;
        match format {
            Format::Parquet => encoder.push(&batch)?,
            Format::Csv => csv::write(&batch, &mut text).map_err(bug)?,
        }
        execution.progress.advance(rows, 0);
        first += rows;
    }
    Ok(match format {
        Format::Parquet => Encoded::Parquet(encoder.finish()?),
        Format::Csv => Encoded::Csv(text),
    })
}

/// The file that chunks are appended to.
struct OpenFile {
    name: String,
    target: Target,
}

enum Target {
    Parquet(Box<ParquetWriter>),
    Csv(Box<DraftFile>),
}

impl OpenFile {
    fn new(draft: &mut Draft, taxi: &Taxi, name: &str, format: Format) -> Result<Self> {
        let target = match format {
            Format::Parquet => Target::Parquet(Box::new(ParquetWriter::new(draft, name, taxi.schema())?)),
            Format::Csv => {
                let mut file = draft.create_file(name)?;
                file.write_all(&csv::header()).map_err(CommonError::on("write", name))?;
                Target::Csv(Box::new(file))
            }
        };
        Ok(Self { name: name.into(), target })
    }

    fn append(&mut self, encoded: Encoded) -> Result<()> {
        match (&mut self.target, encoded) {
            (Target::Parquet(writer), Encoded::Parquet(rows)) => writer.append(rows),
            (Target::Csv(file), Encoded::Csv(text)) => {
                Ok(file.write_all(&text).map_err(CommonError::on("write", &self.name))?)
            }
            _ => Err(CommonError::Internal("a chunk of another format".into()).into()),
        }
    }

    fn finish(self, draft: &mut Draft) -> Result<()> {
        match self.target {
            Target::Parquet(writer) => writer.finish(draft).map(drop),
            Target::Csv(file) => file.finish(draft),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taxi::{Drift, Fault};

    #[test]
    fn chunks_cover_every_row_once_in_parts() {
        let options = TaxiOptions::new(2 * PART_ROWS + 10, 2, 0);
        for format in [Format::Parquet, Format::Csv] {
            let all = chunks(&options, format);
            let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
            let mut next = (0, 0);
            for chunk in &all {
                if chunk.span != next.0 {
                    next = (chunk.span, 0);
                }
                assert_eq!(chunk.first, next.1);
                next.1 += chunk.rows;
                *rows.entry(&chunk.file).or_insert(0) += chunk.rows;
            }
            let extension = format.extension();
            let file = |span: u64, part: u64| format!("span-{span}/part-{part:05}.{extension}");
            for span in [1, 2] {
                let sizes = [0, 1, 2].map(|part| rows[file(span, part).as_str()]);
                assert_eq!(sizes, [PART_ROWS, PART_ROWS, 10]);
            }
            assert_eq!(rows.len(), 6);
        }
    }

    fn options(rows: u64) -> TaxiOptions {
        TaxiOptions {
            broken: vec![(Fault::Domain, 1)],
            drift: vec![Drift { column: "fare".into(), amount: 1.0 }],
            ..TaxiOptions::new(rows, 2, 3)
        }
    }

    #[test]
    fn any_number_of_threads_writes_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        // Each span is two chunks.
        for (format, rows) in [(Format::Parquet, 270_000), (Format::Csv, 66_000)] {
            let digest = |threads: usize| {
                let target = folder.path().join(threads.to_string());
                let execution = Execution::with_threads(threads);
                let (_, artifact) = write_taxi(&options(rows), format, &target, &execution).unwrap();
                artifact.digest().to_owned()
            };
            let expected = digest(1);
            assert_eq!([digest(2), digest(7)], [expected.clone(), expected]);
        }
    }

    #[test]
    fn nothing_is_left_of_an_interrupted_table() {
        let folder = tempfile::tempdir().unwrap();
        let execution = Execution::default();
        execution.cancel.cancel(2);
        let target = folder.path().join("table");
        assert!(write_taxi(&options(1000), Format::Parquet, &target, &execution).is_err());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    }
}
