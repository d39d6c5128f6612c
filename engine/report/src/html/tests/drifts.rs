//! The page of a comparison: what comes first, what is left out, and that nothing of the data is markup.

use super::checker;
use crate::html::{
    DriftPage, PageDriftBin, PageDriftColumn, PageDriftSubset, PageSignal, PageTelling, PageVerdict,
    drift_page,
};

fn column(name: &str, value: f64) -> PageDriftColumn {
    let signal = PageSignal {
        measure: "total_variation".into(),
        value,
        threshold: 0.1,
        noise_floor: 0.01,
        q: Some(0.001),
        alarm: value > 0.1,
        detail: "<b>most</b>".into(),
    };
    let bin = |bin: &str, current, reference| PageDriftBin { bin: bin.into(), current, reference };
    PageDriftColumn {
        column: name.into(),
        role: Some("label".into()),
        signals: vec![signal],
        bins: vec![bin("a<script>", 0.3, 0.7), bin("", 0.7, f64::NAN)],
        notes: vec!["<i>note</i>".into()],
    }
}

fn shown(columns: Vec<PageDriftColumn>) -> DriftPage {
    let telling = PageTelling {
        signal: PageSignal { value: 0.7, threshold: 0.55, alarm: true, ..PageSignal::default() },
        interval: [0.68, 0.72],
        columns: vec![("x × <z>".into(), 0.66, 0.1)],
        notes: Vec::new(),
    };
    let subset = PageDriftSubset {
        name: "all".into(),
        num_rows: 10,
        num_reference_rows: 20,
        columns,
        telling: Some(telling),
    };
    DriftPage { verdict: PageVerdict::Rejected, level: 0.05, subsets: vec![subset] }
}

#[test]
fn alarms_come_first_and_nothing_of_the_data_is_markup() {
    let text = drift_page("Drift", &shown(vec![column("calm", 0.01), column("<b>moved</b>", 0.4)]));
    checker::check(&text);
    assert!(text.find("id=\"d0-1\"") < text.find("id=\"d0-0\""), "alarms first");
    for raw in ["<script>a", "a<script>", "<b>m", "<i>note", "<z>"] {
        assert!(!text.contains(raw), "{raw}");
    }
    assert!(text.contains("2 alarms") && text.contains("&lt;b&gt;moved"), "{text}");
}

#[test]
fn many_columns_are_in_the_table_and_some_are_drawn() {
    let columns = (0..500).map(|index| column(&format!("c{index}"), f64::from(index) / 1000.0)).collect();
    let text = drift_page("Drift", &shown(columns));
    checker::check(&text);
    assert_eq!(text.matches("<tr class=\"c k-").count(), 500);
    assert_eq!(text.matches("<article class=\"finding c").count(), 200);
    assert!(text.contains("300 columns with less to say"));
    assert!(text.len() < 1_500_000, "{}", text.len());
}

#[test]
fn a_table_and_what_is_drawn_below_it_stand_apart() {
    let text = drift_page("Drift", &shown(vec![column("x", 0.4)]));
    let (style, body) = text.split_once("</style>").unwrap();
    // Articles have no margin above, and neither has what scrolls one below.
    assert!(body.contains("</table></div><article class=\"finding c"), "{body}");
    assert!(style.contains(".drift .scroll + article { margin-top:") && text.contains("class=\"drift\""));
}
