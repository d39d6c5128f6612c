//! Files of an artifact that outlive the process that writes them, so that a long work goes on after the last one that
//! was complete.
//!
//! They lie in `.NAME.parts` beside the target `NAME`. A part is complete when its record `PART.json` is there, which is
//! written last, as a whole, after the part was flushed to disk; it holds the part's digest, which is verified, and the
//! key of the work, so that parts of other data, options or programs are never taken up. One process at a time holds the
//! folder, by a lock that the system lets go of however the process ends.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::digest::HashingWriter;
use super::draft::{Draft, DraftFile, name_of, parent_of, write_whole};
use super::manifest::FileRecord;
use super::store::ArtifactError;
use crate::error::{CommonError, Result};

const LOCK: &str = "lock";

/// The parts of an artifact that are complete or in the making.
#[derive(Debug)]
pub struct PartFiles {
    folder: PathBuf,
    target: PathBuf,
    key: String,
    /// Held, not read.
    _lock: File,
}

/// What stands beside a part.
#[derive(Serialize, Deserialize)]
struct PartRecord<T> {
    key: String,
    file: FileRecord,
    content: T,
}

impl PartFiles {
    /// Opens the parts of the artifact at `target`, whatever an earlier process has left of the work that `key` stands for.
    ///
    /// # Errors
    /// [`ArtifactError::InUse`] while another process is at it, [`CommonError::File`].
    pub fn open(target: &Path, key: &str) -> Result<Self> {
        let parent = parent_of(target);
        let folder = parent.join(format!(".{}.parts", name_of(target)));
        fs::create_dir_all(&folder).map_err(CommonError::on("create", target))?;
        let lock =
            fs::File::create(folder.join(LOCK)).map_err(CommonError::on("create", target))?.into_file();
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {
                return Err(ArtifactError::InUse { path: target.display().to_string() }.into());
            }
            // Where the file system knows no locks, nobody else gets one either.
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { folder, target: target.to_owned(), key: key.into(), _lock: lock })
    }

    /// Begins a part, in place of one that was not complete.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn create(&self, name: &str) -> Result<DraftFile> {
        let part = self.folder.join(name);
        // The part may be the very file of an artifact that adopted it before this folder could be removed: it is not
        // written over, but begun anew.
        for path in [&self.record_path(name), &part] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(CommonError::file("replace", self.target.join(name), error).into());
                }
                _ => {}
            }
        }
        DraftFile::at(&part, name, self.target.join(name))
    }

    /// Flushes a part to disk and notes that it is complete, with what is to be known of it.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn complete<T: Serialize>(&self, file: DraftFile, content: &T) -> Result<()> {
        let (name, file) = file.close()?;
        let record = PartRecord { key: self.key.clone(), file, content };
        let bytes = serde_json::to_vec(&record).map_err(|error| CommonError::Internal(error.to_string()))?;
        write_whole(&self.record_path(&name), &bytes)
    }

    /// What is known of a part, if it is complete and of this work.
    ///
    /// # Errors
    /// [`CommonError::File`] where it cannot be read; what is damaged counts as not there.
    pub fn completed<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        Ok(self.verified(name)?.map(|record| record.content))
    }

    /// Puts a part that is complete into a draft.
    ///
    /// # Errors
    /// [`CommonError::File`]; [`CommonError::Internal`] where it is not complete.
    pub fn adopt(&self, name: &str, draft: &mut Draft) -> Result<()> {
        let record: Option<PartRecord<serde::de::IgnoredAny>> = self.read(name)?;
        let record = record.ok_or_else(|| CommonError::Internal(format!("`{name}` is not complete")))?;
        draft.adopt_file(name, &self.folder.join(name), record.file)
    }

    /// Removes the parts, once the artifact stands.
    pub fn remove(self) {
        // A rest of them is taken up or replaced by the next work at this place.
        let _ = fs::remove_dir_all(&self.folder);
    }

    fn record_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// The record of a part of this work.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<PartRecord<T>>> {
        let path = self.record_path(name);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CommonError::file("read", path, error).into()),
        };
        let record: Option<PartRecord<T>> = serde_json::from_slice(&bytes).ok();
        Ok(record.filter(|record| record.key == self.key))
    }

    /// The record of a part whose bytes are those that were written.
    fn verified<T: DeserializeOwned>(&self, name: &str) -> Result<Option<PartRecord<T>>> {
        let Some(record) = self.read(name)? else { return Ok(None) };
        let path = self.folder.join(name);
        let Ok(mut file) = fs::File::open(&path) else { return Ok(None) };
        let mut digest = HashingWriter::new(std::io::sink());
        std::io::copy(&mut file, &mut digest).map_err(CommonError::on("read", &path))?;
        let (_, sha256, size_bytes) = digest.finish();
        Ok((record.file == FileRecord { sha256, size_bytes }).then_some(record))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;

    use super::*;

    fn part(parts: &PartFiles, name: &str, text: &str) {
        let mut file = parts.create(name).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        parts.complete(file, &text.len()).unwrap();
    }

    #[test]
    fn what_is_complete_and_of_this_work_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("rows");
        let parts = PartFiles::open(&target, "one").unwrap();
        let error = PartFiles::open(&target, "one").unwrap_err();
        assert!(error.to_string().contains("another process"), "{error}");
        part(&parts, "a", "alpha");
        part(&parts, "b", "beta");
        parts.create("c").unwrap().write_all(b"half").unwrap();
        drop(parts);

        let other = PartFiles::open(&target, "two").unwrap();
        assert_eq!(other.completed::<usize>("a").unwrap(), None);
        drop(other);
        fs::write(folder.path().join(".rows.parts/b"), b"bets").unwrap();
        let parts = PartFiles::open(&target, "one").unwrap();
        let found = ["a", "b", "c"].map(|name| parts.completed::<usize>(name).unwrap());
        assert_eq!(found, [Some(5), None, None]);
        // Begun again, it is not complete until it is.
        drop(parts.create("a").unwrap());
        assert_eq!(parts.completed::<usize>("a").unwrap(), None);
        part(&parts, "a", "alpha");

        let mut draft = Draft::new(&target).unwrap();
        parts.adopt("a", &mut draft).unwrap();
        assert!(parts.adopt("c", &mut draft).is_err());
        let artifact = draft.publish("note", 1, BTreeMap::new()).unwrap();
        // Killed before the folder goes: what is begun in it next is no part of the artifact.
        drop(parts);
        let later = PartFiles::open(&target, "three").unwrap();
        part(&later, "a", "other");
        assert_eq!(artifact.read("a").unwrap(), b"alpha");
        later.remove();
        assert_eq!(artifact.read("a").unwrap(), b"alpha");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
