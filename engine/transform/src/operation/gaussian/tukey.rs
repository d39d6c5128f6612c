//! The tails of Tukey's hh distribution whose L-skewness and L-kurtosis are those of the training rows (Headrick &
//! Pant, "Characterizing Tukey h and hh-distributions through L-moments and the L-correlation", ISRN Applied
//! Mathematics 2012).
//!
//! L-moments are expectations of combinations of order statistics (Hosking, "L-moments", Journal of the Royal
//! Statistical Society B 52 (1990)). Those of the distribution are sums of one share for either side, with c = 1 /
//! √(2π): ℓ1(h) = c / (1 − h), ℓ2(h) = ℓ1(h) / √(2 − h), ℓ3(h) = 6/π · atan(1 / √(2 − h)) ℓ2(h) − ℓ1(h) / 2 and
//! ℓ4(h) = (6 − 15/π · acos(1 / (3 − h))) ℓ2(h); the r-th moment is `ℓ_r(upper) + (−1)^r ℓ_r(lower)`. Those of the
//! rows are Hosking's unbiased estimates.
//!
//! The skewness grows with the difference of the tails, the kurtosis with the heavier of them, so both are found by
//! halving, one inside the other. No tail is lighter than the normal one: where the skewness asks for that, the
//! lighter tail is 0 and the kurtosis alone is met.

use std::f64::consts::PI;

use sluice_summaries::Ranks;

use crate::fit::analyzer::Knot;

/// The heaviest tail.
const HEAVIEST: f64 = 1.0 - 1e-7;
/// The largest L-kurtosis that is looked for.
const LARGEST_KURTOSIS: f64 = 1.0 - 1e-5;
const HALVINGS: usize = 60;

/// Mean, scale, skewness and kurtosis by L-moments.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LMoments {
    pub(super) mean: f64,
    /// The second L-moment, half the mean distance of two rows.
    pub(super) scale: f64,
    skewness: f64,
    kurtosis: f64,
}

/// Of the rows; `None` for fewer than four and where all are one value. Taken about a number near their mean, so that
/// an offset costs no digits.
pub(super) fn l_moments(ranks: &Ranks, center: f64) -> Option<LMoments> {
    let count = ranks.count();
    if count < 4 || !(ranks.min()? < ranks.max()?) {
        return None;
    }
    // Of all subsets of `size` rows, the share of those that lie within the first rows.
    let share = |size: u64, first: u64| {
        (0..size)
            .fold(1.0, |share, taken| share * first.saturating_sub(taken) as f64 / (count - taken) as f64)
    };
    let mut weighted = [0.0; 4];
    let mut before = 0;
    for (value, times) in ranks.entries() {
        for (size, sum) in (1..=4).zip(&mut weighted) {
            *sum += (value - center) * (share(size, before + times) - share(size, before)) / size as f64;
        }
        before += times;
    }
    LMoments::of(weighted, center)
}

impl LMoments {
    /// From the means of x − center times the powers of the share of rows below x; `None` where all are one value.
    pub(super) fn of([b0, b1, b2, b3]: [f64; 4], center: f64) -> Option<Self> {
        let scale = 2.0 * b1 - b0;
        let third = 6.0 * b2 - 6.0 * b1 + b0;
        let fourth = 20.0 * b3 - 30.0 * b2 + 12.0 * b1 - b0;
        let moments = Self { mean: b0 + center, scale, skewness: third / scale, kurtosis: fourth / scale };
        (scale > 0.0 && moments.kurtosis.is_finite() && moments.skewness.is_finite()).then_some(moments)
    }
}

/// Some values with about the shares of rows below them and up to them: those that many rows hold, and else one for
/// each step of the share.
pub(super) fn knots(ranks: &Ranks) -> Vec<Knot> {
    const STEPS: f64 = 4096.0;
    let (Some(smallest), Some(largest)) = (ranks.min(), ranks.max()) else { return Vec::new() };
    let count = ranks.count() as f64;
    let knot =
        |value: f64, below: f64, up_to: f64| Knot { value, below: below / count, up_to: up_to / count };
    let mut knots = vec![knot(smallest, 0.0, 1.0)];
    let mut reached = 0.0;
    for (value, times) in ranks.entries() {
        let (up_to, times) = (ranks.rank(value) as f64, times as f64);
        // Of an entry that stands for several values, about two steps of rows at most are others.
        let is_heavy = times > 4.0 * count / STEPS;
        if !is_heavy && (up_to - reached) * STEPS < count && value < largest {
            continue;
        }
        let below = up_to - if is_heavy { times } else { 1.0 };
        if value <= smallest {
            knots.clear();
        }
        knots.push(knot(value, below, up_to));
        reached = up_to;
    }
    knots
}

fn first(h: f64) -> f64 {
    1.0 / ((2.0 * PI).sqrt() * (1.0 - h))
}

fn second(h: f64) -> f64 {
    first(h) / (2.0 - h).sqrt()
}

fn third(h: f64) -> f64 {
    6.0 / PI * (1.0 / (2.0 - h).sqrt()).atan() * second(h) - first(h) / 2.0
}

/// The fourth over the second.
fn kurtosis_of_side(h: f64) -> f64 {
    6.0 - 15.0 / PI * (1.0 / (3.0 - h)).acos()
}

fn skewness(lower: f64, upper: f64) -> f64 {
    (third(upper) - third(lower)) / (second(upper) + second(lower))
}

fn kurtosis(lower: f64, upper: f64) -> f64 {
    let (below, above) = (second(lower), second(upper));
    (kurtosis_of_side(upper) * above + kurtosis_of_side(lower) * below) / (above + below)
}

/// The first two L-moments of the distribution with location 0 and scale 1.
pub(super) fn location_and_scale(lower: f64, upper: f64) -> (f64, f64) {
    (first(upper) - first(lower), second(upper) + second(lower))
}

/// Where an increasing function reaches 0.
fn root(mut low: f64, mut high: f64, of: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if of(middle) < 0.0 { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}

/// The lower and the upper tail; `None` where they are lighter than those of the normal distribution.
pub(super) fn tails(moments: &LMoments) -> Option<(f64, f64)> {
    if !(moments.kurtosis > kurtosis_of_side(0.0)) {
        return None;
    }
    let target = if moments.kurtosis < LARGEST_KURTOSIS { moments.kurtosis } else { LARGEST_KURTOSIS };
    // With equal tails the kurtosis has a formula; an unequal pair reaches it with a heavier one.
    let equal = 3.0 - 1.0 / (PI * (6.0 - target) / 15.0).cos();
    let skewed = moments.skewness.abs();
    let lighter = |heavier: f64| {
        if skewness(0.0, heavier) <= skewed {
            return 0.0;
        }
        root(0.0, heavier, |lighter| skewed - skewness(lighter, heavier))
    };
    let heavier = root(equal, HEAVIEST, |heavier| kurtosis(lighter(heavier), heavier) - target);
    let lighter = lighter(heavier);
    Some(if moments.skewness < 0.0 { (heavier, lighter) } else { (lighter, heavier) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the trapezoidal rule over u: of u e^(h u² / 2) times a Legendre polynomial of the share below, shifted to
    /// 0 to 1.
    fn integrated(lower: f64, upper: f64, shares: &[(f64, f64)]) -> [f64; 4] {
        let mut sums = [0.0; 4];
        for (u, share) in shares {
            let tail = if *u < 0.0 { lower } else { upper };
            let x = u * (tail * u * u / 2.0).exp();
            let density = (-u * u / 2.0).exp() / (2.0 * PI).sqrt();
            let polynomials = [
                1.0,
                2.0 * share - 1.0,
                6.0 * share * share - 6.0 * share + 1.0,
                20.0 * share.powi(3) - 30.0 * share * share + 12.0 * share - 1.0,
            ];
            for (sum, polynomial) in sums.iter_mut().zip(polynomials) {
                *sum += x * polynomial * density / STEPS_PER_UNIT;
            }
        }
        sums
    }

    const STEPS_PER_UNIT: f64 = 200.0;

    #[test]
    fn the_formulas_are_the_integrals() {
        let steps = -8000_i32..=8000;
        let mut below = 0.0;
        let mut shares = Vec::new();
        for step in steps {
            let u = f64::from(step) / STEPS_PER_UNIT;
            let mass = (-u * u / 2.0).exp() / (2.0 * PI).sqrt() / STEPS_PER_UNIT;
            shares.push((u, below + mass / 2.0));
            below += mass;
        }
        for (lower, upper) in [(0.0, 0.0), (0.1, 0.4), (0.0, 0.6), (0.3, 0.3)] {
            let [l1, l2, l3, l4] = integrated(lower, upper, &shares);
            let (mean, scale) = location_and_scale(lower, upper);
            let found = [mean, scale, skewness(lower, upper), kurtosis(lower, upper)];
            for (found, expected) in found.into_iter().zip([l1, l2, l3 / l2, l4 / l2]) {
                assert!((found - expected).abs() < 1e-5, "{lower} {upper}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn tails_come_back_from_their_moments() {
        for (lower, upper) in [(0.1, 0.4), (0.4, 0.1), (0.0, 0.5), (0.25, 0.25), (0.7, 0.05)] {
            let moments = LMoments {
                mean: 0.0,
                scale: 1.0,
                skewness: skewness(lower, upper),
                kurtosis: kurtosis(lower, upper),
            };
            let (found_lower, found_upper) = tails(&moments).unwrap();
            assert!(
                (found_lower - lower).abs() < 1e-10 && (found_upper - upper).abs() < 1e-10,
                "{lower} {upper}"
            );
        }
        let light = LMoments { mean: 0.0, scale: 1.0, skewness: 0.0, kurtosis: 0.0 };
        assert_eq!(tails(&light), None);
        // More skewed than any pair of tails with this kurtosis: the lighter is 0.
        let skewed = LMoments { skewness: 0.9, kurtosis: 0.3, ..light };
        assert!(tails(&skewed).is_some_and(|(lower, upper)| lower < 1e-12 && upper > 0.0));
    }

    #[test]
    fn moments_of_rows_are_those_of_all_subsets() {
        // By hand of 1, 2, 4, 8: mean 15/4; half the mean distance (1+3+7+2+6+4)/6/2; the triples give
        // (max − 2 middle + min)/3 on average, the quadruple (8 − 3·4 + 3·2 − 1)/4.
        let ranks = Ranks::exact([(1.0, 1), (2.0, 1), (4.0, 1), (8.0, 1)].into_iter());
        let moments = l_moments(&ranks, 3.0).unwrap();
        let third =
            ((4.0 - 4.0 + 1.0) + (8.0 - 4.0 + 1.0) + (8.0 - 8.0 + 1.0) + (8.0 - 8.0 + 2.0)) / 4.0 / 3.0;
        let close =
            |found: f64, expected: f64| assert!((found - expected).abs() < 1e-14, "{found} {expected}");
        close(moments.mean, 3.75);
        close(moments.scale, 23.0 / 12.0);
        close(moments.skewness, third / (23.0 / 12.0));
        close(moments.kurtosis, 0.25 / (23.0 / 12.0));
        assert_eq!(l_moments(&Ranks::exact([(1.0, 3)].into_iter()), 1.0), None);
    }
}
