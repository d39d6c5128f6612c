//! Numbers as signed integers of the same order, so that floats, integers and instants share one summary, and
//! integers past 2^53 stay exact in it.
//!
//! A float's bits, with all but the sign turned over where it is negative, order as IEEE 754's total order does; `-0.0`
//! is made `0.0` first. An unsigned integer loses 2^63. Signed integers, days and instants are their own keys.

/// The key of a number that is not NaN; infinities are values.
#[inline]
#[must_use]
pub fn key_of_f64(value: f64) -> i64 {
    // Adding zero turns -0.0 into 0.0.
    flip((value + 0.0).to_bits().cast_signed())
}

/// The number of a key.
#[inline]
#[must_use]
pub fn f64_of_key(key: i64) -> f64 {
    f64::from_bits(flip(key).cast_unsigned())
}

/// The key of an unsigned integer.
#[inline]
#[must_use]
pub fn key_of_u64(value: u64) -> i64 {
    (value ^ (1 << 63)).cast_signed()
}

/// The unsigned integer of a key.
#[inline]
#[must_use]
pub fn u64_of_key(key: i64) -> u64 {
    key.cast_unsigned() ^ (1 << 63)
}

/// Maps the bits of a number to a signed integer of the same order, and back.
#[inline]
fn flip(bits: i64) -> i64 {
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_as_their_numbers_do() {
        let floats = [f64::NEG_INFINITY, -1e308, -1.5, -1e-310, 0.0, 5e-324, 1.0, 1e308, f64::INFINITY];
        assert!(floats.windows(2).all(|pair| key_of_f64(pair[0]) < key_of_f64(pair[1])));
        assert!(floats.iter().all(|value| f64_of_key(key_of_f64(*value)).to_bits() == value.to_bits()));
        assert_eq!(key_of_f64(-0.0), 0);
        assert!([0, 1, 1 << 63, u64::MAX].windows(2).all(|pair| key_of_u64(pair[0]) < key_of_u64(pair[1])));
        assert_eq!(u64_of_key(key_of_u64(u64::MAX)), u64::MAX);
    }
}
