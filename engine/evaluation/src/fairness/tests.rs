//! Disparities against Fairlearn and Aequitas, their intervals, and their bounds.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use sluice_core::execution::Execution;
use sluice_core::seam::Task;
use sluice_testkit::close::assert_relative;
use sluice_testkit::datasets::external;
use sluice_testkit::memory::MemorySource;

use super::FairnessOptions;
use crate::fixture::{numbers, table, texts};
use crate::gate::Outcome;
use crate::metric::golden::{Given, binary};
use crate::{Baseline, EvaluateOptions, Evaluation, evaluate};

/// Labels, scores, and other columns as text, of a file of the datasets.
struct Scored {
    label: Vec<f64>,
    score: Vec<f64>,
    weight: Vec<f64>,
    others: BTreeMap<String, Vec<String>>,
}

fn scored(name: &str) -> Option<Scored> {
    let text = std::fs::read_to_string(external(&format!("reference/aequitas/{name}"))?).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let mut columns: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for line in lines {
        let cells = line.split(',').map(str::to_owned);
        columns.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
    }
    let mut others: BTreeMap<String, Vec<String>> =
        names.iter().map(|name| (*name).to_owned()).zip(columns).collect();
    let mut take = |name: &str| -> Vec<f64> {
        others.remove(name).unwrap_or_default().iter().map(|cell| cell.parse().unwrap()).collect()
    };
    let (label, score) = (take("label_value"), take("score"));
    // The weights that the numbers of Fairlearn below were made with.
    let weight = take("entity_id").iter().map(|number| 1.0 + (number % 7.0) / 4.0).collect();
    Some(Scored { label, score, weight, others })
}

fn run(scored: &Scored, options: &EvaluateOptions) -> Evaluation {
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("y", numbers(&scored.label)), ("c", numbers(&scored.score))];
    if !scored.weight.is_empty() {
        columns.push(("w", numbers(&scored.weight)));
    }
    for (name, values) in &scored.others {
        columns.push((name, texts(&values.iter().map(String::as_str).collect::<Vec<_>>())));
    }
    let source = MemorySource::new(&table(&columns), 2000);
    evaluate(&source, &binary("c"), &Baseline::None, options, &Execution::with_threads(2)).unwrap()
}

fn options(json: &str) -> EvaluateOptions {
    let fairness: Vec<FairnessOptions> = serde_json::from_str(json).unwrap();
    EvaluateOptions { fairness, ..EvaluateOptions::default() }
}

#[test]
fn disparities_equal_those_of_fairlearn() {
    let Some(adult) = scored("adult_rf_binary.csv") else { return };
    // Fairlearn 0.15.0 on scikit-learn 1.9.1; predictive parity by MetricFrame(precision_score).
    let expected = [
        ("gender", false, "demographic_parity_difference", 0.201_564_463_400_139_78),
        ("gender", false, "demographic_parity_ratio", 0.776_729_668_138_141_6),
        ("gender", false, "equal_opportunity_difference", 0.084_566_548_808_436_45),
        ("gender", false, "equal_opportunity_ratio", 0.791_208_107_079_860_3),
        ("gender", false, "equalized_odds_difference", 0.098_372_236_703_810_12),
        ("gender", false, "equalized_odds_ratio", 0.791_208_107_079_860_3),
        ("gender", false, "predictive_parity_difference", 0.088_494_219_022_359_68),
        ("gender", false, "predictive_parity_ratio", 0.361_982_993_683_863_8),
        ("gender", true, "demographic_parity_difference", 0.203_907_645_883_122_82),
        ("gender", true, "demographic_parity_ratio", 0.773_951_857_104_677_5),
        ("gender", true, "equal_opportunity_difference", 0.075_796_423_645_478_62),
        ("gender", true, "equal_opportunity_ratio", 0.809_252_015_268_061_9),
        ("gender", true, "equalized_odds_difference", 0.100_628_587_744_937_77),
        ("gender", true, "equalized_odds_ratio", 0.809_252_015_268_061_9),
        ("gender", true, "predictive_parity_difference", 0.092_175_032_005_155),
        ("gender", true, "predictive_parity_ratio", 0.347_278_062_979_585_7),
        ("race", false, "demographic_parity_difference", 0.190_726_072_607_260_82),
        ("race", false, "demographic_parity_ratio", 0.794_918_201_497_569),
        ("race", false, "equal_opportunity_difference", 0.273_575_129_533_678_74),
        ("race", false, "equal_opportunity_ratio", 0.544_041_450_777_202_1),
        ("race", false, "equalized_odds_difference", 0.273_575_129_533_678_74),
        ("race", false, "equalized_odds_ratio", 0.544_041_450_777_202_1),
        ("race", false, "predictive_parity_difference", 0.080_223_880_597_014_93),
        ("race", false, "predictive_parity_ratio", 0.358_208_955_223_880_6),
        ("race", true, "demographic_parity_difference", 0.211_090_830_005_348_45),
        ("race", true, "demographic_parity_ratio", 0.776_681_347_524_829_5),
        ("race", true, "equal_opportunity_difference", 0.341_485_084_738_233_25),
        ("race", true, "equal_opportunity_ratio", 0.487_772_372_892_650_1),
        ("race", true, "equalized_odds_difference", 0.341_485_084_738_233_25),
        ("race", true, "equalized_odds_ratio", 0.487_772_372_892_650_1),
        ("race", true, "predictive_parity_difference", 0.086_079_649_251_004_75),
        ("race", true, "predictive_parity_ratio", 0.349_351_008_008_837_34),
    ];
    for weight in [None, Some("w".to_owned())] {
        let is_weighted = weight.is_some();
        let evaluation = run(&adult, &EvaluateOptions { weight, ..options(r#"["gender", "race"]"#) });
        for (by, _, name, value) in expected.iter().filter(|(_, weighted, ..)| *weighted == is_weighted) {
            let found = evaluation.fairness.iter().find(|found| found.by == [*by]).unwrap();
            let disparity = &found.candidate.measures[*name];
            assert_relative(disparity.value.unwrap(), *value, 1e-12);
            let [low, high] = disparity.interval.unwrap();
            assert!(low < *value && *value < high, "{name} {low} {high}");
        }
    }
}

#[test]
fn disparities_to_a_reference_equal_those_of_aequitas() {
    let Some(toy) = scored("bias_report_test_1.csv") else { return };
    let evaluation = run(&toy, &options(r#"[{"by": "class", "reference": "High"}]"#));
    let found = &evaluation.fairness[0];
    assert_eq!(found.reference, "class=High");
    // expected_output_bias_test_1.csv of dssg/aequitas 4dc71c6: the disparities of Low.
    for (metric, disparity) in [
        ("false_negative_rate", 1.5),
        ("false_positive_rate", 4.0 / 3.0),
        ("false_omission_rate", 1.0),
        ("false_discovery_rate", 2.0),
        ("selection_rate", 1.0),
    ] {
        let distance = found.candidate.groups["class=Low"][metric];
        assert_relative(distance.ratio.unwrap(), disparity, 1e-14);
    }
    let low = evaluation.slices.iter().find(|slice| slice.slice.to_string() == "class=Low").unwrap();
    assert_relative(low.candidate["false_positive_rate"].unwrap(), 2.0 / 3.0, 1e-15);
}

/// 40 rows of `a` with 12 predicted positive, 60 of `b` with 30; half of each are positive.
fn two_groups() -> Scored {
    let group = |rows: usize, selected: usize| (0..rows).map(move |row| (row, row < selected));
    let rows: Vec<(usize, bool)> = group(40, 12).chain(group(60, 30)).collect();
    Scored {
        label: rows.iter().map(|(row, _)| (row % 2) as f64).collect(),
        score: rows.iter().map(|(_, is_selected)| if *is_selected { 0.9 } else { 0.2 }).collect(),
        weight: Vec::new(),
        others: BTreeMap::from([(
            "g".to_owned(),
            (0..100).map(|row| if row < 40 { "a" } else { "b" }.to_owned()).collect(),
        )]),
    }
}

#[test]
fn intervals_add_the_variances_of_both_groups() {
    let evaluation = run(&two_groups(), &options(r#"["g"]"#));
    let found = &evaluation.fairness[0].candidate.measures;
    let z = 1.959_963_984_540_054;
    // Variances of shares with divisor n - 1.
    let (a, b): (f64, f64) = (0.3 * 0.7 / 39.0, 0.5 * 0.5 / 59.0);
    let difference = &found["demographic_parity_difference"];
    let reach = z * (a + b).sqrt();
    let [low, high] = difference.interval.unwrap();
    assert_relative(low, 0.2 - reach, 1e-12);
    assert_relative(high, 0.2 + reach, 1e-12);
    assert_eq!((difference.highest.as_deref(), difference.lowest.as_deref()), (Some("g=b"), Some("g=a")));
    let ratio = &found["demographic_parity_ratio"];
    assert_relative(ratio.value.unwrap(), 0.6, 1e-15);
    let reach = z * (a / 0.09 + b / 0.25).sqrt();
    let [low, high] = ratio.interval.unwrap();
    assert_relative(low, 0.6 * (-reach).exp(), 1e-12);
    assert_relative(high, 0.6 * reach.exp(), 1e-12);
}

#[test]
fn bounds_of_fairness_decide() {
    let outcome = |json: &str| {
        let verdict = run(&two_groups(), &options(json)).verdict;
        (verdict.outcome, verdict.reasons.last().unwrap().text.clone())
    };
    let (decided, text) = outcome(r#"[{"by": "g", "at_most": {"demographic_parity_difference": 0.1}}]"#);
    assert_eq!(decided, Outcome::Fail);
    assert_eq!(
        text,
        "`demographic_parity_difference` by g is 0.2 (`selection_rate` is highest in g=b, lowest in g=a), \
         above the bound of 0.1"
    );
    let (decided, text) = outcome(r#"[{"by": "g", "at_least": {"demographic_parity_ratio": 0.5}}]"#);
    assert_eq!(decided, Outcome::Pass);
    assert!(text.ends_with("within the bound of at least 0.5"), "{text}");
    // Above 0.95 nothing is predicted positive, so that no precision exists.
    let json = r#"[{"by": "g", "threshold": 0.95, "at_most": {"predictive_parity_difference": 0.1}}]"#;
    let (decided, text) = outcome(json);
    assert_eq!(decided, Outcome::Fail);
    assert_eq!(
        text,
        "`predictive_parity_difference` by g does not exist (`precision` does not exist in g=a: there are no rows \
         predicted positive), so its bound of 0.1 is not met"
    );
}

#[test]
fn wrong_options_are_refused() {
    for (json, message) in [
        (
            r#"[{"by": "g", "threshold": 2}]"#,
            "`fairness[0].threshold` is 2, but must be at least 0 and at most 1",
        ),
        (r#"[{"by": []}]"#, "`fairness[0].by` names no column"),
        (r#"[{"by": "g", "at_most": {"parity": 1}}]"#, "`fairness[0].at_most` has no choice `parity`"),
    ] {
        assert_eq!(options(json).check().unwrap_err().to_string(), message);
    }
    assert!(serde_json::from_str::<Vec<FairnessOptions>>(r#"[{"by": "g", "atmost": {}}]"#).is_err());
    let rows = two_groups();
    let columns = [("y", numbers(&rows.label)), ("c", numbers(&rows.score)), ("g", texts(&["a"; 100]))];
    let source = MemorySource::new(&table(&columns), 50);
    let asked = options(r#"[{"by": "g", "reference": "z"}]"#);
    let run = |model, asked: &EvaluateOptions| {
        evaluate(&source, &model, &Baseline::None, asked, &Execution::with_threads(1))
    };
    let error = run(binary("c"), &asked).unwrap_err();
    assert_eq!(error.to_string(), "no group is `z`");
    let regression = Given::predictor(&["c"], Task::Regression);
    let error = run(regression, &options(r#"["g"]"#)).unwrap_err().to_string();
    assert_eq!(error, "`metric` `selection_rate` is for labels of two classes, the model predicts numbers");
    let one = run(binary("c"), &options(r#"["g"]"#)).unwrap();
    let disparity = &one.fairness[0].candidate.measures["equalized_odds_difference"];
    assert_eq!(disparity.note.as_deref(), Some("there is one group only"));
    assert!(disparity.interval.is_none() && one.fairness[0].candidate.groups.is_empty());
}
