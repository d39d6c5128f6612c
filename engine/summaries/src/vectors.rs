//! Loops that run on the widest vector registers of the machine.

use faer::traits::ComplexField;

/// Runs a loop compiled for each generation of vector registers, in the widest that this machine has. Nothing but
/// the time depends on which: Rust neither reorders nor fuses floating-point operations. The closure, and what it
/// calls, must be `#[inline(always)]`, else it is compiled for the oldest generation only.
#[inline(always)]
pub fn wide<R>(work: impl FnOnce() -> R) -> R {
    <f64 as ComplexField>::Arch::default().dispatch(work)
}

/// What a slice of numbers holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Neither NaN nor infinite.
    pub is_finite: bool,
    /// The smallest; infinity without values. Only where all are finite.
    pub min: f64,
    /// The largest; -infinity without values. Only where all are finite.
    pub max: f64,
    /// How many are 0 or -0.
    pub zeros: u64,
}

/// One look at all values: range, zeros, and whether all are finite.
#[must_use]
pub fn extent(values: &[f64]) -> Extent {
    const LANES: usize = 8;
    let (groups, rest) = values.as_chunks::<LANES>();
    let (mut min, mut max, mut zeros, mut spoiled) = wide(
        #[inline(always)]
        || {
            let (mut min, mut max) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
            // 0 times x is 0 where x is finite, else NaN.
            let (mut zeros, mut spoiled) = ([0_u64; LANES], [0.0; LANES]);
            for group in groups {
                for lane in 0..LANES {
                    let value = group[lane];
                    min[lane] = if value < min[lane] { value } else { min[lane] };
                    max[lane] = if value > max[lane] { value } else { max[lane] };
                    zeros[lane] = u64::wrapping_add(zeros[lane], u64::from(value == 0.0));
                    spoiled[lane] += value * 0.0;
                }
            }
            (min, max, zeros, spoiled)
        },
    );
    for value in rest {
        min[0] = if *value < min[0] { *value } else { min[0] };
        max[0] = if *value > max[0] { *value } else { max[0] };
        zeros[0] += u64::from(*value == 0.0);
        spoiled[0] += value * 0.0;
    }
    // Joined outside of the loop's function: the order of that would decide how the compiler lays out the loop, and make
    // it six times as slow.
    let least = min.into_iter().fold(f64::INFINITY, |a, b| if b < a { b } else { a });
    let most = max.into_iter().fold(f64::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let is_finite = spoiled.into_iter().all(|lane| lane == 0.0);
    // One zero, so that the range does not depend on which of the two came first.
    Extent { is_finite, min: least + 0.0, max: most + 0.0, zeros: zeros.into_iter().sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_sees_everything() {
        let values: Vec<f64> = (0..37).map(|n| f64::from((n * 7) % 37 - 18)).collect();
        let found = extent(&values);
        assert_eq!(found, Extent { is_finite: true, min: -18.0, max: 18.0, zeros: 1 });
        assert_eq!(extent(&[-0.0]).min.to_bits(), 0);
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut values = values.clone();
            values.push(odd);
            assert!(!extent(&values).is_finite);
        }
        assert!(extent(&[]).is_finite && extent(&[]).zeros == 0);
    }
}
