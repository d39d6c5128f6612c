//! `sluice registry list`: the models of a registry, or the versions of one.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use clap::Args;
use serde::Serialize;
use sluice_core::Result;
use sluice_delivery::registry::{LATEST_BLESSED, Registry, VersionEntry, VersionRecord, models};
use sluice_report::{Table, timestamp};

use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Digits of a digest that a table shows.
const DIGEST_DIGITS: usize = 12;

/// List the models of a registry, or the versions of one.
///
/// Of each version: the aliases that point at it, its verdict, when it was pushed and by whom or from where,
/// and the beginning of its package's digest. `--json` has all of it.
#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// The registry: a folder, or a URL.
    #[arg(value_name = "REGISTRY")]
    registry: String,
    /// The name of the model; all models unless given.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Open every version: verify its files against their digests, and predict its example rows again.
    #[arg(long, requires = "name")]
    verify: bool,
}

/// A model in a list.
#[derive(Debug, Serialize)]
struct Model {
    model: String,
    versions: usize,
    aliases: BTreeMap<String, u64>,
}

pub(super) fn run(arguments: &ListArguments, session: &Session) -> Result<Answer> {
    let cancel = &session.execution.cancel;
    let Some(name) = &arguments.name else {
        let open = |name: String| {
            let registry = Registry::open(&arguments.registry, &name, cancel)?;
            let (versions, aliases) = (registry.versions()?.len(), registry.history()?.aliases);
            Ok(Model { model: name, versions, aliases })
        };
        let models: Vec<Model> =
            models(&arguments.registry, cancel)?.into_iter().map(open).collect::<Result<_>>()?;
        session.printer.result(&models, || models_table(&models));
        return Ok(Answer::new(Exit::Done));
    };
    let registry = Registry::open(&arguments.registry, name, cancel)?;
    let entries = registry.entries()?;
    if arguments.verify {
        for entry in &entries {
            cancel.check()?;
            registry.package(entry.version)?;
        }
        session.printer.message(&format!("{} versions are what was registered", entries.len()));
    }
    session.printer.result(&entries, || versions_table(&entries));
    Ok(Answer::new(Exit::Done))
}

fn models_table(models: &[Model]) -> String {
    if models.is_empty() {
        return "no model is registered\n".into();
    }
    let mut table = Table::new(&["model", ">versions", ">latest-blessed", "other aliases"]);
    for Model { model, versions, aliases } in models {
        let blessed = aliases.get(LATEST_BLESSED).map_or_else(|| "-".into(), u64::to_string);
        let others = aliases.iter().filter(|(alias, _)| *alias != LATEST_BLESSED);
        let others: Vec<String> = others.map(|(alias, version)| format!("{alias} {version}")).collect();
        table.push([model.clone(), versions.to_string(), blessed, others.join(", ")]);
    }
    table.to_text()
}

fn versions_table(entries: &[VersionEntry]) -> String {
    if entries.is_empty() {
        return "no version is registered\n".into();
    }
    let mut table = Table::new(&[">version", "aliases", "verdict", "pushed", "from", "digest"]);
    for entry in entries {
        let record = entry.record.as_ref();
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".into());
        table.push([
            entry.version.to_string(),
            entry.aliases.join(", "),
            record.map_or_else(|| "-".into(), verdict),
            or_none(record.map(|record| moment(record.pushed_at_seconds))),
            or_none(record.and_then(origin)),
            entry.digest.chars().take(DIGEST_DIGITS).collect(),
        ]);
    }
    table.to_text()
}

/// What a verdict says, in a word or two.
pub(super) fn verdict(record: &VersionRecord) -> String {
    let outcome = record.outcome().unwrap_or("none");
    if record.forced.is_some() { format!("{outcome}, forced") } else { outcome.to_owned() }
}

/// A moment, to the second.
pub(super) fn moment(seconds: u64) -> String {
    let text = timestamp(UNIX_EPOCH + Duration::from_secs(seconds));
    text.split_once('.').map_or(text.clone(), |(second, _)| format!("{second}Z"))
}

/// Who pushed a version, or where it was promoted from.
pub(super) fn origin(record: &VersionRecord) -> Option<String> {
    match &record.promoted_from {
        Some(origin) => Some(format!("{} version {}", origin.registry, origin.version)),
        None => record.pushed_by.clone(),
    }
}
