//! Reads the splits of a source on all cores and joins their summaries along one fixed binary tree.
//!
//! The tree has a node (level l, index k) over the splits k·2^l … (k+1)·2^l − 1. A state is joined with its
//! sibling as soon as both are complete, left before right; what remains without sibling at the end is joined
//! from the right. The shape depends on the number of splits alone, so neither threads nor shards change a
//! bit. At most 2 x threads states are in flight beside ⌈log2 splits⌉ + 1 finished subtrees.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::accumulator::{Accumulator, Input};
use crate::batch::{Batch, Inputs};
use crate::error::{CommonError, Diagnostic, Error, ErrorKind, Result};
use crate::execution::Execution;
use crate::group::GroupTables;
use crate::plan::Split;
use crate::seam::{BatchSource, Delivery, Request};

/// What can go wrong with states, as opposed to what an accumulator meets.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// A file does not hold the rows that its listing promises.
    #[error("{source_name} has {found} rows in split {split}, its listing says {expected}")]
    RowsLost {
        /// The source.
        source_name: String,
        /// Which split.
        split: u64,
        /// What the plan says.
        expected: u64,
        /// What was read.
        found: u64,
    },
    /// States of different sources, or of other options.
    #[error("cannot join a state of {found} with a state of {expected}")]
    OtherSource {
        /// Digest or kind of this one.
        expected: String,
        /// Digest or kind of the other.
        found: String,
    },
    /// Partial states that do not follow one another.
    #[error("partial states end at split {end}, the next begins at {start}")]
    NotConsecutive {
        /// One past the last split so far.
        end: u64,
        /// Where the next begins.
        start: u64,
    },
    /// Partial states that do not cover the source.
    #[error("partial states cover splits {start} to {end} of {splits}")]
    Incomplete {
        /// The first split.
        start: u64,
        /// One past the last.
        end: u64,
        /// How many there are.
        splits: u64,
    },
    /// A state file that cannot be read.
    #[error("this is not a state of kind `{kind}` that this version can read")]
    Unreadable {
        /// The kind that was expected.
        kind: String,
        /// What the decoder said.
        #[source]
        source: postcard::Error,
    },
    /// The thread pool could not be made.
    #[error("cannot start {threads} threads")]
    Threads {
        /// How many were wanted.
        threads: usize,
        /// What the system said.
        source: rayon::ThreadPoolBuildError,
    },
}

impl Diagnostic for FoldError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::RowsLost { .. } | Self::Unreadable { .. } => ErrorKind::Malformed,
            Self::OtherSource { .. } | Self::NotConsecutive { .. } | Self::Incomplete { .. } => {
                ErrorKind::Usage
            }
            Self::Threads { .. } => ErrorKind::Unavailable,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::RowsLost { .. } => {
                Some("the file changed while it was read, or is damaged; write it again".into())
            }
            Self::OtherSource { .. } => Some("merge states that one plan made with the same options".into()),
            Self::NotConsecutive { .. } | Self::Incomplete { .. } => {
                Some("give every shard once, in order from 1 to n".into())
            }
            Self::Unreadable { .. } => Some("make the state again with this version".into()),
            Self::Threads { .. } => Some("lower `--threads`".into()),
        }
    }
}

/// The summary of some splits, with what travels with it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State<A> {
    /// Keys of the groups.
    pub groups: GroupTables,
    /// Rows read.
    pub rows: u64,
    /// The summary itself.
    pub accumulator: A,
}

impl<A: Accumulator> State<A> {
    fn merge(&mut self, later: Self) -> Result<()> {
        let map = self.groups.merge(&later.groups);
        self.rows += later.rows;
        self.accumulator.merge(later.accumulator, &map)
    }
}

/// The summary of consecutive splits: the forest of their complete subtrees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Partial<A> {
    source_digest: String,
    splits: u64,
    empty: State<A>,
    trees: Vec<Tree<A>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tree<A> {
    level: u32,
    index: u64,
    state: State<A>,
}

impl<A> Tree<A> {
    fn range(&self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }
}

impl<A: Accumulator> Partial<A> {
    /// No splits yet.
    fn new(source: &dyn BatchSource, empty: State<A>) -> Self {
        let plan = source.plan();
        Self {
            source_digest: plan.digest.clone(),
            splits: plan.splits.len() as u64,
            empty,
            trees: Vec::new(),
        }
    }

    fn push(&mut self, mut tree: Tree<A>) -> Result<()> {
        if let Some(last) = self.trees.last() {
            let (end, start) = (last.range().end, tree.range().start);
            if end != start {
                return Err(FoldError::NotConsecutive { end, start }.into());
            }
        }
        while let Some(mut left) = self
            .trees
            .pop_if(|last| last.level == tree.level && last.index % 2 == 0 && last.index + 1 == tree.index)
        {
            left.state.merge(tree.state)?;
            tree = Tree { level: left.level + 1, index: left.index / 2, state: left.state };
        }
        self.trees.push(tree);
        Ok(())
    }

    /// Joins the state of the splits that follow.
    ///
    /// # Errors
    /// [`FoldError::OtherSource`] when it was made from another plan, [`FoldError::NotConsecutive`] when its
    /// splits do not follow.
    pub fn merge(&mut self, later: Self) -> Result<()> {
        if self.source_digest != later.source_digest {
            return Err(FoldError::OtherSource {
                expected: self.source_digest.clone(),
                found: later.source_digest,
            }
            .into());
        }
        later.trees.into_iter().try_for_each(|tree| self.push(tree))
    }

    /// Joins what remains; the splits must be all of the source.
    ///
    /// # Errors
    /// [`FoldError::Incomplete`].
    pub fn finish(mut self) -> Result<State<A>> {
        let start = self.trees.first().map_or(0, |tree| tree.range().start);
        let end = self.trees.last().map_or(0, |tree| tree.range().end);
        if start != 0 || end != self.splits {
            return Err(FoldError::Incomplete { start, end, splits: self.splits }.into());
        }
        let Some(last) = self.trees.pop() else { return Ok(self.empty) };
        let mut state = last.state;
        while let Some(mut earlier) = self.trees.pop() {
            earlier.state.merge(state)?;
            state = earlier.state;
        }
        Ok(state)
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<P> {
    magic: String,
    kind: String,
    version: u32,
    partial: P,
}

const MAGIC: &str = "sluice-state";

impl<A: Accumulator + Serialize> Partial<A> {
    /// The bytes in which a partial state travels.
    ///
    /// # Errors
    /// [`CommonError::Internal`]; a state of ours always serialises.
    pub fn to_bytes(&self, kind: &str, version: u32) -> Result<Vec<u8>> {
        let envelope = Envelope { magic: MAGIC.into(), kind: kind.into(), version, partial: self };
        postcard::to_stdvec(&envelope).map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}

impl<A: Accumulator + DeserializeOwned> Partial<A> {
    /// Reads what [`Partial::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`FoldError::Unreadable`] when it is damaged, [`FoldError::OtherSource`] when it is of another kind or
    /// version.
    pub fn from_bytes(bytes: &[u8], kind: &str, version: u32) -> Result<Self> {
        let envelope: Envelope<Self> = postcard::from_bytes(bytes)
            .map_err(|source| FoldError::Unreadable { kind: kind.into(), source })?;
        if envelope.magic != MAGIC || envelope.kind != kind || envelope.version != version {
            return Err(FoldError::OtherSource {
                expected: format!("{kind} version {version}"),
                found: format!("{} version {}", envelope.kind, envelope.version),
            }
            .into());
        }
        Ok(envelope.partial)
    }
}

/// Reads the whole source.
///
/// # Errors
/// What reading and the accumulator meet, with file and row; of several, the one that comes first in the data.
pub fn fold<A>(source: &dyn BatchSource, accumulator: &A, execution: &Execution) -> Result<State<A>>
where
    A: Accumulator + Sync,
{
    fold_splits(source, 0..source.plan().splits.len() as u64, accumulator, execution)?.finish()
}

/// Reads some splits, for a shard or a part of a source.
///
/// # Errors
/// As [`fold`].
pub fn fold_splits<A>(
    source: &dyn BatchSource,
    splits: Range<u64>,
    accumulator: &A,
    execution: &Execution,
) -> Result<Partial<A>>
where
    A: Accumulator + Sync,
{
    let scan = Scan::new(source, accumulator.inputs())?;
    let groupings: Vec<_> = scan.inputs.groupings.iter().cloned().collect();
    let new_state =
        || State { groups: GroupTables::new(&groupings), rows: 0, accumulator: accumulator.empty() };
    let mut partial = Partial::new(source, new_state());
    let wanted = crate::seam::splits_of(source.plan(), splits);
    in_order(
        wanted,
        execution,
        |split| {
            let mut state = new_state();
            scan.read(split, &mut state, execution)?;
            Ok(state)
        },
        |split, state| partial.push(Tree { level: 0, index: split.number, state }),
    )?;
    Ok(partial)
}

/// One pass over a source for a set of inputs.
struct Scan<'a> {
    source: &'a dyn BatchSource,
    inputs: Inputs,
    rows: Vec<usize>,
    counted: Vec<usize>,
}

impl<'a> Scan<'a> {
    fn new(source: &'a dyn BatchSource, inputs: Inputs) -> Result<Self> {
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
                if need.counted {
                    counted.push(index);
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
        let mut request = Request { rows: self.rows.clone(), counted: Vec::new() };
        let mut counted_names = BTreeSet::new();
        for &index in &self.counted {
            if countable[index] {
                request.counted.push(index);
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

struct Schedule<T> {
    next: usize,
    consumed: usize,
    ready: BTreeMap<usize, T>,
    consuming: bool,
    failed: Option<(usize, Error)>,
}

/// Does `work` on each item on all threads and hands the results to `consume` in order. At most 2 x threads
/// items are in flight. Of several failures, that of the first item is answered.
///
/// # Errors
/// What `work` and `consume` answer; interrupted when cancelled.
pub fn in_order<I: Sync, T: Send>(
    items: &[I],
    execution: &Execution,
    work: impl Fn(&I) -> Result<T> + Sync,
    consume: impl FnMut(&I, T) -> Result<()> + Send,
) -> Result<()> {
    let threads = std::cmp::min(execution.threads.get(), std::cmp::max(items.len(), 1));
    let window = 2 * threads;
    let schedule =
        Mutex::new(Schedule { next: 0, consumed: 0, ready: BTreeMap::new(), consuming: false, failed: None });
    let turn = Condvar::new();
    let consume = Mutex::new(consume);
    let worker = || {
        let mut state = lock(&schedule);
        loop {
            while state.failed.is_none() && state.next < items.len() && state.next >= state.consumed + window
            {
                state = turn.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.failed.is_some() || state.next >= items.len() {
                return;
            }
            let number = state.next;
            state.next += 1;
            drop(state);
            let result = execution.cancel.check().and_then(|()| work(&items[number]));
            state = lock(&schedule);
            match result {
                Ok(value) => {
                    state.ready.insert(number, value);
                }
                Err(error) => fail(&mut state, number, error),
            }
            state = drain(state, &schedule, items, &consume);
            turn.notify_all();
        }
    };
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .map_err(|source| FoldError::Threads { threads, source })?;
    pool.scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|_| worker());
        }
    });
    match schedule.into_inner().unwrap_or_else(PoisonError::into_inner).failed {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

fn fail<T>(state: &mut Schedule<T>, number: usize, error: Error) {
    if state.failed.as_ref().is_none_or(|(first, _)| number < *first) {
        state.failed = Some((number, error));
    }
}

/// Consumes what is ready and next in order, one thread at a time, without holding the lock meanwhile.
fn drain<'a, I, T>(
    mut state: MutexGuard<'a, Schedule<T>>,
    schedule: &'a Mutex<Schedule<T>>,
    items: &[I],
    consume: &Mutex<impl FnMut(&I, T) -> Result<()>>,
) -> MutexGuard<'a, Schedule<T>> {
    if state.consuming {
        return state;
    }
    state.consuming = true;
    loop {
        let number = state.consumed;
        let before_failure = state.failed.as_ref().is_none_or(|(first, _)| number < *first);
        let Some(value) = before_failure.then(|| state.ready.remove(&number)).flatten() else { break };
        drop(state);
        let result = (lock(consume))(&items[number], value);
        state = lock(schedule);
        state.consumed = number + 1;
        if let Err(error) = result {
            fail(&mut state, number, error);
        }
    }
    state.consuming = false;
    state
}

/// A worker that panicked takes the scope down with it; until then the others may still look.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_failure_wins() {
        let items: Vec<u64> = (0..100).collect();
        for threads in [1, 2, 7] {
            let execution = Execution::with_threads(threads);
            let mut seen = Vec::new();
            in_order(
                &items,
                &execution,
                |item| Ok(item * 2),
                |item, value| {
                    seen.push((*item, value));
                    Ok(())
                },
            )
            .unwrap();
            assert!(
                seen.iter().enumerate().all(|(n, (item, value))| *item == n as u64 && *value == 2 * item)
            );
            let mut consumed = 0;
            let error = in_order(
                &items,
                &execution,
                |item| {
                    if *item % 30 == 17 {
                        Err(CommonError::Internal(item.to_string()).into())
                    } else {
                        Ok(*item)
                    }
                },
                |_, _| {
                    consumed += 1;
                    Ok(())
                },
            )
            .unwrap_err();
            assert_eq!(error.to_string(), "internal error: 17");
            assert!(consumed <= 17);
        }
    }

    #[test]
    fn cancelling_stops_with_the_signal() {
        let execution = Execution::with_threads(2);
        execution.cancel.cancel(2);
        let error = in_order(&[1, 2, 3], &execution, |_| Ok(()), |_, ()| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Interrupted(2));
    }
}
