//! `sluice run`: the whole pipeline.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::{PipelineFile, RunOptions, RunReport, run as run_pipeline};
use sluice_report::{duration, rate};

use crate::session::{Exit, Session};
use crate::tables;

const EXAMPLES: &str = "\
Examples:
  sluice run datasets/diabetes/pipeline.yaml
  sluice run pipeline.yaml --out /data/runs --json

The first run has no baseline: it passes on its value bounds and is registered. The next one is compared
with it on the same rows.";

/// Run a whole pipeline and end with a verdict.
///
/// Runs ingest, statistics, schema, validate, transform, train, evaluate and push in order. Every step leaves
/// its artifact in OUT/runs/NUMBER; data that break the schema or a model that fails the gate end the run with
/// exit code 1, and nothing after them is made.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// The pipeline file (YAML); paths in it are relative to it.
    #[arg(value_name = "PIPELINE")]
    file: PathBuf,
    /// The folder of runs and of the registry; `sluice-runs/NAME` unless given.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: &RunArguments, session: &Session) -> Result<Exit> {
    let file = PipelineFile::read(&arguments.file)?;
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => PathBuf::from("sluice-runs").join(&file.spec.pipeline),
    };
    let printer = session.printer;
    printer.message(&format!("pipeline `{}`", file.spec.pipeline));
    let options = RunOptions { out, execution: session.execution.clone() };
    let report = run_pipeline(&file, &options, &mut |step| {
        printer.message(&format!(
            "  {:<10}  {:>8}  {:>14}  {}",
            step.name,
            duration(step.duration),
            rate(step.rows, step.duration),
            step.summary
        ));
    })?;
    printer.result(&report, || text(&report, session));
    Ok(if report.accepted() { Exit::Done } else { Exit::Rejected })
}

fn text(report: &RunReport, session: &Session) -> String {
    let mut text = String::new();
    if report.rejected_by == Some("validate")
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
    text.push_str(&format!("artifacts in {}\n", report.folder.display()));
    text
}
