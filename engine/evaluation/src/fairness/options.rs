//! What is to be fair between which groups, as written and checked.
//!
//! | option | default | range | meaning |
//! |---|---|---|---|
//! | `by` | required | a column or a list | what makes the groups |
//! | `threshold` | 0.5 | 0 to 1 | rows above it are predicted positive |
//! | `reference` | the largest group | a group | what every group is compared with |
//! | `at_most`, `at_least` | none | finite, by name of a disparity | bounds |

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_core::group::Grouping;
use sluice_core::options::{OptionsError, Range};

use super::disparity::MEASURES;
use crate::gate::{Columns, RuleName, finite};
use crate::metric::Metric;

/// The rates of groups that are compared.
const RATES: [&str; 7] = [
    "selection_rate",
    "recall",
    "false_positive_rate",
    "false_negative_rate",
    "precision",
    "false_discovery_rate",
    "false_omission_rate",
];

/// One entry of `fairness:`, unchecked: columns, or columns with more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct FairnessOptions {
    /// What makes the groups.
    pub by: Columns,
    /// Rows whose probability is above it are predicted positive.
    pub threshold: f64,
    /// The group that others are compared with; none: the largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Disparities that must not be above these.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub at_most: BTreeMap<String, f64>,
    /// Disparities that must not be below these.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub at_least: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Columns(Columns),
    Options(Sections),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    by: Columns,
    #[serde(default)]
    threshold: Option<f64>,
    #[serde(default)]
    reference: Option<String>,
    #[serde(default)]
    at_most: BTreeMap<String, f64>,
    #[serde(default)]
    at_least: BTreeMap<String, f64>,
}

impl From<Written> for FairnessOptions {
    fn from(written: Written) -> Self {
        let sections = match written {
            Written::Options(sections) => sections,
            Written::Columns(by) => Sections {
                by,
                threshold: None,
                reference: None,
                at_most: BTreeMap::new(),
                at_least: BTreeMap::new(),
            },
        };
        let Sections { by, threshold, reference, at_most, at_least } = sections;
        Self { by, threshold: threshold.unwrap_or(0.5), reference, at_most, at_least }
    }
}

/// A checked entry of `fairness:`.
#[derive(Clone, Debug)]
pub(crate) struct CheckedFairness {
    pub(crate) grouping: Grouping,
    pub(crate) threshold: f64,
    pub(crate) reference: Option<String>,
    pub(crate) rates: Vec<(&'static str, Arc<Metric>)>,
    at_most: BTreeMap<String, f64>,
    at_least: BTreeMap<String, f64>,
}

impl FairnessOptions {
    /// `place` names the entry in messages, such as `fairness[0]`.
    pub(crate) fn check(&self, place: &str) -> Result<CheckedFairness, OptionsError> {
        let threshold = Range::closed(0.0, 1.0).check(&format!("{place}.threshold"), self.threshold)?;
        let grouping = self.by.check(&format!("{place}.by"))?;
        for (option, bounds) in [("at_most", &self.at_most), ("at_least", &self.at_least)] {
            for (name, bound) in bounds {
                if MEASURES.iter().all(|measure| measure.name != name.as_str()) {
                    return Err(OptionsError::NoSuchChoice {
                        name: format!("{place}.{option}"),
                        value: name.clone(),
                        choices: MEASURES.iter().map(|measure| measure.name.into()).collect(),
                    });
                }
                finite(&format!("{place}.{option}.{name}"), *bound)?;
            }
        }
        let rate = |name: &'static str| {
            Metric::find(&format!("{name}(threshold={threshold})")).map(|metric| (name, metric))
        };
        Ok(CheckedFairness {
            grouping,
            threshold,
            reference: self.reference.clone(),
            rates: RATES.into_iter().map(rate).collect::<Result<_, _>>()?,
            at_most: self.at_most.clone(),
            at_least: self.at_least.clone(),
        })
    }
}

impl CheckedFairness {
    /// What is bounded by what.
    pub(crate) fn bounds(&self) -> impl Iterator<Item = (RuleName, &str, f64)> {
        let most = self.at_most.iter().map(|(name, bound)| (RuleName::AtMost, name.as_str(), *bound));
        let least = self.at_least.iter().map(|(name, bound)| (RuleName::AtLeast, name.as_str(), *bound));
        most.chain(least)
    }
}
