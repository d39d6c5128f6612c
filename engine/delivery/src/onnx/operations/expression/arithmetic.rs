//! Numbers in expressions.

use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_onnx::{Edge, ElementType, Operator};
use sluice_transform::constants::Function;
use sluice_transform::constants::expression::{Arithmetic, FloatFunction, Kernel, Node, Rounding};

use super::{Kind, Numeric, Step, Term, Truth};
use crate::onnx::bound::Bound;
use crate::onnx::functions;
use crate::onnx::nulls::{Nulls, as_number, constant};
use crate::onnx::value::Number;

impl Step<'_> {
    pub(super) fn arithmetic(&mut self, kernel: &Kernel, arguments: &[Node]) -> Result<Term> {
        if let Kernel::Cast { target, range, is_try } = kernel {
            return self.cast((target, *range), *is_try, arguments);
        }
        let left = self.numeric(arguments, 0)?;
        match kernel {
            Kernel::Arithmetic { operator, result } => {
                let right = self.numeric(arguments, 1)?;
                self.join(*operator, result, &left, &right)
            }
            Kernel::Power => {
                let right = self.numeric(arguments, 1)?;
                let nulls = left.number.nulls.clone().join(&right.number.nulls);
                let edge = self.node(&Operator::Pow, &[&left.number.edge, &right.number.edge]);
                // NaN to the power of 0 is 1, null is null.
                let edge = self.hollowed(edge, &nulls);
                let bound = Bound::joined([left.number.bound, right.number.bound]);
                Ok(Numeric::float(edge, bound.after_function(Bound::POWER), nulls))
            }
            Kernel::Negate => Ok(self.negated(left)),
            Kernel::Absolute => {
                let edge = self.node(&Operator::Abs, &[&left.number.edge]);
                Ok(left.with_edge(edge))
            }
            Kernel::Sign => {
                let [above, below] = [Operator::Greater, Operator::Less].map(|comparison| {
                    let is_so = self.with(&comparison, &left.number.edge, 0.0);
                    as_number(&is_so, self.graph)
                });
                let edge = self.node(&Operator::Sub, &[&above, &below]);
                // NaN has no sign, null is null.
                let edge = self.hollowed(edge, &left.number.nulls);
                Ok(Numeric::integer(edge, Bound::EXACT, left.number.nulls))
            }
            Kernel::Round(rounding) => self.round(*rounding, left),
            Kernel::Float(function) => {
                let function = match function {
                    FloatFunction::SquareRoot => Function::Sqrt,
                    FloatFunction::Exponential => Function::Exp,
                    FloatFunction::NaturalLogarithm => Function::Log,
                    FloatFunction::DecimalLogarithm => Function::Log10,
                    FloatFunction::BinaryLogarithm => Function::Log2,
                };
                let Number { edge, bound, nulls } = left.number;
                let (edge, bound) = functions::export(function, &edge, bound, self.graph);
                Ok(Numeric::float(edge, bound, nulls))
            }
            _ => Err(self.refused("has a function that has no form in ONNX")),
        }
    }

    fn negated(&mut self, x: Numeric) -> Term {
        // 0 − x has no negative zero, which integers have not either.
        let edge = match x.kind {
            Kind::Float => self.node(&Operator::Neg, &[&x.number.edge]),
            Kind::Integer | Kind::Decimal => {
                let zero = self.graph.number(0.0);
                self.node(&Operator::Sub, &[&zero, &x.number.edge])
            }
        };
        x.with_edge(edge)
    }

    fn join(
        &mut self,
        operator: Arithmetic,
        result: &ColumnKind,
        left: &Numeric,
        right: &Numeric,
    ) -> Result<Term> {
        let nulls = left.number.nulls.clone().join(&right.number.nulls);
        let joined = Bound::joined([left.number.bound, right.number.bound]);
        let (x, y) = (&left.number.edge, &right.number.edge);
        let named = match operator {
            Arithmetic::Add => Operator::Add,
            Arithmetic::Subtract => Operator::Sub,
            Arithmetic::Multiply => Operator::Mul,
            Arithmetic::Divide => Operator::Div,
            Arithmetic::Remainder => Operator::Mod,
        };
        let is_whole = match result {
            ColumnKind::Float => false,
            ColumnKind::Decimal { .. } if operator == Arithmetic::Multiply => true,
            ColumnKind::Decimal { .. } => {
                return Err(
                    self.refused(format!("has `{}` of decimals, which ONNX has not", operator.sign()))
                );
            }
            _ if operator == Arithmetic::Remainder => return self.remainder(left, right),
            _ => true,
        };
        let edge = self.node(&named, &[x, y]);
        if !is_whole {
            return Ok(Numeric::float(edge, joined, nulls));
        }
        // −0 becomes 0, as integers have but one.
        let edge = self.with(&Operator::Add, &edge, 0.0);
        let number = Number { edge, bound: joined.larger(Bound::ROUNDED), nulls };
        let kind = if matches!(result, ColumnKind::Decimal { .. }) { Kind::Decimal } else { Kind::Integer };
        Ok(Term::Number(Numeric { number, kind, integers: None }))
    }

    /// Of a column of integers by a constant: 64 bits throughout, and no division by zero or by −1, which overflows.
    fn remainder(&mut self, left: &Numeric, right: &Numeric) -> Result<Term> {
        let (Some(dividend), Some(divisor)) = (&left.integers, &right.integers) else {
            return Err(self.refused("has `%` of integers that are no column, or of unsigned ones"));
        };
        let is_safe = self.graph.integer_of(divisor).is_some_and(|divisor| divisor > 0);
        if !is_safe {
            return Err(self.refused("has `%` by integers that are no constant above 0"));
        }
        // `Mod` of integers goes through doubles in onnxruntime.
        let quotient = self.node(&Operator::Div, &[dividend, divisor]);
        let product = self.node(&Operator::Mul, &[&quotient, divisor]);
        let edge = self.node(&Operator::Sub, &[dividend, &product]);
        let nulls = left.number.nulls.clone();
        let doubles = self.node(&Operator::Cast(ElementType::Double), &[&edge]);
        let doubles = self.hollowed(doubles, &nulls);
        let number = Number { edge: doubles, bound: Bound::EXACT, nulls };
        Ok(Term::Number(Numeric { number, kind: Kind::Integer, integers: Some(edge) }))
    }

    fn round(&mut self, rounding: Rounding, x: Numeric) -> Result<Term> {
        if x.kind == Kind::Integer && !matches!(rounding, Rounding::Nearest(..0)) {
            return Ok(Term::Number(x));
        }
        if x.kind != Kind::Float {
            return Err(self.refused("rounds a decimal, or an integer to tens, which has no form in ONNX"));
        }
        let edge = &x.number.edge;
        let rounded = match rounding {
            Rounding::Floor => self.node(&Operator::Floor, &[edge]),
            Rounding::Ceiling => self.node(&Operator::Ceil, &[edge]),
            Rounding::Nearest(0) => self.nearest(edge),
            Rounding::Nearest(places) => self.nearest_to_places(edge, places, &x.number.nulls),
        };
        let bound = Bound::joined([x.number.bound]);
        Ok(Numeric::float(rounded, bound, x.number.nulls))
    }

    /// Half away from zero: the fraction of |x| is exact.
    fn nearest(&mut self, x: &Edge) -> Edge {
        let size = self.node(&Operator::Abs, &[x]);
        let whole = self.node(&Operator::Floor, &[&size]);
        let fraction = self.node(&Operator::Sub, &[&size, &whole]);
        let is_more = self.with(&Operator::GreaterOrEqual, &fraction, 0.5);
        let more = self.with(&Operator::Add, &whole, 1.0);
        let whole = self.node(&Operator::Where, &[&is_more, &more, &whole]);
        let negative = self.node(&Operator::Neg, &[&whole]);
        let is_negative = self.with(&Operator::Less, x, 0.0);
        self.node(&Operator::Where, &[&is_negative, &negative, &whole])
    }

    /// Scaled, rounded and scaled back, as ours is.
    fn nearest_to_places(&mut self, x: &Edge, places: i32, nulls: &Nulls) -> Edge {
        let power = 10_f64.powi(places.abs());
        let (there, back) =
            if places > 0 { (Operator::Mul, Operator::Div) } else { (Operator::Div, Operator::Mul) };
        let scaled = self.with(&there, x, power);
        let whole = self.nearest(&scaled);
        let answer = self.with(&back, &whole, power);
        let size = self.node(&Operator::Abs, &[&answer]);
        let is_finite = self.with(&Operator::Less, &size, f64::INFINITY);
        if places > 0 {
            return self.node(&Operator::Where, &[&is_finite, &answer, x]);
        }
        let zero = self.graph.number(0.0);
        let answer = self.node(&Operator::Where, &[&is_finite, &answer, &zero]);
        self.hollowed(answer, nulls)
    }

    fn cast(
        &mut self,
        (target, range): (&ColumnKind, Option<(i128, i128)>),
        is_try: bool,
        arguments: &[Node],
    ) -> Result<Term> {
        let x = match self.argument(arguments, 0)? {
            Term::Number(numeric) => numeric,
            Term::Truth(truth) => {
                let edge = as_number(&truth.edge, self.graph);
                let edge = self.hollowed(edge, &truth.nulls);
                let number = Number { edge, bound: Bound::EXACT, nulls: truth.nulls };
                Numeric { number, kind: Kind::Integer, integers: None }
            }
            Term::Text(_) | Term::Instant(_) | Term::Moment(_) => {
                return Err(self.refused("casts text or dates, which has no form in ONNX"));
            }
        };
        match target {
            ColumnKind::Float => {
                let Number { edge, bound, nulls } = x.number;
                Ok(Numeric::float(edge, bound, nulls))
            }
            ColumnKind::Boolean => {
                // NaN is not 0 either.
                let is_zero = self.with(&Operator::Equal, &x.number.edge, 0.0);
                let is_not = self.node(&Operator::Not, &[&is_zero]);
                let edge = self.known(is_not, &x.number.nulls);
                Ok(Term::Truth(Truth { edge, nulls: x.number.nulls }))
            }
            ColumnKind::Integer | ColumnKind::Unsigned if x.kind != Kind::Decimal => {
                let whole = match x.kind {
                    Kind::Float => functions::round(&x.number.edge, self.graph),
                    Kind::Integer | Kind::Decimal => x.number.edge.clone(),
                };
                // −0 becomes 0.
                let edge = self.with(&Operator::Add, &whole, 0.0);
                let of_kind = match target {
                    ColumnKind::Unsigned => (0, i128::from(u64::MAX)),
                    _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
                };
                let integers = x.integers.clone().filter(|_| *target == ColumnKind::Integer);
                let nulls = x.number.nulls.clone();
                let bound = x.number.bound;
                let mut whole =
                    Numeric { number: Number { edge, bound, nulls }, kind: Kind::Integer, integers };
                if is_try {
                    self.hold_in(&mut whole, range.unwrap_or(of_kind));
                }
                Ok(Term::Number(whole))
            }
            _ => Err(self.refused(format!("casts to {target}, which has no form in ONNX"))),
        }
    }

    /// Null outside a range, and for NaN.
    fn hold_in(&mut self, x: &mut Numeric, (low, high): (i128, i128)) {
        let edge = &x.number.edge;
        // 2^63 and 2^64 are the doubles next to the largest integers, and beyond them.
        let is_short = high <= 1 << 53;
        let above = if is_short { Operator::Greater } else { Operator::GreaterOrEqual };
        let is_above = self.with(&above, edge, high as f64);
        let is_below = self.with(&Operator::Less, edge, low as f64);
        let is_nan = self.graph.is_nan(edge);
        let outside = self.node(&Operator::Or, &[&is_above, &is_below]);
        let outside = self.node(&Operator::Or, &[&outside, &is_nan]);
        x.number.edge = self.put(&outside, f64::NAN, &x.number.edge.clone());
        x.number.nulls = Nulls::mask(outside);
        x.integers = None;
    }

    /// A question about a float; other numbers are finite.
    pub(super) fn test_float(
        &mut self,
        test: sluice_transform::constants::expression::FloatTest,
        arguments: &[Node],
    ) -> Result<Term> {
        use sluice_transform::constants::expression::FloatTest;
        let x = self.numeric(arguments, 0)?;
        let nulls = x.number.nulls.clone();
        let edge = match (x.kind, test) {
            (Kind::Float, FloatTest::Nan) => self.graph.is_nan(&x.number.edge),
            (Kind::Float, test) => {
                let size = self.node(&Operator::Abs, &[&x.number.edge]);
                let comparison = if test == FloatTest::Finite { Operator::Less } else { Operator::Equal };
                self.with(&comparison, &size, f64::INFINITY)
            }
            (Kind::Integer | Kind::Decimal, test) => constant(test == FloatTest::Finite, self.graph),
        };
        let edge = self.known(edge, &nulls);
        Ok(Term::Truth(Truth { edge, nulls }))
    }
}

impl Numeric {
    /// Another number of this kind that is null in the same rows.
    fn with_edge(self, edge: Edge) -> Term {
        Term::Number(Self { number: Number { edge, ..self.number }, kind: self.kind, integers: None })
    }
}
