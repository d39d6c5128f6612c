//! Reads the splits of a source on all cores and joins their summaries along one fixed binary tree per span.
//!
//! The tree of a span has a node (level l, index k) over its splits k·2^l … (k+1)·2^l − 1, counted from 0 within the
//! span. A state is joined with its sibling as soon as both are complete, left before right; what remains without
//! sibling at the end of the span is joined from the right. The states of spans are joined in order, from the left.
//! A source without spans is one span. The shape depends on the number of splits of each span alone, so neither
//! threads nor shards change a bit, and the state of a span is the same bytes in every window that holds it. At most
//! 2 x threads states are in flight beside ⌈log2 splits⌉ + 1 finished subtrees and the state of the earlier spans; fewer
//! where a limit of memory says so, and an error where one split with the finished subtrees passes it.
//!
//! With a place on disk ([`Execution::scratch`]) states that can put a part of themselves there do so, each as soon as it
//! passes its share of the limit.

mod error;
mod kept;
mod partial;
mod room;
mod scan;
mod schedule;
mod shared;

use std::ops::Range;

use crate::accumulator::Accumulator;
use crate::error::Result;
use crate::execution::Execution;
use crate::group::GroupTables;
use crate::seam::BatchSource;

pub use error::FoldError;
pub use kept::{Missing, PartStates, fold_kept};
pub use partial::{Part, Partial, State};
pub use schedule::{Full, Task, in_order, in_order_weighed};

use partial::{InOrder, Tree};
use room::Room;
use scan::{Scan, Worker};

/// Reads the whole source.
///
/// # Errors
/// What reading and the accumulator meet, with file and row; of several, the one that comes first in the data.
pub fn fold<A>(source: &dyn BatchSource, accumulator: &A, execution: &Execution) -> Result<State<A>>
where
    A: Accumulator + Sync,
{
    let scan = Scan::new(source, accumulator.inputs())?;
    let new_state = || empty_state(&scan, accumulator);
    let room = Room::of(execution, source.plan().splits.len());
    let mut joined = InOrder::new(source.plan().sections(), new_state(), room.clone());
    in_order_weighed(
        &source.plan().splits,
        execution,
        State::size_bytes,
        |split, task| scan.state_of(split, new_state(), &Worker { execution, task, room: room.as_ref() }),
        |split, state| {
            joined.push(split.number, state)?;
            Ok(joined.size_bytes())
        },
    )?;
    joined.finish()
}

/// Reads some splits, for a shard or a part of a source. The states of spans stay apart.
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
    let new_state = || empty_state(&scan, accumulator);
    let sections = source.plan().sections();
    let mut partial = Partial::new(&sections, new_state);
    let splits = crate::seam::splits_of(source.plan(), splits);
    let room = Room::of(execution, splits.len());
    in_order_weighed(
        splits,
        execution,
        State::size_bytes,
        |split, task| scan.state_of(split, new_state(), &Worker { execution, task, room: room.as_ref() }),
        |split, state| {
            let number = sections.partition_point(|section| section.splits.end <= split.number);
            let index = split.number - sections[number].splits.start;
            partial.insert(number, Tree { level: 0, index, state }, room.as_ref())?;
            Ok(partial.size_bytes())
        },
    )?;
    Ok(partial)
}

fn empty_state<A: Accumulator>(scan: &Scan<'_>, accumulator: &A) -> State<A> {
    let groupings: Vec<_> = scan.inputs.groupings.iter().cloned().collect();
    State { groups: GroupTables::new(&groupings), rows: 0, accumulator: accumulator.empty() }
}
