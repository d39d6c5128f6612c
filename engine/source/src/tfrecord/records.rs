//! The records of a TFRecord file, one after the other, both checksums of each held against its bytes. Memory is the
//! longest record: a length is believed only once its own checksum is good, and room is made as bytes come.

use std::io::{self, BufReader, Read};

use crate::blocks::MAX_ROW_BYTES;
use crate::listing::ListedFile;
use crate::text_input::open_text;

/// What the rotated checksum is increased by, so that a checksum of checksums stays good.
const MASK_DELTA: u32 = 0xA282_EAD8;

/// The length and its checksum.
pub(super) const HEAD_BYTES: usize = 12;

/// The checksum of the content, which follows it.
const TAIL_BYTES: usize = 4;

/// Bytes read at a time.
const BLOCK_BYTES: usize = 1 << 18;

/// CRC-32C, rotated by 15 bits and increased, as it stands in the file.
pub(super) fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(MASK_DELTA)
}

/// What stands before a content.
pub(super) fn head_of(length: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    let length = length.to_le_bytes();
    head[..8].copy_from_slice(&length);
    head[8..].copy_from_slice(&masked_checksum(&length).to_le_bytes());
    head
}

/// The length that a head tells, if its checksum is good.
fn length_of(head: [u8; HEAD_BYTES]) -> Option<u64> {
    let [a, b, c, d, e, f, g, h, ..] = head;
    let length = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    (head_of(length) == head).then_some(length)
}

/// What is wrong with a record.
#[derive(Debug)]
pub(super) enum RecordProblem {
    /// What the system or the unpacking said.
    Unreadable(io::Error),
    /// The file ends within it.
    CutShort,
    /// The length does not have the checksum that stands beside it.
    Length,
    /// Nor does the content.
    Content,
    /// It is longer than a row may be.
    TooLong(u64),
}

impl From<io::Error> for RecordProblem {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

/// A problem, and the offset at which its record begins.
#[derive(Debug)]
pub(super) struct RecordError {
    pub(super) offset: u64,
    pub(super) problem: RecordProblem,
}

/// Reads records from `input`.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: BufReader<R>,
    offset: u64,
    content: Vec<u8>,
}

impl<R: Read> Records<R> {
    /// The records of `input`, which begins at `offset` of its file.
    pub(super) fn new(input: R, offset: u64) -> Self {
        Self { input: BufReader::with_capacity(BLOCK_BYTES, input), offset, content: Vec::new() }
    }

    /// The source of bytes, once all records are read.
    pub(super) fn into_input(self) -> R {
        self.input.into_inner()
    }

    /// Where the next record begins, and its content; `None` at the end.
    pub(super) fn next_record(&mut self) -> Result<Option<(u64, &[u8])>, RecordError> {
        let offset = self.offset;
        match self.read_content() {
            Ok(true) => {
                self.offset += (HEAD_BYTES + self.content.len() + TAIL_BYTES) as u64;
                Ok(Some((offset, &self.content)))
            }
            Ok(false) => Ok(None),
            Err(problem) => Err(RecordError { offset, problem }),
        }
    }

    /// Fills `content`; answers whether there was a record.
    fn read_content(&mut self) -> Result<bool, RecordProblem> {
        let mut head = [0; HEAD_BYTES];
        match fill(&mut self.input, &mut head)? {
            0 => return Ok(false),
            HEAD_BYTES => {}
            _ => return Err(RecordProblem::CutShort),
        }
        let length = length_of(head).ok_or(RecordProblem::Length)?;
        if length > MAX_ROW_BYTES as u64 {
            return Err(RecordProblem::TooLong(length));
        }
        self.content.clear();
        let found = self.input.by_ref().take(length).read_to_end(&mut self.content)?;
        let mut tail = [0; TAIL_BYTES];
        if found as u64 != length || fill(&mut self.input, &mut tail)? != TAIL_BYTES {
            return Err(RecordProblem::CutShort);
        }
        if u32::from_le_bytes(tail) != masked_checksum(&self.content) {
            return Err(RecordProblem::Content);
        }
        Ok(true)
    }
}

/// Reads until `buffer` is full or the input ends; answers how many bytes came.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match input.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Whether a file begins with the head of a record; one without a byte in it does where `or_nothing` says so.
pub(crate) fn holds_records(file: &ListedFile, or_nothing: bool) -> bool {
    let Ok(mut input) = open_text(file) else { return false };
    let mut head = [0; HEAD_BYTES];
    match fill(&mut input, &mut head) {
        Ok(0) => or_nothing,
        Ok(HEAD_BYTES) => length_of(head).is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The record of `hello`, its checksums computed bit by bit by a program of its own.
    const HELLO: &[u8] = b"\x05\0\0\0\0\0\0\0\xEA\xB2\x04\x3Ehello\xBB\x1F\x1C\x19";

    #[test]
    fn checksums_are_those_of_the_format() {
        // The check value of CRC-32C (RFC 3720, appendix B.4: 32 bytes of zeros).
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8A91_36AA);
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283);
    }

    fn record(content: &[u8]) -> Vec<u8> {
        let tail = masked_checksum(content).to_le_bytes();
        [&head_of(content.len() as u64), content, &tail].concat()
    }

    fn problem(bytes: &[u8]) -> (u64, RecordProblem) {
        let mut records = Records::new(bytes, 0);
        loop {
            match records.next_record() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("nothing is wrong"),
                Err(error) => return (error.offset, error.problem),
            }
        }
    }

    #[test]
    fn records_are_read_to_the_last() {
        assert_eq!(record(b"hello"), HELLO);
        let bytes = [HELLO, &record(b""), &record(b"x")].concat();
        let mut records = Records::new(&bytes[..], 100);
        let mut found = Vec::new();
        while let Some((offset, content)) = records.next_record().unwrap() {
            found.push((offset, content.to_vec()));
        }
        assert_eq!(found, [(100, b"hello".to_vec()), (121, Vec::new()), (137, b"x".to_vec())]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let two = [HELLO, HELLO].concat();
        for cut in 22..41 {
            assert!(matches!(problem(&two[..cut]), (21, RecordProblem::CutShort)), "{cut}");
        }
        for byte in 21..42 {
            let mut bytes = two.clone();
            bytes[byte] ^= 0x40;
            let (offset, found) = problem(&bytes);
            assert_eq!(offset, 21);
            match byte {
                ..33 => assert!(matches!(found, RecordProblem::Length), "{byte}"),
                _ => assert!(matches!(found, RecordProblem::Content), "{byte}"),
            }
        }
    }

    #[test]
    fn lengths_are_not_believed() {
        // Nothing of this size is reserved: neither with a wrong checksum nor with a right one.
        for length in [1 << 60, u64::MAX] {
            let mut bytes = head_of(length).to_vec();
            assert!(matches!(problem(&bytes), (0, RecordProblem::TooLong(found)) if found == length));
            bytes[8] ^= 1;
            assert!(matches!(problem(&bytes), (0, RecordProblem::Length)));
        }
        assert!(matches!(problem(&head_of(1 << 20)), (0, RecordProblem::CutShort)));
    }
}
