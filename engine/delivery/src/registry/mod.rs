//! A registry in a folder: numbered versions of a model, and aliases that point at them.
//!
//! `NAME/versions/0001/` is the model package, unchanged; `NAME/versions/0001.json` says where it came from;
//! `NAME/aliases.json` maps `latest-blessed` to a version. A version is claimed by a rename that fails when it
//! exists and pushers of a model wait for one another. Then the alias is moved, which puts the version in force,
//! and the record is written last. A folder that has neither is what a push that was cut short has left: it does
//! not count as a version, and the old alias is in force.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use sluice_core::artifact::{Artifact, MANIFEST_FILE, write_whole};
use sluice_core::error::{CommonError, Result};

use crate::error::DeliveryError;
use crate::package::ModelPackage;

/// The alias of the version that passed the gate last.
pub const LATEST_BLESSED: &str = "latest-blessed";

/// Where a version came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Its number.
    pub version: u64,
    /// The digest of the package.
    pub digest: String,
    /// The verdict that let it pass.
    pub verdict: Value,
    /// Seconds since 1970-01-01 UTC.
    pub pushed_at_seconds: u64,
}

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// The version.
    pub version: u64,
    /// Whether it is new; the same package is registered once.
    pub is_new: bool,
    /// Where it lies.
    pub path: String,
}

/// Versions of one model.
#[derive(Clone, Debug)]
pub struct FileRegistry {
    root: PathBuf,
    name: String,
}

impl FileRegistry {
    /// The versions of the model `name` in the registry at `root`; nothing is made until something is pushed.
    ///
    /// # Errors
    /// [`DeliveryError::Name`].
    pub fn new(root: impl Into<PathBuf>, name: &str) -> Result<Self> {
        let sound = !name.is_empty()
            && name.len() <= 64
            && !name.starts_with('.')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if !sound {
            return Err(DeliveryError::Name { name: name.into() }.into());
        }
        Ok(Self { root: root.into(), name: name.into() })
    }

    fn folder(&self) -> PathBuf {
        self.root.join(&self.name)
    }

    fn versions_folder(&self) -> PathBuf {
        self.folder().join("versions")
    }

    fn version_path(&self, version: u64) -> PathBuf {
        self.versions_folder().join(format!("{version:04}"))
    }

    fn record_path(&self, version: u64) -> PathBuf {
        self.version_path(version).with_extension("json")
    }

    /// The numbers of all versions, ascending.
    ///
    /// # Errors
    /// [`CommonError::File`], [`DeliveryError::RegistryDamaged`].
    pub fn versions(&self) -> Result<Vec<u64>> {
        let aliases = self.aliases()?;
        let is_complete = |version: &u64| {
            self.record_path(*version).is_file() || aliases.values().any(|aliased| aliased == version)
        };
        Ok(self.folders()?.into_iter().filter(is_complete).collect())
    }

    /// The numbers of all packages that are there, ascending, also of those whose push was cut short.
    fn folders(&self) -> Result<Vec<u64>> {
        let folder = self.versions_folder();
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut versions = Vec::new();
        for entry in fs::read_dir(&folder).map_err(CommonError::on("read", &folder))? {
            let entry = entry.map_err(CommonError::on("read", &folder))?;
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(version) = number
                && entry.path().join(MANIFEST_FILE).is_file()
            {
                versions.push(version);
            }
        }
        versions.sort_unstable();
        Ok(versions)
    }

    fn aliases(&self) -> Result<BTreeMap<String, u64>> {
        let path = self.folder().join("aliases.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| {
                DeliveryError::RegistryDamaged { path: path.display().to_string(), source }.into()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(CommonError::on("read", &path)(error).into()),
        }
    }

    /// The version that an alias points at.
    ///
    /// # Errors
    /// [`DeliveryError::RegistryDamaged`].
    pub fn alias(&self, alias: &str) -> Result<Option<u64>> {
        Ok(self.aliases()?.get(alias).copied())
    }

    /// Opens a version.
    ///
    /// # Errors
    /// [`DeliveryError::NoSuchVersion`], and what opening a package meets.
    pub fn open(&self, version: u64) -> Result<ModelPackage> {
        let path = self.version_path(version);
        if !path.exists() {
            let registry = self.root.display().to_string();
            return Err(DeliveryError::NoSuchVersion { name: self.name.clone(), version, registry }.into());
        }
        ModelPackage::open(&path)
    }

    /// The model that passed the gate last; `None` when none ever did.
    ///
    /// # Errors
    /// [`DeliveryError::NoAlias`] when there are versions but none is in force; as [`FileRegistry::open`].
    pub fn latest_blessed(&self) -> Result<Option<(u64, ModelPackage)>> {
        let Some(version) = self.alias(LATEST_BLESSED)? else {
            let versions = self.versions()?.len();
            if versions == 0 {
                return Ok(None);
            }
            let registry = self.root.display().to_string();
            return Err(DeliveryError::NoAlias { name: self.name.clone(), versions, registry }.into());
        };
        Ok(Some((version, self.open(version)?)))
    }

    /// Registers a package and points `latest-blessed` at it. A package that is registered already keeps its
    /// version.
    ///
    /// # Errors
    /// [`CommonError::File`] when the registry cannot be written; `latest-blessed` is then as it was.
    pub fn push(&self, package: &Artifact, verdict: Value) -> Result<Pushed> {
        let _alone = self.lock()?;
        let existing = self.find(package.digest())?;
        let (version, is_new) = match existing {
            Some(version) => (version, !self.versions()?.contains(&version)),
            None => (self.add(package)?, true),
        };
        let mut aliases = self.aliases()?;
        aliases.insert(LATEST_BLESSED.into(), version);
        write_json(&self.folder().join("aliases.json"), &aliases)?;
        let record_path = self.record_path(version);
        if !record_path.exists() {
            let pushed_at_seconds = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs());
            let record =
                VersionRecord { version, digest: package.digest().into(), verdict, pushed_at_seconds };
            write_json(&record_path, &record)?;
        }
        let path = self.version_path(version).display().to_string();
        Ok(Pushed { version, is_new, path })
    }

    /// Waits until no other pusher of this model is at work; it is let go with the answer.
    fn lock(&self) -> Result<fs::File> {
        let folder = self.folder();
        fs::create_dir_all(&folder).map_err(CommonError::on("create", &folder))?;
        let path = folder.join(".lock");
        let file = fs::File::create(&path).map_err(CommonError::on("create", &path))?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)
            .map_err(|error| CommonError::file("lock", &path, error.into()))?;
        Ok(file)
    }

    fn find(&self, digest: &str) -> Result<Option<u64>> {
        for version in self.folders()?.into_iter().rev() {
            let path = self.version_path(version).join(MANIFEST_FILE);
            let bytes = fs::read(&path).map_err(CommonError::on("read", &path))?;
            if sluice_core::artifact::hex_digest(&bytes) == digest {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Copies the package beside the versions and claims the next number.
    fn add(&self, package: &Artifact) -> Result<u64> {
        let folder = self.versions_folder();
        fs::create_dir_all(&folder).map_err(CommonError::on("create", &folder))?;
        sweep(&folder);
        let draft = tempfolder(&folder)?;
        let copied = copy_package(package, &draft).and_then(|()| {
            let mut version = self.folders()?.last().map_or(1, |last| last + 1);
            loop {
                match renameat_with(CWD, &draft, CWD, self.version_path(version), RenameFlags::NOREPLACE) {
                    Ok(()) => return Ok(version),
                    Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY) => version += 1,
                    Err(error) => {
                        return Err(
                            CommonError::on("write", &self.version_path(version))(error.into()).into()
                        );
                    }
                }
            }
        });
        if copied.is_err() {
            // The error that stopped the copy is the one to report.
            let _ = fs::remove_dir_all(&draft);
        }
        copied
    }
}

/// Writes a small JSON file as a whole.
fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut bytes =
        serde_json::to_vec_pretty(value).map_err(|error| CommonError::Internal(error.to_string()))?;
    bytes.push(b'\n');
    write_whole(path, &bytes)
}

/// Removes what pushers that were killed have left; whoever calls holds the lock, so no other is at work.
fn sweep(versions: &Path) {
    let Ok(entries) = fs::read_dir(versions) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(".push.") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn tempfolder(folder: &Path) -> Result<PathBuf> {
    let path = folder.join(format!(".push.{}.{:?}", std::process::id(), std::thread::current().id()));
    fs::create_dir(&path).map_err(CommonError::on("create", &path))?;
    Ok(path)
}

fn copy_package(package: &Artifact, target: &Path) -> Result<()> {
    let names = package.manifest().files.keys().map(String::as_str).chain([MANIFEST_FILE]);
    for name in names {
        let to = target.join(name);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).map_err(CommonError::on("create", parent))?;
        }
        fs::copy(package.path(name), &to).map_err(CommonError::on("write", &to))?;
        fs::File::open(&to).and_then(|file| file.sync_all()).map_err(CommonError::on("write", &to))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
