//! What flows between operations: columns in normal form, codes of levels, sparse rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, UInt32Array};

use sluice_core::column::{ColumnKind, numbers};
use sluice_core::error::{CommonError, Result};
use sluice_core::features::SparseRows;

/// What a value holds, known before any row is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A column of this kind.
    Column(ColumnKind),
    /// One of several levels, or none.
    Codes,
    /// A few of many terms with their numbers.
    Sparse,
}

impl ValueKind {
    /// A column of floats: what every operation on numbers leaves.
    pub const FLOAT: Self = Self::Column(ColumnKind::Float);

    /// Whether it holds numbers, or nothing at all.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Column(kind) if kind.is_number() || *kind == ColumnKind::Null)
    }

    /// Whether a model can take it.
    #[must_use]
    pub fn is_feature(&self) -> bool {
        self.is_number() || matches!(self, Self::Codes | Self::Sparse)
    }

    /// The kind of the column that it is.
    #[must_use]
    pub fn column(&self) -> Option<&ColumnKind> {
        match self {
            Self::Column(kind) => Some(kind),
            Self::Codes | Self::Sparse => None,
        }
    }
}

impl std::fmt::Display for ValueKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Column(kind) => kind.fmt(formatter),
            Self::Codes => formatter.write_str("levels"),
            Self::Sparse => formatter.write_str("sparse terms"),
        }
    }
}

/// The rows of a value.
#[derive(Clone, Debug)]
pub enum Value {
    /// A column in normal form.
    Column(ArrayRef),
    /// Codes into the levels; null where a row has none of them.
    Codes(UInt32Array),
    /// Terms with their numbers.
    Sparse(Arc<SparseRows>),
}

impl Value {
    /// A column of floats.
    #[must_use]
    pub fn floats(values: Float64Array) -> Self {
        Self::Column(Arc::new(values))
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        match self {
            Self::Column(array) => array.len(),
            Self::Codes(codes) => codes.len(),
            Self::Sparse(sparse) => sparse.rows(),
        }
    }

    /// The column that it is.
    ///
    /// # Errors
    /// [`CommonError::Internal`] for codes and sparse rows, which the plan keeps away from operations on columns.
    pub fn column(&self) -> Result<&ArrayRef> {
        match self {
            Self::Column(array) => Ok(array),
            Self::Codes(_) | Self::Sparse(_) => {
                Err(CommonError::Internal("an operation on columns was handed levels".into()).into())
            }
        }
    }

    /// The numbers of the column that it is.
    ///
    /// # Errors
    /// [`CommonError::ColumnKind`] when the data hold something else than at fitting.
    pub fn numbers(&self, name: &str, operation: &str) -> Result<Float64Array> {
        numbers(name, self.column()?, operation)
    }
}
