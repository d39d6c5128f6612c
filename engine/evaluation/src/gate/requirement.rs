//! What a model must meet, as written under `require:`, and the same once checked.
//!
//! | option | range | meaning |
//! |---|---|---|
//! | `metric` | a name of [`crate::metric::Definition::all`] | what is bounded |
//! | `at_most`, `at_least` | finite | bounds of the value, both included |
//! | `block_if_worse` | at least 0 | fail if it is proven that the candidate is worse than the baseline by more than this |
//! | `prove_not_worse` | above 0 | fail unless it is proven that the candidate is not worse by this much or more |
//! | `every` | column or list of columns | for every slice by these columns, instead of overall |

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::group::Grouping;
use sluice_core::options::{OptionsError, Range};

use crate::metric::Metric;

/// One column or several that make a key together: `sex` or `[sex, age_group]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "OneOrMany")]
pub struct Columns(pub Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl From<OneOrMany> for Columns {
    fn from(columns: OneOrMany) -> Self {
        match columns {
            OneOrMany::One(column) => Self(vec![column]),
            OneOrMany::Many(columns) => Self(columns),
        }
    }
}

impl Columns {
    /// The grouping by these columns.
    ///
    /// # Errors
    /// [`OptionsError::Conflict`] when there is no column, an empty name, or one twice.
    pub fn check(&self, option: &str) -> Result<Grouping, OptionsError> {
        let conflict = |problem: String, hint: &str| {
            Err(OptionsError::Conflict { name: option.into(), problem, hint: Some(hint.into()) })
        };
        if self.0.is_empty() || self.0.iter().any(String::is_empty) {
            return conflict("names no column".into(), "leave the slice out; overall is always evaluated");
        }
        for (index, column) in self.0.iter().enumerate() {
            if self.0[..index].contains(column) {
                return conflict(format!("names `{column}` twice"), "name each column once");
            }
        }
        Ok(Grouping::by(&self.0))
    }
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
    /// Block on proof that the candidate is worse by more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_if_worse: Option<f64>,
    /// Pass on proof only that the candidate is not worse by this or more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prove_not_worse: Option<f64>,
    /// For every slice by these columns, instead of overall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Columns>,
}

/// A checked rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    AtMost(f64),
    AtLeast(f64),
    BlockIfWorse(f64),
    ProveNotWorse(f64),
}

/// A checked entry of `require:`.
#[derive(Clone, Debug)]
pub(crate) struct Requirement {
    pub(crate) metric: Arc<Metric>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) grouping: Grouping,
}

impl RequirementOptions {
    /// `place` names the entry in messages, such as `require[1]`.
    pub(crate) fn check(&self, place: &str) -> Result<Requirement, OptionsError> {
        let metric = Metric::find(&self.metric)?;
        let name = |option: &str| format!("{place}.{option}");
        let mut rules = Vec::new();
        if let Some(bound) = self.at_most {
            rules.push(Rule::AtMost(finite(&name("at_most"), bound)?));
        }
        if let Some(bound) = self.at_least {
            rules.push(Rule::AtLeast(finite(&name("at_least"), bound)?));
        }
        if let Some(margin) = self.block_if_worse {
            rules.push(Rule::BlockIfWorse(Range::at_least(0.0).check(&name("block_if_worse"), margin)?));
        }
        if let Some(margin) = self.prove_not_worse {
            rules.push(Rule::ProveNotWorse(Range::above(0.0).check(&name("prove_not_worse"), margin)?));
        }
        let conflict = |problem: String, hint: &str| {
            Err(OptionsError::Conflict { name: place.into(), problem, hint: Some(hint.into()) })
        };
        if rules.is_empty() {
            return conflict(
                format!("bounds `{}` by nothing", metric.name),
                "give at least one of `at_most`, `at_least`, `block_if_worse`, `prove_not_worse`",
            );
        }
        if let (Some(low), Some(high)) = (self.at_least, self.at_most)
            && low > high
        {
            return conflict(
                format!("asks for at least {low} and at most {high}"),
                "no value can be both; exchange the two bounds",
            );
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
        let grouping = match &self.every {
            Some(columns) => columns.check(&name("every"))?,
            None => Grouping::overall(),
        };
        Ok(Requirement { metric, rules, grouping })
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
