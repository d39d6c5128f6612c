//! `sluice schema import`: schemas of other tools as ours.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sluice_core::artifact::write_whole;
use sluice_core::schema::Schema;
use sluice_core::{Diagnostic, Result};
use sluice_pipeline::schema_import::{Imported, Outcome, Remark, SchemaOrigin, import};
use sluice_quality::schema::{SchemaFile, write_schema, write_schema_file};
use sluice_report::Table;

use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Take over a schema of pandera, Great Expectations, JSON Schema or Arrow.
///
/// Types, presence, bounds, lists of texts and numbers of values are taken over where TFDV's schema says the same; what
/// it cannot say, or only nearly, is listed with what to do instead.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// A pandera schema (`to_yaml`, `to_json`), a suite of Great Expectations (JSON), JSON Schema (pydantic's
    /// `model_json_schema` too), or a Parquet or Arrow file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Whose it is, where the content does not tell: pandera, great-expectations, json-schema or arrow.
    #[arg(long, value_name = "TOOL", value_parser = origin)]
    from: Option<SchemaOrigin>,
    /// End with exit code 1 where anything is left out or only nearly the same.
    #[arg(long)]
    complete: bool,
    /// The file of the schema, in TFDV's text format (binary where it is named `.pb` or `.binpb`); printed without.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn origin(text: &str) -> Result<SchemaOrigin, String> {
    text.parse().map_err(|error: sluice_core::options::OptionsError| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

#[derive(Serialize)]
struct Shown<'a> {
    origin: SchemaOrigin,
    schema: &'a Schema,
    remarks: &'a [Remark],
    text: String,
}

pub(crate) fn run(arguments: &ImportArguments, session: &Session) -> Result<Answer> {
    let Imported { origin, schema, remarks } = import(&arguments.file, arguments.from)?;
    let file = SchemaFile::from(schema.clone());
    if let Some(out) = &arguments.out {
        write_whole(out, &write_schema_file(&file, &out.display().to_string()))?;
    }
    let shown = Shown { origin, schema: &schema, remarks: &remarks, text: write_schema(&file) };
    session.printer.result(&shown, || {
        let columns = schema.features.len();
        let schema = if arguments.out.is_some() {
            format!("{columns} columns of {}\n", origin.word())
        } else {
            shown.text.clone()
        };
        format!("{schema}{}", table(&remarks))
    });
    let is_rejected = arguments.complete && !remarks.is_empty();
    Ok(Answer::new(if is_rejected { Exit::Rejected } else { Exit::Done }))
}

/// What is not taken over; as comments, so that the schema before it stays one.
fn table(remarks: &[Remark]) -> String {
    if remarks.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["# column", "rule", "", "why"]);
    for Remark { column, rule, outcome, why } in remarks {
        let column = column.as_deref().unwrap_or("(data set)");
        let outcome = match outcome {
            Outcome::LeftOut => "left out",
            Outcome::Approximated => "nearly",
        };
        table.push([format!("# {column}"), rule.clone(), outcome.to_owned(), why.clone()]);
    }
    table.to_text()
}
