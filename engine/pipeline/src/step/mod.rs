//! The steps, one file each. Each reads artifacts, writes one artifact, and answers with what it made; `run`
//! and the single commands call the same functions.

pub mod apply;
pub mod calibrate;
pub mod contender;
pub mod drift;
pub mod drift_batches;
mod drift_page;
pub mod drift_timeline;
pub mod evaluate;
pub mod evaluate_state;
pub mod evaluation_page;
pub mod evaluation_reports;
mod evaluation_table;
pub mod explain;
mod file_names;
pub mod ingest;
pub mod kept_states;
mod network_rows;
pub mod predict;
pub mod push;
pub mod schema;
pub mod skew;
pub mod state;
pub mod statistics;
mod statistics_files;
pub mod tfx;
pub mod together;
pub mod train;
mod train_kept;
pub mod train_network;
pub mod train_state;
pub mod training_report;
pub mod transform;
pub mod transform_state;
pub mod validate;
mod validation_reports;
pub mod weak_slices;

use std::collections::BTreeMap;

/// The subset that models are fitted on.
pub const TRAIN: &str = "train";
/// The subset that models are judged on.
pub const EVAL: &str = "eval";

/// What an artifact was made from, by name.
pub(crate) fn made_from<const N: usize>(parts: [(&str, &str); N]) -> BTreeMap<String, String> {
    parts.into_iter().map(|(name, digest)| (name.to_owned(), digest.to_owned())).collect()
}
