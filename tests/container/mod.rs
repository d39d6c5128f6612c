//! Commands as container components: `sluice NAME --executor-input JSON`, with inputs as the launcher writes them.

mod files;
mod gates;
mod malformed;
mod monitoring;
mod same_bytes;

use std::path::Path;

use serde_json::{Map, Value, json};
use sluice_testkit::datasets::repository;

use crate::support::{Outcome, Place, diabetes};

/// The commands that have a component file.
const COMPONENTS: [&str; 13] = [
    "drift",
    "evaluate",
    "ingest",
    "predict",
    "push",
    "run",
    "schema",
    "should-retrain",
    "skew",
    "statistics",
    "train",
    "transform",
    "validate",
];
/// The types of artifacts in a component file; every other is a parameter.
const ARTIFACTS: [&str; 7] =
    ["Artifact", "ClassificationMetrics", "Dataset", "HTML", "Markdown", "Metrics", "Model"];

/// The outputs that a component file declares, with their types.
fn outputs_of(command: &str) -> Vec<(String, String)> {
    let path = repository().join("components").join(command.replace('-', "_")).join("component.yaml");
    let text = fs_err::read_to_string(path).unwrap();
    let (_, outputs) = text.split_once("\noutputs:\n").unwrap();
    let value = |line: &str, key: &str| line.strip_prefix(key).map(str::to_owned);
    let names = outputs.lines().filter_map(|line| value(line, "- name: "));
    let types = outputs.lines().filter_map(|line| value(line, "  type: "));
    names.zip(types).collect()
}

/// An executor input in the making.
struct Task {
    command: &'static str,
    input: Value,
}

fn artifact(name: &str, schema: &str, uri: &str) -> Value {
    let kind = json!({"schemaTitle": schema, "schemaVersion": "0.0.1"});
    json!({"artifacts": [{"name": name, "type": kind, "uri": uri, "metadata": {}}]})
}

impl Task {
    /// With all outputs of the component file, below `task/COMMAND`.
    fn new(place: &Place, command: &'static str) -> Self {
        let at = |name: &str| place.path(&format!("task/{command}/{name}")).display().to_string();
        let (mut parameters, mut artifacts) = (Map::new(), Map::new());
        for (name, kind) in outputs_of(command) {
            if ARTIFACTS.contains(&kind.as_str()) {
                let declared = artifact(&name, &format!("system.{kind}"), &at(&format!("deep/{name}")));
                artifacts.insert(name, declared);
            } else {
                let file = at(&format!("parameters/{name}"));
                parameters.insert(name, json!({"outputFile": file}));
            }
        }
        let outputs = json!({
            "parameters": parameters, "artifacts": artifacts, "outputFile": at("out/executor_output.json"),
        });
        Self {
            command,
            input: json!({"inputs": {"parameterValues": {}, "artifacts": {}}, "outputs": outputs}),
        }
    }

    fn artifact(mut self, name: &str, path: &Path) -> Self {
        self.input["inputs"]["artifacts"][name] =
            artifact("given", "system.Artifact", &path.display().to_string());
        self
    }

    fn parameter(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.input["inputs"]["parameterValues"][name] = value.into();
        self
    }

    /// Starts it with options beside the input.
    fn run(&self, place: &Place, beside: &[&str]) -> Outcome {
        let text = self.input.to_string();
        place.sluice(&[&[self.command, "--executor-input", &text], beside].concat())
    }

    /// Runs it to its end and checks the answer: every declared parameter, in its file and in the executor output.
    #[track_caller]
    fn answers(&self, place: &Place, beside: &[&str], code: i32) -> Value {
        let outcome = self.run(place, beside).exits(code);
        let answer = self.answer(place);
        let declared = self.input["outputs"]["parameters"].as_object().unwrap();
        let values = answer["parameterValues"].as_object().unwrap();
        assert!(declared.keys().eq(values.keys()), "{values:?} is not what is declared: {outcome:#?}");
        for (name, value) in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let file = fs_err::read_to_string(declared[name]["outputFile"].as_str().unwrap()).unwrap();
            assert_eq!(file, text, "the file of `{name}`");
        }
        assert_eq!(answer.as_object().unwrap().len(), 2, "the launcher refuses what it does not know");
        place.is_tidy();
        answer
    }

    fn answer(&self, place: &Place) -> Value {
        place.json(&format!("task/{}/out/executor_output.json", self.command))
    }
}

/// Where a task left an artifact.
fn made(place: &Place, command: &str, name: &str) -> std::path::PathBuf {
    place.path(&format!("task/{command}/deep/{name}"))
}

/// A place with a run of the diabetes pipeline below `done`.
fn place_with_run() -> Place {
    let place = Place::new();
    let _ = place.sluice(&["run", &diabetes("pipeline.yaml"), "--out", "done", "--quiet"]).exits(0);
    place
}

/// An artifact of that run.
fn of_run(place: &Place, name: &str) -> std::path::PathBuf {
    place.path(&format!("done/runs/0001/{name}"))
}
