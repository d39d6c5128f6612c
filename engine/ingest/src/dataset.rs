//! The data set artifact: files per subset, and what became of the rows. What TFX left, a folder with folders
//! `Split-NAME`, is one too, without our manifest.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use sluice_core::artifact::Artifact;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::plan::{Plan, PlanOptions, PlannedColumn};
use sluice_core::seam::BatchSource;
use sluice_source::{FileSource, Format, SourceOptions, SpanLocation};

use crate::error::IngestError;
use crate::query::QueryRecord;
use crate::split_folders::{SPLIT_PREFIX, subset_of_file};
use crate::subset_files::DatasetFormat;
use crate::subsets::{BY_SPLIT_FOLDER, SubsetOptions, check_name};

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
    /// How the rows are written.
    #[serde(default, skip_serializing_if = "DatasetFormat::is_parquet")]
    pub format: DatasetFormat,
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
    /// The files in folders `Split-NAME`, once they were looked through: their columns follow from all of them.
    split_files: OnceLock<Arc<FileSource>>,
}

impl Dataset {
    pub(crate) fn new(artifact: Artifact, record: DatasetRecord) -> Self {
        Self { artifact, record, split_files: OnceLock::new() }
    }

    /// Opens and verifies a data set.
    ///
    /// # Errors
    /// `ArtifactError` when it is not one, or damaged.
    pub fn open(folder: &Path) -> Result<Self> {
        let artifact = Artifact::open(folder, DATASET_KIND, DATASET_VERSION)?;
        let record = artifact.read_json(RECORD_FILE)?;
        Ok(Self::new(artifact, record))
    }

    /// The files of `folder`, each in a folder `Split-NAME`, as TFX leaves them.
    ///
    /// # Errors
    /// [`IngestError::NoFolder`].
    pub fn of_split_folders(folder: &Path, files: FileSource, notes: Vec<String>) -> Result<Self> {
        let plan = files.plan();
        let record = DatasetRecord {
            source_digest: plan.digest.clone(),
            files: plan.files.iter().map(|file| (file.path.clone(), file.rows)).collect(),
            rows_read: plan.rows(),
            left_out: 0,
            subsets: rows_of_folders(plan)?,
            spans: Vec::new(),
            query: None,
            assigned: SubsetOptions { by: BY_SPLIT_FOLDER.into(), seed: None, shares: BTreeMap::new() }
                .rule(),
            key: Vec::new(),
            columns: plan.columns.clone(),
            format: DatasetFormat::default(),
            notes,
        };
        let made_from = BTreeMap::from([("source".to_owned(), plan.digest.clone())]);
        let artifact = Artifact::of_others(folder, DATASET_KIND, DATASET_VERSION, made_from)?;
        Ok(Self { artifact, record, split_files: OnceLock::from(Arc::new(files)) })
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
        let manifest = self.artifact.manifest();
        match manifest.files.get(&self.record.format.file_of(subset, span)) {
            Some(file) => Some(&file.sha256),
            // Files that others wrote are known by their plan, in which this subset lies.
            None => self.split_files.get().and(manifest.made_from.get("source")).map(String::as_str),
        }
    }

    /// The files in folders `Split-NAME`, if that is how the rows lie.
    fn split_files(&self, plan: PlanOptions, execution: &Execution) -> Result<Option<&Arc<FileSource>>> {
        if self.record.format == DatasetFormat::Tfrecord && self.split_files.get().is_none() {
            let options = SourceOptions { format: Some(Format::Tfrecord), plan, ..SourceOptions::default() };
            let files = sluice_source::open(".", self.artifact.folder(), &options, execution)?;
            // Another thread may have been faster, with the same files.
            let _ = self.split_files.set(Arc::new(files));
        }
        Ok(self.split_files.get())
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
        if let Some(files) = self.split_files(plan, execution)? {
            return Ok(files.within(&format!("{SPLIT_PREFIX}{name}"), plan));
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
                location: self.record.format.file_of(name, Some(span.span)),
            })
            .collect();
        sluice_source::open_spans(name, &spans, self.artifact.folder(), &options, execution)
    }
}

/// The rows of each subset that a folder names; every file lies in such a folder.
pub(crate) fn rows_of_folders(plan: &Plan) -> Result<BTreeMap<String, u64>, IngestError> {
    let mut subsets: BTreeMap<String, u64> = BTreeMap::new();
    for file in &plan.files {
        let name = subset_of_file(&file.path);
        let name = name.ok_or_else(|| IngestError::NoFolder { file: file.path.clone() })?;
        check_name(name)?;
        *subsets.entry(name.to_owned()).or_default() += file.rows;
    }
    Ok(subsets)
}
