//! A registry in a folder. Conditional writes hold a lock (`flock` on `.lock`) while they look and write,
//! which takes milliseconds; packages are copied beside their place and renamed.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fs_err as fs;
use rustix::fs::{FlockOperation, flock};

use sluice_core::artifact::{Artifact, MANIFEST_FILE, hex_digest, sweep_drafts, write_whole};
use sluice_core::error::{CommonError, Result};

use super::backend::{Backend, Fetched, Listed, Put, Stored, Tag, here};

const LOCK_FILE: &str = ".lock";

/// What pushers of earlier versions of the program copied packages into.
const EARLIER_DRAFT: &str = ".push.";

/// The versions of one model below a folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder of one model.
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Waits until no other writer of this model is at it.
    fn lock(&self) -> Result<fs::File> {
        fs::create_dir_all(&self.root).map_err(CommonError::on("create", &self.root))?;
        let path = self.root.join(LOCK_FILE);
        let file = fs::File::create(&path).map_err(CommonError::on("create", &path))?;
        flock(&file, FlockOperation::LockExclusive)
            .map_err(|error| CommonError::file("lock", &path, error.into()))?;
        Ok(file)
    }

    /// The digest of the package in a folder; `None` without a manifest.
    fn digest_in(&self, folder: &str) -> Result<Option<String>> {
        let path = self.root.join(folder).join(MANIFEST_FILE);
        Ok(read(&path)?.map(|bytes| hex_digest(&bytes)))
    }

    /// The digest of the package in a folder, of no package an empty one; `None` where there is nothing.
    ///
    /// Others who push the same package exchange the folder for an equal one: what was opened before may lose its
    /// files while it is looked at, so that one look proves nothing.
    fn digest_of_whole(&self, folder: &str) -> Result<Option<String>> {
        let target = self.root.join(folder);
        for _ in 0..LOOKS {
            match self.digest_in(folder)? {
                Some(digest) => return Ok(Some(digest)),
                None if fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some()) => {
                    std::thread::sleep(std::time::Duration::from_millis(1));
                }
                None => return Ok(None),
            }
        }
        Ok(Some(String::new()))
    }
}

/// How often a folder without a manifest is looked at, a millisecond apart, before it is taken for what it seems.
const LOOKS: u32 = 50;

/// The bytes of a file, if it is there.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(CommonError::file("read", path, error).into()),
    }
}

/// All files below a folder, by path relative to `root`; what is hidden is no name.
fn walk(root: &Path, folder: &Path, found: &mut Vec<Listed>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        // Removed by others in the meantime.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CommonError::file("read", folder, error).into()),
    };
    for entry in entries {
        let entry = entry.map_err(CommonError::on("read", folder))?;
        let path = entry.path();
        let (Ok(relative), false) =
            (path.strip_prefix(root), entry.file_name().to_string_lossy().starts_with('.'))
        else {
            continue;
        };
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => walk(root, &path, found)?,
            Ok(metadata) => {
                let modified = metadata.modified().map_err(CommonError::on("read", &path))?;
                found.push(Listed { name: relative.display().to_string(), modified });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(CommonError::file("read", &path, error).into()),
        }
    }
    Ok(())
}

impl Backend for Folder {
    fn place(&self, name: &str) -> String {
        self.root.join(name).display().to_string()
    }

    fn prepare(&self) -> Result<()> {
        Ok(())
    }

    fn read(&self, name: &str) -> Result<Option<Stored>> {
        Ok(read(&self.root.join(name))?.map(|bytes| Stored { tag: Tag(hex_digest(&bytes)), bytes }))
    }

    fn read_all(&self, names: &[String]) -> Result<Vec<Option<Stored>>> {
        names.iter().map(|name| self.read(name)).collect()
    }

    fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        let mut found = Vec::new();
        walk(&self.root, &self.root.join(folder), &mut found)?;
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        let _alone = self.lock()?;
        let path = self.root.join(name);
        if path.exists() {
            return Ok(false);
        }
        write_whole(&path, bytes)?;
        Ok(true)
    }

    fn replace(&self, name: &str, bytes: &[u8], expected: &Tag) -> Result<bool> {
        let _alone = self.lock()?;
        if self.read(name)?.is_none_or(|stored| stored.tag != *expected) {
            return Ok(false);
        }
        write_whole(&self.root.join(name), bytes)?;
        Ok(true)
    }

    fn put(&self, folder: &str, package: &Artifact) -> Result<Put> {
        let found = self.digest_of_whole(folder)?;
        if found.is_some_and(|digest| digest != package.digest()) {
            return Ok(Put::Taken);
        }
        package.copy_to(self.root.join(folder))?;
        Ok(Put::Done)
    }

    fn fetch(&self, folder: &str) -> Result<Option<Fetched>> {
        let folder = self.root.join(folder);
        Ok(folder.join(MANIFEST_FILE).exists().then(|| here(&folder)))
    }

    fn remove(&self, names: &[String]) -> Result<()> {
        for name in names {
            let path = self.root.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(CommonError::file("remove", path, error).into());
                }
                _ => {}
            }
            // A package's folder goes with its last file; those that others may be writing into stay.
            let below = |folder: &&Path| folder.parent().is_some_and(|parent| parent != self.root);
            for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.root).take_while(below)
            {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn sweep(&self) -> Result<usize> {
        let versions = self.root.join("versions");
        let hidden = |folder: &Path| -> Vec<PathBuf> {
            let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
            let is_draft = |name: &str| name.starts_with(EARLIER_DRAFT) || name.contains(".draft.");
            let entries = entries.flatten().filter(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.starts_with('.') && is_draft(&name) && !name.ends_with(".lock")
            });
            entries.map(|entry| entry.path()).collect()
        };
        let folders = [self.root.clone(), versions.clone(), self.root.join("claims")];
        let count = |folders: &[PathBuf]| folders.iter().map(|folder| hidden(folder).len()).sum::<usize>();
        let before = count(&folders);
        {
            // Those pushers held the lock for as long as they copied.
            let _alone = self.lock()?;
            for path in hidden(&versions).iter().filter(|path| !path.to_string_lossy().contains(".draft.")) {
                let _ = fs::remove_dir_all(path);
            }
        }
        folders.iter().for_each(|folder| sweep_drafts(folder));
        Ok(before.saturating_sub(count(&folders)))
    }
}
