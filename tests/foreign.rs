//! Models that are not packages, judged and compared by the real binary: columns of predictions, programs.

use serde_json::Value;

use crate::support::Place;

/// Tips with the predictions of a model, and of a worse one.
fn scored() -> String {
    let mut text = "id,miles,tips,score,old,class\n".to_owned();
    for id in 0..400_u32 {
        let noise = |salt: u32| f64::from((id * 7919 + salt * 104_729) % 1009) / 1009.0 - 0.5;
        let miles = f64::from(id * 31 % 97) / 10.0;
        let tips = 1.0 + 0.5 * miles + noise(1);
        let class = if tips > 3.0 { "high" } else { "low" };
        text.push_str(&format!(
            "{id},{miles},{tips},{},{},{class}\n",
            1.0 + 0.5 * miles,
            tips + 2.0 * noise(2)
        ));
    }
    text
}

fn metric(evaluation: &Value, side: &str, metric: &str) -> f64 {
    evaluation["slices"][0][side][metric].as_f64().unwrap_or_else(|| panic!("{evaluation:#}"))
}

#[test]
fn columns_of_predictions_are_compared() {
    let place = Place::new();
    place.write("scored.csv", &scored());
    let outcome = place.sluice(&[
        "evaluate",
        "scored.csv",
        "--label",
        "tips",
        "--prediction",
        "score",
        "--baseline-prediction",
        "old",
        "--require",
        "{metric: rmse, block_if_worse: 0.0}",
        "--out",
        "e",
        "--json",
    ]);
    let evaluation = outcome.exits(0).json();
    // By hand: the root of the mean of squares of tips − score, of old − tips.
    let text = scored();
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').take(5).map(|cell| cell.parse().unwrap()).collect())
        .collect();
    let rmse = |column: usize| {
        let sum: f64 = rows.iter().map(|row| (row[2] - row[column]).powi(2)).sum();
        (sum / 400.0).sqrt()
    };
    assert!((metric(&evaluation, "candidate", "rmse") - rmse(3)).abs() < 1e-12, "{evaluation:#}");
    assert!((metric(&evaluation, "baseline", "rmse") - rmse(4)).abs() < 1e-12, "{evaluation:#}");
    assert_eq!(evaluation["verdict"]["outcome"], "pass");
    // The same as a description, the other way round: it is worse.
    place.write("old.yaml", "label: tips\npredictions: [old]\n");
    let worse = place.sluice(&[
        "evaluate",
        "scored.csv",
        "--model",
        "old.yaml",
        "--baseline",
        "{label: tips, predictions: [score]}",
        "--require",
        "{metric: rmse, block_if_worse: 0.0}",
        "--out",
        "f",
    ]);
    worse.exits(1);
}

#[test]
fn a_package_its_predictions_and_a_program_are_the_same_model() {
    let place = Place::new();
    place.write("scored.csv", &scored());
    place.write(
        "pipeline.yaml",
        "pipeline: tips\ndata:\n  inputs: { rows: scored.csv }\n  roles: { label: tips, key: [id] }\n  \
         subsets: { by: hash, train: 0.5, eval: 0.5, seed: 1 }\ntransform:\n  - standardize: [miles]\n\
         train: { ridge: { alpha: 1.0 } }\nevaluate: { accept_any: true }\n",
    );
    place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    let model = "out/runs/0001/model";
    place.sluice(&["predict", model, "scored.csv", "--keep", "tips", "--out", "predictions"]).exits(0);
    let evaluated = |arguments: &[&str]| {
        let outcome = place.sluice(
            &[&["evaluate", "predictions/*.parquet", "--accept-any"], arguments, &["--json"]].concat(),
        );
        let evaluation = outcome.exits(0).json();
        (metric(&evaluation, "candidate", "rmse"), metric(&evaluation, "candidate", "r2"))
    };
    let package =
        place.sluice(&["evaluate", "scored.csv", "--model", model, "--accept-any", "--out", "a", "--json"]);
    let package = metric(&package.exits(0).json(), "candidate", "rmse");
    let columns = evaluated(&["--label", "tips", "--prediction", "prediction", "--out", "b"]);
    // `cat` answers what it is sent: the predictions themselves.
    let description = "{label: tips, command: {run: [cat], columns: [prediction]}}";
    let program = evaluated(&["--model", description, "--out", "c"]);
    assert!((package - columns.0).abs() < 1e-13, "{package} {columns:?}");
    assert_eq!((columns.0.to_bits(), columns.1.to_bits()), (program.0.to_bits(), program.1.to_bits()));
    // A row that the package cannot predict is an error, or left out: of the figures and of the search alike.
    place.write("gaps.csv", &scored().replacen("\n2,6.2,", "\n2,,", 1));
    let gaps =
        ["evaluate", "gaps.csv", "--model", model, "--accept-any", "--weak-slices", "{minimum_rows: 50}"];
    let refused = place.sluice(&[&gaps[..], &["--out", "g"]].concat()).exits(4);
    assert!(
        refused.stderr.contains("feature `miles` is null") && refused.stderr.contains("row 3"),
        "{refused:#?}"
    );
    let left_out = place.sluice(&[&gaps[..], &["--missing", "exclude", "--out", "h", "--json"]].concat());
    let left_out = left_out.exits(0).json();
    assert_eq!(
        (&left_out["excluded"]["candidate"], &left_out["slices"][0]["rows"]),
        (&1.into(), &399.into())
    );
    assert_eq!(place.json("h/weak_slices.json")["rows"], 399);
    // What is said of predictions where there are none is no option that is forgotten.
    let idle = ["evaluate", "scored.csv", "--model", model, "--label", "tips", "--out", "i"];
    assert!(place.sluice(&idle).exits(2).stderr.contains("`--label` is of `--prediction`"));
    // A package against predictions of another model of the same label.
    let both = place.sluice(&[
        "evaluate",
        "scored.csv",
        "--model",
        model,
        "--label",
        "tips",
        "--baseline-prediction",
        "old",
        "--accept-any",
        "--out",
        "d",
        "--json",
    ]);
    assert_eq!(both.exits(0).json()["verdict"]["comparison"], "compared");
}

#[test]
fn a_model_that_fails_is_an_error_and_a_baseline_that_fails_is_not_comparable() {
    let place = Place::new();
    place.write("scored.csv", &scored());
    let dying = "{label: tips, command: {run: [sh, -c, 'echo out of memory >&2; exit 9']}}";
    let outcome = place.sluice(&["evaluate", "scored.csv", "--model", dying, "--out", "e"]).exits(4);
    assert!(outcome.stderr.contains("exit status: 9"), "{outcome:#?}");
    assert!(outcome.stderr.contains("out of memory"), "{outcome:#?}");
    assert_eq!(place.json("e/verdict.json")["outcome"], "error");
    let columns = ["evaluate", "scored.csv", "--label", "tips", "--prediction", "score"];
    let compared = place.sluice(&[&columns[..], &["--baseline", dying, "--out", "f", "--json"]].concat());
    assert_eq!(compared.exits(1).json()["verdict"]["comparison"], "not-comparable");
    let absent = ["evaluate", "scored.csv", "--label", "tips", "--prediction", "scores", "--out", "g"];
    let outcome = place.sluice(&absent).exits(2);
    assert!(outcome.stderr.contains("column `scores`"), "{outcome:#?}");
    // A prediction that is missing is an error with its row, or left out and counted.
    place.write("gaps.csv", "tips,score\n1,1\n2,\n3,2.5\n,4\n");
    let gaps = ["evaluate", "gaps.csv", "--label", "tips", "--prediction", "score", "--metric", "mse"];
    let refused = place.sluice(&[&gaps[..], &["--out", "j"]].concat()).exits(4);
    assert!(refused.stderr.contains("`gaps.csv`, row 4"), "{refused:#?}");
    let excluded = place
        .sluice(&[&gaps[..], &["--missing", "exclude", "--accept-any", "--out", "k", "--json"]].concat());
    let excluded = excluded.exits(0).json();
    assert_eq!((&excluded["excluded"]["label"], &excluded["excluded"]["candidate"]), (&1.into(), &1.into()));
    assert_eq!((metric(&excluded, "candidate", "mse"), &excluded["slices"][0]["rows"]), (0.125, &2.into()));
    // Text is no prediction, a number no probability.
    let text = ["evaluate", "scored.csv", "--label", "tips", "--prediction", "class", "--out", "h"];
    assert!(place.sluice(&text).exits(2).stderr.contains("column `class`"));
    let classes =
        ["--label", "class", "--classes", "[low, high]", "--prediction", "score", "--metric", "mse"];
    let probability = place.sluice(&[&["evaluate", "scored.csv"], &classes[..], &["--out", "i"]].concat());
    assert!(probability.exits(4).stderr.contains("probability"));
}
