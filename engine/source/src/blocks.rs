//! A text read block by block into one buffer, for the readers of rows and of lines. What is not used up moves to
//! the front; the buffer grows where a row or line needs it. Memory is one block, or the longest row.

use std::io::{self, Read};

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 18;

/// Longer rows and lines are refused: one quote that is never closed would take the whole file into memory.
pub(crate) const MAX_ROW_BYTES: usize = 1 << 26;

/// Why the buffer cannot be filled.
#[derive(Debug)]
pub(crate) enum BlockProblem {
    /// What the system said.
    Unreadable(io::Error),
    /// What is not used up is longer than [`MAX_ROW_BYTES`].
    TooLong,
}

/// The bytes at hand, and where they stand in the text.
#[derive(Debug)]
pub(crate) struct Blocks<R> {
    input: R,
    buffer: Vec<u8>,
    /// The first byte that is not used up.
    pub(crate) start: usize,
    end: usize,
    /// Of the first byte of the buffer in the text.
    offset: u64,
    finished: bool,
    is_sparing: bool,
}

impl<R: Read> Blocks<R> {
    /// The bytes of `input`, which begins at `offset` of its text.
    pub(crate) fn new(input: R, offset: u64) -> Self {
        Self {
            input,
            buffer: vec![0; BLOCK_BYTES],
            start: 0,
            end: 0,
            offset,
            finished: false,
            is_sparing: false,
        }
    }

    /// Takes what each read gives without filling the buffer: the next may have to be waited for, and for nothing.
    pub(crate) fn sparing(self) -> Self {
        Self { is_sparing: true, ..self }
    }

    /// With smaller blocks, for tests.
    #[cfg(test)]
    pub(crate) fn with_block(mut self, bytes: usize) -> Self {
        self.buffer = vec![0; bytes];
        self
    }

    /// The source of bytes, once all is read.
    pub(crate) fn into_input(self) -> R {
        self.input
    }

    /// All bytes at hand; those from `start` on are not used up.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.end]
    }

    /// Whether the text ends with the bytes at hand.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Where a byte at hand stands in the text.
    pub(crate) fn offset_of(&self, index: usize) -> u64 {
        self.offset + index as u64
    }

    /// The first bytes that are not used up, at most 4.
    ///
    /// # Errors
    /// As [`Blocks::refill`].
    pub(crate) fn peek(&mut self) -> Result<&[u8], BlockProblem> {
        while self.end - self.start < 4 && !self.finished {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..std::cmp::min(self.end, self.start + 4)])
    }

    /// Passes over the byte order mark at the beginning of a text.
    ///
    /// # Errors
    /// As [`Blocks::refill`].
    pub(crate) fn skip_mark(&mut self) -> Result<(), BlockProblem> {
        if self.offset == 0 && self.start == 0 && self.peek()?.starts_with(b"\xEF\xBB\xBF") {
            self.start = 3;
        }
        Ok(())
    }

    /// Moves what is not used up to the front and fills the rest.
    ///
    /// # Errors
    /// [`BlockProblem`].
    pub(crate) fn refill(&mut self) -> Result<(), BlockProblem> {
        let left = self.end - self.start;
        if left > MAX_ROW_BYTES {
            return Err(BlockProblem::TooLong);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.offset += self.start as u64;
        (self.start, self.end) = (0, left);
        if left * 2 > self.buffer.len() {
            self.buffer.resize(std::cmp::max(self.buffer.len() * 2, 16), 0);
        }
        while self.end < self.buffer.len() && !self.finished {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.finished = true,
                Ok(bytes) => self.end += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(BlockProblem::Unreadable(error)),
            }
            if self.is_sparing {
                break;
            }
        }
        Ok(())
    }
}
