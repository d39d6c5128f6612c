//! What every run leaves in `OUT/ledger.sqlite`: a store of ML Metadata, schema version 10, that its clients open.
//!
//! Runs and pipelines are contexts, steps are executions, what they read and make are artifacts, and events lie between
//! them. Types are named as those of TensorFlow Extended (`kinds.rs`). An artifact is one row, whatever number of runs
//! has found it made; its name is the digest of its content.
//!
//! Only `sluice run` writes, in one short transaction a step. What is written never decides what runs: that does the
//! artifact store.

mod compare;
mod diagram;
mod entry;
mod error;
mod kinds;
mod lineage;
mod read;
mod store;
mod write;

#[cfg(test)]
mod tests;

pub use compare::{ArtifactDifference, Difference, MetricDifference, RunComparison, compare};
pub use diagram::{artifact_note, artifact_title, execution_note, short, to_graphviz, to_mermaid, to_text};
pub use entry::Properties;
pub use error::LedgerError;
pub use kinds::ArtifactKind;
pub use lineage::{Edge, Lineage, LineageArtifact, LineageExecution};
pub use read::{ArtifactSummary, Ledger, RunDetail, RunFilter, RunSummary, STATES, StepSummary};
pub use store::{LAYOUT_VERSION, SCHEMA_VERSION};

pub(crate) use entry::{ArtifactEntry, Port, RunEntry, StepEntry, flattened, milliseconds, uri_of};
pub(crate) use kinds::ExecutionState;
pub(crate) use write::LedgerWriter;

/// The ledger's file in a folder of runs.
pub const LEDGER_FILE: &str = "ledger.sqlite";
