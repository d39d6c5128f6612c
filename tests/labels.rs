//! Models of several labels per row, judged by the real binary: labels and predictions as lists and as columns, programs,
//! slices and a baseline, and what is refused.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, RecordBatch};
use arrow::datatypes::Float64Type;
use arrow::ipc::writer::StreamWriter;
use serde_json::{Value, json};

use crate::support::{Place, assert_same_files};

const LABELS: [&str; 3] = ["art", "law", "war"];

/// The labels of a row, and the probability of each by a model.
fn row(number: u32) -> ([bool; 3], [f64; 3], [f64; 3]) {
    let noise = |salt: u32| f64::from((number * 7919 + salt * 104_729) % 1009) / 1009.0;
    let truths = [noise(1) < 0.3, noise(2) < 0.5, noise(3) < 0.8];
    let score = |label: usize, salt: u32, weight: f64| {
        let truth = f64::from(u8::from(truths[label]));
        weight * truth + (1.0 - weight) * noise(salt + u32::try_from(label).unwrap())
    };
    (truths, [0, 1, 2].map(|label| score(label, 10, 0.4)), [0, 1, 2].map(|label| score(label, 20, 0.2)))
}

fn place() -> Place {
    let place = Place::new();
    for part in 0..3 {
        let mut text = String::new();
        for number in part * 100..(part + 1) * 100 {
            let (truths, new, old) = row(number);
            let topics: Vec<&str> =
                LABELS.into_iter().zip(truths).filter(|(_, truth)| *truth).map(|(label, _)| label).collect();
            let line = json!({
                "source": format!("s{}", number % 3), "topics": topics, "new": new, "old": old,
                "art": truths[0], "law": u8::from(truths[1]), "war": truths[2],
                "p0": new[0], "p1": new[1], "p2": new[2],
            });
            text.push_str(&format!("{line}\n"));
        }
        place.write(&format!("rows/{part}.jsonl"), &text);
    }
    place
}

const LISTS: [&str; 5] = ["--label", "topics", "--classes", "[art, law, war]", "--multi-label"];

fn evaluate(place: &Place, out: &str, rest: &[&str]) -> Value {
    let first = ["evaluate", "rows/*.jsonl", "--accept-any", "--out", out, "--json"];
    place.sluice(&[&first[..], rest].concat()).exits(0).json()
}

/// Metrics of all rows.
fn values(evaluation: &Value) -> &Value {
    &evaluation["slices"][0]["candidate"]
}

#[test]
fn labels_and_predictions_are_lists_or_columns() {
    let place = place();
    let lists = evaluate(&place, "lists", &[&LISTS[..], &["--prediction", "new"]].concat());
    // By hand: hits, labels, predictions and rows that are right.
    let (mut hits, mut labels, mut predicted, mut right) = (0.0, 0.0, 0.0, 0.0);
    for number in 0..300 {
        let (truths, scores, _) = row(number);
        let both: Vec<(bool, bool)> = truths.into_iter().zip(scores.map(|score| score > 0.5)).collect();
        let count = |of: &dyn Fn(&(bool, bool)) -> bool| both.iter().filter(|pair| of(pair)).count() as f64;
        hits += count(&|(truth, guess)| *truth && *guess);
        labels += count(&|(truth, _)| *truth);
        predicted += count(&|(_, guess)| *guess);
        right += f64::from(u8::from(both.iter().all(|(truth, guess)| truth == guess)));
    }
    let figure = |name: &str| values(&lists)[name].as_f64().unwrap();
    assert!((figure("micro_f1") - 2.0 * hits / (labels + predicted)).abs() < 1e-14, "{lists:#}");
    assert!((figure("subset_accuracy") - right / 300.0).abs() < 1e-14, "{lists:#}");

    let columns = ["--prediction", "p0", "--prediction", "p1", "--prediction", "p2"];
    let of_columns = evaluate(&place, "columns", &[&LISTS[..], &columns].concat());
    let flags = [&["--labels", "[art, law, war]"][..], &columns].concat();
    let of_flags = evaluate(&place, "flags", &flags);
    let program = "{label: topics, classes: [art, law, war], task: multi-label, command: {run: [cat], columns: [p0, p1, p2]}}";
    let of_program = evaluate(&place, "program", &["--model", program]);
    // A program may answer a list per row.
    let scores = (0..300).map(|number| Some(row(number).1.map(Some)));
    let answer: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(scores));
    let answer = RecordBatch::try_from_iter([("scores", answer)]).unwrap();
    let mut writer = StreamWriter::try_new(Vec::new(), &answer.schema()).unwrap();
    writer.write(&answer).unwrap();
    fs_err::write(place.path("answer"), writer.into_inner().unwrap()).unwrap();
    let program =
        "{labels: [art, law, war], command: {run: [sh, -c, 'cat > seen; cat answer'], columns: [p0]}}";
    let of_lists = evaluate(&place, "answers", &["--model", program]);
    for other in [&of_columns, &of_flags, &of_program, &of_lists] {
        assert_eq!(values(other), values(&lists));
    }
}

#[test]
fn slices_a_baseline_contenders_and_shards_are_those_of_other_tasks() {
    let place = place();
    let metrics = ["micro_f1", "macro_f1", "f1(label=law)", "coverage_error", "label_ranking_loss"];
    let metrics: Vec<&str> = metrics.into_iter().flat_map(|metric| ["--metric", metric]).collect();
    let models =
        ["--prediction", "new", "--baseline-prediction", "old", "--contender-prediction", "same=new"];
    let rest = [&LISTS[..], &models, &metrics, &["--slice", "source", "--missing", "exclude"]].concat();
    let whole = evaluate(&place, "whole", &rest);
    for slice in whole["slices"].as_array().unwrap() {
        for (name, change) in slice["changes"].as_object().unwrap() {
            assert!(change["interval"][0].is_number(), "{name}: {change:#}");
        }
        assert_eq!(slice["contenders"]["same"]["values"], slice["candidate"]);
    }
    for shard in ["1/3", "2/3", "3/3"] {
        let part = format!("part-{}", &shard[..1]);
        let _ = evaluate(&place, &part, &[&rest[..], &["--shard", shard, "--partial"]].concat());
    }
    let merge = ["evaluate", "merge", "part-2", "part-1", "part-3", "--out", "merged"];
    let _ = place.sluice(&merge).exits(0);
    assert_same_files(&place.path("whole"), &place.path("merged"));
    let drawn = ["--metric", "macro_f1", "--intervals", "bootstrap"];
    let drawn = evaluate(&place, "drawn", &[&LISTS[..], &models[..4], &drawn].concat());
    assert_eq!(drawn["slices"][0]["intervals"]["macro_f1"]["method"], "bootstrap");
}

#[test]
fn what_does_not_fit_is_named() {
    let place = place();
    let lists = |rest: &[&'static str]| [&LISTS[..], &["--prediction", "new"], rest].concat();
    let cases: [(Vec<&str>, i32, &[&str]); 10] = [
        (lists(&["--metric", "auc"]), 2, &["`auc` is for labels of two classes", "sets of labels"][..]),
        (lists(&["--metric", "f1"]), 2, &["of one label", "f1(label=art)"]),
        (lists(&["--metric", "f1(label=sport)"]), 2, &["no choice `sport`"]),
        (lists(&["--fairness", "source"]), 2, &["selection_rate"]),
        (
            vec!["--labels", "[art, law]", "--prediction", "new"],
            4,
            &["has 3 numbers where the model has 2 labels", "row 1"],
        ),
        (
            vec!["--labels", "[art, p0]", "--prediction", "p0", "--prediction", "p1"],
            4,
            &["label `p0` is 0.", "0 or 1"],
        ),
        (vec!["--labels", "[art]", "--prediction", "p0"], 2, &["fewer than two labels"]),
        (
            vec![
                "--label",
                "topics",
                "--classes",
                "[art, law]",
                "--multi-label",
                "--prediction",
                "p0",
                "--prediction",
                "p1",
            ],
            4,
            &["`war`"],
        ),
        (
            vec![
                "--label",
                "source",
                "--classes",
                "[s0, s1]",
                "--multi-label",
                "--prediction",
                "p0",
                "--prediction",
                "p1",
            ],
            2,
            &["lists of labels"],
        ),
        (vec!["--label", "topics", "--labels", "[art, law]", "--prediction", "new"], 2, &["--label"]),
    ];
    for (rest, code, parts) in cases {
        let first = ["evaluate", "rows/*.jsonl", "--accept-any", "--out", "new"];
        let outcome = place.sluice(&[&first[..], &rest].concat());
        assert_eq!(outcome.code, Some(code), "{rest:?} {outcome:#?}");
        for part in parts {
            assert!(outcome.stderr.contains(part), "stderr lacks {part:?}: {outcome:#?}");
        }
    }
}

#[test]
fn a_row_whose_labels_are_not_known_is_left_out_or_an_error() {
    let place = Place::new();
    // A row without labels has none of them.
    let text = "{\"topics\":[\"art\"],\"p\":[0.9,0.2]}\n{\"topics\":null,\"p\":[0.9,0.2]}\n\
                {\"topics\":[],\"p\":[0.1,0.2]}\n{\"topics\":[\"law\"],\"p\":null}\n";
    place.write("gaps.jsonl", text);
    let gaps = ["evaluate", "gaps.jsonl", "--label", "topics", "--classes", "[art, law]", "--multi-label"];
    let gaps = [&gaps[..], &["--prediction", "p", "--accept-any", "--out", "gaps", "--json"]].concat();
    let refused = place.sluice(&gaps).exits(4);
    assert!(
        refused.stderr.contains("label `topics` is null") && refused.stderr.contains("row 2"),
        "{refused:#?}"
    );
    let found = place.sluice(&[&gaps[..], &["--missing", "exclude"]].concat()).exits(0).json();
    assert_eq!((&found["excluded"]["label"], &found["excluded"]["candidate"]), (&json!(1), &json!(1)));
    assert_eq!((&found["slices"][0]["rows"], &values(&found)["subset_accuracy"]), (&json!(2), &json!(1.0)));
}
