//! Whole files up and down, in parts: memory stays flat, and what fails leaves nothing half written.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fs_err as fs;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{MultipartUpload, PutMultipartOptions};
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Cancel;
use tokio::sync::Mutex;

use crate::error::{Failure, Operation, StorageError};
use crate::runtime;
use crate::store::{Bucket, ObjectMeta, Store};

/// A smaller file is sent with one request.
const PART_BYTES: u64 = 8 * 1024 * 1024;
/// Services take ten thousand; fewer, so that a file that grows meanwhile still fits.
const MAX_PARTS: u64 = 9_000;
/// Parts under way at a time, hence in memory.
const AT_A_TIME: usize = 4;
/// How long a failed upload may take to be given up.
const ABORT_WITHIN: Duration = Duration::from_millis(800);

type Upload = Arc<Mutex<Box<dyn MultipartUpload>>>;

impl Store {
    /// Writes a file's content as an object, in parts at a time if it is large. The object appears when all of it is
    /// there; what fails is given up on the server as well.
    ///
    /// # Errors
    /// Fails where the file cannot be read, and where the server says no or nothing.
    pub fn upload(&self, key: &str, from: &Path) -> Result<()> {
        let path = self.bucket.path(key)?;
        self.bucket.must_be_writable(Operation::Write, key)?;
        let mut file = fs::File::open(from).map_err(CommonError::on("read", from))?;
        let size = file.metadata().map_err(CommonError::on("read", from))?.len();
        if size <= PART_BYTES {
            let mut content = Vec::new();
            file.read_to_end(&mut content).map_err(CommonError::on("read", from))?;
            return self.write(key, content.into());
        }
        let upload = self.begin(path.clone())?;
        let sent = self.send(&upload, &path, file.into_parts().0, size, from);
        if sent.is_err() {
            self.give_up(&upload);
        }
        sent
    }

    fn begin(&self, key: Key) -> Result<Upload> {
        let bucket = Arc::clone(&self.bucket);
        Ok(runtime::run(&self.cancel, async move {
            let begun = bucket.client.put_multipart_opts(&key, PutMultipartOptions::default()).await;
            let upload = begun.map_err(|error| bucket.explain(Operation::Write, key.as_ref(), &error))?;
            Ok::<_, StorageError>(Arc::new(Mutex::new(upload)))
        })??)
    }

    fn send(&self, upload: &Upload, key: &Key, file: File, size: u64, from: &Path) -> Result<()> {
        let (bucket, upload, key) = (Arc::clone(&self.bucket), Arc::clone(upload), key.clone());
        let shown = from.to_path_buf();
        runtime::run(&self.cancel, async move {
            bucket.send_parts(&upload, &key, file, size, &shown).await?;
            let done = upload.lock().await.complete().await;
            done.map_err(|error| bucket.explain(Operation::Write, key.as_ref(), &error))?;
            Ok(())
        })?
    }

    /// The parts that were sent are deleted, as far as the server still answers.
    fn give_up(&self, upload: &Upload) {
        let upload = Arc::clone(upload);
        // A failure here is not the user's: the upload has failed already, and the object is not there.
        let _aborted = runtime::run(&Cancel::default(), async move {
            tokio::time::timeout(ABORT_WITHIN, async { upload.lock().await.abort().await }).await
        });
    }

    /// Writes an object's content to a file, which appears when all of it is there.
    ///
    /// # Errors
    /// Fails where the file cannot be written, where the object is not there or changes meanwhile, and where the
    /// server says no or nothing.
    pub fn download(&self, key: &str, to: &Path) -> Result<ObjectMeta> {
        let meta = self.head(key)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .prefix(".download-")
            .tempfile_in(folder)
            .map_err(CommonError::on("write", to))?;
        match self.copy(&meta, file.as_file_mut(), to) {
            Err(error) if StorageError::is(&error, &Failure::RangesUnsupported) => {
                let (content, _) = self.read_all(key)?;
                file.as_file_mut().write_all(&content).map_err(CommonError::on("write", to))?;
            }
            copied => copied?,
        }
        file.persist(to).map_err(|error| CommonError::file("write", to, error.error))?;
        Ok(meta)
    }

    /// Copies an object to a file piece by piece, the next ones being on their way meanwhile.
    fn copy(&self, meta: &ObjectMeta, file: &mut File, to: &Path) -> Result<()> {
        let pieces = meta.size_bytes.div_ceil(PART_BYTES);
        let piece = |number: u64| {
            let start = number * PART_BYTES;
            let range = start..std::cmp::min(start + PART_BYTES, meta.size_bytes);
            self.prefetch(&meta.key, vec![range], meta.etag.as_deref())
        };
        let mut ahead = std::collections::VecDeque::new();
        let mut next = 0;
        loop {
            while next < pieces && ahead.len() < AT_A_TIME {
                ahead.push_back(piece(next)?);
                next += 1;
            }
            let Some(pending) = ahead.pop_front() else { return Ok(()) };
            for bytes in pending.wait()? {
                file.write_all(&bytes).map_err(CommonError::on("write", to))?;
            }
        }
    }
}

impl Bucket {
    async fn send_parts(
        &self,
        upload: &Upload,
        key: &Key,
        mut file: File,
        size: u64,
        shown: &Path,
    ) -> Result<()> {
        let part_bytes = std::cmp::max(PART_BYTES, size.div_ceil(MAX_PARTS));
        let mut under_way = FuturesUnordered::new();
        let mut left = size;
        while left > 0 {
            if under_way.len() == AT_A_TIME {
                let sent: Option<()> = under_way.try_next().await?;
                debug_assert!(sent.is_some(), "there are parts under way");
            }
            let mut part = vec![0; usize::try_from(std::cmp::min(part_bytes, left)).unwrap_or(usize::MAX)];
            file.read_exact(&mut part).map_err(CommonError::on("read", shown))?;
            left -= part.len() as u64;
            let sending = upload.lock().await.put_part(Bytes::from(part).into());
            under_way.push(async move {
                sending.await.map_err(|error| self.explain(Operation::Write, key.as_ref(), &error))
            });
        }
        while let Some(sent) = under_way.next().await {
            sent?;
        }
        Ok(())
    }
}
