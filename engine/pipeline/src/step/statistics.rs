//! Statistics: what is in each subset.

use std::path::Path;

use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft, MANIFEST_FILE, Manifest};
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::plan::PlanOptions;
use sluice_core::schema::Schema;
use sluice_core::seam::BatchSource;
use sluice_core::statistics::DatasetStatistics;
use sluice_ingest::Dataset;
use sluice_quality::statistics::{StatisticsOptions, compute_with};
use sluice_quality::tfdv::write_statistics;
use sluice_report::html::{StatisticsPageOptions, statistics_page};

pub use crate::step::statistics_files::{
    STATISTICS_HEAD_BYTES, holds_statistics, statistics_by_content, statistics_by_name,
};
use crate::step::{TRAIN, file_names, made_from, statistics_files};

/// The artifact's kind.
pub const STATISTICS_KIND: &str = "statistics";
/// The version of its format.
pub const STATISTICS_VERSION: u32 = 2;
const FILE: &str = "statistics.json";
const PAGE: &str = "statistics.html";

/// The statistics of every subset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StatisticsRecord {
    /// In byte order of their names.
    pub subsets: Vec<DatasetStatistics>,
}

/// What statistics were read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatisticsOrigin {
    digest: String,
}

impl StatisticsOrigin {
    /// The digest of the artifact, or of the files' contents.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// The statistics of every subset of a data set, or of the one that is named.
///
/// # Errors
/// What is wrong with the options, and what reading meets.
pub fn of_dataset(
    dataset: &Dataset,
    subset: Option<&str>,
    options: &StatisticsOptions,
    execution: &Execution,
) -> Result<StatisticsRecord> {
    let mut subsets = Vec::new();
    let names: Vec<&str> = match subset {
        Some(subset) => vec![subset],
        None => dataset.record().subsets.keys().map(String::as_str).collect(),
    };
    for name in names {
        let source = dataset.subset(name, PlanOptions::default(), execution)?;
        subsets.push(DatasetStatistics {
            spans: spans_of(dataset),
            ..compute_with(options, name, &source, execution)?
        });
    }
    Ok(StatisticsRecord { subsets })
}

/// The numbers of the spans of a data set.
pub(super) fn spans_of(dataset: &Dataset) -> Vec<u64> {
    dataset.record().spans.iter().map(|span| span.span).collect()
}

/// The statistics of a source that is not shared out: one subset, `all`.
///
/// # Errors
/// What is wrong with the options, and what reading meets.
pub fn of_source(
    source: &dyn BatchSource,
    options: &StatisticsOptions,
    execution: &Execution,
) -> Result<StatisticsRecord> {
    Ok(StatisticsRecord { subsets: vec![compute_with(options, "all", source, execution)?] })
}

/// The options with what a schema says of columns: integers that are names, and columns that belong together.
///
/// # Errors
/// What reading the header of the data meets; `StatisticsError` where columns of the schema do not go together.
pub fn with_schema(
    options: StatisticsOptions,
    schema: &Schema,
    dataset: &Dataset,
    execution: &Execution,
) -> Result<StatisticsOptions> {
    let Some(first) = dataset.record().subsets.keys().next() else { return Ok(options) };
    let source = dataset.subset(first, PlanOptions::default(), execution)?;
    options.with_schema(schema, &source.plan().columns)
}

impl StatisticsRecord {
    /// Writes the artifact: all subsets as JSON, each in TFDV's format, and a page for people; `source_digest` is that
    /// of the data set or plan.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, source_digest: &str, target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        self.write(&mut draft)?;
        draft.publish(STATISTICS_KIND, STATISTICS_VERSION, made_from([("data", source_digest)]))
    }

    /// Writes the files of the artifact to one that also holds other things.
    pub(super) fn write(&self, draft: &mut Draft) -> Result<()> {
        draft.write_json(FILE, self)?;
        for subset in &self.subsets {
            let name = match self.subsets.len() {
                1 => "statistics.binpb".to_owned(),
                _ => format!("statistics-{}.binpb", file_names::of_subset(&subset.name)),
            };
            draft.write_bytes(&name, &write_statistics(std::slice::from_ref(subset)))?;
        }
        draft.write_bytes(PAGE, self.page().as_bytes())
    }

    /// The page for people; the others are compared with the training rows.
    fn page(&self) -> String {
        let mut sets: Vec<&DatasetStatistics> = self.subsets.iter().collect();
        sets.sort_by_key(|set| set.name != TRAIN);
        statistics_page("Data set", &sets, &StatisticsPageOptions::default())
    }

    /// Whether a path, at which there may be rows as well, leads to statistics that [`Self::open`] takes.
    #[must_use]
    pub fn are_at(path: &Path) -> bool {
        let manifest = fs_err::read(path.join(MANIFEST_FILE)).ok();
        let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        manifest.is_some_and(|manifest| manifest.kind == STATISTICS_KIND)
            || statistics_files::is_statistics(path)
    }

    /// Opens the artifact, or what TFDV or TFX left: a file in binary, as TFRecord or as text, shards of it, a
    /// `Split-NAME` folder, or a folder of such.
    ///
    /// # Errors
    /// `ArtifactError`; unavailable where nothing can be read; `StatisticsFileError` where it is something
    /// else.
    pub fn open(path: &Path) -> Result<(Self, StatisticsOrigin)> {
        if !statistics_files::is_foreign(path) {
            let (record, artifact) = Self::open_artifact(path)?;
            return Ok((record, StatisticsOrigin { digest: artifact.digest().to_owned() }));
        }
        let (subsets, digest) = statistics_files::read(path)?;
        Ok((Self { subsets }, StatisticsOrigin { digest }))
    }

    /// Opens the artifact.
    ///
    /// # Errors
    /// `ArtifactError`.
    pub fn open_artifact(folder: &Path) -> Result<(Self, Artifact)> {
        let artifact = Artifact::open(folder, STATISTICS_KIND, STATISTICS_VERSION)?;
        Ok((artifact.read_json(FILE)?, artifact))
    }

    /// The statistics of a subset.
    #[must_use]
    pub fn subset(&self, name: &str) -> Option<&DatasetStatistics> {
        self.subsets.iter().find(|subset| subset.name == name)
    }
}
