//! Every metric of the catalogue in a replicate is the metric of rows that have the replicate's weights.

use std::sync::Arc;

use arrow::array::RecordBatch;
use sluice_core::Accumulator;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::group::Grouping;
use sluice_core::seam::{Predictor, Task};
use sluice_testkit::close::assert_relative;
use sluice_testkit::memory::MemorySource;

use super::weights::{ReplicateWeights, place_identity};
use super::*;
use crate::fixture::{numbers, table};
use crate::measure::{MeasureOptions, Measured, MeasuredSlice, Measures};
use crate::metric::golden::Given;
use crate::metric::{Definition, Formula, Metric, Side, TaskKind, Undefined};

const ROWS: u32 = 120;
const REPLICATES: usize = 30;

fn measured(table: &RecordBatch, measures: &Measures) -> Measured {
    let execution = Execution::with_threads(1);
    let folded = fold(&MemorySource::new(table, 1 << 16), measures, &execution).unwrap();
    folded.accumulator.finish().rank(&execution).unwrap()
}

fn wave(row: u32, step: f64) -> f64 {
    0.5 + 0.49 * (f64::from(row) * step).sin()
}

/// The metrics of a task that know what to be of.
fn metrics(task: &Task) -> Vec<Arc<Metric>> {
    let is_for = |known: &&Definition| known.tasks.contains(&TaskKind::of(task));
    let of = |known: &'static Definition| {
        let plain = Metric::find(known.name).unwrap().for_task(task);
        let named = |one: &str| Metric::find(&format!("{}({one}=b)", known.name))?.for_task(task);
        plain.or_else(|_| named("class")).or_else(|_| named("label")).unwrap()
    };
    Definition::all().filter(is_for).map(of).collect()
}

fn check(
    task: &Task,
    (candidate, baseline): (&Arc<dyn Predictor>, &Arc<dyn Predictor>),
    columns: &[(&str, Vec<f64>)],
) {
    let metrics = metrics(task);
    let measures = |weight: Option<&str>| {
        let weight = weight.map(str::to_owned);
        let groupings = vec![Grouping::overall()];
        Measures::new(
            candidate,
            Some(baseline),
            &MeasureOptions {
                metrics: &metrics,
                groupings,
                weight,
                missing: crate::measure::Missing::Refuse,
                label_shift: 0.0,
            },
        )
    };
    let with = |extra: &[f64]| {
        let mut all: Vec<_> = columns.iter().map(|(name, values)| (*name, numbers(values))).collect();
        all.push(("weight", numbers(extra)));
        table(&all)
    };
    let own: Vec<f64> = (0..ROWS).map(|row| 0.2 + wave(row, 0.77)).collect();
    for weight in [None, Some("weight")] {
        let resampling = Resampling::Bootstrap { replicates: REPLICATES, seed: 2 };
        let found = measured(&with(&own), &measures(weight).with_replicates(resampling, &[]));
        let found = found.slice(0, 0).unwrap();
        for replicate in [0, 9, 29] {
            let drawn = |row: u32| {
                let mut drawn = [0; REPLICATES];
                ReplicateWeights::new(2).fill(place_identity(0, row.into()), 0, &mut drawn);
                f64::from(drawn[replicate]) * if weight.is_some() { own[row as usize] } else { 1.0 }
            };
            let drawn: Vec<f64> = (0..ROWS).map(drawn).collect();
            let expected = measured(&with(&drawn), &measures(Some("weight")));
            let expected = expected.slice(0, 0).unwrap();
            for metric in &metrics {
                let Some(replicates) = found.replicates(&metric.formula) else {
                    assert!(matches!(metric.formula, Formula::Maximum(_)), "{}", metric.name);
                    continue;
                };
                let of = |figure| replicates.values(&metric.formula, figure)[replicate];
                let [own, theirs] =
                    [Side::Candidate, Side::Baseline].map(|side| expected.value(metric, side).unwrap());
                assert_relative(of(Figure::Value(Side::Candidate)).unwrap(), own, 1e-11);
                assert_relative(of(Figure::Value(Side::Baseline)).unwrap(), theirs, 1e-11);
                let change = of(Figure::Change).unwrap();
                assert!((change - (own - theirs)).abs() <= 1e-11, "{}: {change}", metric.name);
            }
        }
        check_intervals(&metrics, &found);
    }
}

/// Every metric that has replicates has an interval about its value, and an error of its change.
fn check_intervals(metrics: &[Arc<Metric>], found: &MeasuredSlice<'_>) {
    for metric in metrics {
        if !matches!(metric.formula, Formula::Maximum(_)) {
            let value = found.value(metric, Side::Candidate).unwrap();
            match found.interval(metric, Side::Candidate, 0.05) {
                Ok(found) => {
                    assert!(found.low < value && value < found.high, "{}: {found:?}", metric.name);
                }
                Err(reason) => assert_eq!(reason, Undefined::Biased),
            }
            // The label is the same for both models.
            let can_change = !["mean_label", "prevalence"].contains(&metric.name.as_str());
            assert_eq!(found.change(metric).unwrap().standard_error > 0.0, can_change, "{}", metric.name);
        }
    }
}

#[test]
fn metrics_of_numbers() {
    let column =
        |step: f64| (0..ROWS).map(|row| 3.0 * wave(row, step) + wave(row, 1.1)).collect::<Vec<f64>>();
    let of = |name: &str| Given::predictor(&[name], Task::Regression);
    let columns = [("y", column(2.3)), ("c", column(2.31)), ("b", column(2.29))];
    check(&Task::Regression, (&of("c"), &of("b")), &columns);
}

#[test]
fn metrics_of_two_classes() {
    let task = Task::Binary { positive: None };
    let column = |step: f64| (0..ROWS).map(|row| wave(row, step)).collect::<Vec<f64>>();
    let label =
        (0..ROWS).map(|row| f64::from(u8::from(wave(row, 2.3) + 0.3 * wave(row, 9.0) > 0.6))).collect();
    let of = |name: &str| Given::predictor(&[name], task.clone());
    check(&task, (&of("c"), &of("b")), &[("y", label), ("c", column(2.31)), ("b", column(2.27))]);
}

#[test]
fn metrics_of_several_classes() {
    let task = Task::MultiClass { classes: ["a", "b", "c"].map(str::to_owned).to_vec() };
    let share = |row: u32, place: usize, lean: f64| {
        let raw = |place: usize| {
            let is_it = place == (row * row % 3) as usize;
            wave(row, 1.3 + place as f64) + if is_it { lean } else { 0.0 }
        };
        raw(place) / (raw(0) + raw(1) + raw(2))
    };
    let column = |place: usize, lean: f64| (0..ROWS).map(|row| share(row, place, lean)).collect::<Vec<f64>>();
    let label = (0..ROWS).map(|row| f64::from(row * row % 3 + u32::from(row % 7 == 0))).collect();
    let names = [["a", "b", "c"], ["d", "e", "f"]];
    let [candidate, baseline] = names.map(|names| Given::predictor(&names, task.clone()));
    let mut columns = vec![("y", label)];
    for (names, lean) in names.iter().zip([0.6, 0.2]) {
        columns.extend(names.iter().enumerate().map(|(place, name)| (*name, column(place, lean))));
    }
    check(&task, (&candidate, &baseline), &columns);
}

#[test]
fn metrics_of_sets_of_labels() {
    let task = Task::MultiLabel { labels: ["a", "b"].map(str::to_owned).to_vec() };
    let truth = |step: f64| -> Vec<f64> {
        (0..ROWS).map(|row| f64::from(u8::from(wave(row, step) + 0.3 * wave(row, 9.0) > 0.6))).collect()
    };
    let score = |step: f64| (0..ROWS).map(|row| wave(row, step)).collect::<Vec<f64>>();
    let [candidate, baseline] = [["c", "d"], ["e", "f"]].map(|names| Given::predictor(&names, task.clone()));
    let truths = [("a", truth(2.3)), ("b", truth(1.7))];
    let scores = [("c", score(2.31)), ("d", score(1.71)), ("e", score(2.27)), ("f", score(1.67))];
    check(&task, (&candidate, &baseline), &[truths.to_vec(), scores.to_vec()].concat());
}
