//! splitmix64: numbers that look random and follow from a key or a seed alone (Steele, Lea & Flood, "Fast splittable
//! pseudorandom number generators", OOPSLA 2014, figure 16; the constants are David Stafford's variant 13).

/// What the state of the generator grows by: 2⁶⁴ over the golden ratio, odd.
pub const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The bijection that makes a number of a state.
#[inline]
#[must_use]
pub fn mix(state: u64) -> u64 {
    let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The next number of a generator with this state, which moves on.
#[inline]
pub fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(GAMMA);
    mix(*state)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// S. Vigna's splitmix64.c (<https://prng.di.unimi.it/splitmix64.c>) from the state 1234567.
    #[test]
    fn numbers_equal_those_of_the_reference_program() {
        let mut state = 1_234_567;
        let found = [(); 5].map(|()| next(&mut state));
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(found, expected);
    }
}
