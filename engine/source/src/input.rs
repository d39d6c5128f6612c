//! Where a file is, and its bytes: on this machine, or in a bucket or on a web server.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::remote_file::{RemoteFile, RemoteStream};

/// Where a file is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// On this machine.
    Local(PathBuf),
    /// Elsewhere.
    Remote(Arc<RemoteFile>),
}

impl Place {
    pub(crate) fn open(&self) -> io::Result<Input> {
        Ok(match self {
            // `fs_err`'s errors hide the system's number.
            Self::Local(path) => Input::Local(fs_err::File::open(path)?.into_file()),
            Self::Remote(remote) => Input::Remote(Arc::clone(remote)),
        })
    }

    pub(crate) fn remote(&self) -> Option<&Arc<RemoteFile>> {
        match self {
            Self::Local(_) => None,
            Self::Remote(remote) => Some(remote),
        }
    }

    /// Its length.
    pub(crate) fn size_bytes(&self) -> io::Result<u64> {
        match self {
            Self::Local(path) => Ok(fs_err::metadata(path)?.len()),
            Self::Remote(remote) => Ok(remote.size_bytes()),
        }
    }
}

/// An open file.
#[derive(Debug)]
pub(crate) enum Input {
    Local(File),
    Remote(Arc<RemoteFile>),
}

/// How much of a stream is likely to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of it, so that the rest may come while the first bytes are used.
    Whole,
    /// Perhaps only the beginning.
    Beginning,
}

impl Input {
    pub(crate) fn size_bytes(&self) -> io::Result<u64> {
        match self {
            Self::Local(file) => Ok(file.metadata()?.len()),
            Self::Remote(remote) => Ok(remote.size_bytes()),
        }
    }

    /// The first bytes, so many or all there are, at most 8.
    pub(crate) fn magic(&mut self, length: u64) -> io::Result<Bytes> {
        match self {
            Self::Local(file) => {
                let mut magic = Vec::new();
                file.seek(SeekFrom::Start(0))?;
                file.take(length).read_to_end(&mut magic)?;
                Ok(magic.into())
            }
            Self::Remote(remote) => remote.magic(length),
        }
    }

    /// The bytes of a range, as far as they are there.
    pub(crate) fn range(&mut self, range: Range<u64>) -> io::Result<Bytes> {
        match self {
            Self::Local(file) => {
                let length = range.end - range.start;
                let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
                file.seek(SeekFrom::Start(range.start))?;
                file.take(length).read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
            Self::Remote(remote) => remote.read(range.start..std::cmp::min(range.end, remote.size_bytes())),
        }
    }

    /// The bytes of a range, one after another; where the file is shorter by now, as far as they are there.
    pub(crate) fn stream(self, range: Range<u64>, extent: Extent) -> io::Result<Stream> {
        match self {
            Self::Local(mut file) => {
                file.seek(SeekFrom::Start(range.start))?;
                Ok(Stream::Local(file.take(range.end - range.start)))
            }
            Self::Remote(remote) => {
                let range = range.start..std::cmp::min(range.end, remote.size_bytes());
                Ok(Stream::Remote(Box::new(match extent {
                    Extent::Whole => RemoteStream::whole(remote, range),
                    Extent::Beginning => RemoteStream::part(remote, range),
                })))
            }
        }
    }
}

/// Bytes of a file, one after another.
pub(crate) enum Stream {
    Local(io::Take<File>),
    Remote(Box<RemoteStream>),
}

impl Stream {
    /// With its first bytes, if they are here already; only what comes from elsewhere has such.
    pub(crate) fn after(self, first: Option<Bytes>) -> Self {
        match (self, first) {
            (Self::Remote(stream), Some(first)) => Self::Remote(Box::new(stream.after(first))),
            (stream, _) => stream,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Local(file) => file.read(buffer),
            Self::Remote(stream) => stream.read(buffer),
        }
    }
}
