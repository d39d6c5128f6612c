//! Word count: how many words a text has (TFT's `word_count`). An empty text has none; null stays null (TFT:
//! 0).

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use super::words::{Split, WordOptions, Words};
use super::{Texts, code_of, not_text, text_input};
use crate::fit::Builder;
use crate::graph::{Cell, CellInputs};
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// The options of `word_count`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WordCount {
    /// The columns.
    pub columns: Vec<String>,
    /// Where words end.
    #[serde(default)]
    pub split: Split,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl OfColumns for WordCount {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, split: Split::Whitespace, names: Vec::new() }
    }
}

impl WordCount {
    fn words(&self) -> Result<Words, OptionsError> {
        let options = WordOptions {
            split: self.split.clone(),
            lowercase: false,
            ngrams: [1, 1],
            separator: String::new(),
        };
        Words::new("word_count", options)
    }
}

impl Plan for WordCount {
    fn check(&self) -> Result<(), OptionsError> {
        self.words().map(drop)
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = text_input(graph, column)?;
            let words = self.words()?;
            graph.step(&[input], [(name, ValueKind::FLOAT)], Known(Mapper::WordCount(words)))?;
        }
        Ok(())
    }
}

impl Map for Words {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let array = inputs.values[0].column()?;
        let count = |text: Option<&str>| text.map(|text| self.count(text) as f64);
        let counts: Float64Array = match Texts::of(array) {
            None => return Err(not_text(inputs.names[0], array, inputs.operation)),
            Some(Texts::Rows(view)) => (0..array.len()).map(|row| count(view.text(row))).collect(),
            Some(Texts::Coded(codes, texts)) => {
                let distinct: Vec<Option<f64>> = texts.iter().map(count).collect();
                let of_row = |row| code_of(codes, row).and_then(|code| distinct.get(code).copied().flatten());
                (0..codes.len()).map(of_row).collect()
            }
        };
        Ok(vec![Value::floats(counts)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        outputs.push(match inputs.cell(0) {
            Cell::Null => Cell::Null,
            Cell::Text(text) => Cell::Float(self.count(text) as f64),
            other => {
                let value = other.to_value();
                return Err(not_text(&inputs.names[0], value.column()?, inputs.operation));
            }
        });
        Ok(())
    }
}
