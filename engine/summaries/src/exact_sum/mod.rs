//! A sum of `f64` that has the same bits for any order and any grouping of its terms.
//!
//! Every finite `f64`, and every product of two, is an integer times 2^-2148. That integer is cut at fixed
//! places into bins of 56 bits; the state holds the sums of the three highest bins that any term has reached.
//! A piece belongs to one bin for good, pieces below the window are dropped whole, and nothing is carried
//! from bin to bin, so a state depends on the multiset of its terms only. The idea is that of binned sums
//! (Demmel & Nguyen, "Parallel reproducible summation", IEEE Trans. Computers 64 (2015), algorithm 6; here
//! with integers, so that no bin ever overflows or rounds).
//!
//! Error: with `n` terms (products count as one) of magnitude at most `M`, the held sum differs from the true
//! one by less than `n * M * 2^-112`; [`ExactSum::to_f64`] adds one rounding. A sum whose terms span less
//! than 112 bits below the largest is exact, also where it cancels. Capacity: 2^64 terms, counted with
//! multiplicity.
//!
//! NaN makes the sum NaN; an infinity makes it infinite; both infinities make it NaN, as in IEEE 754. A
//! finite sum beyond the range of `f64` is an infinity only when asked for; partial sums never overflow. An
//! empty sum and a sum of zeros of either sign are `+0.0`. 64 bytes of memory; some 4 ns a value in slices, 8
//! one by one.

mod rows;

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;

pub use rows::{ExactGroups, ExactRows, Terms};

const BIN_BITS: u32 = 56;
const BIN_MASK: u64 = (1 << BIN_BITS) - 1;
/// Bit position 0 stands for 2^-2148, the lowest bit of the product of two subnormal numbers.
const ORIGIN: i32 = 2148;
/// Where the lowest bit of a subnormal number (2^-1074) stands.
const SUBNORMAL_POSITION: u32 = 1074;
const WINDOW: usize = 3;

const SIGN_BIT: u64 = 1 << 63;
const INFINITY_BITS: u64 = 0x7ff << 52;

const SEEN_NAN: u8 = 1;
const SEEN_POSITIVE_INFINITY: u8 = 2;
const SEEN_NEGATIVE_INFINITY: u8 = 4;

/// Independent accumulators in [`ExactSum::add_slice`], so that additions to one bin do not wait for each other.
const LANES: usize = 4;
/// Values between two transfers to the wide bins: a lane takes at most 64 + 3 pieces of 56 bits, 127 would fit.
const CHUNK: usize = 64 * LANES;

/// A sum that does not depend on the order of its terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExactSum {
    /// Signed sums of the pieces in the bins `top`, `top - 1` and `top - 2`.
    bins: [i128; WINDOW],
    /// The highest bin in which any term had a bit.
    top: u8,
    /// Which of NaN and the infinities were seen.
    special: u8,
}

const _: () = assert!(size_of::<ExactSum>() <= 64);

/// Integer significand and bit position (above 2^-1074) of a finite number without its sign.
#[inline]
fn decompose(magnitude_bits: u64) -> (u64, u32) {
    let exponent = magnitude_bits >> 52;
    let is_normal = u64::from(exponent != 0);
    let significand = (magnitude_bits & ((1 << 52) - 1)) | (is_normal << 52);
    #[expect(clippy::cast_possible_truncation, reason = "an exponent has 11 bits")]
    let position = (exponent - is_normal) as u32;
    (significand, position)
}

impl ExactSum {
    /// The sum of no terms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.add_counted(value, 1);
    }

    /// Adds `value` as many times as `count` says, without rounding the multiple.
    pub fn add_counted(&mut self, value: f64, count: u64) {
        if count == 0 {
            return;
        }
        if !value.is_finite() {
            self.add_special(value);
            return;
        }
        let (significand, position) = decompose(value.to_bits() & !SIGN_BIT);
        self.deposit(u128::from(significand), position + SUBNORMAL_POSITION, value < 0.0, count);
    }

    /// Adds the product of two values, without rounding, overflow or underflow of the product.
    pub fn add_product(&mut self, a: f64, b: f64) {
        if !a.is_finite() || !b.is_finite() {
            self.add_special(a * b);
            return;
        }
        let (significand_a, position_a) = decompose(a.to_bits() & !SIGN_BIT);
        let (significand_b, position_b) = decompose(b.to_bits() & !SIGN_BIT);
        let significand = u128::from(significand_a) * u128::from(significand_b);
        self.deposit(significand, position_a + position_b, (a < 0.0) != (b < 0.0), 1);
    }

    /// Adds each value times its weight, exactly.
    ///
    /// Both slices have the same length; what one has beyond the other is left out.
    pub fn add_weighted(&mut self, values: &[f64], weights: &[f64]) {
        debug_assert_eq!(values.len(), weights.len(), "each value has a weight");
        for (value, weight) in values.iter().zip(weights) {
            self.add_product(*value, *weight);
        }
    }

    /// Adds all values of a slice; the fast way.
    pub fn add_slice(&mut self, values: &[f64]) {
        for chunk in values.chunks(CHUNK) {
            let largest = chunk.iter().fold(0, |largest, value| (value.to_bits() & !SIGN_BIT).max(largest));
            if largest >= INFINITY_BITS {
                chunk.iter().for_each(|value| self.add(*value));
            } else if largest != 0 {
                let (significand, position) = decompose(largest);
                let highest_bit = position + SUBNORMAL_POSITION + significand.ilog2();
                self.raise(highest_bit / BIN_BITS);
                self.add_chunk_below_top(chunk);
            }
        }
    }

    /// Adds what `later` holds.
    pub fn merge(&mut self, later: Self) {
        self.special |= later.special;
        let mut later = later;
        later.raise(u32::from(self.top));
        self.raise(u32::from(later.top));
        for (bin, other) in self.bins.iter_mut().zip(later.bins) {
            *bin = bin.wrapping_add(other);
        }
    }

    /// The sum, rounded once.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        self.to_double_double().high
    }

    /// The sum as two `f64`, each the nearest to what remains.
    #[must_use]
    pub fn to_double_double(&self) -> DoubleDouble {
        if let Some(special) = self.special_value() {
            return DoubleDouble::from(special);
        }
        let (is_negative, head, exponent) = self.leading_bits();
        let (high, remainder) = round_to_f64(head, exponent);
        let low = if high.is_finite() {
            let (low, _) = round_to_f64(remainder.unsigned_abs(), exponent);
            if remainder < 0 { -low } else { low }
        } else {
            0.0
        };
        let sum = DoubleDouble { high, low };
        if is_negative { -sum } else { sum }
    }

    /// Memory held, in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        size_of::<Self>()
    }

    #[cold]
    fn add_special(&mut self, value: f64) {
        self.special |= if value.is_nan() {
            SEEN_NAN
        } else if value > 0.0 {
            SEEN_POSITIVE_INFINITY
        } else {
            SEEN_NEGATIVE_INFINITY
        };
    }

    fn special_value(&self) -> Option<f64> {
        match self.special {
            0 => None,
            SEEN_POSITIVE_INFINITY => Some(f64::INFINITY),
            SEEN_NEGATIVE_INFINITY => Some(f64::NEG_INFINITY),
            _ => Some(f64::NAN),
        }
    }

    /// Moves the window up so that `bin` is in it; bins that fall out are dropped.
    #[inline]
    fn raise(&mut self, bin: u32) {
        let top = u32::from(self.top);
        if bin > top {
            self.bins = match bin - top {
                1 => [0, self.bins[0], self.bins[1]],
                2 => [0, 0, self.bins[0]],
                _ => [0; WINDOW],
            };
            // The highest bit of a product stands at position 4195, in bin 74.
            self.top = u8::try_from(bin).unwrap_or(u8::MAX);
        }
    }

    /// Adds `significand * 2^position`, cut into bins, `count` times.
    fn deposit(&mut self, significand: u128, position: u32, is_negative: bool, count: u64) {
        if significand == 0 {
            return;
        }
        let (lowest_bin, shift) = (position / BIN_BITS, position % BIN_BITS);
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps bits below the cut")]
        let low = ((significand as u64) << shift) & BIN_MASK;
        let rest = significand >> (BIN_BITS - shift);
        #[expect(clippy::cast_possible_truncation, reason = "the mask keeps bits below the cut")]
        let pieces = [low, rest as u64 & BIN_MASK, (rest >> BIN_BITS) as u64];
        let highest = if pieces[2] != 0 { 2 } else { u32::from(pieces[1] != 0) };
        self.raise(lowest_bin + highest);
        for (bin, piece) in (lowest_bin..=lowest_bin + highest).zip(pieces) {
            let below_top = (u32::from(self.top) - bin) as usize;
            if below_top < WINDOW {
                let amount = i128::from(piece) * i128::from(count);
                let amount = if is_negative { -amount } else { amount };
                self.bins[below_top] = self.bins[below_top].wrapping_add(amount);
            }
        }
    }

    /// Adds at most [`CHUNK`] finite values, none of which has a bit above the window.
    fn add_chunk_below_top(&mut self, chunk: &[f64]) {
        // Slot 1 is the top bin; slot 0 only ever takes the zero above it, slots 4 and 5 what is dropped.
        let mut lanes = [[0_i64; WINDOW + 3]; LANES];
        let top = u32::from(self.top);
        let mut groups = chunk.chunks_exact(LANES);
        for group in &mut groups {
            for (value, lane) in group.iter().zip(&mut lanes) {
                add_to_lane(lane, top, *value);
            }
        }
        for (value, lane) in groups.remainder().iter().zip(&mut lanes) {
            add_to_lane(lane, top, *value);
        }
        for (index, bin) in self.bins.iter_mut().enumerate() {
            for lane in &lanes {
                *bin = bin.wrapping_add(i128::from(lane[index + 1]));
            }
        }
    }

    /// Sign, up to 128 leading bits (the lowest one set also if any bit below is) and the exponent of the lowest.
    fn leading_bits(&self) -> (bool, u128, i32) {
        let base = (i32::from(self.top) - 2) * BIN_BITS.cast_signed() - ORIGIN;
        let (mut high, mut low) = carry(self.bins);
        let is_negative = high < 0;
        if is_negative {
            (high, low) = carry(self.bins.map(i128::wrapping_neg));
        }
        if high == 0 {
            return (is_negative, low, base);
        }
        let high = high.unsigned_abs();
        let free = high.leading_zeros();
        let low_bits = 2 * BIN_BITS;
        if free >= low_bits {
            return (is_negative, (high << low_bits) | low, base);
        }
        let dropped = low_bits - free;
        let sticky = u128::from(low & ((1 << dropped) - 1) != 0);
        let head = if free == 0 { high } else { (high << free) | (low >> dropped) };
        (is_negative, head | sticky, base + dropped.cast_signed())
    }
}

#[inline]
fn add_to_lane(lane: &mut [i64; WINDOW + 3], top: u32, value: f64) {
    let bits = value.to_bits();
    let (significand, position) = decompose(bits & !SIGN_BIT);
    let position = position + SUBNORMAL_POSITION;
    let (bin, shift) = (position / BIN_BITS, position % BIN_BITS);
    let sign = bits.cast_signed() >> 63;
    let low = ((significand << shift) & BIN_MASK).cast_signed();
    let high = (significand >> (BIN_BITS - shift)).cast_signed();
    // A number whose higher piece is empty may have `bin == top`; zeros may have any bin below.
    let slot = top.saturating_sub(bin).min(4) as usize;
    lane[slot] += (high ^ sign) - sign;
    lane[slot + 1] += (low ^ sign) - sign;
}

/// The bins as one number: a signed part above and 112 bits below.
fn carry(bins: [i128; WINDOW]) -> (i128, u128) {
    let mask = i128::from(BIN_MASK);
    let middle = bins[1].wrapping_add(bins[2] >> BIN_BITS);
    let high = bins[0].wrapping_add(middle >> BIN_BITS);
    (high, ((middle & mask).cast_unsigned() << BIN_BITS) | (bins[2] & mask).cast_unsigned())
}

/// `head * 2^exponent` rounded to nearest, ties to even, and what is left of `head`.
fn round_to_f64(head: u128, exponent: i32) -> (f64, i128) {
    if head == 0 {
        return (0.0, 0);
    }
    let length = 128 - head.leading_zeros().cast_signed();
    let lowest_kept = (exponent + length - 53).max(-1074);
    let drop = lowest_kept - exponent;
    let significand = match drop {
        ..=0 => head << -drop,
        1..=127 => {
            let (kept, rest) = (head >> drop, head & ((1 << drop) - 1));
            let half = 1 << (drop - 1);
            kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
        }
        // Below half of the smallest number, as `head` is below 2^128 and the half is 2^127 at least.
        _ => u128::from(drop == 128 && head > 1 << 127),
    };
    let remainder = match drop {
        ..=0 => 0,
        1..=127 => head.wrapping_sub(significand << drop).cast_signed(),
        _ => head.cast_signed(),
    };
    if lowest_kept > 971 || (lowest_kept == 971 && significand >> 53 != 0) {
        return (f64::INFINITY, 0);
    }
    // Adding the significand to the exponent field lets a rounding up to the next power of two carry over.
    #[expect(clippy::cast_possible_truncation, reason = "a significand has at most 54 bits")]
    let significand = significand as u64;
    let bits = (lowest_kept + 1074).cast_unsigned();
    (f64::from_bits((u64::from(bits) << 52) + significand), remainder)
}

#[cfg(test)]
mod tests;
