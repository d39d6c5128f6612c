//! The page of a model.

use crate::html::tests::checker::check;
use crate::html::{
    PageModel, PagePenalty, PageResiduals, PageRow, PageTerm, PageTest, TrainingPage, training_page,
};

fn term(name: &str, value: f64, standard_error: f64) -> PageTerm {
    let interval = (value - 2.0 * standard_error, value + 2.0 * standard_error);
    let test = PageTest { standard_error, statistic: value / standard_error, p_value: 1e-9, interval };
    PageTerm { name: name.into(), value, test: Some(test), inflation: Some(1.25), is_intercept: false }
}

fn residuals(rows: u32) -> PageResiduals {
    let row = |n: u32| PageRow {
        file: "a.csv".into(),
        row: u64::from(n) + 1,
        fitted: f64::from(n),
        residual: f64::from(n % 7) - 3.0,
        studentized: f64::from(n % 7) / 2.0 - 1.5,
        leverage: 0.01 * f64::from(n % 5),
        cooks_distance: 0.001,
    };
    PageResiduals {
        figures: vec![("skewness".into(), "0.25".into())],
        sample: (0..rows).map(row).collect(),
        normal_quantiles: (0..20).map(|n| (f64::from(n) / 5.0 - 2.0, f64::from(n) / 4.0 - 2.5)).collect(),
        standing_out: vec![("Rows with the largest leverages".into(), (0..3).map(row).collect())],
    }
}

fn model(terms: Vec<PageTerm>) -> PageModel {
    let penalty = |penalty, error| PagePenalty { penalty, error, standard_error: 0.5 };
    PageModel {
        target: "tips".into(),
        figures: vec![("R²".into(), "0.75".into())],
        confidence: 0.95,
        standard_errors: "hc3".into(),
        terms,
        notes: vec!["columns that do not vary have coefficient 0: city".into()],
        penalties: vec![penalty(0.0, 12.0), penalty(0.1, 10.0), penalty(1.0, 11.0)],
        penalty: 0.1,
        residuals: Some(residuals(100)),
    }
}

fn page(models: Vec<PageModel>) -> TrainingPage {
    TrainingPage { family: "ridge".into(), rows: 12_345, models }
}

#[test]
fn a_page_shows_coefficients_choice_and_residuals() {
    let left_out = PageTerm { test: None, inflation: None, ..term("city", 0.0, 1.0) };
    let html = training_page("Tips", &page(vec![model(vec![term("fare", 2.0, 0.25), left_out])]));
    let found = check(&html);
    // Two whiskers, the path of penalties, four charts of residuals.
    assert_eq!(found.count("svg"), 7);
    for words in [
        "12\u{202f}345 rows",
        "hc3 standard errors",
        "1.5 to 2.5",
        "&lt; 1e\u{2212}6",
        "columns that do not vary have coefficient 0: city",
        "the dashed line is the penalty of the model, 0.1",
        "Rows with the largest leverages",
        "drawn from 100 rows",
    ] {
        assert!(html.contains(words), "no `{words}`");
    }
    let bare = PageModel { residuals: None, penalties: Vec::new(), notes: Vec::new(), ..model(Vec::new()) };
    assert_eq!(check(&training_page("Tips", &page(vec![bare]))).count("svg"), 0);
}

#[test]
fn hostile_and_many_terms_are_shown_and_bounded() {
    let evil = "</script><script>alert(1)</script>\"'><img src=x>\u{202e}\u{0}".repeat(1000);
    let mut terms: Vec<PageTerm> = (0..700).map(|n| term(&format!("c{n}"), f64::from(n), 1.0)).collect();
    terms[699].name = evil.clone();
    terms.push(term("wild", f64::NAN, f64::INFINITY));
    let mut shown = model(terms);
    (shown.target, shown.standard_errors) = (evil.clone(), evil.clone());
    shown.notes = vec![evil.clone()];
    shown.figures = vec![(evil.clone(), evil.clone())];
    let residuals = shown.residuals.as_mut().unwrap();
    residuals.figures = vec![(evil.clone(), evil.clone())];
    residuals.standing_out[0].0.clone_from(&evil);
    residuals.standing_out[0].1[0].file.clone_from(&evil);
    residuals.sample[0].residual = f64::NAN;
    residuals.sample[1].leverage = f64::INFINITY;
    let html = training_page(&evil, &page(vec![shown.clone()]));
    assert_eq!(check(&html).count("script"), 1);
    assert!(
        html.contains("201 coefficients nearer to 0 are left out") && html.len() < 700_000,
        "{}",
        html.len()
    );
    assert_eq!(html, training_page(&evil, &page(vec![shown])));
}
