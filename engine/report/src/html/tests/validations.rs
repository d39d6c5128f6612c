//! The page of a validation.

use crate::html::tests::checker::check;
use crate::html::{
    PageExample, PageFinding, PageSeverity, PageSubset, PageVerdict, ValidationPage, validation_page,
};

fn finding(column: &str, severity: PageSeverity, num_violations: Option<u64>) -> PageFinding {
    PageFinding {
        subset: "train".into(),
        severity,
        code: "float-too-big".into(),
        column: Some(column.into()),
        rule: "float_domain.max".into(),
        expected: "at most 100".into(),
        observed: "145.99 in 3 rows".into(),
        message: "The column has values above 100.".into(),
        suggestion: format!("feature {{\n  name: \"{column}\" float_domain {{ max: 145.99 }}\n}}"),
        num_violations,
        examples: Vec::new(),
    }
}

fn page(verdict: PageVerdict, findings: Vec<PageFinding>) -> ValidationPage {
    let subsets = vec![
        PageSubset { name: "train".into(), num_rows: 60_000 },
        PageSubset { name: "eval".into(), num_rows: 20_000 },
    ];
    ValidationPage { verdict, schema: "Schema of taxi.pbtxt, version 3.".into(), subsets, findings }
}

#[test]
fn findings_stand_worst_first_with_rows_and_a_fix() {
    let mut errors = finding("fare", PageSeverity::Error, Some(12));
    errors.examples = vec![PageExample {
        file: "span-1/part-00000.parquet".into(),
        row_group: Some(2),
        row: 123_456,
        key: vec![("trip_id".into(), Some("00ab".into())), ("day".into(), None)],
        value: Some("145.99".into()),
    }];
    let findings = vec![
        finding("tips", PageSeverity::Warning, Some(99)),
        finding("tolls", PageSeverity::Error, None),
        errors,
        finding("miles", PageSeverity::Error, Some(800)),
    ];
    let html = validation_page("Taxi trips", &page(PageVerdict::Rejected, findings));
    let found = check(&html);
    assert_eq!(found.count("article"), 4);
    let places = ["id=\"f3\"", "id=\"f2\"", "id=\"f1\"", "id=\"f0\""].map(|id| html.find(id).unwrap());
    assert!(places.is_sorted(), "{places:?}");
    for words in [
        "<strong>Rejected</strong><p>3 errors, 1 warning. Schema of taxi.pbtxt, version 3.",
        "feature {\n  name: &quot;fare&quot; float_domain { max: 145.99 }\n}</pre>",
        "trip_id = <bdi>00ab</bdi>, day = <i class=\"nil\">missing</i>",
        "<td class=\"n\">2</td><td class=\"n\">123\u{202f}456</td>",
        "800 violations",
        "<td class=\"n\">60\u{202f}000</td><td class=\"n\">3</td><td class=\"n\">1</td>",
    ] {
        assert!(html.contains(words), "no `{words}`");
    }
    let calm = validation_page("Taxi trips", &page(PageVerdict::Accepted, Vec::new()));
    check(&calm);
    assert!(calm.contains("<strong>Accepted</strong>") && calm.contains("The data agree with the schema."));
}

#[test]
fn hostile_findings_are_shown_and_bounded() {
    let evil = "</script><script>alert(1)</script>\"'><img src=x>\u{202e}\u{0}";
    let long = evil.repeat(1000);
    let mut one = finding(evil, PageSeverity::Warning, Some(u64::MAX));
    one.subset = evil.into();
    (one.code, one.rule, one.expected, one.observed) =
        (long.clone(), long.clone(), long.clone(), long.clone());
    (one.message, one.suggestion) = (long.clone(), long.clone());
    let example = PageExample {
        file: long.clone(),
        row: 1,
        row_group: None,
        key: vec![(long.clone(), Some(long.clone())); 40],
        value: Some(long.clone()),
    };
    one.examples = vec![example; 25];
    let mut shown = page(PageVerdict::Accepted, vec![one]);
    shown.schema = long.clone();
    shown.subsets.push(PageSubset { name: long.clone(), num_rows: 0 });
    let html = validation_page(&long, &shown);
    let found = check(&html);
    assert_eq!(found.count("script"), 1);
    assert!(html.contains("15 more are left out.") && html.len() < 100_000, "{} bytes", html.len());
    let many = page(PageVerdict::Rejected, vec![finding("a", PageSeverity::Error, None); 700]);
    let html = validation_page("Taxi", &many);
    assert_eq!(check(&html).count("article"), 500);
    assert!(html.contains("200 lesser findings are left out") && html == validation_page("Taxi", &many));
}
