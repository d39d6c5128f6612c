//! Pad: a list of numbers as a fixed number of columns, `x.0`, `x.1`, … (Keras' `pad_sequences`). A shorter
//! list is filled with a value, a longer one cut, both at one side: at the `end`, so that `x.0` is the first
//! item, or at the `start`, so that the last column is the last item. An empty list is all filling; a null
//! list is null in every column; null items stay null, NaN stays NaN, infinities stay.

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use super::{Lists, is_number, list_input};
use crate::fit::Builder;
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// More columns than this are refused.
const MAX_LENGTH: usize = 10_000;

/// Where lists are filled and cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Before the first item.
    Start,
    /// After the last.
    #[default]
    End,
}

/// The options of `pad`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pad {
    /// The columns.
    pub columns: Vec<String>,
    /// How many columns each becomes.
    pub length: usize,
    /// What fills up.
    #[serde(default)]
    pub value: f64,
    /// Where to fill and to cut.
    #[serde(default)]
    pub side: Side,
    /// What stands before the point in the names of the results, one each; the name of the column without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Plan for Pad {
    fn check(&self) -> Result<(), OptionsError> {
        let refused = |name: &str, value: String, range: String| OptionsError::OutOfRange {
            name: format!("pad.{name}"),
            value,
            range,
        };
        if !(1..=MAX_LENGTH).contains(&self.length) {
            return Err(refused("length", self.length.to_string(), format!("from 1 to {MAX_LENGTH}")));
        }
        if !self.value.is_finite() {
            return Err(refused("value", self.value.to_string(), "a finite number".into()));
        }
        Ok(())
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = list_input(graph, column, is_number, "lists of numbers")?;
            let names: Vec<String> = (0..self.length).map(|place| format!("{name}.{place}")).collect();
            let outputs = names.iter().map(|name| (name.as_str(), ValueKind::FLOAT));
            let padding = Padding { length: self.length, value: self.value, side: self.side };
            graph.step(&[input], outputs, Known(Mapper::Pad(padding)))?;
        }
        Ok(())
    }
}

/// How lists are filled and cut.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Padding {
    /// Columns.
    pub length: usize,
    /// What fills up.
    pub value: f64,
    /// Where to fill and to cut.
    pub side: Side,
}

impl Padding {
    /// Which of so many items stands in a column; `None` for filling.
    fn item(&self, column: usize, items: usize) -> Option<usize> {
        match self.side {
            Side::End => (column < items).then_some(column),
            Side::Start => (column + items).checked_sub(self.length),
        }
    }
}

impl Map for Padding {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let lists = Lists::of_inputs(inputs)?;
        let numbers = lists.numbers(inputs.names[0], inputs.operation)?;
        let cell = |column: usize, row: usize| {
            let range = lists.range(row)?;
            match self.item(column, range.len()) {
                None => Some(self.value),
                Some(item) => {
                    let place = range.start + item;
                    numbers.is_valid(place).then(|| numbers.value(place))
                }
            }
        };
        let column = |column| (0..lists.rows()).map(|row| cell(column, row)).collect::<Float64Array>();
        Ok((0..self.length).map(|index| Value::floats(column(index))).collect())
    }
}
