//! Replicates against their definition, row by row; laws; what keys change.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use proptest::prelude::*;
use sluice_core::Accumulator;
use sluice_core::encoding::hash_rows;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::group::Grouping;
use sluice_testkit::close::assert_relative;
use sluice_testkit::laws;
use sluice_testkit::memory::MemorySource;

use super::weights::{ReplicateWeights, place_identity};
use super::*;
use crate::fixture::{Linear, numbers, table, texts};
use crate::measure::{MeasureOptions, Measured, Measures};
use crate::metric::{Metric, Side};

const SPLIT_ROWS: u64 = 70;
const BOOTSTRAP: Resampling = Resampling::Bootstrap { replicates: 150, seed: 5 };

struct Rows {
    label: Vec<f64>,
    candidate: Vec<f64>,
    baseline: Vec<f64>,
    weight: Vec<f64>,
    group: Vec<&'static str>,
}

impl Rows {
    fn new(rows: u32) -> Self {
        let wave = |row: u32, step: f64| (f64::from(row) * step).sin();
        let label = |row| 3.0 * wave(row, 1.3) + wave(row, 7.1);
        Self {
            label: (0..rows).map(label).collect(),
            candidate: (0..rows).map(|row| label(row) + wave(row, 2.7)).collect(),
            baseline: (0..rows).map(|row| label(row) + wave(row, 5.9) * 1.5).collect(),
            weight: (0..rows).map(|row| 1.5 + wave(row, 0.4)).collect(),
            group: (0..rows).map(|row| ["p", "q", "r"][(row * row % 3) as usize]).collect(),
        }
    }

    fn table(&self) -> RecordBatch {
        let keys: Vec<i64> = (0..self.label.len()).map(|row| i64::try_from(row).unwrap() * 31).collect();
        table(&[
            ("y", numbers(&self.label)),
            ("c", numbers(&self.candidate)),
            ("b", numbers(&self.baseline)),
            ("w", numbers(&self.weight)),
            ("g", texts(&self.group)),
            ("k", Arc::new(Int64Array::from(keys))),
        ])
    }
}

fn metrics(names: &[&str]) -> Vec<Arc<Metric>> {
    names.iter().map(|name| Metric::find(name).unwrap()).collect()
}

fn measures(metrics: &[Arc<Metric>], weight: Option<&str>, resampling: Resampling, key: &[&str]) -> Measures {
    let options = MeasureOptions {
        metrics,
        groupings: vec![Grouping::overall(), Grouping::by(["g"])],
        weight: weight.map(str::to_owned),
        missing: crate::measure::Missing::Refuse,
        label_shift: 0.0,
    };
    let (candidate, baseline) = (Linear::column("c", "c"), Linear::column("b", "b"));
    let key: Vec<String> = key.iter().map(|column| (*column).to_owned()).collect();
    Measures::new(&candidate, Some(&baseline), &options).with_replicates(resampling, &key)
}

fn measured(table: &RecordBatch, measures: &Measures, split_rows: u64) -> Measured {
    let source = MemorySource::new(table, split_rows);
    fold(&source, measures, &Execution::with_threads(2)).unwrap().accumulator.finish()
}

/// The root mean squared errors of both models over rows with these weights.
fn roots(rows: &Rows, weight_of: impl Fn(usize) -> f64) -> (f64, f64) {
    let root = |predictions: &[f64]| {
        let (mut sum, mut total) = (0.0, 0.0);
        for (row, (p, y)) in predictions.iter().zip(&rows.label).enumerate() {
            sum += weight_of(row) * (p - y) * (p - y);
            total += weight_of(row);
        }
        (sum / total).sqrt()
    };
    (root(&rows.candidate), root(&rows.baseline))
}

#[test]
fn replicates_are_figures_of_weighted_rows() {
    let rows = Rows::new(200);
    let metrics = metrics(&["rmse"]);
    let weights = ReplicateWeights::new(5);
    for weight in [None, Some("w")] {
        let measured = measured(&rows.table(), &measures(&metrics, weight, BOOTSTRAP, &[]), SPLIT_ROWS);
        for (place, group, is_in) in [(0, 0, None), (1, 0, Some("p")), (1, 1, Some("q"))] {
            let slice = measured.slice(place, group).unwrap();
            let replicates = slice.replicates(&metrics[0].formula).unwrap();
            let found = |figure| replicates.values(&metrics[0].formula, figure);
            let (values, changes) = (found(Figure::Value(Side::Candidate)), found(Figure::Change));
            assert_eq!(values.len(), 150);
            for replicate in [0, 1, 7, 127, 128, 149] {
                let (candidate, baseline) = roots(&rows, |row| {
                    let mut drawn = [0; 150];
                    weights.fill(
                        place_identity(row as u64 / SPLIT_ROWS, row as u64 % SPLIT_ROWS),
                        0,
                        &mut drawn,
                    );
                    let own = if weight.is_some() { rows.weight[row] } else { 1.0 };
                    let is_in = is_in.is_none_or(|group| rows.group[row] == group);
                    if is_in { f64::from(drawn[replicate]) * own } else { 0.0 }
                });
                assert_relative(values[replicate].unwrap(), candidate, 1e-13);
                assert_relative(changes[replicate].unwrap(), candidate - baseline, 1e-12);
            }
        }
    }
}

#[test]
fn the_jackknife_leaves_each_group_out_once() {
    let rows = Rows::new(200);
    let metrics = metrics(&["rmse"]);
    let measured = measured(&rows.table(), &measures(&metrics, None, Resampling::Jackknife, &[]), SPLIT_ROWS);
    let slice = measured.slice(0, 0).unwrap();
    let values = slice
        .replicates(&metrics[0].formula)
        .unwrap()
        .values(&metrics[0].formula, Figure::Value(Side::Baseline));
    assert_eq!(values.len(), 20);
    for (group, value) in values.into_iter().enumerate() {
        let (_, baseline) = roots(&rows, |row| {
            let identity = place_identity(row as u64 / SPLIT_ROWS, row as u64 % SPLIT_ROWS);
            f64::from(u8::from(ReplicateWeights::new(0).group(identity, 20) != group))
        });
        assert_relative(value.unwrap(), baseline, 1e-13);
    }
}

#[test]
fn rates_too_have_replicates() {
    let metrics = metrics(&["precision(threshold=0.4)", "f1", "accuracy"]);
    let label: Vec<f64> = (0..300).map(|row| f64::from(u8::from(row % 3 == 0))).collect();
    let score: Vec<f64> = (0..300).map(|row| (f64::from(row) * 1.7).sin().abs()).collect();
    let data = table(&[("y", numbers(&label)), ("c", numbers(&score)), ("b", numbers(&score))]);
    let options = MeasureOptions {
        metrics: &metrics,
        groupings: vec![Grouping::overall()],
        weight: None,
        missing: crate::measure::Missing::Refuse,
        label_shift: 0.0,
    };
    let candidate = Linear::column("c", "c");
    let measures = Measures::new(&candidate, Some(&Linear::column("b", "b")), &options);
    let slice = measured(&data, &measures.with_replicates(BOOTSTRAP, &[]), 1_000);
    let slice = slice.slice(0, 0).unwrap();
    let weights = ReplicateWeights::new(5);
    let drawn = |row: usize| {
        let mut drawn = [0; 150];
        weights.fill(place_identity(0, row as u64), 0, &mut drawn);
        f64::from(drawn[149])
    };
    let of = |is_counted: &dyn Fn(f64, f64) -> bool| -> f64 {
        (0..300).filter(|row| is_counted(label[*row], score[*row])).map(drawn).sum()
    };
    let expected = [
        of(&|y, p| y > 0.5 && p > 0.4) / of(&|_, p| p > 0.4),
        2.0 * of(&|y, p| y > 0.5 && p > 0.5) / (of(&|y, _| y > 0.5) + of(&|_, p| p > 0.5)),
        of(&|y, p| (y > 0.5) == (p > 0.5)) / of(&|_, _| true),
    ];
    for (metric, expected) in metrics.iter().zip(expected) {
        let values = slice
            .replicates(&metric.formula)
            .unwrap()
            .values(&metric.formula, Figure::Value(Side::Candidate));
        assert_relative(values[149].unwrap(), expected, 1e-14);
        // The same model twice: nothing changes in any replicate.
        let change = slice.change(metric).unwrap();
        assert_relative(change.difference, 0.0, 0.0);
        assert_relative(change.standard_error, 0.0, 0.0);
        let interval = slice.interval(metric, Side::Candidate, 0.05).unwrap();
        assert!(interval.low < slice.value(metric, Side::Candidate).unwrap() && interval.high <= 1.0);
    }
}

#[test]
fn with_a_key_neither_order_nor_files_matter() {
    let rows = Rows::new(150);
    let metrics = metrics(&["mae", "r2"]);
    let measures = measures(&metrics, None, BOOTSTRAP, &["k"]);
    let data = rows.table();
    let reversed = arrow::array::UInt64Array::from((0..150).rev().collect::<Vec<u64>>());
    let reversed = arrow::compute::take_record_batch(&data, &reversed).unwrap();
    let (one, other) = (measured(&data, &measures, 200), measured(&reversed, &measures, 17));
    assert_relative(one.rows_per_key().unwrap(), 1.0, 0.0);
    for metric in &metrics {
        let change = |measured: &Measured| measured.slice(0, 0).unwrap().change(metric).unwrap();
        assert_relative(change(&one).standard_error, change(&other).standard_error, 1e-11);
    }
    let hash = hash_rows(&[("k", data.column_by_name("k").unwrap())], 150).unwrap()[3];
    let mut drawn = [0; 150];
    ReplicateWeights::new(5).fill(hash, 0, &mut drawn);
    assert!(drawn.iter().any(|weight| *weight > 0));
}

#[test]
fn rows_of_one_key_say_no_more_than_one() {
    let rows = Rows::new(150);
    let metrics = metrics(&["mae", "rmse"]);
    let measures = measures(&metrics, None, BOOTSTRAP, &["k"]);
    let once = rows.table();
    let twice = arrow::compute::concat_batches(&once.schema(), [&once, &once]).unwrap();
    let (once, twice) = (measured(&once, &measures, 1_000), measured(&twice, &measures, 1_000));
    assert_relative(twice.rows_per_key().unwrap(), 2.0, 0.0);
    for metric in &metrics {
        let change = |measured: &Measured| measured.slice(0, 0).unwrap().change(metric).unwrap();
        assert_relative(change(&twice).standard_error, change(&once).standard_error, 1e-11);
        assert_relative(change(&twice).degrees_of_freedom, change(&once).degrees_of_freedom, 1e-12);
    }
}

#[test]
fn replicates_agree_with_formulas() {
    let rows = Rows::new(3_000);
    let metrics = metrics(&["mae", "rmse", "r2", "mean_error"]);
    let data = rows.table();
    let many = Resampling::Bootstrap { replicates: 2_000, seed: 1 };
    let analytic = {
        let options = MeasureOptions {
            metrics: &metrics,
            groupings: vec![Grouping::overall()],
            weight: Some("w".into()),
            missing: crate::measure::Missing::Refuse,
            label_shift: 0.0,
        };
        let baseline = Linear::column("b", "b");
        measured(&data, &Measures::new(&Linear::column("c", "c"), Some(&baseline), &options), 1_000)
    };
    let bootstrap = measured(&data, &measures(&metrics, Some("w"), many, &[]), 1_000);
    let jackknife = measured(&data, &measures(&metrics, Some("w"), Resampling::Jackknife, &["k"]), 1_000);
    for metric in &metrics {
        let change = |measured: &Measured| measured.slice(0, 0).unwrap().change(metric).unwrap();
        let (exact, drawn, left_out) = (change(&analytic), change(&bootstrap), change(&jackknife));
        assert_relative(drawn.difference, exact.difference, 1e-13);
        // Of 2,000 replicates a standard error is known to 1/√4000 = 1.6 %, of 20 groups to 1/√38 = 16 %.
        assert_relative(drawn.standard_error, exact.standard_error, 0.06);
        assert_relative(left_out.standard_error, exact.standard_error, 0.5);
        assert_relative(left_out.degrees_of_freedom, 19.0, 0.0);
    }
}

#[test]
fn the_part_that_takes_the_memory_is_named() {
    let metrics = metrics(&["mae"]);
    let many = Resampling::Bootstrap { replicates: 10_000, seed: 1 };
    let measures = measures(&metrics, None, many, &[]);
    let memory = sluice_core::memory::MemoryLimit::bytes(1_000_000);
    let execution = Execution::with_threads(1).within(memory);
    let error = fold(&MemorySource::new(&Rows::new(100).table(), 40), &measures, &execution).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("what 10000 replicates hold of"), "{message}");
    assert!(error.hint().unwrap().contains("fewer replicates"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn threads_and_shards_change_nothing(
        count in 1..60_u32,
        split_rows in 1..20_u64,
        batch_rows in 1..7_usize,
        is_weighted: bool,
        is_keyed: bool,
        is_jackknife: bool,
    ) {
        let metrics = metrics(&["rmse", "r2"]);
        let resampling =
            if is_jackknife { Resampling::Jackknife } else { Resampling::Bootstrap { replicates: 20, seed: 0 } };
        let key: &[&str] = if is_keyed { &["k"] } else { &[] };
        let measures = measures(&metrics, is_weighted.then_some("w"), resampling, key);
        let data = Rows::new(count).table();
        laws::check(&MemorySource::new(&data, split_rows).with_batch_rows(batch_rows), &measures);
        let states = [1, 3, 7].map(|batch_rows| {
            laws::state_bytes(&MemorySource::new(&data, split_rows).with_batch_rows(batch_rows), &measures, 1)
        });
        prop_assert!(states.iter().all(|state| *state == states[0]), "batches change the sums");
    }
}

#[test]
fn a_share_of_few_rows_is_as_uncertain_as_they_are_few() {
    // Four of 2,000 rows are predicted positive, and rightly: no replicate has another precision.
    let rows = 0..2_000_u32;
    let label: Vec<f64> = rows.clone().map(|row| f64::from(u8::from(row % 7 == 0))).collect();
    let score: Vec<f64> = rows.map(|row| if row < 28 && row % 7 == 0 { 0.9 } else { 0.1 }).collect();
    let data = table(&[("y", numbers(&label)), ("c", numbers(&score))]);
    let metrics = metrics(&["precision"]);
    let options = MeasureOptions {
        metrics: &metrics,
        groupings: vec![Grouping::overall()],
        weight: None,
        missing: crate::measure::Missing::Refuse,
        label_shift: 0.0,
    };
    let measures = Measures::new(&Linear::column("c", "c"), None, &options);
    let analytic = measured(&data, &measures, 1_000);
    let drawn = measured(&data, &measures.with_replicates(BOOTSTRAP, &[]), 1_000);
    let low = |measured: &Measured| {
        measured.slice(0, 0).unwrap().interval(&metrics[0], Side::Candidate, 0.05).unwrap().low
    };
    assert!(low(&analytic) < 0.6, "{}", low(&analytic));
    assert!((low(&drawn) - low(&analytic)).abs() < 0.1, "{} {}", low(&drawn), low(&analytic));
}

#[test]
fn rows_that_are_left_out_draw_nothing_for_others() {
    let rows = 500_u32;
    let value = |row: u32, step: f64| (f64::from(row) * step).sin();
    let gap = |row: u32| row.is_multiple_of(5);
    let column = |of: &dyn Fn(u32) -> f64| numbers(&(0..rows).map(of).collect::<Vec<_>>());
    let with_gaps = |of: f64| column(&|row| if gap(row) { of } else { value(row, 0.7) });
    let metrics = metrics(&["mae"]);
    let options = |missing, weight: Option<&str>| MeasureOptions {
        metrics: &metrics,
        groupings: vec![Grouping::overall()],
        weight: weight.map(str::to_owned),
        missing,
        label_shift: 0.0,
    };
    let of = |data: &RecordBatch, options: &MeasureOptions<'_>| {
        let measures = Measures::new(&Linear::column("c", "c"), None, options);
        let measured = measured(data, &measures.with_replicates(BOOTSTRAP, &[]), 1_000);
        let interval = measured.slice(0, 0).unwrap().interval(&metrics[0], Side::Candidate, 0.05);
        interval.unwrap().standard_error.unwrap()
    };
    // What has no weight is drawn too, and adds nothing: the other rows keep what they are drawn.
    let y = column(&|row| value(row, 1.3));
    let weight = column(&|row| f64::from(u8::from(!gap(row))));
    let excluded = table(&[("y", Arc::clone(&y)), ("c", with_gaps(f64::NAN))]);
    let weightless = table(&[("y", y), ("c", with_gaps(0.0)), ("w", weight)]);
    let found = of(&excluded, &options(crate::measure::Missing::Exclude, None));
    let expected = of(&weightless, &options(crate::measure::Missing::Refuse, Some("w")));
    assert!((found / expected - 1.0).abs() < 0.01, "{found} {expected}");
}
