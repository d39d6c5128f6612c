//! What people read: tables for the terminal and Markdown, numbers and durations in a readable form.
//! A stage returns data; this crate lays them out; the binary prints.

mod number;
mod table;

pub use number::{count, duration, rate, rows, significant};
pub use table::{Alignment, Table};
