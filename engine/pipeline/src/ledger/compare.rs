//! Two runs side by side: what differs in parameters, metrics and artifacts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::entry::Properties;
use super::read::{RunDetail, RunSummary};

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunComparison {
    /// The first.
    pub first: RunSummary,
    /// The second.
    pub second: RunSummary,
    /// The parameters that differ, by `STEP.NAME`.
    pub parameters: Vec<Difference>,
    /// Of what was recorded of the runs themselves what differs: engine, host, pipeline file, verdict.
    pub properties: Vec<Difference>,
    /// Every overall metric that either has.
    pub metrics: Vec<MetricDifference>,
    /// What each step made.
    pub artifacts: Vec<ArtifactDifference>,
}

/// A value that differs; none where a run has none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// In the first run.
    pub first: Option<Value>,
    /// In the second.
    pub second: Option<Value>,
}

/// A metric in two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricDifference {
    /// Its name.
    pub metric: String,
    /// In the first run.
    pub first: Option<f64>,
    /// In the second.
    pub second: Option<f64>,
    /// Second less first.
    pub difference: Option<f64>,
}

/// What a step has made in two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArtifactDifference {
    /// The step.
    pub step: String,
    /// What it is to the step.
    pub channel: String,
    /// Whether both have the same bytes.
    pub same: bool,
    /// The digest in the first run.
    pub first: Option<String>,
    /// The digest in the second.
    pub second: Option<String>,
}

/// What is other in every run, or stands elsewhere in the comparison.
const OF_ONE_RUN: [&str; 4] = ["folder", "steps_ran", "steps_cached", "uuid"];

/// Puts two runs side by side.
#[must_use]
pub fn compare(first: &RunDetail, second: &RunDetail) -> RunComparison {
    let of_run = |run: &RunDetail| -> Properties {
        let kept = run.summary.properties.iter().filter(|(name, _)| !OF_ONE_RUN.contains(&name.as_str()));
        kept.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    RunComparison {
        parameters: differences(&parameters(first), &parameters(second)),
        properties: differences(&of_run(first), &of_run(second)),
        metrics: metrics(first, second),
        artifacts: artifacts(first, second),
        first: first.summary.clone(),
        second: second.summary.clone(),
    }
}

fn parameters(run: &RunDetail) -> Properties {
    let of_step = |step: &super::read::StepSummary| {
        let name = step.step.clone();
        let named = step.parameters.iter().map(move |(key, value)| (format!("{name}.{key}"), value.clone()));
        named.collect::<Vec<_>>()
    };
    run.steps.iter().flat_map(of_step).collect()
}

fn differences(first: &Properties, second: &Properties) -> Vec<Difference> {
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let differs = |name: &&String| first.get(*name) != second.get(*name);
    names
        .into_iter()
        .filter(differs)
        .map(|name| Difference {
            name: name.clone(),
            first: first.get(name).cloned(),
            second: second.get(name).cloned(),
        })
        .collect()
}

fn metrics(first: &RunDetail, second: &RunDetail) -> Vec<MetricDifference> {
    let of = |run: &RunDetail| -> BTreeMap<String, f64> {
        run.metrics().filter_map(|(name, value)| Some((name.to_owned(), value.as_f64()?))).collect()
    };
    let (first, second) = (of(first), of(second));
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    names
        .into_iter()
        .map(|name| {
            let (first, second) = (first.get(name).copied(), second.get(name).copied());
            let difference = first.zip(second).map(|(first, second)| second - first);
            MetricDifference { metric: name.clone(), first, second, difference }
        })
        .collect()
}

fn artifacts(first: &RunDetail, second: &RunDetail) -> Vec<ArtifactDifference> {
    let of = |run: &RunDetail| -> Vec<((String, String), String)> {
        let outputs = run
            .steps
            .iter()
            .flat_map(|step| step.outputs.iter().map(move |output| (step.step.clone(), output)));
        outputs.map(|(step, output)| ((step, output.channel.clone()), output.digest.clone())).collect()
    };
    let (first, second) = (of(first), of(second));
    let mut names: Vec<(String, String)> = Vec::new();
    for (name, _) in first.iter().chain(&second) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let find = |outputs: &[((String, String), String)], name: &(String, String)| {
        outputs.iter().find(|(found, _)| found == name).map(|(_, digest)| digest.clone())
    };
    names
        .into_iter()
        .map(|name| {
            let (first, second) = (find(&first, &name), find(&second, &name));
            let same = first.is_some() && first == second;
            ArtifactDifference { step: name.0, channel: name.1, same, first, second }
        })
        .collect()
}
