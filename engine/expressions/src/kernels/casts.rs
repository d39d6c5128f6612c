//! Casts between scalar kinds.
//!
//! | from | to | how |
//! |---|---|---|
//! | float | integer, decimal | integer: half to even, decimal: half away from zero; what does not fit fails |
//! | decimal | integer, decimal of less scale | half away from zero |
//! | text | any | without the spaces around it; booleans are `true`, `t`, `1`, `false`, `f`, `0` |
//! | float | text | the fewest digits that read back as the same float, `NaN`, `inf`, `-inf` |
//! | timestamp | date | the day that it lies in, in UTC |
//! | number | boolean | whether it is not zero; NaN is |

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type};
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;

use super::arithmetic::{digits_text, rescale};
use super::compare::rounded;
use super::{Answer, Failures, Operand, Text, decimal, fallible, float, instants, store, texts, whole};
use crate::calendar::{DAY, format_date, format_timestamp, parse_date, parse_timestamp};
use crate::error::Failure;

/// So many characters of a value are shown in an error.
const SHOWN: usize = 40;

type Wide<'a> = Box<dyn Fn(usize) -> Option<i128> + 'a>;

/// The values as text, for `CAST(x AS TEXT)`, errors and reports.
pub(crate) fn shown(array: &ArrayRef) -> Result<Box<dyn Fn(usize) -> String + '_>> {
    Ok(match array.data_type() {
        DataType::Float64 => {
            let values = float(array)?;
            Box::new(move |row| format!("{:?}", values[row]))
        }
        DataType::Boolean => {
            let values = whole(array)?;
            Box::new(move |row| (values(row) != 0).to_string())
        }
        DataType::Decimal128(..) => {
            let (values, scale) = decimal(array)?;
            Box::new(move |row| digits_text(values.value(row), scale))
        }
        DataType::Date32 => {
            let values = whole(array)?;
            Box::new(move |row| format_date(i64::try_from(values(row)).unwrap_or(0)))
        }
        DataType::Timestamp(..) => {
            let values = instants(array)?;
            Box::new(move |row| format_timestamp(values(row)))
        }
        DataType::Utf8 | DataType::Utf8View => {
            let values = Text::of(array)?;
            Box::new(move |row| values.get(row).to_owned())
        }
        _ => {
            let values = whole(array)?;
            Box::new(move |row| values(row).to_string())
        }
    })
}

/// A float as digits at a scale; none for what is not finite or too large.
fn digits_of_float(value: f64, scale: i8, is_integer: bool) -> Option<i128> {
    let scaled = value * 10_f64.powi(i32::from(scale));
    let whole = if is_integer { scaled.round_ties_even() } else { scaled.round() };
    #[expect(clippy::cast_possible_truncation, reason = "below 2^126 in magnitude")]
    let digits = whole as i128;
    (whole.abs() < 8.5e37).then_some(digits)
}

/// The digits of `-12.50` at a scale, rounded half away from zero.
fn parse_decimal(text: &str, scale: i8) -> Option<i128> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i16>().ok()?),
        None => (text, 0),
    };
    let (sign, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: i128 = all.parse().ok()?;
    let from = i16::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
    rescale(sign * digits, i8::try_from(from).ok()?, scale)
}

/// A decimal literal with its own scale; none where it has an exponent or more than 38 digits.
pub(crate) fn decimal_literal(text: &str) -> Option<(i128, i8)> {
    let (_, fraction) = text.split_once('.')?;
    let scale = i8::try_from(fraction.len()).ok().filter(|scale| *scale <= 38)?;
    if text.len() > 39 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    Some((parse_decimal(text, scale)?, scale))
}

fn parse_boolean(text: &str) -> Option<i128> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(1),
        "false" | "f" | "0" => Some(0),
        _ => None,
    }
}

/// A text as the whole number that the target stores.
fn parse(text: &str, target: &ColumnKind) -> Option<i128> {
    let text = text.trim();
    match target {
        ColumnKind::Boolean => parse_boolean(text),
        ColumnKind::Integer | ColumnKind::Unsigned => text.parse().ok(),
        ColumnKind::Decimal { scale, .. } => parse_decimal(text, *scale),
        ColumnKind::Date => parse_date(text).map(i128::from),
        ColumnKind::Timestamp { .. } => parse_timestamp(text),
        _ => None,
    }
}

/// The values as the whole numbers that the target stores.
fn wide<'a>(operand: &'a Operand, target: &'a ColumnKind) -> Result<Wide<'a>> {
    let scale = if let ColumnKind::Decimal { scale, .. } = target { *scale } else { 0 };
    let is_boolean = *target == ColumnKind::Boolean;
    Ok(match operand.array.data_type() {
        DataType::Utf8 | DataType::Utf8View => {
            let values = Text::of(&operand.array)?;
            Box::new(move |row| parse(values.get(row), target))
        }
        DataType::Float64 => {
            let values = float(&operand.array)?;
            let is_integer = !matches!(target, ColumnKind::Decimal { .. });
            Box::new(move |row| {
                if is_boolean {
                    return Some(i128::from(values[row] != 0.0));
                }
                digits_of_float(values[row], scale, is_integer)
            })
        }
        DataType::Decimal128(_, from) => {
            let (values, from) = (whole(&operand.array)?, *from);
            Box::new(move |row| {
                if is_boolean {
                    Some(i128::from(values(row) != 0))
                } else {
                    rescale(values(row), from, scale)
                }
            })
        }
        DataType::Date32 if matches!(target, ColumnKind::Timestamp { .. }) => {
            let values = instants(&operand.array)?;
            Box::new(move |row| Some(values(row)))
        }
        DataType::Timestamp(..) if *target == ColumnKind::Date => {
            let values = instants(&operand.array)?;
            Box::new(move |row| Some(values(row).div_euclid(DAY)))
        }
        _ => {
            let values = whole(&operand.array)?;
            Box::new(move |row| {
                if is_boolean { Some(i128::from(values(row) != 0)) } else { rescale(values(row), 0, scale) }
            })
        }
    })
}

fn to_float(operand: &Operand, rows: usize, nulls: Option<&NullBuffer>) -> Result<Answer> {
    let array = &operand.array;
    let value: Box<dyn Fn(usize) -> Result<Option<f64>, Failure>> = match array.data_type() {
        DataType::Float64 => return Ok((Arc::clone(array), Failures::none())),
        DataType::Utf8 | DataType::Utf8View => {
            let values = Text::of(array)?;
            Box::new(move |row| {
                let text = values.get(row);
                text.trim().parse().map(Some).map_err(|_| failed(text, "a float"))
            })
        }
        DataType::Decimal128(..) => {
            let (values, scale) = decimal(array)?;
            Box::new(move |row| Ok(Some(rounded(values.value(row), scale))))
        }
        _ => {
            let values = whole(array)?;
            Box::new(move |row| Ok(Some(values(row) as f64)))
        }
    };
    let (array, failures) = fallible::<Float64Type>(rows, nulls, value);
    Ok((Arc::new(array), failures))
}

fn failed(value: &str, target: &str) -> Failure {
    let mut characters = value.chars();
    let start: String = characters.by_ref().take(SHOWN).collect();
    let rest = if characters.next().is_some() { "…" } else { "" };
    Failure::Cast { value: format!("`{start}{rest}`"), target: target.into() }
}

pub(super) fn cast(
    target: &ColumnKind,
    range: Option<(i128, i128)>,
    operand: &Operand,
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    match target {
        ColumnKind::Float => to_float(operand, rows, nulls),
        ColumnKind::Text => {
            if matches!(operand.array.data_type(), DataType::Utf8 | DataType::Utf8View) {
                return Ok((Arc::clone(&operand.array), Failures::none()));
            }
            let show = shown(&operand.array)?;
            Ok((texts(rows, nulls, |row| show(row).into()), Failures::none()))
        }
        _ => {
            let (values, show) = (wide(operand, target)?, shown(&operand.array)?);
            let name = match range {
                Some((low, high)) => format!("an integer from {low} to {high}"),
                None => target.to_string(),
            };
            let describe = |row| failed(&show(row), &name);
            let value = |row| match values(row) {
                Some(value) if range.is_none_or(|(low, high)| (low..=high).contains(&value)) => {
                    Ok(Some(value))
                }
                _ => Err(describe(row)),
            };
            store(target, rows, nulls, value, describe)
        }
    }
}
