//! Reads one split after another for a set of inputs, and sees that no row is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};

use super::room::Room;
use super::schedule::{Full, Task};
use super::{FoldError, State};
use crate::accumulator::{Accumulator, Input};
use crate::batch::{Batch, Inputs};
use crate::error::{Error, Result};
use crate::execution::Execution;
use crate::plan::Split;
use crate::seam::{BatchSource, ColumnRows, Delivery, Request};

/// Of columns that come apart, the state is weighed once per so many bytes: each weighing costs each column something.
const APART_BYTES: usize = 1 << 22;

/// What the work on a split goes by.
pub(super) struct Worker<'a> {
    pub(super) execution: &'a Execution,
    pub(super) task: &'a Task<'a>,
    pub(super) room: Option<&'a Room>,
}

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

    fn read<A: Accumulator>(&self, split: &Split, state: &mut State<A>, worker: &Worker<'_>) -> Result<()> {
        let plan = self.source.plan();
        let Worker { execution, task, .. } = *worker;
        let request = self.request(split);
        let name = |index: &usize| plan.columns[*index].name.clone();
        let apart: BTreeSet<String> =
            request.counted.iter().chain(&request.coded).chain(&request.apart).map(name).collect();
        let apart = Arc::new(apart);
        let mut first_row = 0;
        let mut seen_apart: BTreeMap<usize, u64> = request.apart.iter().map(|&index| (index, 0)).collect();
        let mut unweighed = 0;
        let mut sink = |delivery: Delivery| -> Result<()> {
            execution.cancel.check()?;
            match delivery {
                Delivery::Counted(column) => {
                    self.reconcile(split, column.rows())?;
                    state.accumulator.update(Input::Counted(&column))?;
                    worker.weigh(state, || column.values.get_array_memory_size())
                }
                Delivery::Apart { column, values } => {
                    let seen = seen_apart.entry(column).or_default();
                    let first_row = *seen;
                    *seen += values.len() as u64;
                    let column = &plan.columns[column].name;
                    let rows = ColumnRows { column, split: split.number, first_row, values };
                    let outcome = state.accumulator.update(Input::Apart(&rows));
                    outcome.map_err(|error| self.locate(error, split, first_row))?;
                    unweighed += array_bytes(&rows.values);
                    if worker.room.is_none() || unweighed < APART_BYTES {
                        return Ok(());
                    }
                    unweighed = 0;
                    worker.weigh(state, || array_bytes(&rows.values))
                }
                Delivery::Rows(record_batch) => {
                    let rows = record_batch.num_rows() as u64;
                    let outcome = Batch::in_split(&record_batch, split.number, first_row, Arc::clone(&apart))
                        .derive(&self.inputs, &mut state.groups)
                        .and_then(|batch| state.accumulator.update(Input::Rows(&batch)));
                    outcome.map_err(|error| self.locate(error, split, first_row))?;
                    task.advance(execution, plan, split, first_row, rows);
                    first_row += rows;
                    worker.weigh(state, || batch_bytes(&record_batch))
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
        worker: &Worker<'_>,
    ) -> Result<State<A>> {
        self.read(split, &mut state, worker)?;
        worker.weigh(&mut state, || 0)?;
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

impl Worker<'_> {
    /// Lets a state put aside what exceeds its share, then tells what it holds and the rows that were added last, and who
    /// holds it where that is too much.
    fn weigh<A: Accumulator>(&self, state: &mut State<A>, rows: impl Fn() -> usize) -> Result<()> {
        if self.execution.memory.is_none() {
            return Ok(());
        }
        if let Some(room) = self.room {
            room.keep(state)?;
        }
        self.task.holds(state.size_bytes() + rows()).map_err(|full| match full {
            Full::GiveUp => full.into(),
            Full::Above { own, kept, limit } => {
                FoldError::Memory { own, kept, limit, heaviest: state.accumulator.heaviest() }.into()
            }
        })
    }
}

/// The bytes of the rows of a batch; of a slice, those of its rows alone.
fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

fn array_bytes(array: &ArrayRef) -> usize {
    array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
}
