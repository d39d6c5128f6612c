//! `sluice transform plan`: the scans that fitting will take.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_pipeline::step::transform::{TransformPlan, plan_of_dataset, plan_of_file};
use sluice_report::Table;

use crate::answer::Answer;
use crate::data::open_dataset;
use crate::failure::ArgumentError;
use crate::pipeline_argument::PipelineArgument;
use crate::session::{Exit, Session};
use crate::staging::Fetching;

use super::fit::operations;

/// Show the scans that fitting will take, without reading the rows.
///
/// An operation can be fitted once the values that it reads can be computed; all that can be fitted side by side share a
/// scan. From a pipeline file the columns are those of the header of its data.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// A data set made by `ingest`; without, the header of the pipeline's data is looked at.
    #[arg(value_name = "DATASET", required_unless_present = "pipeline")]
    dataset: Option<PathBuf>,
    /// Take the operations and roles of this pipeline file: its path, or its text.
    #[arg(
        long,
        value_name = "PIPELINE",
        conflicts_with = "operation",
        required_unless_present = "operation"
    )]
    pipeline: Option<PipelineArgument>,
    /// An operation, as in the section `transform:` of a pipeline file; may be given several times.
    #[arg(long, value_name = "YAML", requires = "dataset")]
    operation: Vec<String>,
}

pub(super) fn run(arguments: &PlanArguments, session: &Session) -> Result<Answer> {
    let fetching = if arguments.dataset.is_none() { Fetching::Schema } else { Fetching::Nothing };
    let file = arguments.pipeline.as_ref().map(|pipeline| pipeline.read_with(fetching)).transpose()?;
    let plan = match (&arguments.dataset, &file) {
        (None, Some(file)) => plan_of_file(file)?,
        (Some(folder), file) => {
            let given = operations(&arguments.operation)?;
            let (spec, roles) = match file {
                Some(file) => (&file.spec.transform, file.spec.data.roles.clone()),
                None => (&given, sluice_core::role::Roles::default()),
            };
            plan_of_dataset(spec, &open_dataset(folder, session)?, &roles, &session.execution)?
        }
        // The parser demands one of them.
        (None, None) => {
            let hint = "name a data set, or a pipeline file with `--pipeline`";
            return Err(ArgumentError::new("there are no columns to plan with", hint).into());
        }
    };
    session.printer.result(&plan, || text(&plan));
    Ok(Answer::new(Exit::Done))
}

fn text(plan: &TransformPlan) -> String {
    let mut text = match plan.scans.len() {
        0 => "no scan: nothing has to be learned\n".to_owned(),
        1 => "1 scan of the training rows\n".to_owned(),
        count => format!("{count} scans of the training rows\n"),
    };
    for scan in &plan.scans {
        text.push_str(&format!("\nscan {}\n", scan.number));
        let mut table = Table::new(&["learns", "reads", "writes", ""]);
        for learning in &scan.learns {
            let mut remarks = Vec::new();
            remarks.extend(learning.with_impute.then_some("with the impute before it"));
            remarks.extend(learning.is_iterated.then_some("may go on in later scans"));
            table.push(vec![
                learning.operation.clone(),
                learning.reads.join(", "),
                learning.writes.join(", "),
                remarks.join(", "),
            ]);
        }
        text.push_str(&table.to_text());
        let names = |counted: bool| -> Vec<&str> {
            let of = scan.columns.iter().filter(|column| column.counted == counted);
            of.map(|column| column.name.as_str()).collect()
        };
        for (columns, how) in [
            (names(true), "by distinct value where the files have dictionaries"),
            (names(false), "row by row"),
        ] {
            if !columns.is_empty() {
                text.push_str(&format!("reads {} {how}\n", columns.join(", ")));
            }
        }
    }
    let mut table = Table::new(&["feature", "holds", "made from"]);
    for feature in &plan.features {
        table.push(vec![feature.name.clone(), feature.kind.clone(), feature.sources.join(", ")]);
    }
    text.push('\n');
    text.push_str(&table.to_text());
    text
}
