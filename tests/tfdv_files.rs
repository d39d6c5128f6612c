//! Statistics in TFDV's format from outside: ours beside the artifact, TFDV's own (`tests/data/tfdv/make.py`)
//! in place of one, whole, in shards, in TFX's folders, and damaged.

use crate::support::{Place, data, diabetes};

/// The columns of the schema that is inferred from statistics, as text.
fn schema_of(place: &Place, statistics: &str, out: &str) -> String {
    let _ = place.sluice(&["schema", statistics, "--out", out]).exits(0);
    fs_err::read_to_string(place.path(out).join("schema.pbtxt")).unwrap()
}

#[test]
fn our_own_file_says_what_the_artifact_says() {
    let place = Place::new();
    let _ = place.sluice(&["statistics", &diabetes("diabetes.csv"), "--out", "statistics"]).exits(0);
    let wanted = schema_of(&place, "statistics", "schema");
    assert_eq!(schema_of(&place, "statistics/statistics.binpb", "again"), wanted);
    let validate = |statistics: &str| {
        place.sluice(&["validate", statistics, "--schema", "schema/schema.pbtxt", "--json"]).exits(0)
    };
    assert_eq!(validate("statistics/statistics.binpb").json(), validate("statistics").json());
}

#[test]
fn each_subset_has_its_file() {
    let place = Place::new();
    let input = diabetes("diabetes.csv");
    let _ = place.sluice(&["ingest", &input, "--subset-column", "subset", "--out", "dataset"]).exits(0);
    let _ = place.sluice(&["statistics", "dataset", "--out", "statistics"]).exits(0);
    let file = place.path("statistics/statistics-train.binpb");
    let whole = place.json("statistics/statistics.json");
    let read = sluice_quality::tfdv::read_statistics(&fs_err::read(file).unwrap(), "file").unwrap();
    let train = whole["subsets"].as_array().unwrap().iter().find(|subset| subset["name"] == "train").unwrap();
    assert_eq!(serde_json::json!(read[0].num_rows), train["num_rows"]);
    assert_eq!(read[0].columns.len(), train["columns"].as_array().unwrap().len());
    let _ = place
        .sluice(&["schema", "statistics/statistics-train.binpb", "--subset", "train", "--out", "s"])
        .exits(0);
}

#[test]
fn files_of_tfdv_stand_in_for_an_artifact_in_every_form() {
    let place = Place::new();
    let wanted = schema_of(&place, &data("tfdv/statistics.binpb"), "binary");
    assert!(wanted.contains("name: \"fare\"\n  type: FLOAT"), "{wanted}");
    for form in ["tfdv/statistics.pbtxt", "tfdv/statistics.tfrecord"] {
        assert_eq!(schema_of(&place, &data(form), "other"), wanted, "{form}");
    }
    let split = place.path("tfx/Split-eval");
    fs_err::create_dir_all(&split).unwrap();
    fs_err::copy(data("tfdv/statistics.binpb"), split.join("FeatureStats.pb")).unwrap();
    for folder in ["tfx", "tfx/Split-eval"] {
        assert_eq!(schema_of(&place, folder, "other"), wanted, "{folder}");
        let outcome = place.sluice(&["validate", folder, "--schema", "binary", "--json"]).exits(0);
        assert_eq!(outcome.json()["subsets"][0]["subset"], "eval", "{outcome:#?}");
    }
    // The order of columns is that of the shards.
    let names = |schema: &str| {
        let lines = schema.lines().filter(|line| line.starts_with("  name: "));
        let mut names: Vec<String> = lines.map(str::to_owned).collect();
        names.sort();
        names
    };
    for shards in ["tfdv/shards", "tfdv/shards-00001-of-00002"] {
        assert_eq!(names(&schema_of(&place, &data(shards), "other")), names(&wanted), "{shards}");
    }
}

#[test]
fn damaged_and_missing_files_are_refused_with_their_place() {
    let place = Place::new();
    let validate = |file: &str| place.sluice(&["validate", file, "--schema", &diabetes("pipeline.yaml")]);
    let whole = fs_err::read(data("tfdv/statistics.tfrecord")).unwrap();
    fs_err::write(place.path("cut.tfrecord"), &whole[..2000]).unwrap();
    place.assert_failure(
        &validate("cut.tfrecord"),
        4,
        &["cut.tfrecord", "record 1 (byte 0)", "cut short", "hint:"],
    );
    let binary = fs_err::read(data("tfdv/statistics.binpb")).unwrap();
    fs_err::write(place.path("cut.binpb"), &binary[..2000]).unwrap();
    place.assert_failure(&validate("cut.binpb"), 4, &["cut.binpb", "byte 3", "cut short", "hint:"]);
    let text = place.write("wrong.pbtxt", "datasets {\n  num_rows: 3\n}\n");
    place.assert_failure(&validate(&text.display().to_string()), 4, &["line 2", "`num_rows`"]);
    fs_err::write(place.path("empty.binpb"), b"").unwrap();
    place.assert_failure(&validate("empty.binpb"), 4, &["empty.binpb", "holds no statistics"]);
    fs_err::copy(data("tfdv/shards-00001-of-00002"), place.path("part-00001-of-00002")).unwrap();
    place.assert_failure(&validate("part-00001-of-00002"), 3, &["part-00000-of-00002"]);
    place.assert_failure(&validate(&diabetes("diabetes.csv")), 4, &["diabetes.csv", "hint:"]);
}
