//! The rows as the iteration takes them: features, label, offset and weight; kept in memory, or handed out by a scan.

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
use sluice_summaries::gram::GRAM_BLOCK_ROWS;

use super::error::GlmError;
use super::labels::LabelReader;
use crate::design::rows::{Responses, blocks, further, sound_weights};

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

/// Some rows, all of a weight above 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rows<'a> {
    /// Row-major features.
    pub(super) cells: &'a [f64],
    /// One per row.
    pub(super) labels: &'a [f64],
    /// One per row, or none.
    pub(super) offsets: &'a [f64],
    /// One per row; all 1 without.
    pub(super) weights: Option<&'a [f64]>,
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

    /// Hands out the rows of a batch of a scan.
    pub(super) fn each(
        &self,
        batch: &Batch,
        mut visit: impl FnMut(Rows<'_>, &[usize]) -> Result<()>,
    ) -> Result<()> {
        match &self.transform {
            // Few rows at a time: what the transform makes of them stays in the cache.
            Some(transform) => blocks(batch.rows()).try_for_each(|rows| {
                let piece = batch.slice(rows.clone());
                let features = transform.apply(&piece).map_err(|error| further(error, rows.start))?;
                self.each_of(&piece, &features, transform.space(), &mut visit)
                    .map_err(|error| further(error, rows.start))
            }),
            None => {
                let nothing = FeatureBatch { rows: batch.rows(), columns: Vec::new() };
                self.each_of(batch, &nothing, &FeatureSpace::default(), visit)
            }
        }
    }

    /// Hands out the rows of a batch with these features, with their places in it.
    pub(super) fn each_of(
        &self,
        batch: &Batch,
        features: &FeatureBatch,
        space: &FeatureSpace,
        mut visit: impl FnMut(Rows<'_>, &[usize]) -> Result<()>,
    ) -> Result<()> {
        let weights = self.weight.as_ref().map(|weight| sound_weights(batch, weight)).transpose()?;
        let all_labels = self.label.read(batch, weights.as_ref())?;
        let all_offsets = self.offsets.read(batch, true)?;
        let responses = Responses { labels: Vec::new(), weight: self.weight.clone() };
        let (mut labels, mut offsets) = (Vec::new(), Vec::new());
        responses.each_block(batch, features, space, |block, places| {
            labels.clear();
            labels.extend(places.iter().map(|&row| all_labels[row]));
            offsets.clear();
            if let Some(all) = &all_offsets {
                offsets.extend(places.iter().map(|&row| all[row]));
            }
            visit(
                Rows { cells: block.rows, labels: &labels, offsets: &offsets, weights: block.weights },
                places,
            )
        })
    }
}

/// Rows in memory, in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct KeptRows {
    cells: Vec<f64>,
    labels: Vec<f64>,
    offsets: Vec<f64>,
    weights: Vec<f64>,
}

impl KeptRows {
    pub(super) fn push(&mut self, rows: Rows<'_>) {
        self.cells.extend_from_slice(rows.cells);
        self.labels.extend_from_slice(rows.labels);
        self.offsets.extend_from_slice(rows.offsets);
        self.weights.extend_from_slice(rows.weights.unwrap_or_default());
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn cells(&self) -> &[f64] {
        &self.cells
    }

    /// The labels.
    pub(super) fn labels(&self) -> &[f64] {
        &self.labels
    }

    /// In the blocks that a scan would hand out, were they one batch.
    pub(super) fn blocks(&self, width: usize) -> Vec<Rows<'_>> {
        let starts = (0..self.len()).step_by(GRAM_BLOCK_ROWS);
        let part =
            |values: &'_ Vec<f64>, stride: usize, first: usize, last: usize| -> std::ops::Range<usize> {
                if values.is_empty() { 0..0 } else { first * stride..last * stride }
            };
        starts
            .map(|first| {
                let last = std::cmp::min(first + GRAM_BLOCK_ROWS, self.len());
                let weights = &self.weights[part(&self.weights, 1, first, last)];
                Rows {
                    cells: &self.cells[first * width..last * width],
                    labels: &self.labels[first..last],
                    offsets: &self.offsets[part(&self.offsets, 1, first, last)],
                    weights: (!weights.is_empty()).then_some(weights),
                }
            })
            .collect()
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
    pub(super) fn new(reader: RowReader) -> Self {
        Self { reader: Some(reader), rows: KeptRows::default() }
    }
}

impl Accumulator for Keep {
    type Output = KeptRows;

    fn inputs(&self) -> Inputs {
        self.reader.as_ref().map_or_else(Inputs::default, RowReader::inputs)
    }

    fn empty(&self) -> Self {
        Self { reader: self.reader.clone(), rows: KeptRows::default() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        let Input::Rows(batch) = input else { return Ok(()) };
        let Some(reader) = &self.reader else { return Ok(()) };
        reader.each(batch, |rows, _| {
            self.rows.push(rows);
            Ok(())
        })
    }

    fn merge(&mut self, later: Self, _: &GroupMap) -> Result<()> {
        let KeptRows { cells, labels, offsets, weights } = later.rows;
        self.rows.cells.extend(cells);
        self.rows.labels.extend(labels);
        self.rows.offsets.extend(offsets);
        self.rows.weights.extend(weights);
        Ok(())
    }

    fn finish(self) -> KeptRows {
        self.rows
    }

    fn size_bytes(&self) -> usize {
        let KeptRows { cells, labels, offsets, weights } = &self.rows;
        size_of::<Self>()
            + 8 * (cells.capacity() + labels.capacity() + offsets.capacity() + weights.capacity())
    }
}
