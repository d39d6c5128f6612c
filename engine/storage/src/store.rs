//! The client of a bucket: what is there, and the requests that need no care.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use futures::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};
use sluice_core::error::Result;
use sluice_core::execution::Cancel;

use crate::connect;
use crate::error::{Failure, Operation, Service, StorageError};
use crate::explain::{explain, failure_of, is_passing};
use crate::location::Location;
use crate::retry::{Patience, Tries};
use crate::runtime;

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The key in the bucket.
    pub key: String,
    /// Bytes.
    pub size_bytes: u64,
    /// The name of this content, if the server gives one.
    pub etag: Option<String>,
    /// The version, if the bucket keeps them.
    pub version: Option<String>,
    /// When it was written.
    pub last_modified: SystemTime,
}

impl From<object_store::ObjectMeta> for ObjectMeta {
    fn from(meta: object_store::ObjectMeta) -> Self {
        let object_store::ObjectMeta { location, last_modified, size, e_tag, version } = meta;
        let (key, last_modified) = (location.to_string(), last_modified.into());
        Self { key, size_bytes: size, etag: e_tag, version, last_modified }
    }
}

/// A bucket, or a web server that is read. Cheap to clone; the calls block and may come from any thread.
#[derive(Clone)]
pub struct Store {
    pub(crate) bucket: Arc<Bucket>,
    pub(crate) cancel: Cancel,
}

/// What the clones of a [`Store`] share.
pub(crate) struct Bucket {
    /// As shown, such as `s3://bucket`.
    pub(crate) shown: String,
    pub(crate) service: Service,
    pub(crate) patience: Patience,
    /// Tries again by itself.
    pub(crate) client: Arc<dyn ObjectStore>,
    /// Does not: for writes whose outcome must be known before they are tried again.
    pub(crate) once: Arc<dyn ObjectStore>,
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Store").field(&self.bucket.shown).finish()
    }
}

impl Store {
    /// The store of a place, one per bucket and process; credentials and endpoint come from the environment.
    ///
    /// # Errors
    /// Fails where the place is a local path, and where the environment's settings do not make a client.
    pub fn open(location: &Location) -> Result<Self> {
        static OPEN: Mutex<BTreeMap<String, Arc<Bucket>>> = Mutex::new(BTreeMap::new());
        let Location::Remote(remote) = location else {
            return Err(StorageError::BadLocation {
                text: location.to_string(),
                reason: "it is a path of this machine".into(),
            }
            .into());
        };
        let identity =
            format!("{:?} {} {} {:?}", remote.service(), remote.bucket(), remote.root(), remote.query());
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = match open.get(&identity) {
            Some(bucket) => Arc::clone(bucket),
            None => {
                let bucket = Arc::new(connect::connect(remote)?);
                open.insert(identity, Arc::clone(&bucket));
                bucket
            }
        };
        Ok(Self { bucket, cancel: Cancel::default() })
    }

    /// An empty store in the memory of this process, for tests.
    #[must_use]
    pub fn in_memory() -> Self {
        let client: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        Self::of(Service::Memory, "memory://", client)
    }

    pub(crate) fn of(service: Service, shown: &str, client: Arc<dyn ObjectStore>) -> Self {
        let patience =
            Patience { total: std::time::Duration::from_secs(5), request: std::time::Duration::from_secs(5) };
        let once = Arc::clone(&client);
        let bucket = Bucket { shown: shown.into(), service, patience, client, once };
        Self { bucket: Arc::new(bucket), cancel: Cancel::default() }
    }

    /// The same store, whose calls end soon after `cancel` is set.
    #[must_use]
    pub fn cancelled_by(&self, cancel: &Cancel) -> Self {
        Self { bucket: Arc::clone(&self.bucket), cancel: cancel.clone() }
    }

    /// Whether objects can be listed, written and deleted: web servers are only read.
    #[must_use]
    pub fn is_bucket(&self) -> bool {
        self.bucket.service != Service::Web
    }

    /// How an object is shown.
    #[must_use]
    pub fn show(&self, key: &str) -> String {
        self.bucket.show(key)
    }

    /// What is known of an object.
    ///
    /// # Errors
    /// Fails where it is not there, and where the server says no or nothing.
    pub fn head(&self, key: &str) -> Result<ObjectMeta> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        let known = runtime::run(&self.cancel, async move { bucket.head(path).await })??;
        Ok(known)
    }

    /// What is known of an object; nothing if it, or its bucket, is not there.
    ///
    /// # Errors
    /// Fails where the server says no or nothing.
    pub fn find(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        let found = runtime::run(&self.cancel, async move {
            match bucket.client.head(&path).await {
                Ok(meta) => Ok(Some(ObjectMeta::from(meta))),
                Err(error) if failure_of(&error) == Failure::NotFound => Ok(None),
                Err(error) => Err(bucket.reason(&path, error).await),
            }
        })??;
        Ok(found)
    }

    /// The objects below `prefix`, a whole number of the parts between slashes, in byte order of their keys; an empty
    /// prefix lists the bucket.
    ///
    /// # Errors
    /// Fails where the bucket is not there, and where the server says no or nothing.
    pub fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(prefix)?);
        if !self.is_bucket() {
            return Err(bucket.failed(Operation::List, prefix, Failure::Unsupported).into());
        }
        let mut found = runtime::run(&self.cancel, async move {
            let below = Some(&path).filter(|path| !path.is_root());
            let listed: Result<Vec<_>, _> = bucket.client.list(below).try_collect().await;
            listed.map_err(|error| bucket.explain(Operation::List, path.as_ref(), &error))
        })??;
        found.sort_by(|one, other| one.location.as_ref().as_bytes().cmp(other.location.as_ref().as_bytes()));
        Ok(found.into_iter().map(ObjectMeta::from).collect())
    }

    /// Deletes an object; one that is not there is deleted already.
    ///
    /// # Errors
    /// Fails where the server says no or nothing.
    pub fn delete(&self, key: &str) -> Result<()> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        bucket.must_be_writable(Operation::Delete, key)?;
        runtime::run(&self.cancel, async move {
            let mut tries = Tries::new(bucket.patience);
            loop {
                let Err(error) = bucket.client.delete(&path).await else { return Ok(()) };
                match failure_of(&error) {
                    Failure::NotFound => return Ok(()),
                    Failure::Conflict if tries.again(&Failure::Conflict).await => {}
                    _ => return Err(bucket.explain(Operation::Delete, path.as_ref(), &error)),
                }
            }
        })??;
        Ok(())
    }
}

impl Bucket {
    pub(crate) fn show(&self, key: &str) -> String {
        if key.is_empty() { self.shown.clone() } else { format!("{}/{key}", self.shown) }
    }

    pub(crate) fn path(&self, key: &str) -> Result<Key, StorageError> {
        Key::parse(key).map_err(|_invalid| StorageError::BadLocation {
            text: self.show(key),
            reason: "it holds two slashes in a row, `.`, `..` or a control character".into(),
        })
    }

    pub(crate) fn failed(&self, operation: Operation, key: &str, failure: Failure) -> StorageError {
        StorageError::Failed {
            operation,
            object: self.show(key),
            service: self.service,
            failure,
            cause: None,
        }
    }

    pub(crate) fn explain(
        &self,
        operation: Operation,
        key: &str,
        error: &object_store::Error,
    ) -> StorageError {
        explain(operation, &self.show(key), self.service, error)
    }

    pub(crate) fn must_be_writable(&self, operation: Operation, key: &str) -> Result<(), StorageError> {
        if self.service == Service::Web {
            return Err(self.failed(operation, key, Failure::Unsupported));
        }
        Ok(())
    }

    pub(crate) async fn head(&self, key: Key) -> Result<ObjectMeta, StorageError> {
        match self.client.head(&key).await {
            Ok(meta) => Ok(meta.into()),
            Err(error) => Err(self.reason(&key, error).await),
        }
    }

    /// Why a HEAD failed: its answer has no body, hence gives no reason; one to GET does.
    async fn reason(&self, key: &Key, error: object_store::Error) -> StorageError {
        if matches!(self.service, Service::Web | Service::Memory) || is_passing(&failure_of(&error)) {
            return self.explain(Operation::Read, key.as_ref(), &error);
        }
        let options = GetOptions { range: Some(GetRange::Bounded(0..1)), ..GetOptions::default() };
        let reason = match self.client.get_opts(key, options).await {
            Err(reason) if !is_passing(&failure_of(&reason)) => reason,
            _ => error,
        };
        self.explain(Operation::Read, key.as_ref(), &reason)
    }
}
