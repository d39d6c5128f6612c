//! Runs as tables for people.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use sluice_pipeline::ledger::{Difference, RunComparison, RunDetail, RunSummary, StepSummary, short};
use sluice_report::{Table, count, duration, significant, timestamp};

/// Characters of a value that is shown.
const WIDTH: usize = 60;

fn moment(milliseconds: i64) -> String {
    let since = Duration::from_millis(u64::try_from(milliseconds).unwrap_or_default());
    let text = timestamp(UNIX_EPOCH + since);
    // To the second.
    text.split('.').next().unwrap_or_default().replace('T', " ")
}

fn took(seconds: Option<f64>) -> String {
    let duration_of = |seconds| Duration::try_from_secs_f64(seconds).ok().map(duration);
    seconds.and_then(duration_of).unwrap_or_else(|| "-".into())
}

/// A value in a few characters.
fn shown(value: &Value) -> String {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => significant(number.as_f64().unwrap_or(f64::NAN)),
        other => other.to_string(),
    };
    if text.chars().count() <= WIDTH { text } else { text.chars().take(WIDTH - 1).chain(['…']).collect() }
}

fn property(run: &RunSummary, name: &str) -> String {
    run.properties.get(name).map(shown).unwrap_or_default()
}

/// How a run went, in a word or two.
fn state(run: &RunSummary) -> String {
    match run.text("rejected_by") {
        Some(step) => format!("{} by {step}", run.state),
        None => run.state.clone(),
    }
}

pub(super) fn list(runs: &[RunSummary], is_filtered: bool) -> String {
    if runs.is_empty() {
        return if is_filtered {
            "no run is like that; without `--pipeline` and `--state` all are listed\n".into()
        } else {
            "no run is recorded yet; `sluice run PIPELINE` records one\n".into()
        };
    }
    let mut table =
        Table::new(&["run", "started (UTC)", ">took", "state", ">ran", ">cached", ">version", "out"]);
    for run in runs {
        table.push([
            run.run.clone(),
            moment(run.started_ms),
            took(run.seconds),
            state(run),
            property(run, "steps_ran"),
            property(run, "steps_cached"),
            property(run, "version"),
            run.out.display().to_string(),
        ]);
    }
    table.to_text()
}

pub(super) fn detail(run: &RunDetail) -> String {
    let mut text = format!("run `{}`: {}\n\n", run.summary.run, state(&run.summary));
    let mut facts = Table::new(&["", ""]);
    facts.push(["started".to_owned(), moment(run.summary.started_ms) + " UTC"]);
    facts.push(["took".to_owned(), took(run.summary.seconds)]);
    for (name, value) in &run.summary.properties {
        if name != "error" {
            facts.push([name.clone(), shown(value)]);
        }
    }
    // The table of facts has no titles.
    text.push_str(facts.to_text().split_once('\n').map_or("", |(_, rest)| rest));
    let mut steps = Table::new(&["step", "state", ">took", ">rows", "what it did"]);
    for step in &run.steps {
        let rows = step.properties.get("rows").and_then(Value::as_u64).map(count).unwrap_or_default();
        let did = step.text("error").or_else(|| step.text("summary")).unwrap_or_default();
        let did = shown(&Value::from(did.lines().next().unwrap_or_default()));
        let time = took(step.figure("seconds").filter(|_| step.state == "complete"));
        steps.push([step.step.clone(), step.state.clone(), time, rows, did]);
    }
    text.push_str(&format!("\n{}", steps.to_text()));
    text.push_str(&format!("\n{}", artifacts(&run.steps)));
    let parameters = parameters(&run.steps);
    if !parameters.is_empty() {
        text.push_str(&format!("\n{}", parameters.to_text()));
    }
    let mut metrics = Table::new(&["metric", ">value"]);
    for (name, value) in run.metrics() {
        metrics.push([name.to_owned(), shown(value)]);
    }
    if !metrics.is_empty() {
        text.push_str(&format!("\n{}", metrics.to_text()));
    }
    if let Some(error) = run.summary.text("error") {
        text.push_str(&format!("\n{error}\n"));
    }
    text
}

fn artifacts(steps: &[StepSummary]) -> String {
    let mut table = Table::new(&["artifact", "made by", "digest", "where"]);
    for step in steps {
        for output in &step.outputs {
            let digest = short(&output.digest);
            table.push([output.kind.clone(), step.step.clone(), digest, output.uri.clone()]);
        }
    }
    table.to_text()
}

fn parameters(steps: &[StepSummary]) -> Table {
    let mut table = Table::new(&["parameter", "value"]);
    for step in steps {
        for (name, value) in &step.parameters {
            table.push([format!("{}.{name}", step.step), shown(value)]);
        }
    }
    table
}

pub(super) fn comparison(comparison: &RunComparison) -> String {
    let (first, second) = (&comparison.first.run, &comparison.second.run);
    let mut text = String::new();
    for (what, differences) in [("parameter", &comparison.parameters), ("run", &comparison.properties)] {
        if differences.is_empty() {
            text.push_str(&format!("no {what} differs\n\n"));
            continue;
        }
        let mut table = Table::new(&[what, first, second]);
        for Difference { name, first, second } in differences {
            let cell = |value: &Option<Value>| value.as_ref().map_or_else(|| "-".into(), shown);
            table.push([name.clone(), cell(first), cell(second)]);
        }
        text.push_str(&format!("{}\n", table.to_text()));
    }
    let mut metrics = Table::new(&["metric", &format!(">{first}"), &format!(">{second}"), ">difference"]);
    let optional = |value: Option<f64>| value.map_or_else(|| "-".into(), significant);
    for found in &comparison.metrics {
        let cells = [optional(found.first), optional(found.second), optional(found.difference)];
        metrics.push(std::iter::once(found.metric.clone()).chain(cells));
    }
    if !metrics.is_empty() {
        text.push_str(&format!("{}\n", metrics.to_text()));
    }
    let mut artifacts = Table::new(&["artifact", "made by", "", first, second]);
    for found in &comparison.artifacts {
        let digest = |digest: &Option<String>| digest.as_deref().map_or_else(|| "-".into(), short);
        let same = if found.same { "same" } else { "other" };
        artifacts.push([
            found.channel.clone(),
            found.step.clone(),
            same.to_owned(),
            digest(&found.first),
            digest(&found.second),
        ]);
    }
    text + &artifacts.to_text()
}
