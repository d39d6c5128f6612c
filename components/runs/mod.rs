//! `sluice runs`: what the ledger remembers of runs.

mod lineage;
mod places;
mod text;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sluice_core::Result;
use sluice_pipeline::ledger::{self, Ledger, RunFilter, RunSummary, STATES};

use crate::answer::Answer;
use crate::session::{Exit, Session};
use places::{ledger_of, ledgers};

const EXAMPLES: &str = "\
Examples:
  sluice runs list --state rejected --limit 5
  sluice runs show latest --out sluice-runs/tips
  sluice runs compare 6 7 --out sluice-runs/tips
  sluice runs lineage tips.0007 --format html > lineage.html

Every `sluice run` is recorded in OUT/ledger.sqlite, which clients of ML Metadata open too (docs/ledger.md).";

/// List, show and compare runs, and walk from a model back to its data.
///
/// Reads the ledgers that `sluice run` leaves in its folders. Without `--out` those of all folders in `sluice-runs` are
/// read. A run is named by its number, by PIPELINE.NUMBER, or by `latest`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct RunsArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List runs, newest first.
    List(ListArguments),
    /// Show a run: its steps, options, artifacts, metrics and verdict.
    Show(ShowArguments),
    /// Put two runs side by side: what differs in options, metrics and artifacts.
    Compare(CompareArguments),
    /// Walk from what a run has made, or from an artifact, back to the data.
    Lineage(lineage::LineageArguments),
}

/// Where runs are.
#[derive(Debug, Args)]
pub(crate) struct PlaceArgument {
    /// The folder of a pipeline's runs, as `sluice run --out` has it, or a folder of such folders; may be given several
    /// times. `sluice-runs` unless given.
    #[arg(long, value_name = "FOLDER")]
    out: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only runs of this pipeline.
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// Only runs in this state: running, accepted, rejected, failed, canceled, or stopped (its process ended without a
    /// word).
    #[arg(long, value_name = "STATE", value_parser = clap::builder::PossibleValuesParser::new(STATES))]
    state: Option<String>,
    /// At most so many runs.
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    #[command(flatten)]
    place: PlaceArgument,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The run: its number, PIPELINE.NUMBER, or `latest`.
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
    #[command(flatten)]
    place: PlaceArgument,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// The first run: its number, PIPELINE.NUMBER, or `latest`.
    #[arg(value_name = "RUN")]
    first: String,
    /// The second run, from which the first is taken off.
    #[arg(value_name = "RUN")]
    second: String,
    #[command(flatten)]
    place: PlaceArgument,
}

pub(crate) fn run(arguments: &RunsArguments, session: &Session) -> Result<Answer> {
    match &arguments.what {
        What::List(arguments) => list(arguments, session),
        What::Show(arguments) => {
            let detail = ledger_of(&arguments.place.out, &arguments.run)?.detail(&arguments.run)?;
            session.printer.result(&detail, || text::detail(&detail));
            Ok(())
        }
        What::Compare(arguments) => {
            let detail = |run: &String| ledger_of(&arguments.place.out, run)?.detail(run);
            let comparison = ledger::compare(&detail(&arguments.first)?, &detail(&arguments.second)?);
            session.printer.result(&comparison, || text::comparison(&comparison));
            Ok(())
        }
        What::Lineage(arguments) => lineage::run(arguments, session),
    }?;
    Ok(Answer::new(Exit::Done))
}

fn list(arguments: &ListArguments, session: &Session) -> Result<()> {
    let limit = usize::try_from(arguments.limit).unwrap_or(usize::MAX);
    let filter = RunFilter {
        pipeline: arguments.pipeline.clone(),
        state: arguments.state.clone(),
        limit: Some(limit),
    };
    let mut runs: Vec<RunSummary> = Vec::new();
    for out in ledgers(&arguments.place.out)? {
        runs.extend(Ledger::open(&out)?.runs(&filter)?);
    }
    // Each ledger has its own order of time; the sort keeps it among equals.
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_ms));
    runs.truncate(limit);
    let is_filtered = arguments.pipeline.is_some() || arguments.state.is_some();
    session.printer.result(&runs, || text::list(&runs, is_filtered));
    Ok(())
}
