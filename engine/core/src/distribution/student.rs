//! Student's t distribution: upper tail and quantile, for degrees of freedom above 0, whole or not, up to billions.
//!
//! Tail: P(T > t) = I(x; ν/2, 1/2) / 2 with x = ν / (ν + t²) (Abramowitz & Stegun 26.7.1).

use std::cell::Cell;

use super::beta::incomplete_beta;
use super::saddle::inverse_beta;
use super::{normal, quantile_of_convex};

/// P(T > t), accurate relative to its size also far out. Infinitely many degrees of freedom make it the normal
/// distribution.
#[must_use]
pub fn upper_tail(t: f64, freedom: f64) -> f64 {
    if freedom.is_infinite() {
        return normal::upper_tail(t);
    }
    if t.is_nan() {
        return t;
    }
    if t < 0.0 {
        return 1.0 - upper_tail(-t, freedom);
    }
    if t.is_infinite() {
        return 0.0;
    }
    let square = t * t;
    if square.is_infinite() {
        // The leading term of the tail, t^-ν: only for few degrees is it above the smallest f64.
        return inverse_beta(freedom / 2.0, 0.5) / freedom * (freedom.sqrt() / t).powf(freedom);
    }
    let (x, y) = (freedom / (freedom + square), square / (freedom + square));
    0.5 * incomplete_beta(freedom / 2.0, 0.5, x, y)
}

thread_local! {
    /// The bits of the last arguments of [`upper_quantile`] and its answer: all metrics of a slice ask alike.
    static LAST: Cell<(u64, u64, f64)> = const { Cell::new((0, 0, 0.0)) };
}

/// The t with P(T > t) = `tail`, for a tail above 0 and at most 1/2; infinite where it is out of the range of numbers.
#[must_use]
pub fn upper_quantile(tail: f64, freedom: f64) -> f64 {
    if freedom.is_infinite() {
        return normal::upper_quantile(tail);
    }
    let (last_tail, last_freedom, last) = LAST.get();
    if (last_tail, last_freedom) == (tail.to_bits(), freedom.to_bits()) {
        return last;
    }
    let scale = inverse_beta(freedom / 2.0, 0.5) / freedom.sqrt();
    let density = |t: f64| scale * (-0.5 * (freedom + 1.0) * (t * t / freedom).ln_1p()).exp();
    let t = quantile_of_convex(tail, |t| upper_tail(t, freedom), density);
    let t = if t.is_nan() { f64::INFINITY } else { t };
    LAST.set((tail.to_bits(), freedom.to_bits(), t));
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_relative(found: f64, expected: f64, tolerance: f64) {
        assert!((found - expected).abs() <= tolerance * expected.abs(), "{found:e} is not {expected:e}");
    }

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
        (0.001, 0.3, 0.4997706809127688),
        (1.0, 0.3, 0.34161139088051673),
        (2.0, 0.3, 0.28213484948039136),
        (40.0, 0.3, 0.11556416301501271),
        (0.001, 1.5, 0.4996592651133599),
        (1.0, 1.5, 0.22556768363835517),
        (2.0, 1.5, 0.11209416517802553),
        (40.0, 1.5, 0.0014898121954656227),
        (0.001, 5.0, 0.4996203933860988),
        (1.0, 5.0, 0.1816087338245613),
        (2.0, 5.0, 0.05096973941492918),
        (40.0, 5.0, 9.205981085886477e-08),
        (0.001, 12.25, 0.4996091081626828),
        (1.0, 12.25, 0.16832742137456483),
        (2.0, 12.25, 0.03408661349618883),
        (40.0, 12.25, 1.1714451183086024e-14),
        (0.001, 4000.5, 0.4996010827160983),
        (1.0, 4000.5, 0.1586854946016994),
        (2.0, 4000.5, 0.022783876087242763),
        (40.0, 4000.5, 6.456936932986547e-295),
        (0.001, 1000000.0, 0.49960105788582454),
        (1.0, 1000000.0, 0.15865537491678908),
        (2.0, 1000000.0, 0.022750266925659603),
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
        for freedom in [0.3, 1.0, 1.5, 2.0, 3.0, 34.0, 53.0, 88.0, 3999.0, 4000.0, 1e6, 1e9] {
            for tail in [0.25, 0.05, 0.025, 0.005, 1e-6, 1e-12] {
                assert_relative(upper_tail(upper_quantile(tail, freedom), freedom), tail, 1e-12);
            }
        }
    }

    #[test]
    fn far_out_tails_are_zero_or_right_never_garbage() {
        // SciPy 1.17.1: t.sf(40, 1e6) is 0 too; the tail is 2e-350.
        assert_eq!(upper_tail(40.0, 1e6).to_bits(), 0.0_f64.to_bits());
        // By the leading term: 1 / (pi t).
        assert_relative(upper_tail(1e200, 1.0), 1e-200 / std::f64::consts::PI, 1e-13);
        assert_eq!(upper_tail(f64::INFINITY, 3.0).to_bits(), 0.0_f64.to_bits());
        assert!(upper_tail(f64::NAN, 3.0).is_nan());
        // SciPy 1.17.1: t.ppf(0.975, [5, 1e6]).
        assert_relative(upper_quantile(0.025, 5.0), 2.5705818356363146, 1e-14);
        assert_relative(upper_quantile(0.025, 1e6), 1.959966356814107, 1e-13);
        assert_eq!(upper_quantile(0.025, f64::INFINITY).to_bits(), normal::upper_quantile(0.025).to_bits());
    }
}
