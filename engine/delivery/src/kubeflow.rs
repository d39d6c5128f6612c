//! Kubeflow Pipelines' container contract, as `kfp` 2.17 and its launcher read and write it: the executor
//! input that names artifacts and parameters, and the executor output that answers.
//!
//! An artifact is found by its `customPath`, else its URI is mapped to the mount that the launcher makes:
//! `gs://b/k` → `/gcs/b/k`, `s3://` → `/s3/`, `minio://` → `/minio/`, `oci://a/b` → `/oci/a_b/models`; a URI
//! without scheme is a local path. Output parameters are written to their files and into the executor output,
//! since the launcher prefers the one and local runners the other; texts without a final newline, because
//! conditions compare them as they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use sluice_core::artifact::write_whole;
use sluice_core::error::{CommonError, Result};

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
    /// [`DeliveryError::ExecutorInput`], saying what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, DeliveryError> {
        if text.trim() == "{{$}}" {
            let problem = "`{{$}}` was not replaced, so nothing runs this as a Kubeflow component";
            return Err(DeliveryError::ExecutorInput { problem: problem.into() });
        }
        serde_json::from_str(text)
            .map_err(|error| DeliveryError::ExecutorInput { problem: error.to_string() })
    }

    /// An input artifact, if it was given.
    #[must_use]
    pub fn artifact(&self, name: &str) -> Option<&RuntimeArtifact> {
        self.inputs.artifacts.get(name)?.artifacts.first()
    }

    /// The local path of an input artifact that must be there.
    ///
    /// # Errors
    /// [`DeliveryError::ExecutorInputMissing`], [`DeliveryError::NoLocalPath`].
    pub fn artifact_path(&self, name: &str) -> Result<PathBuf, DeliveryError> {
        let artifact = self.artifact(name).ok_or_else(|| DeliveryError::ExecutorInputMissing {
            what: "input artifact",
            name: name.into(),
            available: self.inputs.artifacts.keys().cloned().collect(),
        })?;
        artifact.local_path()
    }

    /// An input parameter, read as `T`; lists and structs may come as JSON text.
    ///
    /// # Errors
    /// [`DeliveryError::ExecutorInput`] when it is no `T`.
    pub fn parameter<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Option<T>, DeliveryError> {
        let Some(value) = self.inputs.parameter_values.get(name) else { return Ok(None) };
        let as_given = serde_json::from_value(value.clone());
        let read = match (as_given, value) {
            (Err(_), Value::String(text)) => serde_json::from_str(text),
            (read, _) => read,
        };
        read.map(Some)
            .map_err(|error| DeliveryError::ExecutorInput { problem: format!("parameter `{name}`: {error}") })
    }

    /// The names of the input parameters.
    pub fn parameter_names(&self) -> impl Iterator<Item = &str> {
        self.inputs.parameter_values.keys().map(String::as_str)
    }

    /// The local path of an output artifact, if the component declares it.
    ///
    /// # Errors
    /// [`DeliveryError::NoLocalPath`].
    pub fn output_path(&self, name: &str) -> Result<Option<PathBuf>, DeliveryError> {
        let artifact = self.outputs.artifacts.get(name).and_then(|list| list.artifacts.first());
        artifact.map(RuntimeArtifact::local_path).transpose()
    }
}

/// What a container answers.
#[derive(Clone, Debug, Default)]
pub struct ExecutorOutput {
    parameters: BTreeMap<String, Value>,
    metadata: BTreeMap<String, Map<String, Value>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredOutput {
    parameter_values: BTreeMap<String, Value>,
    artifacts: BTreeMap<String, StoredArtifacts>,
}

#[derive(Serialize)]
struct StoredArtifacts {
    artifacts: Vec<RuntimeArtifact>,
}

impl ExecutorOutput {
    /// Sets an output parameter.
    pub fn set_parameter(&mut self, name: &str, value: impl Into<Value>) {
        self.parameters.insert(name.into(), value.into());
    }

    /// Adds to the metadata of an output artifact. Null, NaN and infinities are left out: Kubeflow fails a task
    /// for them.
    pub fn set_metadata(&mut self, artifact: &str, key: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.metadata.entry(artifact.into()).or_default().insert(key.into(), value);
        }
    }

    /// Writes the parameters' files and the executor output. Only what the component declares is written.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn write(&self, input: &ExecutorInput) -> Result<()> {
        let mut parameter_values = BTreeMap::new();
        for (name, declared) in &input.outputs.parameters {
            let Some(value) = self.parameters.get(name) else { continue };
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if !declared.output_file.is_empty() {
                write_whole(Path::new(&declared.output_file), text.as_bytes())?;
            }
            parameter_values.insert(name.clone(), value.clone());
        }
        let mut artifacts = BTreeMap::new();
        for (name, declared) in &input.outputs.artifacts {
            let Some(mut artifact) = declared.artifacts.first().cloned() else { continue };
            artifact.metadata = self.metadata.get(name).cloned().unwrap_or_default();
            artifacts.insert(name.clone(), StoredArtifacts { artifacts: vec![artifact] });
        }
        if input.outputs.output_file.is_empty() {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&StoredOutput { parameter_values, artifacts })
            .map_err(|error| CommonError::Internal(error.to_string()))?;
        write_whole(Path::new(&input.outputs.output_file), &bytes)
    }
}

#[cfg(test)]
mod tests {
    use fs_err as fs;

    use super::*;

    fn artifact(uri: &str) -> RuntimeArtifact {
        RuntimeArtifact { name: "model".into(), uri: uri.into(), ..RuntimeArtifact::default() }
    }

    #[test]
    fn uris_become_the_launchers_mounts() {
        let path = |uri: &str| artifact(uri).local_path().unwrap().display().to_string();
        assert_eq!(path("gs://b/k/model"), "/gcs/b/k/model");
        assert_eq!(path("s3://b/k"), "/s3/b/k");
        assert_eq!(path("minio://b/k"), "/minio/b/k");
        assert_eq!(path("oci://a/b"), "/oci/a_b/models");
        assert_eq!(path("/local/model"), "/local/model");
        let mut custom = artifact("gs://b/k");
        custom.custom_path = Some("/elsewhere".into());
        assert_eq!(custom.local_path().unwrap(), Path::new("/elsewhere"));
        assert!(artifact("hdfs://b/k").local_path().is_err());
        assert!(artifact("").local_path().is_err());
    }

    #[test]
    fn the_answer_is_what_the_launcher_parses() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let text = serde_json::json!({
            "inputs": {"parameterValues": {"alpha": 0.05, "slices": "[[\"sex\"]]"}},
            "outputs": {
                "parameters": {"blessing": {"outputFile": path("deep/blessing")}, "blessed": {"outputFile": path("blessed")}},
                "artifacts": {"metrics": {"artifacts": [{"name": "m", "uri": "s3://b/m", "type": {"schemaTitle": "system.Metrics"}}]}},
                "outputFile": path("out/executor_output.json"),
            },
        });
        let input = ExecutorInput::parse(&text.to_string()).unwrap();
        assert_eq!(input.parameter::<f64>("alpha").unwrap(), Some(0.05));
        assert_eq!(input.parameter::<Vec<Vec<String>>>("slices").unwrap(), Some(vec![vec!["sex".into()]]));
        assert!(input.parameter::<f64>("slices").is_err());
        let mut output = ExecutorOutput::default();
        output.set_parameter("blessing", "BLESSED");
        output.set_parameter("blessed", true);
        output.set_parameter("undeclared", 1);
        output.set_metadata("metrics", "rmse", 57.4);
        output.set_metadata("metrics", "r2", f64::NAN);
        output.write(&input).unwrap();
        assert_eq!(fs::read_to_string(path("deep/blessing")).unwrap(), "BLESSED");
        assert_eq!(fs::read_to_string(path("blessed")).unwrap(), "true");
        let written: Value =
            serde_json::from_slice(&fs::read(path("out/executor_output.json")).unwrap()).unwrap();
        assert_eq!(
            written,
            serde_json::json!({
                "parameterValues": {"blessing": "BLESSED", "blessed": true},
                "artifacts": {"metrics": {"artifacts": [{"name": "m", "uri": "s3://b/m", "metadata": {"rmse": 57.4}}]}},
            })
        );
    }

    #[test]
    fn what_is_not_an_executor_input_is_said() {
        assert!(ExecutorInput::parse("{{$}}").unwrap_err().to_string().contains("was not replaced"));
        assert!(ExecutorInput::parse("{").is_err());
        let empty = ExecutorInput::parse("{}").unwrap();
        let error = empty.artifact_path("model").unwrap_err();
        assert_eq!(error.to_string(), "the executor input has no input artifact `model`");
    }
}
