//! What a registry asks of the place where it lies: few operations, of which two are conditional.
//!
//! Names are relative to the model's own folder, with `/` between parts. Everything that must not be lost or
//! done twice rests on [`Backend::create`] and [`Backend::replace`]: of any number of callers with the same
//! name (and tag) one is told that it did it.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sluice_core::artifact::Artifact;
use sluice_core::error::Result;
use tempfile::TempDir;
use uuid::Uuid;

use super::error::RegistryError;

/// What tells one content of a name from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tag(pub(super) String);

/// The content of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) bytes: Vec<u8>,
    pub(super) tag: Tag,
}

/// A name that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) modified: SystemTime,
}

/// What became of a package that was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It is there.
    Done,
    /// Another package is at its place.
    Taken,
}

/// A package's folder on this machine; a fetched one goes when this does.
#[derive(Clone, Debug)]
pub(super) struct Fetched {
    pub(super) folder: PathBuf,
    pub(super) _temporary: Option<Arc<TempDir>>,
}

/// Where a model's versions lie.
pub(super) trait Backend: Debug + Send + Sync {
    /// A name in the words of a message.
    fn place(&self, name: &str) -> String;

    /// Makes sure, before the first write, that conditions hold here.
    fn prepare(&self) -> Result<()>;

    /// The content of a name, if it is there.
    fn read(&self, name: &str) -> Result<Option<Stored>>;

    /// The contents of many names, in their order.
    fn read_all(&self, names: &[String]) -> Result<Vec<Option<Stored>>>;

    /// The names that begin with a folder (`versions/`), or all of them (empty), in byte order.
    fn list(&self, folder: &str) -> Result<Vec<Listed>>;

    /// Writes a name that is not there; answers whether this caller did.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool>;

    /// Writes a name that still has the content of this tag; answers whether this caller did.
    fn replace(&self, name: &str, bytes: &[u8], expected: &Tag) -> Result<bool>;

    /// Puts a package into a folder, its manifest last. Several may do so with the same package at once.
    fn put(&self, folder: &str, package: &Artifact) -> Result<Put>;

    /// The folder of a package, `None` where there is none.
    fn fetch(&self, folder: &str) -> Result<Option<Fetched>>;

    /// Removes names; what is not there is no error.
    fn remove(&self, names: &[String]) -> Result<()>;

    /// Removes what writers that were killed have left and that is no name; answers how much it was.
    fn sweep(&self) -> Result<usize>;
}

/// Tries on an object, which stays, whether conditions of writes hold: a place that does not know them says
/// yes to all.
///
/// # Errors
/// [`RegistryError::Unconditional`]; what writing the place meets.
pub(super) fn try_conditions(place: &dyn Backend, probe: &str) -> Result<()> {
    let refused =
        |condition| Err(RegistryError::Unconditional { path: place.place(probe), condition }.into());
    let content = || Uuid::now_v7().to_string();
    if place.create(probe, content().as_bytes())? && place.create(probe, content().as_bytes())? {
        return refused("`If-None-Match`");
    }
    let Some(stored) = place.read(probe)? else { return refused("`If-None-Match`") };
    // Where the first is refused, another was faster, which shows it as well.
    let overwrites = || place.replace(probe, content().as_bytes(), &stored.tag);
    if overwrites()? && overwrites()? {
        return refused("`If-Match`");
    }
    Ok(())
}

/// A folder of a package that lies on this machine anyway.
pub(super) fn here(folder: &Path) -> Fetched {
    Fetched { folder: folder.to_owned(), _temporary: None }
}
