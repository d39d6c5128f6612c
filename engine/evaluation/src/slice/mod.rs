//! Slices: parts of the rows that are evaluated by themselves.
//!
//! - `definition`: how they are written, in a pipeline file and on the command line;
//! - `plan`: what was written, checked: a grouping each, and columns that are computed for them;
//! - `resolve`, `survey`: cut points and largest groups, from a scan before the evaluation where they are asked for;
//! - `derive`, `dates`: the computed columns;
//! - `names`: what slices are called and how they are ordered;
//! - [`weak`]: the search for slices on which a model is bad.

mod dates;
mod definition;
mod derive;
mod error;
mod names;
mod plan;
mod resolve;
mod survey;
pub mod weak;

pub use dates::DateBucket;
pub use definition::{Columns, Dimension, SliceDefinition};
pub use error::SliceError;
pub(crate) use names::SliceNames;
pub(crate) use plan::SlicePlan;
pub(crate) use resolve::Slicing;

#[cfg(test)]
mod tests;
