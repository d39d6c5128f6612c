//! `sluice validate`: statistics against a schema.

mod rows;

use std::path::{Path, PathBuf};

use clap::Args;
use sluice_core::artifact::hex_digest;
use sluice_core::error::CommonError;
use sluice_core::options::OptionsError;
use sluice_core::schema::Schema;
use sluice_core::{Diagnostic, Result};
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_pipeline::step::schema;
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_pipeline::step::tfx::write_split_anomalies;
use sluice_pipeline::step::validate::{Others, ValidationRecord};
use sluice_quality::schema::{SchemaFile, write_schema};
use sluice_quality::validation::{FindingCode, NewColumns, SeverityOverride, ValidateOptions};

use crate::answer::Answer;
use crate::arguments::MemoryArgument;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::failure::ArgumentError;
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
        Input { name: "previous", kind: ArtifactType::Artifact, argument: "previous", or_parameter: false },
        Input {
            name: "previous_version",
            kind: ArtifactType::Artifact,
            argument: "previous_version",
            or_parameter: false,
        },
        Input { name: "serving", kind: ArtifactType::Artifact, argument: "serving", or_parameter: false },
        Input { name: "data", kind: ArtifactType::Dataset, argument: "data", or_parameter: false },
        Input { name: "rules", kind: ArtifactType::Artifact, argument: "rules", or_parameter: false },
    ],
    outputs: &[Output {
        name: "validation",
        kind: ArtifactType::Artifact,
        argument: Some("out"),
        help: "Every finding, TFDV's anomalies, JUnit's XML, and a page",
    }],
    results: &[
        verdict::BLESSED,
        verdict::BLESSING,
        verdict::OUTCOME,
        verdict::REASONS,
        Outcome { name: "errors", kind: ParameterType::Integer, help: "Findings that stop the data" },
        Outcome { name: "warnings", kind: ParameterType::Integer, help: "Findings that do not" },
    ],
    // Those that an earlier step failed to make must not be computed in silence.
    demands: &["statistics"],
    omits: &["junit", "keep_statistics", "tfx_anomalies"],
    on_error: Some(|error| verdict::of_error(error).parameter("errors", 0).parameter("warnings", 0)),
};

const EXAMPLES: &str = "\
Examples:
  sluice statistics dataset --out statistics
  sluice validate statistics --schema schema.pbtxt --out validation
  sluice validate statistics --schema schema.pbtxt --environment SERVING --previous yesterday/statistics
  sluice validate statistics --schema schema.pbtxt --data dataset --rule 'fare <= trip_total' --unique trip_id
  sluice validate --data 'trips/*.parquet' --schema schema.pbtxt --rules rules.yaml --junit junit.xml
  sluice validate stats.tfrecord --schema schema.pbtxt --severity unexpected-value=warning --junit junit.xml";

/// Check statistics against a schema, and rows against rules.
///
/// Types, presence, lengths of lists, domains and ranges of every column, the number of rows, and the distance from
/// earlier data; each finding says what was expected, what was observed, and what to change if the data are right.
/// With `--data` also rules over rows and repeated keys, and the rows behind each finding; without STATISTICS these come
/// from the same reading of the rows.
/// Exit code 1 when the data break it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ValidateArguments {
    /// A statistics artifact, or what TFDV or TFX wrote: a file (binary, TFRecord or text), shards of it, or a folder
    /// `Split-NAME` or of such.
    /// Without, they are computed from the rows of `--data`.
    #[arg(value_name = "STATISTICS")]
    statistics: Option<PathBuf>,
    /// The schema: a file in TFDV's text format, or a schema artifact.
    #[arg(long)]
    schema: PathBuf,
    /// What to do about columns that the schema does not know: `warning`, `error` or `ignore`.
    #[arg(long, default_value = "warning", value_parser = new_columns)]
    new_columns: NewColumns,
    /// The environment of the data, one of the schema's default environments.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Statistics of the span before (of TFDV too), for the schema's drift comparators.
    #[arg(long, value_name = "STATISTICS")]
    previous: Option<PathBuf>,
    /// Statistics of the version before of the same span (of TFDV too), for the schema's version comparator.
    #[arg(long, value_name = "STATISTICS")]
    previous_version: Option<PathBuf>,
    /// Statistics of data at serving (of TFDV too), for the schema's skew comparators.
    #[arg(long, value_name = "STATISTICS")]
    serving: Option<PathBuf>,
    /// How much findings of a code weigh: `warning`, `error` or `ignore`; may be given several times.
    #[arg(long, value_name = "CODE=SEVERITY", value_parser = severity)]
    severity: Vec<(FindingCode, SeverityOverride)>,
    /// Judge each slice of the statistics too.
    #[arg(long, requires = "statistics")]
    slices: bool,
    /// A file for the results in the XML of `JUnit`; the artifact has one too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The folder of the artifact; without, the findings are only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Also write the findings as `ExampleValidator` of TFX does, `Split-NAME/SchemaDiff.pb` for each subset, to this folder.
    #[arg(long, value_name = "FOLDER")]
    tfx_anomalies: Option<PathBuf>,
    /// Also keep the statistics that are computed from `--data` in this folder, as an artifact: what the next data are
    /// compared with.
    #[arg(long, value_name = "FOLDER", conflicts_with = "statistics", requires = "data")]
    keep_statistics: Option<PathBuf>,
    #[command(flatten)]
    rows: rows::RowArguments,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
}

fn new_columns(text: &str) -> Result<NewColumns, String> {
    serde_json::from_value(text.into()).map_err(|_| "choose `warning`, `error` or `ignore`".into())
}

fn severity(text: &str) -> Result<(FindingCode, SeverityOverride), String> {
    let (code, severity) =
        text.split_once('=').ok_or("write a code, `=` and `warning`, `error` or `ignore`")?;
    let code = code.parse().map_err(|error: OptionsError| {
        let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
        format!("there is no finding `{code}`{hint}")
    })?;
    let severity = serde_json::from_value(severity.into())
        .map_err(|_| format!("`{severity}` is not `warning`, `error` or `ignore`"))?;
    Ok((code, severity))
}

impl ValidateArguments {
    fn options(&self) -> ValidateOptions {
        ValidateOptions {
            new_columns: self.new_columns,
            environment: self.environment.clone(),
            severity: self.severity.iter().copied().collect(),
            slices: self.slices,
        }
    }

    /// The statistics of the data, and their digest where they are kept.
    fn computed(
        &self,
        rows: Option<&mut rows::RowData>,
        schema: &SchemaFile,
        session: &Session,
    ) -> Result<(StatisticsRecord, Option<String>)> {
        let Some(rows) = rows else {
            let message = "there are neither statistics nor data to validate";
            return Err(ArgumentError::new(message, "name STATISTICS, or add `--data INPUT`").into());
        };
        let statistics = rows.statistics(schema, session)?;
        let kept = self.keep_statistics.as_ref().map(|folder| statistics.publish(&rows.digest, folder));
        Ok((statistics, kept.transpose()?.map(|artifact| artifact.digest().to_owned())))
    }
}

/// Statistics to compare with, and their digest.
fn other(path: Option<&PathBuf>) -> Result<Option<(StatisticsRecord, String)>> {
    let open = |path: &PathBuf| {
        let (record, origin) = StatisticsRecord::open(path)?;
        Ok((record, origin.digest().to_owned()))
    };
    path.map(open).transpose()
}

/// Says which comparators of the schema have nothing to compare with.
fn note_what_is_not_compared(schema: &Schema, others: &Others<'_>, session: &Session) {
    let drift = schema.rows_drift.is_some() || schema.features.iter().any(|feature| feature.drift.is_some());
    let skew = schema.features.iter().any(|feature| feature.skew.is_some());
    for (is_open, what, option) in [
        (drift && others.previous.is_none(), "drift", "--previous"),
        (skew && others.serving.is_none(), "skew", "--serving"),
        (schema.rows_version.is_some() && others.previous_version.is_none(), "version", "--previous-version"),
    ] {
        if is_open {
            let text =
                format!("the schema's {what} comparators are not checked without `{option} STATISTICS`");
            session.printer.note(&text);
        }
    }
}

/// The schema, its digest, and that of the statistics that it was inferred from, if they are known.
fn opened(path: &Path) -> Result<(SchemaFile, String, Option<String>)> {
    if path.is_dir() {
        let (file, schema) = schema::open(path)?;
        let origin = schema.manifest().made_from.get("inferred-from").cloned();
        return Ok((file, schema.digest().to_owned(), origin));
    }
    let file = schema::read(path)?;
    let digest = hex_digest(write_schema(&file).as_bytes());
    Ok((file, digest, None))
}

pub(crate) fn run(arguments: &ValidateArguments, session: &Session) -> Result<Answer> {
    let given = arguments.statistics.as_deref().map(StatisticsRecord::open).transpose()?;
    let (file, schema_digest, inferred_from) = opened(&arguments.schema)?;
    for rule in file.unchecked_rules() {
        session.printer.note(&format!("the schema's {rule} is not checked by this version"));
    }
    let previous = other(arguments.previous.as_ref())?;
    let previous_version = other(arguments.previous_version.as_ref())?;
    let serving = other(arguments.serving.as_ref())?;
    let others = Others {
        previous: previous.as_ref().map(|(record, _)| record),
        previous_version: previous_version.as_ref().map(|(record, _)| record),
        serving: serving.as_ref().map(|(record, _)| record),
    };
    note_what_is_not_compared(file.schema(), &others, session);
    let options = arguments.options();
    let mut rows = arguments.rows.open(session)?;
    let (statistics, digest) = match given {
        Some((statistics, origin)) => {
            rows.as_ref().map_or(Ok(()), |rows| rows.fit(&statistics, session))?;
            (statistics, Some(origin.digest().to_owned()))
        }
        None => arguments.computed(rows.as_mut(), &file, session)?,
    };
    // A schema inferred from these very statistics has no authority over them: see `ValidationRecord::new`.
    let inferred = inferred_from.is_some() && inferred_from == digest;
    let mut validation = ValidationRecord::new(&statistics, &file, inferred, &options, &others)?;
    let has_read = match &rows {
        Some(rows) => rows.look(&mut validation, &file, &options, session)?,
        None => false,
    };
    let junit = validation.junit(&file, &options, &others);
    if let Some(path) = &arguments.junit {
        fs_err::write(path, &junit).map_err(CommonError::on("write", path))?;
    }
    if let Some(folder) = &arguments.tfx_anomalies {
        write_split_anomalies(&validation, (&file, &schema_digest), folder)?;
    }
    if let Some(out) = &arguments.out {
        let mut made_of = vec![("schema", schema_digest.as_str())];
        made_of.extend(digest.as_deref().map(|digest| ("statistics", digest)));
        for (name, other) in
            [("previous", &previous), ("previous_version", &previous_version), ("serving", &serving)]
        {
            made_of.extend(other.iter().map(|(_, digest)| (name, digest.as_str())));
        }
        made_of.extend(
            rows.iter().filter(|_| has_read || digest.is_none()).map(|rows| ("data", rows.digest.as_str())),
        );
        validation.publish(&file, &junit, &made_of, out)?;
    }
    session.printer.result(&validation, || tables::validation(&validation, session.printer));
    let (errors, warnings) = validation.counts();
    let answer =
        verdict::of_validation(&validation).parameter("errors", errors).parameter("warnings", warnings);
    Ok(answer)
}
