//! One-hot: one indicator per level seen in the training rows, levels sorted (numbers by value, text by
//! bytes). Null, NaN, infinities and levels not seen in training are none of them: all indicators are 0 (scikit-learn's
//! `OneHotEncoder(handle_unknown="ignore")`), unless `unseen: error`. The codes are expanded only where a model must see columns.

use arrow::array::Array as _;
use serde::{Deserialize, Serialize};

use sluice_core::error::{Error, Result};
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
    /// Levels of fewer training rows than this are left out, as if they were not seen.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub min_frequency: u64,
    /// The level that has no column of its own, so that the columns are not collinear with an intercept.
    #[serde(default, skip_serializing_if = "is_none")]
    pub drop: DropLevel,
    /// What is done with a value that is none of the levels.
    #[serde(default, skip_serializing_if = "is_no_level")]
    pub unseen: Unseen,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A level that has no column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropLevel {
    /// Every level has one.
    #[default]
    None,
    /// The first level has none: its rows are 0 throughout.
    First,
}

/// What is done with a value that is none of the levels; null and NaN are no values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// It has no level.
    #[default]
    None,
    /// It is an error.
    Error,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_no_level(unseen: &Unseen) -> bool {
    *unseen == Unseen::None
}

fn once() -> u64 {
    1
}

// Serde hands over references.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_once(count: &u64) -> bool {
    *count == 1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_none(drop: &DropLevel) -> bool {
    *drop == DropLevel::None
}

fn default_max_levels() -> usize {
    MAX_LEVELS
}

impl OfColumns for OneHot {
    fn of_columns(columns: Vec<String>) -> Self {
        Self {
            columns,
            max_levels: MAX_LEVELS,
            min_frequency: once(),
            drop: DropLevel::None,
            unseen: Unseen::None,
            names: Vec::new(),
        }
    }
}

impl Plan for OneHot {
    fn check(&self) -> Result<(), OptionsError> {
        if self.unseen == Unseen::Error && (self.min_frequency > 1 || self.drop != DropLevel::None) {
            return Err(OptionsError::Conflict {
                name: "one_hot".into(),
                problem: "leaves out levels of the training rows, which `unseen: error` would refuse".into(),
                hint: Some("leave out `unseen`, or `min_frequency` and `drop`".into()),
            });
        }
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
            let (min_frequency, drop) = (self.min_frequency, self.drop);
            let (column, max_levels) = (column.to_owned(), self.max_levels);
            let is_strict = self.unseen == Unseen::Error;
            let fitting = OneHotFitting { column, max_levels, min_frequency, drop, is_strict };
            graph.step(&[input], [(name, ValueKind::Codes)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct OneHotFitting {
    column: String,
    max_levels: usize,
    min_frequency: u64,
    drop: DropLevel,
    is_strict: bool,
}

impl Fitting for OneHotFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, ValueCounts::new())]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let (column, limit) = (self.column, self.max_levels);
        let counts = answers.into_iter().find_map(Analyzer::into_counts);
        let counted = counts.as_ref().map(|counts| Levels::of(counts, "one_hot", &column)).transpose()?;
        let (found, levels) = match (counted, &counts) {
            (Some(Some((mut levels, numbers))), _) => {
                let is_kept: Vec<bool> = numbers.iter().map(|count| *count >= self.min_frequency).collect();
                levels.retain(&is_kept);
                if self.drop == DropLevel::First {
                    let is_kept: Vec<bool> = (0..levels.len()).map(|level| level > 0).collect();
                    levels.retain(&is_kept);
                }
                if levels.len() == 0 && !numbers.is_empty() {
                    return Err(TransformError::NothingKept { operation: "one_hot", column }.into());
                }
                (levels.len(), Some(levels))
            }
            (_, Some(counts)) => (counts.limit(), None),
            (_, None) => (0, None),
        };
        match levels {
            _ if found == 0 => Err(TransformError::NoValues { operation: "one_hot", column }.into()),
            Some(levels) if found <= limit => {
                let table = LevelTable::new(levels);
                Ok(Fitted::Done(if self.is_strict {
                    Mapper::OneHotStrict(Box::new(StrictLevels(table)))
                } else {
                    Mapper::OneHot(Box::new(table))
                }))
            }
            _ => Err(TransformError::TooManyLevels { column, found, limit }.into()),
        }
    }
}

impl Map for LevelTable {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        Ok(vec![Value::Codes(self.codes_of(inputs)?)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        outputs.push(Cell::Code(self.code_of(inputs)?));
        Ok(())
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        Some(self.levels().labels())
    }
}

/// Levels that every value must be one of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StrictLevels(LevelTable);

impl Map for StrictLevels {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let codes = self.0.codes_of(inputs)?;
        if codes.null_count() > 0 {
            let texts = inputs.texts(0)?;
            let mut scratch = String::new();
            for row in (0..inputs.rows).filter(|row| codes.is_null(*row)) {
                if let Some(value) = texts.get(row, &mut scratch) {
                    let (column, value) = (inputs.names[0].to_owned(), value.to_owned());
                    return Err(Error::from(TransformError::Unseen { column, value }).at_row(row));
                }
            }
        }
        Ok(vec![Value::Codes(codes)])
    }

    fn labels(&self, _: usize) -> Option<Vec<String>> {
        Some(self.0.levels().labels())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_core::batch::Batch;
    use sluice_core::seam::BatchTransform as _;

    use crate::testing::{check_paths, columns_of, features, fitted, refusal};

    #[test]
    fn rare_levels_and_the_first_can_be_left_out() {
        let rows = columns_of(&json!({ "c": ["b", "a", "b", "d", "c", "c", "a", null] }));
        let names = |options: serde_json::Value| {
            let transform = fitted(&rows, &json!([{ "one_hot": options }])).unwrap();
            check_paths(&transform, &rows);
            features(&transform, &rows)
        };
        let often = names(json!({ "columns": ["c"], "min_frequency": 2 }));
        let found: Vec<&str> = often.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, ["c=a", "c=b", "c=c"]);
        assert!(often.iter().all(|(_, values)| values[3] == Some(0.0)), "d is none of them");
        let all_but_first = names(json!({ "columns": ["c"], "drop": "first" }));
        let found: Vec<&str> = all_but_first.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, ["c=b", "c=c", "c=d"]);
        let strict = json!([{ "one_hot": { "columns": ["c"], "unseen": "error" } }]);
        let transform = fitted(&rows, &strict).unwrap();
        check_paths(&transform, &rows);
        let later = Batch::new(&columns_of(&json!({ "c": ["a", null, "zz"] })));
        let error = transform.apply(&later).unwrap_err();
        assert_eq!(error.to_string(), "column `c` holds `zz`, which no training row held");
        let both = json!([{ "one_hot": { "columns": ["c"], "unseen": "error", "drop": "first" } }]);
        assert!(refusal(&rows, &both).contains("would refuse"));
        let one = columns_of(&json!({ "c": ["a", "a"] }));
        let message = refusal(&one, &json!([{ "one_hot": { "columns": ["c"], "drop": "first" } }]));
        assert!(message.contains("keeps no level of column `c`"), "{message}");
    }
}
