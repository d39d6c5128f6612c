//! Text in expressions: it is compared with constants by its place among them.

use sluice_core::error::Result;
use sluice_onnx::{Edge, Operator, Tensor};
use sluice_transform::constants::Levels;
use sluice_transform::constants::expression::{List, Node};

use super::{Step, Term, Truth};
use crate::onnx::nulls::{Nulls, constant};
use crate::onnx::value::Value;

impl Step<'_> {
    /// Which rows of text, or of dates, are null.
    pub(super) fn nulls_of_value(&mut self, value: &Value) -> Result<Nulls> {
        Ok(match value {
            Value::Text { fill: Some(_), .. } => Nulls::default(),
            Value::Text { missing, .. } | Value::Instant { missing, .. } => Nulls::mask(missing.clone()),
            Value::Choice { code, .. } => Nulls::mask(self.is_no_code(code)),
            _ => return Err(self.refused("asks whether something is null that is no text in ONNX")),
        })
    }

    /// Whether two texts are one, of which at least one is among known ones; false where one is null.
    pub(super) fn is_same_text(&mut self, left: &Value, right: &Value) -> Result<Edge> {
        let ((other, Value::Choice { code: known, texts }) | (Value::Choice { code: known, texts }, other)) =
            (left, right)
        else {
            return Err(self.refused("compares two columns of text, which ONNX cannot"));
        };
        if texts.is_empty() {
            return Ok(constant(false, self.graph));
        }
        let code = self.code(other.clone(), &Levels::Text(texts.clone()))?;
        let is_same = self.node(&Operator::Equal, &[&code, known]);
        let is_none = self.is_no_code(&code);
        let is_some = self.node(&Operator::Not, &[&is_none]);
        Ok(self.node(&Operator::And, &[&is_same, &is_some]))
    }

    pub(super) fn is_in(&mut self, list: &List, has_null: bool, arguments: &[Node]) -> Result<Term> {
        let term = self.argument(arguments, 0)?;
        let (edge, nulls) = match (list, &term) {
            (List::Texts(texts), Term::Text(value)) => {
                let nulls = self.nulls_of_value(value)?;
                let code = self.code(value.clone(), &Levels::Text(texts.iter().cloned().collect()))?;
                let is_none = self.is_no_code(&code);
                (self.node(&Operator::Not, &[&is_none]), nulls)
            }
            (List::Integers(integers), Term::Number(numeric)) => {
                let Some(column) = numeric.integers.clone() else {
                    return Err(self.refused("looks in a list for integers that are no signed column"));
                };
                // What does not fit a column is none of its values.
                let integers = integers.iter().filter_map(|integer| i64::try_from(*integer).ok());
                let is_one = self.is_one_of(&column, &Tensor::Integer(integers.collect()));
                let nulls = numeric.number.nulls.clone();
                (self.known(is_one, &nulls), nulls)
            }
            _ => return Err(self.refused("looks in a list for what has no form in ONNX")),
        };
        // What is not in a list with a null might be that null.
        let nulls = if has_null { Nulls::mask(self.node(&Operator::Not, &[&edge])) } else { nulls };
        Ok(Term::Truth(Truth { edge, nulls }))
    }

    /// Texts among more known ones: their code there.
    pub(super) fn among(&mut self, value: &Value, texts: &[String]) -> Result<Edge> {
        let Value::Choice { code, texts: known } = value else {
            return Err(self.refused("chooses a column of text, which ONNX cannot"));
        };
        let place = |text: &String| {
            texts.iter().position(|other| other == text).map_or(-1, super::super::levels::place)
        };
        let codes = known.iter().map(place).collect();
        Ok(self.recoded(code, codes))
    }
}
