//! The ONNX files of a model package: there where they can be, refused by name where they must be and
//! cannot.

use serde_json::Value;

use crate::support::{Place, assert_same_files, diabetes};

const MODEL: &str = "out/runs/0001/model";

fn record(place: &Place, package: &str) -> Value {
    serde_json::from_slice(&fs_err::read(place.path(package).join("onnx.json")).unwrap()).unwrap()
}

#[test]
fn a_run_leaves_onnx_files_and_says_what_they_are() {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "out"]).exits(0);
    let record = record(&place, MODEL);
    assert_eq!((&record["mode"], &record["files"]["opset"]), (&"if-possible".into(), &17.into()));
    assert_eq!(record["files"]["inputs"].as_array().unwrap().len(), 10);
    // 100 rows, an edge in each of ten columns, a row of nulls.
    assert!(record["files"]["verified_rows"].as_u64().unwrap() > 200);
    let registered = "out/registry/diabetes/versions/0001";
    for file in ["transform.onnx", "model.onnx"] {
        let bytes = fs_err::read(place.path(MODEL).join(file)).unwrap();
        assert!(bytes.windows(6).any(|window| window == b"sluice"), "{file}");
        assert_eq!(bytes, fs_err::read(place.path(registered).join(file)).unwrap());
    }
}

#[test]
fn a_step_alone_takes_the_mode_and_writes_the_same_bytes() {
    let place = Place::new();
    let rows = diabetes("diabetes.csv");
    let _ = place.sluice(&["ingest", &rows, "--subset-column", "subset", "--out", "dataset"]).exits(0);
    let standardize = "standardize: [age, bmi]";
    let transform =
        ["transform", "dataset", "--label", "target", "--operation", standardize, "--out", "transform"];
    let _ = place.sluice(&transform).exits(0);
    let train = |mode: &str, out: &str| {
        let start = ["train", "dataset", "--transform", "transform", "--label", "target", "--alpha", "1"];
        place.sluice(&[&start[..], &["--onnx", mode, "--out", out]].concat())
    };
    for out in ["first", "second"] {
        let _ = train("required", out).exits(0);
    }
    assert_same_files(&place.path("first"), &place.path("second"));
    let _ = train("off", "without").exits(0);
    assert_eq!(record(&place, "without")["left_out"], "`onnx` is `off`");
    assert!(!place.path("without/model.onnx").exists());
    let hash = "hash_buckets: { columns: [age], buckets: 4 }";
    let hashed = ["transform", "dataset", "--label", "target", "--operation", hash, "--out", "hashed"];
    let _ = place.sluice(&hashed).exits(0);
    let train_hashed =
        ["train", "dataset", "--transform", "hashed", "--label", "target", "--alpha", "1", "--out", "none"];
    let said = place.sluice(&train_hashed).exits(0);
    let _ = said.says(&["note: no ONNX files: `hash_buckets` has no form in ONNX"]);
    assert!(train("maybe", "unwritten").exits(2).stderr.contains("`onnx` has no choice `maybe`"));
}

#[test]
fn what_has_no_form_is_left_out_with_the_reason_or_refused_before_a_row_is_read() {
    let place = Place::new();
    let text = fs_err::read_to_string(diabetes("pipeline.yaml")).unwrap();
    let text = text.replace(
        "inputs: { diabetes: diabetes.csv }",
        &format!("inputs: {{ diabetes: '{}' }}", diabetes("diabetes.csv")),
    );
    let hash = "  - hash_buckets: { columns: [age], buckets: 4, as: [hashed] }\n";
    let hashed = text.replace("transform:\n", &format!("transform:\n{hash}"));
    let _ = place.write("possible.yaml", &hashed);
    let _ = place.sluice(&["run", "possible.yaml", "--out", "out"]).exits(0);
    assert_eq!(record(&place, MODEL)["left_out"], "`hash_buckets` has no form in ONNX");
    assert!(!place.path(MODEL).join("transform.onnx").exists());
    let _ = place.write("required.yaml", &format!("onnx: required\n{hashed}"));
    let refused = place.sluice(&["run", "required.yaml", "--out", "other"]).exits(2);
    assert!(refused.stderr.contains("`hash_buckets` has no form in ONNX"), "{refused:#?}");
    assert!(!place.path("other").exists());
    let derived = text.replace("transform:\n", "transform:\n  - derive: { upper: upper('a') || 'b' }\n");
    let _ = place.write("required.yaml", &format!("onnx: required\n{derived}"));
    let refused = place.sluice(&["run", "required.yaml", "--out", "other"]).exits(2);
    assert!(refused.stderr.contains("`derive` asks for `upper` in `upper`"), "{refused:#?}");
    let derived = text.replace("transform:\n", "transform:\n  - derive: { twice: age * 2 }\n");
    let _ = place.write("required.yaml", &format!("onnx: required\n{derived}"));
    let _ = place.sluice(&["run", "required.yaml", "--out", "other"]).exits(0);
    assert_eq!(record(&place, "other/runs/0001/model")["mode"], "required");
}
