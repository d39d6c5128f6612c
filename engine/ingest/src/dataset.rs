//! The data set artifact: Parquet per subset, and what became of the rows.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::Artifact;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::plan::{PlanOptions, PlannedColumn};
use sluice_source::{FileSource, SourceOptions, SpanLocation};

use crate::error::IngestError;
use crate::query::QueryRecord;
use crate::write::file_of;

/// The artifact's kind.
pub const DATASET_KIND: &str = "dataset";
/// The version of its format.
pub const DATASET_VERSION: u32 = 1;
/// The file that says what became of the rows.
pub(crate) const RECORD_FILE: &str = "dataset.json";

/// What became of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// The digest of the source's plan.
    pub source_digest: String,
    /// The files that were read, with their rows; those of a query stand there, by input.
    pub files: BTreeMap<String, u64>,
    /// Rows read: those of the subsets and those left out, unless a query made other rows of them.
    pub rows_read: u64,
    /// Rows that belong to no subset.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Rows of each subset.
    pub subsets: BTreeMap<String, u64>,
    /// The spans, ascending; empty for a source without spans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<SpanRecord>,
    /// The query that made the rows, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<QueryRecord>,
    /// How rows were assigned, in words.
    pub assigned: String,
    /// The columns that identify a row; empty when all columns do.
    pub key: Vec<String>,
    /// The columns of the subsets.
    pub columns: Vec<PlannedColumn>,
    /// What the reader inferred that may surprise: column and reason.
    pub notes: Vec<String>,
}

/// A span of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanRecord {
    /// Its number.
    pub span: u64,
    /// Its version, where deliveries are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Its rows in each subset.
    pub subsets: BTreeMap<String, u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// An ingested data set.
#[derive(Clone, Debug)]
pub struct Dataset {
    artifact: Artifact,
    record: DatasetRecord,
}

impl Dataset {
    pub(crate) fn new(artifact: Artifact, record: DatasetRecord) -> Self {
        Self { artifact, record }
    }

    /// Opens and verifies a data set.
    ///
    /// # Errors
    /// `ArtifactError` when it is not one, or damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let artifact = Artifact::open(folder, DATASET_KIND, DATASET_VERSION)?;
        let record = artifact.read_json(RECORD_FILE)?;
        Ok(Self { artifact, record })
    }

    /// The artifact.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// What became of the rows.
    #[must_use]
    pub fn record(&self) -> &DatasetRecord {
        &self.record
    }

    /// The digest of the rows of a subset in a span, or of all its rows in a data set without spans, as the manifest has it.
    #[must_use]
    pub fn rows_digest(&self, subset: &str, span: Option<u64>) -> Option<&str> {
        let file = self.artifact.manifest().files.get(&file_of(subset, span))?;
        Some(&file.sha256)
    }

    /// The rows of a subset, as a source.
    ///
    /// # Errors
    /// [`IngestError::NoSuchSubset`], and what opening meets.
    pub fn subset(&self, name: &str, plan: PlanOptions, execution: &Execution) -> Result<FileSource> {
        if !self.record.subsets.contains_key(name) {
            let found = self.record.subsets.keys().cloned().collect();
            return Err(IngestError::NoSuchSubset { name: name.into(), found }.into());
        }
        let options = SourceOptions { plan, ..SourceOptions::default() };
        if self.record.spans.is_empty() {
            return sluice_source::open(name, self.artifact.folder(), &options, execution);
        }
        let spans: Vec<SpanLocation> = self
            .record
            .spans
            .iter()
            .filter(|span| span.subsets.contains_key(name))
            .map(|span| SpanLocation {
                span: span.span,
                version: span.version,
                location: file_of(name, Some(span.span)),
            })
            .collect();
        sluice_source::open_spans(name, &spans, self.artifact.folder(), &options, execution)
    }
}
