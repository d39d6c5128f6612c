//! What to evaluate, on which slices and against which requirements; as written, and checked.
//!
//! | option | default | range | meaning |
//! |---|---|---|---|
//! | `metrics` | by task | names of [`Definition::all`], with parameters | what is computed and reported |
//! | `slices` | none | columns, or lists of columns | computed beside overall |
//! | `require` | none | [`RequirementOptions`] | what the candidate must meet |
//! | `alpha` | 0.05 | above 0, below 0.5 | level of every test and interval |
//! | `weight` | the model's | a column | the weight of the rows |
//! | `intervals` | `analytic` | [`IntervalOptions`] | where standard errors come from |
//! | `force` | none | a reason | lets a baseline that cannot be compared not block |

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::group::Grouping;
use sluice_core::options::{OptionsError, Range};
use sluice_core::seam::Task;

use crate::comparison::{IntervalOptions, Resampling};
use crate::gate::{Columns, Requirement, RequirementOptions, finite};
use crate::metric::{Definition, Metric, TaskKind};

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
    /// Slices beside overall, each a column or a list of columns. What `require` names is added.
    pub slices: Vec<Columns>,
    /// What the candidate must meet.
    pub require: Vec<RequirementOptions>,
    /// The level of every test, above 0 and below 0.5.
    pub alpha: f64,
    /// Why a baseline that cannot be compared shall not block; recorded in the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force: Option<String>,
    /// The column with the weight of the rows; none: every row counts once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// Where standard errors and intervals come from.
    pub intervals: IntervalOptions,
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
            slices: Vec::new(),
            require: Vec::new(),
            alpha: 0.05,
            force: None,
            weight: None,
            intervals: IntervalOptions::default(),
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
    pub(crate) requirements: Vec<Requirement>,
    pub(crate) alpha: f64,
    pub(crate) force: Option<String>,
    pub(crate) weight: Option<String>,
    pub(crate) intervals: IntervalOptions,
    pub(crate) resampling: Option<Resampling>,
    pub(crate) key: Vec<String>,
    pub(crate) label_shift: f64,
    /// Whether metrics were named; else those of the task are added.
    is_named: bool,
}

impl EvaluateOptions {
    /// Checks everything that can be checked without data.
    ///
    /// # Errors
    /// [`OptionsError`] for an unknown metric, a bound that is not finite, an entry of `require` without a bound,
    /// a change rule on a metric without a better direction, an empty slice, an alpha out of range.
    pub fn check(&self) -> Result<CheckedOptions, OptionsError> {
        let alpha = Range::open(0.0, 0.5).check("alpha", self.alpha)?;
        if self.force.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
            return Err(OptionsError::Conflict {
                name: "force".into(),
                problem: "gives no reason".into(),
                hint: Some("say why the baseline need not be compared; the verdict records it".into()),
            });
        }
        let mut metrics: Vec<Arc<Metric>> = Vec::new();
        let mut add_metric = |metric: Arc<Metric>| {
            if !metrics.iter().any(|known| known.name == metric.name) {
                metrics.push(metric);
            }
        };
        for name in &self.metrics {
            add_metric(Metric::find(name)?);
        }
        let mut groupings = vec![Grouping::overall()];
        let mut add_grouping = |grouping: Grouping| {
            if !groupings.contains(&grouping) {
                groupings.push(grouping);
            }
        };
        for (index, columns) in self.slices.iter().enumerate() {
            add_grouping(columns.check(&format!("slices[{index}]"))?);
        }
        let mut requirements = Vec::new();
        for (index, requirement) in self.require.iter().enumerate() {
            let requirement = requirement.check(&format!("require[{index}]"))?;
            add_metric(Arc::clone(&requirement.metric));
            add_grouping(requirement.grouping.clone());
            requirements.push(requirement);
        }
        let label_shift = finite("label_shift", self.label_shift)?;
        Ok(CheckedOptions {
            metrics,
            groupings,
            requirements,
            alpha,
            force: self.force.clone(),
            weight: self.weight.clone(),
            intervals: self.intervals,
            resampling: self.intervals.check()?,
            key: self.key.clone(),
            label_shift,
            is_named: !self.metrics.is_empty(),
        })
    }
}

impl CheckedOptions {
    /// The options of a task: with its metrics where none are named.
    ///
    /// # Errors
    /// A metric that is for other labels.
    pub(crate) fn for_task(mut self, task: &Task) -> Result<Self, OptionsError> {
        for metric in &mut self.metrics {
            *metric = metric.for_task(task)?;
        }
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
        Ok(self)
    }
}
