//! Functions of one or several columns that are null where an argument is null.
//!
//! A kernel sees plain arrays (no codes) of the kinds that binding has checked, and constants as arrays of
//! length 1.

mod arithmetic;
mod casts;
mod compare;
mod temporal;
mod texts;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Decimal128Array, PrimitiveArray, StringArray,
    StringViewArray, StringViewBuilder,
};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType, UInt64Type,
};
use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use std::sync::Arc;

use crate::calendar::{DAY, MICROSECOND};
use crate::error::Failure;
use crate::node::Kernel;

pub(crate) use casts::decimal_literal;
#[cfg(test)]
pub(crate) use casts::shown;
pub(crate) use compare::ordering;

/// An argument: a column, or one value for all rows.
#[derive(Clone, Debug)]
pub(crate) struct Operand {
    pub(crate) array: ArrayRef,
    pub(crate) is_scalar: bool,
}

impl Operand {
    /// Where the value of a row is.
    pub(crate) fn index(&self, row: usize) -> usize {
        if self.is_scalar { 0 } else { row }
    }

    /// Which of the rows are valid; `None` for all.
    pub(crate) fn nulls(&self, rows: usize) -> Option<NullBuffer> {
        let nulls = self.array.logical_nulls()?;
        if !self.is_scalar {
            return Some(nulls);
        }
        nulls.is_null(0).then(|| NullBuffer::new_null(rows))
    }

    fn is_float(&self) -> bool {
        *self.array.data_type() == DataType::Float64
    }
}

/// Rows without an answer, ascending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures(pub(crate) Vec<(usize, Failure)>);

impl Failures {
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Both, ascending.
    pub(crate) fn join(&mut self, other: Self) {
        if !other.0.is_empty() {
            self.0.extend(other.0);
            self.0.sort_by_key(|(row, _)| *row);
        }
    }
}

/// The answer of a kernel and the rows for which there is none; these are null in it.
pub(crate) type Answer = (ArrayRef, Failures);

/// Rows for which all operands have a value.
fn valid(operands: &[Operand], rows: usize) -> Option<NullBuffer> {
    operands
        .iter()
        .fold(None, |nulls, operand| NullBuffer::union(nulls.as_ref(), operand.nulls(rows).as_ref()))
}

/// A truth value for each row.
fn booleans(rows: usize, nulls: Option<NullBuffer>, value: impl FnMut(usize) -> bool) -> ArrayRef {
    Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, value), nulls))
}

/// A number for each row; `value` must not fail on rows that are null.
fn primitives<T: ArrowPrimitiveType>(
    rows: usize,
    nulls: Option<NullBuffer>,
    value: impl FnMut(usize) -> T::Native,
) -> PrimitiveArray<T> {
    PrimitiveArray::new(ScalarBuffer::from((0..rows).map(value).collect::<Vec<_>>()), nulls)
}

/// A number, null or failure for each row that is valid.
fn fallible<T: ArrowPrimitiveType>(
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut value: impl FnMut(usize) -> Result<Option<T::Native>, Failure>,
) -> (PrimitiveArray<T>, Failures) {
    let mut failures = Failures::none();
    let values = (0..rows).map(|row| {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        value(row).unwrap_or_else(|failure| {
            failures.0.push((row, failure));
            None
        })
    });
    let array = values.collect();
    (array, failures)
}

/// A text for each row that is valid.
fn texts<'a>(
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut value: impl FnMut(usize) -> std::borrow::Cow<'a, str>,
) -> ArrayRef {
    let mut builder = StringViewBuilder::with_capacity(rows);
    for row in 0..rows {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            builder.append_null();
        } else {
            builder.append_value(value(row));
        }
    }
    Arc::new(builder.finish())
}

/// Text in either layout.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text<'a> {
    View(&'a StringViewArray),
    Plain(&'a StringArray),
}

impl<'a> Text<'a> {
    pub(crate) fn of(array: &'a ArrayRef) -> Result<Self> {
        match array.data_type() {
            DataType::Utf8View => Ok(Self::View(array.as_string_view())),
            DataType::Utf8 => Ok(Self::Plain(array.as_string())),
            other => Err(unexpected("text", other)),
        }
    }

    pub(crate) fn get(&self, index: usize) -> &'a str {
        match self {
            Self::View(array) => array.value(index),
            Self::Plain(array) => array.value(index),
        }
    }
}

/// A kernel was handed what binding should have refused.
pub(crate) fn unexpected(expected: &str, found: &DataType) -> sluice_core::Error {
    CommonError::Internal(format!("an expression expected {expected}, found {found}")).into()
}

/// A decimal as its digits, with a scale.
fn decimal(array: &ArrayRef) -> Result<(&Decimal128Array, i8)> {
    let values =
        array.as_primitive_opt::<Decimal128Type>().ok_or_else(|| unexpected("decimal", array.data_type()))?;
    Ok((values, values.scale()))
}

fn float(array: &ArrayRef) -> Result<&ScalarBuffer<f64>> {
    let values =
        array.as_primitive_opt::<Float64Type>().ok_or_else(|| unexpected("float", array.data_type()))?;
    Ok(values.values())
}

type Getter<'a> = Box<dyn Fn(usize) -> i128 + 'a>;

/// Whole numbers of any kind: booleans as 0 and 1, dates as days, timestamps as nanoseconds, decimals as
/// digits.
fn whole(array: &ArrayRef) -> Result<Getter<'_>> {
    Ok(match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            Box::new(move |index| i128::from(values.value(index)))
        }
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>().values();
            Box::new(move |index| i128::from(values[index]))
        }
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().values();
            Box::new(move |index| i128::from(values[index]))
        }
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().values();
            Box::new(move |index| i128::from(values[index]))
        }
        DataType::Decimal128(..) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            Box::new(move |index| values[index])
        }
        _ => return instants(array),
    })
}

/// Dates and timestamps as nanoseconds since 1970-01-01.
fn instants(array: &ArrayRef) -> Result<Getter<'_>> {
    Ok(match array.data_type() {
        DataType::Date32 => {
            let values = array.as_primitive::<Date32Type>().values();
            Box::new(move |index| i128::from(values[index]) * DAY)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let values = array.as_primitive::<TimestampMicrosecondType>().values();
            Box::new(move |index| i128::from(values[index]) * MICROSECOND)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            let values = array.as_primitive::<TimestampNanosecondType>().values();
            Box::new(move |index| i128::from(values[index]))
        }
        other => return Err(unexpected("a date or timestamp", other)),
    })
}

/// Whole numbers as a column of a kind that holds them; what does not fit is a failure.
fn store(
    kind: &ColumnKind,
    rows: usize,
    nulls: Option<&NullBuffer>,
    mut value: impl FnMut(usize) -> Result<Option<i128>, Failure>,
    describe: impl Fn(usize) -> Failure,
) -> Result<Answer> {
    macro_rules! narrow {
        ($type:ty) => {{
            let (array, failures) = fallible::<$type>(rows, nulls, |row| match value(row)? {
                None => Ok(None),
                Some(wide) => wide.try_into().map(Some).map_err(|_| describe(row)),
            });
            (array, failures)
        }};
    }
    Ok(match kind {
        ColumnKind::Integer => {
            let (array, failures) = narrow!(Int64Type);
            (Arc::new(array), failures)
        }
        ColumnKind::Unsigned => {
            let (array, failures) = narrow!(UInt64Type);
            (Arc::new(array), failures)
        }
        ColumnKind::Date => {
            let (array, failures) = narrow!(Date32Type);
            (Arc::new(array), failures)
        }
        ColumnKind::Boolean => {
            let (array, failures) = narrow!(Int64Type);
            let truth = array.values().iter().map(|value| *value != 0).collect();
            (Arc::new(BooleanArray::new(truth, array.nulls().cloned())), failures)
        }
        ColumnKind::Decimal { precision, scale } => {
            let limit = 10_i128.pow(u32::from(*precision).min(38));
            let (array, failures) = fallible::<Decimal128Type>(rows, nulls, |row| match value(row)? {
                Some(digits) if digits <= -limit || digits >= limit => Err(describe(row)),
                other => Ok(other),
            });
            let array = array.with_precision_and_scale(*precision, *scale).map_err(internal)?;
            (Arc::new(array), failures)
        }
        ColumnKind::Timestamp { zone, nanoseconds: true } => {
            let (array, failures) = narrow!(TimestampNanosecondType);
            (Arc::new(array.with_timezone_opt(zone.clone())), failures)
        }
        ColumnKind::Timestamp { zone, nanoseconds: false } => {
            let mut in_microseconds = |row| value(row).map(|wide| wide.map(|it| it.div_euclid(MICROSECOND)));
            let (array, failures) =
                fallible::<TimestampMicrosecondType>(rows, nulls, |row| match in_microseconds(row)? {
                    None => Ok(None),
                    Some(wide) => wide.try_into().map(Some).map_err(|_| describe(row)),
                });
            (Arc::new(array.with_timezone_opt(zone.clone())), failures)
        }
        other => return Err(CommonError::Internal(format!("whole numbers cannot be {other}")).into()),
    })
}

/// What Arrow refuses although binding has checked it.
pub(crate) fn internal(error: arrow::error::ArrowError) -> sluice_core::Error {
    CommonError::Internal(error.to_string()).into()
}

impl Kernel {
    /// The answers for `rows` rows.
    pub(crate) fn run(&self, operands: &[Operand], rows: usize) -> Result<Answer> {
        let nulls = valid(operands, rows);
        match self {
            Self::Compare(comparison) => compare::compare(*comparison, operands, rows, nulls),
            Self::Not => {
                let values = operands[0].array.as_boolean();
                Ok((booleans(rows, nulls, |row| !values.value(row)), Failures::none()))
            }
            Self::Negate => arithmetic::negate(&operands[0], rows, nulls.as_ref()),
            Self::Absolute => arithmetic::absolute(&operands[0], rows, nulls.as_ref()),
            Self::Sign => arithmetic::sign(&operands[0], rows, nulls),
            Self::Arithmetic { operator, result } => {
                arithmetic::join(*operator, result, operands, rows, nulls.as_ref())
            }
            Self::Cast { target, range, is_try } => {
                let (array, failures) = casts::cast(target, *range, &operands[0], rows, nulls.as_ref())?;
                Ok((array, if *is_try { Failures::none() } else { failures }))
            }
            Self::Round(rounding) => arithmetic::round(*rounding, &operands[0], rows, nulls.as_ref()),
            Self::Float(function) => arithmetic::of_float(*function, &operands[0], rows, nulls),
            Self::Power => arithmetic::power(operands, rows, nulls),
            Self::FloatTest(test) => compare::test_float(*test, &operands[0], rows, nulls),
            Self::Matches { pattern, is_negated } => {
                texts::matches(pattern, *is_negated, &operands[0], rows, nulls)
            }
            Self::In { list, has_null } => compare::is_in(list, *has_null, &operands[0], rows, nulls),
            Self::Text(function) => texts::apply(*function, operands, rows, nulls.as_ref()),
            Self::TextTest(test) => texts::test(*test, operands, rows, nulls),
            Self::Characters => texts::characters(&operands[0], rows, nulls),
            Self::Bytes => texts::bytes(&operands[0], rows, nulls),
            Self::Part { part, offset } => temporal::part(*part, *offset, &operands[0], rows, nulls.as_ref()),
            Self::Truncate { unit, offset } => {
                temporal::truncate(*unit, *offset, &operands[0], rows, nulls.as_ref())
            }
            Self::Difference { unit, offset } => {
                temporal::difference(*unit, *offset, operands, rows, nulls.as_ref())
            }
            Self::DaysBetween => temporal::days_between(operands, rows, nulls.as_ref()),
            Self::AddDays { is_negative } => temporal::add_days(*is_negative, operands, rows, nulls.as_ref()),
            Self::AddInterval(interval) => {
                temporal::add_interval(*interval, &operands[0], rows, nulls.as_ref())
            }
        }
    }
}
