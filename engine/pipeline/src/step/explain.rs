//! Explain: what a model makes of which feature, over a keyed sample of rows.

use std::path::Path;

use arrow::array::{Array, RecordBatch};
use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::batch::{Batch, RowIdentity};
use sluice_core::error::Result;
use sluice_core::execution::{Execution, Extent};
use sluice_core::fold::in_order;
use sluice_core::options::OptionsError;
use sluice_core::seam::{BatchSource, BatchTransform, Predictor};
use sluice_delivery::ModelPackage;
use sluice_report::html::{
    DependenceChart, ExplanationPage, ImportanceBar, ImportanceChart, explanation_page,
};
use sluice_training::Link;
use sluice_training::explain::{
    Attribution, AttributionMethod, ContributionSums, Dependence, DependenceOptions, Explained, GridValue,
    OutputContributions, PermutationImportance, PermutationOptions, Sample, SampleOptions,
    partial_dependence, permutation_importance,
};

use crate::step::made_from;

/// The artifact's kind.
pub const EXPLANATION_KIND: &str = "explanation";
/// The version of its format.
pub const EXPLANATION_VERSION: u32 = 1;
const EXPLANATION_FILE: &str = "explanation.json";
const PAGE_FILE: &str = "explanation.html";

/// What is asked of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainOptions {
    /// Rows of the sample, at most.
    pub rows: u64,
    /// Of the sample and of the permutations.
    pub seed: u64,
    /// What identifies a row. Without: the stored row hash if the source has one, else what the model reads and its label.
    pub key: Vec<String>,
    /// Permutations of each column, where their importance is wanted.
    pub repeats: Option<u32>,
    /// The source columns whose partial dependence is wanted.
    pub dependence: Vec<String>,
    /// Values of a grid of partial dependence, at most.
    pub grid: u32,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        Self {
            rows: SampleOptions::DEFAULT_ROWS,
            seed: 0,
            key: Vec::new(),
            repeats: None,
            dependence: Vec::new(),
            grid: DependenceOptions::DEFAULT_GRID,
        }
    }
}

/// What a model makes of which feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The column that the model predicts.
    pub label: String,
    /// How its sums become predictions; contributions are on the scale of the sums.
    pub link: Link,
    /// How contributions come about.
    #[serde(default)]
    pub method: AttributionMethod,
    /// Rows of the data.
    pub rows_of_data: u64,
    /// Rows of the sample.
    pub rows: u64,
    /// Rows of the sample with a prediction.
    pub rows_with_prediction: u64,
    /// The seed of the sample.
    pub seed: u64,
    /// By output what each feature adds on average, the most first.
    pub contributions: Vec<OutputContributions>,
    /// What each source column tells the model, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permutation: Option<PermutationImportance>,
    /// The curves that were asked for, in that order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial_dependence: Vec<Dependence>,
}

/// Explains a model by a sample of the rows of `source`; one scan.
///
/// # Errors
/// Columns that the data lack, a label that is missing where permutations need it, a model without the means of its
/// columns, and what reading and predicting meet.
pub fn explain(
    model: &ModelPackage,
    source: &dyn BatchSource,
    options: &ExplainOptions,
    execution: &Execution,
) -> Result<Explanation> {
    let dependence_options = DependenceOptions { grid: options.grid };
    dependence_options.check()?;
    let permutation_options =
        options.repeats.map(|repeats| PermutationOptions { repeats, seed: options.seed });
    permutation_options.map_or(Ok(()), |options| options.check())?;
    if permutation_options.is_some() && model.model().link() == Link::Softmax {
        return Err(OptionsError::Conflict {
            name: "permutation".into(),
            problem: "judges by the squared error, which the probabilities of several classes do not have"
                .into(),
            hint: Some("leave it out; contributions are there for each class".into()),
        }
        .into());
    }
    let attribution = model.attribution()?;
    check_dependence(&options.dependence, &model.inputs())?;
    let explained = Explained { transform: model.transform(), model: model.model() };
    let sample = sample(model, source, options, execution)?;
    let sums = contributions(model, attribution.as_ref(), &sample.rows, execution)?;
    let permutation = permutation_options
        .map(|options| permutation_importance(explained, &sample, options, execution))
        .transpose()?;
    let curves = options
        .dependence
        .iter()
        .map(|column| partial_dependence(explained, &sample, column, dependence_options, execution));
    let partial_dependence = curves.collect::<Result<_>>()?;
    Ok(Explanation {
        label: model.label().to_owned(),
        link: model.model().link(),
        method: attribution.method(),
        rows_of_data: sample.of_rows,
        rows: sample.rows.num_rows() as u64,
        rows_with_prediction: sums.rows,
        seed: options.seed,
        contributions: sums.finish(attribution.as_ref()),
        permutation,
        partial_dependence,
    })
}

/// Columns are told before a row is read.
fn check_dependence(columns: &[String], inputs: &[String]) -> Result<(), OptionsError> {
    match columns.iter().find(|column| !inputs.contains(column)) {
        None => Ok(()),
        Some(column) => Err(OptionsError::NoSuchChoice {
            name: "partial_dependence".into(),
            value: column.clone(),
            choices: inputs.to_vec(),
        }),
    }
}

fn sample(
    model: &ModelPackage,
    source: &dyn BatchSource,
    options: &ExplainOptions,
    execution: &Execution,
) -> Result<Sample> {
    let plan = source.plan();
    let mut columns = model.inputs();
    let label = &model.label().to_owned();
    let has_label = plan.column(label).is_some();
    if (has_label || options.repeats.is_some()) && !columns.contains(label) {
        plan.require(label, &source.name())?;
        columns.push(label.clone());
    }
    let is_stored = plan.column(sluice_core::ROW_HASH_COLUMN).is_some();
    let identity = match options.key.as_slice() {
        [] if is_stored => RowIdentity::Stored,
        [] => RowIdentity::Key(columns.clone()),
        key => RowIdentity::Key(key.to_vec()),
    };
    let options = SampleOptions { rows: options.rows, seed: options.seed, identity };
    Sample::take(source, &columns, &options, execution)
}

/// Rows whose contributions are taken at a time.
const CHUNK_ROWS: usize = 1024;

fn contributions(
    model: &ModelPackage,
    attribution: &dyn Attribution,
    rows: &RecordBatch,
    execution: &Execution,
) -> Result<ContributionSums> {
    let mut sums = ContributionSums::default();
    let chunks: Vec<usize> = (0..rows.num_rows()).step_by(CHUNK_ROWS).collect();
    let extent = Extent { rows: Some(rows.num_rows() as u64), ..Extent::default() };
    execution.progress.begin("contributions", extent);
    in_order(
        &chunks,
        execution,
        |first| {
            let batch = rows.slice(*first, std::cmp::min(CHUNK_ROWS, rows.num_rows() - first));
            let scores = model.score(&Batch::new(&batch))?;
            let sound = scores.predictions.first().and_then(|predictions| predictions.nulls().cloned());
            let mut sums = ContributionSums::default();
            sums.update(&attribution.contributions(&scores.features, sound.as_ref())?);
            execution.progress.advance(batch.num_rows() as u64, 0);
            Ok(sums)
        },
        |_, of_chunk| {
            sums.merge(of_chunk);
            Ok(())
        },
    )?;
    execution.progress.end();
    Ok(sums)
}

impl Explanation {
    /// Writes it to `target`, as JSON and as a page.
    ///
    /// # Errors
    /// What writing meets.
    pub fn publish(&self, data_digest: &str, model: &ModelPackage, target: &Path) -> Result<Artifact> {
        let mut draft = Draft::new(target)?;
        draft.write_json(EXPLANATION_FILE, self)?;
        let title = format!("What predicts {}", self.label);
        draft.write_bytes(PAGE_FILE, explanation_page(&title, &self.page()).as_bytes())?;
        let made_of = [("data", data_digest), ("model", model.artifact().digest())];
        draft.publish(EXPLANATION_KIND, EXPLANATION_VERSION, made_from(made_of))
    }

    fn method_in_words(&self) -> &'static str {
        match self.method {
            AttributionMethod::Shapley => "the exact Shapley values",
            AttributionMethod::IntegratedGradients => "the integrated gradients",
        }
    }

    fn base_in_words(&self) -> &'static str {
        match self.method {
            AttributionMethod::Shapley => "its expected value",
            AttributionMethod::IntegratedGradients => "that of the average training row",
        }
    }

    fn page(&self) -> ExplanationPage {
        let mut charts: Vec<ImportanceChart> = Vec::new();
        for output in &self.contributions {
            let bars = output.features.iter().map(|feature| ImportanceBar {
                name: feature.feature.clone(),
                value: feature.mean_absolute,
                error: None,
            });
            charts.push(ImportanceChart {
                title: format!("What features add to the prediction of {}", output.target),
                note: format!(
                    "Mean size of {} over {} rows. They add up to the prediction less {}, {}.",
                    self.method_in_words(),
                    self.rows_with_prediction,
                    self.base_in_words(),
                    sluice_report::significant(output.base_value)
                ),
                bars: bars.collect(),
            });
        }
        if let Some(permutation) = &self.permutation {
            let bars = permutation.columns.iter().map(|column| ImportanceBar {
                name: column.column.clone(),
                value: column.importance,
                error: column.standard_error,
            });
            charts.push(ImportanceChart {
                title: "What columns tell the model".into(),
                note: format!(
                    "Growth of the mean squared error, {} as it is, when the values of a column are dealt to other rows: \
                     mean and standard error of {} permutations of {} rows.",
                    sluice_report::significant(permutation.loss),
                    permutation.options.repeats,
                    permutation.rows
                ),
                bars: bars.collect(),
            });
        }
        let curves = self.partial_dependence.iter().flat_map(charts_of).collect();
        ExplanationPage {
            label: self.label.clone(),
            rows: self.rows,
            rows_of_data: self.rows_of_data,
            importance: charts,
            dependence: curves,
        }
    }
}

/// A chart for each output.
fn charts_of(dependence: &Dependence) -> Vec<DependenceChart> {
    let is_number = dependence.grid.iter().all(|value| matches!(value, GridValue::Number(_)));
    let of_curve = |curve: &sluice_training::explain::DependenceCurve| DependenceChart {
        column: dependence.column.clone(),
        target: curve.target.clone(),
        is_number,
        points: dependence
            .grid
            .iter()
            .enumerate()
            .zip(&curve.averages)
            .map(|((place, value), average)| match value {
                GridValue::Number(number) => (sluice_report::significant(*number), *number, *average),
                GridValue::Text(text) => (text.clone(), place as f64, *average),
            })
            .collect(),
    };
    dependence.curves.iter().map(of_curve).collect()
}
