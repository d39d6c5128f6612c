//! The rows as the iteration takes them: features, label, offset and weight; kept in memory, or handed out by a scan.
//!
//! Either way they come in blocks, the features column by column, shifted and scaled: what is done with a block runs
//! along its columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::Array;
use serde::{Deserialize, Serialize};

use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureSpace};
use sluice_core::group::GroupMap;
use sluice_core::seam::BatchTransform;

use super::error::GlmError;
use super::labels::LabelReader;
use crate::design::columns::{Filler, Order};
use crate::design::rows::{blocks, further, sound_weights};

/// What is read of a row.
#[derive(Clone)]
pub(super) struct RowReader {
    /// The features; none for a model of the intercept alone.
    pub(super) transform: Option<Arc<dyn BatchTransform>>,
    pub(super) label: LabelReader,
    pub(super) weight: Option<String>,
    pub(super) offsets: Offsets,
}

/// What is added to the sum of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offsets {
    /// A column that is added as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// A column whose logarithm is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<String>,
}

impl Offsets {
    /// The columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.offset.iter().chain(&self.exposure).map(String::as_str)
    }

    /// What is added to each row of a batch; none where nothing is. NaN where a value is no such number, or, where
    /// rows must be sound, an error.
    ///
    /// # Errors
    /// A column that is missing or no number; [`GlmError::OffsetOutOfRange`] with the row.
    pub(crate) fn read(&self, batch: &Batch, must_be_sound: bool) -> Result<Option<Vec<f64>>> {
        let mut total: Option<Vec<f64>> = None;
        for (column, role) in [(&self.offset, "offset"), (&self.exposure, "exposure")]
            .into_iter()
            .filter_map(|(c, r)| Some((c.as_ref()?, r)))
        {
            let values = numbers(column, batch.require(column)?, "an offset")?;
            let sums = total.get_or_insert_with(|| vec![0.0; batch.rows()]);
            for (row, sum) in sums.iter_mut().enumerate() {
                let value = if values.is_null(row) { f64::NAN } else { values.value(row) };
                let added = if role == "exposure" && !(value > 0.0) {
                    f64::NAN
                } else if role == "exposure" {
                    value.ln()
                } else {
                    value
                };
                if must_be_sound && !added.is_finite() {
                    let found = if values.is_null(row) { "null".into() } else { value.to_string() };
                    let problem = GlmError::OffsetOutOfRange { role, column: column.clone(), found };
                    return Err(Error::from(problem).at_row(row));
                }
                *sum += if added.is_finite() { added } else { f64::NAN };
            }
        }
        Ok(total)
    }
}

/// How features become columns: (x − shift) x scale, after a column of ones where there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout<'a> {
    pub(super) shift: &'a [f64],
    pub(super) scale: &'a [f64],
    pub(super) ones: bool,
}

impl Layout<'_> {
    /// Columns, that of the ones included.
    pub(super) fn columns(self) -> usize {
        self.shift.len() + usize::from(self.ones)
    }
}

/// Some rows, all of a weight above 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    /// Column after column, each with room for [`stride_of`] them.
    pub(super) cells: &'a [f64],
    /// One per row.
    pub(super) labels: &'a [f64],
    /// One per row, or none.
    pub(super) offsets: &'a [f64],
    /// One per row; all 1 without.
    pub(super) weights: Option<&'a [f64]>,
}

impl<'a> Rows<'a> {
    /// How many.
    pub(super) fn len(self) -> usize {
        self.labels.len()
    }

    /// The weight of a row.
    pub(super) fn weight(self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| weights[row])
    }

    /// How far columns are apart.
    pub(super) fn stride(self) -> usize {
        stride_of(self.len())
    }

    /// A column.
    pub(super) fn column(self, column: usize) -> &'a [f64] {
        let first = column * self.stride();
        &self.cells[first..first + self.len()]
    }
}

/// How far columns of so many rows are apart: an odd number of lines of the cache, since the same rows of columns a
/// power of two apart would share a few of its places.
fn stride_of(rows: usize) -> usize {
    const LINE: usize = 8;
    LINE * (rows.div_ceil(LINE) | 1)
}

/// Memory of a block of rows, used again and again.
#[derive(Debug, Default)]
struct Block {
    order: Order,
    cells: Vec<f64>,
    labels: Vec<f64>,
    offsets: Vec<f64>,
}

impl Block {
    fn rows(&self, has_weights: bool) -> Rows<'_> {
        let Self { order, cells, labels, offsets } = self;
        Rows { cells, labels, offsets, weights: has_weights.then_some(order.weights.as_slice()) }
    }
}

impl RowReader {
    /// The same without features.
    pub(super) fn without_features(&self) -> Self {
        Self { transform: None, ..self.clone() }
    }

    pub(super) fn inputs(&self) -> Inputs {
        let inputs = Inputs::default().with_column(&self.label.label);
        let inputs = self
            .weight
            .iter()
            .map(String::as_str)
            .chain(self.offsets.columns())
            .fold(inputs, Inputs::with_column);
        let columns = self.transform.iter().flat_map(|transform| transform.inputs());
        columns.fold(inputs, Inputs::with_column)
    }

    /// Hands out the rows of a batch that have a weight above 0, in blocks, with their places in it.
    ///
    /// # Errors
    /// At the first feature, label, offset or weight that is no number, or none of its kind, with its row; those of
    /// `visit`, whose rows are counted from the start of the block.
    pub(super) fn each(
        &self,
        batch: &Batch,
        layout: Layout<'_>,
        mut visit: impl FnMut(Rows<'_>, &[usize]) -> Result<()>,
    ) -> Result<()> {
        let mut block = Block::default();
        // Few rows at a time: what the transform makes of them stays in the cache.
        blocks(batch.rows()).try_for_each(|rows| {
            self.fill(&batch.slice(rows.clone()), layout, &mut block)
                .and_then(|()| match block.rows(self.weight.is_some()) {
                    none if none.len() == 0 => Ok(()),
                    some => visit(some, &block.order.rows),
                })
                .map_err(|error| further(error, rows.start))
        })
    }

    /// The rows of a batch as a block.
    fn fill(&self, batch: &Batch, layout: Layout<'_>, block: &mut Block) -> Result<()> {
        let nothing = FeatureSpace::default();
        let (features, space) = match &self.transform {
            Some(transform) => (transform.apply(batch)?, transform.space()),
            None => (FeatureBatch { rows: batch.rows(), columns: Vec::new() }, &nothing),
        };
        let weights = self.weight.as_ref().map(|weight| sound_weights(batch, weight)).transpose()?;
        let all_labels = self.label.read(batch, weights.as_ref())?;
        let all_offsets = self.offsets.read(batch, true)?;
        let Block { order, cells, labels, offsets } = block;
        order.fill(batch.rows(), 1, weights.as_ref().map(|weights| -> &[f64] { weights.values() }), |_| 0);
        let count = order.rows.len();
        labels.clear();
        labels.extend(order.rows.iter().map(|&row| all_labels[row]));
        offsets.clear();
        if let Some(all) = &all_offsets {
            offsets.extend(order.rows.iter().map(|&row| all[row]));
        }
        let stride = stride_of(count);
        cells.resize(stride * layout.columns(), 0.0);
        let (ones, cells) = cells.split_at_mut(if layout.ones { stride } else { 0 });
        ones.fill(1.0);
        let Layout { shift, scale, .. } = layout;
        Filler { shift, scale, cells, stride }.features((&features, &[]), space, order)
    }
}

/// Rows in memory, in their order, features as they are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptRows {
    columns: Vec<Vec<f64>>,
    labels: Vec<f64>,
    offsets: Vec<f64>,
    weights: Vec<f64>,
}

impl KeptRows {
    /// No rows, of so many columns.
    pub(super) fn new(columns: usize) -> Self {
        Self { columns: vec![Vec::new(); columns], ..Self::default() }
    }

    /// Adds those of a batch.
    ///
    /// # Errors
    /// As [`RowReader::each`].
    pub(super) fn read(&mut self, reader: &RowReader, batch: &Batch) -> Result<()> {
        let width = self.columns.len();
        let (shift, scale) = (vec![0.0; width], vec![1.0; width]);
        reader.each(batch, Layout { shift: &shift, scale: &scale, ones: false }, |rows, _| {
            for (number, column) in self.columns.iter_mut().enumerate() {
                column.extend_from_slice(rows.column(number));
            }
            self.labels.extend_from_slice(rows.labels);
            self.offsets.extend_from_slice(rows.offsets);
            self.weights.extend_from_slice(rows.weights.unwrap_or_default());
            Ok(())
        })
    }

    fn merge(&mut self, later: Self) {
        for (mine, later) in self.columns.iter_mut().zip(later.columns) {
            mine.extend(later);
        }
        self.labels.extend(later.labels);
        self.offsets.extend(later.offsets);
        self.weights.extend(later.weights);
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The features.
    pub(super) fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// The labels.
    pub(super) fn labels(&self) -> &[f64] {
        &self.labels
    }

    /// In the blocks that a scan would hand out, were they one batch.
    pub(super) fn into_blocks(self, layout: Layout<'_>) -> Vec<KeptBlock> {
        let part = |values: &[f64], rows: &Range<usize>| -> Vec<f64> {
            if values.is_empty() { Vec::new() } else { values[rows.clone()].to_vec() }
        };
        let ranges: Vec<Range<usize>> = blocks(self.len()).collect();
        let of_rows = |rows: &Range<usize>| {
            let stride = stride_of(rows.len());
            let mut cells = Vec::with_capacity(stride * layout.columns());
            cells.resize(if layout.ones { stride } else { 0 }, 1.0);
            KeptBlock {
                cells,
                labels: part(&self.labels, rows),
                offsets: part(&self.offsets, rows),
                weights: part(&self.weights, rows),
            }
        };
        let mut kept: Vec<KeptBlock> = ranges.iter().map(of_rows).collect();
        // Column after column, each of which goes when it is laid out: they are not all in memory twice.
        for ((column, shift), scale) in self.columns.into_iter().zip(layout.shift).zip(layout.scale) {
            for (block, rows) in kept.iter_mut().zip(&ranges) {
                let end = block.cells.len() + stride_of(rows.len());
                block.cells.extend(column[rows.clone()].iter().map(|value| (value - shift) * scale));
                block.cells.resize(end, 0.0);
            }
        }
        kept
    }
}

/// Some rows in memory, laid out.
#[derive(Clone, Debug)]
pub(super) struct KeptBlock {
    cells: Vec<f64>,
    labels: Vec<f64>,
    offsets: Vec<f64>,
    weights: Vec<f64>,
}

impl KeptBlock {
    /// The rows.
    pub(super) fn rows(&self) -> Rows<'_> {
        let Self { cells, labels, offsets, weights } = self;
        Rows { cells, labels, offsets, weights: (!weights.is_empty()).then_some(weights) }
    }
}

/// The accumulator that keeps all rows.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Keep {
    #[serde(skip)]
    reader: Option<RowReader>,
    rows: KeptRows,
}

impl Keep {
    /// Of so many columns.
    pub(super) fn new(reader: RowReader, columns: usize) -> Self {
        Self { reader: Some(reader), rows: KeptRows::new(columns) }
    }
}

impl Accumulator for Keep {
    type Output = KeptRows;

    fn inputs(&self) -> Inputs {
        self.reader.as_ref().map_or_else(Inputs::default, RowReader::inputs)
    }

    fn empty(&self) -> Self {
        Self { reader: self.reader.clone(), rows: KeptRows::new(self.rows.columns.len()) }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let Some(reader) = &self.reader else { return Ok(()) };
        self.rows.read(reader, batch)
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        self.rows.merge(later.rows);
        Ok(())
    }

    fn finish(self) -> KeptRows {
        self.rows
    }

    fn size_bytes(&self) -> usize {
        let KeptRows { columns, labels, offsets, weights } = &self.rows;
        let others = [labels, offsets, weights];
        let cells = columns.iter().chain(others).map(Vec::capacity).sum::<usize>();
        size_of::<Self>() + 8 * cells + columns.capacity() * size_of::<Vec<f64>>()
    }
}
