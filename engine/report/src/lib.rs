//! What people read: tables for the terminal and Markdown, numbers and durations in a readable form, and pages
//! of HTML that open anywhere ([`html`]).
//! A stage returns data; this crate lays them out; the binary prints.

pub mod html;
pub mod junit;
pub mod markdown;
mod number;
mod pace;
mod svg;
mod table;
mod time;

pub use number::{bytes, count, duration, rate, rows, short, significant, with_digits};
pub use pace::Pace;
pub use table::{Alignment, Table};
pub use time::timestamp;
