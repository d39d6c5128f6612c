//! The incomplete beta function.

use super::saddle::beta_power;

/// I(x; a, b) with `y` = 1 - x, both given because the smaller of them may be known better than a difference: by the
/// continued fraction of Didonato & Morris ("Algorithm 708", ACM TOMS 18, 1992, equation 9), on the side of the mean
/// where it converges.
pub(super) fn incomplete_beta(a: f64, b: f64, x: f64, y: f64) -> f64 {
    if x == 0.0 || y == 0.0 {
        return if x == 0.0 { 0.0 } else { 1.0 };
    }
    let front = beta_power(a, b, x, y);
    // Where the front underflows, the tail does.
    if x < (a + 1.0) / (a + b + 2.0) {
        front / fraction(a, b, x, y)
    } else {
        1.0 - front / fraction(b, a, y, x)
    }
}

/// The continued fraction by modified Lentz. Written with `a y - b x`, no term is a difference of large numbers.
fn fraction(a: f64, b: f64, x: f64, y: f64) -> f64 {
    let away_from_zero = |value: f64| if value.abs() < 1e-290 { 1e-290 } else { value };
    let slope = a * y - b * x + 1.0;
    let mut fraction = away_from_zero(a * slope / (a + 1.0));
    let (mut c, mut d) = (fraction, 0.0);
    for index in 1..100_000 {
        let m = f64::from(index);
        let before = x / (a + 2.0 * m - 1.0);
        let numerator = (a + m - 1.0) * before * ((a + b + m - 1.0) * before) * m * (b - m);
        let denominator = m + m * (b - m) * before + (a + m) * (slope + m * (1.0 + y)) / (a + 2.0 * m + 1.0);
        d = 1.0 / away_from_zero(denominator + numerator * d);
        c = away_from_zero(denominator + numerator / c);
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() <= f64::EPSILON {
            break;
        }
    }
    fraction
}
