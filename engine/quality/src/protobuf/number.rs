//! Floating-point numbers as protobuf's Python printer writes them: the shortest decimal that reads back to the
//! same bits, an exponent below 1e-4 and from 1e16 on, `.0` behind whole numbers.

/// A double as text; `nan`, `inf` and `-inf` in words.
pub(crate) fn text_of_double(value: f64) -> String {
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = value.to_string();
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// The number with the fewest decimal digits, but at least 6 where they matter, that rounds to this `f32`.
pub(crate) fn shortest(value: f32) -> f64 {
    let exact = f64::from(value);
    if !value.is_finite() {
        return exact;
    }
    (5..9)
        .map(|digits| format!("{exact:.digits$e}"))
        .find(|text| text.parse::<f32>().is_ok_and(|read| read.to_bits() == value.to_bits()))
        .and_then(|text| text.parse().ok())
        .unwrap_or(exact)
}
