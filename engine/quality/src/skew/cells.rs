//! Values as 64 bits that are equal where the values are, whatever their types; 0 is no value.

use arrow::array::{Array, ArrayRef};
use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::encoding::{canonical_bits, hash_rows};
use sluice_core::error::Result;
use sluice_core::splitmix::{GAMMA, mix};

/// No value.
pub(super) const NOTHING: u64 = 0;
/// What tells integers from other numbers of the same bits.
const INTEGER: u64 = 0x2545_f491_4f6c_dd1d;
const FRACTION: u64 = 0x9fb2_1c65_1e98_df25;
const PURPOSE: &str = "a comparison by key";

/// A number that looks random and is of one key only.
pub(super) fn splitmix(key: u64) -> u64 {
    mix(key.wrapping_add(GAMMA))
}

/// Whether values of two kinds can be equal at all.
pub(super) fn may_be_equal(one: &ColumnKind, other: &ColumnKind) -> bool {
    let is_number = |kind: &ColumnKind| kind.is_number() && *kind != ColumnKind::Boolean;
    let is_instant = |kind: &ColumnKind| matches!(kind, ColumnKind::Timestamp { .. });
    let is_nothing = |kind: &ColumnKind| *kind == ColumnKind::Null;
    one == other
        || (is_number(one) && is_number(other))
        || (is_instant(one) && is_instant(other))
        || is_nothing(one)
        || is_nothing(other)
}

/// The hashes of the values of a column; numbers rounded to so many decimals, if that is asked for.
pub(super) fn hashes(name: &str, array: &ArrayRef, digits: Option<u32>) -> Result<Vec<u64>> {
    let mut found = match Column::view(array) {
        Column::Null(rows) => return Ok(vec![NOTHING; rows]),
        Column::Integer(values) => {
            values.values().iter().map(|value| of_integer(i128::from(*value))).collect()
        }
        Column::Unsigned(values) => {
            values.values().iter().map(|value| of_integer(i128::from(*value))).collect()
        }
        Column::Float(_) | Column::Decimal(_) => {
            numbers(name, array, PURPOSE)?.values().iter().map(|value| of_number(*value, digits)).collect()
        }
        _ => hash_rows(&[("", array)], array.len())?,
    };
    finish(array, &mut found);
    Ok(found)
}

/// As [`hashes`], other bits of what is equal: both together tell keys apart.
pub(super) fn further_hashes(name: &str, array: &ArrayRef) -> Result<Vec<u64>> {
    match Column::view(array) {
        Column::Null(_)
        | Column::Integer(_)
        | Column::Unsigned(_)
        | Column::Float(_)
        | Column::Decimal(_) => hashes(name, array, None),
        _ => {
            let mut found = hash_rows(&[("", array), ("", array)], array.len())?;
            finish(array, &mut found);
            Ok(found)
        }
    }
}

/// Sets what is null, and keeps its hash for itself.
fn finish(array: &ArrayRef, hashes: &mut [u64]) {
    for (row, hash) in hashes.iter_mut().enumerate() {
        if array.is_null(row) {
            *hash = NOTHING;
        } else if *hash == NOTHING {
            *hash = 1;
        }
    }
}

fn of_integer(value: i128) -> u64 {
    // Within 64 bits, signed or not; those of the two that share bits differ in sign.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low bits are what is hashed"
    )]
    let bits = value as u64;
    let salt = if value > i128::from(i64::MAX) { INTEGER.rotate_left(17) } else { INTEGER };
    splitmix(splitmix(bits ^ salt))
}

fn of_number(value: f64, digits: Option<u32>) -> u64 {
    let value = digits.map_or(value, |digits| rounded(value, digits));
    // As floats these are −2^63 and 2^64; whole numbers between are integers of 64 bits.
    let is_integer = value.fract() == 0.0 && (i64::MIN as f64..u64::MAX as f64).contains(&value);
    if is_integer {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number in range")]
        return of_integer(value as i128);
    }
    splitmix(splitmix(canonical_bits(value) ^ FRACTION))
}

/// A number rounded to so many decimals, half away from zero; one so large that it has none stays.
fn rounded(value: f64, digits: u32) -> f64 {
    let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(15));
    let scaled = value * scale;
    if scaled.is_finite() && scaled.abs() < 9_007_199_254_740_992.0 { scaled.round() / scale } else { value }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringViewArray, UInt64Array};

    use super::*;

    fn of(array: impl Array + 'static) -> Vec<u64> {
        hashes("x", &(Arc::new(array) as ArrayRef), None).unwrap()
    }

    #[test]
    fn equal_numbers_are_equal_whatever_their_types() {
        let integers = of(Int64Array::from(vec![Some(1), Some(-3), None, Some(i64::MAX)]));
        assert_eq!(integers[..3], of(Float64Array::from(vec![Some(1.0), Some(-3.0), None]))[..]);
        assert_eq!(integers[3], of(UInt64Array::from(vec![9_223_372_036_854_775_807]))[0]);
        let decimal = Decimal128Array::from(vec![100, 150]).with_precision_and_scale(5, 2).unwrap();
        assert_eq!(of(decimal), of(Float64Array::from(vec![1.0, 1.5])));
        assert_ne!(of(UInt64Array::from(vec![u64::MAX])), of(Int64Array::from(vec![-1])));
        assert_ne!(integers[0], of(StringViewArray::from(vec!["1"]))[0]);
        assert_eq!(of(Float64Array::from(vec![0.0])), of(Float64Array::from(vec![-0.0])));
        assert_eq!(of(Float64Array::from(vec![f64::NAN])), of(Float64Array::from(vec![-f64::NAN])));
    }

    #[test]
    fn numbers_are_rounded_where_asked() {
        let array: ArrayRef = Arc::new(Float64Array::from(vec![1.2341, 1.2339, 1.236, 1e300, f64::INFINITY]));
        let found = hashes("x", &array, Some(3)).unwrap();
        assert!(found[0] == found[1] && found[0] != found[2], "{found:?}");
        assert_ne!(found[3], found[4]);
    }
}
