//! SQL scalar expressions over the columns of a batch: rules, slices, derived columns.
//!
//! [`Expression::parse`] reads one expression, binds its names to columns and checks every type; what it does
//! not know is refused there, with the place in the text. [`Expression::evaluate`] answers one value per row
//! in the normal form of [`sluice_core::column`].
//!
//! Null follows SQL's three-valued logic. Floats follow IEEE 754: NaN is not equal to anything and not above
//! or below it, and dividing by zero is infinite or NaN. Integers and decimals never wrap: a result that does
//! not fit is an error that names the row. The whole language is described in `docs/expressions.md`.
//!
//! An error at a row counts only if the row's result depends on it: `CASE`, `COALESCE`, `AND` and `OR` hide
//! what they do not choose.

mod bind;
mod calendar;
mod error;
mod evaluate;
mod expression;
mod kernels;
mod mentions;
mod node;

#[cfg(test)]
mod tests;

pub use calendar::{Part, offset_seconds};
pub use error::{ExpressionError, Position};
pub use expression::Expression;
pub use mentions::mentions;
pub use node::{
    Arithmetic, Comparison, FloatFunction, FloatTest, Interval, Kernel, List, Node, Rounding, Test,
    TextFunction, TextTest, Unit,
};
