//! `sluice schema update`: findings that are accepted become rules.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sluice_core::artifact::write_whole;
use sluice_core::options::quoted;
use sluice_core::statistics::DatasetStatistics;
use sluice_core::{Diagnostic, Result};
use sluice_pipeline::step::schema;
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_pipeline::step::validate::ValidationRecord;
use sluice_quality::schema::{
    InferOptions, Known, SchemaChange, SchemaFile, apply_fix, diff_schemas, update_schema, write_schema,
    write_schema_file,
};
use sluice_quality::validation::Finding;

use crate::answer::Answer;
use crate::failure::ArgumentError;
use crate::session::{Exit, Session};

/// Everything that can be settled.
const ALL: &str = "all";

/// Change a schema so that what was found in the data is no finding any more.
///
/// With `--findings`, each accepted finding is settled by the change that it calls for: a lower share of values, a
/// further value, a wider range, a new column, a column no longer demanded. With `--statistics` alone and `--accept
/// all`, everything that these data break, as TFDV's `update_schema` does it. What the file says beyond that stays as
/// it is; comments do not.
#[derive(Debug, Args)]
pub(crate) struct UpdateArguments {
    /// The schema: a file or a schema artifact.
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,
    /// A validation artifact with the findings.
    #[arg(long, value_name = "VALIDATION")]
    findings: Option<PathBuf>,
    /// The statistics in which they were found, an artifact or files of TFDV: new rules are computed from them.
    #[arg(long, value_name = "STATISTICS", required_unless_present = "findings")]
    statistics: Option<PathBuf>,
    /// Findings to settle, by code and column (`new-column`, `unexpected-value:payment_type`); `all` for every one.
    #[arg(long, value_name = "CODE[:COLUMN]", required = true)]
    accept: Vec<String>,
    /// The subset to look at; every one of the findings, of statistics alone `train` or the only one.
    #[arg(long)]
    subset: Option<String>,
    /// List the values of new text columns with at most so many different ones.
    #[arg(long, value_name = "N", default_value_t = 100)]
    max_domain_values: usize,
    /// The file to write, in binary form where it is named `.pb` or `.binpb`; without, the schema is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Updated<'a> {
    changes: &'a [SchemaChange],
    schema: String,
}

pub(crate) fn run(arguments: &UpdateArguments, session: &Session) -> Result<Answer> {
    let before = schema::read(&arguments.schema)?;
    let options =
        InferOptions { max_string_domain_size: arguments.max_domain_values, ..InferOptions::default() };
    let statistics = match &arguments.statistics {
        Some(folder) => Some(StatisticsRecord::open(folder)?.0),
        None => None,
    };
    let mut file = before.clone();
    match (&arguments.findings, &statistics) {
        (Some(folder), statistics) => {
            let record = ValidationRecord::open(folder)?;
            settle(arguments, &record, statistics.as_ref(), &options, (&mut file, session))?;
        }
        (None, Some(statistics)) if arguments.accept == [ALL] => {
            update_schema(&mut file, super::subset(statistics, arguments.subset.as_deref())?, &options);
        }
        _ => {
            let hint = "give the findings, `--findings VALIDATION`, or accept all that the data call for: `--accept all`";
            return Err(ArgumentError::new("single findings are accepted of a validation only", hint).into());
        }
    }
    let changes = diff_schemas(&before, &file);
    if let Some(out) = &arguments.out {
        write_whole(out, &write_schema_file(&file, &out.display().to_string()))?;
    }
    let updated = Updated { changes: &changes, schema: write_schema(&file) };
    session.printer.result(&updated, || match arguments.out {
        Some(_) => super::diff::table(&changes),
        None => updated.schema.clone(),
    });
    Ok(Answer::new(Exit::Done))
}

/// The stable word for what was found.
fn code(finding: &Finding) -> String {
    serde_json::to_value(finding.code)
        .ok()
        .and_then(|code| code.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// Whether `CODE[:COLUMN]` names the finding; the code is ours or TFDV's.
fn accepts(accepted: &str, finding: &Finding) -> bool {
    let is_code = |word: &str| word == code(finding) || word == finding.tfdv.name;
    match accepted.split_once(':') {
        None => accepted == ALL || is_code(accepted),
        Some((word, column)) => is_code(word) && finding.column.as_deref() == Some(column),
    }
}

/// Applies the fixes of all accepted findings. What `all` cannot settle is noted; what was named must be settled.
fn settle(
    arguments: &UpdateArguments,
    record: &ValidationRecord,
    statistics: Option<&StatisticsRecord>,
    options: &InferOptions,
    (file, session): (&mut SchemaFile, &Session),
) -> Result<()> {
    let wanted = |name: &str| arguments.subset.as_deref().is_none_or(|subset| subset == name);
    let reports: Vec<_> = record.subsets.iter().filter(|report| wanted(&report.subset)).collect();
    if reports.is_empty() {
        let names = quoted(record.subsets.iter().map(|report| report.subset.as_str()));
        let subset = arguments.subset.as_deref().unwrap_or_default();
        let message = format!("the validation has no subset `{subset}`");
        return Err(ArgumentError::new(message, format!("choose one of {names} with `--subset`")).into());
    }
    check_accepted(&arguments.accept, reports.iter().flat_map(|report| &report.findings))?;
    for report in reports {
        let statistics: Option<&DatasetStatistics> = match statistics {
            Some(record) => Some(super::subset(record, Some(&report.subset))?),
            None => None,
        };
        for finding in &report.findings {
            let by: Vec<&String> = arguments.accept.iter().filter(|word| accepts(word, finding)).collect();
            if by.is_empty() {
                continue;
            }
            match apply_fix(file, finding, Known { statistics, options }) {
                Err(error) if by.iter().all(|word| *word == ALL) => {
                    let hint = error.hint().unwrap_or_default();
                    session.printer.note(&format!("not settled: {}: {error}; {hint}", finding.message));
                }
                applied => applied?,
            }
        }
    }
    Ok(())
}

/// Every word names a finding; a word that names none is most likely a slip.
fn check_accepted<'a>(accepted: &[String], findings: impl Iterator<Item = &'a Finding>) -> Result<()> {
    let findings: Vec<&Finding> = findings.collect();
    let is_idle = |word: &&String| *word != ALL && !findings.iter().any(|finding| accepts(word, finding));
    let Some(idle) = accepted.iter().find(is_idle) else { return Ok(()) };
    let mut available: Vec<String> = findings
        .iter()
        .map(|finding| match &finding.column {
            Some(column) => format!("{}:{column}", code(finding)),
            None => code(finding),
        })
        .collect();
    available.sort_unstable();
    available.dedup();
    let hint = if available.is_empty() {
        "the validation has no findings".to_owned()
    } else {
        format!("there is {}", quoted(available.iter().map(String::as_str)))
    };
    Err(ArgumentError::new(format!("`--accept {idle}` names no finding"), hint).into())
}
