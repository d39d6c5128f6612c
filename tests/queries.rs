//! Queries over several inputs, spans and subsets by time, through the real binary.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Outcome, Place, assert_same_files};

const MALFORMED: i32 = 4;
const USAGE: i32 = 2;
const UNAVAILABLE: i32 = 3;

/// Trips with a key, a zone and numbers of which every sum and mean is exact; `from` moves the keys.
fn trips(from: u32, rows: u32) -> String {
    let mut text = String::from("id,zone,fare,tips,day\n");
    for row in from..from + rows {
        let (zone, fare) = (row % 5, f64::from(row % 40) * 0.25 + 3.0);
        let tips = if row % 3 == 0 { 0.0 } else { fare * 0.25 };
        writeln!(text, "t{row:05},{zone},{fare},{tips},2014-01-{:02}", 1 + row / 10 % 28).unwrap();
    }
    text
}

const ZONES: &str = "zone,name,rate\n0,north,1\n1,south,2\n2,007,3\n3,west,4\n";

/// A pipeline over `trips.csv` and `zones.csv` with this query, and a place to run it.
fn pipeline(data: &str, features: &str) -> String {
    format!(
        "pipeline: trips\ndata:\n{data}\ntransform: [ {{ pass_through: [{features}] }} ]\n\
         train: {{ ridge: {{ alpha: 0.1 }} }}\nevaluate: {{ require: [ {{ metric: rmse, at_most: 100 }} ] }}\n"
    )
}

fn place_with(data: &str, features: &str) -> Place {
    let place = Place::new();
    place.write("trips.csv", &trips(0, 400));
    place.write("zones.csv", ZONES);
    place.write("pipeline.yaml", &pipeline(data, features));
    place
}

fn run(place: &Place) -> Outcome {
    place.sluice(&["run", "pipeline.yaml", "--out", "out"])
}

const HASH: &str = "subsets: { by: hash, train: 0.75, eval: 0.25 }";

fn data(query: &str, roles: &str) -> String {
    format!(
        "  inputs: {{ trips: trips.csv, zones: zones.csv }}\n  query: >-\n    {query}\n  roles: {roles}\n  {HASH}"
    )
}

fn dataset(place: &Place) -> Value {
    place.json("out/runs/0001/dataset/dataset.json")
}

/// The rows of a subset of the first run, as `predict` would read them: exported by a query of its own.
fn rows_of(place: &Place, subset: &str) -> u64 {
    dataset(place)["subsets"][subset].as_u64().unwrap()
}

#[test]
fn a_row_wise_query_filters_and_derives_in_the_order_of_the_input() {
    let roles = "{ label: share, key: [id], allow: [fare] }";
    let query =
        "SELECT id, fare, tips / fare AS share, CAST(zone AS VARCHAR) AS zone FROM trips WHERE zone < 4";
    let place = place_with(&data(query, roles), "fare");
    let _ = run(&place).exits(0).says(&["PASS"]);
    let record = dataset(&place);
    assert_eq!(record["rows_read"], 400);
    assert_eq!(record["query"]["rows"], 320);
    assert_eq!(record["query"]["row_by_row"], true);
    assert_eq!(rows_of(&place, "train") + rows_of(&place, "eval"), 320);
    assert_eq!(record["query"]["lineage"]["share"], serde_json::json!(["trips.fare", "trips.tips"]));
    assert_eq!(record["query"]["lineage"]["zone"], serde_json::json!(["trips.zone"]));
    // An input that the query does not read is not opened.
    assert!(record["query"]["inputs"].get("zones").is_none());
    assert_eq!(record["columns"][3]["kind"], "text");
}

#[test]
fn a_join_with_an_aggregate_is_sorted_by_its_key_and_is_the_same_bytes_on_any_number_of_threads() {
    let query = "WITH means AS (SELECT zone, AVG(fare) AS usual, COUNT(*) AS n FROM trips GROUP BY zone) \
                 SELECT trips.id, trips.fare, trips.tips, zones.name, zones.rate, means.usual, means.n \
                 FROM trips JOIN zones ON trips.zone = zones.zone JOIN means ON trips.zone = means.zone";
    let place = place_with(&data(query, "{ label: tips, key: [id] }"), "fare, rate, usual");
    let _ = run(&place).exits(0);
    let record = dataset(&place);
    assert_eq!(record["query"]["rows"], 320);
    assert_eq!(record["query"]["row_by_row"], false);
    assert_eq!(record["query"]["lineage"]["usual"], serde_json::json!(["trips.fare"]));
    assert_eq!(record["query"]["lineage"]["n"], serde_json::json!([]));
    assert_eq!(record["query"]["inputs"]["zones"]["rows"], 4);
    // "007" is still text, and text that is a number in some rows only.
    let statistics = place.json("out/runs/0001/statistics/statistics.json");
    let name = statistics["subsets"][1]["columns"].as_array().unwrap().iter().find(|c| c["name"] == "name");
    assert!(name.unwrap().to_string().contains("\"007\""), "{name:#?}");
    let one = Place::new();
    for name in ["trips.csv", "zones.csv", "pipeline.yaml"] {
        fs_err::copy(place.path(name), one.path(name)).unwrap();
    }
    let mut alone = one.command(&["run", "pipeline.yaml", "--out", "out", "--threads", "1"]);
    assert!(alone.env("POLARS_MAX_THREADS", "1").output().unwrap().status.success());
    assert_same_files(&one.path("out/runs/0001/dataset"), &place.path("out/runs/0001/dataset"));
    assert_same_files(&one.path("out/runs/0001/model"), &place.path("out/runs/0001/model"));
}

#[test]
fn sums_of_floats_do_not_depend_on_threads() {
    let place = Place::new();
    let mut text = String::from("id,group,x\n");
    for row in 0..120_000_u32 {
        // Sums of thirds round in every step.
        writeln!(text, "{row},{},{}", row % 7, f64::from(row % 1009) / 3.0).unwrap();
    }
    place.write("rows.csv", &text);
    let query = "SELECT r.id, r.x, g.total, g.mean, g.spread FROM rows AS r JOIN \
                 (SELECT \"group\", SUM(x) AS total, AVG(x) AS mean, STDDEV(x) AS spread FROM rows GROUP BY \"group\") AS g \
                 ON r.\"group\" = g.\"group\"";
    let ingest = |out: &str, threads: &str| {
        let arguments = [
            "ingest",
            "--input",
            "rows=rows.csv",
            "--query",
            query,
            "--key",
            "id",
            "--share",
            "all=1",
            "--out",
            out,
        ];
        let mut command = place.command(&arguments);
        let output = command.env("POLARS_MAX_THREADS", threads).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    ingest("one", "1");
    ingest("three", "3");
    ingest("eight", "8");
    assert_same_files(&place.path("one"), &place.path("three"));
    assert_same_files(&place.path("one"), &place.path("eight"));
}

#[test]
fn a_feature_that_shares_its_origin_with_the_label_is_refused_before_anything_runs() {
    let query = "SELECT id, fare, zone, tips / fare AS share FROM trips WHERE fare > 0";
    let place = place_with(&data(query, "{ label: share, key: [id] }"), "fare, zone");
    for command in [&["check", "pipeline.yaml"][..], &["run", "pipeline.yaml", "--out", "out"]] {
        let outcome = place.sluice(command);
        let parts = ["feature `fare` leaks the label `share`", "`trips.fare`", "roles: {allow: [fare]}"];
        place.assert_failure(&outcome, USAGE, &parts);
    }
    // An expression without a name has one only in the answer: the rule then holds when the transform is fitted.
    let query = "SELECT id, fare, zone * 2, tips / fare AS share FROM trips WHERE fare > 0";
    place.write("pipeline.yaml", &pipeline(&data(query, "{ label: share, key: [id] }"), "fare, zone"));
    let outcome = run(&place);
    place.assert_failure(&outcome, USAGE, &["step `transform`", "feature `fare` leaks the label `share`"]);
}

#[test]
fn a_feature_that_shares_its_origin_with_the_label_is_refused_by_train_alone() {
    let query = "SELECT id, fare, zone, tips / fare AS share FROM trips WHERE fare > 0";
    let place = place_with("", "");
    let sluice = |arguments: &[&str]| {
        let _ = place.sluice(arguments).exits(0);
    };
    let asked = ["--input", "trips=trips.csv", "--query", query, "--key", "id", "--share", "train=1"];
    sluice(&[&["ingest"], &asked[..], &["--out", "dataset"]].concat());
    // The transform was not told the label.
    let operation = "standardize: [fare, zone]";
    sluice(&["transform", "fit", "dataset", "--operation", operation, "--out", "transform"]);
    let train = ["train", "dataset", "--transform", "transform", "--label", "share", "--alpha", "1"];
    let outcome = place.sluice(&[&train[..], &["--out", "model"]].concat());
    place.assert_failure(&outcome, USAGE, &["feature `fare` leaks the label `share`", "`trips.fare`"]);
    assert!(!place.path("model").exists());
    sluice(&[&train[..], &["--allow", "fare", "--out", "model"]].concat());
}

#[track_caller]
fn query_fails(query: &str, roles: &str, code: i32, parts: &[&str]) {
    let place = place_with(&data(query, roles), "fare");
    let outcome = run(&place);
    place.assert_failure(&outcome, code, parts);
}

#[test]
fn wrong_queries_are_shown_with_the_place() {
    let roles = "{ label: tips, key: [id] }";
    query_fails(
        "SELECT id, fare, tips FROM trips WHERE fare > > 3",
        roles,
        USAGE,
        &["not valid SQL", "line 1, column 47", "^", "`data.query`"],
    );
    query_fails("SELECT id, fare, tips, FORM trips", roles, USAGE, &["reads from no input"]);
    query_fails(
        "SELECT id, fare, tips FROM trip",
        roles,
        USAGE,
        &["table `trip`, which is not an input", "did you mean `trips`?", "line 1, column 28"],
    );
    query_fails("SELECT id, fares AS fare, tips FROM trips", roles, USAGE, &["fares", "line 1, column 12"]);
    query_fails("DELETE FROM trips", roles, USAGE, &["must be one SELECT, not `DELETE`"]);
    query_fails("SELECT id, fare, tips FROM trips LIMIT 10", roles, USAGE, &["LIMIT", "order"]);
    query_fails("SELECT * FROM read_csv('trips.csv')", roles, USAGE, &["not the name of an input"]);
    query_fails(
        "SELECT id, fare, tips, CAST(id AS INTEGER) AS number FROM trips",
        roles,
        USAGE,
        &["cannot be answered", "400 rows from `trips.csv`, row 1"],
    );
}

#[test]
fn a_join_needs_a_key_that_is_unique_in_its_answer() {
    let join = "SELECT t.id, t.fare, t.tips, z.rate FROM trips AS t JOIN zones AS z ON t.zone = z.zone";
    query_fails(join, "{ label: tips }", USAGE, &["joins tables", "need a key", "roles: {key: [trip_id]}"]);
    query_fails(
        join,
        "{ label: tips, key: [rate] }",
        MALFORMED,
        &["same key (rate: 1)", "a join multiplies rows"],
    );
    let twice = "SELECT t.id, t.fare, t.tips, z.rate FROM trips AS t JOIN zones AS z ON t.zone <= z.zone";
    query_fails(
        twice,
        "{ label: tips, key: [id] }",
        MALFORMED,
        &["same key (id: t00000)", "multiplies rows"],
    );
    query_fails(
        "SELECT t.fare, t.tips FROM trips AS t JOIN zones AS z ON t.zone = z.zone",
        "{ label: tips, key: [id] }",
        USAGE,
        &["`id`"],
    );
}

#[test]
fn a_join_that_makes_more_rows_than_it_reads_says_so() {
    let query = "SELECT t.id, t.fare, t.tips, z.name FROM trips AS t JOIN zones AS z ON t.zone <= z.zone";
    let place = place_with(&data(query, "{ label: tips, key: [id, name] }"), "fare");
    let _ = run(&place).exits(0);
    let notes = dataset(&place)["notes"].to_string();
    assert!(
        notes.contains("the join multiplies rows: the answer has 800, the largest input, `trips`, 400"),
        "{notes}"
    );
}

#[test]
fn several_inputs_need_a_query() {
    let data =
        format!("  inputs: {{ trips: trips.csv, zones: zones.csv }}\n  roles: {{ label: tips }}\n  {HASH}");
    let place = place_with(&data, "fare");
    place.assert_failure(&run(&place), USAGE, &["2 inputs but no query"]);
}

/// A pipeline over spans of trips.
fn spans(selection: &str) -> Place {
    let place = Place::new();
    for span in 1..=3_u32 {
        place.write(&format!("d/span-{span}/v-1/rows.csv"), &trips(span * 1000, 100));
    }
    place.write("d/span-2/v-2/rows.csv", &trips(2000, 120));
    let data = format!(
        "  inputs: {{ trips: \"d/span-{{SPAN}}/v-{{VERSION}}/*.csv\" }}\n{selection}  \
         roles: {{ label: tips, key: [id] }}\n  {HASH}"
    );
    place.write("pipeline.yaml", &pipeline(&data, "fare, zone"));
    place
}

#[test]
fn the_latest_span_is_read_unless_others_are_chosen() {
    let place = spans("");
    let _ = run(&place).exits(0);
    let record = dataset(&place);
    assert_eq!(record["rows_read"], 100);
    assert_eq!((&record["spans"][0]["span"], &record["spans"][0]["version"]), (&3.into(), &1.into()));
    assert!(place.path("out/runs/0001/dataset/train/span-000000000000000003.parquet").is_file());
    // The command line chooses over the file.
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "out", "--spans", "2..3"]).exits(0);
    assert!(outcome.stderr.contains("spans 2 to 3"), "{outcome:#?}");
    let record = place.json("out/runs/0002/dataset/dataset.json");
    assert_eq!(record["rows_read"], 220);
    assert_eq!(record["spans"].as_array().unwrap().len(), 2);
    assert_eq!(record["spans"][0]["version"], 2);
    // A span that was read before is the same subset rows in a window.
    let alone = record["spans"][1]["subsets"].clone();
    assert_eq!(alone, place.json("out/runs/0001/dataset/dataset.json")["spans"][0]["subsets"]);
    let name = "train/span-000000000000000003.parquet";
    let bytes = |run: &str| fs_err::read(place.path(&format!("out/runs/{run}/dataset/{name}"))).unwrap();
    assert!(bytes("0001") == bytes("0002"), "the rows of span 3 differ");
    // Nothing changed, so nothing runs.
    let again =
        place.sluice(&["run", "pipeline.yaml", "--out", "out", "--spans", "2..3", "--dry-run"]).exits(0);
    assert!(again.stderr.contains("ingest         cached"), "{again:#?}");
}

#[test]
fn spans_that_are_missing_are_named() {
    for (selection, code, parts) in [
        ("  spans: 3..5\n", UNAVAILABLE, ["span 4, 5 of `d/span-{SPAN}/", "there is span 1, 2, 3"]),
        ("  spans: last 4\n", UNAVAILABLE, ["span 0 of", "there is span 1, 2, 3"]),
        ("  spans: newest\n", USAGE, ["`newest` does not say which spans", "`last 7`"]),
    ] {
        let place = spans(selection);
        place.assert_failure(&run(&place), code, &parts);
    }
    let place = place_with(&data("SELECT * FROM trips", "{ label: tips, key: [id] }"), "fare");
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "out", "--spans", "3"]);
    place.assert_failure(&outcome, USAGE, &["no input has `{SPAN}`"]);
}

#[test]
fn rows_are_shared_out_by_time_and_a_gap_is_left_out() {
    let data = "  inputs: { trips: trips.csv }\n  roles: { label: tips, key: [id], time: day }\n  \
                subsets: { by: time, train: { before: 2014-01-15 }, eval: { from: 2014-01-20, before: 2014-02-01 } }";
    let place = place_with(data, "fare, zone");
    let outcome = run(&place).exits(0);
    assert!(outcome.stderr.contains("left out"), "{outcome:#?}");
    let record = dataset(&place);
    // 400 rows, ten a day: days 1 to 28, then 1 to 12.
    assert_eq!((rows_of(&place, "train"), rows_of(&place, "eval")), (140 + 120, 90));
    assert_eq!(record["left_out"], 50);
    let overlapping = data.replace("2014-01-20", "2014-01-14");
    place.write("pipeline.yaml", &pipeline(&overlapping, "fare"));
    place.sluice(&["check", "pipeline.yaml"]).exits(USAGE);
    let as_feature = pipeline(data, "fare, day");
    place.write("pipeline.yaml", &as_feature);
    let outcome = place.sluice(&["check", "pipeline.yaml"]).exits(USAGE);
    assert!(outcome.stderr.contains("column `day`, which is the time"), "{outcome:#?}");
}

#[test]
fn a_schema_gives_columns_their_types_and_a_cell_that_does_not_fit_is_an_error() {
    let place = Place::new();
    place.write("trips.csv", &trips(0, 400));
    let schema = "feature { name: \"id\" type: BYTES } feature { name: \"zone\" type: BYTES }\n\
                  feature { name: \"fare\" type: FLOAT } feature { name: \"tips\" type: FLOAT }\n\
                  feature { name: \"day\" type: BYTES }";
    place.write("trips.pbtxt", schema);
    let data = "  inputs: { trips: trips.csv }\n  types_from_schema: true\n  \
                roles: { label: tips, key: [id] }\n  subsets: { by: hash, train: 0.75, eval: 0.25 }\n\
                schema: trips.pbtxt";
    place.write("pipeline.yaml", &pipeline(data, "fare"));
    let _ = run(&place).exits(0);
    let kinds: Vec<Value> =
        dataset(&place)["columns"].as_array().unwrap().iter().map(|column| column["kind"].clone()).collect();
    // The zone would have been inferred to be an integer, the day a date.
    assert_eq!(kinds, ["text", "text", "float", "float", "text"]);
    place.write("trips.csv", &trips(0, 400).replacen(",3.25,", ",dear,", 1));
    let outcome = place.sluice(&["run", "pipeline.yaml", "--out", "bad"]).exits(MALFORMED);
    assert!(outcome.stderr.contains("row 2") && outcome.stderr.contains("`fare`"), "{outcome:#?}");
    let without = data.replace("\nschema: trips.pbtxt", "");
    place.write("pipeline.yaml", &pipeline(&without, "fare"));
    let outcome = run(&place).exits(USAGE);
    assert!(outcome.stderr.contains("no `schema` is named"), "{outcome:#?}");
}
