//! Weak slices: where a model is worse than elsewhere.

use std::path::Path;
use std::sync::Arc;

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::seam::{BatchSource, Predictor};
use sluice_evaluation::slice::weak::{WeakSliceOptions, WeakSlices, find_weak_slices};

use super::contender::Contender;
use super::made_from;

/// The artifact's kind.
pub const WEAK_SLICES_KIND: &str = "weak-slices";
/// The version of its format.
pub const WEAK_SLICES_VERSION: u32 = 1;
/// The file, which an evaluation has too where it was asked for them.
pub const WEAK_SLICES_FILE: &str = "weak_slices.json";

/// Finds the slices of `source` on which `model` is worse than elsewhere.
///
/// # Errors
/// What searching meets.
pub fn find(
    model: &Arc<dyn Predictor>,
    source: &dyn BatchSource,
    weight: Option<&str>,
    options: &WeakSliceOptions,
    execution: &Execution,
) -> Result<WeakSlices> {
    let found = find_weak_slices(source, model, weight, options, execution);
    execution.progress.end();
    found
}

/// Writes what was found to `target`.
///
/// # Errors
/// What writing meets.
pub fn publish(found: &WeakSlices, data_digest: &str, model: &Contender, target: &Path) -> Result<Artifact> {
    let mut draft = Draft::new(target)?;
    draft.write_json(WEAK_SLICES_FILE, found)?;
    let made_of = [("data", data_digest), ("model", model.digest())];
    draft.publish(WEAK_SLICES_KIND, WEAK_SLICES_VERSION, made_from(made_of))
}
