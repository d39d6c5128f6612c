//! Parquet files: planned from their footers, read by row group with the projection pushed down, or counted
//! by the codes of their dictionary pages.
//!
//! The `parquet` crate may panic on damaged bytes; every call into it is caught here and told as damage.

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

use sluice_core::plan::{Piece, PlanOptions, PlannedColumn, PlannedFile};
use sluice_core::{Execution, Result};

pub(crate) use self::counted::{count, countable};
pub(crate) use self::footer::ParquetFile;
use crate::columns::match_columns;
use crate::error::SourceError;
use crate::listing::ListedFile;

/// What the footers say.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) files: Vec<ParquetFile>,
    pub(crate) planned: Vec<PlannedFile>,
    pub(crate) columns: Vec<PlannedColumn>,
    pub(crate) pieces: Vec<Piece>,
}

/// More splits than this are not a table but a forged footer.
const MAX_SPLITS: u64 = 1 << 20;

/// Reads the footers of all files.
pub(crate) fn survey(files: &[ListedFile], options: PlanOptions, execution: &Execution) -> Result<Survey> {
    let mut survey =
        Survey { files: Vec::new(), planned: Vec::new(), columns: Vec::new(), pieces: Vec::new() };
    let mut rows = 0_u64;
    for (number, listed) in files.iter().enumerate() {
        execution.cancel.check()?;
        let (mut file, planned, columns) = ParquetFile::open(listed)?;
        if number == 0 {
            survey.columns = columns;
        } else {
            file.order = match_columns(&files[0].shown, &survey.columns, &listed.shown, &columns)?;
        }
        rows = rows.saturating_add(planned.rows);
        if rows / std::cmp::max(options.split_rows, 1) >= MAX_SPLITS {
            return Err(damaged(&listed.shown, format!("it claims {rows} rows")).into());
        }
        survey.pieces.extend(file.groups.iter().map(|group| Piece {
            file: number,
            first_row: group.first_row,
            rows: group.rows,
            bytes: None,
        }));
        survey.files.push(file);
        survey.planned.push(planned);
    }
    Ok(survey)
}

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
