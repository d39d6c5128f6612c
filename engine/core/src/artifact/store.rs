//! Writing beside the target, renaming at the end; verifying on the way in.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fs_err as fs;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::digest::{HashingWriter, hex_digest};
use super::manifest::{EngineRecord, FileRecord, MANIFEST_FILE, Manifest};
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
    /// The target is a folder or file that is not an artifact.
    #[error("`{path}` exists and is not an artifact")]
    NotOurs {
        /// The target.
        path: String,
    },
}

impl Diagnostic for ArtifactError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Absent { .. } => ErrorKind::Unavailable,
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
            Self::NotOurs { .. } => Some("choose another place, or move what is there away".into()),
        }
    }
}

/// An artifact that is being written. Dropped without publishing, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    folder: PathBuf,
    target: PathBuf,
    files: BTreeMap<String, FileRecord>,
    published: bool,
}

/// The folder of a draft that is not published.
const SCRATCH: &str = ".scratch";

static DRAFTS: AtomicU64 = AtomicU64::new(0);

impl Draft {
    /// Begins a folder beside `target`, whose parent is made if need be.
    ///
    /// # Errors
    /// [`CommonError::File`] when the place cannot be written; [`ArtifactError::NotOurs`] when the target
    /// exists and is not an artifact, so that publishing never removes somebody's files.
    pub fn new(target: impl Into<PathBuf>) -> Result<Self> {
        let target: PathBuf = target.into();
        let empty = || fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_none());
        if target.exists() && !target.join(MANIFEST_FILE).is_file() && !empty() {
            return Err(ArtifactError::NotOurs { path: target.display().to_string() }.into());
        }
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent).map_err(CommonError::on("create", &parent))?;
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        sweep(&parent, &name);
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!(".{name}.draft.{}.{number}", std::process::id()));
        fs::create_dir(&folder).map_err(CommonError::on("create", &folder))?;
        Ok(Self { folder, target, files: BTreeMap::new(), published: false })
    }

    /// A folder for what is needed only while the draft is written; it goes with the draft, and is not published.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn scratch(&self) -> Result<PathBuf> {
        let folder = self.folder.join(SCRATCH);
        fs::create_dir_all(&folder).map_err(CommonError::on("create", &folder))?;
        Ok(folder)
    }

    /// Writes a file through `write`; its digest is taken on the way.
    ///
    /// # Errors
    /// [`CommonError::File`], and what `write` answers.
    pub fn write_file<T>(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<T>,
    ) -> Result<T> {
        let mut file = self.create_file(name)?;
        let value = write(&mut file)?;
        file.finish(self)?;
        Ok(value)
    }

    /// Begins a file that is written piece by piece; [`DraftFile::finish`] adds it.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn create_file(&mut self, name: &str) -> Result<DraftFile> {
        let path = self.folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(CommonError::on("create", parent))?;
        }
        let file = fs::File::create(&path).map_err(CommonError::on("create", &path))?;
        Ok(DraftFile {
            name: name.into(),
            shown: self.target.join(name),
            writer: HashingWriter::new(BufWriter::with_capacity(1 << 16, file)),
        })
    }

    /// Writes a value as JSON with a final newline; keys come in the order of the fields.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn write_json<T: Serialize>(&mut self, name: &str, value: &T) -> Result<()> {
        let mut bytes =
            serde_json::to_vec_pretty(value).map_err(|error| CommonError::Internal(error.to_string()))?;
        bytes.push(b'\n');
        self.write_bytes(name, &bytes)
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn write_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        let shown = self.target.join(name);
        self.write_file(name, |writer| {
            Ok(writer.write_all(bytes).map_err(CommonError::on("write", &shown))?)
        })
    }

    /// Writes the manifest, flushes everything to disk and renames into place. What was at the target is
    /// removed only after the new artifact stands there.
    ///
    /// # Errors
    /// [`CommonError::File`]; the target is then as it was.
    pub fn publish(
        mut self,
        kind: &str,
        format_version: u32,
        made_from: BTreeMap<String, String>,
    ) -> Result<Artifact> {
        let scratch = self.folder.join(SCRATCH);
        if scratch.exists() {
            fs::remove_dir_all(&scratch).map_err(CommonError::on("remove", &scratch))?;
        }
        let manifest = Manifest {
            kind: kind.into(),
            format_version,
            engine: EngineRecord::current(),
            made_from,
            files: std::mem::take(&mut self.files),
        };
        let mut bytes =
            serde_json::to_vec_pretty(&manifest).map_err(|error| CommonError::Internal(error.to_string()))?;
        bytes.push(b'\n');
        let path = self.folder.join(MANIFEST_FILE);
        let mut file = fs::File::create(&path).map_err(CommonError::on("create", &path))?;
        file.write_all(&bytes).map_err(CommonError::on("write", &path))?;
        file.sync_all().map_err(CommonError::on("write", &path))?;
        sync_folders(&self.folder)?;
        let aside = self.replace()?;
        self.published = true;
        if let Some(parent) = self.target.parent() {
            sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
        if let Some(aside) = aside {
            // The new artifact stands; a rest of the old one is swept by the next draft.
            let _ = fs::remove_dir_all(aside);
        }
        Ok(Artifact { folder: self.target.clone(), manifest, digest: hex_digest(&bytes) })
    }

    /// Puts the draft at the target: by exchange where something is there, so that there is no moment without
    /// an artifact; by two renames where the file system cannot exchange. Answers where the old one now lies.
    fn replace(&self) -> Result<Option<PathBuf>> {
        if !self.target.exists() {
            fs::rename(&self.folder, &self.target).map_err(CommonError::on("write", &self.target))?;
            return Ok(None);
        }
        let cwd = rustix::fs::CWD;
        let exchange = rustix::fs::RenameFlags::EXCHANGE;
        if rustix::fs::renameat_with(cwd, &self.folder, cwd, &self.target, exchange).is_ok() {
            return Ok(Some(self.folder.clone()));
        }
        let aside = self.folder.with_extension("previous");
        fs::rename(&self.target, &aside).map_err(CommonError::on("replace", &self.target))?;
        if let Err(error) = fs::rename(&self.folder, &self.target) {
            // Put back what was there; the first error is the one to report.
            let _ = fs::rename(&aside, &self.target);
            return Err(CommonError::file("write", &self.target, error).into());
        }
        Ok(Some(aside))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Nothing more can be done about a folder that cannot be removed; the next draft sweeps it.
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// Writes a small file as a whole: beside its place, flushed, then renamed. Its folder is made if need be.
///
/// # Errors
/// [`CommonError::File`]; what was there is then as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(CommonError::on("create", parent))?;
    }
    let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(parent) = path.parent() {
        sweep(parent, &name);
    }
    let beside = path.with_file_name(format!(".{name}.draft.{}.{number}", std::process::id()));
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(&beside, path)).map_err(|error| {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
        CommonError::file("write", path, error)
    })?;
    Ok(())
}

/// Removes the drafts of this target that processes no longer alive have left.
fn sweep(parent: &Path, name: &str) {
    let prefix = format!(".{name}.draft.");
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let entry_name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = entry_name.strip_prefix(&prefix) else { continue };
        let owner = rest.split('.').next().and_then(|pid| pid.parse::<i32>().ok());
        let alive = owner
            .and_then(rustix::process::Pid::from_raw)
            .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
        if !alive {
            // What cannot be removed now is tried again by the next.
            let _ = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(entry.path()),
                _ => fs::remove_file(entry.path()),
            };
        }
    }
}

fn sync_folder(folder: &Path) -> Result<()> {
    let opened = fs::File::open(folder).map_err(CommonError::on("open", folder))?;
    match opened.sync_all() {
        // Some file systems refuse to flush a folder; the rename is then as safe as they make it.
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => Ok(()),
        other => Ok(other.map_err(CommonError::on("write", folder))?),
    }
}

fn sync_folders(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(CommonError::on("read", folder))? {
        let entry = entry.map_err(CommonError::on("read", folder))?;
        if entry.file_type().map_err(CommonError::on("read", &entry.path()))?.is_dir() {
            sync_folders(&entry.path())?;
        }
    }
    sync_folder(folder)
}

/// A file of a draft, written piece by piece.
#[derive(Debug)]
pub struct DraftFile {
    name: String,
    shown: PathBuf,
    writer: HashingWriter<BufWriter<fs::File>>,
}

impl DraftFile {
    /// Flushes the file to disk and adds it to the draft.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn finish(self, draft: &mut Draft) -> Result<()> {
        let (writer, sha256, size_bytes) = self.writer.finish();
        let file =
            writer.into_inner().map_err(|error| CommonError::on("write", &self.shown)(error.into_error()))?;
        file.sync_all().map_err(CommonError::on("write", &self.shown))?;
        draft.files.insert(self.name, FileRecord { sha256, size_bytes });
        Ok(())
    }
}

impl Write for DraftFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// A published artifact.
#[derive(Clone, Debug)]
pub struct Artifact {
    folder: PathBuf,
    manifest: Manifest,
    digest: String,
}

impl Artifact {
    /// Opens an artifact and verifies every file against its digest.
    ///
    /// # Errors
    /// [`ArtifactError`].
    pub fn open(folder: impl Into<PathBuf>, kind: &str, format_version: u32) -> Result<Self> {
        let artifact = Self::open_any(folder)?;
        let path = || artifact.folder.display().to_string();
        if artifact.manifest.kind != kind {
            return Err(ArtifactError::OtherKind {
                path: path(),
                expected: kind.into(),
                found: artifact.manifest.kind,
            }
            .into());
        }
        if artifact.manifest.format_version != format_version {
            return Err(ArtifactError::OtherVersion {
                path: path(),
                expected: format_version,
                found: artifact.manifest.format_version,
            }
            .into());
        }
        Ok(artifact)
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
                return Err(damaged(&path, "its digest is not the one in the manifest".into()).into());
            }
        }
        Ok(Self { folder, manifest, digest: hex_digest(&bytes) })
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
    use super::*;

    fn publish(target: &Path, text: &str) -> Artifact {
        let mut draft = Draft::new(target).unwrap();
        draft.write_bytes("data/text.txt", text.as_bytes()).unwrap();
        draft.publish("note", 1, BTreeMap::from([("source".into(), "abc".into())])).unwrap()
    }

    #[test]
    fn publishing_is_all_or_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("note");
        let mut draft = Draft::new(&target).unwrap();
        draft.write_bytes("data/text.txt", b"half").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let first = publish(&target, "one");
        assert_eq!(Artifact::open(&target, "note", 1).unwrap().digest(), first.digest());
        let second = publish(&target, "two");
        assert_ne!(first.digest(), second.digest());
        assert_eq!(Artifact::open(&target, "note", 1).unwrap().read("data/text.txt").unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(publish(&target, "one").digest(), first.digest());
    }

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

    #[test]
    fn somebody_elses_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), b"years of work").unwrap();
        let error = Draft::new(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("exists and is not an artifact"), "{error}");
    }

    #[test]
    fn drafts_of_dead_processes_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join(".note.draft.999999999.0");
        fs::create_dir(&stale).unwrap();
        publish(&folder.path().join("note"), "one");
        assert!(!stale.exists());
    }
}
