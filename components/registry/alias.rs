//! `sluice registry alias` and `rollback`: which version an alias stands for.

use clap::Args;
use sluice_core::Result;
use sluice_delivery::registry::{LATEST_BLESSED, Moved};

use super::{Expected, ModelArguments, parse_expected};
use crate::answer::Answer;
use crate::failure::ArgumentError;
use crate::session::{Exit, Session};

/// Point an alias at a version, or remove it.
///
/// `latest-blessed` is the model in force: it goes only to a version whose verdict says pass, unless
/// `--force` says why, and is never removed. All other names are free.
#[derive(Debug, Args)]
pub(crate) struct AliasArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The alias: letters, digits, `-`, `_` and `.`, with a letter first.
    #[arg(value_name = "ALIAS")]
    alias: String,
    /// The version: its number, or another alias.
    #[arg(value_name = "VERSION", required_unless_present = "remove")]
    version: Option<String>,
    /// Remove the alias.
    #[arg(long, conflicts_with_all = ["version", "force"])]
    remove: bool,
    /// Only if it points at this version now, or at `none`.
    #[arg(long, value_name = "VERSION", value_parser = parse_expected)]
    expect: Option<Expected>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Point `latest-blessed` at a version that did not pass, for this recorded reason.
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
}

/// Take an alias back to the version before; repeated, further back.
///
/// A version that was rolled back is not put in force again by a push of the same model; `sluice registry
/// alias` does.
#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// The alias.
    #[arg(long, value_name = "ALIAS", default_value = LATEST_BLESSED)]
    alias: String,
    /// Only if it points at this version now.
    #[arg(long, value_name = "VERSION", value_parser = parse_expected)]
    expect: Option<Expected>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub(super) fn run(arguments: &AliasArguments, session: &Session) -> Result<Answer> {
    let registry = arguments.model.open(session)?;
    let expected = arguments.expect.map(|Expected(version)| version);
    let (alias, reason) = (&arguments.alias, arguments.reason.as_deref());
    let moved = match (&arguments.version, arguments.remove) {
        (Some(wanted), _) => {
            let version = registry.resolve(wanted)?;
            registry.set_alias(alias, version, expected, reason, arguments.force.as_deref())?
        }
        (None, true) => registry.remove_alias(alias, expected, reason)?,
        // The parser demands one of them.
        (None, false) => return Err(ArgumentError::new("a version is demanded", "give its number").into()),
    };
    told(&moved, session)
}

pub(super) fn roll_back(arguments: &RollbackArguments, session: &Session) -> Result<Answer> {
    let registry = arguments.model.open(session)?;
    let expected = arguments.expect.map(|Expected(version)| version);
    let moved = registry.roll_back(&arguments.alias, expected, arguments.reason.as_deref())?;
    told(&moved, session)
}

fn told(moved: &Moved, session: &Session) -> Result<Answer> {
    session.printer.result(moved, || {
        let Moved { alias, from, to } = moved;
        match (from, to) {
            (Some(from), Some(to)) if from == to => format!("`{alias}` points at version {to} already"),
            (Some(from), Some(to)) => format!("`{alias}` points at version {to}, before at version {from}"),
            (None, Some(to)) => format!("`{alias}` points at version {to}"),
            (_, None) => format!("`{alias}` is removed"),
        }
    });
    Ok(Answer::new(Exit::Done))
}
