//! Reads one split after another for a set of inputs, and sees that no row is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{FoldError, State};
use crate::accumulator::{Accumulator, Input};
use crate::batch::{Batch, Inputs};
use crate::error::{CommonError, Error, Result};
use crate::execution::Execution;
use crate::plan::Split;
use crate::seam::{BatchSource, Delivery, Request};

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
            if need.required && plan.column(name).is_none() {
                return Err(CommonError::ColumnMissing {
                    column: name.clone(),
                    place: source.name(),
                    available: plan
                        .column_names()
                        .into_iter()
                        .filter(|name| !name.starts_with(crate::RESERVED_PREFIX))
                        .collect(),
                }
                .into());
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

    fn read<A: Accumulator>(&self, split: &Split, state: &mut State<A>, execution: &Execution) -> Result<()> {
        let plan = self.source.plan();
        let countable = if self.counted.is_empty() { Vec::new() } else { self.source.countable(split) };
        let mut request = Request { rows: self.rows.clone(), ..Request::default() };
        let mut counted_names = BTreeSet::new();
        for &(index, is_coded) in &self.counted {
            if countable[index] {
                if is_coded {
                    request.coded.push(index);
                } else {
                    request.counted.push(index);
                }
                counted_names.insert(plan.columns[index].name.clone());
            } else if !request.rows.contains(&index) {
                request.rows.push(index);
            }
        }
        request.rows.sort_unstable();
        let counted_names = Arc::new(counted_names);
        let mut first_row = 0;
        let mut sink = |delivery: Delivery| -> Result<()> {
            execution.cancel.check()?;
            match delivery {
                Delivery::Counted(column) => {
                    self.reconcile(split, column.rows())?;
                    state.accumulator.update(Input::Counted(&column))
                }
                Delivery::Rows(record_batch) => {
                    let rows = record_batch.num_rows() as u64;
                    let outcome =
                        Batch::in_split(&record_batch, split.number, first_row, Arc::clone(&counted_names))
                            .derive(&self.inputs, &mut state.groups)
                            .and_then(|batch| state.accumulator.update(Input::Rows(&batch)));
                    outcome.map_err(|error| self.locate(error, split, first_row))?;
                    execution.advance(plan, split, first_row, rows);
                    first_row += rows;
                    Ok(())
                }
            }
        };
        self.source.read(split, &request, &mut sink)?;
        self.reconcile(split, first_row)?;
        state.rows = first_row;
        Ok(())
    }

    /// The state of one split.
    pub(super) fn state_of<A: Accumulator>(
        &self,
        split: &Split,
        mut state: State<A>,
        execution: &Execution,
    ) -> Result<State<A>> {
        self.read(split, &mut state, execution)?;
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

    fn locate(&self, mut error: Error, split: &Split, first_row: u64) -> Error {
        match error.take_row() {
            Some(row) => match self.source.plan().place(&self.source.name(), split.number, first_row + row) {
                Some(place) => error.in_place(place),
                None => error,
            },
            None => error,
        }
    }
}
