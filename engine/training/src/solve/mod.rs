//! Ridge regression from sums, pure and free of Arrow.
//!
//! - [`Normal`] is the problem after one scan: centred cross products, means, counts;
//! - [`ridge()`] solves it for one penalty, with the diagnostics that need no second scan;
//! - [`PreparedRows`] and [`ridge_rows`] solve from the rows themselves, for data that fit in memory;
//! - [`RidgeSolution`] is the answer;
//! - [`coordinate_descent`] minimises with absolute penalties or a sign, from cross products;
//! - `Penalised` is a step of an iteration, with a penalty for each unknown;
//! - [`ridge_coefficients`] and [`Normal::squared_error`] try a penalty on rows that it was not fitted on.
//!
//! The method, file by file: `power` scales by powers of two (exact), `gram` adds up cross products in
//! double-double, `system` equilibrates, `cholesky` factors in double-double and finds the rank, `refined`
//! factors large systems in `f64` and refines, `ridge` joins them. Indices of features are positions in the
//! problem given; names are the caller's.

mod cholesky;
mod coordinate;
mod dot;
mod gram;
#[cfg(test)]
mod nist;
mod normal;
mod packed;
mod penalised;
mod power;
mod refined;
mod ridge;
mod rows;
mod solution;
mod system;
#[cfg(test)]
mod tests;

pub use coordinate::{Penalties, Quadratic, coordinate_descent};
pub use normal::Normal;
pub use packed::Packed;
pub(crate) use penalised::{Penalised, PenalisedSolution, Precision};
pub use ridge::{DOUBLE_DOUBLE_FEATURES, ridge, ridge_coefficients};
pub use rows::{PreparedRows, Rows, ridge_rows};
pub use solution::{Diagnostics, Method, RidgeSolution};
