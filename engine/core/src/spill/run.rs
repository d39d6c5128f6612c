//! Sorted keys with their states, written once and read any number of times.
//!
//! A record is the length of the key and of the state, seven bits a byte, low ones first, then the key and the state in
//! postcard. Records follow each other across slots.

use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::merge::{Sorted, merge};
use super::scratch::{SLOT_BYTES, Scratch, SpillError};
use crate::error::{CommonError, Result};

/// More runs of one level than this are merged to one of the next level: so many are read at a time, a slot each.
const MAX_RUNS: usize = 256;

/// Ascending keys, each with a state, on disk. Gives its place back when dropped.
#[derive(Debug)]
pub struct Run {
    scratch: Scratch,
    slots: Vec<u32>,
    bytes: u64,
}

impl Drop for Run {
    fn drop(&mut self) {
        self.scratch.give_back(self.slots.drain(..));
    }
}

/// Writes a run.
#[derive(Debug)]
pub struct RunWriter {
    run: Run,
    buffer: Vec<u8>,
    state: Vec<u8>,
}

impl RunWriter {
    /// Begins a run.
    #[must_use]
    pub fn new(scratch: &Scratch) -> Self {
        let run = Run { scratch: scratch.clone(), slots: Vec::new(), bytes: 0 };
        Self { run, buffer: Vec::with_capacity(2 * SLOT_BYTES), state: Vec::new() }
    }

    /// Adds a key, which must come after the one before.
    ///
    /// # Errors
    /// [`SpillError::Write`].
    pub fn push<S: Serialize>(&mut self, key: &[u8], state: &S) -> Result<()> {
        let mut bytes = std::mem::take(&mut self.state);
        bytes.clear();
        self.state = postcard::to_extend(state, bytes)
            .map_err(|error| CommonError::Internal(format!("a state does not serialise: {error}")))?;
        put_length(key.len(), &mut self.buffer);
        put_length(self.state.len(), &mut self.buffer);
        self.buffer.extend_from_slice(key);
        self.buffer.extend_from_slice(&self.state);
        if self.buffer.len() >= SLOT_BYTES {
            self.flush(false)?;
        }
        Ok(())
    }

    fn flush(&mut self, is_last: bool) -> Result<(), SpillError> {
        let mut written = 0;
        let whole = self.buffer.len() / SLOT_BYTES * SLOT_BYTES;
        let end = if is_last { self.buffer.len() } else { whole };
        for part in self.buffer[..end].chunks(SLOT_BYTES) {
            self.run.slots.push(self.run.scratch.write(part)?);
            self.run.bytes += part.len() as u64;
            written += part.len();
        }
        self.buffer.drain(..written);
        Ok(())
    }

    /// The run.
    ///
    /// # Errors
    /// [`SpillError::Write`].
    pub fn finish(mut self) -> Result<Run> {
        self.flush(true)?;
        Ok(self.run)
    }
}

fn put_length(mut length: usize, out: &mut Vec<u8>) {
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
}

/// Reads a run from its beginning.
#[derive(Debug)]
pub struct RunReader<'a> {
    run: &'a Run,
    next_slot: usize,
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> RunReader<'a> {
    /// Before the first key.
    #[must_use]
    pub fn new(run: &'a Run) -> Self {
        Self { run, next_slot: 0, buffer: Vec::new(), at: 0 }
    }

    /// Whether so many more bytes are in the buffer by now.
    fn holds(&mut self, bytes: usize) -> Result<bool, SpillError> {
        while self.buffer.len() - self.at < bytes {
            let Some(slot) = self.run.slots.get(self.next_slot) else { return Ok(false) };
            self.buffer.drain(..self.at);
            self.at = 0;
            let left = self.run.bytes - (self.next_slot * SLOT_BYTES) as u64;
            let (begin, filled) =
                (self.buffer.len(), usize::try_from(left).unwrap_or(SLOT_BYTES).min(SLOT_BYTES));
            self.buffer.resize(begin + filled, 0);
            self.run.scratch.read(*slot, &mut self.buffer[begin..])?;
            self.next_slot += 1;
        }
        Ok(true)
    }

    fn length(&mut self) -> Result<usize, SpillError> {
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            if shift >= usize::BITS || !self.holds(1)? {
                return Err(self.damaged());
            }
            let byte = self.buffer[self.at];
            self.at += 1;
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(length);
            }
            shift += 7;
        }
    }

    fn damaged(&self) -> SpillError {
        self.run.scratch.unreadable(io::ErrorKind::InvalidData.into())
    }
}

impl<S: DeserializeOwned> Sorted<S> for RunReader<'_> {
    fn next(&mut self, key: &mut Vec<u8>) -> Result<Option<S>> {
        if !self.holds(1)? {
            return Ok(None);
        }
        let (of_key, of_state) = (self.length()?, self.length()?);
        let record = of_key.checked_add(of_state).ok_or_else(|| self.damaged())?;
        if !self.holds(record)? {
            return Err(self.damaged().into());
        }
        let (begin, middle, end) = (self.at, self.at + of_key, self.at + record);
        key.clear();
        key.extend_from_slice(&self.buffer[begin..middle]);
        let state = postcard::from_bytes(&self.buffer[middle..end]).map_err(|_| self.damaged())?;
        self.at = end;
        Ok(Some(state))
    }
}

/// Runs of one table, in any order. Clones share what is on disk.
#[derive(Clone, Debug, Default)]
pub struct Runs(Vec<(u32, Arc<Run>)>);

impl Runs {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Where they are, if there are any.
    #[must_use]
    pub fn scratch(&self) -> Option<&Scratch> {
        self.0.first().map(|(_, run)| &run.scratch)
    }

    /// Adds a run.
    pub fn push(&mut self, run: Run) {
        self.0.push((0, Arc::new(run)));
    }

    /// Adds those of another table; `join` is for states of equal keys where there are too many runs.
    ///
    /// # Errors
    /// [`SpillError`].
    pub fn append<S: Serialize + DeserializeOwned>(
        &mut self,
        other: Self,
        join: impl Fn(&mut S, S) + Copy,
    ) -> Result<()> {
        self.0.extend(other.0);
        self.bound(join)
    }

    /// Merges the runs of a level to one where they are too many to be read at a time.
    ///
    /// # Errors
    /// [`SpillError`].
    pub fn bound<S: Serialize + DeserializeOwned>(&mut self, join: impl Fn(&mut S, S) + Copy) -> Result<()> {
        let mut level = 0;
        while self.0.len() > MAX_RUNS {
            let (merged, others): (Vec<_>, Vec<_>) = self.0.drain(..).partition(|(of, _)| *of == level);
            self.0 = others;
            if merged.len() > 1 {
                let Some((_, first)) = merged.first() else { continue };
                let mut writer = RunWriter::new(&first.scratch);
                let readers = merged.iter().map(|(_, run)| RunReader::new(run)).collect();
                merge(readers, join, |key, state: S| writer.push(key, &state).map(|()| true))?;
                self.0.push((level + 1, Arc::new(writer.finish()?)));
            } else {
                self.0.extend(merged.into_iter().map(|(_, run)| (level + 1, run)));
            }
            level += 1;
        }
        Ok(())
    }

    /// All of them from the beginning.
    pub fn readers(&self) -> impl Iterator<Item = RunReader<'_>> {
        self.0.iter().map(|(_, run)| RunReader::new(run))
    }

    /// Bytes held in memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.capacity() * size_of::<(u32, Arc<Run>)>()
            + self.0.iter().map(|(_, run)| size_of::<Run>() + run.slots.capacity() * 4).sum::<usize>()
    }
}
