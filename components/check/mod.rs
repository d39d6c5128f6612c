//! `sluice check`: a pipeline file against the header of its data.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::{PipelineFile, check as check_pipeline};

use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Check a pipeline file against the header of its data, without reading the rows.
///
/// Finds unknown keys, options out of range, columns that are not in the data, columns with two roles and
/// schemas that cannot be read. Run it in CI before anything expensive.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The pipeline file (YAML).
    #[arg(value_name = "PIPELINE")]
    file: PathBuf,
}

pub(crate) fn run(arguments: &CheckArguments, session: &Session) -> Result<Answer> {
    let file = PipelineFile::read(&arguments.file)?;
    let report = check_pipeline(&file)?;
    session.printer.result(&report, || {
        format!(
            "`{}` is sound: {} columns, {} of them features",
            report.pipeline,
            report.columns.len(),
            report.features.len()
        )
    });
    Ok(Answer::new(Exit::Done))
}
