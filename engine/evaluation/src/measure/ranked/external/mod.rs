//! The same figures of rows that are more than fits the memory: sorted runs on disk, merged and walked once per model.
//!
//! A walk keeps a state per slice and reads each step of equal numbers twice, from disk too where it is long: for what it
//! weighs, then for what follows for its rows. What the next walk needs of a row goes with it into the next sort. Sums
//! are taken in the same order as in memory, so that the figures have the same bits.

mod walks;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sluice_core::error::Result;
use sluice_core::execution::Cancel;
use sluice_core::spill::{Run, RunReader, RunWriter, Runs, Scratch, Sorted, merge};

use super::order::{First, sort_key};
use super::replicated::{InOrder, Ordered, OrderedRow};

pub(super) use walks::Aside;

/// What is kept of a row between two walks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Row<A> {
    /// 1 and 0 of classes.
    pub(super) label: f64,
    pub(super) weight: f64,
    pub(super) predictions: Vec<f64>,
    /// What it is drawn again by; 0 where rows are not.
    pub(super) identity: u64,
    /// The number of the slice, by grouping; 0 where there is one only.
    pub(super) slices: Vec<u16>,
    /// What the walk before found, by grouping.
    pub(super) amounts: Vec<A>,
}

impl<A> Row<A> {
    fn class(&self) -> usize {
        usize::from(self.label > 0.5)
    }
}

/// Sorts rows in runs.
pub(super) struct Sorter<A> {
    scratch: Scratch,
    most: usize,
    first: First,
    buffer: Vec<(u64, u64, Row<A>)>,
    runs: Runs,
}

impl<A: Serialize + DeserializeOwned> Sorter<A> {
    /// Holds at most so many rows.
    pub(super) fn new(scratch: &Scratch, most: usize, first: First) -> Self {
        Self { scratch: scratch.clone(), most, first, buffer: Vec::new(), runs: Runs::default() }
    }

    /// Adds a row with what it is sorted by.
    pub(super) fn push(&mut self, number: f64, place: u64, row: Row<A>) -> Result<()> {
        self.buffer.push((sort_key(number, self.first), place, row));
        if self.buffer.len() >= self.most { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        self.buffer.sort_unstable_by_key(|(key, place, _)| (*key, *place));
        let mut writer = RunWriter::new(&self.scratch);
        for (key, place, row) in self.buffer.drain(..) {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&key.to_be_bytes());
            bytes[8..].copy_from_slice(&place.to_be_bytes());
            writer.push(&bytes, &row)?;
        }
        self.runs.push(writer.finish()?);
        // No two rows have one place.
        self.runs.bound(|_: &mut Row<A>, _| {})
    }

    /// After the last row.
    pub(super) fn finish(mut self) -> Result<SortedRows> {
        self.flush()?;
        Ok(SortedRows { runs: self.runs, scratch: self.scratch, most: self.most })
    }
}

/// Rows in the order of a number, which can be read as often as needed.
pub(super) struct SortedRows {
    runs: Runs,
    scratch: Scratch,
    most: usize,
}

impl SortedRows {
    /// Hands over every row with its sort key and its place.
    pub(super) fn each<A>(&self, mut visit: impl FnMut(u64, u64, Row<A>) -> Result<()>) -> Result<()>
    where
        A: Serialize + DeserializeOwned,
    {
        merge(
            self.runs.readers().collect(),
            |_: &mut Row<A>, _| {},
            |key, row: Row<A>| {
                visit(number_of(key), number_of(key.get(8..).unwrap_or_default()), row)?;
                Ok(true)
            },
        )
    }
}

/// The same for replicates.
pub(super) struct Again<'a, A, N> {
    pub(super) sorted: &'a SortedRows,
    /// What they are in order by.
    pub(super) number: N,
    pub(super) of: std::marker::PhantomData<A>,
    pub(super) groupings: usize,
    /// Whether labels are classes.
    pub(super) is_of_classes: bool,
}

impl<A, N> InOrder for Again<'_, A, N>
where
    A: Serialize + DeserializeOwned,
    N: Fn(&Row<A>) -> f64,
{
    fn each(&self, visit: &mut dyn FnMut(&Ordered) -> Result<()>) -> Result<()> {
        let (mut part, mut last, mut step) = (Ordered::new(self.groupings), None, 0);
        self.sorted.each(|key, _, row: Row<A>| {
            step += u64::from(last.is_some_and(|last| last != key));
            last = Some(key);
            let class = if self.is_of_classes { row.class() } else { 0 };
            let (number, weight, identity) = ((self.number)(&row), row.weight, row.identity);
            part.push(OrderedRow { step, number, class, weight, identity }, row.slices.iter().copied());
            if part.is_full() {
                visit(&part)?;
                part.clear();
            }
            Ok(())
        })?;
        visit(&part)
    }
}

/// Rows of one number, in their order; those that are too many are on disk.
struct Tied<A> {
    aside: Vec<Run>,
    rows: Vec<(u64, Row<A>)>,
}

impl<A: Serialize + DeserializeOwned> Tied<A> {
    fn push(&mut self, place: u64, row: Row<A>, scratch: &Scratch, most: usize) -> Result<()> {
        if self.rows.len() >= most {
            let mut writer = RunWriter::new(scratch);
            for (place, row) in self.rows.drain(..) {
                writer.push(&place.to_be_bytes(), &row)?;
            }
            self.aside.push(writer.finish()?);
        }
        self.rows.push((place, row));
        Ok(())
    }

    fn each(&self, mut visit: impl FnMut(u64, &Row<A>) -> Result<()>) -> Result<()> {
        for run in &self.aside {
            let (mut reader, mut key) = (RunReader::new(run), Vec::new());
            while let Some(row) = Sorted::<Row<A>>::next(&mut reader, &mut key)? {
                visit(number_of(&key), &row)?;
            }
        }
        self.rows.iter().try_for_each(|(place, row)| visit(*place, row))
    }
}

/// The first eight bytes as a number.
fn number_of(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// What a walk keeps of a slice.
pub(super) trait SliceWalk<A> {
    /// A row of the step at hand: its class and weight.
    fn weigh(&mut self, class: usize, weight: A);
    /// The same row once the step is weighed, with what the walk before found of it; answers what the next may need.
    fn take(&mut self, class: usize, weight: A, before: Option<A>) -> A;
    /// The step, of this number, is over.
    fn close(&mut self, number: f64);
}

/// One walk along sorted rows.
pub(super) struct Pass<'a, A, S, F> {
    /// By grouping and slice.
    pub(super) states: &'a mut [Vec<S>],
    /// Where rows go for the next walk, and by which model's prediction they are sorted then.
    pub(super) next: Option<(&'a mut Sorter<A>, usize)>,
    /// Whether they have the places of this walk there.
    pub(super) renumbers: bool,
    pub(super) cancel: &'a Cancel,
    /// The weight of a row.
    pub(super) weight: F,
}

impl<A, S, F> Pass<'_, A, S, F>
where
    A: Copy + Serialize + DeserializeOwned,
    S: SliceWalk<A>,
    F: Fn(&Row<A>) -> A,
{
    /// Walks; `number` is what the rows are sorted by.
    pub(super) fn run(mut self, sorted: &SortedRows, number: impl Fn(&Row<A>) -> f64) -> Result<()> {
        let mut tied = Tied { aside: Vec::new(), rows: Vec::new() };
        let (mut last, mut rows) = (None, 0);
        sorted.each(|of, place, row: Row<A>| {
            if last.is_some_and(|last| last != of) {
                self.step(&tied, &number, &mut rows)?;
                tied = Tied { aside: Vec::new(), rows: Vec::new() };
            }
            last = Some(of);
            tied.push(place, row, &sorted.scratch, sorted.most)
        })?;
        self.step(&tied, &number, &mut rows)
    }

    /// All rows of one number; `rows` is how many came before.
    fn step(&mut self, tied: &Tied<A>, number: &impl Fn(&Row<A>) -> f64, rows: &mut u64) -> Result<()> {
        self.cancel.check()?;
        let mut touched = std::collections::BTreeSet::new();
        let mut of_step = 0.0;
        tied.each(|_, row| {
            of_step = number(row);
            let weight = (self.weight)(row);
            for (grouping, slice) in row.slices.iter().enumerate() {
                self.states[grouping][usize::from(*slice)].weigh(row.class(), weight);
                touched.insert((grouping, *slice));
            }
            Ok(())
        })?;
        tied.each(|place, row| {
            let weight = (self.weight)(row);
            let mut amounts = Vec::with_capacity(row.slices.len());
            for (grouping, slice) in row.slices.iter().enumerate() {
                let state = &mut self.states[grouping][usize::from(*slice)];
                let before = row.amounts.get(grouping).copied();
                amounts.push(state.take(row.class(), weight, before));
            }
            let place = if self.renumbers { *rows } else { place };
            *rows += 1;
            match &mut self.next {
                Some((sorter, model)) => {
                    let of = row.predictions.get(*model).copied().unwrap_or_default();
                    sorter.push(of, place, Row { amounts, ..row.clone() })
                }
                None => Ok(()),
            }
        })?;
        for (grouping, slice) in touched {
            self.states[grouping][usize::from(slice)].close(of_step);
        }
        Ok(())
    }
}
