//! States of shards and spans through the binary: merged they are the bytes of one run; what does not fit together is
//! refused.

use crate::support::Place;

/// Rows of several splits of the size that the binary uses, in a form that is cheap to write.
fn trips(place: &Place, name: &str, rows: u32) {
    let mut text = String::from("id,fare,miles,company\n");
    for row in 0..rows {
        let noise = row.wrapping_mul(2_654_435_761) >> 16;
        let fare = if row % 97 == 0 { String::new() } else { format!("{}.{}", noise % 90, row % 10) };
        text.push_str(&format!("{row},{fare},{},c{}\n", noise % 31, noise % 7));
    }
    place.write(name, &text);
}

const OPTIONS: [&str; 6] = ["--label", "fare", "--cross", "all", "--slice", "company"];

fn statistics(place: &Place, arguments: &[&str]) -> crate::support::Outcome {
    place.sluice(&[&["statistics"], arguments, &OPTIONS].concat())
}

fn shard(place: &Place, index: u32, count: u32) -> String {
    let (of, out) = (format!("{index}/{count}"), format!("part-{index}-of-{count}"));
    statistics(place, &["trips.csv", "--shard", &of, "--partial", "--out", &out]).exits(0);
    out
}

#[test]
fn shards_merge_to_the_bytes_of_one_run() {
    let place = Place::new();
    trips(&place, "trips.csv", 600_000);
    statistics(&place, &["trips.csv", "--out", "whole"]).exits(0);
    let whole = crate::support::files(&place.path("whole"));
    assert!(whole.len() >= 2, "{whole:?}");
    for count in [1, 2, 5] {
        let mut parts: Vec<String> = (1..=count).map(|index| shard(&place, index, count)).collect();
        parts.reverse();
        let out = format!("merged-{count}");
        let mut arguments = vec!["statistics", "merge"];
        arguments.extend(parts.iter().map(String::as_str));
        arguments.extend(["--out", &out]);
        place.sluice(&arguments).exits(0);
        assert_eq!(crate::support::files(&place.path(&out)), whole, "{count} shards");
    }
    let merge = |states: &[&str]| place.sluice(&[&["statistics", "merge"], states].concat());
    place.assert_failure(
        &merge(&["part-1-of-2"]),
        2,
        &["subset `all`", "no state holds splits", "every shard"],
    );
    place.assert_failure(&merge(&["part-2-of-2", "part-2-of-2"]), 2, &["two states hold split"]);
    place.assert_failure(&merge(&["part-1-of-2", "whole"]), 2, &["`statistics`, not `statistics-state`"]);
    trips(&place, "other.csv", 900);
    statistics(&place, &["other.csv", "--partial", "--out", "other"]).exits(0);
    place.assert_failure(&merge(&["part-1-of-2", "other"]), 2, &["cannot join a state of the source"]);
    let plain = ["statistics", "trips.csv", "--shard", "2/2", "--partial", "--out", "plain"];
    place.sluice(&plain).exits(0);
    place.assert_failure(&merge(&["part-1-of-2", "plain"]), 2, &["`plain` was made with other options"]);
    let state = place.path("part-2-of-2/all.state");
    let mut bytes = fs_err::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&state, bytes).unwrap();
    let damaged = merge(&["part-1-of-2", "part-2-of-2"]);
    assert_eq!(damaged.code, Some(4), "{damaged:#?}");
    assert!(damaged.stderr.contains("is damaged"), "{damaged:#?}");
}

#[test]
fn stored_spans_merge_to_the_bytes_of_the_window() {
    let place = Place::new();
    for span in 1..=3 {
        trips(&place, &format!("data/span-{span}/trips.csv"), 200 + 50 * span);
    }
    let ingest = |spans: &str, out: &str| {
        let input = ["ingest", "data/span-{SPAN}/*.csv", "--spans", spans, "--out", out];
        let share = ["--share", "train=0.7", "--share", "eval=0.3"];
        place.sluice(&[&input[..], &share[..]].concat()).exits(0);
        statistics(
            &place,
            &[out, "--keep-state", &format!("{out}-state"), "--out", &format!("{out}-statistics")],
        )
        .exits(0);
    };
    for (spans, out) in [("1..3", "window"), ("1..2", "first"), ("3..3", "last")] {
        ingest(spans, out);
    }
    let merge = |states: &[&str], out: &str| {
        place.sluice(&[&["statistics", "merge"], states, &["--out", out]].concat())
    };
    merge(&["last-state", "first-state"], "merged").exits(0);
    let read = |name: &str| fs_err::read(place.path(name)).unwrap();
    assert_eq!(read("merged/statistics.json"), read("window-statistics/statistics.json"));
    let twice = merge(&["window-state", "last-state"], "twice");
    place.assert_failure(&twice, 2, &["two states hold split 1 of span 3"]);
}
