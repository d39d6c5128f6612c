//! Networks in candle, for tests: the same [`Plan`](crate::plan::Plan) as tensor operations with automatic gradients, with which our
//! kernels are compared.

mod graph;
mod optimizer;
mod tests;

pub(crate) use graph::{Graph, Rows};
pub(crate) use optimizer::Flat;
