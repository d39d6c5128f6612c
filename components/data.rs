//! What a command reads: a data set that `ingest` wrote or TFX left, or files as they are.

use std::path::Path;

use sluice_core::Result;
use sluice_core::artifact::MANIFEST_FILE;
use sluice_core::plan::PlanOptions;
use sluice_core::seam::BatchSource;
use sluice_ingest::{Dataset, are_split_folders, has_split_folders};
use sluice_pipeline::step::EVAL;
use sluice_source::{FileSource, SourceOptions};
use sluice_storage::{Location, Service};

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
        let (files, notes) = open_files(location, &source.options()?, session)?;
        let paths = files.plan().files.iter().map(|file| file.path.as_str());
        if !is_pattern(location) && are_split_folders(paths) {
            return Ok(Self::Dataset(Box::new(Dataset::of_split_folders(folder, files, notes)?)));
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

/// Whether a location is a folder with folders `Split-NAME` in it, here or in a bucket.
///
/// # Errors
/// When the bucket cannot be listed.
pub(crate) fn holds_split_folders(location: &str) -> Result<bool> {
    match Location::parse(location)? {
        Location::Local(folder) => Ok(has_split_folders(&folder)),
        // Web servers tell of single files only.
        Location::Remote(remote) if remote.service() == Service::Web || is_pattern(location) => Ok(false),
        Location::Remote(_) => {
            let names = sluice_source::names_below(location, Path::new("."))?.unwrap_or_default();
            Ok(are_split_folders(names.iter().map(String::as_str)))
        }
    }
}

fn is_pattern(location: &str) -> bool {
    location.contains(['*', '?', '[', '{'])
}

/// Opens a data set, by a command that reads nothing else: one that `ingest` wrote, or what TFX left in its place.
pub(crate) fn open_dataset(folder: &Path, session: &Session) -> Result<Dataset> {
    if folder.join(MANIFEST_FILE).is_file() || !has_split_folders(folder) {
        return Dataset::open(folder);
    }
    let location = folder.display().to_string();
    let (files, notes) = open_files(&location, &SourceOptions::default(), session)?;
    Dataset::of_split_folders(folder, files, notes)
}

/// Opens files, and tells what may surprise in them.
fn open_files(
    location: &str,
    options: &SourceOptions,
    session: &Session,
) -> Result<(FileSource, Vec<String>)> {
    let files = sluice_source::open(location, Path::new("."), options, &session.execution)?;
    let notes = sluice_pipeline::step::ingest::notes(&files);
    for note in &notes {
        session.printer.note(note);
    }
    Ok((files, notes))
}
