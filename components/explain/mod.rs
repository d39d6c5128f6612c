//! `sluice explain`: what a model makes of which feature.

mod table;

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::ModelPackage;
use sluice_pipeline::step::explain::{ExplainOptions, explain};
use sluice_training::explain::{DependenceOptions, PermutationOptions, SampleOptions};

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, SourceArguments};
use crate::data::Data;
use crate::session::{Exit, Session};

const EXAMPLES: &str = "\
Examples:
  sluice explain model dataset
  sluice explain model dataset --permutation --partial-dependence fare,payment_type --out explanation
  sluice explain registry/tips/versions/0003 'new/*.parquet' --key trip_id --rows 1000000 --json";

/// Explain a model: what features add to its predictions, what columns tell it, how predictions move with a column.
///
/// Contributions are exact Shapley values against the training rows; they add up to the prediction less its expected
/// value (for a model with a link: before the link). `--permutation` takes the growth of the mean squared error when the
/// values of a source column are dealt to other rows, `--partial-dependence` the mean prediction with a column set to each
/// value of a grid. All of it over a sample of rows that follows from their keys, so that neither their order nor the
/// number of threads decides. For the contributions to every single row see `sluice predict --explain`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExplainArguments {
    /// A model package.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// A data set made by `ingest`, or a file, a glob or a folder of files, here or in a bucket.
    #[arg(value_name = "INPUT")]
    input: String,
    /// The folder of the artifact, with `explanation.json` and a page; without, the figures are only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The subset of a data set; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    /// Rows of the sample, at most.
    #[arg(long, value_name = "N", default_value_t = SampleOptions::DEFAULT_ROWS,
          value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    rows: u64,
    /// Another number, another sample and other permutations.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The columns that identify a row, with commas between; of a data set its key unless given, else all columns that
    /// the model reads, and the label.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    key: Vec<String>,
    /// Add the importance of each source column by permutation; the rows must have the label.
    #[arg(long)]
    permutation: bool,
    /// Permutations of each column; their spread gives the standard error.
    #[arg(long, value_name = "N", default_value_t = PermutationOptions::DEFAULT_REPEATS, requires = "permutation",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: u32,
    /// Add the partial dependence on these source columns, with commas between.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    partial_dependence: Vec<String>,
    /// Values of a grid of partial dependence, at most: all of a column that has no more, else quantiles or the most
    /// frequent.
    #[arg(long, value_name = "N", default_value_t = DependenceOptions::DEFAULT_GRID, requires = "partial_dependence",
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    grid: u32,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

pub(crate) fn run(arguments: &ExplainArguments, session: &Session) -> Result<Answer> {
    let model = ModelPackage::open(&arguments.model)?;
    let data = Data::open(&arguments.input, &arguments.source, session)?;
    let key = if arguments.key.is_empty() { data.key() } else { arguments.key.clone() };
    let (source, digest) = data.rows(arguments.subset.as_deref(), session)?;
    let options = ExplainOptions {
        rows: arguments.rows,
        seed: arguments.seed,
        key,
        repeats: arguments.permutation.then_some(arguments.repeats),
        dependence: arguments.partial_dependence.clone(),
        grid: arguments.grid,
    };
    let explanation = explain(&model, &source, &options, &session.execution)?;
    if let Some(out) = &arguments.out {
        explanation.publish(&digest, &model, out)?;
    }
    session.printer.result(&explanation, || {
        let mut text = table::explanation(&explanation);
        if let Some(out) = &arguments.out {
            text.push_str(&format!("\nexplanation in {}", out.display()));
        }
        text.trim_end().to_owned()
    });
    Ok(Answer::new(Exit::Done))
}
