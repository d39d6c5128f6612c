//! What a transform hands to a model: numeric columns, one-hot codes and sparse rows, never expanded before they
//! must be.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Float64Array, UInt32Array};
use arrow::compute::filter;
use arrow::error::ArrowError;
use serde::{Deserialize, Serialize};

/// What a feature column holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// One number per row.
    Number,
    /// One of several levels, or none of them.
    OneHot {
        /// The levels, in the order of their indicator columns.
        levels: Vec<String>,
    },
    /// A few of many numbers, the others 0: bags of words, several levels at a time.
    Sparse {
        /// What each number stands for.
        terms: Vec<String>,
    },
}

/// One output of a transform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSpec {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: FeatureKind,
    /// The source columns that it depends on.
    pub sources: Vec<String>,
}

impl FeatureSpec {
    /// How many columns of a design matrix it fills.
    #[must_use]
    pub fn width(&self) -> usize {
        match &self.kind {
            FeatureKind::Number => 1,
            FeatureKind::OneHot { levels } => levels.len(),
            FeatureKind::Sparse { terms } => terms.len(),
        }
    }

    /// The names of those columns: its own, or `name=level`.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        match &self.kind {
            FeatureKind::Number => vec![self.name.clone()],
            FeatureKind::OneHot { levels: labels } | FeatureKind::Sparse { terms: labels } => {
                labels.iter().map(|label| format!("{}={label}", self.name)).collect()
            }
        }
    }
}

/// All outputs of a transform, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureSpace {
    /// The outputs.
    pub features: Vec<FeatureSpec>,
}

impl FeatureSpace {
    /// Columns of the design matrix.
    #[must_use]
    pub fn width(&self) -> usize {
        self.features.iter().map(FeatureSpec::width).sum()
    }

    /// Names of the columns of the design matrix.
    #[must_use]
    pub fn column_names(&self) -> Vec<String> {
        self.features.iter().flat_map(FeatureSpec::column_names).collect()
    }
}

/// Rows of which most cells are 0, in compressed form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SparseRows {
    /// Row `r` holds the entries `offsets[r]..offsets[r + 1]`; one more than there are rows.
    pub offsets: Vec<u32>,
    /// Columns, ascending within a row, none twice.
    pub indices: Vec<u32>,
    /// The number in each.
    pub values: Vec<f64>,
}

impl SparseRows {
    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The columns of a row with their numbers.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let entries = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        self.indices[entries.clone()]
            .iter()
            .map(|index| *index as usize)
            .zip(self.values[entries].iter().copied())
    }
}

/// One feature of a batch.
#[derive(Clone, Debug)]
pub enum FeatureColumn {
    /// Numbers; null where a value is missing and no imputation was asked for.
    Numbers(Float64Array),
    /// Codes into the levels; null where the value is none of them.
    Codes(UInt32Array),
    /// Some of the terms.
    Sparse(Arc<SparseRows>),
}

/// The features of a batch.
#[derive(Clone, Debug)]
pub struct FeatureBatch {
    /// Rows.
    pub rows: usize,
    /// One per [`FeatureSpec`], in order.
    pub columns: Vec<FeatureColumn>,
}

/// Features of a batch with what rounding to `f64` took from some of them: their exact values are the sums of both.
#[derive(Clone, Debug)]
pub struct ExactFeatures {
    /// The features as any model reads them.
    pub features: FeatureBatch,
    /// What is to be added, in the order of the features.
    pub remainders: Vec<Remainder>,
}

/// What rounding to `f64` took from a feature of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Remainder {
    /// Which feature, as an index into [`FeatureSpace::features`].
    pub feature: usize,
    /// One per row; any number where the feature is none.
    pub values: Vec<f64>,
}

/// A number that a model cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotANumber {
    /// Which feature, as an index into [`FeatureSpace::features`].
    pub feature: usize,
    /// The row of the batch.
    pub row: usize,
    /// Whether it is null, as opposed to NaN or infinite.
    pub is_null: bool,
}

impl FeatureColumn {
    /// The rows that `keep` marks.
    fn filtered(&self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        Ok(match self {
            Self::Numbers(values) => Self::Numbers(filter(values, keep)?.as_primitive().clone()),
            Self::Codes(values) => Self::Codes(filter(values, keep)?.as_primitive().clone()),
            Self::Sparse(rows) => {
                let mut kept = SparseRows { offsets: vec![0], ..SparseRows::default() };
                for row in keep.values().set_indices() {
                    let entries = rows.offsets[row] as usize..rows.offsets[row + 1] as usize;
                    kept.indices.extend_from_slice(&rows.indices[entries.clone()]);
                    kept.values.extend_from_slice(&rows.values[entries.clone()]);
                    let last = kept.offsets[kept.offsets.len() - 1];
                    kept.offsets.push(last + (rows.offsets[row + 1] - rows.offsets[row]));
                }
                Self::Sparse(Arc::new(kept))
            }
        })
    }
}

impl FeatureBatch {
    /// The rows that `keep` marks.
    ///
    /// # Errors
    /// When `keep` is not of these rows.
    pub fn filtered(&self, keep: &BooleanArray) -> Result<Self, ArrowError> {
        let columns = self.columns.iter().map(|column| column.filtered(keep)).collect::<Result<_, _>>()?;
        Ok(Self { rows: keep.true_count(), columns })
    }

    /// Fills a row-major design matrix of `stride` columns, features first, from row `first` on. Cells beyond
    /// the features are left alone.
    ///
    /// # Errors
    /// [`NotANumber`] at the first null, NaN or infinite number, by feature, then by row.
    pub fn fill(
        &self,
        space: &FeatureSpace,
        first: usize,
        rows: usize,
        stride: usize,
        matrix: &mut [f64],
    ) -> Result<(), NotANumber> {
        let mut offset = 0;
        for (feature, (column, spec)) in self.columns.iter().zip(&space.features).enumerate() {
            match column {
                FeatureColumn::Numbers(values) => {
                    for row in 0..rows {
                        let is_null = values.is_null(first + row);
                        let value = values.value(first + row);
                        if is_null || !value.is_finite() {
                            return Err(NotANumber { feature, row: first + row, is_null });
                        }
                        matrix[row * stride + offset] = value;
                    }
                }
                FeatureColumn::Codes(codes) => {
                    let width = spec.width();
                    for row in 0..rows {
                        let cells = &mut matrix[row * stride + offset..row * stride + offset + width];
                        cells.fill(0.0);
                        if !codes.is_null(first + row)
                            && let Some(cell) = cells.get_mut(codes.value(first + row) as usize)
                        {
                            *cell = 1.0;
                        }
                    }
                }
                FeatureColumn::Sparse(sparse) => {
                    let width = spec.width();
                    for row in 0..rows {
                        let cells = &mut matrix[row * stride + offset..row * stride + offset + width];
                        cells.fill(0.0);
                        for (term, value) in sparse.row(first + row) {
                            if !value.is_finite() {
                                return Err(NotANumber { feature, row: first + row, is_null: false });
                            }
                            cells[term] = value;
                        }
                    }
                }
            }
            offset += spec.width();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_indicators_and_unseen_is_all_zero() {
        let space = FeatureSpace {
            features: vec![
                FeatureSpec { name: "x".into(), kind: FeatureKind::Number, sources: vec!["x".into()] },
                FeatureSpec {
                    name: "c".into(),
                    kind: FeatureKind::OneHot { levels: vec!["a".into(), "b".into()] },
                    sources: vec!["c".into()],
                },
            ],
        };
        let batch = FeatureBatch {
            rows: 2,
            columns: vec![
                FeatureColumn::Numbers(Float64Array::from(vec![1.5, 2.5])),
                FeatureColumn::Codes(UInt32Array::from(vec![Some(1), None])),
            ],
        };
        let mut matrix = vec![9.0; 8];
        batch.fill(&space, 0, 2, 4, &mut matrix).unwrap();
        assert_eq!(matrix, [1.5, 0.0, 1.0, 9.0, 2.5, 0.0, 0.0, 9.0]);
        assert_eq!(space.column_names(), ["x", "c=a", "c=b"]);
    }
}
