//! Writing objects that fit into memory: over what is there, only where nothing is, only over what was read.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as Key;
use object_store::{PutMode, PutOptions, UpdateVersion};
use sluice_core::error::Result;

use crate::error::{Failure, Operation, Service, StorageError};
use crate::explain::failure_of;
use crate::retry::Tries;
use crate::runtime;
use crate::store::{Bucket, Store};

/// What came of [`Store::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The object was not there and now is.
    Created {
        /// Its ETag, if the server gives one.
        etag: Option<String>,
    },
    /// There is an object of that name.
    Exists,
}

/// What came of [`Store::replace`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// The object had the ETag and now has another content.
    Replaced {
        /// Its ETag, if the server gives one.
        etag: Option<String>,
    },
    /// The object has another ETag, or is gone.
    Changed,
}

/// What must hold for a conditional write.
enum Condition {
    /// There is no object of that name.
    Absent,
    /// The object has this ETag.
    Etag(String),
}

/// How a conditional write ended.
enum Outcome {
    Written(Option<String>),
    /// The condition does not hold.
    Refused,
}

impl Store {
    /// Writes an object, over one that is there.
    ///
    /// # Errors
    /// Fails where the server says no or nothing.
    pub fn write(&self, key: &str, content: Bytes) -> Result<()> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        bucket.must_be_writable(Operation::Write, key)?;
        runtime::run(&self.cancel, async move {
            let mut tries = Tries::new(bucket.patience);
            loop {
                let options = PutOptions::from(PutMode::Overwrite);
                let Err(error) = bucket.client.put_opts(&path, content.clone().into(), options).await else {
                    return Ok(());
                };
                if failure_of(&error) != Failure::Conflict || !tries.again(&Failure::Conflict).await {
                    return Err(bucket.explain(Operation::Write, path.as_ref(), &error));
                }
            }
        })??;
        Ok(())
    }

    /// Writes an object unless there is one (`If-None-Match: *`). If the connection breaks before the answer, the
    /// object is looked at: exactly these bytes count as created. Where two writers may write the same bytes and only
    /// one may win, put something of the writer's own into them.
    ///
    /// # Errors
    /// Fails where the server says no or nothing.
    pub fn create(&self, key: &str, content: Bytes) -> Result<Creation> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        bucket.must_be_writable(Operation::Write, key)?;
        let done =
            runtime::run(
                &self.cancel,
                async move { bucket.put_if(&path, &content, &Condition::Absent).await },
            )??;
        Ok(match done {
            Outcome::Written(etag) => Creation::Created { etag },
            Outcome::Refused => Creation::Exists,
        })
    }

    /// Writes an object over the one that has this ETag (`If-Match`), and over no other. A broken connection is dealt
    /// with as in [`Store::create`].
    ///
    /// # Errors
    /// Fails where the server says no or nothing.
    pub fn replace(&self, key: &str, content: Bytes, etag: &str) -> Result<Replacement> {
        let (bucket, path) = (Arc::clone(&self.bucket), self.bucket.path(key)?);
        bucket.must_be_writable(Operation::Write, key)?;
        let condition = Condition::Etag(etag.to_owned());
        let done =
            runtime::run(&self.cancel, async move { bucket.put_if(&path, &content, &condition).await })??;
        Ok(match done {
            Outcome::Written(etag) => Replacement::Replaced { etag },
            Outcome::Refused => Replacement::Changed,
        })
    }
}

impl Bucket {
    /// A write under a condition, tried again only when it is known that the one before did nothing.
    async fn put_if(
        &self,
        key: &Key,
        content: &Bytes,
        condition: &Condition,
    ) -> Result<Outcome, StorageError> {
        let mut tries = Tries::new(self.patience);
        // Whether an earlier try may have been carried out.
        let mut in_doubt = false;
        loop {
            let Some(mode) = self.mode(key, condition).await? else { return Ok(Outcome::Refused) };
            let error = match self.once.put_opts(key, content.clone().into(), PutOptions::from(mode)).await {
                Ok(put) => return Ok(Outcome::Written(put.e_tag)),
                Err(error) => error,
            };
            let failure = failure_of(&error);
            if failure == Failure::Changed && !in_doubt {
                return Ok(Outcome::Refused);
            }
            in_doubt |= matches!(failure, Failure::Timeout | Failure::Broken | Failure::Server(_));
            let refused = condition.is_refused_by(&failure);
            if (refused || in_doubt)
                && let Some(outcome) = self.outcome(key, content, condition, in_doubt).await?
            {
                return Ok(outcome);
            }
            if !tries.again(if refused { &Failure::Conflict } else { &failure }).await {
                return Err(self.explain(Operation::Write, key.as_ref(), &error));
            }
        }
    }

    /// The condition as the service knows it; nothing if it does not hold already.
    async fn mode(&self, key: &Key, condition: &Condition) -> Result<Option<PutMode>, StorageError> {
        let Condition::Etag(etag) = condition else { return Ok(Some(PutMode::Create)) };
        if self.service != Service::Google {
            return Ok(Some(PutMode::Update(UpdateVersion { e_tag: Some(etag.clone()), version: None })));
        }
        // Google's condition is the generation, which changes with every write.
        match self.head(key.clone()).await {
            Ok(meta) if meta.etag.as_ref() == Some(etag) => {
                Ok(Some(PutMode::Update(UpdateVersion { e_tag: meta.etag, version: meta.version })))
            }
            Ok(_) => Ok(None),
            Err(error) if error.failure() == Some(&Failure::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What an unclear answer comes to, seen from what is there now; nothing if it must be tried again.
    async fn outcome(
        &self,
        key: &Key,
        content: &Bytes,
        condition: &Condition,
        in_doubt: bool,
    ) -> Result<Option<Outcome>, StorageError> {
        let there = match self.get(key, None, None).await {
            Ok(there) => Some(there),
            Err(error) if error.failure() == Some(&Failure::NotFound) => None,
            Err(error) => return Err(error),
        };
        Ok(match (condition, there) {
            (_, Some((bytes, etag))) if in_doubt && bytes == *content => Some(Outcome::Written(etag)),
            (Condition::Absent, Some(_)) => Some(Outcome::Refused),
            (Condition::Absent, None) => None,
            (Condition::Etag(expected), Some((_, etag))) if etag.as_ref() == Some(expected) => None,
            (Condition::Etag(_), _) => Some(Outcome::Refused),
        })
    }
}

impl Condition {
    /// Whether a failure may say that the condition does not hold; services differ in how they say it.
    fn is_refused_by(&self, failure: &Failure) -> bool {
        match self {
            Self::Absent => matches!(failure, Failure::Changed | Failure::Conflict),
            Self::Etag(_) => matches!(failure, Failure::Changed | Failure::NotFound),
        }
    }
}
