//! A pipeline file as an argument: where it is, or what it says. A container has no file that its user wrote, so
//! there the text itself is the argument.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sluice_core::Result;
use sluice_pipeline::PipelineFile;

use crate::staging::{Fetching, fetch_files, read_pipeline};

/// Named in messages, and the folder that its paths are relative to: the current one.
const OF_TEXT: &str = "the pipeline's text";

/// A pipeline file.
#[derive(Clone, Debug)]
pub(crate) enum PipelineArgument {
    /// Its path.
    Path(PathBuf),
    /// Its text.
    Text(String),
}

impl From<OsString> for PipelineArgument {
    /// A text has several lines or is a JSON object; nobody names a file so.
    fn from(argument: OsString) -> Self {
        match argument.to_str() {
            Some(text) if text.contains('\n') || text.trim_start().starts_with('{') => {
                Self::Text(text.into())
            }
            _ => Self::Path(argument.into()),
        }
    }
}

impl PipelineArgument {
    /// Reads and checks it; of the files that it names, only this text is needed.
    pub(crate) fn read(&self) -> Result<PipelineFile> {
        self.read_with(Fetching::Nothing)
    }

    /// Reads and checks it, and fetches what it names and is not on this machine.
    pub(crate) fn read_with(&self, fetching: Fetching) -> Result<PipelineFile> {
        match self {
            Self::Path(path) => read_pipeline(path, fetching),
            Self::Text(text) => {
                let mut file = PipelineFile::parse(text, Path::new(OF_TEXT))?;
                fetch_files(&mut file, None, fetching)?;
                Ok(file)
            }
        }
    }
}
