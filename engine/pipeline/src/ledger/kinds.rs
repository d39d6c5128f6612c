//! The types that stand in a ledger. Artifacts have the names and properties of TensorFlow Extended's, so that
//! whoever knows those finds his way, and so that both may stand in one store; executions have our own, under ML
//! Metadata's base types.

use serde_json::Value;

use crate::run::StepName;

/// The types that ML Metadata's client puts into every store, with their kind.
pub(super) const BASE_TYPES: [(&str, TypeKind); 9] = [
    ("mlmd.Dataset", TypeKind::Artifact),
    ("mlmd.Model", TypeKind::Artifact),
    ("mlmd.Metrics", TypeKind::Artifact),
    ("mlmd.Statistics", TypeKind::Artifact),
    ("mlmd.Train", TypeKind::Execution),
    ("mlmd.Transform", TypeKind::Execution),
    ("mlmd.Process", TypeKind::Execution),
    ("mlmd.Evaluate", TypeKind::Execution),
    ("mlmd.Deploy", TypeKind::Execution),
];

/// The contexts of a step, as TensorFlow Extended has them.
pub(super) const PIPELINE: &str = "pipeline";
pub(super) const PIPELINE_RUN: &str = "pipeline_run";
pub(super) const NODE: &str = "node";
pub(super) const CONTEXTS: [&str; 3] = [PIPELINE, PIPELINE_RUN, NODE];

/// ML Metadata's `type_kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeKind {
    Execution = 0,
    Artifact = 1,
    Context = 2,
}

/// ML Metadata's `data_type` of a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PropertyType {
    Int = 1,
    Double = 2,
    Text = 3,
}

/// What an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArtifactKind {
    /// What was read: files, objects, globs.
    ExternalArtifact,
    /// A data set.
    Examples,
    /// Its statistics.
    ExampleStatistics,
    /// A schema.
    Schema,
    /// What validation found.
    ExampleAnomalies,
    /// A fitted transform.
    TransformGraph,
    /// A model package.
    Model,
    /// Metrics and slices.
    ModelEvaluation,
    /// The verdict.
    ModelBlessing,
    /// A registered version.
    PushedModel,
}

impl ArtifactKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::ExternalArtifact,
        Self::Examples,
        Self::ExampleStatistics,
        Self::Schema,
        Self::ExampleAnomalies,
        Self::TransformGraph,
        Self::Model,
        Self::ModelEvaluation,
        Self::ModelBlessing,
        Self::PushedModel,
    ];

    /// The name of its type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ExternalArtifact => "ExternalArtifact",
            Self::Examples => "Examples",
            Self::ExampleStatistics => "ExampleStatistics",
            Self::Schema => "Schema",
            Self::ExampleAnomalies => "ExampleAnomalies",
            Self::TransformGraph => "TransformGraph",
            Self::Model => "Model",
            Self::ModelEvaluation => "ModelEvaluation",
            Self::ModelBlessing => "ModelBlessing",
            Self::PushedModel => "PushedModel",
        }
    }

    /// The path of events about it: the name of the channel of TensorFlow Extended's components.
    #[must_use]
    pub fn channel(self) -> &'static str {
        match self {
            Self::ExternalArtifact => "input",
            Self::Examples => "examples",
            Self::ExampleStatistics => "statistics",
            Self::Schema => "schema",
            Self::ExampleAnomalies => "anomalies",
            Self::TransformGraph => "transform_graph",
            Self::Model => "model",
            Self::ModelEvaluation => "evaluation",
            Self::ModelBlessing => "blessing",
            Self::PushedModel => "pushed_model",
        }
    }

    pub(super) fn base_type(self) -> Option<&'static str> {
        match self {
            Self::Examples => Some("mlmd.Dataset"),
            Self::ExampleStatistics => Some("mlmd.Statistics"),
            Self::Model | Self::PushedModel => Some("mlmd.Model"),
            Self::ExternalArtifact
            | Self::Schema
            | Self::ExampleAnomalies
            | Self::TransformGraph
            | Self::ModelEvaluation
            | Self::ModelBlessing => None,
        }
    }

    /// The properties of the type; all else are custom properties.
    pub(super) fn properties(self) -> &'static [(&'static str, PropertyType)] {
        match self {
            Self::Examples => &[
                ("span", PropertyType::Int),
                ("split_names", PropertyType::Text),
                ("version", PropertyType::Int),
            ],
            Self::ExampleStatistics | Self::ExampleAnomalies => {
                &[("span", PropertyType::Int), ("split_names", PropertyType::Text)]
            }
            Self::ExternalArtifact
            | Self::Schema
            | Self::TransformGraph
            | Self::Model
            | Self::ModelEvaluation
            | Self::ModelBlessing
            | Self::PushedModel => &[],
        }
    }
}

/// The properties of every execution; its custom properties are the parameters of the step.
pub(super) const EXECUTION_PROPERTIES: [(&str, PropertyType); 12] = [
    ("component", PropertyType::Text),
    ("error", PropertyType::Text),
    ("outcome", PropertyType::Text),
    ("reason", PropertyType::Text),
    ("rows", PropertyType::Int),
    ("run", PropertyType::Int),
    ("seconds", PropertyType::Double),
    ("spans_read", PropertyType::Int),
    ("spans_reused", PropertyType::Int),
    ("started", PropertyType::Int),
    ("step", PropertyType::Text),
    ("summary", PropertyType::Text),
];

/// The name of a step's type.
pub(super) fn execution_type(step: StepName) -> String {
    format!("sluice.{step}")
}

pub(super) fn execution_base_type(step: StepName) -> &'static str {
    match step {
        StepName::Ingest | StepName::Statistics | StepName::Schema | StepName::Validate => "mlmd.Process",
        StepName::Transform => "mlmd.Transform",
        StepName::Train => "mlmd.Train",
        StepName::Evaluate => "mlmd.Evaluate",
        StepName::Push => "mlmd.Deploy",
    }
}

/// The component of TensorFlow Extended that a step stands in for.
pub(super) fn component(step: StepName) -> &'static str {
    match step {
        StepName::Ingest => "ExampleGen",
        StepName::Statistics => "StatisticsGen",
        StepName::Schema => "SchemaGen",
        StepName::Validate => "ExampleValidator",
        StepName::Transform => "Transform",
        StepName::Train => "Trainer",
        StepName::Evaluate => "Evaluator",
        StepName::Push => "Pusher",
    }
}

/// How an execution stands, as ML Metadata numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExecutionState {
    Running = 2,
    Complete = 3,
    Failed = 4,
    Cached = 5,
    Canceled = 6,
}

/// The name of a state that ML Metadata numbers so.
pub(super) fn execution_state(number: Option<i64>) -> &'static str {
    match number {
        Some(1) => "new",
        Some(2) => "running",
        Some(3) => "complete",
        Some(4) => "failed",
        Some(5) => "cached",
        Some(6) => "canceled",
        _ => "unknown",
    }
}

/// ML Metadata's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventType {
    DeclaredInput = 2,
    Input = 3,
    Output = 4,
}

/// A JSON value as the columns `int_value`, `double_value`, `string_value`, `bool_value` hold it; what is none of these
/// is JSON text. Nothing for null.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Column {
    Int(i64),
    Double(f64),
    Text(String),
    Bool(bool),
}

impl Column {
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(value) => Self::Bool(*value),
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Int(integer),
                (None, Some(double)) => Self::Double(double),
                (None, None) => Self::Text(number.to_string()),
            },
            Value::Array(_) | Value::Object(_) => Self::Text(value.to_string()),
        })
    }
}
