//! The command `sluice`: parses, runs one component, and turns what it answers into an exit code.
//!
//! One folder per component, named like its command. A component turns arguments into a call of
//! `sluice_pipeline` and prints what comes back; it computes nothing itself.

mod arguments;
mod check;
mod data;
mod datasets;
mod evaluate;
mod failure;
mod ingest;
mod panics;
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

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Component};
use session::{Exit, Session};

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(without_own_path(std::env::args_os().collect()));
    let session = Session::new(&arguments.common);
    panics::told(|| component(&arguments.component, &session)).unwrap_or_else(|error| {
        session.printer.error(&error);
        ExitCode::from(error.kind().exit_code())
    })
}

fn component(component: &Component, session: &Session) -> ExitCode {
    let outcome = match component {
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
        Component::Datasets(arguments) => datasets::run(arguments, session),
    };
    match outcome {
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
