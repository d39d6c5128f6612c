//! What a model must meet, as written under `require:`, and the same once checked.
//!
//! | option | range | meaning |
//! |---|---|---|
//! | `metric` | a name of [`crate::metric::Definition::all`] | what is bounded |
//! | `at_most`, `at_least` | finite | bounds of the value, both included |
//! | `change_at_most`, `change_at_least` | finite | bounds of candidate − baseline, both included |
//! | `relative_change_at_most`, `relative_change_at_least` | finite | bounds of (candidate − baseline) / \|baseline\|, both included |
//! | `block_if_worse` | at least 0, or a percentage | fail if it is proven that the candidate is worse than the baseline by more than this |
//! | `prove_not_worse` | above 0, or a percentage | fail unless it is proven that the candidate is not worse by this much or more |
//! | `every` | a slicing, or the name of one | for every slice of it, instead of overall |
//! | `where` | column: value | for the slice of these values |
//! | `minimum_rows` | a count | slices of fewer rows are not judged |
//! | `if_fewer` | `skip`, `fail` | what becomes of them: left out, with a reason that says so, or failed |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::group::Grouping;
use sluice_core::options::{OptionsError, Range};

use super::margin::Margin;
use super::place::{Place, SliceValue};
use super::verdict::RuleName;
use crate::metric::Metric;

pub use crate::slice::Columns;
use crate::slice::SlicePlan;

/// What becomes of slices with fewer rows than a requirement asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IfFewer {
    /// They are not judged; the verdict lists them. Where no slice is left to judge, the model does not pass.
    #[default]
    Skip,
    /// They do not meet the requirement.
    Fail,
}

/// One entry of `require:`, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequirementOptions {
    /// The metric that is bounded.
    pub metric: String,
    /// The value must not be above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// The value must not be below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Candidate − baseline must not be above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_at_most: Option<f64>,
    /// Candidate − baseline must not be below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_at_least: Option<f64>,
    /// (candidate − baseline) / |baseline| must not be above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_change_at_most: Option<f64>,
    /// (candidate − baseline) / |baseline| must not be below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relative_change_at_least: Option<f64>,
    /// Block on proof that the candidate is worse by more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_if_worse: Option<Margin>,
    /// Pass on proof only that the candidate is not worse by this or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prove_not_worse: Option<Margin>,
    /// For every slice of this slicing, instead of overall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Columns>,
    /// For the slice of these values; with `every`, for every slice of it by those columns.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub only_where: BTreeMap<String, SliceValue>,
    /// Slices of fewer rows are not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_rows: Option<u64>,
    /// What becomes of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_fewer: Option<IfFewer>,
}

/// A checked rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rule {
    pub(crate) name: RuleName,
    pub(crate) bound: Margin,
}

/// A checked entry of `require:`.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    pub(crate) metric: Arc<Metric>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) place: Place,
    pub(crate) minimum_rows: u64,
    pub(crate) if_fewer: IfFewer,
    /// How many rules share the level of its tests.
    pub(crate) family: usize,
}

impl Requirement {
    /// That a metric is not worse in the slices of a grouping, as one of so many rules.
    pub(crate) fn no_regression(metric: &Arc<Metric>, grouping: &Grouping, family: usize) -> Self {
        Self {
            metric: Arc::clone(metric),
            rules: vec![Rule { name: RuleName::BlockIfWorse, bound: Margin::Absolute(0.0) }],
            place: Place::of(grouping),
            minimum_rows: 0,
            if_fewer: IfFewer::Skip,
            family,
        }
    }
}

impl RequirementOptions {
    /// `place` names the entry in messages, such as `require[1]`; its slicing is added to `slices`, of which a name in
    /// `every` stands for one. `own` are the user's own metrics.
    pub(crate) fn check(
        &self,
        place: &str,
        slices: &mut SlicePlan,
        own: &[Arc<Metric>],
    ) -> Result<Requirement, OptionsError> {
        let metric = match own.iter().find(|metric| metric.name == self.metric) {
            Some(metric) => Arc::clone(metric),
            None => Metric::find(&self.metric)?,
        };
        let conflict = |problem: String, hint: &str| {
            Err(OptionsError::Conflict { name: place.into(), problem, hint: Some(hint.into()) })
        };
        let rules = self.rules(place)?;
        if rules.is_empty() {
            return conflict(
                format!("bounds `{}` by nothing", metric.name),
                "give at least one of `at_most`, `at_least`, `block_if_worse`, `prove_not_worse`, `change_at_most`, \
                 `change_at_least`, `relative_change_at_most`, `relative_change_at_least`",
            );
        }
        for (low, high, what) in [
            (self.at_least, self.at_most, ""),
            (self.change_at_least, self.change_at_most, "a change of "),
            (self.relative_change_at_least, self.relative_change_at_most, "a relative change of "),
        ] {
            if let (Some(low), Some(high)) = (low, high)
                && low > high
            {
                return conflict(
                    format!("asks for {what}at least {low} and at most {high}"),
                    "no value can be both; exchange the two bounds",
                );
            }
        }
        let compares = self.block_if_worse.is_some() || self.prove_not_worse.is_some();
        if compares && metric.direction.harm(0.0).is_none() {
            return conflict(
                format!(
                    "compares `{}`, of which neither more nor less is better: its difference does not say which model is worse",
                    metric.name
                ),
                "bound it by `at_least` and `at_most`, or compare `rmse` or `mae`",
            );
        }
        if self.if_fewer.is_some() && self.minimum_rows.is_none() {
            return conflict("sets `if_fewer` without `minimum_rows`".into(), "say how many rows are enough");
        }
        Ok(Requirement {
            metric,
            rules,
            place: Place::new(self.every.as_ref(), &self.only_where, place, slices)?,
            minimum_rows: self.minimum_rows.unwrap_or(0),
            if_fewer: self.if_fewer.unwrap_or_default(),
            family: 1,
        })
    }

    /// The rules, in the order in which verdicts list them.
    fn rules(&self, place: &str) -> Result<Vec<Rule>, OptionsError> {
        let mut rules = Vec::new();
        for (name, bound) in [
            (RuleName::AtMost, self.at_most),
            (RuleName::AtLeast, self.at_least),
            (RuleName::ChangeAtMost, self.change_at_most),
            (RuleName::ChangeAtLeast, self.change_at_least),
            (RuleName::RelativeChangeAtMost, self.relative_change_at_most),
            (RuleName::RelativeChangeAtLeast, self.relative_change_at_least),
        ] {
            let Some(bound) = bound else { continue };
            let bound = Margin::Absolute(finite(&format!("{place}.{}", name.option()), bound)?);
            rules.push(Rule { name, bound });
        }
        for (name, margin, range) in [
            (RuleName::BlockIfWorse, self.block_if_worse, Range::at_least(0.0)),
            (RuleName::ProveNotWorse, self.prove_not_worse, Range::above(0.0)),
        ] {
            let Some(margin) = margin else { continue };
            rules.push(Rule { name, bound: margin.check(&format!("{place}.{}", name.option()), range)? });
        }
        Ok(rules)
    }
}

/// The value, if it is neither NaN nor infinite.
pub(crate) fn finite(name: &str, value: f64) -> Result<f64, OptionsError> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(OptionsError::OutOfRange {
        name: name.into(),
        value: value.to_string(),
        range: "a finite number".into(),
    })
}
