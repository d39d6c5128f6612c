//! `sluice run`: the whole pipeline.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::Pushed;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_ingest::SpanSelection;
use sluice_pipeline::step;
use sluice_pipeline::{
    Notes, OpenLineageTarget, RunOptions, RunReport, StepName, StepReport, StepState, run as run_pipeline,
};
use sluice_report::{duration, rate};

use crate::answer::{Answer, Content};
use crate::arguments::{MemoryArgument, parse_spans};
use crate::executor::{Contract, Outcome, Output};
use crate::log::Event;
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};
use crate::staging::Fetching;
use crate::{evaluate, push, tables, verdict};

pub(crate) const CONTRACT: Contract = Contract {
    command: "run",
    inputs: &[],
    outputs: &[
        made("statistics", ArtifactType::Artifact, "The statistics of every subset"),
        made("validation", ArtifactType::Artifact, "Every finding, and TFDV's anomalies"),
        made("model", ArtifactType::Model, "The model package, with its transform"),
        made("evaluation", ArtifactType::Artifact, "Metrics, slices and verdict"),
        evaluate::METRICS,
        evaluate::REPORT,
    ],
    results: &[
        verdict::BLESSED,
        verdict::BLESSING,
        verdict::OUTCOME,
        verdict::REASONS,
        Outcome {
            name: "rejected_by",
            kind: ParameterType::Text,
            help: "The step that turned data or model down; empty when none did",
        },
        push::PUSHED,
        push::VERSION,
        push::PATH,
    ],
    // A folder that ends with the container would lose the baseline, and with it the gate.
    demands: &["out"],
    omits: &["dry_run", "prometheus"],
    on_error: Some(|error| with_push(verdict::of_error(error), None, None)),
};

const fn made(name: &'static str, kind: ArtifactType, help: &'static str) -> Output {
    Output { name, kind, argument: None, help }
}

const EXAMPLES: &str = "\
Examples:
  sluice run datasets/diabetes/pipeline.yaml
  sluice run pipeline.yaml --out /data/runs --json

The first run has no baseline: it passes on its value bounds and is registered. The next one is compared
with it on the same rows.";

/// Run a whole pipeline and end with a verdict.
///
/// Runs ingest, statistics, schema, validate, transform, train, evaluate and push in order. Every step leaves
/// its artifact, linked from OUT/runs/NUMBER; a step whose inputs, options and engine are those of an artifact
/// that is there does not run again, also after a crash. Data that break the schema or a model that fails the
/// gate end the run with exit code 1, and nothing after them is made.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// The pipeline file (YAML): its path, which paths in it are relative to, or its text.
    #[arg(value_name = "PIPELINE")]
    pipeline: PipelineArgument,
    /// The folder of artifacts, runs and registry; `sluice-runs/NAME` unless given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The spans that are read, in place of those that the file names: `latest`, `3`, `3..5`, `last 7`, or dates.
    #[arg(long, value_name = "SPANS", value_parser = parse_spans)]
    spans: Option<SpanSelection>,
    /// Run this step and all after it, even if their artifacts are there.
    #[arg(long, value_name = "STEP", value_parser = step)]
    from: Option<StepName>,
    /// Run this step even if its artifact is there; may be given several times.
    #[arg(long, value_name = "STEP", value_parser = step)]
    force: Vec<StepName>,
    /// Run nothing; say which steps would run and why.
    #[arg(long)]
    dry_run: bool,
    /// Tell what the run and its steps do as events of OpenLineage: add them to a file, one a line, or post them to the
    /// server at a URL. Where the option does not say it, the file that `OPENLINEAGE_CONFIG` names does, or the variable
    /// `OPENLINEAGE_URL`. A server that is down does not fail the run.
    #[arg(long, value_name = "FILE|URL")]
    openlineage: Option<String>,
    /// Write the figures of the run (result, seconds and rows of the steps, anomalies, metrics) for Prometheus' textfile
    /// collector.
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

fn step(text: &str) -> Result<StepName, String> {
    text.parse::<StepName>().map_err(|error| {
        let hint = sluice_core::Diagnostic::hint(&error).unwrap_or_default();
        format!("there is no step `{text}`; {hint}")
    })
}

pub(crate) fn run(arguments: &RunArguments, session: &Session) -> Result<Answer> {
    let mut file = arguments.pipeline.read_with(Fetching::Everything)?;
    if arguments.spans.is_some() {
        file.spec.data.spans.clone_from(&arguments.spans);
    }
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => PathBuf::from("sluice-runs").join(&file.spec.pipeline),
    };
    let printer = session.printer;
    printer.message(&format!("pipeline `{}`", file.spec.pipeline));
    let options = RunOptions {
        out,
        from: arguments.from,
        force: arguments.force.clone(),
        dry_run: arguments.dry_run,
        ledger: !session.is_task,
        openlineage: OpenLineageTarget::choose(arguments.openlineage.as_deref(), |name| {
            std::env::var(name).ok()
        })?,
        prometheus: arguments.prometheus.clone(),
        notes: Notes::default(),
        execution: session.execution.clone(),
    };
    let report = run_pipeline(&file, &options, &mut |step| {
        for problem in &step.unusable_states {
            printer.note(&format!("a state is made again: {problem}"));
        }
        printer.event(&event(step), &line(step));
    });
    for note in options.notes.take() {
        printer.note(&note);
    }
    let report = report?;
    printer.result(&report, || text(&report, session));
    answer(&report)
}

/// What an orchestrator is told: the last verdict there is, what was registered, and the artifacts of the run.
fn answer(report: &RunReport) -> Result<Answer> {
    let Some(folder) = &report.folder else { return Ok(Answer::new(Exit::Done)) };
    let verdict = match (&report.evaluation, &report.validation) {
        (Some(evaluation), _) => {
            let page = step::evaluate::open(&folder.join("evaluation"))?.page()?;
            verdict::of_evaluation(evaluation, page)
        }
        (None, Some(validation)) => verdict::of_validation(validation),
        (None, None) => Answer::new(Exit::Done),
    };
    let mut answer = with_push(verdict, report.rejected_by, report.pushed.as_ref());
    answer.exit = if report.accepted() { Exit::Done } else { Exit::Rejected };
    for output in CONTRACT.outputs {
        let made = folder.join(output.name);
        if made.is_dir() {
            answer = answer.content(output.name, Content::Folder(made));
        }
    }
    Ok(answer)
}

fn with_push(answer: Answer, rejected_by: Option<StepName>, pushed: Option<&Pushed>) -> Answer {
    push::told(answer, pushed).parameter("rejected_by", rejected_by.map_or("", StepName::name))
}

/// What a step did, for the log.
fn event(step: &StepReport) -> Event<'_> {
    let planned = step.state == StepState::WouldRun;
    Event {
        name: if planned { "step_planned" } else { "step_finished" },
        message: if planned { "would run" } else { &step.summary },
        step: Some(step.name.name()),
        state: serde_json::to_value(step.state).ok(),
        reason: Some(step.reason.as_str()).filter(|reason| !reason.is_empty()),
        rows: (step.rows > 0).then_some(step.rows),
        spans_read: step.spans.map(|spans| spans.read),
        spans_reused: step.spans.map(|spans| spans.reused),
        seconds: (!planned).then_some(step.duration.as_secs_f64()),
        ..Event::default()
    }
}

/// What a step did, in one line.
fn line(step: &StepReport) -> String {
    let (time, speed, told) = match step.state {
        StepState::Ran => {
            let mut told = step.summary.clone();
            if let Some(spans) = step.spans {
                told.push_str(&format!("; {} spans read, {} reused", spans.read, spans.reused));
            }
            (duration(step.duration), rate(step.rows, step.duration), told)
        }
        StepState::Cached => ("cached".into(), String::new(), step.summary.clone()),
        StepState::WouldRun => ("would run".into(), String::new(), step.reason.clone()),
    };
    format!("  {:<10}  {time:>9}  {speed:>14}  {told}", step.name)
}

fn text(report: &RunReport, session: &Session) -> String {
    let Some(folder) = &report.folder else { return dry_run(report) };
    let mut text = String::new();
    if report.rejected_by == Some(StepName::Validate)
        && let Some(validation) = &report.validation
    {
        text.push_str(&tables::validation(validation, session.printer));
    }
    if let Some(evaluation) = &report.evaluation {
        text.push('\n');
        text.push_str(&tables::metrics(evaluation));
        text.push('\n');
        text.push_str(&tables::verdict(&evaluation.verdict, session.printer));
    }
    if let Some(pushed) = &report.pushed {
        let done = if pushed.is_new { "registered as" } else { "already registered as" };
        text.push_str(&format!(
            "{done} `{}` version {} in {}\n",
            report.pipeline, pushed.version, pushed.path
        ));
    }
    if report.is_up_to_date() {
        text.push_str("nothing to do: every step is up to date\n");
    }
    text.push_str(&format!("artifacts in {}\n", folder.display()));
    text
}

fn dry_run(report: &RunReport) -> String {
    let would = report.steps.iter().filter(|step| step.state == StepState::WouldRun).count();
    let cached = report.steps.len() - would;
    format!("dry run: {cached} steps are cached, {would} would run; nothing was changed\n")
}
