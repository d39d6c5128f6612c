//! `sluice transform suggest`: a transform proposed from statistics, to be edited.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::artifact::write_whole;
use sluice_core::role::Roles;
use sluice_pipeline::step::schema;
use sluice_pipeline::step::statistics::StatisticsRecord;
use sluice_transform::suggest::suggest;

use crate::answer::Answer;
use crate::pipeline_argument::PipelineArgument;
use crate::schema::subset;
use crate::session::{Exit, Session};

/// Propose a transform from statistics: types, missing values, cardinality, skew.
///
/// The answer is the section `transform:` of a pipeline file with the reason for every column, those that are left out
/// among them: constants, keys, columns with a role. With `sluice statistics --label` columns that tell nearly all of
/// the label are left out too. Read it, then edit it.
#[derive(Debug, Args)]
pub(crate) struct SuggestArguments {
    /// A statistics artifact, or what TFDV or TFX wrote.
    #[arg(value_name = "STATISTICS")]
    statistics: PathBuf,
    /// The subset to look at; `train` where there is one, else the only one.
    #[arg(long)]
    subset: Option<String>,
    /// A schema, as a file in TFDV's text format or an artifact: integers that it calls categorical become levels.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Take the roles of columns from this pipeline file: its path, or its text.
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["label", "key", "ignored"])]
    pipeline: Option<PipelineArgument>,
    /// The label, which must not become a feature.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// A column that identifies a row; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    /// A column to leave out; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    ignored: Vec<String>,
    /// Write the section to this file instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &SuggestArguments, session: &Session) -> Result<Answer> {
    let (record, _) = StatisticsRecord::open(&arguments.statistics)?;
    let statistics = subset(&record, arguments.subset.as_deref())?;
    let schema = arguments.schema.as_deref().map(schema::read).transpose()?;
    let roles = match &arguments.pipeline {
        Some(pipeline) => pipeline.read()?.spec.data.roles.clone(),
        None => Roles {
            label: arguments.label.clone(),
            key: arguments.key.clone(),
            ignored: arguments.ignored.clone(),
            ..Roles::default()
        },
    };
    let suggestions = suggest(statistics, schema.as_ref().map(|schema| schema.schema()), &roles);
    let yaml = suggestions.to_yaml();
    if let Some(out) = &arguments.out {
        write_whole(out, yaml.as_bytes())?;
    }
    session.printer.result(&suggestions, || match &arguments.out {
        Some(out) => format!("transform in {}", out.display()),
        None => yaml,
    });
    Ok(Answer::new(Exit::Done))
}
