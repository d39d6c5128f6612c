//! States of spans that are kept from one fit to the next, so that a window that moves by a day reads one day.
//!
//! `FOLDER/KIND/span-NUMBER-SUBSET-KEY/` is the state of the rows of a subset in a span, an artifact that `merge` takes.
//! KEY is made of the digest of these rows, how they are cut, the options and the engine, so that a state is either what
//! reading the rows again would give or is not found. A span without rows has none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;

use sluice_core::artifact::{Artifact, Draft, MANIFEST_FILE};
use sluice_core::error::{CommonError, Result};
use sluice_core::fold::{Missing, Part};
use sluice_core::plan::Plan;
use sluice_ingest::Dataset;

use super::state::StateError;
use crate::key::KeyParts;
use crate::step::made_from;

/// How many spans were read, and of how many a state was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SpanCounts {
    /// Spans of which rows were read.
    pub read: usize,
    /// Spans of which states took the place of all rows.
    pub reused: usize,
}

/// What a step has read of its rows.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Rows that were read.
    pub rows: u64,
    /// States that were there but could not be used, and why; what they stand for was read again.
    pub unusable: Vec<String>,
    /// Whether each span was read.
    spans: BTreeMap<u64, bool>,
}

impl Reading {
    /// So many rows of data without spans.
    #[must_use]
    pub fn of_rows(rows: u64) -> Self {
        Self { rows, ..Self::default() }
    }

    /// How many spans were read; none of data without spans.
    #[must_use]
    pub fn spans(&self) -> Option<SpanCounts> {
        let read = self.spans.values().filter(|is_read| **is_read).count();
        (!self.spans.is_empty()).then(|| SpanCounts { read, reused: self.spans.len() - read })
    }

    /// Adds a subset, whose spans are among those of the others.
    pub(super) fn add(&mut self, missing: &Missing) {
        self.rows += missing.rows();
        for (part, is_read) in missing.parts() {
            if let Some(span) = part.span {
                *self.spans.entry(span).or_default() |= is_read;
            }
        }
    }

    /// Adds states that could not be used.
    pub(super) fn set_aside(&mut self, kept: &Kept<'_>) {
        self.unusable.extend(kept.unusable.iter().cloned());
    }
}

/// The kept states of one kind, of one subset of a data set.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    folder: PathBuf,
    kind: &'static str,
    version: u32,
    dataset: &'a Dataset,
    subset: &'a str,
    options: KeyParts,
    unusable: Vec<String>,
}

/// Where the state of a part is, or will be.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    key: String,
    /// The digest of the rows.
    pub(super) rows: String,
}

impl<'a> Kept<'a> {
    /// The states in `folder` that depend on these options.
    ///
    /// # Errors
    /// [`StateError::NotAFolderOfStates`] for an artifact.
    pub(super) fn new(
        folder: &Path,
        (kind, version): (&'static str, u32),
        (dataset, subset): (&'a Dataset, &'a str),
        options: &impl Serialize,
    ) -> Result<Self> {
        check_folder(folder)?;
        let options = KeyParts::new()
            .with("kind", format!("{kind} {version}"))
            .with("subset", subset)
            .with_options("options", options)?;
        let folder = folder.join(kind);
        Ok(Self { folder, kind, version, dataset, subset, options, unusable: Vec::new() })
    }

    /// What is to be read, because no state of it is there.
    pub(super) fn missing(&mut self, plan: &Plan) -> Missing {
        Missing::new(plan, |part| match self.find(part) {
            Ok(is_there) => is_there,
            Err(error) => {
                self.unusable.push(error.to_string());
                false
            }
        })
    }

    fn find(&self, part: &Part) -> Result<bool> {
        let place = self.place(part)?;
        if !place.path.exists() {
            return Ok(false);
        }
        let artifact = Artifact::open(&place.path, self.kind, self.version)?;
        if artifact.manifest().made_from.get("state") == Some(&place.key) {
            return Ok(true);
        }
        Err(StateError::Moved { path: place.path.display().to_string() }.into())
    }

    pub(super) fn place(&self, part: &Part) -> Result<Place> {
        let internal = || CommonError::Internal(format!("{part} of `{}` has no file", self.subset));
        let rows = self.dataset.rows_digest(self.subset, part.span).ok_or_else(internal)?.to_owned();
        let key = self.options.clone().with("rows", &rows).with("part", &part.digest).key()?;
        let name = match part.span {
            Some(span) => format!("span-{span}-{}-{key}", self.subset),
            None => format!("{}-{key}", self.subset),
        };
        Ok(Place { path: self.folder.join(name), key, rows })
    }

    /// The folders of states of a part that are of other rows or options.
    pub(super) fn others(&self, part: &Part) -> Vec<PathBuf> {
        let Ok(place) = self.place(part) else { return Vec::new() };
        let prefix = match part.span {
            Some(span) => format!("span-{span}-{}-", self.subset),
            None => format!("{}-", self.subset),
        };
        let is_other = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&prefix) && *path != place.path
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(is_other).collect()
    }

    pub(super) fn subset(&self) -> &'a str {
        self.subset
    }
}

impl Place {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Publishes a state here.
    pub(super) fn publish(
        &self,
        kept: &Kept<'_>,
        files: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<()> {
        let mut draft = Draft::new(&self.path)?;
        files(&mut draft)?;
        let made_from = made_from([("data", &self.rows), ("state", &self.key)]);
        draft.publish(kept.kind, kept.version, made_from).map(drop)
    }
}

/// Refuses an artifact as a folder of states.
///
/// # Errors
/// [`StateError::NotAFolderOfStates`].
pub fn check_folder(folder: &Path) -> Result<()> {
    if folder.join(MANIFEST_FILE).exists() {
        return Err(StateError::NotAFolderOfStates { path: folder.display().to_string() }.into());
    }
    Ok(())
}

/// The states that are meant by folders: a state itself, or all of one kind that are kept in a folder.
pub(super) fn states_in(folders: &[impl AsRef<Path>], kind: &str) -> Result<Vec<PathBuf>> {
    let mut states = Vec::new();
    for folder in folders.iter().map(AsRef::as_ref) {
        let kept = folder.join(kind);
        if folder.join(MANIFEST_FILE).exists() || !kept.is_dir() {
            states.push(folder.to_owned());
            continue;
        }
        let entries = fs::read_dir(&kept).map_err(CommonError::on("read", &kept))?;
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.map_err(CommonError::on("read", &kept))?.path();
            let is_draft = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if !is_draft && path.join(MANIFEST_FILE).exists() {
                found.push(path);
            }
        }
        found.sort();
        states.append(&mut found);
    }
    Ok(states)
}
