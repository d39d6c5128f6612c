use super::*;
use proptest::prelude::*;
use std::path::PathBuf;

fn of(values: &[f64]) -> Moments {
    let mut moments = Moments::new();
    moments.update(values);
    moments
}

/// Correct decimal digits: minus the decimal logarithm of the relative error, at most 17.
fn digits(found: f64, certified: f64) -> f64 {
    let error = (found - certified).abs() / certified.abs();
    if error == 0.0 { 17.0 } else { -error.log10() }
}

/// Start, then pairs around it: the construction of NIST's `NumAcc2` (1.2), `NumAcc3` and `NumAcc4`.
fn alternating(center: f64, below: f64, above: f64) -> Vec<f64> {
    let mut values = vec![center];
    values.extend([below, above].repeat(500));
    values
}

#[test]
fn alternating_columns_keep_their_digits() {
    // The decimal inputs are rounded to f64, hence fewer digits for the larger centers.
    for (center, below, above, expected_digits) in [
        (1.2, 1.1, 1.3, 15.0),
        (1_000_000.2, 1_000_000.1, 1_000_000.3, 9.4),
        (10_000_000.2, 10_000_000.1, 10_000_000.3, 8.2),
    ] {
        let moments = of(&alternating(center, below, above));
        assert!(digits(moments.mean().unwrap(), center) > 15.0, "{center}");
        let deviation = moments.standard_deviation(1).unwrap();
        assert!(digits(deviation, 0.1) > expected_digits, "{center}: {deviation}");
        // In exact arithmetic on the f64 inputs, whatever their rounding, nothing is lost.
        let spread = DoubleDouble::from(above) - DoubleDouble::from(below);
        assert!(digits(deviation, spread.to_f64() / 2.0) > 9.0, "{center}: {deviation}");
    }
}

#[test]
fn certified_values_of_nist() {
    let datasets = std::env::var_os("SLUICE_DATASETS").map_or_else(
        || PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../../shared/datasets"),
        PathBuf::from,
    );
    let folder = datasets.join("nist/univariate");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        #[expect(clippy::print_stderr, reason = "a test says why it did nothing")]
        {
            eprintln!("skipped: no {}", folder.display());
        }
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let set: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let values: Vec<f64> =
            set["data"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        let moments = of(&values);
        let certified = |name: &str| set["certified"][name].as_f64().unwrap();
        let mean_digits = digits(moments.mean().unwrap(), certified("mean"));
        let deviation_digits = digits(moments.standard_deviation(1).unwrap(), certified("sd_n_minus_1"));
        assert!(mean_digits > 14.0, "{}: mean to {mean_digits} digits", path.display());
        assert!(deviation_digits > 14.0, "{}: deviation to {deviation_digits} digits", path.display());
    }
}

#[test]
fn nothing_one_and_two() {
    let nothing = Moments::new();
    assert_eq!((nothing.mean(), nothing.variance(0), nothing.count()), (None, None, 0));
    let one = of(&[3.5]);
    assert_eq!((one.mean(), one.variance(0), one.variance(1)), (Some(3.5), Some(0.0), None));
    let two = of(&[1.0, 4.0]);
    assert_eq!((two.mean(), two.variance(0), two.variance(1)), (Some(2.5), Some(2.25), Some(4.5)));
    assert_eq!((two.variance(2), two.variance(u64::MAX)), (None, None));
}

#[test]
fn large_numbers_overflow_to_infinity_only_in_the_variance() {
    let mut moments = of(&[f64::MAX; 5000]);
    assert_eq!((moments.mean(), moments.variance(0)), (Some(f64::MAX), Some(0.0)));
    moments.merge(of(&[f64::MIN; 5000]));
    assert_eq!((moments.mean(), moments.variance(0)), (Some(0.0), Some(f64::INFINITY)));
    assert_eq!(moments.standard_deviation(0), Some(f64::INFINITY));
    let mut counted = Moments::new();
    counted.update_counted([(f64::MAX, u64::MAX / 4), (f64::MAX, 7)].into_iter());
    assert_eq!((counted.mean(), counted.variance(0)), (Some(f64::MAX), Some(0.0)));
}

/// The means agree to 1e-23 and the variances to 1e-21 of the root mean square and mean square.
fn assert_close(a: &Moments, b: &Moments) {
    assert_eq!(a.count, b.count);
    let scale = (b.m2 / DoubleDouble::from(b.count.max(1)) + b.mean * b.mean).high.sqrt();
    assert!((a.mean - b.mean).abs().high <= 1e-23 * scale, "{a:?} {b:?}");
    assert!((a.m2 - b.m2).abs().high <= 1e-21 * scale * scale * b.count as f64, "{a:?} {b:?}");
}

proptest! {
    #[test]
    fn a_constant_has_no_variance(value in any::<f64>(), lengths in prop::collection::vec(1..9000_usize, 1..5)) {
        prop_assume!(value.is_finite() && value.abs() > 1e-290);
        let mut moments = Moments::new();
        for length in lengths {
            moments.update(&vec![value; length]);
            moments.update_counted([(value, length as u64 * 999)].into_iter());
        }
        prop_assert_eq!(moments.mean_double_double(), Some(DoubleDouble::from(value)));
        prop_assert_eq!(moments.variance(0), Some(0.0));
    }

    #[test]
    fn layout_does_not_show(
        values in prop::collection::vec(-1e6..1e6_f64, 1..3000), cut in 0..3000_usize, offset in -1e6..1e6_f64,
    ) {
        let values: Vec<f64> = values.iter().map(|value| value * 1e-3 + offset).collect();
        let whole = of(&values);
        let (left, right) = values.split_at(cut.min(values.len()));
        let mut joined = of(left);
        joined.merge(of(right));
        assert_close(&joined, &whole);
        let mut counted = Moments::new();
        counted.update_counted(values.iter().map(|value| (*value, 1)));
        assert_close(&counted, &whole);
        let mut repeated = Moments::new();
        repeated.update_counted(values.iter().map(|value| (*value, 3)));
        let mut thrice = whole;
        thrice.merge(whole);
        thrice.merge(whole);
        assert_close(&repeated, &thrice);
        let bytes = postcard::to_stdvec(&whole).unwrap();
        prop_assert_eq!(whole, postcard::from_bytes::<Moments>(&bytes).unwrap());
    }
}

#[test]
fn integers_past_2_to_53_keep_their_deviation() {
    // 2^60 + 0 … 10_000 in steps of one: the mean is 2^60 + 5,000, the variance (n^2 - 1) / 12.
    let values: Vec<i64> = (0..=10_000).map(|step| (1 << 60) + step).collect();
    let expected = ((10_001.0_f64 * 10_001.0 - 1.0) / 12.0).sqrt();
    let mut plain = Moments::new();
    plain.update_integers(&values);
    let mut counted = Moments::new();
    let thrice: Vec<(i64, u64)> = values.iter().rev().map(|value| (*value, 3)).collect();
    counted.update_counted_integers(&thrice);
    for moments in [plain, counted] {
        assert!(digits(moments.standard_deviation(0).unwrap(), expected) > 15.5);
        let mean = moments.mean_double_double().unwrap() - DoubleDouble::from(1_u64 << 60);
        assert_eq!(mean.to_f64().to_bits(), 5000.0_f64.to_bits());
    }
    let mut wide = Moments::new();
    wide.update_integers(&[i64::MIN, i64::MAX, i64::MIN, i64::MAX]);
    assert!(wide.mean().unwrap().abs() <= 0.5, "-0.5 but for the rounding of 2^64 - 1");
    assert!(digits(wide.standard_deviation(0).unwrap(), 2.0_f64.powi(63)) > 15.5);
}

#[test]
fn counted_values_have_the_moments_of_their_rows() {
    let values: Vec<f64> = (0..9001).map(|n| f64::from(n * n % 7919) / 7.0 + 1e6).collect();
    let repeated: Vec<f64> = values.iter().enumerate().flat_map(|(n, v)| vec![*v; 1 + n % 5]).collect();
    let mut counted = Moments::new();
    counted.update_counted(values.iter().enumerate().map(|(n, value)| (*value, 1 + (n % 5) as u64)));
    let plain = of(&repeated);
    assert_eq!(counted.count(), plain.count());
    assert!(digits(counted.mean().unwrap(), plain.mean().unwrap()) > 15.9);
    assert!(digits(counted.variance(0).unwrap(), plain.variance(0).unwrap()) > 15.5);
    // Counts beyond 2^26 take the other way.
    let mut heavy = Moments::new();
    heavy.update_counted([(0.1, 1 << 40), (0.3, 1 << 40)].into_iter());
    assert!(digits(heavy.variance(0).unwrap(), 0.01) > 14.9);
}
