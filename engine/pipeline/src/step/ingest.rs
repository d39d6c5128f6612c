//! Ingest: source → subsets → Parquet.

use std::path::Path;

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_ingest::{Dataset, IngestOptions};
use sluice_source::{FileSource, SourceOptions};

use crate::spec::PipelineFile;
use crate::step::{EVAL, TRAIN};

/// Reads `location` (relative to `base`) and writes its subsets to `target`.
///
/// # Errors
/// What reading, sharing out and writing meet.
pub fn ingest(
    location: &str,
    base: &Path,
    source: &SourceOptions,
    options: &IngestOptions,
    target: &Path,
    execution: &Execution,
) -> Result<Dataset> {
    let source = sluice_source::open(location, base, source, execution)?;
    let notes = notes(&source);
    sluice_ingest::ingest(&source, notes, options, target, execution)
}

/// What the reader inferred that may surprise.
#[must_use]
pub fn notes(source: &FileSource) -> Vec<String> {
    source
        .inference()
        .iter()
        .filter_map(|column| Some(format!("`{}`: {}", column.column, column.note.as_ref()?)))
        .collect()
}

/// The options of a pipeline file.
#[must_use]
pub fn options(file: &PipelineFile) -> IngestOptions {
    IngestOptions {
        subsets: file.spec.data.subsets.clone(),
        key: file.spec.data.roles.key.clone(),
        required: vec![TRAIN.into(), EVAL.into()],
    }
}
