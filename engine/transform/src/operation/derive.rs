//! Derive: a column from an SQL expression over columns (docs/expressions.md): arithmetic, conditions, text, dates.
//! It sees the values that earlier operations left under their names. Null, NaN and errors of single rows follow the
//! rules of expressions; an expression without an answer for a row stops with the row.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use sluice_core::batch::Batch;
use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_expressions::Expression;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// The options of `derive`: expressions by the names of their results, in the order of names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Derive(pub BTreeMap<String, String>);

impl Plan for Derive {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (name, text) in &self.0 {
            let columns = graph.known_columns();
            let place = || format!("`derive.{name}`");
            let bound = Expression::parse(text, &columns)
                .map_err(|error| sluice_core::Error::from(error).in_place(place()))?;
            if bound.columns().is_empty() {
                return Err(TransformError::Constantless { operation: "derive", name: name.clone() }.into());
            }
            let inputs =
                bound.columns().iter().map(|column| graph.read(column)).collect::<Result<Vec<_>, _>>()?;
            let kinds = inputs.iter().map(|input| input.kind.column().cloned().unwrap_or(ColumnKind::Null));
            let columns = bound.columns().iter().cloned().zip(kinds).collect();
            let kind = ValueKind::Column(bound.kind().clone());
            let derived = Derived::new(text.clone(), columns)?;
            graph.step(&inputs, [(name.as_str(), kind)], Known(Mapper::Derive(derived)))?;
        }
        Ok(())
    }
}

/// An expression with the kinds of the columns that it reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "StoredDerived", into = "StoredDerived")]
pub struct Derived {
    text: String,
    columns: Vec<(String, ColumnKind)>,
    expression: Box<Expression>,
}

#[derive(Serialize, Deserialize)]
struct StoredDerived {
    expression: String,
    columns: Vec<(String, ColumnKind)>,
}

impl TryFrom<StoredDerived> for Derived {
    type Error = String;

    fn try_from(stored: StoredDerived) -> Result<Self, String> {
        Self::new(stored.expression, stored.columns).map_err(|error| error.to_string())
    }
}

impl From<Derived> for StoredDerived {
    fn from(derived: Derived) -> Self {
        Self { expression: derived.text, columns: derived.columns }
    }
}

impl PartialEq for Derived {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.columns == other.columns
    }
}

impl Derived {
    fn new(text: String, columns: Vec<(String, ColumnKind)>) -> Result<Self> {
        let expression = Expression::parse(&text, &columns)?;
        Ok(Self { text, columns, expression: Box::new(expression) })
    }

    /// The expression, over the columns that the operation reads.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The text of the expression.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl Map for Derived {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let mut columns = Vec::with_capacity(self.columns.len());
        for ((name, _), value) in self.columns.iter().zip(&inputs.values) {
            columns.push((name.as_str(), std::sync::Arc::clone(value.column()?)));
        }
        let batch = RecordBatch::try_from_iter(columns)
            .map_err(|error| CommonError::Internal(format!("`derive` of `{}`: {error}", self.text)))?;
        Ok(vec![Value::Column(self.expression.evaluate(&Batch::new(&batch))?)])
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        ArrayRef, Date32Array, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use serde_json::json;
    use sluice_core::seam::BatchTransform;

    use super::*;
    use crate::testing::{check_laws, check_paths, feature, features, fitted, refusal, table};

    fn trips() -> RecordBatch {
        let hour = 3_600_000_000;
        table(vec![
            (
                "fare",
                Arc::new(Float64Array::from(vec![Some(10.0), None, Some(f64::NAN), Some(30.0)])) as ArrayRef,
            ),
            ("riders", Arc::new(Int64Array::from(vec![2, 0, 1, 4]))),
            ("code", Arc::new(StringArray::from(vec!["7", "8", "9", "1"]))),
            (
                "began",
                Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(hour), None, Some(25 * hour)])),
            ),
            ("ended", Arc::new(TimestampMicrosecondArray::from(vec![hour, 3 * hour, hour, 26 * hour]))),
            ("born", Arc::new(Date32Array::from(vec![Some(0), Some(366), None, Some(-1)]))),
        ])
    }

    #[test]
    fn later_operations_read_what_was_derived() {
        let operations = json!([
            { "derive": { "share": "fare / riders", "whole": "CAST(code AS BIGINT)" } },
            { "derive": { "double": "2 * whole + coalesce(share, 0)" } },
            { "impute": { "columns": ["share"], "with": { "constant": 0 } } },
            { "clip": { "columns": ["whole"], "at_most": 8 } },
            { "standardize": { "columns": ["double"], "as": ["z"] } },
            { "one_hot": { "columns": ["whole"], "as": ["level"] } },
        ]);
        let rows = trips().slice(0, 2);
        let transform = fitted(&rows, &operations).unwrap();
        check_paths(&transform, &rows);
        assert_eq!(feature(&transform, &rows, "share"), [Some(5.0), Some(0.0)]);
        // An expression sees what a name stood for when it was planned: `share` not yet imputed, `whole` not yet clipped.
        assert_eq!(feature(&transform, &rows, "double"), [Some(19.0), Some(16.0)]);
        assert_eq!(feature(&transform, &rows, "z"), [Some(1.0), Some(-1.0)]);
        assert_eq!(feature(&transform, &rows, "level=8"), [Some(0.0), Some(1.0)]);
        check_laws(&rows, &operations);
    }

    #[test]
    fn null_and_nan_follow_the_rules_of_expressions() {
        let rows = trips();
        let operations = json!([
            { "derive": {
                "per rider": "fare / riders",
                "is dear": "fare > 20",
                "kind": "CASE WHEN riders > 1 THEN 'many' WHEN riders = 1 THEN 'one' END",
            } },
            { "one_hot": ["kind"] },
        ]);
        let transform = fitted(&rows, &operations).unwrap();
        check_paths(&transform, &rows);
        let shares = feature(&transform, &rows, "per rider");
        assert_eq!((shares[0], shares[1], shares[3]), (Some(5.0), None, Some(7.5)));
        assert!(shares[2].unwrap().is_nan());
        assert_eq!(feature(&transform, &rows, "is dear"), [Some(0.0), None, Some(0.0), Some(1.0)]);
        assert_eq!(feature(&transform, &rows, "kind=many"), [Some(1.0), Some(0.0), Some(0.0), Some(1.0)]);
    }

    #[test]
    fn dates_are_inputs_and_on_the_way() {
        let rows = trips();
        let operations = json!([
            { "derive": {
                "hours": "date_diff('hour', began, ended)",
                "began hour": "hour(began)",
                "age": "(DATE '1971-01-02' - born) / 365.25",
                "day": "CAST(began AS DATE)",
            } },
            { "derive": { "is holiday": "day = DATE '1970-01-02'" } },
            { "date_parts": { "columns": ["day"], "parts": ["weekday"] } },
            { "drop": ["day"] },
        ]);
        let transform = fitted(&rows, &operations).unwrap();
        check_paths(&transform, &rows);
        assert_eq!(feature(&transform, &rows, "hours"), [Some(1.0), Some(2.0), None, Some(1.0)]);
        assert_eq!(feature(&transform, &rows, "began hour"), [Some(0.0), Some(1.0), None, Some(1.0)]);
        let ages = [Some(366.0 / 365.25), Some(0.0), None, Some(367.0 / 365.25)];
        assert_eq!(feature(&transform, &rows, "age"), ages);
        assert_eq!(feature(&transform, &rows, "is holiday"), [Some(0.0), Some(0.0), None, Some(1.0)]);
        assert_eq!(feature(&transform, &rows, "day.weekday"), [Some(4.0), Some(4.0), None, Some(5.0)]);
        assert!(!features(&transform, &rows).iter().any(|(name, _)| name == "day"));
    }

    #[test]
    fn an_error_names_the_place_before_a_row_is_read() {
        let message = |expression: &str| refusal(&trips(), &json!([{ "derive": { "y": expression } }]));
        let unknown = message("fare + fares");
        assert!(
            unknown.contains("reads column `fares`") && unknown.contains("line 1, column 8"),
            "{unknown}"
        );
        assert!(unknown.contains("did you mean `fare`?"), "{unknown}");
        let kinds = message("code + 1");
        assert!(kinds.contains("line 1, column"), "{kinds}");
        assert!(message("fare +").contains("is not valid SQL"));
        assert!(message("1 + 1").starts_with("`derive` makes `y` from no column"));
        assert!(message("began").contains("column `y` is timestamp"));
        let levels = json!([{ "one_hot": ["code"] }, { "derive": { "y": "code" } }]);
        let refused = refusal(&trips(), &levels);
        assert!(refused.contains("reads column `code`"), "levels are no column of an expression: {refused}");
    }

    #[test]
    fn an_expression_without_an_answer_names_the_row() {
        let operations = json!([{ "derive": { "n": "CAST(code AS BIGINT)" } }]);
        let transform = fitted(&trips(), &operations).unwrap();
        let rows = table(vec![("code", Arc::new(StringArray::from(vec!["7", "x"])) as ArrayRef)]);
        let mut error = transform.apply(&Batch::new(&rows)).unwrap_err();
        assert!(error.to_string().contains("CAST(code AS BIGINT)"), "{error}");
        assert_eq!(error.take_row(), Some(1));
        let changed = table(vec![("code", Arc::new(Int64Array::from(vec![7])) as ArrayRef)]);
        let error = transform.apply(&Batch::new(&changed)).unwrap_err();
        assert!(error.to_string().starts_with("column `code` is integer"), "{error}");
    }
}
