//! Cyclic: sin and cos of 2πx / period, so that hour 23 lies beside hour 0 (scikit-learn's gallery calls them
//! trigonometric features). Of numbers with a given period, or of a part of dates with the period of that
//! part: quarter 4, month 12, day 31, weekday 7, day of year 366, hour 24, minute and second 60. x is taken
//! modulo the period first, which is exact. Null stays null, NaN stays NaN, infinities become NaN.

use std::f64::consts::TAU;

use arrow::array::Float64Array;
use arrow::datatypes::Float64Type;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::fit::Builder;
use crate::graph::{Cell, CellInputs};
use crate::operation::date_parts::{Calendar, DatePart};
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// The options of `cyclic`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cyclic {
    /// The columns.
    pub columns: Vec<String>,
    /// After how much numbers begin anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<f64>,
    /// The part of dates and timestamps, instead of a period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<DatePart>,
    /// What the results are called before ` sin` and ` cos`, one each; `column` or `column.part` without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Cyclic {
    fn period(&self) -> Result<f64, OptionsError> {
        let conflict = |problem: String| OptionsError::Conflict {
            name: "cyclic".into(),
            problem,
            hint: Some("give the `period` of numbers, or the `part` of dates: `part: hour`".into()),
        };
        match (self.period, self.part) {
            (Some(period), None) if period > 0.0 && period.is_finite() => Ok(period),
            (Some(period), None) => Err(OptionsError::OutOfRange {
                name: "cyclic.period".into(),
                value: period.to_string(),
                range: "a finite number above 0".into(),
            }),
            (None, Some(part)) => part
                .period()
                .ok_or_else(|| conflict(format!("cannot go round: {} never comes back", part.name()))),
            (Some(_), Some(_)) => Err(conflict("has both `period` and `part`".into())),
            (None, None) => Err(conflict("has neither `period` nor `part`".into())),
        }
    }
}

impl Plan for Cyclic {
    fn check(&self) -> Result<(), OptionsError> {
        self.period().map(drop)
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let period = self.period()?;
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let (input, angle) = match self.part {
                None => (graph.number(column)?, Angle { date: None, period }),
                Some(part) => {
                    let input = graph.read(column)?;
                    let date = Some((Calendar::of(graph, &input)?, part));
                    (input, Angle { date, period })
                }
            };
            let base = match self.part {
                Some(part) if self.names.is_empty() => format!("{name}.{}", part.name()),
                _ => name.to_owned(),
            };
            let (sine, cosine) = (format!("{base} sin"), format!("{base} cos"));
            let outputs = [(sine.as_str(), ValueKind::FLOAT), (cosine.as_str(), ValueKind::FLOAT)];
            graph.step(&[input], outputs, Known(Mapper::Cyclic(angle)))?;
        }
        Ok(())
    }
}

/// A number, or a part of a date, as the angle in a circle.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Angle {
    /// The calendar and the part of dates; numbers are taken as they are.
    pub date: Option<(Calendar, DatePart)>,
    /// The whole circle.
    pub period: f64,
}

impl Angle {
    fn of(&self, value: f64) -> f64 {
        TAU * (value % self.period / self.period)
    }
}

impl Map for Angle {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let angles: Float64Array = match self.date {
            None => inputs.numbers(0)?.unary::<_, Float64Type>(|value| self.of(value)),
            Some((calendar, part)) => calendar.read(inputs, |moment| self.of(part.of(moment)))?,
        };
        Ok(vec![
            Value::floats(angles.unary::<_, Float64Type>(f64::sin)),
            Value::floats(angles.unary::<_, Float64Type>(f64::cos)),
        ])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let value = match self.date {
            None => inputs.number(0)?,
            Some((calendar, part)) => calendar.read_row(inputs)?.map(|moment| part.of(moment)),
        };
        let angle = value.map(|value| self.of(value));
        outputs.push(angle.map_or(Cell::Null, |angle| Cell::Float(angle.sin())));
        outputs.push(angle.map_or(Cell::Null, |angle| Cell::Float(angle.cos())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Date32Array, Int64Array};
    use serde_json::json;

    use super::*;
    use crate::testing::{check_paths, feature, features, fitted, numbers_of, reference, refusal, table};

    #[test]
    fn the_circle_agrees_with_numpy() {
        let case = &reference("dates_text_lists.json")["cyclic"];
        let values = Float64Array::from(numbers_of(&case["values"]));
        let rows = table(vec![("hour", Arc::new(values) as ArrayRef)]);
        let operations = json!([{ "cyclic": { "columns": ["hour"], "period": case["period"] } }]);
        let transform = fitted(&rows, &operations).unwrap();
        check_paths(&transform, &rows);
        for (name, expected) in [("hour sin", &case["sin"]), ("hour cos", &case["cos"])] {
            for (found, expected) in feature(&transform, &rows, name).into_iter().zip(numbers_of(expected)) {
                // NumPy rounds the angle after several circles, we do not: the bound is absolute, and what
                // 100.25 hours leave of it.
                assert!((found.unwrap() - expected).abs() < 1e-14, "{name}: {found:?} is not {expected}");
            }
        }
    }

    #[test]
    fn a_part_of_a_date_goes_round_with_its_own_period() {
        let rows =
            table(vec![("at", Arc::new(Date32Array::from(vec![Some(31 + 28 + 30), None])) as ArrayRef)]);
        let operations = json!([
            { "cyclic": { "columns": ["at"], "part": "month" } },
            { "cyclic": { "columns": ["at"], "part": "weekday", "as": ["w"] } },
        ]);
        let transform = fitted(&rows, &operations).unwrap();
        check_paths(&transform, &rows);
        let names: Vec<String> = features(&transform, &rows).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["at.month sin", "at.month cos", "w sin", "w cos"]);
        // March is a quarter of the year.
        assert_eq!(feature(&transform, &rows, "at.month sin"), [Some(1.0), None]);
        assert!(feature(&transform, &rows, "at.month cos")[0].unwrap().abs() < 1e-16);
    }

    #[test]
    fn nan_stays_and_infinity_has_no_angle() {
        let values = Float64Array::from(vec![Some(f64::NAN), Some(f64::INFINITY), None]);
        let rows = table(vec![("x", Arc::new(values) as ArrayRef)]);
        let transform = fitted(&rows, &json!([{ "cyclic": { "columns": ["x"], "period": 7 } }])).unwrap();
        check_paths(&transform, &rows);
        let found = feature(&transform, &rows, "x sin");
        assert!(found[0].unwrap().is_nan() && found[1].unwrap().is_nan() && found[2].is_none());
    }

    #[test]
    fn what_does_not_go_round_is_refused() {
        let rows = table(vec![("x", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]);
        let message = |options: serde_json::Value| refusal(&rows, &json!([{ "cyclic": options }]));
        assert!(message(json!({ "columns": ["x"] })).contains("neither `period` nor `part`"));
        assert!(message(json!({ "columns": ["x"], "period": 7, "part": "hour" })).contains("has both"));
        assert!(message(json!({ "columns": ["x"], "period": 0 })).contains("a finite number above 0"));
        assert!(message(json!({ "columns": ["x"], "part": "year" })).contains("year never comes back"));
        let number = message(json!({ "columns": ["x"], "part": "hour" }));
        assert!(number.contains("needs dates or timestamps, but column `x` is integer"), "{number}");
    }
}
