//! The rows of a batch by the distinct values of a column, where these are few.

use arrow::array::{Array, ArrayRef};

use sluice_core::column::Column;
use sluice_core::seam::NO_VALUE;

/// More distinct numbers than this in a batch are not worth a table.
const MOST: usize = 2048;
/// Places of the table of numbers; a power of two well above [`MOST`].
const PLACES: usize = 8192;

/// Which distinct value each row has.
pub(super) struct FewValues {
    /// By row; [`NO_VALUE`] for null.
    pub(super) codes: Vec<u32>,
    /// By code: a row that has the value; of coded text its place among the texts.
    pub(super) firsts: Vec<u32>,
}

impl FewValues {
    /// The distinct values of coded text, or of numbers, dates and instants where they are few.
    pub(super) fn of(array: &ArrayRef) -> Option<Self> {
        match Column::view(array) {
            Column::CodedText(codes, texts) => {
                let count = u32::try_from(texts.len()).ok()?;
                let code = |code: Option<i32>| {
                    let code = code.and_then(|code| u32::try_from(code).ok());
                    code.filter(|code| texts.is_valid(*code as usize)).unwrap_or(NO_VALUE)
                };
                Some(Self { codes: codes.iter().map(code).collect(), firsts: (0..count).collect() })
            }
            Column::Float(values) => {
                Self::of_bits(array, values.values().iter().map(|value| value.to_bits()))
            }
            Column::Integer(values) => {
                Self::of_bits(array, values.values().iter().map(|value| value.cast_unsigned()))
            }
            Column::Unsigned(values) => Self::of_bits(array, values.values().iter().copied()),
            Column::Date(values) => {
                Self::of_bits(array, values.values().iter().map(|day| u64::from(day.cast_unsigned())))
            }
            Column::TimestampMicrosecond(values) => {
                Self::of_bits(array, values.values().iter().map(|value| value.cast_unsigned()))
            }
            Column::TimestampNanosecond(values) => {
                Self::of_bits(array, values.values().iter().map(|value| value.cast_unsigned()))
            }
            Column::Null(_)
            | Column::Boolean(_)
            | Column::Decimal(_)
            | Column::Text(_)
            | Column::Binary(_)
            | Column::Other(_) => None,
        }
    }

    /// Open addressing by multiplication; what is under a null is not looked at.
    fn of_bits(array: &ArrayRef, bits: impl Iterator<Item = u64>) -> Option<Self> {
        let mut places = vec![NO_VALUE; PLACES];
        let mut keys: Vec<u64> = Vec::new();
        let (mut codes, mut firsts) = (Vec::with_capacity(array.len()), Vec::new());
        // Asked once, not through the array for each row.
        let nulls = array.nulls();
        for (row, bits) in bits.enumerate() {
            if nulls.is_some_and(|nulls| nulls.is_null(row)) {
                codes.push(NO_VALUE);
                continue;
            }
            let hash = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51;
            let mut place = usize::try_from(hash).ok()? % PLACES;
            while places[place] != NO_VALUE && keys[places[place] as usize] != bits {
                place = (place + 1) % PLACES;
            }
            if places[place] == NO_VALUE {
                if keys.len() == MOST {
                    return None;
                }
                places[place] = u32::try_from(keys.len()).ok()?;
                keys.push(bits);
                firsts.push(u32::try_from(row).ok()?);
            }
            codes.push(places[place]);
        }
        Some(Self { codes, firsts })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array};

    use super::*;

    #[test]
    fn values_are_numbered_as_they_come() {
        let array: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(2.0), None, Some(-0.0), Some(2.0), Some(0.0)]));
        let few = FewValues::of(&array).unwrap();
        assert_eq!((few.codes, few.firsts), (vec![0, NO_VALUE, 1, 0, 2], vec![0, 2, 4]));
    }

    #[test]
    fn many_values_are_given_up() {
        let of = |count: i64| FewValues::of(&(Arc::new((0..count).collect::<Int64Array>()) as ArrayRef));
        assert_eq!(of(2048).unwrap().firsts.len(), 2048);
        assert!(of(2049).is_none());
    }
}
