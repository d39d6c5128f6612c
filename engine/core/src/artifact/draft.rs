//! Writing beside the target, renaming at the end. Others may write or publish at the same place meanwhile.

use std::collections::BTreeMap;
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use serde::Serialize;

use super::claim::{Claim, sweep};
use super::digest::{HashingWriter, hex_digest};
use super::manifest::{EngineRecord, FileRecord, MANIFEST_FILE, Manifest};
use super::store::{Artifact, ArtifactError};
use crate::error::{CommonError, Result};

/// An artifact that is being written. Dropped without publishing, it leaves nothing behind.
#[derive(Debug)]
pub struct Draft {
    claim: Claim,
    target: PathBuf,
    files: BTreeMap<String, FileRecord>,
    published: bool,
}

/// The folder of a draft that is not published.
const SCRATCH: &str = ".scratch";

impl Draft {
    /// Begins a folder beside `target`, whose parent is made if need be.
    ///
    /// # Errors
    /// [`CommonError::File`] when the place cannot be written; [`ArtifactError::NotOurs`] when the target
    /// exists and is not an artifact, so that publishing never removes somebody's files.
    pub fn new(target: impl Into<PathBuf>) -> Result<Self> {
        let target: PathBuf = target.into();
        if is_somebody_elses(&target) {
            return Err(ArtifactError::NotOurs { path: target.display().to_string() }.into());
        }
        let parent = parent_of(&target);
        fs::create_dir_all(parent).map_err(CommonError::on("create", parent))?;
        let claim = Claim::new(parent, &name_of(&target))?;
        fs::create_dir(claim.path()).map_err(CommonError::on("create", &target))?;
        Ok(Self { claim, target, files: BTreeMap::new(), published: false })
    }

    /// A folder for what is needed only while the draft is written; it goes with the draft, and is not published.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn scratch(&self) -> Result<PathBuf> {
        let folder = self.claim.path().join(SCRATCH);
        fs::create_dir_all(&folder).map_err(CommonError::on("create", &self.target))?;
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
        let path = self.claim.path().join(name);
        let shown = self.target.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(CommonError::on("create", parent_of(&shown)))?;
        }
        DraftFile::at(&path, name, shown)
    }

    /// Takes a file that is complete at `from`, on the same file system, without copying it.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub(super) fn adopt_file(&mut self, name: &str, from: &Path, record: FileRecord) -> Result<()> {
        let path = self.claim.path().join(name);
        // Both names stand for the file, so that it is still there if the draft is not published.
        let linked = fs::hard_link(from, &path).or_else(|_| fs::rename(from, &path));
        linked.map_err(CommonError::on("create", self.target.join(name)))?;
        self.files.insert(name.into(), record);
        Ok(())
    }

    /// Writes a value as JSON with a final newline; keys come in the order of the fields.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn write_json<T: Serialize>(&mut self, name: &str, value: &T) -> Result<()> {
        let shown = self.target.join(name);
        self.write_file(name, |writer| {
            // Large ones are never in memory as a whole; the digest takes few long pieces rather than many short ones.
            let mut writer = BufWriter::with_capacity(1 << 16, writer);
            serde_json::to_writer_pretty(&mut writer, value).map_err(|error| {
                if error.is_io() {
                    CommonError::file("write", &shown, error.into())
                } else {
                    CommonError::Internal(error.to_string())
                }
            })?;
            let end = writer.write_all(b"\n").and_then(|()| writer.flush());
            Ok(end.map_err(CommonError::on("write", &shown))?)
        })
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
    /// removed only after the new artifact stands there; the same artifact is left as it is.
    ///
    /// # Errors
    /// [`CommonError::File`]; the target is then as it was.
    pub fn publish(
        mut self,
        kind: &str,
        format_version: u32,
        made_from: BTreeMap<String, String>,
    ) -> Result<Artifact> {
        let scratch = self.claim.path().join(SCRATCH);
        if scratch.exists() {
            fs::remove_dir_all(&scratch).map_err(CommonError::on("remove", &self.target))?;
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
        self.put_in_place(manifest, &bytes)
    }

    /// Publishes what was written under this manifest.
    fn put_in_place(mut self, manifest: Manifest, bytes: &[u8]) -> Result<Artifact> {
        let artifact = Artifact { folder: self.target.clone(), manifest, digest: hex_digest(bytes) };
        if artifact.is_there() {
            // Others may be reading it: the same bytes are not put in its place once more.
            return Ok(artifact);
        }
        let path = self.claim.path().join(MANIFEST_FILE);
        let shown = self.target.join(MANIFEST_FILE);
        let mut file = fs::File::create(&path).map_err(CommonError::on("create", &shown))?;
        file.write_all(bytes).map_err(CommonError::on("write", &shown))?;
        file.sync_all().map_err(CommonError::on("write", &shown))?;
        sync_folders(self.claim.path(), &self.target)?;
        let aside = self.replace()?;
        let parent = parent_of(&self.target);
        if let Err(error) = sync_folder(parent, parent) {
            self.undo(aside.as_deref());
            return Err(error);
        }
        self.published = true;
        if let Some(aside) = aside {
            // The new artifact stands; a rest of the old one is swept by the next draft.
            let _ = fs::remove_dir_all(aside);
        }
        Ok(artifact)
    }

    /// Puts the draft at the target, whatever others publish there meanwhile: by a rename that replaces nothing, or
    /// by exchange where something is there, so that there is no moment without an artifact; by plain renames
    /// where the file system has neither. Answers where the old one now lies.
    fn replace(&self) -> Result<Option<PathBuf>> {
        let (draft, target) = (self.claim.path(), &self.target);
        loop {
            match renameat_with(CWD, draft, CWD, target, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(None),
                Err(Errno::EXIST | Errno::NOTEMPTY) => {}
                Err(_) => return self.replace_by_renames(),
            }
            match renameat_with(CWD, draft, CWD, target, RenameFlags::EXCHANGE) {
                Ok(()) => return Ok(Some(draft.to_owned())),
                // What was there is gone in the meantime.
                Err(Errno::NOENT) => {}
                Err(_) => return self.replace_by_renames(),
            }
        }
    }

    fn replace_by_renames(&self) -> Result<Option<PathBuf>> {
        let (draft, target, aside) = (self.claim.path(), &self.target, self.claim.aside());
        let is_taken = |error: &std::io::Error| {
            matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty)
        };
        loop {
            // An empty folder is replaced by this too.
            match fs::rename(draft, target) {
                Ok(()) => return Ok(None),
                Err(error) if is_taken(&error) => {}
                Err(error) => return Err(CommonError::file("write", target, error).into()),
            }
            match fs::rename(target, &aside) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(CommonError::file("replace", target, error).into()),
            }
            match fs::rename(draft, target) {
                Ok(()) => return Ok(Some(aside)),
                // Another has published in between; what was there before is replaced twice.
                Err(error) if is_taken(&error) => {
                    let _ = fs::remove_dir_all(&aside);
                }
                Err(error) => {
                    // Put back what was there; the first error is the one to report.
                    let _ = fs::rename(&aside, target);
                    return Err(CommonError::file("write", target, error).into());
                }
            }
        }
    }

    /// Takes the draft back from the target, as far as the file system lets it.
    fn undo(&self, aside: Option<&Path>) {
        let (draft, target) = (self.claim.path(), &self.target);
        if aside == Some(draft) {
            let _ = renameat_with(CWD, draft, CWD, target, RenameFlags::EXCHANGE);
        } else if fs::rename(target, draft).is_ok()
            && let Some(aside) = aside
        {
            let _ = fs::rename(aside, target);
        }
    }
}

impl Artifact {
    /// Copies it to `target` as it is, manifest and all, so that the copy has its digest. Every file is verified on the
    /// way; what was at the target is replaced as by [`Draft::publish`].
    ///
    /// # Errors
    /// [`CommonError::File`]; [`ArtifactError::Damaged`] when it was changed after it was opened.
    pub fn copy_to(&self, target: impl Into<PathBuf>) -> Result<Self> {
        let mut draft = Draft::new(target)?;
        for (name, record) in &self.manifest.files {
            let from = self.path(name);
            let mut file = fs::File::open(&from).map_err(CommonError::on("read", &from))?;
            let to = draft.target.join(name);
            draft.write_file(name, |writer| {
                Ok(std::io::copy(&mut file, writer).map_err(CommonError::on("write", to))?)
            })?;
            if draft.files.get(name) != Some(record) {
                return Err(ArtifactError::changed(&from).into());
            }
        }
        let bytes = self.read(MANIFEST_FILE)?;
        if hex_digest(&bytes) != self.digest {
            return Err(ArtifactError::changed(&self.path(MANIFEST_FILE)).into());
        }
        draft.put_in_place(self.manifest.clone(), &bytes)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Nothing more can be done about a folder that cannot be removed; the next draft sweeps it.
            let _ = fs::remove_dir_all(self.claim.path());
        }
    }
}

/// Writes a small file as a whole: beside its place, flushed, then renamed. Its folder is made if need be.
///
/// # Errors
/// [`CommonError::File`]; what was there is then as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let parent = parent_of(path);
    fs::create_dir_all(parent).map_err(CommonError::on("create", parent))?;
    let claim = Claim::new(parent, &name_of(path))?;
    let beside = claim.path();
    let written = fs::File::create(beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.and_then(|()| fs::rename(beside, path)).map_err(|error| {
        // The first error is the one to report.
        let _ = fs::remove_file(beside);
        CommonError::file("write", path, error)
    })?;
    Ok(())
}

/// Removes the drafts of any artifact that killed processes have left in a folder; those in use stay.
pub fn sweep_drafts(folder: &Path) {
    sweep(folder, None);
}

/// Whether something stands there that is no artifact, nor an empty folder. Others may publish or remove there in the
/// midst of it: what is judged must be the same before and after.
fn is_somebody_elses(target: &Path) -> bool {
    let identity = || fs::metadata(target).map(|found| (found.dev(), found.ino())).ok();
    loop {
        let found = identity();
        let empty = || fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_none());
        if found.is_none() || target.join(MANIFEST_FILE).is_file() || empty() {
            return false;
        }
        if identity() == found {
            return true;
        }
    }
}

pub(super) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Flushes a folder; errors name `shown`.
fn sync_folder(folder: &Path, shown: &Path) -> Result<()> {
    let opened = fs::File::open(folder).map_err(CommonError::on("open", shown))?;
    match opened.sync_all() {
        // Some file systems refuse to flush a folder; the rename is then as safe as they make it.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        other => Ok(other.map_err(CommonError::on("write", shown))?),
    }
}

fn sync_folders(folder: &Path, shown: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(CommonError::on("read", shown))? {
        let entry = entry.map_err(CommonError::on("read", shown))?;
        if entry.file_type().map_err(CommonError::on("read", shown))?.is_dir() {
            sync_folders(&entry.path(), &shown.join(entry.file_name()))?;
        }
    }
    sync_folder(folder, shown)
}

/// A file of a draft, written piece by piece.
#[derive(Debug)]
pub struct DraftFile {
    name: String,
    shown: PathBuf,
    written: u64,
    writer: HashingWriter<BufWriter<std::fs::File>>,
}

impl DraftFile {
    /// Begins the file `name` at `path`; messages call it `shown`.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub(super) fn at(path: &Path, name: &str, shown: PathBuf) -> Result<Self> {
        // The errors of `fs_err` would name the draft, which is gone when they are read.
        let file = fs::File::create(path).map_err(CommonError::on("create", &shown))?.into_file();
        let writer = HashingWriter::new(BufWriter::with_capacity(1 << 16, file));
        Ok(Self { name: name.into(), shown, written: 0, writer })
    }

    /// Flushes the file to disk and adds it to the draft.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn finish(self, draft: &mut Draft) -> Result<()> {
        let (name, record) = self.close()?;
        draft.files.insert(name, record);
        Ok(())
    }

    /// Flushes the file to disk; answers its name and what is known of it.
    pub(super) fn close(self) -> Result<(String, FileRecord)> {
        let (writer, sha256, size_bytes) = self.writer.finish();
        let file =
            writer.into_inner().map_err(|error| CommonError::on("write", &self.shown)(error.into_error()))?;
        file.sync_all().map_err(CommonError::on("write", &self.shown))?;
        Ok((self.name, FileRecord { sha256, size_bytes }))
    }
}

/// A write that failed; who hands the file to another crate's writer gets to know which it was.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}` beyond its first {written} bytes")]
struct WriteError {
    path: String,
    written: u64,
    source: std::io::Error,
}

impl DraftFile {
    fn failed(&self, source: std::io::Error) -> std::io::Error {
        let path = self.shown.display().to_string();
        std::io::Error::new(source.kind(), WriteError { path, written: self.written, source })
    }
}

impl Write for DraftFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.writer.write(bytes).map_err(|error| self.failed(error))?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush().map_err(|error| self.failed(error))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An artifact of one file with this text.
    pub(in crate::artifact) fn publish(target: &Path, text: &str) -> Artifact {
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
    fn the_same_artifact_is_left_as_it_is_unless_it_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("note");
        let inode = || fs::metadata(&target).unwrap().ino();
        publish(&target, "one");
        let first = inode();
        publish(&target, "one");
        assert_eq!(inode(), first);
        for damage in ["data/text.txt", "data/stray.txt"] {
            // The new folder is made while this one is there, so that it cannot have its number.
            let before = inode();
            fs::write(target.join(damage), b"else").unwrap();
            publish(&target, "one");
            assert_ne!(inode(), before);
            assert_eq!(Artifact::open(&target, "note", 1).unwrap().read("data/text.txt").unwrap(), b"one");
            assert!(!target.join("data/stray.txt").exists());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_copy_has_the_digest_and_a_change_is_seen_on_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("note");
        let mut first = publish(&target, "one");
        // As one that another version of the program made.
        first.manifest.engine.version = "0.0.1".into();
        let bytes = serde_json::to_vec(&first.manifest).unwrap();
        fs::write(target.join(MANIFEST_FILE), &bytes).unwrap();
        let first = Artifact::open_any(&target).unwrap();
        let copy = first.copy_to(folder.path().join("deep/copy")).unwrap();
        assert_eq!(copy.digest(), first.digest());
        assert_eq!(Artifact::open_any(copy.folder()).unwrap().digest(), hex_digest(&bytes));
        fs::write(target.join("data/text.txt"), b"two").unwrap();
        let error = first.copy_to(folder.path().join("other")).unwrap_err();
        assert!(error.to_string().contains("digest"), "{error}");
        assert!(!folder.path().join("other").exists());
    }

    #[test]
    fn somebody_elses_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), b"years of work").unwrap();
        let error = Draft::new(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("exists and is not an artifact"), "{error}");
    }

    #[test]
    fn many_may_publish_at_one_place_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("note");
        let (made, others) = (publish(&target, "one"), ["two", "three"]);
        let digests: Vec<String> =
            others.iter().map(|text| publish(&target, text).digest().to_owned()).collect();
        assert_ne!(digests[0], made.digest());
        std::thread::scope(|scope| {
            for text in others {
                scope.spawn(|| {
                    for round in 0..40 {
                        publish(&target, text);
                        if round % 8 == 0 {
                            // As `rm -r` would, in the midst of it.
                            let gone = Draft::new(&target).unwrap();
                            let _ = fs::rename(&target, gone.claim.path().join("gone"));
                        }
                    }
                    publish(&target, text);
                });
            }
        });
        let last = Artifact::open(&target, "note", 1).unwrap();
        assert!(digests.contains(&last.digest().to_owned()));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// Where the file system cannot exchange.
    #[test]
    fn renames_replace_too() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("note");
        publish(&target, "one");
        let mut draft = Draft::new(&target).unwrap();
        draft.write_bytes("text.txt", b"two").unwrap();
        let aside = draft.replace_by_renames().unwrap().unwrap();
        assert_eq!(fs::read(target.join("text.txt")).unwrap(), b"two");
        assert!(aside.join(MANIFEST_FILE).exists());
        draft.undo(Some(&aside));
        drop(draft);
        assert_eq!(Artifact::open(&target, "note", 1).unwrap().read("data/text.txt").unwrap(), b"one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::remove_dir_all(&target).unwrap();
        let draft = Draft::new(&target).unwrap();
        assert_eq!(draft.replace_by_renames().unwrap(), None);
        draft.undo(None);
        drop(draft);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
