//! Which objects of a bucket a location stands for: one object, a glob or a folder, by the rules of files on disk.

use std::path::Path;
use std::sync::Arc;

use sluice_core::Result;
use sluice_core::execution::Cancel;
use sluice_storage::{Failure, Location, ObjectMeta, StorageError, Store};

use crate::error::SourceError;
use crate::input::Place;
use crate::listing::{GLOB, ListedFile, is_wild, known_format, nothing_in_glob};
use crate::options::{Format, format_of_name};
use crate::remote_file::RemoteFile;

/// A location, which is taken from `base` where it is relative.
pub(crate) fn located(location: &str, base: &Path) -> Result<Location> {
    let joined = base.join(location);
    let text = if Location::is_remote(location) { location.into() } else { joined.to_string_lossy() };
    Ok(Location::parse(&text)?)
}

/// The objects that a URL stands for, which `text` is as the user wrote it.
pub(crate) fn list_objects(
    location: &Location,
    text: &str,
    format: Option<Format>,
    cancel: &Cancel,
) -> Result<Vec<ListedFile>> {
    Bucket { location, store: Store::open(location)?.cancelled_by(cancel) }.list(text, format)
}

/// The names of all objects below a folder of a bucket, relative to it, in byte order; nothing for a folder of this
/// machine. A relative location is taken from `base`.
///
/// # Errors
/// When the bucket cannot be listed.
pub fn names_below(folder: &str, base: &Path) -> Result<Option<Vec<String>>> {
    let Location::Remote(remote) = located(folder, base)? else { return Ok(None) };
    let location = Location::Remote(remote);
    let bucket = Bucket { location: &location, store: Store::open(&location)? };
    let names = bucket.below(location.key())?.into_iter().map(|(relative, _)| relative);
    Ok(Some(names.collect()))
}

/// Whether what is not there as an object may be there as a folder or a pattern. Whether it is there is not told to
/// everybody who may list the others.
fn may_be_several(error: &sluice_core::Error, is_glob: bool) -> bool {
    StorageError::is(error, &Failure::NotFound) || is_glob && StorageError::is(error, &Failure::Permission)
}

/// Whether a folder has nothing below it, as far as one may know.
fn is_not_told(error: &sluice_core::Error) -> bool {
    matches!(error.downcast_ref(), Some(SourceError::NothingFound { .. }))
        || StorageError::is(error, &Failure::NotFound)
        || StorageError::is(error, &Failure::Permission)
}

/// A location, and the store that it is in.
pub(crate) struct Bucket<'a> {
    pub(crate) location: &'a Location,
    pub(crate) store: Store,
}

impl Bucket<'_> {
    pub(crate) fn list(&self, text: &str, format: Option<Format>) -> Result<Vec<ListedFile>> {
        let key = self.location.key();
        // A web server tells of single files only, and a `?` begins its query.
        let is_web = !self.store.is_bucket();
        let is_glob = is_wild(key) && !is_web;
        let is_folder = key.is_empty() || text.ends_with('/');
        // Names without an ending are more often folders, of which some stores, asked for an object, answer with an error
        // that looks as if it would pass.
        let is_likely_folder = !is_web && !is_glob && !self.location.name().contains('.');
        if is_folder && !is_web {
            return if is_glob { self.matching(key, text) } else { self.in_folder(key, format) };
        }
        let mut no_folder = None;
        if is_likely_folder {
            match self.in_folder(key, format) {
                Err(error) if is_not_told(&error) => no_folder = Some(error),
                listed => return listed,
            }
        }
        match (self.store.head(key), no_folder) {
            (Ok(meta), _) => Ok(vec![self.listed(meta, self.location.name().to_owned())]),
            (Err(error), _) if is_web || !may_be_several(&error, is_glob) => Err(error),
            (Err(_), Some(error)) => Err(error),
            (Err(_), None) if is_glob => self.matching(key, text),
            (Err(_), None) => self.in_folder(key, format),
        }
    }

    fn listed(&self, meta: ObjectMeta, relative: String) -> ListedFile {
        let is_itself = meta.key == self.location.key();
        let shown = if is_itself { self.location.to_string() } else { self.store.show(&meta.key) };
        let remote = RemoteFile::new(self.store.clone(), meta, shown.clone());
        ListedFile { place: Place::Remote(Arc::new(remote)), relative, shown }
    }

    /// All objects below a folder, relative to it.
    fn below(&self, folder: &str) -> Result<Vec<(String, ObjectMeta)>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let objects = self.store.list(folder)?.into_iter().filter_map(|meta| {
            let relative = meta.key.strip_prefix(&prefix)?.to_owned();
            // Some tools mark folders by objects without content.
            let is_mark = meta.size_bytes == 0 && format_of_name(&relative).is_none();
            (!relative.is_empty() && !is_mark).then_some((relative, meta))
        });
        Ok(objects.collect())
    }

    fn in_folder(&self, folder: &str, format: Option<Format>) -> Result<Vec<ListedFile>> {
        let is_hidden = |relative: &str| relative.split('/').any(|name| name.starts_with(['.', '_']));
        let is_wanted = |file: &ListedFile| {
            known_format(file).is_some_and(|known| format.is_none_or(|wanted| wanted == known))
        };
        let objects = self.below(folder)?;
        if objects.is_empty() {
            let hint = "check the URL; names in a bucket are case-sensitive";
            return Err(SourceError::NothingFound { location: self.location.to_string(), hint }.into());
        }
        let objects = objects.into_iter().filter(|(relative, _)| !is_hidden(relative));
        Ok(objects.map(|(relative, meta)| self.listed(meta, relative)).filter(is_wanted).collect())
    }

    fn matching(&self, key: &str, text: &str) -> Result<Vec<ListedFile>> {
        let parts: Vec<&str> = key.split('/').collect();
        let fixed = parts.iter().take_while(|part| !is_wild(part)).count();
        let pattern = glob::Pattern::new(&parts[fixed..].join("/"))
            .map_err(|source| SourceError::Pattern { location: text.into(), source })?;
        let objects = self.below(&parts[..fixed].join("/"))?.into_iter();
        let found = objects.filter(|(relative, _)| pattern.matches_with(relative, GLOB));
        let files: Vec<ListedFile> = found.map(|(relative, meta)| self.listed(meta, relative)).collect();
        if files.is_empty() { Err(nothing_in_glob(text).into()) } else { Ok(files) }
    }
}
