//! An evaluation as others read it: `JUnit`'s XML for CI systems, Markdown for pull requests.

use sluice_evaluation::gate::{Comparison, Outcome, Reason, Verdict};
use sluice_evaluation::metric::Direction;
use sluice_evaluation::{Evaluation, Fairness, MetricName, SliceMetrics};
use sluice_report::junit::{Case, Failure, Outcome as CaseOutcome, Suite, junit};
use sluice_report::markdown::inline;
use sluice_report::{Table, rows, significant};

/// The suite of what concerns no metric.
const EVALUATION: &str = "evaluation";
/// Reasons that a summary lists.
const MAX_REASONS: usize = 20;
/// Slices that a summary lists.
const MAX_SLICES: usize = 10;
/// Requirements that a summary lists.
const MAX_REQUIREMENTS: usize = 50;

/// The verdict in the XML of `JUnit`: a suite per metric, a case per requirement and slice.
#[must_use]
pub fn verdict_junit(verdict: &Verdict) -> String {
    let mut suites: Vec<Suite> = Vec::new();
    for reason in &verdict.reasons {
        let name = reason.metric.as_deref().unwrap_or(EVALUATION);
        let place = suites.iter().position(|suite| suite.name == name).unwrap_or_else(|| {
            suites.push(Suite { name: name.into(), cases: Vec::new() });
            suites.len() - 1
        });
        suites[place].cases.push(case(name, reason));
    }
    junit("evaluation", &suites)
}

fn case(class: &str, reason: &Reason) -> Case {
    let place = match (&reason.metric, &reason.slice) {
        (None, _) => String::new(),
        (Some(_), None) => " overall".into(),
        (Some(_), Some(slice)) => format!(" in {slice}"),
    };
    let name = format!("{}{}{place}", reason.rule.option(), bound(reason));
    let outcome = if !reason.passed {
        CaseOutcome::Failed(vec![Failure {
            kind: reason.rule.option().into(),
            message: reason.text.clone(),
            details: details(reason),
        }])
    } else if reason.checked || reason.metric.is_none() {
        CaseOutcome::Passed(Some(reason.text.clone()))
    } else {
        CaseOutcome::Skipped(reason.text.clone())
    };
    Case { class: class.into(), name, outcome }
}

/// The bound as it was given.
fn bound(reason: &Reason) -> String {
    match (reason.bound_percent, reason.bound) {
        (Some(percent), _) => format!(" {}%", significant(percent)),
        (None, Some(bound)) => format!(" {}", significant(bound)),
        (None, None) => String::new(),
    }
}

/// Every figure of a reason.
fn details(reason: &Reason) -> String {
    let interval = reason.interval.unwrap_or([f64::NAN; 2]);
    let figures = [
        ("candidate", reason.candidate),
        ("baseline", reason.baseline),
        ("difference", reason.difference),
        ("relative_difference", reason.relative_difference),
        ("interval_low", Some(interval[0]).filter(|low| low.is_finite())),
        ("interval_high", Some(interval[1]).filter(|high| high.is_finite())),
        ("bound", reason.bound),
        ("p_value", reason.p_value),
        ("p_adjusted", reason.p_adjusted),
    ];
    let mut text = format!("rows: {}", reason.rows);
    for (name, figure) in figures {
        if let Some(figure) = figure {
            text.push_str(&format!("\n{name}: {figure:?}"));
        }
    }
    text
}

/// The evaluation in Markdown: the verdict and what speaks against the model, the figures of all rows, the slices that
/// are worst off, and every requirement.
#[must_use]
pub fn summary(evaluation: &Evaluation) -> String {
    let mut text = verdict_summary(&evaluation.verdict);
    if let Some(overall) = evaluation.slices.first() {
        text.push_str("\n### All rows\n\n");
        text.push_str(&overall_table(evaluation, overall).to_markdown());
    }
    if !evaluation.contenders.is_empty() {
        text.push_str("\n### Contenders\n\nOn the same rows; the verdict is about the candidate alone.\n\n");
        text.push_str(&contenders_table(evaluation).to_markdown());
    }
    for found in &evaluation.fairness {
        text.push_str(&format!("\n### Groups by {}\n\n", inline(&found.by.join(", "))));
        text.push_str(&fairness_table(found).to_markdown());
    }
    if let Some((title, table)) = worst_slices(evaluation) {
        text.push_str(&format!("\n### {title}\n\n{}", table.to_markdown()));
    }
    text.push_str(&requirements(&evaluation.verdict));
    text
}

/// The verdict in Markdown, and what speaks against the model.
#[must_use]
pub fn verdict_summary(verdict: &Verdict) -> String {
    let word = match verdict.outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Error => "ERROR",
    };
    let mut text = format!("## Evaluation: {word}\n\n{}; {}", compared(verdict), rows(verdict.rows));
    text.push_str(&format!("; level of tests {}\n", verdict.alpha));
    if let Some(why) = &verdict.forced {
        text.push_str(&format!("\nForced: {}\n", inline(why)));
    }
    let told: Vec<&Reason> = match verdict.outcome {
        Outcome::Pass => verdict.reasons.iter().filter(|reason| reason.metric.is_none()).collect(),
        Outcome::Fail | Outcome::Error => verdict.failures().collect(),
    };
    if !told.is_empty() {
        text.push('\n');
    }
    for reason in told.iter().take(MAX_REASONS) {
        text.push_str(&format!("- {}\n", inline(&reason.text)));
    }
    if told.len() > MAX_REASONS {
        text.push_str(&format!("- and {} more, in `verdict.json`\n", told.len() - MAX_REASONS));
    }
    text
}

/// What the candidate was compared with, in words.
fn compared(verdict: &Verdict) -> &'static str {
    match verdict.comparison {
        Comparison::Compared => "compared with the baseline on the same rows",
        Comparison::AcceptedMetrics => "compared with accepted metrics",
        Comparison::NoBaseline => "no baseline",
        Comparison::NotComparable => "not comparable with the baseline",
    }
}

fn overall_table(evaluation: &Evaluation, overall: &SliceMetrics) -> Table {
    let has_baseline = overall.baseline.is_some();
    let mut titles = vec!["metric", ">candidate", ">interval"];
    if has_baseline {
        titles.extend([">baseline", ">change", ">interval of the change"]);
    }
    let mut table = Table::new(&titles);
    for metric in &evaluation.metrics {
        let name = &metric.name;
        let value = overall.candidate.get(name).copied().flatten();
        let interval = overall.intervals.get(name).map(|interval| [interval.low, interval.high]);
        let mut cells = vec![format!("`{name}`"), figure(value), ends(interval)];
        if has_baseline {
            let baseline = overall.baseline.as_ref().and_then(|values| values.get(name).copied().flatten());
            let change = overall.changes.as_ref().and_then(|changes| changes.get(name));
            cells.push(figure(baseline));
            cells.push(figure(change.and_then(|change| change.difference)));
            cells.push(ends(change.and_then(|change| change.interval)));
        }
        table.push(cells);
    }
    table
}

/// The models that were measured beside the candidate, on all rows.
fn contenders_table(evaluation: &Evaluation) -> Table {
    let overall = evaluation.slices.first();
    let has_baseline = overall.is_some_and(|overall| overall.baseline.is_some());
    let mut titles = vec!["metric", "contender", ">value", ">interval"];
    if has_baseline {
        titles.extend([">change", ">interval of the change"]);
    }
    let mut table = Table::new(&titles);
    for MetricName { name, .. } in &evaluation.metrics {
        for (model, figures) in overall.into_iter().flat_map(|overall| &overall.contenders) {
            let interval = figures.intervals.get(name).map(|interval| [interval.low, interval.high]);
            let value = figures.values.get(name).copied().flatten();
            let mut cells = vec![format!("`{name}`"), inline(model), figure(value), ends(interval)];
            if has_baseline {
                let change = figures.changes.as_ref().and_then(|changes| changes.get(name));
                cells.push(figure(change.and_then(|change| change.difference)));
                cells.push(ends(change.and_then(|change| change.interval)));
            }
            table.push(cells);
        }
    }
    table
}

/// How far groups lie apart.
fn fairness_table(found: &Fairness) -> Table {
    let titles = ["measure", ">candidate", ">interval", ">baseline", "between"].map(str::to_owned);
    let contenders = found.contenders.keys().map(|name| format!(">{}", inline(name)));
    let titles: Vec<String> = titles.into_iter().chain(contenders).collect();
    let titles: Vec<&str> = titles.iter().map(String::as_str).collect();
    let mut table = Table::new(&titles);
    for (name, disparity) in &found.candidate.measures {
        let baseline = found.baseline.as_ref().and_then(|baseline| baseline.measures.get(name)?.value);
        let between = disparity.highest.as_deref().zip(disparity.lowest.as_deref());
        let contenders = found.contenders.values().map(|contender| contender.measures.get(name)?.value);
        let mut cells = vec![
            format!("`{name}`"),
            figure(disparity.value),
            ends(disparity.interval),
            figure(baseline),
            between.map_or_else(String::new, |(highest, lowest)| inline(&format!("{highest} and {lowest}"))),
        ];
        cells.extend(contenders.map(figure));
        table.push(cells);
    }
    table
}

/// The slices that changed most for the worse, by the t value of the change; without a baseline those that are furthest
/// from all rows in the first metric that has a direction.
fn worst_slices(evaluation: &Evaluation) -> Option<(String, Table)> {
    let overall = evaluation.slices.first()?;
    let slices = || evaluation.slices.iter().filter(|slice| !slice.slice.is_overall());
    if overall.changes.is_some() {
        let mut worst: Vec<(f64, &SliceMetrics, &str)> = Vec::new();
        for slice in slices() {
            for metric in &evaluation.metrics {
                let harm = harm_of_change(slice, &metric.name, metric.direction);
                worst.extend(harm.map(|harm| (harm, slice, metric.name.as_str())));
            }
        }
        worst.sort_by(|one, other| other.0.total_cmp(&one.0));
        return (!worst.is_empty()).then(|| ("Slices that changed for the worse".into(), changed(&worst)));
    }
    let metric = evaluation.metrics.iter().find(|metric| metric.direction.harm(1.0).is_some())?;
    let of = |slice: &SliceMetrics| slice.candidate.get(&metric.name).copied().flatten();
    let whole = of(overall)?;
    let mut worst: Vec<(f64, &SliceMetrics)> = slices()
        .filter_map(|slice| {
            let gap = metric.direction.harm(of(slice)? - whole)?;
            (gap > 0.0).then_some((gap, slice))
        })
        .collect();
    worst.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut table = Table::new(&["slice", ">rows", ">value", ">interval", ">worse than all rows by"]);
    for (gap, slice) in worst.iter().take(MAX_SLICES) {
        let interval = slice.intervals.get(&metric.name).map(|interval| [interval.low, interval.high]);
        table.push([
            inline(&slice.slice.to_string()),
            slice.rows.to_string(),
            figure(of(slice)),
            ends(interval),
            significant(*gap),
        ]);
    }
    (!table.is_empty()).then(|| (format!("Slices with the worst `{}`", metric.name), table))
}

/// How many standard errors a metric became worse by in a slice; nothing where it did not.
fn harm_of_change(slice: &SliceMetrics, metric: &str, direction: Direction) -> Option<f64> {
    let change = slice.changes.as_ref()?.get(metric)?;
    let harm = direction.harm(change.difference?)?;
    // A change without any variance is certain.
    (harm > 0.0).then_some(harm / change.standard_error?)
}

fn changed(worst: &[(f64, &SliceMetrics, &str)]) -> Table {
    let titles =
        ["slice", ">rows", "metric", ">baseline", ">candidate", ">change", ">interval of the change", ">p"];
    let mut table = Table::new(&titles);
    for (_, slice, metric) in worst.iter().take(MAX_SLICES) {
        let Some(change) = slice.changes.as_ref().and_then(|changes| changes.get(*metric)) else { continue };
        let baseline = slice.baseline.as_ref().and_then(|values| values.get(*metric).copied().flatten());
        table.push([
            inline(&slice.slice.to_string()),
            slice.rows.to_string(),
            format!("`{metric}`"),
            figure(baseline),
            figure(slice.candidate.get(*metric).copied().flatten()),
            figure(change.difference),
            ends(change.interval),
            figure(change.p_worse),
        ]);
    }
    table
}

/// Every requirement, folded away.
fn requirements(verdict: &Verdict) -> String {
    let all: Vec<&Reason> = verdict.reasons.iter().filter(|reason| reason.metric.is_some()).collect();
    if all.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["result", "requirement", "slice", ">rows", ">candidate", ">baseline", ">p"]);
    for reason in all.iter().take(MAX_REQUIREMENTS) {
        let result = match (reason.passed, reason.checked) {
            (true, true) => "pass",
            (true, false) => "skipped",
            (false, _) => "**FAIL**",
        };
        let metric = reason.metric.as_deref().unwrap_or_default();
        table.push([
            result.to_owned(),
            format!("`{metric}` `{}`{}", reason.rule.option(), bound(reason)),
            reason.slice.as_deref().map_or_else(|| "(all)".into(), inline),
            reason.rows.to_string(),
            figure(reason.candidate),
            figure(reason.baseline),
            figure(reason.p_adjusted.or(reason.p_value)),
        ]);
    }
    let rest = all.len().saturating_sub(MAX_REQUIREMENTS);
    let more = if rest > 0 { format!("\nand {rest} more, in `verdict.json`\n") } else { String::new() };
    format!(
        "\n<details><summary>Requirements: {}</summary>\n\n{}{more}\n</details>\n",
        all.len(),
        table.to_markdown()
    )
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), significant)
}

fn ends(interval: Option<[f64; 2]>) -> String {
    interval
        .map_or_else(|| "-".into(), |[low, high]| format!("{} to {}", significant(low), significant(high)))
}
