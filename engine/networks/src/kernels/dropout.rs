//! Dropout by key: whether a value is kept follows from seed, step, place in the network, row in the batch and column.
//!
//! The hash of a column is Wellons' `lowbias32`, which is vector instructions throughout. Backward draws the same again.

use super::vectorised;
use crate::random::Key;

/// How a dropout draws.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw {
    /// Of seed, step and place.
    pub(crate) key: Key,
    /// The batch's number of the first row.
    pub(crate) first_row: u64,
    /// The share that is set to 0.
    pub(crate) rate: f32,
}

impl Draw {
    /// Values whose hash is below are set to 0.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^32")]
    pub(crate) fn threshold(self) -> u32 {
        (f64::from(self.rate) * 4_294_967_296.0) as u32
    }

    /// What kept values are multiplied by.
    pub(crate) fn scale(self) -> f32 {
        1.0 / (1.0 - self.rate)
    }
}

#[inline(always)]
fn hash(key: u32, column: u32) -> u32 {
    let mut value = key ^ column.wrapping_mul(0x9e37_79b9);
    value = (value ^ (value >> 16)).wrapping_mul(0x7feb_352d);
    value = (value ^ (value >> 15)).wrapping_mul(0x846c_a68b);
    value ^ (value >> 16)
}

/// output = or += input / (1 - rate) where kept, 0 elsewhere. It is its own backward.
#[allow(clippy::cast_possible_truncation, reason = "columns are few")]
pub(crate) fn apply(draw: Draw, width: usize, input: &[f32], output: &mut [f32], add: bool) {
    let (threshold, scale) = (draw.threshold(), draw.scale());
    let rows = input.chunks_exact(width).zip(output.chunks_exact_mut(width));
    for (row, (input, output)) in rows.enumerate() {
        let key = draw.key.with(draw.first_row + row as u64).half();
        vectorised(|| {
            for (column, (input, output)) in input.iter().zip(output.iter_mut()).enumerate() {
                let kept = if hash(key, column as u32) >= threshold { scale } else { 0.0 };
                let before = if add { *output } else { 0.0 };
                *output = before + input * kept;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Draw, apply};
    use crate::random::Key;

    #[test]
    fn the_share_is_kept_and_rows_differ() {
        let draw = Draw { key: Key::new(1, 2), first_row: 0, rate: 0.3 };
        let input = vec![1.0_f32; 1000 * 128];
        let mut output = vec![0.0_f32; input.len()];
        apply(draw, 128, &input, &mut output, false);
        let kept = output.iter().filter(|value| **value > 0.0).count() as f64 / output.len() as f64;
        // The standard deviation of the share is 0.0013.
        assert!((kept - 0.7).abs() < 0.006, "{kept}");
        assert_ne!(output[..128], output[128..256]);
        // Rows from the fifth on are the same rows.
        let mut later = vec![0.0_f32; 995 * 128];
        apply(Draw { first_row: 5, ..draw }, 128, &input[5 * 128..], &mut later, false);
        assert_eq!(later, output[5 * 128..]);
        for column in 0..128 {
            let kept = (0..1000).filter(|row| output[row * 128 + column] > 0.0).count();
            assert!((600..800).contains(&kept), "{kept} of column {column}");
        }
    }
}
