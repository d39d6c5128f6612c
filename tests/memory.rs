//! `--memory`: the same bytes within any limit that suffices, an error where nothing fits, of every command that reads
//! rows.

use crate::support::{Place, assert_same_files};

const ROWS: u64 = 70_000;

/// Text that is all different, three columns of numbers that are too, so that nothing comes as a dictionary, a label and
/// a subset: a batch takes some megabytes.
fn rows() -> String {
    let mut text = "name,a,b,c,y,subset\n".to_owned();
    for row in 0..ROWS {
        let (a, b, c) = (row, row * 13 % 70_001, row * 29 % 70_001);
        let y = a + 2 * b + 3 * c;
        let subset = if row % 10 == 0 { "eval" } else { "train" };
        text += &format!("the row of this number: {row},{a}.5,{b}.25,{c}.125,{y},{subset}\n");
    }
    text
}

const PIPELINE: &str = "pipeline: memory
data:
  inputs: { rows: rows.csv }
  roles: { label: y, key: [name] }
  subsets: { by: subset }
transform: [ { derive: { d: a + b + c } }, { standardize: [a, b, c, d] } ]
train: { ridge: { alpha: 0.1 } }
evaluate: { require: [ { metric: rmse, at_most: 1 } ] }
";

const SCHEMA: &str = "feature { name: \"name\" type: BYTES }\nfeature { name: \"a\" type: FLOAT }\n\
                      feature { name: \"b\" type: FLOAT }\nfeature { name: \"c\" type: FLOAT }\n\
                      feature { name: \"y\" type: INT }\nfeature { name: \"subset\" type: BYTES }\n";

fn place() -> Place {
    let place = Place::new();
    let _ = place.write("rows.csv", &rows());
    let _ = place.write("pipeline.yaml", PIPELINE);
    let _ = place.write("schema.pbtxt", SCHEMA);
    place
}

/// The commands that read rows, each with the folder that it writes.
const COMMANDS: [(&[&str], &str); 8] = [
    (&["ingest", "rows.csv", "--subset-column", "subset", "--key", "name"], "dataset"),
    (&["statistics", "rows.csv"], "statistics"),
    (
        &["validate", "statistics", "--schema", "schema.pbtxt", "--data", "rows.csv", "--unique", "name"],
        "validation",
    ),
    (&["transform", "dataset", "--pipeline", "pipeline.yaml"], "transform"),
    (&["train", "dataset", "--transform", "transform", "--pipeline", "pipeline.yaml"], "model"),
    (&["evaluate", "rows.csv", "--model", "model", "--pipeline", "pipeline.yaml"], "evaluation"),
    (&["predict", "model", "rows.csv", "--keep", "name", "--keep", "a"], "predictions"),
    (&["explain", "model", "rows.csv", "--permutation", "--repeats", "1"], "explanation"),
];

#[test]
fn every_command_that_reads_rows_keeps_to_it() {
    let place = place();
    for (command, out) in COMMANDS {
        let small = [command, &["--out", "small", "--memory", "1MB"]].concat();
        let outcome = place.sluice(&small);
        place.assert_failure(&outcome, 2, &["the memory limit is 1 MB", "raise `--memory`"]);
        let _ = place.sluice(&[command, &["--out", out]].concat()).exits(0);
        let within = format!("{out}-within");
        let _ = place.sluice(&[command, &["--out", &within, "--memory", "64MiB"]].concat()).exits(0);
        assert_same_files(&place.path(out), &place.path(&within));
    }
    place.is_tidy();
}

#[test]
fn a_run_keeps_to_it_as_well() {
    let place = place();
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "small", "--memory", "1MB"]);
    place.assert_failure(&outcome, 2, &["the memory limit is 1 MB", "raise `--memory`"]);
    for (out, memory) in [("out", "64MB"), ("other", "4GiB")] {
        let _ = place.sluice(&["run", "pipeline.yaml", "--out", out, "--memory", memory]).exits(0);
    }
    for step in crate::support::ARTIFACTS {
        assert_same_files(&place.path("out/runs/0001").join(step), &place.path("other/runs/0001").join(step));
    }
}

#[test]
fn the_column_that_takes_the_most_is_named() {
    let place = place();
    let statistics = ["statistics", "rows.csv", "--memory", "1500kB", "--columns"];
    let outcome = place.sluice(&[&statistics[..], &["name,a"]].concat());
    place.assert_failure(&outcome, 2, &["one split needs", "column `name` alone takes", "`--exclude name`"]);
    // Without it, the same limit does.
    let _ = place.sluice(&[&statistics[..], &["a"]].concat()).exits(0);
}

#[test]
fn a_size_is_a_number_with_a_unit() {
    let place = place();
    for (size, parts) in [
        ("500", ["`500` has no unit", "`500MB`"]),
        ("lots", ["`lots` is not a size", "for example `500MB`"]),
        ("1kB", ["`1kB` is not a size between 1 MB and 16 EB", "for example `500MB`"]),
    ] {
        let outcome = place.sluice(&["statistics", "rows.csv", "--memory", size]);
        place.assert_failure(&outcome, 2, &parts);
    }
}
