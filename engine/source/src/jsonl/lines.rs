//! Lines of a text, block by block; blank ones are skipped. Memory is one block, or the longest line.

use std::io::{self, Read};

use crate::blocks::{BlockProblem, Blocks};

#[derive(Debug)]
pub(super) enum LineProblem {
    Unreadable(io::Error),
    TooLong,
    InvalidUtf8 { at: usize },
}

impl From<BlockProblem> for LineProblem {
    fn from(problem: BlockProblem) -> Self {
        match problem {
            BlockProblem::Unreadable(error) => Self::Unreadable(error),
            BlockProblem::TooLong => Self::TooLong,
        }
    }
}

/// A problem and the offset at which its line begins.
#[derive(Debug)]
pub(super) struct LineError {
    pub(super) offset: u64,
    pub(super) problem: LineProblem,
}

/// A line, and where it begins in the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'a> {
    pub(super) text: &'a str,
    pub(super) offset: u64,
}

/// Reads lines from `input`.
#[derive(Debug)]
pub(super) struct LineReader<R>(Blocks<R>);

impl<R: Read> LineReader<R> {
    /// Lines of `input`, which begins at `offset` of its text. A byte order mark is passed over at offset 0.
    pub(super) fn new(input: R, offset: u64) -> Self {
        Self(Blocks::new(input, offset))
    }

    #[cfg(test)]
    pub(super) fn with_block(self, bytes: usize) -> Self {
        Self(self.0.with_block(bytes))
    }

    /// The source of bytes, once all lines are read.
    pub(super) fn into_input(self) -> R {
        self.0.into_input()
    }

    /// The first bytes, at most 4, without consuming them.
    pub(super) fn peek(&mut self) -> Result<&[u8], LineError> {
        let offset = self.0.offset_of(self.0.start);
        self.0.peek().map_err(|problem| LineError { offset, problem: problem.into() })
    }

    /// The next line that is not blank.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, LineError> {
        let blocks = &mut self.0;
        let offset = blocks.offset_of(blocks.start);
        blocks.skip_mark().map_err(|problem| LineError { offset, problem: problem.into() })?;
        let mut searched = blocks.start;
        let (start, end) = loop {
            match memchr::memchr(b'\n', &blocks.bytes()[searched..]) {
                Some(length) => {
                    let (start, end) = (blocks.start, searched + length);
                    blocks.start = end + 1;
                    searched = blocks.start;
                    if !is_blank(&blocks.bytes()[start..end]) {
                        break (start, end);
                    }
                }
                None if blocks.is_finished() => {
                    let (start, end) = (blocks.start, blocks.bytes().len());
                    blocks.start = end;
                    if is_blank(&blocks.bytes()[start..end]) {
                        return Ok(None);
                    }
                    break (start, end);
                }
                None => {
                    let (ahead, offset) =
                        (blocks.bytes().len() - blocks.start, blocks.offset_of(blocks.start));
                    blocks.refill().map_err(|problem| LineError { offset, problem: problem.into() })?;
                    searched = blocks.start + ahead;
                }
            }
        };
        let offset = blocks.offset_of(start);
        match std::str::from_utf8(&blocks.bytes()[start..end]) {
            Ok(text) => Ok(Some(Line { text, offset })),
            Err(error) => {
                Err(LineError { offset, problem: LineProblem::InvalidUtf8 { at: error.valid_up_to() } })
            }
        }
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_whatever_the_blocks() {
        let text = b"\xEF\xBB\xBFone\r\n\n \t\r\ntwo and more\nthree";
        for block in [1, 2, 3, 5, 64] {
            let mut reader = LineReader::new(&text[..], 0).with_block(block);
            let mut lines = Vec::new();
            while let Some(line) = reader.next_line().unwrap() {
                lines.push((line.text.to_owned(), line.offset));
            }
            let expected = [("one\r", 3), ("two and more", 13), ("three", 26)];
            assert_eq!(lines, expected.map(|(line, offset)| (line.to_owned(), offset)), "{block}");
        }
        assert!(LineReader::new(&b""[..], 0).next_line().unwrap().is_none());
        let error = LineReader::new(&b"a\nb\xFFc"[..], 0);
        let mut error = error;
        error.next_line().unwrap();
        let problem = error.next_line().unwrap_err();
        assert!(matches!(problem, LineError { offset: 2, problem: LineProblem::InvalidUtf8 { at: 1 } }));
    }
}
