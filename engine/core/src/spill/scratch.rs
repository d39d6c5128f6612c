//! The file that runs are kept in, cut into slots of one size, so that what a run gives back serves the next.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fs_err as fs;

use crate::error::{Diagnostic, ErrorKind};
use crate::memory::size;

/// Bytes of a slot: few enough to merge hundreds of runs in some megabytes, enough to read a disk at full speed.
pub(super) const SLOT_BYTES: usize = 1 << 16;

/// Why something could not be put aside on disk, or read back.
#[derive(Debug, thiserror::Error)]
pub enum SpillError {
    /// The folder takes no more.
    #[error(
        "what exceeds the memory limit cannot be written to `{folder}`, which holds {} of it already", size(*held)
    )]
    Write {
        /// The folder.
        folder: String,
        /// The bytes that it holds for us.
        held: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The file does not give back what was written.
    #[error("what was put aside in `{folder}` cannot be read back")]
    Read {
        /// The folder.
        folder: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Diagnostic for SpillError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unavailable
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Write { held, source, .. } if source.kind() == io::ErrorKind::StorageFull => {
                let held = size(*held);
                Some(format!(
                    "make room for more than {held} there, raise `--memory`, or choose another `--out`"
                ))
            }
            Self::Write { .. } => {
                Some("choose a place for `--out` that can be written, or raise `--memory`".into())
            }
            Self::Read { .. } => Some("the disk is damaged; choose another `--out`".into()),
        }
    }
}

#[derive(Debug, Default)]
struct Slots {
    file: Option<Arc<File>>,
    free: Vec<u32>,
    end: u32,
}

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    slots: Mutex<Slots>,
}

/// A place on disk for what exceeds the limit of memory. The file is made when it is first needed; clones share it.
#[derive(Clone, Debug)]
pub struct Scratch(Arc<Inner>);

impl Scratch {
    /// In this folder, which is made if need be.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { folder: folder.into(), slots: Mutex::default() }))
    }

    /// In the folder that holds `target`, where an artifact is written too.
    #[must_use]
    pub fn beside(target: &Path) -> Self {
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        Self::in_folder(parent.unwrap_or_else(|| Path::new(".")))
    }

    fn lock(&self) -> MutexGuard<'_, Slots> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes on disk.
    #[must_use]
    pub fn held(&self) -> u64 {
        let slots = self.lock();
        u64::from(slots.end) * SLOT_BYTES as u64 - (slots.free.len() * SLOT_BYTES) as u64
    }

    fn unwritten(&self, source: io::Error) -> SpillError {
        SpillError::Write { folder: self.0.folder.display().to_string(), held: self.held(), source }
    }

    /// A slot that nobody uses, with the file.
    fn take(&self) -> io::Result<(u32, Arc<File>)> {
        let mut slots = self.lock();
        let file = match &slots.file {
            Some(file) => Arc::clone(file),
            None => {
                fs::create_dir_all(&self.0.folder)?;
                let file = Arc::new(tempfile::tempfile_in(&self.0.folder)?);
                Arc::clone(slots.file.insert(file))
            }
        };
        let number = match slots.free.pop() {
            Some(number) => number,
            None => {
                let number = slots.end;
                slots.end = number.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
                number
            }
        };
        Ok((number, file))
    }

    /// Writes at most a slot's bytes; answers where they are.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<u32, SpillError> {
        let (number, file) = self.take().map_err(|source| self.unwritten(source))?;
        file.write_all_at(bytes, place(number)).map_err(|source| {
            let error = self.unwritten(source);
            self.give_back([number]);
            error
        })?;
        Ok(number)
    }

    /// Reads the first bytes of a slot.
    pub(super) fn read(&self, slot: u32, bytes: &mut [u8]) -> Result<(), SpillError> {
        let file = self.lock().file.clone();
        let read = match file {
            Some(file) => file.read_exact_at(bytes, place(slot)),
            None => Err(io::ErrorKind::NotFound.into()),
        };
        read.map_err(|source| self.unreadable(source))
    }

    pub(super) fn unreadable(&self, source: io::Error) -> SpillError {
        SpillError::Read { folder: self.0.folder.display().to_string(), source }
    }

    pub(super) fn give_back(&self, slots: impl IntoIterator<Item = u32>) {
        self.lock().free.extend(slots);
    }
}

fn place(slot: u32) -> u64 {
    u64::from(slot) * SLOT_BYTES as u64
}
