//! Classes from text to a verdict: a logistic model through the pipeline, its predictions, its explanations, its
//! calibration, and what is refused.

use serde_json::Value;
use sluice_testkit::assert_relative;

use crate::support::Place;

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

fn ran() -> Place {
    let place = Place::new();
    place.write("rows.csv", &rows(["stayed", "left"]));
    place.write("pipeline.yaml", PIPELINE);
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    assert!(outcome.stderr.contains("logistic, alpha 1"), "{outcome:#?}");
    place
}

const MODEL: &str = "out/runs/0001/model";
const DATASET: &str = "out/runs/0001/dataset";

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
