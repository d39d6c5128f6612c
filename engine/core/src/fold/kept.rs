//! A fold over a source of which the states of some parts were kept from before: only the other parts are read.
//!
//! The state of a span is the same in every window that holds it, so what comes out is what [`fold`](super::fold())
//! answers, bit by bit. Kept states are taken one by one, in the order of the spans, and joined at once: memory does
//! not grow with their number.

use std::ops::Range;

use super::partial::{Tree, join};
use super::room::Room;
use super::scan::{Scan, Worker};
use super::schedule::in_order_weighed;
use super::{FoldError, Part, Partial, State, empty_state};
use crate::accumulator::Accumulator;
use crate::error::Result;
use crate::execution::{Execution, Extent};
use crate::plan::{Plan, Section, Split};
use crate::seam::BatchSource;

/// Where the states of parts are kept between folds.
pub trait PartStates<A> {
    /// The state of a part that [`Missing`] was told to be there.
    ///
    /// # Errors
    /// What reading it meets.
    fn take(&mut self, part: &Part) -> Result<Partial<A>>;

    /// Keeps the state of a part that was read.
    ///
    /// # Errors
    /// What writing it meets.
    fn keep(&mut self, state: &Partial<A>) -> Result<()>;
}

/// What is to be read of a source of which the states of some parts are kept.
#[derive(Clone, Debug)]
pub struct Missing {
    parts: Vec<(Section, bool)>,
    splits: Vec<Split>,
}

impl Missing {
    /// Asks of each part that has rows whether its state is kept.
    pub fn new(plan: &Plan, mut is_kept: impl FnMut(&Part) -> bool) -> Self {
        let parts: Vec<(Section, bool)> = plan
            .sections()
            .into_iter()
            .map(|section| {
                let is_kept = !section.splits.is_empty() && is_kept(&Part::of(&section));
                (section, is_kept)
            })
            .collect();
        let missing = parts.iter().filter(|(_, is_kept)| !is_kept);
        let splits =
            missing.flat_map(|(section, _)| crate::seam::splits_of(plan, section.splits.clone())).cloned();
        let splits = splits.collect();
        Self { parts, splits }
    }

    /// Every part, in order, and whether it is read.
    pub fn parts(&self) -> impl Iterator<Item = (Part, bool)> {
        self.parts.iter().map(|(section, is_kept)| (Part::of(section), !is_kept))
    }

    /// Whether no state is kept.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.parts.iter().all(|(_, is_kept)| !is_kept)
    }

    /// Whether the same parts are to be read for another fold of the same source.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.parts == other.parts
    }

    /// Rows that are read.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.splits.iter().map(Split::rows).sum()
    }

    /// Rows and bytes that are read; no bytes where there are no files.
    #[must_use]
    pub fn extent(&self, plan: &Plan) -> Extent {
        let bytes = self.splits.iter().map(|split| plan.bytes_of(split)).sum();
        Extent { rows: Some(self.rows()), bytes: plan.extent().bytes.map(|_| bytes) }
    }
}

/// As [`fold`](super::fold()), but reads only what is missing, keeps the state of each part that it reads as soon as it
/// is complete, and takes those of the others.
///
/// # Errors
/// As [`fold`](super::fold()); what taking and keeping meet; [`FoldError::OtherSource`] for a state of another part.
pub fn fold_kept<A>(
    source: &dyn BatchSource,
    accumulator: &A,
    missing: &Missing,
    states: &mut (impl PartStates<A> + Send),
    execution: &Execution,
) -> Result<State<A>>
where
    A: Accumulator + Sync,
{
    let scan = Scan::new(source, accumulator.inputs())?;
    let new_state = || empty_state(&scan, accumulator);
    let (parts, empty) = (&missing.parts, new_state());
    let room = Room::of(execution, missing.splits.len());
    let room = room.as_ref();
    let mut joined =
        Joined { parts, settled: 0, current: None, empty: &new_state, states, earlier: None, room };
    in_order_weighed(
        &missing.splits,
        execution,
        State::size_bytes,
        |split, task| scan.state_of(split, new_state(), &Worker { execution, task, room }),
        |split, state| {
            joined.push(split.number, state)?;
            Ok(joined.size_bytes())
        },
    )?;
    joined.settle(missing.parts.len())?;
    Ok(joined.earlier.unwrap_or(empty))
}

/// The parts in order: each is joined once all before it are.
struct Joined<'a, A, S, E> {
    parts: &'a [(Section, bool)],
    /// How many parts are joined.
    settled: usize,
    /// The part that is being read.
    current: Option<Partial<A>>,
    empty: &'a E,
    states: &'a mut S,
    earlier: Option<State<A>>,
    room: Option<&'a Room>,
}

impl<A: Accumulator, S: PartStates<A>, E: Fn() -> State<A>> Joined<'_, A, S, E> {
    fn push(&mut self, split: u64, state: State<A>) -> Result<()> {
        let of = |splits: &Range<u64>| splits.end <= split;
        let number = self.parts.partition_point(|(section, _)| of(&section.splits));
        self.settle(number)?;
        let section = &self.parts[number].0;
        let new = || Partial::new(std::slice::from_ref(section), self.empty);
        let index = split - section.splits.start;
        self.current.get_or_insert_with(new).insert(0, Tree { level: 0, index, state }, self.room)
    }

    /// Joins the parts before one.
    fn settle(&mut self, before: usize) -> Result<()> {
        while self.settled < before {
            let (section, is_kept) = &self.parts[self.settled];
            let state = if *is_kept {
                Some(self.taken(&Part::of(section))?)
            } else {
                let read = self.current.take();
                read.as_ref().map_or(Ok(()), |read| self.states.keep(read))?;
                read
            };
            if let Some(state) = state {
                join(&mut self.earlier, state.finish()?, self.room)?;
            }
            self.settled += 1;
        }
        Ok(())
    }

    fn taken(&mut self, part: &Part) -> Result<Partial<A>> {
        let state = self.states.take(part)?;
        if let Some(found) = state.parts().find(|found| *found != part) {
            return Err(FoldError::OtherSource { expected: part.named(), found: found.named() }.into());
        }
        Ok(state)
    }

    fn size_bytes(&self) -> usize {
        let current = self.current.as_ref().map_or(0, Partial::size_bytes);
        current + self.earlier.as_ref().map_or(0, State::size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Mutex, PoisonError};

    use arrow::array::{RecordBatch, RecordBatchOptions};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::accumulator::Input;
    use crate::batch::Inputs;
    use crate::fold::fold;
    use crate::group::GroupMap;
    use crate::plan::{Piece, PlanOptions, PlannedFile, PlannedSpan};
    use crate::seam::{Delivery, Request};

    /// Writes down which rows of which split were joined, and how.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Joins(String);

    impl Accumulator for Joins {
        type Output = ();
        fn inputs(&self) -> Inputs {
            Inputs::default()
        }
        fn empty(&self) -> Self {
            Self::default()
        }
        fn update(&mut self, input: Input<'_>) -> Result<()> {
            if let Input::Rows(batch) = input {
                self.0.push_str(&batch.rows().to_string());
            }
            Ok(())
        }
        fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
            self.0 = format!("({} {})", self.0, later.0);
            Ok(())
        }
        fn finish(self) {}
        fn size_bytes(&self) -> usize {
            self.0.capacity()
        }
    }

    /// Spans of files of 10 × span + 1, 2, … rows, a split each; it keeps in mind what is read.
    struct Window {
        plan: Plan,
        read: Mutex<Vec<u64>>,
    }

    impl Window {
        fn new(spans: &[(u64, u64)]) -> Self {
            let (mut files, mut pieces, mut planned) = (Vec::new(), Vec::new(), Vec::new());
            for &(span, splits) in spans {
                planned.push(PlannedSpan { span, version: None, first_file: files.len() });
                for rows in (1..=splits).map(|number| 10 * span + number) {
                    // Pieces with bounds in bytes are not cut.
                    pieces.push(Piece { file: files.len(), first_row: 0, rows, bytes: Some((0, 2)) });
                    let path = format!("{span}/{rows}");
                    files.push(PlannedFile { fingerprint: path.clone(), path, size_bytes: 2, rows });
                }
            }
            let plan = Plan::with_spans(files, vec![], planned, pieces, PlanOptions { split_rows: 1 });
            Self { plan, read: Mutex::default() }
        }

        fn was_read(&self) -> Vec<u64> {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
            read.sort_unstable();
            read
        }
    }

    impl BatchSource for Window {
        fn plan(&self) -> &Plan {
            &self.plan
        }
        fn name(&self) -> String {
            "window".into()
        }
        fn read(
            &self,
            split: &Split,
            _: &Request,
            sink: &mut dyn FnMut(Delivery) -> Result<()>,
        ) -> Result<()> {
            let rows = split.rows();
            self.read.lock().unwrap_or_else(PoisonError::into_inner).push(rows);
            let options =
                RecordBatchOptions::new().with_row_count(Some(usize::try_from(rows).unwrap_or_default()));
            let schema = arrow::datatypes::Schema::empty().into();
            sink(Delivery::Rows(RecordBatch::try_new_with_options(schema, vec![], &options).unwrap()))
        }
    }

    /// Bytes of states by digest.
    #[derive(Default)]
    struct Shelf(BTreeMap<String, Vec<u8>>);

    impl PartStates<Joins> for Shelf {
        fn take(&mut self, part: &Part) -> Result<Partial<Joins>> {
            Partial::from_bytes(&self.0[&part.digest], "joins", 1)
        }
        fn keep(&mut self, state: &Partial<Joins>) -> Result<()> {
            let digest = state.parts().next().map(|part| part.digest.clone()).unwrap();
            self.0.insert(digest, state.to_bytes("joins", 1)?);
            Ok(())
        }
    }

    fn kept(window: &Window, shelf: &mut Shelf, threads: usize) -> Result<State<Joins>> {
        let missing = Missing::new(window.plan(), |part| shelf.0.contains_key(&part.digest));
        let rows = window.plan.rows();
        assert_eq!(missing.is_whole(), missing.rows() == rows);
        fold_kept(window, &Joins::default(), &missing, shelf, &Execution::with_threads(threads))
    }

    #[test]
    fn a_window_that_moves_reads_what_is_new() {
        let mut shelf = Shelf::default();
        for threads in [1, 3] {
            let first = Window::new(&[(1, 3), (2, 1), (4, 2)]);
            kept(&first, &mut shelf, threads).unwrap();
            assert_eq!(first.was_read(), if threads == 1 { vec![11, 12, 13, 21, 41, 42] } else { vec![] });
        }
        let next = [(2, 1), (3, 2), (4, 2), (5, 3)];
        let moved = Window::new(&next);
        let missing = Missing::new(moved.plan(), |part| shelf.0.contains_key(&part.digest));
        let extent = Extent { rows: Some(31 + 32 + 51 + 52 + 53), bytes: Some(10) };
        assert_eq!((missing.extent(moved.plan()), missing.is_whole()), (extent, false));
        let read: Vec<(Option<u64>, bool)> =
            missing.parts().map(|(part, is_read)| (part.span, is_read)).collect();
        assert_eq!(read, [(Some(2), false), (Some(3), true), (Some(4), false), (Some(5), true)]);
        let state = kept(&moved, &mut shelf, 2).unwrap();
        assert_eq!(moved.was_read(), [31, 32, 51, 52, 53]);
        let fresh = Window::new(&next);
        let fresh = fold(&fresh, &Joins::default(), &Execution::with_threads(2)).unwrap();
        assert_eq!((state.rows, &state.accumulator), (fresh.rows, &fresh.accumulator));
        assert_eq!(fresh.accumulator.0, "(((21 (31 32)) (41 42)) ((51 52) 53))");
        // A span with other files is another part.
        let other = Window::new(&[(2, 2), (5, 3)]);
        kept(&other, &mut shelf, 2).unwrap();
        assert_eq!(other.was_read(), [21, 22]);
    }

    #[test]
    fn a_state_of_another_part_is_refused() {
        let (one, other) = (Window::new(&[(1, 2)]), Window::new(&[(2, 2)]));
        let mut shelf = Shelf::default();
        kept(&one, &mut shelf, 1).unwrap();
        let digest = |window: &Window| window.plan.sections()[0].digest.clone();
        let bytes = shelf.0.remove(&digest(&one)).unwrap();
        shelf.0.insert(digest(&other), bytes);
        let error = kept(&other, &mut shelf, 1).unwrap_err().to_string();
        assert!(error.starts_with("cannot join a state of span 1"), "{error}");
    }

    #[test]
    fn what_shares_a_scan_is_kept_apart_and_put_together() {
        let window = Window::new(&[(1, 3)]);
        let both = (Joins::default(), Joins("x".into()));
        let all = 0..3;
        let one = super::super::fold_splits(&window, all.clone(), &both.0, &Execution::default()).unwrap();
        let shared = super::super::fold_splits(&window, all, &both, &Execution::default()).unwrap();
        let bytes = |state: &Partial<Joins>| state.to_bytes("joins", 1).unwrap();
        let first = shared.part_of(|(first, _)| Some(first)).unwrap().to_bytes("joins", 1).unwrap();
        assert_eq!(first, bytes(&one));
        let second = Partial::from_bytes(&first, "joins", 1).unwrap().map(|joins: Joins| Some(joins));
        let together = one.zip(second).unwrap().finish().unwrap().accumulator;
        assert_eq!((together.0.0.as_str(), together.1), ("((11 12) 13)", Some(Joins("((11 12) 13)".into()))));
        let few = super::super::fold_splits(&window, 0..2, &both.0, &Execution::default()).unwrap();
        let error = shared.zip(few).unwrap_err().to_string();
        assert!(error.contains("contradict"), "{error}");
    }
}
