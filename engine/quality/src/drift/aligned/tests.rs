//! Distances of numbers against SciPy, exactly from values and within bounds from saved statistics.

use proptest::prelude::*;

use super::*;
use crate::drift::golden_numbers::{SAMPLES, cumulative, saved};

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-9 * expected.abs().max(1.0)
}

#[test]
fn exact_distances_equal_those_of_scipy() {
    for sample in SAMPLES {
        let aligned = Aligned::new(&cumulative(sample.current), &cumulative(sample.reference));
        let (ks, _) = aligned.kolmogorov_smirnov();
        assert!(close(ks.value, sample.ks), "{}: {ks:?} {}", sample.name, sample.ks);
        let wasserstein = aligned.wasserstein(0.0);
        assert!(close(wasserstein.value, sample.wasserstein), "{}: {wasserstein:?}", sample.name);
        let energy = aligned.energy();
        assert!(close(energy.value, sample.energy), "{}: {energy:?} {}", sample.name, sample.energy);
        for bounded in [ks, wasserstein, energy] {
            assert!(bounded.high - bounded.low <= 1e-12 * bounded.value.max(1.0), "{bounded:?}");
        }
    }
}

#[test]
fn from_saved_statistics_the_truth_lies_within_the_bounds() {
    for sample in SAMPLES {
        let sides = [saved(sample.current), saved(sample.reference)];
        let aligned = Aligned::new(&sides[0], &sides[1]);
        let (ks, _) = aligned.kolmogorov_smirnov();
        let found = [ks, aligned.wasserstein(0.0), aligned.energy()];
        for (bounded, truth) in found.into_iter().zip([sample.ks, sample.wasserstein, sample.energy]) {
            let inside = bounded.low <= truth * (1.0 + 1e-12) && truth * (1.0 - 1e-12) <= bounded.high;
            assert!(inside, "{}: {truth} {bounded:?}", sample.name);
        }
        assert!(ks.high - ks.low <= sides[0].uncertainty() + sides[1].uncertainty() + 1e-12);
    }
}

#[test]
fn the_widest_range_gives_numbers() {
    let ends = [Some((-f64::MAX, 1)), Some((f64::MAX, 1))];
    let wide = Cumulative::of_values(ends.into_iter().flatten()).unwrap();
    let narrow = Cumulative::of_values([(0.0, 2)].into_iter()).unwrap();
    let aligned = Aligned::new(&wide, &narrow);
    let all = [aligned.wasserstein(0.01), aligned.energy(), aligned.normalized_energy()];
    assert!(all.iter().all(|bounded| bounded.value.is_finite() && bounded.high.is_finite()), "{all:?}");
    let same = Aligned::new(&narrow, &narrow);
    assert!(same.normalized_energy().value.abs() < 1e-300 && same.wasserstein(0.0).value.abs() < 1e-300);
}

#[test]
fn ten_outliers_do_not_move_the_distance_without_the_ends() {
    let plain: Vec<(f64, u64)> = (0..2000).map(|i| (f64::from(i), 1)).collect();
    let mut wild = plain.clone();
    wild.push((1e12, 10));
    let (plain, wild) = (Cumulative::of_values(plain.into_iter()), Cumulative::of_values(wild.into_iter()));
    let aligned = Aligned::new(&wild.unwrap(), &plain.unwrap());
    assert!(aligned.wasserstein(0.0).value > 1e9);
    assert!(aligned.wasserstein(0.01).value < 10.0, "{:?}", aligned.wasserstein(0.01));
}

fn side() -> impl Strategy<Value = Cumulative> {
    proptest::collection::vec((-50_i32..50, 1_u64..9), 1..30).prop_map(|mut values| {
        values.sort_by_key(|(value, _)| *value);
        values.dedup_by_key(|(value, _)| *value);
        let entries = values.into_iter().map(|(value, count)| (f64::from(value) / 4.0, count));
        Cumulative::of_values(entries).unwrap()
    })
}

proptest! {
    #[test]
    fn distances_are_distances(a in side(), b in side(), c in side()) {
        let of = |x: &Cumulative, y: &Cumulative| {
            let aligned = Aligned::new(x, y);
            [
                aligned.kolmogorov_smirnov().0.value,
                aligned.wasserstein(0.0).value,
                aligned.wasserstein(0.01).value,
                aligned.energy().value,
            ]
        };
        for index in 0..4 {
            prop_assert!(of(&a, &a)[index].abs() < 1e-12);
            prop_assert!((of(&a, &b)[index] - of(&b, &a)[index]).abs() < 1e-9);
            prop_assert!(of(&a, &b)[index] <= of(&a, &c)[index] + of(&c, &b)[index] + 1e-9);
        }
    }
}
