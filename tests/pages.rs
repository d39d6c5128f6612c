//! The page that the statistics step writes for people.

use crate::support::{Place, diabetes};

#[test]
fn statistics_leave_a_page_that_needs_nothing_else() {
    let place = Place::new();
    let table = diabetes("diabetes.csv");
    let _ = place.sluice(&["ingest", &table, "--subset-column", "subset", "--out", "dataset"]).exits(0);
    let _ = place.sluice(&["statistics", "dataset", "--out", "statistics"]).exits(0);
    let page = fs_err::read_to_string(place.path("statistics/statistics.html")).unwrap();
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "`{outside}` in the page");
    }
    let statistics = place.json("statistics/statistics.json");
    for column in statistics["subsets"][0]["columns"].as_array().unwrap() {
        let name = column["name"].as_str().unwrap();
        assert!(page.contains(&format!("data-n=\"{name}\"")), "no `{name}`");
    }
    // The training rows are what the others are compared with.
    let places = ["<b>train</b>", "the others are compared with it", "<b>eval</b>"].map(|it| page.find(it));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
}

#[test]
fn an_evaluation_leaves_a_page_and_prints_the_greatest_gaps_of_many_slices() {
    let place = Place::new();
    let _ = place.sluice(&["datasets", "taxi", "--rows", "6000", "--out", "trips"]).exits(0);
    let ingest =
        ["ingest", "trips/span-1", "--subset-column", "subset", "--key", "trip_id", "--out", "dataset"];
    let _ = place.sluice(&ingest).exits(0);
    let fit =
        ["transform", "fit", "dataset", "--operation", "standardize: [fare, extras]", "--out", "transform"];
    let _ = place.sluice(&fit).exits(0);
    let train = ["train", "dataset", "--transform", "transform", "--label", "tips"];
    let _ = place.sluice(&[&train[..], &["--alpha", "1", "--out", "model"]].concat()).exits(0);
    let _ = place.sluice(&[&train[..], &["--alpha", "5000", "--out", "worse"]].concat()).exits(0);
    let evaluate = ["evaluate", "dataset", "--model", "worse", "--baseline", "model", "--slice", "taxi_id"];
    let rest = [
        "--require",
        "{metric: rmse, at_most: 1, every: taxi_id}",
        "--report",
        "page.html",
        "--out",
        "judged",
    ];
    let judged = place.sluice(&[&evaluate[..], &rest[..]].concat()).exits(1);
    let slices = place.json("judged/metrics.json")["slices"].as_array().unwrap().len();
    assert!(slices > 900, "{slices} slices");

    // The terminal shows some, and says so.
    assert!(judged.stdout.lines().count() < 160, "{} lines", judged.stdout.lines().count());
    let _ = judged.says(&[
        "rmse        (all)",
        "slices with smaller gaps are left out of each metric",
        "more reasons",
    ]);
    let page = fs_err::read_to_string(place.path("page.html")).unwrap();
    assert_eq!(page, fs_err::read_to_string(place.path("judged/evaluation.html")).unwrap());
    assert!(page.len() < 5_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("<article class=\"slice").count(), 64);
    for outside in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "`{outside}` in the page");
    }

    // Where nothing could be evaluated, a page says that.
    let nowhere = ["--slice", "nowhere", "--out", "failed"];
    let model = ["evaluate", "dataset", "--model", "model"];
    let _ = place.sluice(&[&model[..], &nowhere[..]].concat());
    let failed = fs_err::read_to_string(place.path("failed/evaluation.html")).unwrap();
    assert!(failed.contains("<strong>Not evaluated</strong>") && failed.contains("nowhere"));
}
