//! The tables that commands print.

use std::collections::BTreeMap;

use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};
use sluice_evaluation::gate::{Comparison, Outcome, Reason, RuleName, Verdict};
use sluice_evaluation::slice::weak::WeakSlices;
use sluice_evaluation::{Evaluation, SliceMetrics};
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_pipeline::step::validate::ValidationRecord;
use sluice_quality::validation::{Finding, FindingCode, RowExample, Severity};
use sluice_report::{Table, count, rows, significant, with_digits};

use crate::printer::Printer;

fn optional(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), significant)
}

/// Slices of which every column is shown; of more, only how many rows they have.
const FULL_SLICES: usize = 8;

/// Every column of every subset, and of its slices where they are few.
pub(crate) fn statistics(record: &StatisticsRecord) -> String {
    let mut text = String::new();
    for subset in &record.subsets {
        text.push_str(&format!("{}: {}{}\n", subset.name, rows(subset.num_rows), weight(subset)));
        text.push_str(&columns(subset));
        text.push_str(&composed(subset));
        if subset.slices.is_empty() {
            continue;
        }
        text.push_str(&format!("\n{}\n{}", slices_title(subset), slices(subset)));
        if subset.slices.len() <= FULL_SLICES {
            for slice in &subset.slices {
                let title = format!("{}, slice {}", subset.name, slice.name);
                text.push_str(&format!("\n{title}: {}{}\n", rows(slice.num_rows), weight(slice)));
                text.push_str(&columns(slice));
                text.push_str(&composed(slice));
            }
        }
    }
    text
}

fn weight(statistics: &DatasetStatistics) -> String {
    let weight = statistics.weight.as_ref();
    weight.map_or_else(String::new, |weight| format!(", {} {}", weight.column, significant(weight.sum)))
}

fn slices_title(subset: &DatasetStatistics) -> String {
    let asked: Vec<&str> = subset.slicings.iter().map(|slicing| slicing.slice.as_str()).collect();
    let shown = if subset.slices.len() > FULL_SLICES { "; their columns are in the JSON" } else { "" };
    format!("{}, by {}: {} slices{shown}", subset.name, asked.join(" and by "), subset.slices.len())
}

/// The slices with their rows.
fn slices(subset: &DatasetStatistics) -> String {
    let has_weight = subset.weight.is_some();
    let mut titles = vec!["slice", ">rows", ">share"];
    titles.extend(has_weight.then_some(">weight"));
    let mut table = Table::new(&titles);
    for slice in &subset.slices {
        let share = 100.0 * slice.num_rows as f64 / subset.num_rows.max(1) as f64;
        let mut cells = vec![slice.name.clone(), count(slice.num_rows), format!("{share:.1} %")];
        cells.extend(slice.weight.as_ref().map(|weight| significant(weight.sum)));
        table.push(cells);
    }
    table.to_text()
}

/// A line per column.
fn columns(statistics: &DatasetStatistics) -> String {
    let mut titles = vec!["column", "kind", ">missing", ">NaN", ">distinct", ">mean"];
    let has_weight = statistics.weight.is_some();
    titles.extend(has_weight.then_some(">weighted mean"));
    titles.extend([">std dev", ">min", ">median", ">max", "top"]);
    let mut table = Table::new(&titles);
    for column in &statistics.columns {
        let numeric = column.numeric.as_ref();
        let median = numeric.and_then(|numeric| numeric.quantiles.as_ref()?.at(0.5));
        let distinct = column.distinct.map_or_else(String::new, |distinct| {
            format!("{}{}", if distinct.relative_error > 0.0 { "~" } else { "" }, count(distinct.count))
        });
        let (low, high) = match (&column.time, numeric) {
            (Some(time), _) => (time.earliest.clone(), time.latest.clone()),
            (None, Some(numeric)) => (optional(numeric.min), optional(numeric.max)),
            (None, None) => (String::new(), String::new()),
        };
        let figure = |value: Option<f64>| if numeric.is_some() { optional(value) } else { String::new() };
        let weighted = column.weighted.as_ref().and_then(|weighted| weighted.numeric.as_ref());
        let mut cells = vec![
            column.name.clone(),
            column.kind.to_string(),
            count(column.presence.num_missing),
            count(column.presence.num_nan),
            distinct,
            figure(numeric.and_then(|numeric| numeric.mean)),
        ];
        cells.extend(has_weight.then(|| figure(weighted.map(|weighted| weighted.mean))));
        cells.extend([
            figure(numeric.and_then(|numeric| numeric.standard_deviation)),
            low,
            figure(median),
            high,
            top(column),
        ]);
        table.push(cells);
    }
    table.to_text()
}

/// A line per column of positions, or of weights, of the features that consist of several columns.
fn composed(statistics: &DatasetStatistics) -> String {
    if statistics.composed.is_empty() {
        return String::new();
    }
    let titles = ["feature", ">without values", "with", ">without", ">length less values"];
    let mut table = Table::new(&titles);
    for feature in &statistics.composed {
        for partner in feature.partners() {
            let (least, greatest) = partner.differences;
            table.push([
                feature.name.clone(),
                significant(feature.num_missing_values()),
                partner.name.to_owned(),
                significant(partner.num_missing),
                if least < greatest {
                    format!("{} to {}", significant(least), significant(greatest))
                } else {
                    significant(least)
                },
            ]);
        }
    }
    format!("\n{}", table.to_text())
}

fn top(column: &ColumnStatistics) -> String {
    let Some(top) = &column.top_values else { return String::new() };
    let shown =
        top.values.iter().take(3).map(|(value, count)| format!("{:?} {count}", cut(value, WIDTH_OF_VALUE)));
    shown.collect::<Vec<_>>().join(", ")
}

/// Every finding, one line each, worst first; then what to change where data are rejected.
pub(crate) fn validation(record: &ValidationRecord, printer: Printer) -> String {
    let mut text = String::new();
    let mut table = Table::new(&["severity", "subset", "column", "code", "observed", "fix"]);
    let mut findings: Vec<(String, &Finding)> = Vec::new();
    for report in &record.subsets {
        findings.extend(report.findings.iter().map(|finding| (report.subset.clone(), finding)));
    }
    findings.sort_by_key(|(_, finding)| {
        std::cmp::Reverse((finding.severity, finding.num_violations.unwrap_or_default()))
    });
    let mut errors: Vec<String> = Vec::new();
    for (subset, finding) in findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let column = column_of(finding);
        let place = match &finding.slice {
            Some(slice) => format!("{subset}, {slice}"),
            None => subset,
        };
        let code = finding.code.to_string();
        let fix = shortened(&finding.suggestion, WIDTH_OF_FIX);
        let observed = shortened(&finding.observed, WIDTH_OF_OBSERVED);
        table.push([severity.to_owned(), place, column.clone(), code, observed, fix]);
        if finding.severity == Severity::Error {
            let fix = finding.suggestion.trim_end().replace('\n', "\n      ");
            let fix = if fix.contains('\n') { format!("\n      {fix}") } else { format!(" {fix}") };
            let fix = format!(
                "  {}{}\n    if the data are right, {column}:{fix}",
                finding.message,
                rows_of(finding)
            );
            if !errors.contains(&fix) {
                errors.push(fix);
            }
        }
    }
    if !table.is_empty() {
        text.push_str(&table.to_text());
    }
    let rest = errors.len().saturating_sub(MAX_FIXES);
    for fix in errors.iter().take(MAX_FIXES) {
        text.push_str(&visible_lines(fix));
        text.push('\n');
    }
    if rest > 0 {
        text.push_str(&format!("  and {rest} more errors; --json and --out have all\n"));
    }
    let (errors, warnings) = record.counts();
    let word = printer.verdict(record.accepted, if record.accepted { "ACCEPTED" } else { "REJECTED" });
    text.push_str(&format!("{word}  {errors} errors, {warnings} warnings\n"));
    text
}

/// The column, or the rule over rows; neither where the whole data set is meant.
fn column_of(finding: &Finding) -> String {
    match &finding.column {
        Some(column) => column.clone(),
        None if matches!(finding.code, FindingCode::RuleBroken | FindingCode::KeyRepeated) => {
            shortened(&finding.rule, WIDTH_OF_FIX)
        }
        None => "(data set)".into(),
    }
}

/// The first rows behind a finding, a line each.
fn rows_of(finding: &Finding) -> String {
    let row = |example: &RowExample| {
        let value = example.value.as_deref().unwrap_or("null");
        let key: Vec<String> = example
            .key
            .iter()
            .map(|(column, value)| format!("{column} {}", value.as_deref().unwrap_or("null")))
            .collect();
        let key = if key.is_empty() { String::new() } else { format!(" ({})", key.join(", ")) };
        let line = format!("{}, row {}{key}: {value}", example.file, example.row);
        format!("\n    {}", shortened(&line, WIDTH_OF_ROW))
    };
    finding.examples.iter().take(MAX_ROWS).map(row).collect()
}

/// Digits of the ends of an interval.
const DIGITS_OF_INTERVAL: u8 = 4;
/// Characters of the name of a slice.
const WIDTH_OF_SLICE: usize = 60;
/// Requirements that a verdict shows: those not met first, where there are more.
const MAX_REASONS: usize = 60;
/// Reasons against a model that are told in a sentence.
const MAX_SENTENCES: usize = 20;
/// Characters of what was observed, and of a fix, on a line.
const WIDTH_OF_OBSERVED: usize = 70;
/// Characters of a frequent value that a line has room for.
const WIDTH_OF_VALUE: usize = 40;
const WIDTH_OF_FIX: usize = 60;
/// Rows that are shown with an error.
const MAX_ROWS: usize = 3;
/// Characters of a row that is shown.
const WIDTH_OF_ROW: usize = 160;
/// Errors that are told in full.
const MAX_FIXES: usize = 50;

/// The text on one line, cut.
fn shortened(text: &str, width: usize) -> String {
    cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), width)
}

/// At most so many characters.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

/// Control characters other than line ends are shown, so that data cannot steer a terminal.
fn visible_lines(text: &str) -> String {
    let shown = |c: char| -> String {
        if c.is_control() && c != '\n' { c.escape_default().collect() } else { c.to_string() }
    };
    text.chars().map(shown).collect()
}

/// Lines of the table of metrics, where a few per metric will do.
const MAX_LINES: usize = 60;
/// Lines of a metric in any case: all rows, and the slice with the greatest gap.
const MIN_LINES: usize = 2;

/// Every metric, overall and in the slices with the greatest gaps.
pub(crate) fn metrics(evaluation: &Evaluation) -> String {
    let has_baseline = evaluation.slices.iter().any(|slice| slice.baseline.is_some());
    let level = format!(">{}% interval", significant(100.0 * (1.0 - evaluation.verdict.alpha)));
    let mut titles = vec!["metric", "slice", ">rows", ">candidate", &level];
    if has_baseline {
        titles.extend([">baseline", ">change", &level]);
    }
    let contenders: Vec<String> =
        evaluation.contenders.iter().map(|contender| format!(">{}", contender.name)).collect();
    for contender in &contenders {
        titles.push(contender);
        titles.extend(has_baseline.then_some(">its change"));
    }
    let mut table = Table::new(&titles);
    let slices = evaluation.slices.len();
    let per_metric = match evaluation.metrics.len() {
        metrics if metrics * slices <= MAX_LINES => slices,
        metrics => std::cmp::min(std::cmp::max(MAX_LINES / metrics, MIN_LINES), slices),
    };
    for metric in &evaluation.metrics {
        for gap in evaluation.by_gap(metric).iter().take(per_metric) {
            table.push(metric_line(&metric.name, &evaluation.slices[gap.slice], has_baseline));
        }
    }
    let mut text = table.to_text();
    if per_metric < slices {
        let left_out = count((slices - per_metric) as u64);
        text.push_str(&format!(
            "  {left_out} slices with smaller gaps are left out of each metric; --json and --out have all\n"
        ));
    }
    text + &left_out(evaluation)
}

/// How far groups lie apart, a line per measure; nothing where it was not asked for.
pub(crate) fn fairness(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    for found in &evaluation.fairness {
        let mut titles = vec!["groups", "measure", ">candidate", ">interval", "highest", "lowest"];
        if found.baseline.is_some() {
            titles.push(">baseline");
        }
        let contenders: Vec<String> = found.contenders.keys().map(|name| format!(">{name}")).collect();
        titles.extend(contenders.iter().map(String::as_str));
        let mut table = Table::new(&titles);
        for (name, disparity) in &found.candidate.measures {
            let group =
                |group: &Option<String>| group.as_deref().map_or_else(|| "-".into(), |it| cut(it, 40));
            let mut cells = vec![
                found.by.join(", "),
                name.clone(),
                optional(disparity.value),
                interval(disparity.interval),
                group(&disparity.highest),
                group(&disparity.lowest),
            ];
            if let Some(baseline) = &found.baseline {
                cells.push(optional(baseline.measures.get(name).and_then(|disparity| disparity.value)));
            }
            let contenders = found.contenders.values();
            cells.extend(contenders.map(|found| optional(found.measures.get(name).and_then(|it| it.value))));
            table.push(cells);
        }
        text.push_str(&format!("\n{}", table.to_text()));
    }
    text
}

/// Lines of weak slices; the rest is in the JSON.
const MAX_WEAK_SLICES: usize = 40;

/// Every weak slice that no smaller one explains.
pub(crate) fn weak_slices(found: &WeakSlices) -> String {
    let weak: Vec<_> = found.slices.iter().filter(|slice| slice.explained_by.is_none()).collect();
    let mut text = format!(
        "{} of {} slices of at least {} are worse than the other rows ({} {} over all {})\n",
        found.num_weak,
        found.num_tested,
        rows(found.minimum_rows),
        found.loss,
        significant(found.mean_loss),
        rows(found.rows)
    );
    if weak.is_empty() {
        return text;
    }
    let titles = ["slice", ">rows", ">share", ">inside", ">outside", ">effect size", ">q"];
    let mut table = Table::new(&titles);
    for slice in weak.iter().take(MAX_WEAK_SLICES) {
        table.push([
            slice.slice.to_string(),
            count(slice.rows),
            format!("{:.1} %", 100.0 * slice.share),
            significant(slice.loss_inside),
            significant(slice.loss_outside),
            optional(slice.effect_size),
            significant(slice.q_value),
        ]);
    }
    text.push_str(&table.to_text());
    if weak.len() > MAX_WEAK_SLICES {
        text.push_str(&format!("and {} lesser ones\n", weak.len() - MAX_WEAK_SLICES));
    }
    let explained = found.slices.len() - weak.len();
    if explained > 0 {
        text.push_str(&format!("and {explained} that are weak because of a part of them that is listed\n"));
    }
    text
}

/// What is said of slices that are too small, where the verdict does not.
fn left_out(evaluation: &Evaluation) -> String {
    let mut text = String::new();
    for left_out in evaluation.left_out.iter().map(ToString::to_string) {
        if !evaluation.verdict.reasons.iter().any(|reason| reason.text.starts_with(&left_out)) {
            text.push_str(&format!("  {}\n", visible_lines(&left_out)));
        }
    }
    text
}

fn interval(ends: Option<[f64; 2]>) -> String {
    ends.map_or_else(|| "-".into(), |ends| ends.map(|end| with_digits(end, DIGITS_OF_INTERVAL)).join(" to "))
}

/// One metric in one slice.
fn metric_line(metric: &str, slice: &SliceMetrics, has_baseline: bool) -> Vec<String> {
    let name = if slice.slice.is_overall() { "(all)".to_owned() } else { slice.slice.to_string() };
    let value = |values: &BTreeMap<String, Option<f64>>| optional(values.get(metric).copied().flatten());
    let own = slice.intervals.get(metric).map(|interval| [interval.low, interval.high]);
    let mut cells = vec![
        metric.to_owned(),
        cut(&name, WIDTH_OF_SLICE),
        format!("{}{}", count(slice.rows), if slice.few_rows { " (few)" } else { "" }),
        value(&slice.candidate),
        interval(own),
    ];
    if has_baseline {
        let change = slice.changes.as_ref().and_then(|changes| changes.get(metric));
        cells.push(slice.baseline.as_ref().map_or_else(|| "-".into(), value));
        cells.push(optional(change.and_then(|change| change.difference)));
        cells.push(interval(change.and_then(|change| change.interval)));
    }
    for contender in slice.contenders.values() {
        cells.push(value(&contender.values));
        if has_baseline {
            let change = contender.changes.as_ref().and_then(|changes| changes.get(metric));
            cells.push(optional(change.and_then(|change| change.difference)));
        }
    }
    cells
}

fn rule(rule: RuleName) -> &'static str {
    match rule {
        RuleName::AtMost => "at most",
        RuleName::AtLeast => "at least",
        RuleName::ChangeAtMost => "change at most",
        RuleName::ChangeAtLeast => "change at least",
        RuleName::RelativeChangeAtMost => "relative change at most",
        RuleName::RelativeChangeAtLeast => "relative change at least",
        RuleName::BlockIfWorse => "block if worse by",
        RuleName::ProveNotWorse => "prove not worse by",
        RuleName::NoRequirement
        | RuleName::NothingChecked
        | RuleName::Baseline
        | RuleName::Evaluation
        | RuleName::SlicesLeftOut => "",
    }
}

/// The reasons against the model, and those that no figure belongs to, a sentence each.
fn sentences(verdict: &Verdict) -> String {
    let is_told = |reason: &&Reason| reason.metric.is_none() || !reason.passed;
    let told: Vec<&Reason> = verdict.reasons.iter().filter(is_told).collect();
    let line = |reason: &&Reason| format!("  {}\n", visible_lines(&reason.text.replace('\n', "\\n")));
    let mut text: String = told.iter().take(MAX_SENTENCES).map(line).collect();
    if told.len() > MAX_SENTENCES {
        text.push_str(&format!("  and {} more reasons\n", count((told.len() - MAX_SENTENCES) as u64)));
    }
    text
}

/// Every requirement with its figures, then the outcome and the reasons against it.
pub(crate) fn verdict(verdict: &Verdict, printer: Printer) -> String {
    let mut table = Table::new(&[
        "metric",
        "slice",
        ">rows",
        ">candidate",
        ">baseline",
        "rule",
        ">bound",
        ">p",
        "result",
    ]);
    let mut judged: Vec<(&str, &Reason)> =
        verdict.reasons.iter().filter_map(|reason| Some((reason.metric.as_deref()?, reason))).collect();
    let left_out = judged.len().saturating_sub(MAX_REASONS);
    if left_out > 0 {
        judged.sort_by_key(|(_, reason)| reason.passed);
    }
    for (metric, reason) in judged.into_iter().take(MAX_REASONS) {
        table.push([
            metric.to_owned(),
            reason.slice.as_deref().map_or_else(|| "(all)".into(), |slice| cut(slice, WIDTH_OF_SLICE)),
            format!("{}{}", count(reason.rows), if reason.few_rows { " (few)" } else { "" }),
            optional(reason.candidate),
            optional(reason.baseline),
            rule(reason.rule).to_owned(),
            optional(reason.bound),
            reason.p_adjusted.or(reason.p_value).map_or_else(String::new, significant),
            match (reason.passed, reason.checked) {
                (true, true) => "pass",
                (true, false) => "skipped",
                (false, _) => "FAIL",
            }
            .to_owned(),
        ]);
    }
    let mut text = String::new();
    if !table.is_empty() {
        text.push_str(&table.to_text());
    }
    if left_out > 0 {
        text.push_str(&format!(
            "  {} more are left out; --json and --out have all\n",
            count(left_out as u64)
        ));
    }
    text.push_str(&sentences(verdict));
    let word = match verdict.outcome {
        Outcome::Pass => "PASS",
        Outcome::Fail => "FAIL",
        Outcome::Error => "ERROR",
    };
    let comparison = match verdict.comparison {
        Comparison::Compared => "compared with the baseline on the same rows",
        Comparison::AcceptedMetrics => "compared with accepted metrics, as if on other rows",
        Comparison::NoBaseline => "no baseline",
        Comparison::NotComparable => "not comparable with the baseline",
    };
    let word = printer.verdict(verdict.outcome == Outcome::Pass, word);
    text.push_str(&format!("{word}  {comparison}; {}\n", rows(verdict.rows)));
    text
}
