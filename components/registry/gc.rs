//! `sluice registry gc`: versions that nothing leads to, and what killed pushers have left.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use sluice_core::Result;
use sluice_delivery::registry::{Collected, GarbageOptions, Registry, models, parse_age};

use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Remove versions that nothing leads to, and what killed pushers have left.
///
/// Kept are the newest versions, those that an alias points at, and those that its rollbacks would lead to.
/// Numbers are never given again. Safe while others push.
#[derive(Debug, Args)]
pub(crate) struct GcArguments {
    /// The registry: a folder, or a URL.
    #[arg(value_name = "REGISTRY")]
    registry: String,
    /// The name of the model; all models unless given.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Keep so many of the newest versions.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    /// Keep, for every alias, the versions that so many rollbacks would lead to.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rollbacks: u32,
    /// Keep what was pushed less long ago: `30d`, `12h`, `90m`, `45s`.
    #[arg(long, value_name = "AGE", default_value = "0s", value_parser = parse_age)]
    older_than: Duration,
    /// Take a push that has written nothing for so long for dead; one that is alive begins again.
    #[arg(long, value_name = "AGE", default_value = "1d", value_parser = parse_age)]
    unfinished_after: Duration,
    /// Remove nothing; say what would go.
    #[arg(long)]
    dry_run: bool,
}

/// What became of a model's versions.
#[derive(Debug, Serialize)]
struct OfModel {
    model: String,
    dry_run: bool,
    #[serde(flatten)]
    collected: Collected,
}

pub(super) fn run(arguments: &GcArguments, session: &Session) -> Result<Answer> {
    let cancel = &session.execution.cancel;
    let names = match &arguments.name {
        Some(name) => vec![name.clone()],
        None => models(&arguments.registry, cancel)?,
    };
    let options = GarbageOptions {
        keep: usize::try_from(arguments.keep).unwrap_or(usize::MAX),
        rollbacks: usize::try_from(arguments.rollbacks).unwrap_or(usize::MAX),
        older_than: arguments.older_than,
        unfinished_after: arguments.unfinished_after,
        dry_run: arguments.dry_run,
    };
    let mut done = Vec::new();
    for name in names {
        cancel.check()?;
        let collected = Registry::open(&arguments.registry, &name, cancel)?.collect_garbage(&options)?;
        done.push(OfModel { model: name, dry_run: options.dry_run, collected });
    }
    session.printer.result(&done, || done.iter().map(text).collect());
    Ok(Answer::new(Exit::Done))
}

fn text(of: &OfModel) -> String {
    let Collected { versions, unfinished, files, kept } = &of.collected;
    let listed = |numbers: &[u64]| match numbers {
        [] => "none".to_owned(),
        numbers => numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    };
    let verb = if of.dry_run { "would remove" } else { "removed" };
    format!(
        "{}: {verb} versions {}, unfinished pushes {}, {files} files; kept versions {}\n",
        of.model,
        listed(versions),
        listed(unfinished),
        listed(kept)
    )
}
