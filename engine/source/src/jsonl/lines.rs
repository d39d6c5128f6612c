//! Lines of a text, block by block; blank ones are skipped. Memory is one block, or the longest line.

use std::io::{self, Read};

const BLOCK_BYTES: usize = 1 << 18;

/// Longer lines are refused.
pub(super) const MAX_LINE_BYTES: usize = 1 << 26;

#[derive(Debug)]
pub(super) enum LineProblem {
    Unreadable(io::Error),
    TooLong,
    InvalidUtf8 { at: usize },
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
pub(super) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Of the first byte of `buffer` in the text.
    offset: u64,
    finished: bool,
}

impl<R: Read> LineReader<R> {
    /// Lines of `input`, which begins at `offset` of its text. A byte order mark is passed over at offset 0.
    pub(super) fn new(input: R, offset: u64) -> Self {
        Self { input, buffer: vec![0; BLOCK_BYTES], start: 0, end: 0, offset, finished: false }
    }

    #[cfg(test)]
    pub(super) fn with_block(mut self, bytes: usize) -> Self {
        self.buffer = vec![0; bytes];
        self
    }

    /// The source of bytes, once all lines are read.
    pub(super) fn into_input(self) -> R {
        self.input
    }

    /// The first bytes, at most 4, without consuming them.
    pub(super) fn peek(&mut self) -> Result<&[u8], LineError> {
        while self.end - self.start < 4 && !self.finished {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..std::cmp::min(self.end, self.start + 4)])
    }

    /// The next line that is not blank.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>, LineError> {
        if self.offset == 0 && self.start == 0 && self.peek()?.starts_with(b"\xEF\xBB\xBF") {
            self.start = 3;
        }
        let mut searched = self.start;
        let (start, end) = loop {
            match memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
                Some(length) => {
                    let (start, end) = (self.start, searched + length);
                    self.start = end + 1;
                    searched = self.start;
                    if !is_blank(&self.buffer[start..end]) {
                        break (start, end);
                    }
                }
                None if self.finished => {
                    let (start, end) = (self.start, self.end);
                    self.start = end;
                    if is_blank(&self.buffer[start..end]) {
                        return Ok(None);
                    }
                    break (start, end);
                }
                None => {
                    let ahead = self.end - self.start;
                    self.refill()?;
                    searched = self.start + ahead;
                }
            }
        };
        let offset = self.offset + start as u64;
        match std::str::from_utf8(&self.buffer[start..end]) {
            Ok(text) => Ok(Some(Line { text, offset })),
            Err(error) => {
                Err(LineError { offset, problem: LineProblem::InvalidUtf8 { at: error.valid_up_to() } })
            }
        }
    }

    /// Moves what is left to the front and fills the rest, in a larger buffer where a line needs it.
    fn refill(&mut self) -> Result<(), LineError> {
        let left = self.end - self.start;
        let offset = self.offset + self.start as u64;
        if left > MAX_LINE_BYTES {
            return Err(LineError { offset, problem: LineProblem::TooLong });
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.offset = offset;
        (self.start, self.end) = (0, left);
        if left * 2 > self.buffer.len() {
            self.buffer.resize(std::cmp::max(self.buffer.len() * 2, 16), 0);
        }
        while self.end < self.buffer.len() && !self.finished {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.finished = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LineError { offset, problem: LineProblem::Unreadable(error) }),
            }
        }
        Ok(())
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
