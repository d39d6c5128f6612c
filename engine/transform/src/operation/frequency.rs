//! Frequency: a value becomes the share of the training rows that hold it, all rows counted. Null, NaN, infinities and
//! values not seen in training become 0 (`CountEncoder(normalize=True, handle_unknown=0)` of scikit-learn-contrib, whose
//! share of null is its own: impute first for that).

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;

use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ValueCounts, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::levels::LevelTable;
use crate::operation::ordinal::counted_levels;
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// The options of `frequency`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frequency {
    /// The columns.
    pub columns: Vec<String>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl OfColumns for Frequency {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, names: Vec::new() }
    }
}

impl Plan for Frequency {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.scalar(column)?;
            let fitting = FrequencyFitting { column: column.to_owned() };
            graph.step(&[input], [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct FrequencyFitting {
    column: String,
}

impl Fitting for FrequencyFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, ValueCounts::new())]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let counts = answers.into_iter().find_map(Analyzer::into_counts);
        let others = counts.as_ref().map_or(0, ValueCounts::num_others);
        let (levels, counts) = counted_levels(counts.as_ref(), "frequency", self.column)?;
        let rows = others + counts.iter().sum::<u64>();
        let shares = counts.into_iter().map(|count| count as f64 / rows as f64).collect();
        let shares = Shares { levels: LevelTable::new(levels), shares };
        Ok(Fitted::Done(Mapper::Frequency(Box::new(shares))))
    }
}

/// Levels with their shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// The levels.
    pub levels: LevelTable,
    /// The share of each; 0 is that of everything else.
    pub shares: Vec<f64>,
}

impl Shares {
    fn of(&self, code: Option<u32>) -> f64 {
        code.and_then(|code| self.shares.get(code as usize)).copied().unwrap_or(0.0)
    }
}

impl Map for Shares {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let codes = self.levels.codes_of(inputs)?;
        let shares: Float64Array = codes.iter().map(|code| Some(self.of(code))).collect();
        debug_assert_eq!(shares.null_count(), 0);
        Ok(vec![Value::floats(shares)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        outputs.push(Cell::Float(self.of(self.levels.code_of(inputs)?)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{check_laws, check_paths, columns_of, features, fitted};

    #[test]
    fn it_is_the_share_of_all_training_rows() {
        let rows = columns_of(&json!({
            "c": ["b", null, "a", "b", "b"],
            "x": [1.5, 1.5, null, 2, 2.5],
        }));
        let fit = json!([{ "frequency": ["c", "x"] }]);
        let transform = fitted(&rows, &fit).unwrap();
        let later = columns_of(&json!({ "c": ["a", "b", "z", null], "x": [2, 1.5, 7, null] }));
        let found = features(&transform, &later);
        assert_eq!(found[0].1, [Some(0.2), Some(0.6), Some(0.0), Some(0.0)]);
        assert_eq!(found[1].1, [Some(0.2), Some(0.4), Some(0.0), Some(0.0)]);
        check_paths(&transform, &later);
        check_laws(&rows, &fit);
    }

    #[test]
    fn an_imputed_value_counts() {
        let rows = columns_of(&json!({ "c": ["b", null, "a", null] }));
        let fit = json!([
            { "impute": { "columns": ["c"], "with": { "constant": "none" } } },
            { "frequency": ["c"] },
        ]);
        let found = features(&fitted(&rows, &fit).unwrap(), &rows);
        assert_eq!(found[0].1, [Some(0.25), Some(0.5), Some(0.25), Some(0.5)]);
    }
}
