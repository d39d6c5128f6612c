use std::time::Duration;

use serde_json::json;
use sluice_core::ErrorKind;
use sluice_quality::drift::{
    ColumnDrift, ColumnRole, Comparison, DriftOptions, DriftReport, Measure, Signal,
};

use super::*;

const NOW: Duration = Duration::from_secs(100 * 86_400);

fn column(name: &str, role: ColumnRole, value: f64) -> ColumnDrift {
    let signal = Signal {
        measure: Measure::TotalVariation,
        value,
        at_least: value,
        at_most: value,
        threshold: 0.1,
        noise_floor: 0.01,
        effect: value - 0.01,
        p: Some(0.0),
        p_is_upper_bound: false,
        q: Some(0.0),
        alarm: value > 0.1,
        detail: String::new(),
    };
    ColumnDrift {
        column: name.into(),
        path: Vec::new(),
        role,
        compared_as: Comparison::Labels,
        signals: vec![signal],
        bins: Vec::new(),
        notes: Vec::new(),
    }
}

fn drift(columns: Vec<ColumnDrift>) -> Vec<(String, DriftRecord)> {
    let report = DriftReport {
        subset: "all".into(),
        num_rows: 300,
        num_reference_rows: 900,
        level: 0.05,
        columns,
        ..DriftReport::default()
    };
    let record = DriftRecord { accepted: false, options: DriftOptions::default(), subsets: vec![report] };
    vec![("drift".into(), record)]
}

fn features() -> Evidence {
    let columns = vec![
        column("a", ColumnRole::Feature, 0.3),
        column("b", ColumnRole::Feature, 0.2),
        column("c", ColumnRole::Feature, 0.05),
    ];
    Evidence { drift: drift(columns), ..Evidence::default() }
}

fn verdict(outcome: &str, candidate: &str) -> Verdict {
    let reason = json!({
        "metric": "rmse", "slice": "sex=f", "rule": "at_most", "bound": 2.0, "candidate": 2.5, "baseline": null,
        "difference": null, "interval": null, "p_value": null, "p_adjusted": null, "rows": 50,
        "passed": outcome == "pass", "checked": true, "few_rows": false, "text": "too much <b>",
    });
    serde_json::from_value(json!({
        "outcome": outcome, "comparison": "no-baseline", "candidate_digest": candidate, "baseline_digest": null,
        "alpha": 0.05, "rows": 50, "forced": null, "reasons": [reason],
    }))
    .unwrap()
}

fn trained(days_ago: u64) -> LastTraining {
    LastTraining {
        place: "tips in registry".into(),
        which: "version 3".into(),
        digest: "d1".into(),
        at_seconds: Some(NOW.as_secs() - days_ago * 86_400),
        rows: Some(900),
    }
}

fn kinds(record: &RetrainRecord) -> Vec<&str> {
    record.reasons().map(|check| check.kind.word()).collect()
}

#[test]
fn so_many_columns_may_drift_but_no_label_and_no_prediction() {
    let decide = |evidence: &Evidence, max_drifted_columns| {
        let options = RetrainOptions { max_drifted_columns, ..RetrainOptions::default() };
        RetrainRecord::new(evidence, options, NOW).unwrap()
    };
    let mut evidence = features();
    let found = decide(&evidence, 1);
    assert_eq!(kinds(&found), ["feature_drift"; 3]);
    assert_eq!((found.checks[0].value, found.checks[0].bound), (Some(2.0), Some(1.0)));
    assert_eq!((found.checks[1].value, found.checks[1].bound), (Some(0.3), Some(0.1)));
    let found = decide(&evidence, 2);
    assert!(!found.retrain && found.checks.len() == 3, "{found:#?}");
    let columns = &mut evidence.drift[0].1.subsets[0].columns;
    columns.push(column("tips", ColumnRole::Label, 0.4));
    columns.push(column("guess", ColumnRole::Prediction, 0.01));
    let found = decide(&evidence, 2);
    assert_eq!(kinds(&found), ["label_drift"]);
    evidence.prediction_drift = drift(vec![column("score", ColumnRole::Feature, 0.4)]);
    assert_eq!(kinds(&decide(&evidence, 2)), ["label_drift", "prediction_drift"]);
}

#[test]
fn an_evaluation_that_fails_is_a_reason_if_it_is_of_the_model_in_production() {
    let decide = |outcome, candidate| {
        let evaluations = vec![("evaluation".to_owned(), verdict(outcome, candidate))];
        let evidence = Evidence { evaluations, training: Some(trained(1)), ..Evidence::default() };
        RetrainRecord::new(&evidence, RetrainOptions::default(), NOW)
    };
    let found = decide("fail", "d1").unwrap();
    let reason = found.reasons().next().unwrap();
    assert_eq!((reason.value, reason.bound), (Some(2.5), Some(2.0)));
    assert_eq!(reason.subject.as_deref(), Some("rmse in sex=f"));
    assert!(found.markdown().contains("- too much &lt;b&gt;\n"), "{}", found.markdown());
    assert!(!decide("pass", "d1").unwrap().retrain);
    assert_eq!(decide("fail", "d2").unwrap_err().kind(), ErrorKind::Usage);
    assert_eq!(decide("error", "d1").unwrap_err().kind(), ErrorKind::Malformed);
}

#[test]
fn age_and_new_rows_have_bounds_that_are_included() {
    let options = RetrainOptions {
        max_age_seconds: Some(30 * 86_400),
        max_new_rows: Some(300),
        max_new_share: Some(0.25),
        max_drifted_columns: 2,
    };
    let mut evidence = features();
    evidence.training = Some(trained(30));
    // 300 rows of 900 are new.
    assert_eq!(kinds(&RetrainRecord::new(&evidence, options, NOW).unwrap()), ["new_share"]);
    evidence.new_rows = Some(301);
    evidence.training = Some(trained(31));
    let found = RetrainRecord::new(&evidence, options, NOW).unwrap();
    assert_eq!(kinds(&found), ["age", "new_rows", "new_share"]);
    assert_eq!(found.decided_at, "1970-04-11T00:00:00.000Z");
    assert!(found.text().contains("the model is 31 days old, 30 days is allowed"), "{}", found.text());
}

#[test]
fn what_is_not_known_is_an_error_and_no_model_is_a_reason() {
    let empty = Evidence::default();
    let age = RetrainOptions { max_age_seconds: Some(1), ..RetrainOptions::default() };
    for options in [RetrainOptions::default(), age] {
        assert_eq!(RetrainRecord::new(&empty, options, NOW).unwrap_err().kind(), ErrorKind::Usage);
    }
    let share = RetrainOptions { max_new_share: Some(f64::NAN), ..RetrainOptions::default() };
    assert!(RetrainRecord::new(&features(), share, NOW).is_err());
    let never = LastTraining { place: "registry".into(), ..LastTraining::default() };
    let evidence = Evidence { training: Some(never), ..Evidence::default() };
    assert_eq!(kinds(&RetrainRecord::new(&evidence, age, NOW).unwrap()), ["never_trained"]);
}
