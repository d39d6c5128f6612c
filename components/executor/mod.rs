//! Commands as container components: `sluice NAME --executor-input JSON`.
//!
//! Kubeflow and Vertex name inputs, outputs and parameters in one JSON text. It is translated into the arguments of
//! the command line ([`arguments`]), so that every check, default and conflict is the command's own; what the command
//! answers is written where the text says. What `clap` cannot know of a component stands in its [`Contract`]; from
//! both, `sluice components` writes the component files ([`definition`]).

mod arguments;
mod contract;
mod definition;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind as ParserErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches, Parser};
use fs_err as fs;
use serde_json::Value;
use sluice_core::artifact::{Artifact, Draft, MANIFEST_FILE, Manifest, hex_digest, write_whole};
use sluice_core::error::{CommonError, ErrorKind, Result};
use sluice_delivery::DeliveryError;
use sluice_delivery::kubeflow::{ExecutorInput, ExecutorOutput};

pub(crate) use contract::{Contract, Input, Outcome, Output};
pub(crate) use definition::component_file;

use crate::answer::{Answer, Content};
use crate::arguments::{Arguments, Common};
use crate::session::Exit;

const HEADING: &str = "As a container component";
const OPTION: &str = "--executor-input";

/// The components, in the order in which a pipeline uses them.
pub(crate) const CONTRACTS: [&Contract; 13] = [
    &crate::ingest::CONTRACT,
    &crate::statistics::CONTRACT,
    &crate::schema::CONTRACT,
    &crate::validate::CONTRACT,
    &crate::drift::CONTRACT,
    &crate::skew::CONTRACT,
    &crate::should_retrain::CONTRACT,
    &crate::transform::CONTRACT,
    &crate::train::CONTRACT,
    &crate::evaluate::CONTRACT,
    &crate::push::CONTRACT,
    &crate::predict::CONTRACT,
    &crate::run::CONTRACT,
];

/// The command line with the options that make a component of a command.
pub(crate) fn command() -> Command {
    CONTRACTS.iter().fold(Arguments::command(), |command, contract| {
        command.mut_subcommand(contract.command, |command| with_options(command, contract, false))
    })
}

fn with_options(command: Command, contract: &Contract, is_required: bool) -> Command {
    let input = Arg::new("executor_input")
        .long("executor-input")
        .value_name("JSON")
        .required(is_required)
        .help_heading(HEADING)
        .help(
            "Kubeflow's executor input: take artifacts and options from it, write artifacts, output parameters and the \
             executor output where it says",
        );
    let command = command.arg(input);
    if !contract.is_gate() {
        return command;
    }
    let fail = Arg::new(contract::FAIL_ON_REJECT)
        .long("fail-on-reject")
        .action(ArgAction::SetTrue)
        .requires("executor_input")
        .help_heading(HEADING)
        .help(
            "With `--executor-input`, a rejection exits 0 and stands in the output parameters, because a task that \
             fails loses its outputs; this makes it exit 1 all the same",
        );
    command.arg(fail)
}

/// A component that was asked for with `--executor-input`.
pub(crate) struct Task {
    contract: &'static Contract,
    common: Common,
    matches: ArgMatches,
}

impl Task {
    /// The task of a command line, if it is one. What else stands on it must be about printing and the like; the
    /// parser ends the program otherwise.
    pub(crate) fn of(command_line: &[OsString]) -> Option<Self> {
        let until_end = || command_line.iter().take_while(|argument| *argument != "--");
        let is_option = |argument: &&OsString| {
            argument.to_str().is_some_and(|text| text.strip_prefix(OPTION).is_some_and(is_end_of_option))
        };
        until_end().find(is_option)?;
        let contract = CONTRACTS.iter().find(|contract| until_end().any(|word| word == contract.command))?;
        let outer = Command::new("sluice").subcommand_required(true);
        let outer = <Common as clap::Args>::augment_args(outer).subcommand(with_options(
            Command::new(contract.command),
            contract,
            true,
        ));
        let matches = outer.get_matches_from(command_line);
        let (_, matches) = matches.subcommand().map(|(name, matches)| (name.to_owned(), matches.clone()))?;
        let common = Common::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        Some(Self { contract, common, matches })
    }

    /// The command that it is a task for.
    pub(crate) fn command(&self) -> &'static str {
        self.contract.command
    }

    /// Options that stand beside `--executor-input`.
    pub(crate) fn common(&self) -> &Common {
        &self.common
    }

    /// What the executor input comes to on the command line: its words, and what they say.
    pub(crate) fn arguments(&self) -> Result<(Vec<OsString>, Arguments)> {
        let input = self.input()?;
        let mut command = Arguments::command();
        command.build();
        let own = command.find_subcommand(self.contract.command).ok_or_else(|| {
            CommonError::Internal(format!("there is no command `{}`", self.contract.command))
        })?;
        let mut words: Vec<OsString> = vec!["sluice".into(), self.contract.command.into()];
        words.extend(self.beside());
        words.extend(arguments::arguments(self.contract, own, &input)?.into_iter().map(OsString::from));
        match Arguments::try_parse_from(&words) {
            Ok(arguments) => Ok((words, arguments)),
            Err(error) => Err(of_parser(&error, self.contract).into()),
        }
    }

    fn input(&self) -> Result<ExecutorInput, DeliveryError> {
        ExecutorInput::parse(self.matches.get_one::<String>("executor_input").map_or("", String::as_str))
    }

    /// The common options of the outer command line, as they stood there.
    fn beside(&self) -> Vec<OsString> {
        let common = <Common as clap::Args>::augment_args(Command::new("sluice"));
        let mut words = Vec::new();
        for argument in common.get_arguments() {
            let id = argument.get_id().as_str();
            let is_given = self.matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine);
            let Some(long) = argument.get_long().filter(|_| is_given) else { continue };
            if argument.get_action().takes_values() {
                for value in self.matches.get_raw(id).into_iter().flatten() {
                    let mut word = OsString::from(format!("--{long}="));
                    word.push(value);
                    words.push(word);
                }
            } else {
                words.push(format!("--{long}").into());
            }
        }
        words
    }

    /// Writes what the command answered where the executor input says, and decides how the task ends.
    pub(crate) fn answer(&self, answered: Result<Answer>) -> Result<Exit> {
        // Where the input cannot be read, there is nowhere to answer.
        let Ok(input) = self.input() else { return answered.map(|answer| answer.exit) };
        match answered {
            Ok(answer) => {
                self.write(&input, &answer)?;
                let fails = self.matches.try_get_one::<bool>(contract::FAIL_ON_REJECT).ok().flatten();
                let fails = fails == Some(&true) || arguments::fails_on_reject(self.contract, &input)?;
                Ok(if fails { answer.exit } else { Exit::Done })
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted(_)) => Err(error),
            Err(error) => {
                if let Some(on_error) = self.contract.on_error {
                    // Where the answer cannot be written either, the first error is the one to report.
                    let _ = self.write(&input, &on_error(&error));
                }
                Err(error)
            }
        }
    }

    fn write(&self, input: &ExecutorInput, answer: &Answer) -> Result<()> {
        for (name, content) in &answer.contents {
            let Some(path) = input.output_path(name)? else { continue };
            match content {
                Content::Bytes(bytes) => write_whole(&path, bytes)?,
                Content::Folder(folder) => copy(folder, &path)?,
            }
        }
        let mut output = ExecutorOutput::default();
        for (name, value) in &answer.parameters {
            output.set_parameter(name, value.clone());
        }
        for (artifact, key, value) in &answer.metadata {
            output.set_metadata(artifact, key, value.clone());
        }
        for port in self.contract.outputs {
            let Ok(Some(path)) = input.output_path(port.name) else { continue };
            for (key, value) in identity(&path) {
                output.set_metadata(port.name, key, value);
            }
        }
        output.write(input)
    }
}

/// What follows the option's name: nothing, or `=` and the value.
fn is_end_of_option(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('=')
}

/// What identifies an artifact that is there: its kind and the digest of its manifest, which lineage is made of.
fn identity(folder: &std::path::Path) -> Vec<(&'static str, Value)> {
    let Ok(bytes) = fs::read(folder.join(MANIFEST_FILE)) else { return Vec::new() };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&bytes) else { return Vec::new() };
    vec![
        ("kind", manifest.kind.into()),
        ("format_version", manifest.format_version.into()),
        ("digest", hex_digest(&bytes).into()),
    ]
}

/// Copies an artifact. Its manifest says the same again: the engine that copies is the one that made it, since the
/// store of a run is keyed by it.
fn copy(folder: &std::path::Path, target: &std::path::Path) -> Result<()> {
    let artifact = Artifact::open_any(folder)?;
    let manifest = artifact.manifest();
    let mut draft = Draft::new(target)?;
    for name in manifest.files.keys() {
        let path = artifact.path(name);
        let mut file = fs::File::open(&path).map_err(CommonError::on("read", &path))?;
        draft.write_file(name, |writer| {
            Ok(std::io::copy(&mut file, writer).map_err(CommonError::on("write", target))?)
        })?;
    }
    draft.publish(&manifest.kind, manifest.format_version, manifest.made_from.clone()).map(drop)
}

/// An error of the command line, told in the words of the executor input.
fn of_parser(error: &clap::Error, contract: &Contract) -> DeliveryError {
    let text = error.to_string();
    let told = text.trim_start_matches("error: ").lines().next().unwrap_or_default().trim().to_owned();
    let hint = format!(
        "parameters are the options of the command; `sluice {} --help` explains them",
        contract.command
    );
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => option.clone(),
        Some(ContextValue::Strings(options)) => options.first().cloned().unwrap_or_default(),
        _ => String::new(),
    };
    let problem = match error.kind() {
        // One of several that will do; the hint leads to them.
        ParserErrorKind::MissingRequiredArgument => "is missing".to_owned(),
        _ => format!("is refused: {told}"),
    };
    let long = option.strip_prefix("--").and_then(|rest| rest.split([' ', '=']).next());
    match long {
        Some(long) => {
            let id = long.replace('-', "_");
            let path = match contract.inputs.iter().find(|port| port.argument == id) {
                Some(port) => format!("inputs.artifacts.{}", port.name),
                None => format!("inputs.parameterValues.{id}"),
            };
            DeliveryError::executor_value(path, problem, Some(hint))
        }
        None => DeliveryError::executor_value("inputs", problem, Some(hint)),
    }
}
