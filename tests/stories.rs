//! The stories of the documentation, run from their own text.

use serde_json::Value;

use sluice_testkit::datasets::repository;

use crate::support::{Outcome, Place};

/// The fenced blocks of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// The words of a command, with `a{1..3}` written out as a shell does.
fn words(command: &str) -> Vec<String> {
    let expanded = |word: &str| {
        let Some((before, rest)) = word.split_once('{') else { return vec![word.to_owned()] };
        let (range, after) = rest.split_once('}').unwrap();
        let (first, last) = range.split_once("..").unwrap();
        let numbers = first.parse::<u32>().unwrap()..=last.parse().unwrap();
        numbers.map(|number| format!("{before}{number}{after}")).collect()
    };
    command.split_whitespace().flat_map(expanded).collect()
}

/// Runs the command on a line of a page.
fn run(place: &Place, line: &str) -> Outcome {
    let words = words(line.trim().split("; echo").next().unwrap());
    assert_eq!(words[0], "sluice", "{line}");
    place.sluice(&words[1..].iter().map(String::as_str).collect::<Vec<_>>())
}

/// Asserts that what a page shows was printed, in this order, as far as it shows it (`…` is what it leaves out), and that
/// the command ended as the page says: with 0 unless it says so.
#[track_caller]
fn told(outcome: Outcome, shown: &str) -> Outcome {
    let mut printed = outcome.stdout.lines();
    let mut code = 0;
    for line in shown.lines().filter(|line| !line.starts_with('…')) {
        match line.strip_prefix("exit ") {
            Some(number) => code = number.parse().unwrap(),
            None => {
                assert!(
                    printed.any(|it| it == line),
                    "not printed here: {line}\n{}{}",
                    outcome.stdout,
                    outcome.stderr
                );
            }
        }
    }
    outcome.exits(code)
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
    let _ = told(run(&place, second), &blocks(&page, "text")[0]);
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

#[test]
fn trips_that_drift_are_told_by_what_is_usual_and_trained_on() {
    let page = fs_err::read_to_string(repository().join("docs/stories/trips-that-drift.md")).unwrap();
    let commands = blocks(&page, "sh");
    let [data, in_production, calibrate, calm, usual, learned, since, ask, again] = &commands[..] else {
        panic!("nine commands")
    };
    let [pipeline, settings] = &blocks(&page, "yaml")[..] else { panic!("two texts") };
    let place = Place::new();
    let _ = run(&place, data).exits(0);
    let _ = place.write("tips.yaml", pipeline);
    let _ = place.write("drift.yaml", settings);
    let shown = blocks(&page, "text");
    let steps = [in_production, calibrate, calm, usual, learned, since, ask, again];
    assert_eq!(steps.len(), shown.len());
    for (command, shown) in steps.into_iter().zip(&shown) {
        let _ = told(run(&place, command), shown);
    }

    // What the page says between them.
    let thresholds = fs_err::read_to_string(place.path("learned.yaml")).unwrap();
    let kept = ["\nlabel_columns:\n- tips\n", "\nexclude:\n- trip_id\n", "kolmogorov_smirnov: 0.06282\n"];
    for text in kept {
        assert!(thresholds.contains(text), "no {text:?} in {thresholds}");
    }
    let timeline = place.json("timeline/timeline.json");
    let batches = timeline["timeline"]["batches"].as_array().unwrap();
    let alarms: Vec<i64> =
        batches.iter().map(|batch| batch["reference"]["num_alarms"].as_i64().unwrap()).collect();
    assert_eq!(alarms, [vec![0; 19], vec![2]].concat());
    let why = fs_err::read_to_string(place.path("verdict/retraining.md")).unwrap();
    assert!(why.starts_with("## Train again: YES\n") && why.contains("- 2 of 20 columns drifted"), "{why}");
    let evaluation = place.json("runs/runs/0002/evaluation/metrics.json");
    let slices = evaluation["slices"].as_array().unwrap();
    let changes: Vec<f64> =
        slices.iter().map(|slice| slice["changes"]["rmse"]["difference"].as_f64().unwrap()).collect();
    assert_eq!(changes.len(), 9, "all rows and eight ways to pay");
    assert!(
        (-0.015..-0.01).contains(&changes[0]) && changes.iter().all(|change| *change < 0.1),
        "{changes:?}"
    );
    place.is_tidy();
}
