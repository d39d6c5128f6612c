//! States of some of the splits of a source: what shards and stored spans are joined from.
//!
//! A [`Partial`] knows the window that it was made from (its spans with their digests and numbers of splits) and
//! holds, per span, the forest of its complete subtrees. Trees may come in any order: which siblings are joined
//! follows from their places, so the forest of given splits is always the same. Only [`Partial::finish`] joins what has
//! no sibling, and spans, and sees that nothing is missing.

use std::ops::Range;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::FoldError;
use super::room::Room;
use crate::accumulator::Accumulator;
use crate::error::{CommonError, Result};
use crate::group::GroupTables;
use crate::plan::Section;

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
    /// Bytes held, capacity included.
    pub fn size_bytes(&self) -> usize {
        self.groups.size_bytes() + self.accumulator.size_bytes()
    }

    /// Joins the state of later rows, and puts aside what exceeds the room for it.
    pub(super) fn merge(&mut self, later: Self, room: Option<&Room>) -> Result<()> {
        let map = self.groups.merge(&later.groups);
        self.rows += later.rows;
        self.accumulator.merge(later.accumulator, &map)?;
        room.map_or(Ok(()), |room| room.keep(self))
    }
}

/// The state of the splits index·2^level … (index+1)·2^level − 1 of a span.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tree<A> {
    pub(super) level: u32,
    pub(super) index: u64,
    pub(super) state: State<A>,
}

impl<A> Tree<A> {
    fn range(&self) -> Range<u64> {
        self.index << self.level..(self.index + 1) << self.level
    }

    /// As [`Tree::range`], of numbers that may be anything.
    fn checked_range(&self, splits: u64) -> Option<Range<u64>> {
        let width = 1_u64.checked_shl(self.level)?;
        let start = self.index.checked_mul(width)?;
        let end = start.checked_add(width)?;
        (end <= splits).then_some(start..end)
    }

    fn is_left_sibling_of(&self, other: &Self) -> bool {
        self.level == other.level && self.index.is_multiple_of(2) && self.index + 1 == other.index
    }
}

/// The complete subtrees of a span, by their place.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Forest<A>(pub(super) Vec<Tree<A>>);

impl<A> Default for Forest<A> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<A: Accumulator> Forest<A> {
    /// Puts a tree in its place and joins siblings. The first split that was there already is the error.
    fn insert(&mut self, tree: Tree<A>, part: &Part, room: Option<&Room>) -> Result<()> {
        let range = tree.range();
        let mut at = self.0.partition_point(|other| other.range().start < range.start);
        let before = at.checked_sub(1).map(|before| self.0[before].range().end);
        let overlap = match (before, self.0.get(at)) {
            (Some(end), _) if end > range.start => Some(range.start),
            (_, Some(next)) if next.range().start < range.end => Some(next.range().start),
            _ => None,
        };
        if let Some(split) = overlap {
            return Err(FoldError::Overlapping { part: part.to_string(), split: split + 1 }.into());
        }
        self.0.insert(at, tree);
        loop {
            if at > 0 && self.0[at - 1].is_left_sibling_of(&self.0[at]) {
                at -= 1;
            } else if !self.0.get(at + 1).is_some_and(|next| self.0[at].is_left_sibling_of(next)) {
                return Ok(());
            }
            let right = self.0.remove(at + 1);
            let left = &mut self.0[at];
            left.state.merge(right.state, room)?;
            left.level += 1;
            left.index /= 2;
        }
    }

    fn size_bytes(&self) -> usize {
        self.0.iter().map(|tree| tree.state.size_bytes()).sum()
    }

    /// Joins what remains, from the right; nothing of no splits.
    fn finish(mut self, room: Option<&Room>) -> Result<Option<State<A>>> {
        let Some(last) = self.0.pop() else { return Ok(None) };
        let mut state = last.state;
        while let Some(mut earlier) = self.0.pop() {
            earlier.state.merge(state, room)?;
            state = earlier.state;
        }
        Ok(Some(state))
    }

    /// The first splits that no tree holds, of so many.
    fn missing(&self, splits: u64) -> Option<Range<u64>> {
        let mut end = 0;
        for tree in &self.0 {
            let range = tree.range();
            if range.start > end {
                return Some(end..range.start);
            }
            end = range.end;
        }
        (end < splits).then_some(end..splits)
    }
}

/// A span of the window that a state was made from; a source without spans is one part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number, if the source has spans.
    pub span: Option<u64>,
    /// Of its files and splits, or of the plan of a source without spans.
    pub digest: String,
    /// How many splits it has.
    pub splits: u64,
}

impl Part {
    /// The part that a section of a plan is.
    #[must_use]
    pub fn of(section: &Section) -> Self {
        Self {
            span: section.span,
            digest: section.digest.clone(),
            splits: section.splits.end - section.splits.start,
        }
    }

    /// Span and digest, for messages.
    pub(super) fn named(&self) -> String {
        format!("{self} ({})", self.digest.get(..12).unwrap_or(&self.digest))
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.span {
            Some(span) => write!(formatter, "span {span}"),
            None => formatter.write_str("the source"),
        }
    }
}

/// The summary of some splits of a window: per span the forest of their complete subtrees.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Partial<A> {
    /// Ascending in their spans.
    pub(super) parts: Vec<PartState<A>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PartState<A> {
    pub(super) part: Part,
    /// What the span's state is before its first row: a span without rows still has columns.
    pub(super) empty: State<A>,
    pub(super) forest: Forest<A>,
}

impl<A> Partial<A> {
    /// The window, in order: the spans of all sources that it was made from, or the one source.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().map(|state| &state.part)
    }

    /// Rows read.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.parts.iter().flat_map(|state| &state.forest.0).map(|tree| tree.state.rows).sum()
    }
}

impl<A: Accumulator> Partial<A> {
    /// No splits yet.
    pub(super) fn new(sections: &[Section], empty: impl Fn() -> State<A>) -> Self {
        let parts = sections.iter().map(|section| PartState {
            part: Part::of(section),
            empty: empty(),
            forest: Forest::default(),
        });
        Self { parts: parts.collect() }
    }

    pub(super) fn insert(&mut self, part: usize, tree: Tree<A>, room: Option<&Room>) -> Result<()> {
        let PartState { part, forest, .. } = &mut self.parts[part];
        forest.insert(tree, part, room)
    }

    /// Bytes that the states hold, capacity included.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.parts.iter().map(|part| part.forest.size_bytes()).sum()
    }

    /// Joins another state of the same window or of other spans; which of the two comes first does not matter.
    ///
    /// # Errors
    /// [`FoldError::OtherSource`] when it was made from other files, [`FoldError::Overlapping`] when both hold the same
    /// splits, and what the accumulator answers when the two do not fit together.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        for later in other.parts {
            let at = self.parts.partition_point(|mine| mine.part.span < later.part.span);
            let neighbours = [at.checked_sub(1), Some(at)].into_iter().flatten();
            for mine in neighbours.filter_map(|at| self.parts.get(at)).map(|state| &state.part) {
                let is_other = mine.span == later.part.span && *mine != later.part;
                if is_other || mine.span.is_some() != later.part.span.is_some() {
                    return Err(other_source(mine, &later.part));
                }
            }
            if self.parts.get(at).is_none_or(|mine| mine.part.span != later.part.span) {
                self.parts.insert(at, later);
                continue;
            }
            for tree in later.forest.0 {
                self.insert(at, tree, None)?;
            }
        }
        Ok(())
    }

    /// Joins what remains, and the spans in order; nothing of the window may be missing.
    ///
    /// # Errors
    /// [`FoldError::Incomplete`].
    pub fn finish(self) -> Result<State<A>> {
        let mut whole = None;
        for PartState { part, empty, forest } in self.parts {
            if let Some(missing) = forest.missing(part.splits) {
                return Err(FoldError::Incomplete {
                    part: part.to_string(),
                    start: missing.start + 1,
                    end: missing.end,
                    splits: part.splits,
                }
                .into());
            }
            join(&mut whole, forest.finish(None)?.unwrap_or(empty), None)?;
        }
        whole.ok_or_else(|| CommonError::Internal("a state without parts".into()).into())
    }

    /// Whether the numbers of a state that was read can be true.
    fn check(&self) -> Result<()> {
        let contradictory = |part: &Part| FoldError::Contradictory { part: part.to_string() };
        let mut before = None;
        for PartState { part, forest, .. } in &self.parts {
            if before.is_some_and(|before: Option<u64>| before.is_none() || before >= part.span) {
                return Err(contradictory(part).into());
            }
            before = Some(part.span);
            let mut end = 0;
            for tree in &forest.0 {
                let range = tree.checked_range(part.splits).filter(|range| range.start >= end);
                end = range.ok_or_else(|| contradictory(part))?.end;
            }
        }
        Ok(())
    }
}

fn other_source(expected: &Part, found: &Part) -> crate::error::Error {
    FoldError::OtherSource { expected: expected.named(), found: found.named() }.into()
}

pub(super) fn join<A: Accumulator>(
    earlier: &mut Option<State<A>>,
    later: State<A>,
    room: Option<&Room>,
) -> Result<()> {
    match earlier {
        Some(earlier) => earlier.merge(later, room),
        None => {
            *earlier = Some(later);
            Ok(())
        }
    }
}

/// States of all splits in order, each span joined as soon as it is complete. A span without rows adds nothing.
pub(super) struct InOrder<A> {
    sections: Vec<Section>,
    empty: State<A>,
    current: usize,
    forest: Forest<A>,
    earlier: Option<State<A>>,
    room: Option<Room>,
}

impl<A: Accumulator> InOrder<A> {
    pub(super) fn new(sections: Vec<Section>, empty: State<A>, room: Option<Room>) -> Self {
        Self { sections, empty, current: 0, forest: Forest::default(), earlier: None, room }
    }

    pub(super) fn push(&mut self, split: u64, state: State<A>) -> Result<()> {
        while self.sections.get(self.current).is_some_and(|section| section.splits.end <= split) {
            self.close()?;
            self.current += 1;
        }
        let section = &self.sections[self.current];
        let part = Part { span: section.span, digest: section.digest.clone(), splits: 0 };
        let tree = Tree { level: 0, index: split - section.splits.start, state };
        self.forest.insert(tree, &part, self.room.as_ref())
    }

    fn close(&mut self) -> Result<()> {
        let room = self.room.as_ref();
        match std::mem::take(&mut self.forest).finish(room)? {
            Some(state) => join(&mut self.earlier, state, room),
            None => Ok(()),
        }
    }

    /// Bytes that the states hold, capacity included.
    pub(super) fn size_bytes(&self) -> usize {
        self.forest.size_bytes() + self.earlier.as_ref().map_or(0, State::size_bytes)
    }

    pub(super) fn finish(mut self) -> Result<State<A>> {
        self.close()?;
        Ok(self.earlier.unwrap_or(self.empty))
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    magic: String,
    kind: String,
    version: u32,
}

const MAGIC: &str = "sluice-state";

impl<A: Serialize> Partial<A> {
    /// The bytes in which a partial state travels.
    ///
    /// # Errors
    /// [`CommonError::Internal`]; a state of ours always serialises.
    pub fn to_bytes(&self, kind: &str, version: u32) -> Result<Vec<u8>> {
        let header = Header { magic: MAGIC.into(), kind: kind.into(), version };
        postcard::to_stdvec(&(header, self)).map_err(|error| CommonError::Internal(error.to_string()).into())
    }
}

impl<A: Accumulator + DeserializeOwned> Partial<A> {
    /// Reads what [`Partial::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`FoldError::Unreadable`] and [`FoldError::Contradictory`] when it is damaged, [`FoldError::OtherSource`] when it
    /// is of another kind or version.
    pub fn from_bytes(bytes: &[u8], kind: &str, version: u32) -> Result<Self> {
        let unreadable = |source| FoldError::Unreadable { kind: kind.into(), source };
        let (header, rest) = postcard::take_from_bytes::<Header>(bytes).map_err(unreadable)?;
        if header.magic != MAGIC {
            return Err(unreadable(postcard::Error::DeserializeBadEncoding).into());
        }
        if header.kind != kind || header.version != version {
            return Err(FoldError::OtherSource {
                expected: format!("{kind} version {version}"),
                found: format!("{} version {}", header.kind, header.version),
            }
            .into());
        }
        let (partial, rest) = postcard::take_from_bytes::<Self>(rest).map_err(unreadable)?;
        if !rest.is_empty() {
            return Err(unreadable(postcard::Error::DeserializeBadEncoding).into());
        }
        partial.check()?;
        Ok(partial)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
