use std::path::Path;

use fs_err as fs;
use serde_json::{Value, json};

use super::{
    ArtifactType, ComponentFile, ExecutorInput, ExecutorOutput, ParameterType, Port, PortType,
    RuntimeArtifact,
};

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
    assert_eq!(path("file:///local/model"), "/local/model");
    assert_eq!(path("/local/model"), "/local/model");
    let mut custom = artifact("gs://b/k");
    custom.custom_path = Some("/elsewhere".into());
    assert_eq!(custom.local_path().unwrap(), Path::new("/elsewhere"));
    let mut workspace = artifact("gs://b/k");
    workspace.metadata.insert("_kfp_workspace".into(), true.into());
    assert_eq!(workspace.local_path().unwrap(), Path::new("/kfp-workspace/.artifacts/b/k"));
    assert!(artifact("hdfs://b/k").local_path().is_err());
    assert!(artifact("").local_path().is_err());
}

#[test]
fn the_answer_is_what_the_launcher_parses() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let text = json!({
        "inputs": {"parameterValues": {"alpha": 0.05}},
        "outputs": {
            "parameters": {"blessing": {"outputFile": path("deep/blessing")}, "blessed": {"outputFile": path("blessed")}},
            "artifacts": {
                "metrics": {"artifacts": [{"name": "m", "uri": "s3://b/m", "type": {"schemaTitle": "system.Metrics"}}]},
                "executor-logs": {"artifacts": [{"name": "l", "uri": "s3://b/l"}]},
            },
            "outputFile": path("out/executor_output.json"),
        },
    });
    let input = ExecutorInput::parse(&text.to_string()).unwrap();
    assert_eq!(input.parameter("alpha"), Some(&json!(0.05)));
    let mut output = ExecutorOutput::default();
    output.set_parameter("blessing", "BLESSED");
    output.set_parameter("blessed", true);
    output.set_parameter("undeclared", 1);
    output.set_metadata("metrics", "rmse", 57.4);
    output.set_metadata("metrics", "r2", f64::NAN);
    output.set_metadata("undeclared", "rows", 1);
    output.write(&input).unwrap();
    assert_eq!(fs::read_to_string(path("deep/blessing")).unwrap(), "BLESSED");
    assert_eq!(fs::read_to_string(path("blessed")).unwrap(), "true");
    let written: Value =
        serde_json::from_slice(&fs::read(path("out/executor_output.json")).unwrap()).unwrap();
    assert_eq!(
        written,
        json!({
            "parameterValues": {"blessing": "BLESSED", "blessed": true},
            "artifacts": {"metrics": {"artifacts": [{"name": "m", "uri": "s3://b/m", "metadata": {"rmse": 57.4}}]}},
        })
    );
}

#[test]
fn what_is_not_an_executor_input_is_said_with_its_place() {
    let message = |text: &str| ExecutorInput::parse(text).unwrap_err().to_string();
    assert!(message("{{$}}").contains("was not replaced"));
    assert!(message("{").contains("EOF"), "{}", message("{"));
    assert!(message("[]").contains("no JSON object"), "{}", message("[]"));
    assert_eq!(message("{}"), "the executor input's `outputs.outputFile` is missing");
    let wrong = json!({"inputs": {"artifacts": {"model": {"artifacts": [{"uri": 3}]}}}});
    assert_eq!(
        message(&wrong.to_string()),
        "the executor input's `inputs.artifacts.model.artifacts[0].uri` is wrong: invalid type: integer `3`, expected \
         a string"
    );
}

#[test]
fn a_component_file_is_yaml_that_kfp_loads() {
    let port = |name: &str, carries, optional, default: Option<&str>| Port {
        name: name.into(),
        carries,
        description: "What it \"is\": all".into(),
        optional,
        default: default.map(str::to_owned),
    };
    let file = ComponentFile {
        name: "sluice-train".into(),
        description: "Fit a model".into(),
        inputs: vec![
            port("dataset", PortType::Artifact(ArtifactType::Dataset), false, None),
            port("alpha", PortType::Parameter(ParameterType::Number), true, Some("0.5")),
        ],
        outputs: vec![port("model", PortType::Artifact(ArtifactType::Model), false, None)],
        image: "sluice:1".into(),
        command: "/sluice".into(),
        arguments: vec!["train".into()],
    };
    let expected = r#"name: "sluice-train"
description: "Fit a model"
inputs:
- name: dataset
  type: Dataset
  description: "What it \"is\": all"
- name: alpha
  type: Float
  description: "What it \"is\": all"
  default: "0.5"
  optional: true
outputs:
- name: model
  type: Model
  description: "What it \"is\": all"
implementation:
  container:
    image: "sluice:1"
    command: ["/sluice"]
    args: ["train", --executor-input, {executorInput: null}]
"#;
    assert_eq!(file.to_yaml(), expected);
}
