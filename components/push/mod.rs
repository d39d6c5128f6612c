//! `sluice push`: an accepted model into the registry.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_delivery::{FileRegistry, ModelPackage, Pushed};
use sluice_pipeline::step;

use crate::answer::Answer;
use crate::executor::{Contract, Input, Outcome};
use crate::session::{Exit, Session};

pub(crate) const CONTRACT: Contract = Contract {
    command: "push",
    inputs: &[
        Input { name: "model", kind: ArtifactType::Model, argument: "model", or_parameter: false },
        Input {
            name: "evaluation",
            kind: ArtifactType::Artifact,
            argument: "evaluation",
            or_parameter: false,
        },
    ],
    outputs: &[],
    results: &[PUSHED, VERSION, PATH],
    demands: &[],
    omits: &[],
    on_error: Some(|_| told(Answer::new(Exit::Rejected), None)),
};

pub(crate) const PUSHED: Outcome =
    Outcome { name: "pushed", kind: ParameterType::Boolean, help: "Whether the model is registered" };
pub(crate) const VERSION: Outcome =
    Outcome { name: "version", kind: ParameterType::Integer, help: "Its version; 0 when it is not" };
pub(crate) const PATH: Outcome = Outcome {
    name: "path",
    kind: ParameterType::Text,
    help: "Where the version lies; empty when it is not registered",
};

/// With what became of a push; `None` for a model that was not registered.
pub(crate) fn told(answer: Answer, pushed: Option<&Pushed>) -> Answer {
    answer
        .parameter(PUSHED.name, pushed.is_some())
        .parameter(VERSION.name, pushed.map_or(0, |pushed| pushed.version))
        .parameter(PATH.name, pushed.map_or("", |pushed| pushed.path.as_str()))
}

/// Register an accepted model.
///
/// Copies the package into the registry under the next version and points `latest-blessed` at it, if the verdict
/// of its evaluation says pass; exit code 1 otherwise. A package that is registered already keeps its version.
#[derive(Debug, Args)]
pub(crate) struct PushArguments {
    /// A model package made by `train`.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The evaluation that judged this model.
    #[arg(long)]
    evaluation: PathBuf,
    /// The folder of the registry.
    #[arg(long, value_name = "FOLDER")]
    registry: PathBuf,
    /// The name of the model in the registry.
    #[arg(long)]
    name: String,
}

pub(crate) fn run(arguments: &PushArguments, session: &Session) -> Result<Answer> {
    let registry = FileRegistry::new(&arguments.registry, &arguments.name)?;
    let model = ModelPackage::open(&arguments.model)?;
    let (verdict, _) = step::evaluate::open_verdict(&arguments.evaluation)?;
    let pushed = step::push::push(&registry, &model, &verdict)?;
    session.printer.result(&pushed, || match &pushed {
        Some(pushed) if pushed.is_new => {
            format!("registered as `{}` version {} in {}", arguments.name, pushed.version, pushed.path)
        }
        Some(pushed) => {
            format!(
                "already registered as `{}` version {} in {}",
                arguments.name, pushed.version, pushed.path
            )
        }
        None => "not registered: the verdict is not `pass`".into(),
    });
    let exit = if pushed.is_some() { Exit::Done } else { Exit::Rejected };
    Ok(told(Answer::new(exit), pushed.as_ref()))
}
