//! `sluice registry promote`: a version into the registry of the next environment.

use clap::Args;
use sluice_core::Result;
use sluice_delivery::Registry;
use sluice_delivery::registry::{LATEST_BLESSED, PromotionOptions, promote};

use crate::answer::Answer;
use crate::session::{Exit, Session};

/// Copy a version into the registry of another environment, where it becomes `latest-blessed`.
///
/// The package is verified against the digest that was registered; its verdict must say pass and be about
/// this package, and goes with it. The same package is registered once, so that a promotion that was cut
/// short is made again.
#[derive(Debug, Args)]
pub(crate) struct PromoteArguments {
    /// The registry it comes from: a folder, or a URL.
    #[arg(value_name = "FROM")]
    from: String,
    /// The registry it goes to: a folder, or a URL.
    #[arg(value_name = "TO")]
    to: String,
    /// The name of the model, in both.
    #[arg(value_name = "NAME")]
    name: String,
    /// A version's number or an alias in FROM.
    #[arg(value_name = "VERSION", default_value = LATEST_BLESSED)]
    version: String,
    /// A further alias in TO that is pointed at it.
    #[arg(long, value_name = "ALIAS")]
    alias: Option<String>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Promote a version whose verdict does not say pass, or that was rolled back in TO, for this recorded
    /// reason.
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
}

pub(super) fn run(arguments: &PromoteArguments, session: &Session) -> Result<Answer> {
    let open = |place: &str| Registry::open(place, &arguments.name, &session.execution.cancel);
    let options = PromotionOptions {
        version: Some(arguments.version.clone()),
        alias: arguments.alias.clone(),
        reason: arguments.reason.clone(),
        forced: arguments.force.clone(),
    };
    let promotion = promote(&open(&arguments.from)?, &open(&arguments.to)?, &options)?;
    session.printer.result(&promotion, || {
        let done = if promotion.pushed.is_new { "is" } else { "is already" };
        let (from, pushed) = (&promotion.from, &promotion.pushed);
        format!(
            "version {} of {} {done} version {} in {}",
            from.version, from.registry, pushed.version, pushed.path
        )
    });
    Ok(Answer::new(Exit::Done))
}
