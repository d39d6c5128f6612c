//! Columns that are computed for slices: buckets, answers of expressions, the largest groups.
//!
//! Buckets and groups come as the text of their place in a list of names ([`super::names`]), coded, so that numbering
//! them is a look-up per row.

use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::error::{CommonError, Result};
use sluice_core::group::GroupTable;
use sluice_core::seam::Derive;
use sluice_expressions::Expression;

/// A column of places in a list; none is null.
pub(super) fn places(
    codes: impl Iterator<Item = Option<usize>>,
    names: &Arc<StringArray>,
) -> Result<ArrayRef> {
    let codes: Int32Array = codes.map(|code| code.and_then(|code| i32::try_from(code).ok())).collect();
    let names: ArrayRef = Arc::clone(names) as ArrayRef;
    let coded = DictionaryArray::try_new(codes, names);
    Ok(Arc::new(coded.map_err(|error| CommonError::Internal(format!("places of slices: {error}")))?))
}

/// The names of so many places: 0, 1, …
pub(super) fn place_names(count: usize) -> Arc<StringArray> {
    Arc::new((0..count).map(|place| Some(place.to_string())).collect())
}

/// The buckets of a number.
#[derive(Debug)]
pub(crate) struct Buckets {
    column: String,
    bounds: Vec<f64>,
    names: Arc<StringArray>,
}

impl Buckets {
    /// Between ascending bounds; NaN is a bucket of its own, after the others.
    pub(crate) fn new(column: &str, bounds: Vec<f64>) -> Self {
        let names = place_names(bounds.len() + 2);
        Self { column: column.into(), bounds, names }
    }

    /// The bucket of a number.
    #[inline]
    pub(crate) fn place(&self, value: f64) -> usize {
        if value.is_nan() {
            return self.bounds.len() + 1;
        }
        self.bounds.partition_point(|bound| *bound <= value)
    }
}

impl Derive for Buckets {
    fn inputs(&self) -> Vec<String> {
        vec![self.column.clone()]
    }

    fn derive(&self, batch: &Batch) -> Result<ArrayRef> {
        let values = numbers(&self.column, batch.require(&self.column)?, "buckets")?;
        places(values.iter().map(|value| value.map(|value| self.place(value))), &self.names)
    }
}

/// The answers of an expression.
#[derive(Debug)]
pub(crate) struct Answers(pub(crate) Expression);

impl Derive for Answers {
    fn inputs(&self) -> Vec<String> {
        self.0.columns().to_vec()
    }

    fn derive(&self, batch: &Batch) -> Result<ArrayRef> {
        self.0.evaluate(batch)
    }
}

/// Some groups, by their places, and all others at the place after them.
#[derive(Debug)]
pub(crate) struct Largest {
    kept: GroupTable,
    names: Arc<StringArray>,
}

impl Largest {
    pub(crate) fn new(kept: GroupTable) -> Self {
        let names = place_names(kept.len() + 1);
        Self { kept, names }
    }
}

impl Derive for Largest {
    fn inputs(&self) -> Vec<String> {
        self.kept.grouping().columns.clone()
    }

    fn derive(&self, batch: &Batch) -> Result<ArrayRef> {
        let columns = self.kept.grouping().columns.iter();
        let columns = columns.map(|column| batch.require(column)).collect::<Result<Vec<_>>>()?;
        let found = self.kept.find(&columns, batch.rows())?;
        let other = self.kept.len();
        places(found.into_iter().map(|group| Some(group.map_or(other, |group| group as usize))), &self.names)
    }
}
