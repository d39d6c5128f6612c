use std::collections::BTreeMap;
use std::path::Path;

use sluice_core::error::ErrorKind;

use super::*;

fn folder(paths: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for path in paths {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, "x\n1\n").unwrap();
    }
    folder
}

fn select(base: &Path, location: &str, selection: &str) -> Result<Vec<(u64, Option<u64>, String)>> {
    let inputs = BTreeMap::from([("t".to_owned(), location.to_owned())]);
    let selection: SpanSelection = selection.parse()?;
    let found = select_spans(&inputs, base, Some(&selection))?;
    Ok(found["t"].iter().map(|span| (span.span, span.version, span.location.clone())).collect())
}

fn one(span: u64, version: Option<u64>, location: &str) -> (u64, Option<u64>, String) {
    (span, version, location.to_owned())
}

#[test]
fn spans_and_versions_in_folders() {
    let place = folder(&[
        "d/span-1/v-1/a.csv",
        "d/span-2/v-1/a.csv",
        "d/span-2/v-10/a.csv",
        "d/span-2/v-9/a.csv",
        "d/span-10/v-1/a.csv",
        "d/other/v-1/a.csv",
        "d/span-x/v-1/a.csv",
    ]);
    let pattern = "d/span-{SPAN}/v-{VERSION}/*.csv";
    assert_eq!(select(place.path(), pattern, "latest").unwrap(), [one(10, Some(1), "d/span-10/v-1/*.csv")]);
    assert_eq!(
        select(place.path(), pattern, "1..2").unwrap(),
        [one(1, Some(1), "d/span-1/v-1/*.csv"), one(2, Some(10), "d/span-2/v-10/*.csv")]
    );
    let error = select(place.path(), pattern, "last 3").unwrap_err();
    assert_eq!(error.to_string(), format!("span 8, 9 of `{pattern}` is missing"));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.hint().unwrap().contains("there is span 1, 2, 10"));
}

#[test]
fn dates_and_spans_in_file_names() {
    let place =
        folder(&["2014/05/31/a.csv", "2014/06/01/a.csv", "2014/13/01/a.csv", "t-003-a.csv", "t-003-b.csv"]);
    assert_eq!(
        select(place.path(), "{YYYY}/{MM}/{DD}/a.csv", "last 2").unwrap(),
        [one(16_221, None, "2014/05/31/a.csv"), one(16_222, None, "2014/06/01/a.csv")]
    );
    assert_eq!(
        select(place.path(), "{YYYY}/{MM}/{DD}", "2014-05-31").unwrap(),
        [one(16_221, None, "2014/05/31")]
    );
    assert_eq!(select(place.path(), "t-{SPAN:3}-*.csv", "3").unwrap(), [one(3, None, "t-003-*.csv")]);
}

#[test]
fn what_is_no_pattern_is_refused() {
    let place = folder(&["s1/a.csv", "s01/a.csv"]);
    for (pattern, problem) in [
        ("{SPAN}/{SPAN}/a", "twice"),
        ("{YYYY}/{MM}/a", "all of"),
        ("{SPAN}/{YYYY}{MM}{DD}/a", "either"),
        ("v{VERSION}/a", "needs a span"),
        ("**/{SPAN}/a", "`**`"),
        ("t{SPAN}*.csv", "width"),
        ("t{SPAN:x}.csv", "not a width"),
        ("t{SPAM}{SPAN}.csv", "no placeholder `{SPAM}`"),
        ("t{SPAN.csv", "not closed"),
    ] {
        let error = select(place.path(), pattern, "latest").unwrap_err();
        assert!(error.to_string().contains(problem), "{pattern}: {error}");
        assert_eq!(error.kind(), ErrorKind::Usage);
    }
    let error = select(place.path(), "s{SPAN}/a.csv", "latest").unwrap_err();
    assert_eq!(error.to_string(), "`s01/a.csv` and `s1/a.csv` are both span 1");
    for text in ["", "first", "last 0", "5..3", "2014-02-30", "1..x"] {
        assert!(text.parse::<SpanSelection>().is_err(), "{text}");
    }
    for text in ["latest with gaps", " with gaps", "last 7 with gaps with gaps", "last 7 gaps"] {
        assert!(text.parse::<SpanSelection>().is_err(), "{text}");
    }
    for text in ["latest", "last 7", "3", "3..5", "last 7 with gaps", "3..5 with gaps"] {
        assert_eq!(text.parse::<SpanSelection>().unwrap().to_string(), text);
    }
}

#[test]
fn gaps_are_left_out_where_they_may_be() {
    let place = folder(&["a/1/x.csv", "a/2/x.csv", "a/5/x.csv", "b/1/x.csv", "b/5/x.csv"]);
    let numbers = |selection: &str| -> Result<Vec<u64>> {
        Ok(select(place.path(), "a/{SPAN}/x.csv", selection)?.into_iter().map(|(span, ..)| span).collect())
    };
    assert_eq!(numbers("last 4 with gaps").unwrap(), [2, 5]);
    assert_eq!(numbers("0..5 with gaps").unwrap(), [1, 2, 5]);
    assert_eq!(numbers("1..1000000000000 with gaps").unwrap(), [1, 2, 5]);
    for (selection, missing) in [("last 4", "3, 4"), ("3..4 with gaps", "3, 4"), ("3 with gaps", "3")] {
        let error = numbers(selection).unwrap_err().to_string();
        assert!(error.starts_with(&format!("span {missing} of ")), "{error}");
    }
    // Span 2 is in one of them only.
    let both: BTreeMap<String, String> = [("a", "a/{SPAN}/x.csv"), ("b", "b/{SPAN}/x.csv")]
        .map(|(name, location)| (name.to_owned(), location.to_owned()))
        .into();
    let chosen = |text: &str| select_spans(&both, place.path(), Some(&text.parse().unwrap()));
    assert_eq!(chosen("3..9 with gaps").unwrap()["b"].len(), 1);
    let error = chosen("1..5 with gaps").unwrap_err().to_string();
    assert!(error.starts_with("span 2 of `b/"), "{error}");
}

#[test]
fn inputs_agree_on_the_latest_span() {
    let place = folder(&["a/1/x.csv", "a/2/x.csv", "b/1/x.csv", "c.csv"]);
    let inputs = |names: &[(&str, &str)]| {
        names.iter().map(|(name, location)| ((*name).to_owned(), (*location).to_owned())).collect()
    };
    let both: BTreeMap<String, String> =
        inputs(&[("a", "a/{SPAN}/x.csv"), ("b", "b/{SPAN}/x.csv"), ("c", "c.csv")]);
    let error = select_spans(&both, place.path(), None).unwrap_err();
    assert_eq!(error.to_string(), "the latest span of input `a` is 2, but that of `b` is 1");
    let chosen = select_spans(&both, place.path(), Some(&SpanSelection::Range(1, 1))).unwrap();
    assert_eq!(chosen.keys().collect::<Vec<_>>(), ["a", "b"]);
    let none = inputs(&[("c", "c.csv")]);
    assert!(select_spans(&none, place.path(), None).unwrap().is_empty());
    assert!(select_spans(&none, place.path(), Some(&SpanSelection::Latest)).is_err());
}
