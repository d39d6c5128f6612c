//! Reading parts of objects: each part is of the content that was first looked at, or the read fails.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, GetResult};
use sluice_core::error::Result;
use sluice_core::execution::Cancel;

use crate::error::{Failure, Operation, StorageError};
use crate::explain::failure_of;
use crate::retry::Tries;
use crate::runtime::{self, Task};
use crate::store::{Bucket, Store};

/// Ranges this close are read as one: what lies between costs less than another request.
const CLOSE_BYTES: u64 = 256 * 1024;
/// No request is larger, so that large ranges come over several connections.
const REQUEST_BYTES: u64 = 8 * 1024 * 1024;
/// Requests of one call that are under way at a time.
const AT_A_TIME: usize = 8;

/// Ranges that are being read.
#[derive(Debug)]
#[must_use = "what is not waited for is given up"]
pub struct Pending {
    task: Task<Result<Vec<Bytes>, StorageError>>,
    cancel: Cancel,
}

impl Pending {
    /// Waits for the ranges, in the order they were asked for.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn wait(self) -> Result<Vec<Bytes>> {
        Ok(self.task.wait(&self.cancel)??)
    }
}

impl Store {
    /// A range of an object's bytes. With an ETag, only if the object still has it.
    ///
    /// # Errors
    /// Fails where the object is not there, has changed or ends before the range, and where the server says no or
    /// nothing.
    pub fn read(&self, key: &str, range: Range<u64>, etag: Option<&str>) -> Result<Bytes> {
        let mut parts = self.read_many(key, std::slice::from_ref(&range), etag)?;
        Ok(parts.pop().unwrap_or_default())
    }

    /// Several ranges of an object at once, in the order asked for; close ones are read as one.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_many(&self, key: &str, ranges: &[Range<u64>], etag: Option<&str>) -> Result<Vec<Bytes>> {
        self.prefetch(key, ranges.to_vec(), etag)?.wait()
    }

    /// Begins to read ranges and returns at once.
    ///
    /// # Errors
    /// Fails where the key cannot be one.
    pub fn prefetch(&self, key: &str, ranges: Vec<Range<u64>>, etag: Option<&str>) -> Result<Pending> {
        self.cancel.check()?;
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        let etag = etag.map(str::to_owned);
        let task = Task::start(async move { bucket.read_ranges(&path, &ranges, etag.as_deref()).await })?;
        Ok(Pending { task, cancel: self.cancel.clone() })
    }

    /// A whole object that fits into memory, and its ETag.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn read_all(&self, key: &str) -> Result<(Bytes, Option<String>)> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        let read = runtime::run(&self.cancel, async move { bucket.get(&path, None, None).await })??;
        Ok(read)
    }
}

impl Bucket {
    async fn read_ranges(
        &self,
        key: &Key,
        ranges: &[Range<u64>],
        etag: Option<&str>,
    ) -> Result<Vec<Bytes>, StorageError> {
        let requests = requests(ranges);
        let fetched: Vec<Bytes> = futures::stream::iter(requests.iter().cloned())
            .map(|range| async move { Ok(self.get(key, Some(range), etag).await?.0) })
            .buffered(AT_A_TIME)
            .try_collect()
            .await?;
        Ok(ranges.iter().map(|range| cut(range, &requests, &fetched)).collect())
    }

    /// An object or a range of it, and its ETag; tried again where the client library does not.
    pub(crate) async fn get(
        &self,
        key: &Key,
        range: Option<Range<u64>>,
        etag: Option<&str>,
    ) -> Result<(Bytes, Option<String>), StorageError> {
        let mut tries = Tries::new(self.patience);
        // What tells contents apart where there is no ETag.
        let mut first: Option<(u64, _)> = None;
        loop {
            let options = GetOptions {
                range: range.clone().map(GetRange::Bounded),
                if_match: etag.map(str::to_owned),
                ..GetOptions::default()
            };
            let broken = match self.client.get_opts(key, options).await {
                Err(error) => return Err(self.explain(Operation::Read, key.as_ref(), &error)),
                Ok(result) => {
                    let content = (result.meta.size, result.meta.last_modified);
                    if *first.get_or_insert(content) != content {
                        return Err(self.failed(Operation::Read, key.as_ref(), Failure::Changed));
                    }
                    match self.body(key, range.as_ref(), etag, result).await? {
                        Ok(read) => return Ok(read),
                        Err(error) => error,
                    }
                }
            };
            if !tries.again(&failure_of(&broken)).await {
                return Err(self.explain(Operation::Read, key.as_ref(), &broken));
            }
        }
    }

    /// The bytes of an answer; the inner error is of its body and may pass.
    async fn body(
        &self,
        key: &Key,
        range: Option<&Range<u64>>,
        etag: Option<&str>,
        result: GetResult,
    ) -> Result<Result<(Bytes, Option<String>), object_store::Error>, StorageError> {
        let found = result.meta.e_tag.clone();
        // A server that does not know `If-Match` answers nevertheless.
        if etag.is_some() && found.is_some() && found.as_deref() != etag {
            return Err(self.failed(Operation::Read, key.as_ref(), Failure::Changed));
        }
        let wanted = range.map_or(result.meta.size, |range| range.end - range.start);
        match result.bytes().await {
            Ok(bytes) if bytes.len() as u64 == wanted => Ok(Ok((bytes, found))),
            Ok(_) => Err(self.failed(Operation::Read, key.as_ref(), Failure::Truncated)),
            Err(error) => Ok(Err(error)),
        }
    }
}

/// The requests that cover `ranges`, ascending, none larger than [`REQUEST_BYTES`].
fn requests(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut wanted: Vec<Range<u64>> =
        ranges.iter().filter(|range| range.start < range.end).cloned().collect();
    wanted.sort_by_key(|range| (range.start, range.end));
    let mut covers: Vec<Range<u64>> = Vec::new();
    for range in wanted {
        match covers.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(CLOSE_BYTES) => {
                last.end = std::cmp::max(last.end, range.end);
            }
            _ => covers.push(range),
        }
    }
    let pieces = |cover: Range<u64>| {
        let count = (cover.end - cover.start).div_ceil(REQUEST_BYTES);
        (0..count).map(move |piece| {
            let start = cover.start + piece * REQUEST_BYTES;
            start..std::cmp::min(start + REQUEST_BYTES, cover.end)
        })
    };
    covers.into_iter().flat_map(pieces).collect()
}

/// The bytes of `range` from the requests that cover it: shared where one does, copied where several do.
fn cut(range: &Range<u64>, requests: &[Range<u64>], fetched: &[Bytes]) -> Bytes {
    if range.start >= range.end {
        return Bytes::new();
    }
    let first = requests.partition_point(|request| request.end <= range.start);
    let mut parts =
        requests[first..].iter().zip(&fetched[first..]).take_while(|(it, _)| it.start < range.end).map(
            |(request, bytes)| {
                let from = std::cmp::max(range.start, request.start) - request.start;
                let until = std::cmp::min(range.end, request.end) - request.start;
                bytes.slice(index(from)..index(until))
            },
        );
    let Some(head) = parts.next() else { return Bytes::new() };
    if head.len() as u64 == range.end - range.start {
        return head;
    }
    let mut whole = BytesMut::with_capacity(index(range.end - range.start));
    whole.extend_from_slice(&head);
    for part in parts {
        whole.extend_from_slice(&part);
    }
    whole.freeze()
}

/// Offsets within what is in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_ranges_become_one_request_and_large_ones_several() {
        assert_eq!(requests(&[10..20, 0..5, 7..7, 30..40]), vec![0..40]);
        let far = CLOSE_BYTES * 2;
        assert_eq!(requests(&[0..10, far..far + 10]), vec![0..10, far..far + 10]);
        let large = requests(&[7..7, 5..5 + 2 * REQUEST_BYTES + 3]);
        assert_eq!(large.len(), 3);
        assert_eq!(large[2], 5 + 2 * REQUEST_BYTES..5 + 2 * REQUEST_BYTES + 3);
        assert!(requests(&[]).is_empty());
    }

    #[test]
    fn what_is_cut_is_what_was_asked_for() {
        let object: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let requests = vec![0..100, 100..200, 500..700];
        let fetched: Vec<Bytes> = requests
            .iter()
            .map(|it| Bytes::copy_from_slice(&object[index(it.start)..index(it.end)]))
            .collect();
        for range in [0..100, 20..180, 99..101, 500..700, 510..511, 42..42] {
            let bytes = cut(&range, &requests, &fetched);
            assert_eq!(bytes, object[index(range.start)..index(range.end)], "{range:?}");
        }
    }
}
