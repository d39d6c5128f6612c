//! Which arguments are places, and what is done with a URL there.

use std::any::TypeId;
use std::path::PathBuf;

use clap::Command;

use crate::pipeline_argument::PipelineArgument;

/// What an argument names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file or a folder that is read: fetched before.
    Input,
    /// A file or a folder that is written: sent afterwards.
    Output,
    /// A file or a folder that is read if it is there, and written.
    Both,
    /// Rows: a data set is fetched, files are read where they are.
    Data,
    /// A file or a folder that is read, under a name: `NAME=INPUT`; fetched before.
    NamedInput,
    /// Read where it is, under a name: `NAME=INPUT`.
    NamedData,
    /// A pipeline file, which is read where it is; what it names is fetched when it is read.
    Pipeline,
    /// A registry, which is used where it is.
    Registry,
    /// Must be on this machine.
    Local,
}

/// Command, argument, place. A command without a task has the arguments of its usual task too.
pub(super) const PLACES: &[(&str, &str, Place)] = &[
    ("run", "pipeline", Place::Pipeline),
    ("run", "out", Place::Local),
    ("run", "prometheus", Place::Both),
    ("runs list", "out", Place::Local),
    ("runs show", "out", Place::Local),
    ("runs compare", "out", Place::Local),
    ("runs lineage", "out", Place::Local),
    ("check", "file", Place::Pipeline),
    ("ingest", "input", Place::Data),
    ("ingest", "inputs", Place::NamedData),
    ("ingest", "schema", Place::Input),
    ("ingest", "out", Place::Output),
    ("statistics", "input", Place::Data),
    ("statistics", "schema", Place::Input),
    ("statistics", "keep_state", Place::Both),
    ("statistics", "out", Place::Output),
    ("statistics", "tfx_statistics", Place::Output),
    ("statistics merge", "states", Place::Input),
    ("statistics merge", "keep_state", Place::Output),
    ("statistics merge", "out", Place::Output),
    ("schema", "statistics", Place::Input),
    ("schema", "out", Place::Output),
    ("schema infer", "statistics", Place::Input),
    ("schema infer", "out", Place::Output),
    ("schema diff", "old", Place::Input),
    ("schema diff", "new", Place::Input),
    ("schema update", "schema", Place::Input),
    ("schema update", "findings", Place::Input),
    ("schema update", "statistics", Place::Input),
    ("schema update", "out", Place::Output),
    ("schema check", "schema", Place::Input),
    ("schema import", "file", Place::Input),
    ("schema import", "out", Place::Output),
    ("validate", "statistics", Place::Input),
    ("validate", "schema", Place::Input),
    ("validate", "previous", Place::Input),
    ("validate", "previous_version", Place::Input),
    ("validate", "serving", Place::Input),
    ("validate", "rules", Place::Input),
    ("validate", "data", Place::Data),
    ("validate", "junit", Place::Output),
    ("validate", "tfx_anomalies", Place::Output),
    ("validate", "keep_statistics", Place::Output),
    ("validate", "out", Place::Output),
    ("transform", "dataset", Place::Input),
    ("transform", "pipeline", Place::Pipeline),
    ("transform", "go_on", Place::Input),
    ("transform", "keep_state", Place::Both),
    ("transform", "out", Place::Output),
    ("transform fit", "dataset", Place::Input),
    ("transform fit", "pipeline", Place::Pipeline),
    ("transform fit", "go_on", Place::Input),
    ("transform fit", "keep_state", Place::Both),
    ("transform fit", "out", Place::Output),
    ("transform apply", "transform", Place::Input),
    ("transform apply", "input", Place::Data),
    ("transform apply", "out", Place::Output),
    ("transform plan", "dataset", Place::Input),
    ("transform plan", "pipeline", Place::Pipeline),
    ("transform suggest", "statistics", Place::Input),
    ("transform suggest", "schema", Place::Input),
    ("transform suggest", "pipeline", Place::Pipeline),
    ("transform suggest", "out", Place::Output),
    ("transform merge", "states", Place::Input),
    ("transform merge", "out", Place::Output),
    ("train", "dataset", Place::Input),
    ("train", "transform", Place::Input),
    ("train", "pipeline", Place::Pipeline),
    ("train", "warm_start", Place::Input),
    ("train", "keep_state", Place::Both),
    ("train", "report", Place::Output),
    ("train", "out", Place::Output),
    ("train merge", "states", Place::Input),
    ("train merge", "out", Place::Output),
    ("evaluate", "input", Place::Data),
    ("evaluate", "model", Place::Input),
    ("evaluate", "baseline", Place::Input),
    ("evaluate", "contender", Place::NamedInput),
    ("evaluate", "registry", Place::Registry),
    ("evaluate", "pipeline", Place::Pipeline),
    ("evaluate", "eval_config", Place::Input),
    ("evaluate", "against", Place::Both),
    ("evaluate", "junit", Place::Output),
    ("evaluate", "markdown", Place::Output),
    ("evaluate", "report", Place::Output),
    ("evaluate", "tfx_blessing", Place::Output),
    ("evaluate", "out", Place::Output),
    ("evaluate merge", "states", Place::Input),
    ("evaluate merge", "junit", Place::Output),
    ("evaluate merge", "markdown", Place::Output),
    ("evaluate merge", "report", Place::Output),
    ("evaluate merge", "tfx_blessing", Place::Output),
    ("evaluate merge", "out", Place::Output),
    ("push", "model", Place::Input),
    ("push", "evaluation", Place::Input),
    ("push", "tfx_blessing", Place::Input),
    ("push", "registry", Place::Registry),
    ("predict", "model", Place::Input),
    ("predict", "input", Place::Data),
    ("predict", "out", Place::Output),
    ("calibrate", "model", Place::Input),
    ("calibrate", "input", Place::Data),
    ("calibrate", "out", Place::Output),
    ("drift", "current", Place::Data),
    ("drift", "against", Place::Data),
    ("drift", "settings", Place::Input),
    ("drift", "junit", Place::Output),
    ("drift", "out", Place::Output),
    ("drift calibrate", "batches", Place::Data),
    ("drift calibrate", "against", Place::Data),
    ("drift calibrate", "settings", Place::Input),
    ("drift calibrate", "schema", Place::Input),
    ("drift calibrate", "schema_out", Place::Output),
    ("drift calibrate", "out", Place::Output),
    ("drift timeline", "batches", Place::Data),
    ("drift timeline", "against", Place::Data),
    ("drift timeline", "settings", Place::Input),
    ("drift timeline", "out", Place::Output),
    ("skew", "current", Place::Data),
    ("skew", "against", Place::Data),
    ("skew", "settings", Place::Input),
    ("skew", "junit", Place::Output),
    ("skew", "out", Place::Output),
    ("should-retrain", "drift", Place::Input),
    ("should-retrain", "prediction_drift", Place::Input),
    ("should-retrain", "evaluation", Place::Input),
    ("should-retrain", "registry", Place::Registry),
    ("should-retrain", "ledger", Place::Local),
    ("should-retrain", "markdown", Place::Output),
    ("should-retrain", "out", Place::Output),
    ("explain", "model", Place::Input),
    ("explain", "input", Place::Data),
    ("explain", "out", Place::Output),
    ("find-weak-slices", "model", Place::Input),
    ("find-weak-slices", "input", Place::Data),
    ("find-weak-slices", "out", Place::Output),
    ("components", "out", Place::Output),
    ("datasets taxi", "out", Place::Output),
];

/// Command, its output, and the flag with which files beside it outlive the command, so that it must be a path.
pub(super) const BESIDE: &[(&str, &str, &str)] = &[("predict", "out", "resume")];

/// What an argument of a command names, if it is a place.
pub(super) fn place(command: &str, argument: &str) -> Option<Place> {
    let row = PLACES.iter().find(|(owner, name, _)| *owner == command && *name == argument);
    row.map(|(_, _, place)| *place)
}

/// What is wrong with the table: paths that are not in it, and rows that are no argument. A debug build looks whenever a
/// URL is given, as the command line checks itself there.
pub(super) fn problems(command: &Command) -> Vec<String> {
    let mut found = Vec::new();
    arguments(command, "", &mut found);
    let is_listed =
        |owner: &str, id: &str| PLACES.iter().filter(|row| (row.0, row.1) == (owner, id)).count() == 1;
    let unlisted = found.iter().filter(|(owner, id, is_place)| *is_place && !is_listed(owner, id));
    let is_known =
        |owner: &str, id: &str| found.iter().any(|known| (known.0.as_str(), known.1.as_str()) == (owner, id));
    let beside = BESIDE.iter().flat_map(|(owner, output, flag)| [(*owner, *output), (*owner, *flag)]);
    let rows = PLACES.iter().map(|(owner, id, _)| (*owner, *id)).chain(beside);
    unlisted
        .map(|(owner, id, _)| format!("`{id}` of `{owner}` is not listed, or twice"))
        .chain(
            rows.filter(|(owner, id)| !is_known(owner, id))
                .map(|(owner, id)| format!("`{owner}` has no `{id}`")),
        )
        .collect()
}

/// Every argument of every command, and whether its type says that it is a place.
fn arguments(command: &Command, path: &str, found: &mut Vec<(String, String, bool)>) {
    for argument in command.get_arguments() {
        let held = argument.get_value_parser().type_id();
        let is_place = held == TypeId::of::<PathBuf>() || held == TypeId::of::<PipelineArgument>();
        found.push((path.to_owned(), argument.get_id().to_string(), is_place));
    }
    for task in command.get_subcommands() {
        let path = format!("{path} {}", task.get_name());
        arguments(task, path.trim_start(), found);
    }
}
