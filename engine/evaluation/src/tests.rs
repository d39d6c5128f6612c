//! Evaluations as a whole: golden values of the diabetes data, and what users meet when things are wrong.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use serde_json::Value;
use sluice_core::error::ErrorKind;
use sluice_core::execution::Execution;
use sluice_core::seam::Predictor;
use sluice_testkit::close::assert_relative;
use sluice_testkit::memory::MemorySource;

use crate::fixture::{Linear, diabetes, fit, golden, numbers, ridge, table, texts};
use crate::gate::{Columns, Comparison, Outcome, RequirementOptions, RuleName};
use crate::measure::Missing;
use crate::{Baseline, EvaluateOptions, Evaluation, SliceMetrics, evaluate};

fn by(column: &str) -> EvaluateOptions {
    EvaluateOptions { slices: vec![Columns(vec![column.into()])], ..EvaluateOptions::default() }
}

fn run(
    table: &RecordBatch,
    candidate: &Arc<dyn Predictor>,
    baseline: &Baseline,
    options: &EvaluateOptions,
) -> sluice_core::Result<Evaluation> {
    evaluate(&MemorySource::new(table, 17), candidate, baseline, options, &Execution::with_threads(2))
}

/// The overall figures and those by sex, each with what is expected.
fn paired_with_golden<'a>(
    evaluation: &'a Evaluation,
    overall: &'a Value,
    by_sex: &'a Value,
) -> Vec<(&'a SliceMetrics, &'a Value)> {
    let mut pairs = vec![(&evaluation.slices[0], overall)];
    for expected in by_sex.as_array().unwrap() {
        let name = format!("sex={}", expected["sex"]);
        let slice = evaluation.slices.iter().find(|slice| slice.slice.to_string() == name).unwrap();
        pairs.push((slice, expected));
    }
    pairs
}

#[test]
fn values_equal_fifty_digit_arithmetic() {
    let golden = golden("ridge.json");
    for alpha in [0.0, 0.1, 0.4, 1.2] {
        let options = EvaluateOptions { label_shift: 152.0, ..by("sex") };
        let evaluation = run(&diabetes(), &ridge(alpha), &Baseline::None, &options).unwrap();
        let expected = &fit(&golden, alpha)["exact"]["eval"];
        let pairs = paired_with_golden(&evaluation, &expected["overall"], &expected["by_sex"]);
        assert_eq!(pairs.len(), 3);
        for (slice, expected) in pairs {
            assert_eq!(slice.rows, expected["rows"].as_u64().unwrap());
            for name in ["mse", "rmse", "mae", "r2", "mean_error"] {
                assert_relative(slice.candidate[name].unwrap(), expected[name].as_f64().unwrap(), 1e-12);
            }
        }
    }
}

#[test]
fn changes_equal_scipy_and_holm_equals_statsmodels() {
    for expected in golden("gate.json")["comparisons"].as_array().unwrap() {
        let baseline = Baseline::Model(ridge(expected["baseline_alpha"].as_f64().unwrap()));
        let change_rule = |metric: &str| RequirementOptions {
            metric: metric.into(),
            block_if_worse: Some(0.0.into()),
            every: Some(Columns(vec!["sex".into()])),
            ..RequirementOptions::default()
        };
        let require = ["mse", "mae", "rmse"].map(change_rule).to_vec();
        let options = EvaluateOptions { require, label_shift: 152.0, ..EvaluateOptions::default() };
        let evaluation = run(&diabetes(), &ridge(0.4), &baseline, &options).unwrap();
        for (slice, expected) in paired_with_golden(&evaluation, &expected["overall"], &expected["by_sex"]) {
            for (name, key, mean) in [
                ("mse", "squared_error", "mean"),
                ("mae", "absolute_error", "mean"),
                ("rmse", "rmse", "difference"),
            ] {
                let change = &slice.changes.as_ref().unwrap()[name];
                let number = |field: &str| expected[key][field].as_f64().unwrap();
                assert_relative(change.difference.unwrap(), number(mean), 1e-10);
                assert_relative(change.standard_error.unwrap(), number("standard_error"), 1e-10);
                assert_relative(change.degrees_of_freedom.unwrap(), number("df"), 0.0);
                assert_relative(change.p_worse.unwrap(), number("p_worse"), 1e-10);
                let [low, high] = change.interval.unwrap();
                assert_relative(low, expected[key]["interval"][0].as_f64().unwrap(), 1e-10);
                assert_relative(high, expected[key]["interval"][1].as_f64().unwrap(), 1e-10);
                let Some(holm) = expected[key]["p_worse_holm"].as_f64() else { continue };
                let name_of_slice = slice.slice.to_string();
                let is_mine = |reason: &&crate::gate::Reason| {
                    reason.metric.as_deref() == Some(name) && reason.slice.as_deref() == Some(&name_of_slice)
                };
                let reason = evaluation.verdict.reasons.iter().find(is_mine).unwrap();
                assert_relative(reason.p_adjusted.unwrap(), holm, 1e-10);
            }
        }
        let stored = serde_json::to_string(&evaluation).unwrap();
        assert_eq!(serde_json::from_str::<Evaluation>(&stored).unwrap(), evaluation);
    }
}

#[test]
fn a_constant_label_makes_r2_null_with_a_reason() {
    let data = table(&[
        ("y", numbers(&[5.0, 5.0, 5.0, 1.0])),
        ("c", numbers(&[4.0, 5.0, 6.0, 1.0])),
        ("g", texts(&["a", "a", "a", "b"])),
    ]);
    let bound = RequirementOptions {
        metric: "r2".into(),
        at_least: Some(0.0),
        every: Some(Columns(vec!["g".into()])),
        ..RequirementOptions::default()
    };
    let options = EvaluateOptions { require: vec![bound], ..EvaluateOptions::default() };
    let evaluation = run(&data, &Linear::column("c", "c"), &Baseline::None, &options).unwrap();
    assert_eq!(evaluation.slices[1].candidate["r2"], None);
    assert_eq!(evaluation.slices[1].undefined["r2"], "the label is constant");
    assert_eq!(evaluation.verdict.outcome, Outcome::Fail);
    let text = &evaluation.verdict.failures().next().unwrap().text;
    assert_eq!(text, "`r2` does not exist in g=a (the label is constant), so its bound of 0 is not met");
}

#[test]
fn bad_labels_and_predictions_name_column_and_row() {
    for (label, candidate, found) in [
        (vec![Some(1.0), None], vec![1.0, 2.0], "label `y` is null"),
        (vec![Some(1.0), Some(f64::NAN)], vec![1.0, 2.0], "label `y` is NaN"),
        (vec![Some(1.0), Some(f64::INFINITY)], vec![1.0, 2.0], "label `y` is infinite"),
        (vec![Some(1.0), Some(2.0)], vec![1.0, f64::NAN], "the candidate's prediction is NaN"),
    ] {
        let label: ArrayRef = Arc::new(Float64Array::from(label));
        let data = table(&[("y", label), ("c", numbers(&candidate))]);
        let error =
            run(&data, &Linear::column("c", "c"), &Baseline::None, &EvaluateOptions::default()).unwrap_err();
        assert_eq!(error.to_string(), found);
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.places().iter().any(|place| place.contains("row 2")), "{:?}", error.places());
        assert!(error.hint().is_some());
    }
}

#[test]
fn absent_and_empty_slices_and_no_rows_are_errors() {
    let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>; 2]));
    let data = table(&[("y", numbers(&[1.0, 2.0])), ("c", numbers(&[1.0, 2.0])), ("g", nothing)]);
    let candidate = Linear::column("c", "c");
    let error = run(&data, &candidate, &Baseline::None, &by("h")).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.kind()), ("column `h` is not in memory", ErrorKind::Usage));
    let error = run(&data, &candidate, &Baseline::None, &by("g")).unwrap_err();
    assert_eq!(error.to_string(), "slice column `g` is null in all rows");
    let error = run(&data.slice(0, 0), &candidate, &Baseline::None, &EvaluateOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "memory has no rows to evaluate on");
    assert_eq!(error.kind(), ErrorKind::Malformed);
    let verdict = crate::gate::Verdict::of_error("c", 0.05, &error);
    assert_eq!((verdict.outcome, verdict.reasons[0].rule), (Outcome::Error, RuleName::Evaluation));
}

#[test]
fn without_requirements_it_passes_only_if_any_model_is_accepted() {
    let data = table(&[("y", numbers(&[1.0, 2.0])), ("c", numbers(&[1.0, 3.0]))]);
    let model = Linear::column("c", "c");
    for (accept_any, outcome, text) in [
        (true, Outcome::Pass, "nothing is required and any model is accepted, so no figure was checked"),
        (
            false,
            Outcome::Fail,
            "nothing is required, so no figure was checked; set `require`, or `accept_any` to let any model pass",
        ),
    ] {
        let options = EvaluateOptions { accept_any, ..EvaluateOptions::default() };
        let verdict = run(&data, &model, &Baseline::Model(Arc::clone(&model)), &options).unwrap().verdict;
        assert_eq!((verdict.outcome, verdict.comparison), (outcome, Comparison::Compared));
        let texts: Vec<&str> = verdict.reasons.iter().map(|reason| reason.text.as_str()).collect();
        assert_eq!(texts, ["candidate and baseline are the same package, so nothing can change", text]);
    }
}

#[test]
fn a_baseline_that_cannot_be_compared_fails_unless_forced() {
    let data =
        table(&[("y", numbers(&[1.0, 2.0])), ("c", numbers(&[1.0, 3.0])), ("b", numbers(&[1.0, f64::NAN]))]);
    let candidate = Linear::column("c", "c");
    let cases = [
        (Baseline::NotComparable("its package is damaged".into()), "its package is damaged"),
        (
            Baseline::Model(Linear::column("old", "gone")),
            "it reads column `gone`, which memory does not have",
        ),
        (
            Baseline::Model(Linear::predictor("old", "z", &[], 0.0)),
            "it predicts `z`, the candidate predicts `y`",
        ),
        (Baseline::Model(Linear::column("old", "b")), "the baseline's prediction is NaN, in row 2"),
    ];
    for (baseline, reason) in cases {
        let mut options = EvaluateOptions {
            require: vec![RequirementOptions {
                metric: "rmse".into(),
                at_most: Some(10.0),
                block_if_worse: Some(0.0.into()),
                ..RequirementOptions::default()
            }],
            ..EvaluateOptions::default()
        };
        let verdict = run(&data, &candidate, &baseline, &options).unwrap().verdict;
        assert_eq!((verdict.outcome, verdict.comparison), (Outcome::Fail, Comparison::NotComparable));
        let text = &verdict.reasons[0].text;
        assert!(text.contains(reason.split(", in").next().unwrap()), "{text}");
        options.force = Some("the old model reads a dropped column".into());
        let verdict = run(&data, &candidate, &baseline, &options).unwrap().verdict;
        assert_eq!(verdict.outcome, Outcome::Pass);
        assert_eq!(verdict.forced, options.force);
    }
}

/// Rows of which some lack a label, a prediction or a weight, in slices of which one has nothing else.
fn gaps() -> RecordBatch {
    let rows = 300_u32;
    let gap = |every: u32, salt: u32| move |row: u32| !(row + salt).is_multiple_of(every);
    let column = |has: &dyn Fn(u32) -> bool, value: &dyn Fn(u32) -> f64| -> ArrayRef {
        Arc::new((0..rows).map(|row| has(row).then(|| value(row))).collect::<Float64Array>())
    };
    let slice = |row: u32| match row {
        _ if row.is_multiple_of(7) && row < 100 => "gaps only",
        _ if row.is_multiple_of(2) => "even",
        _ => "odd",
    };
    RecordBatch::try_from_iter([
        ("y", column(&gap(7, 0), &|row| f64::from(row % 13))),
        ("p", column(&gap(11, 3), &|row| if row % 29 == 1 { f64::NAN } else { f64::from(row % 17) })),
        ("q", column(&gap(13, 5), &|row| f64::from(row % 19))),
        ("w", column(&gap(17, 2), &|row| f64::from(row % 3) + 1.0)),
        ("s", Arc::new((0..rows).map(|row| Some(slice(row))).collect::<StringArray>()) as ArrayRef),
    ])
    .unwrap()
}

#[test]
fn rows_that_are_left_out_are_as_if_they_were_not_there_and_counted() {
    let all = gaps();
    let value = |name: &str, row: usize| {
        let column = all.column_by_name(name).unwrap().as_primitive::<Float64Type>();
        (column.is_valid(row) && column.value(row).is_finite()).then(|| column.value(row))
    };
    let lacks: Vec<Option<&str>> = (0..all.num_rows())
        .map(|row| ["y", "w", "p", "q"].into_iter().find(|name| value(name, row).is_none()))
        .collect();
    let keep: BooleanArray = lacks.iter().map(|lacks| Some(lacks.is_none())).collect();
    let rest = arrow::compute::filter_record_batch(&all, &keep).unwrap();
    let models = (Linear::column("p", "p"), Baseline::Model(Linear::column("q", "q")));
    let options = EvaluateOptions { missing: Missing::Exclude, weight: Some("w".into()), ..by("s") };
    let mut found = run(&all, &models.0, &models.1, &options).unwrap();
    let expected = run(&rest, &models.0, &models.1, &options).unwrap();
    let count = |name: &str| lacks.iter().filter(|lacks| **lacks == Some(name)).count() as u64;
    let excluded = found.excluded.take().unwrap();
    assert_eq!(
        (excluded.label, excluded.weight, excluded.candidate, excluded.baseline),
        (count("y"), count("w"), count("p"), count("q"))
    );
    let told = found.verdict.reasons.remove(0);
    assert!(told.text.starts_with(&format!("{} rows are left out", excluded.rows())), "{}", told.text);
    assert!(found.slices.iter().all(|slice| slice.slice.to_string() != "s=gaps only"));
    assert_eq!(found.slices.len(), expected.slices.len());
    for (found, expected) in found.slices.iter().zip(&expected.slices) {
        assert_eq!((found.rows, found.weight), (expected.rows, expected.weight));
        for (name, value) in &found.candidate {
            assert_relative(value.unwrap(), expected.candidate[name].unwrap(), 1e-13);
        }
    }
    // Refused unless asked for, and an error among the rows that are left names its row.
    let refused =
        run(&all, &models.0, &models.1, &EvaluateOptions { missing: Missing::Refuse, ..options.clone() });
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Malformed);
    let nothing = EvaluateOptions { weight: Some("none".into()), ..options };
    let none: ArrayRef = Arc::new(Float64Array::new_null(all.num_rows()));
    let mut columns: Vec<(String, ArrayRef)> =
        all.schema().fields().iter().map(|field| field.name().clone()).zip(all.columns().to_vec()).collect();
    columns.push(("none".into(), none));
    let weightless = RecordBatch::try_from_iter(columns).unwrap();
    let error = run(&weightless, &models.0, &models.1, &nothing).unwrap_err();
    assert!(error.to_string().starts_with("no row is left to evaluate on"), "{error}");
}

/// 400 rows whose errors have this size, slice `a` or `b` in turn.
fn sized(size: f64) -> RecordBatch {
    let sign = |row: usize| if row.is_multiple_of(2) { 1.0 } else { -1.0 };
    let wobble = |row: usize| ((row * 7919) % 101) as f64 / 100.0;
    let rows = 0..400_usize;
    table(&[
        ("y", numbers(&rows.clone().map(|row| row as f64).collect::<Vec<_>>())),
        (
            "c",
            numbers(
                &rows.clone().map(|row| row as f64 + sign(row) * (size + wobble(row))).collect::<Vec<_>>(),
            ),
        ),
        ("g", texts(&rows.map(|row| if row % 4 < 2 { "a" } else { "b" }).collect::<Vec<_>>())),
    ])
}

fn regressions() -> EvaluateOptions {
    EvaluateOptions { block_regressions: true, ..by("g") }
}

#[test]
fn accepted_metrics_stand_in_for_their_model() {
    let model = |digest: &str| Linear::column(digest, "c");
    let first = run(&sized(1.0), &model("old"), &Baseline::None, &regressions()).unwrap();
    assert_eq!((first.verdict.outcome, first.verdict.comparison), (Outcome::Pass, Comparison::NoBaseline));
    let stored = serde_json::to_string(&first).unwrap();
    let accepted = Baseline::Accepted(Arc::new(serde_json::from_str(&stored).unwrap()));
    // The same errors again, within noise, and beyond it.
    for (size, outcome) in [(1.0, Outcome::Pass), (1.01, Outcome::Pass), (1.5, Outcome::Fail)] {
        let evaluation = run(&sized(size), &model("new"), &accepted, &regressions()).unwrap();
        let verdict = &evaluation.verdict;
        assert_eq!((verdict.outcome, verdict.comparison), (outcome, Comparison::AcceptedMetrics), "{size}");
        assert_eq!(verdict.baseline_digest.as_deref(), Some("old"));
        assert!(verdict.reasons[0].text.contains("as independent, which is cautious"), "{verdict:?}");
        // Four metrics with a direction, overall and by `g`.
        assert!(verdict.reasons[1].text.contains("Bonferroni over 8 rules"), "{}", verdict.reasons[1].text);
        let slice = &evaluation.slices[1];
        let change = &slice.changes.as_ref().unwrap()["mae"];
        let error = |intervals: &std::collections::BTreeMap<String, crate::comparison::Interval>| {
            intervals["mae"].standard_error.unwrap()
        };
        let both = error(&slice.intervals).hypot(error(&first.slices[1].intervals));
        assert_relative(change.standard_error.unwrap(), both, 1e-13);
    }
}

#[test]
fn what_accepted_metrics_lack_is_not_checked_and_another_label_is_not_compared() {
    let model = Linear::column("c", "c");
    let mut accepted = run(&sized(1.0), &model, &Baseline::None, &by("g")).unwrap();
    let options = |metric: &str, every: bool| EvaluateOptions {
        require: vec![RequirementOptions {
            metric: metric.into(),
            block_if_worse: Some(0.0.into()),
            every: every.then(|| Columns(vec!["g".into()])),
            ..RequirementOptions::default()
        }],
        ..EvaluateOptions::default()
    };
    accepted.slices.remove(2);
    let baseline = Baseline::Accepted(Arc::new(accepted.clone()));
    let verdict = run(&sized(1.0), &model, &baseline, &options("mae", true)).unwrap().verdict;
    let checked: Vec<(bool, bool)> =
        verdict.reasons[1..].iter().map(|reason| (reason.passed, reason.checked)).collect();
    assert_eq!(checked, [(true, true), (true, false)]);
    let text = &verdict.reasons[2].text;
    assert_eq!(text, "the accepted metrics do not have it, so a change of `mae` in g=b is not checked");
    accepted.slices.iter_mut().for_each(|slice| {
        let _ = slice.candidate.remove("mae");
    });
    let baseline = Baseline::Accepted(Arc::new(accepted.clone()));
    let verdict = run(&sized(1.0), &model, &baseline, &options("mae", false)).unwrap().verdict;
    assert_eq!(verdict.outcome, Outcome::Fail, "nothing was checked");
    accepted.label = "z".into();
    let baseline = Baseline::Accepted(Arc::new(accepted));
    let verdict = run(&sized(1.0), &model, &baseline, &options("rmse", false)).unwrap().verdict;
    assert_eq!((verdict.outcome, verdict.comparison), (Outcome::Fail, Comparison::NotComparable));
}
