//! `sluice evaluate` from outside: what it writes for programs, CI systems and pull requests, accepted metrics, shards.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Float64Type;
use serde_json::{Value, json};
use sluice_testkit::datasets::repository;

use crate::support::{Outcome, Place, assert_same_files};

const REQUIRE: &str = "{metric: rmse, block_if_worse: 5%, at_most: 90, every: company}";

/// Three days of trips with a data set, a transform and two models of them; `worse` knows less of the fare.
fn place_with_models() -> Place {
    let place = Place::new();
    for day in 1..=3_u32 {
        let mut text = String::from("fare,miles,company,tips,subset\n");
        for row in 0..600_u32 {
            let noise = |factor: u32| (row * day + 11).wrapping_mul(factor) >> 16;
            let (fare, miles) = (noise(2_654_435_761) % 90, noise(2_246_822_519) % 30);
            let subset = if row % 3 == 0 { "eval" } else { "train" };
            let tips = f64::from(fare) * 0.15 + f64::from(miles) + f64::from(noise(668_265_263) % 50) / 7.0;
            let _ = writeln!(text, "{fare},{miles},c{},{tips},{subset}", row % 4);
        }
        place.write(&format!("days/{day}/trips.csv"), &text);
    }
    let ingest =
        ["ingest", "days/{SPAN}/*.csv", "--spans", "1..3", "--subset-column", "subset", "--out", "dataset"];
    let _ = place.sluice(&ingest).exits(0);
    let operations = ["--operation", "pass_through: [fare, miles]"];
    let fit = ["transform", "fit", "dataset", "--out", "transform"];
    let _ = place.sluice(&[&fit[..], &operations].concat()).exits(0);
    for (alpha, out) in [("0.1", "model"), ("3e5", "worse")] {
        let train = ["train", "dataset", "--transform", "transform", "--label", "tips", "--alpha", alpha];
        let _ = place.sluice(&[&train[..], &["--out", out]].concat()).exits(0);
    }
    place
}

fn evaluate(place: &Place, model: &str, out: &str, rest: &[&str]) -> Outcome {
    place.sluice(&[&["evaluate", "dataset", "--model", model, "--out", out][..], rest].concat())
}

/// Checks a value by the keywords of JSON Schema that our schemas use; every field must be in the schema.
pub(crate) fn check(schema: &Value, value: &Value, root: &Value, place: &str) {
    let keywords = schema.as_object().unwrap();
    let known = [
        "$schema",
        "$defs",
        "$ref",
        "title",
        "description",
        "type",
        "required",
        "properties",
        "items",
        "enum",
        "additionalProperties",
    ];
    assert!(keywords.keys().all(|keyword| known.contains(&keyword.as_str())), "{keywords:?}");
    if let Some(target) = schema["$ref"].as_str() {
        check(root.pointer(target.strip_prefix('#').unwrap()).unwrap(), value, root, place);
    }
    if let Some(choices) = schema["enum"].as_array() {
        assert!(choices.contains(value), "{place} is {value}");
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        _ => Vec::new(),
    };
    let is_of = |name: &&str| match *name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{other}"),
    };
    assert!(types.is_empty() || types.iter().any(is_of), "{place} is {value}, not {types:?}");
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(name.as_str().unwrap()).is_some(), "{place} has no {name}");
    }
    for (name, field) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) | (None, Some(schema)) => check(schema, field, root, &place),
            (None, None) => assert!(schema.get("properties").is_none(), "{place} is not in the schema"),
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(schema) = schema.get("items") {
            check(schema, item, root, &format!("{place}[{index}]"));
        }
    }
}

#[test]
fn an_evaluation_is_written_for_programs_ci_systems_and_pull_requests() {
    let place = place_with_models();
    let rest = ["--baseline", "model", "--require", REQUIRE, "--junit", "out/junit.xml"];
    let rest = [&rest[..], &["--markdown", "out/summary.md"]].concat();
    let outcome = evaluate(&place, "worse", "evaluation", &rest).exits(1);
    let _ = outcome.says(&["FAIL", "worse by more than 5% of the baseline"]);

    let metrics = place.json("evaluation/metrics.json");
    let schema = fs_err::read_to_string(repository().join("schemas/metrics.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    check(&schema, &metrics, &schema, "metrics");
    assert_eq!(place.json("evaluation/verdict.json"), metrics["verdict"]);

    let text = |name: &str| fs_err::read_to_string(place.path(name)).unwrap();
    assert_eq!(text("out/junit.xml"), text("evaluation/junit.xml"));
    assert_eq!(text("out/summary.md"), text("evaluation/summary.md"));
    let junit = text("evaluation/junit.xml");
    // A case per rule and slice.
    assert_eq!(junit.matches("<testcase").count(), 8, "{junit}");
    assert!(
        junit.contains("<testcase classname=\"rmse\" name=\"block_if_worse 5% in company=c0\">"),
        "{junit}"
    );
    assert!(junit.contains("<failure type=\"block_if_worse\" message=\"`rmse` went from"), "{junit}");
    let summary = text("evaluation/summary.md");
    for part in
        ["## Evaluation: FAIL", "### All rows", "### Slices that changed for the worse", "Requirements: 8"]
    {
        assert!(summary.contains(part), "{summary}");
    }

    let table = place.parquet("evaluation/metrics.parquet");
    let column = |name: &str| Arc::clone(table.column_by_name(name).unwrap());
    let slices = metrics["slices"].as_array().unwrap();
    let metric_names = metrics["metrics"].as_array().unwrap();
    assert_eq!(table.num_rows(), slices.len() * metric_names.len() * 3);
    let values = column("value");
    let first = values.as_primitive::<Float64Type>().value(0);
    assert_eq!(Some(first), slices[0]["candidate"][metric_names[0]["name"].as_str().unwrap()].as_f64());
    assert_eq!(column("slice").as_string::<i32>().value(0), "overall");
    let by = column("by_company");
    let by = by.as_string::<i32>();
    assert!(by.is_null(0) && by.value(table.num_rows() - 1) == "c3");
    assert_eq!(column("model").as_string::<i32>().value(2), "change");
    assert!(!column("low").is_null(0) && !column("p_worse").is_null(2));
    place.is_tidy();
}

#[test]
fn an_evaluation_that_fails_still_says_so_everywhere() {
    let place = place_with_models();
    let rest = ["--slice", "nowhere", "--accept-any", "--junit", "junit.xml", "--markdown", "summary.md"];
    let outcome = evaluate(&place, "model", "evaluation", &rest);
    place.assert_failure(&outcome, 2, &["nowhere"]);
    assert_eq!(place.json("evaluation/verdict.json")["outcome"], "error");
    assert!(!place.path("evaluation/metrics.json").exists());
    for (name, part) in
        [("junit.xml", "<failure type=\"evaluation\""), ("summary.md", "## Evaluation: ERROR")]
    {
        let text = fs_err::read_to_string(place.path(name)).unwrap();
        assert!(text.contains(part), "{text}");
        assert_eq!(text, fs_err::read_to_string(place.path(&format!("evaluation/{name}"))).unwrap());
    }
}

#[test]
fn no_check_is_no_pass_unless_any_model_is_accepted() {
    let place = place_with_models();
    let outcome = evaluate(&place, "model", "evaluation", &[]).exits(1);
    let _ = outcome.says(&["FAIL", "nothing is required, so no figure was checked"]);
    let _ = evaluate(&place, "model", "evaluation", &["--accept-any"]).exits(0).says(&["PASS"]);
}

#[test]
fn accepted_metrics_are_made_kept_and_replaced() {
    let place = place_with_models();
    let against = ["--against", "ci/accepted.json", "--slice", "company"];
    // The first model has nothing to be compared with, and its metrics are what the next is compared with.
    let _ = evaluate(&place, "model", "first", &against).exits(0);
    assert_eq!(place.json("first/verdict.json")["comparison"], "no-baseline");
    let accepted = place.json("ci/accepted.json");
    assert_eq!(accepted, place.json("first/metrics.json"));
    // The same model again is no regression; a worse one is, and is not accepted.
    let _ = evaluate(&place, "model", "again", &against).exits(0);
    assert_eq!(place.json("again/verdict.json")["comparison"], "accepted-metrics");
    let update = [&against[..], &["--update-accepted"]].concat();
    let outcome = evaluate(&place, "worse", "worse-evaluation", &update).exits(1);
    let _ = outcome.says(&["worse than the baseline is proven", "Bonferroni over 8 rules"]);
    assert_eq!(place.json("ci/accepted.json"), accepted);
    // Other requirements than "no regression" are those that count.
    let rest = [&update[..], &["--require", "{metric: rmse, at_most: 1000}"]].concat();
    let _ = evaluate(&place, "worse", "lenient", &rest).exits(0);
    assert_eq!(place.json("ci/accepted.json"), place.json("lenient/metrics.json"));
    place.write("ci/broken.json", "{}");
    let outcome = evaluate(&place, "model", "new", &["--against", "ci/broken.json"]);
    place.assert_failure(&outcome, 4, &["ci/broken.json", "not a `metrics.json`"]);
    assert!(!place.path("new").exists());
}

#[test]
fn merged_shards_are_the_bytes_of_one_run() {
    let place = place_with_models();
    let rest = ["--baseline", "model", "--slice", "company", "--require", REQUIRE];
    let _ = evaluate(&place, "worse", "whole", &rest).exits(1);
    for shard in ["1/3", "2/3", "3/3"] {
        let partial = ["--shard", shard, "--partial", "--json"];
        let out = format!("part-{}", &shard[..1]);
        let told = evaluate(&place, "worse", &out, &[&rest[..], &partial].concat()).exits(0).json();
        assert!(told["rows"].as_u64().unwrap() > 0 && told["bytes"].as_u64().unwrap() > 1000, "{told}");
    }
    let merge =
        ["evaluate", "merge", "part-3", "part-1", "part-2", "--out", "merged", "--junit", "junit.xml"];
    let _ = place.sluice(&merge).exits(1).says(&["FAIL"]);
    assert_same_files(&place.path("whole"), &place.path("merged"));
    assert!(place.path("junit.xml").exists());

    let missing = place.sluice(&["evaluate", "merge", "part-1", "part-3", "--out", "new"]);
    place.assert_failure(&missing, 2, &["no state holds splits"]);
    let twice = place.sluice(&["evaluate", "merge", "part-1", "part-2", "part-3", "part-3", "--out", "new"]);
    place.assert_failure(&twice, 2, &["two states hold split", "part-3"]);
    let other = ["--require", REQUIRE, "--shard", "1/3", "--partial"];
    let _ = evaluate(&place, "worse", "other", &other).exits(0);
    let outcome = place.sluice(&["evaluate", "merge", "other", "part-2", "part-3", "--out", "new"]);
    place.assert_failure(&outcome, 2, &["another baseline", "hint: make all states of one data set"]);
    assert!(!place.path("new").exists());
}

#[test]
fn the_first_format_of_evaluations_is_refused_by_name() {
    let place = place_with_models();
    let _ = evaluate(&place, "model", "evaluation", &["--accept-any"]).exits(0);
    let manifest = place.json("evaluation/manifest.json");
    let mut older = manifest;
    older["format_version"] = json!(1);
    place.write("evaluation/manifest.json", &older.to_string());
    let push = ["push", "model", "--evaluation", "evaluation", "--registry", "registry", "--name", "m"];
    let outcome = place.sluice(&push);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("version 1"), "{outcome:#?}");
}

#[test]
fn the_first_format_of_states_is_refused_by_name() {
    let place = place_with_models();
    let _ = evaluate(&place, "model", "state", &["--accept-any", "--partial"]).exits(0);
    let mut older = place.json("state/manifest.json");
    assert_eq!(older["format_version"], json!(2));
    older["format_version"] = json!(1);
    place.write("state/manifest.json", &older.to_string());
    let outcome = place.sluice(&["evaluate", "merge", "state", "--out", "new"]);
    assert_ne!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("version 1"), "{outcome:#?}");
    assert!(!place.path("new").exists());
}

/// The commands of a snippet, with what the CI system puts into them.
fn commands(text: &str) -> Vec<Vec<String>> {
    let mut text = text.replace("\\\n", " ");
    while let (Some(start), Some(end)) = (text.find("${{"), text.find("}}")) {
        text.replace_range(start..end + 2, "--update-accepted");
    }
    for variable in ["$(UPDATE)", "${_UPDATE}", "$UPDATE"] {
        text = text.replace(variable, "--update-accepted");
    }
    let words = |line: &str| line.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect();
    text.lines().map(str::trim).filter(|line| line.starts_with("sluice ")).map(words).collect()
}

#[test]
fn snippets_for_ci_systems_name_options_that_there_are() {
    let folder = repository().join("components/ci");
    let mut seen = 0;
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            continue;
        }
        let text = fs_err::read_to_string(&path).unwrap();
        let commands = commands(&text);
        assert!(!commands.is_empty(), "{} has no command", path.display());
        for command in commands {
            let place = Place::new();
            let words: Vec<&str> = command[1..].iter().map(String::as_str).collect();
            assert!(
                ["evaluate", "--junit", "--markdown"].iter().all(|word| words.contains(word)),
                "{words:?}"
            );
            // The parser is satisfied; what is missing is the model.
            place.assert_failure(&place.sluice(&words), 3, &["there is no artifact at `model`"]);
            seen += 1;
        }
        for kept in ["junit.xml", "summary.md", "accepted-metrics"] {
            assert!(text.contains(kept), "{} does not keep `{kept}`", path.display());
        }
    }
    assert_eq!(seen, 5, "GitHub Actions, GitLab, Azure Pipelines, Cloud Build, Jenkins");
}

#[test]
fn configurations_of_tensorflow_model_analysis_are_taken_over_or_refused_by_name() {
    let place = place_with_models();
    let config = |bound: &str, more: &str| {
        format!(
            "model_specs {{ label_key: 'tips' signature_name: 'serving_default' }}\n\
             slicing_specs {{}} slicing_specs {{ feature_keys: ['company'] }}\n\
             metrics_specs {{ metrics {{ class_name: 'RootMeanSquaredError' threshold {{\n\
             value_threshold {{ upper_bound {{ value: {bound} }} }}\n\
             change_threshold {{ direction: LOWER_IS_BETTER absolute {{ value: 1e-10 }} }} }} }} {more} }}\n"
        )
    };
    place.write("config.pbtxt", &config("90", ""));
    let rest = ["--eval-config", "config.pbtxt"];
    let passed = evaluate(&place, "model", "evaluation", &rest).exits(0);
    assert!(passed.stderr.contains("`model_specs.signature_name` says how TensorFlow runs"), "{passed:#?}");
    // Overall and four companies, each with a bound of the value and one of the change.
    assert_eq!(place.json("evaluation/verdict.json")["reasons"].as_array().unwrap().len(), 11);
    let against = [&rest[..], &["--baseline", "model"]].concat();
    let worse = evaluate(&place, "worse", "judged", &against).exits(1);
    let _ = worse.says(&["above the bound of +1.000e-10 for candidate − baseline"]);
    place.write("config.pbtxt", &config("90", "query_key: 'q'"));
    let outcome = evaluate(&place, "model", "new", &rest);
    place.assert_failure(&outcome, 2, &["`metrics_specs.query_key` has no counterpart here"]);
    place.write("config.pbtxt", &config("90", "").replace("tips", "fare"));
    let outcome = evaluate(&place, "model", "new", &rest);
    place.assert_failure(&outcome, 2, &["the `label_key` is `fare`, the model predicts `tips`"]);
    assert!(!place.path("new").exists());
}

#[test]
fn a_check_warns_where_nothing_is_required() {
    let place = Place::new();
    place.write("rows.csv", "id,x,y\n1,2,3\n2,4,5\n3,6,8\n4,7,9\n");
    let pipeline = |evaluate: &str| {
        place.write(
            "pipeline.yaml",
            &format!(
                "pipeline: p\ndata: {{ inputs: {{ rows: rows.csv }}, roles: {{ label: y, key: [id] }}, subsets: {{ by: hash, \
                 train: 0.5, eval: 0.5 }} }}\ntransform: [{{ standardize: [x] }}]\ntrain: {{ ridge: {{ alpha: 1 }} }}\n\
                 evaluate: {evaluate}\n"
            ),
        );
        place.sluice(&["check", "pipeline.yaml"]).exits(0)
    };
    let told = pipeline("{ slices: [x] }");
    assert!(told.stderr.contains("nothing is required under `evaluate`, so no model will pass"), "{told:#?}");
    for sound in
        ["{ accept_any: true }", "{ block_regressions: true }", "{ require: [{ metric: mse, at_most: 1 }] }"]
    {
        let told = pipeline(sound);
        assert!(!told.stderr.contains("nothing is required"), "{told:#?}");
    }
}
