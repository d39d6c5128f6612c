//! A registry in a bucket. Conditional requests (`If-None-Match`, `If-Match`) take the place of the lock;
//! whether the store keeps to them is tried before the first write, since one that does not would say yes to
//! everybody.

use std::collections::BTreeMap;
use std::path::{Component, Path};
use std::sync::Arc;

use bytes::Bytes;
use fs_err as fs;

use sluice_core::artifact::{Artifact, ArtifactError, HashingWriter, MANIFEST_FILE, Manifest, hex_digest};
use sluice_core::error::{CommonError, Result};
use sluice_storage::{Creation, Failure, Replacement, StorageError, Store};

use super::backend::{Backend, Fetched, Listed, Put, Stored, Tag, try_conditions};
use super::error::RegistryError;

/// The object by which it is tried whether conditions hold; it stays, so that deleting need not be allowed.
const PROBE: &str = ".conditional";

/// Small objects that are read at a time.
const AT_A_TIME: usize = 16;

/// The versions of one model below a key of a bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    store: Store,
    prefix: String,
}

impl Bucket {
    /// Below `prefix`, without slashes at its ends.
    pub(super) fn new(store: Store, prefix: String) -> Self {
        Self { store, prefix }
    }

    fn key(&self, name: &str) -> String {
        [self.prefix.as_str(), name.trim_end_matches('/')]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Loads the files of a manifest into a folder, and verifies them.
    fn load(&self, folder: &str, manifest: &Manifest, target: &Path) -> Result<()> {
        for (name, record) in &manifest.files {
            let shown = self.place(&format!("{folder}/{name}"));
            let damaged =
                |problem: &str| ArtifactError::Damaged { path: shown.clone(), problem: problem.into() };
            let is_inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            if !is_inside {
                return Err(damaged("its name leads out of the artifact").into());
            }
            let path = target.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(CommonError::on("create", parent))?;
            }
            match self.store.download(&self.key(&format!("{folder}/{name}")), &path) {
                Ok(_) => {}
                Err(error) if StorageError::is(&error, &Failure::NotFound) => {
                    return Err(damaged("it is missing").into());
                }
                Err(error) => return Err(error),
            }
            let mut file = fs::File::open(&path).map_err(CommonError::on("read", &path))?;
            let mut digest = HashingWriter::new(std::io::sink());
            std::io::copy(&mut file, &mut digest).map_err(CommonError::on("read", &path))?;
            let (_, sha256, size_bytes) = digest.finish();
            if (&sha256, size_bytes) != (&record.sha256, record.size_bytes) {
                return Err(damaged("its digest is not the one in the manifest").into());
            }
        }
        Ok(())
    }
}

impl Backend for Bucket {
    fn place(&self, name: &str) -> String {
        self.store.show(&self.key(name))
    }

    fn prepare(&self) -> Result<()> {
        if !self.store.is_bucket() {
            return Err(RegistryError::ReadOnly { place: self.place("") }.into());
        }
        try_conditions(self, PROBE)
    }

    fn read(&self, name: &str) -> Result<Option<Stored>> {
        let (bytes, etag) = match self.store.read_all(&self.key(name)) {
            Ok(read) => read,
            Err(error) if StorageError::is(&error, &Failure::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let tag = Tag(etag.unwrap_or_default());
        Ok(Some(Stored { bytes: bytes.to_vec(), tag }))
    }

    fn read_all(&self, names: &[String]) -> Result<Vec<Option<Stored>>> {
        let read: Vec<Result<Vec<Option<Stored>>>> = std::thread::scope(|scope| {
            let share = std::cmp::max(1, names.len().div_ceil(AT_A_TIME));
            let readers: Vec<_> = names
                .chunks(share)
                .map(|names| scope.spawn(|| names.iter().map(|name| self.read(name)).collect()))
                .collect();
            let stopped = || CommonError::Internal("a reader of the registry stopped".into()).into();
            readers.into_iter().map(|reader| reader.join().unwrap_or_else(|_| Err(stopped()))).collect()
        });
        Ok(read.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        let prefix = if self.prefix.is_empty() { String::new() } else { format!("{}/", self.prefix) };
        let found = self.store.list(&self.key(folder))?.into_iter().filter_map(|object| {
            let name = object.key.strip_prefix(&prefix)?.to_owned();
            let is_hidden = name.split('/').any(|part| part.starts_with('.'));
            (!is_hidden).then_some(Listed { name, modified: object.last_modified })
        });
        Ok(found.collect())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        Ok(match self.store.create(&self.key(name), Bytes::copy_from_slice(bytes))? {
            Creation::Created { .. } => true,
            Creation::Exists => false,
        })
    }

    fn replace(&self, name: &str, bytes: &[u8], expected: &Tag) -> Result<bool> {
        if expected.0.is_empty() {
            let path = self.place(name);
            return Err(RegistryError::Unconditional { path, condition: "no ETags" }.into());
        }
        Ok(match self.store.replace(&self.key(name), Bytes::copy_from_slice(bytes), &expected.0)? {
            Replacement::Replaced { .. } => true,
            Replacement::Changed => false,
        })
    }

    fn put(&self, folder: &str, package: &Artifact) -> Result<Put> {
        // Who has the same package may be at it too: what is there whole is not written once more under its
        // readers.
        let there: BTreeMap<String, u64> = self
            .store
            .list(&self.key(folder))?
            .into_iter()
            .map(|object| (object.key, object.size_bytes))
            .collect();
        let manifest = format!("{folder}/{MANIFEST_FILE}");
        let is_there = match self.read(&manifest)? {
            Some(stored) if hex_digest(&stored.bytes) != package.digest() => return Ok(Put::Taken),
            stored => stored.is_some(),
        };
        for (name, record) in &package.manifest().files {
            let key = self.key(&format!("{folder}/{name}"));
            if there.get(&key) != Some(&record.size_bytes) {
                self.store.upload(&key, &package.path(name))?;
            }
        }
        if !is_there {
            self.store.upload(&self.key(&manifest), &package.path(MANIFEST_FILE))?;
        }
        Ok(Put::Done)
    }

    fn fetch(&self, folder: &str) -> Result<Option<Fetched>> {
        let name = format!("{folder}/{MANIFEST_FILE}");
        let Some(stored) = self.read(&name)? else { return Ok(None) };
        let manifest: Manifest = serde_json::from_slice(&stored.bytes).map_err(|error| {
            ArtifactError::Damaged { path: self.place(&name), problem: format!("not a manifest ({error})") }
        })?;
        let temporary = tempfile::Builder::new()
            .prefix("sluice-")
            .tempdir()
            .map_err(CommonError::on("create", std::env::temp_dir()))?;
        self.load(folder, &manifest, temporary.path())?;
        let path = temporary.path().join(MANIFEST_FILE);
        fs::write(&path, &stored.bytes).map_err(CommonError::on("write", &path))?;
        Ok(Some(Fetched { folder: temporary.path().to_owned(), _temporary: Some(Arc::new(temporary)) }))
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| self.store.delete(&self.key(name)))
    }

    /// An upload that was cut short is no object; the bucket's own rules for unfinished ones remove its
    /// parts.
    fn sweep(&self) -> Result<usize> {
        Ok(0)
    }
}
