//! Training on an NVIDIA card by our own kernels, few calls of the card per step: at small batches a step takes as long as its calls. One
//! of a network of three layers is 27.
//!
//! `driver` says what is asked of a card; `cuda` asks a real one, `emulated` does the same on the processor, for tests. `layout`,
//! `network` and `backward` are a plan on it: where its numbers lie, and its steps. `rows` are those that
//! are trained on, `engine` makes steps of training.

mod backward;
#[cfg(feature = "cuda")]
pub(crate) mod cuda;
pub(crate) mod driver;
#[cfg(test)]
pub(crate) mod emulated;
mod engine;
mod layout;
mod network;
mod optimizer;
pub(crate) mod rows;

pub(crate) use engine::CardEngine;

use crate::spec::NetworkSpec;

/// Numbers in a buffer, at most: kernels count them in 32 bits, and a step further.
const LONGEST: usize = 1 << 31;

/// Rows that there is room for, at least: validation rows come in blocks, not in batches.
const FEWEST_ROWS: usize = 8192;

/// Rows that there is room for on the card: they go through the network together.
fn room(spec: &NetworkSpec) -> usize {
    std::cmp::max(spec.batch_size as usize, FEWEST_ROWS)
}
