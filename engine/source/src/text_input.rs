//! The bytes of text files, plain or unpacked on the way: gzip and zstd, told by the first bytes.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use xxhash_rust::xxh3::Xxh3Default;

use bytes::Bytes;
use sluice_core::execution::Progress;
use sluice_core::{Error, Result};

use crate::error::{SourceError, is_remote, unreadable};
use crate::input::{Extent, Input, Stream};
use crate::listing::ListedFile;

/// How a text file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As it is.
    Plain,
    /// One or several gzip members.
    Gzip,
    /// One or several zstd frames.
    Zstd,
}

impl Packing {
    /// By the first four bytes.
    pub(crate) fn of_magic(magic: &[u8]) -> Self {
        match magic {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    /// By the extension.
    pub(crate) fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "gz" | "gzip" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// The text of a file.
pub(crate) enum TextInput<R: Read> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    Zstd(zstd::Decoder<'static, BufReader<R>>),
}

impl<R: Read> TextInput<R> {
    /// The text of `raw`, which is at the beginning of the file.
    pub(crate) fn new(raw: R, packing: Packing) -> io::Result<Self> {
        Ok(match packing {
            Packing::Plain => Self::Plain(raw),
            Packing::Gzip => {
                Self::Gzip(Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK_BYTES, raw))))
            }
            Packing::Zstd => {
                Self::Zstd(zstd::Decoder::with_buffer(BufReader::with_capacity(BLOCK_BYTES, raw))?)
            }
        })
    }

    /// What the text comes from.
    pub(crate) fn into_raw(self) -> R {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(decoder) => decoder.into_inner().into_inner(),
            Self::Zstd(decoder) => decoder.finish().into_inner(),
        }
    }
}

/// Packed bytes read at a time.
const BLOCK_BYTES: usize = 1 << 16;

impl<R: Read> Read for TextInput<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

/// A file that holds text, and how it is packed.
pub(crate) fn open_file(file: &ListedFile) -> Result<(Input, Packing)> {
    let mut input = file.open()?;
    let magic = input.magic(4).map_err(|error| unreadable(&file.shown, error))?;
    Ok((input, Packing::of_magic(&magic)))
}

/// The text of a file from its beginning, of which perhaps no more is read.
pub(crate) fn open_text(file: &ListedFile) -> Result<TextInput<Stream>> {
    let (input, packing) = open_file(file)?;
    let input = input.stream(0..u64::MAX, Extent::Beginning);
    let input = input.and_then(|input| TextInput::new(input, packing));
    input.map_err(|error| read_error(file, packing, error))
}

/// The text of a file from its beginning, hashing the file as it stands and telling `progress` of its bytes.
pub(crate) fn open_hashed(
    file: &ListedFile,
    progress: Option<&Arc<dyn Progress>>,
) -> Result<(TextInput<Hashing<Stream>>, Packing)> {
    let (input, packing) = open_file(file)?;
    let input = input.stream(0..u64::MAX, Extent::Whole);
    let input = input.and_then(|input| TextInput::new(Hashing::new(input).telling(progress), packing));
    Ok((input.map_err(|error| read_error(file, packing, error))?, packing))
}

/// The text of a byte range of a file that is still `size_bytes` long; of a packed file it is the whole. `first` are
/// its first bytes, if they are here already.
pub(crate) fn open_range(
    file: &ListedFile,
    size_bytes: u64,
    (start, end): (u64, u64),
    first: Option<Bytes>,
) -> Result<(TextInput<Stream>, Packing)> {
    let (input, packing) = open_file(file)?;
    if input.size_bytes().map_err(|error| unreadable(&file.shown, error))? != size_bytes {
        return Err(SourceError::Changed { file: file.shown.clone() }.into());
    }
    // A plain file that now begins like a packed one was not planned from its beginning alone.
    let packing = if start == 0 { packing } else { Packing::Plain };
    let input = input.stream(start..end, Extent::Whole);
    let input = input.and_then(|input| TextInput::new(input.after(first), packing));
    Ok((input.map_err(|error| read_error(file, packing, error))?, packing))
}

/// The system's errors have a number, and those of reading from elsewhere are known; the others are of the unpacking.
pub(crate) fn is_damage(packing: Packing, error: &io::Error) -> bool {
    packing != Packing::Plain && error.raw_os_error().is_none() && !is_remote(error)
}

/// The error of reading a text file.
pub(crate) fn read_error(file: &ListedFile, packing: Packing, error: io::Error) -> Error {
    if is_damage(packing, &error) {
        SourceError::Packed { file: file.shown.clone(), packing: packing.name(), source: error }.into()
    } else {
        unreadable(&file.shown, error)
    }
}

/// Hashes what passes through.
pub(crate) struct Hashing<R> {
    input: R,
    hasher: Xxh3Default,
    bytes: u64,
    progress: Option<Arc<dyn Progress>>,
}

impl<R: Read> Hashing<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, hasher: Xxh3Default::new(), bytes: 0, progress: None }
    }

    /// Tells of the bytes as they pass.
    pub(crate) fn telling(self, progress: Option<&Arc<dyn Progress>>) -> Self {
        Self { progress: progress.cloned(), ..self }
    }

    /// Reads the rest; answers the length and the [`fingerprint`].
    pub(crate) fn finish(mut self, mark: &str) -> io::Result<(u64, String)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((self.bytes, fingerprint(&mut self.hasher, mark)))
    }
}

/// The hash of all bytes of a file, and of how they are read.
pub(crate) fn fingerprint(hasher: &mut Xxh3Default, mark: &str) -> String {
    hasher.update(mark.as_bytes());
    format!("{:032x}", hasher.digest128())
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.input.read(buffer)?;
        self.hasher.update(&buffer[..bytes]);
        self.bytes += bytes as u64;
        if let Some(progress) = &self.progress {
            progress.advance(0, bytes as u64);
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// The bytes as two members or frames, one after the other.
    fn packed(text: &[u8], packing: Packing) -> Vec<u8> {
        let (one, two) = text.split_at(text.len() / 2);
        let pack = |part: &[u8]| match packing {
            Packing::Plain => part.to_vec(),
            Packing::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(part).unwrap();
                encoder.finish().unwrap()
            }
            Packing::Zstd => zstd::encode_all(part, 1).unwrap(),
        };
        [pack(one), pack(two)].concat()
    }

    #[test]
    fn all_members_and_frames_are_read_and_hashed() {
        let text = "a,b\n1,2\n".repeat(50_000);
        for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
            let bytes = packed(text.as_bytes(), packing);
            assert_eq!(Packing::of_magic(&bytes[..4]), packing);
            let mut input = TextInput::new(Hashing::new(&bytes[..]), packing).unwrap();
            let mut unpacked = String::new();
            input.read_to_string(&mut unpacked).unwrap();
            assert!(unpacked == text, "{packing:?}");
            let (size, hash) = input.into_raw().finish("").unwrap();
            assert_eq!(size, bytes.len() as u64);
            assert_eq!(hash, format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
        }
    }

    #[test]
    fn damage_is_no_failure_of_the_system() {
        for packing in [Packing::Gzip, Packing::Zstd] {
            let bytes = packed("a,b\n1,2\n".repeat(5000).as_bytes(), packing);
            for cut in [5, bytes.len() / 2 + 3, bytes.len() - 1] {
                let read = TextInput::new(&bytes[..cut], packing)
                    .and_then(|input| io::copy(&mut { input }, &mut io::sink()));
                assert!(is_damage(packing, &read.unwrap_err()), "{packing:?} {cut}");
            }
        }
        let system = io::Error::from_raw_os_error(5);
        assert!(!is_damage(Packing::Gzip, &system));
    }
}
