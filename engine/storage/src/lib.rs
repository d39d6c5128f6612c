//! Where bytes live that are not on this machine: buckets (`s3://`, `gs://`, `az://`) and web servers (`http(s)://`).
//!
//! A [`Location`] is what the user wrote, a [`Store`] the client of its bucket. The calls block; the work runs on two
//! threads of its own. What failed is a [`StorageError`] that says what to do and never shows a credential.

mod connect;
mod error;
mod explain;
pub mod folder;
pub mod http;
mod ini;
mod location;
mod read;
mod retry;
mod runtime;
mod store;
mod transfer;
mod write;

pub use error::{Cause, Failure, Operation, Service, StorageError};
pub use location::{Location, Remote};
pub use read::Pending;
pub use store::{ObjectMeta, Store};
pub use write::{Creation, Replacement};

#[cfg(test)]
mod tests;
