//! Predictions that stand in the data, named on the command line.

use std::path::Path;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::foreign::ForeignOptions;
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step::contender::Contender;

use crate::failure::ArgumentError;

/// Columns of predictions, and what they predict.
#[derive(Debug, Args)]
pub(crate) struct PredictionArguments {
    /// Judge the predictions in this column instead of a model's; given once for each class of more than two.
    #[arg(long, value_name = "COLUMN", requires = "label", conflicts_with = "model")]
    prediction: Vec<String>,
    /// Compare with the predictions in this column; given once for each class of more than two.
    #[arg(long, value_name = "COLUMN", requires = "label", conflicts_with = "baseline")]
    baseline_prediction: Vec<String>,
    /// The column with what was predicted.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The values of a label of classes, as a YAML list in the order of the predictions; of two, the probability is
    /// that of the second. Unless given, predictions are of numbers.
    #[arg(long, value_name = "LIST", requires = "label")]
    classes: Option<String>,
}

impl PredictionArguments {
    pub(super) fn candidate(&self) -> Result<Option<Contender>> {
        self.contender(&self.prediction)
    }

    pub(super) fn baseline(&self) -> Result<Option<Contender>> {
        self.contender(&self.baseline_prediction)
    }

    /// That nothing is said of predictions where there are none.
    pub(super) fn check(&self) -> Result<()> {
        let is_idle = self.prediction.is_empty() && self.baseline_prediction.is_empty();
        if is_idle && self.label.is_some() {
            let hint = "leave `--label` and `--classes` out: a package and a description name their label themselves";
            return Err(ArgumentError::new(
                "`--label` is of `--prediction` or `--baseline-prediction`",
                hint,
            )
            .into());
        }
        Ok(())
    }

    fn contender(&self, columns: &[String]) -> Result<Option<Contender>> {
        let (Some(label), false) = (&self.label, columns.is_empty()) else { return Ok(None) };
        let classes = match &self.classes {
            Some(text) => from_yaml(text, "--classes")?,
            None => Vec::new(),
        };
        let options = ForeignOptions {
            label: label.clone(),
            classes,
            predictions: columns.to_vec(),
            ..ForeignOptions::default()
        };
        Contender::described(&options, Path::new(".")).map(Some)
    }
}
