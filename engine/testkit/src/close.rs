//! Equality of floats, stated rather than hoped for.

/// Asserts that `found` lies within `tolerance` of `expected`, relative to `expected` (absolute when it is 0).
///
/// # Panics
/// When it does not, or when only one of them is NaN.
#[track_caller]
pub fn assert_relative(found: f64, expected: f64, tolerance: f64) {
    if found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan()) {
        return;
    }
    let scale = if expected == 0.0 { 1.0 } else { expected.abs() };
    let error = (found - expected).abs() / scale;
    assert!(error <= tolerance, "{found:e} is not {expected:e}: relative error {error:e} > {tolerance:e}");
}

/// Asserts that two numbers are at most `ulps` representable steps apart.
///
/// # Panics
/// When they are not.
#[track_caller]
pub fn assert_ulps(found: f64, expected: f64, ulps: u64) {
    let ordered = |value: f64| {
        let bits = value.to_bits().cast_signed();
        if bits < 0 { i64::MIN.wrapping_sub(bits) } else { bits }
    };
    let distance = ordered(found).abs_diff(ordered(expected));
    assert!(distance <= ulps, "{found:e} is {distance} steps from {expected:e}, allowed are {ulps}");
}

/// The number of correct significant digits, as the NIST reference datasets count them; 17 at most.
#[must_use]
pub fn log_relative_error(found: f64, certified: f64) -> f64 {
    if found.to_bits() == certified.to_bits() {
        return 17.0;
    }
    let scale = if certified == 0.0 { 1.0 } else { certified.abs() };
    -((found - certified).abs() / scale).log10()
}
