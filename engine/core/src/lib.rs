//! The words that every stage of Sluicegate shares.
//!
//! - a **split** ([`plan::Split`]) is a numbered piece of a source that one thread reads alone;
//! - a **batch** ([`batch::Batch`]) is at most 65,536 rows of it, with the row context computed once;
//! - an **accumulator** ([`accumulator::Accumulator`]) is a summary built in pieces and joined;
//! - an **artifact** ([`artifact::Artifact`]) is a folder with a manifest, complete or absent.
//!
//! [`fold::fold`] reads the splits of a source on all cores and merges along one fixed binary tree over the
//! split numbers, so that the result is the same bits for any number of threads and shards. Stages do not
//! import one another: they meet in artifacts, in [`schema::Schema`] and [`statistics::DatasetStatistics`],
//! and in the small traits of [`seam`].

pub mod accumulator;
pub mod affine;
pub mod artifact;
pub mod batch;
pub mod column;
pub mod distribution;
pub mod double_double;
pub mod encoding;
pub mod error;
pub mod execution;
pub mod features;
pub mod fold;
pub mod folds;
pub mod group;
pub mod memory;
pub mod options;
pub mod plan;
pub mod role;
pub mod schema;
pub mod seam;
pub mod spill;
pub mod splitmix;
pub mod statistics;

pub use accumulator::{Accumulator, Input};
pub use batch::Batch;
pub use error::{Diagnostic, Error, ErrorKind, Result};
pub use execution::Execution;
pub use memory::MemoryLimit;
pub use seam::{BatchSource, BatchTransform, Predictor};

/// Columns whose names start with this are ours (`__row_hash`); a source that brings its own is refused.
pub const RESERVED_PREFIX: &str = "__";

/// The column in which `ingest` stores the row hash of rows without a key.
pub const ROW_HASH_COLUMN: &str = "__row_hash";
