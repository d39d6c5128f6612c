//! Building sparse rows one after the other.

use sluice_core::error::{CommonError, Result};
use sluice_core::features::SparseRows;

/// Sparse rows that grow.
#[derive(Debug)]
pub(crate) struct SparseBuilder(SparseRows);

impl SparseBuilder {
    /// Nothing yet.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self(SparseRows { offsets, indices: Vec::new(), values: Vec::new() })
    }

    /// Adds a row; columns ascend, none twice.
    pub(crate) fn push(&mut self, entries: impl IntoIterator<Item = (u32, f64)>) -> Result<()> {
        for (index, value) in entries {
            self.0.indices.push(index);
            self.0.values.push(value);
        }
        let end = u32::try_from(self.0.indices.len());
        let end = end.map_err(|_| CommonError::Internal("a batch has 2^32 sparse entries".into()))?;
        self.0.offsets.push(end);
        Ok(())
    }

    /// Adds a row of other rows once more.
    pub(crate) fn push_row(&mut self, rows: &SparseRows, row: usize) -> Result<()> {
        let entries = rows.offsets[row] as usize..rows.offsets[row + 1] as usize;
        let indices = rows.indices[entries.clone()].iter().copied();
        self.push(indices.zip(rows.values[entries].iter().copied()))
    }

    /// The rows.
    pub(crate) fn finish(self) -> SparseRows {
        self.0
    }
}
