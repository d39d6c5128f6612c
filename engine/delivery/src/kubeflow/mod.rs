//! Kubeflow Pipelines' container contract, as `kfp` 2.17 and its launcher read and write it: the executor
//! input that names artifacts and parameters, the executor output that answers, and the component file that
//! declares both. Vertex AI Pipelines runs the same containers.
//!
//! An artifact is found by its `customPath`, else its URI is mapped to the mount that the launcher makes:
//! `gs://b/k` → `/gcs/b/k`, `s3://` → `/s3/`, `minio://` → `/minio/`, `oci://a/b` → `/oci/a_b/models`; a URI
//! without scheme is a local path. Output parameters are written to their files and into the executor output,
//! since the launcher prefers the one and local runners the other; texts without a final newline, because
//! conditions compare them as they are.

mod component;
mod input;
mod output;
#[cfg(test)]
mod tests;

pub use component::{ArtifactType, ComponentFile, ParameterType, Port, PortType};
pub use input::{ExecutorInput, RuntimeArtifact};
pub use output::ExecutorOutput;
