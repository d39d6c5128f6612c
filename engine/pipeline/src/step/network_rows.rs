//! The rows of a network's training: transformed once, in single precision, in the order of the data, in memory where they
//! fit and else in a file without a name beside the model. Where they are changes no bit of what comes of them.
//!
//! Splits are transformed by several threads and joined in order, so that nothing depends on the threads. Rows of weight 0
//! take no part.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, Float64Array};

use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::encoding::hash_rows;
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{Task, in_order_weighed};
use sluice_core::plan::Split;
use sluice_core::seam::{BatchSource, BatchTransform, Delivery, Request};
use sluice_core::spill::SpillError;
use sluice_delivery::network::InputReader;
use sluice_networks::rows::BLOCK_ROWS;
use sluice_networks::{Block, MemoryRows, Rows};
use sluice_training::{Class, TrainingError};

/// More than this is kept in a file; less where the limit of memory says so.
const IN_MEMORY_BYTES: u64 = 1 << 29;

/// The label of the rows.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// The column.
    pub(super) column: String,
    /// The classes in the order of their numbers; none of an amount.
    pub(super) classes: Vec<Class>,
}

/// What is read of which rows.
pub(super) struct Gathering<'a> {
    pub(super) source: &'a dyn BatchSource,
    pub(super) transform: Arc<dyn BatchTransform>,
    pub(super) reader: &'a InputReader,
    pub(super) label: Label,
    pub(super) weight: Option<String>,
    /// The column whose equal values make a group to be ranked.
    pub(super) group: Option<String>,
}

/// What the rows are on average.
#[derive(Clone, Debug, Default)]
pub(super) struct RowSums {
    /// Rows of a weight above 0.
    pub(super) rows: u64,
    /// Σ weight.
    pub(super) weight: f64,
    /// Σ weight x label.
    pub(super) label: f64,
    numeric: Vec<f64>,
    ids: Vec<Vec<f64>>,
}

impl RowSums {
    /// The weighted mean of each number.
    pub(super) fn means(&self) -> Vec<f64> {
        self.numeric.iter().map(|sum| sum / self.weight).collect()
    }

    /// By categorical feature the weighted share of each id.
    pub(super) fn shares(&self) -> Vec<Vec<f64>> {
        self.ids.iter().map(|ids| ids.iter().map(|sum| sum / self.weight).collect()).collect()
    }

    /// Adds some rows, one after the other.
    fn add(&mut self, chunk: &Block) {
        let width = self.numeric.len();
        let places = self.ids.len();
        for row in 0..chunk.rows {
            let weight = f64::from(chunk.weight(row));
            self.rows += 1;
            self.weight += weight;
            self.label += weight * f64::from(chunk.labels[row]);
            let own = &chunk.numeric[row * width..(row + 1) * width];
            self.numeric.iter_mut().zip(own).for_each(|(sum, value)| *sum += weight * f64::from(*value));
            for (ids, id) in self.ids.iter_mut().zip(&chunk.ids[row * places..(row + 1) * places]) {
                ids[*id as usize] += weight;
            }
        }
    }
}

/// Rows in memory or in a file.
#[derive(Debug)]
pub(super) enum GatheredRows {
    Memory(MemoryRows),
    File(FileRows),
}

impl GatheredRows {
    pub(super) fn as_rows(&mut self) -> &mut dyn Rows {
        match self {
            Self::Memory(rows) => rows,
            Self::File(rows) => rows,
        }
    }

    fn push(&mut self, chunk: &Block) -> Result<usize> {
        match self {
            Self::Memory(rows) => {
                let Block { numeric, ids, labels, weights, groups, .. } = chunk;
                rows.push_grouped(numeric, ids, labels, weights, groups)?;
                Ok(usize::try_from(rows.rows()).unwrap_or(usize::MAX).saturating_mul(bytes_of_row(chunk)))
            }
            Self::File(rows) => {
                rows.push(chunk)?;
                Ok(BLOCK_ROWS * bytes_of_row(chunk))
            }
        }
    }
}

/// Bytes of a row of a block that is not empty.
fn bytes_of_row(block: &Block) -> usize {
    let short = block.numeric.len() + block.ids.len() + block.labels.len() + block.weights.len();
    (4 * short + 8 * block.groups.len()) / block.rows.max(1)
}

impl Gathering<'_> {
    /// The rows with their sums; a file lies beside `target`.
    ///
    /// # Errors
    /// A feature, label or weight that is none, with file and row; what reading and writing meet.
    pub(super) fn rows(&self, target: &Path, execution: &Execution) -> Result<(GatheredRows, RowSums)> {
        let layout = self.reader.layout();
        let (width, places) = (layout.numeric.len(), layout.categorical.len());
        let plan = self.source.plan();
        let form = Form { width, places, weights: self.weight.is_some(), groups: self.group.is_some() };
        let own = form.bytes_of_row() as u64;
        let quarter = execution.memory.map_or(u64::MAX, |limit| limit.in_bytes() / 4);
        let mut rows = if plan.rows().saturating_mul(own) <= std::cmp::min(IN_MEMORY_BYTES, quarter) {
            GatheredRows::Memory(MemoryRows::new(width, places))
        } else {
            GatheredRows::File(FileRows::beside(target, form)?)
        };
        let mut sums = RowSums {
            numeric: vec![0.0; width],
            ids: layout.categorical.iter().map(|input| vec![0.0; input.ids as usize]).collect(),
            ..RowSums::default()
        };
        let request = self.request();
        in_order_weighed(
            &plan.splits,
            execution,
            |chunks: &Vec<Block>| chunks.iter().map(|chunk| chunk.rows * bytes_of_row(chunk)).sum(),
            |split, task| self.split(split, &request, (execution, task)),
            |_, chunks| {
                let mut kept = 0;
                for chunk in chunks.iter().filter(|chunk| chunk.rows > 0) {
                    sums.add(chunk);
                    kept = rows.push(chunk)?;
                }
                Ok(kept)
            },
        )?;
        if let GatheredRows::File(rows) = &mut rows {
            rows.flush()?;
        }
        Ok((rows, sums))
    }

    fn request(&self) -> Request {
        let plan = self.source.plan();
        let mut wanted = self.transform.inputs();
        wanted.push(self.label.column.clone());
        wanted.extend(self.weight.iter().chain(&self.group).cloned());
        let is_wanted = |index: &usize| wanted.contains(&plan.columns[*index].name);
        Request::of_rows((0..plan.columns.len()).filter(is_wanted).collect())
    }

    fn split(
        &self,
        split: &Split,
        request: &Request,
        (execution, task): (&Execution, &Task<'_>),
    ) -> Result<Vec<Block>> {
        let plan = self.source.plan();
        let (mut chunks, mut first_row, mut held) = (Vec::new(), 0, 0);
        self.source.read(split, request, &mut |delivery| {
            execution.cancel.check()?;
            let Delivery::Rows(record_batch) = delivery else { return Ok(()) };
            let batch = Batch::new(&record_batch);
            let chunk = self
                .chunk(&batch)
                .map_err(|error| plan.located(error, &self.source.name(), split.number, first_row))?;
            task.advance(execution, plan, split, first_row, batch.rows() as u64);
            first_row += batch.rows() as u64;
            held += chunk.rows * bytes_of_row(&chunk);
            chunks.push(chunk);
            Ok(task.holds(held)?)
        })?;
        Ok(chunks)
    }

    /// The rows of a batch that have a weight above 0.
    fn chunk(&self, batch: &Batch) -> Result<Block> {
        let features = self.transform.apply(batch)?;
        let read = self.reader.read(&features, 0..features.rows);
        self.reader.check(&read)?;
        let weights = self.weight.as_ref().map(|weight| weights(batch, weight)).transpose()?;
        let labels = self.labels(batch)?;
        let groups = match &self.group {
            Some(group) => hash_rows(&[(group, batch.require(group)?)], batch.rows())?,
            None => Vec::new(),
        };
        let Some(weights) = weights else {
            return Ok(Block {
                rows: read.rows,
                numeric: read.numeric,
                ids: read.ids,
                labels,
                weights: Vec::new(),
                groups,
            });
        };
        let layout = self.reader.layout();
        let (width, places) = (layout.numeric.len(), layout.categorical.len());
        let mut block = Block::default();
        for (row, weight) in weights.into_iter().enumerate().filter(|(_, weight)| *weight > 0.0) {
            block.rows += 1;
            block.numeric.extend_from_slice(&read.numeric[row * width..(row + 1) * width]);
            block.ids.extend_from_slice(&read.ids[row * places..(row + 1) * places]);
            block.labels.push(labels[row]);
            block.weights.push(weight);
            block.groups.extend(groups.get(row));
        }
        Ok(block)
    }

    #[allow(clippy::cast_possible_truncation, reason = "to the nearest, which is checked; classes are few")]
    fn labels(&self, batch: &Batch) -> Result<Vec<f32>> {
        let Label { column, classes } = &self.label;
        let array = batch.require(column)?;
        if !classes.is_empty() {
            let places = Class::places(column, array, classes)?;
            return Ok(places.values().iter().map(|place| *place as f32).collect());
        }
        let values = numbers(column, array, "the label")?;
        let single = |row: usize| {
            let found = match (values.is_null(row), values.value(row)) {
                (true, _) => "null",
                (false, value) if value.is_nan() => "NaN",
                (false, value) if value.is_infinite() => "infinite",
                (false, value) if (value as f32).is_infinite() => "beyond the range of single precision",
                (false, value) => return Ok(value as f32),
            };
            let problem = TrainingError::LabelNotANumber { label: column.clone(), found };
            Err(Error::from(problem).at_row(row))
        };
        (0..values.len()).map(single).collect()
    }
}

/// The weights of a batch in single precision.
#[allow(clippy::cast_possible_truncation, reason = "to the nearest, which is checked")]
fn weights(batch: &Batch, column: &str) -> Result<Vec<f32>> {
    let values: Float64Array = numbers(column, batch.require(column)?, "the weight of the rows")?;
    let single = |row: usize| {
        let found = match (values.is_null(row), values.value(row)) {
            (true, _) => "null",
            (false, value) if value.is_nan() => "NaN",
            (false, value) if value < 0.0 => "negative",
            (false, value) if (value as f32).is_infinite() => "infinite in single precision",
            (false, value) => return Ok(value as f32),
        };
        let problem = TrainingError::WeightOutOfRange { weight: column.to_owned(), found };
        Err(Error::from(problem).at_row(row))
    };
    (0..values.len()).map(single).collect()
}

/// What a row holds.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// Numbers.
    width: usize,
    /// Ids.
    places: usize,
    weights: bool,
    groups: bool,
}

impl Form {
    fn bytes_of_row(self) -> usize {
        4 * (self.width + self.places + 1 + usize::from(self.weights)) + 8 * usize::from(self.groups)
    }
}

/// Rows in a file without a name, block after block: all numbers of a block, its ids, its labels, its weights, its groups.
#[derive(Debug)]
pub(super) struct FileRows {
    folder: String,
    file: File,
    form: Form,
    rows: u64,
    /// The block that is not full yet.
    open: Block,
}

impl FileRows {
    fn beside(target: &Path, form: Form) -> Result<Self> {
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        let folder = parent.unwrap_or(Path::new("."));
        fs_err::create_dir_all(folder).map_err(CommonError::on("create", folder))?;
        let file = tempfile::tempfile_in(folder).map_err(CommonError::on("create a file in", folder))?;
        let folder = folder.display().to_string();
        Ok(Self { folder, file, form, rows: 0, open: Block::default() })
    }

    fn push(&mut self, chunk: &Block) -> Result<()> {
        let mut first = 0;
        while first < chunk.rows {
            let count = std::cmp::min(chunk.rows - first, BLOCK_ROWS - self.open.rows);
            let of = |width: usize| first * width..(first + count) * width;
            self.open.numeric.extend_from_slice(&chunk.numeric[of(self.form.width)]);
            self.open.ids.extend_from_slice(&chunk.ids[of(self.form.places)]);
            self.open.labels.extend_from_slice(&chunk.labels[of(1)]);
            if self.form.weights {
                self.open.weights.extend_from_slice(&chunk.weights[of(1)]);
            }
            if self.form.groups {
                self.open.groups.extend_from_slice(&chunk.groups[of(1)]);
            }
            self.open.rows += count;
            first += count;
            if self.open.rows == BLOCK_ROWS {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Writes the block that is open.
    fn flush(&mut self) -> Result<()> {
        let Block { rows, numeric, ids, labels, weights, groups } = std::mem::take(&mut self.open);
        let mut bytes = Vec::with_capacity(rows * self.form.bytes_of_row());
        bytes.extend(numeric.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(ids.iter().flat_map(|id| id.to_le_bytes()));
        bytes.extend(labels.iter().chain(&weights).flat_map(|value| value.to_le_bytes()));
        bytes.extend(groups.iter().flat_map(|group| group.to_le_bytes()));
        let held = self.place(self.rows);
        self.file.write_all_at(&bytes, held).map_err(|source| SpillError::Write {
            folder: self.folder.clone(),
            held,
            source,
        })?;
        self.rows += rows as u64;
        Ok(())
    }

    /// Where a row's block begins, of rows that begin one.
    fn place(&self, row: u64) -> u64 {
        row * self.form.bytes_of_row() as u64
    }
}

impl Rows for FileRows {
    fn rows(&self) -> u64 {
        self.rows
    }

    fn block(&mut self, number: usize) -> Result<Arc<Block>> {
        let first = number as u64 * BLOCK_ROWS as u64;
        let count = std::cmp::min(self.rows.saturating_sub(first), BLOCK_ROWS as u64);
        let rows = usize::try_from(count).unwrap_or(BLOCK_ROWS);
        let mut bytes = vec![0; rows * self.form.bytes_of_row()];
        self.file
            .read_exact_at(&mut bytes, self.place(first))
            .map_err(|source| SpillError::Read { folder: self.folder.clone(), source })?;
        let groups = bytes.split_off(bytes.len() - if self.form.groups { 8 * rows } else { 0 });
        let (words, _) = bytes.as_chunks::<4>();
        let (numeric, rest) = words.split_at(rows * self.form.width);
        let (ids, rest) = rest.split_at(rows * self.form.places);
        let (labels, weights) = rest.split_at(rows);
        let (groups, _) = groups.as_chunks::<8>();
        let single = |words: &[[u8; 4]]| words.iter().map(|word| f32::from_le_bytes(*word)).collect();
        Ok(Arc::new(Block {
            rows,
            numeric: single(numeric),
            ids: ids.iter().map(|word| u32::from_le_bytes(*word)).collect(),
            labels: single(labels),
            weights: single(weights),
            groups: groups.iter().map(|group| u64::from_le_bytes(*group)).collect(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_the_blocks_that_memory_gives() {
        let folder = tempfile::tempdir().unwrap();
        let mut memory = GatheredRows::Memory(MemoryRows::new(2, 1));
        let form = Form { width: 2, places: 1, weights: true, groups: true };
        let beside = FileRows::beside(&folder.path().join("model"), form).unwrap();
        let mut file = GatheredRows::File(beside);
        let mut next = 0_u16;
        for rows in [1_usize, 40_000, 60_000, 3, 65_536] {
            let mut number = || {
                next = next.wrapping_mul(31).wrapping_add(7);
                next
            };
            let numeric = (0..2 * rows).map(|_| f32::from(number())).collect();
            let ids = (0..rows).map(|_| u32::from(number())).collect();
            let labels = (0..rows).map(|_| f32::from(number())).collect();
            let weights = (0..rows).map(|_| f32::from(number())).collect();
            let groups = (0..rows).map(|_| u64::from(number()) << 40).collect();
            let chunk = Block { rows, numeric, ids, labels, weights, groups };
            memory.push(&chunk).unwrap();
            file.push(&chunk).unwrap();
        }
        if let GatheredRows::File(rows) = &mut file {
            rows.flush().unwrap();
        }
        let (memory, file) = (memory.as_rows(), file.as_rows());
        assert_eq!((memory.rows(), memory.blocks()), (165_540, 3));
        assert_eq!((file.rows(), file.blocks()), (165_540, 3));
        for number in 0..3 {
            assert_eq!(memory.block(number).unwrap(), file.block(number).unwrap());
        }
    }
}
