//! Classes from text to a verdict: a logistic model through the pipeline, its predictions, its explanations, its
//! calibration, and what is refused.

use serde_json::Value;
use sluice_testkit::assert_relative;

use crate::support::{Outcome, Place};

const PIPELINE: &str = "\
pipeline: churn
data:
  inputs: { rows: rows.csv }
  roles: { label: churned, key: [id] }
  subsets: { by: hash, train: 0.6, calibration: 0.2, eval: 0.2, seed: 1 }
transform:
  - standardize: [minutes]
  - one_hot: [plan]
train: { logistic: { alpha: 1.0, positive: left } }
evaluate: { metrics: [mse], require: [{ metric: mse, at_most: 0.2 }] }
";

/// Customers that leave the rather, the fewer minutes they use; `labels` are what the two are called.
fn rows(labels: [&str; 2]) -> String {
    let mut text = "id,minutes,plan,churned\n".to_owned();
    for id in 0..3000_u32 {
        let minutes = f64::from(id * 7919 % 1009) / 10.0;
        let plan = ["basic", "family", "pro"][(id * 31 % 7 % 3) as usize];
        let pull = 2.0 - minutes / 20.0 + if plan == "pro" { -1.0 } else { 0.5 };
        let chance = 1.0 / (1.0 + (-pull).exp());
        let draw = f64::from(id.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
        text.push_str(&format!("{id},{minutes},{plan},{}\n", labels[usize::from(draw < chance)]));
    }
    text
}

pub(crate) fn ran() -> Place {
    let place = Place::new();
    place.write("rows.csv", &rows(["stayed", "left"]));
    place.write("pipeline.yaml", PIPELINE);
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    assert!(outcome.stderr.contains("logistic, alpha 1"), "{outcome:#?}");
    place
}

pub(crate) const MODEL: &str = "out/runs/0001/model";
pub(crate) const DATASET: &str = "out/runs/0001/dataset";

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[test]
fn text_classes_go_all_the_way() {
    let place = ran();
    let model = place.json(&format!("{MODEL}/model.json"));
    assert_eq!((&model["link"], &model["glm"]["positive"]), (&"logit".into(), &"left".into()));
    let coefficients = &model["outputs"][0]["coefficients"];
    assert!(number(&coefficients[0]["value"]) < -1.0, "{coefficients:#}");
    // Of two classes `mse` is the Brier score.
    let evaluation = place.json("out/runs/0001/evaluation/metrics.json");
    let brier = number(&evaluation["slices"][0]["candidate"]["mse"]);
    assert!(brier > 0.05 && brier < 0.2, "{evaluation:#}");
    let explained = place.sluice(&["explain", MODEL, DATASET, "--permutation", "--json"]).exits(0).json();
    let columns = explained["permutation"]["columns"].as_array().unwrap();
    assert_eq!(columns[0]["column"], "minutes", "{explained:#}");
    // A label that the model does not know is no row of its own kind.
    place.write("other.csv", &rows(["stayed", "gone"]));
    let outcome = place.sluice(&["evaluate", "other.csv", "--model", MODEL, "--metric", "mse", "--out", "e"]);
    let outcome = outcome.exits(4);
    assert!(outcome.stderr.contains("gone"), "{outcome:#?}");
}

#[test]
fn a_calibrated_model_says_what_happens() {
    let place = ran();
    for method in ["isotonic", "sigmoid"] {
        let arguments =
            ["calibrate", MODEL, DATASET, "--subset", "calibration", "--method", method, "--out", method];
        let record = place.sluice(&[&arguments[..], &["--json"]].concat()).exits(0).json();
        assert!(number(&record["rows"]) > 500.0);
        // Platt's targets are drawn a little towards the middle.
        assert!(number(&record["brier_after"]) < number(&record["brier_before"]) + 1e-3, "{record:#}");
        let predict = ["predict", method, DATASET, "--keep", "churned", "--out", "predictions"];
        let _ = place.sluice(&predict).exits(0);
        // The same bytes again, on another number of threads.
        let again = [&arguments[..8], &["again", "--threads", "7"]].concat();
        let _ = place.sluice(&again).exits(0);
        let bytes = |folder: &str| fs_err::read(place.path(&format!("{folder}/model.json"))).unwrap();
        assert_eq!(bytes(method), bytes("again"));
    }
    // Isotonic probabilities have the mean of the labels on the rows that they were learnt from.
    let model = place.json("isotonic/model.json");
    assert_eq!(model["calibration"]["method"], "isotonic");
    let onnx = place.json("isotonic/onnx.json");
    assert!(onnx.to_string().contains("calibration"), "{onnx:#}");
    let twice = place.sluice(&["calibrate", "isotonic", DATASET, "--out", "twice"]).exits(2);
    assert!(twice.stderr.contains("calibrated already"), "{twice:#?}");
    assert!(!place.path("twice").exists());
}

#[test]
fn what_has_no_probability_is_not_calibrated() {
    let place = ran();
    let transform = "out/runs/0001/transform";
    let ridge =
        ["train", DATASET, "--transform", transform, "--label", "id", "--alpha", "1", "--out", "ridge"];
    let _ = place.sluice(&ridge).exits(0);
    let outcome = place.sluice(&["calibrate", "ridge", DATASET, "--out", "calibrated"]).exits(2);
    assert!(outcome.stderr.contains("does not predict the probability"), "{outcome:#?}");
    place.write("one.csv", &rows(["left", "left"]));
    let outcome = place.sluice(&["calibrate", MODEL, "one.csv", "--out", "calibrated"]).exits(4);
    assert!(outcome.stderr.contains("are of one class"), "{outcome:#?}");
    assert!(!place.path("calibrated").exists());
}

#[test]
fn a_warm_start_ends_where_the_cold_one_does() {
    let place = ran();
    let train = |more: &[&str], out: &str| {
        let transform = "out/runs/0001/transform";
        let model = "logistic: {alpha: 1, positive: left}";
        let arguments = [
            "train",
            DATASET,
            "--transform",
            transform,
            "--label",
            "churned",
            "--model",
            model,
            "--out",
            out,
        ];
        let _ = place.sluice(&[&arguments[..], more].concat()).exits(0);
        place.json(&format!("{out}/model.json"))
    };
    let (cold, warm) = (train(&[], "cold"), train(&["--warm-start", MODEL], "warm"));
    let values = |model: &Value| -> Vec<f64> {
        let coefficients = model["outputs"][0]["coefficients"].as_array().unwrap();
        coefficients.iter().map(|coefficient| number(&coefficient["value"])).collect()
    };
    for (cold, warm) in values(&cold).into_iter().zip(values(&warm)) {
        assert_relative(1.0 + warm, 1.0 + cold, 1e-6);
    }
    let steps = |model: &Value| number(&model["glm"]["convergence"]["iterations"]);
    assert!(steps(&warm) < steps(&cold), "{} {}", steps(&warm), steps(&cold));
}

const KINDS: &str = "\
pipeline: kinds
data:
  inputs: { rows: kinds.csv }
  roles: { label: kind, key: [id] }
  subsets: { by: hash, train: 0.7, eval: 0.3, seed: 1 }
transform: [{ standardize: [x, z] }]
train: { logistic: { alpha: 1.0 } }
evaluate:
  slices: [half]
  require:
    - { metric: macro_f1, at_least: 0.5 }
    - { metric: 'recall(class=mid)', at_least: 0.1, every: half }
";

/// Three kinds in the plane, with some noise between two of them.
fn kinds() -> String {
    let mut text = "id,x,z,half,kind\n".to_owned();
    for id in 0..900_u32 {
        let (x, z) = (f64::from(id * 7919 % 1009) / 10.0, f64::from(id * 104_729 % 997) / 10.0);
        let draw = f64::from(id.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24);
        let kind = match (x + 20.0 * draw < 45.0, z > 40.0) {
            (true, _) => "low",
            (false, true) => "high",
            (false, false) => "mid",
        };
        text.push_str(&format!("{id},{x},{z},{},{kind}\n", ["odd", "even"][usize::from(id % 2 == 0)]));
    }
    text
}

#[test]
fn several_classes_go_all_the_way() {
    let place = Place::new();
    place.write("kinds.csv", &kinds());
    place.write("pipeline.yaml", KINDS);
    place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    let evaluation = place.json("out/runs/0001/evaluation/metrics.json");
    let slice = &evaluation["slices"][0];
    for name in ["accuracy", "log_loss", "macro_f1", "recall(class=mid)"] {
        assert!(slice["candidate"][name].is_number() && slice["intervals"][name].is_object(), "{slice:#}");
    }
    // The accuracy is what the matrix says.
    let matrix = &slice["tables"]["candidate"]["classes"];
    assert_eq!(matrix["classes"], serde_json::json!(["high", "low", "mid"]));
    let weight = |row: usize, column: usize| number(&matrix["weights"][row][column]);
    let total: f64 = (0..3).flat_map(|row| (0..3).map(move |column| weight(row, column))).sum();
    let hits: f64 = (0..3).map(|class| weight(class, class)).sum();
    assert_relative(total, number(&slice["rows"]), 0.0);
    assert_relative(number(&slice["candidate"]["accuracy"]), hits / total, 1e-15);
    // A model held against another on the same rows has tested changes.
    place.write(
        "heavy.yaml",
        &KINDS.replace("alpha: 1.0", "alpha: 300.0").replace("pipeline: kinds", "pipeline: heavy"),
    );
    place.sluice(&["run", "heavy.yaml", "--out", "heavy"]).exits(0);
    let judged = [
        "evaluate",
        DATASET,
        "--model",
        MODEL,
        "--baseline",
        "heavy/runs/0001/model",
        "--metric",
        "mcc",
        "--metric",
        "log_loss",
        "--require",
        "{metric: log_loss, prove_not_worse: 0.01}",
        "--out",
        "judged",
        "--json",
    ];
    let changes = place.sluice(&judged).exits(0).json()["slices"][0]["changes"].clone();
    for name in ["mcc", "log_loss"] {
        assert!(number(&changes[name]["standard_error"]) > 0.0, "{changes:#}");
    }
    let unknown = ["evaluate", DATASET, "--model", MODEL, "--metric", "recall(class=midd)", "--out", "e"];
    let outcome = place.sluice(&unknown).exits(2);
    assert!(outcome.stderr.contains("did you mean `mid`?"), "{outcome:#?}");
    let wrong =
        place.sluice(&["evaluate", DATASET, "--model", MODEL, "--metric", "rmse", "--out", "e"]).exits(2);
    assert!(wrong.stderr.contains("the model predicts several classes"), "{wrong:#?}");
}

#[test]
fn groups_and_metrics_of_ones_own_are_judged() {
    let place = ran();
    let arguments = [
        "evaluate",
        DATASET,
        "--model",
        MODEL,
        "--metric",
        "{name: cost, expression: 'abs(prediction - label) * minutes'}",
        "--fairness",
        "{by: plan, at_most: {demographic_parity_difference: 0.01}}",
        "--out",
        "judged",
        "--json",
    ];
    let outcome = place.sluice(&arguments).exits(1);
    let evaluation = outcome.json();
    assert!(number(&evaluation["slices"][0]["candidate"]["cost"]) > 0.0, "{evaluation:#}");
    let disparity = &evaluation["fairness"][0]["candidate"]["measures"]["demographic_parity_difference"];
    assert!(number(&disparity["value"]) > 0.01 && disparity["interval"].is_array(), "{disparity:#}");
    let missing = ["--metric", "{name: cost, expression: price * 2}", "--out", "e"];
    let outcome = place.sluice(&[&["evaluate", DATASET, "--model", MODEL], &missing[..]].concat()).exits(2);
    assert!(outcome.stderr.contains("`price`"), "{outcome:#?}");
}

/// Scores of `rows` rows with labels that they tell something of, and a second score that tells less.
fn scored(rows: u32) -> String {
    let mut text = "label,score,other,group\n".to_owned();
    for row in 0..rows {
        let draw = |salt: u64| {
            let state = (u64::from(row) << 8 | salt).wrapping_mul(sluice_core::splitmix::GAMMA);
            (sluice_core::splitmix::mix(state) >> 11) as f64 / (1_u64 << 53) as f64
        };
        let (score, label) = (draw(1), u8::from(draw(2) < draw(1)));
        text.push_str(&format!(
            "{label},{score:.6},{:.6},{}\n",
            0.5 * (score + draw(3)),
            ["a", "b"][(row % 2) as usize]
        ));
    }
    text
}

/// An evaluation of `scored.csv` with metrics of order.
fn evaluate_order(place: &Place, out: &str, rest: &[&str]) -> Outcome {
    let fixed = "evaluate scored.csv --label label --prediction score --baseline-prediction other --slice group \
        --metric auc --metric ks --metric auc_pr";
    let fixed: Vec<&str> = fixed.split_whitespace().collect();
    let what = ["--classes", "[0, 1]", "--require", "{metric: auc, at_least: 0.7}", "--out", out];
    place.sluice(&[&fixed[..], &what, rest].concat())
}

#[test]
fn histograms_of_scores_bound_the_figures_and_merge_to_the_bytes_of_one_run() {
    let place = Place::new();
    place.write("scored.csv", &scored(150_000));
    let evaluate = |out: &str, rest: &[&str]| evaluate_order(&place, out, rest);
    let histogram = ["--order-statistics", "{histogram: {bins: 200}}"];
    let _ = evaluate("exact", &[]).exits(0);
    let told = evaluate("whole", &histogram).exits(0);
    let told = told.says(&[
        "metrics of order come from a histogram of scores in 200 ranges; of all rows `auc` lies between",
    ]);
    drop(told);
    let (exact, whole) = (place.json("exact/metrics.json"), place.json("whole/metrics.json"));
    assert_eq!(whole["order_statistics"], serde_json::json!({"histogram": {"bins": 200}}));
    assert_eq!(exact.get("order_statistics"), None);
    for (exact, whole) in exact["slices"].as_array().unwrap().iter().zip(whole["slices"].as_array().unwrap())
    {
        for metric in ["auc", "ks", "auc_pr"] {
            for (values, bounds) in [("candidate", "bounds"), ("baseline", "baseline_bounds")] {
                let [low, high] = [0, 1].map(|end| number(&whole[bounds][metric][end]));
                let [truth, value] = [exact, whole].map(|slice| number(&slice[values][metric]));
                assert!(
                    low <= truth && truth <= high && low <= value && value <= high,
                    "{metric} {low} {truth} {high}"
                );
                assert!(high - low > 0.0 && high - low < 0.02, "{metric} {low} {high}");
            }
        }
        assert!(exact.get("bounds").is_none());
    }
    // States do not grow with the rows, and merge to the bytes of one run.
    let part = |out: &str, shard: &str, rest: &[&str]| {
        let partial = ["--shard", shard, "--partial", "--json"];
        let told = evaluate(out, &[&partial[..], rest].concat()).exits(0).json();
        number(&told["bytes"])
    };
    let small = [part("part-1", "1/2", &histogram), part("part-2", "2/2", &histogram)];
    let large = part("exact-state", "1/1", &[]);
    assert!(small.iter().all(|bytes| bytes * 10.0 < large), "{small:?} {large}");
    let _ = place.sluice(&["evaluate", "merge", "part-2", "part-1", "--out", "merged"]).exits(0);
    crate::support::assert_same_files(&place.path("whole"), &place.path("merged"));
    let mixed = place.sluice(&["evaluate", "merge", "part-1", "exact-state", "--out", "mixed"]);
    place.assert_failure(&mixed, 2, &["another way to find metrics of order (`order_statistics`)"]);
    // Its bound is met by the worse of its bounds or not at all.
    let low = number(&whole["slices"][0]["bounds"]["auc"][0]);
    let high = number(&whole["slices"][0]["bounds"]["auc"][1]);
    let between = format!("{{metric: auc, at_least: {}}}", f64::midpoint(low, high));
    let judged = evaluate("judged", &[&histogram[..], &["--require", &between]].concat()).exits(1);
    drop(judged.says(&["its histogram says between", "of which the worse counts"]));
    for (metric, told) in
        [("spearman", "`spearman` cannot be had"), ("threshold_at_recall(recall=2)", "recall")]
    {
        place.assert_failure(&evaluate("no", &[&histogram[..], &["--metric", metric]].concat()), 2, &[told]);
    }
}
