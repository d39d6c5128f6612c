//! Which fold a row is in, for cross-validation and for whatever must not see a row that it is asked about.
//!
//! The fold of a row follows from its identity (design decision 12), so it does not depend on the order of
//! rows, the file or the machine, and rows of one key are in one fold: u = XXH3-64(row hash, seed) / 2^64,
//! the fold is ⌊u x folds⌋. The seed is our own, so that folds do not depend on subsets either.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The seed of the hash that decides the fold. **Frozen**: another would move rows between folds.
pub const FOLD_SEED: u64 = 0x666f_6c64_2d6b_6579; // "fold-key"

/// The fold, from 0, of a row with this hash. **Frozen**: a test holds it.
#[must_use]
pub fn fold_of(hash: u64, folds: u32) -> u32 {
    let position = xxh3_64_with_seed(&hash.to_le_bytes(), FOLD_SEED);
    // Below `folds`, because the position is below 2^64.
    u32::try_from((u128::from(position) * u128::from(folds)) >> 64).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::fold_of;

    #[test]
    fn folds_are_frozen() {
        // By Python's `xxhash`: `xxh3_64_intdigest(hash.to_bytes(8, "little"), seed=FOLD_SEED) * folds >> 64`.
        let expected = [
            (0, [0, 1, 2, 13]),
            (1, [0, 0, 0, 4]),
            (2, [1, 4, 8, 44]),
            (12_345, [1, 4, 8, 41]),
            (u64::MAX, [0, 0, 1, 6]),
        ];
        for (hash, folds) in expected {
            assert_eq!([2, 5, 10, 50].map(|count| fold_of(hash, count)), folds, "{hash}");
        }
        assert!((0..10_000).all(|hash| fold_of(hash, 7) < 7));
    }
}
