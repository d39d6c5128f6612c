//! `sluice evaluate` with contenders from outside: further models on the same rows, in the same scan, beside the model that
//! is judged.

use std::fmt::Write as _;

use arrow::array::{Array, AsArray};
use serde_json::Value;
use sluice_testkit::datasets::repository;

use crate::evaluate::check;
use crate::support::{Outcome, Place, assert_same_files};

/// Three days of tips with the predictions of four models.
fn place() -> Place {
    let place = Place::new();
    for day in 1..=3_u32 {
        let mut text = String::from("miles,company,tips,high,new,old,gbm,wide,p_new,p_gbm\n");
        for row in 0..200_u32 {
            let noise = |salt: u32| f64::from((row * 7919 + day * 31 + salt * 104_729) % 1009) / 1009.0 - 0.5;
            let miles = f64::from(row * 31 % 97) / 10.0;
            let tips = 1.0 + 0.5 * miles + noise(1);
            let score = |size: f64, salt: u32| 1.0 + 0.5 * miles + size * noise(salt);
            let (new, old, gbm, wide) = (score(0.2, 2), score(0.5, 3), score(0.1, 4), score(3.0, 5));
            let probability = |score: f64| 1.0 / (1.0 + (3.0 - score).exp());
            let high = if tips > 3.0 { "yes" } else { "no" };
            let _ = writeln!(
                text,
                "{miles},c{},{tips},{high},{new},{old},{gbm},{wide},{},{}",
                row % 4,
                probability(new),
                probability(gbm)
            );
        }
        place.write(&format!("rows/{day}.csv"), &text);
    }
    place.write("wide.yaml", "label: tips\npredictions: [wide]\n");
    place
}

const COMPARED: [&str; 9] = [
    "--label",
    "tips",
    "--baseline-prediction",
    "old",
    "--slice",
    "company",
    "--block-regressions",
    "--metric",
    "rmse",
];

fn evaluate(place: &Place, prediction: &str, out: &str, rest: &[&str]) -> Outcome {
    let first = ["evaluate", "rows/*.csv", "--prediction", prediction, "--out", out, "--json"];
    place.sluice(&[&first[..], &COMPARED, rest].concat())
}

const CONTENDERS: [&str; 4] = ["--contender", "wide=wide.yaml", "--contender-prediction", "gbm=gbm"];

#[test]
fn contenders_are_measured_like_candidates_and_decide_nothing() {
    let place = place();
    // The worse model blocks as a candidate, but not as a contender.
    let gbm = evaluate(&place, "gbm", "gbm", &[]).exits(0).json();
    let wide = evaluate(&place, "wide", "wide", &[]).exits(1).json();
    let alone = evaluate(&place, "new", "alone", &[]).exits(0).json();
    let all = evaluate(&place, "new", "all", &CONTENDERS).exits(0).json();
    assert_eq!(all["contenders"][0]["name"], "gbm");
    assert_eq!(all["contenders"][1]["digest"], wide["verdict"]["candidate_digest"]);
    assert_eq!(all["verdict"], alone["verdict"]);
    let slices = all["slices"].as_array().unwrap();
    assert_eq!(slices.len(), 5);
    for (place, slice) in slices.iter().enumerate() {
        for (name, as_candidate) in [("gbm", &gbm), ("wide", &wide)] {
            let (found, expected) = (&slice["contenders"][name], &as_candidate["slices"][place]);
            assert_eq!(found["values"], expected["candidate"]);
            assert_eq!(found["intervals"], expected["intervals"]);
            assert_eq!(found["changes"], expected["changes"]);
            assert_eq!(slice["curves"][name], expected["curves"]["candidate"]);
        }
        assert_eq!(slice["candidate"], alone["slices"][place]["candidate"]);
        assert_eq!(slice["changes"], alone["slices"][place]["changes"]);
    }
    let schema = fs_err::read_to_string(repository().join("schemas/metrics.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    check(&schema, &all, &schema, "metrics");

    let table = place.parquet("all/metrics.parquet");
    let models = table.column_by_name("model").unwrap().as_string::<i32>().clone();
    let of_first: Vec<&str> = (0..7).map(|row| models.value(row)).collect();
    let expected = ["candidate", "baseline", "change", "gbm", "change of gbm", "wide", "change of wide"];
    assert_eq!(of_first, expected);
    assert_eq!(models.len(), 7 * 5);
    let text = |name: &str| fs_err::read_to_string(place.path(name)).unwrap();
    assert!(text("all/summary.md").contains("### Contenders"));
    assert!(text("all/summary.md").contains("| `rmse` | wide |"), "{}", text("all/summary.md"));
    assert!(text("all/evaluation.html").contains("<h3>Contenders</h3>"));
    let shown = place.sluice(
        &[&["evaluate", "rows/*.csv", "--prediction", "new", "--out", "shown"], &COMPARED[..], &CONTENDERS]
            .concat(),
    );
    let _ = shown.exits(0).says(&["gbm", "wide", "its change"]);
}

#[test]
fn shards_with_contenders_merge_to_the_bytes_of_one_run() {
    let place = place();
    let ranked = ["--label", "high", "--classes", "[no, yes]", "--slice", "company", "--metric", "auc"];
    let ranked = [&ranked[..], &["--metric", "log_loss", "--accept-any"]].concat();
    let models = ["--prediction", "p_new", "--contender-prediction", "gbm=p_gbm"];
    let run = |out: &str, rest: &[&str]| {
        let first = ["evaluate", "rows/*.csv", "--out", out];
        place.sluice(&[&first[..], &ranked, &models, rest].concat()).exits(0)
    };
    let _ = run("whole", &[]);
    for shard in ["1/3", "2/3", "3/3"] {
        let _ = run(&format!("part-{}", &shard[..1]), &["--shard", shard, "--partial"]);
    }
    let merge = ["evaluate", "merge", "part-3", "part-1", "part-2", "--out", "merged"];
    let _ = place.sluice(&merge).exits(0);
    assert_same_files(&place.path("whole"), &place.path("merged"));
    let page = fs_err::read_to_string(place.path("whole/evaluation.html")).unwrap();
    for words in ["<i class=\"k f2\"></i><bdi>gbm</bdi>", "class=\"o2\""] {
        assert!(page.contains(words), "no `{words}` in the page");
    }
    let other = ["evaluate", "rows/*.csv", "--prediction", "p_new", "--out", "other", "--shard", "1/3"];
    let _ = place.sluice(&[&other[..], &ranked, &["--partial"]].concat()).exits(0);
    let outcome = place.sluice(&["evaluate", "merge", "other", "part-2", "part-3", "--out", "new"]);
    place.assert_failure(&outcome, 2, &["another set of contenders"]);
}

#[test]
fn contenders_that_cannot_be_measured_are_named() {
    let place = place();
    let cases: [(&[&str], i32, &[&str]); 6] = [
        (
            &["--contender", "wide.yaml"][..],
            2,
            &["`--contender wide.yaml` cannot be read", "--contender gbm="][..],
        ),
        (&["--contender", "candidate=wide.yaml"], 2, &["`candidate`, which reports call something else"]),
        (
            &["--contender", "a=wide.yaml", "--contender-prediction", "a=gbm"],
            2,
            &["`contenders` name two models `a`", "a name of its own"],
        ),
        (&["--contender-prediction", "a=nothing"], 2, &["column `nothing`", "contender `a`"]),
        (
            &["--contender", "a={label: miles, predictions: [gbm]}"],
            2,
            &["contender `a`", "it predicts `miles`"],
        ),
        (&["--contender", "a=absent"], 3, &["absent", "contender `a`"]),
    ];
    for (rest, code, parts) in cases {
        let outcome = evaluate(&place, "new", "new", rest);
        assert_eq!(outcome.code, Some(code), "{outcome:#?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
        }
        assert!(!place.path("new/metrics.json").exists());
    }
}

#[test]
fn a_pipeline_file_names_contenders() {
    let place = place();
    let rest = "data:\n  inputs: { rows: 'rows/*.csv' }\n  roles: { label: tips, ignored: [high] }\n  \
                subsets: { by: hash, train: 0.5, eval: 0.5, seed: 1 }\ntransform:\n  - pass_through: [miles]\n\
                train: { ridge: { alpha: 1.0 } }\n";
    let written = |contenders: &str| {
        let text =
            format!("pipeline: tips\n{rest}evaluate: {{ accept_any: true, contenders: {contenders} }}\n");
        place.write("pipeline.yaml", &text);
    };
    written("{ wide: wide.yaml }");
    place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    let metrics = place.json("out/runs/0001/evaluation/metrics.json");
    assert!(metrics["slices"][0]["contenders"]["wide"]["values"]["rmse"].is_number(), "{metrics:#}");
    // Another model under the same name is another evaluation.
    let _ = place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    place.write("wide.yaml", "label: tips\npredictions: [old]\n");
    let changed = place.sluice(&["run", "pipeline.yaml", "--out", "out", "--json"]).exits(0).json();
    let steps = changed["steps"].as_array().unwrap();
    let reason = |step: &Value| step["reason"].as_str().unwrap_or_default().to_owned();
    assert!(steps.iter().any(|step| reason(step) == "changed: contender wide"), "{changed:#}");
    let _ = place.sluice(&["runs", "lineage", "1", "--out", "out"]).exits(0).says(&["contender_wide"]);
    written("{ baseline: wide.yaml }");
    let refused = place.sluice(&["check", "pipeline.yaml"]);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("`baseline`, which reports call something else"), "{refused:#?}");
}
