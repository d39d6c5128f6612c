//! Computes a [`Plan`](crate::plan::Plan) with our kernels, forward and backward.

mod backward;
mod forward;
mod workspace;

pub(crate) use backward::{Gradients, backward};
pub(crate) use forward::{Pass, forward};
#[cfg(any(feature = "cuda", test))]
pub(crate) use workspace::wanted_with_weights;
pub(crate) use workspace::{Need, Workspace};
