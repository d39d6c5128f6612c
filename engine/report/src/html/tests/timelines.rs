//! The page of batches over time.

use crate::html::tests::checker::check;
use crate::html::{PageBatch, PageSeries, PageStrip, TimelinePage, timeline_page};

fn page(batches: usize, columns: usize) -> TimelinePage {
    let batch = |index: usize| PageBatch {
        name: format!("<b>{index}"),
        num_rows: 1000,
        reference: (usize::from(index > 2), "<i>fare".into()),
        before: (index > 0).then(|| (0, String::new())),
    };
    let cells = |column: usize| {
        let cell = |index: usize| (index != 1).then_some((column as f64, index > 2));
        (0..batches).map(cell).collect()
    };
    let strip = |column: usize| PageStrip { column: format!("</td>x{column}"), cells: cells(column) };
    let series = |column: usize| PageSeries {
        column: format!("x{column}"),
        measure: "wasserstein".into(),
        words: vec!["changed with <b>3".into()],
        threshold: 0.2,
        values: (0..batches).map(|index| (index != 1).then_some(index as f64)).collect(),
        noise_floors: vec![Some(0.1); batches],
        changed_at: Some(3),
    };
    TimelinePage {
        is_calm: false,
        about: "against <spring>".into(),
        batches: (0..batches).map(batch).collect(),
        columns: (0..columns).map(strip).collect(),
        series: (0..columns).map(series).collect(),
    }
}

#[test]
fn a_page_shows_what_moved_and_when() {
    let html = timeline_page("trips", &page(5, 3));
    let found = check(&html);
    assert_eq!(found.count("svg"), 3);
    assert!(!html.contains("<b>0") && !html.contains("<i>fare") && !html.contains("</td>x"));
    assert_eq!(html.matches("<td class=\"x\"").count(), 6);
    // The column that went furthest stands first.
    assert!(html.find("x2").unwrap() < html.find("x1").unwrap());
}

#[test]
fn pages_are_bounded_and_none_is_broken_by_nothing() {
    let html = timeline_page("trips", &page(300, 200));
    let _ = check(&html);
    assert!(html.len() < 2_500_000, "{}", html.len());
    for words in ["180 earlier batches", "100 columns that went less far", "160 less certain series"] {
        assert!(html.contains(words), "{words}");
    }
    for (batches, columns) in [(0, 0), (1, 0), (1, 1)] {
        let html = timeline_page("none", &page(batches, columns));
        let _ = check(&html);
        assert!(!html.contains("NaN") && !html.contains("\"inf"), "{batches} {columns}");
    }
}
