//! What a container answers.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

use sluice_core::artifact::write_whole;
use sluice_core::error::{CommonError, Result};

use super::input::{ExecutorInput, RuntimeArtifact};

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

    /// Adds to the metadata of an output artifact. Null, and with it NaN and infinities, is left out: Kubeflow fails
    /// a task for it.
    pub fn set_metadata(&mut self, artifact: &str, key: &str, value: impl Into<Value>) {
        let value = value.into();
        if !value.is_null() {
            self.metadata.entry(artifact.into()).or_default().insert(key.into(), value);
        }
    }

    /// Writes the parameters' files, then the executor output. Only what the component declares is written, and of
    /// artifacts only those that something is known of: the rest belongs to the launcher.
    ///
    /// # Errors
    /// [`CommonError::File`].
    pub fn write(&self, input: &ExecutorInput) -> Result<()> {
        let mut parameter_values = BTreeMap::new();
        for (name, file) in input.output_parameters() {
            let Some(value) = self.parameters.get(name) else { continue };
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if !file.is_empty() {
                write_whole(Path::new(file), text.as_bytes())?;
            }
            parameter_values.insert(name.to_owned(), value.clone());
        }
        let mut artifacts = BTreeMap::new();
        for (name, metadata) in &self.metadata {
            let Some(artifact) = input.output_artifact(name) else { continue };
            let artifact = RuntimeArtifact { metadata: metadata.clone(), ..artifact.clone() };
            artifacts.insert(name.clone(), StoredArtifacts { artifacts: vec![artifact] });
        }
        let bytes = serde_json::to_vec(&StoredOutput { parameter_values, artifacts })
            .map_err(|error| CommonError::Internal(error.to_string()))?;
        write_whole(input.output_file(), &bytes)
    }
}
