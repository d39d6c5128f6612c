//! What some replicates hold of every slice on a walk along rows in order.

use super::Ordered;
use crate::measure::ranked::totals::POSITIVE;
use crate::measure::replicates::ReplicatePlan;

/// Rows whose weights are drawn at a time: with all replicates of a block they stay in a near cache.
const DRAWN_ROWS: usize = 256;

/// Numbers that every slice has in every replicate, of both classes each: the weight of the step at hand, that of the
/// steps before, and that of all rows.
const COMMON: usize = 6;
const WITHIN: usize = 0;
const PASSED: usize = 2;
const TOTAL: usize = 4;

/// The rows of one number in a slice: in every replicate of a block their weight, by class.
pub(in super::super) struct Step<'a> {
    pub(super) number: f64,
    /// Whether it has rows of a class.
    pub(super) has: [bool; 2],
    pub(super) within: [&'a [f64]; 2],
    /// Of the steps before.
    pub(super) passed: [&'a [f64]; 2],
    /// Of all steps, where they are asked for.
    pub(super) total: [&'a [f64]; 2],
}

/// What is made of the steps.
pub(in super::super) trait Follower: Sync {
    /// The places of its statistics in the plan.
    fn places(&self) -> &[usize];
    /// Numbers that it keeps of a slice and replicate itself, and what each is at first.
    fn start(&self) -> &[f64];
    /// Whether it asks for the weight of all steps.
    fn needs_totals(&self) -> bool;
    /// Takes a step; its own numbers stand replicate by replicate, one after the other.
    fn step(&self, step: &Step<'_>, own: &mut [f64]);
    /// A statistic in a replicate after the last step; NaN: there is none. `own` are its numbers, `total` the weights.
    fn value(&self, statistic: usize, own: &[f64], total: [f64; 2]) -> f64;

    /// Numbers that are held of a slice and replicate.
    fn numbers(&self) -> usize {
        COMMON + self.start().len()
    }
}

/// The step that a slice is at.
#[derive(Clone, Copy, Debug)]
struct Head {
    step: u64,
    number: f64,
    has: [bool; 2],
}

const NO_HEAD: Head = Head { step: u64::MAX, number: 0.0, has: [false; 2] };

/// The slices of one grouping.
#[derive(Clone, Debug)]
struct Slices {
    heads: Vec<Head>,
    /// By slice, number and replicate.
    numbers: Vec<f64>,
}

/// Some replicates, side by side, of all slices.
#[derive(Clone, Debug)]
pub(super) struct Block {
    first: usize,
    width: usize,
    /// Numbers of a slice in all replicates.
    stride: usize,
    groupings: Vec<Slices>,
    drawn: Vec<f64>,
}

impl Block {
    /// Before the first row; `slices` says how many slices each grouping has.
    pub(super) fn new(follower: &impl Follower, first: usize, width: usize, slices: &[usize]) -> Self {
        let mut of_slice = vec![0.0; COMMON * width];
        follower.start().iter().for_each(|start| of_slice.extend(std::iter::repeat_n(*start, width)));
        let grouping = |slices: &usize| Slices {
            heads: vec![NO_HEAD; *slices],
            numbers: std::iter::repeat_n(&of_slice, *slices).flatten().copied().collect(),
        };
        let groupings = slices.iter().map(grouping).collect();
        Self { first, width, stride: of_slice.len(), groupings, drawn: Vec::new() }
    }

    /// Its first replicate.
    pub(super) fn first(&self) -> usize {
        self.first
    }

    /// After a walk for the weight of all rows.
    pub(super) fn restart(&mut self) {
        let width = self.width;
        for slices in &mut self.groupings {
            slices.heads.fill(NO_HEAD);
            for slice in slices.numbers.chunks_exact_mut(self.stride) {
                slice.copy_within(PASSED * width..TOTAL * width, TOTAL * width);
                slice[..TOTAL * width].fill(0.0);
            }
        }
    }

    /// Adds rows that follow.
    pub(super) fn add<F: Follower>(&mut self, plan: &ReplicatePlan, rows: &Ordered, follower: Option<&F>) {
        let mut drawn = std::mem::take(&mut self.drawn);
        let mut start = 0;
        while start < rows.rows() {
            let end = std::cmp::min(start + DRAWN_ROWS, rows.rows());
            let drawn_of = (&rows.identities[start..end], &rows.weights[start..end]);
            plan.draw(drawn_of, (self.first, self.width), &mut drawn);
            for (slices, numbers) in self.groupings.iter_mut().zip(&rows.slices) {
                let (width, stride) = (self.width, self.stride);
                for (row, drawn) in (start..end).zip(drawn.chunks_exact(width)) {
                    let slice = usize::from(numbers[row]);
                    let state = &mut slices.numbers[slice * stride..(slice + 1) * stride];
                    let head = &mut slices.heads[slice];
                    if head.step != rows.steps[row] {
                        close(head, state, width, follower);
                        (head.step, head.number) = (rows.steps[row], rows.numbers[row]);
                    }
                    let class = rows.classes[row];
                    head.has[class] = true;
                    let within = &mut state[(WITHIN + class) * width..(WITHIN + class + 1) * width];
                    within.iter_mut().zip(drawn).for_each(|(sum, weight)| *sum += weight);
                }
            }
            start = end;
        }
        self.drawn = drawn;
    }

    /// After the last row.
    pub(super) fn close<F: Follower>(&mut self, follower: Option<&F>) {
        for slices in &mut self.groupings {
            let states = slices.numbers.chunks_exact_mut(self.stride);
            states.zip(&mut slices.heads).for_each(|(state, head)| close(head, state, self.width, follower));
        }
    }

    /// A statistic in all replicates of the block.
    pub(super) fn values<F: Follower>(
        &self,
        follower: &F,
        (grouping, slice): (usize, usize),
        statistic: usize,
    ) -> Vec<f64> {
        let state = &self.groupings[grouping].numbers[slice * self.stride..(slice + 1) * self.stride];
        let of = |number: usize, lane: usize| state[number * self.width + lane];
        let value = |lane: usize| {
            let own: Vec<f64> = (COMMON..follower.numbers()).map(|number| of(number, lane)).collect();
            // All steps are passed by now.
            follower.value(statistic, &own, [of(PASSED, lane), of(PASSED + POSITIVE, lane)])
        };
        (0..self.width).map(value).collect()
    }
}

/// Ends the step that a slice is at.
fn close<F: Follower>(head: &mut Head, state: &mut [f64], width: usize, follower: Option<&F>) {
    if head.has == [false; 2] {
        return;
    }
    let (common, own) = state.split_at_mut(COMMON * width);
    if let Some(follower) = follower {
        let of = |number: usize| &common[number * width..(number + 1) * width];
        let both = |number: usize| [of(number), of(number + POSITIVE)];
        let (number, has) = (head.number, head.has);
        let (within, passed, total) = (both(WITHIN), both(PASSED), both(TOTAL));
        follower.step(&Step { number, has, within, passed, total }, own);
    }
    let (within, passed) = common.split_at_mut(PASSED * width);
    for (class, has) in head.has.iter_mut().enumerate() {
        if std::mem::take(has) {
            let within = &mut within[class * width..(class + 1) * width];
            let passed = &mut passed[class * width..(class + 1) * width];
            for (within, passed) in within.iter_mut().zip(passed) {
                *passed += *within;
                *within = 0.0;
            }
        }
    }
}
