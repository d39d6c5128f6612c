//! One component of TFX at a time: its Examples as data sets, ours as its Examples, statistics and anomalies per split,
//! and the markers of blessings.

use std::path::Path;

use serde_json::Value;

use crate::support::{Place, assert_same_files, data, diabetes, files};

const FILE: &str = "data_tfrecord-00000-of-00001.gz";

/// A place with `examples`, written as TFX lays them out, and `tfx`, the same without anything of ours beside.
fn place_with_examples() -> Place {
    let place = Place::new();
    let ingest = ["ingest", &diabetes("diabetes.csv"), "--subset-column", "subset", "--to", "tfrecord"];
    let outcome = place.sluice(&[&ingest[..], &["--out", "examples"]].concat()).exits(0);
    assert!(outcome.stdout.contains("values rounded to the 32 bits"), "{outcome:#?}");
    for split in ["Split-train", "Split-eval"] {
        fs_err::create_dir_all(place.path("tfx").join(split)).unwrap();
        let copy = |root: &str| place.path(root).join(split).join(FILE);
        fs_err::copy(copy("examples"), copy("tfx")).unwrap();
    }
    let written: Vec<String> = files(&place.path("examples")).into_keys().collect();
    let expected =
        ["Split-eval/data_tfrecord-00000-of-00001.gz", "Split-train/data_tfrecord-00000-of-00001.gz"];
    assert_eq!(written, [&expected[..], &["dataset.json", "manifest.json"]].concat());
    place
}

/// The rows of each subset.
fn subsets(record: &Value) -> Vec<(String, u64)> {
    let subsets = record["subsets"].as_array().unwrap();
    subsets
        .iter()
        .map(|subset| (subset["name"].as_str().unwrap().into(), subset["num_rows"].as_u64().unwrap()))
        .collect()
}

#[test]
fn examples_of_tfx_are_a_data_set_of_every_command() {
    let place = place_with_examples();
    let wanted = [("eval".to_owned(), 89), ("train".to_owned(), 353)];
    for input in ["tfx", "examples"] {
        let statistics = place.sluice(&["statistics", input, "--json"]).exits(0).json();
        assert_eq!(subsets(&statistics), wanted, "{input}");
        let one = place.sluice(&["statistics", input, "--subset", "eval", "--json"]).exits(0).json();
        assert_eq!(one["subsets"][0], statistics["subsets"][0], "{input}");
    }
    let _ = place.sluice(&["statistics", "tfx/Split-train", "--json"]).exits(0).says(&["\"num_rows\": 353"]);
    // The splits that are there are kept.
    let _ = place.sluice(&["ingest", "tfx", "--out", "dataset"]).exits(0).says(&["eval: 89", "train: 353"]);
    let record = place.json("dataset/dataset.json");
    assert_eq!(record["assigned"], "by the folder `Split-NAME` of their file");
    assert_eq!(place.parquet("dataset/train/part-00000.parquet").num_rows(), 353);
    // Unless something else is asked for.
    let shares = ["ingest", "tfx", "--share", "train=0.5", "--share", "eval=0.5", "--out", "other"];
    assert_ne!(place.sluice(&shares).exits(0).stdout, "");
    assert_ne!(place.json("other/dataset.json")["subsets"]["eval"], 89);

    for (input, out) in [("tfx", "model"), ("dataset", "same")] {
        let transform = format!("{out}-transform");
        let fit = ["transform", input, "--operation", "{standardize: [bmi, bp, s5]}", "--label", "target"];
        let _ = place.sluice(&[&fit[..], &["--out", &transform]].concat()).exits(0);
        let train =
            ["train", input, "--transform", &transform, "--label", "target", "--alpha", "0.4", "--out", out];
        let _ = place.sluice(&train).exits(0);
    }
    let metrics = |input: &str, model: &str| {
        let out = format!("evaluation-{model}");
        let evaluate = ["evaluate", input, "--model", model, "--out", &out, "--accept-any", "--json"];
        let evaluation = place.sluice(&evaluate).exits(0).json();
        evaluation["slices"][0]["candidate"]["rmse"].as_f64().unwrap().to_bits()
    };
    // The same rows in the same order: the same bits, whether they lie in Parquet or not.
    assert_eq!(metrics("tfx", "model"), metrics("dataset", "same"));
    let predict = ["predict", "model", "tfx", "--keep", "target", "--to", "tfrecord", "--out", "scored"];
    let _ = place.sluice(&predict).exits(0);
    let scored = place.sluice(&["statistics", "scored/part-00000.tfrecord.gz", "--json"]).exits(0).json();
    assert_eq!(subsets(&scored), [("all".to_owned(), 89)]);
    let apply = ["transform", "apply", "model-transform", "tfx", "--subset", "train", "--keep", "target"];
    let _ = place.sluice(&[&apply[..], &["--to", "tfrecord", "--out", "features"]].concat()).exits(0);
    let file = "features/transformed_examples-00000-of-00001.gz";
    assert_eq!(
        subsets(&place.sluice(&["statistics", file, "--json"]).exits(0).json()),
        [("all".into(), 353)]
    );
    place.is_tidy();
}

#[test]
fn examples_are_the_same_bytes_again() {
    let place = place_with_examples();
    for threads in ["1", "7"] {
        let ingest = ["ingest", &diabetes("diabetes.csv"), "--subset-column", "subset", "--to", "tfrecord"];
        let _ = place.sluice(&[&ingest[..], &["--out", "again", "--threads", threads]].concat()).exits(0);
        assert_same_files(&place.path("examples"), &place.path("again"));
    }
    // What was read from TFRecord and is written again is the same file, in the same order.
    let _ = place.sluice(&["ingest", "tfx", "--to", "tfrecord", "--out", "twice"]).exits(0);
    let bytes = |root: &str| fs_err::read(place.path(root).join("Split-train").join(FILE)).unwrap();
    assert_eq!(bytes("examples"), bytes("twice"));
}

#[test]
fn statistics_and_anomalies_lie_as_tfx_has_them() {
    let place = place_with_examples();
    let statistics = ["statistics", "tfx", "--tfx-statistics", "split-statistics", "--out", "statistics"];
    let _ = place.sluice(&statistics).exits(0);
    for subset in ["train", "eval"] {
        let theirs = place.path(&format!("split-statistics/Split-{subset}/FeatureStats.pb"));
        let ours = place.path(&format!("statistics/statistics-{subset}.binpb"));
        assert_eq!(fs_err::read(theirs).unwrap(), fs_err::read(ours).unwrap());
    }
    // Folders `Split-NAME` hold statistics or rows, and so do files of records: what lies in them tells.
    let (saved, rows) = (data("tfdv/statistics.tfrecord"), format!("tfx/Split-eval/{FILE}"));
    for (current, reference) in [
        ("tfx", "split-statistics"),
        ("split-statistics", "examples"),
        (rows.as_str(), "split-statistics/Split-eval"),
        (saved.as_str(), saved.as_str()),
    ] {
        let _ = place.sluice(&["drift", current, "--against", reference]).exits(0);
    }
    let _ = place.sluice(&["schema", "split-statistics", "--out", "schema"]).exits(0);
    let schema = fs_err::read_to_string(place.path("schema/schema.pbtxt")).unwrap();
    place.write(
        "narrow.pbtxt",
        &schema.replacen("  name: \"bmi\"\n", "  name: \"bmi\"\n  float_domain { max: 0.01 }\n", 1),
    );
    let validate = |out: &str| {
        let validate = ["validate", "split-statistics/Split-eval", "--schema", "narrow.pbtxt"];
        let _ = place.sluice(&[&validate[..], &["--tfx-anomalies", out]].concat()).exits(1);
    };
    validate("anomalies");
    validate("again");
    assert_same_files(&place.path("anomalies"), &place.path("again"));
    let written: Vec<String> = files(&place.path("anomalies")).into_keys().collect();
    assert_eq!(written, ["Split-eval/SchemaDiff.pb", "manifest.json"]);
    let bytes = fs_err::read(place.path("anomalies/Split-eval/SchemaDiff.pb")).unwrap();
    // The key of an entry.
    assert!(bytes.windows(5).any(|part| part == b"\x0A\x03bmi"));
}

#[test]
fn blessings_are_left_and_heeded() {
    let place = place_with_examples();
    let _ = place
        .sluice(&[
            "transform",
            "tfx",
            "--operation",
            "{standardize: [bmi, bp]}",
            "--label",
            "target",
            "--out",
            "transform",
        ])
        .exits(0);
    let train =
        ["train", "tfx", "--transform", "transform", "--label", "target", "--alpha", "0.4", "--out", "model"];
    let _ = place.sluice(&train).exits(0);
    let evaluate = |bound: &str, code: i32| {
        let require = format!("{{metric: rmse, at_most: {bound}}}");
        let evaluate =
            ["evaluate", "tfx", "--model", "model", "--require", &require, "--tfx-blessing", "blessing"];
        let _ = place.sluice(&[&evaluate[..], &["--out", "evaluation"]].concat()).exits(code);
        files(&place.path("blessing")).into_keys().collect::<Vec<_>>()
    };
    assert_eq!(evaluate("1000", 0), ["BLESSED", "manifest.json"]);
    let push = |folder: &str| {
        let push = ["push", "model", "--evaluation", "evaluation", "--registry", "registry", "--name", "m"];
        place.sluice(&[&push[..], &["--tfx-blessing", "blessing", "--tfx-blessing", folder]].concat())
    };
    fs_err::create_dir(place.path("infra")).unwrap();
    let _ = push("infra").exits(2);
    place.write("infra/INFRA_NOT_BLESSED", "");
    let refused = push("infra").exits(1).says(&["not registered: it is not blessed in infra"]);
    assert!(!place.path("registry/m/versions/0001").exists(), "{refused:#?}");
    fs_err::rename(place.path("infra/INFRA_NOT_BLESSED"), place.path("infra/INFRA_BLESSED")).unwrap();
    let _ = push("infra").exits(0);
    assert!(place.path("registry/m/versions/0001").exists());
    let _ = push("nowhere").exits(3);
    // The marker of before is gone.
    assert_eq!(evaluate("1", 1), ["NOT_BLESSED", "manifest.json"]);
}

#[test]
fn damaged_examples_are_told_with_file_record_and_byte() {
    let place = place_with_examples();
    let whole = fs_err::read(place.path("tfx/Split-eval").join(FILE)).unwrap();
    let refused = |bytes: &[u8], code: i32, parts: &[&str]| {
        fs_err::write(place.path("tfx/Split-eval").join(FILE), bytes).unwrap();
        for command in [
            &["statistics", "tfx", "--out", "new"][..],
            &["ingest", "tfx", "--out", "new"],
            &["transform", "tfx", "--operation", "{standardize: [bmi]}", "--out", "new"],
        ] {
            place.assert_failure(&place.sluice(command), code, parts);
            assert!(!place.path("new").exists());
        }
    };
    let name = format!("tfx/Split-eval/{FILE}");
    refused(&whole[..whole.len() / 2], 4, &[&name, "damaged or cut off"]);
    refused(b"x,y\n1,2\n", 4, &[&name, "record 1 (byte 0)", "ends within the record"]);
    let mut flipped = whole.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    refused(&flipped, 4, &[&name]);
    // Records of another message, with checksums that TensorFlow made.
    let statistics = fs_err::read(data("tfdv/statistics.tfrecord")).unwrap();
    refused(&statistics, 4, &[&name, "record 1 (byte 0): the record is no `tf.Example`"]);
}

#[test]
fn what_has_no_meaning_is_refused() {
    let place = place_with_examples();
    let refuse = |arguments: &[&str], parts: &[&str]| {
        place.assert_failure(&place.sluice(arguments), 2, parts);
        assert!(!place.path("new").exists());
    };
    refuse(&["ingest", "tfx/Split-train", "--out", "new"], &["--subset-column", "Split-NAME"]);
    place.write(
        "nested.jsonl",
        "{\"a\": {\"b\": 1}, \"s\": \"train\"}\n{\"a\": {\"b\": 2}, \"s\": \"eval\"}\n",
    );
    let nested = ["ingest", "nested.jsonl", "--subset-column", "s", "--to", "tfrecord", "--out", "new"];
    refuse(&nested, &["column `a`", "struct", "`tf.Example`"]);
    refuse(&["statistics", "tfx", "--subset", "test", "--out", "new"], &["no subset `test`", "`eval`"]);
    let query =
        ["ingest", "--input", "a=tfx", "--query", "SELECT bmi FROM a", "--key", "bmi", "--out", "new"];
    refuse(&query, &["--subset-column"]);
    // A file beside the folders belongs to no subset.
    fs_err::copy(place.path("tfx/Split-eval").join(FILE), place.path("tfx").join(FILE)).unwrap();
    place.assert_failure(
        &place.sluice(&["ingest", "tfx", "--out", "new"]),
        4,
        &["does not lie in a folder `Split-NAME`"],
    );
    assert!(Path::new(&place.path("tfx")).exists());
}
