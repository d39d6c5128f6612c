//! The weights of a row in bootstrap replicates: numbers from Poisson's distribution of mean 1 that follow from the seed
//! and the row's identity alone, so that threads, shards and the order of rows cannot change them.
//!
//! The generator counts: the numbers of replicates 4j … 4j + 3 are the four 16-bit parts, lowest first, of
//! mix(key + (j + 1) γ) with key = mix(identity + mix(seed + γ) + γ): splitmix64 (Steele, Lea & Flood, "Fast splittable
//! pseudorandom number generators", OOPSLA 2014, figure 16) started from the key. A part u is the weight k where k of the
//! thresholds are at most u. Of the 65,536 values of u the weights 0 to 8 have 24107, 24113, 12055, 4017, 1004, 201, 33, 5
//! and 1: each within 4 of Poisson's share, and such that mean and variance are exactly 1. (Shares that were merely
//! rounded would scale all standard errors.)

use sluice_core::splitmix::{GAMMA, mix};

/// Values of a 16-bit part from which on a weight is at least 1, 2, … 8.
const THRESHOLDS: [u16; 8] = [24_107, 48_220, 60_275, 64_292, 65_296, 65_497, 65_530, 65_535];
/// Parts of one number.
const PARTS: usize = 4;
/// Parts that are turned into weights together.
const LANES: usize = 64;

/// The weights that replicates give to rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplicateWeights {
    base: u64,
}

impl ReplicateWeights {
    pub(crate) fn new(seed: u64) -> Self {
        Self { base: mix(seed.wrapping_add(GAMMA)) }
    }

    fn key(self, identity: u64) -> u64 {
        mix(identity.wrapping_add(self.base).wrapping_add(GAMMA))
    }

    /// The weights of a row in consecutive replicates from `first` on, a multiple of 4.
    pub(crate) fn fill(self, identity: u64, first: usize, weights: &mut [u8]) {
        let key = self.key(identity);
        for (chunk, weights) in weights.chunks_mut(LANES).enumerate() {
            let number = (first + chunk * LANES) / PARTS;
            let mut lanes = [0_u16; LANES];
            let needed = weights.len().div_ceil(PARTS);
            for (index, parts) in lanes.chunks_exact_mut(PARTS).take(needed).enumerate() {
                let step = ((number + index + 1) as u64).wrapping_mul(GAMMA);
                let bytes = mix(key.wrapping_add(step)).to_le_bytes();
                for (part, bytes) in parts.iter_mut().zip(bytes.chunks_exact(2)) {
                    *part = u16::from_le_bytes([bytes[0], bytes[1]]);
                }
            }
            let mut drawn = [0_u8; LANES];
            for (weight, lane) in drawn.iter_mut().zip(lanes) {
                *weight = THRESHOLDS.iter().map(|threshold| u8::from(lane >= *threshold)).sum();
            }
            weights.copy_from_slice(&drawn[..weights.len()]);
        }
    }

    /// One of so many groups, of the jackknife.
    pub(crate) fn group(self, identity: u64, groups: usize) -> usize {
        let scaled = (u128::from(self.key(identity)) * groups as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }
}

/// What identifies a row that has no key: its place.
pub(crate) fn place_identity(split: u64, row: u64) -> u64 {
    mix(split.wrapping_add(1).wrapping_mul(GAMMA)).wrapping_add(row)
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    /// Weights by row, of rows that follow one another in a split.
    fn table(rows: u64, replicates: usize, seed: u64) -> Vec<Vec<u8>> {
        let weights = ReplicateWeights::new(seed);
        let row = |row| {
            let mut drawn = vec![0; replicates];
            weights.fill(place_identity(0, row), 0, &mut drawn);
            drawn
        };
        (0..rows).map(row).collect()
    }

    #[test]
    fn the_distribution_has_mean_and_variance_one() {
        let ends: Vec<u64> = THRESHOLDS.iter().map(|end| u64::from(*end)).chain([65_536]).collect();
        let mut start = 0;
        let (mut mean, mut square, mut factorial) = (0, 0, 1.0);
        for (weight, end) in (0_u64..).zip(ends) {
            let (values, poisson) = (end - start, 65_536.0 * (-1.0_f64).exp() / factorial);
            assert!((values as f64 - poisson).abs() < 3.7, "{weight}: {values} for {poisson}");
            mean += weight * values;
            square += weight * weight * values;
            start = end;
            factorial *= (weight + 1) as f64;
        }
        assert_eq!((mean, square), (65_536, 2 * 65_536));
    }

    #[test]
    fn drawn_weights_are_poisson() {
        let mut found = [0_u64; 9];
        for weight in table(20_000, 100, 3).into_iter().flatten() {
            found[usize::from(weight)] += 1;
        }
        let shares = [24_107.0, 24_113.0, 12_055.0, 4_017.0, 1_004.0, 201.0, 33.0, 5.0, 1.0];
        let expected = shares.map(|share: f64| 2e6 * share / 65_536.0);
        let squares = found.iter().zip(expected).map(|(found, expected)| {
            let difference = *found as f64 - expected;
            difference * difference / expected
        });
        // Chi-squared with 8 degrees of freedom passes 26.1 once in 1,000.
        let chi_squared: f64 = squares.sum();
        assert!(chi_squared < 26.1, "{chi_squared}");
    }

    #[test]
    fn replicates_rows_and_seeds_are_independent() {
        let correlation = |pairs: &mut dyn Iterator<Item = (u8, u8)>| {
            let (mut sum, mut count) = (0.0, 0.0_f64);
            for (a, b) in pairs {
                sum += (f64::from(a) - 1.0) * (f64::from(b) - 1.0);
                count += 1.0;
            }
            // Of weights with variance 1 it is normal with standard deviation 1.
            sum / count.sqrt()
        };
        let rows = table(40_000, 24, 0);
        for a in 0..24 {
            for b in 0..a {
                let found = correlation(&mut rows.iter().map(|row| (row[a], row[b])));
                assert!(found.abs() < 4.5, "replicates {a} and {b}: {found}");
            }
        }
        let next = correlation(
            &mut rows.iter().zip(&rows[1..]).flat_map(|(a, b)| std::iter::zip(a.clone(), b.clone())),
        );
        assert!(next.abs() < 4.0, "rows: {next}");
        let other = table(40_000, 24, 1);
        let seeds = correlation(&mut rows.iter().flatten().copied().zip(other.iter().flatten().copied()));
        assert!(seeds.abs() < 4.0, "seeds: {seeds}");
    }

    #[test]
    fn any_part_of_the_replicates_is_that_of_the_whole() {
        let weights = ReplicateWeights::new(9);
        let mut whole = [0; 200];
        weights.fill(77, 0, &mut whole);
        let mut part = [0; 70];
        weights.fill(77, 128, &mut part);
        assert_eq!(part, whole[128..198]);
        // Frozen: other weights would be other intervals.
        let frozen: Vec<u8> = whole[..16].to_vec();
        assert_eq!(frozen, FROZEN);
    }

    /// From the definition above, in Python integers.
    const FROZEN: [u8; 16] = [1, 0, 0, 1, 1, 0, 0, 3, 2, 2, 1, 1, 1, 1, 0, 1];

    #[test]
    fn groups_are_of_equal_size() {
        let weights = ReplicateWeights::new(0);
        let mut sizes = [0.0_f64; 20];
        for row in 0..100_000 {
            sizes[weights.group(place_identity(3, row), 20)] += 1.0;
        }
        let chi_squared: f64 = sizes.iter().map(|size| (size - 5_000.0) * (size - 5_000.0) / 5_000.0).sum();
        // With 19 degrees of freedom it passes 43.8 once in 1,000.
        assert!(chi_squared < 43.8, "{chi_squared}");
        assert_relative(sizes.iter().sum::<f64>(), 100_000.0, 0.0);
    }
}
