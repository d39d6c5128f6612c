//! `sluice drift calibrate` and `timeline` from outside: thresholds of good days, and the day on which it changed.

use std::fmt::Write;

use crate::support::Place;

/// A day of trips whose fares and shares of cash differ a little from day to day.
fn day(index: u32) -> String {
    let mut text = String::from("fare,kind,at\n");
    let (lift, cash) = (f64::from(index * 7 % 5) / 40.0, 58 + index * 3 % 5);
    for row in 0..1000_u32 {
        let (a, b) = (f64::from(row * 37 % 101), row * 53 % 100);
        let kind = if b < cash { "Cash" } else { "Card" };
        writeln!(
            text,
            "{},{kind},2026-11-{:02}T0{}:00:00",
            a * a / 50.0 * (1.0 + lift),
            index + 1,
            index % 4
        )
        .unwrap();
    }
    text
}

fn days() -> Place {
    let place = Place::new();
    for index in 0..14 {
        place.write(&format!("2026-11-{:02}.csv", index + 1), &day(index));
    }
    place.write("worse.csv", &day(3).replace("Cash", "Crypto"));
    place
}

fn names(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|day| format!("2026-11-{day:02}.csv")).collect()
}

#[test]
fn thresholds_learned_from_good_days_let_such_days_pass_and_go_into_the_schema() {
    let place = days();
    let schema = "feature {\n  name: \"kind\"\n  type: BYTES\n  annotation {\n    tag: \"kept\"\n  }\n}\n\
                  feature {\n  name: \"fare\"\n  type: FLOAT\n}\n";
    place.write("schema.pbtxt", schema);
    let batches = names(1..=12);
    let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
    let own = [
        "--alarm-rate",
        "0.1",
        "--out",
        "drift.yaml",
        "--schema",
        "schema.pbtxt",
        "--schema-out",
        "out.pbtxt",
    ];
    let arguments = [&["drift", "calibrate"], &batches[..], &own].concat();
    let outcome = place.sluice(&arguments).exits(0);
    let _ = outcome.says(&["a share of at most 0.1", "kolmogorov_smirnov", "for the schema's comparators"]);
    let settings = fs_err::read_to_string(place.path("drift.yaml")).unwrap();
    assert!(settings.contains("of_column:") && settings.contains("total_variation:"), "{settings}");
    let judge = |now: &str| {
        place.sluice(&[
            "drift",
            now,
            "--against",
            "2026-11-12.csv",
            "--settings",
            "drift.yaml",
            "--exclude",
            "at",
        ])
    };
    let _ = judge("2026-11-13.csv").exits(0);
    let _ = judge("worse.csv").exits(1).says(&["new_categories"]);
    let written = fs_err::read_to_string(place.path("out.pbtxt")).unwrap();
    for text in ["tag: \"kept\"", "drift_comparator", "infinity_norm", "jensen_shannon_divergence"] {
        assert!(written.contains(text), "{written}");
    }
    // The comparators judge where TFDV's do.
    for name in ["2026-11-12", "2026-11-13"] {
        let _ =
            place.sluice(&["statistics", &format!("{name}.csv"), "--exclude", "at", "--out", name]).exits(0);
    }
    let validate = ["validate", "2026-11-13", "--schema", "out.pbtxt", "--previous", "2026-11-12"];
    let _ = place.sluice(&validate).exits(0);
    place.is_tidy();
}

#[test]
fn too_few_good_days_are_said_and_seasons_need_a_time() {
    let place = days();
    let calibrate = |batches: std::ops::RangeInclusive<u32>, more: &[&str]| {
        let batches = names(batches);
        let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
        place.sluice(&[&["drift", "calibrate"], &batches[..], more].concat())
    };
    let _ = calibrate(1..=6, &[]).exits(0).says(&["5 comparisons are too few", "19 are needed"]);
    let told = calibrate(1..=3, &[]).exits(2).stderr;
    assert!(told.contains("2 comparisons of good batches are too few"), "{told}");
    // Every Monday against the Monday before, and so on: seven of fourteen days.
    let weekday = calibrate(1..=14, &["--season", "weekday", "--json"]).exits(0).json();
    let scores = weekday["settings"]["scores"].as_array().unwrap();
    assert_eq!(scores.len(), 7);
    assert_eq!(
        (&scores[0]["batch"], &scores[0]["against"]),
        (&"2026-11-08.csv".into(), &"2026-11-01.csv".into())
    );
    let hour = calibrate(1..=14, &["--season", "hour", "--time", "at", "--json"]).exits(0).json();
    assert_eq!(hour["settings"]["scores"][0]["against"], "2026-11-01.csv");
    assert_eq!(hour["settings"]["scores"][0]["batch"], "2026-11-05.csv");
    let told = calibrate(1..=14, &["--season", "hour"]).exits(2).stderr;
    assert!(told.contains("the time of batch `2026-11-01.csv` is not known"), "{told}");
    let _ = calibrate(1..=14, &["--season", "hour", "--against", "2026-11-01.csv"]).exits(2);
    let _ = calibrate(1..=14, &["--alarm-rate", "0"]).exits(2);
    let _ = calibrate(1..=14, &["--schema", "s.pbtxt"]).exits(2);
}

#[test]
fn a_timeline_names_the_batch_where_it_changed() {
    let place = days();
    for day in 9..=14 {
        let name = format!("2026-11-{day:02}.csv");
        let text = fs_err::read_to_string(place.path(&name)).unwrap();
        // From the ninth on a third of the trips is paid in another way.
        let mut row = 0;
        let lines = text.lines().map(|line| {
            row += 1;
            if row % 3 == 0 { line.replace("Cash", "Card") } else { line.to_owned() }
        });
        place.write(&name, &lines.collect::<Vec<_>>().join("\n"));
    }
    let batches = names(1..=14);
    let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
    let timeline = |more: &[&str]| {
        place.sluice(&[&["drift", "timeline"], &batches[..], &["--exclude", "at"], more].concat())
    };
    let told = timeline(&["--out", "timeline", "--threads", "1"]);
    let _ = told.exits(1).says(&["changed with", "2026-11-09.csv  kind", "total_variation", "REJECTED"]);
    let _ = timeline(&["--out", "again", "--threads", "3", "--season", "weekday"]).exits(1);
    let [one, two] = ["timeline", "again"].map(|out| place.json(&format!("{out}/timeline.json")));
    let series = |record: &serde_json::Value| record["timeline"]["series"].as_array().unwrap().clone();
    let kind = |record| series(record).into_iter().find(|one| one["column"] == "kind").unwrap();
    // The same values for any number of threads; the batch before is another.
    assert_eq!(kind(&one)["values"], kind(&two)["values"]);
    assert_eq!(one["timeline"]["batches"][1]["before"]["against"], "2026-11-02.csv");
    assert_eq!(two["timeline"]["batches"][7]["before"]["against"], "2026-11-02.csv");
    assert_eq!(kind(&one)["change"]["batch"], "2026-11-09.csv");
    let page = fs_err::read_to_string(place.path("timeline/timeline.html")).unwrap();
    assert!(page.contains("Another level from 2026-11-09.csv on"), "{page}");
    let _ = timeline(&["--against", "2026-11-14.csv", "--threshold", "total_variation=0.5"]).exits(0);
    let alone = place.sluice(&["drift", "timeline", "2026-11-14.csv"]);
    place.assert_failure(&alone, 2, &["`2026-11-14.csv` is the only batch", "--against"]);
    place.is_tidy();
}

#[test]
fn what_many_batches_make_nothing_of_is_refused() {
    let place = days();
    for day in names(1..=5) {
        let _ = place
            .sluice(&["statistics", &day, "--exclude", "at", "--out", &day.replace(".csv", "")])
            .exits(0);
    }
    let saved: Vec<String> = names(1..=5).iter().map(|name| name.replace(".csv", "")).collect();
    let without_times =
        day(5).lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect::<String>();
    place.write("rows.csv", &without_times);
    let settings = [
        ("classifier.yaml", "domain_classifier: { rows: 100 }\n"),
        ("limit.yaml", "thresholds: { domain_classifier: 0.6 }\n"),
        ("column.yaml", "of_column: { fare: { domain_classifier: 0.6 } }\n"),
    ];
    for (file, text) in settings {
        place.write(file, text);
    }
    for task in ["calibrate", "timeline"] {
        for batches in [&saved, &names(1..=5)] {
            let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
            let told = |more: &[&str]| {
                let arguments = [&["drift", task], &batches[..], more].concat();
                place.sluice(&arguments).exits(2).stderr
            };
            for file in ["classifier.yaml", "limit.yaml"] {
                let told = told(&["--settings", file]);
                assert!(told.contains("`sluice drift --domain-classifier`"), "{task} {file}: {told}");
            }
            let told_of_column = told(&["--settings", "column.yaml"]);
            assert!(told_of_column.contains("is of all columns together"), "{task}: {told_of_column}");
            let told_of_energy = told(&["--threshold", "energy=0.5"]);
            assert!(
                told_of_energy.contains("`energy` has a threshold, but is not measured"),
                "{told_of_energy}"
            );
            let told_of_subset = told(&["--subset", "eval"]);
            assert!(told_of_subset.contains("no side has a subset `eval`"), "{task}: {told_of_subset}");
        }
        let saved: Vec<&str> = saved.iter().map(String::as_str).collect();
        let exact = [&["drift", task], &saved[..], &["--exact"]].concat();
        let told = place.sluice(&exact).exits(2).stderr;
        assert!(told.contains("all sides are statistics"), "{task}: {told}");
        // One side with rows is enough; a batch that is there twice is told.
        let with_rows = [&["drift", task, "rows.csv"], &saved[..], &["rows.csv", "--exact"]].concat();
        let told = place.sluice(&with_rows).exits(0).stderr;
        assert!(told.contains("rows.csv and rows.csv are the same data"), "{task}: {told}");
        // Options may name columns that no batch of a pair has.
        let others = [&["drift", task, "2026-11-06.csv"], &saved[..], &["--exclude", "at"]].concat();
        let told = place.sluice(&others).exits(2).stderr;
        assert!(told.contains("2026-11-02 against 2026-11-01: there is no column `at`"), "{task}: {told}");
    }
    place.is_tidy();
}

#[test]
fn a_timeline_of_one_batch_and_rates_that_are_none_are_errors() {
    let place = days();
    let told = place.sluice(&["drift", "timeline", "2026-11-01.csv"]).exits(2).stderr;
    assert!(
        told.contains("one batch has nothing to compare it with") && told.contains("--against"),
        "{told}"
    );
    let with_reference =
        ["drift", "timeline", "2026-11-01.csv", "--against", "2026-11-01.csv", "--exclude", "at"];
    let _ = place.sluice(&with_reference).exits(0);
    let batches = names(1..=5);
    let batches: Vec<&str> = batches.iter().map(String::as_str).collect();
    for rate in ["0", "1", "NaN", "inf", "-0.1"] {
        let option = format!("--alarm-rate={rate}");
        let told =
            place.sluice(&[&["drift", "calibrate"], &batches[..], &[&option]].concat()).exits(2).stderr;
        assert!(told.contains("alarm_rate"), "{rate}: {told}");
    }
    for (value, expected) in
        [(".nan", "non-finite"), (".inf", "non-finite"), ("-.inf", "non-finite"), ("-1", "at least 0")]
    {
        place.write("bad.yaml", &format!("of_column: {{ fare: {{ wasserstein: {value} }} }}\n"));
        for task in [&["drift", "2026-11-02.csv", "--against", "2026-11-01.csv"][..], &["drift", "timeline"]]
        {
            let more = if task.len() == 2 { &batches[..] } else { &[] };
            let told = place.sluice(&[task, more, &["--settings", "bad.yaml"]].concat()).exits(2).stderr;
            assert!(told.contains(expected), "{value}: {told}");
        }
    }
    place.is_tidy();
}
