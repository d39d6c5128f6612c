//! Choosing among categories by one look into a table of 65,536 slots.

const SLOTS: usize = 1 << 16;

/// Categories with weights, rounded to multiples of 1/65,536, none to nothing.
#[derive(Debug)]
pub(crate) struct Choice {
    slots: Box<[u16]>,
}

impl Choice {
    /// Category i has a share of `weights[i]` over their sum. At most 65,536 positive weights.
    ///
    /// Each gets one slot; the rest is dealt out by largest remainder, the first of equals first.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of 65,536")]
    pub(crate) fn new(weights: &[f64]) -> Self {
        debug_assert!(!weights.is_empty() && weights.len() <= SLOTS);
        let sum: f64 = weights.iter().sum();
        let free = SLOTS.saturating_sub(weights.len());
        let exact: Vec<f64> = weights.iter().map(|weight| weight / sum * free as f64).collect();
        let mut counts: Vec<usize> = exact.iter().map(|exact| 1 + exact.floor() as usize).collect();
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&left, &right| {
            let remainder = |index: usize| exact[index] - exact[index].floor();
            remainder(right).total_cmp(&remainder(left)).then(left.cmp(&right))
        });
        let dealt: usize = counts.iter().sum();
        for &index in order.iter().cycle().take(SLOTS.saturating_sub(dealt)) {
            counts[index] += 1;
        }
        let slots = counts
            .iter()
            .enumerate()
            .flat_map(|(index, &count)| std::iter::repeat_n(u16::try_from(index).unwrap_or(u16::MAX), count));
        Self { slots: slots.take(SLOTS).collect() }
    }

    /// Category i has a share in proportion to 1 / (i + 1)^exponent.
    pub(crate) fn zipf(categories: usize, exponent: f64) -> Self {
        let weights: Vec<f64> = (1..=categories).map(|rank| (rank as f64).powf(-exponent)).collect();
        Self::new(&weights)
    }

    /// The category that the upper 16 bits choose.
    #[inline]
    pub(crate) fn pick(&self, bits: u64) -> u16 {
        // Sixteen bits lie below the number of slots.
        self.slots[usize::try_from(bits >> 48).unwrap_or(0)]
    }

    /// How many of the 65,536 slots a category has.
    #[cfg(test)]
    pub(crate) fn count(&self, category: u16) -> usize {
        self.slots.iter().filter(|slot| **slot == category).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_dealt_by_weight_and_everyone_has_one() {
        let choice = Choice::new(&[0.5, 0.25, 0.25, 1e-12]);
        assert_eq!([0, 1, 2, 3].map(|category| choice.count(category)), [32_767, 16_384, 16_384, 1]);
        assert_eq!(choice.slots.len(), SLOTS);
        let zipf = Choice::zipf(8000, 0.5);
        assert_eq!(zipf.slots.len(), SLOTS);
        assert!((0..8000).step_by(997).all(|category| zipf.count(category) > 0));
        let ratio = Choice::zipf(100, 1.0);
        assert!((ratio.count(0) as f64 / ratio.count(9) as f64 - 10.0).abs() < 0.1);
    }

    #[test]
    fn the_upper_bits_choose() {
        let choice = Choice::new(&[1.0, 1.0]);
        assert_eq!([choice.pick(0), choice.pick(u64::MAX)], [0, 1]);
    }
}
