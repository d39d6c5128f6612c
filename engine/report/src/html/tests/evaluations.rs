//! The page of an evaluation.

use crate::html::tests::checker::{Found, check};
use crate::html::{
    EvaluationPage, PageBin, PageConfusion, PageContender, PageCurves, PageDisparity, PageFairness,
    PageFigures, PageGap, PageMetric, PageOutcome, PageReason, PageSlice, PageWeakSlice, PageWeakSlices,
    evaluation_page,
};

/// Figures of a change by so much.
fn figures(baseline: f64, change: f64) -> PageFigures {
    PageFigures {
        candidate: Some(baseline + change),
        interval: Some((baseline + change - 0.1, baseline + change + 0.1)),
        baseline: Some(baseline),
        change: Some(change),
        change_interval: Some((change - 0.05, change + 0.05)),
        p_worse: Some(if change > 0.0 { 1e-9 } else { 0.999 }),
        note: None,
    }
}

fn slice(parts: &[(&str, Option<&str>)], rows: u64, changes: &[f64]) -> PageSlice {
    PageSlice {
        parts: parts.iter().map(|(column, held)| ((*column).to_owned(), held.map(str::to_owned))).collect(),
        rows,
        few_rows: rows < 100,
        figures: changes.iter().map(|change| figures(1.5, *change)).collect(),
        ..PageSlice::default()
    }
}

fn metric(name: &str, harms: &[f64]) -> PageMetric {
    let mut gaps: Vec<PageGap> = harms
        .iter()
        .enumerate()
        .map(|(slice, harm)| PageGap {
            slice,
            harm: Some(*harm),
            p_value: Some(if *harm > 0.0 { 1e-8 } else { 1.0 }),
            is_proven: *harm > 0.0,
        })
        .collect();
    gaps[1..].sort_by(|a, b| b.harm.unwrap().total_cmp(&a.harm.unwrap()));
    PageMetric { name: name.into(), direction: "lower is better".into(), gaps }
}

fn curves(shift: f64) -> PageCurves {
    let bin = |low: f64| PageBin {
        low,
        high: low + 0.25,
        weight: 40.0,
        mean_prediction: low + 0.1,
        mean_label: low + shift,
    };
    PageCurves {
        roc: vec![(0.0, 0.0), (0.25, 0.75 + shift), (1.0, 1.0)],
        precision_recall: vec![(0.0, 1.0), (1.0, 0.5)],
        calibration: [0.0, 0.25, 0.5].map(bin).to_vec(),
        errors: vec![(-2.0, 0.0, 30.0), (0.0, 1.0, 70.0)],
    }
}

/// Overall better, worse for one payment type, and more of a second slicing.
fn page() -> EvaluationPage {
    let changes = [-0.25, -0.5, 0.75, -0.125];
    let keys: [&[(&str, Option<&str>)]; 4] =
        [&[], &[("payment", Some("Cash"))], &[("payment", Some("Mobile"))], &[("company", None)]];
    let mut slices: Vec<PageSlice> =
        keys.iter().zip(changes).map(|(key, change)| slice(key, 400, &[change, 0.0])).collect();
    slices[0].candidate = curves(0.0);
    slices[0].baseline = curves(0.125);
    let matrix = |title: &str| PageConfusion {
        title: title.into(),
        classes: vec!["no".into(), "yes".into()],
        weights: vec![vec![90.0, 10.0], vec![25.0, 75.0]],
    };
    slices[0].confusions = vec![matrix("candidate at 0.5"), matrix("baseline at 0.5")];
    EvaluationPage {
        outcome: PageOutcome::Failed,
        basis: "Candidate and baseline on the same 800 rows.".into(),
        reasons: vec![
            PageReason { passed: true, text: "`rmse` is 1.25 overall".into(), slice: Some(0) },
            PageReason { passed: false, text: "`rmse` rose in payment=Mobile".into(), slice: Some(2) },
        ],
        metrics: vec![metric("rmse", &changes), metric("mae", &[0.0; 4])],
        main_metric: 0,
        slices,
        is_compared: true,
        contenders: Vec::new(),
        alpha: 0.05,
        weak_slices: Some(PageWeakSlices {
            loss: "squared error".into(),
            note: "Up to three conditions over 5 columns.".into(),
            slices: vec![PageWeakSlice {
                conditions: vec!["fare > 20".into(), "payment = Mobile".into()],
                rows: 321,
                share: 0.4,
                inside: 2.5,
                outside: 1.25,
                effect: 0.75,
                q_value: 1e-9,
            }],
        }),
        fairness: vec![PageFairness {
            by: vec!["sex".into()],
            threshold: 0.5,
            disparities: vec![
                PageDisparity {
                    name: "demographic_parity_difference".into(),
                    candidate: Some(0.125),
                    interval: Some((0.0625, 0.1875)),
                    baseline: Some(0.25),
                    contenders: Vec::new(),
                    groups: Some(("sex=<b>".into(), "sex=f".into())),
                    note: None,
                },
                PageDisparity {
                    name: "equal_opportunity_ratio".into(),
                    note: Some("no row is positive".into()),
                    ..PageDisparity::default()
                },
            ],
        }],
    }
}

#[test]
fn fairness_names_the_groups_that_lie_furthest_apart() {
    let (html, _) = checked(&page());
    assert_order(
        &html,
        &[
            "<h2>Fairness</h2>",
            "<h3>By <bdi>sex</bdi> at 0.5</h3>",
            "demographic_parity_difference",
            "<td class=\"n\">0.125</td>",
            "<td class=\"n\">0.25</td>",
            "<td><bdi>sex=&lt;b&gt;</bdi></td><td><bdi>sex=f</bdi></td>",
            "equal_opportunity_ratio",
            "<td colspan=\"2\">no row is positive</td>",
        ],
    );
    let alone = EvaluationPage { is_compared: false, fairness: page().fairness, ..EvaluationPage::default() };
    assert!(!checked(&alone).0.contains("Baseline</th>"));
}

#[test]
fn contenders_have_a_table_and_curves_in_colours_of_their_own() {
    let mut shown = page();
    shown.contenders = ["gbm", "a<b", "c", "d", "e"].map(str::to_owned).to_vec();
    for slice in &mut shown.slices {
        slice.contenders = vec![
            PageContender {
                figures: vec![figures(1.5, 0.5), figures(1.5, 0.25)],
                curves: curves(0.0625)
            };
            5
        ];
    }
    shown.fairness[0].disparities[0].contenders = vec![Some(0.375); 5];
    let (html, _) = checked(&shown);
    assert_order(
        &html,
        &[
            "<th scope=\"col\" class=\"n\"><bdi>a&lt;b</bdi></th>",
            "<td class=\"n\">0.375</td>",
            "<h3>Contenders</h3>",
            "<td><bdi>gbm</bdi></td><td class=\"n\">2</td>",
            "<i class=\"k f2\"></i><bdi>gbm</bdi>",
            "class=\"o5\"",
            "1 more contenders are not drawn.",
        ],
    );
    let (alone, _) = checked(&page());
    assert!(!alone.contains("ontender"));
}

#[track_caller]
fn assert_order(html: &str, words: &[&str]) {
    let places: Vec<usize> = words
        .iter()
        .map(|word| html.find(word).unwrap_or_else(|| panic!("no `{word}` in the page")))
        .collect();
    assert!(places.is_sorted(), "{words:?} at {places:?}");
}

fn checked(shown: &EvaluationPage) -> (String, Found) {
    let html = evaluation_page("Evaluation of tips", shown);
    let found = check(&html);
    assert_eq!(html, evaluation_page("Evaluation of tips", shown));
    (html, found)
}

#[test]
fn the_verdict_comes_first_then_the_slice_to_blame() {
    let (html, found) = checked(&page());
    assert_order(
        &html,
        &[
            "<strong>Failed</strong><p>1 reason speaks against the model. Candidate and baseline on the same 800 rows.",
            "<span class=\"sev g2\">not met</span><span><code>rmse</code> rose in payment=Mobile <a href=\"#s2\">",
            "What is met (1)",
            "<h2>Slices by gap</h2>",
            "<tr class=\"better o\"><th scope=\"row\"><a href=\"#s0\"><b>all rows</b>",
            "<tr class=\"worse c by1\"><th scope=\"row\"><a href=\"#s2\"><bdi>payment</bdi> = <bdi>Mobile</bdi></a>",
            "<tr class=\"better c by2\"><th scope=\"row\"><a href=\"#s3\"><bdi>company</bdi> = <i class=\"nil\">missing",
            "<tr class=\"better c by1\"><th scope=\"row\"><a href=\"#s1\">",
            "<h2>Weak slices</h2>",
            "<bdi>fare &gt; 20</bdi>, <bdi>payment = Mobile</bdi></th><td class=\"n\">321</td>",
            "<h2>Slices in detail</h2>",
            "<details open><summary><b>all rows</b>",
            "<details open><summary><bdi>payment</bdi> = <bdi>Mobile</bdi>",
            "How to read this",
        ],
    );
    // A whisker for each of two metrics and four slices, three plots and a histogram.
    assert_eq!(found.count("svg"), 2 * 4 + 4);
    assert_eq!((found.count("article"), found.count("details")), (4, 5));
    for words in [
        "2.25</td><td class=\"n wide\">1.5</td><td class=\"n\">+0.75</td><td class=\"n wide\">0.7 to 0.8</td>",
        "Confusion matrix, candidate at 0.5.",
        "style=\"--h:63%\" title=\"no predicted as no\">90<small>90%</small>",
        "class=\"path other\"",
        "Bars: rows by prediction, 40 at most.",
    ] {
        assert!(html.contains(words), "no `{words}`");
    }
}

#[test]
fn one_model_alone_is_held_against_all_rows_and_an_error_is_told() {
    let mut shown = page();
    shown.is_compared = false;
    (shown.outcome, shown.reasons, shown.weak_slices) = (PageOutcome::Passed, Vec::new(), None);
    for slice in &mut shown.slices {
        for figures in &mut slice.figures {
            *figures = PageFigures { baseline: None, change: None, change_interval: None, ..figures.clone() };
        }
    }
    shown.slices[3].figures[0].candidate = None;
    shown.slices[3].figures[0].note = Some("there are no positive rows".into());
    let (html, _) = checked(&shown);
    assert!(html.contains("<strong>Passed</strong><p>Nothing speaks against the model."));
    assert!(!html.contains(">Baseline</th>") && html.contains("the upright line is the value of all rows"));
    assert!(html.contains("there are no positive rows"));
    let error = EvaluationPage {
        outcome: PageOutcome::Error,
        reasons: vec![PageReason { passed: false, text: "label `y` is null".into(), slice: None }],
        ..EvaluationPage::default()
    };
    let (html, found) = checked(&error);
    assert!(html.contains("<strong>Not evaluated</strong>") && found.count("table") == 0);
    // One slice needs no controls.
    let mut alone = page();
    alone.slices.truncate(1);
    alone.metrics.iter_mut().for_each(|metric| metric.gaps.truncate(1));
    assert_eq!(checked(&alone).1.count("form"), 0);
}

/// `count` slices beside overall, the later ones worse.
fn many(count: u32, metrics: usize) -> EvaluationPage {
    let changes: Vec<f64> = (0..=count).map(|n| f64::from(n) / 1000.0 - 0.25).collect();
    let mut slices: Vec<PageSlice> = changes
        .iter()
        .enumerate()
        .map(|(n, change)| {
            let held = format!("Taxi company number {n:05}");
            slice(&[("company", Some(&held)), ("hour", Some("7"))], 90 + n as u64, &vec![*change; metrics])
        })
        .collect();
    slices[0].parts.clear();
    for slice in &mut slices {
        let points: Vec<(f64, f64)> =
            (0..300).map(|n| (f64::from(n) / 299.0, f64::from(n) / 299.0)).collect();
        slice.candidate = PageCurves { roc: points.clone(), ..curves(0.0) };
        slice.baseline = PageCurves { roc: points, ..curves(0.0) };
    }
    EvaluationPage {
        metrics: (0..metrics).map(|n| metric(&format!("metric_{n}"), &changes)).collect(),
        slices,
        reasons: vec![PageReason { passed: false, text: "bad".into(), slice: Some(7) }; 3000],
        ..page()
    }
}

#[test]
fn thousands_of_slices_stay_bounded_and_what_is_left_out_is_said() {
    let (html, found) = checked(&many(3000, 5));
    assert!(html.len() < 5_000_000 && html.len() > 2_000_000, "{} bytes", html.len());
    for words in [
        "<summary>2\u{202f}990 more</summary>",
        "2\u{202f}790 more stand in <code>verdict.json</code>",
        "slices with smaller gaps in this metric are left out",
        "slices with smaller gaps are left out here",
    ] {
        assert!(html.contains(words), "no `{words}`");
    }
    // The slice that the verdict blames is drawn, though its gap is small.
    assert!(html.contains("<div id=\"s7\">"));
    assert_eq!(found.count("article"), 64);
    // The main table holds nearly all of them.
    let main = html.find("<div class=\"panel m1\">").unwrap();
    let lines = html[..main].matches("<tr class=").count();
    assert!(lines > 2500, "{lines} lines");
    let wide = checked(&many(300, 60)).0;
    assert!(
        wide.len() < 5_000_000 && wide.contains("36 more metrics stand with each slice"),
        "{}",
        wide.len()
    );
}

#[test]
fn nothing_of_the_data_breaks_the_page() {
    let evil = "</script><script>alert(1)</script>\"'`><img src=x>\u{202e}\u{0}".repeat(1000);
    let wild = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 1e-320, -0.0];
    let mut shown = page();
    shown.basis.clone_from(&evil);
    shown.reasons = vec![PageReason { passed: false, text: evil.clone(), slice: Some(99) }; 500];
    for metric in &mut shown.metrics {
        (metric.name, metric.direction) = (evil.clone(), evil.clone());
    }
    shown.slices = wild
        .map(|value| {
            let mut slice = slice(&[], u64::MAX, &[value, value]);
            slice.parts = vec![(evil.clone(), Some(evil.clone())); 20];
            slice.weight = Some(value);
            slice.figures[0].note = Some(evil.clone());
            slice.candidate = PageCurves {
                roc: wild.map(|other| (value, other)).to_vec(),
                precision_recall: vec![(value, value)],
                calibration: vec![
                    PageBin {
                        low: value,
                        high: value,
                        weight: value,
                        mean_prediction: value,
                        mean_label: value,
                    },
                    PageBin { low: 0.0, high: 1.0, weight: 1.0, mean_prediction: value, mean_label: 0.5 },
                ],
                errors: vec![(value, 1.0, value), (0.0, value, 1.0)],
            };
            slice.confusions = vec![PageConfusion {
                title: evil.clone(),
                classes: vec![evil.clone(); 3],
                weights: vec![vec![value]],
            }];
            slice
        })
        .to_vec();
    shown.slices.insert(0, slice(&[], 3, &[f64::NAN, 0.0]));
    let gaps =
        (0..9).map(|slice| PageGap { slice, harm: Some(f64::NAN), p_value: Some(f64::NAN), is_proven: true });
    shown.metrics[0].gaps = gaps.collect();
    shown.main_metric = 77;
    if let Some(weak) = &mut shown.weak_slices {
        (weak.loss, weak.note) = (evil.clone(), evil.clone());
        weak.slices = vec![
            PageWeakSlice {
                conditions: vec![evil.clone(); 30],
                share: f64::NAN,
                ..PageWeakSlice::default()
            };
            900
        ];
    }
    let html = evaluation_page(&evil, &shown);
    assert_eq!(check(&html).count("script"), 1);
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
}

#[test]
fn matrices_that_are_left_out_are_told() {
    let mut shown = page();
    assert!(!evaluation_page("p", &shown).contains("more matrices"));
    let matrix = shown.slices[0].confusions[0].clone();
    shown.slices[0].confusions = vec![matrix; 7];
    let html = evaluation_page("p", &shown);
    assert_eq!(check(&html).count("script"), 1);
    assert!(html.contains("3 more matrices stand in <code>"), "{html}");
}
