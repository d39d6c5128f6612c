//! Multi-hot: one indicator per item seen in the lists of the training rows, sorted (numbers by value, text
//! by bytes), 1 where the list of a row has the item, however often (scikit-learn's `MultiLabelBinarizer`,
//! TFT's vocabulary on a sparse column followed by an indicator). Sparse. An empty list and null have none of
//! the items; null, NaN and infinite items and items not seen in training are none of them.

use std::sync::Arc;

use arrow::array::Array;
use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use super::{Lists, list_input};
use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ItemCounts, Wanted};
use crate::operation::levels::{LevelTable, Levels};
use crate::operation::one_hot::MAX_LEVELS;
use crate::operation::sparse::SparseBuilder;
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// The options of `multi_hot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiHot {
    /// The columns.
    pub columns: Vec<String>,
    /// More different items than this in the training rows are an error.
    #[serde(default = "default_max_levels")]
    pub max_levels: usize,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn default_max_levels() -> usize {
    MAX_LEVELS
}

impl OfColumns for MultiHot {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, max_levels: MAX_LEVELS, names: Vec::new() }
    }
}

fn is_level(item: &ColumnKind) -> bool {
    matches!(
        item,
        ColumnKind::Text
            | ColumnKind::Integer
            | ColumnKind::Unsigned
            | ColumnKind::Float
            | ColumnKind::Boolean
            | ColumnKind::Null
    )
}

impl Plan for MultiHot {
    fn check(&self) -> Result<(), OptionsError> {
        if self.max_levels > 0 {
            return Ok(());
        }
        Err(OptionsError::OutOfRange {
            name: "multi_hot.max_levels".into(),
            value: "0".into(),
            range: "at least 1".into(),
        })
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = list_input(graph, column, is_level, "lists of text, numbers or booleans")?;
            let (column, max_levels) = (column.to_owned(), self.max_levels);
            graph.step(&[input], [(name, ValueKind::Sparse)], MultiHotFitting { column, max_levels })?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct MultiHotFitting {
    column: String,
    max_levels: usize,
}

impl Fitting for MultiHotFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, ItemCounts::new())]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let (operation, column, limit) = ("multi_hot", self.column, self.max_levels);
        let no_values = || TransformError::NoValues { operation, column: column.clone() };
        let counts = answers.into_iter().find_map(Analyzer::into_items).ok_or_else(no_values)?;
        match Levels::of(&counts, operation, &column)? {
            Some((levels, _)) if levels.len() == 0 => Err(no_values().into()),
            Some((levels, _)) if levels.len() <= limit => {
                Ok(Fitted::Done(Mapper::MultiHot(Indicators(LevelTable::new(levels)))))
            }
            counted => {
                let found = counted.map_or(counts.limit(), |(levels, _)| levels.len());
                Err(TransformError::TooManyLevels { column, found, limit }.into())
            }
        }
    }
}

/// An indicator for each level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Indicators(LevelTable);

impl Map for Indicators {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let lists = Lists::of_inputs(inputs)?;
        let items = lists.items();
        let codes = self.0.codes(&items).ok_or_else(|| TransformError::KindChanged {
            operation: inputs.operation.to_owned(),
            column: inputs.names[0].to_owned(),
            found: format!("list of {}", ColumnKind::of(items.data_type())),
        })?;
        let mut rows = SparseBuilder::with_capacity(lists.rows());
        let mut present: Vec<u32> = Vec::new();
        for row in 0..lists.rows() {
            present.clear();
            let places = lists.range(row).unwrap_or_default();
            present.extend(places.filter(|place| codes.is_valid(*place)).map(|place| codes.value(place)));
            present.sort_unstable();
            present.dedup();
            rows.push(present.iter().map(|code| (*code, 1.0)))?;
        }
        Ok(vec![Value::Sparse(Arc::new(rows.finish()))])
    }

    fn is_sparse(&self) -> bool {
        true
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        Some(self.0.levels().labels())
    }
}
