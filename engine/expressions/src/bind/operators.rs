//! Operators: logic, comparisons, arithmetic, patterns, lists, alternatives.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};
use sluice_core::column::ColumnKind;
use sqlparser::ast::{BinaryOperator, CaseWhen, Expr, Value, ValueWithSpan};

use super::kinds::{is_numeric, plain_timestamp, wide_decimal};
use super::{BindResult, Binder, Literal, Term};
use crate::node::{Arithmetic, Comparison, Interval, Kernel, List, Node, Test, TextFunction};

const OPERATORS: &str = "operators are + - * / % || = <> < <= > >= AND OR NOT BETWEEN IN LIKE ILIKE IS";

fn comparison(operator: &BinaryOperator) -> Option<Comparison> {
    Some(match operator {
        BinaryOperator::Eq => Comparison::Equal,
        BinaryOperator::NotEq => Comparison::NotEqual,
        BinaryOperator::Lt => Comparison::Less,
        BinaryOperator::LtEq => Comparison::LessOrEqual,
        BinaryOperator::Gt => Comparison::Greater,
        BinaryOperator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn arithmetic(operator: &BinaryOperator) -> Option<Arithmetic> {
    Some(match operator {
        BinaryOperator::Plus => Arithmetic::Add,
        BinaryOperator::Minus => Arithmetic::Subtract,
        BinaryOperator::Multiply => Arithmetic::Multiply,
        BinaryOperator::Divide => Arithmetic::Divide,
        BinaryOperator::Modulo => Arithmetic::Remainder,
        _ => return None,
    })
}

/// What arithmetic on two numbers answers.
fn result_of(operator: Arithmetic, left: &ColumnKind, right: &ColumnKind) -> ColumnKind {
    use ColumnKind as Kind;
    let scale = |kind: &Kind| if let Kind::Decimal { scale, .. } = kind { *scale } else { 0 };
    let is_decimal = |kind: &Kind| matches!(kind, Kind::Decimal { .. });
    match (operator, left, right) {
        (Arithmetic::Divide, ..) | (_, Kind::Float, _) | (_, _, Kind::Float) => Kind::Float,
        _ if is_decimal(left) || is_decimal(right) => {
            let (left, right) = (scale(left), scale(right));
            let scale =
                if operator == Arithmetic::Multiply { left.saturating_add(right) } else { left.max(right) };
            // Decimals of whole tens, and more places than there are digits, are what floats are for.
            if left < 0 || right < 0 || scale > 38 { Kind::Float } else { wide_decimal(scale) }
        }
        (Arithmetic::Add | Arithmetic::Multiply | Arithmetic::Remainder, Kind::Unsigned, Kind::Unsigned) => {
            Kind::Unsigned
        }
        _ => Kind::Integer,
    }
}

/// Operands of a chain of one operator, from the left; the parser builds it as a long left arm.
fn chain<'a>(tree: &'a Expr, wanted: &BinaryOperator) -> Vec<&'a Expr> {
    let mut operands = Vec::new();
    let mut rest = tree;
    while let Expr::BinaryOp { left, op, right } = rest {
        if op != wanted {
            break;
        }
        operands.push(right.as_ref());
        rest = left;
    }
    operands.push(rest);
    operands.reverse();
    operands
}

/// `%` and `_` as a regular expression over the whole text.
fn like_pattern(pattern: &str, escape: Option<char>, any_case: bool) -> Option<Regex> {
    let mut regex = String::from(r"\A");
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            _ if Some(character) == escape => regex.push_str(&regex::escape(&characters.next()?.to_string())),
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            other => regex.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
        }
    }
    regex.push_str(r"\z");
    RegexBuilder::new(&regex).dot_matches_new_line(true).case_insensitive(any_case).build().ok()
}

impl Binder<'_> {
    pub(super) fn binary(
        &mut self,
        left: &Expr,
        operator: &BinaryOperator,
        right: &Expr,
        tree: &Expr,
    ) -> BindResult<Term> {
        if matches!(operator, BinaryOperator::And | BinaryOperator::Or) {
            let name = operator.to_string();
            let nodes = chain(tree, operator)
                .into_iter()
                .map(|operand| Ok(self.condition(&name, operand)?.node))
                .collect::<BindResult<Vec<_>>>()?;
            let node = if *operator == BinaryOperator::And { Node::And(nodes) } else { Node::Or(nodes) };
            return Ok(Term::new(node, ColumnKind::Boolean));
        }
        if let Some(comparison) = comparison(operator) {
            return self.compare(&operator.to_string(), comparison, left, right);
        }
        if let Some(arithmetic) = arithmetic(operator) {
            return self.arithmetic(arithmetic, left, right, tree);
        }
        if *operator == BinaryOperator::StringConcat {
            let terms = vec![self.text_operand("||", left)?, self.text_operand("||", right)?];
            return Ok(Term::call(Kernel::Text(TextFunction::Concatenate), terms, ColumnKind::Text));
        }
        Err(self.unsupported(format!("the operator `{operator}`"), OPERATORS, tree))
    }

    fn compare(&mut self, name: &str, comparison: Comparison, left: &Expr, right: &Expr) -> BindResult<Term> {
        let (left_term, right_term) = (self.bind(left)?, self.bind(right)?);
        let (left, right) = self.comparable(name, (left_term, left), (right_term, right))?;
        Ok(Term::call(Kernel::Compare(comparison), vec![left, right], ColumnKind::Boolean))
    }

    fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: &Expr,
        right: &Expr,
        tree: &Expr,
    ) -> BindResult<Term> {
        let is_sum = operator == Arithmetic::Add;
        if is_sum || operator == Arithmetic::Subtract {
            if let Some(interval) = self.interval(right)? {
                return self.add_interval(operator, left, interval);
            }
            if is_sum && let Some(interval) = self.interval(left)? {
                return self.add_interval(operator, right, interval);
            }
        }
        let (left_term, right_term) = (self.bind(left)?, self.bind(right)?);
        let left = left_term.adapted(&right_term.kind);
        let right = right_term.adapted(&left.kind);
        match (&left.kind, &right.kind) {
            (ColumnKind::Null, other) | (other, ColumnKind::Null)
                if is_numeric(other) || *other == ColumnKind::Null =>
            {
                Ok(Term::null(if operator == Arithmetic::Divide { ColumnKind::Float } else { other.clone() }))
            }
            (a, b) if is_numeric(a) && is_numeric(b) => {
                let result = result_of(operator, a, b);
                Ok(Term::call(
                    Kernel::Arithmetic { operator, result: result.clone() },
                    vec![left, right],
                    result,
                ))
            }
            (ColumnKind::Date, ColumnKind::Integer) if is_sum || operator == Arithmetic::Subtract => {
                Ok(Term::call(Kernel::AddDays { is_negative: !is_sum }, vec![left, right], ColumnKind::Date))
            }
            (ColumnKind::Integer, ColumnKind::Date) if is_sum => {
                Ok(Term::call(Kernel::AddDays { is_negative: false }, vec![right, left], ColumnKind::Date))
            }
            (ColumnKind::Date, ColumnKind::Date) if operator == Arithmetic::Subtract => {
                Ok(Term::call(Kernel::DaysBetween, vec![left, right], ColumnKind::Integer))
            }
            _ => {
                let expected = "two numbers, a date and whole days, or a date or timestamp and an INTERVAL; \
                                `date_diff('second', a, b)` takes two timestamps";
                Err(self.operands(operator.sign(), &[&left, &right], expected, tree))
            }
        }
    }

    fn add_interval(&mut self, operator: Arithmetic, base: &Expr, interval: Interval) -> BindResult<Term> {
        let term = self.bind(base)?;
        let sign = if operator == Arithmetic::Subtract { -1 } else { 1 };
        let interval =
            Interval { months: sign * interval.months, nanoseconds: i128::from(sign) * interval.nanoseconds };
        match &term.kind {
            ColumnKind::Date => {
                let kind = plain_timestamp();
                Ok(Term::call(Kernel::AddInterval(interval), vec![term.cast_to(&kind)], kind))
            }
            ColumnKind::Timestamp { .. } => {
                let kind = term.kind.clone();
                Ok(Term::call(Kernel::AddInterval(interval), vec![term], kind))
            }
            ColumnKind::Null => Ok(Term::null(plain_timestamp())),
            _ => Err(self.operands("INTERVAL", &[&term], "a date or timestamp beside it", base)),
        }
    }

    pub(super) fn not(&mut self, inner: &Expr) -> BindResult<Term> {
        let term = self.condition("NOT", inner)?;
        Ok(Term::call(Kernel::Not, vec![term], ColumnKind::Boolean))
    }

    pub(super) fn numeric(&mut self, operator: &str, inner: &Expr) -> BindResult<Term> {
        let term = self.bind(inner)?;
        if is_numeric(&term.kind) || term.kind == ColumnKind::Null {
            return Ok(term);
        }
        Err(self.operands(operator, &[&term], "a number", inner))
    }

    pub(super) fn negate(&mut self, inner: &Expr) -> BindResult<Term> {
        let term = self.numeric("-", inner)?;
        if let Some(Literal::Number(text)) = &term.literal {
            let negative = match text.strip_prefix('-') {
                Some(positive) => Term::number(positive),
                None => Term::number(&format!("-{text}")),
            };
            return Ok(negative.unwrap_or(term));
        }
        let kind = if term.kind == ColumnKind::Unsigned { ColumnKind::Integer } else { term.kind.clone() };
        Ok(Term::call(Kernel::Negate, vec![term], kind))
    }

    pub(super) fn is_null(&mut self, inner: &Expr, negated: bool) -> BindResult<Term> {
        let argument = Box::new(self.bind(inner)?.node);
        Ok(Term::new(Node::Is { test: Test::Null, negated, argument }, ColumnKind::Boolean))
    }

    pub(super) fn is_truth(&mut self, inner: &Expr, test: Test, negated: bool) -> BindResult<Term> {
        let argument = Box::new(self.condition("IS", inner)?.node);
        Ok(Term::new(Node::Is { test, negated, argument }, ColumnKind::Boolean))
    }

    pub(super) fn distinct(&mut self, left: &Expr, right: &Expr, negated: bool) -> BindResult<Term> {
        let (left_term, right_term) = (self.bind(left)?, self.bind(right)?);
        let (left, right) = self.comparable("IS DISTINCT FROM", (left_term, left), (right_term, right))?;
        // Beside NULL of no kind, the question is whether the other is null.
        let node = match (&left.kind, &right.kind) {
            (ColumnKind::Null, _) => {
                Node::Is { test: Test::Null, negated: !negated, argument: Box::new(right.node) }
            }
            (_, ColumnKind::Null) => {
                Node::Is { test: Test::Null, negated: !negated, argument: Box::new(left.node) }
            }
            _ => Node::Distinct { sides: Box::new((left.node, right.node)), negated },
        };
        Ok(Term::new(node, ColumnKind::Boolean))
    }

    pub(super) fn between(
        &mut self,
        inner: &Expr,
        negated: bool,
        low: &Expr,
        high: &Expr,
    ) -> BindResult<Term> {
        let above = self.compare("BETWEEN", Comparison::GreaterOrEqual, inner, low)?;
        let below = self.compare("BETWEEN", Comparison::LessOrEqual, inner, high)?;
        let both = Term::new(Node::And(vec![above.node, below.node]), ColumnKind::Boolean);
        Ok(if negated { Term::call(Kernel::Not, vec![both], ColumnKind::Boolean) } else { both })
    }

    pub(super) fn in_list(&mut self, inner: &Expr, list: &[Expr], negated: bool) -> BindResult<Term> {
        let term = self.bind(inner)?;
        let items = list.iter().map(|item| self.bind(item)).collect::<BindResult<Vec<_>>>()?;
        let found = match lookup(&term.kind, &items) {
            Some((list, has_null)) => {
                Term::call(Kernel::In { list, has_null }, vec![term], ColumnKind::Boolean)
            }
            None => {
                let mut tests = Vec::with_capacity(items.len());
                for (item, tree) in items.into_iter().zip(list) {
                    let (left, right) = self.comparable("IN", (term.clone(), inner), (item, tree))?;
                    let equal = Kernel::Compare(Comparison::Equal);
                    tests.push(Term::call(equal, vec![left, right], ColumnKind::Boolean).node);
                }
                Term::new(Node::Or(tests), ColumnKind::Boolean)
            }
        };
        Ok(if negated { Term::call(Kernel::Not, vec![found], ColumnKind::Boolean) } else { found })
    }

    pub(super) fn like(
        &mut self,
        name: &str,
        (inner, pattern): (&Expr, &Expr),
        escape: Option<&ValueWithSpan>,
        any_case: bool,
        is_negated: bool,
    ) -> BindResult<Term> {
        let term = self.text_operand(name, inner)?;
        let text = self.literal_text(name, pattern)?;
        let escape = match escape.map(|escape| &escape.value) {
            None => None,
            Some(Value::SingleQuotedString(escape)) if escape.chars().count() == 1 => escape.chars().next(),
            Some(other) => return Err(self.wrong_literal(&other.to_string(), "one character", pattern)),
        };
        let expected = "a pattern: of moderate size, and with a character after each escape";
        let pattern = like_pattern(&text, escape, any_case)
            .ok_or_else(|| self.wrong_literal(&text, expected, pattern))?;
        Ok(Term::call(Kernel::Matches { pattern, is_negated }, vec![term], ColumnKind::Boolean))
    }

    pub(super) fn text_operand(&mut self, operator: &str, tree: &Expr) -> BindResult<Term> {
        let term = self.bind(tree)?;
        if matches!(term.kind, ColumnKind::Text | ColumnKind::Null) {
            return Ok(term);
        }
        Err(self.operands(operator, &[&term], "text", tree))
    }

    /// Text in quotes, where a column will not do.
    pub(super) fn literal_text(&mut self, operator: &str, tree: &Expr) -> BindResult<String> {
        match self.bind(tree)?.literal {
            Some(Literal::Text(text)) => Ok(text),
            _ => Err(self.unsupported(
                format!("{} as the pattern or unit of `{operator}`", Self::shown(tree)),
                "it must be text in single quotes, the same for all rows",
                tree,
            )),
        }
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        conditions: &[CaseWhen],
        otherwise: Option<&Expr>,
    ) -> BindResult<Term> {
        let mut tests = Vec::with_capacity(conditions.len());
        for branch in conditions {
            tests.push(match operand {
                None => self.condition("WHEN", &branch.condition)?,
                Some(operand) => self.compare("CASE", Comparison::Equal, operand, &branch.condition)?,
            });
        }
        let mut results = Vec::with_capacity(conditions.len() + 1);
        for branch in conditions {
            results.push((self.bind(&branch.result)?, &branch.result));
        }
        let last = conditions.last().map(|branch| &branch.result);
        match (otherwise, last) {
            (Some(tree), _) => results.push((self.bind(tree)?, tree)),
            (None, Some(tree)) => results.push((Term::null(ColumnKind::Null), tree)),
            (None, None) => {}
        }
        let (mut results, kind) = self.unify("CASE", results)?;
        let otherwise = results.pop().unwrap_or_else(|| Term::null(kind.clone()));
        let branches =
            tests.into_iter().zip(results).map(|(test, result)| (test.node, result.node)).collect();
        Ok(Term::new(Node::Case { branches, otherwise: Box::new(otherwise.node) }, kind))
    }
}

/// A list of literals that can be looked up; `None` where each must be compared.
fn lookup(kind: &ColumnKind, items: &[Term]) -> Option<(List, bool)> {
    let has_null = items.iter().any(|item| item.kind == ColumnKind::Null);
    let literals = items.iter().filter(|item| item.kind != ColumnKind::Null);
    let list = match kind {
        ColumnKind::Text => {
            let texts = literals.map(|item| match &item.literal {
                Some(Literal::Text(text)) => Some(text.clone()),
                _ => None,
            });
            List::Texts(texts.collect::<Option<BTreeSet<_>>>()?)
        }
        ColumnKind::Integer | ColumnKind::Unsigned => {
            let integers = literals.map(|item| match &item.literal {
                Some(Literal::Number(text)) => text.parse().ok(),
                _ => None,
            });
            List::Integers(integers.collect::<Option<BTreeSet<_>>>()?)
        }
        _ => return None,
    };
    Some((list, has_null))
}
