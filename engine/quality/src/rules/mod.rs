//! What is checked row by row: rules written as SQL expressions, repeated keys, and the rows behind the
//! findings of a schema.
//!
//! [`RowChecks`] does all of it in one scan, or shares that of statistics ([`RowChecks::scan`]). [`RuleScan`] evaluates many rules, [`KeyScan`] counts rows that share
//! a key, [`locate()`] finds the rows behind a [`ValidationReport`](crate::validation::ValidationReport). Each keeps
//! exact counts and the first few rows of each kind: memory and time do not depend on how bad the data are.

mod checks;
mod condition;
pub(crate) mod examples;
mod keys;
mod locate;
mod rule;
mod scan;

#[cfg(test)]
mod tests;

pub use checks::{RowChecks, RowCounts, RowScan, UniqueKey};
pub use examples::{MAX_EXAMPLES, MAX_EXAMPLES_ASKED, Sighting};
pub use keys::{KeyOutcome, KeyScan, MAX_KEYS};
pub use locate::locate;
pub use rule::{Rule, Unknown};
pub use scan::{RuleOutcome, RuleScan};
