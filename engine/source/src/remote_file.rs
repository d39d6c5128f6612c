//! Objects in buckets and on web servers, read by ranges, and ranges that are on their way.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};

use sluice_core::{Error, Result};
use sluice_storage::{ObjectMeta, Pending, Store};

use crate::error::SourceError;
use crate::listing::ListedFile;

/// Bytes of one request, at most: long enough to outweigh what a request costs, short enough that several run beside
/// one another and the first is there soon.
const REQUEST_BYTES: u64 = 1 << 23;

/// Bytes of one request of a stream, of which each thread has several under way.
pub(crate) const STREAM_BYTES: u64 = 1 << 22;

/// Of what may not be read to its end, the first request.
const FIRST_BYTES: u64 = 1 << 18;

/// Requests that a stream has under way beside the one that is being used.
const REQUESTS_AHEAD: usize = 2;

/// Bytes between two ranges that are rather read than asked for apart.
const GAP_BYTES: u64 = 1 << 18;

/// An object as it was when it was listed. Every later read is of that state, or fails.
#[derive(Debug)]
pub(crate) struct RemoteFile {
    store: Store,
    meta: ObjectMeta,
    /// What messages call it.
    shown: String,
    /// The first bytes, once asked for.
    magic: OnceLock<Bytes>,
}

impl RemoteFile {
    pub(crate) fn new(store: Store, meta: ObjectMeta, shown: String) -> Self {
        Self { store, meta, shown, magic: OnceLock::new() }
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.meta.size_bytes
    }

    /// What stands for the content where that is not read: the tag of the server, else when it was written.
    pub(crate) fn identity(&self) -> String {
        match &self.meta.etag {
            Some(etag) => format!("etag {}", etag.trim_matches('"')),
            None => {
                let written = self.meta.last_modified.duration_since(SystemTime::UNIX_EPOCH);
                format!("written {}", written.unwrap_or_default().as_nanos())
            }
        }
    }

    /// Begins to read a range.
    fn begin(&self, range: Range<u64>) -> Result<Pending> {
        self.store.prefetch(&self.meta.key, vec![range], self.meta.etag.as_deref())
    }

    /// The bytes of a range.
    pub(crate) fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        let pending = self.begin(range.clone()).map_err(io::Error::other)?;
        self.wait(pending, &range)
    }

    /// Waits for a range; all of it must have come.
    fn wait(&self, pending: Pending, range: &Range<u64>) -> io::Result<Bytes> {
        let bytes = pending.wait().map_err(io::Error::other)?.into_iter().next().unwrap_or_default();
        if bytes.len() as u64 == range.end - range.start {
            return Ok(bytes);
        }
        Err(io::Error::other(Error::from(SourceError::Changed { file: self.shown.clone() })))
    }

    fn magic_range(&self) -> Range<u64> {
        /// No format has longer marks.
        const MOST: u64 = 8;
        0..std::cmp::min(MOST, self.size_bytes())
    }

    /// The first `length` bytes, or all there are; asked for once.
    pub(crate) fn magic(&self, length: u64) -> io::Result<Bytes> {
        if self.magic.get().is_none() {
            let bytes = self.read(self.magic_range())?;
            // A copy, since the bytes may be a part of something larger.
            let _ = self.magic.set(Bytes::copy_from_slice(&bytes));
        }
        let bytes = self.magic.get().cloned().unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        Ok(bytes.slice(..std::cmp::min(length, bytes.len())))
    }
}

/// Asks for the first bytes of all files that are elsewhere, many at a time: each costs a round trip. What cannot be
/// read is told to whoever needs it.
pub(crate) fn read_magics(files: &[ListedFile]) {
    const AT_A_TIME: usize = 32;
    let remotes: Vec<&Arc<RemoteFile>> = files.iter().filter_map(|file| file.place.remote()).collect();
    let missing = remotes.iter().filter(|remote| remote.magic.get().is_none()).collect::<Vec<_>>();
    for some in missing.chunks(AT_A_TIME) {
        let begun = some.iter().map(|remote| (remote.begin(remote.magic_range()), remote));
        for (pending, remote) in begun.collect::<Vec<_>>() {
            if let Ok(bytes) = pending
                .map_err(io::Error::other)
                .and_then(|pending| remote.wait(pending, &remote.magic_range()))
            {
                let _ = remote.magic.set(Bytes::copy_from_slice(&bytes));
            }
        }
    }
}

/// Some ranges of an object that are on their way, or there.
#[derive(Debug)]
pub(crate) struct Fetch {
    remote: Arc<RemoteFile>,
    /// By where they begin; they do not overlap.
    parts: Vec<Part>,
    /// Whether parts are asked for when they are needed, and let go of when the next but one is.
    is_windowed: bool,
    /// Through a window, what was read at the heads of pages: who skips pages reads these alone, and so need not read
    /// again what lies between.
    heads: Mutex<BTreeMap<u64, Bytes>>,
    /// What went wrong, for those who get it from a reader of bytes that does not pass it on as it is.
    failures: Mutex<Vec<Error>>,
}

#[derive(Debug)]
struct Part {
    range: Range<u64>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Not asked for, or no longer held.
    Idle,
    Pending(Pending),
    Here(Bytes),
}

impl State {
    /// What cannot be asked for says so to whoever wants it.
    fn begin(remote: &RemoteFile, range: &Range<u64>) -> Self {
        remote.begin(range.clone()).map_or(Self::Idle, Self::Pending)
    }
}

impl Fetch {
    /// Asks for ranges at once, in the order in which they are given: close ones together, long ones in pieces.
    pub(crate) fn begin(remote: &Arc<RemoteFile>, ranges: &[Range<u64>]) -> Self {
        let pieces = ranges_in_pieces(ranges, REQUEST_BYTES, GAP_BYTES);
        let parts = pieces.into_iter().map(|range| {
            let state = Mutex::new(State::begin(remote, &range));
            Part { range, state }
        });
        Self::of(remote, parts.collect(), false)
    }

    /// The same for ranges that are too long to be held: of each only the parts around where it is read.
    pub(crate) fn windowed(remote: &Arc<RemoteFile>, ranges: &[Range<u64>]) -> Self {
        /// Of every range, up to three such parts are held.
        const PART_BYTES: u64 = if cfg!(test) { 1 << 12 } else { 1 << 20 };
        let pieces = ranges_in_pieces(ranges, PART_BYTES, 0);
        let parts = pieces.into_iter().map(|range| Part { range, state: Mutex::new(State::Idle) });
        Self::of(remote, parts.collect(), true)
    }

    fn of(remote: &Arc<RemoteFile>, mut parts: Vec<Part>, is_windowed: bool) -> Self {
        parts.sort_by_key(|part| part.range.start);
        let (heads, failures) = (Mutex::default(), Mutex::default());
        Self { remote: Arc::clone(remote), parts, is_windowed, heads, failures }
    }

    /// The length of the object.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.remote.size_bytes()
    }

    /// What went wrong when the bytes were last asked for.
    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The bytes of a range. What was not asked for is asked for now.
    pub(crate) fn bytes(&self, range: Range<u64>) -> io::Result<Bytes> {
        let first = self.bytes_from(range.start)?;
        let length = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
        if first.len() >= length {
            return Ok(first.slice(..length));
        }
        // A page that lies across two requests.
        let mut all = BytesMut::with_capacity(length);
        all.extend_from_slice(&first);
        while all.len() < length {
            let next = self.bytes_from(range.start + all.len() as u64)?;
            if next.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            all.extend_from_slice(&next[..std::cmp::min(next.len(), length - all.len())]);
        }
        Ok(all.freeze())
    }

    /// The bytes at hand from an offset on: as many as came with it; none at the end of the object.
    pub(crate) fn bytes_from(&self, start: u64) -> io::Result<Bytes> {
        self.found_from(start).map_err(|error| {
            let message = error.to_string();
            if let Ok(error) = error.downcast::<Error>() {
                self.failures.lock().unwrap_or_else(PoisonError::into_inner).push(error);
            }
            io::Error::other(message)
        })
    }

    /// As [`Fetch::bytes_from`], for one who reads the head of a page.
    pub(crate) fn head_from(&self, start: u64) -> io::Result<Bytes> {
        /// Most heads are shorter; the rest of a longer one is read as any other bytes.
        const HEAD_BYTES: usize = 128;
        if !self.is_windowed {
            return self.bytes_from(start);
        }
        let heads = || self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(head) = heads().get(&start) {
            return Ok(head.clone());
        }
        let bytes = self.bytes_from(start)?;
        let head = Bytes::copy_from_slice(&bytes[..std::cmp::min(bytes.len(), HEAD_BYTES)]);
        heads().insert(start, head);
        Ok(bytes)
    }

    fn found_from(&self, start: u64) -> io::Result<Bytes> {
        let index = self.parts.partition_point(|part| part.range.end <= start);
        if let Some(part) = self.parts.get(index).filter(|part| part.range.start <= start) {
            let bytes = self.part(index)?;
            let skipped = usize::try_from(start - part.range.start).unwrap_or(usize::MAX);
            return Ok(bytes.slice(skipped..));
        }
        // Old writers leave a few bytes out of the lengths that they tell.
        let next = self.parts.get(index).map_or(self.size_bytes(), |part| part.range.start);
        let end = std::cmp::min(std::cmp::min(next, start.saturating_add(FIRST_BYTES)), self.size_bytes());
        if start < end { self.remote.read(start..end) } else { Ok(Bytes::new()) }
    }

    fn part(&self, index: usize) -> io::Result<Bytes> {
        if self.is_windowed {
            self.slide(index);
        }
        let part = &self.parts[index];
        // Others that want the same part wait for the one that waits.
        let mut state = part.state.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match std::mem::replace(&mut *state, State::Idle) {
            State::Here(bytes) => bytes,
            State::Pending(pending) => self.remote.wait(pending, &part.range)?,
            State::Idle => self.remote.read(part.range.clone())?,
        };
        *state = State::Here(bytes.clone());
        Ok(bytes)
    }

    /// Asks for a part and the next one, and lets go of the one before the last.
    fn slide(&self, index: usize) {
        for (number, is_wanted) in [(index, true), (index + 1, true), (index.wrapping_sub(2), false)] {
            let Some(part) = self.parts.get(number) else { continue };
            let mut state = part.state.lock().unwrap_or_else(PoisonError::into_inner);
            match &*state {
                State::Idle if is_wanted => *state = State::begin(&self.remote, &part.range),
                State::Here(_) if !is_wanted => *state = State::Idle,
                _ => {}
            }
        }
    }
}

/// Ranges joined where little lies between them, and cut where they are long; those come first that hold what is given
/// first.
pub(crate) fn ranges_in_pieces(ranges: &[Range<u64>], most: u64, gap: u64) -> Vec<Range<u64>> {
    let mut sorted: Vec<(usize, &Range<u64>)> =
        ranges.iter().enumerate().filter(|(_, range)| range.start < range.end).collect();
    sorted.sort_by_key(|(_, range)| (range.start, range.end));
    let mut joined: Vec<(usize, Range<u64>)> = Vec::new();
    for (rank, range) in sorted {
        match joined.last_mut() {
            Some((first, last)) if range.start < last.end || gap > 0 && range.start - last.end <= gap => {
                *first = std::cmp::min(*first, rank);
                last.end = std::cmp::max(last.end, range.end);
            }
            _ => joined.push((rank, range.clone())),
        }
    }
    joined.sort_by_key(|(rank, _)| *rank);
    let mut pieces = Vec::new();
    for (_, range) in joined {
        let count = std::cmp::max((range.end - range.start).div_ceil(most), 1);
        let length = (range.end - range.start).div_ceil(count);
        let cut = |number| {
            let start = range.start + number * length;
            start..std::cmp::min(start + length, range.end)
        };
        pieces.extend((0..count).map(cut).filter(|piece| piece.start < piece.end));
    }
    pieces
}

/// An object, or a range of one, from its beginning to its end, with the next requests under way.
pub(crate) struct RemoteStream {
    remote: Arc<RemoteFile>,
    /// What comes next.
    block: Bytes,
    begun: VecDeque<(Range<u64>, Pending)>,
    /// Up to where it was asked for, and where it ends.
    asked: u64,
    end: u64,
    /// Requests that were used up, at first none where all will be read.
    used: usize,
}

impl RemoteStream {
    /// A range that is likely to be read to its end.
    pub(crate) fn whole(remote: Arc<RemoteFile>, range: Range<u64>) -> Self {
        let mut stream = Self::part(remote, range);
        stream.used = REQUESTS_AHEAD;
        stream
    }

    /// A range of which perhaps only the beginning is read.
    pub(crate) fn part(remote: Arc<RemoteFile>, range: Range<u64>) -> Self {
        Self {
            remote,
            block: Bytes::new(),
            begun: VecDeque::new(),
            asked: range.start,
            end: range.end,
            used: 0,
        }
    }

    /// With its first bytes, which are here already.
    pub(crate) fn after(self, block: Bytes) -> Self {
        let asked = std::cmp::min(self.asked + block.len() as u64, self.end);
        let length = usize::try_from(asked - self.asked).unwrap_or(usize::MAX);
        Self { block: block.slice(..length), asked, ..self }
    }

    /// Keeps requests under way: none beside the first, until it is clear that more is wanted.
    fn ask(&mut self) -> Result<()> {
        let (ahead, length) = if self.used == 0 { (0, FIRST_BYTES) } else { (REQUESTS_AHEAD, STREAM_BYTES) };
        while self.asked < self.end && self.begun.len() <= ahead {
            let range = self.asked..std::cmp::min(self.asked + length, self.end);
            self.asked = range.end;
            self.begun.push_back((range.clone(), self.remote.begin(range)?));
        }
        Ok(())
    }
}

impl Read for RemoteStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.block.is_empty() {
            self.ask().map_err(io::Error::other)?;
            let Some((range, pending)) = self.begun.pop_front() else { return Ok(0) };
            self.block = self.remote.wait(pending, &range)?;
            self.used += 1;
        }
        let length = std::cmp::min(buffer.len(), self.block.len());
        buffer[..length].copy_from_slice(&self.block.split_to(length));
        Ok(length)
    }
}
