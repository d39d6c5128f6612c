//! The commands around a transform through the binary: shards merge to the bytes of one run, features in bulk are the
//! same numbers in every layout and the same bytes on any number of threads, plans and proposals fit, and bad input is
//! refused in words.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{Outcome, Pipeline, Place, assert_same_files, diabetes, files};

/// Rows with a key, missing cells, a long tail and two columns of text, as a data set of two subsets.
fn trips(place: &Place, rows: u32) {
    let mut text = String::from("id,fare,miles,company,paid\n");
    for row in 0..rows {
        let noise = row.wrapping_mul(2_654_435_761) >> 16;
        let fare = if row % 97 == 0 { String::new() } else { format!("{}.{}", noise % 90, row % 10) };
        let paid = if noise % 3 == 0 { "cash" } else { "card" };
        let _ = writeln!(text, "{row},{fare},{},c{},{paid}", noise % 31, noise % 7);
    }
    place.write("trips.csv", &text);
    let ingest = ["ingest", "trips.csv", "--key", "id", "--share", "train=0.8", "--share", "eval=0.2"];
    place.sluice(&[&ingest[..], &["--out", "data"]].concat()).exits(0);
}

/// Two scans: what is logged must be imputed first.
const OPERATIONS: [&str; 8] = [
    "--operation",
    "impute: {columns: [fare], with: median, indicator: true}",
    "--operation",
    "math: {columns: [fare], function: log1p}",
    "--operation",
    "standardize: [fare, miles]",
    "--operation",
    "one_hot: [company, paid]",
];

fn fit(place: &Place, arguments: &[&str]) -> Outcome {
    place.sluice(&[&["transform", "fit", "data"], arguments, &OPERATIONS].concat())
}

fn shards(place: &Place, count: u32, scan: &str, go_on: Option<&str>) -> Vec<String> {
    let part = |index: u32| {
        let (of, out) = (format!("{index}/{count}"), format!("{scan}-{index}"));
        let mut arguments = vec!["transform", "fit", "data", "--partial", "--shard", &of, "--out", &out];
        match go_on {
            Some(state) => arguments.extend(["--continue", state]),
            None => arguments.extend(OPERATIONS),
        }
        place.sluice(&arguments).exits(0);
        out
    };
    (1..=count).rev().map(part).collect()
}

fn merge(place: &Place, states: &[String], out: &str) -> Outcome {
    let states = states.iter().map(String::as_str);
    place.sluice(&["transform", "merge"].into_iter().chain(states).chain(["--out", out]).collect::<Vec<_>>())
}

#[test]
fn shards_in_rounds_merge_to_the_bytes_of_one_run() {
    let place = Place::new();
    trips(&place, 400_000);
    fit(&place, &["--out", "whole"]).exits(0);
    place.sluice(&[&["transform", "data", "--out", "short"], &OPERATIONS[..]].concat()).exits(0);
    assert_same_files(&place.path("whole"), &place.path("short"));
    for count in [1, 3] {
        let first = shards(&place, count, "first", None);
        merge(&place, &first, "merged").exits(0).says(&["scan 2 is needed", "--continue"]);
        let second = shards(&place, count, "second", Some("merged"));
        merge(&place, &second, "transform").exits(0).says(&["5 features in 12 columns"]);
        assert_same_files(&place.path("whole"), &place.path("transform"));
    }
    let (first, second) = (["first-1".to_owned()], "second-2".to_owned());
    place.assert_failure(&merge(&place, &first, "x"), 2, &["no state holds splits", "every shard"]);
    let mixed = [first[0].clone(), second.clone()];
    place.assert_failure(&merge(&place, &mixed, "x"), 2, &["`second-2` is of scan 2, `first-1` of scan 1"]);
    place.assert_failure(&merge(&place, &[second.clone(), second], "x"), 2, &["two states hold split"]);
    let early =
        place.sluice(&["transform", "fit", "data", "--partial", "--continue", "first-1", "--out", "x"]);
    place.assert_failure(&early, 2, &["`first-1` is the state of a shard", "sluice transform merge"]);
    let other = ["--operation", "standardize: [fare]", "--partial", "--shard", "2/3", "--out", "other"];
    place.sluice(&[&["transform", "fit", "data"], &other[..]].concat()).exits(0);
    let others = [first[0].clone(), "other".into()];
    place.assert_failure(&merge(&place, &others, "x"), 2, &["`other` is a state of another transform"]);
    place.assert_failure(&merge(&place, &["whole".into()], "x"), 2, &["`transform`, not `transform-state`"]);
    let path = place.path("first-1/scan-1.state");
    let mut bytes = fs_err::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&path, bytes).unwrap();
    let damaged = merge(&place, &first, "x");
    assert_eq!(damaged.code, Some(4), "{damaged:#?}");
}

#[test]
fn a_scan_goes_on_with_the_rows_of_the_scan_before() {
    let place = Place::new();
    trips(&place, 2000);
    let first = shards(&place, 1, "first", None);
    merge(&place, &first, "merged").exits(0);
    trips(&place, 1999);
    let go_on = ["transform", "fit", "data", "--partial", "--continue", "merged", "--out", "x"];
    place.assert_failure(&place.sluice(&go_on), 2, &["scan 2 reads", "the same data set"]);
    let missing = place.sluice(&["transform", "fit", "data", "--continue", "merged", "--out", "x"]);
    assert_eq!(missing.code, Some(2), "{missing:#?}");
}

#[test]
fn stored_spans_merge_to_the_transform_of_the_window() {
    let place = Place::new();
    for span in 1..=3_u32 {
        let mut text = String::from("id,fare,miles,company,paid\n");
        for row in 0..200 + 50 * span {
            let _ = writeln!(text, "{span}-{row},{}.5,{},c{},card", row % 41, (row * span) % 17, row % 5);
        }
        place.write(&format!("data/span-{span}/trips.csv"), &text);
    }
    for (spans, out) in [("1..3", "window"), ("1..2", "first"), ("3..3", "last")] {
        let input = ["ingest", "data/span-{SPAN}/*.csv", "--spans", spans, "--key", "id", "--out", out];
        place.sluice(&[&input[..], &["--share", "train=0.7", "--share", "eval=0.3"]].concat()).exits(0);
    }
    let scan = |dataset: &str, out: &str, options: &[&str]| {
        let arguments = ["transform", "fit", dataset, "--partial", "--out", out];
        place.sluice(&[&arguments[..], options].concat()).exits(0);
    };
    let merge = |one: &str, other: &str, out: &str| merge(&place, &[one.into(), other.into()], out);
    place.sluice(&[&["transform", "fit", "window", "--out", "whole"], &OPERATIONS[..]].concat()).exits(0);
    scan("first", "first-1", &OPERATIONS);
    scan("last", "last-1", &OPERATIONS);
    merge("last-1", "first-1", "merged").exits(0);
    scan("first", "first-2", &["--continue", "merged"]);
    scan("last", "last-2", &["--continue", "merged"]);
    merge("last-2", "first-2", "transform").exits(0);
    let read = |name: &str| fs_err::read(place.path(name)).unwrap();
    assert_eq!(read("transform/transform.json"), read("whole/transform.json"));
    place.assert_failure(&merge("last-2", "last-2", "x"), 2, &["two states hold split 1 of span 3"]);
    let half = place.sluice(&["transform", "merge", "last-2", "--out", "x"]);
    place.assert_failure(&half, 2, &["no state of scan 2 has read span 1"]);
}

fn apply(place: &Place, out: &str, options: &[&str]) -> Value {
    let arguments = ["transform", "apply", "transform", "data", "--subset", "train", "--out", out, "--json"];
    place.sluice(&[&arguments[..], options].concat()).exits(0).json()
}

/// The cells of a matrix of f64 after `skip` bytes.
fn cells(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks::<8>().0.iter().map(|cell| f64::from_le_bytes(*cell)).collect()
}

/// The tensors of a safetensors file, as bytes.
fn tensors(bytes: &[u8]) -> (Value, impl Fn(&str) -> Vec<u8> + use<>) {
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    assert_eq!(length % 8, 0, "the data are not aligned");
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let (data, known) = (bytes[8 + length..].to_vec(), header.clone());
    let of = move |name: &str| {
        let bound =
            |index: usize| usize::try_from(known[name]["data_offsets"][index].as_u64().unwrap()).unwrap();
        data[bound(0)..bound(1)].to_vec()
    };
    (header, of)
}

#[test]
fn features_are_the_same_numbers_in_every_layout() {
    let place = Place::new();
    trips(&place, 3000);
    fit(&place, &["--out", "transform"]).exits(0);
    let record = apply(&place, "npy", &["--matrix", "f64", "--to", "npy", "--keep", "id"]);
    let rows = usize::try_from(record["rows"].as_u64().unwrap()).unwrap();
    let read = |name: &str| fs_err::read(place.path(name)).unwrap();
    let npy = read("npy/features.npy");
    let text = String::from_utf8_lossy(&npy[..128]).into_owned();
    assert!(
        text.contains(&format!("'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, 12)")),
        "{text}"
    );
    let dense = cells(&npy[128..]);
    assert_eq!(dense.len(), rows * 12);
    apply(&place, "safe", &["--matrix", "f64"]);
    let (header, tensor) = tensors(&read("safe/features.safetensors"));
    assert_eq!(header["features"]["shape"], json!([rows, 12]));
    assert_eq!(cells(&tensor("features")), dense);
    apply(&place, "single", &["--matrix", "f32"]);
    let (_, tensor) = tensors(&read("single/features.safetensors"));
    let bytes = tensor("features");
    let single = bytes.as_chunks::<4>().0.iter().map(|cell| f32::from_le_bytes(*cell));
    let nearest =
        |(single, cell): (f32, &f64)| (f64::from(single) - cell).abs() <= cell.abs() / f64::from(1 << 24);
    assert_eq!(bytes.len(), 4 * dense.len());
    assert!(single.zip(&dense).all(nearest));
    apply(&place, "csr", &["--csr"]);
    let (header, tensor) = tensors(&read("csr/features.safetensors"));
    assert_eq!(header["__metadata__"]["shape"], json!(format!("[{rows}, 12]")));
    let (data, indices, offsets) = (cells(&tensor("data")), tensor("indices"), tensor("indptr"));
    let offsets: Vec<usize> = offsets.as_chunks::<8>().0.iter().map(|it| usize::from_le_bytes(*it)).collect();
    let indices: Vec<u32> = indices.as_chunks::<4>().0.iter().map(|it| u32::from_le_bytes(*it)).collect();
    assert_eq!(data.len(), dense.iter().filter(|cell| **cell != 0.0).count());
    let mut sparse = vec![0.0; dense.len()];
    for (row, bounds) in offsets.windows(2).enumerate() {
        for entry in bounds[0]..bounds[1] {
            sparse[row * 12 + indices[entry] as usize] = data[entry];
        }
    }
    assert_eq!(sparse, dense);
    check_tables(&place, &dense, rows);
}

/// The expanded tables hold the same numbers, and codes say which of the columns is 1.
fn check_tables(place: &Place, dense: &[f64], rows: usize) {
    let record = apply(place, "table", &["--keep", "id"]);
    let clash = place.sluice(&["transform", "apply", "transform", "data", "--keep", "fare", "--out", "x"]);
    place.assert_failure(&clash, 2, &["`keep` names `fare`, which would be written twice"]);
    assert_eq!(record["kept"], json!(["id"]));
    let company = &record["features"][3];
    assert_eq!(company["name"], "company");
    assert_eq!(company["columns"][2], json!({ "index": 5, "name": "company=c2", "value": "c2" }));
    apply(place, "plain", &[]);
    let validate = ["validate", "--data", "plain/part-00000.parquet", "--schema", "transform/schema.pbtxt"];
    place.sluice(&[&validate[..], &["--new-columns", "error"]].concat()).exits(0);
    apply(place, "dense", &["--dense"]);
    apply(place, "arrow", &["--dense", "--to", "arrow"]);
    for input in ["dense/part-00000.parquet", "arrow/part-00000.arrow"] {
        let statistics = place.sluice(&["statistics", input, "--json"]).exits(0).json();
        let columns = statistics["subsets"][0]["columns"].as_array().unwrap();
        assert_eq!(columns.len(), 12);
        for (index, column) in columns.iter().enumerate() {
            let sum: f64 = (0..rows).map(|row| dense[row * 12 + index]).sum();
            let mean = column["numeric"]["mean"].as_f64().unwrap();
            assert!((mean - sum / rows as f64).abs() < 1e-12, "{input} {column}");
        }
    }
    let codes = place.sluice(&["statistics", "table/part-00000.parquet", "--json"]).exits(0).json();
    let codes = codes["subsets"][0]["columns"].as_array().unwrap();
    assert_eq!(codes.len(), 6, "a column each for `id` and five features");
    let paid = codes.iter().find(|column| column["name"] == "paid").unwrap();
    let card = (0..rows).filter(|row| dense[row * 12 + 10] > 0.0).count();
    assert_eq!((&paid["kind"], &paid["numeric"]["num_zeros"]), (&json!("integer"), &json!(card)));
}

#[test]
fn features_are_the_same_bytes_on_any_number_of_threads() {
    let place = Place::new();
    trips(&place, 400_000);
    fit(&place, &["--out", "transform"]).exits(0);
    for (layout, options) in
        [("table", &["--keep", "id"][..]), ("csr", &["--csr"]), ("arrow", &["--to", "arrow"])]
    {
        for threads in ["1", "5"] {
            let options = [options, &["--threads", threads]].concat();
            apply(&place, &format!("{layout}-{threads}"), &options);
        }
        assert_same_files(&place.path(&format!("{layout}-1")), &place.path(&format!("{layout}-5")));
    }
}

#[test]
fn the_plan_needs_the_header_alone() {
    let place = Place::new();
    place.write("rows.csv", "x,z,y,subset\n");
    let transform = "[ { standardize: [x] }, { derive: { sum: x + z } }, { standardize: [sum] } ]";
    Pipeline { transform, ..Pipeline::default() }.write(&place);
    let plan = ["transform", "plan", "--pipeline", "pipeline.yaml"];
    place.sluice(&plan).exits(0).says(&["2 scans of the training rows", "scan 2", "reads x, z row by row"]);
    let plan = place.sluice(&[&plan[..], &["--json"]].concat()).exits(0).json();
    assert_eq!(plan["scans"].as_array().unwrap().len(), 2);
    assert_eq!(plan["scans"][1]["learns"][0]["writes"], json!(["sum"]));
    assert_eq!(plan["features"][1]["sources"], json!(["x", "z"]));
    let transform = "[ { standardize: [xx] } ]";
    Pipeline { transform, ..Pipeline::default() }.write(&place);
    let unknown = place.sluice(&["transform", "plan", "--pipeline", "pipeline.yaml"]);
    place.assert_failure(&unknown, 2, &["`standardize` names column `xx`", "did you mean `x`?"]);
    trips(&place, 500);
    let of_dataset = ["transform", "plan", "data", "--operation", "pass_through: [miles]"];
    place.sluice(&of_dataset).exits(0).says(&["no scan: nothing has to be learned"]);
}

#[test]
fn what_is_proposed_can_be_fitted_as_it_stands() {
    let place = Place::new();
    trips(&place, 3000);
    place.sluice(&["statistics", "data", "--out", "statistics"]).exits(0);
    let suggest = ["transform", "suggest", "statistics", "--label", "miles"];
    place.sluice(&suggest).exits(0).says(&[
        "# id: looks like a key",
        "# miles: is the label",
        "- one_hot: [company, paid]",
    ]);
    place.sluice(&[&suggest[..], &["--out", "transform.yaml"]].concat()).exits(0);
    let section = fs_err::read_to_string(place.path("transform.yaml")).unwrap();
    let rest =
        "train: { ridge: { alpha: 0.1 } }\nevaluate: { require: [ { metric: rmse, at_most: 100 } ] }\n";
    let data = "data:\n  inputs: { rows: trips.csv }\n  roles: { label: miles, key: [id] }\n  \
                subsets: { by: hash, train: 0.8, eval: 0.2 }\n";
    place.write("pipeline.yaml", &format!("pipeline: proposed\n{data}{section}{rest}"));
    place.sluice(&["run", "pipeline.yaml", "--out", "out"]).exits(0);
    place.sluice(&["statistics", &diabetes("diabetes.csv"), "--out", "diabetes"]).exits(0);
    let told =
        place.sluice(&["transform", "suggest", "diabetes", "--label", "target", "--json"]).exits(0).json();
    assert!(told["columns"].as_array().unwrap().iter().all(|column| !column["reasons"][0].is_null()));
}

/// A data set of a column `x` with these cells, and a column `y` without trouble.
fn column(place: &Place, cells: &[&str]) {
    let mut text = String::from("x,y,subset\n");
    for (row, cell) in cells.iter().enumerate() {
        let _ = writeln!(text, "{cell},{row},train");
    }
    text.push_str("1,1,eval\n");
    place.write("rows.csv", &text);
    let ingest = ["ingest", "rows.csv", "--subset-column", "subset", "--out", "data"];
    place.sluice(&ingest).exits(0);
}

fn fitted(place: &Place, operation: &str) -> Outcome {
    place.sluice(&[
        "transform",
        "fit",
        "data",
        "--operation",
        operation,
        "--label",
        "y",
        "--out",
        "transform",
    ])
}

#[test]
fn what_cannot_be_fitted_is_said_in_words() {
    let place = Place::new();
    column(&place, &["a", "b", "c"]);
    let quantiles = fitted(&place, "bucketize: {columns: [x], buckets: 4}");
    place.assert_failure(&quantiles, 2, &["`bucketize` needs numbers, but column `x` is text"]);
    let leak = fitted(&place, "standardize: [y]");
    place.assert_failure(&leak, 2, &["`standardize` names column `y`, which is the label"]);
    let twice = fitted(&place, "one_hot: {columns: [x], as: [y]}");
    place.assert_failure(&twice, 2, &["cannot call its result `y`: there is a column of that name already"]);
    column(&place, &["", "", ""]);
    let nothing = fitted(&place, "standardize: [x]");
    place.assert_failure(
        &nothing,
        4,
        &["finds no value in column `x` of the training rows", "leave `x` out"],
    );
    let text = "x,y,subset\n1,2,eval\n3,4,eval\n";
    place.write("rows.csv", text);
    place.sluice(&["ingest", "rows.csv", "--subset-column", "subset", "--out", "data"]).exits(0);
    let empty = fitted(&place, "standardize: [x]");
    assert!(matches!(empty.code, Some(2 | 4)), "{empty:#?}");
    assert!(empty.stderr.contains("`train`") && empty.stderr.contains("`eval`"), "{empty:#?}");
}

/// The column `x` of the training rows after an operation.
fn values(place: &Place) -> Vec<f64> {
    let arguments = ["transform", "apply", "transform", "data", "--subset", "train", "--matrix", "f64"];
    place.sluice(&[&arguments[..], &["--to", "npy", "--out", "features"]].concat()).exits(0);
    cells(&fs_err::read(place.path("features/features.npy")).unwrap()[128..])
}

#[test]
fn constants_and_infinities_do_as_the_docs_say() {
    let place = Place::new();
    column(&place, &["5", "5", "5"]);
    fitted(&place, "standardize: [x]").exits(0);
    assert_eq!(values(&place), [0.0, 0.0, 0.0]);
    column(&place, &["1.5", "inf", "2.5", "-inf", ""]);
    fitted(&place, "standardize: [x]").exits(0);
    let standardized = values(&place);
    assert_eq!(standardized[..4], [-1.0, f64::INFINITY, 1.0, f64::NEG_INFINITY]);
    assert!(standardized[4].is_nan(), "{standardized:?}");
}

#[test]
fn data_that_changed_since_fitting_are_refused_at_apply() {
    let place = Place::new();
    column(&place, &["1", "2", "4"]);
    fitted(&place, "standardize: [x]").exits(0);
    let apply = |input: &str| place.sluice(&["transform", "apply", "transform", input, "--out", "out"]);
    place.write("missing.csv", "z,y\n1,2\n");
    place.assert_failure(&apply("missing.csv"), 2, &["column `x` is not in", "missing.csv"]);
    place.write("text.csv", "x,y\nmuch,2\n");
    place.assert_failure(&apply("text.csv"), 2, &["column `x` is text"]);
    place.write("float.csv", "x,y\n1.5,2\n");
    apply("float.csv").exits(0);
    let both = ["transform", "apply", "transform", "float.csv", "--csr", "--to", "npy", "--out", "x"];
    place.assert_failure(&place.sluice(&both), 2, &["NumPy's format has no sparse matrices"]);
    assert!(!files(&place.path("out")).is_empty());
}

#[test]
fn a_row_that_a_transform_refuses_is_named_by_file_and_row() {
    let place = Place::new();
    column(&place, &["1", "2", "4"]);
    fitted(&place, "one_hot: {columns: [x], unseen: error}").exits(0);
    let rows: String = (0..70_000).map(|_| "1,1\n").collect();
    place.write("new.csv", &format!("x,y\n{rows}3,1\n"));
    let apply = place.sluice(&["transform", "apply", "transform", "new.csv", "--out", "out"]);
    place.assert_failure(&apply, 4, &["`new.csv`", "row 70001", "column `x`", "`3`"]);
}

#[test]
fn what_came_out_is_described_as_statistics_describe_the_table() {
    let place = Place::new();
    trips(&place, 4_000);
    let fit = |arguments: &[&str]| {
        let mut all = vec!["transform", "fit", "data", "--label", "miles"];
        for operation in [
            "target_mean: {columns: [company], folds: 3, as: [mean miles]}",
            "bag_of_words: {columns: [company], as: [words]}",
            "impute: {columns: [fare], with: mean}",
            "one_hot: [paid]",
        ] {
            all.extend(["--operation", operation]);
        }
        place.sluice(&[&all[..], arguments].concat()).exits(0);
    };
    fit(&["--out", "plain"]);
    fit(&["--out", "transform", "--output-statistics", "--threads", "3"]);
    let described = place.json("transform/statistics.json")["subsets"][0].clone();
    assert_eq!((&described["name"], described["num_rows"].as_u64()), (&json!("train"), Some(3_197)));
    apply(&place, "features", &[]);
    let table = ["statistics", "features/part-00000.parquet", "--schema", "transform/schema.pbtxt"];
    let table = place.sluice(&[&table[..], &["--json"]].concat()).exits(0).json()["subsets"][0].clone();
    assert_eq!(described["columns"], table["columns"]);
    let columns: Vec<&str> = described["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns, ["mean miles", "words.terms", "words.numbers", "fare", "paid"]);
    let validate = ["validate", "transform/statistics.binpb", "--schema", "transform/schema.pbtxt"];
    place.sluice(&validate).exits(0).says(&["ACCEPTED  0 errors, 0 warnings"]);
    // The rest of the artifact is the same.
    for name in ["transform.json", "columns.json", "schema.pbtxt"] {
        let read = |folder: &str| fs_err::read(place.path(folder).join(name)).unwrap();
        assert!(read("plain") == read("transform"), "{name}");
    }
    assert!(!place.path("plain/statistics.json").exists());
    place.is_tidy();
}
