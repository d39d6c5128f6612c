//! Reads one split after another for a set of inputs, and sees that no row is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};

use super::schedule::{Full, Task};
use super::{FoldError, State};
use crate::accumulator::{Accumulator, Input};
use crate::batch::{Batch, Inputs};
use crate::error::{Error, Result};
use crate::execution::Execution;
use crate::plan::Split;
use crate::seam::{BatchSource, ColumnRows, Delivery, Request};

/// One pass over a source for a set of inputs.
pub(super) struct Scan<'a> {
    source: &'a dyn BatchSource,
    pub(super) inputs: Inputs,
    rows: Vec<usize>,
    /// Whether with the codes of the rows.
    counted: Vec<(usize, bool)>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(source: &'a dyn BatchSource, inputs: Inputs) -> Result<Self> {
        let plan = source.plan();
        for (name, need) in &inputs.columns {
            if need.required {
                plan.require(name, &source.name())?;
            }
        }
        let (mut rows, mut counted) = (Vec::new(), Vec::new());
        for (index, column) in plan.columns.iter().enumerate() {
            if let Some(need) = inputs.columns.get(&column.name) {
                if need.counted || need.coded {
                    counted.push((index, need.coded));
                }
                if need.rows {
                    rows.push(index);
                }
            }
        }
        Ok(Self { source, inputs, rows, counted })
    }

    fn read<A: Accumulator>(
        &self,
        split: &Split,
        state: &mut State<A>,
        (execution, task): (&Execution, &Task<'_>),
    ) -> Result<()> {
        let plan = self.source.plan();
        let request = self.request(split);
        let name = |index: &usize| plan.columns[*index].name.clone();
        let apart: BTreeSet<String> =
            request.counted.iter().chain(&request.coded).chain(&request.apart).map(name).collect();
        let apart = Arc::new(apart);
        let mut first_row = 0;
        let mut seen_apart: BTreeMap<usize, u64> = request.apart.iter().map(|&index| (index, 0)).collect();
        let mut sink = |delivery: Delivery| -> Result<()> {
            execution.cancel.check()?;
            match delivery {
                Delivery::Counted(column) => {
                    self.reconcile(split, column.rows())?;
                    state.accumulator.update(Input::Counted(&column))?;
                    weigh(task, state, execution, || column.values.get_array_memory_size())
                }
                Delivery::Apart { column, values } => {
                    let seen = seen_apart.entry(column).or_default();
                    let first_row = *seen;
                    *seen += values.len() as u64;
                    let column = &plan.columns[column].name;
                    let rows = ColumnRows { column, split: split.number, first_row, values };
                    let outcome = state.accumulator.update(Input::Apart(&rows));
                    outcome.map_err(|error| self.locate(error, split, first_row))
                }
                Delivery::Rows(record_batch) => {
                    let rows = record_batch.num_rows() as u64;
                    let outcome = Batch::in_split(&record_batch, split.number, first_row, Arc::clone(&apart))
                        .derive(&self.inputs, &mut state.groups)
                        .and_then(|batch| state.accumulator.update(Input::Rows(&batch)));
                    outcome.map_err(|error| self.locate(error, split, first_row))?;
                    task.advance(execution, plan, split, first_row, rows);
                    first_row += rows;
                    weigh(task, state, execution, || batch_bytes(&record_batch))
                }
            }
        };
        self.source.read(split, &request, &mut sink)?;
        self.reconcile(split, first_row)?;
        seen_apart.into_values().try_for_each(|seen| self.reconcile(split, seen))?;
        state.rows = first_row;
        Ok(())
    }

    /// How the columns are delivered: who wants rows gets batches; who takes counted views gets them where there are
    /// any, else rows, apart from the other columns where nobody wants them in batches; who takes codes wants them beside
    /// the others.
    fn request(&self, split: &Split) -> Request {
        let countable = if self.counted.is_empty() { Vec::new() } else { self.source.countable(split) };
        let is_separable = self.source.separable();
        let mut request = Request::of_rows(self.rows.clone());
        for &(index, is_coded) in &self.counted {
            if countable[index] {
                let views = if is_coded { &mut request.coded } else { &mut request.counted };
                views.push(index);
            } else if self.rows.binary_search(&index).is_ok() {
                // Comes in the batches already.
            } else if is_separable && !is_coded {
                request.apart.push(index);
            } else {
                request.rows.push(index);
            }
        }
        request.rows.sort_unstable();
        request
    }

    /// The state of one split.
    pub(super) fn state_of<A: Accumulator>(
        &self,
        split: &Split,
        mut state: State<A>,
        execution: &Execution,
        task: &Task<'_>,
    ) -> Result<State<A>> {
        self.read(split, &mut state, (execution, task))?;
        weigh(task, &state, execution, || 0)?;
        Ok(state)
    }

    fn reconcile(&self, split: &Split, found: u64) -> Result<()> {
        if found == split.rows() {
            return Ok(());
        }
        Err(FoldError::RowsLost {
            source_name: self.source.name(),
            split: split.number,
            expected: split.rows(),
            found,
        }
        .into())
    }

    fn locate(&self, error: Error, split: &Split, first_row: u64) -> Error {
        self.source.plan().located(error, &self.source.name(), split.number, first_row)
    }
}

/// Tells what a state holds and the rows that were added last, and who holds it where that is too much.
fn weigh<A: Accumulator>(
    task: &Task<'_>,
    state: &State<A>,
    execution: &Execution,
    rows: impl Fn() -> usize,
) -> Result<()> {
    if execution.memory.is_none() {
        return Ok(());
    }
    task.holds(state.size_bytes() + rows()).map_err(|full| match full {
        Full::GiveUp => full.into(),
        Full::Above { own, kept, limit } => {
            FoldError::Memory { own, kept, limit, heaviest: state.accumulator.heaviest() }.into()
        }
    })
}

/// The bytes of the rows of a batch; of a slice, those of its rows alone.
fn batch_bytes(batch: &RecordBatch) -> usize {
    let bytes = |array: &ArrayRef| {
        array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
    };
    batch.columns().iter().map(bytes).sum()
}
