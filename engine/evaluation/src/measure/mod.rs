//! What metrics need of the rows, gathered in one scan: an accumulator of sums per slice, of one candidate and at
//! most one baseline.
//!
//! - `scored`: the rows with labels, weights and predictions;
//! - [`Term`] and `moments`: means of numbers per row, and their errors;
//! - `cells`: confusion matrices at thresholds;
//! - `replicates`: the same once more for each replicate of a bootstrap or jackknife;
//! - `bins`: sums by ranges of the probability;
//! - `classes`: matrices of several classes;
//! - `maxima`: the largest of numbers per row;
//! - [`Measured`]: value, interval and change of a metric in a slice, from what was gathered.
//!
//! Rows are read once; what goes into sums is computed once per batch. A label or prediction that is null, NaN or
//! infinite is an error that names the row: leaving it out would compare models on rows of their own choice.

mod bins;
mod blamed;
mod cells;
mod classes;
mod maxima;
mod measured;
mod moments;
mod ordering;
mod replicates;
mod scored;
mod term;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::group::{GroupMap, Grouping};
use sluice_core::options::quoted;
use sluice_core::seam::{BatchTransform, Predictor, Task};
use sluice_summaries::ExactSum;

use crate::comparison::Resampling;
use crate::error::EvaluationError;
use crate::metric::{ClassFormula, Formula, Metric};

use bins::{BinPlan, Bins};
use blamed::{Blamed, blame};
use cells::{CellPlan, CellSums};
use classes::{ClassPlan, ClassSums};
use maxima::{Maxima, MaximumPlan};
use moments::{MomentPlan, MomentSums};
use replicates::{KeySample, ReplicatePlan, ReplicateSums};

pub use measured::{Measured, MeasuredSlice};
pub(crate) use ordering::Ordering;
pub(crate) use scored::{Pair, place};
pub(crate) use term::Term;

/// More slices than this in one grouping are refused.
pub const MAX_SLICES: usize = 16_384;

const CANDIDATE: &str = "candidate";
const BASELINE: &str = "baseline";

/// What is gathered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasurePlan {
    label: String,
    label_shift: f64,
    weight: Option<String>,
    task: Task,
    candidate_digest: String,
    baseline_digest: Option<String>,
    groupings: Vec<Grouping>,
    moments: MomentPlan,
    cells: CellPlan,
    /// None where intervals are analytic.
    replicates: Option<ReplicatePlan>,
    maxima: MaximumPlan,
    bins: BinPlan,
    classes: ClassPlan,
}

/// Who predicts.
#[derive(Clone)]
struct Models {
    candidate: Arc<dyn Predictor>,
    baseline: Option<Arc<dyn BatchTransform>>,
}

/// The sums of one grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct GroupedSums {
    rows: Vec<u64>,
    /// None without weights.
    weights: Vec<ExactSum>,
    moments: MomentSums,
    cells: CellSums,
    replicates: ReplicateSums,
    maxima: Maxima,
    bins: Bins,
    classes: ClassSums,
}

/// The accumulator behind every metric. Serialised without the models, so a restored state merges and finishes but
/// reads no rows.
#[derive(Clone, Serialize, Deserialize)]
pub struct Measures {
    #[serde(skip)]
    models: Option<Models>,
    plan: Arc<MeasurePlan>,
    sums: Vec<GroupedSums>,
    keys: KeySample,
}

/// What is measured, and on which rows.
#[derive(Clone, Debug)]
pub struct MeasureOptions<'a> {
    /// What is computed.
    pub metrics: &'a [Arc<Metric>],
    /// The slices, overall among them.
    pub groupings: Vec<Grouping>,
    /// The weight column, if rows have weights.
    pub weight: Option<String>,
    /// A number near the label mean, taken off before squaring.
    pub label_shift: f64,
}

impl std::fmt::Debug for Measures {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Measures").field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl Measures {
    /// No rows yet. The label is the candidate's.
    #[must_use]
    pub fn new(
        candidate: &Arc<dyn Predictor>,
        baseline: Option<&Arc<dyn Predictor>>,
        options: &MeasureOptions<'_>,
    ) -> Self {
        let is_weighted = options.weight.is_some();
        let mut plan = MeasurePlan {
            label: candidate.label().into(),
            label_shift: options.label_shift,
            weight: options.weight.clone(),
            task: candidate.task(),
            candidate_digest: candidate.digest().into(),
            baseline_digest: baseline.map(|model| model.digest().into()),
            groupings: options.groupings.clone(),
            moments: MomentPlan::new(baseline.is_some(), is_weighted),
            cells: CellPlan::new(is_weighted),
            replicates: None,
            maxima: MaximumPlan::default(),
            bins: BinPlan::new(is_weighted),
            classes: ClassPlan::new(candidate.task().outputs(), baseline.is_some(), is_weighted),
        };
        for metric in options.metrics {
            match &metric.formula {
                Formula::Moments(formula) => plan.moments.add(&formula.terms, true),
                Formula::Confusion(formula) => plan.cells.add(formula.threshold),
                Formula::Maximum(term) => plan.maxima.add(*term),
                Formula::Bins(formula) => plan.bins.add(formula.bins),
                Formula::Classes(_) => plan.classes.add(),
            }
        }
        let models = Models {
            candidate: Arc::clone(candidate),
            baseline: baseline
                .map(|model| -> Arc<dyn BatchTransform> { Arc::new(Blamed(Arc::clone(model))) }),
        };
        let sums = plan.no_sums();
        Self { models: Some(models), plan: Arc::new(plan), sums, keys: KeySample::default() }
    }

    /// The same, before any rows, with replicates: of rows, or of the rows with the same values of `key` together.
    #[must_use]
    pub fn with_replicates(mut self, resampling: Resampling, key: &[String]) -> Self {
        Arc::make_mut(&mut self.plan).replicates = Some(ReplicatePlan { resampling, key: key.to_vec() });
        self.sums = self.plan.no_sums();
        self
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let label = batch.require(&plan.label)?;
        let label = match &self.models {
            Some(models) => models.candidate.label_values(label)?,
            None => numbers(&plan.label, label, "the evaluation")?,
        };
        let weight = plan.weight.as_ref().map(|column| scored::weights(batch, column)).transpose()?;
        let outputs = plan.task.outputs();
        let side = |model: &'static str| -> Result<Vec<&[f64]>> {
            let what = || format!("the {model}'s prediction");
            let columns = scored::predictions(batch, model, outputs)?;
            let columns =
                columns.into_iter().map(|values| scored::finite(values, what)).collect::<Result<Vec<_>>>()?;
            if plan.task != Task::Regression {
                scored::probabilities(&columns, what)?;
            }
            Ok(columns)
        };
        let pair = Pair {
            label: scored::finite(&label, || format!("label `{}`", plan.label))?,
            weight: weight.as_ref().map(|weight| -> &[f64] { weight.values() }),
            candidate: side(CANDIDATE)?,
            baseline: plan.baseline_digest.as_ref().map(|_| side(BASELINE).map_err(blame)).transpose()?,
            shift: plan.label_shift,
        };
        if matches!(plan.task, Task::Binary { .. }) {
            scored::probabilities(&[pair.label], || format!("label `{}`", plan.label))?;
        }
        let mut columns = plan.moments.columns(&pair);
        let extremes = plan.maxima.columns(&pair);
        for (grouping, sums) in plan.groupings.iter().zip(&mut self.sums) {
            let numbers = batch.groups(grouping)?;
            check_slices(grouping, numbers.count)?;
            sums.grow(&plan, numbers.count);
            let ordering = Ordering::new(batch.rows(), numbers);
            for (group, range) in ordering.groups() {
                sums.rows[group] += range.len() as u64;
            }
            if let Some(weight) = pair.weight {
                let mut scratch = Vec::new();
                let weight = ordering.ordered(weight, &mut scratch);
                for (group, range) in ordering.groups() {
                    sums.weights[group].add_slice(&weight[range.clone()]);
                }
            }
            sums.moments.add(&mut columns, &ordering);
            sums.cells.add(&plan.cells, &pair, |row| numbers.of(row));
            sums.maxima.add(&extremes, pair.weight, |row| numbers.of(row));
            sums.bins.add(&plan.bins, &pair, |row| numbers.of(row));
            sums.classes.add(&plan.classes, &pair, |row| numbers.of(row));
        }
        replicates::add(&plan, &mut self.sums, &mut self.keys, batch, (&pair, &columns))
    }

    fn difference(&self, other: &Self) -> Option<&'static str> {
        let (mine, theirs) = (self.plan.as_ref(), other.plan.as_ref());
        if mine.label != theirs.label {
            Some("the label")
        } else if mine.label_shift.to_bits() != theirs.label_shift.to_bits() {
            Some("the label shift")
        } else if mine.weight != theirs.weight {
            Some("the weight")
        } else if mine.candidate_digest != theirs.candidate_digest {
            Some("the candidate")
        } else if mine.baseline_digest != theirs.baseline_digest {
            Some("the baseline")
        } else if mine.groupings != theirs.groupings {
            Some("the slicing")
        } else if mine != theirs {
            Some("what is measured")
        } else if !self.is_sound() || !other.is_sound() {
            Some("the shape")
        } else {
            None
        }
    }

    fn slices(&self) -> usize {
        self.sums.iter().map(|sums| sums.rows.len()).sum()
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    fn is_sound(&self) -> bool {
        let plan = &self.plan;
        self.sums.len() == plan.groupings.len() && self.sums.iter().all(|sums| sums.is_sound(plan))
    }
}

impl MeasurePlan {
    /// The place of the class that a rate is of.
    fn class_place(&self, formula: &ClassFormula) -> usize {
        let Task::MultiClass { classes } = &self.task else { return 0 };
        let is_it = |class: &String| Some(class) == formula.class.as_ref();
        classes.iter().position(is_it).unwrap_or(0)
    }

    fn no_sums(&self) -> Vec<GroupedSums> {
        let empty = |grouping: &Grouping| {
            let mut sums = GroupedSums {
                moments: MomentSums::new(&self.moments),
                cells: CellSums::new(&self.cells),
                replicates: ReplicateSums::new(self),
                maxima: Maxima::new(&self.maxima),
                bins: Bins::new(&self.bins),
                classes: ClassSums::new(&self.classes),
                ..GroupedSums::default()
            };
            sums.grow(self, usize::from(grouping.is_overall()));
            sums
        };
        self.groupings.iter().map(empty).collect()
    }
}

impl GroupedSums {
    fn grow(&mut self, plan: &MeasurePlan, groups: usize) {
        if groups > self.rows.len() {
            self.rows.resize(groups, 0);
            if plan.weight.is_some() {
                self.weights.resize(groups, ExactSum::default());
            }
            self.moments.grow(groups);
            self.cells.grow(&plan.cells, groups);
            self.replicates.grow(groups);
            self.maxima.grow(groups);
            self.bins.grow(groups);
            self.classes.grow(&plan.classes, groups);
        }
    }

    fn merge(&mut self, plan: &MeasurePlan, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(plan, groups);
        for (rows, number) in later.rows.iter().zip(numbers) {
            self.rows[*number as usize] += rows;
        }
        for (weight, number) in later.weights.iter().zip(numbers) {
            self.weights[*number as usize].merge(*weight);
        }
        self.moments.merge(&later.moments, groups, numbers);
        self.cells.merge(&plan.cells, &later.cells, groups, numbers);
        self.replicates.merge(&later.replicates, groups, numbers);
        self.maxima.merge(&later.maxima, groups, numbers);
        self.bins.merge(&later.bins, groups, numbers);
        self.classes.merge(&plan.classes, &later.classes, groups, numbers);
    }

    fn is_sound(&self, plan: &MeasurePlan) -> bool {
        let groups = self.rows.len();
        self.weights.len() == if plan.weight.is_some() { groups } else { 0 }
            && self.moments.is_sound(&plan.moments, groups)
            && self.cells.is_sound(&plan.cells, groups)
            && self.replicates.is_sound(plan, groups)
            && self.maxima.is_sound(&plan.maxima, groups)
            && self.bins.is_sound(&plan.bins, groups)
            && self.classes.is_sound(&plan.classes, groups)
    }

    fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u64>()
            + self.weights.capacity() * size_of::<ExactSum>()
            + self.moments.size_bytes()
            + self.cells.size_bytes()
            + self.replicates.size_bytes()
            + self.maxima.size_bytes()
            + self.bins.size_bytes()
            + self.classes.size_bytes()
    }

    fn weight(&self, group: usize) -> DoubleDouble {
        match self.weights.get(group) {
            Some(weight) => weight.to_double_double(),
            None => DoubleDouble::from(self.rows.get(group).copied().unwrap_or(0)),
        }
    }
}

impl Accumulator for Measures {
    type Output = Measured;

    fn inputs(&self) -> Inputs {
        let plan = &self.plan;
        let mut inputs = Inputs::default().with_column(&plan.label);
        if let Some(weight) = &plan.weight {
            inputs = inputs.with_column(weight);
        }
        if let Some(identity) = plan.replicates.as_ref().and_then(ReplicatePlan::identity) {
            inputs = inputs.with_identity(&identity);
        }
        for grouping in &plan.groupings {
            inputs = inputs.with_grouping(grouping);
        }
        if let Some(models) = &self.models {
            let candidate: Arc<dyn BatchTransform> = Arc::clone(&models.candidate) as Arc<dyn BatchTransform>;
            inputs = inputs.with_transform(CANDIDATE, &candidate);
            if let Some(baseline) = &models.baseline {
                inputs = inputs.with_transform(BASELINE, baseline);
            }
        }
        inputs
    }

    fn empty(&self) -> Self {
        Self { sums: self.plan.no_sums(), keys: KeySample::default(), ..self.clone() }
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
        let plan = Arc::clone(&self.plan);
        for ((grouping, mine), theirs) in plan.groupings.iter().zip(&mut self.sums).zip(&later.sums) {
            let (count, numbers) = groups.of(grouping)?;
            check_slices(grouping, count)?;
            if theirs.rows.len() > numbers.len() {
                return Err(EvaluationError::OtherEvaluation { difference: "the number of slices" }.into());
            }
            mine.merge(&plan, theirs, count, numbers);
        }
        self.keys.merge(later.keys);
        Ok(())
    }

    fn finish(self) -> Self::Output {
        Measured { plan: self.plan, sums: self.sums, rows_per_key: self.keys.rows_per_key() }
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.sums.iter().map(GroupedSums::size_bytes).sum::<usize>()
            + self.keys.size_bytes()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        let bytes: usize = self.sums.iter().map(|sums| sums.replicates.size_bytes()).sum();
        let replicates = self.plan.replicates.as_ref()?.resampling.replicates();
        Some(Heaviest {
            what: format!("what {replicates} replicates hold of {} slices", self.slices()),
            bytes,
            advice: Some("ask for fewer replicates, fewer slices or `--intervals analytic`".into()),
        })
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
