//! The contract of every summary: built in pieces, joined, finished.

use crate::batch::{Batch, Inputs};
use crate::error::Result;
use crate::group::GroupMap;
use crate::seam::{ColumnRows, CountedColumn};
use crate::spill::Scratch;

/// What `fold` hands to an accumulator.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// Rows, in order within a split.
    Rows(&'a Batch),
    /// The counted view of a column over the whole split; its rows do not come again.
    Counted(&'a CountedColumn),
    /// Rows of one column that takes counted views and has none, in order within a split; they do not come again.
    Apart(&'a ColumnRows<'a>),
}

/// The part of a summary that holds the most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heaviest {
    /// What it is, in words that begin a sentence: "column `id`".
    pub what: String,
    /// Bytes held.
    pub bytes: usize,
    /// How to do without it, as an imperative: "leave it out with …".
    pub advice: Option<String>,
}

impl Heaviest {
    /// The one of the two that holds more; of equals, the first.
    #[must_use]
    pub fn of(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(first), Some(second)) if second.bytes > first.bytes => Some(second),
            (first, second) => first.or(second),
        }
    }
}

/// A summary of rows that can be built in pieces and joined.
///
/// Laws, checked by `sluice_testkit::laws`: an empty state is neutral; any number of threads and any sharding
/// of one plan give the same bytes; serialising and restoring changes nothing; counts add up.
///
/// ```
/// use sluice_core::accumulator::{Accumulator, Input};
/// use sluice_core::batch::Inputs;
/// use sluice_core::group::GroupMap;
///
/// /// Counts rows.
/// struct Rows(u64);
///
/// impl Accumulator for Rows {
///     type Output = u64;
///     fn inputs(&self) -> Inputs {
///         Inputs::default()
///     }
///     fn empty(&self) -> Self {
///         Rows(0)
///     }
///     fn update(&mut self, input: Input<'_>) -> sluice_core::Result<()> {
///         if let Input::Rows(batch) = input {
///             self.0 += batch.rows() as u64;
///         }
///         Ok(())
///     }
///     fn merge(&mut self, later: Self, _: &GroupMap) -> sluice_core::Result<()> {
///         self.0 += later.0;
///         Ok(())
///     }
///     fn finish(self) -> u64 {
///         self.0
///     }
///     fn size_bytes(&self) -> usize {
///         size_of::<Self>()
///     }
/// }
/// ```
pub trait Accumulator: Sized + Send {
    /// What the finished summary answers.
    type Output;

    /// The columns, groupings and transforms that it reads. Asked once per fold.
    fn inputs(&self) -> Inputs;

    /// The same options, no rows.
    fn empty(&self) -> Self;

    /// Adds rows, or the counted view of a column, or rows of a column alone.
    ///
    /// # Errors
    /// What the data make impossible; use `Error::at_row` so that the message can name file and row.
    fn update(&mut self, input: Input<'_>) -> Result<()>;

    /// Joins the summary of the rows that come *after* the rows seen here. `groups` renumbers its groups.
    ///
    /// # Errors
    /// When the two do not fit together.
    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()>;

    /// Answers, and gives up the state.
    fn finish(self) -> Self::Output;

    /// Bytes held, capacity included. Asked after every batch, so it must cost next to nothing.
    fn size_bytes(&self) -> usize;

    /// The part that holds the most, if parts can be told apart: named where memory does not suffice.
    fn heaviest(&self) -> Option<Heaviest> {
        None
    }

    /// Puts on disk what can be there, so that about `share` bytes remain. Asked where it holds more; may not change what
    /// it answers, nor its serialised bytes.
    ///
    /// # Errors
    /// [`SpillError`](crate::spill::SpillError).
    fn shed(&mut self, share: usize, scratch: &Scratch) -> Result<()> {
        let _ = (share, scratch);
        Ok(())
    }
}

/// Two accumulators on one scan.
impl<A: Accumulator, B: Accumulator> Accumulator for (A, B) {
    type Output = (A::Output, B::Output);

    fn inputs(&self) -> Inputs {
        self.0.inputs().union(self.1.inputs())
    }

    fn empty(&self) -> Self {
        (self.0.empty(), self.1.empty())
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        self.0.update(input)?;
        self.1.update(input)
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        self.0.merge(later.0, groups)?;
        self.1.merge(later.1, groups)
    }

    fn finish(self) -> Self::Output {
        (self.0.finish(), self.1.finish())
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes() + self.1.size_bytes()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        Heaviest::of(self.0.heaviest(), self.1.heaviest())
    }

    fn shed(&mut self, share: usize, scratch: &Scratch) -> Result<()> {
        self.0.shed(share, scratch)?;
        self.1.shed(share, scratch)
    }
}

/// Several accumulators of one kind on one scan.
impl<A: Accumulator> Accumulator for Vec<A> {
    type Output = Vec<A::Output>;

    fn inputs(&self) -> Inputs {
        self.iter().fold(Inputs::default(), |inputs, accumulator| inputs.union(accumulator.inputs()))
    }

    fn empty(&self) -> Self {
        self.iter().map(Accumulator::empty).collect()
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        self.iter_mut().try_for_each(|accumulator| accumulator.update(input))
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        self.iter_mut().zip(later).try_for_each(|(mine, theirs)| mine.merge(theirs, groups))
    }

    fn finish(self) -> Self::Output {
        self.into_iter().map(Accumulator::finish).collect()
    }

    fn size_bytes(&self) -> usize {
        self.iter().map(Accumulator::size_bytes).sum::<usize>() + self.capacity() * size_of::<A>()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        self.iter().map(Accumulator::heaviest).fold(None, Heaviest::of)
    }

    fn shed(&mut self, share: usize, scratch: &Scratch) -> Result<()> {
        let share = share / std::cmp::max(self.len(), 1);
        self.iter_mut().try_for_each(|accumulator| accumulator.shed(share, scratch))
    }
}

/// An accumulator that may not be wanted; where only one of two states has it, it goes on with that one.
impl<A: Accumulator> Accumulator for Option<A> {
    type Output = Option<A::Output>;

    fn inputs(&self) -> Inputs {
        self.as_ref().map_or_else(Inputs::default, Accumulator::inputs)
    }

    fn empty(&self) -> Self {
        self.as_ref().map(Accumulator::empty)
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        self.as_mut().map_or(Ok(()), |accumulator| accumulator.update(input))
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        match (self.as_mut(), later) {
            (Some(mine), Some(later)) => mine.merge(later, groups),
            (None, later) => {
                *self = later;
                Ok(())
            }
            (Some(_), None) => Ok(()),
        }
    }

    fn finish(self) -> Self::Output {
        self.map(Accumulator::finish)
    }

    fn size_bytes(&self) -> usize {
        self.as_ref().map_or(0, Accumulator::size_bytes)
    }

    fn heaviest(&self) -> Option<Heaviest> {
        self.as_ref().and_then(Accumulator::heaviest)
    }

    fn shed(&mut self, share: usize, scratch: &Scratch) -> Result<()> {
        self.as_mut().map_or(Ok(()), |accumulator| accumulator.shed(share, scratch))
    }
}
