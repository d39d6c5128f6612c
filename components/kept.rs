//! The option `--keep-state`, and what is told of the states.

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::step::kept_states::Reading;
use sluice_report::rows;

use crate::failure::ArgumentError;
use crate::session::Session;

/// Where states of spans are kept.
#[derive(Debug, Args)]
pub(crate) struct KeepStateArgument {
    /// Keep the state of every span in this folder for the next time (and, of statistics and transforms, for `merge`): a
    /// span of a data set whose state is there already is not read. The result is the same bytes.
    #[arg(long, value_name = "FOLDER", conflicts_with = "partial")]
    keep_state: Option<PathBuf>,
}

impl KeepStateArgument {
    /// The folder, if it is given; it cannot be the one of the result.
    pub(crate) fn folder(&self, out: Option<&Path>) -> Result<Option<&Path>> {
        apart(out, self.keep_state.as_deref())?;
        Ok(self.keep_state.as_deref())
    }

    /// Tells what the states have spared.
    pub(crate) fn tell(&self, reading: &Reading, session: &Session) {
        for problem in &reading.unusable {
            session.printer.note(&format!("a state is made again: {problem}"));
        }
        let what = match reading.spans() {
            Some(spans) => format!("{} spans read, {} reused, ", spans.read, spans.reused),
            None => String::new(),
        };
        if let Some(folder) = &self.keep_state {
            let told = format!("{what}{} read; states in {}", rows(reading.rows), folder.display());
            session.printer.message(&told);
        }
    }
}

/// Refuses one folder for result and states.
pub(crate) fn apart(out: Option<&Path>, states: Option<&Path>) -> Result<()> {
    if let (Some(out), Some(states)) = (out, states)
        && out == states
    {
        let message = format!("`{}` cannot hold both the result and the state", states.display());
        return Err(ArgumentError::new(message, "give `--out` and `--keep-state` different folders").into());
    }
    Ok(())
}
