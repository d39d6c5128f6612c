//! What tests share: tables in memory, the laws of accumulators, stated closeness of numbers, the place of
//! data outside the repository. A dev-dependency only; it may panic, that is its business.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "test support fails by panicking")]

pub mod close;
pub mod datasets;
pub mod laws;
pub mod memory;

pub use close::{assert_relative, assert_ulps, log_relative_error};
pub use memory::MemorySource;
