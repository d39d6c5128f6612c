//! Training rows, in blocks of a fixed size, which lie in memory or come from elsewhere when they are wanted.
//!
//! Labels are numbers: the value itself, or the number of the class. What is drawn (order, dropout) follows from the
//! position of a row, so that rows in memory and streamed ones give the same network.

use std::sync::Arc;

use sluice_core::error::Result;

use crate::error::NetworkError;
use crate::layout::Inputs;

/// Rows per block, but for the last one.
pub const BLOCK_ROWS: usize = 65_536;

/// Rows that stand one after the other.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Rows.
    pub rows: usize,
    /// Numeric features, row after row.
    pub numeric: Vec<f32>,
    /// Ids, row after row.
    pub ids: Vec<u32>,
    /// Labels.
    pub labels: Vec<f32>,
    /// Weights; none are all 1.
    pub weights: Vec<f32>,
    /// What tells the groups apart whose rows are ranked among each other; none are one group.
    pub groups: Vec<u64>,
}

impl Block {
    /// The features.
    #[must_use]
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { rows: self.rows, numeric: &self.numeric, ids: &self.ids }
    }

    /// The weight of a row.
    #[must_use]
    pub fn weight(&self, row: usize) -> f32 {
        self.weights.get(row).copied().unwrap_or(1.0)
    }
}

/// Rows block by block.
pub trait Rows: Send {
    /// How many there are.
    fn rows(&self) -> u64;

    /// The block of this number, from 0: [`BLOCK_ROWS`] rows, the last block what is left.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    fn block(&mut self, number: usize) -> Result<Arc<Block>>;

    /// How many blocks there are.
    fn blocks(&self) -> usize {
        usize::try_from(self.rows().div_ceil(BLOCK_ROWS as u64)).unwrap_or(usize::MAX)
    }
}

/// Rows in memory.
#[derive(Clone, Debug)]
pub struct MemoryRows {
    numeric: usize,
    categorical: usize,
    blocks: Vec<Arc<Block>>,
}

impl MemoryRows {
    /// No rows yet, of so many numeric and categorical features.
    #[must_use]
    pub fn new(numeric: usize, categorical: usize) -> Self {
        Self { numeric, categorical, blocks: Vec::new() }
    }

    /// Adds rows: as many as there are labels. `weights` holds one for each, or none at all for weights of 1 – then in
    /// every call.
    ///
    /// # Errors
    /// [`NetworkError::LengthMismatch`].
    pub fn push(
        &mut self,
        numeric: &[f32],
        ids: &[u32],
        labels: &[f32],
        weights: &[f32],
    ) -> Result<(), NetworkError> {
        self.push_grouped(numeric, ids, labels, weights, &[])
    }

    /// The same with the group of each row, or none at all – then in every call.
    ///
    /// # Errors
    /// [`NetworkError::LengthMismatch`].
    pub fn push_grouped(
        &mut self,
        numeric: &[f32],
        ids: &[u32],
        labels: &[f32],
        weights: &[f32],
        groups: &[u64],
    ) -> Result<(), NetworkError> {
        let rows = labels.len();
        let first_block = self.blocks.first();
        let weighted = first_block.map_or(!weights.is_empty(), |block| !block.weights.is_empty());
        let grouped = first_block.map_or(!groups.is_empty(), |block| !block.groups.is_empty());
        for (what, found, expected) in [
            ("numeric features", numeric.len(), rows * self.numeric),
            ("ids", ids.len(), rows * self.categorical),
            ("weights", weights.len(), if weighted { rows } else { 0 }),
            ("groups", groups.len(), if grouped { rows } else { 0 }),
        ] {
            if found != expected {
                return Err(NetworkError::LengthMismatch { what, found, expected });
            }
        }
        let mut first = 0;
        while first < rows {
            if self.blocks.last().is_none_or(|block| block.rows == BLOCK_ROWS) {
                self.blocks.push(Arc::default());
            }
            let Some(last) = self.blocks.last_mut() else { break };
            // Nobody else has it while rows are added; else it is copied.
            let block = Arc::make_mut(last);
            let count = std::cmp::min(rows - first, BLOCK_ROWS - block.rows);
            let range = first..first + count;
            let of = |width: usize| range.start * width..range.end * width;
            block.numeric.extend_from_slice(&numeric[of(self.numeric)]);
            block.ids.extend_from_slice(&ids[of(self.categorical)]);
            block.labels.extend_from_slice(&labels[range.clone()]);
            if weighted {
                block.weights.extend_from_slice(&weights[range.clone()]);
            }
            if grouped {
                block.groups.extend_from_slice(&groups[range]);
            }
            block.rows += count;
            first += count;
        }
        Ok(())
    }
}

impl Rows for MemoryRows {
    fn rows(&self) -> u64 {
        self.blocks.iter().map(|block| block.rows as u64).sum()
    }

    fn block(&mut self, number: usize) -> Result<Arc<Block>> {
        let missing =
            || sluice_core::error::CommonError::Internal(format!("block {number} of rows is not there"));
        Ok(Arc::clone(self.blocks.get(number).ok_or_else(missing)?))
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_ROWS, MemoryRows, Rows};

    #[test]
    fn blocks_are_full_but_for_the_last_however_rows_arrive() {
        let mut rows = MemoryRows::new(1, 1);
        let mut next = 0_u32;
        for count in [1, 70_000, 5, 131_072, 10] {
            let ids: Vec<u32> = (next..next + count).collect();
            let numbers: Vec<f32> = ids.iter().map(|id| *id as f32).collect();
            rows.push(&numbers, &ids, &numbers, &[]).unwrap();
            next += count;
        }
        assert_eq!((rows.rows(), rows.blocks()), (201_088, 4));
        let mut expected = 0;
        for number in 0..4 {
            let block = rows.block(number).unwrap();
            assert_eq!(block.rows, if number < 3 { BLOCK_ROWS } else { 201_088 - 3 * BLOCK_ROWS });
            assert!(block.weights.is_empty());
            for (id, label) in block.ids.iter().zip(&block.labels) {
                assert_eq!((*id, *label as u32), (expected, expected));
                expected += 1;
            }
        }
        assert!(rows.block(4).is_err());
        let message = rows.push(&[1.0], &[1], &[1.0], &[1.0]).unwrap_err().to_string();
        assert_eq!(message, "the table of weights holds 1 values, 0 were expected");
    }
}
