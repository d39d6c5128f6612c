//! The file as it is written: protobuf text, or the JSON of the same message with names in either case.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, MapKey, Value as Field};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::EvalConfigError;
use crate::spec::from_yaml;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tensorflow_model_analysis.binpb"));
    #[expect(clippy::expect_used, reason = "the build script compiled these bytes, no input reaches them")]
    DescriptorPool::decode(bytes).expect("the embedded definitions are a descriptor set")
});

/// What is said of models, slices and metrics. Fields that nothing here answers to are kept as they are, to be refused by
/// name.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct EvalConfig {
    #[serde(alias = "modelSpecs")]
    pub(super) model_specs: Vec<ModelSpec>,
    #[serde(alias = "slicingSpecs")]
    pub(super) slicing_specs: Vec<SlicingSpec>,
    #[serde(alias = "metricsSpecs")]
    pub(super) metrics_specs: Vec<MetricsSpec>,
    pub(super) options: Options,
    #[serde(alias = "crossSlicingSpecs")]
    pub(super) cross_slicing_specs: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ModelSpec {
    pub(super) name: String,
    #[serde(alias = "signatureName")]
    pub(super) signature_name: Value,
    #[serde(alias = "labelKey")]
    pub(super) label_key: String,
    #[serde(alias = "labelKeys")]
    pub(super) label_keys: Value,
    #[serde(alias = "predictionKey")]
    pub(super) prediction_key: Value,
    #[serde(alias = "predictionKeys")]
    pub(super) prediction_keys: Value,
    #[serde(alias = "exampleWeightKey")]
    pub(super) example_weight_key: String,
    #[serde(alias = "exampleWeightKeys")]
    pub(super) example_weight_keys: Value,
    #[serde(alias = "isBaseline")]
    pub(super) is_baseline: bool,
    #[serde(alias = "modelType")]
    pub(super) model_type: Value,
    #[serde(alias = "preprocessingFunctionNames")]
    pub(super) preprocessing_function_names: Value,
    #[serde(alias = "paddingOptions")]
    pub(super) padding_options: Value,
    #[serde(alias = "inferenceBatchSize")]
    pub(super) inference_batch_size: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SlicingSpec {
    #[serde(alias = "featureKeys")]
    pub(super) feature_keys: Vec<String>,
    #[serde(alias = "featureValues")]
    pub(super) feature_values: BTreeMap<String, String>,
    #[serde(alias = "sliceKeysSql")]
    pub(super) slice_keys_sql: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricsSpec {
    pub(super) metrics: Vec<MetricConfig>,
    #[serde(alias = "modelNames")]
    pub(super) model_names: Vec<String>,
    #[serde(alias = "outputNames")]
    pub(super) output_names: Value,
    pub(super) binarize: Value,
    #[serde(alias = "queryKey")]
    pub(super) query_key: Value,
    pub(super) aggregate: Value,
    pub(super) thresholds: BTreeMap<String, MetricThreshold>,
    #[serde(alias = "perSliceThresholds")]
    pub(super) per_slice_thresholds: BTreeMap<String, PerSliceThresholds>,
    #[serde(alias = "crossSliceThresholds")]
    pub(super) cross_slice_thresholds: Value,
    #[serde(alias = "outputWeights")]
    pub(super) output_weights: Value,
    #[serde(alias = "exampleWeights")]
    pub(super) example_weights: ExampleWeights,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ExampleWeights {
    pub(super) weighted: bool,
    pub(super) unweighted: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricConfig {
    #[serde(alias = "className")]
    pub(super) class_name: String,
    pub(super) module: Value,
    pub(super) config: String,
    pub(super) threshold: Option<MetricThreshold>,
    #[serde(alias = "perSliceThresholds")]
    pub(super) per_slice_thresholds: Vec<PerSliceThreshold>,
    #[serde(alias = "crossSliceThresholds")]
    pub(super) cross_slice_thresholds: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MetricThreshold {
    #[serde(alias = "valueThreshold")]
    pub(super) value_threshold: Option<ValueThreshold>,
    #[serde(alias = "changeThreshold")]
    pub(super) change_threshold: Option<ChangeThreshold>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ValueThreshold {
    #[serde(alias = "lowerBound")]
    pub(super) lower_bound: Option<Wrapped<f64>>,
    #[serde(alias = "upperBound")]
    pub(super) upper_bound: Option<Wrapped<f64>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ChangeThreshold {
    pub(super) absolute: Option<Wrapped<f64>>,
    pub(super) relative: Option<Wrapped<f64>>,
    pub(super) direction: Direction,
}

/// Which way a metric improves, by name or by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub(super) enum Direction {
    #[default]
    Unknown,
    LowerIsBetter,
    HigherIsBetter,
}

impl TryFrom<Value> for Direction {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match (value.as_str(), value.as_i64()) {
            (Some("UNKNOWN"), _) | (_, Some(0)) => Ok(Self::Unknown),
            (Some("LOWER_IS_BETTER"), _) | (_, Some(1)) => Ok(Self::LowerIsBetter),
            (Some("HIGHER_IS_BETTER"), _) | (_, Some(2)) => Ok(Self::HigherIsBetter),
            _ => Err(format!("`{value}` is no direction: LOWER_IS_BETTER or HIGHER_IS_BETTER")),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PerSliceThreshold {
    #[serde(alias = "slicingSpecs")]
    pub(super) slicing_specs: Vec<SlicingSpec>,
    pub(super) threshold: MetricThreshold,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PerSliceThresholds {
    pub(super) thresholds: Vec<PerSliceThreshold>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    #[serde(alias = "includeDefaultMetrics")]
    pub(super) include_default_metrics: Value,
    #[serde(alias = "computeConfidenceIntervals")]
    pub(super) compute_confidence_intervals: Value,
    #[serde(alias = "minSliceSize")]
    pub(super) min_slice_size: Option<Wrapped<u64>>,
    #[serde(alias = "disabledOutputs")]
    pub(super) disabled_outputs: Value,
    #[serde(alias = "confidenceIntervals")]
    pub(super) confidence_intervals: Value,
}

/// A number that may be absent: `{value: 0.5}` in text, `0.5` in JSON.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "what stands here must be a finite number, whole and not negative where rows are counted"
)]
pub(super) enum Wrapped<T> {
    Plain(T),
    Message {
        #[serde(default)]
        value: T,
    },
}

impl<T: Copy> Wrapped<T> {
    pub(super) fn get(self) -> T {
        match self {
            Self::Plain(value) | Self::Message { value } => value,
        }
    }
}

/// Reads a file.
pub(super) fn read(text: &str, file: &str) -> Result<EvalConfig, EvalConfigError> {
    let malformed = |problem: String, hint: Option<String>| EvalConfigError::Malformed {
        file: file.into(),
        problem,
        hint,
    };
    if text.trim_start().starts_with('{') {
        let read = from_yaml(text, file);
        return read.map_err(|error| {
            use sluice_core::Diagnostic as _;
            malformed(error.to_string(), error.hint())
        });
    }
    let name = "tensorflow_model_analysis.EvalConfig";
    let descriptor = POOL.get_message_by_name(name).ok_or_else(|| malformed(name.into(), None))?;
    let message = DynamicMessage::parse_text_format(descriptor, text)
        .map_err(|error| malformed(error.to_string(), None))?;
    serde_json::from_value(of_message(&message)).map_err(|error| malformed(error.to_string(), None))
}

/// The fields that a message has, under the names of its definition.
fn of_message(message: &DynamicMessage) -> Value {
    Value::Object(message.fields().map(|(field, value)| (field.name().to_owned(), of_field(value))).collect())
}

fn of_field(field: &Field) -> Value {
    match field {
        Field::Bool(value) => (*value).into(),
        Field::I32(value) | Field::EnumNumber(value) => (*value).into(),
        Field::I64(value) => (*value).into(),
        Field::U32(value) => (*value).into(),
        Field::U64(value) => (*value).into(),
        Field::F32(value) => (*value).into(),
        Field::F64(value) => (*value).into(),
        Field::String(value) => value.clone().into(),
        Field::Bytes(value) => String::from_utf8_lossy(value).into_owned().into(),
        Field::Message(message) => of_message(message),
        Field::List(values) => values.iter().map(of_field).collect(),
        Field::Map(values) => {
            let entries: BTreeMap<String, Value> =
                values.iter().map(|(key, value)| (of_key(key), of_field(value))).collect();
            Value::Object(Map::from_iter(entries))
        }
    }
}

fn of_key(key: &MapKey) -> String {
    match key {
        MapKey::Bool(key) => key.to_string(),
        MapKey::I32(key) => key.to_string(),
        MapKey::I64(key) => key.to_string(),
        MapKey::U32(key) => key.to_string(),
        MapKey::U64(key) => key.to_string(),
        MapKey::String(key) => key.clone(),
    }
}
