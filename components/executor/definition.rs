//! The component file of a command, from its `clap` definition and its contract.

use clap::{Arg, Command};
use sluice_delivery::kubeflow::{ComponentFile, ParameterType, Port, PortType};

use super::contract::{Contract, FAIL_ON_REJECT, Shape, help};

/// Where the image has the binary.
const PROGRAM: &str = "/sluice";

/// The component file of a contract; `command` is the whole command line, built.
pub(crate) fn component_file(contract: &Contract, command: &Command, image: &str) -> Option<ComponentFile> {
    let command = command.find_subcommand(contract.command)?;
    let argument = |id: &str| command.get_arguments().find(|argument| argument.get_id() == id);
    let mut inputs = Vec::new();
    for port in contract.inputs {
        let argument = argument(port.argument)?;
        inputs.push(Port {
            name: port.name.into(),
            carries: PortType::Artifact(port.kind),
            description: help(argument),
            optional: port.or_parameter || !contract.needs_artifact(argument),
            default: None,
        });
    }
    inputs.extend(contract.parameters(command).map(|argument| parameter(contract, argument)));
    if contract.is_gate() {
        inputs.push(Port {
            name: FAIL_ON_REJECT.into(),
            carries: PortType::Parameter(ParameterType::Boolean),
            description: "Let the task fail on a rejection, which loses its outputs".into(),
            optional: true,
            default: None,
        });
    }
    let artifacts = contract.outputs.iter().map(|port| (port.name, PortType::Artifact(port.kind), port.help));
    let results = contract.results.iter().map(|port| (port.name, PortType::Parameter(port.kind), port.help));
    let outputs = artifacts.chain(results).map(|(name, carries, help)| Port {
        name: name.into(),
        carries,
        description: help.into(),
        optional: false,
        default: None,
    });
    Some(ComponentFile {
        name: format!("sluice-{}", contract.command),
        description: command.get_about().map(ToString::to_string).unwrap_or_default(),
        inputs,
        outputs: outputs.collect(),
        image: image.into(),
        command: PROGRAM.into(),
        arguments: vec![contract.command.into()],
    })
}

fn parameter(contract: &Contract, argument: &Arg) -> Port {
    let shape = Shape::of(argument);
    // A flag's default is what leaving it out says.
    let default = match argument.get_default_values() {
        [default] if shape != Shape::Flag => default.to_str().map(str::to_owned),
        _ => None,
    };
    let mut description = help(argument);
    if contract.demands.contains(&argument.get_id().as_str()) {
        description.push_str("; here it must be given, for what is in the container is lost with it");
    }
    Port {
        name: argument.get_id().to_string(),
        carries: PortType::Parameter(shape.parameter_type()),
        description,
        optional: !contract.is_demanded(argument),
        default,
    }
}
