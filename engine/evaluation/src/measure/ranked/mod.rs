//! Statistics of order: rows are kept, sorted once per model, and walked slice by slice.
//!
//! - [`RankedRows`]: the rows of a state, in columns;
//! - `order`: all rows in the order of a number; `totals`: that order slice by slice, without sorting again;
//! - `placement`: the area under the ROC curve, with its error;
//! - `sweep`: one walk along an order for several groupings; `scored_slice`: what it keeps of a slice;
//! - `scores`, `errors`, `ranks`: statistics by what rows are sorted by;
//! - `replicated`: the same once more for each replicate, along the same order;
//! - `binned`: statistics by score from ranges of scores, without the rows;
//! - [`RankedFigures`]: the figures of every slice.

mod binned;
mod curve;
mod errors;
mod external;
mod figures;
mod order;
mod placement;
mod ranks;
mod replicated;
mod rows;
mod scored_slice;
mod scores;
mod sweep;
mod totals;

pub(crate) use binned::figures as binned_figures;
pub(crate) use figures::{RankedFigures, RankedPlan};
pub(crate) use rows::{RankedRows, RowShape};

#[cfg(test)]
mod tests;
