//! Names for drafts that no other writer uses, and telling drafts in use from those that a killed process has left.
//!
//! A draft `.NAME.draft.PID.N` has a lock beside it, `.NAME.draft.PID.N.lock`, which its owner holds (`flock`) from
//! before the draft is there until after it is gone. The system lets go of it when the process ends, however it
//! ends. Process numbers say nothing here: containers that share a volume have the same ones. The lock holds the
//! number of the boot, which containers on one machine share; whether a lock of another machine can be seen hangs
//! on the file system, so a draft of another one is left alone until nothing in it has changed for a day.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use fs_err as fs;
use rustix::fs::{FlockOperation, flock};

use crate::error::{CommonError, Result};

static CLAIMS: AtomicU64 = AtomicU64::new(0);

const LOCK_SUFFIX: &str = ".lock";
const DRAFT_MARK: &str = ".draft.";

/// How long a draft of another machine must lie still to be taken for left behind.
const STILL: Duration = Duration::from_secs(24 * 60 * 60);

/// A path beside a target that is this process's alone, as long as this lives.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    lock_path: PathBuf,
    /// Held, not read.
    _lock: fs::File,
}

impl Claim {
    /// Claims a path for a draft of `name` in `parent`; there is nothing at it yet. What killed processes have
    /// left of drafts of this name is removed.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub(super) fn new(parent: &Path, name: &str) -> Result<Self> {
        sweep(parent, Some(name));
        loop {
            let number = CLAIMS.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!(".{name}{DRAFT_MARK}{}.{number}", std::process::id()));
            let lock_path = with_suffix(&path, LOCK_SUFFIX);
            let mut lock = match fs::OpenOptions::new().write(true).create_new(true).open(&lock_path) {
                Ok(lock) => lock,
                // Another container's, or one left behind that cannot be told yet.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(CommonError::file("create", parent.join(name), error).into()),
            };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive) == Err(rustix::io::Errno::WOULDBLOCK) {
                // Someone sweeps it in the moment between making and locking it.
                continue;
            }
            // Where the file system knows no locks, nobody else gets one either, and time decides.
            if !is_at(&lock, &lock_path) {
                continue;
            }
            let written = lock.write_all(boot().as_bytes());
            let claim = Self { path, lock_path, _lock: lock };
            written.map_err(CommonError::on("write", parent.join(name)))?;
            if !claim.path.exists() {
                return Ok(claim);
            }
        }
    }

    /// Where the draft goes.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A second path of its own, for what the draft replaces.
    pub(super) fn aside(&self) -> PathBuf {
        with_suffix(&self.path, ".previous")
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A lock that cannot be removed is let go all the same, and swept by the next draft.
        let _ = fs::remove_file(&self.lock_path);
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Whether the file is (still) the one at this path.
fn is_at(file: &fs::File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(held), Ok(found)) => (held.dev(), held.ino()) == (found.dev(), found.ino()),
        _ => false,
    }
}

/// What tells one run of one machine's system from another; empty where it cannot be told.
fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// Removes the drafts that killed processes have left in a folder: those of one name, or all. What cannot be
/// removed now is tried again by the next.
pub(super) fn sweep(folder: &Path, name: Option<&str>) {
    let is_meant = |entry: &str| match name {
        Some(name) => entry.strip_prefix('.').and_then(|rest| rest.strip_prefix(name)).is_some_and(is_draft),
        None => entry.starts_with('.') && entry.rfind(DRAFT_MARK).is_some_and(|at| is_draft(&entry[at..])),
    };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let entry_name = entry.file_name().to_string_lossy().into_owned();
        if !is_meant(&entry_name) {
            continue;
        }
        if entry_name.ends_with(LOCK_SUFFIX) {
            sweep_locked(&entry.path());
        } else if !has_lock(&entry.path()) && is_still(&entry.path()) {
            remove(&entry.path());
        }
    }
}

/// Whether this is `.draft.PID.N`, perhaps with a suffix of ours.
fn is_draft(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(DRAFT_MARK) else { return false };
    let mut parts = rest.split('.');
    let is_number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u64>().is_ok());
    is_number(parts.next())
        && is_number(parts.next())
        && matches!(parts.next(), None | Some("lock" | "previous"))
        && parts.next().is_none()
}

fn has_lock(draft: &Path) -> bool {
    let text = draft.to_string_lossy();
    let base = text.strip_suffix(".previous").unwrap_or(&text);
    Path::new(&format!("{base}{LOCK_SUFFIX}")).exists()
}

/// Removes the draft of a lock that nobody holds.
fn sweep_locked(lock_path: &Path) {
    // On NFS only a file that is open for writing can be locked.
    let Ok(mut lock) = fs::OpenOptions::new().read(true).write(true).open(lock_path) else { return };
    let draft = lock_path.with_extension("");
    let aside = with_suffix(&draft, ".previous");
    let has_rested = || [lock_path, &draft, &aside].iter().all(|path| is_still(path));
    let is_dead = match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) if is_at(&lock, lock_path) => {
            let (mut of, here) = (String::new(), boot());
            let _ = lock.read_to_string(&mut of);
            // Where there is no draft yet, its maker sees that the lock is gone and makes another.
            let is_bare = !draft.exists() && !aside.exists();
            is_bare || (!here.is_empty() && of == here) || has_rested()
        }
        // Another sweeper was faster.
        Ok(()) | Err(rustix::io::Errno::WOULDBLOCK) => false,
        Err(_) => has_rested(),
    };
    if is_dead {
        remove(&draft);
        remove(&aside);
        // Last, so that a draft is never without its lock.
        if !draft.exists() && !aside.exists() {
            let _ = fs::remove_file(lock_path);
        }
    }
}

fn remove(path: &Path) {
    let _ = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    };
}

/// Whether nothing at or below this path has changed for long; so is what is not there.
fn is_still(path: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(path) else { return true };
    let now = SystemTime::now();
    let rested = metadata
        .modified()
        .is_ok_and(|modified| now.duration_since(modified).is_ok_and(|since| since >= STILL));
    let below = || match fs::read_dir(path) {
        Ok(entries) => entries.flatten().all(|entry| is_still(&entry.path())),
        Err(_) => false,
    };
    rested && (!metadata.is_dir() || below())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A draft as a killed process leaves it: a lock that nobody holds, and a folder with a file.
    fn left_behind(folder: &Path, name: &str, boot: &str) -> (PathBuf, PathBuf) {
        let draft = folder.join(name);
        let lock = with_suffix(&draft, LOCK_SUFFIX);
        fs::create_dir(&draft).unwrap();
        fs::write(draft.join("half"), b"half").unwrap();
        fs::write(&lock, boot).unwrap();
        (draft, lock)
    }

    fn age(path: &Path, time: Duration) {
        let file = fs::File::open(path).unwrap();
        file.file().set_modified(SystemTime::now() - time).unwrap();
    }

    #[test]
    fn a_draft_in_use_is_left_alone_whatever_its_process_number() {
        let folder = tempfile::tempdir().unwrap();
        let held = Claim::new(folder.path(), "note").unwrap();
        fs::create_dir(held.path()).unwrap();
        // As another container would see it: a process number that is not alive here.
        let foreign = folder.path().join(".note.draft.999999999.0");
        fs::create_dir(&foreign).unwrap();
        let lock = fs::File::create(with_suffix(&foreign, LOCK_SUFFIX)).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        let other = Claim::new(folder.path(), "note").unwrap();
        assert_ne!(other.path(), held.path());
        assert!(held.path().exists() && foreign.exists());
        drop(lock);
        fs::write(with_suffix(&foreign, LOCK_SUFFIX), boot()).unwrap();
        sweep(folder.path(), Some("note"));
        assert!(held.path().exists() && !foreign.exists());
    }

    /// The first process of a container always has the same number.
    #[test]
    fn a_draft_left_by_a_process_of_our_own_number_is_swept_and_its_name_free() {
        let folder = tempfile::tempdir().unwrap();
        let mut left = Vec::new();
        for number in 0..200 {
            let name = format!(".note.draft.{}.{number}", std::process::id());
            left.push(left_behind(folder.path(), &name, &boot()));
        }
        let claim = Claim::new(folder.path(), "note").unwrap();
        fs::create_dir(claim.path()).unwrap();
        assert!(left.iter().all(
            |(draft, lock)| !draft.join("half").exists() && (!lock.exists() || lock == &claim.lock_path)
        ));
        drop(claim);
    }

    #[test]
    fn a_draft_of_another_machine_is_swept_when_it_has_rested_for_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let (draft, lock) = left_behind(folder.path(), ".note.draft.7.0", "another boot");
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        for path in [&lock, &draft] {
            age(path, hours(30));
        }
        sweep(folder.path(), Some("note"));
        assert!(draft.exists(), "its file was written a moment ago");
        age(&draft.join("half"), hours(23));
        sweep(folder.path(), None);
        assert!(draft.exists());
        age(&draft.join("half"), hours(25));
        sweep(folder.path(), Some("not"));
        assert!(draft.exists(), "it is of another name");
        sweep(folder.path(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_no_draft_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let names = [".note.draft.final.2", "note.draft.1.1", ".note.draft.1", ".note.draft.1.2.txt"];
        for name in names {
            let path = folder.path().join(name);
            fs::write(&path, b"years of work").unwrap();
            age(&path, 2 * STILL);
        }
        sweep(folder.path(), Some("note"));
        sweep(folder.path(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), names.len());
    }

    #[test]
    fn many_writers_get_different_names() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let claim = Claim::new(folder.path(), "note").unwrap();
                        fs::create_dir(claim.path()).unwrap();
                        fs::write(claim.path().join("data"), b"x").unwrap();
                        fs::remove_dir_all(claim.path()).unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
