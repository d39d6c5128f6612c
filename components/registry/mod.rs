//! `sluice registry`: what is registered, which version is in force, and how it came there.

mod alias;
mod gc;
mod list;
mod promote;
mod show;

use clap::{Args, Subcommand};
use sluice_core::Result;
use sluice_delivery::Registry;

use crate::answer::Answer;
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  sluice registry list registry                                      (the models)
  sluice registry list s3://models/staging tips                      (the versions of one)
  sluice registry show registry tips latest-blessed --verify
  sluice registry alias registry tips shadow 4 --expect 3
  sluice registry rollback registry tips --reason 'late trips are wrong'
  sluice registry promote s3://models/staging s3://models/production tips --alias live
  sluice registry gc registry --keep 10 --older-than 30d --dry-run

A registry is a folder or a URL (s3://, gs://, az://); `sluice push` and `sluice run` write versions into it.";

/// List the versions of a registry, move aliases, roll back, promote, collect garbage.
///
/// Every change is one write of NAME/aliases.json that fails when somebody else was faster, and is then tried
/// again; each move of an alias is noted with who made it, when and why.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RegistryArguments {
    #[command(subcommand)]
    task: Task,
}

/// What to do with a registry.
#[derive(Debug, Subcommand)]
enum Task {
    List(list::ListArguments),
    Show(show::ShowArguments),
    Alias(alias::AliasArguments),
    Rollback(alias::RollbackArguments),
    Promote(promote::PromoteArguments),
    Gc(gc::GcArguments),
}

/// A model in a registry.
#[derive(Debug, Args)]
struct ModelArguments {
    /// The registry: a folder, or a URL.
    #[arg(value_name = "REGISTRY")]
    registry: String,
    /// The name of the model.
    #[arg(value_name = "NAME")]
    name: String,
}

impl ModelArguments {
    fn open(&self, session: &Session) -> Result<Registry> {
        Registry::open(&self.registry, &self.name, &session.execution.cancel)
    }
}

/// Where an alias is thought to point, for `--expect`.
fn parse_expected(text: &str) -> Result<Expected, String> {
    match text {
        "none" => Ok(Expected(None)),
        _ => text
            .parse()
            .map(|version| Expected(Some(version)))
            .map_err(|_| "give the number of a version, or `none` for an alias that is not there".to_owned()),
    }
}

/// A version, or none.
#[derive(Clone, Copy, Debug)]
struct Expected(Option<u64>);

pub(crate) fn run(arguments: &RegistryArguments, session: &Session) -> Result<Answer> {
    match &arguments.task {
        Task::List(arguments) => list::run(arguments, session),
        Task::Show(arguments) => show::run(arguments, session),
        Task::Alias(arguments) => alias::run(arguments, session),
        Task::Rollback(arguments) => alias::roll_back(arguments, session),
        Task::Promote(arguments) => promote::run(arguments, session),
        Task::Gc(arguments) => gc::run(arguments, session),
    }
}
