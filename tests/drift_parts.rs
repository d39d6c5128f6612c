//! `sluice drift` by weights and by slices.

use std::fmt::Write;

use serde_json::Value;

use crate::support::Place;

/// Trips of three kinds; `dear` multiplies the fares of the kind `b`. Every third row counts three times.
fn trips(rows: u32, dear: f64) -> String {
    let mut text = String::from("fare,kind,trips\n");
    for row in 0..rows {
        let kind = ["a", "b", "c"][(row % 3) as usize];
        let fare = f64::from(row * 37 % 101) * if kind == "b" { dear } else { 1.0 };
        writeln!(text, "{fare},{kind},{}", if row % 7 == 0 { 3 } else { 1 }).unwrap();
    }
    text
}

/// The same with each row as often as it counts.
fn repeated(text: &str) -> String {
    let mut lines = text.lines();
    let mut all = format!("{}\n", lines.next().unwrap());
    for line in lines {
        let times: usize = line.rsplit(',').next().unwrap().parse().unwrap();
        all.push_str(&format!("{line}\n").repeat(times));
    }
    all
}

fn place() -> Place {
    let place = Place::new();
    for (name, rows, dear) in [("then", 3000, 1.0), ("now", 2400, 1.4), ("same", 2700, 1.0)] {
        let text = trips(rows, dear);
        place.write(&format!("{name}.csv"), &text);
        place.write(&format!("{name}-repeated.csv"), &repeated(&text));
    }
    place
}

fn signals(record: &Value, part: usize, column: &str) -> Vec<Value> {
    let columns = record["subsets"][part]["columns"].as_array().unwrap();
    let found = columns.iter().find(|it| it["column"] == column).unwrap();
    found["signals"].as_array().unwrap().clone()
}

fn of(signals: &[Value], measure: &str, figure: &str) -> f64 {
    signals.iter().find(|it| it["measure"] == measure).unwrap()[figure].as_f64().unwrap()
}

#[test]
fn weights_move_shares_as_repeated_rows_do_and_know_less() {
    let place = place();
    for name in ["then", "now", "then-repeated", "now-repeated"] {
        let weight: &[&str] = if name.contains("repeated") { &[] } else { &["--weight", "trips"] };
        let csv = format!("{name}.csv");
        let arguments = [&["statistics", &csv, "--out", name], weight].concat();
        let _ = place.sluice(&arguments).exits(0);
    }
    let json = |now: &str, then: &str, more: &[&str]| {
        place
            .sluice(&[&["drift", now, "--against", then, "--exclude", "trips", "--json"], more].concat())
            .json()
    };
    let weight = ["--weight", "trips"];
    let saved = json("now", "then", &weight);
    let repeated = json("now-repeated", "then-repeated", &[]);
    for (column, measure) in [("fare", "kolmogorov_smirnov"), ("kind", "total_variation")] {
        let [one, other] = [&saved, &repeated].map(|record| signals(record, 0, column));
        let difference = of(&one, measure, "value") - of(&other, measure, "value");
        // Numbers are known at quantiles: the values agree as far as these do.
        assert!(difference.abs() < 0.01, "{column}: {one:?} {other:?}");
        assert!(of(&one, measure, "noise_floor") > of(&other, measure, "noise_floor"), "{one:?} {other:?}");
    }
    // 2400 rows, 343 of which count 3: (2057 + 3 · 343)² / (2057 + 9 · 343).
    let effective = saved["subsets"][0]["effective_rows"][0].as_f64().unwrap();
    assert!((effective - 3086.0 * 3086.0 / 5144.0).abs() < 1e-6, "{effective}");
    // The rows say the same as the statistics made of them.
    let rows = json("now.csv", "then.csv", &weight);
    assert_eq!(rows["subsets"], saved["subsets"]);
    for (now, then, told) in [("now-repeated", "then", "no weight"), ("now", "then-repeated", "no weight")] {
        let arguments = ["drift", now, "--against", then, "--weight", "trips"];
        let error = place.sluice(&arguments).exits(2).stderr;
        assert!(error.contains(told) && error.contains("sluice statistics --weight trips"), "{error}");
    }
    let error = place.sluice(&["drift", "now", "--against", "then", "--weight", "fare"]).exits(2).stderr;
    assert!(error.contains("have the weight `trips`"), "{error}");
    let _ = place.sluice(&["drift", "now.csv", "--against", "then.csv", "--weight", "kind"]).exits(2);
    place.is_tidy();
}

#[test]
fn a_slice_that_drifts_alone_is_named_and_the_others_are_calm() {
    let place = place();
    for name in ["then", "now"] {
        let arguments = ["statistics", &format!("{name}.csv"), "--slice", "kind", "--out", name];
        let _ = place.sluice(&arguments).exits(0);
    }
    let sliced = [
        "--slice",
        "kind",
        "--exclude",
        "trips",
        "--threshold",
        "wasserstein=0.5",
        "--threshold",
        "kolmogorov_smirnov=0.2",
        "--threshold",
        "out_of_range=0.2",
    ];
    for (now, then, out) in [("now", "then", "saved"), ("now.csv", "then.csv", "rows")] {
        let arguments =
            [&["drift", now, "--against", then, "--out", out, "--junit", "j.xml"], &sliced[..]].concat();
        let _ = place
            .sluice(&arguments)
            .exits(1)
            .says(&["all, slice kind_b: 800 rows", "2 of 3 slices raise no alarm"]);
        let record = place.json(&format!("{out}/drift.json"));
        let parts = record["subsets"].as_array().unwrap();
        let names: Vec<&Value> = parts.iter().map(|part| &part["slice"]).collect();
        assert_eq!(names, [&Value::Null, &"kind_a".into(), &"kind_b".into(), &"kind_c".into()]);
        for (part, is_alarm) in [(0, false), (1, false), (2, true), (3, false)] {
            let fare = signals(&record, part, "fare");
            assert_eq!(fare.iter().any(|signal| signal["alarm"] == true), is_alarm, "{part}: {fare:?}");
        }
        let anomalies = fs_err::read_to_string(place.path(&format!("{out}/anomalies-all.pbtxt"))).unwrap();
        assert!(anomalies.contains("fare"), "{anomalies}");
        assert!(fs_err::read_to_string(place.path("j.xml")).unwrap().contains("slice kind_b"));
    }
    let error = place.sluice(&["drift", "now", "--against", "then", "--slice", "fare > 20"]).exits(2).stderr;
    assert!(error.contains("current statistics have no slice `fare > 20`"), "{error}");
    // An expression, a slice that is new and one that is gone.
    place.write("less.csv", &trips(600, 1.0).replace(",c,", ",d,"));
    let arguments =
        ["drift", "less.csv", "--against", "then.csv", "--slice", "kind", "--slice", "(fare > 20)", "--json"];
    let record = place.sluice(&arguments).exits(1).json();
    let notes = record["subsets"][0]["notes"].to_string();
    assert!(
        notes.contains("`kind_c` has no rows any more") && notes.contains("`kind_d` is new: 200 rows"),
        "{notes}"
    );
    let parts = record["subsets"].as_array().unwrap();
    assert_eq!(parts.len(), 4, "{parts:?}");
    place.is_tidy();
}

/// Statistics of two subsets as TFDV prints them, of so many rows each.
fn printed(names: [&str; 2], rows: u32) -> String {
    names
        .map(|name| {
            format!(
                "datasets {{\n  name: \"{name}\"\n  num_examples: {rows}\n  features {{\n    name: \"kind\"\n    type: \
                 STRING\n    string_stats {{\n      common_stats {{ num_non_missing: {rows} min_num_values: 1 \
                 max_num_values: 1 avg_num_values: 1 tot_num_values: {rows} }}\n      unique: 1\n      rank_histogram {{ \
                 buckets {{ label: \"a\" sample_count: {rows} }} }}\n    }}\n  }}\n}}\n"
            )
        })
        .concat()
}

#[test]
fn subsets_of_any_name_have_files_of_their_own() {
    let place = Place::new();
    place.write("now.pbtxt", &printed(["a/b", "../../a b"], 40));
    place.write("then.pbtxt", &printed(["a/b", "../../a b"], 60));
    let _ = place.sluice(&["drift", "now.pbtxt", "--against", "then.pbtxt", "--out", "deep/d"]).exits(0);
    for name in ["a%2Fb", "..%2F..%2Fa b"] {
        assert!(place.path(&format!("deep/d/anomalies-{name}.pbtxt")).is_file(), "{name}");
    }
    assert_eq!(fs_err::read_dir(place.path("deep")).unwrap().count(), 1);
    // Without an ending, the content says that it is statistics.
    place.write("now", &printed(["a/b", "../../a b"], 40));
    let text = place.sluice(&["drift", "now", "--against", "then.pbtxt", "--exact"]).exits(2).stderr;
    assert!(text.contains("all sides are statistics"), "{text}");
    let _ = place.sluice(&["drift", "now", "--against", "then.pbtxt", "--subset", "a/b"]).exits(0);
    place.is_tidy();
}
