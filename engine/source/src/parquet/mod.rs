//! Parquet files: planned from their footers, read by row group with the projection pushed down, or counted
//! by the codes of their dictionary pages.
//!
//! The `parquet` crate may panic on damaged bytes; every call into it is caught here and told as damage.

mod chunks;
mod codes;
mod counted;
mod dictionary;
mod footer;
mod hints;
mod read;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod type_tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::parquet::errors::ParquetError;

pub(crate) use self::chunks::{Fetched, units};
pub(crate) use self::counted::{count, countable};
pub(crate) use self::footer::{ParquetFile, arrow_schema, note_uses};
use crate::error::SourceError;

fn damaged(file: &str, problem: impl Into<String>) -> SourceError {
    SourceError::Damaged { file: file.into(), problem: problem.into() }
}

/// Calls into the `parquet` crate; its errors and panics become ours.
fn guarded<T, E: Into<ParquetError>>(
    file: &str,
    part: impl Fn() -> String,
    work: impl FnOnce() -> Result<T, E>,
) -> Result<T, SourceError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(SourceError::Parquet { file: file.into(), part: part(), source: error.into() }),
        Err(_) => Err(damaged(file, format!("the reader gave up on {}", part()))),
    }
}
