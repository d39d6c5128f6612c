//! One-hot: one indicator per level seen in the training rows, levels sorted (numbers by value, text by
//! bytes). Null, NaN, infinities and levels not seen in training are none of them: all indicators are 0 (scikit-learn's
//! `OneHotEncoder(handle_unknown="ignore")`). The codes are expanded only where a model must see columns.

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ValueCounts, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::levels::{LevelTable, Levels};
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// Levels of a one-hot column unless told otherwise.
pub const MAX_LEVELS: usize = 1000;

/// The options of `one_hot`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneHot {
    /// The columns.
    pub columns: Vec<String>,
    /// More levels than this in the training rows are an error.
    #[serde(default = "default_max_levels")]
    pub max_levels: usize,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn default_max_levels() -> usize {
    MAX_LEVELS
}

impl OfColumns for OneHot {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, max_levels: MAX_LEVELS, names: Vec::new() }
    }
}

impl Plan for OneHot {
    fn check(&self) -> Result<(), OptionsError> {
        if self.max_levels > 0 {
            return Ok(());
        }
        Err(OptionsError::OutOfRange {
            name: "one_hot.max_levels".into(),
            value: "0".into(),
            range: "at least 1".into(),
        })
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.scalar(column)?;
            let (column, max_levels) = (column.to_owned(), self.max_levels);
            graph.step(&[input], [(name, ValueKind::Codes)], OneHotFitting { column, max_levels })?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct OneHotFitting {
    column: String,
    max_levels: usize,
}

impl Fitting for OneHotFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, ValueCounts::new())]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let (column, limit) = (self.column, self.max_levels);
        let counts = answers.into_iter().find_map(Analyzer::into_counts);
        let (found, levels) = match &counts {
            Some(counts) if counts.is_complete() => {
                let levels = Levels::of(counts, "one_hot", &column)?;
                (levels.len(), Some(levels))
            }
            Some(counts) => (counts.len(), None),
            None => (0, None),
        };
        match levels {
            _ if found == 0 => Err(TransformError::NoValues { operation: "one_hot", column }.into()),
            Some(levels) if found <= limit => {
                Ok(Fitted::Done(Mapper::OneHot(Box::new(LevelTable::new(levels)))))
            }
            _ => Err(TransformError::TooManyLevels { column, found, limit }.into()),
        }
    }
}

impl Map for LevelTable {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.values[0].column()?;
        let codes = self.codes(values).ok_or_else(|| TransformError::KindChanged {
            operation: inputs.operation.to_owned(),
            column: inputs.names[0].to_owned(),
            found: ColumnKind::of(values.data_type()).to_string(),
        })?;
        Ok(vec![Value::Codes(codes)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let code = self.code(inputs.cell(0)).map_err(|found| TransformError::KindChanged {
            operation: inputs.operation.to_owned(),
            column: inputs.names[0].clone(),
            found,
        })?;
        outputs.push(Cell::Code(code));
        Ok(())
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        Some(self.levels().labels())
    }
}
