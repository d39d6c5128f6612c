//! Metrics that users make: the weighted mean of an SQL expression over the columns of a row and what was predicted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::RESERVED_PREFIX;
use sluice_core::column::ColumnKind;
use sluice_core::error::{Error, Result};
use sluice_core::options::OptionsError;
use sluice_core::plan::Plan;
use sluice_expressions::Expression;

use crate::metric::{Definition, Direction, ExpressionFormula, Formula, Metric, TaskKind};

/// The prediction of the model that is measured, in expressions.
pub(crate) const PREDICTION: &str = "prediction";

/// The label as predictions are compared with it, in expressions.
pub(crate) const LABEL: &str = "label";

/// A metric that is the mean of an expression.
///
/// ```
/// let cost: sluice_evaluation::CustomMetric = serde_json::from_str(
///     r#"{"name": "cost", "expression": "abs(prediction - label) * price", "direction": "lower-is-better"}"#,
/// )?;
/// assert_eq!(cost.name, "cost");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomMetric {
    /// Its name in reports and requirements.
    pub name: String,
    /// What it is the mean of: an SQL scalar expression over the columns of the data, `prediction` and `label`.
    pub expression: String,
    /// Which way it improves; `none` unless given.
    #[serde(default = "undirected")]
    pub direction: Direction,
}

fn undirected() -> Direction {
    Direction::None
}

/// An entry of `metrics:`: the name of a metric, or one that is made there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum MetricEntry {
    /// As in `precision(threshold=0.3)`.
    Name(String),
    /// One of the user's own.
    Custom(CustomMetric),
}

impl MetricEntry {
    /// The names, and the user's own, each in order.
    #[must_use]
    pub fn split(entries: Vec<Self>) -> (Vec<String>, Vec<CustomMetric>) {
        let (mut names, mut custom) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                Self::Name(name) => names.push(name),
                Self::Custom(metric) => custom.push(metric),
            }
        }
        (names, custom)
    }
}

impl CustomMetric {
    /// The metric, not bound to columns yet.
    ///
    /// # Errors
    /// A name that is empty, has parentheses, or is that of another metric.
    pub(crate) fn check(&self) -> Result<Arc<Metric>, OptionsError> {
        let problem = if self.name.trim().is_empty() || self.name.contains(['(', ')']) {
            Some("must have letters, and no parentheses")
        } else if Definition::all().any(|known| known.is_called(&self.name)) {
            Some("is the name of another metric")
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(OptionsError::Conflict {
                name: "metrics.name".into(),
                problem: format!("`{}` {problem}", self.name),
                hint: Some("give the metric a name of its own".into()),
            });
        }
        Ok(Arc::new(Metric {
            name: self.name.clone(),
            meaning: format!("mean of {}", self.expression),
            direction: self.direction,
            tasks: vec![TaskKind::Regression, TaskKind::Binary],
            label: None,
            formula: Formula::Expression(ExpressionFormula {
                name: self.name.clone(),
                text: self.expression.clone(),
                bound: None,
            }),
        }))
    }
}

/// The metric with its expression, if it has one, bound to the columns of the data.
///
/// # Errors
/// What is not SQL, a column that is not there, an answer that is no number.
pub(crate) fn bound(metric: &Arc<Metric>, plan: &Plan) -> Result<Arc<Metric>> {
    let Formula::Expression(formula) = &metric.formula else { return Ok(Arc::clone(metric)) };
    let own = [PREDICTION, LABEL];
    let theirs = plan
        .columns
        .iter()
        .filter(|column| !column.name.starts_with(RESERVED_PREFIX) && !own.contains(&column.name.as_str()));
    let mut columns: Vec<(String, ColumnKind)> =
        theirs.map(|column| (column.name.clone(), column.kind.clone())).collect();
    columns.extend(own.map(|name| (name.to_owned(), ColumnKind::Float)));
    let expression = Expression::parse(&formula.text, &columns)
        .map_err(|error| Error::from(error).in_place(format!("metric `{}`", metric.name)))?;
    let is_number = matches!(
        expression.kind(),
        ColumnKind::Boolean
            | ColumnKind::Integer
            | ColumnKind::Unsigned
            | ColumnKind::Float
            | ColumnKind::Decimal { .. }
    );
    if !is_number {
        return Err(OptionsError::Conflict {
            name: format!("metrics.{}", metric.name),
            problem: format!("answers {}, which has no mean", expression.kind()),
            hint: Some("let the expression answer a number, or true and false".into()),
        }
        .into());
    }
    let formula = ExpressionFormula { bound: Some(Arc::new(expression)), ..formula.clone() };
    Ok(Arc::new(Metric { formula: Formula::Expression(formula), ..metric.as_ref().clone() }))
}
