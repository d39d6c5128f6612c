//! The folder of this machine in which copies lie while a command runs.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Cancel;
use sluice_storage::folder::{self, Found};
use sluice_storage::{Location, Store};
use tempfile::TempDir;

use crate::shown;

/// There is one command, and what it fetches lies in one folder.
static AREA: Mutex<State> = Mutex::new(State { folder: None, count: 0, cancel: None });

struct State {
    folder: Option<TempDir>,
    count: usize,
    cancel: Option<Cancel>,
}

fn state() -> MutexGuard<'static, State> {
    AREA.lock().unwrap_or_else(PoisonError::into_inner)
}

/// While it lives, copies can be made; with it, they go.
#[derive(Debug)]
pub(super) struct Area(());

impl Area {
    pub(super) fn open(cancel: &Cancel) -> Self {
        state().cancel = Some(cancel.clone());
        Self(())
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        let State { folder, .. } = &mut *state();
        // What cannot be removed is in the folder for temporary files, which others clean.
        drop(folder.take());
    }
}

/// The store of a place, which a signal interrupts.
pub(super) fn store(location: &Location) -> Result<Store> {
    let store = Store::open(location)?;
    Ok(match &state().cancel {
        Some(cancel) => store.cancelled_by(cancel),
        None => store,
    })
}

/// A path of this machine that stands for a place; its name is kept, for names tell formats.
pub(super) fn path_for(location: &Location) -> Result<PathBuf> {
    let mut state = state();
    let unwritable = || {
        let temporary = std::env::temp_dir();
        move |error| CommonError::file("create a folder in", temporary, error)
    };
    if state.folder.is_none() {
        let made = tempfile::Builder::new().prefix("sluice-").tempdir();
        state.folder = Some(made.map_err(unwritable())?);
    }
    state.count += 1;
    let root = state.folder.as_ref().map(TempDir::path).unwrap_or(Path::new("."));
    let folder = root.join(state.count.to_string());
    fs_err::create_dir(&folder).map_err(unwritable())?;
    let name = if location.name().is_empty() { "root" } else { location.name() };
    let path = folder.join(name);
    shown::stands_for(&path, &location.to_string());
    Ok(path)
}

/// Copies what lies at a place here.
pub(super) fn fetch(location: &Location) -> Result<(PathBuf, Found)> {
    let store = store(location)?;
    let path = path_for(location)?;
    let found = folder::fetch(&store, location.key(), &path)?;
    Ok((path, found))
}
