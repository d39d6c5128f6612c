//! `sluice validate`: statistics against a schema.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::artifact::hex_digest;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::schema;
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_pipeline::step::validate::ValidationRecord;
use sluice_quality::schema::write_schema;
use sluice_quality::validation::{NewColumns, ValidateOptions};

use crate::answer::Answer;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::session::Session;
use crate::{tables, verdict};

pub(crate) const CONTRACT: Contract = Contract {
    command: "validate",
    inputs: &[
        Input {
            name: "statistics",
            kind: ArtifactType::Artifact,
            argument: "statistics",
            or_parameter: false,
        },
        Input { name: "schema", kind: ArtifactType::Artifact, argument: "schema", or_parameter: false },
    ],
    outputs: &[Output {
        name: "validation",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "Every finding, and TFDV's anomalies",
    }],
    results: &[
        verdict::BLESSED,
        verdict::BLESSING,
        verdict::OUTCOME,
        verdict::REASONS,
        Outcome { name: "errors", kind: ParameterType::Integer, help: "Findings that stop the data" },
        Outcome { name: "warnings", kind: ParameterType::Integer, help: "Findings that do not" },
    ],
    demands: &[],
    omits: &[],
    on_error: Some(|error| verdict::of_error(error).parameter("errors", 0).parameter("warnings", 0)),
};

const EXAMPLES: &str = "\
Examples:
  sluice statistics dataset --out statistics
  sluice validate statistics --schema schema.pbtxt --out validation";

/// Check statistics against a schema.
///
/// Types, presence, domains and ranges of every column, and the number of rows; each finding says what was
/// expected, what was observed, and what to change if the data are right. Exit code 1 when the data break it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ValidateArguments {
    /// A statistics artifact.
    #[arg(value_name = "STATISTICS")]
    statistics: PathBuf,
    /// The schema: a file in TFDV's text format, or a schema artifact.
    #[arg(long)]
    schema: PathBuf,
    /// What to do about columns that the schema does not know: `warning`, `error` or `ignore`.
    #[arg(long, default_value = "warning", value_parser = new_columns)]
    new_columns: NewColumns,
    /// The folder of the artifact; without, the findings are only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

fn new_columns(text: &str) -> Result<NewColumns, String> {
    serde_json::from_value(text.into()).map_err(|_| "choose `warning`, `error` or `ignore`".into())
}

pub(crate) fn run(arguments: &ValidateArguments, session: &Session) -> Result<Answer> {
    let (statistics, artifact) = StatisticsRecord::open(&arguments.statistics)?;
    let (file, schema_digest, inferred_from) = if arguments.schema.is_dir() {
        let (file, schema) = schema::open(&arguments.schema)?;
        let origin = schema.manifest().made_from.get("inferred-from").cloned();
        (file, schema.digest().to_owned(), origin)
    } else {
        let file = schema::read(&arguments.schema)?;
        let digest = hex_digest(write_schema(&file).as_bytes());
        (file, digest, None)
    };
    // A schema inferred from these very statistics has no authority over them: see `ValidationRecord::new`.
    let inferred = inferred_from.as_deref() == Some(artifact.digest());
    for rule in file.unchecked_rules() {
        session.printer.note(&format!("the schema's {rule} is not checked by this version"));
    }
    let options = ValidateOptions { new_columns: arguments.new_columns };
    let validation = ValidationRecord::new(&statistics, &file, inferred, &options);
    if let Some(out) = &arguments.out {
        let made_of = [("statistics", artifact.digest()), ("schema", schema_digest.as_str())];
        validation.publish(&file, made_of, out)?;
    }
    session.printer.result(&validation, || tables::validation(&validation, session.printer));
    let (errors, warnings) = validation.counts();
    let answer =
        verdict::of_validation(&validation).parameter("errors", errors).parameter("warnings", warnings);
    Ok(answer)
}
