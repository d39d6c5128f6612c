//! Expressions that choose: CASE, COALESCE, GREATEST and LEAST.

use std::collections::BTreeSet;

use sluice_core::error::Result;
use sluice_onnx::{Edge, Operator};
use sluice_transform::constants::expression::Node;

use super::{Kind, Numeric, Step, Term, Truth};
use crate::onnx::bound::Bound;
use crate::onnx::nulls::Nulls;
use crate::onnx::value::{Number, Value};

impl Step<'_> {
    pub(super) fn case(&mut self, branches: &[(Node, Node)], otherwise: &Node) -> Result<Term> {
        let conditions =
            branches.iter().map(|(condition, _)| self.condition(condition)).collect::<Result<Vec<_>>>()?;
        let results = branches.iter().map(|(_, result)| self.term(result)).collect::<Result<Vec<_>>>()?;
        let mut chosen = self.term(otherwise)?;
        for (condition, result) in conditions.iter().zip(results).rev() {
            chosen = self.choose(&condition.edge, result, chosen)?;
        }
        Ok(chosen)
    }

    /// The first of two where the condition is true, else the second.
    fn choose(&mut self, condition: &Edge, then: Term, otherwise: Term) -> Result<Term> {
        Ok(match (then, otherwise) {
            (Term::Number(then), Term::Number(otherwise)) => {
                Term::Number(self.choose_number(condition, then, otherwise))
            }
            (Term::Truth(then), Term::Truth(otherwise)) => {
                let nulls = Nulls::chosen(condition.clone(), then.nulls, otherwise.nulls);
                let is_first = self.node(&Operator::And, &[condition, &then.edge]);
                let is_other = self.node(&Operator::Not, &[condition]);
                let is_second = self.node(&Operator::And, &[&is_other, &otherwise.edge]);
                let edge = self.node(&Operator::Or, &[&is_first, &is_second]);
                Term::Truth(Truth { edge, nulls })
            }
            (Term::Text(then), Term::Text(otherwise)) => {
                let texts: BTreeSet<String> =
                    [&then, &otherwise].into_iter().flat_map(known_texts).cloned().collect();
                let texts: Vec<String> = texts.into_iter().collect();
                let (then, otherwise) = (self.among(&then, &texts)?, self.among(&otherwise, &texts)?);
                let code = self.node(&Operator::Where, &[condition, &then, &otherwise]);
                Term::Text(Value::Choice { code, texts })
            }
            _ => return Err(self.refused("chooses between dates, which has no form in ONNX")),
        })
    }

    fn choose_number(&mut self, condition: &Edge, then: Numeric, otherwise: Numeric) -> Numeric {
        let of = [condition, &then.number.edge, &otherwise.number.edge];
        let edge = self.node(&Operator::Where, &of);
        let integers = match (then.integers, otherwise.integers) {
            (Some(then), Some(otherwise)) => {
                Some(self.node(&Operator::Where, &[condition, &then, &otherwise]))
            }
            _ => None,
        };
        let nulls = Nulls::chosen(condition.clone(), then.number.nulls, otherwise.number.nulls);
        let bound = then.number.bound.larger(otherwise.number.bound);
        let kind = if then.kind == otherwise.kind { then.kind } else { Kind::Float };
        Numeric { number: Number { edge, bound, nulls }, kind, integers }
    }

    pub(super) fn coalesce(&mut self, arguments: &[Node]) -> Result<Term> {
        let terms = arguments.iter().map(|node| self.term(node)).collect::<Result<Vec<_>>>()?;
        let mut terms = terms.into_iter().rev();
        let Some(mut chosen) = terms.next() else { return Err(self.refused("chooses among nothing")) };
        for term in terms {
            let filled = match (&term, &chosen) {
                (
                    Term::Text(Value::Text { edge, missing, fill: None }),
                    Term::Text(Value::Choice { code, texts }),
                ) if texts.len() == 1 && self.graph.is_fixed(code) => {
                    let (edge, missing, fill) = (edge.clone(), missing.clone(), texts.first().cloned());
                    Some(Term::Text(Value::Text { edge, missing, fill }))
                }
                _ => None,
            };
            let nulls = self.nulls_of(&term)?;
            chosen = match (filled, self.null_edge(&nulls)) {
                (Some(filled), _) => filled,
                (None, None) => term,
                (None, Some(is_null)) => {
                    let is_known = self.node(&Operator::Not, &[&is_null]);
                    let later = self.nulls_of(&chosen)?;
                    self.choose(&is_known, term, chosen)?.with_nulls(Nulls::all(vec![nulls, later]))
                }
            };
        }
        Ok(chosen)
    }

    /// Null is passed over; NaN is not: it makes the answer NaN.
    pub(super) fn extreme(&mut self, greatest: bool, arguments: &[Node]) -> Result<Term> {
        let mut best: Option<Numeric> = None;
        for argument in arguments {
            let Term::Number(next) = self.term(argument)? else {
                return Err(self.refused("has `greatest` or `least` of what is no number in ONNX"));
            };
            best = Some(match best {
                None => next,
                Some(before) => self.better(greatest, before, next),
            });
        }
        best.map(Term::Number).ok_or_else(|| self.refused("chooses among nothing"))
    }

    fn better(&mut self, greatest: bool, before: Numeric, next: Numeric) -> Numeric {
        let (x, y) = (&before.number.edge, &next.number.edge);
        let comparison = if greatest { Operator::Greater } else { Operator::Less };
        // A null is NaN, and so is a NaN; what is NaN and not null must win.
        let is_better = self.node(&comparison, &[y, x]);
        let next_is_nan = self.graph.is_nan(y);
        let takes = self.node(&Operator::Or, &[&is_better, &next_is_nan]);
        let is_nan = self.graph.is_nan(x);
        let is_number = self.node(&Operator::Not, &[&is_nan]);
        let takes = self.node(&Operator::And, &[&takes, &is_number]);
        let takes = self.known(takes, &next.number.nulls);
        let takes = match self.null_edge(&before.number.nulls) {
            Some(is_null) => self.node(&Operator::Or, &[&takes, &is_null]),
            None => takes,
        };
        let nulls = Nulls::all(vec![before.number.nulls.clone(), next.number.nulls.clone()]);
        let bound = Bound::larger(before.number.bound, next.number.bound);
        let mut chosen = self.choose_number(&takes, next, before);
        chosen.number.bound = bound;
        chosen.number.nulls = nulls;
        chosen.integers = None;
        chosen
    }
}

fn known_texts(value: &Value) -> &[String] {
    match value {
        Value::Choice { texts, .. } => texts,
        _ => &[],
    }
}

impl Term {
    fn with_nulls(self, nulls: Nulls) -> Self {
        match self {
            Self::Number(numeric) => {
                Self::Number(Numeric { number: Number { nulls, ..numeric.number }, ..numeric })
            }
            Self::Truth(truth) => Self::Truth(Truth { nulls, ..truth }),
            other => other,
        }
    }
}
