//! What metrics need of the rows, gathered in one scan: an accumulator of sums per slice, of one candidate and at
//! most one baseline.
//!
//! - `scored`: the rows with labels, weights and predictions;
//! - `Term` and `moments`: means of numbers per row, and their errors;
//! - `cells`: confusion matrices at thresholds;
//! - `replicates`: the same once more for each replicate of a bootstrap or jackknife;
//! - `bins`: sums by ranges of the probability;
//! - `classes`: matrices of several classes;
//! - `maxima`: the largest of numbers per row;
//! - `ranked`: the rows in the order of their scores;
//! - `score_bins`: ranges of scores, where rows are not kept;
//! - [`Measured`]: value, interval and change of a metric in a slice, from what was gathered.
//!
//! Rows are read once; what goes into sums is computed once per batch. A label or prediction that is null, NaN or
//! infinite is an error that names the row, unless such rows may be left out, for all models alike ([`Missing`]).

mod bins;
mod blamed;
mod cells;
mod classes;
mod custom;
mod excluded;
mod grouped;
mod losses;
mod maxima;
mod measured;
mod memory;
mod moments;
mod ordering;
mod ranked;
mod replicates;
mod score_bins;
mod scored;
mod term;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::column::numbers;
use sluice_core::error::Result;
use sluice_core::group::{GroupMap, Grouping};
use sluice_core::options::quoted;
use sluice_core::seam::{BatchTransform, Derive, Predictor, Task};
use sluice_core::spill::Scratch;
use sluice_expressions::Expression;

use crate::comparison::Resampling;
use crate::error::EvaluationError;
use crate::metric::{ClassFormula, Formula, Metric};
use crate::slice::{SliceNames, Slicing};

use bins::{BinPlan, Bins};
use blamed::{Blamed, blame};
use cells::{CellPlan, CellSums};
use classes::{ClassPlan, ClassSums};
use custom::CustomPlan;
use grouped::GroupedSums;
use maxima::{Maxima, MaximumPlan};
use moments::{MomentPlan, MomentRows, MomentSums};
use ranked::{RankedPlan, RankedRows, RowShape};
use replicates::{KeySample, ReplicatePlan, ReplicateSums};
use score_bins::{ScoreBinPlan, ScoreBins};

pub use excluded::{Excluded, Missing};
pub(crate) use excluded::{Needed, among_all, kept};
pub(crate) use losses::losses;
pub use measured::{Measured, MeasuredSlice};
pub(crate) use ordering::Ordering;
pub(crate) use scored::{Pair, place, weights};
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
    missing: Missing,
    candidate_digest: String,
    baseline_digest: Option<String>,
    groupings: Vec<Grouping>,
    moments: MomentPlan,
    cells: CellPlan,
    ranked: RankedPlan,
    /// None where intervals are analytic.
    replicates: Option<ReplicatePlan>,
    maxima: MaximumPlan,
    bins: BinPlan,
    classes: ClassPlan,
    names: SliceNames,
    custom: CustomPlan,
    /// Empty where figures of order are exact.
    score_bins: ScoreBinPlan,
}

/// Who predicts.
#[derive(Clone)]
struct Models {
    candidate: Arc<dyn Predictor>,
    baseline: Option<Arc<dyn BatchTransform>>,
    /// What slices are computed from, by name.
    derived: Vec<(String, Arc<dyn Derive>)>,
    expressions: Vec<Arc<Expression>>,
}

/// The accumulator behind every metric. Serialised without the models, so a restored state merges and finishes but
/// reads no rows.
#[derive(Clone, Serialize, Deserialize)]
pub struct Measures {
    #[serde(skip)]
    models: Option<Models>,
    plan: Arc<MeasurePlan>,
    sums: Vec<GroupedSums>,
    /// Empty between batches.
    #[serde(skip)]
    moment_rows: MomentRows,
    excluded: Excluded,
    /// The rows themselves, where a metric asks for their order.
    rows: Option<RankedRows>,
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
    /// What is done with rows in which something is missing.
    pub missing: Missing,
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
            missing: options.missing,
            candidate_digest: candidate.digest().into(),
            baseline_digest: baseline.map(|model| model.digest().into()),
            groupings: options.groupings.clone(),
            moments: MomentPlan::new(baseline.is_some(), is_weighted),
            cells: CellPlan::new(is_weighted),
            ranked: RankedPlan::default(),
            replicates: None,
            maxima: MaximumPlan::default(),
            bins: BinPlan::new(is_weighted),
            custom: CustomPlan::default(),
            classes: ClassPlan::new(candidate.task().outputs(), baseline.is_some(), is_weighted),
            names: SliceNames::default(),
            score_bins: ScoreBinPlan::default(),
        };
        let mut expressions = Vec::new();
        for metric in options.metrics {
            match &metric.formula {
                Formula::Moments(formula) => plan.moments.add(&formula.terms, true),
                Formula::Confusion(formula) => plan.cells.add(formula.threshold),
                Formula::Ranked(statistic) => plan.ranked.add(*statistic),
                Formula::Maximum(term) => plan.maxima.add(*term),
                Formula::Bins(formula) => plan.bins.add(formula.bins),
                Formula::Classes(_) => plan.classes.add(),
                Formula::Expression(formula) => {
                    let place = plan.custom.add(formula);
                    plan.moments.add(&[Term::Custom(place)], true);
                    expressions.extend(formula.bound.clone());
                }
            }
        }
        let models = Models {
            candidate: Arc::clone(candidate),
            baseline: baseline
                .map(|model| -> Arc<dyn BatchTransform> { Arc::new(Blamed(Arc::clone(model))) }),
            derived: Vec::new(),
            expressions,
        };
        let (sums, rows) = (plan.no_sums(), plan.no_rows());
        Self {
            models: Some(models),
            plan: Arc::new(plan),
            sums,
            rows,
            moment_rows: MomentRows::default(),
            excluded: Excluded::default(),
            keys: KeySample::default(),
        }
    }

    /// The rows that take part.
    fn add_kept(&mut self, batch: &Batch) -> Result<()> {
        if self.plan.missing == Missing::Exclude
            && let Some((keep, rows)) = kept(self.plan.needed(), batch)?
        {
            self.excluded.add(&rows);
            let kept = batch.filtered(&keep)?;
            return self.add(&kept).map_err(|error| among_all(error, &keep));
        }
        self.add(batch)
    }

    /// With the computed columns that its groupings name; before any rows.
    #[must_use]
    pub(crate) fn with_slicing(mut self, slicing: &Slicing) -> Self {
        let names = slicing.names.clone();
        self.plan = Arc::new(MeasurePlan { names, ..MeasurePlan::clone(&self.plan) });
        if let Some(models) = &mut self.models {
            models.derived.clone_from(&slicing.derived);
        }
        self
    }

    /// The same, before any rows, with replicates: of rows, or of the rows with the same values of `key` together.
    #[must_use]
    pub fn with_replicates(mut self, resampling: Resampling, key: &[String]) -> Self {
        Arc::make_mut(&mut self.plan).replicates = Some(ReplicatePlan { resampling, key: key.to_vec() });
        self.sums = self.plan.no_sums();
        self.rows = self.plan.no_rows();
        self
    }

    /// The same, before any rows, with figures of order from so many ranges of scores, instead of the rows.
    #[must_use]
    pub fn with_score_bins(mut self, bins: usize) -> Self {
        let plan = Arc::make_mut(&mut self.plan);
        if !plan.ranked.is_empty() {
            let models = 1 + usize::from(plan.baseline_digest.is_some());
            plan.score_bins = ScoreBinPlan::new(bins, models, plan.weight.is_some());
        }
        self.sums = self.plan.no_sums();
        self.rows = self.plan.no_rows();
        self
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let label = batch.require(&plan.label)?;
        let label = match &self.models {
            Some(models) => models.candidate.label_values(label)?,
            None => numbers(&plan.label, label, "the evaluation")?,
        };
        let weight = plan.weight.as_ref().map(|column| weights(batch, column)).transpose()?;
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
        let label_values = scored::finite(&label, || format!("label `{}`", plan.label))?;
        let candidate = side(CANDIDATE)?;
        let baseline = plan.baseline_digest.as_ref().map(|_| side(BASELINE).map_err(blame)).transpose()?;
        let custom = self.custom(batch, label_values, &candidate, baseline.as_deref())?;
        let pair = Pair {
            label: label_values,
            weight: weight.as_ref().map(|weight| -> &[f64] { weight.values() }),
            candidate,
            baseline,
            custom,
            shift: plan.label_shift,
        };
        if matches!(plan.task, Task::Binary { .. }) {
            scored::probabilities(&[pair.label], || format!("label `{}`", plan.label))?;
        }
        self.add_sums(batch, &pair)?;
        let identities = plan.replicates.as_ref().map(|replicates| replicates.identities(batch));
        let identities = identities.transpose()?.unwrap_or_default();
        if let Some(rows) = &mut self.rows {
            let numbers = plan.sliced().map(|grouping| batch.groups(grouping)).collect::<Result<Vec<_>>>()?;
            let groups: Vec<_> = numbers.into_iter().map(|numbers| |row| numbers.of(row)).collect();
            rows.add(&pair, &identities, &groups)?;
        }
        replicates::add(&plan, &mut self.sums, &mut self.keys, (batch, &identities), &pair)
    }

    /// Adds rows to the sums of all groupings.
    fn add_sums(&mut self, batch: &Batch, pair: &Pair<'_>) -> Result<()> {
        let plan = Arc::clone(&self.plan);
        let (extremes, cells) = (plan.maxima.columns(pair), plan.cells.places(pair));
        let scores = plan.score_bins.places(pair);
        let mut moments = Vec::new();
        for (grouping, sums) in plan.groupings.iter().zip(&mut self.sums) {
            let numbers = batch.groups(grouping)?;
            check_slices(grouping, numbers.count, plan.classes.most_slices())?;
            sums.grow(&plan, numbers.count);
            sums.count(batch.rows(), pair.weight, numbers);
            sums.cells.add(&cells, pair.weight, |row| numbers.of(row));
            sums.maxima.add(&extremes, pair.weight, |row| numbers.of(row));
            sums.bins.add(&plan.bins, pair, |row| numbers.of(row));
            sums.classes.add(&plan.classes, pair, |row| numbers.of(row));
            sums.score_bins.add(plan.score_bins, &scores, pair, |row| numbers.of(row));
            if !grouping.is_overall() || !plan.is_sliced() {
                moments.push((numbers, &mut sums.moments));
            }
        }
        self.moment_rows.add(&plan.moments, pair, &mut moments);
        Ok(())
    }

    /// What expressions answer for both models.
    fn custom(
        &self,
        batch: &Batch,
        label: &[f64],
        candidate: &[&[f64]],
        baseline: Option<&[&[f64]]>,
    ) -> Result<Vec<[Vec<f64>; 2]>> {
        let expressions = self.models.as_ref().map_or(&[][..], |models| &models.expressions);
        let own = candidate.first().copied().unwrap_or_default();
        let theirs = baseline.and_then(|columns| columns.first().copied());
        self.plan.custom.values(expressions, batch, label, own, theirs)
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
        } else if mine.names != theirs.names {
            Some("where slices are cut")
        } else if mine.score_bins != theirs.score_bins {
            Some("where figures of order come from")
        } else if mine != theirs {
            Some("what is measured")
        } else if !self.is_sound() || !other.is_sound() {
            Some("the shape")
        } else {
            None
        }
    }

    /// Of the package of the candidate.
    #[must_use]
    pub fn candidate_digest(&self) -> &str {
        &self.plan.candidate_digest
    }

    fn slices(&self) -> usize {
        self.sums.iter().map(|sums| sums.rows.len()).sum()
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let plan = &self.plan;
        self.sums.len() == plan.groupings.len()
            && self.sums.iter().all(|sums| sums.is_sound(plan))
            && self.rows.is_some() == plan.keeps_rows()
            && self.rows.as_ref().is_none_or(|rows| rows.is_sound(plan.row_shape()))
    }
}

impl MeasurePlan {
    /// The place of the class that a rate is of.
    fn class_place(&self, formula: &ClassFormula) -> usize {
        let Task::MultiClass { classes } = &self.task else { return 0 };
        let is_it = |class: &String| Some(class) == formula.class.as_ref();
        classes.iter().position(is_it).unwrap_or(0)
    }

    /// What a row must have.
    fn needed(&self) -> Needed<'_> {
        Needed {
            label: &self.label,
            weight: self.weight.as_deref(),
            outputs: self.task.outputs(),
            is_paired: self.baseline_digest.is_some(),
        }
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
                score_bins: ScoreBins::new(self.score_bins),
                ..GroupedSums::default()
            };
            sums.grow(self, usize::from(grouping.is_overall()));
            sums
        };
        self.groupings.iter().map(empty).collect()
    }

    /// Whether there are groupings of more than one group. Each has all rows, and exact sums do not depend on how
    /// their terms were grouped, so the moments of all rows are then joined from those of slices, in the end.
    fn is_sliced(&self) -> bool {
        self.sliced().next().is_some()
    }

    /// The groupings of more than one group.
    fn sliced(&self) -> impl Iterator<Item = &Grouping> {
        self.groupings.iter().filter(|grouping| !grouping.is_overall())
    }

    fn row_shape(&self) -> RowShape {
        RowShape {
            is_of_classes: self.task != Task::Regression,
            is_weighted: self.weight.is_some(),
            models: 1 + usize::from(self.baseline_digest.is_some()),
            groupings: self.sliced().count(),
            has_identities: self.replicates.is_some(),
        }
    }

    /// Whether a metric asks for the rows themselves.
    fn keeps_rows(&self) -> bool {
        !self.ranked.is_empty() && self.score_bins.is_empty()
    }

    fn no_rows(&self) -> Option<RankedRows> {
        self.keeps_rows().then(|| RankedRows::new(self.row_shape()))
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
        for (name, derive) in self.models.iter().flat_map(|models| &models.derived) {
            inputs = inputs.with_derived(name, derive);
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
            inputs = custom::with_columns(inputs, &models.expressions);
            if let Some(baseline) = &models.baseline {
                inputs = inputs.with_transform(BASELINE, baseline);
            }
        }
        inputs
    }

    fn empty(&self) -> Self {
        Self {
            models: self.models.clone(),
            plan: Arc::clone(&self.plan),
            sums: self.plan.no_sums(),
            rows: self.plan.no_rows(),
            moment_rows: MomentRows::default(),
            excluded: Excluded::default(),
            keys: KeySample::default(),
        }
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add_kept(batch),
            Input::Counted(_) | Input::Apart(_) => Ok(()),
        }
    }

    fn merge(&mut self, later: Self, groups: &GroupMap) -> Result<()> {
        if let Some(difference) = self.difference(&later) {
            return Err(EvaluationError::OtherEvaluation { difference }.into());
        }
        let plan = Arc::clone(&self.plan);
        self.excluded.add(&later.excluded);
        for ((grouping, mine), theirs) in plan.groupings.iter().zip(&mut self.sums).zip(&later.sums) {
            let (count, numbers) = groups.of(grouping)?;
            check_slices(grouping, count, plan.classes.most_slices())?;
            if theirs.rows.len() > numbers.len() {
                return Err(EvaluationError::OtherEvaluation { difference: "the number of slices" }.into());
            }
            mine.merge(&plan, theirs, count, numbers);
        }
        if let (Some(mine), Some(theirs)) = (&mut self.rows, later.rows) {
            let numbers =
                plan.sliced().map(|grouping| Ok(groups.of(grouping)?.1)).collect::<Result<Vec<_>>>()?;
            mine.merge(theirs, &numbers)?;
        }
        self.keys.merge(later.keys);
        Ok(())
    }

    fn finish(self) -> Self::Output {
        let (plan, mut sums) = (self.plan, self.sums);
        let slices = sums.iter().zip(&plan.groupings).find(|(_, grouping)| !grouping.is_overall());
        if let Some(joined) = slices.map(|(slices, _)| slices.moments.joined()) {
            let all = sums.iter_mut().zip(&plan.groupings).filter(|(_, grouping)| grouping.is_overall());
            all.for_each(|(sums, _)| sums.moments.clone_from(&joined));
        }
        Measured {
            plan,
            sums,
            rows: self.rows,
            ranked: None,
            excluded: self.excluded,
            rows_per_key: self.keys.rows_per_key(),
        }
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.sums.iter().map(GroupedSums::size_bytes).sum::<usize>()
            + self.moment_rows.size_bytes()
            + self.rows.as_ref().map_or(0, RankedRows::size_bytes)
            + self.keys.size_bytes()
    }

    fn heaviest(&self) -> Option<Heaviest> {
        memory::heaviest(self)
    }

    fn shed(&mut self, share: usize, scratch: &Scratch) -> Result<()> {
        match &mut self.rows {
            Some(rows) if rows.size_bytes() > share => rows.shed(scratch),
            _ => Ok(()),
        }
    }
}

/// Refuses what no one could read, before memory is taken.
fn check_slices(grouping: &Grouping, slices: usize, most: usize) -> Result<()> {
    let limit = std::cmp::min(MAX_SLICES, most);
    if slices > limit {
        let columns = quoted(grouping.columns.iter().map(String::as_str));
        return Err(EvaluationError::TooManySlices { columns, limit }.into());
    }
    Ok(())
}
