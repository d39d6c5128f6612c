//! The page of an explanation.

use crate::html::tests::checker::check;
use crate::html::{DependenceChart, ExplanationPage, ImportanceBar, ImportanceChart, explanation_page};

fn bar(name: &str, value: f64, error: Option<f64>) -> ImportanceBar {
    ImportanceBar { name: name.into(), value, error }
}

fn page(bars: Vec<ImportanceBar>, dependence: Vec<DependenceChart>) -> ExplanationPage {
    let chart = ImportanceChart { title: "What columns tell".into(), note: "mse 2".into(), bars };
    ExplanationPage {
        label: "tips".into(),
        rows: 100,
        rows_of_data: 20_000,
        importance: vec![chart],
        dependence,
    }
}

#[test]
fn bars_curves_and_their_figures_are_shown() {
    let curve = |is_number, points: &[(&str, f64, Option<f64>)]| DependenceChart {
        column: "fare".into(),
        target: "tips".into(),
        is_number,
        points: points.iter().map(|(text, place, average)| ((*text).into(), *place, *average)).collect(),
    };
    let numbers = curve(true, &[("1", 1.0, Some(2.5)), ("2", 2.0, None), ("4", 4.0, Some(1.5))]);
    let words = curve(false, &[("Cash", 0.0, Some(0.25)), ("<b>", 1.0, Some(3.0))]);
    let shown = page(vec![bar("fare", 4.0, Some(0.5)), bar("company", -0.25, None)], vec![numbers, words]);
    let html = explanation_page("What predicts tips", &shown);
    let found = check(&html);
    assert_eq!((found.count("svg"), found.count("circle"), found.count("rect")), (4, 4, 2));
    for part in
        ["What columns tell", "fare", "\u{2212}0.25", "100\u{20}rows of 20\u{202f}000", "Cash", "&lt;b&gt;"]
    {
        assert!(html.contains(part), "{part:?}");
    }
    assert_eq!(explanation_page("What predicts tips", &shown), html);
}

#[test]
fn nothing_of_the_data_breaks_the_page_and_much_of_it_stays_small() {
    let hostile = "</script>\u{202e}<img src=x onerror=alert(1)>\"'&";
    let mut bars: Vec<ImportanceBar> = (0..2000).map(|index| bar(&format!("c{index}"), 1.0, None)).collect();
    bars.insert(0, bar(hostile, f64::NAN, Some(f64::INFINITY)));
    let points = vec![(hostile.to_owned(), f64::NAN, Some(f64::INFINITY)), (String::new(), 0.0, None)];
    let curve = DependenceChart { column: hostile.into(), target: hostile.into(), is_number: true, points };
    let html = explanation_page(hostile, &page(bars, vec![curve]));
    check(&html);
    assert!(html.contains("1501 lesser ones") && html.len() < 200_000, "{}", html.len());
    check(&explanation_page("", &page(Vec::new(), Vec::new())));
}
