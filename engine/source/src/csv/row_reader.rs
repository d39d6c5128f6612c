//! Rows of a CSV text, block by block: RFC 4180 with any of the three line ends, blank lines skipped.
//!
//! Our own instead of `csv-core`'s, which does not tell a quoted empty cell from an unquoted one, where a row
//! begins, nor that a quote was never closed; a test holds the two to the same cells. A quote in the middle of
//! an unquoted cell is text; text after a closing quote is refused. Memory is one block, or the longest row.

use std::io::{self, Read};

use super::find::first_of;
use crate::blocks::{BlockProblem, Blocks, MAX_ROW_BYTES};

/// A cell within the buffer, without its quotes.
#[derive(Clone, Copy, Debug)]
struct Field {
    start: usize,
    end: usize,
    quoted: bool,
    doubled: bool,
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell<'a> {
    pub(super) text: &'a str,
    pub(super) quoted: bool,
}

/// A row of cells.
#[derive(Debug)]
pub(super) struct Row<'a> {
    text: &'a str,
    start: usize,
    fields: &'a [Field],
    /// Where it begins in the file.
    pub(super) offset: u64,
}

impl Row<'_> {
    /// How many cells it has.
    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    /// The bytes of its text.
    pub(super) fn size_bytes(&self) -> usize {
        self.text.len()
    }

    /// A cell; `scratch` holds it where doubled quotes must go.
    pub(super) fn cell<'a>(&'a self, index: usize, scratch: &'a mut String) -> Cell<'a> {
        let Some(field) = self.fields.get(index) else { return Cell { text: "", quoted: false } };
        let text = self.text.get(field.start - self.start..field.end - self.start).unwrap_or_default();
        if !field.doubled {
            return Cell { text, quoted: field.quoted };
        }
        scratch.clear();
        let mut parts = text.split("\"\"");
        scratch.extend(parts.next());
        for part in parts {
            scratch.push('"');
            scratch.push_str(part);
        }
        Cell { text: scratch, quoted: true }
    }
}

/// What is wrong with a text; cells count from 0.
#[derive(Debug)]
pub(super) enum RowProblem {
    Unreadable(io::Error),
    UnterminatedQuote,
    TextAfterQuote { cell: usize },
    NulByte { cell: usize, offset: u64 },
    InvalidUtf8 { cell: usize, offset: u64 },
    TooLong,
}

impl From<BlockProblem> for RowProblem {
    fn from(problem: BlockProblem) -> Self {
        match problem {
            BlockProblem::Unreadable(error) => Self::Unreadable(error),
            BlockProblem::TooLong => Self::TooLong,
        }
    }
}

/// A problem and the offset at which its row begins.
#[derive(Debug)]
pub(super) struct RowError {
    pub(super) offset: u64,
    pub(super) problem: RowProblem,
}

/// Reads rows from `input`.
#[derive(Debug)]
pub(super) struct RowReader<R> {
    blocks: Blocks<R>,
    delimiter: u8,
    fields: Vec<Field>,
}

enum Scan {
    /// A row from `start` to `end`; the next begins at `next` or later.
    Row {
        start: usize,
        end: usize,
        next: usize,
    },
    /// The row that begins at `start` goes on beyond the buffer.
    More {
        start: usize,
    },
    End,
    /// The row that begins at `start` cannot be read beyond `at`.
    Problem {
        start: usize,
        at: usize,
        problem: RowProblem,
    },
}

impl<R: Read> RowReader<R> {
    /// Rows of `input`, which begins at `offset` of its file. A byte order mark is passed over at offset 0.
    pub(super) fn new(input: R, offset: u64, delimiter: u8) -> Self {
        Self { blocks: Blocks::new(input, offset), delimiter, fields: Vec::new() }
    }

    /// Reads no further than a row needs.
    pub(super) fn sparing(self) -> Self {
        Self { blocks: self.blocks.sparing(), ..self }
    }

    /// With smaller blocks, for tests.
    #[cfg(test)]
    pub(super) fn with_block(self, bytes: usize) -> Self {
        Self { blocks: self.blocks.with_block(bytes), ..self }
    }

    /// Where in the file the next row begins, or the blank lines before it.
    pub(super) fn position(&self) -> u64 {
        self.blocks.offset_of(self.blocks.start)
    }

    /// The source of bytes, once all rows are read.
    pub(super) fn into_input(self) -> R {
        self.blocks.into_input()
    }

    /// The first bytes of the input, at most 4, without consuming them.
    pub(super) fn peek(&mut self) -> Result<&[u8], RowError> {
        let offset = self.position();
        self.blocks.peek().map_err(|problem| RowError { offset, problem: problem.into() })
    }

    /// The next row.
    pub(super) fn next_row(&mut self) -> Result<Option<Row<'_>>, RowError> {
        let offset = self.position();
        self.blocks.skip_mark().map_err(|problem| RowError { offset, problem: problem.into() })?;
        loop {
            let (from, is_finished) = (self.blocks.start, self.blocks.is_finished());
            match scan(self.blocks.bytes(), from, is_finished, self.delimiter, &mut self.fields) {
                Scan::Row { start, end, next } => {
                    self.blocks.start = next;
                    if end - start > MAX_ROW_BYTES {
                        return Err(self.error(start, RowProblem::TooLong));
                    }
                    return self.row(start, end).map(Some);
                }
                Scan::More { start } => {
                    self.blocks.start = start;
                    let offset = self.position();
                    self.blocks.refill().map_err(|problem| RowError { offset, problem: problem.into() })?;
                }
                Scan::End => return Ok(None),
                Scan::Problem { start, at, problem } => {
                    let too_long = at - start > MAX_ROW_BYTES;
                    return Err(self.error(start, if too_long { RowProblem::TooLong } else { problem }));
                }
            }
        }
    }

    fn row(&self, start: usize, end: usize) -> Result<Row<'_>, RowError> {
        let bytes = &self.blocks.bytes()[start..end];
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = start + error.valid_up_to();
                let problem =
                    RowProblem::InvalidUtf8 { cell: self.cell_at(at), offset: self.blocks.offset_of(at) };
                return Err(self.error(start, problem));
            }
        };
        if let Some(at) = memchr::memchr(0, bytes) {
            let at = start + at;
            let problem = RowProblem::NulByte { cell: self.cell_at(at), offset: self.blocks.offset_of(at) };
            return Err(self.error(start, problem));
        }
        Ok(Row { text, start, fields: &self.fields, offset: self.blocks.offset_of(start) })
    }

    fn cell_at(&self, at: usize) -> usize {
        self.fields.iter().position(|field| at <= field.end).unwrap_or_default()
    }

    fn error(&self, start: usize, problem: RowProblem) -> RowError {
        RowError { offset: self.blocks.offset_of(start), problem }
    }
}

/// Finds the row that begins at `from` or after the blank lines there.
fn scan(buffer: &[u8], from: usize, finished: bool, delimiter: u8, fields: &mut Vec<Field>) -> Scan {
    let blank = buffer[from..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let start = from + blank;
    if start == buffer.len() {
        return if finished { Scan::End } else { Scan::More { start } };
    }
    fields.clear();
    let mut at = start;
    loop {
        let quoted = buffer.get(at) == Some(&b'"');
        let field =
            if quoted { quoted_field(buffer, at + 1) } else { Some(plain_field(buffer, at, delimiter)) };
        let Some(field) = field else {
            return if finished {
                Scan::Problem { start, at: buffer.len(), problem: RowProblem::UnterminatedQuote }
            } else {
                Scan::More { start }
            };
        };
        fields.push(field);
        at = field.end + usize::from(quoted);
        match buffer.get(at) {
            Some(&byte) if byte == delimiter => at += 1,
            Some(b'\n' | b'\r') => return Scan::Row { start, end: at, next: at + 1 },
            Some(_) => {
                return Scan::Problem {
                    start,
                    at,
                    problem: RowProblem::TextAfterQuote { cell: fields.len() - 1 },
                };
            }
            None if finished => return Scan::Row { start, end: at, next: at },
            None => return Scan::More { start },
        }
    }
}

fn plain_field(buffer: &[u8], start: usize, delimiter: u8) -> Field {
    let rest = &buffer[start..];
    let end = first_of(rest, [delimiter, b'\n', b'\r']).unwrap_or(rest.len());
    Field { start, end: start + end, quoted: false, doubled: false }
}

/// The field after an opening quote; `None` when the buffer ends before it does.
fn quoted_field(buffer: &[u8], start: usize) -> Option<Field> {
    let mut doubled = false;
    let mut from = start;
    loop {
        let end = from + first_of(&buffer[from..], [b'"'; 3])?;
        if buffer.get(end + 1) != Some(&b'"') {
            return Some(Field { start, end, quoted: true, doubled });
        }
        doubled = true;
        from = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows(text: &[u8], block: usize) -> Result<Vec<Vec<(String, bool)>>, RowError> {
        let mut reader = RowReader::new(text, 0, b',').with_block(block);
        let mut rows = Vec::new();
        let mut scratch = String::new();
        while let Some(row) = reader.next_row()? {
            let mut cells = Vec::new();
            for index in 0..row.len() {
                let cell = row.cell(index, &mut scratch);
                cells.push((cell.text.to_owned(), cell.quoted));
            }
            rows.push(cells);
        }
        Ok(rows)
    }

    fn by_csv_core(text: &[u8]) -> Vec<Vec<String>> {
        let mut reader = csv_core::Reader::new();
        let (mut output, mut ends) = (vec![0; text.len() + 16], vec![0; text.len() + 16]);
        let (mut input, mut rows) = (text, Vec::new());
        loop {
            let (result, read, _, count) = reader.read_record(input, &mut output, &mut ends);
            input = &input[read..];
            match result {
                // Asking again without input says that there is no more.
                csv_core::ReadRecordResult::InputEmpty => {}
                csv_core::ReadRecordResult::Record => {
                    let mut from = 0;
                    let cells = ends[..count].iter().map(|&end| {
                        let cell = String::from_utf8(output[from..end].to_vec()).unwrap();
                        from = end;
                        cell
                    });
                    rows.push(cells.collect());
                }
                csv_core::ReadRecordResult::End => return rows,
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn quotes_line_ends_and_blank_lines() {
        let text = b"\xEF\xBB\xBF\r\n\na,\"\",\"x\"\"y\"\r\nb,,\"1\n2\"\r\n\r\nc,d\"e,f";
        let cell = |text: &str, quoted| (text.to_owned(), quoted);
        for block in [1, 2, 3, 7, 64] {
            let rows = rows(text, block).unwrap();
            assert_eq!(rows[0], [cell("a", false), cell("", true), cell("x\"y", true)]);
            assert_eq!(rows[1], [cell("b", false), cell("", false), cell("1\n2", true)]);
            assert_eq!(rows[2], [cell("c", false), cell("d\"e", false), cell("f", false)]);
            assert_eq!(rows.len(), 3);
        }
    }

    #[test]
    fn problems_name_the_place() {
        let error = rows(b"a,b\n1,\"x\ny\n", 4).unwrap_err();
        assert!(matches!(error, RowError { offset: 4, problem: RowProblem::UnterminatedQuote }));
        let error = rows(b"a,b\n1,\"x\"y\n", 4).unwrap_err();
        assert!(matches!(error, RowError { offset: 4, problem: RowProblem::TextAfterQuote { cell: 1 } }));
        let error = rows(b"a,b\n1,x\xE9\n", 4).unwrap_err();
        assert!(matches!(
            error,
            RowError { offset: 4, problem: RowProblem::InvalidUtf8 { cell: 1, offset: 7 } }
        ));
        let error = rows(b"a,b\n\0,x\n", 4).unwrap_err();
        assert!(matches!(error, RowError { offset: 4, problem: RowProblem::NulByte { cell: 0, offset: 4 } }));
    }

    #[test]
    fn a_row_beyond_all_measure_is_refused() {
        struct Endless;
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(b'"');
                buffer[0] = b'x';
                Ok(buffer.len())
            }
        }
        let error = RowReader::new(Endless, 0, b',').next_row().unwrap_err();
        assert!(matches!(error.problem, RowProblem::TooLong));
    }

    proptest! {
        #[test]
        fn cells_are_those_of_csv_core(
            table in prop::collection::vec(prop::collection::vec("[a-c\" ,\n\ré]{0,6}", 1..5), 0..6),
            ends in prop::collection::vec(0..3usize, 6),
            block in 1..40usize,
        ) {
            let mut text = String::new();
            for (row, end) in table.iter().zip(ends) {
                let cells: Vec<String> = row.iter().map(|cell| {
                    if cell.contains([',', '\n', '\r']) || cell.starts_with('"') {
                        format!("\"{}\"", cell.replace('"', "\"\""))
                    } else {
                        cell.clone()
                    }
                }).collect();
                text += &cells.join(",");
                text += ["\n", "\r\n", "\r"][end];
            }
            let ours: Vec<Vec<String>> = rows(text.as_bytes(), block).unwrap().into_iter()
                .map(|row| row.into_iter().map(|(cell, _)| cell).collect()).collect();
            prop_assert_eq!(ours, by_csv_core(text.as_bytes()));
        }
    }
}
