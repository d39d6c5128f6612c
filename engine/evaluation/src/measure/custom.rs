//! The numbers of metrics that users make, for the rows of one batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use serde::{Deserialize, Serialize};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::{CommonError, Result};
use sluice_expressions::Expression;

use super::{blame, scored};
use crate::custom::{LABEL, PREDICTION};
use crate::metric::ExpressionFormula;

/// Which expressions there are; a term is the place of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct CustomPlan {
    metrics: Vec<(String, String)>,
}

impl CustomPlan {
    /// The place of an expression.
    pub(crate) fn add(&mut self, formula: &ExpressionFormula) -> usize {
        self.place(formula).unwrap_or_else(|| {
            self.metrics.push((formula.name.clone(), formula.text.clone()));
            self.metrics.len() - 1
        })
    }

    pub(crate) fn place(&self, formula: &ExpressionFormula) -> Option<usize> {
        self.metrics.iter().position(|(name, text)| *name == formula.name && *text == formula.text)
    }

    /// The numbers of every expression, of the candidate and of the baseline.
    pub(crate) fn values(
        &self,
        expressions: &[Arc<Expression>],
        batch: &Batch,
        label: &[f64],
        candidate: &[f64],
        baseline: Option<&[f64]>,
    ) -> Result<Vec<[Vec<f64>; 2]>> {
        if expressions.len() != self.metrics.len() {
            return Err(CommonError::Internal("a metric is not bound to the data".into()).into());
        }
        let of = |((name, _), expression): (&(String, String), &Arc<Expression>)| {
            let own = evaluated(name, expression, batch, label, candidate)?;
            let theirs = match baseline {
                Some(baseline) => evaluated(name, expression, batch, label, baseline).map_err(blame)?,
                None => Vec::new(),
            };
            Ok([own, theirs])
        };
        self.metrics.iter().zip(expressions).map(of).collect()
    }
}

/// Adds the columns that expressions read.
pub(crate) fn with_columns(mut inputs: Inputs, expressions: &[Arc<Expression>]) -> Inputs {
    for column in expressions.iter().flat_map(|expression| expression.columns()) {
        if ![PREDICTION, LABEL].contains(&column.as_str()) {
            inputs = inputs.with_column(column);
        }
    }
    inputs
}

fn evaluated(
    name: &str,
    expression: &Expression,
    batch: &Batch,
    label: &[f64],
    prediction: &[f64],
) -> Result<Vec<f64>> {
    let of = |values: &[f64]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    let mut columns = vec![(PREDICTION, of(prediction)), (LABEL, of(label))];
    for column in expression.columns() {
        if ![PREDICTION, LABEL].contains(&column.as_str()) {
            columns.push((column, Arc::clone(batch.require(column)?)));
        }
    }
    let rows = RecordBatch::try_from_iter(columns)
        .map_err(|error| CommonError::Internal(format!("columns of a batch do not fit: {error}")))?;
    let answers = expression.evaluate(&Batch::new(&rows))?;
    let answers = numbers(name, &answers, "a metric")?;
    Ok(scored::finite(&answers, || format!("metric `{name}`"))?.to_vec())
}

#[cfg(test)]
mod tests {
    use sluice_core::execution::Execution;
    use sluice_core::seam::Task;
    use sluice_testkit::close::assert_relative;
    use sluice_testkit::memory::MemorySource;

    use crate::fixture::{numbers, table, texts};
    use crate::gate::{Outcome, RequirementOptions};
    use crate::metric::golden::Given;
    use crate::{Baseline, CustomMetric, EvaluateOptions, Evaluation, MetricEntry, evaluate};

    const Y: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
    const C: [f64; 4] = [1.5, 2.0, 3.0, 9.0];
    const B: [f64; 4] = [1.0, 1.0, 4.0, 11.0];
    const PRICE: [f64; 4] = [2.0, 1.0, 3.0, 0.5];

    fn cost(expression: &str) -> CustomMetric {
        serde_json::from_value(serde_json::json!({
            "name": "cost", "expression": expression, "direction": "lower-is-better"
        }))
        .unwrap()
    }

    fn run(options: &EvaluateOptions) -> sluice_core::error::Result<Evaluation> {
        let columns = [
            ("y", numbers(&Y)),
            ("c", numbers(&C)),
            ("b", numbers(&B)),
            ("price", numbers(&PRICE)),
            ("kind", texts(&["p", "q", "p", "q"])),
            // A column of the data does not hide the prediction of the same name.
            ("prediction", numbers(&[100.0; 4])),
        ];
        let source = MemorySource::new(&table(&columns), 3);
        let candidate = Given::predictor(&["c"], Task::Regression);
        let baseline = Baseline::Model(Given::predictor(&["b"], Task::Regression));
        evaluate(&source, &candidate, &baseline, options, &Execution::with_threads(2))
    }

    fn options(expression: &str) -> EvaluateOptions {
        EvaluateOptions { custom: vec![cost(expression)], ..EvaluateOptions::default() }
    }

    #[test]
    fn an_expression_is_a_metric_with_value_error_and_requirement() {
        let own: Vec<f64> = (0..4).map(|row| (C[row] - Y[row]).abs() * PRICE[row]).collect();
        let theirs: Vec<f64> = (0..4).map(|row| (B[row] - Y[row]).abs() * PRICE[row]).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / 4.0;
        let require = RequirementOptions {
            metric: "cost".into(),
            at_most: Some(1.0),
            block_if_worse: Some(0.0.into()),
            ..RequirementOptions::default()
        };
        let asked = EvaluateOptions { require: vec![require], ..options("abs(prediction - label) * price") };
        let evaluation = run(&asked).unwrap();
        let slice = &evaluation.slices[0];
        assert_eq!(slice.candidate.len(), 1);
        assert_relative(slice.candidate["cost"].unwrap(), mean(&own), 1e-15);
        assert_relative(slice.baseline.as_ref().unwrap()["cost"].unwrap(), mean(&theirs), 1e-15);
        let change = &slice.changes.as_ref().unwrap()["cost"];
        let rows: Vec<f64> = own.iter().zip(&theirs).map(|(own, theirs)| own - theirs).collect();
        let centre = mean(&rows);
        let variance: f64 = rows.iter().map(|row| (row - centre).powi(2)).sum::<f64>() / 3.0 / 4.0;
        assert_relative(change.standard_error.unwrap(), variance.sqrt(), 1e-14);
        assert_eq!(evaluation.verdict.outcome, Outcome::Fail);
        assert!(evaluation.verdict.failures().next().unwrap().text.contains("`cost` is 1.125"));
    }

    #[test]
    fn weights_conditions_and_constants_count() {
        let weighted = EvaluateOptions { weight: Some("price".into()), ..options("prediction > label") };
        let slice = &run(&weighted).unwrap().slices[0];
        assert_relative(slice.candidate["cost"].unwrap(), 2.5 / 6.5, 1e-15);
        let slice = &run(&options("2")).unwrap().slices[0];
        assert_relative(slice.candidate["cost"].unwrap(), 2.0, 0.0);
    }

    #[test]
    fn wrong_expressions_are_refused_before_any_row() {
        for (expression, message) in [
            ("prices + 1", "reads column `prices`, which is not in the data"),
            ("price +", "is not valid SQL"),
            ("kind", "answers text, which has no mean"),
        ] {
            let error = run(&options(expression)).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
            assert_eq!(error.kind(), sluice_core::ErrorKind::Usage, "{error}");
        }
        for name in ["rmse", "pinball_loss", "", "cost(2)"] {
            let own = CustomMetric { name: name.into(), ..cost("1") };
            let asked = EvaluateOptions { custom: vec![own], ..EvaluateOptions::default() };
            assert!(asked.check().is_err(), "{name}");
        }
        let twice = EvaluateOptions { custom: vec![cost("1"), cost("2")], ..EvaluateOptions::default() };
        assert_eq!(twice.check().unwrap_err().to_string(), "`metrics` define `cost` twice");
    }

    #[test]
    fn a_row_without_an_answer_is_named() {
        let error = run(&options("CASE WHEN kind = 'q' THEN NULL ELSE prediction END")).unwrap_err();
        assert_eq!(error.to_string(), "metric `cost` is null");
        assert!(error.places().iter().any(|place| place.contains("row 2")), "{:?}", error.places());
        assert!(error.hint().unwrap().contains("COALESCE"));
    }

    #[test]
    fn entries_are_names_or_expressions() {
        let entries: Vec<MetricEntry> =
            serde_json::from_str(r#"["rmse", {"name": "cost", "expression": "price"}, "mae"]"#).unwrap();
        let (names, custom) = MetricEntry::split(entries);
        assert_eq!((names, custom[0].name.as_str()), (vec!["rmse".to_owned(), "mae".to_owned()], "cost"));
        assert!(serde_json::from_str::<Vec<MetricEntry>>(r#"[{"name": "cost", "sql": "price"}]"#).is_err());
    }
}
