//! Literals, typed literals, intervals and the types of casts.

use std::sync::Arc;

use arrow::array::BooleanArray;
use sluice_core::column::ColumnKind;
use sqlparser::ast::{
    CastKind, DataType, DateTimeField, ExactNumberInfo, Expr, TimezoneInfo, TypedString, UnaryOperator, Value,
};

use super::kinds::{is_numeric, is_temporal, plain_timestamp};
use super::{BindResult, Binder, Term};
use crate::calendar::DAY;
use crate::node::{Interval, Kernel};

const TYPES: &str = "types are BOOLEAN, TINYINT to BIGINT, UTINYINT to UBIGINT, DOUBLE, DECIMAL(p, s), \
                     TEXT, DATE, TIMESTAMP";

/// What `CAST` makes: a kind, and bounds of narrower integers.
type Target = (ColumnKind, Option<(i128, i128)>);

fn signed(bits: u32) -> Target {
    let range = (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
    (ColumnKind::Integer, (bits < 64).then_some(range))
}

fn unsigned(bits: u32) -> Target {
    let kind = if bits < 64 { ColumnKind::Integer } else { ColumnKind::Unsigned };
    (kind, (bits < 64).then_some((0, (1_i128 << bits) - 1)))
}

/// 18 digits, three after the point, unless said otherwise, as in DuckDB.
fn decimal(info: &ExactNumberInfo) -> Option<ColumnKind> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (18, 3),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    let precision = u8::try_from(precision).ok().filter(|precision| (1..=38).contains(precision))?;
    let scale =
        i8::try_from(scale).ok().filter(|scale| (0..=i16::from(precision)).contains(&i16::from(*scale)))?;
    Some(ColumnKind::Decimal { precision, scale })
}

fn target(data_type: &DataType) -> Option<Target> {
    Some(match data_type {
        DataType::Bool | DataType::Boolean => (ColumnKind::Boolean, None),
        DataType::TinyInt(_) => signed(8),
        DataType::SmallInt(_) | DataType::Int2(_) | DataType::Int16 => signed(16),
        DataType::Int(_) | DataType::Integer(_) | DataType::Int4(_) | DataType::Int32 => signed(32),
        DataType::BigInt(_) | DataType::Int8(_) | DataType::Int64 => signed(64),
        DataType::UTinyInt | DataType::UInt8 => unsigned(8),
        DataType::USmallInt | DataType::UInt16 => unsigned(16),
        DataType::UInt32 => unsigned(32),
        DataType::UBigInt | DataType::UInt64 | DataType::BigIntUnsigned(_) => unsigned(64),
        DataType::Float(_)
        | DataType::Float4
        | DataType::Float8
        | DataType::Float32
        | DataType::Float64
        | DataType::Real
        | DataType::Double(_)
        | DataType::DoublePrecision => (ColumnKind::Float, None),
        DataType::Decimal(info) | DataType::Numeric(info) | DataType::Dec(info) => (decimal(info)?, None),
        DataType::Text | DataType::Varchar(None) | DataType::String(None) | DataType::Char(None) => {
            (ColumnKind::Text, None)
        }
        DataType::Date | DataType::Date32 => (ColumnKind::Date, None),
        DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
        | DataType::Datetime(_) => (plain_timestamp(), None),
        DataType::Custom(name, arguments) if arguments.is_empty() => {
            match name.to_string().to_lowercase().as_str() {
                "utinyint" => unsigned(8),
                "usmallint" => unsigned(16),
                "uinteger" => unsigned(32),
                "ubigint" => unsigned(64),
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn can_cast(from: &ColumnKind, to: &ColumnKind) -> bool {
    use ColumnKind as Kind;
    match (from, to) {
        (Kind::Null, _) => true,
        (from, to) if from == to => true,
        (Kind::Text, _) | (Kind::Boolean, Kind::Text) => true,
        (from, Kind::Text) => is_numeric(from) || is_temporal(from),
        (Kind::Boolean, to) => is_numeric(to),
        (from, Kind::Boolean) => is_numeric(from),
        (from, to) if is_numeric(from) => is_numeric(to),
        (from, to) => is_temporal(from) && is_temporal(to),
    }
}

/// Months, days or seconds of a unit's name.
fn unit_of(name: &str) -> Option<Interval> {
    let of = |months, nanoseconds| Some(Interval { months, nanoseconds });
    match name.to_lowercase().trim_end_matches('s') {
        "year" => of(12, 0),
        "quarter" => of(3, 0),
        "month" => of(1, 0),
        "week" => of(0, 7 * DAY),
        "day" => of(0, DAY),
        "hour" => of(0, DAY / 24),
        "minute" => of(0, DAY / 1_440),
        "second" => of(0, DAY / 86_400),
        "millisecond" => of(0, 1_000_000),
        "microsecond" => of(0, 1_000),
        _ => None,
    }
}

/// `1 year 2 days`.
fn parse_interval(text: &str) -> Option<Interval> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(2) {
        return None;
    }
    let mut sum = Interval::default();
    for pair in words.chunks_exact(2) {
        let (count, unit) = (pair[0].parse::<i64>().ok()?, unit_of(pair[1])?);
        sum.months = sum.months.checked_add(unit.months.checked_mul(count)?)?;
        sum.nanoseconds = sum.nanoseconds.checked_add(unit.nanoseconds.checked_mul(i128::from(count))?)?;
    }
    Some(sum)
}

impl Binder<'_> {
    pub(super) fn literal(&self, value: &Value, tree: &Expr) -> BindResult<Term> {
        match value {
            Value::Number(text, false) => Term::number(text)
                .ok_or_else(|| self.wrong_literal(text, "a number in the range of floats", tree)),
            Value::SingleQuotedString(text) => Ok(Term::text(text)),
            Value::Boolean(value) => {
                Ok(Term::constant(Arc::new(BooleanArray::from(vec![*value])), ColumnKind::Boolean))
            }
            Value::Null => Ok(Term::null(ColumnKind::Null)),
            other => Err(self.unsupported(
                format!("the literal `{other}`"),
                "literals are numbers, 'text', TRUE, FALSE, NULL, DATE '…', TIMESTAMP '…', INTERVAL '…'",
                tree,
            )),
        }
    }

    pub(super) fn typed_literal(&self, typed: &TypedString, tree: &Expr) -> BindResult<Term> {
        let text = match &typed.value.value {
            Value::SingleQuotedString(text) => text,
            other => return Err(self.wrong_literal(&other.to_string(), "text in single quotes", tree)),
        };
        match &typed.data_type {
            DataType::Date => {
                Term::date(text).ok_or_else(|| self.wrong_literal(text, "a date such as '2024-02-29'", tree))
            }
            DataType::Timestamp(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone)
            | DataType::Datetime(_) => Term::timestamp(text)
                .ok_or_else(|| self.wrong_literal(text, "a timestamp such as '2024-02-29 12:30:00'", tree)),
            other => Err(self.unsupported(
                format!("literals of type {other}"),
                "typed literals are DATE '…' and TIMESTAMP '…'",
                tree,
            )),
        }
    }

    /// The interval that a part of the text is; `None` where it is something else.
    pub(super) fn interval(&self, tree: &Expr) -> BindResult<Option<Interval>> {
        let interval = match tree {
            Expr::Nested(inner) => return self.interval(inner),
            Expr::Interval(interval) => interval,
            _ => return Ok(None),
        };
        let refused = || self.wrong_literal(&tree.to_string(), "an interval such as INTERVAL '3 days'", tree);
        let (sign, value) = match interval.value.as_ref() {
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => (-1, expr.as_ref()),
            other => (1, other),
        };
        let Expr::Value(value) = value else { return Err(refused()) };
        let text = match &value.value {
            Value::SingleQuotedString(text) | Value::Number(text, _) => text.clone(),
            _ => return Err(refused()),
        };
        let text = match &interval.leading_field {
            Some(DateTimeField::Custom(_)) => return Err(refused()),
            Some(field) => format!("{text} {field}"),
            None => text,
        };
        let mut interval = parse_interval(&text).ok_or_else(refused)?;
        interval.months *= sign;
        interval.nanoseconds *= i128::from(sign);
        Ok(Some(interval))
    }

    pub(super) fn cast(
        &mut self,
        kind: &CastKind,
        inner: &Expr,
        data_type: &DataType,
        tree: &Expr,
    ) -> BindResult<Term> {
        let Some((target, range)) = target(data_type) else {
            return Err(self.unsupported(format!("the type {data_type}"), TYPES, tree));
        };
        let term = self.bind(inner)?;
        if !can_cast(&term.kind, &target) {
            let expected = "numbers, booleans and text among one another, dates and timestamps, and text";
            return Err(self.operands(&format!("CAST AS {data_type}"), &[&term], expected, tree));
        }
        if term.kind == target && range.is_none() {
            return Ok(Term::new(term.node, target));
        }
        let is_try = matches!(kind, CastKind::TryCast | CastKind::SafeCast);
        Ok(Term::call(Kernel::Cast { target: target.clone(), range, is_try }, vec![term], target))
    }
}
