//! How often each item occurs in the lists of a column, exactly, as [`ValueCounts`] counts values. Null
//! lists, empty lists and null items add nothing to the counts of items.

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::spill::Scratch;

use super::{Analyze, Rows, ValueCounts};
use crate::operation::lists::Lists;
use crate::value::Value;

/// Counts of the items of lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ItemCounts(ValueCounts);

impl ItemCounts {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self(ValueCounts::new())
    }

    /// The counts of the items.
    pub(crate) fn into_counts(self) -> ValueCounts {
        self.0
    }
}

impl Analyze for ItemCounts {
    fn empty(&self) -> Self {
        Self(self.0.empty())
    }

    fn prepare(&mut self, kind: Option<&ColumnKind>) {
        let item = match kind {
            Some(ColumnKind::List(item)) => Some(item.as_ref()),
            _ => None,
        };
        self.0.prepare(item);
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        let lists = Lists::of(rows.values[0].column()?, rows.names[0], "the transform")?;
        let items = Value::Column(lists.items_of_rows()?);
        self.0.rows(&Rows { names: rows.names.clone(), values: vec![&items], hashes: rows.hashes })
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        self.0.merge(later.0)
    }

    fn shed(&mut self, least: usize, scratch: &Scratch) -> Result<()> {
        self.0.shed(least, scratch)
    }

    fn sheddable_bytes(&self) -> usize {
        self.0.sheddable_bytes()
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}
