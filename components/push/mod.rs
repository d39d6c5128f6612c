//! `sluice push`: an accepted model into the registry.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_delivery::{FileRegistry, ModelPackage};
use sluice_pipeline::step;

use crate::session::{Exit, Session};

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

pub(crate) fn run(arguments: &PushArguments, session: &Session) -> Result<Exit> {
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
    Ok(if pushed.is_some() { Exit::Done } else { Exit::Rejected })
}
