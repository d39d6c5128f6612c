//! States that share a scan, told apart to be kept and put together again: what a fold of several accumulators
//! leaves for one of them is what a fold of that one alone leaves.

use super::partial::{Forest, PartState, Tree};
use super::{FoldError, Partial, State};
use crate::accumulator::Accumulator;
use crate::error::Result;
use crate::group::GroupTables;

impl<A> State<A> {
    fn zip<B>(self, other: State<B>) -> State<(A, B)> {
        self.map(|accumulator| (accumulator, other.accumulator))
    }

    fn map<B>(self, change: impl FnOnce(A) -> B) -> State<B> {
        State { groups: self.groups, rows: self.rows, accumulator: change(self.accumulator) }
    }

    fn part_of<'a, B: Accumulator>(
        &'a self,
        select: impl Fn(&'a A) -> Option<&'a B>,
    ) -> Option<State<&'a B>> {
        let accumulator = select(&self.accumulator)?;
        let has_groups = !accumulator.inputs().groupings.is_empty();
        let groups = if has_groups { self.groups.clone() } else { GroupTables::default() };
        Some(State { groups, rows: self.rows, accumulator })
    }
}

impl<A> Tree<A> {
    fn with<B>(self, change: impl FnOnce(State<A>) -> State<B>) -> Tree<B> {
        Tree { level: self.level, index: self.index, state: change(self.state) }
    }
}

impl<A> PartState<A> {
    fn is_alike<B>(&self, other: &PartState<B>) -> bool {
        let mine = self.forest.0.iter().map(|tree| (tree.level, tree.index));
        let theirs = other.forest.0.iter().map(|tree| (tree.level, tree.index));
        self.part == other.part && mine.eq(theirs)
    }

    fn zip<B>(self, other: PartState<B>) -> PartState<(A, B)> {
        let trees = self.forest.0.into_iter().zip(other.forest.0);
        let trees = trees.map(|(mine, theirs)| mine.with(|state| state.zip(theirs.state)));
        PartState { part: self.part, empty: self.empty.zip(other.empty), forest: Forest(trees.collect()) }
    }
}

impl<A> Partial<A> {
    /// The same splits with something made of their summaries.
    #[must_use]
    pub fn map<B>(self, change: impl Fn(A) -> B) -> Partial<B> {
        let part = |PartState { part, empty, forest }: PartState<A>| PartState {
            part,
            empty: empty.map(&change),
            forest: Forest(forest.0.into_iter().map(|tree| tree.with(|state| state.map(&change))).collect()),
        };
        Partial { parts: self.parts.into_iter().map(part).collect() }
    }

    /// The state of two that share a scan, from that of each. The groups are those of this one.
    ///
    /// # Errors
    /// [`FoldError::Contradictory`] where the two are of other splits.
    pub fn zip<B>(self, other: Partial<B>) -> Result<Partial<(A, B)>> {
        let mut others = other.parts.into_iter();
        let mut parts = Vec::with_capacity(self.parts.len());
        for mine in self.parts {
            match others.next() {
                Some(theirs) if mine.is_alike(&theirs) => parts.push(mine.zip(theirs)),
                _ => return Err(FoldError::Contradictory { part: mine.part.to_string() }.into()),
            }
        }
        match others.next() {
            None => Ok(Partial { parts }),
            Some(more) => Err(FoldError::Contradictory { part: more.part.to_string() }.into()),
        }
    }

    /// What one of several that share the scan has gathered, to be written; nothing where it does not share it. Groups
    /// go with it if it has any.
    pub fn part_of<'a, B: Accumulator>(
        &'a self,
        select: impl Fn(&'a A) -> Option<&'a B>,
    ) -> Option<Partial<&'a B>> {
        let tree = |tree: &'a Tree<A>| {
            let state = tree.state.part_of(&select)?;
            Some(Tree { level: tree.level, index: tree.index, state })
        };
        let part = |state: &'a PartState<A>| {
            Some(PartState {
                part: state.part.clone(),
                empty: state.empty.part_of(&select)?,
                forest: Forest(state.forest.0.iter().map(tree).collect::<Option<_>>()?),
            })
        };
        Some(Partial { parts: self.parts.iter().map(part).collect::<Option<_>>()? })
    }
}
