//! An evaluation as people read it: what a page holds.

use std::collections::BTreeMap;

use sluice_evaluation::gate::{Comparison, Outcome, Reason, Verdict};
use sluice_evaluation::metric::Direction;
use sluice_evaluation::slice::weak::WeakSlices;
use sluice_evaluation::{
    ContenderMetrics, ContenderName, Curves, Disparities, Evaluation, Fairness, MetricName, SliceMetrics,
};
use sluice_report::html::{
    EvaluationPage, PageBin, PageConfusion, PageContender, PageCurves, PageDisparity, PageFairness,
    PageFigures, PageGap, PageMetric, PageOutcome, PageReason, PageSlice, PageWeakSlice, PageWeakSlices,
    evaluation_page,
};
use sluice_report::rows;

/// The page of an evaluation.
#[must_use]
pub fn page(evaluation: &Evaluation, weak: Option<&WeakSlices>) -> String {
    let names: BTreeMap<String, usize> =
        evaluation.slices.iter().enumerate().map(|(place, slice)| (slice.slice.to_string(), place)).collect();
    let metrics: Vec<PageMetric> =
        evaluation.metrics.iter().map(|metric| page_metric(evaluation, metric)).collect();
    let slices = evaluation.slices.iter().map(|slice| page_slice(evaluation, slice));
    let shown = EvaluationPage {
        main_metric: main_metric(evaluation),
        metrics,
        slices: slices.collect(),
        weak_slices: weak.map(page_weak),
        fairness: evaluation.fairness.iter().map(page_fairness).collect(),
        is_compared: evaluation.slices.iter().any(|slice| slice.baseline.is_some()),
        contenders: evaluation.contenders.iter().map(|contender| contender.name.clone()).collect(),
        ..of_verdict(&evaluation.verdict, &names)
    };
    evaluation_page(&format!("Evaluation of {}", evaluation.label), &shown)
}

/// The page of an evaluation that did not come to its end.
#[must_use]
pub fn page_of_error(verdict: &Verdict) -> String {
    evaluation_page("Evaluation", &of_verdict(verdict, &BTreeMap::new()))
}

/// What is known from the verdict alone.
fn of_verdict(verdict: &Verdict, slices: &BTreeMap<String, usize>) -> EvaluationPage {
    let reason = |reason: &Reason| PageReason {
        passed: reason.passed,
        text: reason.text.clone(),
        slice: reason
            .metric
            .as_ref()
            .and_then(|_| slices.get(reason.slice.as_deref().unwrap_or_default()))
            .copied(),
    };
    // What needs no test is certain, then the strongest evidence.
    let mut ordered: Vec<&Reason> = verdict.reasons.iter().collect();
    let p_value = |reason: &Reason| reason.p_adjusted.or(reason.p_value).unwrap_or_default();
    ordered.sort_by(|a, b| p_value(a).total_cmp(&p_value(b)));
    EvaluationPage {
        outcome: match verdict.outcome {
            Outcome::Pass => PageOutcome::Passed,
            Outcome::Fail => PageOutcome::Failed,
            Outcome::Error => PageOutcome::Error,
        },
        basis: basis(verdict),
        reasons: ordered.into_iter().map(reason).collect(),
        alpha: verdict.alpha,
        ..EvaluationPage::default()
    }
}

/// What the decision rests on.
fn basis(verdict: &Verdict) -> String {
    let compared = match (verdict.outcome, verdict.comparison) {
        (Outcome::Error, _) => {
            return "The evaluation did not come to its end; nothing is known of the model.".into();
        }
        (_, Comparison::Compared) => "Candidate and baseline on the same",
        (_, Comparison::AcceptedMetrics) => {
            "The candidate against accepted metrics of an earlier evaluation, on"
        }
        (_, Comparison::NoBaseline) => "The candidate alone, without a baseline, on",
        (_, Comparison::NotComparable) => "The candidate alone, for the baseline cannot be compared, on",
    };
    let forced = verdict.forced.as_ref().map_or_else(String::new, |reason| format!(" Forced: {reason}."));
    format!("{compared} {}; tests at level {}.{forced}", rows(verdict.rows), verdict.alpha)
}

/// The place of the metric that a reader should see first: of a reason against the model, else of one that compares,
/// else the first that has a better direction.
fn main_metric(evaluation: &Evaluation) -> usize {
    let place = |name: &str| evaluation.metrics.iter().position(|metric| metric.name == name);
    let named = |reason: &Reason| place(reason.metric.as_deref()?);
    let verdict = &evaluation.verdict;
    let directed = |metric: &MetricName| metric.direction.harm(0.0).is_some();
    verdict
        .failures()
        .find_map(named)
        .or_else(|| verdict.reasons.iter().filter(|reason| reason.p_value.is_some()).find_map(named))
        .or_else(|| verdict.reasons.iter().find_map(named))
        .or_else(|| evaluation.metrics.iter().position(directed))
        .unwrap_or(0)
}

fn page_metric(evaluation: &Evaluation, metric: &MetricName) -> PageMetric {
    let gaps = evaluation.by_gap(metric).into_iter().map(|gap| PageGap {
        slice: gap.slice,
        harm: gap.harm,
        p_value: gap.p_adjusted,
        is_proven: gap.is_proven,
    });
    PageMetric {
        name: metric.name.clone(),
        direction: direction(metric.direction).into(),
        gaps: gaps.collect(),
    }
}

/// Which way a metric improves, in words.
fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::LowerIsBetter => "lower is better",
        Direction::HigherIsBetter => "higher is better",
        Direction::ZeroIsBest => "best at 0",
        Direction::OneIsBest => "best at 1",
        Direction::None => "neither way is better",
    }
}

fn page_slice(evaluation: &Evaluation, slice: &SliceMetrics) -> PageSlice {
    let metrics = &evaluation.metrics;
    let contender = |called: &ContenderName| {
        let contender = slice.contenders.get(&called.name);
        let figures =
            |metric: &MetricName| contender.map(|it| contender_figures(&metric.name, it)).unwrap_or_default();
        PageContender {
            figures: metrics.iter().map(figures).collect(),
            curves: slice.curves.get(&called.name).map(page_curves).unwrap_or_default(),
        }
    };
    let curves = |model: &str| slice.curves.get(model).map(page_curves).unwrap_or_default();
    PageSlice {
        parts: slice.slice.parts.iter().map(|part| (part.column.clone(), part.value.clone())).collect(),
        rows: slice.rows,
        weight: slice.weight,
        few_rows: slice.few_rows,
        figures: metrics.iter().map(|metric| figures(&metric.name, slice)).collect(),
        candidate: curves("candidate"),
        baseline: curves("baseline"),
        contenders: evaluation.contenders.iter().map(contender).collect(),
        confusions: confusions(evaluation, slice),
    }
}

/// The candidate's matrices beside the baseline's and those of contenders, threshold by threshold.
fn confusions(evaluation: &Evaluation, slice: &SliceMetrics) -> Vec<PageConfusion> {
    let contenders = evaluation.contenders.iter().map(|contender| contender.name.as_str());
    let models = ["candidate", "baseline"].into_iter().chain(contenders);
    let tables = models.filter_map(|model| Some((model, slice.tables.get(model)?)));
    let mut shown: Vec<(usize, PageConfusion)> = Vec::new();
    for (model, tables) in tables {
        let binary = tables.confusion.iter().map(|matrix| PageConfusion {
            title: format!("{model} at {}", matrix.threshold),
            classes: vec!["negative".into(), "positive".into()],
            weights: vec![
                vec![matrix.true_negatives, matrix.false_positives],
                vec![matrix.false_negatives, matrix.true_positives],
            ],
        });
        let several = tables.classes.iter().map(|matrix| PageConfusion {
            title: model.into(),
            classes: matrix.classes.clone(),
            weights: matrix.weights.clone(),
        });
        shown.extend(binary.chain(several).enumerate());
    }
    shown.sort_by_key(|(place, _)| *place);
    shown.into_iter().map(|(_, confusion)| confusion).collect()
}

fn page_fairness(fairness: &Fairness) -> PageFairness {
    let of_baseline = |name: &str| {
        let measures: Option<&Disparities> = fairness.baseline.as_ref();
        measures.and_then(|disparities| disparities.measures.get(name)?.value)
    };
    let disparities = fairness.candidate.measures.iter().map(|(name, disparity)| PageDisparity {
        name: name.clone(),
        candidate: disparity.value,
        interval: disparity.interval.map(|[low, high]| (low, high)),
        baseline: of_baseline(name),
        contenders: fairness.contenders.values().map(|found| found.measures.get(name)?.value).collect(),
        groups: disparity.highest.clone().zip(disparity.lowest.clone()),
        note: disparity.note.clone(),
    });
    PageFairness {
        by: fairness.by.clone(),
        threshold: fairness.threshold,
        disparities: disparities.collect(),
    }
}

fn page_weak(weak: &WeakSlices) -> PageWeakSlices {
    let slices = weak.slices.iter().filter(|slice| slice.explained_by.is_none());
    PageWeakSlices {
        loss: weak.loss.clone(),
        note: format!(
            "{} of {} slices tested are weak at a false discovery rate of {}; conditions are about {}.",
            weak.num_weak,
            weak.num_tested,
            weak.level,
            weak.columns.join(", ")
        ),
        slices: slices
            .map(|slice| PageWeakSlice {
                conditions: slice
                    .slice
                    .parts
                    .iter()
                    .map(|part| format!("{} = {}", part.column, part.value.as_deref().unwrap_or("(null)")))
                    .collect(),
                rows: slice.rows,
                share: slice.share,
                inside: slice.loss_inside,
                outside: slice.loss_outside,
                effect: slice.effect,
                q_value: slice.q_value,
            })
            .collect(),
    }
}

/// The figures of a contender, as if it were the candidate.
fn contender_figures(metric: &str, contender: &ContenderMetrics) -> PageFigures {
    let change = contender.changes.as_ref().and_then(|changes| changes.get(metric));
    let undefined = contender.undefined.get(metric).or_else(|| change?.note.as_ref());
    PageFigures {
        candidate: contender.values.get(metric).copied().flatten(),
        interval: contender.intervals.get(metric).map(|interval| (interval.low, interval.high)),
        baseline: None,
        change: change.and_then(|change| change.difference),
        change_interval: change.and_then(|change| change.interval).map(|[low, high]| (low, high)),
        p_worse: change.and_then(|change| change.p_worse),
        note: undefined.cloned(),
    }
}

fn figures(metric: &str, slice: &SliceMetrics) -> PageFigures {
    let change = slice.changes.as_ref().and_then(|changes| changes.get(metric));
    let undefined = slice.undefined.get(metric).or_else(|| change?.note.as_ref());
    PageFigures {
        candidate: slice.candidate.get(metric).copied().flatten(),
        interval: slice.intervals.get(metric).map(|interval| (interval.low, interval.high)),
        baseline: slice.baseline.as_ref().and_then(|values| values.get(metric).copied().flatten()),
        change: change.and_then(|change| change.difference),
        change_interval: change.and_then(|change| change.interval).map(|[low, high]| (low, high)),
        p_worse: change.and_then(|change| change.p_worse),
        note: undefined.cloned(),
    }
}

fn page_curves(curves: &Curves) -> PageCurves {
    PageCurves {
        roc: curves.roc.iter().map(|point| (point.x, point.y)).collect(),
        precision_recall: curves.precision_recall.iter().map(|point| (point.x, point.y)).collect(),
        calibration: curves
            .calibration
            .iter()
            .map(|bin| PageBin {
                low: bin.low,
                high: bin.high,
                weight: bin.weight,
                mean_prediction: bin.mean_prediction,
                mean_label: bin.mean_label,
            })
            .collect(),
        errors: curves.errors.iter().map(|bin| (bin.low, bin.high, bin.weight)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn slice(value: Option<&str>, candidate: f64, baseline: f64, p_worse: f64) -> Value {
        let difference = candidate - baseline;
        let parts: Vec<Value> =
            value.into_iter().map(|value| json!({"column": "payment", "value": value})).collect();
        let errors =
            json!([{"low": -1.0, "high": 0.0, "weight": 3.0}, {"low": 0.0, "high": 2.0, "weight": 5.0}]);
        let curves = json!({"errors": errors});
        json!({
            "slice": parts, "rows": 400, "few_rows": false,
            "candidate": {"mae": 0.5, "rmse": candidate}, "baseline": {"mae": 0.5, "rmse": baseline},
            "changes": {"rmse": {
                "difference": difference, "interval": [difference - 0.1, difference + 0.1],
                "p_worse": p_worse, "p_not_worse": 1.0 - p_worse,
            }},
            "curves": {"candidate": curves, "baseline": curves},
        })
    }

    #[test]
    fn the_metric_that_fails_comes_first_with_its_worst_slice() {
        let reason = json!({
            "metric": "rmse", "slice": "payment=Mobile", "rule": "block_if_worse", "bound": 0.0, "p_value": 1e-9,
            "rows": 400, "passed": false, "few_rows": false, "text": "`rmse` is worse in payment=Mobile",
        });
        let evaluation: Evaluation = serde_json::from_value(json!({
            "label": "tips", "label_shift": 0.0,
            "metrics": [
                {"name": "mae", "direction": "lower-is-better"}, {"name": "rmse", "direction": "lower-is-better"},
            ],
            "slices": [
                slice(None, 1.0, 1.3, 0.999),
                slice(Some("Cash"), 0.9, 1.2, 0.999),
                slice(Some("Mobile"), 2.2, 1.3, 1e-9),
            ],
            "verdict": {
                "outcome": "fail", "comparison": "compared", "candidate_digest": "c", "baseline_digest": "b",
                "alpha": 0.05, "rows": 800, "forced": null, "reasons": [reason],
            },
        }))
        .unwrap();
        let html = page(&evaluation, None);
        assert_eq!(html, page(&evaluation, None));
        let places = [
            "<strong>Failed</strong>",
            "Candidate and baseline on the same 800 rows; tests at level 0.05.",
            "<code>rmse</code> is worse in payment=Mobile <a href=\"#s2\">look</a>",
            "<h3><bdi>rmse</bdi>",
            "<tr class=\"better o\"><th scope=\"row\"><a href=\"#s0\"><b>all rows</b>",
            "<tr class=\"worse c by1\"><th scope=\"row\"><a href=\"#s2\"><bdi>payment</bdi> = <bdi>Mobile</bdi>",
            "<tr class=\"better c by1\"><th scope=\"row\"><a href=\"#s1\">",
            "<h3><bdi>mae</bdi>",
            "Spread of the errors",
        ]
        .map(|words| html.find(words).unwrap_or_else(|| panic!("no `{words}`")));
        assert!(places.is_sorted(), "{places:?}");
        let error = Verdict { outcome: Outcome::Error, ..evaluation.verdict };
        assert!(page_of_error(&error).contains("<strong>Not evaluated</strong>"));
    }
}
