//! The bytes of column chunks for the `parquet` crate: of a file on this machine, or ranges fetched from elsewhere.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, Length};
use bytes::Bytes;

use sluice_core::plan::Split;

use super::footer::ParquetFile;
use super::guarded;
use crate::ahead::Unit;
use crate::error::SourceError;
use crate::remote_file::Fetch;

/// What was fetched for a split: by file and row group.
#[derive(Debug, Default)]
pub(crate) struct Fetched(Vec<((usize, u64), Arc<Fetch>)>);

impl Fetched {
    pub(crate) fn new(units: Vec<((usize, u64), Arc<Fetch>)>) -> Self {
        Self(units)
    }

    /// Units of which perhaps no more than the beginning is read.
    pub(crate) fn in_passing(units: &[Unit<'_>]) -> Self {
        Self(
            units
                .iter()
                .map(|unit| (unit.place, Arc::new(Fetch::windowed(unit.remote, &unit.ranges))))
                .collect(),
        )
    }

    /// The unit at a place.
    pub(crate) fn get(&self, place: (usize, u64)) -> Option<&Arc<Fetch>> {
        self.0.iter().find(|(found, _)| *found == place).map(|(_, fetch)| fetch)
    }
}

/// The bytes of a file that hold a row group.
#[derive(Debug)]
pub(super) enum ChunkBytes {
    Local(File),
    Fetched(Arc<Fetch>),
}

impl ChunkBytes {
    /// What came of reading: what went wrong elsewhere in place of what the reader made of it.
    pub(super) fn told<T>(&self, result: Result<T, SourceError>) -> sluice_core::Result<T> {
        result.map_err(|error| match self {
            Self::Local(_) => error.into(),
            Self::Fetched(fetch) => fetch.take_failure().unwrap_or_else(|| error.into()),
        })
    }

    /// Another handle for another reader.
    pub(super) fn share(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Local(file) => Self::Local(file.try_clone()?),
            Self::Fetched(fetch) => Self::Fetched(Arc::clone(fetch)),
        })
    }
}

impl Length for ChunkBytes {
    fn len(&self) -> u64 {
        match self {
            Self::Local(file) => file.len(),
            Self::Fetched(fetch) => fetch.size_bytes(),
        }
    }
}

impl ChunkReader for ChunkBytes {
    type T = ChunkStream;

    fn get_read(&self, start: u64) -> Result<ChunkStream, ParquetError> {
        Ok(match self {
            Self::Local(file) => ChunkStream::Local(file.get_read(start)?),
            Self::Fetched(fetch) => {
                ChunkStream::Fetched { fetch: Arc::clone(fetch), start, next: start, bytes: Bytes::new() }
            }
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        match self {
            Self::Local(file) => file.get_bytes(start, length),
            Self::Fetched(fetch) => {
                let end = start.checked_add(length as u64).filter(|&end| end <= fetch.size_bytes());
                let beyond =
                    || ParquetError::EOF(format!("a page of {length} bytes reaches beyond the file"));
                Ok(fetch.bytes(start..end.ok_or_else(beyond)?)?)
            }
        }
    }
}

/// Bytes from one place on.
pub(super) enum ChunkStream {
    Local(BufReader<File>),
    Fetched { fetch: Arc<Fetch>, start: u64, next: u64, bytes: Bytes },
}

impl Read for ChunkStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.read(buffer),
            Self::Fetched { fetch, start, next, bytes } => {
                if bytes.is_empty() {
                    *bytes =
                        if next == start { fetch.head_from(*start)? } else { fetch.bytes_from(*next)? };
                }
                let length = std::cmp::min(buffer.len(), bytes.len());
                buffer[..length].copy_from_slice(&bytes.split_to(length));
                *next += length as u64;
                Ok(length)
            }
        }
    }
}

impl ParquetFile {
    /// The bytes of a row group, where they were fetched; else the file, if it is still the one that was planned.
    pub(super) fn chunks(
        &self,
        (file, group): (usize, usize),
        fetched: &Fetched,
    ) -> sluice_core::Result<ChunkBytes> {
        match (fetched.get((file, group as u64)), self.listed.place.remote()) {
            (Some(fetch), _) => Ok(ChunkBytes::Fetched(Arc::clone(fetch))),
            // Nothing is known of what will be read.
            (None, Some(remote)) => Ok(ChunkBytes::Fetched(Arc::new(Fetch::begin(remote, &[])))),
            (None, None) => Ok(ChunkBytes::Local(self.reopen()?)),
        }
    }

    /// The ranges of some columns of the table in a row group, in the order in which the columns are given.
    fn ranges_of(&self, group: usize, columns: &[usize]) -> Result<Vec<Range<u64>>, SourceError> {
        let schema = self.metadata.file_metadata().schema_descr();
        let row_group = self.metadata.row_group(group);
        let mut ranges = Vec::with_capacity(columns.len());
        for &column in columns {
            let place = self.order[column];
            let leaves = (0..schema.num_columns()).filter(|&leaf| schema.get_column_root_idx(leaf) == place);
            for leaf in leaves {
                let part = || format!("row group {group}");
                let (start, length) = guarded(&self.listed.shown, part, || {
                    Ok::<_, ParquetError>(row_group.column(leaf).byte_range())
                })?;
                ranges.push(start..std::cmp::min(start.saturating_add(length), self.size_bytes));
            }
        }
        Ok(ranges)
    }

    fn unit(&self, file: usize, group: usize, columns: &[usize]) -> Option<Unit<'_>> {
        let remote = self.listed.place.remote()?;
        // What is wrong with them is told to whoever reads them.
        let ranges = self.ranges_of(group, columns).ok()?;
        Some(Unit { remote, place: (file, group as u64), ranges, uses: self.uses[group] })
    }
}

/// What a split wants of files that are elsewhere, with the columns of these indices.
pub(crate) fn units<'a>(files: &'a [ParquetFile], split: &Split, columns: &[usize]) -> Vec<Unit<'a>> {
    let mut units = Vec::new();
    for piece in &split.pieces {
        let Some(file) = files.get(piece.file) else { continue };
        units.extend(file.groups_of(piece).filter_map(|(group, _)| file.unit(piece.file, group, columns)));
    }
    units
}
