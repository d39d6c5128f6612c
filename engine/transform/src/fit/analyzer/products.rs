//! Several columns together: means and sums of products of the rows in which all are finite.
//!
//! The sums are those of [`Gram`] about the means of the first rows that a state sees, so that large offsets cost no
//! digits; states about other means are moved to those of the earlier one when they are joined.

use arrow::array::Array;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_summaries::gram::GRAM_BLOCK_ROWS;
use sluice_summaries::{Centered, Gram, Moments};

use super::{Analyze, Rows};

/// Means and products.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProductsAnalyzer {
    gram: Option<Gram>,
}

impl ProductsAnalyzer {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Rows in which all columns are finite.
    pub(crate) fn count(&self) -> u64 {
        self.gram.as_ref().map_or(0, Gram::count)
    }

    /// Means and sums of products about them; `None` without rows.
    pub(crate) fn centered(&self) -> Option<Centered> {
        self.gram.as_ref()?.centered()
    }

    fn add(&mut self, block: &[f64], width: usize) {
        if block.is_empty() {
            return;
        }
        if self.gram.is_none() {
            self.gram = empty_about(block, width);
        }
        if let Some(gram) = &mut self.gram {
            gram.update(block, None);
        }
    }
}

/// No sums yet, about the means of these rows and in units of about their standard deviations.
fn empty_about(block: &[f64], width: usize) -> Option<Gram> {
    let (mut shift, mut scale) = (Vec::with_capacity(width), Vec::with_capacity(width));
    for column in 0..width {
        let mut moments = Moments::new();
        let values: Vec<f64> = block.iter().skip(column).step_by(width).copied().collect();
        moments.update(&values);
        let deviation =
            moments.standard_deviation(0).filter(|deviation| deviation.is_normal()).unwrap_or(1.0);
        shift.push(moments.mean().unwrap_or(0.0));
        // A power of two costs no digits.
        scale.push((-deviation.log2().round()).clamp(-512.0, 512.0).exp2());
    }
    Gram::new(shift, scale).ok()
}

impl Analyze for ProductsAnalyzer {
    fn empty(&self) -> Self {
        Self::new()
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        let each = rows.values.iter().zip(&rows.names);
        let columns = each.map(|(value, name)| value.numbers(name, "`pca`")).collect::<Result<Vec<_>>>()?;
        let width = columns.len();
        let count = columns.first().map_or(0, Array::len);
        let mut block = Vec::with_capacity(count.min(GRAM_BLOCK_ROWS) * width);
        for row in 0..count {
            let is_whole = columns.iter().all(|column| column.is_valid(row) && column.value(row).is_finite());
            if is_whole {
                block.extend(columns.iter().map(|column| column.value(row)));
            }
            if block.len() == GRAM_BLOCK_ROWS * width {
                self.add(&block, width);
                block.clear();
            }
        }
        self.add(&block, width);
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        match (&mut self.gram, later.gram) {
            (Some(mine), Some(later)) => mine.merge(later),
            (mine @ None, later) => *mine = later,
            (Some(_), None) => {}
        }
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.gram.as_ref().map_or(0, Gram::size_bytes)
    }
}
