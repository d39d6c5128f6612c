//! Ordinal: the levels seen in the training rows, sorted (numbers by value, text by bytes), become 0, 1, 2, …
//! (scikit-learn's `OrdinalEncoder`). Null, NaN, infinities and levels not seen in training become null, or the number
//! that is given for them.

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

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

/// The options of `ordinal`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordinal {
    /// The columns.
    pub columns: Vec<String>,
    /// What stands for null, NaN, infinities and levels not seen in training; null without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unseen: Option<f64>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl OfColumns for Ordinal {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, unseen: None, names: Vec::new() }
    }
}

impl Plan for Ordinal {
    fn check(&self) -> Result<(), OptionsError> {
        finite("ordinal.unseen", self.unseen)
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.scalar(column)?;
            let fitting = OrdinalFitting { column: column.to_owned(), unseen: self.unseen };
            graph.step(&[input], [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

/// That an optional number is finite.
pub(crate) fn finite(name: &str, value: Option<f64>) -> Result<(), OptionsError> {
    match value {
        Some(value) if !value.is_finite() => Err(OptionsError::OutOfRange {
            name: name.into(),
            value: value.to_string(),
            range: "a finite number".into(),
        }),
        _ => Ok(()),
    }
}

#[derive(Debug)]
struct OrdinalFitting {
    column: String,
    unseen: Option<f64>,
}

impl Fitting for OrdinalFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, ValueCounts::new())]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let counts = answers.into_iter().find_map(Analyzer::into_counts);
        let (levels, _) = counted_levels(counts.as_ref(), "ordinal", self.column)?;
        let ordinals = Ordinals { levels: LevelTable::new(levels), unseen: self.unseen };
        Ok(Fitted::Done(Mapper::Ordinal(Box::new(ordinals))))
    }
}

/// The levels that were counted with how often each occurs, sorted.
pub(crate) fn counted_levels(
    counts: Option<&ValueCounts>,
    operation: &'static str,
    column: String,
) -> Result<(Levels, Vec<u64>)> {
    let Some(counts) = counts else {
        return Err(TransformError::NoValues { operation, column }.into());
    };
    match Levels::of(counts, operation, &column)? {
        None => Err(TransformError::TooManyValues { operation, column, limit: counts.limit() }.into()),
        Some((levels, _)) if levels.len() == 0 => Err(TransformError::NoValues { operation, column }.into()),
        Some(counted) => Ok(counted),
    }
}

/// Levels with their places.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ordinals {
    /// The levels; the place of each is its number.
    pub levels: LevelTable,
    /// What stands for everything else.
    pub unseen: Option<f64>,
}

impl Map for Ordinals {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let codes = self.levels.codes_of(inputs)?;
        let numbers: Float64Array = (0..codes.len())
            .map(|row| if codes.is_null(row) { self.unseen } else { Some(f64::from(codes.value(row))) })
            .collect();
        Ok(vec![Value::floats(numbers)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let number = self.levels.code_of(inputs)?.map(f64::from).or(self.unseen);
        outputs.push(number.map_or(Cell::Null, Cell::Float));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{check_laws, check_paths, columns_of, features, fitted, reference, refusal};

    #[test]
    fn it_agrees_with_scikit_learn() {
        let case = &reference("categories.json")["ordinal"];
        let rows = columns_of(&case["fitted_on"]);
        let transform = fitted(&rows, &json!([{ "ordinal": { "columns": ["text", "number"] } }])).unwrap();
        let found = features(&transform, &columns_of(&case["input"]));
        for (feature, (_, values)) in found.iter().enumerate() {
            let expected: Vec<Option<f64>> =
                case["output"].as_array().unwrap().iter().map(|row| row[feature].as_f64()).collect();
            assert_eq!(*values, expected);
        }
        check_paths(&transform, &columns_of(&case["input"]));
        check_laws(&rows, &json!([{ "ordinal": ["text", "number"] }]));
    }

    #[test]
    fn what_was_not_seen_is_null_or_the_number_given() {
        let rows = columns_of(&json!({ "c": ["b", null, "a"] }));
        let fit = json!([{ "ordinal": { "columns": ["c"], "unseen": -1, "as": ["place"] } }]);
        let transform = fitted(&rows, &fit).unwrap();
        let later = columns_of(&json!({ "c": [null, "z", "b"] }));
        assert_eq!(
            features(&transform, &later),
            [("place".to_owned(), vec![Some(-1.0), Some(-1.0), Some(1.0)])]
        );
        check_paths(&transform, &later);
        let nothing = columns_of(&json!({ "c": [null, null] }));
        assert!(refusal(&nothing, &json!([{ "ordinal": ["c"] }])).starts_with("`ordinal` finds no value"));
    }
}
