//! Files that say themselves what they hold, in a footer or in the headers of their messages: Parquet and Arrow IPC.
//! All are asked before anything is read, and their columns must be the same.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use sluice_core::plan::{Piece, PlanOptions, PlannedColumn, PlannedFile};
use sluice_core::{Execution, Result};

use crate::columns::match_columns;
use crate::error::{SourceError, unreadable};
use crate::listing::ListedFile;
use crate::remote_file::Fetch;

/// More splits than this are not a table but a forged header.
const MAX_SPLITS: u64 = 1 << 20;

/// A file that says what it holds.
pub(crate) trait WholeFile: Sized {
    /// What is read of its header, how it is listed, and its columns; `end` holds its last bytes, where they are here
    /// already.
    fn open(
        listed: &ListedFile,
        end: Option<Bytes>,
        execution: &Execution,
    ) -> Result<(Self, PlannedFile, Vec<PlannedColumn>)>;

    /// So many of the last bytes of a file that is elsewhere are wanted first.
    fn end_bytes() -> u64 {
        0
    }

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
    let mut ends = Ends { files, length: F::end_bytes(), next: 0, begun: VecDeque::new() };
    for (number, listed) in files.iter().enumerate() {
        execution.cancel.check()?;
        let end = ends.next().map_err(|error| unreadable(&listed.shown, error))?;
        let (mut file, planned, columns) = F::open(listed, end, execution)?;
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

/// Files whose ends are under way at a time: each costs a round trip.
const ENDS_AHEAD: usize = 16;

/// The ends of files that are elsewhere, several of which are under way while one is looked at.
struct Ends<'a> {
    files: &'a [ListedFile],
    length: u64,
    next: usize,
    begun: VecDeque<Option<(Fetch, u64)>>,
}

impl Ends<'_> {
    /// The end of the next file; nothing of a file on this machine.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        while self.begun.len() < ENDS_AHEAD
            && let Some(listed) = self.files.get(self.next)
        {
            let fetch = listed.place.remote().filter(|_| self.length > 0).map(|remote| {
                let start = remote.size_bytes().saturating_sub(self.length);
                let range = start..remote.size_bytes();
                (Fetch::begin(remote, std::slice::from_ref(&range)), start)
            });
            self.begun.push_back(fetch);
            self.next += 1;
        }
        let Some(Some((fetch, start))) = self.begun.pop_front() else { return Ok(None) };
        let end = fetch.bytes(start..fetch.size_bytes());
        end.map(Some).map_err(|error| fetch.take_failure().map_or(error, io::Error::other))
    }
}
