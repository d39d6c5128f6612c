//! The component file (`component.yaml`): what a container takes and answers, for `kfp` to load and compile.
//!
//! The form is the one that `kfp.components.load_component_from_file` of 2.17 reads and compiles into the v2
//! representation. Texts are written as JSON strings, which are YAML's double-quoted ones.

use std::fmt::Write as _;

use serde_json::Value;

/// What a parameter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterType {
    /// `STRING`.
    Text,
    /// `NUMBER_INTEGER`.
    Integer,
    /// `NUMBER_DOUBLE`.
    Number,
    /// `BOOLEAN`.
    Boolean,
    /// `LIST`.
    List,
    /// `STRUCT`.
    Struct,
}

/// What an artifact is to Kubeflow: its system types, which decide what its pages show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArtifactType {
    /// `system.Artifact`.
    Artifact,
    /// `system.Dataset`.
    Dataset,
    /// `system.Model`.
    Model,
    /// `system.Metrics`: numbers in the metadata are shown.
    Metrics,
    /// `system.ClassificationMetrics`: a curve and a confusion matrix in the metadata are shown.
    ClassificationMetrics,
    /// `system.Markdown`: the file is shown.
    Markdown,
    /// `system.HTML`: one file, shown in a frame.
    Html,
}

/// What a port carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortType {
    /// A value.
    Parameter(ParameterType),
    /// A file or folder.
    Artifact(ArtifactType),
}

impl PortType {
    /// The name of the type in a component file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parameter(ParameterType::Text) => "String",
            Self::Parameter(ParameterType::Integer) => "Integer",
            Self::Parameter(ParameterType::Number) => "Float",
            Self::Parameter(ParameterType::Boolean) => "Boolean",
            Self::Parameter(ParameterType::List) => "JsonArray",
            Self::Parameter(ParameterType::Struct) => "JsonObject",
            Self::Artifact(ArtifactType::Artifact) => "Artifact",
            Self::Artifact(ArtifactType::Dataset) => "Dataset",
            Self::Artifact(ArtifactType::Model) => "Model",
            Self::Artifact(ArtifactType::Metrics) => "Metrics",
            Self::Artifact(ArtifactType::ClassificationMetrics) => "ClassificationMetrics",
            Self::Artifact(ArtifactType::Markdown) => "Markdown",
            Self::Artifact(ArtifactType::Html) => "HTML",
        }
    }
}

/// An input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub carries: PortType,
    /// What it means.
    pub description: String,
    /// For an input: whether it may be left out.
    pub optional: bool,
    /// For an input: what holds when it is left out, as text.
    pub default: Option<String>,
}

/// A component file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentFile {
    /// The component's name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// What it takes.
    pub inputs: Vec<Port>,
    /// What it answers.
    pub outputs: Vec<Port>,
    /// The container image.
    pub image: String,
    /// The program within the image; Kubeflow does not use an image's entrypoint.
    pub command: String,
    /// Arguments before `--executor-input`, which comes last.
    pub arguments: Vec<String>,
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

impl ComponentFile {
    /// The text of the file.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "name: {}\ndescription: {}", quoted(&self.name), quoted(&self.description));
        for (title, ports) in [("inputs", &self.inputs), ("outputs", &self.outputs)] {
            if ports.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{title}:");
            for port in ports {
                let _ = writeln!(text, "- name: {}\n  type: {}", port.name, port.carries.name());
                let _ = writeln!(text, "  description: {}", quoted(&port.description));
                if let Some(default) = &port.default {
                    let _ = writeln!(text, "  default: {}", quoted(default));
                }
                if port.optional {
                    text.push_str("  optional: true\n");
                }
            }
        }
        let arguments: Vec<String> = self.arguments.iter().map(|argument| quoted(argument)).collect();
        let _ = write!(
            text,
            "implementation:\n  container:\n    image: {}\n    command: [{}]\n    args: [{}, --executor-input, \
             {{executorInput: null}}]\n",
            quoted(&self.image),
            quoted(&self.command),
            arguments.join(", ")
        );
        text
    }
}
