//! What a command reads: a data set that `ingest` wrote, or files as they are.

use std::path::Path;

use sluice_core::Result;
use sluice_core::artifact::MANIFEST_FILE;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_ingest::Dataset;
use sluice_pipeline::step::EVAL;
use sluice_source::FileSource;

use crate::arguments::SourceArguments;
use crate::failure::ArgumentError;
use crate::session::Session;

/// An opened input.
pub(crate) enum Data {
    /// With subsets.
    Dataset(Box<Dataset>),
    /// Without.
    Files(Box<FileSource>),
}

impl Data {
    /// Opens a data set folder, or a file, glob or folder of files.
    pub(crate) fn open(location: &str, source: &SourceArguments, session: &Session) -> Result<Self> {
        let folder = Path::new(location);
        // A generated table is an artifact too, but what it holds are files.
        if folder.join(MANIFEST_FILE).is_file() && !folder.join(sluice_datasets::RECORD_FILE).is_file() {
            source.refuse_with_dataset(location)?;
            return Ok(Self::Dataset(Box::new(Dataset::open(folder)?)));
        }
        let files = sluice_source::open(location, Path::new("."), &source.options()?, &session.execution)?;
        for note in sluice_pipeline::step::ingest::notes(&files) {
            session.printer.note(&note);
        }
        Ok(Self::Files(Box::new(files)))
    }

    /// The columns that identify a row of a data set; files as they are name none.
    pub(crate) fn key(&self) -> Vec<String> {
        match self {
            Self::Dataset(dataset) => dataset.record().key.clone(),
            Self::Files(_) => Vec::new(),
        }
    }

    /// The rows of a subset, `eval` unless named; files as they are have none, all of their rows are read.
    pub(crate) fn rows(self, subset: Option<&str>, session: &Session) -> Result<(FileSource, String)> {
        match self {
            Self::Dataset(dataset) => {
                let subset = subset.unwrap_or(EVAL);
                let source = dataset.subset(subset, PlanOptions::default(), &session.execution)?;
                Ok((source, dataset.artifact().digest().to_owned()))
            }
            Self::Files(files) => {
                if let Some(subset) = subset {
                    let message =
                        format!("{} is not a data set, so it has no subset `{subset}`", files.name());
                    return Err(ArgumentError::new(
                        message,
                        "leave `--subset` out, or ingest the files first",
                    )
                    .into());
                }
                let digest = files.plan().digest.clone();
                Ok((*files, digest))
            }
        }
    }
}
