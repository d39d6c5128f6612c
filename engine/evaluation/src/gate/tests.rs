//! Hand-made cases of the gate.

use sluice_core::error::Diagnostic;
use sluice_core::execution::Execution;
use sluice_testkit::memory::MemorySource;

use super::{Columns, Comparison, Outcome, RequirementOptions, RuleName, Verdict};
use crate::fixture::{Linear, numbers, table, texts};
use crate::{Baseline, EvaluateOptions, evaluate};

fn requirement(json: &str) -> RequirementOptions {
    serde_json::from_str(json).unwrap()
}

/// 300 rows of slice `a` and 300 of `b`, label 0, baseline errors ±1; the candidate's errors are ± what is given per
/// slice, on top of a deterministic wobble that is the same in both slices.
fn verdict_of(level_a: f64, level_b: f64, require: &str, baseline: bool) -> Verdict {
    let rows = 600;
    let sign = |row: usize| if row.is_multiple_of(2) { 1.0 } else { -1.0 };
    let wobble = |row: usize| (((row * 7919) % 101) as f64 / 100.0 - 0.5) * 0.8;
    let level = |row: usize| if row < 300 { level_a } else { level_b };
    let column = |value: &dyn Fn(usize) -> f64| numbers(&(0..rows).map(value).collect::<Vec<_>>());
    let table = table(&[
        ("y", column(&|_| 0.0)),
        ("c", column(&|row| sign(row) * (level(row) + wobble(row)))),
        ("b", column(&|row| sign(row) * (1.0 + wobble(row / 2)))),
        ("g", texts(&(0..rows).map(|row| if row < 300 { "a" } else { "b" }).collect::<Vec<_>>())),
    ]);
    let options = EvaluateOptions { require: vec![requirement(require)], ..EvaluateOptions::default() };
    let baseline = if baseline { Baseline::Model(Linear::column("b", "b")) } else { Baseline::None };
    let source = MemorySource::new(&table, 64);
    let candidate = Linear::column("c", "c");
    evaluate(&source, &candidate, &baseline, &options, &Execution::with_threads(2)).unwrap().verdict
}

const BLOCK: &str = r#"{"metric": "rmse", "block_if_worse": 0.0, "every": "g"}"#;
const PROVE: &str = r#"{"metric": "mae", "prove_not_worse": 0.05, "every": ["g"]}"#;

#[test]
fn harm_in_one_slice_blocks_although_the_other_gains_more() {
    let verdict = verdict_of(0.5, 1.2, BLOCK, true);
    assert_eq!((verdict.outcome, verdict.comparison), (Outcome::Fail, Comparison::Compared));
    let passed: Vec<bool> = verdict.reasons.iter().map(|reason| reason.passed).collect();
    assert_eq!(passed, [true, false]);
    let reason = &verdict.reasons[1];
    assert_eq!(
        (reason.slice.as_deref(), reason.rule, reason.rows),
        (Some("g=b"), RuleName::BlockIfWorse, 300)
    );
    assert!(reason.p_adjusted.unwrap() < 1e-6 && !reason.few_rows);
    assert!(reason.text.contains("in g=b; worse than the baseline is proven (p "), "{}", reason.text);
    assert!(reason.text.contains("after Holm over 2 slices, alpha 0.05)"), "{}", reason.text);
}

#[test]
fn harm_within_the_margin_or_within_chance_does_not_block() {
    let margin = r#"{"metric": "rmse", "block_if_worse": 0.5, "every": "g"}"#;
    assert_eq!(verdict_of(0.5, 1.2, margin, true).outcome, Outcome::Pass);
    let chance = verdict_of(1.0, 1.01, BLOCK, true);
    assert_eq!(chance.outcome, Outcome::Pass);
    assert!(chance.reasons[1].text.contains("worse than the baseline is not proven"), "{:?}", chance.reasons);
}

#[test]
fn proof_of_no_harm_is_asked_of_every_slice() {
    assert_eq!(verdict_of(0.9, 0.9, PROVE, true).outcome, Outcome::Pass);
    let verdict = verdict_of(0.9, 1.04, PROVE, true);
    assert_eq!(verdict.outcome, Outcome::Fail);
    let text = &verdict.failures().next().unwrap().text;
    assert!(text.contains("in g=b; not worse by 0.05 or more is not proven (p "), "{text}");
}

#[test]
fn the_direction_of_a_metric_is_known() {
    // The label must vary for R², so the predictions change places with it.
    let y: Vec<f64> = (0..200).map(f64::from).collect();
    let good: Vec<f64> = y.iter().enumerate().map(|(row, y)| y + (row % 5) as f64 - 2.0).collect();
    let bad: Vec<f64> = y.iter().enumerate().map(|(row, y)| y + 9.0 * ((row % 5) as f64 - 2.0)).collect();
    let source = MemorySource::new(
        &table(&[("y", numbers(&y)), ("good", numbers(&good)), ("bad", numbers(&bad))]),
        50,
    );
    for (candidate, baseline, outcome) in [("good", "bad", Outcome::Pass), ("bad", "good", Outcome::Fail)] {
        let require = vec![requirement(r#"{"metric": "r2", "block_if_worse": 0.0}"#)];
        let options = EvaluateOptions { require, ..EvaluateOptions::default() };
        let (candidate, baseline) = (Linear::column("1", candidate), Linear::column("2", baseline));
        let evaluation =
            evaluate(&source, &candidate, &Baseline::Model(baseline), &options, &Execution::with_threads(1))
                .unwrap();
        assert_eq!(evaluation.verdict.outcome, outcome);
    }
}

#[test]
fn a_first_model_passes_its_value_bounds_only() {
    let rule = r#"{"metric": "mae", "at_most": 1.5, "block_if_worse": 0.0, "prove_not_worse": 0.1}"#;
    let verdict = verdict_of(1.0, 1.0, rule, false);
    assert_eq!((verdict.outcome, verdict.comparison), (Outcome::Pass, Comparison::NoBaseline));
    assert_eq!(verdict.reasons.len(), 4);
    assert_eq!(verdict.reasons[2].text, "there is no baseline, so a change of `mae` overall is not checked");
    let verdict = verdict_of(2.0, 2.0, rule, false);
    assert_eq!(verdict.outcome, Outcome::Fail);
    assert!(verdict.failures().next().unwrap().text.contains("above the bound of 1.5"), "{verdict:?}");
}

#[test]
fn the_same_model_is_neither_harm_nor_reason_to_fail() {
    let data = table(&[("y", numbers(&[1.0, 2.0, 4.0])), ("c", numbers(&[1.5, 2.0, 3.0]))]);
    let model = Linear::column("c", "c");
    let require = vec![requirement(r#"{"metric": "rmse", "block_if_worse": 0, "prove_not_worse": 0.1}"#)];
    let options = EvaluateOptions { require, ..EvaluateOptions::default() };
    let source = MemorySource::new(&data, 2);
    let baseline = Baseline::Model(std::sync::Arc::clone(&model));
    let verdict =
        evaluate(&source, &model, &baseline, &options, &Execution::with_threads(1)).unwrap().verdict;
    assert_eq!(verdict.outcome, Outcome::Pass);
    assert_eq!(verdict.reasons[1].interval.map(|ends| ends.map(f64::to_bits)), Some([0, 0]));
    assert!(verdict.reasons[1].few_rows && verdict.reasons[1].text.ends_with("[few rows: 3]"));
}

#[test]
fn one_row_cannot_prove_anything() {
    let data = table(&[("y", numbers(&[1.0])), ("c", numbers(&[1.5])), ("b", numbers(&[1.0]))]);
    let require = vec![requirement(r#"{"metric": "mse", "block_if_worse": 0, "prove_not_worse": 0.1}"#)];
    let options = EvaluateOptions { require, ..EvaluateOptions::default() };
    let (candidate, baseline) = (Linear::column("c", "c"), Baseline::Model(Linear::column("b", "b")));
    let source = MemorySource::new(&data, 2);
    let verdict =
        evaluate(&source, &candidate, &baseline, &options, &Execution::with_threads(1)).unwrap().verdict;
    let seen: Vec<_> = verdict.reasons.iter().map(|reason| (reason.rule, reason.passed)).collect();
    assert_eq!(seen, [(RuleName::BlockIfWorse, true), (RuleName::ProveNotWorse, false)]);
    assert_eq!(
        verdict.reasons[0].text,
        "a change of `mse` overall cannot be tested (fewer than two rows give no variance); \
         harm is not proven, so it does not block"
    );
}

#[test]
fn wrong_requirements_are_refused_with_what_to_do() {
    for (json, message) in [
        (r#"{"metric": "rmse"}"#, "`require[0]` bounds `rmse` by nothing"),
        (r#"{"metric": "rsme", "at_most": 1}"#, "`metric` has no choice `rsme`"),
        (
            r#"{"metric": "r2", "at_most": 0.1, "at_least": 0.2}"#,
            "`require[0]` asks for at least 0.2 and at most 0.1",
        ),
        (
            r#"{"metric": "r2", "prove_not_worse": 0}"#,
            "`require[0].prove_not_worse` is 0, but must be a finite number above 0",
        ),
        (
            r#"{"metric": "r2", "block_if_worse": -1}"#,
            "`require[0].block_if_worse` is -1, but must be a finite number at least 0",
        ),
        (r#"{"metric": "r2", "at_least": 0, "every": []}"#, "`require[0].every` names no column"),
        (r#"{"metric": "r2", "at_least": 0, "every": ["a", "a"]}"#, "`require[0].every` names `a` twice"),
    ] {
        let options = EvaluateOptions { require: vec![requirement(json)], ..EvaluateOptions::default() };
        let error = options.check().unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let bias = requirement(r#"{"metric": "mean_error", "block_if_worse": 0}"#);
    let error = EvaluateOptions { require: vec![bias], ..EvaluateOptions::default() }.check().unwrap_err();
    assert!(error.to_string().contains("neither more nor less is better"), "{error}");
    assert!(error.hint().unwrap().contains("`at_least` and `at_most`"));
    let unknown = serde_json::from_str::<RequirementOptions>(r#"{"metric": "rmse", "atmost": 1}"#);
    assert!(unknown.unwrap_err().to_string().contains("unknown field `atmost`"));
    for alpha in [0.0, 0.5, f64::NAN] {
        assert!(EvaluateOptions { alpha, ..EvaluateOptions::default() }.check().is_err());
    }
    let force = Some(" ".into());
    assert!(EvaluateOptions { force, ..EvaluateOptions::default() }.check().is_err());
}

#[test]
fn slices_come_as_one_column_or_several() {
    let options: EvaluateOptions = serde_json::from_str(r#"{"slices": ["sex", ["sex", "age"]]}"#).unwrap();
    assert_eq!(options.slices, [Columns(vec!["sex".into()]), Columns(vec!["sex".into(), "age".into()])]);
}
