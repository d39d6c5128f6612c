//! The accumulator behind every regression metric: the sums of [`super::sums`] for each group of each grouping, of
//! one candidate and at most one baseline.
//!
//! Rows are read once; terms are computed once per batch, brought into group order and added in slices. Memory: 320
//! bytes per slice, 1,280 with a baseline. A label or prediction that is null, NaN or infinite is an error that
//! names the row: leaving it out would compare models on rows of their own choice.

use std::sync::Arc;

use arrow::array::{Array, Float64Array};
use serde::{Deserialize, Serialize};
use sluice_core::accumulator::{Accumulator, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::{Error, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureSpace};
use sluice_core::group::{GroupMap, Grouping};
use sluice_core::options::quoted;
use sluice_core::seam::{BatchTransform, Predictor};

use super::sums::{ALONE, GroupedSums, PAIRED, TermColumns};
use crate::error::EvaluationError;

/// More slices than this in one grouping are refused.
pub const MAX_SLICES: usize = 16_384;

const CANDIDATE: &str = "candidate";
const BASELINE: &str = "baseline";

/// The sums of regression metrics. Serialised without the models, so a restored state merges and finishes but
/// reads no rows.
#[derive(Clone, Serialize, Deserialize)]
pub struct RegressionMetrics {
    #[serde(skip)]
    candidate: Option<Arc<dyn BatchTransform>>,
    /// The candidate again, which knows what its labels are as numbers.
    #[serde(skip)]
    labels: Option<Arc<dyn Predictor>>,
    #[serde(skip)]
    baseline: Option<Arc<dyn BatchTransform>>,
    #[serde(skip)]
    columns: TermColumns,
    label: String,
    label_shift: f64,
    candidate_digest: String,
    baseline_digest: Option<String>,
    groupings: Vec<Grouping>,
    sums: Vec<GroupedSums>,
}

impl std::fmt::Debug for RegressionMetrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("RegressionMetrics")
            .field("label", &self.label)
            .field("candidate", &self.candidate_digest)
            .field("baseline", &self.baseline_digest)
            .field("groupings", &self.groupings)
            .finish_non_exhaustive()
    }
}

impl RegressionMetrics {
    /// No rows yet. The label is the candidate's; `label_shift` is a number near the label mean, taken off before
    /// squaring.
    #[must_use]
    pub fn new(
        candidate: &Arc<dyn Predictor>,
        baseline: Option<&Arc<dyn Predictor>>,
        groupings: Vec<Grouping>,
        label_shift: f64,
    ) -> Self {
        let baseline_transform =
            baseline.map(|model| -> Arc<dyn BatchTransform> { Arc::new(Blamed(Arc::clone(model))) });
        let terms = if baseline.is_some() { PAIRED } else { ALONE };
        Self {
            candidate: Some(Arc::clone(candidate) as Arc<dyn BatchTransform>),
            labels: Some(Arc::clone(candidate)),
            baseline: baseline_transform,
            columns: TermColumns::default(),
            label: candidate.label().into(),
            label_shift,
            candidate_digest: candidate.digest().into(),
            baseline_digest: baseline.map(|model| model.digest().into()),
            sums: groupings.iter().map(|by| GroupedSums::new(terms, usize::from(by.is_overall()))).collect(),
            groupings,
        }
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let label = batch.require(&self.label)?;
        let label = match &self.labels {
            Some(candidate) => candidate.label_values(label)?,
            None => numbers(&self.label, label, "the evaluation")?,
        };
        let label = finite(&label, || format!("label `{}`", self.label))?;
        let candidate = prediction(batch, CANDIDATE)?;
        let candidate = finite(candidate, || "the candidate's prediction".into())?;
        let baseline = match &self.baseline_digest {
            Some(_) => Some(
                prediction(batch, BASELINE)
                    .and_then(|values| finite(values, || "the baseline's prediction".into()))
                    .map_err(blame)?,
            ),
            None => None,
        };
        self.columns.compute(label, self.label_shift, candidate, baseline);
        for (grouping, sums) in self.groupings.iter().zip(&mut self.sums) {
            let groups = batch.groups(grouping)?;
            check_slices(grouping, groups.count)?;
            sums.grow(groups.count);
            if groups.is_overall() {
                sums.add_all(&self.columns, 0, batch.rows());
            } else {
                sums.add_grouped(&mut self.columns, batch.rows(), |row| groups.of(row));
            }
        }
        Ok(())
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    fn is_sound(&self) -> bool {
        let terms = if self.baseline_digest.is_some() { PAIRED } else { ALONE };
        self.sums.len() == self.groupings.len() && self.sums.iter().all(|sums| sums.is_sound(terms))
    }

    fn difference(&self, other: &Self) -> Option<&'static str> {
        if self.label != other.label {
            Some("the label")
        } else if self.label_shift.to_bits() != other.label_shift.to_bits() {
            Some("the label shift")
        } else if self.candidate_digest != other.candidate_digest {
            Some("the candidate")
        } else if self.baseline_digest != other.baseline_digest {
            Some("the baseline")
        } else if self.groupings != other.groupings {
            Some("the slicing")
        } else if !self.is_sound() || !other.is_sound() {
            Some("the shape")
        } else {
            None
        }
    }
}

impl Accumulator for RegressionMetrics {
    type Output = Vec<(Grouping, GroupedSums)>;

    fn inputs(&self) -> Inputs {
        let mut inputs = Inputs::default().with_column(&self.label);
        for grouping in &self.groupings {
            inputs = inputs.with_grouping(grouping);
        }
        for (name, model) in [(CANDIDATE, &self.candidate), (BASELINE, &self.baseline)] {
            if let Some(model) = model {
                inputs = inputs.with_transform(name, model);
            }
        }
        inputs
    }

    fn empty(&self) -> Self {
        let terms = if self.baseline_digest.is_some() { PAIRED } else { ALONE };
        let sums =
            self.groupings.iter().map(|by| GroupedSums::new(terms, usize::from(by.is_overall()))).collect();
        Self { sums, columns: TermColumns::default(), ..self.clone() }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add(batch),
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        if let Some(difference) = self.difference(&later) {
            return Err(EvaluationError::OtherEvaluation { difference }.into());
        }
        for ((grouping, mine), theirs) in self.groupings.iter().zip(&mut self.sums).zip(&later.sums) {
            let (count, numbers) = groups.of(grouping)?;
            check_slices(grouping, count)?;
            if theirs.len() > numbers.len() {
                return Err(EvaluationError::OtherEvaluation { difference: "the number of slices" }.into());
            }
            mine.merge(theirs, count, numbers);
        }
        Ok(())
    }

    fn finish(self) -> Self::Output {
        self.groupings.into_iter().zip(self.sums).collect()
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.sums.iter().map(GroupedSums::size_bytes).sum::<usize>()
    }
}

/// Refuses what no one could read, before memory is taken.
fn check_slices(grouping: &Grouping, slices: usize) -> Result<()> {
    if slices > MAX_SLICES {
        let columns = quoted(grouping.columns.iter().map(String::as_str));
        return Err(EvaluationError::TooManySlices { columns, limit: MAX_SLICES }.into());
    }
    Ok(())
}

/// The number per row that a model gives for its label, which comes first.
fn prediction<'a>(batch: &'a Batch, model: &'static str) -> Result<&'a Float64Array> {
    match batch.features(model)?.columns.as_slice() {
        [FeatureColumn::Numbers(values), ..] if values.len() == batch.rows() => Ok(values),
        _ => Err(EvaluationError::NotOneNumber { model }.into()),
    }
}

/// The numbers, if all are there and finite.
fn finite(values: &Float64Array, what: impl Fn() -> String) -> Result<&[f64]> {
    let numbers = values.values();
    let is_sound = |row: usize| !values.is_null(row) && numbers[row].is_finite();
    match (0..values.len()).find(|row| !is_sound(*row)) {
        None => Ok(numbers),
        Some(row) => {
            let found = if values.is_null(row) {
                "null"
            } else if numbers[row].is_nan() {
                "NaN"
            } else {
                "infinite"
            };
            Err(Error::from(EvaluationError::NotFinite { what: what(), found }).at_row(row))
        }
    }
}

/// The baseline, with its errors marked as such.
struct Blamed(Arc<dyn Predictor>);

impl BatchTransform for Blamed {
    fn inputs(&self) -> Vec<String> {
        self.0.inputs()
    }

    fn space(&self) -> &FeatureSpace {
        self.0.space()
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        self.0.apply(batch).map_err(blame)
    }
}

fn blame(mut source: Error) -> Error {
    let row = source.take_row();
    let error = Error::from(EvaluationError::BaselineFailed { source });
    match row.and_then(|row| usize::try_from(row).ok()) {
        Some(row) => error.at_row(row),
        None => error,
    }
}
