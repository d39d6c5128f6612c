//! `sluice schema check`: whether a file is a schema, and what it says.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::step::schema;
use sluice_quality::schema::write_schema;

use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Read a schema and print it in protobuf's own layout.
///
/// Errors name file, line and column. Fields that this version does not know are kept and noted.
#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The schema: a file in TFDV's text format (`.pb` and `.binpb` for binary form), or a schema artifact.
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,
}

pub(crate) fn run(arguments: &CheckArguments, session: &Session) -> Result<Answer> {
    let file = schema::read(&arguments.schema)?;
    for field in file.unknown_fields() {
        session.printer.note(&format!("{field} is not known to this version; it is kept"));
    }
    session.printer.result(file.schema(), || write_schema(&file));
    Ok(Answer::new(Exit::Done))
}
