//! From an executor input to the arguments of the command line, so that one parser checks both.

use std::path::Path;

use clap::{Arg, Command};
use serde_json::Value;
use sluice_core::options::{quoted, suggest};
use sluice_delivery::DeliveryError;
use sluice_delivery::kubeflow::{ExecutorInput, RuntimeArtifact};
use sluice_storage::Location;

use super::contract::{Contract, FAIL_ON_REJECT, Input, Shape};

/// Beyond it, a number of JSON may be another integer than the one that was meant.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// The arguments after the command's name.
pub(super) fn arguments(
    contract: &Contract,
    command: &Command,
    input: &ExecutorInput,
) -> Result<Vec<String>, DeliveryError> {
    check_names(contract, command, input)?;
    fails_on_reject(contract, input)?;
    let mut list = ArgumentList::default();
    for port in contract.inputs {
        let argument = find(command, port.argument)?;
        let is_optional = port.or_parameter || !contract.needs_artifact(argument);
        let mut paths = input_paths(port, input)?;
        let is_only = port.or_parameter && input.parameter(port.argument).is_none_or(is_nothing);
        paths.retain(|path| !is_optional || is_only || has_content(Path::new(path)));
        if port.or_parameter {
            one_of_two(port, !paths.is_empty(), argument.is_required_set(), input)?;
        } else if paths.is_empty() && !is_optional {
            return Err(missing_artifact("inputs", port.name, input.artifact_names()));
        }
        paths.into_iter().for_each(|path| list.push(argument, path));
    }
    for argument in contract.parameters(command) {
        let name = argument.get_id().as_str();
        let path = format!("inputs.parameterValues.{name}");
        let is_demanded = contract.is_demanded(argument);
        let given = input.parameter(name).filter(|value| is_given(value, argument, is_demanded));
        match given {
            Some(value) => {
                values(argument, value, &path)?.into_iter().for_each(|value| list.push(argument, value));
            }
            None if is_demanded => return Err(DeliveryError::executor_value(path, "is missing", None)),
            None => {}
        }
    }
    for port in contract.outputs {
        let path = local_paths(port.name, input.output_artifact(port.name))?;
        let Some(option) = port.argument else { continue };
        let Some(path) = path.into_iter().next() else {
            return Err(missing_artifact("outputs", port.name, input.output_artifact_names()));
        };
        list.push(find(command, option)?, path);
    }
    Ok(list.finish())
}

/// Whether `--fail-on-reject` is given as a parameter.
pub(super) fn fails_on_reject(contract: &Contract, input: &ExecutorInput) -> Result<bool, DeliveryError> {
    match input.parameter(FAIL_ON_REJECT) {
        Some(value) if contract.is_gate() && !value.is_null() => {
            boolean(value, &format!("inputs.parameterValues.{FAIL_ON_REJECT}"))
        }
        _ => Ok(false),
    }
}

/// Options first, then what stands by its place.
#[derive(Default)]
struct ArgumentList {
    options: Vec<String>,
    positionals: Vec<(usize, String)>,
}

impl ArgumentList {
    fn push(&mut self, argument: &Arg, value: String) {
        match argument.get_long() {
            Some(long) if Shape::of(argument) == Shape::Flag => self.options.push(format!("--{long}")),
            Some(long) => self.options.push(format!("--{long}={value}")),
            None => self.positionals.push((argument.get_index().unwrap_or_default(), value)),
        }
    }

    fn finish(mut self) -> Vec<String> {
        self.positionals.sort_by_key(|(index, _)| *index);
        self.options.push("--".into());
        self.options.extend(self.positionals.into_iter().map(|(_, value)| value));
        self.options
    }
}

fn find<'a>(command: &'a Command, id: &str) -> Result<&'a Arg, DeliveryError> {
    // A contract names arguments of its own command; a test holds all of them to it.
    command.get_arguments().find(|argument| argument.get_id() == id).ok_or_else(|| {
        DeliveryError::ExecutorInput { problem: format!("`{}` has no argument `{id}`", command.get_name()) }
    })
}

/// Refuses names that the component does not have. Output artifacts are left alone: the launcher has its own
/// among them, such as the log of the container.
fn check_names(contract: &Contract, command: &Command, input: &ExecutorInput) -> Result<(), DeliveryError> {
    let mut parameters: Vec<&str> =
        contract.parameters(command).map(|argument| argument.get_id().as_str()).collect();
    if contract.is_gate() {
        parameters.push(FAIL_ON_REJECT);
    }
    let artifacts: Vec<&str> = contract.inputs.iter().map(|port| port.name).collect();
    let results: Vec<&str> = contract.results.iter().map(|port| port.name).collect();
    let unknown = |place: &str, name: &str, known: &[&str]| {
        let problem = format!("is not known to `sluice {}`", contract.command);
        DeliveryError::executor_value(
            format!("{place}.{name}"),
            problem,
            suggest(name, known.iter().copied()),
        )
    };
    for name in input.parameter_names() {
        if !parameters.contains(&name) {
            return Err(unknown("inputs.parameterValues", name, &parameters));
        }
    }
    for name in input.artifact_names() {
        if !artifacts.contains(&name) {
            return Err(unknown("inputs.artifacts", name, &artifacts));
        }
    }
    for (name, _) in input.output_parameters() {
        if !results.contains(&name) {
            return Err(unknown("outputs.parameters", name, &results));
        }
    }
    Ok(())
}

fn missing_artifact<'a>(side: &str, name: &str, available: impl Iterator<Item = &'a str>) -> DeliveryError {
    let available: Vec<&str> = available.collect();
    let hint = (!available.is_empty()).then(|| format!("there is {}", quoted(available)));
    DeliveryError::executor_value(format!("{side}.artifacts.{name}"), "is missing", hint)
}

fn local_paths<'a>(
    name: &str,
    artifacts: impl IntoIterator<Item = &'a RuntimeArtifact>,
) -> Result<Vec<String>, DeliveryError> {
    artifacts
        .into_iter()
        .map(|artifact| {
            let path = artifact.local_path()?;
            path.into_os_string()
                .into_string()
                .map_err(|_| DeliveryError::NoLocalPath { name: name.to_owned(), uri: artifact.uri.clone() })
        })
        .collect()
}

/// Whether something is there: an optional input that was not given may arrive as an artifact without content.
fn has_content(path: &Path) -> bool {
    match fs_err::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => path.exists(),
    }
}

fn input_paths(port: &Input, input: &ExecutorInput) -> Result<Vec<String>, DeliveryError> {
    let artifacts = input.artifacts(port.name);
    if artifacts.len() > 1 {
        let problem = format!("holds {} artifacts, but only one is read", artifacts.len());
        let path = format!("inputs.artifacts.{}.artifacts", port.name);
        return Err(DeliveryError::executor_value(path, problem, None));
    }
    let is_named = |artifact: &&RuntimeArtifact| !artifact.uri.is_empty() || artifact.custom_path.is_some();
    local_paths(port.name, artifacts.iter().filter(is_named))
}

fn one_of_two(
    port: &Input,
    has_artifact: bool,
    is_required: bool,
    input: &ExecutorInput,
) -> Result<(), DeliveryError> {
    let has_parameter = input.parameter(port.argument).is_some_and(|value| !is_nothing(value));
    let path = format!("inputs.artifacts.{}", port.name);
    let other = format!("`inputs.parameterValues.{}`", port.argument);
    match (has_artifact, has_parameter) {
        (true, true) => {
            let hint = Some("give the artifact or the parameter".into());
            Err(DeliveryError::executor_value(path, format!("and {other} are both given"), hint))
        }
        // What else may stand in its place, the parser knows.
        (false, false) if is_required => {
            Err(DeliveryError::executor_value(path, format!("and {other} are both missing"), None))
        }
        _ => Ok(()),
    }
}

/// Null and an empty text are what a parameter that was not given holds.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// Whether a parameter says anything: an option at its default is left out, so that it conflicts with nothing.
fn is_given(value: &Value, argument: &Arg, is_demanded: bool) -> bool {
    if is_nothing(value) {
        return value.is_string() && is_demanded;
    }
    let defaults = argument.get_default_values();
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Shape::of(argument) == Shape::Flag || defaults.len() != 1 || defaults[0] != text.as_str()
}

/// What a value is, in words.
fn told(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {text:?}"),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

fn wrong(path: &str, value: &Value, expected: &str) -> DeliveryError {
    DeliveryError::executor_value(path, format!("is {}, but must be {expected}", told(value)), None)
}

/// The texts that an option is given for the value of its parameter.
fn values(argument: &Arg, value: &Value, path: &str) -> Result<Vec<String>, DeliveryError> {
    match Shape::of(argument) {
        Shape::Flag => Ok(if boolean(value, path)? { vec![String::new()] } else { Vec::new() }),
        Shape::Integer => integer(value, path).map(|text| vec![text]),
        Shape::Number => match value {
            Value::Number(number) => Ok(vec![number.to_string()]),
            Value::String(text) if text.parse::<f64>().is_ok() => Ok(vec![text.clone()]),
            _ => Err(wrong(path, value, "a number")),
        },
        Shape::Text => match value {
            Value::String(text) => Ok(vec![text.clone()]),
            _ => Err(wrong(path, value, "a text")),
        },
        Shape::Path => match value {
            Value::String(text) => local_path(text, path).map(|path| vec![path]),
            _ => Err(wrong(path, value, "a path, as text")),
        },
        Shape::List => list(value, path),
        Shape::Pairs => pairs(value, path),
    }
}

/// Kubeflow carries booleans as such; a component written by hand may pass a text.
fn boolean(value: &Value, path: &str) -> Result<bool, DeliveryError> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(wrong(path, value, "true or false")),
    }
}

/// Kubeflow carries every number as a double, so an integer may come as `1e+06`, and one that is too large for a
/// double as text.
fn integer(value: &Value, path: &str) -> Result<String, DeliveryError> {
    match value {
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && float.abs() <= EXACT_INTEGERS => Ok(format!("{float:.0}")),
            _ => Err(wrong(path, value, "an integer of at most 2^53, or its digits as text")),
        },
        Value::String(text) if text.parse::<i128>().is_ok() => Ok(text.clone()),
        _ => Err(wrong(path, value, "an integer")),
    }
}

/// A path of the container, or a URL of a bucket. Another URI would become a folder of that name that is lost with the
/// container.
fn local_path(text: &str, path: &str) -> Result<String, DeliveryError> {
    match text.split_once("://") {
        Some((_, rest)) if Location::parse(text).is_err() => {
            let mounted = Path::new("/mnt").join(rest);
            let hint = format!("mount the place and give its path, for example `{}`", mounted.display());
            let problem = format!("is the URI `{text}`, but must be a path of the container");
            Err(DeliveryError::executor_value(path, problem, Some(hint)))
        }
        _ => Ok(text.to_owned()),
    }
}

/// A list or object, which may come as JSON text.
fn read_text(value: &Value) -> Value {
    match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| value.clone()),
        _ => value.clone(),
    }
}

/// An element as the option's text: texts as they are, the rest as JSON, which is YAML.
fn element(value: &Value, path: &str) -> Result<String, DeliveryError> {
    match value {
        Value::Null => Err(wrong(path, value, "a value")),
        Value::String(text) => Ok(text.clone()),
        other => Ok(other.to_string()),
    }
}

fn list(value: &Value, path: &str) -> Result<Vec<String>, DeliveryError> {
    match read_text(value) {
        Value::Array(elements) => elements
            .iter()
            .enumerate()
            .map(|(index, value)| element(value, &format!("{path}[{index}]")))
            .collect(),
        _ => Err(wrong(path, value, "a list")),
    }
}

fn pairs(value: &Value, path: &str) -> Result<Vec<String>, DeliveryError> {
    match read_text(value) {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| Ok(format!("{key}={}", element(value, &format!("{path}.{key}"))?)))
            .collect(),
        Value::Array(_) => list(value, path),
        _ => Err(wrong(path, value, "an object")),
    }
}
