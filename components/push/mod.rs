//! `sluice push`: an accepted model into the registry.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_delivery::{ModelPackage, Pushed, Registry};
use sluice_pipeline::step;
use sluice_pipeline::step::tfx::read_blessing;

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
    omits: &["tfx_blessing"],
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

const EXAMPLES: &str = "\
Examples:
  sluice push model --evaluation evaluation --registry registry --name tips
  sluice push model --evaluation evaluation --registry s3://models/staging --name tips

`sluice registry` lists versions, rolls back, promotes and collects garbage.";

/// Register an accepted model.
///
/// Copies the package into the registry under the next version and points `latest-blessed` at it, if the verdict
/// of its evaluation says pass; exit code 1 otherwise. A package that is registered already keeps its version; one that
/// was rolled back stays so.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PushArguments {
    /// A model package made by `train`.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The evaluation that judged this model.
    #[arg(long)]
    evaluation: PathBuf,
    /// The registry: a folder, or a URL (`s3://`, `gs://`, `az://`).
    #[arg(long, value_name = "REGISTRY")]
    registry: String,
    /// The name of the model in the registry.
    #[arg(long)]
    name: String,
    /// A folder in which Evaluator or `InfraValidator` of TFX left `BLESSED` or `INFRA_BLESSED`; a model that one of them did
    /// not bless is not registered. May be given several times.
    #[arg(long, value_name = "FOLDER")]
    tfx_blessing: Vec<PathBuf>,
}

/// The first folder whose marker does not bless.
fn not_blessed(folders: &[PathBuf]) -> Result<Option<&PathBuf>> {
    for folder in folders {
        if !read_blessing(folder)? {
            return Ok(Some(folder));
        }
    }
    Ok(None)
}

pub(crate) fn run(arguments: &PushArguments, session: &Session) -> Result<Answer> {
    let registry = Registry::open(&arguments.registry, &arguments.name, &session.execution.cancel)?;
    let model = ModelPackage::open(&arguments.model)?;
    let (verdict, _) = step::evaluate::open_verdict(&arguments.evaluation)?;
    let refused = not_blessed(&arguments.tfx_blessing)?;
    let pushed = match refused {
        Some(_) => None,
        None => step::push::push(&registry, &model, &verdict)?,
    };
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
        None => refused.map_or_else(
            || "not registered: the verdict is not `pass`".into(),
            |folder| format!("not registered: it is not blessed in {}", folder.display()),
        ),
    });
    let exit = if pushed.is_some() { Exit::Done } else { Exit::Rejected };
    Ok(told(Answer::new(exit), pushed.as_ref()))
}
