//! Loops over rows and weights: products of matrices, and element by element what lies between.
//!
//! Element-wise loops are compiled for each level of the CPU and give the same bits on all of them, as they neither
//! contract nor reorder; products of matrices (`gemm`) add in an order that the level decides.

pub(crate) mod activation;
pub(crate) mod dropout;
pub(crate) mod interact;
pub(crate) mod linear;
pub(crate) mod matrix;
pub(crate) mod norm;
pub(crate) mod numeric;
pub(crate) mod scalar;

use std::sync::LazyLock;

/// What the CPU can do, asked once.
static ARCH: LazyLock<pulp::Arch> = LazyLock::new(pulp::Arch::new);

/// Runs `work` compiled for the CPU at hand. What it calls must be `#[inline(always)]` to be part of it.
#[inline(always)]
pub(crate) fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    ARCH.dispatch(work)
}
