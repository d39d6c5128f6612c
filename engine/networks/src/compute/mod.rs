//! Computes a [`Plan`](crate::plan::Plan) with our kernels, forward and backward.

mod backward;
mod forward;
mod workspace;

pub(crate) use backward::{Gradients, backward};
pub(crate) use forward::{Pass, forward};
pub(crate) use workspace::{Need, Workspace};
