//! Cells of text formats: what a single one looks like, the type of a column from all of its cells, and cells to
//! values of that type.

mod cell;
mod inference;
mod time;
mod value;

pub(crate) use cell::{Class, classify};
pub use inference::ColumnInference;
pub(crate) use inference::{Inference, shorten};
pub(crate) use value::{Builder, fits};
