//! Replicates of order statistics: the same however they are held, and what they say.
//!
//! That a replicate is the metric of rows with its weights is tested with the others, in `replicates`; that rows on disk
//! have the same ones, beside.

use super::*;
use crate::measure::MeasuredSlice;

const OF_NUMBERS: [&str; 3] = ["median_absolute_error", "absolute_error_quantile", "spearman"];
const BOOTSTRAP: Resampling = Resampling::Bootstrap { replicates: 100, seed: 5 };

pub(super) fn repeated(rows: &Rows, times: usize) -> Rows {
    let repeat = |values: &[f64]| (0..times).flat_map(|_| values.iter().copied()).collect::<Vec<f64>>();
    Rows {
        y: repeat(&rows.y),
        w: repeat(&rows.w),
        c: repeat(&rows.c),
        b: repeat(&rows.b),
        g: rows.g.repeat(times),
    }
}

/// The measures of scores and of numbers, with replicates.
fn both_tasks(resampling: Resampling, key: &[String]) -> [(Measures, Vec<Arc<Metric>>); 2] {
    let of = |names: &[&str], models: [&Arc<dyn Predictor>; 2]| {
        let metrics: Vec<Arc<Metric>> = names.iter().map(|name| metric(name)).collect();
        let measures = measures(&metrics, models, true).with_replicates(resampling, key);
        (measures, metrics)
    };
    let numbers = [Linear::column("c", "c"), Linear::column("b", "b")];
    [of(&OF_SCORES, [&classifier("c"), &classifier("b")]), of(&OF_NUMBERS, [&numbers[0], &numbers[1]])]
}

/// Intervals and changes of every slice.
fn told(measured: &Measured, metrics: &[Arc<Metric>]) -> Vec<String> {
    let slice = |(grouping, group)| measured.slice(grouping, group).unwrap();
    let of = |slice: MeasuredSlice<'_>| {
        let one = move |metric: &Arc<Metric>| {
            let intervals = [Side::Candidate, Side::Baseline].map(|side| slice.interval(metric, side, 0.05));
            format!("{} {intervals:?} {:?}", metric.name, slice.change(metric))
        };
        metrics.iter().map(one).collect::<Vec<String>>()
    };
    [(0, 0), (1, 0), (1, 1), (1, 2)].into_iter().map(slice).flat_map(of).collect()
}

#[test]
fn threads_memory_and_splits_change_no_replicate() {
    let rows = repeated(&reference(), 20);
    for (measures, metrics) in both_tasks(BOOTSTRAP, &[]) {
        let state = |execution: &Execution| {
            let state = fold(&rows.source(500), &measures, &Execution::with_threads(2)).unwrap();
            state.accumulator.finish().rank(execution).unwrap()
        };
        let expected = told(&state(&Execution::with_threads(1)), &metrics);
        assert!(
            expected.iter().all(|told| !told.contains("Err") && told.contains("Bootstrap")),
            "{expected:?}"
        );
        assert_eq!(told(&state(&Execution::with_threads(4)), &metrics), expected);
        // On disk, and few replicates at a time; 4,800 rows take some hundred bytes each to be put in order in memory.
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let tight = Execution::with_threads(3).within(MemoryLimit::bytes(200_000)).with_scratch(scratch);
        assert_eq!(told(&state(&tight), &metrics), expected);
        // In memory, and few at a time.
        let tight = Execution::with_threads(2).within(MemoryLimit::bytes(200_000));
        assert_eq!(told(&state(&tight), &metrics), expected);
    }
}

#[test]
fn replicates_that_no_memory_holds_are_refused() {
    let rows = reference();
    for (measures, metrics) in both_tasks(BOOTSTRAP, &[]) {
        let state = fold(&rows.source(500), &measures, &Execution::with_threads(1)).unwrap();
        let bytes = 4 * metrics.len() * 2 * 100 * 8;
        let limit = |bytes: usize| MemoryLimit::bytes(2 * u64::try_from(bytes).unwrap());
        let ranked =
            |limit| state.accumulator.clone().finish().rank(&Execution::with_threads(1).within(limit));
        assert!(ranked(limit(bytes)).is_ok());
        let error = ranked(limit(bytes - 1)).unwrap_err();
        assert!(error.to_string().contains("100 replicates of 4 slices"), "{error}");
        assert!(error.hint().unwrap().contains("--memory"));
    }
}

#[test]
fn rows_of_one_key_are_drawn_together() {
    // Every row twice, under one key: the value says no more than once, and its error is that of one.
    let once = reference();
    let key: Vec<f64> = (0..once.y.len()).map(|row| row as f64).collect();
    let table = |rows: &Rows, times: usize| {
        let mut columns = vec![("key", numbers(&key.repeat(times)))];
        columns
            .extend([("y", &rows.y), ("c", &rows.c), ("b", &rows.b)].map(|(name, of)| (name, numbers(of))));
        table(&columns)
    };
    let metrics = [metric("auc"), metric("average_precision")];
    let measured = |times: usize, key: &[String]| {
        let options = MeasureOptions {
            metrics: &metrics,
            groupings: vec![Grouping::overall()],
            weight: None,
            missing: Missing::Refuse,
            label_shift: 0.0,
        };
        let measures = Measures::new(&classifier("c"), Some(&classifier("b")), &options);
        let measures = measures.with_replicates(Resampling::Bootstrap { replicates: 400, seed: 1 }, key);
        let source = MemorySource::new(&table(&repeated(&once, times), times), 1 << 16);
        let execution = Execution::with_threads(1);
        fold(&source, &measures, &execution).unwrap().accumulator.finish().rank(&execution).unwrap()
    };
    let (single, clustered, apart) =
        (measured(1, &["key".into()]), measured(2, &["key".into()]), measured(2, &[]));
    for metric in &metrics {
        let error = |measured: &Measured| {
            let slice = measured.slice(0, 0).unwrap();
            slice.interval(metric, Side::Candidate, 0.05).unwrap().standard_error.unwrap()
        };
        assert_relative(error(&clustered), error(&single), 1e-9);
        let ratio = error(&apart) / error(&single);
        assert!((0.6..0.8).contains(&ratio), "{}: {ratio}", metric.name);
    }
}
