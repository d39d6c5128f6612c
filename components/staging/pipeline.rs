//! Pipeline files that lie elsewhere, or name what does. Paths in a file are relative to it, wherever it lies.

use std::collections::btree_map::Entry;
use std::path::Path;

use sluice_core::error::Result;
use sluice_pipeline::PipelineFile;
use sluice_pipeline::spec::{BaselineSpec, PreviousSpec};
use sluice_storage::{Location, StorageError};

use super::area;

/// What of the files that a pipeline names is needed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetching {
    /// Nothing but what it says itself.
    Nothing,
    /// The schema and earlier statistics.
    Schema,
    /// All of them.
    Everything,
}

/// Reads a pipeline file from a path or a URL.
pub(crate) fn read_pipeline(path: &Path, fetching: Fetching) -> Result<PipelineFile> {
    let Some(text) = path.to_str().filter(|text| Location::is_remote(text)) else {
        let mut file = PipelineFile::read(path)?;
        fetch_files(&mut file, None, fetching)?;
        return Ok(file);
    };
    let location = Location::parse(text)?;
    let (bytes, _) = area::store(&location)?.read_all(location.key())?;
    let shown = location.to_string();
    let not_text = |_| StorageError::NotText { object: shown.clone() };
    let text = String::from_utf8(bytes.into()).map_err(not_text)?;
    let mut file = PipelineFile::parse(&text, Path::new(&shown))?;
    fetch_files(&mut file, Some(&location.parent()), fetching)?;
    Ok(file)
}

/// Fetches what a pipeline file names by URL, or beside itself where it lies elsewhere (`base`).
pub(crate) fn fetch_files(
    file: &mut PipelineFile,
    base: Option<&Location>,
    fetching: Fetching,
) -> Result<()> {
    if let Some(base) = base {
        for input in file.spec.data.inputs.values_mut().chain(&mut file.spec.push.registry) {
            if is_relative(input) {
                *input = base.join(input).as_text();
            }
        }
    }
    let mut named: Vec<String> = Vec::new();
    if fetching != Fetching::Nothing {
        named.extend(file.spec.schema.clone());
        if let PreviousSpec::Path(path) = &file.spec.validate.previous {
            named.push(path.clone());
        }
    }
    if let (Fetching::Everything, BaselineSpec::Path(path)) = (fetching, &file.spec.evaluate.baseline) {
        named.push(path.clone());
    }
    if fetching == Fetching::Everything {
        named.extend(file.spec.evaluate.contenders.values().cloned());
    }
    for text in named {
        let location = match base {
            _ if Location::is_remote(&text) => Location::parse(&text)?,
            Some(base) if is_relative(&text) => base.join(&text),
            _ => continue,
        };
        if let Entry::Vacant(place) = file.fetched.entry(text) {
            place.insert(area::fetch(&location)?.0);
        }
    }
    Ok(())
}

/// A path without a beginning of its own.
fn is_relative(text: &str) -> bool {
    !Location::is_remote(text) && Path::new(text).is_relative()
}
