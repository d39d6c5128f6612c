//! Golden values, laws and hard cases of the metrics.

use std::sync::Arc;

use proptest::prelude::*;
use sluice_core::Accumulator;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::group::Grouping;
use sluice_core::seam::Predictor;
use sluice_testkit::close::assert_relative;
use sluice_testkit::datasets::repository;
use sluice_testkit::laws;
use sluice_testkit::memory::MemorySource;

use super::{Definition, Direction, Metric, Parameter, Side, TaskKind, Undefined};
use crate::comparison::Estimate;
use crate::fixture::{Linear, numbers, table, texts};
use crate::measure::{MeasureOptions, Measures, Missing};

fn measures(
    metrics: &[&Arc<Metric>],
    candidate: &Arc<dyn Predictor>,
    baseline: Option<&Arc<dyn Predictor>>,
    groupings: Vec<Grouping>,
    label_shift: f64,
) -> Measures {
    let metrics: Vec<Arc<Metric>> = metrics.iter().map(|metric| Arc::clone(metric)).collect();
    let options =
        MeasureOptions { metrics: &metrics, groupings, weight: None, missing: Missing::Refuse, label_shift };
    Measures::new(candidate, baseline, &options)
}

/// The change of a metric between the predictions `c` and `b` for `y`.
fn change(name: &str, y: &[f64], c: &[f64], b: &[f64], shift: f64) -> Result<Estimate, Undefined> {
    let source = MemorySource::new(&table(&[("y", numbers(y)), ("c", numbers(c)), ("b", numbers(b))]), 3);
    let (candidate, baseline) = (Linear::column("c", "c"), Linear::column("b", "b"));
    let metric = Metric::find(name).unwrap();
    let metrics = measures(&[&metric], &candidate, Some(&baseline), vec![Grouping::overall()], shift);
    let state = fold(&source, &metrics, &Execution::with_threads(1)).unwrap();
    state.accumulator.finish().slice(0, 0).unwrap().change(&metric)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of a mean, in two passes.
fn standard_error(values: &[f64]) -> f64 {
    let (centre, n) = (mean(values), values.len() as f64);
    (values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
}

const Y: [f64; 8] = [3.0, -1.0, 4.5, 1.0, 5.0, -9.0, 2.5, 6.0];
const C: [f64; 8] = [2.5, -1.5, 4.0, 2.0, 4.0, -7.0, 2.0, 7.5];
const B: [f64; 8] = [1.0, 0.5, 4.0, 2.5, 7.0, -6.0, 3.5, 5.0];

#[test]
fn delta_methods_equal_their_row_by_row_form() {
    let pairs: Vec<(f64, f64)> =
        (0..8).map(|row| ((C[row] - Y[row]).powi(2), (B[row] - Y[row]).powi(2))).collect();
    let (u, v): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (rmse_c, rmse_b) = (mean(&u).sqrt(), mean(&v).sqrt());
    let rows: Vec<f64> = pairs.iter().map(|(u, v)| u / (2.0 * rmse_c) - v / (2.0 * rmse_b)).collect();
    let found = change("rmse", &Y, &C, &B, 1.0).unwrap();
    assert_relative(found.difference, rmse_c - rmse_b, 1e-14);
    assert_relative(found.standard_error, standard_error(&rows), 1e-14);

    let w: Vec<f64> = Y.iter().map(|y| (y - mean(&Y)).powi(2)).collect();
    let spread = mean(&w);
    let ratio = (mean(&u) - mean(&v)) / spread;
    let rows: Vec<f64> = pairs.iter().zip(&w).map(|((u, v), w)| (u - v - ratio * w) / spread).collect();
    for shift in [0.0, 1.5, 1000.0] {
        let found = change("r2", &Y, &C, &B, shift).unwrap();
        assert_relative(found.difference, -ratio, 1e-14);
        assert_relative(found.standard_error, standard_error(&rows), 1e-12);
    }
}

#[test]
fn a_model_without_error_still_has_an_interval() {
    let found = change("rmse", &Y, &C, &Y, 0.0).unwrap();
    assert!(found.difference > 0.0 && found.standard_error > 0.0);
    let mirrored = change("rmse", &Y, &Y, &C, 0.0).unwrap();
    assert_relative(mirrored.difference, -found.difference, 1e-15);
    assert_relative(mirrored.standard_error, found.standard_error, 1e-14);
    let none = change("rmse", &Y, &Y, &Y, 0.0).unwrap();
    assert_relative(none.difference, 0.0, 0.0);
    assert_relative(none.standard_error, 0.0, 0.0);
}

#[test]
fn constant_differences_have_no_variance_at_all() {
    // 0.1 and 0.3 have no exact square, so sums of rounded squares would leave some variance.
    let y = [0.1; 7];
    for (name, expected) in [("mse", 0.3_f64), ("mae", 0.3), ("mean_error", 0.2)] {
        let found = change(name, &y, &[0.4; 7], &[0.2; 7], 0.0).unwrap();
        assert_relative(found.standard_error, 0.0, 0.0);
        assert!(found.difference > 0.0, "{name} {expected}");
    }
    let found = change("rmse", &y, &[0.4; 7], &[0.2; 7], 0.0).unwrap();
    assert_relative(found.difference, 0.2, 1e-14);
    assert!(found.standard_error < 1e-15, "{found:?}");
}

#[test]
fn almost_equal_models_keep_their_digits() {
    let nudged: Vec<f64> = C.iter().enumerate().map(|(row, c)| c + 1e-9 * (row % 3) as f64).collect();
    let rows: Vec<f64> =
        (0..8).map(|row| (nudged[row] - C[row]) * (nudged[row] + C[row] - 2.0 * Y[row])).collect();
    let found = change("mse", &Y, &nudged, &C, 0.0).unwrap();
    assert_relative(found.difference, mean(&rows), 1e-12);
    assert_relative(found.standard_error, standard_error(&rows), 1e-12);
}

#[test]
fn r2_of_a_label_far_from_zero_needs_no_luck() {
    let near: Vec<f64> = (0..64).map(f64::from).collect();
    let far: Vec<f64> = near.iter().map(|y| y + 1e12).collect();
    let far_predictions: Vec<f64> =
        near.iter().enumerate().map(|(row, y)| 1e12 + y + (row % 2) as f64).collect();
    let source = MemorySource::new(&table(&[("y", numbers(&far)), ("c", numbers(&far_predictions))]), 5);
    let metric = Metric::find("r2").unwrap();
    let metrics = measures(&[&metric], &Linear::column("c", "c"), None, vec![Grouping::overall()], 0.0);
    let state = fold(&source, &metrics, &Execution::with_threads(2)).unwrap();
    let measured = state.accumulator.finish();
    let r2 = measured.slice(0, 0).unwrap().value(&metric, Side::Candidate).unwrap();
    assert_relative(r2, 1.0 - 32.0 / 21_840.0, 1e-15);
}

#[test]
fn what_passes_the_range_of_f64_is_said() {
    let huge = [1e200, -1e200, 3.0];
    assert_eq!(change("mse", &huge, &[0.0; 3], &[1.0; 3], 0.0), Err(Undefined::TooLarge));
    assert_eq!(change("r2", &huge, &[0.0; 3], &[1.0; 3], 0.0), Err(Undefined::TooLarge));
    assert_eq!(change("r2", &[2.0; 3], &[0.0; 3], &[1.0; 3], 0.0), Err(Undefined::ConstantLabel));
    assert_eq!(change("mae", &[2.0], &[0.0], &[1.0], 0.0), Err(Undefined::TooFewRows));
}

#[test]
fn unknown_metrics_name_the_nearest() {
    use sluice_core::Diagnostic;
    assert_eq!(Metric::find("rsme").unwrap_err().hint().unwrap(), "did you mean `rmse`?");
}

fn metrics_of(paired: bool) -> Measures {
    let (candidate, baseline) = (Linear::column("c", "c"), Linear::column("b", "b"));
    let groupings = vec![Grouping::overall(), Grouping::by(["g"]), Grouping::by(["g", "k"])];
    let more = ["pearson", "max_error", "mape", "explained_variance"];
    let all = Definition::defaults(TaskKind::Regression).iter().chain(&more);
    let all: Vec<Arc<Metric>> = all.map(|name| Metric::find(name).unwrap()).collect();
    let all: Vec<&Arc<Metric>> = all.iter().collect();
    measures(&all, &candidate, paired.then_some(&baseline), groupings, 0.5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn splits_threads_and_shards_change_nothing(
        rows in prop::collection::vec((-1e6..1e6_f64, -1e6..1e6_f64, -1e3..1e3_f64, 0..4_usize, 0..2_usize), 1..60),
        split_rows in 1..20_u64,
        batch_rows in 1..7_usize,
        paired: bool,
    ) {
        let column = |pick: fn(&(f64, f64, f64, usize, usize)) -> f64| {
            numbers(&rows.iter().map(pick).collect::<Vec<_>>())
        };
        let group = |pick: fn(&(f64, f64, f64, usize, usize)) -> usize| {
            texts(&rows.iter().map(|row| ["p", "q", "r", "s"][pick(row)]).collect::<Vec<_>>())
        };
        let table = table(&[
            ("y", column(|row| row.0)), ("c", column(|row| row.1)), ("b", column(|row| row.2)),
            ("g", group(|row| row.3)), ("k", group(|row| row.4)),
        ]);
        let metrics = metrics_of(paired);
        let source = MemorySource::new(&table, split_rows).with_batch_rows(batch_rows);
        laws::check(&source, &metrics);
        let whole = laws::state_bytes(&MemorySource::new(&table, 1 << 20), &metrics, 1);
        prop_assert_eq!(laws::state_bytes(&source, &metrics, 2), whole, "the layout of the rows changes the sums");
    }
}

#[test]
fn states_of_other_models_do_not_join() {
    let mut first = metrics_of(true);
    let other: Arc<dyn Predictor> = Linear::column("other", "c");
    let later = measures(&[], &other, None, Vec::new(), 0.5);
    let no_groups =
        sluice_core::group::GroupTables::default().merge(&sluice_core::group::GroupTables::default());
    let error = first.merge(later, &no_groups).unwrap_err();
    assert_eq!(error.to_string(), "these sums belong to another evaluation: the candidate differs");
}

/// What a metric of the predictions `c` for `y` is.
fn value(name: &str, y: &[f64], c: &[f64]) -> Result<f64, Undefined> {
    let source = MemorySource::new(&table(&[("y", numbers(y)), ("c", numbers(c))]), 3);
    let metric = Metric::find(name).unwrap();
    let metrics = measures(&[&metric], &Linear::column("c", "c"), None, vec![Grouping::overall()], 0.0);
    let state = fold(&source, &metrics, &Execution::with_threads(1)).unwrap();
    state.accumulator.finish().slice(0, 0).unwrap().value(&metric, Side::Candidate)
}

#[test]
fn what_a_metric_is_not_for_is_said() {
    for name in ["msle", "rmsle"] {
        let outside = Err(Undefined::OutsideDomain("labels and predictions above -1"));
        assert_eq!(value(name, &[1.0, 0.0], &[2.0, -1.0]), outside);
        assert_eq!(value(name, &[-3.0, 0.0], &[2.0, 1.0]), outside);
        let change = change(name, &[1.0, 0.0], &[2.0, 1.0], &[2.0, -1.0], 0.0);
        assert_eq!(change.map(|change| change.difference), outside);
    }
    let counts = Err(Undefined::OutsideDomain("labels of at least 0 and predictions above 0"));
    assert_eq!(value("poisson_deviance", &[1.0, 0.0], &[2.0, 0.0]), counts);
    assert_eq!(value("tweedie_deviance", &[1.0, -1.0], &[2.0, 1.0]), counts);
    let amounts = Err(Undefined::OutsideDomain("labels and predictions above 0"));
    assert_eq!(value("gamma_deviance", &[1.0, 0.0], &[2.0, 1.0]), amounts);
    // Poisson: 2 (0 − 0 + 3) and 2 (1 ln(1/2) − 1 + 2).
    let expected = (6.0 + 2.0 * (1.0 - 2.0_f64.ln())) / 2.0;
    assert_relative(value("poisson_deviance", &[0.0, 1.0], &[3.0, 2.0]).unwrap(), expected, 1e-15);
    assert_eq!(value("pearson", &[1.0, 2.0], &[3.0, 3.0]), Err(Undefined::ConstantPrediction));
    assert_eq!(value("explained_variance", &[2.0, 2.0], &[3.0, 1.0]), Err(Undefined::ConstantLabel));
    let none = Undefined::Nothing("labels that add up to anything but 0");
    assert_eq!(value("calibration_ratio", &[1.0, -1.0], &[3.0, 1.0]), Err(none));
}

#[test]
fn relative_errors_leave_out_labels_of_0() {
    assert_relative(value("mape", &[0.0, 2.0, -4.0], &[7.0, 1.0, -5.0]).unwrap(), 0.375, 1e-15);
    assert_eq!(value("mape", &[0.0, 0.0], &[7.0, 1.0]), Err(Undefined::Nothing("labels other than 0")));
    assert_relative(value("smape", &[0.0, 2.0], &[0.0, -2.0]).unwrap(), 1.0, 0.0);
}

#[test]
fn a_largest_error_has_a_value_only() {
    assert_relative(value("max_error", &Y, &C).unwrap(), 2.0, 0.0);
    assert_eq!(change("max_error", &Y, &C, &B, 0.0), Err(Undefined::NoErrorOfExtreme));
}

#[test]
fn correlations_far_from_zero_keep_their_digits() {
    // 0 to 7, and the same with 1 added to every second: Var(y) = 63 / 12.
    let near: Vec<f64> = (0..8).map(f64::from).collect();
    let y: Vec<f64> = near.iter().map(|y| y + 1e9).collect();
    let c: Vec<f64> = near.iter().enumerate().map(|(row, y)| 1e9 + y + (row % 2) as f64).collect();
    // Var(c) = 5.25 + 0.25 + 2 · 0.25 = 6, Cov = 5.25 + 0.25.
    assert_relative(value("pearson", &y, &c).unwrap(), 5.5 / (5.25_f64 * 6.0).sqrt(), 1e-14);
    // Var(c − y) = 0.25.
    assert_relative(value("explained_variance", &y, &c).unwrap(), 1.0 - 0.25 / 5.25, 1e-14);
}

#[test]
fn correlation_errors_equal_their_row_by_row_form() {
    let influence = |p: &[f64]| -> (f64, Vec<f64>) {
        let (my, mp) = (mean(&Y), mean(p));
        let of = |f: fn(f64, f64) -> f64| -> f64 {
            mean(&(0..8).map(|row| f(Y[row] - my, p[row] - mp)).collect::<Vec<_>>())
        };
        let (vy, vp, cov) = (of(|y, _| y * y), of(|_, p| p * p), of(|y, p| y * p));
        let r = cov / (vy * vp).sqrt();
        let row = |row: usize| {
            let (y, p) = ((Y[row] - my) / vy.sqrt(), (p[row] - mp) / vp.sqrt());
            y * p - r * (y * y + p * p) / 2.0
        };
        (r, (0..8).map(row).collect())
    };
    let ((own, of_own), (theirs, of_theirs)) = (influence(&C), influence(&B));
    let rows: Vec<f64> = of_own.iter().zip(&of_theirs).map(|(own, theirs)| own - theirs).collect();
    for shift in [0.0, 1.5] {
        let found = change("pearson", &Y, &C, &B, shift).unwrap();
        assert_relative(found.difference, own - theirs, 1e-12);
        assert_relative(found.standard_error, standard_error(&rows), 1e-12);
    }
}

#[test]
fn other_names_mean_the_same_metric() {
    for (alias, name) in [
        ("pinball_loss(quantile=0.9)", "quantile_loss(quantile=0.9)"),
        ("mean_squared_error", "mse"),
        ("calibration", "calibration_ratio"),
    ] {
        assert_eq!(Metric::find(alias).unwrap().name, name);
    }
    for definition in Definition::all() {
        for alias in definition.aliases() {
            let is_other = |known: &Definition| {
                known.name == alias && known.tasks.iter().any(|task| definition.tasks.contains(task))
            };
            assert!(!Definition::all().any(is_other), "{alias} names two metrics");
        }
    }
}

/// The table of `docs/metrics.md`.
fn documented() -> String {
    let mut text =
        "| metric | other names | labels of | better | parameters | value |\n|---|---|---|---|---|---|\n"
            .to_owned();
    let quoted =
        |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for definition in Definition::all() {
        let tasks: Vec<String> = definition.tasks.iter().map(ToString::to_string).collect();
        let better = match definition.direction {
            Direction::LowerIsBetter => "lower",
            Direction::HigherIsBetter => "higher",
            Direction::ZeroIsBest => "0",
            Direction::OneIsBest => "1",
            Direction::None => "",
        };
        let parameter = |known: &Parameter| format!("`{}` ({})", known.name, known.default);
        let mut parameters: Vec<String> = definition.parameters.iter().map(parameter).collect();
        parameters.extend(definition.of_one().map(|one| format!("`{one}`")));
        text.push_str(&format!(
            "| `{}` | {} | {} | {better} | {} | {} |\n",
            definition.name,
            quoted(definition.aliases().collect()),
            tasks.join(", "),
            parameters.join(", "),
            definition.meaning.replace('|', "\\|")
        ));
    }
    text
}

#[test]
fn every_metric_is_documented() {
    let page = std::fs::read_to_string(repository().join("docs/metrics.md")).unwrap();
    let table = documented();
    assert!(page.contains(&table), "docs/metrics.md lacks the table of metrics as it is now:\n{table}");
    for task in [TaskKind::Regression, TaskKind::Binary, TaskKind::MultiClass, TaskKind::MultiLabel] {
        let names: Vec<String> = Definition::defaults(task).iter().map(|name| format!("`{name}`")).collect();
        let line = format!("- {task}: {}", names.join(", "));
        assert!(page.contains(&line), "docs/metrics.md lacks the defaults as they are now:\n{line}");
    }
}
