//! What a single cell looks like, before its column is known.

use super::time;

/// Integers up to this magnitude are exact in double precision: 2^53.
pub(super) const EXACT_IN_FLOAT: u64 = 1 << 53;

/// The class of a cell that is not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Boolean,
    Integer {
        negative: bool,
        magnitude: u64,
    },
    /// An integer beyond 64 bits.
    Wide,
    /// Digits that a number would lose: `007`.
    LeadingZero,
    Float,
    /// A number beyond the range of double precision: `1e999`.
    Overflow,
    Date,
    Timestamp {
        zoned: bool,
        fine: bool,
        beyond_nanoseconds: bool,
    },
    Text,
}

/// Looks at a cell, spaces around it removed.
pub(crate) fn classify(text: &str) -> Class {
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'0'..=b'9' | b'.') => unsigned(bytes, false),
        Some(b'-') => unsigned(&bytes[1..], true),
        Some(b't' | b'T' | b'f' | b'F') => match boolean(text) {
            Some(_) => Class::Boolean,
            None => Class::Text,
        },
        Some(b'n' | b'N' | b'i' | b'I') if is_special(bytes) => Class::Float,
        _ => Class::Text,
    }
}

/// `true` or `false` in any case.
pub(super) fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case("false").then_some(false)
}

fn is_special(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        b"NaN" | b"nan" | b"NAN" | b"inf" | b"Inf" | b"INF" | b"infinity" | b"Infinity" | b"INFINITY"
    )
}

fn unsigned(bytes: &[u8], negative: bool) -> Class {
    let mut magnitude = 0_u64;
    let mut digits = 0;
    let mut fits = true;
    while let Some(digit) = bytes.get(digits).filter(|byte| byte.is_ascii_digit()) {
        let next = magnitude.checked_mul(10).and_then(|value| value.checked_add(u64::from(digit - b'0')));
        fits &= next.is_some();
        magnitude = next.unwrap_or(0);
        digits += 1;
    }
    let leading_zero = digits > 1 && bytes[0] == b'0';
    match bytes.get(digits) {
        None if digits == 0 => Class::Text,
        None if leading_zero => Class::LeadingZero,
        // A float, so that the sign of zero stays.
        None if negative && magnitude == 0 && fits => Class::Float,
        None if !fits || (negative && magnitude > i64::MIN.unsigned_abs()) => Class::Wide,
        None => Class::Integer { negative, magnitude },
        Some(b'-') if digits == 4 && !negative => moment(bytes),
        Some(b'.' | b'e' | b'E') => fractional(bytes, digits, leading_zero),
        Some(_) if digits == 0 && is_special(bytes) => Class::Float,
        Some(_) => Class::Text,
    }
}

fn fractional(bytes: &[u8], whole_digits: usize, leading_zero: bool) -> Class {
    let count = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut at = whole_digits;
    let mut digits = whole_digits;
    if bytes.get(at) == Some(&b'.') {
        let places = count(at + 1);
        digits += places;
        at += 1 + places;
    }
    let mut exponent_digits = 0;
    if digits > 0 && matches!(bytes.get(at), Some(b'e' | b'E')) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        exponent_digits = bytes.get(at..).map_or(0, |_| count(at));
        at += exponent_digits;
        if exponent_digits == 0 {
            return Class::Text;
        }
    }
    if digits == 0 || at != bytes.len() {
        return Class::Text;
    }
    if leading_zero {
        return Class::LeadingZero;
    }
    if (exponent_digits > 2 || whole_digits > 300) && is_infinite(bytes) {
        Class::Overflow
    } else {
        Class::Float
    }
}

fn is_infinite(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_infinite)
}

fn moment(bytes: &[u8]) -> Class {
    if time::date(bytes).is_some() {
        return Class::Date;
    }
    match time::timestamp(bytes) {
        Some(moment) => Class::Timestamp {
            zoned: moment.zoned,
            fine: moment.is_finer_than_microseconds(),
            beyond_nanoseconds: moment.in_nanoseconds().is_none(),
        },
        None => Class::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: i64) -> Class {
        Class::Integer { negative: value < 0, magnitude: value.unsigned_abs() }
    }

    #[test]
    fn numbers_are_told_from_codes() {
        for (text, class) in [
            ("0", integer(0)),
            ("-7", integer(-7)),
            ("9223372036854775807", integer(i64::MAX)),
            ("-9223372036854775808", integer(i64::MIN)),
            ("18446744073709551615", Class::Integer { negative: false, magnitude: u64::MAX }),
            ("18446744073709551616", Class::Wide),
            ("-9223372036854775809", Class::Wide),
            ("100000000000000000000000000000", Class::Wide),
            ("007", Class::LeadingZero),
            ("-01", Class::LeadingZero),
            ("00", Class::LeadingZero),
            ("00.5", Class::LeadingZero),
            ("-0", Class::Float),
        ] {
            assert_eq!(classify(text), class, "{text}");
        }
    }

    #[test]
    fn floats_are_what_a_parser_reads() {
        for text in
            ["0.5", "-0.5", ".5", "5.", "1e5", "1E-7", "-1.5e+300", "NaN", "-inf", "Infinity", "1e-999"]
        {
            assert_eq!(classify(text), Class::Float, "{text}");
            assert!(text.parse::<f64>().is_ok(), "{text}");
        }
        for text in ["1e999", "-1e400"] {
            assert_eq!(classify(text), Class::Overflow, "{text}");
        }
        for text in [
            "", ".", "-", "+5", "e5", ".e5", "1e", "1e+", "1.2.3", "1,5", "0x10", "1_000", "--1", "-.",
            "Nan", "infin", "1 2", "１",
        ] {
            assert_eq!(classify(text), Class::Text, "{text}");
        }
    }

    #[test]
    fn words_and_moments() {
        assert_eq!(classify("TRUE"), Class::Boolean);
        assert_eq!(classify("t"), Class::Text);
        assert_eq!(classify("2024-02-29"), Class::Date);
        assert_eq!(classify("2023-02-29"), Class::Text);
        assert_eq!(classify("-2024-02-29"), Class::Text);
        let stamp = |zoned, fine, beyond_nanoseconds| Class::Timestamp { zoned, fine, beyond_nanoseconds };
        assert_eq!(classify("2024-02-29 10:00:00"), stamp(false, false, false));
        assert_eq!(classify("2024-02-29T10:00:00.1234567Z"), stamp(true, true, false));
        assert_eq!(classify("2300-01-01T10:00:00Z"), stamp(true, false, true));
    }
}
