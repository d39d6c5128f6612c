//! Data that are not what they should be: each ends with the documented code and a message that names file, column
//! or row and what to do.

use std::fmt::Write;

use crate::support::{Pipeline, Place, data, files};

/// Malformed input, and settings that do not suit the data.
const MALFORMED: i32 = 4;
const USAGE: i32 = 2;
const UNAVAILABLE: i32 = 3;

/// Runs a pipeline on a file and asserts that it fails so.
#[track_caller]
fn fails(pipeline: &Pipeline<'_>, code: i32, parts: &[&str]) {
    let place = Place::new();
    let outcome = pipeline.run(&place);
    place.assert_failure(&outcome, code, parts);
}

/// The same with a file of `tests/data`.
#[track_caller]
fn file_fails(name: &str, code: i32, parts: &[&str]) {
    fails(&Pipeline { input: &data(name), ..Pipeline::default() }, code, parts);
}

/// Twenty sound rows, every fifth for evaluation, with some cells replaced: row (from 1), column, text.
fn rows(changes: &[(usize, usize, &str)]) -> String {
    let mut text = String::from("x,z,y,subset\n");
    for row in 1..=20_usize {
        let (x, z) = (row as f64 * 1.5, (row % 7) as f64 - 2.5);
        let subset = if row % 5 == 0 { "eval" } else { "train" };
        let y = 2.0 * x - 3.0 * z + (row % 3) as f64 * 0.1;
        let mut cells = [x.to_string(), z.to_string(), y.to_string(), subset.to_owned()];
        for (_, column, value) in changes.iter().filter(|change| change.0 == row) {
            cells[*column] = (*value).to_owned();
        }
        writeln!(text, "{}", cells.join(",")).unwrap();
    }
    text
}

/// The same with such rows.
#[track_caller]
fn changed_fails(changes: &[(usize, usize, &str)], code: i32, parts: &[&str]) {
    let place = Place::new();
    place.write("rows.csv", &rows(changes));
    let outcome = Pipeline::default().run(&place);
    place.assert_failure(&outcome, code, parts);
}

#[test]
fn the_rows_of_these_tests_are_sound_unless_changed() {
    let place = Place::new();
    place.write("rows.csv", &rows(&[]));
    let _ = Pipeline::default().run(&place).exits(0);
}

#[test]
fn a_file_that_is_not_there() {
    file_fails("missing.csv", UNAVAILABLE, &["missing.csv", "step `ingest`", "hint: check the path"]);
    file_fails("nowhere/*.csv", UNAVAILABLE, &["nowhere/*.csv", "hint: check the folder and the pattern"]);
}

#[test]
fn a_file_without_rows() {
    file_fails("empty.csv", MALFORMED, &["empty.csv` is empty", "hint: write at least a header"]);
    file_fails("header_only.csv", MALFORMED, &["header_only.csv` has no rows", "hint: check"]);
}

#[test]
fn text_that_is_not_the_csv_it_should_be() {
    file_fails(
        "ragged.csv",
        MALFORMED,
        &["ragged.csv`, row 5 (line 6)", "expected 4 cells, found 3", "hint:"],
    );
    file_fails(
        "semicolons.csv",
        MALFORMED,
        &["semicolons.csv", "`x;z;y;subset`", "hint: set the delimiter to `;`"],
    );
    file_fails(
        "unterminated_quote.csv",
        MALFORMED,
        &["unterminated_quote.csv`, row 7", "never closed", "hint:"],
    );
    file_fails("nul_bytes.csv", MALFORMED, &["nul_bytes.csv`, row 4", "NUL byte in column `note`", "hint:"]);
    file_fails(
        "latin1.csv",
        MALFORMED,
        &["latin1.csv`, row 1", "column `city` is not UTF-8", "hint: convert"],
    );
}

#[test]
fn bytes_that_are_not_the_parquet_they_should_be() {
    file_fails("not_parquet.parquet", MALFORMED, &["not_parquet.parquet` is not a Parquet file", "hint:"]);
    file_fails(
        "truncated.parquet",
        MALFORMED,
        &["truncated.parquet` is a damaged Parquet", "its end is missing"],
    );
}

#[test]
fn two_columns_of_one_name() {
    file_fails(
        "duplicate_columns.csv",
        MALFORMED,
        &["two columns named `x`, number 1 and number 3", "hint: rename"],
    );
}

#[test]
fn a_column_of_nothing_is_harmless_until_it_is_a_feature() {
    let input = data("all_null_column.csv");
    let pipeline = Pipeline { input: &input, ..Pipeline::default() };
    fails(&pipeline, MALFORMED, &["feature `z` is null", "row 1", "hint: fill it"]);
    let imputed = "[ { impute: { columns: [z], with: mean } }, { pass_through: [x, z] } ]";
    let said = &["`impute` finds no value in column `z`", "hint: leave `z` out, or impute a constant"];
    fails(&Pipeline { transform: imputed, ..pipeline }, MALFORMED, said);
    let place = Place::new();
    let _ = Pipeline { transform: "[ { pass_through: [x] } ]", ..pipeline }.run(&place).exits(0);
    let constant = "[ { impute: { columns: [z], with: { constant: 0 } } }, { pass_through: [x, z] } ]";
    let _ = Pipeline { transform: constant, ..pipeline }.run(&place).exits(0);
}

#[test]
fn a_constant_column_is_harmless_also_as_a_feature() {
    let place = Place::new();
    place.write("rows.csv", &rows(&[]).replace(",train", ",4.5,train").replace(",eval", ",4.5,eval"));
    let text = fs_err::read_to_string(place.path("rows.csv")).unwrap().replacen("y,subset", "y,c,subset", 1);
    place.write("rows.csv", &text);
    for transform in ["[ { pass_through: [x, c] } ]", "[ { standardize: [x, c] } ]", "[ { one_hot: [c] } ]"] {
        let outcome = Pipeline { transform, ..Pipeline::default() }.run(&place).exits(0);
        assert!(outcome.stderr.contains("coefficients determined"), "{outcome:#?}");
    }
    let model = place.json("out/runs/0001/model/model.json");
    let constant = &model["outputs"][0]["coefficients"][1];
    assert_eq!((&constant["column"], constant["value"].as_f64()), (&"c".into(), Some(0.0)), "{model:#}");
}

#[test]
fn a_label_that_is_absent() {
    let pipeline = Pipeline { input: &data("bom_crlf.csv"), label: "yy", ..Pipeline::default() };
    fails(&pipeline, USAGE, &["column `yy` is not in", "label", "hint: did you mean `y`?"]);
}

#[test]
fn a_label_that_is_constant() {
    file_fails("constant_label.csv", MALFORMED, &["label `y` is 3.5 in all 24 training rows", "hint: check"]);
}

#[test]
fn a_label_that_is_null() {
    file_fails(
        "null_label.csv",
        MALFORMED,
        &["label `y` is null", "row 3", "hint: leave rows without a label"],
    );
    changed_fails(
        &[(5, 2, "")],
        MALFORMED,
        &["label `y` is null", "row 1", "step `evaluate`", "hint: leave rows"],
    );
    let everywhere: Vec<_> = (1..=20).map(|row| (row, 2, "")).collect();
    changed_fails(&everywhere, MALFORMED, &["label `y` is null", "row 1", "hint:"]);
}

#[test]
fn a_label_that_is_not_finite() {
    changed_fails(&[(3, 2, "NaN")], MALFORMED, &["label `y` is NaN", "row 3", "hint: leave rows"]);
    changed_fails(&[(3, 2, "inf")], MALFORMED, &["label `y` is infinite", "row 3", "hint: leave rows"]);
    changed_fails(
        &[(5, 2, "-inf")],
        MALFORMED,
        &["label `y` is infinite", "row 1", "step `evaluate`", "hint:"],
    );
}

#[test]
fn a_label_that_is_text() {
    changed_fails(&[(3, 2, "unknown")], USAGE, &["column `y` is text", "label needs numbers"]);
}

#[test]
fn a_feature_that_is_not_finite() {
    let input = data("nan_feature.csv");
    let pipeline = Pipeline { input: &input, ..Pipeline::default() };
    fails(&pipeline, MALFORMED, &["feature `x` is NaN", "row 5", "hint: NaN can be imputed"]);
    let only_z = Pipeline { transform: "[ { pass_through: [z] } ]", ..pipeline };
    fails(&only_z, MALFORMED, &["feature `z` is NaN or infinite", "row 7", "clip infinities"]);
    let imputed = "[ { impute: { columns: [x], with: median } }, { pass_through: [x] } ]";
    let _ = Pipeline { transform: imputed, ..pipeline }.run(&Place::new()).exits(0);
    changed_fails(
        &[(10, 0, "")],
        MALFORMED,
        &["feature `x` is null", "row 2", "step `evaluate`", "hint: fill"],
    );
}

#[test]
fn a_feature_that_is_text() {
    let pipeline = Pipeline {
        input: &data("leading_zeros.csv"),
        transform: "[ { standardize: [code] } ]",
        ..Pipeline::default()
    };
    fails(
        &pipeline,
        USAGE,
        &["`standardize` needs numbers, but column `code` is text", "hint: use `one_hot`"],
    );
}

#[test]
fn one_row() {
    file_fails(
        "one_row.csv",
        MALFORMED,
        &["subset `eval` has no rows", "column `subset`", "`train` with 1 row"],
    );
    let place = Place::new();
    let text = rows(&[]);
    let mut lines = text.lines();
    let few: Vec<&str> = [lines.next(), lines.next(), text.lines().nth(5)].into_iter().flatten().collect();
    place.write("rows.csv", &few.join("\n"));
    let outcome = Pipeline::default().run(&place);
    place.assert_failure(&outcome, MALFORMED, &["label `y` is", "training row", "nothing to learn", "hint:"]);
}

#[test]
fn no_row_in_a_subset() {
    let name = "zero_rows_in_subset.csv";
    file_fails(name, MALFORMED, &["subset `eval` has no rows", "by column `subset`", "`train` with 15 rows"]);
}

#[test]
fn a_row_that_names_no_subset_or_a_strange_one() {
    let null =
        ["`subset`, which names the subset, is null", "`rows.csv`, row 4", "hint: give every row a subset"];
    changed_fails(&[(4, 3, "")], MALFORMED, &null);
    changed_fails(
        &[(4, 3, "../up")],
        MALFORMED,
        &["`../up` cannot be the name", "`rows.csv`, row 4", "hint:"],
    );
}

#[test]
fn a_slice_column_that_is_absent_or_empty() {
    let place = Place::new();
    place.write("rows.csv", &rows(&[]));
    let pipeline = Pipeline { evaluate: "{ slices: [zz] }", ..Pipeline::default() };
    let outcome = pipeline.run(&place);
    place.assert_failure(&outcome, USAGE, &["column `zz` is not in", "hint: did you mean `z`?"]);

    let input = data("all_null_column.csv");
    let transform = "[ { pass_through: [x] } ]";
    let pipeline = Pipeline { input: &input, transform, evaluate: "{ slices: [z] }", ..Pipeline::default() };
    fails(
        &pipeline,
        MALFORMED,
        &["slice column `z` is null in all rows", "hint: remove `z` from the slices"],
    );
}

#[test]
fn an_evaluation_that_fails_leaves_the_verdict_error() {
    let place = Place::new();
    place.write("rows.csv", &rows(&[(5, 2, "")]));
    let outcome = Pipeline::default().run(&place);
    place.assert_failure(&outcome, MALFORMED, &["label `y` is null"]);
    let left = files(&place.path("out"));
    let name = left.keys().find(|name| name.ends_with("verdict.json")).expect("no verdict was left");
    let verdict = place.json(&format!("out/{name}"));
    assert_eq!(verdict["outcome"], "error");
    assert!(verdict["reasons"][0]["text"].as_str().unwrap().contains("label `y` is null"), "{verdict:#}");
}

#[test]
fn strange_but_sound_files_pass() {
    for name in ["bom_crlf.csv", "quoted_newlines.csv", "leading_zeros.csv"] {
        let place = Place::new();
        let _ = Pipeline { input: &data(name), ..Pipeline::default() }.run(&place).exits(0);
        place.is_tidy();
    }
}

#[test]
fn the_record_of_a_failed_run_says_why() {
    let place = Place::new();
    let _ = Pipeline { input: &data("ragged.csv"), ..Pipeline::default() }.run(&place).exits(MALFORMED);
    let record = place.json("out/runs/0001/run.json");
    assert!(record["error"].as_str().unwrap().contains("ragged.csv`, row 5"), "{record:#}");
}
