//! `sluice ingest`: files to subsets.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_ingest::{IngestOptions, SubsetOptions};
use sluice_pipeline::step;

use crate::answer::Answer;
use crate::arguments::{OutArgument, SourceArguments};
use crate::executor::{Contract, Input, Outcome, Output};
use crate::failure::ArgumentError;
use crate::session::{Exit, Session};

pub(crate) const CONTRACT: Contract = Contract {
    command: "ingest",
    inputs: &[Input { name: "files", kind: ArtifactType::Artifact, argument: "input", or_parameter: true }],
    outputs: &[Output {
        name: "dataset",
        kind: ArtifactType::Dataset,
        argument: Some("out"),
        help: "The data set: Parquet per subset",
    }],
    results: &[Outcome { name: "rows", kind: ParameterType::Integer, help: "Rows read" }],
    demands: &[],
    omits: &[],
    on_error: None,
};

const EXAMPLES: &str = "\
Examples:
  sluice ingest trips.csv --subset-column subset --out dataset
  sluice ingest 'data/*.parquet' --share train=0.8 --share eval=0.2 --seed 7 --key trip_id --out dataset";

/// Read CSV, JSON lines, Parquet or Arrow and share the rows out into subsets, as Parquet.
///
/// A row belongs to the subset that a column names, or to the one that the hash of its key falls into: always
/// the same one, whatever the order of rows, the file or the machine. Without a key, all columns identify a row.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct IngestArguments {
    /// A file, a glob or a folder.
    #[arg(value_name = "INPUT")]
    input: String,
    #[command(flatten)]
    out: OutArgument,
    /// The column that names each row's subset.
    #[arg(long, value_name = "COLUMN", conflicts_with = "share", required_unless_present = "share")]
    subset_column: Option<String>,
    /// A subset and its share of the rows; the shares add up to 1.
    #[arg(long, value_name = "NAME=SHARE")]
    share: Vec<String>,
    /// With `--share`: another seed gives other subsets; 0 unless given.
    #[arg(long, value_name = "N", conflicts_with = "subset_column")]
    seed: Option<u64>,
    /// A column that identifies a row; may be given several times.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    #[command(flatten)]
    source: SourceArguments,
}

fn shares(pairs: &[String]) -> Result<BTreeMap<String, f64>> {
    let hint = "for example `--share train=0.8 --share eval=0.2`";
    let mut shares = BTreeMap::new();
    for pair in pairs {
        let parsed = pair.rsplit_once('=').and_then(|(name, share)| Some((name, share.parse::<f64>().ok()?)));
        let (name, share) = parsed.ok_or_else(|| {
            ArgumentError::new(format!("`--share {pair}` is not a name and a number"), hint)
        })?;
        if shares.insert(name.to_owned(), share).is_some() {
            return Err(ArgumentError::new(format!("`--share {name}` is given twice"), hint).into());
        }
    }
    Ok(shares)
}

pub(crate) fn run(arguments: &IngestArguments, session: &Session) -> Result<Answer> {
    let subsets = match &arguments.subset_column {
        Some(column) => SubsetOptions { by: column.clone(), seed: arguments.seed, shares: BTreeMap::new() },
        None => SubsetOptions { by: "hash".into(), seed: arguments.seed, shares: shares(&arguments.share)? },
    };
    let required = subsets.shares.keys().cloned().collect();
    let options = IngestOptions { subsets, key: arguments.key.clone(), required };
    let dataset = step::ingest::ingest(
        &arguments.input,
        Path::new("."),
        &arguments.source.options()?,
        &options,
        &arguments.out.out,
        &session.execution,
    )?;
    let record = dataset.record();
    session.printer.result(record, || {
        let mut text = format!("{} read\n", sluice_report::rows(record.rows_read));
        for (name, rows) in &record.subsets {
            text.push_str(&format!("  {name}: {}\n", sluice_report::rows(*rows)));
        }
        for note in &record.notes {
            text.push_str(&format!("  note: {note}\n"));
        }
        text.push_str(&format!("data set in {}\n", arguments.out.out.display()));
        text
    });
    let answer = Answer::new(Exit::Done).parameter("rows", record.rows_read);
    Ok(record
        .subsets
        .iter()
        .fold(answer, |answer, (name, rows)| answer.metadata("dataset", format!("rows_{name}"), *rows)))
}
