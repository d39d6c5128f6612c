//! `sluice check`: a pipeline file against the header of its data.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_ingest::SpanSelection;
use sluice_pipeline::check as check_pipeline;

use crate::answer::Answer;
use crate::arguments::parse_spans;
use crate::session::{Exit, Session};
use crate::staging::{Fetching, read_pipeline};

/// Check a pipeline file against the header of its data, without reading the rows.
///
/// Finds unknown keys, options out of range, columns that are not in the data, columns with two roles, rules and
/// slices that do not fit the types of their columns where the header tells these, and schemas that cannot be
/// read. Warns where nothing is required of a model. Run it in CI before anything expensive.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The pipeline file (YAML).
    #[arg(value_name = "PIPELINE")]
    file: PathBuf,
    /// The spans whose header is looked at, in place of those that the file names.
    #[arg(long, value_name = "SPANS", value_parser = parse_spans)]
    spans: Option<SpanSelection>,
}

pub(crate) fn run(arguments: &CheckArguments, session: &Session) -> Result<Answer> {
    let mut file = read_pipeline(&arguments.file, Fetching::Schema)?;
    if arguments.spans.is_some() {
        file.spec.data.spans.clone_from(&arguments.spans);
    }
    let report = check_pipeline(&file)?;
    report.warnings.iter().for_each(|warning| session.printer.note(warning));
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
