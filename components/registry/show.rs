//! `sluice registry show`: all that is known of a version, or where the aliases of a model went.

use clap::Args;
use serde::Serialize;
use sluice_core::Result;
use sluice_delivery::registry::{AliasMove, History, VersionEntry};
use sluice_report::Table;

use super::ModelArguments;
use super::list::{moment, origin, verdict};
use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Show all that is known of a version, or where the aliases of a model point and how they came there.
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    model: ModelArguments,
    /// A version's number or an alias; the aliases and their history unless given.
    #[arg(value_name = "VERSION")]
    version: Option<String>,
    /// Open the version: verify its files against their digests, and predict its example rows again.
    #[arg(long, requires = "version")]
    verify: bool,
}

/// A version, and the moves of aliases to it or away from it.
#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    entry: VersionEntry,
    moves: Vec<AliasMove>,
}

pub(super) fn run(arguments: &ShowArguments, session: &Session) -> Result<Answer> {
    let registry = arguments.model.open(session)?;
    let Some(wanted) = &arguments.version else {
        registry.must_exist()?;
        let history = registry.history()?;
        session.printer.result(&history, || history_text(&history));
        return Ok(Answer::new(Exit::Done));
    };
    let version = registry.resolve(wanted)?;
    let entry = registry.entry(version)?;
    if arguments.verify {
        registry.package(version)?;
        session.printer.message("its package is what was registered");
    }
    let is_about = |made: &AliasMove| made.from == Some(version) || made.to == Some(version);
    let moves = registry.history()?.moves.into_iter().filter(is_about).collect();
    let shown = Shown { entry, moves };
    session.printer.result(&shown, || version_text(registry.name(), &shown));
    Ok(Answer::new(Exit::Done))
}

fn history_text(history: &History) -> String {
    let mut aliases = Table::new(&["alias", ">version"]);
    for (alias, version) in &history.aliases {
        aliases.push([alias.clone(), version.to_string()]);
    }
    format!("{}\n{}", aliases.to_text(), moves_table(&history.moves))
}

fn moves_table(moves: &[AliasMove]) -> String {
    let mut table = Table::new(&["when", "alias", "what", ">from", ">to", "by", "why"]);
    let number = |version: Option<u64>| version.map_or_else(|| "-".into(), |version| version.to_string());
    for made in moves {
        table.push([
            moment(made.at_seconds),
            made.alias.clone(),
            made.action.name().into(),
            number(made.from),
            number(made.to),
            made.by.clone(),
            made.reason.clone().unwrap_or_default(),
        ]);
    }
    table.to_text()
}

fn version_text(name: &str, shown: &Shown) -> String {
    let entry = &shown.entry;
    let mut table = Table::new(&[name, &format!("version {}", entry.version)]);
    table.push(["path", entry.path.as_str()]);
    table.push(["digest", entry.digest.as_str()]);
    table.push(["aliases".to_owned(), entry.aliases.join(", ")]);
    if let Some(record) = &entry.record {
        let field = |key: &str| record.verdict.get(key).filter(|value| !value.is_null());
        let comparison = field("comparison").and_then(|value| value.as_str()).map(|text| format!(", {text}"));
        let rows = field("rows").map(|rows| format!(", {rows} rows"));
        let (comparison, rows) = (comparison.unwrap_or_default(), rows.unwrap_or_default());
        table.push(["verdict".to_owned(), format!("{}{comparison}{rows}", verdict(record))]);
        table.push(["pushed".to_owned(), moment(record.pushed_at_seconds)]);
        if let Some(by) = &record.pushed_by {
            table.push(["by".to_owned(), by.clone()]);
        }
        if let Some(from) = record.promoted_from.as_ref().and(origin(record)) {
            table.push(["promoted from".to_owned(), from]);
        }
        if let Some(reason) = &record.forced {
            table.push(["forced".to_owned(), reason.clone()]);
        }
    }
    format!("{}\n{}", table.to_text(), moves_table(&shown.moves))
}
