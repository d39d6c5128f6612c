//! `sluice components`: the component files, for the image of whoever deploys.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use sluice_core::Result;
use sluice_core::artifact::write_whole;
use sluice_core::error::CommonError;

use crate::answer::Answer;
use crate::arguments::Arguments;
use crate::executor::{CONTRACTS, component_file};
use crate::session::{Exit, Session};

const EXAMPLES: &str = "\
Examples:
  sluice components --image registry.example.org/sluice:0.1.0 --out components
  cargo run -- components --out components      (in a checkout: after a change of a command)";

/// Write the component files for Kubeflow Pipelines and Vertex.
///
/// One file per command that a pipeline starts, FOLDER/NAME/component.yaml, with its inputs, parameters and
/// outputs as `kfp` loads them.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ComponentsArguments {
    /// The folder that the files go to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The image that the components run.
    #[arg(long, default_value = concat!("sluice:", env!("CARGO_PKG_VERSION")))]
    image: String,
}

pub(crate) fn run(arguments: &ComponentsArguments, session: &Session) -> Result<Answer> {
    let mut command = Arguments::command();
    command.build();
    let mut written = Vec::new();
    for contract in CONTRACTS {
        let file = component_file(contract, &command, &arguments.image).ok_or_else(|| {
            CommonError::Internal(format!("`{}` has a contract that does not fit it", contract.command))
        })?;
        // A folder of the sources is called like the module in it.
        let folder = contract.command.replace('-', "_");
        let path = arguments.out.join(folder).join("component.yaml");
        let head = "# Written by `sluice components`; change the command, not this file.\n";
        write_whole(&path, format!("{head}{}", file.to_yaml()).as_bytes())?;
        written.push(path.display().to_string());
    }
    session.printer.result(&written, || written.join("\n"));
    Ok(Answer::new(Exit::Done))
}
