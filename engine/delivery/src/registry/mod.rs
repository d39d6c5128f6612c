//! A registry in a folder or a bucket: numbered versions of a model, and aliases that point at them.
//!
//! ```text
//! NAME/versions/0001/          the model package, unchanged
//! NAME/versions/0001.json      where it came from, with the verdict that let it pass
//! NAME/claims/0001.json        who was the first to want the number
//! NAME/aliases.json            what is registered, where the aliases point, and how they came there
//! ```
//!
//! A number is claimed by creating its claim, which only one can; then the package is written, then its
//! record, and last `aliases.json` is replaced, if it is still the one that was read: that registers the
//! version and moves the alias at once. Whoever is killed before has changed nothing that counts, and whoever
//! pushes the same package again goes on with the same number. Nothing else is ever replaced. The layout is
//! the same in a folder and in a bucket, so that one may be copied to the other.

mod aliases;
mod backend;
mod bucket;
mod collect;
mod error;
mod folder;
mod index;
mod models;
mod promote;
mod push;
mod record;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use sluice_core::error::Result;
use sluice_core::execution::Cancel;
use sluice_storage::{Location, Store};

use backend::Backend;
use bucket::Bucket;
use folder::Folder;
use index::Index;

pub use aliases::Moved;
pub use collect::{Collected, GarbageOptions, parse_age};
pub use error::RegistryError;
pub use index::{AliasMove, MoveKind};
pub use models::models;
pub use promote::{Promotion, PromotionOptions, promote};
pub use push::{Pushed, Registration};
pub use record::{Origin, VersionRecord};
pub use versions::{FetchedArtifact, FetchedPackage, History, VersionEntry};

/// The alias of the version that passed the gate last.
pub const LATEST_BLESSED: &str = "latest-blessed";

const INDEX_FILE: &str = "aliases.json";
const VERSIONS: &str = "versions/";
const CLAIMS: &str = "claims/";

/// How often a change is tried again because others changed the index meanwhile; waiting doubles up to a
/// second, so that it takes over a minute.
const ATTEMPTS: u32 = 100;

/// Versions of one model.
#[derive(Clone, Debug)]
pub struct Registry {
    backend: Arc<dyn Backend>,
    /// The registry's place, without credentials.
    place: String,
    name: String,
}

/// Checks that a model may be called so.
///
/// # Errors
/// [`RegistryError::Name`].
pub fn check_model_name(name: &str) -> Result<()> {
    let is_sound = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_sound { Ok(()) } else { Err(RegistryError::Name { name: name.into() }.into()) }
}

fn version_folder(version: u64) -> String {
    format!("{VERSIONS}{version:04}")
}

fn record_name(version: u64) -> String {
    format!("{VERSIONS}{version:04}.json")
}

fn claim_name(version: u64) -> String {
    format!("{CLAIMS}{version:04}.json")
}

/// The number that a name below `folder` begins with.
fn number_of(name: &str, folder: &str) -> Option<u64> {
    let rest = name.strip_prefix(folder)?;
    let digits = rest.split(['/', '.']).next()?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

impl Registry {
    /// The versions of the model `name` in the registry at a path or URL; nothing is made until something is
    /// pushed.
    ///
    /// # Errors
    /// [`RegistryError::Name`]; what is wrong with the URL or the settings of its store.
    pub fn open(place: &str, name: &str, cancel: &Cancel) -> Result<Self> {
        let location = Location::parse(place)?;
        match location.as_local() {
            Some(root) => Self::in_folder(root, name),
            None => {
                let store = Store::open(&location)?.cancelled_by(cancel);
                Self::in_store(store, location.key(), name)
            }
        }
    }

    /// The versions of the model `name` in the registry in a folder.
    ///
    /// # Errors
    /// [`RegistryError::Name`].
    pub fn in_folder(root: impl Into<PathBuf>, name: &str) -> Result<Self> {
        check_model_name(name)?;
        let root = root.into();
        let backend = Arc::new(Folder::new(root.join(name)));
        Ok(Self { backend, place: root.display().to_string(), name: name.into() })
    }

    /// The versions of the model `name` in the registry below a key of a bucket.
    ///
    /// # Errors
    /// [`RegistryError::Name`].
    pub fn in_store(store: Store, key: &str, name: &str) -> Result<Self> {
        check_model_name(name)?;
        let place = store.show(key);
        let prefix = if key.is_empty() { name.to_owned() } else { format!("{key}/{name}") };
        Ok(Self { backend: Arc::new(Bucket::new(store, prefix)), place, name: name.into() })
    }

    /// The model.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The registry's place, without credentials.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    fn index_place(&self) -> String {
        self.backend.place(INDEX_FILE)
    }

    /// Changes the index: reads it, lets `change` change it, and writes it if it is still what was read; else
    /// all over again, so that `change` may be called several times.
    fn update<T>(&self, mut change: impl FnMut(&mut Index) -> Result<T>) -> Result<T> {
        for attempt in 0..ATTEMPTS {
            let (mut index, base) = self.read_index()?;
            let before = index.clone();
            let value = change(&mut index)?;
            if index == before && base.is_current {
                return Ok(value);
            }
            let bytes = index.to_bytes()?;
            let is_done = match &base.tag {
                Some(tag) => self.backend.replace(INDEX_FILE, &bytes, tag)?,
                None => self.backend.create(INDEX_FILE, &bytes)?,
            };
            if is_done {
                return Ok(value);
            }
            pause(attempt);
        }
        Err(RegistryError::Busy { path: self.index_place(), attempts: ATTEMPTS }.into())
    }
}

/// Waits a little before the next attempt: longer each time, and not as long as others do.
fn pause(attempt: u32) {
    let most_ms = std::cmp::min(1_000, 4_u64 << std::cmp::min(attempt, 8));
    let (_, random) = Uuid::now_v7().as_u64_pair();
    std::thread::sleep(Duration::from_millis(random % most_ms));
}

/// A move that is about to be made now.
fn new_move(alias: &str, action: MoveKind, to: Option<u64>, reason: Option<&str>) -> AliasMove {
    AliasMove {
        id: Uuid::now_v7(),
        alias: alias.into(),
        action,
        from: None,
        to,
        at_seconds: record::now_seconds(),
        by: record::actor(),
        reason: reason.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests;
