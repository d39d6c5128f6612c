//! `sluice transform merge`: a transform from the states of shards and spans.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::step::transform::publish_of;
use sluice_pipeline::step::transform_state::{Round, TransformState};

use crate::answer::Answer;
use crate::arguments::OutArgument;
use crate::session::{Exit, Session};

use super::fit;

/// Merge the states of all shards of a data set, or of stored spans.
///
/// Where the states tell all that the operations must know, the transform is fitted: the same bytes as one run, in
/// whatever order the states are given. Where an operation reads what another must first learn, another scan is
/// needed: the merged state is written instead, for `sluice transform fit --continue` on every shard. States of other
/// operations, roles, columns or scans, the same rows twice and a missing shard are errors.
#[derive(Debug, Args)]
pub(crate) struct MergeArguments {
    /// States that `--partial` wrote, and folders of states that `transform fit --keep-state` wrote.
    #[arg(value_name = "STATE", required = true)]
    states: Vec<PathBuf>,
    #[command(flatten)]
    out: OutArgument,
}

pub(super) fn run(arguments: &MergeArguments, session: &Session) -> Result<Answer> {
    let out = &arguments.out.out;
    match TransformState::merge(&arguments.states)?.end()? {
        Round::Fitted { transform, data } => {
            let (transform, _) = publish_of(*transform, &data, None, out)?;
            Ok(fit::answer(&transform, out, session))
        }
        Round::Next(state) => {
            state.publish(out)?;
            let scan = state.scan_number();
            let told = serde_json::json!({ "state": out.display().to_string(), "next_scan": scan });
            session.printer.result(&told, || {
                format!(
                    "scan {scan} is needed: give `{}` to every shard, `sluice transform fit --partial --continue`\n",
                    out.display()
                )
            });
            Ok(Answer::new(Exit::Done))
        }
    }
}
