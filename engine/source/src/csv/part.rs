//! One part of the pre-pass: the rows that begin within a range of bytes of a plain file, or all rows of a packed
//! one. Parts are looked at on all threads; what depends on those before them is left to the survey.
//!
//! A part begins anywhere. Which of its bytes stand within quotes follows from the parts before it, and so does
//! the fingerprint of the file, which is a hash from end to end: parts of a file pass both on in a [`Chain`].
//! That is the one thing done in order; it takes a small part of the time that looking at cells takes.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3Default;

use sluice_core::{Execution, Result};

use super::quotes::{Effects, Quoting, row_starts};
use super::row_reader::{Row, RowError, RowReader};
use crate::cells::{Class, Sightings, shorten};
use crate::error::{SourceError, unreadable};
use crate::input::{Extent, Stream};
use crate::listing::ListedFile;
use crate::options::{CsvType, Dialect, trim};
use crate::remote_file::Fetch;
use crate::text_input::{fingerprint, open_hashed, read_error};

/// Rows between two looks at the cancel flag.
const ROWS_BETWEEN_CHECKS: u64 = 1 << 14;

/// A cell that says something new about its column.
#[derive(Debug)]
pub(super) struct News {
    /// Its row, from 0 within the part.
    pub(super) row: u64,
    /// Where its row begins.
    pub(super) offset: u64,
    pub(super) column: usize,
    /// Shortened.
    pub(super) text: String,
    pub(super) class: Class,
}

/// Why the rows of a part end early.
#[derive(Debug)]
pub(super) enum Stop {
    Row(RowError),
    Ragged { offset: u64, found: usize },
    CellType { offset: u64, column: usize, text: String, forced: CsvType },
}

/// What a part tells.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) rows: u64,
    /// Where each row begins, from the beginning of the part; none for a packed file.
    pub(super) row_starts: Vec<u32>,
    /// By row and column.
    pub(super) news: Vec<News>,
    /// For each column, how many cells of plain text came before any other.
    pub(super) leading_texts: Vec<u32>,
    /// What is wrong with the row after the last one.
    pub(super) stop: Option<Stop>,
    /// Length and fingerprint of the file, if this is its last part.
    pub(super) end: Option<(u64, String)>,
}

/// The columns of a file, found once.
#[derive(Debug)]
pub(super) struct Layout {
    /// The names of its cells.
    pub(super) names: Vec<String>,
    /// Which of them holds which column of the table.
    pub(super) order: Vec<usize>,
    /// Where the first row after the header may begin.
    pub(super) first_row_at: u64,
}

/// What all parts have in common.
pub(super) struct Common<'a> {
    pub(super) dialect: &'a Dialect,
    pub(super) execution: &'a Execution,
    pub(super) forced: Vec<Option<CsvType>>,
}

/// A range of bytes of a plain file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    /// Which part of its file, from 0.
    pub(super) number: usize,
    pub(super) start: u64,
    pub(super) end: u64,
    /// The length of the file.
    pub(super) size_bytes: u64,
}

/// Bytes behind a range that are read with it where files are elsewhere: mostly the rest of its last row.
const BEHIND_BYTES: u64 = 1 << 15;

impl Range {
    /// What is held of the file: also the byte before the range, which tells whether a row begins with it.
    fn held(&self) -> std::ops::Range<u64> {
        self.start.saturating_sub(1)..self.end
    }

    /// What is read at once of a file that is elsewhere.
    pub(super) fn fetched(&self) -> std::ops::Range<u64> {
        self.held().start..std::cmp::min(self.end + BEHIND_BYTES, self.size_bytes)
    }
}

/// What parts of a file pass on from each to the next.
pub(super) struct Chain {
    link: Mutex<Link>,
    turn: Condvar,
}

struct Link {
    next: usize,
    quoting: Quoting,
    hasher: Xxh3Default,
    is_broken: bool,
}

/// The turn of a part, which leaves the chain broken unless it is passed on, so that nobody waits for ever.
struct Turn<'a> {
    chain: &'a Chain,
    is_passed: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_passed {
            self.chain.lock().is_broken = true;
        }
        self.chain.turn.notify_all();
    }
}

impl Chain {
    pub(super) fn new() -> Self {
        let link = Link { next: 0, quoting: Quoting::Outside, hasher: Xxh3Default::new(), is_broken: false };
        Self { link: Mutex::new(link), turn: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> Turn<'_> {
        Turn { chain: self, is_passed: false }
    }
}

impl Turn<'_> {
    /// Waits until all parts before this one have passed on, and does so; `None` if one of them could not.
    /// Answers the state at the beginning of the part, and the fingerprint after the last one.
    fn pass(
        mut self,
        range: Range,
        bytes: &[u8],
        effect: impl FnOnce(Quoting) -> Quoting,
        common: &Common<'_>,
    ) -> Result<Option<(Quoting, Option<String>)>> {
        // After this, a waiting thread looks whether it shall stop.
        const PATIENCE: Duration = Duration::from_millis(50);
        let mut link = self.chain.lock();
        while link.next != range.number && !link.is_broken {
            let waited = self.chain.turn.wait_timeout(link, PATIENCE);
            link = waited.unwrap_or_else(PoisonError::into_inner).0;
            if let Err(error) = common.execution.cancel.check() {
                // Dropping the turn takes the lock.
                drop(link);
                return Err(error);
            }
        }
        if link.is_broken {
            return Ok(None);
        }
        let before = link.quoting;
        link.hasher.update(bytes);
        link.quoting = effect(before);
        link.next += 1;
        self.is_passed = true;
        let is_last = range.end == range.size_bytes;
        Ok(Some((before, is_last.then(|| fingerprint(&mut link.hasher, &common.dialect.mark())))))
    }
}

/// Looks at all rows of a packed file.
pub(super) fn read_packed(file: &ListedFile, layout: &Layout, common: &Common<'_>) -> Result<Findings> {
    let (input, packing) = open_hashed(file, Some(&common.execution.progress))?;
    let mut reader = RowReader::new(input, 0, common.dialect.delimiter);
    let mut look = Look::new(layout, common);
    let no_header = if common.dialect.header { reader.next_row().map(drop) } else { Ok(()) };
    match no_header {
        Ok(()) => look.rows(&mut reader, u64::MAX, None)?,
        Err(error) => look.findings.stop = Some(Stop::Row(error)),
    }
    let mut findings = look.finish();
    if findings.stop.is_none() {
        let finished = reader.into_input().into_raw().finish(&common.dialect.mark());
        findings.end = Some(finished.map_err(|error| read_error(file, packing, error))?);
    }
    Ok(findings)
}

/// Looks at the rows that begin within a range of a plain file.
pub(super) fn read_range(
    file: &ListedFile,
    (range, fetched): (Range, Option<Arc<Fetch>>),
    chain: &Chain,
    layout: Option<&Layout>,
    common: &Common<'_>,
) -> Result<Findings> {
    let turn = chain.turn();
    let delimiter = common.dialect.delimiter;
    let (held, input) = held_bytes(file, range, fetched)?;
    common.execution.progress.advance(0, range.end - range.start);
    let own = held.get(usize::from(range.start > 0)..).unwrap_or_default();
    let mark = if range.start == 0 && own.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let text = &own[mark..];
    let before = if range.start > 0 { held.first().copied() } else { None };
    let lines = common.dialect.is_trusting && layout.is_some();
    let (passed, line_ends) = if common.execution.threads.get() == 1 {
        let mut line_ends = Vec::new();
        let effect = |quoting| {
            let (after, ends) = Effects::from(quoting, (text, before), delimiter, lines);
            line_ends = ends;
            after
        };
        (turn.pass(range, own, effect, common)?, line_ends)
    } else {
        // The state at the beginning is not known yet: see what becomes of either.
        let effects = Effects::of(text, before, delimiter, lines);
        let effect = |quoting| effects.after(quoting, text, before, delimiter);
        let passed = turn.pass(range, own, effect, common)?;
        let known = passed.as_ref().filter(|_| lines).map(|(quoting, _)| *quoting);
        let line_ends = known.map(|quoting| effects.line_ends(quoting, (text, before), delimiter));
        (passed, line_ends.unwrap_or_default())
    };
    let Some((quoting, fingerprint)) = passed else { return Ok(Findings::default()) };
    let Some(layout) = layout else { return Ok(Findings::default()) };
    let mut look = Look::new(layout, common);
    let text_start = range.end - text.len() as u64;
    if let Some(first) = look.first_row(text, text_start, quoting, before) {
        let first_in_text = usize::try_from(first - text_start).unwrap_or(text.len());
        if common.dialect.is_trusting {
            // Rows are only counted.
            let before_text = u32::try_from(text_start - range.start).unwrap_or(u32::MAX);
            let starts = row_starts(text, first_in_text, &line_ends);
            look.findings.row_starts.extend(starts.map(|start| start.saturating_add(before_text)));
            look.findings.rows = look.findings.row_starts.len() as u64;
        } else {
            let input = text[first_in_text..].chain(input);
            let mut reader = RowReader::new(input, first, delimiter).sparing();
            look.rows(&mut reader, range.end, Some(range.start))?;
        }
    }
    let mut findings = look.finish();
    findings.end = fingerprint.map(|fingerprint| (range.size_bytes, fingerprint));
    Ok(findings)
}

/// The bytes of a range, with the one before it; and what follows in the file as it was listed.
fn held_bytes(file: &ListedFile, range: Range, fetched: Option<Arc<Fetch>>) -> Result<(Bytes, Stream)> {
    let failed = |error| unreadable(&file.shown, error);
    let mut input = file.open()?;
    let (held, behind) = match fetched {
        None => (input.range(range.held()).map_err(failed)?, None),
        Some(fetch) => {
            let failed = |error| fetch.take_failure().unwrap_or_else(|| failed(error));
            let behind = fetch.bytes(range.end..range.fetched().end).map_err(failed)?;
            (fetch.bytes(range.held()).map_err(failed)?, Some(behind))
        }
    };
    let length = range.held().end - range.held().start;
    if held.len() as u64 != length {
        return Err(SourceError::Changed { file: file.shown.clone() }.into());
    }
    let input = input.stream(range.end..range.size_bytes, Extent::Beginning).map_err(failed)?;
    Ok((held, input.after(behind)))
}

/// The rows of a part being looked at.
struct Look<'a> {
    layout: &'a Layout,
    common: &'a Common<'a>,
    sightings: Vec<Sightings>,
    /// Columns of which further cells can matter.
    open: Vec<usize>,
    findings: Findings,
    scratch: String,
}

impl<'a> Look<'a> {
    fn new(layout: &'a Layout, common: &'a Common<'a>) -> Self {
        let sightings: Vec<Sightings> = common.forced.iter().map(|forced| Sightings::new(*forced)).collect();
        let open = (0..sightings.len()).filter(|&column| sightings[column].is_open()).collect();
        Self { layout, common, sightings, open, findings: Findings::default(), scratch: String::new() }
    }

    /// Where the first row of a part that is no header begins, as an offset in the file.
    fn first_row(&self, text: &[u8], text_start: u64, quoting: Quoting, before: Option<u8>) -> Option<u64> {
        let header_end = self.layout.first_row_at;
        if header_end > text_start {
            return (header_end - text_start < text.len() as u64).then_some(header_end);
        }
        quoting.first_row(text, before, self.common.dialect.delimiter).map(|at| text_start + at as u64)
    }

    /// Looks at the rows that begin before `end`; `part_start` is where their beginnings are told from.
    fn rows<R: Read>(&mut self, reader: &mut RowReader<R>, end: u64, part_start: Option<u64>) -> Result<()> {
        while reader.position() < end {
            let row = match reader.next_row() {
                Ok(Some(row)) if row.offset < end => row,
                Err(error) if error.offset < end => {
                    self.findings.stop = Some(Stop::Row(error));
                    return Ok(());
                }
                // What begins beyond is the next part's.
                Ok(_) | Err(_) => return Ok(()),
            };
            if Some(self.findings.rows) == self.common.dialect.infer_rows {
                self.open.retain(|&column| self.sightings[column].is_forced());
            }
            if let Err(stop) = self.observe(&row) {
                self.findings.stop = Some(stop);
                return Ok(());
            }
            if let Some(part_start) = part_start {
                self.findings.row_starts.push(u32::try_from(row.offset - part_start).unwrap_or(u32::MAX));
            }
            self.findings.rows += 1;
            if self.findings.rows.is_multiple_of(ROWS_BETWEEN_CHECKS) {
                self.common.execution.cancel.check()?;
            }
        }
        Ok(())
    }

    fn observe(&mut self, row: &Row<'_>) -> Result<(), Stop> {
        let offset = row.offset;
        if row.len() != self.sightings.len() {
            return Err(Stop::Ragged { offset, found: row.len() });
        }
        let mut closed = false;
        for &column in &self.open {
            let cell = row.cell(self.layout.order[column], &mut self.scratch);
            let text = if cell.quoted { cell.text } else { trim(cell.text) };
            if !cell.quoted && self.common.dialect.is_null(text) {
                continue;
            }
            let sightings = &mut self.sightings[column];
            match sightings.observe(text) {
                Ok(None) => {}
                Ok(Some(class)) => {
                    let row = self.findings.rows;
                    self.findings.news.push(News { row, offset, column, text: shorten(text), class });
                }
                Err(forced) => return Err(Stop::CellType { offset, column, text: shorten(text), forced }),
            }
            closed |= !sightings.is_open();
        }
        if closed {
            self.open.retain(|&column| self.sightings[column].is_open());
        }
        Ok(())
    }

    fn finish(mut self) -> Findings {
        self.findings.leading_texts = self.sightings.iter().map(Sightings::leading_texts).collect();
        self.findings
    }
}
