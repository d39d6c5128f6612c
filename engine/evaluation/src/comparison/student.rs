//! Student's t distribution: upper tail and quantile, for degrees of freedom from 1 to billions.
//!
//! Tail: P(T > t) = I(x; ν/2, 1/2) / 2 with x = ν / (ν + t²), by the continued fraction of the incomplete
//! beta function (Abramowitz & Stegun 26.5.8, 26.7.1; modified Lentz). From ν = 4000 on by the normal
//! distribution after Hill's normalisation (G. W. Hill, "Algorithm 395: Student's t-distribution", CACM 13
//! (1970)), which leaves 12 digits there also far out. Quantile: Newton's steps from 0, which approach from the left
//! because the tail is convex.
//!
//! The crate `statrs` 0.19 has the same functions and does not serve: its `erfc` has constants cut to ten digits
//! (errors of 4e-11), its incomplete beta function adds log-gammas of size ν ln ν, which loses as many digits,
//! stops after 140 terms, and computes 1 - x by subtraction.

use std::cell::Cell;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// From here on the normal distribution serves.
const MANY: f64 = 4000.0;

/// P(T > t), accurate relative to its size also far out. `freedom` is a whole number of at least 1.
#[must_use]
pub fn upper_tail(t: f64, freedom: f64) -> f64 {
    if t < 0.0 {
        return 1.0 - upper_tail(-t, freedom);
    }
    if t.is_infinite() {
        return 0.0;
    }
    if freedom >= MANY {
        return 0.5 * erfc(normal_deviate(t, freedom) * FRAC_1_SQRT_2);
    }
    let square = t * t;
    if square.is_infinite() {
        // The leading term of the tail, t^-ν: only for one or two degrees is it above the smallest f64.
        return gamma_ratio(freedom) / (PI.sqrt() * freedom) * (freedom.sqrt() / t).powf(freedom);
    }
    let (a, b) = (freedom / 2.0, 0.5);
    let y = square / (freedom + square);
    let x = freedom / (freedom + square);
    // x^a y^b / B(a, b)
    let front = (-a * (square / freedom).ln_1p()).exp() * y.sqrt() * gamma_ratio(freedom) / PI.sqrt();
    if x < (a + 1.0) / (a + b + 2.0) {
        0.5 * front * beta_fraction(a, b, x) / a
    } else {
        0.5 - 0.5 * front * beta_fraction(b, a, y) / b
    }
}

thread_local! {
    /// The bits of the last arguments of [`upper_quantile`] and its answer: all metrics of a slice ask alike.
    static LAST: Cell<(u64, u64, f64)> = const { Cell::new((0, 0, 0.0)) };
}

/// The t with P(T > t) = `tail`, for a tail above 0 and at most 1/2.
#[must_use]
pub fn upper_quantile(tail: f64, freedom: f64) -> f64 {
    let (last_tail, last_freedom, last) = LAST.get();
    if (last_tail, last_freedom) == (tail.to_bits(), freedom.to_bits()) {
        return last;
    }
    let t = find_quantile(tail, freedom);
    LAST.set((tail.to_bits(), freedom.to_bits(), t));
    t
}

fn find_quantile(tail: f64, freedom: f64) -> f64 {
    let mut t = 0.0;
    for _ in 0..2000 {
        let step = (upper_tail(t, freedom) - tail) / density(t, freedom);
        t += step;
        if !(step.abs() > 4.0 * f64::EPSILON * t) {
            break;
        }
    }
    t
}

fn density(t: f64, freedom: f64) -> f64 {
    let power = (-0.5 * (freedom + 1.0) * (t * t / freedom).ln_1p()).exp();
    power * gamma_ratio(freedom) / (freedom * PI).sqrt()
}

/// Γ(ν/2 + 1/2) / Γ(ν/2): by its recursion, or by its asymptotic series for many degrees (DLMF 5.11.13).
fn gamma_ratio(freedom: f64) -> f64 {
    let half = freedom / 2.0;
    if freedom >= MANY {
        let z = 1.0 / half;
        let series = z * (-1.0 / 8.0 + z * (1.0 / 128.0 + z * (5.0 / 1024.0 - z * 21.0 / 32_768.0)));
        return half.sqrt() * (1.0 + series);
    }
    let is_odd = freedom % 2.0 > 0.5;
    let (mut at, mut ratio) = if is_odd { (0.5, 1.0 / PI.sqrt()) } else { (1.0, PI.sqrt() / 2.0) };
    while at + 0.25 < half {
        ratio *= (at + 0.5) / at;
        at += 1.0;
    }
    ratio
}

/// The continued fraction of I(x; a, b), Abramowitz & Stegun 26.5.8.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < 1e-290 { 1e-290 } else { value };
    let (mut c, mut d) = (1.0, 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for index in 1..10_000 {
        let m = f64::from(index);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / away_from_zero(1.0 + term * d);
            c = away_from_zero(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}

/// The normal deviate with the same tail as `t`.
fn normal_deviate(t: f64, freedom: f64) -> f64 {
    let a = freedom - 0.5;
    let b = 48.0 * a * a;
    let square = a * (t * t / freedom).ln_1p();
    let z = square.sqrt();
    let polynomial = ((4.0 * square + 33.0) * square + 240.0) * square + 855.0;
    let second = polynomial / (10.0 * b * (b + 0.8 * square * square + 100.0));
    z * (1.0 + (square + 3.0) / b - second)
}

/// 2/√π ∫ exp(−s²) ds from `z` to infinity, for z ≥ 0: 1 minus the series of DLMF 7.6.2, whose terms are all
/// positive; from 1.5 on the continued fraction of DLMF 7.9.1 by modified Lentz.
fn erfc(z: f64) -> f64 {
    let front = (-z * z).exp() / PI.sqrt();
    if z < 1.5 {
        let (mut term, mut sum, mut odd) = (2.0 * z, 2.0 * z, 1.0);
        while term > f64::EPSILON * 0.1 * sum {
            odd += 2.0;
            term *= 2.0 * z * z / odd;
            sum += term;
        }
        return 1.0 - front * sum;
    }
    let (mut c, mut d) = (f64::INFINITY, 1.0 / z);
    let mut fraction = d;
    for index in 1..1000 {
        let numerator = f64::from(index) / 2.0;
        d = 1.0 / (z + numerator * d);
        c = z + numerator / c;
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    front * fraction
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    /// mpmath 1.4.1, 50 digits: `betainc(v/2, 1/2, 0, v/(v+t*t), regularized=True) / 2`.
    const TAILS: &[(f64, f64, f64)] = &[
        (0.5, 1.0, 0.35241638234956674),
        (2.5, 1.0, 0.1211189415908434),
        (20.0, 1.0, 0.015902251256176374),
        (60.0, 1.0, 0.005304673632623271),
        (0.5, 2.0, 0.3333333333333333),
        (2.5, 2.0, 0.0648058601107554),
        (20.0, 2.0, 0.0012453319461835485),
        (60.0, 2.0, 0.00013883104529733935),
        (0.5, 3.0, 0.3257239824240755),
        (2.5, 3.0, 0.04385332350403277),
        (20.0, 3.0, 0.00013660162512365586),
        (60.0, 3.0, 5.0997968366598774e-06),
        (0.5, 34.0, 0.31014794950076874),
        (2.5, 34.0, 0.008703222746842336),
        (20.0, 34.0, 1.112984144901714e-20),
        (60.0, 34.0, 2.200406759420599e-36),
        (0.5, 88.0, 0.30916154569575927),
        (2.5, 88.0, 0.007136659091469074),
        (20.0, 88.0, 8.636244421334515e-35),
        (60.0, 88.0, 1.7823735230889273e-73),
        (0.5, 500.0, 0.30864752504733284),
        (2.5, 500.0, 0.00636928775044192),
        (20.0, 500.0, 4.056001518093838e-66),
        (60.0, 500.0, 6.696770633632178e-231),
        (0.5, 3_999.0, 0.3085512941845994),
        (2.5, 3_999.0, 0.006229538685880593),
        (20.0, 3_999.0, 3.4281616375832063e-85),
        (0.5, 4_000.0, 0.3085512907458678),
        (2.5, 4_000.0, 0.006229533714513719),
        (20.0, 4_000.0, 3.4205855150563455e-85),
        (0.5, 1_000_000.0, 0.30853759373618567),
        (2.5, 1_000_000.0, 0.006209744751081623),
        (20.0, 1_000_000.0, 2.866543523695186e-89),
        (0.5, 1_000_000_000.0, 0.3085375387809971),
        (2.5, 1_000_000_000.0, 0.006209665405201247),
        (20.0, 1_000_000_000.0, 2.7537348158163976e-89),
    ];

    #[test]
    fn tails_equal_fifty_digit_arithmetic() {
        for &(t, freedom, expected) in TAILS {
            // The exponential magnifies the rounding of its argument by the logarithm of the tail.
            let tolerance = 2e-13 + 1e-15 * expected.ln().abs();
            assert_relative(upper_tail(t, freedom), expected, tolerance);
            assert_relative(upper_tail(-t, freedom), 1.0 - expected, 1e-13);
        }
    }

    #[test]
    fn quantiles_invert_tails() {
        for freedom in [1.0, 2.0, 3.0, 34.0, 53.0, 88.0, 3999.0, 4000.0, 1e6, 1e9] {
            for tail in [0.25, 0.05, 0.025, 0.005, 1e-6, 1e-12] {
                assert_relative(upper_tail(upper_quantile(tail, freedom), freedom), tail, 1e-12);
            }
        }
    }
}
