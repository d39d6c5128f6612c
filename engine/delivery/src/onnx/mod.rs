//! Export as ONNX: the fitted transform alone, and transform and model in one file that takes the raw
//! columns.
//!
//! Each column of the data is an input of N rows and one column. A float that is missing is NaN; a column
//! of another type has a second input, `COLUMN_is_null`, and so has a float of which an expression asks
//! whether its NaN is a null. The same operations in the same order and double
//! precision give the same bits, but for functions that ONNX does not promise to a digit ([`Bound`]).
//! A network is in single precision, as ours is; how far its sums may be apart follows from the rounding of its steps
//! ([`DoubleNetwork::noise`](sluice_networks::double::DoubleNetwork::noise)). Every export is run by tract on rows of the
//! data and on edge rows, and is an error where it differs by more than its bound.

mod bound;
mod functions;
mod graph;
mod inputs;
mod network;
mod nulls;
mod operations;
mod rows;
mod value;
mod verify;

pub use bound::Bound;

use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_onnx::{IR_VERSION, ML_OPSET, OPSET};
use sluice_transform::constants::expression::mentions;
use sluice_transform::spec::{Derive, Unseen};
use sluice_transform::{Operation, TransformSpec};

use crate::error::DeliveryError;
use crate::package::PackageParts;
use graph::Export;

/// The operations that ONNX can express, by their names in the pipeline file. Whatever is added to the
/// transform is refused until it stands here and in `operations`.
const EXPRESSIBLE: [&str; 25] = [
    "standardize",
    "scale_to_range",
    "max_abs_scale",
    "robust_scale",
    "math",
    "clip",
    "bucketize",
    "one_hot",
    "impute",
    "pass_through",
    "drop",
    "ordinal",
    "vocabulary",
    "cross",
    "frequency",
    "target_mean",
    "power_transform",
    "quantile_transform",
    "scale_to_gaussian",
    "polynomial",
    "pca",
    "date_parts",
    "cyclic",
    "haversine",
    "derive",
];

/// What expressions may ask for that ONNX cannot: patterns and functions of text, and calculating with dates.
const NO_FUNCTIONS: [&str; 22] = [
    "like",
    "ilike",
    "||",
    "interval",
    "regexp_matches",
    "lower",
    "upper",
    "trim",
    "ltrim",
    "rtrim",
    "replace",
    "substr",
    "substring",
    "length",
    "char_length",
    "character_length",
    "octet_length",
    "starts_with",
    "ends_with",
    "contains",
    "date_diff",
    "date_trunc",
];

/// Whether a model package holds ONNX files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnnxMode {
    /// It does; what cannot be expressed is refused before anything is fitted.
    Required,
    /// It does where everything can be expressed; else it says why not.
    #[default]
    IfPossible,
    /// It does not.
    Off,
}

impl OnnxMode {
    /// Its names, as in the pipeline file.
    pub const NAMES: [&'static str; 3] = ["required", "if-possible", "off"];
}

impl std::str::FromStr for OnnxMode {
    type Err = sluice_core::options::OptionsError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "required" => Ok(Self::Required),
            "if-possible" => Ok(Self::IfPossible),
            "off" => Ok(Self::Off),
            _ => Err(sluice_core::options::OptionsError::NoSuchChoice {
                name: "onnx".into(),
                value: text.into(),
                choices: Self::NAMES.map(str::to_owned).to_vec(),
            }),
        }
    }
}

/// What a package says of its ONNX files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnnxRecord {
    /// What was asked for.
    pub mode: OnnxMode,
    /// Why there are no files, where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// What the files are, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<OnnxFiles>,
}

/// What the ONNX files of a package are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnnxFiles {
    /// The operator set of `ai.onnx`.
    pub opset: i64,
    /// The operator set of `ai.onnx.ml`.
    pub ml_opset: i64,
    /// The version of the file format.
    pub ir_version: i64,
    /// The inputs, in order.
    pub inputs: Vec<OnnxInput>,
    /// The output of `transform.onnx`.
    pub features: String,
    /// The first output of `model.onnx`.
    pub prediction: String,
    /// Its other outputs: of further targets, or of further classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_predictions: Vec<String>,
    /// How far features may differ from ours, by the columns of the output.
    pub bounds: Vec<Bound>,
    /// Rows on which both were run when they were written.
    pub verified_rows: usize,
}

/// An input of an ONNX file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnnxInput {
    /// Its name.
    pub name: String,
    /// The column that it is of.
    pub column: String,
    /// The type of its tensor.
    pub elements: String,
    /// What dates and timestamps count since 1970-01-01.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Whether it says where the column is null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_null_mask: bool,
}

/// The bytes of both files.
#[derive(Debug)]
pub(crate) struct OnnxBytes {
    pub(crate) transform: Vec<u8>,
    pub(crate) model: Vec<u8>,
}

/// Whether ONNX can express all operations, before anything is fitted. What depends on the kinds of columns is known
/// when the model is packaged.
///
/// # Errors
/// [`DeliveryError::OnnxInexpressible`] with the first operation that it cannot.
pub fn check(spec: &TransformSpec) -> std::result::Result<(), DeliveryError> {
    let refused = spec.0.iter().find_map(|operation| Some((operation.name(), problem(operation)?)));
    refused.map_or(Ok(()), |(operation, problem)| Err(inexpressible(operation, problem)))
}

/// Why an operation with these options has no form in ONNX, if it has none.
fn problem(operation: &Operation) -> Option<String> {
    let hashes = |option: &str| Some(format!("with `{option}` hashes text, which has no form in ONNX"));
    match operation {
        Operation::Vocabulary(options) if options.oov_buckets > 0 => hashes("oov_buckets"),
        Operation::Cross(options) if options.buckets.is_some() => hashes("buckets"),
        Operation::OneHot(options) if options.unseen == Unseen::Error => {
            Some("with `unseen: error` stops at rows, which ONNX cannot".into())
        }
        Operation::Derive(Derive(expressions)) => expressions.iter().find_map(|(name, text)| {
            let asked = mentions(text).into_iter().find(|asked| NO_FUNCTIONS.contains(&asked.as_str()))?;
            Some(format!("asks for `{asked}` in `{name}`, which has no form in ONNX"))
        }),
        operation if EXPRESSIBLE.contains(&operation.name()) => None,
        _ => Some("has no form in ONNX".into()),
    }
}

/// The files of a package, run on `rows` and on edge rows.
pub(crate) fn export(parts: &PackageParts, rows: &RecordBatch) -> Result<(OnnxBytes, OnnxFiles)> {
    if parts.model.calibration().is_some() {
        return Err(inexpressible("calibration", "has no form in the graph").into());
    }
    let export = Export::new(parts)?;
    let verified_rows = verify::verify(parts, &export, rows)?;
    let files = OnnxFiles {
        opset: OPSET,
        ml_opset: ML_OPSET,
        ir_version: IR_VERSION,
        inputs: export.inputs.describe(),
        features: export.features.clone(),
        prediction: export.predictions.first().cloned().unwrap_or_default(),
        further_predictions: export.predictions.iter().skip(1).cloned().collect(),
        bounds: export.bounds.clone(),
        verified_rows,
    };
    Ok((OnnxBytes { transform: export.transform_file, model: export.model_file }, files))
}

fn inexpressible(operation: &str, problem: impl Into<String>) -> DeliveryError {
    DeliveryError::OnnxInexpressible { operation: operation.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests;
