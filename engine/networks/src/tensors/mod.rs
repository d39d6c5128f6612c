//! Networks in candle: the same [`Plan`](crate::plan::Plan) as tensor operations with automatic gradients, on any device
//! that candle knows. GPUs train with it; on the CPU it is the reference that our kernels are compared with.

#[cfg(feature = "candle")]
mod graph;
#[cfg(test)]
mod tests;

#[cfg(feature = "candle")]
pub(crate) use graph::{Graph, Rows};
