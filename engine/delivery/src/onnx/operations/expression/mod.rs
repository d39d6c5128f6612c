//! Expressions of `derive`, node by node. What they answer is what `sluice_expressions` does, with three
//! restrictions: integers and decimals are joined as doubles, so that they are exact up to 2^53 only; a row for
//! which an expression has no answer, an overflow say, has some number instead; text is compared with constants and
//! nothing else.

mod alternatives;
mod arithmetic;
mod logic;
mod texts;

use arrow::array::{Array, ArrayRef};

use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::error::{CommonError, Result};
use sluice_onnx::{Edge, ElementType, Operator, Tensor};
use sluice_transform::constants::Derived;
use sluice_transform::constants::expression::{Kernel, Node};

use super::Step;
use crate::onnx::bound::Bound;
use crate::onnx::nulls::{Nulls, constant};
use crate::onnx::value::{Number, Value};

/// What a part of an expression is in the graph.
#[derive(Clone, Debug)]
enum Term {
    /// A number of some kind.
    Number(Numeric),
    /// Whether something is true; false where it is null.
    Truth(Truth),
    /// Text, by the values that hold it.
    Text(Value),
    /// A date or time.
    Instant(Value),
    /// A constant one, in nanoseconds since 1970-01-01.
    Moment(i128),
}

/// What a number is, where doubles do not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Float,
    Integer,
    Decimal,
}

/// A number: doubles that are NaN where it is null.
#[derive(Clone, Debug)]
struct Numeric {
    number: Number,
    kind: Kind,
    /// The same as integers, where they are at hand; anything where it is null.
    integers: Option<Edge>,
}

/// A condition.
#[derive(Clone, Debug)]
struct Truth {
    /// Whether it is true.
    edge: Edge,
    nulls: Nulls,
}

impl Step<'_> {
    pub(super) fn derive(&mut self, derived: &Derived) -> Result<Value> {
        let term = self.term(derived.expression().node())?;
        Ok(match term {
            Term::Number(numeric) => {
                let edge = self.by_row(numeric.number.edge)?;
                Value::Number(Number { edge, ..numeric.number })
            }
            Term::Truth(truth) => {
                let missing = self.null_edge(&truth.nulls).unwrap_or_else(|| constant(false, self.graph));
                let some = self.missing(0)?;
                let every = self.node(&Operator::Not, &[&some]);
                let nothing = self.node(&Operator::And, &[&some, &every]);
                // Constants have one row: joined with false of every row they have all.
                let [edge, missing] =
                    [truth.edge, missing].map(|edge| self.node(&Operator::Or, &[&edge, &nothing]));
                Value::Raw { edge, missing, elements: ElementType::Boolean }
            }
            Term::Text(Value::Choice { code, texts }) if self.graph.is_fixed(&code) => {
                let some = self.missing(0)?;
                let code = self.node(&Operator::Where, &[&some, &code, &code]);
                Value::Choice { code, texts }
            }
            Term::Text(value) | Term::Instant(value) => value,
            Term::Moment(_) => return Err(self.refused("answers a constant date")),
        })
    }

    /// A number for each row, whatever it is made of.
    fn by_row(&mut self, edge: Edge) -> Result<Edge> {
        if !self.graph.is_fixed(&edge) {
            return Ok(edge);
        }
        let some = self.missing(0)?;
        Ok(self.node(&Operator::Where, &[&some, &edge, &edge]))
    }

    /// Where something is null; `None` where nothing is.
    fn null_edge(&mut self, nulls: &Nulls) -> Option<Edge> {
        nulls.edge(self.graph, self.masks)
    }

    fn term(&mut self, node: &Node) -> Result<Term> {
        match node {
            Node::Column(place) => self.column(*place),
            Node::Constant(value) => self.constant(value),
            Node::Call { kernel, arguments } => self.call(kernel, arguments),
            Node::And(conditions) => self.connect(conditions, true),
            Node::Or(conditions) => self.connect(conditions, false),
            Node::Is { test, negated, argument } => self.is(*test, *negated, argument),
            Node::Distinct { sides, negated } => self.distinct(&sides.0, &sides.1, *negated),
            Node::Case { branches, otherwise } => self.case(branches, otherwise),
            Node::Coalesce(arguments) => self.coalesce(arguments),
            Node::Extreme { greatest, arguments } => self.extreme(*greatest, arguments),
        }
    }

    fn column(&mut self, place: usize) -> Result<Term> {
        let value = self.input(place)?.clone();
        Ok(match &value {
            Value::Text { .. } | Value::Choice { .. } => Term::Text(value),
            Value::Instant { .. } => Term::Instant(value),
            Value::Raw { edge, missing, elements: ElementType::Boolean } => {
                let present = self.node(&Operator::Not, &[missing]);
                let edge = self.node(&Operator::And, &[edge, &present]);
                Term::Truth(Truth { edge, nulls: Nulls::mask(missing.clone()) })
            }
            Value::Raw { edge, elements, .. } => {
                let integers = (*elements == ElementType::Integer).then(|| edge.clone());
                let number = self.number(place)?;
                Term::Number(Numeric { number, kind: Kind::Integer, integers })
            }
            Value::Number(number) => match self.kind_of(place) {
                // Booleans that an operation has left are doubles here.
                Some(ColumnKind::Boolean) => {
                    let edge = self.with(&Operator::Greater, &number.edge, 0.5);
                    Term::Truth(Truth { edge, nulls: number.nulls.clone() })
                }
                Some(ColumnKind::Decimal { .. }) => {
                    let number = Number { bound: number.bound.larger(Bound::ROUNDED), ..number.clone() };
                    Term::Number(Numeric { number, kind: Kind::Decimal, integers: None })
                }
                Some(ColumnKind::Integer | ColumnKind::Unsigned) => {
                    Term::Number(Numeric { number: number.clone(), kind: Kind::Integer, integers: None })
                }
                Some(ColumnKind::Text) => return Err(self.refused("reads text of a column of nothing")),
                _ => Term::Number(Numeric { number: number.clone(), kind: Kind::Float, integers: None }),
            },
            Value::Indicators { .. } => return Err(self.refused("reads levels")),
        })
    }

    /// The kind of a column that the expression reads.
    fn kind_of(&self, place: usize) -> Option<ColumnKind> {
        match &self.node.mapper {
            sluice_transform::Mapper::Derive(derived) => derived.expression().kinds().get(place).cloned(),
            _ => None,
        }
    }

    fn constant(&mut self, value: &ArrayRef) -> Result<Term> {
        let is_null = value.is_empty() || value.logical_nulls().is_some_and(|nulls| nulls.is_null(0));
        let nulls = if is_null { Nulls::mask(constant(true, self.graph)) } else { Nulls::default() };
        Ok(match Column::view(value) {
            Column::Boolean(values) => {
                let edge = constant(!is_null && values.value(0), self.graph);
                Term::Truth(Truth { edge, nulls })
            }
            view @ Column::Text(_) => {
                let text = if is_null { None } else { view.text(0) };
                let code = self.integer(if text.is_some() { 0 } else { -1 });
                Term::Text(Value::Choice { code, texts: text.into_iter().map(str::to_owned).collect() })
            }
            Column::Integer(values) => {
                let integers = (!is_null).then(|| self.integer(values.value(0)));
                self.constant_number(value, nulls, (Kind::Integer, integers))?
            }
            Column::Unsigned(_) => self.constant_number(value, nulls, (Kind::Integer, None))?,
            Column::Decimal(_) => self.constant_number(value, nulls, (Kind::Decimal, None))?,
            Column::Float(_) | Column::Null(_) => self.constant_number(value, nulls, (Kind::Float, None))?,
            Column::Date(days) if !is_null => Term::Moment(i128::from(days.value(0)) * 86_400_000_000_000),
            Column::TimestampMicrosecond(values) if !is_null => {
                Term::Moment(i128::from(values.value(0)) * 1_000)
            }
            Column::TimestampNanosecond(values) if !is_null => Term::Moment(i128::from(values.value(0))),
            _ => return Err(self.refused(format!("has a constant {}", ColumnKind::of(value.data_type())))),
        })
    }

    fn constant_number(
        &mut self,
        value: &ArrayRef,
        nulls: Nulls,
        (kind, integers): (Kind, Option<Edge>),
    ) -> Result<Term> {
        let values = numbers("a constant", value, "the ONNX export")?;
        let value = values.iter().next().flatten().unwrap_or(f64::NAN);
        let edge = self.graph.number(value);
        let number = Number { edge, bound: Bound::EXACT, nulls };
        Ok(Term::Number(Numeric { number, kind, integers }))
    }

    fn call(&mut self, kernel: &Kernel, arguments: &[Node]) -> Result<Term> {
        match kernel {
            Kernel::Compare(comparison) => self.compare(*comparison, arguments),
            Kernel::Not => self.not(arguments),
            Kernel::Matches { .. } => Err(self.refused("matches text with a pattern, which ONNX cannot")),
            Kernel::In { list, has_null } => self.is_in(list, *has_null, arguments),
            Kernel::FloatTest(test) => self.test_float(*test, arguments),
            Kernel::Text(_) | Kernel::TextTest(_) | Kernel::Characters | Kernel::Bytes => {
                Err(self.refused("has a function of text, which ONNX has not"))
            }
            Kernel::Part { part, offset } => {
                let Term::Instant(value) = self.argument(arguments, 0)? else {
                    return Err(self.refused("reads a date of what is none in ONNX"));
                };
                let number = self.part_of(&value, *offset, *part)?;
                Ok(Term::Number(Numeric { number, kind: Kind::Integer, integers: None }))
            }
            Kernel::Truncate { .. }
            | Kernel::Difference { .. }
            | Kernel::DaysBetween
            | Kernel::AddDays { .. }
            | Kernel::AddInterval(_) => {
                Err(self.refused("calculates with dates, which has no form in ONNX; parts of dates have"))
            }
            _ => self.arithmetic(kernel, arguments),
        }
    }

    fn argument(&mut self, arguments: &[Node], place: usize) -> Result<Term> {
        let missing = || CommonError::Internal("an expression calls a function without arguments".into());
        let node = arguments.get(place).ok_or_else(missing)?;
        self.term(node)
    }

    fn numeric(&mut self, arguments: &[Node], place: usize) -> Result<Numeric> {
        match self.argument(arguments, place)? {
            Term::Number(numeric) => Ok(numeric),
            _ => Err(self.refused("calculates with what is no number in ONNX")),
        }
    }

    fn condition(&mut self, node: &Node) -> Result<Truth> {
        match self.term(node)? {
            Term::Truth(truth) => Ok(truth),
            // A null of no kind.
            Term::Number(numeric) if self.graph.is_fixed(&numeric.number.edge) => {
                Ok(Truth { edge: constant(false, self.graph), nulls: numeric.number.nulls })
            }
            _ => Err(self.refused("asks whether something is true that is no condition in ONNX")),
        }
    }

    /// NaN where it is null: for functions that make a number of NaN.
    fn hollowed(&mut self, edge: Edge, nulls: &Nulls) -> Edge {
        match self.null_edge(nulls) {
            Some(is_null) => self.put(&is_null, f64::NAN, &edge),
            None => edge,
        }
    }

    /// What is true and not null.
    fn known(&mut self, edge: Edge, nulls: &Nulls) -> Edge {
        let Some(is_null) = self.null_edge(nulls) else { return edge };
        let is_known = self.node(&Operator::Not, &[&is_null]);
        self.node(&Operator::And, &[&edge, &is_known])
    }

    /// Doubles as 1 and 0 of a row of integers that a value is one of.
    fn is_one_of(&mut self, x: &Edge, values: &Tensor) -> Edge {
        let row = self.graph.row(values);
        let is_one = self.node(&Operator::Equal, &[x, &row]);
        let is_one = self.node(&Operator::Cast(ElementType::Double), &[&is_one]);
        let count = self.graph.sum_of_rows(&is_one);
        self.with(&Operator::Greater, &count, 0.5)
    }
}

impl Numeric {
    /// A float of this edge.
    fn float(edge: Edge, bound: Bound, nulls: Nulls) -> Term {
        Term::Number(Self { number: Number { edge, bound, nulls }, kind: Kind::Float, integers: None })
    }

    /// An integer of this edge.
    fn integer(edge: Edge, bound: Bound, nulls: Nulls) -> Term {
        Term::Number(Self { number: Number { edge, bound, nulls }, kind: Kind::Integer, integers: None })
    }
}
