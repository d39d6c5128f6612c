//! Null and NaN: what stands for them, and where they are.

use sluice_core::error::Result;
use sluice_onnx::{Edge, ElementType, Operator};
use sluice_transform::constants::{Fill, PerKey};

use super::Step;
use crate::onnx::nulls::{Nulls, as_number, constant};
use crate::onnx::value::{Number, Value};

impl Step<'_> {
    pub(super) fn impute(&mut self, fill: &Fill) -> Result<Value> {
        match fill {
            Fill::Text(text) => self.impute_text(text),
            Fill::Number(number) => {
                let fill = self.graph.number(*number);
                self.filled(&fill)
            }
            Fill::Boolean(fill) => {
                let fill = constant(*fill, self.graph);
                self.filled_boolean(&fill)
            }
        }
    }

    pub(super) fn impute_per_key(&mut self, fills: &PerKey<Fill>) -> Result<Value> {
        let all = fills.constants.iter().chain([&fills.overall]);
        let Some(numbers) = all.map(as_double).collect::<Option<Vec<f64>>>() else {
            return Err(self.refused("fills text by key, which has no form in ONNX"));
        };
        let key = self.key(1, fills.keys.keys())?;
        let fill = self.entry(&key, numbers);
        if !matches!(fills.overall, Fill::Boolean(_)) {
            return self.filled(&fill);
        }
        let fill = self.with(&Operator::Greater, &fill, 0.5);
        self.filled_boolean(&fill)
    }

    /// Booleans stay booleans, by logic: not all runtimes choose between them.
    fn filled_boolean(&mut self, fill: &Edge) -> Result<Value> {
        let missing = self.missing(0)?;
        let present = self.node(&Operator::Not, &[&missing]);
        let is_true = match self.input(0)?.clone() {
            Value::Raw { edge, elements: ElementType::Boolean, .. } => edge,
            // A column of nothing.
            _ => self.node(&Operator::And, &[&missing, &present]),
        };
        let is_true = self.node(&Operator::And, &[&is_true, &present]);
        let is_filled = self.node(&Operator::And, &[&missing, fill]);
        let edge = self.node(&Operator::Or, &[&is_true, &is_filled]);
        let missing = self.node(&Operator::And, &[&missing, &present]);
        Ok(Value::Raw { edge, missing, elements: ElementType::Boolean })
    }

    fn filled(&mut self, fill: &Edge) -> Result<Value> {
        let x = self.number(0)?;
        let is_nan = self.graph.is_nan(&x.edge);
        let edge = self.node(&Operator::Where, &[&is_nan, fill, &x.edge]);
        Ok(Value::Number(Number { edge, bound: x.bound, nulls: Nulls::default() }))
    }

    fn impute_text(&mut self, text: &str) -> Result<Value> {
        match self.input(0)?.clone() {
            Value::Text { edge, missing, fill } => {
                // What an earlier one has filled is not missing any more.
                Ok(Value::Text { edge, missing, fill: fill.or_else(|| Some(text.to_owned())) })
            }
            Value::Choice { code, mut texts } => {
                let place = texts.iter().position(|known| known == text).unwrap_or(texts.len());
                if place == texts.len() {
                    texts.push(text.to_owned());
                }
                let is_null = self.is_no_code(&code);
                let place = self.integer(i64::try_from(place).unwrap_or(i64::MAX));
                let code = self.node(&Operator::Where, &[&is_null, &place, &code]);
                Ok(Value::Choice { code, texts })
            }
            _ => Err(self.refused("fills a column of nothing with text")),
        }
    }

    pub(super) fn is_missing(&mut self) -> Result<Value> {
        let missing = self.missing(0)?;
        Ok(Value::exact(as_number(&missing, self.graph)))
    }

    /// Where an input is null or NaN.
    pub(super) fn missing(&mut self, place: usize) -> Result<Edge> {
        Ok(match self.input(place)?.clone() {
            Value::Text { missing, fill: Some(_), .. } => {
                let present = self.node(&Operator::Not, &[&missing]);
                self.node(&Operator::And, &[&missing, &present])
            }
            Value::Text { missing, .. } | Value::Raw { missing, .. } | Value::Instant { missing, .. } => {
                missing
            }
            Value::Choice { code, .. } => self.is_no_code(&code),
            Value::Number(number) => self.graph.is_nan(&number.edge),
            Value::Indicators { .. } => return Err(self.refused("reads levels")),
        })
    }
}

fn as_double(fill: &Fill) -> Option<f64> {
    match fill {
        Fill::Number(value) => Some(*value),
        Fill::Boolean(value) => Some(f64::from(*value)),
        Fill::Text(_) => None,
    }
}
