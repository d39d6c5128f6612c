//! Which folders hold the ledgers that are asked.

use std::path::{Path, PathBuf};

use fs_err as fs;
use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_pipeline::ledger::{LEDGER_FILE, Ledger, LedgerError};

use crate::failure::ArgumentError;

/// Where `sluice run` puts its folders unless told otherwise.
const DEFAULT: &str = "sluice-runs";

/// The folders with a ledger among those that were given and those right below them, in the order of their names.
///
/// # Errors
/// `LedgerError::Absent` for a folder that was given and has none.
pub(super) fn ledgers(given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if given.is_empty() {
        let default = Path::new(DEFAULT);
        return if default.is_dir() { below(default) } else { Ok(Vec::new()) };
    }
    let mut found = Vec::new();
    for folder in given {
        let of_folder =
            if folder.join(LEDGER_FILE).is_file() { vec![folder.clone()] } else { below(folder)? };
        if of_folder.is_empty() {
            return Err(LedgerError::Absent { path: folder.join(LEDGER_FILE).display().to_string() }.into());
        }
        found.extend(of_folder.into_iter().filter(|folder| !found.contains(folder)).collect::<Vec<_>>());
    }
    Ok(found)
}

fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CommonError::file("read", folder, error).into()),
    };
    let mut found: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.join(LEDGER_FILE).is_file()).collect();
    found.sort();
    Ok(found)
}

/// The one ledger that knows a run.
///
/// # Errors
/// Where none does, and where several do: `latest` and numbers mean something in one folder only.
pub(super) fn ledger_of(given: &[PathBuf], run: &str) -> Result<Ledger> {
    let folders = ledgers(given)?;
    match folders.as_slice() {
        [] => Err(LedgerError::Absent {
            path: Path::new(DEFAULT).join("*").join(LEDGER_FILE).display().to_string(),
        }
        .into()),
        [only] => Ledger::open(only),
        several => one_of(several, run),
    }
}

fn one_of(folders: &[PathBuf], run: &str) -> Result<Ledger> {
    let mut last = None;
    let mut found: Vec<(&PathBuf, Ledger)> = Vec::new();
    for folder in folders {
        let ledger = Ledger::open(folder)?;
        match ledger.find(run) {
            Ok(_) => found.push((folder, ledger)),
            Err(error) if matches!(error.downcast_ref(), Some(LedgerError::NoSuchRun { .. })) => {
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    let names: Vec<String> = found.iter().map(|(folder, _)| format!("`{}`", folder.display())).collect();
    match (found.pop(), names.len()) {
        (Some((_, ledger)), 1) => Ok(ledger),
        (Some(_), _) => {
            let message = format!("`{run}` is a run in each of {}", names.join(", "));
            Err(ArgumentError::new(message, "say which with `--out`, or name it PIPELINE.NUMBER").into())
        }
        (None, _) => {
            let hint = last.as_ref().and_then(|error| error.hint()).unwrap_or_default();
            let message = format!("there is no run `{run}` in any of {} ledgers", folders.len());
            Err(ArgumentError::new(message, hint).into())
        }
    }
}
