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
