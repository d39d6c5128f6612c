//! Mergeable summaries: what can be said of a column in one pass, in bounded memory, and joined later.
//!
//! Each file but `column` holds one data structure without Arrow or traits: `update` takes slices or counted values,
//! `merge` joins a later state, getters answer, `size_bytes` tells the memory. States are canonical (equal
//! content gives equal serialised bytes), never depend on a hash order, and every approximate figure comes
//! with its bound. To add one: a file named after its type, whose head gives purpose, formula, source, NaN
//! and cost; tests of its laws beside it; a line below.

pub mod co_moments;
pub mod column;
pub mod distinct;
pub mod exact_sum;
pub mod frequencies;
pub mod gram;
pub mod moments;
pub mod order_key;
pub mod quantiles;
pub mod ranks;
mod registers;
pub mod tally;
mod vectors;
pub mod weighted_frequencies;
pub mod weighted_moments;
pub mod weighted_quantiles;

pub use co_moments::CoMoments;
pub use column::{ColumnSummary, OfColumn, finite_counted, finite_rows};
pub use distinct::{Distinct, DistinctEstimate, different_at_least, hash_bytes, hash_f64, hash_i64};
pub use exact_sum::{ExactGroups, ExactRows, ExactSum, Terms};
pub use frequencies::Frequencies;
pub use gram::{Centered, Gram};
pub use moments::Moments;
pub use order_key::{f64_of_key, key_of_f64, key_of_u64, u64_of_key};
pub use quantiles::{Quantiles, Strata, sort_by_key};
pub use ranks::{Bar, Ranks};
pub use registers::clean_registers;
pub use tally::{TALLY_CAPACITY, Tally};
pub use vectors::{Extent, extent, wide};
pub use weighted_frequencies::WeightedFrequencies;
pub use weighted_moments::WeightedMoments;
pub use weighted_quantiles::{WeightedBar, WeightedQuantiles, WeightedRanks};
