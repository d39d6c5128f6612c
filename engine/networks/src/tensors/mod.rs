//! Networks in candle: the same [`Plan`](crate::plan::Plan) as tensor operations with automatic gradients, on any device
//! that candle knows. GPUs train with it; on the CPU it is the reference that our kernels are compared with.

pub(crate) mod device;
mod engine;
mod graph;
mod optimizer;
#[cfg(test)]
mod tests;

pub(crate) use engine::TensorEngine;
