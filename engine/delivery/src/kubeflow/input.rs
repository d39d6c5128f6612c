//! What Kubeflow hands to a container. Whatever is wrong is named by its place in the JSON.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::DeliveryError;

/// An artifact as Kubeflow names it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RuntimeArtifact {
    /// Its resource name.
    pub name: String,
    /// Where it is.
    pub uri: String,
    /// What is known of it.
    pub metadata: Map<String, Value>,
    /// A local path that overrides the URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_path: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ArtifactList {
    artifacts: Vec<RuntimeArtifact>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Inputs {
    parameter_values: BTreeMap<String, Value>,
    artifacts: BTreeMap<String, ArtifactList>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OutputParameter {
    output_file: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Outputs {
    parameters: BTreeMap<String, OutputParameter>,
    artifacts: BTreeMap<String, ArtifactList>,
    output_file: String,
}

/// What Kubeflow hands to a container.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExecutorInput {
    inputs: Inputs,
    outputs: Outputs,
}

impl RuntimeArtifact {
    /// Where it is on this machine.
    ///
    /// # Errors
    /// [`DeliveryError::NoLocalPath`] for a scheme that has no mount.
    pub fn local_path(&self) -> Result<PathBuf, DeliveryError> {
        if let Some(path) = self.custom_path.as_deref().filter(|path| !path.is_empty()) {
            return Ok(PathBuf::from(path));
        }
        let no_path = || DeliveryError::NoLocalPath { name: self.name.clone(), uri: self.uri.clone() };
        let Some((scheme, rest)) = self.uri.split_once("://") else {
            return if self.uri.is_empty() { Err(no_path()) } else { Ok(PathBuf::from(&self.uri)) };
        };
        let in_workspace = self.metadata.get("_kfp_workspace") == Some(&Value::Bool(true));
        if in_workspace {
            return Ok(Path::new("/kfp-workspace/.artifacts").join(rest));
        }
        match scheme {
            "gs" => Ok(Path::new("/gcs").join(rest)),
            "s3" => Ok(Path::new("/s3").join(rest)),
            "minio" => Ok(Path::new("/minio").join(rest)),
            "oci" => Ok(Path::new("/oci").join(rest.replace('/', "_")).join("models")),
            "file" => Ok(PathBuf::from(rest)),
            _ => Err(no_path()),
        }
    }
}

impl ExecutorInput {
    /// Reads the JSON of `--executor-input`.
    ///
    /// # Errors
    /// [`DeliveryError::ExecutorInput`] for what is no JSON, [`DeliveryError::ExecutorInputValue`] with the place of
    /// what is not of the right type, or missing: nothing can be answered without `outputs.outputFile`.
    pub fn parse(text: &str) -> Result<Self, DeliveryError> {
        if text.trim() == "{{$}}" {
            let problem = "`{{$}}` was not replaced, so nothing runs this as a Kubeflow component";
            return Err(DeliveryError::ExecutorInput { problem: problem.into() });
        }
        let value: Value = serde_json::from_str(text)
            .map_err(|error| DeliveryError::ExecutorInput { problem: error.to_string() })?;
        if !value.is_object() {
            return Err(DeliveryError::ExecutorInput { problem: "it is no JSON object".into() });
        }
        let input: Self = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let problem = error.into_inner().to_string();
            match path.as_str() {
                "." => DeliveryError::ExecutorInput { problem },
                _ => DeliveryError::executor_value(path, format!("is wrong: {problem}"), None),
            }
        })?;
        if input.outputs.output_file.is_empty() {
            let hint = "the launcher writes there where the answer belongs, for example \
                        `/tmp/kfp/outputs/executor_output.json`";
            return Err(DeliveryError::executor_value("outputs.outputFile", "is missing", Some(hint.into())));
        }
        Ok(input)
    }

    /// The input artifacts of a name: none, one, or several where a loop's results were collected.
    #[must_use]
    pub fn artifacts(&self, name: &str) -> &[RuntimeArtifact] {
        self.inputs.artifacts.get(name).map_or(&[], |list| list.artifacts.as_slice())
    }

    /// The names of the input artifacts.
    pub fn artifact_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.artifacts.keys().map(String::as_str)
    }

    /// An input parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.inputs.parameter_values.get(name)
    }

    /// The names of the input parameters.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.parameter_values.keys().map(String::as_str)
    }

    /// An output artifact, if it is declared.
    #[must_use]
    pub fn output_artifact(&self, name: &str) -> Option<&RuntimeArtifact> {
        self.outputs.artifacts.get(name)?.artifacts.first()
    }

    /// The names of the output artifacts.
    pub fn output_artifact_names(&self) -> impl Iterator<Item = &str> {
        self.outputs.artifacts.keys().map(String::as_str)
    }

    /// The local path of an output artifact, if it is declared.
    ///
    /// # Errors
    /// [`DeliveryError::NoLocalPath`].
    pub fn output_path(&self, name: &str) -> Result<Option<PathBuf>, DeliveryError> {
        self.output_artifact(name).map(RuntimeArtifact::local_path).transpose()
    }

    /// The declared output parameters and the file that each is written to, which may be empty.
    pub fn output_parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.outputs.parameters.iter().map(|(name, declared)| (name.as_str(), declared.output_file.as_str()))
    }

    /// Where the answer is written.
    #[must_use]
    pub fn output_file(&self) -> &Path {
        Path::new(&self.outputs.output_file)
    }
}
