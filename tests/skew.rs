//! `sluice skew` from outside: the same rows on two sides, what differs, and what it writes.

use std::fmt::Write;

use crate::support::Place;

/// Rows with a key, a number that `wrong` rows have otherwise, and a label; the order depends on the step.
fn rows(number: u32, step: u32, wrong: u32, lacks: u32) -> String {
    let mut text = String::from("id,fare,kind\n");
    for place in 0..number {
        let row = place * step % number;
        if row < lacks {
            continue;
        }
        let fare = f64::from(row) / 4.0 + if row % 100 < wrong { 0.5 } else { 0.0 };
        writeln!(text, "k{row},{fare},{}", if row.is_multiple_of(3) { "Cash" } else { "Card" }).unwrap();
    }
    text
}

fn place() -> Place {
    let place = Place::new();
    place.write("then.csv", &rows(1000, 1, 0, 0));
    place.write("same.csv", &rows(1000, 7, 0, 0));
    place.write("now.csv", &rows(1000, 3, 5, 40));
    place
}

#[test]
fn the_same_rows_in_any_order_pass_and_differences_are_counted_with_examples() {
    let place = place();
    let skew = |now: &str, more: &[&str]| {
        place.sluice(&[&["skew", now, "--against", "then.csv", "--key", "id"], more].concat())
    };
    let _ = skew("same.csv", &[]).exits(0).says(&["1 000 pairs by id", "ACCEPTED  0 of 2 columns"]);
    let found = skew("now.csv", &["--json", "--out", "out", "--junit", "j.xml"]).exits(1).json();
    let report = &found["subsets"][0];
    assert_eq!((&report["num_pairs"], &report["reference"]["unmatched"]), (&960.into(), &40.into()));
    let fare = &report["features"][0];
    // Five of each hundred, without those below 40 that are not there.
    assert_eq!(
        (&fare["column"], &fare["mismatch"], &fare["num_match"]),
        (&"fare".into(), &45.into(), &915.into())
    );
    let example = &fare["examples"][0];
    let number = |side: &str| example[side].as_str().unwrap().parse::<f64>().unwrap();
    assert!((number("current") - number("reference") - 0.5).abs() < 1e-12, "{example}");
    assert_eq!(example["current_row"][0], "now.csv");
    assert_eq!(report["features"][1]["num_different"], 0);
    assert_eq!(place.json("out/skew.json"), found);
    let page = fs_err::read_to_string(place.path("out/skew.html")).unwrap();
    assert!(page.contains("differs in 45 pairs of rows"), "{page}");
    let junit = fs_err::read_to_string(place.path("j.xml")).unwrap();
    assert!(junit.contains("name=\"skew\"") && junit.contains("<failure"), "{junit}");
    place.is_tidy();
}

#[test]
fn thresholds_gate_and_threads_and_memory_change_no_byte() {
    let place = place();
    let skew = |more: &[&str]| {
        place.sluice(&[&["skew", "now.csv", "--against", "then.csv", "--key", "id"], more].concat())
    };
    let _ = skew(&["--threshold", "0.05"]).exits(0);
    let _ = skew(&["--threshold", "fare=0.05"]).exits(0);
    let _ = skew(&["--threshold", "fare=0.04"]).exits(1);
    let _ = skew(&["--threshold", "0.05", "--max-unmatched", "0"]).exits(0);
    let turned = ["skew", "then.csv", "--against", "now.csv", "--key", "id", "--threshold", "0.05"];
    let _ = place.sluice(&[&turned[..], &["--max-unmatched", "0.03"]].concat()).exits(1).says(&["0.04"]);
    place.write("skew.yaml", "key: [id]\nexclude: [fare]\n");
    let _ = place.sluice(&["skew", "now.csv", "--against", "then.csv", "--settings", "skew.yaml"]).exits(0);
    for (threads, memory, out) in [("1", "64MiB", "one"), ("3", "2GiB", "three")] {
        let _ = skew(&["--threads", threads, "--memory", memory, "--out", out]).exits(1);
    }
    let files = ["one", "three"].map(|out| fs_err::read(place.path(&format!("{out}/skew.json"))).unwrap());
    assert!(files[0] == files[1]);
}

#[test]
fn what_cannot_be_joined_is_an_error_or_turned_down() {
    let place = place();
    let skew = |more: &[&str]| place.sluice(&[&["skew", "now.csv", "--against", "then.csv"], more].concat());
    place.assert_failure(&skew(&[]), 2, &["no key is named"]);
    place.assert_failure(
        &skew(&["--key", "ids"]),
        2,
        &["column `ids` is not in the reference", "did you mean `id`"],
    );
    place.assert_failure(&skew(&["--key", "id", "--threshold", "fare=much"]), 2, &["is no share"]);
    place.assert_failure(&skew(&["--key", "id", "--threshold", "2"]), 2, &["threshold"]);
    place.write("numbers.csv", "id,fare\n1,2.5\n");
    let other = ["skew", "numbers.csv", "--against", "then.csv", "--key", "id"];
    place.assert_failure(&place.sluice(&other), 2, &["the key `id` is"]);
    place.write("strangers.csv", "id,fare,kind\nq1,2.5,Cash\n");
    let outcome = place.sluice(&["skew", "strangers.csv", "--against", "then.csv", "--key", "id"]);
    let _ = outcome.exits(1).says(&["0 pairs", "REJECTED"]);
}
