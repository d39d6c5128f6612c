//! When states put on disk what can be there: each as soon as it holds more than its share of the limit of memory.

use super::State;
use crate::accumulator::Accumulator;
use crate::error::Result;
use crate::execution::Execution;
use crate::spill::Scratch;

/// Less than this is not worth a run on disk.
const LEAST_SHARE: u64 = 1 << 18;

/// The share of one state, and where it puts the rest. It does not depend on what the states hold, so that work is put
/// aside at about the same places in every run; the answer is the same wherever that is.
#[derive(Clone, Debug)]
pub(super) struct Room {
    share: usize,
    scratch: Scratch,
}

impl Room {
    /// Of as many states as are held at a time in the fold of so many splits: those in flight, and the finished
    /// subtrees. Half of the limit is left to rows in work and to tables that are growing or joined.
    pub(super) fn of(execution: &Execution, splits: usize) -> Option<Self> {
        let (limit, scratch) = (execution.memory?, execution.scratch.clone()?);
        let in_flight = 2 * std::cmp::min(execution.threads.get(), splits);
        let finished = splits.checked_ilog2().unwrap_or(0) as usize + 3;
        let share = limit.in_bytes() / 2 / (in_flight + finished) as u64;
        let share = usize::try_from(std::cmp::max(share, LEAST_SHARE)).unwrap_or(usize::MAX);
        Some(Self { share, scratch })
    }

    /// Lets a state put aside what exceeds its share.
    pub(super) fn keep<A: Accumulator>(&self, state: &mut State<A>) -> Result<()> {
        if state.accumulator.size_bytes() > self.share {
            state.accumulator.shed(self.share, &self.scratch)?;
        }
        Ok(())
    }
}
