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
mod label_term;
mod losses;
mod maxima;
mod measured;
mod memory;
mod moments;
mod ordering;
mod plan;
mod ranked;
mod replicates;
mod role;
mod score_bins;
mod scored;
mod term;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::accumulator::{Accumulator, Heaviest, Input};
use sluice_core::batch::{Batch, Inputs};
use sluice_core::error::{CommonError, Result};
use sluice_core::group::{GroupMap, Grouping};
use sluice_core::options::quoted;
use sluice_core::seam::{BatchTransform, Derive, Predictor, Task};
use sluice_core::spill::Scratch;
use sluice_expressions::Expression;

use crate::comparison::Resampling;
use crate::error::EvaluationError;
use crate::metric::{Formula, Metric};
use crate::slice::Slicing;

use blamed::{Blamed, blame};
use excluded::ExcludedRows;
use grouped::GroupedSums;
use moments::MomentRows;
use plan::MeasurePlan;
use ranked::RankedRows;
use replicates::{KeySample, ReplicatePlan};
use score_bins::ScoreBinPlan;

pub use excluded::{Excluded, Missing};
pub(crate) use excluded::{Needed, among_all, kept};
pub(crate) use label_term::{LabelTerm, Scope};
pub(crate) use losses::losses;
pub use measured::{Measured, MeasuredSlice};
pub(crate) use ordering::Ordering;
pub(crate) use role::Role;
use scored::LabelRows;
pub(crate) use scored::{Pair, place, weights};
pub(crate) use term::Term;

/// More slices than this in one grouping are refused.
pub const MAX_SLICES: usize = 16_384;

/// Who predicts.
#[derive(Clone)]
struct Models {
    /// The one that is measured: the candidate, or a contender in its place.
    candidate: Arc<dyn Predictor>,
    baseline: Option<Arc<dyn BatchTransform>>,
    /// What slices are computed from, by name.
    derived: Vec<(String, Arc<dyn Derive>)>,
    expressions: Vec<Arc<Expression>>,
}

/// The accumulator behind every metric, of one model and the baseline that it is compared with: the candidate, or a
/// contender in its place ([`Measures::of_contender`]). Of several models there is one for each on one scan, which
/// computes predictions, groups and identities once for all of them; a change needs the rows of its own model and of the
/// baseline together, and of no third. Serialised without the models, so a restored state merges and finishes but reads no
/// rows.
#[derive(Clone, Serialize, Deserialize)]
pub struct Measures {
    #[serde(skip)]
    models: Option<Models>,
    plan: Arc<MeasurePlan>,
    sums: Vec<GroupedSums>,
    /// Empty between batches.
    #[serde(skip)]
    moment_rows: MomentRows,
    excluded: ExcludedRows,
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
        let mut plan = MeasurePlan::new(candidate.as_ref(), baseline.map(AsRef::as_ref), options);
        let mut expressions = Vec::new();
        for metric in options.metrics {
            match &metric.formula {
                Formula::Moments(formula) => plan.moments.add(&formula.terms, formula.has_errors()),
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
            baseline: baseline.map(|model| blamed(model, Role::Baseline)),
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
            excluded: ExcludedRows::default(),
            keys: KeySample::default(),
        }
    }

    /// The same, before any rows, of a contender: a model that stands in the candidate's place, and whose messages bear
    /// its name.
    #[must_use]
    pub fn of_contender(mut self, name: &str) -> Self {
        let plan = Arc::make_mut(&mut self.plan);
        plan.role = Role::Contender(name.to_owned());
        plan.models[0] = plan.role.clone();
        self
    }

    /// The same, before any rows, in an evaluation of a candidate and of these contenders, which are all measured on one
    /// scan.
    #[must_use]
    pub fn among<'a>(mut self, contenders: impl IntoIterator<Item = &'a str>) -> Self {
        let plan = Arc::make_mut(&mut self.plan);
        let baseline = plan.baseline_digest.as_ref().map(|_| Role::Baseline);
        let contenders = contenders.into_iter().map(|name| Role::Contender(name.to_owned()));
        plan.models = [Role::Candidate].into_iter().chain(baseline).chain(contenders).collect();
        self
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
        let Some(models) = &self.models else {
            return Err(CommonError::Internal("a restored state reads no rows".into()).into());
        };
        let labels = LabelRows::of(models.candidate.as_ref(), batch)?;
        let weight = plan.weight.as_ref().map(|column| weights(batch, column)).transpose()?;
        let outputs = plan.task.outputs();
        let side = |model: &Role| -> Result<Vec<&[f64]>> {
            let what = || format!("{model}'s prediction");
            let columns = scored::predictions(batch, model, outputs)?;
            let columns =
                columns.into_iter().map(|values| scored::finite(values, what)).collect::<Result<Vec<_>>>()?;
            if plan.task != Task::Regression {
                scored::probabilities(&columns, what)?;
            }
            Ok(columns)
        };
        let label_values = scored::finite(&labels.values, || format!("label `{}`", plan.label))?;
        let candidate = side(&plan.role)?;
        let baseline =
            plan.baseline_digest.as_ref().map(|_| side(&Role::Baseline).map_err(blame)).transpose()?;
        let custom = self.custom(batch, label_values, &candidate, baseline.as_deref())?;
        let pair = Pair {
            label: label_values,
            truths: labels.truths(),
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
        } else if mine.candidate_digest != theirs.candidate_digest || mine.role != theirs.role {
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

impl Accumulator for Measures {
    type Output = Measured;

    fn inputs(&self) -> Inputs {
        let plan = &self.plan;
        let mut inputs = Inputs::default();
        for column in &plan.label_columns {
            inputs = inputs.with_column(column);
        }
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
            let role = &plan.role;
            inputs = inputs.with_transform(role.transform(), &blamed(&models.candidate, role.clone()));
            inputs = custom::with_columns(inputs, &models.expressions);
            if let Some(baseline) = &models.baseline {
                inputs = inputs.with_transform(Role::Baseline.transform(), baseline);
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
            excluded: ExcludedRows::default(),
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
            sums,
            rows: self.rows,
            ranked: None,
            excluded: self.excluded.named(&plan.models),
            rows_per_key: self.keys.rows_per_key(),
            plan,
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

/// A model whose errors name its role, unless it is the candidate.
fn blamed(model: &Arc<dyn Predictor>, role: Role) -> Arc<dyn BatchTransform> {
    match role {
        Role::Candidate => Arc::clone(model) as Arc<dyn BatchTransform>,
        Role::Baseline | Role::Contender(_) => Arc::new(Blamed { model: Arc::clone(model), role }),
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
