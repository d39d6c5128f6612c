//! Artifacts: folders with a manifest, complete or absent, never half.
//!
//! [`Draft`] is a folder beside the target; publishing writes the manifest last, flushes everything to disk
//! and renames. [`Artifact::open`] verifies every file against its digest. The manifest says what an artifact
//! is and what it was made from; time, host and thread count stand in the record of the run, so that the same
//! inputs give the same bytes.

mod claim;
mod digest;
mod draft;
mod manifest;
mod parts;
mod store;

pub use digest::{HashingWriter, hex_digest};
pub use draft::{Draft, DraftFile, sweep_drafts, write_whole};
pub use manifest::{EngineRecord, FileRecord, MANIFEST_FILE, Manifest};
pub use parts::PartFiles;
pub use store::{Artifact, ArtifactError};
