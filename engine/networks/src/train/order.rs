//! The order of rows in an epoch: a keyed permutation of two levels, the same in memory and streamed.
//!
//! Blocks of 65,536 rows are permuted over the epoch; 16 of them at a time are a window, within which rows are permuted.
//! So a row comes with rows of 16 blocks, and memory holds two windows: the one in work and the next. A window ends in
//! whole batches; what is left over begins the next one, and the last batch of an epoch may be smaller.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use sluice_core::error::Result;

use crate::random::Key;
use crate::rows::{BLOCK_ROWS, Block, Rows};

/// Blocks in a window.
pub(crate) const WINDOW_BLOCKS: usize = 16;

/// Rows in the order in which they are trained on.
#[derive(Debug)]
pub(crate) struct Window {
    /// The blocks that hold them.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The number of each of them among all rows; rows that the window before left have none, and come last.
    #[cfg_attr(not(any(feature = "cuda", test)), expect(dead_code, reason = "for cards, which keep blocks"))]
    pub(crate) numbers: Vec<usize>,
    /// Block times [`BLOCK_ROWS`] plus row, by position.
    pub(crate) order: Vec<u32>,
    /// Whether the epoch ends here.
    pub(crate) is_last: bool,
}

/// The block of a place and the row in it.
#[inline(always)]
pub(crate) fn place(place: u32) -> (usize, usize) {
    ((place >> 16) as usize, (place & 0xffff) as usize)
}

/// Makes the windows of epochs one after the other.
pub(crate) struct Windows<'a> {
    pub(crate) rows: &'a mut dyn Rows,
    pub(crate) batch_size: usize,
    /// Of the order of rows.
    pub(crate) key: Key,
}

impl Windows<'_> {
    /// Sends the windows of these epochs until nobody takes them any more, or reading fails.
    pub(crate) fn send(&mut self, epochs: std::ops::Range<u32>, to: &SyncSender<Result<Window>>) {
        for epoch in epochs {
            let key = self.key.with(u64::from(epoch));
            let mut blocks: Vec<usize> = (0..self.rows.blocks()).collect();
            key.with(0).shuffle(&mut blocks);
            let last = blocks.len().div_ceil(WINDOW_BLOCKS).saturating_sub(1);
            let mut carried = None;
            for (number, blocks) in blocks.chunks(WINDOW_BLOCKS).enumerate() {
                let window = self.window(blocks, key.with(number as u64 + 1), &mut carried, number == last);
                let failed = window.is_err();
                if to.send(window).is_err() || failed {
                    return;
                }
            }
        }
    }

    fn window(
        &mut self,
        numbers: &[usize],
        key: Key,
        carried: &mut Option<Block>,
        is_last: bool,
    ) -> Result<Window> {
        let mut blocks = Vec::with_capacity(WINDOW_BLOCKS + 1);
        for number in numbers {
            blocks.push(self.rows.block(*number)?);
        }
        let mut order: Vec<u32> = Vec::new();
        for (at, block) in (0_u32..).zip(&blocks) {
            let rows = u32::try_from(block.rows).unwrap_or(u32::MAX);
            order.extend((0..rows).map(|row| (at << 16) + row));
        }
        if blocks.iter().all(|block| block.groups.is_empty()) {
            key.shuffle(&mut order);
        } else {
            order = by_groups(&blocks, &order, key);
        }
        if let Some(block) = carried.take() {
            // They were permuted in their own window.
            let (at, rows) = (blocks.len() as u64, block.rows as u64);
            let first = (0..rows).map(|row| u32::try_from((at << 16) + row).unwrap_or(u32::MAX));
            order.splice(0..0, first);
            blocks.push(Arc::new(block));
        }
        if !is_last {
            let whole = order.len() - order.len() % self.batch_size;
            *carried = Some(gather(&blocks, &order.split_off(whole)));
        }
        Ok(Window { blocks, numbers: numbers.to_vec(), order, is_last })
    }
}

/// These rows as a block of their own; fewer than a batch, hence than [`BLOCK_ROWS`].
fn gather(blocks: &[Arc<Block>], order: &[u32]) -> Block {
    let mut gathered = Block { rows: order.len(), ..Block::default() };
    for at in order {
        let (block, row) = place(*at);
        let block = &blocks[block];
        let (columns, features) = (block.numeric.len() / block.rows, block.ids.len() / block.rows);
        gathered.numeric.extend_from_slice(&block.numeric[row * columns..(row + 1) * columns]);
        gathered.ids.extend_from_slice(&block.ids[row * features..(row + 1) * features]);
        gathered.labels.push(block.labels[row]);
        gathered.weights.extend(block.weights.get(row));
        gathered.groups.extend(block.groups.get(row));
    }
    gathered
}

/// Rows whose groups come in random order, and within a group the rows: rows of a group that stand together stay together,
/// so that they make pairs.
fn by_groups(blocks: &[Arc<Block>], order: &[u32], key: Key) -> Vec<u32> {
    let group = |at: &u32| {
        let (block, row) = place(*at);
        blocks[block].groups[row]
    };
    let mut runs: Vec<&[u32]> = order.chunk_by(|left, right| group(left) == group(right)).collect();
    key.with(0).shuffle(&mut runs);
    let mut ordered = Vec::with_capacity(order.len());
    for (number, run) in (1..).zip(runs) {
        let first = ordered.len();
        ordered.extend_from_slice(run);
        key.with(number).shuffle(&mut ordered[first..]);
    }
    ordered
}

/// Steps of an epoch.
pub(crate) fn steps_of(rows: u64, batch_size: u32) -> u64 {
    rows.div_ceil(u64::from(batch_size.max(1)))
}

/// That places of a block fit into 16 bits.
const _: () = assert!(BLOCK_ROWS == 1 << 16);

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::{Windows, place};
    use crate::random::Key;
    use crate::rows::{BLOCK_ROWS, MemoryRows};

    fn epoch(rows: u32, batch_size: usize, epoch: u32) -> (Vec<u32>, Vec<usize>) {
        let mut source = MemoryRows::new(0, 1);
        let ids: Vec<u32> = (0..rows).collect();
        source.push(&[], &ids, &vec![0.0; rows as usize], &[]).unwrap();
        let (to, from) = sync_channel(100);
        Windows { rows: &mut source, batch_size, key: Key::new(3, 1) }.send(epoch..epoch + 1, &to);
        drop(to);
        let mut seen = Vec::new();
        let mut lengths = Vec::new();
        for window in from {
            let window = window.unwrap();
            lengths.push(window.order.len());
            seen.extend(window.order.iter().map(|at| {
                let (block, row) = place(*at);
                window.blocks[block].ids[row]
            }));
        }
        (seen, lengths)
    }

    #[test]
    fn every_row_comes_once_in_whole_batches() {
        for (rows, batch) in [(1000, 64), (BLOCK_ROWS as u32 * 33 + 17, 1000), (1_200_000, 60_000)] {
            let (mut seen, lengths) = epoch(rows, batch, 0);
            assert!(lengths[..lengths.len() - 1].iter().all(|length| length % batch == 0));
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..rows));
        }
    }

    #[test]
    fn groups_stay_together_in_another_order() {
        let rows = 70_000_u32;
        let mut source = MemoryRows::new(0, 1);
        let ids: Vec<u32> = (0..rows).collect();
        let groups: Vec<u64> = ids.iter().map(|id| u64::from(id / 10)).collect();
        source.push_grouped(&[], &ids, &vec![0.0; ids.len()], &[], &groups).unwrap();
        let (to, from) = sync_channel(10);
        Windows { rows: &mut source, batch_size: 1000, key: Key::new(3, 1) }.send(0..1, &to);
        drop(to);
        let seen: Vec<u32> = from
            .into_iter()
            .flat_map(|window| {
                let window = window.unwrap();
                let id = |at: &u32| {
                    let (block, row) = place(*at);
                    window.blocks[block].ids[row]
                };
                window.order.iter().map(id).collect::<Vec<_>>()
            })
            .collect();
        let runs: Vec<&[u32]> = seen.chunk_by(|left, right| left / 10 == right / 10).collect();
        // One group lies across two blocks.
        assert!((7_000..=7_001).contains(&runs.len()), "{}", runs.len());
        assert!(runs.iter().filter(|run| run.is_sorted()).count() < 100);
        assert!(!runs.iter().map(|run| run[0] / 10).is_sorted());
        let mut sorted = seen.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..rows));
    }

    #[test]
    fn epochs_differ_and_repeat_themselves() {
        let (first, _) = epoch(100_000, 64, 0);
        assert_eq!(first, epoch(100_000, 64, 0).0);
        assert_ne!(first, epoch(100_000, 64, 1).0);
        // The mean distance of neighbours in a permutation is a third of the rows.
        let distance: f64 =
            first.windows(2).map(|pair| f64::from(pair[0].abs_diff(pair[1]))).sum::<f64>() / 99_999.0;
        assert!((distance - 33_333.0).abs() < 500.0, "{distance}");
    }
}
