//! `sluice schema diff`: what changed between two schemas.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::step::schema;
use sluice_quality::schema::{SchemaChange, diff_schemas};
use sluice_report::Table;

use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Show what changed between two schemas: columns, rules that are tighter or looser, values, environments.
///
/// Meaning is compared, not text: order and layout make no difference.
#[derive(Debug, Args)]
pub(crate) struct DiffArguments {
    /// The old schema: a file or a schema artifact.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// The new schema: a file or a schema artifact.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Exit with code 1 when anything changed.
    #[arg(long)]
    fail_on_change: bool,
}

pub(crate) fn run(arguments: &DiffArguments, session: &Session) -> Result<Answer> {
    let (old, new) = (schema::read(&arguments.old)?, schema::read(&arguments.new)?);
    let changes = diff_schemas(&old, &new);
    session.printer.result(&changes, || table(&changes));
    let is_rejected = arguments.fail_on_change && !changes.is_empty();
    Ok(Answer::new(if is_rejected { Exit::Rejected } else { Exit::Done }))
}

/// One line per change.
pub(super) fn table(changes: &[SchemaChange]) -> String {
    if changes.is_empty() {
        return "no change\n".into();
    }
    let mut table = Table::new(&["change", "column", "rule", "old", "new"]);
    for change in changes {
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        table.push([
            change.kind.name().to_owned(),
            word(&change.column),
            change.rule.clone(),
            word(&change.old),
            word(&change.new),
        ]);
    }
    table.to_text()
}
