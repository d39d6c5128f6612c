//! Arithmetic. Integers and decimals are exact or fail; floats follow IEEE 754.
//!
//! `/` is division of floats, whatever the operands (`7 / 2` is 3.5, `1 / 0` infinite, `0 / 0` NaN), as in
//! DuckDB. `%` keeps the sign of the dividend; by zero it is null for integers and decimals, NaN for floats.

use arrow::array::{Array, AsArray, Float64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use std::sync::Arc;

use super::compare::rounded;
use super::{Answer, Failures, Operand, decimal, fallible, float, primitives, store, whole};
use crate::error::Failure;
use crate::node::{Arithmetic, FloatFunction, Rounding};

/// The kind of an array that holds numbers.
fn kind_of(operand: &Operand) -> ColumnKind {
    ColumnKind::of(operand.array.data_type())
}

/// The numbers as floats.
fn as_float(operand: &Operand) -> Result<Box<dyn Fn(usize) -> f64 + '_>> {
    Ok(match operand.array.data_type() {
        DataType::Float64 => {
            let values = float(&operand.array)?;
            Box::new(move |row| values[operand.index(row)])
        }
        DataType::Decimal128(..) => {
            let (values, scale) = decimal(&operand.array)?;
            Box::new(move |row| rounded(values.value(operand.index(row)), scale))
        }
        _ => {
            let values = whole(&operand.array)?;
            Box::new(move |row| values(operand.index(row)) as f64)
        }
    })
}

/// The name of a kind in an error.
fn name_of(kind: &ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Integer => "a 64-bit integer",
        ColumnKind::Unsigned => "an unsigned 64-bit integer",
        ColumnKind::Decimal { .. } => "a decimal of 38 digits",
        _ => "its kind",
    }
}

fn overflow(operation: String, kind: &ColumnKind) -> Failure {
    Failure::Overflow { operation, kind: name_of(kind) }
}

pub(super) fn join(
    operator: Arithmetic,
    result: &ColumnKind,
    operands: &[Operand],
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let (left, right) = (&operands[0], &operands[1]);
    match result {
        ColumnKind::Float => join_floats(operator, left, right, rows, nulls),
        ColumnKind::Decimal { scale, .. } => join_decimals(operator, *scale, (left, right), rows, nulls),
        ColumnKind::Integer if operands.iter().all(|it| *it.array.data_type() == DataType::Int64) => {
            Ok(join_integers(operator, left, right, rows, nulls))
        }
        kind => {
            let (a, b) = (whole(&left.array)?, whole(&right.array)?);
            let show = |row| {
                let (a, b) = (a(left.index(row)), b(right.index(row)));
                overflow(format!("{a} {} {b}", operator.sign()), kind)
            };
            let value = |row| {
                let (a, b) = (a(left.index(row)), b(right.index(row)));
                match operator {
                    // 64-bit operands: sums fit 128 bits, and so do products.
                    Arithmetic::Add => Ok(Some(a + b)),
                    Arithmetic::Subtract => Ok(Some(a - b)),
                    Arithmetic::Multiply => a.checked_mul(b).map(Some).ok_or_else(|| show(row)),
                    Arithmetic::Divide | Arithmetic::Remainder => Ok(a.checked_rem(b)),
                }
            };
            store(kind, rows, nulls, value, show)
        }
    }
}

fn join_integers(
    operator: Arithmetic,
    left: &Operand,
    right: &Operand,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Answer {
    let a = left.array.as_primitive::<Int64Type>().values();
    let b = right.array.as_primitive::<Int64Type>().values();
    let (array, failures) = fallible::<Int64Type>(rows, nulls, |row| {
        let (a, b) = (a[left.index(row)], b[right.index(row)]);
        let value = match operator {
            Arithmetic::Add => a.checked_add(b),
            Arithmetic::Subtract => a.checked_sub(b),
            Arithmetic::Multiply => a.checked_mul(b),
            Arithmetic::Divide | Arithmetic::Remainder if b == 0 => return Ok(None),
            // i64::MIN % -1 is 0, which only the wrapping form says.
            Arithmetic::Divide | Arithmetic::Remainder => Some(a.wrapping_rem(b)),
        };
        let show = || overflow(format!("{a} {} {b}", operator.sign()), &ColumnKind::Integer);
        value.map(Some).ok_or_else(show)
    });
    (Arc::new(array), failures)
}

fn join_floats(
    operator: Arithmetic,
    left: &Operand,
    right: &Operand,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let nulls = nulls.cloned();
    let array: Float64Array = if left.is_float() && right.is_float() {
        let (a, b) = (float(&left.array)?, float(&right.array)?);
        let (a, b) = (|row| a[left.index(row)], |row| b[right.index(row)]);
        match operator {
            Arithmetic::Add => primitives::<Float64Type>(rows, nulls, |row| a(row) + b(row)),
            Arithmetic::Subtract => primitives(rows, nulls, |row| a(row) - b(row)),
            Arithmetic::Multiply => primitives(rows, nulls, |row| a(row) * b(row)),
            Arithmetic::Divide => primitives(rows, nulls, |row| a(row) / b(row)),
            Arithmetic::Remainder => primitives(rows, nulls, |row| a(row) % b(row)),
        }
    } else {
        let (a, b) = (as_float(left)?, as_float(right)?);
        primitives(rows, nulls, |row| match operator {
            Arithmetic::Add => a(row) + b(row),
            Arithmetic::Subtract => a(row) - b(row),
            Arithmetic::Multiply => a(row) * b(row),
            Arithmetic::Divide => a(row) / b(row),
            Arithmetic::Remainder => a(row) % b(row),
        })
    };
    Ok((Arc::new(array), Failures::none()))
}

/// The digits of a number at another scale; none where they pass 128 bits.
pub(super) fn rescale(digits: i128, from: i8, to: i8) -> Option<i128> {
    let by = i16::from(to) - i16::from(from);
    let power = 10_i128.checked_pow(u32::from(by.unsigned_abs()))?;
    if by >= 0 { digits.checked_mul(power) } else { Some(round_digits(digits, power)) }
}

/// Half away from zero.
fn round_digits(digits: i128, power: i128) -> i128 {
    let (quotient, remainder) = (digits / power, digits % power);
    if remainder.unsigned_abs() >= power.unsigned_abs().div_ceil(2) {
        quotient + digits.signum()
    } else {
        quotient
    }
}

fn scale_of(operand: &Operand) -> i8 {
    match operand.array.data_type() {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

fn join_decimals(
    operator: Arithmetic,
    scale: i8,
    (left, right): (&Operand, &Operand),
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let kind = ColumnKind::Decimal { precision: 38, scale };
    let (left_scale, right_scale) = (scale_of(left), scale_of(right));
    let (a, b) = (whole(&left.array)?, whole(&right.array)?);
    let show = |row| {
        let (a, b) = (a(left.index(row)), b(right.index(row)));
        let (a, b) = (digits_text(a, left_scale), digits_text(b, right_scale));
        overflow(format!("{a} {} {b}", operator.sign()), &kind)
    };
    let value = |row| {
        let (a, b) = (a(left.index(row)), b(right.index(row)));
        if operator == Arithmetic::Multiply {
            return a.checked_mul(b).map(Some).ok_or_else(|| show(row));
        }
        let (a, b) = (rescale(a, left_scale, scale), rescale(b, right_scale, scale));
        let (Some(a), Some(b)) = (a, b) else { return Err(show(row)) };
        match operator {
            Arithmetic::Add => a.checked_add(b).map(Some).ok_or_else(|| show(row)),
            Arithmetic::Subtract => a.checked_sub(b).map(Some).ok_or_else(|| show(row)),
            _ => Ok(a.checked_rem(b)),
        }
    };
    store(&kind, rows, nulls, value, show)
}

/// A decimal as text.
pub(super) fn digits_text(digits: i128, scale: i8) -> String {
    let Ok(places @ 1..) = usize::try_from(scale) else {
        return format!("{digits}{}", "0".repeat(scale.unsigned_abs().into()));
    };
    let text = format!("{:0>width$}", digits.unsigned_abs(), width = places + 1);
    let (whole, fraction) = text.split_at(text.len() - places);
    format!("{}{whole}.{fraction}", if digits < 0 { "-" } else { "" })
}

pub(super) fn negate(operand: &Operand, rows: usize, nulls: Option<&NullBuffer>) -> Result<Answer> {
    if operand.is_float() {
        let values = float(&operand.array)?;
        let array = primitives::<Float64Type>(rows, nulls.cloned(), |row| -values[row]);
        return Ok((Arc::new(array), Failures::none()));
    }
    let (values, kind) = (whole(&operand.array)?, kind_of(operand));
    let kind = if kind == ColumnKind::Unsigned { ColumnKind::Integer } else { kind };
    let show = |row| overflow(format!("-({})", values(row)), &kind);
    store(&kind, rows, nulls, |row| Ok(Some(-values(row))), show)
}

pub(super) fn absolute(operand: &Operand, rows: usize, nulls: Option<&NullBuffer>) -> Result<Answer> {
    if operand.is_float() {
        let values = float(&operand.array)?;
        let array = primitives::<Float64Type>(rows, nulls.cloned(), |row| values[row].abs());
        return Ok((Arc::new(array), Failures::none()));
    }
    let (values, kind) = (whole(&operand.array)?, kind_of(operand));
    let show = |row| overflow(format!("abs({})", values(row)), &kind);
    store(&kind, rows, nulls, |row| Ok(Some(values(row).abs())), show)
}

/// -1, 0 or 1; 0 for NaN, as in DuckDB.
pub(super) fn sign(operand: &Operand, rows: usize, nulls: Option<NullBuffer>) -> Result<Answer> {
    let array = if operand.is_float() {
        let values = float(&operand.array)?;
        primitives::<Int64Type>(rows, nulls, |row| {
            i64::from(values[row] > 0.0) - i64::from(values[row] < 0.0)
        })
    } else {
        let values = whole(&operand.array)?;
        primitives(rows, nulls, |row| i64::from(values(row) > 0) - i64::from(values(row) < 0))
    };
    Ok((Arc::new(array), Failures::none()))
}

/// Half away from zero, to so many digits after the point. As DuckDB: scaled, rounded and scaled back, and as
/// it was where scaling passes the range.
fn round_float(value: f64, places: i32) -> f64 {
    if places == 0 {
        return value.round();
    }
    let power = 10_f64.powi(places.abs());
    let answer = if places > 0 { (value * power).round() / power } else { (value / power).round() * power };
    match (answer.is_finite(), places > 0) {
        (true, _) => answer,
        (false, true) => value,
        (false, false) => 0.0,
    }
}

pub(super) fn round(
    rounding: Rounding,
    operand: &Operand,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    if operand.is_float() {
        let values = float(&operand.array)?;
        let array = primitives::<Float64Type>(rows, nulls.cloned(), |row| match rounding {
            Rounding::Floor => values[row].floor(),
            Rounding::Ceiling => values[row].ceil(),
            Rounding::Nearest(places) => round_float(values[row], places),
        });
        return Ok((Arc::new(array), Failures::none()));
    }
    let (values, scale) = (whole(&operand.array)?, scale_of(operand));
    let kind = match kind_of(operand) {
        // Rounding up may take a digit more.
        ColumnKind::Decimal { scale, .. } => ColumnKind::Decimal { precision: 38, scale },
        other => other,
    };
    let dropped = match rounding {
        Rounding::Nearest(places) => i32::from(scale).saturating_sub(places),
        Rounding::Floor | Rounding::Ceiling => i32::from(scale),
    };
    let power = 10_i128.checked_pow(u32::try_from(dropped).unwrap_or(0));
    let show = |row| overflow(format!("round({})", digits_text(values(row), scale)), &kind);
    let value = |row| {
        // A power beyond 38 digits is more than twice any value.
        let Some(power) = power else { return Ok(Some(0)) };
        let value = values(row);
        let quotient = match rounding {
            Rounding::Floor => value.div_euclid(power),
            Rounding::Ceiling => -(-value).div_euclid(power),
            Rounding::Nearest(_) => round_digits(value, power),
        };
        quotient.checked_mul(power).map(Some).ok_or_else(|| show(row))
    };
    store(&kind, rows, nulls, value, show)
}

pub(super) fn of_float(
    function: FloatFunction,
    operand: &Operand,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Answer> {
    let values = as_float(operand)?;
    let array = primitives::<Float64Type>(rows, nulls, |row| {
        let value = values(row);
        match function {
            FloatFunction::SquareRoot => value.sqrt(),
            FloatFunction::Exponential => value.exp(),
            FloatFunction::NaturalLogarithm => value.ln(),
            FloatFunction::DecimalLogarithm => value.log10(),
            FloatFunction::BinaryLogarithm => value.log2(),
        }
    });
    Ok((Arc::new(array), Failures::none()))
}

pub(super) fn power(operands: &[Operand], rows: usize, nulls: Option<NullBuffer>) -> Result<Answer> {
    let (base, exponent) = (as_float(&operands[0])?, as_float(&operands[1])?);
    let array = primitives::<Float64Type>(rows, nulls, |row| base(row).powf(exponent(row)));
    Ok((Arc::new(array), Failures::none()))
}
