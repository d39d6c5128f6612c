//! What does not fit the limit of memory, on disk: sorted runs of keys with states, and their merge.
//!
//! All runs of a step share one file without a name ([`Scratch`]): it needs no cleaning up, also where the process is
//! killed. A run ([`Run`]) holds ascending keys, each once; [`merge()`] reads several runs at a time and joins the states
//! of equal keys, so that what comes out depends on what was counted alone, not on how it was cut into runs.

mod merge;
mod run;
mod scratch;

pub use merge::{Sorted, merge};
pub use run::{Run, RunReader, RunWriter, Runs};
pub use scratch::{Scratch, SpillError};

#[cfg(test)]
mod tests;
