//! `sluice find-weak-slices`: where a model is worse than elsewhere.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_evaluation::measure::Missing;
use sluice_evaluation::slice::weak::WeakSliceOptions;
use sluice_pipeline::step::contender::Contender;
use sluice_pipeline::step::weak_slices;

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, SourceArguments, parse_missing};
use crate::data::Data;
use crate::session::{Exit, Session};
use crate::tables;

const EXAMPLES: &str = "\
Examples:
  sluice find-weak-slices dataset --model model
  sluice find-weak-slices dataset --model model --columns payment_type,company,fare --loss mae --out weak
  sluice find-weak-slices 'new/*.parquet' --model model --minimum-rows 1000 --level 0.01 --json";

/// Find the slices of data on which a model is worse than on the other rows.
///
/// A slice is a value or a bucket of up to three columns. It is reported where its mean loss is above that of the rows
/// outside, and above that of the rest of every slice with one condition fewer, by more than chance: Welch's test, with
/// the false discovery rate over all slices that were tested controlled by Benjamini and Hochberg's method. The result is
/// to be looked at; it is no verdict, and the exit code is 0.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct FindWeakSlicesArguments {
    /// A data set made by `ingest`, or files with the label.
    #[arg(value_name = "INPUT")]
    input: String,
    /// The model: a package; or the description of another model, as a YAML file or in braces.
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// The folder of the artifact, with `weak_slices.json`; without, the slices are only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// The subset of a data set; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    /// Columns of which conditions are made, with commas between; unless given, all of numbers, texts, dates, true and
    /// false but label and weight.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// The column with the weight of the rows.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// What is done with rows in which the label, the weight or the prediction is missing: `refuse` (an error that names
    /// the row; unless given) or `exclude` (left out).
    #[arg(long, value_name = "POLICY", value_parser = parse_missing)]
    missing: Option<Missing>,
    /// A metric that is a mean over rows; `mse` unless given, the log loss for classes.
    #[arg(long, value_name = "METRIC")]
    loss: Option<String>,
    /// Conditions of a slice, at most: 1 to 3.
    #[arg(long, value_name = "N", default_value_t = WeakSliceOptions::default().conditions)]
    conditions: u32,
    /// Buckets of about as many rows that a number of many values is cut into.
    #[arg(long, value_name = "N", default_value_t = WeakSliceOptions::default().buckets)]
    buckets: u32,
    /// Values of a column, the most frequent; the others are one.
    #[arg(long, value_name = "N", default_value_t = WeakSliceOptions::default().values)]
    values: u32,
    /// Rows of a slice, at least; unless given, 1 % of all and at least 100.
    #[arg(long, value_name = "N")]
    minimum_rows: Option<u64>,
    /// The share of false ones among the slices that are reported.
    #[arg(long, value_name = "RATE", default_value_t = WeakSliceOptions::default().level)]
    level: f64,
    /// Slices of two conditions that a third is added to: those that stand out most.
    #[arg(long, value_name = "N", default_value_t = WeakSliceOptions::default().beam)]
    beam: u32,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

impl FindWeakSlicesArguments {
    fn options(&self) -> WeakSliceOptions {
        WeakSliceOptions {
            columns: self.columns.clone(),
            except: Vec::new(),
            missing: self.missing.unwrap_or_default(),
            loss: self.loss.clone(),
            conditions: self.conditions,
            buckets: self.buckets,
            values: self.values,
            minimum_rows: self.minimum_rows,
            level: self.level,
            beam: self.beam,
        }
    }
}

pub(crate) fn run(arguments: &FindWeakSlicesArguments, session: &Session) -> Result<Answer> {
    let mut options = arguments.options();
    options.check()?;
    let model = Contender::open(&arguments.model)?;
    options.except.extend_from_slice(model.predictions());
    let data = Data::open(&arguments.input, &arguments.source, session)?;
    let (source, digest) = data.rows(arguments.subset.as_deref(), session)?;
    let weight = arguments.weight.as_deref();
    let ready = model.ready(&source, options.missing, &session.execution)?;
    let found = weak_slices::find(&ready, &source, weight, &options, &session.execution)?;
    if let Some(out) = &arguments.out {
        weak_slices::publish(&found, &digest, &model, out)?;
    }
    session.printer.result(&found, || {
        let mut text = tables::weak_slices(&found);
        if let Some(out) = &arguments.out {
            text.push_str(&format!("weak slices in {}", out.display()));
        }
        text.trim_end().to_owned()
    });
    Ok(Answer::new(Exit::Done))
}
