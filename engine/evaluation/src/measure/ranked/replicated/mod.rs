//! Figures of order in replicates: the same order of the rows serves all of them.
//!
//! A walk along rows in order adds each to the state that its slice has in every replicate, with its weight there, and
//! closes a step of equal numbers in all of them at once. Weights follow from what identifies a row, as those of the sums
//! do, so they need not be kept; candidate and baseline have the same. What a statistic compares with the weight of all
//! rows is walked twice, the first time for that weight alone. Rows in memory and rows that are sorted on disk are
//! handed over in the same order, and a replicate knows nothing of another: neither threads, nor the limit of memory, nor
//! how many replicates are held at a time changes a bit. Sums are plain, as those of other replicates are.
//!
//! Memory, beside what is answered (slices × statistics × models × replicates × 8 bytes): slices × replicates × some ten
//! numbers; where that is more than an eighth of the limit, rows are walked several times for some replicates each.

mod errors;
mod ranks;
mod scores;
mod states;

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::memory::MemoryLimit;

use super::figures::{RankedPlan, Ranking, SliceFigures};
use super::order::Place;
use super::rows::Columns;
use super::totals::Layout;
use crate::error::EvaluationError;
use crate::measure::replicates::{LANES, ReplicatePlan};

pub(super) use errors::ErrorFollower;
pub(super) use ranks::{LaneRanks, Lanes, RANK_LANES, add, correlations};
pub(super) use scores::ScoreFollower;
use states::Block;
pub(super) use states::Follower;

/// Rows that are handed over at a time.
const PART_ROWS: usize = 1 << 14;
/// Replicates that are held side by side at most.
const MAX_WIDTH: usize = 64;
/// Adding fewer rows to all replicates takes less time than starting threads.
const FEW_ROWS: usize = 1 << 9;

/// How rows are drawn again, into which slices, and with what.
#[derive(Clone, Copy)]
pub(super) struct Drawing<'a> {
    pub(super) plan: &'a ReplicatePlan,
    pub(super) execution: &'a Execution,
    /// By grouping, how many slices there are.
    pub(super) slices: &'a [usize],
}

/// Some rows in the order of a number.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    /// Rows of one number share a step.
    steps: Vec<u64>,
    numbers: Vec<f64>,
    classes: Vec<usize>,
    /// 1 without.
    weights: Vec<f64>,
    identities: Vec<u64>,
    /// By grouping.
    slices: Vec<Vec<u16>>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct OrderedRow {
    pub(super) step: u64,
    pub(super) number: f64,
    pub(super) class: usize,
    pub(super) weight: f64,
    pub(super) identity: u64,
}

impl Ordered {
    /// None yet, of so many groupings.
    pub(super) fn new(groupings: usize) -> Self {
        Self {
            steps: Vec::new(),
            numbers: Vec::new(),
            classes: Vec::new(),
            weights: Vec::new(),
            identities: Vec::new(),
            slices: vec![Vec::new(); groupings],
        }
    }

    /// Adds a row with the number of its slice in each grouping.
    pub(super) fn push(&mut self, row: OrderedRow, slices: impl Iterator<Item = u16>) {
        self.steps.push(row.step);
        self.numbers.push(row.number);
        self.classes.push(row.class);
        self.weights.push(row.weight);
        self.identities.push(row.identity);
        self.slices.iter_mut().zip(slices).for_each(|(column, slice)| column.push(slice));
    }

    pub(super) fn rows(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are as many as are handed over at a time.
    pub(super) fn is_full(&self) -> bool {
        self.rows() >= PART_ROWS
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.slices.len());
    }
}

/// All rows in an order.
pub(super) trait InOrder {
    /// Hands them over, some at a time; the same each time.
    fn each(&self, visit: &mut dyn FnMut(&Ordered) -> Result<()>) -> Result<()>;
}

/// Rows that are in memory.
pub(super) struct Along<'a, N> {
    pub(super) columns: &'a Columns,
    pub(super) layouts: &'a [Layout<'a>],
    pub(super) order: &'a [Place],
    /// The order in which rows have the numbers that stand in this one; none: they have their own.
    pub(super) numbered: Option<&'a [Place]>,
    /// What a row is in order by.
    pub(super) number: N,
}

impl<N: Fn(usize) -> f64> InOrder for Along<'_, N> {
    fn each(&self, visit: &mut dyn FnMut(&Ordered) -> Result<()>) -> Result<()> {
        for places in self.order.chunks(PART_ROWS) {
            let mut part = Ordered::new(self.layouts.len());
            for place in places {
                let number = self.numbered.map_or(place.row(), |order| order[place.row() as usize].row());
                let row = number as usize;
                let ordered = OrderedRow {
                    step: place.step(),
                    number: (self.number)(row),
                    class: place.class(),
                    weight: self.columns.weight(number),
                    identity: self.columns.identities.get(row).copied().unwrap_or_default(),
                };
                let slices = self.layouts.iter().map(|layout| layout.slice_of(row));
                part.push(ordered, slices.map(|slice| u16::try_from(slice).unwrap_or(u16::MAX)));
            }
            visit(&part)?;
        }
        Ok(())
    }
}

/// What figures in memory are drawn again with, if they are: the slices of its layouts go along.
pub(super) fn drawing<'a>(ranking: &Ranking<'a>, slices: &'a [usize]) -> Option<Drawing<'a>> {
    ranking.replicates.map(|plan| Drawing { plan, execution: ranking.execution, slices })
}

/// How many slices each grouping has.
pub(super) fn counts(layouts: &[Layout<'_>]) -> Vec<usize> {
    layouts.iter().map(|layout| layout.totals.len()).collect()
}

/// Refuses replicates that could not be held.
pub(super) fn check(plan: &RankedPlan, drawing: &Drawing<'_>, models: usize) -> Result<()> {
    let Some(limit) = drawing.execution.memory else { return Ok(()) };
    let replicates = drawing.plan.resampling.replicates();
    let slices: usize = drawing.slices.iter().sum();
    let bytes = [plan.statistics().count(), models, replicates, size_of::<f64>()]
        .into_iter()
        .fold(slices, usize::saturating_mul);
    if bytes > half(limit) {
        return Err(EvaluationError::ReplicatesTooLarge { replicates, slices, bytes, limit }.into());
    }
    Ok(())
}

fn half(limit: MemoryLimit) -> usize {
    usize::try_from(limit.in_bytes() / 2).unwrap_or(usize::MAX)
}

impl Drawing<'_> {
    /// How many replicates are held side by side, and how many of such blocks at a time; `numbers` per slice.
    fn blocks(&self, numbers: usize) -> (usize, usize) {
        let stride = self.plan.stride();
        let share = stride.div_ceil(self.execution.threads.get()).next_multiple_of(LANES);
        let lane_bytes = self.slices.iter().sum::<usize>().saturating_mul(numbers * size_of::<f64>());
        let lanes = match self.execution.memory {
            Some(limit) => std::cmp::max(half(limit) / 4 / lane_bytes.max(1), LANES),
            None => stride,
        };
        let width = [share, MAX_WIDTH, lanes / LANES * LANES].into_iter().min().unwrap_or(LANES);
        (width, lanes.div_ceil(width))
    }

    /// Walks along the rows for all replicates, and fills in what the follower finds of a model.
    pub(super) fn follow<F: Follower>(
        &self,
        rows: &impl InOrder,
        follower: &F,
        model: usize,
        figures: &mut [Vec<SliceFigures>],
    ) -> Result<()> {
        let (width, held) = self.blocks(follower.numbers());
        let firsts: Vec<usize> = (0..self.plan.stride()).step_by(width).collect();
        for firsts in firsts.chunks(held) {
            let new = |first: &usize| {
                let width = std::cmp::min(width, self.plan.stride() - first);
                Block::new(follower, *first, width, self.slices)
            };
            let mut blocks: Vec<Block> = firsts.iter().map(new).collect();
            if follower.needs_totals() {
                self.walk(rows, &mut blocks, None::<&F>)?;
                blocks.iter_mut().for_each(Block::restart);
            }
            self.walk(rows, &mut blocks, Some(follower))?;
            for block in &blocks {
                self.put(block, follower, model, figures);
            }
        }
        Ok(())
    }

    /// One walk, of blocks on several threads.
    fn walk<F: Follower>(
        &self,
        rows: &impl InOrder,
        blocks: &mut [Block],
        follower: Option<&F>,
    ) -> Result<()> {
        let threads = std::cmp::min(self.execution.threads.get(), blocks.len());
        rows.each(&mut |part| {
            self.execution.cancel.check()?;
            let add = |blocks: &mut [Block]| {
                blocks.iter_mut().for_each(|block| block.add(self.plan, part, follower));
            };
            if threads < 2 || part.rows() < FEW_ROWS {
                add(blocks);
                return Ok(());
            }
            let mut shares = blocks.chunks_mut(blocks.len().div_ceil(threads));
            std::thread::scope(|scope| {
                let own = shares.next();
                shares.for_each(|share| {
                    scope.spawn(move || add(share));
                });
                own.into_iter().for_each(add);
            });
            Ok(())
        })?;
        blocks.iter_mut().for_each(|block| block.close(follower));
        Ok(())
    }

    /// Fills in the values of a block.
    fn put<F: Follower>(&self, block: &Block, follower: &F, model: usize, figures: &mut [Vec<SliceFigures>]) {
        let replicates = self.plan.resampling.replicates();
        for (grouping, slices) in figures.iter_mut().enumerate() {
            for (number, slice) in slices.iter_mut().enumerate() {
                for (statistic, place) in follower.places().iter().enumerate() {
                    let values = block.values(follower, (grouping, number), statistic);
                    put(&mut slice.figures[*place].replicates, model, (block.first(), replicates), &values);
                }
            }
        }
    }
}

/// Puts the values of some replicates, from `first` on, where they belong.
pub(super) fn put(
    by_model: &mut Vec<Vec<f64>>,
    model: usize,
    (first, replicates): (usize, usize),
    values: &[f64],
) {
    while by_model.len() <= model {
        by_model.push(vec![f64::NAN; replicates]);
    }
    let last = std::cmp::min(first + values.len(), replicates);
    if let Some(held) = by_model[model].get_mut(first..last) {
        held.copy_from_slice(&values[..last - first]);
    }
}
