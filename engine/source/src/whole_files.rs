//! Files that say themselves what they hold, in a footer or in the headers of their messages: Parquet and Arrow IPC.
//! All are asked before anything is read, and their columns must be the same.

use sluice_core::plan::{Piece, PlanOptions, PlannedColumn, PlannedFile};
use sluice_core::{Execution, Result};

use crate::columns::match_columns;
use crate::error::SourceError;
use crate::listing::ListedFile;

/// More splits than this are not a table but a forged header.
const MAX_SPLITS: u64 = 1 << 20;

/// A file that says what it holds.
pub(crate) trait WholeFile: Sized {
    /// What is read of its header, how it is listed, and its columns.
    fn open(listed: &ListedFile, execution: &Execution) -> Result<(Self, PlannedFile, Vec<PlannedColumn>)>;

    /// Takes for each column of the first file its place in this one.
    fn set_order(&mut self, order: Vec<usize>);

    /// What can be read alone, in row order; `number` is that of the file.
    fn pieces(&self, number: usize) -> Vec<Piece>;

    /// The error of a file that is not what it says.
    fn damaged(file: &str, problem: String) -> SourceError;
}

/// What the headers of all files say.
#[derive(Debug)]
pub(crate) struct Survey<F> {
    pub(crate) files: Vec<F>,
    pub(crate) planned: Vec<PlannedFile>,
    pub(crate) columns: Vec<PlannedColumn>,
    pub(crate) pieces: Vec<Piece>,
}

/// Reads the headers of all files.
///
/// # Errors
/// What cannot be read, files whose columns differ, and rows without end.
pub(crate) fn survey<F: WholeFile>(
    files: &[ListedFile],
    options: PlanOptions,
    execution: &Execution,
) -> Result<Survey<F>> {
    let mut survey =
        Survey { files: Vec::new(), planned: Vec::new(), columns: Vec::new(), pieces: Vec::new() };
    let mut rows = 0_u64;
    for (number, listed) in files.iter().enumerate() {
        execution.cancel.check()?;
        let (mut file, planned, columns) = F::open(listed, execution)?;
        if number == 0 {
            survey.columns = columns;
        } else {
            file.set_order(match_columns(&files[0].shown, &survey.columns, &listed.shown, &columns)?);
        }
        rows = rows.saturating_add(planned.rows);
        if rows / std::cmp::max(options.split_rows, 1) >= MAX_SPLITS {
            return Err(F::damaged(&listed.shown, format!("it claims {rows} rows")).into());
        }
        survey.pieces.extend(file.pieces(number));
        survey.files.push(file);
        survey.planned.push(planned);
    }
    Ok(survey)
}
