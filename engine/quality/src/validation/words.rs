//! Numbers and names as TFDV writes them in its sentences.

/// A number with up to six significant digits, as C's `%g` has it.
pub(crate) fn general(value: f64) -> String {
    const DIGITS: i32 = 6;
    if !value.is_finite() {
        return if value.is_nan() { "nan".into() } else { format!("{value}") };
    }
    let scientific = format!("{value:.*e}", DIGITS.unsigned_abs() as usize - 1);
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS - 1 - exponent).unwrap_or(0);
        return trimmed(&format!("{value:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(digits), exponent.abs())
}

/// The fewest digits that give the number back, with an exponent in place of a row of zeros (from 1e16 and below 1e-4 on).
pub(crate) fn shortest(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::{general, shortest};

    #[test]
    fn no_digit_is_lost_and_no_row_of_zeros_shown() {
        for (value, text) in [
            (5.0, "5"),
            (5.75, "5.75"),
            (17_031_090_106.0, "17031090106"),
            (-0.1, "-0.1"),
            (1e308, "1e308"),
            (-2.5e-7, "-2.5e-7"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(shortest(value), text);
        }
    }

    #[test]
    fn six_digits_as_in_c() {
        for (value, text) in [
            (0.0, "0"),
            (0.2, "0.2"),
            (11.5, "11.5"),
            (1.0 / 3.0, "0.333333"),
            (123_456_789.0, "1.23457e+08"),
            (999_999.5, "1e+06"),
            (100_000.0, "100000"),
            (-1e-9, "-1e-09"),
            (0.0001, "0.0001"),
            (0.000_012_345_67, "1.23457e-05"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(general(value), text);
        }
    }
}
