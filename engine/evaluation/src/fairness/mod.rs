//! Fairness: how far the rates of groups of rows lie apart, and bounds of that.
//!
//! Differences are largest minus smallest, ratios smallest by largest, over the groups of a slicing, as Fairlearn's
//! `between_groups` has them; and every group against a reference group, as Aequitas has them. The groups have no row
//! in common, so that variances add: of rates for a difference, of their logarithms for a ratio.

mod disparity;
mod options;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::error::Result;
use sluice_core::group::GroupTables;

use crate::error::EvaluationError;
use crate::evaluate::ordered_keys;
use crate::gate::{Outcome, Reason, RuleName, Verdict, figure};
use crate::measure::{Measured, MeasuredSlice};
use crate::metric::Side;

use disparity::{GroupRate, MEASURES, Measure};
pub(crate) use options::CheckedFairness;
pub use options::FairnessOptions;

/// How far the groups of one slicing lie apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// The columns that make the groups.
    pub by: Vec<String>,
    /// Rows whose probability is above it are predicted positive.
    pub threshold: f64,
    /// The group that others are compared with: the one asked for, or the largest.
    pub reference: String,
    /// The candidate's.
    pub candidate: Disparities,
    /// The baseline's, if there is one to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Disparities>,
    /// Those of contenders, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contenders: BTreeMap<String, Disparities>,
}

/// The disparities of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disparities {
    /// By name, such as `demographic_parity_difference`.
    pub measures: BTreeMap<String, Disparity>,
    /// By group and metric: how far from the reference.
    pub groups: BTreeMap<String, BTreeMap<String, Distance>>,
}

/// A disparity between the groups that lie furthest apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Disparity {
    /// Its value; none where a rate does not exist in some group.
    pub value: Option<f64>,
    /// Its interval at level 1 − alpha, for these two groups.
    pub interval: Option<[f64; 2]>,
    /// The rate that decides.
    pub metric: Option<String>,
    /// The group of the largest rate.
    pub highest: Option<String>,
    /// The group of the smallest.
    pub lowest: Option<String>,
    /// Why something is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// How far a rate of a group is from that of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// The group's minus the reference's.
    pub difference: Option<f64>,
    /// Its interval at level 1 − alpha.
    pub difference_interval: Option<[f64; 2]>,
    /// The group's by the reference's.
    pub ratio: Option<f64>,
    /// Its interval at level 1 − alpha.
    pub ratio_interval: Option<[f64; 2]>,
}

/// A group and its rows.
struct Group<'a> {
    name: String,
    slice: MeasuredSlice<'a>,
}

/// How far groups lie apart, for every slicing that is asked for; of contenders with their names.
///
/// # Errors
/// A reference that is no group.
pub(crate) fn assess(
    measured: &Measured,
    contenders: &[(&str, &Measured)],
    tables: &GroupTables,
    asked: &[CheckedFairness],
    alpha: f64,
) -> Result<Vec<Fairness>> {
    let of_all = |fairness| {
        let mut found = of_slicing(measured, tables, fairness, alpha)?;
        for (name, measured) in contenders {
            let of_contender = of_slicing(measured, tables, fairness, alpha)?;
            found.contenders.insert((*name).to_owned(), of_contender.candidate);
        }
        Ok(found)
    };
    asked.iter().map(of_all).collect()
}

fn of_slicing(
    measured: &Measured,
    tables: &GroupTables,
    asked: &CheckedFairness,
    alpha: f64,
) -> Result<Fairness> {
    let place = measured.groupings().iter().position(|grouping| *grouping == asked.grouping).unwrap_or(0);
    let mut groups = Vec::new();
    for (number, key) in ordered_keys(tables, &asked.grouping, measured.names())? {
        let Some(slice) = measured.slice(place, number).filter(|slice| slice.rows() > 0) else { continue };
        groups.push(Group { name: key.to_string(), slice });
    }
    let reference = reference(&groups, asked)?;
    let of = |side: Side| disparities(&groups, reference, asked, side, alpha);
    Ok(Fairness {
        by: asked.grouping.columns.clone(),
        threshold: asked.threshold,
        reference: groups.get(reference).map(|group| group.name.clone()).unwrap_or_default(),
        candidate: of(Side::Candidate),
        baseline: measured.is_paired().then(|| of(Side::Baseline)),
        contenders: BTreeMap::new(),
    })
}

/// The place of the group that others are compared with; of equally large ones the first.
fn reference(groups: &[Group<'_>], asked: &CheckedFairness) -> Result<usize> {
    if let Some(wanted) = &asked.reference {
        let is_it = |group: &Group<'_>| match asked.grouping.columns.as_slice() {
            [column] => group.name == *wanted || group.name == format!("{column}={wanted}"),
            _ => group.name == *wanted,
        };
        return groups.iter().position(is_it).ok_or_else(|| {
            let groups = groups.iter().map(|group| group.name.clone()).collect();
            EvaluationError::ReferenceMissing { reference: wanted.clone(), groups }.into()
        });
    }
    let size = |group: &Group<'_>| group.slice.weight().unwrap_or(group.slice.rows() as f64);
    let larger =
        |best: usize, place: usize| if size(&groups[place]) > size(&groups[best]) { place } else { best };
    Ok((1..groups.len()).fold(0, larger))
}

fn disparities(
    groups: &[Group<'_>],
    reference: usize,
    asked: &CheckedFairness,
    side: Side,
    alpha: f64,
) -> Disparities {
    let rates: BTreeMap<&str, Vec<GroupRate<'_>>> = asked
        .rates
        .iter()
        .map(|(name, metric)| {
            let of = |group| GroupRate::of(group, metric, side);
            (*name, groups.iter().map(of).collect())
        })
        .collect();
    let measure = |measure: &Measure| (measure.name.to_owned(), measure.between(&rates, alpha));
    let distances = |place: usize| -> BTreeMap<String, Distance> {
        let of = |(name, rates): (&&str, &Vec<GroupRate<'_>>)| {
            ((*name).to_owned(), rates[place].distance(&rates[reference], alpha))
        };
        rates.iter().map(of).collect()
    };
    let others = (0..groups.len()).filter(|place| *place != reference);
    Disparities {
        measures: MEASURES.iter().map(measure).collect(),
        groups: others.map(|place| (groups[place].name.clone(), distances(place))).collect(),
    }
}

/// A verdict with the bounds of fairness, which are requirements as others are.
pub(crate) fn judged(mut verdict: Verdict, asked: &[CheckedFairness], found: &[Fairness]) -> Verdict {
    let mut reasons = Vec::new();
    for (asked, found) in asked.iter().zip(found) {
        for (rule, name, bound) in asked.bounds() {
            reasons.push(reason(rule, name, bound, found, verdict.rows));
        }
    }
    if !reasons.is_empty() {
        // Bounds of fairness are checks.
        let is_moot = |rule| matches!(rule, RuleName::NoRequirement | RuleName::NothingChecked);
        verdict.reasons.retain(|reason| !is_moot(reason.rule));
        verdict.reasons.extend(reasons);
        let is_met = verdict.reasons.iter().all(|reason| reason.passed);
        verdict.outcome = if is_met { Outcome::Pass } else { Outcome::Fail };
    }
    verdict
}

fn reason(rule: RuleName, name: &str, bound: f64, found: &Fairness, rows: u64) -> Reason {
    let by = found.by.join(", ");
    let none = Disparity::default();
    let disparity = found.candidate.measures.get(name).unwrap_or(&none);
    let is_upper = rule == RuleName::AtMost;
    let (passed, text) = match disparity.value {
        None => {
            let note = disparity.note.as_deref().unwrap_or("it was not computed");
            let bound = figure(bound);
            (false, format!("`{name}` by {by} does not exist ({note}), so its bound of {bound} is not met"))
        }
        Some(value) => {
            let passed = if is_upper { value <= bound } else { value >= bound };
            let relation = match (is_upper, passed) {
                (true, true) => "within the bound of at most",
                (true, false) => "above the bound of",
                (false, true) => "within the bound of at least",
                (false, false) => "below the bound of",
            };
            let between = match (&disparity.metric, &disparity.highest, &disparity.lowest) {
                (Some(metric), Some(highest), Some(lowest)) => {
                    format!(" (`{metric}` is highest in {highest}, lowest in {lowest})")
                }
                _ => String::new(),
            };
            let (value, bound) = (figure(value), figure(bound));
            (passed, format!("`{name}` by {by} is {value}{between}, {relation} {bound}"))
        }
    };
    let mut reason = Reason::about(rule, rows, passed, text);
    reason.metric = Some(format!("{name}(by={by})"));
    reason.bound = Some(bound);
    reason.checked = disparity.value.is_some();
    reason.candidate = disparity.value;
    reason.interval = disparity.interval;
    let baseline = found.baseline.as_ref().and_then(|baseline| baseline.measures.get(name));
    reason.baseline = baseline.and_then(|baseline| baseline.value);
    reason
}

#[cfg(test)]
mod tests;
