//! Where the messages of an Arrow IPC file or stream lie, and the checks that their lengths are possible.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::{Message, MessageHeader, RecordBatch, root_as_footer, root_as_message};

use sluice_core::Result;

use super::{damaged, guarded};
use crate::error::{SourceError, unreadable};
use crate::input::Input;
use crate::listing::ListedFile;
use crate::remote_file::Fetch;

/// What a message with a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Dictionary,
    Rows { first_row: u64, rows: u64 },
}

/// Where a message lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) body: Body,
    /// Of its metadata, after the prefix that says how long it is.
    metadata: (u64, u64),
    /// Of its body, which follows.
    data: (u64, u64),
}

impl Place {
    /// From its metadata to the end of its body.
    pub(super) fn range(&self) -> (u64, u64) {
        (self.metadata.0, self.data.1)
    }
}

/// The schema and all messages with a body.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) schema: Schema,
    pub(super) places: Vec<Place>,
}

/// An open file; every range that is read lies within it.
pub(super) struct Bytes<'a> {
    listed: &'a ListedFile,
    held: Held,
    size: u64,
}

/// What the bytes come from.
enum Held {
    Local(File),
    Fetched(Arc<Fetch>),
}

const FILE_MAGIC: &[u8; 6] = b"ARROW1";
/// Length of the footer and the magic.
const TAIL_BYTES: u64 = 10;
/// Says that the length of the metadata follows; streams before 0.15 begin with the length.
const CONTINUATION: u32 = u32::MAX;

impl<'a> Bytes<'a> {
    /// A file, of which something may be `fetched` already.
    pub(super) fn open(listed: &'a ListedFile, fetched: Option<Arc<Fetch>>) -> Result<Self> {
        let input = listed.open()?;
        let size = input.size_bytes().map_err(|error| unreadable(&listed.shown, error))?;
        let held = match (input, fetched) {
            (Input::Local(file), _) => Held::Local(file),
            (Input::Remote(_), Some(fetch)) => Held::Fetched(fetch),
            // Headers lie far apart.
            (Input::Remote(remote), None) => {
                Held::Fetched(Arc::new(Fetch::windowed(&remote, std::slice::from_ref(&(0..size)))))
            }
        };
        Ok(Self { listed, held, size })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    fn damaged(&self, problem: impl Into<String>) -> SourceError {
        damaged(&self.listed.shown, problem)
    }

    fn fill(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let read = match &mut self.held {
            Held::Local(file) => file.seek(SeekFrom::Start(offset)).and_then(|_| file.read_exact(buffer)),
            Held::Fetched(fetch) => {
                let end = offset.saturating_add(buffer.len() as u64);
                let bytes = fetch.bytes(offset..end);
                let bytes = bytes.map_err(|error| fetch.take_failure().map_or(error, io::Error::other));
                bytes.map(|bytes| buffer.copy_from_slice(&bytes))
            }
        };
        let shown = &self.listed.shown;
        read.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SourceError::Changed { file: shown.clone() }.into(),
            _ => unreadable(shown, error),
        })
    }

    /// A range that must lie within the file.
    fn range(&mut self, (start, end): (u64, u64)) -> Result<MutableBuffer> {
        let length = end.checked_sub(start).filter(|_| end <= self.size).map(usize::try_from);
        let Some(Ok(length)) = length else {
            return Err(self.damaged("a message is longer than the file").into());
        };
        let mut bytes = MutableBuffer::from_len_zeroed(length);
        self.fill(start, bytes.as_slice_mut())?;
        Ok(bytes)
    }

    fn word(&mut self, offset: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        self.fill(offset, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Where the metadata of the message at `offset` lies; `None` at the end of a stream.
    fn metadata_at(&mut self, offset: u64) -> Result<Option<(u64, u64)>> {
        if offset == self.size {
            return Ok(None);
        }
        let cut = "it ends within a message";
        if self.size - offset < 4 {
            return Err(self.damaged(cut).into());
        }
        let mut start = offset + 4;
        let mut length = self.word(offset)?;
        if length == CONTINUATION {
            if self.size - start < 4 {
                return Err(self.damaged(cut).into());
            }
            length = self.word(start)?;
            start += 4;
        }
        if length == 0 {
            if start != self.size {
                return Err(self.damaged("more follows after its end").into());
            }
            return Ok(None);
        }
        let end = start + u64::from(length);
        if end > self.size {
            return Err(self.damaged(cut).into());
        }
        Ok(Some((start, end)))
    }

    /// The message whose metadata lies there, and where.
    fn place(&mut self, metadata: (u64, u64), first_row: u64) -> Result<Found> {
        let bytes = self.range(metadata)?;
        let message = parse(&self.listed.shown, bytes.as_slice())?;
        let data = u64::try_from(message.bodyLength()).ok().and_then(|length| metadata.1.checked_add(length));
        let Some(end) = data.filter(|&end| end <= self.size) else {
            return Err(self.damaged("it ends within a message").into());
        };
        let place = |body| Found::Place(Place { body, metadata, data: (metadata.1, end) });
        if let Some(batch) = message.header_as_record_batch() {
            let rows = u64::try_from(batch.length());
            let Some(rows) = rows.ok().filter(|rows| first_row.checked_add(*rows).is_some()) else {
                return Err(self.damaged(format!("a record batch has {} rows", batch.length())).into());
            };
            return Ok(place(Body::Rows { first_row, rows }));
        }
        if let Some(schema) = message.header_as_schema() {
            return Ok(Found::Schema(schema_of(&self.listed.shown, schema)?));
        }
        match message.header_type() {
            MessageHeader::DictionaryBatch => Ok(place(Body::Dictionary)),
            other => Err(self.damaged(format!("it has a message of type {other:?}")).into()),
        }
    }

    /// Schema and messages; only the schema where the rest is not wanted.
    pub(super) fn contents(&mut self, all: bool) -> Result<Contents> {
        if self.size == 0 {
            return Err(SourceError::EmptyFile { file: self.listed.shown.clone() }.into());
        }
        let mut magic = [0; 6];
        let length = usize::try_from(std::cmp::min(self.size, 6)).unwrap_or(6);
        self.fill(0, &mut magic[..length])?;
        let refused = |reason| SourceError::NotArrow { file: self.listed.shown.clone(), reason };
        if magic == *FILE_MAGIC {
            return self.file_contents(all);
        }
        match magic {
            [b'F', b'E', b'A', b'1', ..] => Err(refused("it is Feather V1, which is not supported").into()),
            [0xFF, 0xFF, 0xFF, 0xFF, ..] => self.stream_contents(all),
            // A stream of old begins with the length of its schema, which is short.
            [_, _, 0, 0, ..] if self.size > 8 => self.stream_contents(all),
            _ => Err(refused("it begins neither like a file nor like a stream").into()),
        }
    }

    fn file_contents(&mut self, all: bool) -> Result<Contents> {
        let missing = self.damaged("its end is missing");
        if self.size < 8 + TAIL_BYTES {
            return Err(missing.into());
        }
        let end = self.size - TAIL_BYTES;
        let mut tail = [0; 6];
        self.fill(end + 4, &mut tail)?;
        if tail != *FILE_MAGIC {
            return Err(missing.into());
        }
        let Some(start) = end.checked_sub(u64::from(self.word(end)?)) else {
            return Err(self.damaged("its footer is longer than the file").into());
        };
        let bytes = self.range((start, end))?;
        let shown = &self.listed.shown.clone();
        let footer = guarded(
            shown,
            || "the footer".into(),
            || root_as_footer(bytes.as_slice()).map_err(|error| ArrowError::IpcError(error.to_string())),
        )?;
        let Some(schema) = footer.schema() else { return Err(self.damaged("it has no schema").into()) };
        let schema = schema_of(shown, schema)?;
        let mut places = Vec::new();
        let mut first_row = 0;
        let blocks = footer.dictionaries().into_iter().flatten().map(|block| (block, true));
        let blocks = blocks.chain(footer.recordBatches().into_iter().flatten().map(|block| (block, false)));
        for (block, is_dictionary) in blocks.filter(|_| all) {
            let offset = u64::try_from(block.offset()).unwrap_or(u64::MAX);
            if offset >= self.size {
                return Err(self.damaged("its footer points beyond it").into());
            }
            let metadata = self.metadata_at(offset)?;
            let found = metadata.map(|metadata| self.place(metadata, first_row)).transpose()?;
            match found {
                Some(Found::Place(place)) if is_dictionary == (place.body == Body::Dictionary) => {
                    if let Body::Rows { rows, .. } = place.body {
                        first_row += rows;
                    }
                    places.push(place);
                }
                _ => return Err(self.damaged("its footer points to something else").into()),
            }
        }
        Ok(Contents { schema, places })
    }

    fn stream_contents(&mut self, all: bool) -> Result<Contents> {
        let no_schema = self.damaged("it does not begin with a schema");
        let Some(metadata) = self.metadata_at(0)? else { return Err(no_schema.into()) };
        let Found::Schema(schema) = self.place(metadata, 0)? else { return Err(no_schema.into()) };
        let mut contents = Contents { schema, places: Vec::new() };
        let (mut next, mut first_row) = (metadata.1, 0);
        while let Some(metadata) = self.metadata_at(next)?.filter(|_| all) {
            let Found::Place(place) = self.place(metadata, first_row)? else {
                return Err(self.damaged("it has a second schema").into());
            };
            if let Body::Rows { rows, .. } = place.body {
                first_row += rows;
            }
            next = place.data.1;
            contents.places.push(place);
        }
        Ok(contents)
    }

    /// Metadata and body of a message, all lengths in it checked.
    pub(super) fn read(&mut self, place: &Place) -> Result<(MutableBuffer, Buffer)> {
        let metadata = self.range(place.metadata)?;
        let data = self.range(place.data)?;
        let message = parse(&self.listed.shown, metadata.as_slice())?;
        let batch = message
            .header_as_record_batch()
            .or_else(|| message.header_as_dictionary_batch().and_then(|batch| batch.data()));
        if let Some(problem) = batch.and_then(|batch| impossible(&batch, data.as_slice())) {
            return Err(self.damaged(problem).into());
        }
        Ok((metadata, data.into()))
    }
}

enum Found {
    Schema(Schema),
    Place(Place),
}

/// The message that these bytes are.
pub(super) fn parse<'a>(file: &str, metadata: &'a [u8]) -> Result<Message<'a>, SourceError> {
    guarded(
        file,
        || "a message".into(),
        || root_as_message(metadata).map_err(|error| ArrowError::IpcError(error.to_string())),
    )
}

fn schema_of(file: &str, schema: arrow::ipc::Schema<'_>) -> Result<Schema, SourceError> {
    if !schema.endianness().equals_to_target_endianness() {
        return Err(SourceError::NotArrow { file: file.into(), reason: "its byte order is not supported" });
    }
    guarded(file, || "the schema".into(), || try_fb_to_schema(schema))
}

/// What about the lengths of a batch cannot be: buffers beyond its body, or unpacked sizes beyond all measure.
fn impossible(batch: &RecordBatch<'_>, body: &[u8]) -> Option<String> {
    // The best that zstd does is a run of 128 KiB in 4 bytes.
    const MOST_RATIO: u64 = 1 << 15;
    const MOST_BYTES: u64 = 1 << 32;
    for buffer in batch.buffers().into_iter().flatten() {
        let start = usize::try_from(buffer.offset()).ok();
        let length = usize::try_from(buffer.length()).ok();
        let end = start.zip(length).and_then(|(start, length)| start.checked_add(length));
        let Some(bytes) = start.zip(end).and_then(|(start, end)| body.get(start..end)) else {
            return Some("a buffer lies outside of its message".into());
        };
        let Some((size, packed)) = bytes.split_first_chunk::<8>() else { continue };
        if batch.compression().is_some()
            && let Ok(size) = u64::try_from(i64::from_le_bytes(*size))
        {
            let most = (packed.len() as u64).saturating_mul(MOST_RATIO).min(MOST_BYTES);
            if size > most {
                return Some(format!("a buffer of {} bytes claims to unpack to {size}", packed.len()));
            }
        }
    }
    None
}
