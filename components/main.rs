//! The command `sluice`: parses, runs one component, and turns what it answers into an exit code.
//!
//! One folder per component, named like its command. A component turns arguments into a call of
//! `sluice_pipeline` and prints what comes back; it computes nothing itself.

mod answer;
mod arguments;
mod check;
mod components;
mod data;
mod evaluate;
mod executor;
mod failure;
mod ingest;
mod panics;
mod pipeline_argument;
mod predict;
mod printer;
mod push;
mod run;
mod schema;
mod session;
mod statistics;
mod tables;
mod train;
mod transform;
mod validate;
mod verdict;

use std::process::ExitCode;

use clap::FromArgMatches;
use sluice_core::Result;

use answer::Answer;
use arguments::{Arguments, Component};
use executor::Task;
use session::{Exit, Session};

fn main() -> ExitCode {
    let command_line = without_own_path(std::env::args_os().collect());
    if let Some(task) = Task::of(&command_line) {
        let arguments = task.arguments();
        let session = Session::new(arguments.as_ref().map_or(task.common(), |arguments| &arguments.common));
        return end(&session, || {
            task.answer(arguments.and_then(|arguments| component(&arguments.component, &session)))
        });
    }
    let matches = executor::command().get_matches_from(command_line);
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let session = Session::new(&arguments.common);
    end(&session, || component(&arguments.component, &session).map(|answer| answer.exit))
}

fn component(component: &Component, session: &Session) -> Result<Answer> {
    match component {
        Component::Run(arguments) => run::run(arguments, session),
        Component::Check(arguments) => check::run(arguments, session),
        Component::Ingest(arguments) => ingest::run(arguments, session),
        Component::Statistics(arguments) => statistics::run(arguments, session),
        Component::Schema(arguments) => schema::run(arguments, session),
        Component::Validate(arguments) => validate::run(arguments, session),
        Component::Transform(arguments) => transform::run(arguments, session),
        Component::Train(arguments) => train::run(arguments, session),
        Component::Evaluate(arguments) => evaluate::run(arguments, session),
        Component::Push(arguments) => push::run(arguments, session),
        Component::Predict(arguments) => predict::run(arguments, session),
        Component::Components(arguments) => components::run(arguments, session),
    }
}

/// Does the work and turns what comes of it into an exit code.
fn end(session: &Session, work: impl FnOnce() -> Result<Exit>) -> ExitCode {
    let outcome = panics::told(work);
    match outcome.and_then(|outcome| outcome) {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Rejected) => ExitCode::from(1),
        Err(error) => {
            // A bar of the scan that failed would stand in the way of the message.
            session.execution.progress.end();
            session.printer.error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// The arguments without a second `sluice` in front: an image whose entrypoint is the binary, started by a
/// runner that names the binary again, would otherwise see it as its first argument.
fn without_own_path(mut arguments: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let is_own = |argument: &std::ffi::OsString| {
        std::path::Path::new(argument).file_name().is_some_and(|name| name == "sluice")
    };
    if arguments.len() > 1 && is_own(&arguments[0]) && is_own(&arguments[1]) {
        arguments.remove(1);
    }
    arguments
}
