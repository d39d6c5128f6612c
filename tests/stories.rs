//! The stories of the documentation, run from their own text.

use serde_json::Value;

use sluice_testkit::datasets::repository;

use crate::support::{Outcome, Place};

/// The fenced blocks of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// Runs the command on a line of a page.
fn run(place: &Place, line: &str) -> Outcome {
    let command = line.trim().split("; echo").next().unwrap();
    let words: Vec<&str> = command.split_whitespace().collect();
    assert_eq!(words[0], "sluice", "{line}");
    place.sluice(&words[1..])
}

#[test]
fn a_better_model_that_is_worse_for_some_is_stopped() {
    let page =
        fs_err::read_to_string(repository().join("docs/stories/better-overall-worse-for-some.md")).unwrap();
    let [data, first, second, statistics] = &blocks(&page, "sh")[..] else { panic!("four commands") };
    let [pipeline, richer] = &blocks(&page, "yaml")[..] else { panic!("two texts") };
    let place = Place::new();
    let _ = run(&place, data).exits(0);
    let _ = place.write("tips.yaml", pipeline);
    let _ = run(&place, first).exits(0).says(&["registered as `tips` version 1"]);
    let poorer = "  - one_hot: [trip_start_hour]\n";
    assert!(pipeline.contains(poorer));
    let _ = place.write("tips.yaml", &pipeline.replace(poorer, richer));
    let stopped = run(&place, second).exits(1);

    // The page shows what was printed, as far as it shows it.
    for line in
        blocks(&page, "text")[0].lines().filter(|line| !line.starts_with('…') && !line.starts_with("exit"))
    {
        assert!(
            stopped.stdout.lines().any(|printed| printed == line),
            "not printed: {line}\n{}",
            stopped.stdout
        );
    }
    let evaluation = place.json("runs/runs/0002/evaluation/metrics.json");
    let slice = |place: usize| &evaluation["slices"][place];
    let change = |slice: &Value| slice["changes"]["rmse"]["difference"].as_f64().unwrap();
    assert!(change(slice(0)) < -0.4, "better overall");
    let reasons = evaluation["verdict"]["reasons"].as_array().unwrap();
    let failed: Vec<&Value> = reasons.iter().filter(|reason| reason["passed"] == false).collect();
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!(failed[0]["slice"], "payment_type=Mobile");
    assert!(!place.path("runs/registry/tips/versions/0002").exists());

    // The report tells it in this order.
    let html = fs_err::read_to_string(place.path("runs/runs/0002/evaluation/evaluation.html")).unwrap();
    let places = [
        "<strong>Failed</strong>",
        "in payment_type=Mobile; worse than the baseline is proven",
        "What is met (7)",
        "<tr class=\"better o\"><th scope=\"row\"><a href=\"#s0\"><b>all rows</b>",
        "<tr class=\"worse c by1\">",
        "= <bdi>Mobile</bdi>",
        "<h2>Slices in detail</h2>",
    ]
    .map(|words| html.find(words).unwrap_or_else(|| panic!("no `{words}` in the report")));
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(html.matches("class=\"worse c").count(), html.matches("<tr class=\"worse c").count());

    // What the end of the page says of the means.
    let _ = run(&place, statistics).exits(0);
    let record = place.json("by-payment/statistics.json");
    let mean = |subset: &str, payment: &str| {
        let subsets = record["subsets"].as_array().unwrap();
        let slices = subsets.iter().find(|it| it["name"] == subset).unwrap()["slices"].as_array().unwrap();
        let slice = slices.iter().find(|it| it["conditions"][0]["value"] == payment).unwrap();
        let columns = slice["columns"].as_array().unwrap();
        let tips = columns.iter().find(|it| it["name"] == "tips").unwrap();
        tips["numeric"]["mean"].as_f64().unwrap()
    };
    for (payment, gap) in [("Mobile", 1.8..2.0), ("Cash", -0.1..0.1), ("Credit Card", -0.1..0.1)] {
        let difference = mean("eval", payment) - mean("train", payment);
        assert!(gap.contains(&difference), "{payment}: {difference}");
    }
    place.is_tidy();
}
