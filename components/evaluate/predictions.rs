//! Predictions that stand in the data, named on the command line.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::foreign::{ForeignOptions, TaskName};
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step::contender::Contender;

use crate::failure::ArgumentError;

/// `NAME=…` of an option, as in its example.
pub(super) fn named<'a>(option: &str, text: &'a str, example: &str) -> Result<(&'a str, &'a str)> {
    let parts = text.split_once('=').map(|(name, rest)| (name.trim(), rest.trim()));
    parts.filter(|(name, rest)| !name.is_empty() && !rest.is_empty()).ok_or_else(|| {
        let hint = format!("give the model a name, as in `{option} {example}`");
        ArgumentError::new(format!("`{option} {text}` cannot be read"), hint).into()
    })
}

/// Columns of predictions, and what they predict.
#[derive(Debug, Args)]
pub(crate) struct PredictionArguments {
    /// Judge the predictions in this column instead of a model's; given once for each class of more than two.
    #[arg(long, value_name = "COLUMN", requires = "truth", conflicts_with = "model")]
    prediction: Vec<String>,
    /// Compare with the predictions in this column; given once for each class of more than two.
    #[arg(long, value_name = "COLUMN", requires = "truth", conflicts_with = "baseline")]
    baseline_prediction: Vec<String>,
    /// Measure the predictions in this column too, as `NAME=COLUMN`, beside the model that is judged; given once for each
    /// class of more than two, with the same name.
    #[arg(long, value_name = "NAME=COLUMN", requires = "truth")]
    contender_prediction: Vec<String>,
    /// The column with what was predicted.
    #[arg(long, value_name = "COLUMN", group = "truth")]
    label: Option<String>,
    /// Of rows that may have several labels, the columns of 0 and 1 or of booleans that say which of them a row has, as a
    /// YAML list in the order of the predictions.
    #[arg(long, value_name = "LIST", group = "truth")]
    labels: Option<String>,
    /// The label is a list: a row may have several of the `--classes`, and predictions are a probability for each, in as
    /// many columns or in one of lists.
    #[arg(long, requires = "classes")]
    multi_label: bool,
    /// The values of a label of classes, as a YAML list in the order of the predictions; of two, the probability is
    /// that of the second. Unless given, predictions are of numbers.
    #[arg(long, value_name = "LIST", requires = "label")]
    classes: Option<String>,
}

impl PredictionArguments {
    pub(super) fn candidate(&self) -> Result<Option<Contender>> {
        self.contender(&self.prediction)
    }

    /// Models that stand in the data, by their names.
    pub(super) fn contenders(&self) -> Result<Vec<(String, Contender)>> {
        let mut columns: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for text in &self.contender_prediction {
            let (name, column) = named("--contender-prediction", text, "gbm=gbm_score")?;
            columns.entry(name).or_default().push(column.to_owned());
        }
        let mut contenders = Vec::new();
        for (name, columns) in columns {
            contenders.extend(self.contender(&columns)?.map(|contender| (name.to_owned(), contender)));
        }
        Ok(contenders)
    }

    pub(super) fn baseline(&self) -> Result<Option<Contender>> {
        self.contender(&self.baseline_prediction)
    }

    /// That nothing is said of predictions where there are none.
    pub(super) fn check(&self) -> Result<()> {
        let columns = [&self.prediction, &self.baseline_prediction, &self.contender_prediction];
        let is_idle = columns.iter().all(|columns| columns.is_empty());
        if is_idle && (self.label.is_some() || self.labels.is_some()) {
            let hint = "leave `--label`, `--labels` and `--classes` out: a package and a description name their label themselves";
            return Err(ArgumentError::new(
                "`--label` is of `--prediction`, `--baseline-prediction` or `--contender-prediction`",
                hint,
            )
            .into());
        }
        Ok(())
    }

    fn contender(&self, columns: &[String]) -> Result<Option<Contender>> {
        if (self.label.is_none() && self.labels.is_none()) || columns.is_empty() {
            return Ok(None);
        }
        let labels = match &self.labels {
            Some(text) => from_yaml(text, "--labels")?,
            None => Vec::new(),
        };
        let classes = match &self.classes {
            Some(text) => from_yaml(text, "--classes")?,
            None => Vec::new(),
        };
        let options = ForeignOptions {
            label: self.label.clone().unwrap_or_default(),
            labels,
            task: self.multi_label.then_some(TaskName::MultiLabel),
            classes,
            predictions: columns.to_vec(),
            ..ForeignOptions::default()
        };
        Contender::described(&options, Path::new(".")).map(Some)
    }
}
