//! What to evaluate, on which slices and against which requirements; as written, and checked.
//!
//! | option | default | range | meaning |
//! |---|---|---|---|
//! | `metrics` | by task | names of [`Definition::all`], with parameters | what is computed and reported |
//! | `slices` | none | [`SliceDefinition`](crate::slice::SliceDefinition)s | computed beside overall |
//! | `require` | none | [`RequirementOptions`] | what the candidate must meet |
//! | `fairness` | none | [`FairnessOptions`] | which groups are held against one another |
//! | `alpha` | 0.05 | above 0, below 0.5 | level of every test and interval |
//! | `weight` | the model's | a column | the weight of the rows |
//! | `missing` | `refuse` | `refuse`, `exclude` | rows without a label, weight or prediction: an error, or left out and counted |
//! | `weak_slices` | none | [`WeakSliceOptions`] | a search for slices on which the candidate is bad |
//! | `block_regressions` | no | | requires that no reported metric is proven worse, overall and in every slice |
//! | `accept_any` | no | with an empty `require` only | lets any model pass: without it, no check is no pass |
//! | `intervals` | `analytic` | [`IntervalOptions`] | where standard errors come from |
//! | `order_statistics` | `exact` | [`OrderStatistics`] | where metrics such as `auc` come from: all rows, or a histogram of scores |
//! | `force` | none | a reason | lets a baseline that cannot be compared not block |

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::error::Result;
use sluice_core::group::Grouping;
use sluice_core::options::{OptionsError, Range};
use sluice_core::plan::Plan;
use sluice_core::seam::Task;

use crate::comparison::{IntervalOptions, Resampling};
use crate::custom::{self, CustomMetric};
use crate::fairness::{CheckedFairness, FairnessOptions};
use crate::gate::{Columns, Requirement, RequirementOptions, finite};
use crate::measure::Missing;
use crate::metric::{Definition, Metric, TaskKind};
use crate::order_statistics::OrderStatistics;
use crate::slice::SlicePlan;
use crate::slice::weak::WeakSliceOptions;

/// Options of an evaluation, unchecked.
///
/// ```
/// let options: sluice_evaluation::EvaluateOptions = serde_json::from_str(
///     r#"{
///         "slices": ["sex", ["sex", "age_group"]],
///         "require": [
///             { "metric": "rmse", "at_most": 60.0 },
///             { "metric": "rmse", "block_if_worse": 0.0, "every": "sex" }
///         ]
///     }"#,
/// )?;
/// assert!(options.check().is_ok());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateOptions {
    /// Names of metrics, with parameters as in `precision(threshold=0.3)`; none: those of the task
    /// ([`Definition::defaults`]). What `require` names is computed in any case.
    pub metrics: Vec<String>,
    /// Metrics of one's own; the section `metrics` of a pipeline file holds them beside the names.
    pub custom: Vec<CustomMetric>,
    /// Slices beside overall, each a column, a list, or a map. What `require` names is added.
    pub slices: Vec<Columns>,
    /// What the candidate must meet.
    pub require: Vec<RequirementOptions>,
    /// Between which groups of rows the rates of a model of two classes are compared.
    pub fairness: Vec<FairnessOptions>,
    /// Whether to block on proof that any reported metric with a better direction is worse than the baseline's, overall
    /// and in every slice; all these tests together keep the level.
    pub block_regressions: bool,
    /// Whether any model passes where nothing is required.
    pub accept_any: bool,
    /// The level of every test, above 0 and below 0.5.
    pub alpha: f64,
    /// Why a baseline that cannot be compared shall not block; recorded in the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force: Option<String>,
    /// The column with the weight of the rows; none: every row counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// What is done with rows in which the label, the weight or a prediction is missing.
    pub missing: Missing,
    /// Also look for slices on which the candidate is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weak_slices: Option<WeakSliceOptions>,
    /// Where standard errors and intervals come from.
    pub intervals: IntervalOptions,
    /// Where metrics that follow from the order of rows, such as `auc`, come from.
    #[serde(skip_serializing_if = "OrderStatistics::is_exact")]
    pub order_statistics: OrderStatistics,
    /// The columns whose values rows of one draw share, where rows are drawn again; none: each row is drawn by itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// A number near the label mean, such as its mean over the train subset. It changes rounding only.
    #[serde(skip)]
    pub label_shift: f64,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self {
            metrics: Vec::new(),
            custom: Vec::new(),
            slices: Vec::new(),
            require: Vec::new(),
            fairness: Vec::new(),
            block_regressions: false,
            accept_any: false,
            alpha: 0.05,
            force: None,
            weight: None,
            missing: Missing::default(),
            weak_slices: None,
            intervals: IntervalOptions::default(),
            order_statistics: OrderStatistics::default(),
            key: Vec::new(),
            label_shift: 0.0,
        }
    }
}

/// Options that are checked.
#[derive(Clone, Debug)]
pub struct CheckedOptions {
    pub(crate) metrics: Vec<Arc<Metric>>,
    pub(crate) groupings: Vec<Grouping>,
    pub(crate) slices: SlicePlan,
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) fairness: Vec<CheckedFairness>,
    pub(crate) block_regressions: bool,
    pub(crate) accept_any: bool,
    pub(crate) alpha: f64,
    pub(crate) force: Option<String>,
    pub(crate) weight: Option<String>,
    pub(crate) missing: Missing,
    pub(crate) intervals: IntervalOptions,
    pub(crate) resampling: Option<Resampling>,
    pub(crate) order_statistics: OrderStatistics,
    /// Ranges of scores, where order statistics are not exact.
    pub(crate) score_bins: Option<usize>,
    pub(crate) key: Vec<String>,
    pub(crate) label_shift: f64,
    /// Whether metrics were named; else those of the task are added.
    is_named: bool,
}

impl EvaluateOptions {
    /// The columns that slices name, those inside expressions left out, and where: under `evaluate` of a pipeline file.
    #[must_use]
    pub fn slice_columns(&self) -> Vec<(&'static str, &str)> {
        let slices = self.slices.iter().map(|columns| ("evaluate.slices", columns));
        let every = self.require.iter().filter_map(|requirement| requirement.every.as_ref());
        let groups = self.fairness.iter().map(|asked| ("evaluate.fairness.by", &asked.by));
        let all = slices.chain(every.map(|columns| ("evaluate.require.every", columns))).chain(groups);
        let names: Vec<&str> = all.clone().flat_map(|(_, columns)| columns.names()).collect();
        let columns =
            all.flat_map(|(place, columns)| columns.columns().into_iter().map(move |it| (place, it)));
        let fixed = self.require.iter().flat_map(|requirement| requirement.only_where.keys());
        let fixed = fixed.map(|column| ("evaluate.require.where", column.as_str()));
        let columns = columns.chain(fixed);
        let weak = self.weak_slices.iter().flat_map(|weak| &weak.columns);
        let weak = weak.map(|column| ("evaluate.weak_slices.columns", column.as_str()));
        columns.filter(|(_, column)| !names.contains(column)).chain(weak).collect()
    }

    /// Whether nothing is required and not any model is accepted: then no model passes.
    #[must_use]
    pub fn lets_nothing_pass(&self) -> bool {
        self.require.is_empty() && !self.block_regressions && !self.accept_any
    }

    /// Checks everything that can be checked without data.
    ///
    /// # Errors
    /// [`OptionsError`] for an unknown metric, a bound that is not finite, an entry of `require` without a bound,
    /// a change rule on a metric without a better direction, an empty slice, an alpha out of range.
    pub fn check(&self) -> Result<CheckedOptions, OptionsError> {
        let alpha = Range::open(0.0, 0.5).check("alpha", self.alpha)?;
        self.check_choices()?;
        let mut metrics: Vec<Arc<Metric>> = Vec::new();
        let mut add_metric = |metric: Arc<Metric>| {
            if !metrics.iter().any(|known| known.name == metric.name) {
                metrics.push(metric);
            }
        };
        for name in &self.metrics {
            add_metric(Metric::find(name)?);
        }
        let own = self.own_metrics()?;
        own.iter().for_each(|metric| add_metric(Arc::clone(metric)));
        let mut slices = SlicePlan::default();
        for (index, columns) in self.slices.iter().enumerate() {
            slices.add(columns, &format!("slices[{index}]"))?;
        }
        let mut requirements = Vec::new();
        for (index, requirement) in self.require.iter().enumerate() {
            let checked = requirement.check(&format!("require[{index}]"), &mut slices, &own)?;
            add_metric(Arc::clone(&checked.metric));
            requirements.push(checked);
        }
        let mut fairness = Vec::new();
        for (index, asked) in self.fairness.iter().enumerate() {
            let place = format!("fairness[{index}]");
            let mut checked = asked.check(&place)?;
            checked.rates.iter().for_each(|(_, metric)| add_metric(Arc::clone(metric)));
            checked.grouping = slices.add(&asked.by, &format!("{place}.by"))?;
            fairness.push(checked);
        }
        self.order_statistics.check_metrics(metrics.iter().map(Arc::as_ref))?;
        let groupings = [Grouping::overall()].into_iter().chain(slices.groupings().iter().cloned()).collect();
        let label_shift = finite("label_shift", self.label_shift)?;
        Ok(CheckedOptions {
            metrics,
            groupings,
            slices,
            requirements,
            fairness,
            block_regressions: self.block_regressions,
            accept_any: self.accept_any,
            alpha,
            force: self.force.clone(),
            weight: self.weight.clone(),
            missing: self.missing,
            intervals: self.intervals,
            resampling: self.intervals.check()?,
            order_statistics: self.order_statistics,
            score_bins: self.order_statistics.check()?,
            key: self.key.clone(),
            label_shift,
            is_named: !(self.metrics.is_empty() && self.custom.is_empty()),
        })
    }

    /// That what is chosen goes together.
    fn check_choices(&self) -> Result<(), OptionsError> {
        if self.force.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
            return Err(OptionsError::Conflict {
                name: "force".into(),
                problem: "gives no reason".into(),
                hint: Some("say why the baseline need not be compared; the verdict records it".into()),
            });
        }
        if self.accept_any && (self.block_regressions || !self.require.is_empty()) {
            let asks = if self.block_regressions { "block_regressions" } else { "require" };
            return Err(OptionsError::Conflict {
                name: "accept_any".into(),
                problem: format!("is set although `{asks}` asks for something"),
                hint: Some("leave out one of them".into()),
            });
        }
        self.weak_slices.as_ref().map_or(Ok(()), WeakSliceOptions::check)
    }

    /// The user's own metrics.
    fn own_metrics(&self) -> Result<Vec<Arc<Metric>>, OptionsError> {
        let mut own: Vec<Arc<Metric>> = Vec::new();
        for custom in &self.custom {
            let metric = custom.check()?;
            if own.iter().any(|known| known.name == metric.name) {
                return Err(OptionsError::Conflict {
                    name: "metrics".into(),
                    problem: format!("define `{}` twice", metric.name),
                    hint: Some("give each metric a name of its own".into()),
                });
            }
            own.push(metric);
        }
        Ok(own)
    }
}

impl CheckedOptions {
    /// The options with the expressions of metrics bound to the columns of the data.
    ///
    /// # Errors
    /// What is not SQL, a column that is not there, an answer that is no number.
    pub(crate) fn bound(mut self, plan: &Plan) -> Result<Self> {
        for metric in &mut self.metrics {
            *metric = custom::bound(metric, plan)?;
        }
        Ok(self)
    }

    /// The options of a task: with its metrics where none are named.
    ///
    /// # Errors
    /// A metric that is for other labels.
    pub(crate) fn for_task(mut self, task: &Task) -> Result<Self, OptionsError> {
        let mut metrics: Vec<Arc<Metric>> = Vec::new();
        for metric in &self.metrics {
            let metric = metric.for_task(task)?;
            // Two names may mean one metric of this task.
            if !metrics.iter().any(|known| known.name == metric.name) {
                metrics.push(metric);
            }
        }
        self.metrics = metrics;
        for requirement in &mut self.requirements {
            requirement.metric = requirement.metric.for_task(task)?;
        }
        if !self.is_named {
            let required = std::mem::take(&mut self.metrics);
            for name in Definition::defaults(TaskKind::of(task)) {
                self.metrics.push(Metric::find(name)?.for_task(task)?);
            }
            for metric in required {
                if !self.metrics.iter().any(|known| known.name == metric.name) {
                    self.metrics.push(metric);
                }
            }
        }
        self.order_statistics.check_use(self.metrics.iter().map(Arc::as_ref))?;
        if self.block_regressions {
            self.require_no_regressions();
        }
        Ok(self)
    }

    /// Adds a rule for every metric with a better direction and every grouping.
    fn require_no_regressions(&mut self) {
        let metrics = self.metrics.iter().filter(|metric| metric.direction.harm(0.0).is_some());
        let family = metrics.clone().count() * self.groupings.len();
        let groupings = &self.groupings;
        let rules: Vec<Requirement> = metrics
            .flat_map(|metric| {
                groupings.iter().map(move |grouping| Requirement::no_regression(metric, grouping, family))
            })
            .collect();
        self.requirements.extend(rules);
    }
}
