//! Comparisons. Integers, dates, timestamps and decimals are compared exactly, whatever their widths and
//! scales; integers against floats too, also beyond 2^53. Floats follow IEEE 754: NaN is unequal to
//! everything, -0 equals 0. A decimal against a float is rounded to a float first. Text and binary are
//! compared byte by byte.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{DataType, Int64Type};
use sluice_core::error::Result;

use super::{Answer, Failures, Operand, Text, booleans, decimal, float, instants, whole};
use crate::node::{Comparison, FloatTest, List};

impl Comparison {
    /// Whether an order satisfies it; no order, which is NaN's, only satisfies "not equal".
    pub(crate) fn keeps(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::NotEqual => ordering != Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::LessOrEqual => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::GreaterOrEqual => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// The order of an integer and a float, exactly. NaN has none.
fn integer_and_float(integer: i128, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Beyond 2^126 no 64-bit integer is near; infinities too.
    if float.abs() >= 8.5e37 {
        return Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater });
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 2^126, and the fraction is looked at below")]
    let whole = float.trunc() as i128;
    Some(integer.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)))
}

/// The order of two decimals, exactly.
fn decimals(left: i128, left_scale: i8, right: i128, right_scale: i8) -> Ordering {
    let raise = |digits: i128, by: i16| {
        10_i128.checked_pow(u32::from(by.unsigned_abs())).and_then(|power| digits.checked_mul(power))
    };
    let difference = i16::from(left_scale) - i16::from(right_scale);
    // What passes 38 digits when raised is farther from zero than anything on the other side.
    if difference >= 0 {
        raise(right, difference).map_or(0.cmp(&right), |right| left.cmp(&right))
    } else {
        raise(left, difference).map_or(left.cmp(&0), |left| left.cmp(&right))
    }
}

type Order<'a> = Box<dyn Fn(usize) -> Option<Ordering> + 'a>;

/// The order of two columns in each row; rows that are null have any.
pub(crate) fn ordering<'a>(left: &'a Operand, right: &'a Operand) -> Result<Order<'a>> {
    let (l, r) = (move |row| left.index(row), move |row| right.index(row));
    let scale_of =
        |data_type: &DataType| if let DataType::Decimal128(_, scale) = data_type { *scale } else { 0 };
    Ok(match (left.array.data_type(), right.array.data_type()) {
        (DataType::Float64, DataType::Float64) => {
            let (a, b) = (float(&left.array)?, float(&right.array)?);
            Box::new(move |row| a[l(row)].partial_cmp(&b[r(row)]))
        }
        (DataType::Decimal128(..), DataType::Float64) => {
            let ((a, scale), b) = (decimal(&left.array)?, float(&right.array)?);
            Box::new(move |row| rounded(a.value(l(row)), scale).partial_cmp(&b[r(row)]))
        }
        (DataType::Float64, DataType::Decimal128(..)) => {
            let (a, (b, scale)) = (float(&left.array)?, decimal(&right.array)?);
            Box::new(move |row| a[l(row)].partial_cmp(&rounded(b.value(r(row)), scale)))
        }
        (_, DataType::Float64) => {
            let (a, b) = (whole(&left.array)?, float(&right.array)?);
            Box::new(move |row| integer_and_float(a(l(row)), b[r(row)]))
        }
        (DataType::Float64, _) => {
            let (a, b) = (float(&left.array)?, whole(&right.array)?);
            Box::new(move |row| integer_and_float(b(r(row)), a[l(row)]).map(Ordering::reverse))
        }
        (a, b) if matches!(a, DataType::Decimal128(..)) || matches!(b, DataType::Decimal128(..)) => {
            let (left_scale, right_scale) = (scale_of(a), scale_of(b));
            let (a, b) = (whole(&left.array)?, whole(&right.array)?);
            Box::new(move |row| Some(decimals(a(l(row)), left_scale, b(r(row)), right_scale)))
        }
        (DataType::Utf8 | DataType::Utf8View, _) => {
            let (a, b) = (Text::of(&left.array)?, Text::of(&right.array)?);
            Box::new(move |row| Some(a.get(l(row)).cmp(b.get(r(row)))))
        }
        (DataType::BinaryView, DataType::BinaryView) => {
            let (a, b) = (left.array.as_binary_view(), right.array.as_binary_view());
            Box::new(move |row| Some(a.value(l(row)).cmp(b.value(r(row)))))
        }
        (DataType::Timestamp(..), _) | (_, DataType::Timestamp(..)) => {
            let (a, b) = (instants(&left.array)?, instants(&right.array)?);
            Box::new(move |row| Some(a(l(row)).cmp(&b(r(row)))))
        }
        _ => {
            let (a, b) = (whole(&left.array)?, whole(&right.array)?);
            Box::new(move |row| Some(a(l(row)).cmp(&b(r(row)))))
        }
    })
}

/// A decimal as a float: digits by a power of ten, at most one step from the nearest.
pub(super) fn rounded(digits: i128, scale: i8) -> f64 {
    digits as f64 / 10_f64.powi(i32::from(scale))
}

/// A comparison of numbers of one type, written out for each operator so that loops have no branch.
macro_rules! by_operator {
    ($comparison:expr, $rows:expr, $nulls:expr, $left:expr, $right:expr) => {{
        let (left, right) = ($left, $right);
        match $comparison {
            Comparison::Equal => booleans($rows, $nulls, |row| left(row) == right(row)),
            Comparison::NotEqual => booleans($rows, $nulls, |row| left(row) != right(row)),
            Comparison::Less => booleans($rows, $nulls, |row| left(row) < right(row)),
            Comparison::LessOrEqual => booleans($rows, $nulls, |row| left(row) <= right(row)),
            Comparison::Greater => booleans($rows, $nulls, |row| left(row) > right(row)),
            Comparison::GreaterOrEqual => booleans($rows, $nulls, |row| left(row) >= right(row)),
        }
    }};
}

#[expect(clippy::float_cmp, reason = "IEEE 754 equality is what SQL's `=` means here")]
pub(super) fn compare(
    comparison: Comparison,
    operands: &[Operand],
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Answer> {
    let (left, right) = (&operands[0], &operands[1]);
    let array = match (left.array.data_type(), right.array.data_type()) {
        (DataType::Float64, DataType::Float64) => {
            let (a, b) = (float(&left.array)?, float(&right.array)?);
            by_operator!(comparison, rows, nulls, |row| a[left.index(row)], |row| b[right.index(row)])
        }
        (DataType::Int64, DataType::Int64) => {
            let a = left.array.as_primitive::<Int64Type>().values();
            let b = right.array.as_primitive::<Int64Type>().values();
            by_operator!(comparison, rows, nulls, |row| a[left.index(row)], |row| b[right.index(row)])
        }
        _ => {
            let order = ordering(left, right)?;
            booleans(rows, nulls.clone(), |row| {
                nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) && comparison.keeps(order(row))
            })
        }
    };
    Ok((array, Failures::none()))
}

pub(super) fn test_float(
    test: FloatTest,
    operand: &Operand,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Answer> {
    let values = operand.is_float().then(|| float(&operand.array)).transpose()?;
    let array = match (values, test) {
        (Some(values), FloatTest::Nan) => booleans(rows, nulls, |row| values[row].is_nan()),
        (Some(values), FloatTest::Finite) => booleans(rows, nulls, |row| values[row].is_finite()),
        (Some(values), FloatTest::Infinite) => booleans(rows, nulls, |row| values[row].is_infinite()),
        // Every other number is finite.
        (None, test) => booleans(rows, nulls, |_| test == FloatTest::Finite),
    };
    Ok((array, Failures::none()))
}

pub(super) fn is_in(
    list: &List,
    has_null: bool,
    operand: &Operand,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Answer> {
    let is_valid = |row: usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
    let found = match list {
        List::Texts(texts) => {
            let values = Text::of(&operand.array)?;
            BooleanBuffer::collect_bool(rows, |row| is_valid(row) && texts.contains(values.get(row)))
        }
        List::Integers(integers) => {
            let values = whole(&operand.array)?;
            BooleanBuffer::collect_bool(rows, |row| is_valid(row) && integers.contains(&values(row)))
        }
    };
    // What is not in a list with a null might be that null.
    let nulls = if has_null { Some(NullBuffer::new(found.clone())) } else { nulls };
    let array: ArrayRef = std::sync::Arc::new(BooleanArray::new(found, nulls));
    debug_assert_eq!(array.len(), rows);
    Ok((array, Failures::none()))
}
