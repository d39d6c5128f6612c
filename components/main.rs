//! The command `sluice`: parses, runs one component, and turns what it answers into an exit code.
//!
//! One folder per component, named like its command. A component turns arguments into a call of
//! `sluice_pipeline` and prints what comes back; it computes nothing itself.

mod answer;
mod arguments;
mod calibrate;
mod check;
mod components;
mod data;
mod datasets;
mod drift;
mod evaluate;
mod executor;
mod explain;
mod failure;
mod find_weak_slices;
mod ingest;
mod kept;
mod log;
mod panics;
mod pipeline_argument;
mod predict;
mod printer;
mod progress;
mod push;
mod registry;
mod run;
mod runs;
mod schema;
mod session;
mod should_retrain;
mod shown;
mod skew;
mod staging;
mod statistics;
mod tables;
mod train;
mod transform;
mod validate;
mod verdict;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::FromArgMatches;
use sluice_core::{MemoryLimit, Result};

use answer::Answer;
use arguments::{Arguments, Common, Component};
use executor::Task;
use failure::ArgumentError;
use log::LogFormat;
use printer::Printer;
use session::{Exit, Session};

fn main() -> ExitCode {
    let given = without_own_path(std::env::args_os().collect());
    if let Some(task) = Task::of(&given) {
        let arguments = task.arguments();
        let common = arguments.as_ref().map_or(task.common(), |(_, arguments)| &arguments.common);
        let memory = arguments.as_ref().ok().and_then(|(_, arguments)| arguments.component.memory());
        return match begin(common, memory, task.command()) {
            Ok(session) => {
                let session = Session { is_task: true, ..session };
                end(&session, || {
                    task.answer(arguments.and_then(|(words, arguments)| staged(&words, &arguments, &session)))
                })
            }
            Err(code) => code,
        };
    }
    let parsed = executor::command().try_get_matches_from(&given).and_then(|matches| {
        let command = matches.subcommand_name().unwrap_or_default().to_owned();
        Ok((command, Arguments::from_arg_matches(&matches)?))
    });
    let (command, arguments) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return unparsed(&error, &given),
    };
    match begin(&arguments.common, arguments.component.memory(), &command) {
        Ok(session) => end(&session, || staged(&given, &arguments, &session).map(|answer| answer.exit)),
        Err(code) => code,
    }
}

/// Begins a command; without a session there is only an exit code.
fn begin(common: &Common, memory: Option<MemoryLimit>, command: &str) -> Result<Session, ExitCode> {
    Session::new(common, memory, command).map_err(|error| {
        Printer::new(common.json, common.quiet, LogFormat::Text).error(&error);
        ExitCode::from(error.kind().exit_code())
    })
}

/// Does the work and turns what comes of it into an exit code.
fn end(session: &Session, work: impl FnOnce() -> Result<Exit>) -> ExitCode {
    let started = Instant::now();
    let code = match panics::told(work).and_then(|outcome| outcome) {
        Ok(Exit::Done) => 0,
        Ok(Exit::Rejected) => 1,
        Err(error) => {
            // A bar of the scan that failed would stand in the way of the message.
            session.execution.progress.end();
            session.printer.error(&error);
            error.kind().exit_code()
        }
    };
    session.printer.finished(code, started.elapsed());
    ExitCode::from(code)
}

/// Help and version as asked for, or what is wrong with the arguments.
fn unparsed(error: &clap::Error, given: &[OsString]) -> ExitCode {
    if !error.use_stderr() || LogFormat::guess(given) == LogFormat::Text {
        // A closed pipe is the reader's choice, not an error.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    let text = error.render().to_string();
    let (message, hint) = text.trim().split_once("\n\n").unwrap_or((text.trim(), "see `sluice --help`"));
    let error = ArgumentError::new(message.strip_prefix("error: ").unwrap_or(message), hint.trim()).into();
    Printer::new(false, false, LogFormat::Json).error(&error);
    ExitCode::from(error.kind().exit_code())
}

/// Runs a component with copies of what is not on this machine.
fn staged(words: &[OsString], arguments: &Arguments, session: &Session) -> Result<Answer> {
    staging::run(words, arguments, session, |arguments| component(&arguments.component, session))
}

fn component(component: &Component, session: &Session) -> Result<Answer> {
    match component {
        Component::Run(arguments) => run::run(arguments, session),
        Component::Runs(arguments) => runs::run(arguments, session),
        Component::Check(arguments) => check::run(arguments, session),
        Component::Ingest(arguments) => ingest::run(arguments, session),
        Component::Statistics(arguments) => statistics::run(arguments, session),
        Component::Schema(arguments) => schema::run(arguments, session),
        Component::Validate(arguments) => validate::run(arguments, session),
        Component::Drift(arguments) => drift::run(arguments, session),
        Component::Skew(arguments) => skew::run(arguments, session),
        Component::ShouldRetrain(arguments) => should_retrain::run(arguments, session),
        Component::Transform(arguments) => transform::run(arguments, session),
        Component::Train(arguments) => train::run(arguments, session),
        Component::Evaluate(arguments) => evaluate::run(arguments, session),
        Component::Push(arguments) => push::run(arguments, session),
        Component::Registry(arguments) => registry::run(arguments, session),
        Component::Predict(arguments) => predict::run(arguments, session),
        Component::Calibrate(arguments) => calibrate::run(arguments, session),
        Component::Explain(arguments) => explain::run(arguments, session),
        Component::FindWeakSlices(arguments) => find_weak_slices::run(arguments, session),
        Component::Components(arguments) => components::run(arguments, session),
        Component::Datasets(arguments) => datasets::run(arguments, session),
    }
}

/// The arguments without a second `sluice` in front: an image whose entrypoint is the binary, started by a
/// runner that names the binary again, would otherwise see it as its first argument.
fn without_own_path(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_own =
        |argument: &OsString| std::path::Path::new(argument).file_name().is_some_and(|name| name == "sluice");
    if arguments.len() > 1 && is_own(&arguments[0]) && is_own(&arguments[1]) {
        arguments.remove(1);
    }
    arguments
}
