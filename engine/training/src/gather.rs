//! Where the sums that a model is solved from come from: a scan of the rows, unless they were gathered before.

use sluice_core::accumulator::Accumulator as _;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;

use crate::data::TrainingData;
use crate::design::{Design, Gathered};

/// Gathers what a design asks for, of all rows.
pub trait Gather {
    /// Called once, and a second time with the exact form where the columns turn out ill-conditioned.
    ///
    /// # Errors
    /// What reading rows or states meets.
    fn gather(&mut self, design: &Design) -> Result<Gathered>;
}

/// A scan of all rows for each design.
#[derive(Debug)]
pub struct Scans<'a> {
    /// The rows.
    pub data: TrainingData<'a>,
    /// How they are read.
    pub execution: &'a Execution,
}

impl Gather for Scans<'_> {
    fn gather(&mut self, design: &Design) -> Result<Gathered> {
        let Self { data, execution } = self;
        // An ill-conditioned matrix takes one more scan, which is a phase of its own.
        execution.progress.begin("train", data.source.plan().extent());
        let gathered = fold(data.source, design, execution)?.accumulator.finish();
        execution.progress.end();
        Ok(gathered)
    }
}
