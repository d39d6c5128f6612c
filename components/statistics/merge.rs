//! `sluice statistics merge`: statistics from the states of shards and spans.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use sluice_core::Result;
use sluice_pipeline::step::state::{Shard, StatisticsState};
use sluice_pipeline::step::statistics::StatisticsRecord;

use crate::answer::Answer;
use crate::arguments::parse_shard;
use crate::kept::{KeepStateArgument, apart};
use crate::session::{Exit, Session};

/// What can be done with states.
#[derive(Debug, Subcommand)]
pub(crate) enum StatisticsAction {
    /// Merge the states of all shards of a source, or of stored spans.
    ///
    /// The answer is the same bytes as one run over all of their rows, in whatever order the states are given. A
    /// column that one span lacks counts as absent in its rows. States of other files or options, the same rows twice
    /// and a missing shard are errors.
    Merge(MergeArguments),
}

/// Arguments of `sluice statistics merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// States that `--partial` wrote, and folders of states that `--keep-state` wrote.
    #[arg(value_name = "STATE", required = true)]
    states: Vec<PathBuf>,
    /// The folder of the artifact; without, the statistics are only printed.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: Option<PathBuf>,
    /// Also write the merged state to this folder.
    #[arg(long, value_name = "FOLDER")]
    keep_state: Option<PathBuf>,
}

/// Options of `sluice statistics` about states.
#[derive(Debug, Args)]
pub(crate) struct StateArguments {
    /// Read only part I of N, for example `2/5`; with `--partial`.
    #[arg(long, value_name = "I/N", requires = "partial", value_parser = parse_shard)]
    pub(crate) shard: Option<Shard>,
    /// Write the state of what was read to `--out` instead of statistics, for `sluice statistics merge`.
    #[arg(long, requires = "out")]
    pub(crate) partial: bool,
    #[command(flatten)]
    pub(crate) kept: KeepStateArgument,
}

impl StateArguments {
    /// The part that is read.
    pub(crate) fn shard(&self) -> Shard {
        self.shard.unwrap_or(Shard::WHOLE)
    }
}

/// Merges; answers the statistics and the digest of what they were made from.
pub(crate) fn merged(arguments: &MergeArguments) -> Result<(StatisticsRecord, String)> {
    apart(arguments.out.as_deref(), arguments.keep_state.as_deref())?;
    let state = StatisticsState::merge(&arguments.states)?;
    if let Some(folder) = &arguments.keep_state {
        state.publish(folder)?;
    }
    state.finish()
}

/// Publishes the state of a shard, and answers with its rows.
pub(crate) fn published(state: &StatisticsState, out: &Path, session: &Session) -> Result<Answer> {
    state.publish(out)?;
    let rows = state.num_rows();
    let told = serde_json::json!({ "state": out.display().to_string(), "rows": rows });
    session.printer.result(&told, || format!("the state of {rows} rows is in `{}`\n", out.display()));
    Ok(Answer::new(Exit::Done).parameter("rows", rows).metadata("statistics", "rows", rows))
}
