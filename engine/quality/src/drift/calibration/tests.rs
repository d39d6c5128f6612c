//! Thresholds from good batches: their rate of alarms, what they are never below, and their place in a schema.

use super::super::measure::Comparison;
use super::super::role::ColumnRole;
use super::*;
use crate::schema::{read_schema, write_schema};

/// Numbers that look like chance and are the same everywhere (`SplitMix64`).
struct Chance(u64);

impl Chance {
    fn uniform(&mut self) -> f64 {
        (sluice_core::splitmix::next(&mut self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }
}

fn signal(measure: Measure, value: f64, noise_floor: f64) -> Signal {
    Signal {
        measure,
        value,
        at_least: value,
        at_most: value,
        threshold: measure.threshold(),
        noise_floor,
        effect: value,
        p: Some(0.5),
        p_is_upper_bound: false,
        q: None,
        alarm: false,
        detail: String::new(),
    }
}

fn compared(batch: usize, columns: Vec<(String, Vec<Signal>)>) -> Compared {
    let column = |(column, signals)| ColumnDrift {
        column,
        path: Vec::new(),
        role: ColumnRole::default(),
        compared_as: Comparison::Numbers,
        signals,
        bins: Vec::new(),
        notes: Vec::new(),
    };
    let report = DriftReport {
        subset: "all".into(),
        num_rows: 100,
        num_reference_rows: 100,
        level: 0.05,
        columns: columns.into_iter().map(column).collect(),
        ..DriftReport::default()
    };
    Compared { batch: format!("b{batch}"), against: "r".into(), reports: vec![report] }
}

/// Distances of thirty columns, half of them with heavy tails, on scales of their own.
fn by_chance(batch: usize, chance: &mut Chance) -> Compared {
    let column = |index: usize, chance: &mut Chance| {
        let scale = 0.05 * (1.0 + index as f64);
        let value = scale * (if index.is_multiple_of(2) { 0.2 } else { 0.6 } * chance.normal()).exp();
        (format!("x{index}"), vec![signal(Measure::KolmogorovSmirnov, value, 0.001)])
    };
    compared(batch, (0..30).map(|index| column(index, chance)).collect())
}

fn all(_: &ColumnDrift, _: Measure) -> bool {
    true
}

#[test]
fn batches_to_come_raise_alarms_at_the_wanted_rate() {
    for (count, rate, method, expected) in [
        (39, 0.05, CalibrationMethod::Conformal, 0.02..0.085),
        (9, 0.2, CalibrationMethod::Conformal, 0.1..0.26),
        // The logarithm of the greatest of thirty is not quite normal.
        (8, 0.05, CalibrationMethod::LogNormal, 0.0..0.1),
    ] {
        let mut chance = Chance(7);
        let (repetitions, mut alarms) = (300, 0);
        for _ in 0..repetitions {
            let good: Vec<Compared> = (0..count).map(|batch| by_chance(batch, &mut chance)).collect();
            let found = calibrate(&good, rate, all).unwrap();
            assert_eq!(found.method, method);
            let next = by_chance(count, &mut chance);
            let is_above = |one: &Threshold| {
                let column = next.reports[0].columns.iter().find(|column| column.column == one.column);
                column.unwrap().signals[0].value > one.threshold
            };
            alarms += usize::from(found.thresholds.iter().any(is_above));
        }
        let share = alarms as f64 / f64::from(repetitions);
        assert!(expected.contains(&share), "{count} {rate}: {share}");
    }
}

#[test]
fn ranks_reach_as_far_as_there_are_comparisons() {
    let one =
        |value: f64| compared(0, vec![("x".into(), vec![signal(Measure::KolmogorovSmirnov, value, 0.0)])]);
    let some = |count: usize| -> Vec<Compared> { (1..=count).map(|value| one(value as f64)).collect() };
    let found = calibrate(&some(19), 0.05, all).unwrap();
    // Rank 19 of 19: the greatest, in units of the next.
    assert_eq!((found.method, found.needed_comparisons), (CalibrationMethod::Conformal, 19));
    assert!((found.factor - 19.0 / 18.0).abs() < 1e-12, "{}", found.factor);
    assert!((found.thresholds[0].threshold - 20.06).abs() < 1e-9, "{:?}", found.thresholds);
    assert!(found.note().contains("at most 0.05"));
    assert!(found.note().ends_with("(the first: kolmogorov_smirnov of `x`)"), "{}", found.note());
    let few = calibrate(&some(18), 0.05, all).unwrap();
    assert_eq!(few.method, CalibrationMethod::LogNormal);
    assert!(few.note().contains("18 comparisons are too few") && few.note().contains("19 are needed"));
    // 1/19, rounded up: the rate that the note offers is one that needs no assumption.
    assert!(few.note().contains("a rate of at least 0.05264"), "{}", few.note());
    assert_eq!(calibrate(&some(18), 0.05264, all).unwrap().method, CalibrationMethod::Conformal);
    assert_eq!(few.scores[17].column.as_deref(), Some("x"));
    let error = calibrate(&some(2), 0.05, all).unwrap_err();
    assert!(error.hint().is_some() && error.to_string().contains('2'), "{error}");
    assert!(calibrate(&some(5), 0.05, |_, _| false).is_err());
    assert!(calibrate(&some(5), 1.0, all).is_err() && calibrate(&some(5), f64::NAN, all).is_err());
}

#[test]
fn no_threshold_is_below_the_noise_nor_of_what_was_never_seen() {
    let batch = |index: usize| {
        let signals = vec![
            signal(Measure::KolmogorovSmirnov, 0.001 * index as f64, 0.07),
            signal(Measure::OutOfRange, 0.0, 0.001),
            signal(Measure::Type, 1.0, 0.0),
        ];
        compared(index, vec![("x".into(), signals)])
    };
    let good: Vec<Compared> = (1..30).map(batch).collect();
    let found = calibrate(&good, 0.1, all).unwrap();
    let [one] = found.thresholds.as_slice() else { panic!("{found:?}") };
    assert_eq!(one.measure, Measure::KolmogorovSmirnov);
    assert!(one.threshold >= 0.07, "{one:?}");
    let options = found.options(&DriftOptions::default());
    assert!((options.threshold("x", Measure::KolmogorovSmirnov) - one.threshold).abs() < 1e-15);
    assert!((options.threshold("x", Measure::OutOfRange) - 0.01).abs() < 1e-15);
    // The same bytes compared: no spread, and still numbers.
    let same: Vec<Compared> = (0..4).map(|index| compared(index, Vec::new())).collect();
    assert!(calibrate(&same, 0.3, all).is_err());
    let zero = |index| compared(index, vec![("x".into(), vec![signal(Measure::Wasserstein, 0.0, 0.0)])]);
    let found = calibrate(&(0..4).map(zero).collect::<Vec<_>>(), 0.05, all).unwrap();
    assert!(found.thresholds.is_empty() && found.factor.is_finite(), "{found:?}");
}

#[test]
fn a_distance_that_was_0_in_all_good_batches_is_measured_on() {
    let batch = |index: usize| {
        let distances = [(Measure::KolmogorovSmirnov, 0.001 * index as f64), (Measure::Wasserstein, 0.0)];
        compared(
            index,
            vec![("x".into(), distances.map(|(measure, value)| signal(measure, value, 0.0)).into())],
        )
    };
    let found = calibrate(&(1..30).map(batch).collect::<Vec<_>>(), 0.1, all).unwrap();
    let options = found.options(&DriftOptions::default());
    let measured = options.distances("x", Comparison::Numbers);
    assert_eq!(measured, [Measure::KolmogorovSmirnov, Measure::Wasserstein]);
    assert!((options.threshold("x", Measure::Wasserstein) - Measure::Wasserstein.threshold()).abs() < 1e-15);
}

#[test]
fn comparators_change_and_nothing_else_of_the_schema() {
    let text = "feature {\n  name: \"x\"\n  type: FLOAT\n  annotation {\n    tag: \"kept\"\n  }\n  \
                drift_comparator {\n    infinity_norm {\n      threshold: 0.5\n    }\n  }\n}\n\
                feature {\n  name: \"y\"\n  type: BYTES\n}\n";
    let mut file = read_schema(text, "schema.pbtxt").unwrap();
    let batch = |index: usize| {
        let value = 0.02 * index as f64;
        let of = |measure| vec![signal(measure, value, 0.0), signal(Measure::MissingRate, value, 0.0)];
        let columns =
            [("x", Measure::JensenShannon), ("y", Measure::InfinityNorm), ("z", Measure::InfinityNorm)];
        compared(index, columns.map(|(name, measure)| (name.to_owned(), of(measure))).to_vec())
    };
    let good: Vec<Compared> = (1..10).map(batch).collect();
    let found = calibrate(&good, 0.2, all).unwrap();
    let done = write_comparators(&mut file, &found);
    assert_eq!((done.num_written, done.notes.len()), (2, 1));
    assert!(done.notes[0].contains("no feature `z`"));
    let written = write_schema(&file);
    for kept in ["tag: \"kept\"", "infinity_norm", "threshold: 0.5", "jensen_shannon_divergence"] {
        assert!(written.contains(kept), "{written}");
    }
    let again = read_schema(&written, "schema.pbtxt").unwrap();
    let threshold =
        found.thresholds.iter().find(|one| one.measure == Measure::JensenShannon).unwrap().threshold;
    assert_eq!(again.schema().features[0].drift.unwrap().jensen_shannon_divergence, Some(threshold));
    assert!(again.schema().features[1].drift.unwrap().infinity_norm.is_some());
}

#[test]
fn thresholds_are_short_and_never_lower() {
    for value in [0.123_456, 1.0, 9.999_51, 1e-9, 123_456.7, 0.1 + 0.2] {
        let short = rounded_up(value);
        assert!(short >= value && short <= value * 1.002, "{value} {short}");
        assert!(short.to_string().len() <= 14, "{short}");
    }
    assert!(rounded_up(0.0).abs() < f64::MIN_POSITIVE);
}

#[test]
fn the_comparisons_that_a_rate_needs_are_those_from_which_on_its_rank_is_one_of_them() {
    for (rate, least) in
        [(0.05, 19), (0.01, 99), (0.1, 9), (0.001, 999), (0.5, 3), (0.999, 3), (1.0 / 3.0, 3)]
    {
        assert_eq!(needed(rate), least, "{rate}");
        assert!(
            rank(least, rate) <= least && (least == LEAST_COMPARISONS || rank(least - 1, rate) > least - 1)
        );
    }
    // Known at once, however small the rate.
    for rate in [1e-12, 1e-18, f64::MIN_POSITIVE] {
        assert!(needed(rate) > 999_999_999, "{rate}");
    }
}
