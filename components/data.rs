//! What a command reads: a data set that `ingest` wrote or TFX left, or files as they are.

use std::path::Path;

use sluice_core::Result;
use sluice_core::artifact::MANIFEST_FILE;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_ingest::{Dataset, has_split_folders};
use sluice_pipeline::step::EVAL;
use sluice_source::{FileSource, SourceOptions};

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
        let options = source.options()?;
        if has_split_folders(folder) {
            return Ok(Self::Dataset(Box::new(of_split_folders(folder, &options, session)?)));
        }
        let files = sluice_source::open(location, Path::new("."), &options, &session.execution)?;
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

/// Opens a data set, by a command that reads nothing else: one that `ingest` wrote, or what TFX left in its place.
pub(crate) fn open_dataset(folder: &Path, session: &Session) -> Result<Dataset> {
    if !folder.join(MANIFEST_FILE).is_file() && has_split_folders(folder) {
        return of_split_folders(folder, &SourceOptions::default(), session);
    }
    Dataset::open(folder)
}

/// The data set of a folder with folders `Split-NAME`.
fn of_split_folders(folder: &Path, options: &SourceOptions, session: &Session) -> Result<Dataset> {
    let location = folder.display().to_string();
    let files = sluice_source::open(&location, Path::new("."), options, &session.execution)?;
    let notes = sluice_pipeline::step::ingest::notes(&files);
    for note in &notes {
        session.printer.note(note);
    }
    Dataset::of_split_folders(folder, files, notes)
}
