//! Rows on a card: blocks in slots of one size, and the order in which they are taken.

use candle_core::Result;

use super::driver::Driver;
use crate::rows::Block;
use crate::train::order::{WINDOW_BLOCKS, place};
use crate::train::shard::Objective;

/// Blocks of a window and the rows that its predecessor left: as many slots are needed at once.
const FEWEST_SLOTS: usize = WINDOW_BLOCKS + 1;

/// All blocks of the training rows stay on the card if they take no more words, 4 GiB, and as many of the validation rows. Tests
/// have few rows.
pub(super) const CACHED_WORDS: usize = if cfg!(test) { 1 << 21 } else { 1 << 30 };

/// Where rows lie in their memory, in words; the words of a row are those of the first slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RowPlaces {
    /// How many numeric features a row has.
    pub(crate) columns: usize,
    pub(crate) numeric: usize,
    /// How many ids a row has.
    pub(crate) features: usize,
    pub(crate) ids: usize,
    pub(crate) labels: usize,
    pub(crate) weights: usize,
    /// Of two words each.
    pub(crate) groups: Option<usize>,
    /// Blocks and rows in the order in which they are taken, from the first one on.
    pub(crate) order: usize,
    /// The slot of each block that the order names.
    pub(crate) slots: usize,
    pub(crate) slot_words: usize,
}

/// Memory for rows.
pub(super) struct RowMemory<M> {
    pub(super) memory: M,
    pub(super) places: RowPlaces,
    /// The weights of each slot's rows; none are all 1.
    weights: Vec<Vec<f32>>,
    /// Whether a slot has a block of its own, which stays.
    filled: Vec<bool>,
}

impl<M> RowMemory<M> {
    /// With room for blocks such as this one, of so many rows at most, of which there are so many.
    pub(super) fn new<D: Driver<Memory = M>>(
        driver: &D,
        block: &Block,
        slot_rows: usize,
        blocks: usize,
    ) -> Result<Self> {
        let of_row = |length: usize| length / block.rows.max(1);
        let (columns, features) = (of_row(block.numeric.len()), of_row(block.ids.len()));
        let grouped = !block.groups.is_empty();
        let slot_words = slot_rows * (columns + features + 2 + 2 * usize::from(grouped));
        let all = blocks + 1;
        let keeps = all.saturating_mul(slot_words) <= CACHED_WORDS;
        let slots = if keeps { all } else { std::cmp::min(all, FEWEST_SLOTS) };
        let order = FEWEST_SLOTS.next_multiple_of(32);
        let numeric = order + (std::cmp::min(all, FEWEST_SLOTS) * slot_rows).next_multiple_of(32);
        let ids = numeric + slot_rows * columns;
        let labels = ids + slot_rows * features;
        let weights = labels + slot_rows;
        let places = RowPlaces {
            columns,
            numeric,
            features,
            ids,
            labels,
            weights,
            groups: grouped.then_some(weights + slot_rows),
            order,
            slots: 0,
            slot_words,
        };
        Ok(Self {
            memory: driver.memory(numeric + slots * slot_words)?,
            places,
            weights: vec![Vec::new(); slots],
            filled: vec![false; if keeps { blocks } else { 0 }],
        })
    }

    /// Puts a block there, `position` in its window, and says into which slot; one that has a number and is there already stays.
    pub(super) fn put<D: Driver<Memory = M>>(
        &mut self,
        driver: &D,
        (position, number): (usize, Option<usize>),
        block: &Block,
        objective: &Objective,
    ) -> Result<usize> {
        // Where all blocks stay, the last slot is for rows that a window left.
        let slot = match number {
            Some(number) if !self.filled.is_empty() => number,
            None if !self.filled.is_empty() => self.filled.len(),
            _ => position,
        };
        match self.filled.get_mut(slot) {
            Some(true) => return Ok(slot),
            Some(filled) => *filled = true,
            None => {}
        }
        let (labels, weights): (Vec<f32>, Vec<f32>) =
            (0..block.rows).map(|row| objective.target(block, row)).unzip();
        let places = self.places;
        let mut write =
            |at: usize, words: &[u32]| driver.write(&mut self.memory, at + slot * places.slot_words, words);
        write(places.numeric, &words_of(&block.numeric))?;
        write(places.ids, &block.ids)?;
        write(places.labels, &words_of(&labels))?;
        write(places.weights, &words_of(&weights))?;
        if let Some(groups) = places.groups {
            #[expect(clippy::cast_possible_truncation, reason = "halves")]
            let halves = |group: &u64| [*group as u32, (*group >> 32) as u32];
            write(groups, &block.groups.iter().flat_map(halves).collect::<Vec<u32>>())?;
        }
        let all_one = weights.iter().all(|weight| weight.to_bits() == 1.0_f32.to_bits());
        self.weights[slot] = if all_one { Vec::new() } else { weights };
        Ok(slot)
    }

    /// The order in which rows are taken, of blocks in these slots; their weights in that order, none for all 1.
    pub(super) fn arrange<D: Driver<Memory = M>>(
        &mut self,
        driver: &D,
        slots: &[usize],
        order: &[u32],
    ) -> Result<Vec<f32>> {
        // Below 2^32 slots.
        let table: Vec<u32> = slots.iter().map(|slot| u32::try_from(*slot).unwrap_or(u32::MAX)).collect();
        driver.write(&mut self.memory, self.places.slots, &table)?;
        driver.write(&mut self.memory, self.places.order, order)?;
        if slots.iter().all(|slot| self.weights[*slot].is_empty()) {
            return Ok(Vec::new());
        }
        let weight = |at: &u32| {
            let (block, row) = place(*at);
            self.weights[slots[block]].get(row).copied().unwrap_or(1.0)
        };
        Ok(order.iter().map(weight).collect())
    }
}

pub(super) fn words_of(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

pub(super) fn values_of(words: &[u32]) -> Vec<f32> {
    words.iter().map(|word| f32::from_bits(*word)).collect()
}
