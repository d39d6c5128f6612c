//! Conditions in expressions: three-valued, as SQL's.

use sluice_core::error::Result;
use sluice_onnx::{Edge, ElementType, Operator};
use sluice_transform::constants::expression::{Comparison, Node, Test};

use super::{Kind, Numeric, Step, Term, Truth};
use crate::onnx::bound::Bound;
use crate::onnx::nulls::{Nulls, as_number, chain, constant};
use crate::onnx::value::{Number, TimeUnit, Value};

impl Step<'_> {
    pub(super) fn connect(&mut self, conditions: &[Node], is_and: bool) -> Result<Term> {
        let truths = conditions.iter().map(|node| self.condition(node)).collect::<Result<Vec<_>>>()?;
        let edges: Vec<Edge> = truths.iter().map(|truth| truth.edge.clone()).collect();
        let operator = if is_and { Operator::And } else { Operator::Or };
        let edge = chain(&edges, &operator, self.graph).unwrap_or_else(|| constant(is_and, self.graph));
        let conditions = truths.into_iter().map(|truth| (truth.edge, truth.nulls)).collect();
        Ok(Term::Truth(Truth { edge, nulls: Nulls::undecided(conditions, is_and) }))
    }

    pub(super) fn not(&mut self, arguments: &[Node]) -> Result<Term> {
        let Some(argument) = arguments.first() else { return Err(self.refused("negates nothing")) };
        let truth = self.condition(argument)?;
        let edge = self.node(&Operator::Not, &[&truth.edge]);
        let edge = self.known(edge, &truth.nulls);
        Ok(Term::Truth(Truth { edge, nulls: truth.nulls }))
    }

    pub(super) fn is(&mut self, test: Test, negated: bool, argument: &Node) -> Result<Term> {
        let edge = match test {
            Test::Null => {
                let term = self.term(argument)?;
                self.is_null(&term)?.unwrap_or_else(|| constant(false, self.graph))
            }
            Test::True => self.condition(argument)?.edge,
            Test::False => {
                let truth = self.condition(argument)?;
                let edge = self.node(&Operator::Not, &[&truth.edge]);
                self.known(edge, &truth.nulls)
            }
        };
        let edge = if negated { self.node(&Operator::Not, &[&edge]) } else { edge };
        Ok(Term::Truth(Truth { edge, nulls: Nulls::default() }))
    }

    /// Which rows of a term are null.
    pub(super) fn nulls_of(&mut self, term: &Term) -> Result<Nulls> {
        Ok(match term {
            Term::Number(numeric) => numeric.number.nulls.clone(),
            Term::Truth(truth) => truth.nulls.clone(),
            Term::Text(value) | Term::Instant(value) => self.nulls_of_value(value)?,
            Term::Moment(_) => Nulls::default(),
        })
    }

    /// Where a term is null; `None` where it nowhere is.
    pub(super) fn is_null(&mut self, term: &Term) -> Result<Option<Edge>> {
        let nulls = self.nulls_of(term)?;
        Ok(self.null_edge(&nulls))
    }

    pub(super) fn compare(&mut self, comparison: Comparison, arguments: &[Node]) -> Result<Term> {
        let (left, right) = (self.argument(arguments, 0)?, self.argument(arguments, 1)?);
        Ok(Term::Truth(self.compared(comparison, left, right)?))
    }

    pub(super) fn compared(&mut self, comparison: Comparison, left: Term, right: Term) -> Result<Truth> {
        let nulls = self.nulls_of(&left)?.join(&self.nulls_of(&right)?);
        if let (Term::Text(left), Term::Text(right)) = (&left, &right) {
            let is_equal = self.is_same_text(left, right)?;
            return Ok(match comparison {
                Comparison::Equal => Truth { edge: is_equal, nulls },
                Comparison::NotEqual => {
                    let differs = self.node(&Operator::Not, &[&is_equal]);
                    let edge = self.known(differs, &nulls);
                    Truth { edge, nulls }
                }
                _ => return Err(self.refused("puts texts in order, which ONNX cannot")),
            });
        }
        let (left, right) = self.sides(left, right)?;
        let (x, y, are_integers) = match (&left.integers, &right.integers) {
            (Some(x), Some(y)) => (x, y, true),
            _ => (&left.number.edge, &right.number.edge, false),
        };
        let edge = match comparison {
            Comparison::Equal | Comparison::NotEqual => self.node(&Operator::Equal, &[x, y]),
            Comparison::Less => self.node(&Operator::Less, &[x, y]),
            Comparison::LessOrEqual => self.node(&Operator::GreaterOrEqual, &[y, x]),
            Comparison::Greater => self.node(&Operator::Greater, &[x, y]),
            Comparison::GreaterOrEqual => self.node(&Operator::GreaterOrEqual, &[x, y]),
        };
        let is_not = comparison == Comparison::NotEqual;
        let edge = if is_not { self.node(&Operator::Not, &[&edge]) } else { edge };
        // Nothing compares to NaN, as which null doubles stand; integers stand for nothing.
        let edge = if is_not || are_integers { self.known(edge, &nulls) } else { edge };
        Ok(Truth { edge, nulls })
    }

    /// Both sides of a comparison as numbers, dates and times in one unit.
    fn sides(&mut self, left: Term, right: Term) -> Result<(Numeric, Numeric)> {
        let unit_of = |term: &Term| match term {
            Term::Instant(Value::Instant { unit, .. }) => Some(*unit),
            _ => None,
        };
        match (unit_of(&left), unit_of(&right)) {
            (None, None) => Ok((self.side(left)?, self.side(right)?)),
            (Some(unit), None) | (None, Some(unit)) => {
                Ok((self.instant(left, unit)?, self.instant(right, unit)?))
            }
            (Some(unit), Some(other)) if unit == other => {
                Ok((self.instant(left, unit)?, self.instant(right, unit)?))
            }
            _ => {
                Err(self
                    .refused("compares dates with times, or times of two units, which has no form in ONNX"))
            }
        }
    }

    /// A date or time as an integer.
    fn instant(&mut self, term: Term, unit: TimeUnit) -> Result<Numeric> {
        let (integers, nulls) = match term {
            Term::Instant(Value::Instant { edge, missing, .. }) => (edge, Nulls::mask(missing)),
            Term::Moment(nanoseconds) => {
                let units = nanoseconds / unit.nanoseconds();
                let is_whole = units * unit.nanoseconds() == nanoseconds;
                let Some(units) = i64::try_from(units).ok().filter(|_| is_whole) else {
                    return Err(self.refused("compares with a time that the column cannot hold"));
                };
                (self.integer(units), Nulls::default())
            }
            _ => return Err(self.refused("compares a date with what is none in ONNX")),
        };
        let edge = self.node(&Operator::Cast(ElementType::Double), &[&integers]);
        let number = Number { edge, bound: Bound::EXACT, nulls };
        Ok(Numeric { number, kind: Kind::Integer, integers: Some(integers) })
    }

    /// A side of a comparison as a number: false is below true.
    fn side(&mut self, term: Term) -> Result<Numeric> {
        match term {
            Term::Number(numeric) => Ok(numeric),
            Term::Truth(truth) => {
                let edge = as_number(&truth.edge, self.graph);
                let edge = self.hollowed(edge, &truth.nulls);
                let number = Number { edge, bound: Bound::EXACT, nulls: truth.nulls };
                Ok(Numeric { number, kind: Kind::Integer, integers: None })
            }
            Term::Text(_) | Term::Instant(_) | Term::Moment(_) => {
                Err(self.refused("compares text with what is none, which has no form in ONNX"))
            }
        }
    }

    /// Null differs from every value and not from null, NaN not from NaN.
    pub(super) fn distinct(&mut self, left: &Node, right: &Node, negated: bool) -> Result<Term> {
        let (left, right) = (self.term(left)?, self.term(right)?);
        let are_null = [self.is_null(&left)?, self.is_null(&right)?];
        let are_nan = [&left, &right].map(|term| match term {
            Term::Number(numeric) if numeric.kind == Kind::Float => {
                Some(self.graph.is_nan(&numeric.number.edge))
            }
            _ => None,
        });
        let mut same = self.compared(Comparison::Equal, left, right)?.edge;
        if let [Some(left), Some(right)] = &are_nan {
            let mut both = self.node(&Operator::And, &[left, right]);
            for is_null in are_null.iter().flatten() {
                let is_known = self.node(&Operator::Not, &[is_null]);
                both = self.node(&Operator::And, &[&both, &is_known]);
            }
            same = self.node(&Operator::Or, &[&same, &both]);
        }
        if let [Some(left), Some(right)] = &are_null {
            let both = self.node(&Operator::And, &[left, right]);
            same = self.node(&Operator::Or, &[&same, &both]);
        }
        let edge = if negated { same } else { self.node(&Operator::Not, &[&same]) };
        Ok(Term::Truth(Truth { edge, nulls: Nulls::default() }))
    }
}
