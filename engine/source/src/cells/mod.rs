//! Cells of text formats: what a single one looks like, the type of a column from all of its cells, and cells to
//! values of that type.

mod cell;
mod inference;
mod sightings;
mod time;
mod value;

pub(crate) use cell::{Class, classify};
pub use inference::ColumnInference;
#[cfg(test)]
pub(crate) use inference::class_of;
pub(crate) use inference::{Inference, shorten};
pub(crate) use sightings::Sightings;
pub(crate) use value::{Builder, fits};
