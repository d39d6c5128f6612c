//! The figures of a run in Prometheus' text format, for the textfile collector of its node exporter: written beside, then
//! renamed, so that no half file is ever scraped.
//!
//! Gauges, in base units, without timestamps; labels have few values: the pipeline, its steps, metrics over all rows.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sluice_core::artifact::write_whole;
use sluice_core::error::{Error, Result};

use crate::ledger::RunEntry;
use crate::run::{RunReport, StepState};

/// Writes the figures of a run. The moment of the last success stays what it was where this run is none.
///
/// # Errors
/// `CommonError::File`.
pub(crate) fn write(
    path: &Path,
    run: &RunEntry,
    report: &RunReport,
    failure: Option<&Error>,
    (at, duration): (SystemTime, Duration),
) -> Result<()> {
    let before = fs_err::read_to_string(path).unwrap_or_default();
    let success = last_success(&before, &run.pipeline);
    write_whole(path, text(run, report, failure, (at, duration), success).as_bytes())
}

const LAST_SUCCESS: &str = "sluice_run_last_success_timestamp_seconds";

/// The moment of the last success as a file before has it.
fn last_success(before: &str, pipeline: &str) -> Option<f64> {
    let start = format!("{LAST_SUCCESS}{{pipeline=\"{}\"}} ", escaped(pipeline));
    before.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok())
}

fn text(
    run: &RunEntry,
    report: &RunReport,
    failure: Option<&Error>,
    (at, duration): (SystemTime, Duration),
    success: Option<f64>,
) -> String {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let accepted = failure.is_none() && report.accepted();
    let mut page = Page { pipeline: escaped(&run.pipeline), text: String::new() };
    page.one("sluice_run_number", "The number of the latest run.", run.number as f64);
    page.one("sluice_run_completed", "Whether the latest run came to its end.", of(failure.is_none()));
    page.one("sluice_run_accepted", "Whether the latest run accepted data and model.", of(accepted));
    page.one("sluice_run_timestamp_seconds", "When the latest run ended.", seconds);
    page.one("sluice_run_duration_seconds", "How long the latest run took.", duration.as_secs_f64());
    if let Some(success) = if accepted { Some(seconds) } else { success } {
        page.one(LAST_SUCCESS, "When a run accepted data and model last.", success);
    }
    let each = |value: &dyn Fn(&crate::run::StepReport) -> f64| {
        report.steps.iter().map(|step| (step.name.name().to_owned(), value(step))).collect::<Vec<_>>()
    };
    let duration = each(&|step| step.duration.as_secs_f64());
    page.many("sluice_step_duration_seconds", "How long a step took.", "step", duration);
    page.many("sluice_step_rows", "Rows that a step has read.", "step", each(&|step| step.rows as f64));
    let cached = each(&|step| of(step.state == StepState::Cached));
    page.many("sluice_step_cached", "Whether a step's result was there already.", "step", cached);
    if let Some(validation) = &report.validation {
        let (errors, warnings) = validation.counts();
        let found = vec![("error".to_owned(), errors as f64), ("warning".to_owned(), warnings as f64)];
        page.many("sluice_anomalies", "What validation found in the data.", "severity", found);
        page.one("sluice_data_accepted", "Whether validation accepted the data.", of(validation.accepted));
    }
    if let Some(overall) = report.evaluation.as_ref().and_then(|evaluation| evaluation.slices.first()) {
        page.one("sluice_evaluation_rows", "Rows that the model was judged on.", overall.rows as f64);
        page.many(
            "sluice_metric",
            "The candidate's metrics over all rows.",
            "metric",
            figures(&overall.candidate),
        );
        let baseline = overall.baseline.as_ref().map(figures).unwrap_or_default();
        page.many("sluice_baseline_metric", "The baseline's metrics over all rows.", "metric", baseline);
    }
    if let Some(pushed) = &report.pushed {
        page.one("sluice_model_version", "The version that is registered.", pushed.version as f64);
    }
    page.text
}

fn figures(metrics: &std::collections::BTreeMap<String, Option<f64>>) -> Vec<(String, f64)> {
    metrics.iter().filter_map(|(name, value)| Some((name.clone(), (*value)?))).collect()
}

fn of(truth: bool) -> f64 {
    f64::from(u8::from(truth))
}

struct Page {
    pipeline: String,
    text: String,
}

impl Page {
    fn head(&mut self, name: &str, help: &str) {
        self.text.push_str(&format!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        self.head(name, help);
        self.text.push_str(&format!("{name}{{pipeline=\"{}\"}} {}\n", self.pipeline, number(value)));
    }

    fn many(&mut self, name: &str, help: &str, label: &str, values: Vec<(String, f64)>) {
        if values.is_empty() {
            return;
        }
        self.head(name, help);
        for (of, value) in values {
            let (of, value) = (escaped(&of), number(value));
            self.text
                .push_str(&format!("{name}{{pipeline=\"{}\",{label}=\"{of}\"}} {value}\n", self.pipeline));
        }
    }
}

/// A value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".into()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".into() } else { "-Inf".into() }
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_numbers_are_written_as_the_format_has_them() {
        let mut page = Page { pipeline: escaped("a\"b\\c\nd"), text: String::new() };
        page.one("m", "Help.", f64::INFINITY);
        assert_eq!(page.text, "# HELP m Help.\n# TYPE m gauge\nm{pipeline=\"a\\\"b\\\\c\\nd\"} +Inf\n");
        assert_eq!(number(f64::NAN), "NaN");
        let before = format!("# TYPE\n{LAST_SUCCESS}{{pipeline=\"tips\"}} 1700000000.25\n");
        assert_eq!(last_success(&before, "tips"), Some(1_700_000_000.25));
        assert_eq!(last_success(&before, "tip"), None);
    }
}
