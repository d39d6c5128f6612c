//! Numbers as people read them. What machines read is JSON with every digit.

use std::time::Duration;

/// Six significant digits, without trailing zeros: `3295.71`, `0.0421`, `1.2e-9`.
///
/// ```
/// assert_eq!(sluice_report::significant(3295.714938563238), "3295.71");
/// assert_eq!(sluice_report::significant(-0.5), "-0.5");
/// assert_eq!(sluice_report::significant(1.25e-9), "1.25e-9");
/// ```
#[must_use]
pub fn significant(value: f64) -> String {
    with_digits(value, 6)
}

/// So many significant digits, without trailing zeros: of four, `3296`, `0.0421`.
#[must_use]
pub fn with_digits(value: f64, digits: u8) -> String {
    let after_first = i32::from(std::cmp::max(digits, 1)) - 1;
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { value.to_string() };
    }
    let scientific = format!("{value:.*e}", usize::try_from(after_first).unwrap_or(0));
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if (-4..15).contains(&exponent) {
        let decimals = usize::try_from(after_first - exponent).unwrap_or(0);
        trim(&format!("{value:.decimals$}"))
    } else {
        format!("{}e{exponent}", trim(mantissa))
    }
}

/// A count with a thin grouping of thousands: `1 048 576`.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A count of rows: `1 row`, `2 000 rows`.
#[must_use]
pub fn rows(value: u64) -> String {
    format!("{} {}", count(value), if value == 1 { "row" } else { "rows" })
}

/// A duration: `3 ms`, `1.24 s`, `2 min 5 s`.
#[must_use]
pub fn duration(value: Duration) -> String {
    let seconds = value.as_secs_f64();
    if seconds < 1.0 {
        format!("{} ms", value.as_millis())
    } else if seconds < 60.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} min {} s", value.as_secs() / 60, value.as_secs() % 60)
    }
}

/// A count in three digits or so: `950`, `12.3 k`, `40 M`.
#[must_use]
pub fn short(value: u64) -> String {
    scaled(value, &["", " k", " M", " G", " T"])
}

/// Bytes: `512 B`, `1.2 MB`, `3.1 GB`, by powers of 1000.
#[must_use]
pub fn bytes(value: u64) -> String {
    scaled(value, &[" B", " KB", " MB", " GB", " TB"])
}

fn scaled(value: u64, units: &[&str; 5]) -> String {
    let mut scale = 0;
    let mut rest = value as f64;
    // 999.5 would be shown as 1000.
    while rest >= 999.5 && scale + 1 < units.len() {
        rest /= 1000.0;
        scale += 1;
    }
    let decimals = usize::from(scale > 0 && rest < 99.95);
    let number = format!("{rest:.decimals$}");
    format!("{}{}", number.strip_suffix(".0").unwrap_or(&number), units[scale])
}

/// Rows per second: `2.1 M rows/s`; nothing for no rows.
#[must_use]
pub fn rate(rows: u64, value: Duration) -> String {
    let per_second = rows as f64 / std::cmp::max(value.as_nanos(), 1) as f64 * 1e9;
    match per_second {
        _ if rows == 0 => String::new(),
        rate if rate >= 1e6 => format!("{:.1} M rows/s", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0} k rows/s", rate / 1e3),
        rate => format!("{rate:.0} rows/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(significant(0.0), "0");
        assert_eq!(significant(100_000.0), "100000");
        assert_eq!(significant(1.0 / 3.0), "0.333333");
        assert_eq!(significant(123_456_789.0), "123456789");
        assert_eq!(significant(0.000_012), "1.2e-5");
        assert_eq!(significant(f64::NAN), "NaN");
        let four = [3295.715, 0.042_149, -1.0, 123_456.0, 1.234_56e-9].map(|value| with_digits(value, 4));
        assert_eq!(four, ["3296", "0.04215", "-1", "123456", "1.235e-9"]);
        assert_eq!(count(1_048_576), "1 048 576");
        assert_eq!(count(12), "12");
        assert_eq!(duration(Duration::from_millis(1240)), "1.24 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 5 s");
        assert_eq!(
            [0, 999, 1000, 12_345, 999_499, 999_600, 40_000_000].map(short),
            ["0", "999", "1 k", "12.3 k", "999 k", "1 M", "40 M"]
        );
        assert_eq!(
            [512, 1_234_567, 3_100_000_000, u64::MAX].map(bytes),
            ["512 B", "1.2 MB", "3.1 GB", "18446744 TB"]
        );
        assert_eq!(rate(2_100_000, Duration::from_secs(1)), "2.1 M rows/s");
    }
}
