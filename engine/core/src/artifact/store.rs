//! Artifacts on disk, verified on the way in.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use fs_err as fs;
use serde::de::DeserializeOwned;

use super::digest::{HashingWriter, hex_digest};
use super::manifest::{EngineRecord, MANIFEST_FILE, Manifest};
use crate::error::{CommonError, Diagnostic, ErrorKind, Result};

/// What is wrong with an artifact.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// There is none.
    #[error("there is no artifact at `{path}`")]
    Absent {
        /// Where it was looked for.
        path: String,
    },
    /// It is something else.
    #[error("`{path}` is an artifact of kind `{found}`, not `{expected}`")]
    OtherKind {
        /// Where.
        path: String,
        /// What was wanted.
        expected: String,
        /// What it is.
        found: String,
    },
    /// It was written by another version.
    #[error("`{path}` has format version {found}, this program reads {expected}")]
    OtherVersion {
        /// Where.
        path: String,
        /// What this program reads.
        expected: u32,
        /// What it is.
        found: u32,
    },
    /// Its content is not what the manifest says.
    #[error("`{path}` is damaged: {problem}")]
    Damaged {
        /// The file.
        path: String,
        /// In what way.
        problem: String,
    },
    /// Another process is making it.
    #[error("another process is writing the parts of `{path}`")]
    InUse {
        /// The target.
        path: String,
    },
    /// The target is a folder or file that is not an artifact.
    #[error("`{path}` exists and is not an artifact")]
    NotOurs {
        /// The target.
        path: String,
    },
}

impl ArtifactError {
    /// A file that is not the one of its manifest.
    pub(super) fn changed(path: &Path) -> Self {
        Self::Damaged {
            path: path.display().to_string(),
            problem: "its digest is not the one in the manifest".into(),
        }
    }
}

impl Diagnostic for ArtifactError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Absent { .. } | Self::InUse { .. } => ErrorKind::Unavailable,
            Self::OtherKind { .. } | Self::OtherVersion { .. } | Self::NotOurs { .. } => ErrorKind::Usage,
            Self::Damaged { .. } => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Absent { .. } => Some("run the step that makes it, or check the path".into()),
            Self::OtherKind { .. } => Some("give the folder that the right step wrote".into()),
            Self::OtherVersion { .. } => Some("make it again with this version".into()),
            Self::Damaged { .. } => Some("make it again; it was changed after it was published".into()),
            Self::InUse { .. } => Some("wait until it is done, or choose another place".into()),
            Self::NotOurs { .. } => Some("choose another place, or move what is there away".into()),
        }
    }
}

/// A published artifact.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub(super) folder: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) digest: String,
}

impl Artifact {
    /// Opens an artifact and verifies every file against its digest.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub fn open(folder: impl Into<PathBuf>, kind: &str, format_version: u32) -> Result<Self> {
        let artifact = Self::open_any(folder)?;
        artifact.must_be(kind, format_version)?;
        Ok(artifact)
    }

    /// Refuses an artifact of another kind or format.
    ///
    /// # Errors
    /// [`ArtifactError::OtherKind`], [`ArtifactError::OtherVersion`].
    pub fn must_be(&self, kind: &str, format_version: u32) -> Result<()> {
        let path = || self.folder.display().to_string();
        if self.manifest.kind != kind {
            let found = self.manifest.kind.clone();
            return Err(ArtifactError::OtherKind { path: path(), expected: kind.into(), found }.into());
        }
        if self.manifest.format_version != format_version {
            let (expected, found) = (format_version, self.manifest.format_version);
            return Err(ArtifactError::OtherVersion { path: path(), expected, found }.into());
        }
        Ok(())
    }

    /// Opens an artifact of any kind and verifies it.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub fn open_any(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder: PathBuf = folder.into();
        let path = folder.join(MANIFEST_FILE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ArtifactError::Absent { path: folder.display().to_string() }.into());
            }
            Err(error) => return Err(CommonError::on("read", &path)(error).into()),
        };
        let damaged = |path: &Path, problem: String| ArtifactError::Damaged {
            path: path.display().to_string(),
            problem,
        };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(&path, format!("not a manifest ({error})")))?;
        for (name, record) in &manifest.files {
            let inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
            let path = folder.join(name);
            if !inside {
                return Err(damaged(&path, "its name leads out of the artifact".into()).into());
            }
            let mut file = fs::File::open(&path).map_err(|_| damaged(&path, "it is missing".into()))?;
            let mut hasher = HashingWriter::new(std::io::sink());
            std::io::copy(&mut file, &mut hasher).map_err(CommonError::on("read", &path))?;
            let (_, sha256, size_bytes) = hasher.finish();
            if (&sha256, size_bytes) != (&record.sha256, record.size_bytes) {
                return Err(ArtifactError::changed(&path).into());
            }
        }
        Ok(Self { folder, manifest, digest: hex_digest(&bytes) })
    }

    /// What others wrote, in the place of an artifact: its manifest names no files, but says by digests what they were
    /// known by.
    ///
    /// # Errors
    /// None that a folder could cause.
    pub fn of_others(
        folder: impl Into<PathBuf>,
        kind: &str,
        format_version: u32,
        made_from: BTreeMap<String, String>,
    ) -> Result<Self> {
        let engine = EngineRecord::current();
        let manifest =
            Manifest { kind: kind.into(), format_version, engine, made_from, files: BTreeMap::new() };
        let bytes =
            serde_json::to_vec(&manifest).map_err(|error| CommonError::Internal(error.to_string()))?;
        Ok(Self { folder: folder.into(), manifest, digest: hex_digest(&bytes) })
    }

    /// Whether this very artifact stands in its folder, sound and with nothing beside it.
    pub(super) fn is_there(&self) -> bool {
        fn count(folder: &Path) -> usize {
            let Ok(entries) = fs::read_dir(folder) else { return 0 };
            entries.flatten().map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
        }
        Self::open_any(&self.folder).is_ok_and(|found| found.digest == self.digest)
            && count(&self.folder) == self.manifest.files.len() + 1
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The SHA-256 of its manifest, which covers every file.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The path of one of its files.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The bytes of one of its files.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        let path = self.path(name);
        Ok(fs::read(&path).map_err(CommonError::on("read", &path))?)
    }

    /// A JSON file of it.
    ///
    /// # Errors
    /// [`CommonError::File`]; [`ArtifactError::Damaged`] when it does not hold a `T`.
    pub fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(&self.read(name)?).map_err(|error| {
            ArtifactError::Damaged { path: self.path(name).display().to_string(), problem: error.to_string() }
                .into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::draft::tests::publish;
    use super::*;

    #[test]
    fn what_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("note");
        publish(&target, "one");
        assert!(Artifact::open(&target, "model", 1).unwrap_err().to_string().contains("of kind `note`"));
        assert!(Artifact::open(&target, "note", 2).unwrap_err().to_string().contains("format version 1"));
        fs::write(target.join("data/text.txt"), b"new").unwrap();
        let error = Artifact::open(&target, "note", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        fs::remove_file(target.join("data/text.txt")).unwrap();
        assert!(Artifact::open(&target, "note", 1).unwrap_err().to_string().contains("it is missing"));
        assert_eq!(Artifact::open(folder.path(), "note", 1).unwrap_err().kind(), ErrorKind::Unavailable);
    }
}
