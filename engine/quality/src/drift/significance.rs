//! How probable a difference is when nothing changed: tails of the tests that decide, and what many tests at once allow.
//!
//! - Kolmogorov-Smirnov: the limiting distribution (Smirnov, 1939) at sqrt(n m / (n + m)) times the distance. With few or
//!   repeated values the true probability is lower.
//! - Two shares: chi-square where at least ten are expected in each cell, else twice the smaller tail of the
//!   hypergeometric distribution (Fisher's test).
//! - Many tests: q after Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995). Where nothing
//!   changed at all, the probability of any q up to a level is at most that level: of tests that do not depend on one
//!   another, or positively (Benjamini & Yekutieli, "The control of the false discovery rate in multiple testing under
//!   dependency", Annals of Statistics 29 (2001)), as those of columns that rise and fall together do.

use sluice_core::distribution::chi_squared;
use statrs::function::gamma::ln_gamma;

/// Below, the normal approximation of a share is not good enough.
const LEAST_EXPECTED: f64 = 10.0;

/// The mean of the limiting distribution of sqrt(n m / (n + m)) times the Kolmogorov-Smirnov distance: sqrt(π/2) ln 2.
pub(super) const KOLMOGOROV_MEAN: f64 = 0.868_731_160_636_159_5;

/// P(K > x) of Kolmogorov's distribution.
#[must_use]
pub fn kolmogorov_tail(x: f64) -> f64 {
    if !(x > 0.0) {
        return 1.0;
    }
    if x < 1.0 {
        // The theta function's other series, which converges fast for small x.
        let front = (2.0 * std::f64::consts::PI).sqrt() / x;
        let exponent = -std::f64::consts::PI.powi(2) / (8.0 * x * x);
        let sum: f64 = [1.0_f64, 9.0, 25.0, 49.0].iter().map(|square| (square * exponent).exp()).sum();
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let mut sum = 0.0;
    for index in 1..=8 {
        let k = f64::from(index);
        let term = (-2.0 * k * k * x * x).exp();
        sum += if index % 2 == 1 { term } else { -term };
    }
    (2.0 * sum).clamp(0.0, 1.0)
}

/// The probability of a Kolmogorov-Smirnov distance at least that large between samples of the same.
#[must_use]
pub fn kolmogorov_smirnov_tail(distance: f64, current: f64, reference: f64) -> f64 {
    kolmogorov_tail(distance / (1.0 / current + 1.0 / reference).sqrt())
}

/// The probability that two samples of the same have shares as different as `x` of `n` and `y` of `m`.
#[must_use]
pub fn shares_tail((x, n): (f64, f64), (y, m): (f64, f64)) -> f64 {
    if !(n > 0.0 && m > 0.0) {
        return 1.0;
    }
    let (total, hits) = (n + m, x + y);
    let least =
        [hits, total - hits].into_iter().map(|of| of * n.min(m) / total).fold(f64::INFINITY, f64::min);
    if least >= LEAST_EXPECTED {
        let difference = x / n - y / m;
        let share = hits / total;
        let statistic = difference * difference / (share * (1.0 - share) * (1.0 / n + 1.0 / m));
        return chi_squared::upper_tail(statistic, 1.0);
    }
    // The rarer of hits and misses has few cells; counted from the side on which it exceeds.
    let (x, hits) = if hits <= total - hits { (x, hits) } else { (n - x, total - hits) };
    let above = hypergeometric_tail(x, hits, n, m);
    let below = hypergeometric_tail(hits - x, hits, m, n);
    (2.0 * above.min(below)).min(1.0)
}

fn ln_choose(n: f64, k: f64) -> f64 {
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

/// The probability that at least `x` of `hits` fall among the `n` of `n + m`.
fn hypergeometric_tail(x: f64, hits: f64, n: f64, m: f64) -> f64 {
    let first = x.max(hits - m).max(0.0);
    let last = hits.min(n);
    if first > last {
        return 0.0;
    }
    // Differences of log-gammas of large numbers lose digits; products of the few hits do not.
    let mut term = (ln_choose(hits, first) + ln_falling(n, first) + ln_falling(m, hits - first)
        - ln_falling(n + m, hits))
    .exp();
    let (mut sum, mut k) = (term, first);
    while k < last && term > 1e-18 * sum {
        term *= (hits - k) * (n - k) / ((k + 1.0) * (m - hits + k + 1.0));
        k += 1.0;
        sum += term;
    }
    sum.min(1.0)
}

/// ln(n (n − 1) … (n − k + 1)).
fn ln_falling(n: f64, k: f64) -> f64 {
    if k <= 1000.0 {
        let (mut sum, mut at) = (0.0, 0.0);
        while at < k {
            sum += (n - at).ln();
            at += 1.0;
        }
        return sum;
    }
    ln_gamma(n + 1.0) - ln_gamma(n - k + 1.0)
}

/// The probability that a value which `count` rows have is in none of the other side's, at most.
#[must_use]
pub fn unseen_tail(count: f64, current: f64, reference: f64) -> f64 {
    if !(count > 0.0) {
        return 1.0;
    }
    // All of its rows on one side.
    (count * (current / (current + reference)).ln()).exp().min(1.0)
}

/// The q of each p: the level at which it is among those that Benjamini's and Hochberg's rule keeps.
#[must_use]
pub fn benjamini_hochberg(tails: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..tails.len()).collect();
    order.sort_by(|a, b| tails[*a].total_cmp(&tails[*b]).then(a.cmp(b)));
    let mut found = vec![1.0; tails.len()];
    let mut least = 1.0_f64;
    for (rank, index) in order.into_iter().enumerate().rev() {
        least = least.min(tails[index] * tails.len() as f64 / (rank + 1) as f64);
        found[index] = least;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-9 * expected.abs()
    }

    #[test]
    fn tails_equal_those_of_scipy() {
        // scipy.special.kolmogorov(x) of SciPy 1.17.1.
        for (x, expected) in KOLMOGOROV {
            assert!(close(kolmogorov_tail(x), expected), "{x}: {}", kolmogorov_tail(x));
        }
        // scipy.stats.hypergeom.sf(x - 1, n + m, hits, n).
        for ((x, hits, n, m), expected) in HYPERGEOMETRIC {
            let found = hypergeometric_tail(x, hits, n, m);
            assert!(close(found, expected), "{x} {hits} {n} {m}: {found} {expected}");
        }
    }

    #[rustfmt::skip]
    const KOLMOGOROV: [(f64, f64); 6] = [
        (0.3, 0.9999906941986655),
        (0.5, 0.9639452436648751),
        (0.9, 0.3927307079406543),
        (1.0, 0.26999967167735456),
        (1.3581, 0.0499996304316674),
        (3.0, 3.045995948942526e-08),
    ];
    // The third by hand: SciPy is off in the ninth digit there.
    #[rustfmt::skip]
    const HYPERGEOMETRIC: [((f64, f64, f64, f64), f64); 4] = [
        ((3.0, 5.0, 20.0, 30.0), 0.30997092639090784),
        ((0.0, 5.0, 20.0, 30.0), 1.0),
        ((2.0, 2.0, 10.0, 1e8), 90.0 / (100_000_010.0 * 100_000_009.0)),
        ((7.0, 12.0, 500.0, 40000.0), 3.147642130321993e-11),
    ];

    #[test]
    fn shares_of_any_sizes_have_a_probability() {
        for (one, other) in [
            ((0.0, 10.0), (0.0, 10.0)),
            ((10.0, 10.0), (10.0, 10.0)),
            ((1.0, 10.0), (0.0, 1e8)),
            ((500.0, 500.0), (0.0, 1e8)),
            ((0.0, 0.0), (3.0, 5.0)),
            ((3.0, 500.0), (6e5, 1e8)),
        ] {
            for p in [shares_tail(one, other), shares_tail(other, one)] {
                assert!((0.0..=1.0).contains(&p), "{one:?} {other:?} {p}");
            }
        }
        assert!(shares_tail((1.0, 10.0), (0.0, 1e8)) < 1e-6);
        assert!(shares_tail((0.0, 10.0), (0.0, 10.0)) >= 1.0);
    }

    #[test]
    fn q_rises_with_p_and_is_no_less() {
        let found = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.02, 0.04, 0.04, 0.02];
        assert!(found.iter().zip(expected).all(|(found, expected)| close(*found, expected)), "{found:?}");
        assert!(benjamini_hochberg(&[]).is_empty());
    }
}
