//! A pipeline file as an argument: where it is, or what it says. A container has no file that its user wrote, so
//! there the text itself is the argument.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sluice_core::Result;
use sluice_pipeline::PipelineFile;

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
    /// Reads and checks it.
    pub(crate) fn read(&self) -> Result<PipelineFile> {
        match self {
            Self::Path(path) => PipelineFile::read(path),
            Self::Text(text) => PipelineFile::parse(text, Path::new(OF_TEXT)),
        }
    }
}
