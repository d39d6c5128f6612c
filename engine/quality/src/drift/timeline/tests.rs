//! Trends and changes against other programs, and how often they are told where nothing happened.

use super::super::measure::Comparison;
use super::super::report::ColumnDrift;
use super::super::role::ColumnRole;
use super::*;

fn batch(index: usize) -> TimelineBatch {
    let reference = Alarms { against: "r".into(), num_alarms: 0, columns: Vec::new() };
    TimelineBatch { batch: format!("b{index}"), num_rows: 100, reference, before: None }
}

fn known(values: &[f64]) -> Vec<(usize, f64, f64)> {
    values.iter().enumerate().map(|(index, value)| (index, *value, 0.0)).collect()
}

#[test]
fn a_trend_is_that_of_mann_and_kendall() {
    let values = [0.1, 0.3, 0.2, 0.3, 0.5, 0.4, 0.6, 0.6, 0.7, 0.65];
    let found = trend::of(&known(&values)).unwrap();
    // pymannkendall 1.4.3: original_test(values).p and .slope; tau-b of SciPy 1.17.1's kendalltau(range(10), values).
    assert!((found.p - 0.001_170_344_468_527_817_5).abs() < 1e-12, "{}", found.p);
    assert!((found.slope - 0.0625).abs() < 1e-12 && (found.tau - 0.841_126_352_013_584).abs() < 1e-12);
    let falling: Vec<f64> = values.iter().map(|value| 1.0 - value).collect();
    assert!((trend::of(&known(&falling)).unwrap().slope + 0.0625).abs() < 1e-12);
    assert!(trend::of(&known(&[1.0; 9])).is_none() && trend::of(&known(&[1.0, 2.0, 3.0])).is_none());
}

#[test]
fn a_change_is_the_greatest_t_of_all_splits() {
    let batches: Vec<TimelineBatch> = (0..9).map(batch).collect();
    let values = [1.0, 1.2, 0.9, 1.1, 1.05, 1.0, 2.0, 2.2, 1.9];
    let found = change::of(&known(&values), 1.5, &batches).unwrap();
    // The greatest of scipy.stats.ttest_ind(log(late), log(early)) of SciPy 1.17.1; its p times the eight splits. Of the values
    // themselves it is 11.8.
    assert!((found.t - 10.359_461_966_942_137).abs() < 1e-6, "{}", found.t);
    assert!((found.p / 8.0 / 1.694_279_502_094_088e-5 - 1.0).abs() < 1e-5, "{}", found.p);
    assert_eq!((found.index, found.batch.as_str(), found.is_above), (6, "b6", true));
    assert!((found.before - 1.025).abs() < 1e-12 && (found.after - 2.0).abs() < 1e-12);
    assert!(!change::of(&known(&values), 3.0, &batches).unwrap().is_above);
    // The last batch alone, and hair-thin differences.
    let last = change::of(&known(&[0.01, 0.011, 0.009, 0.01, 0.0105, 0.3]), 0.1, &batches).unwrap();
    assert!(last.index == 5 && last.p < 1e-3, "{last:?}");
    let thin = change::of(&known(&[0.5, 0.5, 0.5, 0.5, 0.501, 0.501]), 0.1, &batches).unwrap();
    assert!(thin.p > 0.5, "{thin:?}");
    assert!(change::of(&known(&[0.0; 9]), 0.1, &batches).is_none());
    assert!(change::of(&known(&[0.0, 0.0, 0.0, 0.0, 0.2]), 0.1, &batches).unwrap().t.is_finite());
}

/// `SplitMix64`.
fn uniform(state: &mut u64) -> f64 {
    (sluice_core::splitmix::next(state) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Distances like those of Kolmogorov and Smirnov, `lift` times as large in the first column from batch 8 on.
fn comparisons(lift: f64, state: &mut u64) -> Vec<Compared> {
    let value = |state: &mut u64| {
        0.05 * (0.87 + 0.26 * (0..4).map(|_| 2.0 * uniform(state) - 1.0).sum::<f64>() * 0.87)
    };
    let signal = |value: f64| Signal {
        measure: Measure::KolmogorovSmirnov,
        value,
        at_least: value,
        at_most: value,
        threshold: 0.01,
        noise_floor: 0.043,
        effect: 0.0,
        p: None,
        p_is_upper_bound: false,
        q: None,
        alarm: false,
        detail: String::new(),
    };
    let compared = |index: usize, state: &mut u64| {
        let column = |column: usize, state: &mut u64| {
            let factor = if column == 0 && index >= 8 { lift } else { 1.0 };
            ColumnDrift {
                column: format!("x{column}"),
                path: Vec::new(),
                role: ColumnRole::default(),
                compared_as: Comparison::Numbers,
                signals: vec![signal(factor * value(state))],
                bins: Vec::new(),
                notes: Vec::new(),
            }
        };
        let columns = (0..20).map(|index| column(index, state)).collect();
        let report = DriftReport {
            subset: "all".into(),
            num_rows: 100,
            num_reference_rows: 100,
            level: 0.05,
            columns,
            ..DriftReport::default()
        };
        Compared { batch: format!("b{index}"), against: "r".into(), reports: vec![report] }
    };
    (0..12).map(|index| compared(index, state)).collect()
}

fn of(compared: &[Compared]) -> Timeline {
    let moment = |one| -> Moment<'_> {
        let reference: &Compared = one;
        Moment { batch: &reference.batch, num_rows: 100, reference, before: None }
    };
    timeline(&compared.iter().map(moment).collect::<Vec<_>>(), 0.05)
}

#[test]
fn where_nothing_happened_little_is_told_and_where_something_did_the_batch_is_named() {
    let mut state = 11;
    let (mut changes, mut trends, mut found, mut exactly) = (0, 0, 0, 0);
    for _ in 0..200 {
        let calm = of(&comparisons(1.0, &mut state));
        changes += usize::from(!calm.changes().is_empty());
        trends += usize::from(!calm.trends().is_empty());
        let moved = of(&comparisons(10.0, &mut state));
        let changes = moved.changes();
        found += usize::from(changes.iter().any(|(series, _)| series.column == "x0"));
        exactly += usize::from(changes.iter().any(|(_, change)| change.batch == "b8"));
    }
    // At most one in twenty is the promise.
    assert!(changes <= 16 && trends <= 16, "{changes} {trends} of 200");
    assert!(found >= 170 && exactly >= 160, "{found} {exactly} of 200");
}

#[test]
fn a_series_has_a_place_for_every_batch() {
    let mut compared = comparisons(1.0, &mut 3);
    let _ = compared[2].reports[0].columns.remove(0);
    let column = &mut compared[5].reports[0].columns[1];
    column.signals[0].alarm = true;
    let told = of(&compared);
    let series = &told.series[0];
    assert_eq!((series.column.as_str(), series.values.len(), series.values[2]), ("x0", 12, None));
    assert_eq!(told.batches[5].reference.columns, ["x1"]);
    assert!(told.series[1].alarms[5] && !told.is_alarm());
    assert_eq!(timeline(&[], 0.05).series.len(), 0);
}
