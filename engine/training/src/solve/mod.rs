//! Penalised least squares from sums, pure and free of Arrow.
//!
//! - [`Normal`] is the problem after one scan: centred cross products, means, counts;
//! - [`ridge()`] solves it for one penalty, with the diagnostics that need no second scan;
//! - [`PreparedRows`] and [`ridge_rows`] solve from the rows themselves, for data that fit in memory;
//! - [`RidgeSolution`] is the answer;
//! - [`coordinate_descent`] minimises with absolute penalties or a sign, from cross products;
//! - [`Objective`] says which penalties, [`minimise()`] solves for any of them;
//! - [`Trials`] and [`Normal::squared_error`] try penalties on rows that they were not fitted on;
//! - [`Whitening`] gives the rows coordinates in which leverages and robust variances are sums of squares;
//! - `Penalised` is a step of an iteration, with a penalty for each unknown.
//!
//! The method, file by file: `power` scales by powers of two (exact), `gram` adds up cross products in
//! double-double, `system` equilibrates, `cholesky` factors in double-double and finds the rank, `refined`
//! factors large systems in `f64` and refines, `ridge` joins them; `coordinate` and `selection` find which coefficients
//! are 0, `minimise` chooses between the two. Indices of features are positions in the
//! problem given; names are the caller's.

mod cholesky;
mod coordinate;
mod dot;
mod gram;
mod minimise;
#[cfg(test)]
mod nist;
mod normal;
mod objective;
mod packed;
mod penalised;
mod power;
mod refined;
mod ridge;
mod rows;
mod selection;
mod solution;
mod system;
#[cfg(test)]
mod tests;
mod whitening;

pub use coordinate::{Penalties, Quadratic, coordinate_descent};
pub use minimise::{Trial, Trials, minimise};
pub use normal::Normal;
pub use objective::Objective;
pub use packed::Packed;
pub(crate) use penalised::{Penalised, PenalisedSolution, Precision};
pub use ridge::{DOUBLE_DOUBLE_FEATURES, ridge};
pub use rows::{PreparedRows, Rows, ridge_rows};
pub use solution::{Diagnostics, Method, RidgeSolution};
pub use whitening::Whitening;
