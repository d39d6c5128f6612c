//! `sluice train merge`: a model from the states of shards.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::step::train_state::TrainState;

use crate::answer::Answer;
use crate::arguments::OutArgument;
use crate::session::Session;

use super::fit::answer;

/// Merge the states of all shards of a data set into a model.
///
/// The package is the same bytes as that of one run, in whatever order the states are given. States of another model,
/// label, transform or data set, the same rows twice and a missing shard are errors. Where the features are so nearly
/// dependent that their sums must be exact, it says so: make the states again with `--exact`.
#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// States that `train --partial` wrote.
    #[arg(value_name = "STATE", required = true)]
    states: Vec<PathBuf>,
    #[command(flatten)]
    out: OutArgument,
}

pub(super) fn run(arguments: &MergeArguments, session: &Session) -> Result<Answer> {
    let out = &arguments.out.out;
    let package = TrainState::merge(&arguments.states)?.finish(out, &session.execution)?;
    answer(&package, out, session)
}
