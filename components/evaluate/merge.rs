//! `sluice evaluate merge`: an evaluation from the states of shards.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sluice_core::Result;
use sluice_pipeline::step::evaluate_state::EvaluationState;
use sluice_pipeline::step::state::Shard;
use sluice_report::{bytes, rows};

use super::outputs::OutputArguments;
use super::told;
use crate::answer::Answer;
use crate::arguments::{OutArgument, parse_shard};
use crate::session::{Exit, Session};

/// What can be done with states.
#[derive(Debug, Subcommand)]
pub(crate) enum EvaluateAction {
    /// Merge the states of all shards of the rows into an evaluation.
    ///
    /// The artifact is the same bytes as that of one run, in whatever order the states are given. States of another model,
    /// baseline or data set, or with other options, the same rows twice and a missing shard are errors. Exit code 1 when
    /// the model fails.
    Merge(MergeArguments),
}

/// Arguments of `sluice evaluate merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// States that `--partial` wrote.
    #[arg(value_name = "STATE", required = true)]
    states: Vec<PathBuf>,
    #[command(flatten)]
    out: OutArgument,
    #[command(flatten)]
    outputs: OutputArguments,
}

/// Options of `sluice evaluate` about states.
#[derive(Debug, Args)]
pub(crate) struct StateArguments {
    /// Read only part I of N of the rows, for example `2/5`; with `--partial`.
    #[arg(long, value_name = "I/N", requires = "partial", value_parser = parse_shard)]
    shard: Option<Shard>,
    /// Write the state of what was read to `--out` instead of an evaluation, for `sluice evaluate merge`.
    #[arg(long, conflicts_with_all = ["junit", "markdown", "report"])]
    pub(super) partial: bool,
}

impl StateArguments {
    /// The part that is read.
    pub(super) fn shard(&self) -> Shard {
        self.shard.unwrap_or(Shard::WHOLE)
    }
}

pub(super) fn run(arguments: &MergeArguments, session: &Session) -> Result<Answer> {
    let evaluated =
        EvaluationState::merge(&arguments.states)?.finish(&arguments.out.out, &session.execution)?;
    arguments.outputs.write(&evaluated)?;
    told(&evaluated, session)
}

/// Publishes the state of a shard, and tells its rows and its size.
pub(super) fn published(state: &EvaluationState, out: &Path, session: &Session) -> Result<Answer> {
    let size = state.publish(out)?;
    let count = state.num_rows();
    let json = serde_json::json!({ "state": out.display().to_string(), "rows": count, "bytes": size });
    session.printer.result(&json, || {
        format!("the state of {} is in `{}`: {}\n", rows(count), out.display(), bytes(size))
    });
    Ok(Answer::new(Exit::Done))
}
