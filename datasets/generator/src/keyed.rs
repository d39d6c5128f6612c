//! Random bits that follow from (seed, span, quantity, row) and nothing else: rows can be made in any order, on any
//! thread, and the first rows of a larger table are those of the smaller one.
//!
//! `SplitMix64` (Steele, Lea & Flood 2014) by its counter: bits(row) = mix(key + (row + 1) · γ), and the key of a
//! quantity is mixed from the seed, the span and the quantity's number. Two quantities run through the same sequence
//! from places that are 2^64 · (a random share) apart, so they meet within 2^40 rows with a chance of 2^-23.

/// 2^64 divided by the golden ratio, odd.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// A bijection of 64 bits whose output looks random (David Stafford's variant 13).
pub(crate) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The bits of one quantity in the rows of one span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream(u64);

impl Stream {
    pub(crate) fn new(seed: u64, span: u64, quantity: u64) -> Self {
        // Each part is taken in after the ones before it were mixed, so that (1, 2) is not (2, 1).
        let key = [seed, span, quantity]
            .into_iter()
            .fold(0, |key: u64, part| mix((key ^ part).wrapping_add(GAMMA)));
        Self(key)
    }

    /// The bits of a row, counted from 0.
    #[inline]
    pub(crate) fn bits(self, row: u64) -> u64 {
        mix(self.0.wrapping_add(row.wrapping_add(1).wrapping_mul(GAMMA)))
    }
}

/// A share of 2^32, to compare 32 bits with: they are below it with this probability.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^32")]
pub(crate) fn threshold(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * (1_u64 << 32) as f64).round() as u64
}

/// Whether the lower 32 bits fall below a [`threshold`].
#[inline]
pub(crate) fn falls(bits: u64, threshold: u64) -> bool {
    bits & 0xffff_ffff < threshold
}

/// Uniform on [0, 1), from the upper 32 bits.
#[inline]
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 32) as f64 / (1_u64 << 32) as f64
}

/// The sum of four uniform numbers of 16 bits: from 0 to 262,140, near to normal around 131,070 (Irwin-Hall).
#[inline]
pub(crate) fn bell(bits: u64) -> u32 {
    let part = |shift: u32| u32::from(u16::try_from(bits >> shift & 0xffff).unwrap_or(u16::MAX));
    part(0) + part(16) + part(32) + part(48)
}

/// [`bell`] with mean 0 and standard deviation 1, within ± 3.47.
#[inline]
pub(crate) fn normal(bits: u64) -> f64 {
    (f64::from(bell(bits)) / 65_536.0 - 2.0) * 3.0_f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Checked against the same lines in Python.
    const FROZEN: u64 = 2_391_539_541_053_276_776;

    #[test]
    fn bits_follow_from_their_key_alone_and_differ_between_keys() {
        let mut keys = Vec::new();
        for (seed, span, quantity) in (0..512).map(|index: u64| (index / 64, index / 8 % 8, index % 8)) {
            keys.push(Stream::new(seed, span, quantity).bits(0));
        }
        let first = keys[0];
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 512);
        // Frozen: a change would be another table.
        assert_eq!(first, FROZEN);
    }

    #[test]
    fn numbers_have_the_stated_distributions() {
        let stream = Stream::new(3, 1, 4);
        let (mut units, mut sum, mut squares, mut fallen) = (0.0, 0.0, 0.0, 0_u32);
        for row in 0..100_000 {
            let bits = stream.bits(row);
            units += unit(bits);
            sum += normal(bits);
            squares += normal(bits) * normal(bits);
            fallen += u32::from(falls(bits, threshold(0.3)));
        }
        // Five standard errors each.
        assert!((units / 1e5 - 0.5).abs() < 0.005, "{units}");
        assert!((sum / 1e5).abs() < 0.016, "{sum}");
        assert!((squares / 1e5 - 1.0).abs() < 0.02, "{squares}");
        assert!((29_275..30_725).contains(&fallen), "{fallen}");
    }
}
