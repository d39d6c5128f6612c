//! Whether the process of a run is still there: it holds a lock on a file in the run's folder, which the system lets
//! go of however the process ends, in whatever container it ran.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use sluice_core::error::{CommonError, Result};

const FILE: &str = ".running";

/// Held while a run runs.
#[derive(Debug)]
pub(crate) struct Alive {
    path: PathBuf,
    _file: File,
}

impl Alive {
    /// Of the run in this folder.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let file = fs_err::File::create(&path).map_err(CommonError::on("create", &path))?.into_parts().0;
        file.lock().map_err(CommonError::on("lock", &path))?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        // What is left is not locked, and so says nothing.
        let _ = fs_err::remove_file(&self.path);
    }
}

/// Whether the run in this folder still runs.
pub(crate) fn is_alive(folder: &Path) -> bool {
    let Ok(file) = fs_err::File::open(folder.join(FILE)) else { return false };
    matches!(file.into_parts().0.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_alive_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_alive(folder.path()));
        let alive = Alive::begin(folder.path()).unwrap();
        assert!(is_alive(folder.path()));
        drop(alive);
        assert!(!is_alive(folder.path()));
        fs_err::write(folder.path().join(FILE), "").unwrap();
        assert!(!is_alive(folder.path()));
    }
}
