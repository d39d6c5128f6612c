//! Arrow IPC, as a file (Feather V2) or a stream: planned from the headers of its messages, read by record batch.
//!
//! A record batch is never cut between splits, since it can only be decoded whole; a split of many small ones
//! reads them one by one. Dictionaries that stand before the first record batch, which is where files have
//! them, are read once; those that follow later in a stream are read again by every split after them.
//!
//! `arrow-ipc` may panic on damaged bytes, or ask for as much memory as they say; every length is checked against
//! the file first, and every call into it is caught here and told as damage.

mod messages;
mod read;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::datatypes::Schema;
use arrow::error::ArrowError;

use sluice_core::Result;
use sluice_core::plan::PlannedColumn;

pub(crate) use self::read::IpcFile;
use crate::columns::match_columns;
use crate::error::SourceError;
use crate::listing::ListedFile;

/// The columns of all files, from the schemas at their beginning or end.
pub(crate) fn header(files: &[ListedFile]) -> Result<Vec<PlannedColumn>> {
    let mut first: Vec<PlannedColumn> = Vec::new();
    for (number, listed) in files.iter().enumerate() {
        let columns = read::columns(listed)?;
        if number == 0 {
            first = columns;
        } else {
            match_columns(&files[0].shown, &first, &listed.shown, &columns)?;
        }
    }
    Ok(first)
}

/// The schema of a file, as it has it.
pub(crate) fn schema(listed: &ListedFile) -> Result<Schema> {
    read::schema(listed)
}

fn damaged(file: &str, problem: impl Into<String>) -> SourceError {
    SourceError::DamagedArrow { file: file.into(), problem: problem.into() }
}

/// Calls into `arrow-ipc`; its errors and panics become ours.
fn guarded<T>(
    file: &str,
    part: impl Fn() -> String,
    work: impl FnOnce() -> Result<T, ArrowError>,
) -> Result<T, SourceError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(SourceError::Arrow { file: file.into(), part: part(), source }),
        Err(_) => Err(damaged(file, format!("the reader gave up on {}", part()))),
    }
}
