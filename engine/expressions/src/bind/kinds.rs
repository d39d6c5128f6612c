//! Which kinds go together, and how one becomes another.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, StringViewArray,
    TimestampMicrosecondArray, UInt64Array,
};
use sluice_core::column::ColumnKind;
use sqlparser::ast::Expr;

use super::{BindResult, Binder, Literal, Term};
use crate::calendar::{MICROSECOND, offset_seconds, parse_date, parse_timestamp};
use crate::kernels::decimal_literal;
use crate::node::{Kernel, Node};

/// Integers, floats and decimals.
pub(super) fn is_numeric(kind: &ColumnKind) -> bool {
    matches!(
        kind,
        ColumnKind::Integer | ColumnKind::Unsigned | ColumnKind::Float | ColumnKind::Decimal { .. }
    )
}

/// Dates and timestamps.
pub(super) fn is_temporal(kind: &ColumnKind) -> bool {
    matches!(kind, ColumnKind::Date | ColumnKind::Timestamp { .. })
}

/// A decimal of full width.
pub(super) fn wide_decimal(scale: i8) -> ColumnKind {
    ColumnKind::Decimal { precision: 38, scale }
}

/// A timestamp without zone in microseconds.
pub(super) fn plain_timestamp() -> ColumnKind {
    ColumnKind::Timestamp { zone: None, nanoseconds: false }
}

impl Term {
    pub(super) fn constant(array: ArrayRef, kind: ColumnKind) -> Self {
        Self::new(Node::Constant(array), kind)
    }

    /// A number as it is written: the narrowest exact kind of whole numbers, else a float. `None` where it is
    /// beyond the range of floats.
    pub(super) fn number(text: &str) -> Option<Self> {
        let mut term = if let Ok(value) = text.parse::<i64>() {
            Self::constant(Arc::new(Int64Array::from(vec![value])), ColumnKind::Integer)
        } else if let Ok(value) = text.parse::<u64>() {
            Self::constant(Arc::new(UInt64Array::from(vec![value])), ColumnKind::Unsigned)
        } else if let Some(term) = text.parse::<i128>().ok().and_then(|digits| Self::decimal(digits, 0)) {
            term
        } else {
            let value = text.parse::<f64>().ok().filter(|value| value.is_finite())?;
            Self::constant(Arc::new(Float64Array::from(vec![value])), ColumnKind::Float)
        };
        term.literal = Some(Literal::Number(text.to_owned()));
        Some(term)
    }

    fn decimal(digits: i128, scale: i8) -> Option<Self> {
        if digits.unsigned_abs() >= 10_u128.pow(38) {
            return None;
        }
        let array = Decimal128Array::from(vec![digits]).with_precision_and_scale(38, scale).ok()?;
        Some(Self::constant(Arc::new(array), wide_decimal(scale)))
    }

    pub(super) fn text(text: &str) -> Self {
        let mut term = Self::constant(Arc::new(StringViewArray::from(vec![text])), ColumnKind::Text);
        term.literal = Some(Literal::Text(text.to_owned()));
        term
    }

    pub(super) fn date(text: &str) -> Option<Self> {
        let days = parse_date(text.trim())?;
        Some(Self::constant(Arc::new(Date32Array::from(vec![days])), ColumnKind::Date))
    }

    pub(super) fn timestamp(text: &str) -> Option<Self> {
        let microseconds = i64::try_from(parse_timestamp(text.trim())?.div_euclid(MICROSECOND)).ok()?;
        Some(Self::constant(Arc::new(TimestampMicrosecondArray::from(vec![microseconds])), plain_timestamp()))
    }

    /// A literal in the kind of what it is compared or joined with, where that says it exactly.
    pub(super) fn adapted(self, other: &ColumnKind) -> Self {
        match (&self.literal, other) {
            (Some(Literal::Number(text)), ColumnKind::Decimal { .. }) if self.kind == ColumnKind::Float => {
                let unsigned = text.trim_start_matches('-');
                let sign = if unsigned.len() < text.len() { -1 } else { 1 };
                let decimal = decimal_literal(unsigned);
                decimal.and_then(|(digits, scale)| Self::decimal(sign * digits, scale)).unwrap_or(self)
            }
            (Some(Literal::Number(text)), ColumnKind::Unsigned) if self.kind == ColumnKind::Integer => {
                match text.parse::<u64>() {
                    Ok(value) => {
                        Self::constant(Arc::new(UInt64Array::from(vec![value])), ColumnKind::Unsigned)
                    }
                    Err(_) => self,
                }
            }
            _ => self,
        }
    }

    /// The same value in another kind.
    pub(super) fn cast_to(self, target: &ColumnKind) -> Self {
        if self.kind == *target {
            return self;
        }
        let kernel = Kernel::Cast { target: target.clone(), range: None, is_try: false };
        Self::call(kernel, vec![self], target.clone())
    }
}

/// The kind that holds values of both; `None` where nothing does.
fn common(left: &ColumnKind, right: &ColumnKind) -> Option<ColumnKind> {
    use ColumnKind as Kind;
    Some(match (left, right) {
        (left, right) if left == right => left.clone(),
        (Kind::Null, other) | (other, Kind::Null) => other.clone(),
        (left, right) if is_numeric(left) && is_numeric(right) => match (left, right) {
            (Kind::Float, _) | (_, Kind::Float) => Kind::Float,
            (Kind::Decimal { scale: left, .. }, Kind::Decimal { scale: right, .. }) => {
                wide_decimal(*left.max(right))
            }
            (Kind::Decimal { scale, .. }, _) | (_, Kind::Decimal { scale, .. }) => {
                wide_decimal((*scale).max(0))
            }
            // Signed and unsigned integers of 64 bits.
            _ => wide_decimal(0),
        },
        (Kind::Date, Kind::Timestamp { .. }) => right.clone(),
        (Kind::Timestamp { .. }, Kind::Date) => left.clone(),
        (Kind::Timestamp { zone, nanoseconds }, Kind::Timestamp { zone: other, nanoseconds: others })
            if zone == other =>
        {
            Kind::Timestamp { zone: zone.clone(), nanoseconds: *nanoseconds || *others }
        }
        _ => return None,
    })
}

impl Binder<'_> {
    /// Text in quotes beside a date or timestamp is one.
    fn read_as(&self, term: Term, other: &ColumnKind, tree: &Expr) -> BindResult<Term> {
        let Some(Literal::Text(text)) = &term.literal else { return Ok(term) };
        match other {
            // A time of day beside dates stays: `day < '2024-01-01 12:00'` means what it says.
            ColumnKind::Date => Term::date(text)
                .or_else(|| Term::timestamp(text))
                .ok_or_else(|| self.wrong_literal(text, "a date such as '2024-02-29'", tree)),
            ColumnKind::Timestamp { .. } => Term::timestamp(text)
                .ok_or_else(|| self.wrong_literal(text, "a timestamp such as '2024-02-29 12:30:00'", tree)),
            _ => Ok(term),
        }
    }

    /// Two sides of a comparison, in kinds that can be compared.
    pub(super) fn comparable(
        &self,
        operator: &str,
        (left, left_tree): (Term, &Expr),
        (right, right_tree): (Term, &Expr),
    ) -> BindResult<(Term, Term)> {
        let left = self.read_as(left, &right.kind, left_tree)?.adapted(&right.kind);
        let right = self.read_as(right, &left.kind, right_tree)?.adapted(&left.kind);
        let fits = match (&left.kind, &right.kind) {
            (ColumnKind::Null, _) | (_, ColumnKind::Null) => true,
            (left, right) if is_numeric(left) && is_numeric(right) => true,
            (left, right) if is_temporal(left) && is_temporal(right) => true,
            (ColumnKind::Boolean, ColumnKind::Boolean)
            | (ColumnKind::Text, ColumnKind::Text)
            | (ColumnKind::Binary, ColumnKind::Binary) => true,
            _ => false,
        };
        if fits {
            return Ok((left, right));
        }
        Err(self.operands(
            operator,
            &[&left, &right],
            "two numbers, two texts, two dates or times, or two booleans",
            left_tree,
        ))
    }

    /// Alternatives in one kind that holds all of them.
    pub(super) fn unify(&self, what: &str, terms: Vec<(Term, &Expr)>) -> BindResult<(Vec<Term>, ColumnKind)> {
        let mut kind = ColumnKind::Null;
        // Literals follow the others.
        for (term, tree) in terms.iter().filter(|(term, _)| term.literal.is_none()) {
            kind = self.join_kinds(what, &kind, term, tree)?;
        }
        let mut adapted = Vec::with_capacity(terms.len());
        for (term, tree) in terms {
            let term = self.read_as(term, &kind, tree)?.adapted(&kind);
            kind = self.join_kinds(what, &kind, &term, tree)?;
            adapted.push(term);
        }
        if kind.normal_type().is_none() {
            let found = Term::null(kind);
            let place = Expr::Identifier(sqlparser::ast::Ident::new(""));
            return Err(self.operands(what, &[&found], "single values", &place));
        }
        let terms =
            adapted
                .into_iter()
                .map(|term| {
                    if term.kind == ColumnKind::Null { Term::null(kind.clone()) } else { term.cast_to(&kind) }
                })
                .collect();
        Ok((terms, kind))
    }

    fn join_kinds(&self, what: &str, kind: &ColumnKind, term: &Term, tree: &Expr) -> BindResult<ColumnKind> {
        common(kind, &term.kind).ok_or_else(|| {
            let so_far = Term::null(kind.clone());
            self.operands(what, &[&so_far, term], "alternatives of one kind", tree)
        })
    }

    /// The seconds east of UTC in which a date or timestamp has its calendar.
    pub(super) fn offset(&self, operator: &str, term: &Term, tree: &Expr) -> BindResult<i64> {
        match &term.kind {
            ColumnKind::Timestamp { zone: Some(zone), .. } => offset_seconds(zone).ok_or_else(|| {
                let what = format!("`{operator}` of a timestamp in {zone}");
                let supported = "the calendar of a region changes its offset from UTC; \
                                 `CAST(x AS TIMESTAMP)` gives the time in UTC";
                self.unsupported(what, supported, tree)
            }),
            _ => Ok(0),
        }
    }
}
