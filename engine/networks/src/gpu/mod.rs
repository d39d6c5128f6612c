//! Training on an NVIDIA card by our own kernels: a step of a network of three layers is 27 calls of the card, where candle's
//! operations with their derivatives are some 150.
//!
//! `driver` says what is asked of a card; `cuda` asks a real one, `emulated` does the same on the processor, for tests. `network` is a
//! plan on it: where its numbers lie, and its steps forward and backward. `engine` makes steps of training of them. What has
//! no kernels yet ([`covers`]) goes through candle ([`crate::tensors`]).

#[cfg(feature = "cuda")]
pub(crate) mod cuda;
pub(crate) mod driver;
#[cfg(test)]
pub(crate) mod emulated;
mod engine;
mod network;
mod optimizer;

pub(crate) use engine::CardEngine;

use crate::plan::{Plan, Step};
use crate::spec::{Loss, NetworkSpec, Precision};

/// Numbers in a buffer, at most: kernels count them in 32 bits, and a step further.
const LONGEST: usize = 1 << 31;

/// Rows that go through the network together, at least: validation rows come in blocks, not in batches.
const FEWEST_ROWS: usize = 8192;

/// Rows that there is room for.
fn room(spec: &NetworkSpec) -> usize {
    std::cmp::max(spec.batch_size as usize, FEWEST_ROWS)
}

/// Whether there are kernels for all of this.
pub(crate) fn covers(spec: &NetworkSpec, plan: &Plan, loss: Loss) -> bool {
    let has_kernel =
        |step: &Step| !matches!(step, Step::Periodic { .. } | Step::BatchNorm { .. } | Step::Interact { .. });
    let widest = plan.widths.iter().copied().max().unwrap_or(0);
    spec.precision == Precision::F32
        && loss != Loss::Pairwise
        && plan.steps.iter().all(has_kernel)
        && widest.saturating_mul(room(spec)) < LONGEST
        && plan.total < LONGEST
}
