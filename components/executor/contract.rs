//! What a component takes and answers under an orchestrator, beyond what its command line says of itself.
//!
//! A command's options are its parameters, one to one: names, types, defaults and help are read from its `clap`
//! definition. A [`Contract`] adds what `clap` cannot know: which arguments are artifacts, and what comes out.

use std::any::TypeId;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Command};
use sluice_core::Error;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};

use crate::answer::Answer;

/// The parameter that stands for `--fail-on-reject`.
pub(super) const FAIL_ON_REJECT: &str = "fail_on_reject";
/// Options about what is printed; they may stand beside `--executor-input`, but are no parameters.
const ABOUT_PRINTING: [&str; 3] = ["json", "log_format", "quiet"];

/// What a component takes and answers.
#[derive(Debug)]
pub(crate) struct Contract {
    /// Its command.
    pub(crate) command: &'static str,
    /// Artifacts that it reads.
    pub(crate) inputs: &'static [Input],
    /// Artifacts that it writes.
    pub(crate) outputs: &'static [Output],
    /// Values that it answers; every one of them, whenever it comes to its end.
    pub(crate) results: &'static [Outcome],
    /// Options and artifacts that a container must be given although the command line does without.
    pub(crate) demands: &'static [&'static str],
    /// Options that mean nothing in a container.
    pub(crate) omits: &'static [&'static str],
    /// What is answered when a gate's command fails: a condition on its parameters must never see nothing.
    pub(crate) on_error: Option<fn(&Error) -> Answer>,
}

/// An artifact that is read.
#[derive(Debug)]
pub(crate) struct Input {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: ArtifactType,
    /// The argument that takes its path.
    pub(crate) argument: &'static str,
    /// Whether the argument may be given as a parameter instead.
    pub(crate) or_parameter: bool,
}

/// An artifact that is written.
#[derive(Debug)]
pub(crate) struct Output {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: ArtifactType,
    /// The option that takes its path; without, the command answers with what it holds.
    pub(crate) argument: Option<&'static str>,
    /// What it is.
    pub(crate) help: &'static str,
}

/// A value that is answered.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: ParameterType,
    /// What it is.
    pub(crate) help: &'static str,
}

/// How an option takes the value of its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `--option`, if true.
    Flag,
    /// `--option=INTEGER`.
    Integer,
    /// `--option=NUMBER`.
    Number,
    /// `--option=TEXT`.
    Text,
    /// `--option=PATH`.
    Path,
    /// `--option=TEXT`, once per element.
    List,
    /// `--option=KEY=VALUE`, once per entry.
    Pairs,
}

impl Shape {
    pub(super) fn of(argument: &Arg) -> Self {
        if !argument.get_action().takes_values() {
            return Self::Flag;
        }
        if matches!(argument.get_action(), ArgAction::Append) {
            let is_pair =
                argument.get_value_names().is_some_and(|names| names.iter().any(|name| name.contains('=')));
            return if is_pair { Self::Pairs } else { Self::List };
        }
        let held = argument.get_value_parser().type_id();
        let is_one_of = |types: &[TypeId]| types.iter().any(|one| held == *one);
        if is_one_of(&[TypeId::of::<f64>(), TypeId::of::<f32>()]) {
            Self::Number
        } else if is_one_of(&[
            TypeId::of::<u8>(),
            TypeId::of::<u16>(),
            TypeId::of::<u32>(),
            TypeId::of::<u64>(),
            TypeId::of::<usize>(),
            TypeId::of::<i32>(),
            TypeId::of::<i64>(),
        ]) {
            Self::Integer
        } else if is_one_of(&[TypeId::of::<PathBuf>()]) {
            Self::Path
        } else {
            Self::Text
        }
    }

    pub(super) fn parameter_type(self) -> ParameterType {
        match self {
            Self::Flag => ParameterType::Boolean,
            Self::Integer => ParameterType::Integer,
            Self::Number => ParameterType::Number,
            Self::Text | Self::Path => ParameterType::Text,
            Self::List => ParameterType::List,
            Self::Pairs => ParameterType::Struct,
        }
    }
}

/// An argument's help on one line.
pub(super) fn help(argument: &Arg) -> String {
    argument.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

impl Contract {
    /// The arguments of `command` that are parameters, in the order of its help.
    pub(super) fn parameters<'a>(&'a self, command: &'a Command) -> impl Iterator<Item = &'a Arg> {
        command.get_arguments().filter(|argument| {
            let id = argument.get_id().as_str();
            let is_help = matches!(
                argument.get_action(),
                ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
            );
            let is_input = self.inputs.iter().any(|input| input.argument == id && !input.or_parameter);
            let is_output = self.outputs.iter().any(|output| output.argument == Some(id));
            !(is_help || is_input || is_output || ABOUT_PRINTING.contains(&id) || self.omits.contains(&id))
        })
    }

    /// Whether a container must be given an artifact for the argument.
    pub(super) fn needs_artifact(&self, argument: &Arg) -> bool {
        argument.is_required_set() || self.demands.contains(&argument.get_id().as_str())
    }

    /// Whether a container must be given the parameter.
    pub(super) fn is_demanded(&self, argument: &Arg) -> bool {
        let id = argument.get_id().as_str();
        let may_be_artifact = self.inputs.iter().any(|input| input.argument == id);
        (argument.is_required_set() && !may_be_artifact) || self.demands.contains(&id)
    }

    /// Whether data or a model can be turned down, so that there is a verdict to gate on.
    pub(super) fn is_gate(&self) -> bool {
        self.on_error.is_some()
    }
}
