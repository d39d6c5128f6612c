//! The model package: transform, weights, signature and example rows in one artifact. It is the `Predictor`:
//! whoever has it needs nothing else to predict. A linear model is all in `model.json`; the weights of a network are in
//! `weights.safetensors` beside it, and such a package is of a version of its own.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt32Array};
use serde::{Deserialize, Serialize};

use sluice_core::artifact::{Artifact, Draft};
use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::error::{CommonError, Error, ErrorKind, Result};
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::plan::PlannedColumn;
use sluice_core::seam::{BatchTransform, FeatureModel as _, Predictor, Task};
use sluice_networks::NetworkModel;
use sluice_training::explain::Attribution;
use sluice_training::{Link, RowFeature};
use sluice_transform::Transform;
use sluice_transform::graph::Cell;

use crate::error::DeliveryError;
use crate::examples::Examples;
use crate::model::Model;
use crate::network::{Network, NetworkRecord};
use crate::onnx::{self, OnnxBytes, OnnxMode, OnnxRecord};

/// The artifact's kind.
pub const MODEL_KIND: &str = "model";
/// The version of its format, of a linear model.
pub const MODEL_VERSION: u32 = 3;
/// The version of its format, of a network.
pub const NETWORK_VERSION: u32 = 4;

const TRANSFORM_FILE: &str = "transform.json";
const MODEL_FILE: &str = "model.json";
/// The weights of a network, in a package of one.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
const SIGNATURE_FILE: &str = "signature.json";
const EXAMPLES_FILE: &str = "examples.json";
const ONNX_RECORD_FILE: &str = "onnx.json";
/// The transform alone as ONNX, in a package that has it.
pub const ONNX_TRANSFORM_FILE: &str = "transform.onnx";
/// Transform and model as ONNX, in a package that has it.
pub const ONNX_MODEL_FILE: &str = "model.onnx";

/// Rows that a package shows with their predictions.
const EXAMPLE_ROWS: usize = 5;

/// The column that a model's predictions are called.
pub(crate) const PREDICTION: &str = "prediction";

/// Predictions of example rows must come out this close: other processors may round otherwise.
const EXAMPLE_TOLERANCE: f64 = 1e-9;
/// The same of a network, whose sums are in single precision.
const NETWORK_TOLERANCE: f64 = 1e-4;

/// What goes in and what comes out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// The source columns that the model reads, with their kinds in training.
    pub inputs: Vec<PlannedColumn>,
    /// What it predicts.
    pub label: String,
    /// The columns that predictions are called, that of the label first.
    pub outputs: Vec<String>,
}

/// What a package is put together from.
#[derive(Clone, Debug)]
pub struct PackageParts {
    /// The fitted transform.
    pub transform: Transform,
    /// The fitted model.
    pub model: Model,
}

/// What a model makes of a batch.
#[derive(Clone, Debug)]
pub struct Scores {
    /// What the transform makes of it.
    pub features: FeatureBatch,
    /// A column for each output, null where there is no prediction.
    pub predictions: Vec<Float64Array>,
}

/// A model that can predict.
#[derive(Clone, Debug)]
pub struct ModelPackage {
    artifact: Artifact,
    parts: PackageParts,
    space: FeatureSpace,
    /// Whether rows without a prediction are null instead of an error.
    leaves_gaps: bool,
}

impl PackageParts {
    /// A transform and a model on its features.
    #[must_use]
    pub fn new(transform: Transform, model: impl Into<Model>) -> Self {
        Self { transform, model: model.into() }
    }

    fn signature(&self) -> Signature {
        Signature {
            inputs: self.transform.input_columns().to_vec(),
            label: self.model.label().to_owned(),
            outputs: self.outputs(),
        }
    }

    fn predict(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
        let features = self.transform.apply(batch)?;
        self.model.predict(&features, self.transform.space())
    }

    /// The columns of the predictions, the label's first; of more than two classes `prediction_CLASS` of each.
    pub(crate) fn outputs(&self) -> Vec<String> {
        let has_classes = self.model.link() == Link::Softmax;
        let name = |(index, target): (usize, String)| match index {
            0 if !has_classes => PREDICTION.to_owned(),
            _ => format!("{PREDICTION}_{target}"),
        };
        self.model.targets().into_iter().enumerate().map(name).collect()
    }

    /// Writes the package to `target`; `rows` are some training rows, of which the first become its
    /// examples and all are run through the ONNX files.
    ///
    /// # Errors
    /// What predicting the examples and writing meet; where ONNX is required, why it cannot be.
    pub fn publish(
        self,
        rows: &RecordBatch,
        onnx: OnnxMode,
        made_from: BTreeMap<String, String>,
        target: &Path,
    ) -> Result<ModelPackage> {
        self.publish_with(rows, onnx, made_from, target, |_| Ok(()))
    }

    /// The same with further files, which `attach` writes.
    ///
    /// # Errors
    /// As [`PackageParts::publish`], and those of `attach`.
    pub fn publish_with(
        self,
        rows: &RecordBatch,
        onnx: OnnxMode,
        made_from: BTreeMap<String, String>,
        target: &Path,
        attach: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<ModelPackage> {
        let examples = &rows.slice(0, std::cmp::min(EXAMPLE_ROWS, rows.num_rows()));
        let (record, files) = self.onnx(rows, onnx)?;
        let predictions = self.predict(&Batch::new(examples))?;
        let of_label =
            predictions.first().ok_or_else(|| CommonError::Internal("a model without predictions".into()))?;
        let examples = Examples::take(self.transform.input_columns(), examples, of_label)?;
        let mut draft = Draft::new(target)?;
        draft.write_json(TRANSFORM_FILE, &self.transform)?;
        let version = self.model.write(&mut draft)?;
        attach(&mut draft)?;
        draft.write_json(SIGNATURE_FILE, &self.signature())?;
        draft.write_json(EXAMPLES_FILE, &examples)?;
        draft.write_json(ONNX_RECORD_FILE, &record)?;
        if let Some(files) = files {
            draft.write_bytes(ONNX_TRANSFORM_FILE, &files.transform)?;
            draft.write_bytes(ONNX_MODEL_FILE, &files.model)?;
        }
        let artifact = draft.publish(MODEL_KIND, version, made_from)?;
        Ok(ModelPackage::new(artifact, self))
    }
}

impl PackageParts {
    /// The ONNX files where they are wanted and can be, with what the package says of them.
    fn onnx(&self, rows: &RecordBatch, mode: OnnxMode) -> Result<(OnnxRecord, Option<OnnxBytes>)> {
        let left_out = |reason: String| (OnnxRecord { mode, left_out: Some(reason), files: None }, None);
        if mode == OnnxMode::Off {
            return Ok(left_out("`onnx` is `off`".into()));
        }
        match onnx::export(self, rows) {
            Ok((bytes, files)) => Ok((OnnxRecord { mode, left_out: None, files: Some(files) }, Some(bytes))),
            Err(error) if mode == OnnxMode::Required || error.kind() == ErrorKind::Internal => {
                Err(error.in_place("`onnx`"))
            }
            Err(error) => Ok(left_out(error.to_string())),
        }
    }
}

impl ModelPackage {
    fn new(artifact: Artifact, parts: PackageParts) -> Self {
        let sources = parts.transform.inputs();
        let feature = |name| FeatureSpec { name, kind: FeatureKind::Number, sources: sources.clone() };
        let space = FeatureSpace { features: parts.outputs().into_iter().map(feature).collect() };
        Self { artifact, parts, space, leaves_gaps: false }
    }

    /// Opens a package, verifies its files, and predicts its example rows again.
    ///
    /// # Errors
    /// `ArtifactError`; [`DeliveryError::ExampleDiffers`] when the model does not do what it did.
    pub fn open(folder: &Path) -> Result<Self> {
        Self::from_artifact(Artifact::open_any(folder)?)
    }

    /// The package that an artifact is, whose files were verified when it was opened; predicts its example rows again.
    ///
    /// # Errors
    /// As [`ModelPackage::open`].
    pub fn from_artifact(artifact: Artifact) -> Result<Self> {
        let is_network = artifact.manifest().files.contains_key(WEIGHTS_FILE);
        artifact.must_be(MODEL_KIND, if is_network { NETWORK_VERSION } else { MODEL_VERSION })?;
        let transform: Transform = artifact.read_json(TRANSFORM_FILE)?;
        let model = Model::read(&artifact, transform.space())?;
        let parts = PackageParts::new(transform, model);
        let examples: Examples = artifact.read_json(EXAMPLES_FILE)?;
        let path = || artifact.folder().display().to_string();
        let malformed = |row: usize| DeliveryError::ExampleMalformed { path: path(), row: row + 1 };
        if parts.model.as_linear().is_some_and(|linear| !linear.is_sound(parts.transform.space().width())) {
            return Err(malformed(0).into());
        }
        let table = examples.table(parts.transform.input_columns()).map_err(malformed)?;
        let predictions = parts.predict(&Batch::new(&table))?;
        let of_label = predictions.first().ok_or_else(|| malformed(0))?;
        if of_label.len() != examples.predictions.len() {
            return Err(malformed(0).into());
        }
        for (row, (&found, &expected)) in of_label.values().iter().zip(&examples.predictions).enumerate() {
            let tolerance = if is_network { NETWORK_TOLERANCE } else { EXAMPLE_TOLERANCE };
            if !((found - expected).abs() <= tolerance * (1.0 + expected.abs())) {
                return Err(
                    DeliveryError::ExampleDiffers { path: path(), row: row + 1, expected, found }.into()
                );
            }
        }
        Ok(Self::new(artifact, parts))
    }

    /// The same, which as a transform gives null where a feature is null, NaN or infinite, instead of an error: for those
    /// who leave such rows out.
    #[must_use]
    pub fn with_gaps(self) -> Self {
        Self { leaves_gaps: true, ..self }
    }

    /// The artifact.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }

    /// The fitted transform.
    #[must_use]
    pub fn transform(&self) -> &Transform {
        &self.parts.transform
    }

    /// The fitted model.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.parts.model
    }

    /// What each feature adds to its predictions.
    ///
    /// # Errors
    /// As [`Model::attribution`].
    pub fn attribution(&self) -> Result<Box<dyn Attribution>> {
        self.parts.model.attribution(self.parts.transform.space())
    }

    /// What goes in and what comes out.
    #[must_use]
    pub fn signature(&self) -> Signature {
        self.parts.signature()
    }

    /// What the package says of its ONNX files; `None` for one that is older than they are.
    ///
    /// # Errors
    /// `ArtifactError` when the file is damaged.
    pub fn onnx(&self) -> Result<Option<OnnxRecord>> {
        let has_record = self.artifact.manifest().files.contains_key(ONNX_RECORD_FILE);
        if has_record { self.artifact.read_json(ONNX_RECORD_FILE).map(Some) } else { Ok(None) }
    }

    /// The predictions of a batch, a column for each output, null in rows in which a feature is null, NaN or infinite.
    ///
    /// # Errors
    /// When a column is missing or of another type than in training.
    pub fn predict_sound(&self, batch: &Batch) -> Result<Vec<Float64Array>> {
        Ok(self.score(batch)?.predictions)
    }

    /// The features of a batch with the predictions that come of them, as [`ModelPackage::predict_sound`] answers them.
    ///
    /// # Errors
    /// When a column is missing or of another type than in training.
    pub fn score(&self, batch: &Batch) -> Result<Scores> {
        let features = self.parts.transform.apply(batch)?;
        let predictions = self.parts.model.predict_sound(&features, self.parts.transform.space())?;
        Ok(Scores { features, predictions })
    }

    /// The predictions of one row, one for each output, in microseconds; none where a feature is null, NaN or infinite.
    /// `cells` are those of the transform's input columns, in order. The same bits as those of a batch with this row.
    ///
    /// # Errors
    /// When a cell is of another kind than its column was in training.
    pub fn predict_row(&self, cells: &[Cell<'_>]) -> Result<Option<Vec<f64>>> {
        let features = self.parts.transform.apply_row(cells)?;
        let space = self.parts.transform.space();
        let linear = match &self.parts.model {
            Model::Linear(linear) => linear,
            Model::Network(network) => {
                let columns = features.iter().zip(&space.features).map(|(cell, spec)| column(cell, spec));
                let columns = columns.collect::<Result<_>>()?;
                let predictions = network.predict_sound(&FeatureBatch { rows: 1, columns })?;
                return Ok(predictions.iter().map(|values| values.iter().next().flatten()).collect());
            }
        };
        let mut terms = Vec::with_capacity(features.len());
        for cell in &features {
            terms.push(match row_feature(cell)? {
                Some(term) => term,
                None => return Ok(None),
            });
        }
        Ok(linear.predict_row(&terms, space))
    }
}

/// A feature of a row as a column of one row.
fn column(cell: &Cell<'_>, spec: &FeatureSpec) -> Result<FeatureColumn> {
    Ok(match (cell, &spec.kind) {
        (Cell::Code(code), _) => FeatureColumn::Codes(UInt32Array::from(vec![*code])),
        (Cell::Sparse(sparse), _) => FeatureColumn::Sparse(Arc::clone(sparse)),
        (Cell::Null, FeatureKind::OneHot { .. }) => FeatureColumn::Codes(UInt32Array::from(vec![None])),
        (cell, _) => FeatureColumn::Numbers(Float64Array::from(vec![match row_feature(cell)? {
            Some(RowFeature::Number(number)) => Some(number),
            _ => None,
        }])),
    })
}

/// A feature of a row as the model takes it; none for what is missing.
fn row_feature<'a>(cell: &'a Cell<'_>) -> Result<Option<RowFeature<'a>>> {
    Ok(match cell {
        Cell::Code(code) => Some(RowFeature::Code(*code)),
        Cell::Sparse(sparse) => Some(RowFeature::Sparse(sparse)),
        Cell::Other(column) => {
            numbers("feature", column, "the model")?.iter().next().flatten().map(RowFeature::Number)
        }
        cell => {
            let number =
                cell.number().map_err(|found| CommonError::Internal(format!("a feature is {found}")))?;
            number.map(RowFeature::Number)
        }
    })
}

impl BatchTransform for ModelPackage {
    fn inputs(&self) -> Vec<String> {
        self.parts.transform.inputs()
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let predictions =
            if self.leaves_gaps { self.predict_sound(batch)? } else { self.parts.predict(batch)? };
        let columns = predictions.into_iter().map(FeatureColumn::Numbers).collect();
        Ok(FeatureBatch { rows: batch.rows(), columns })
    }
}

impl Predictor for ModelPackage {
    fn digest(&self) -> &str {
        self.artifact.digest()
    }

    fn label(&self) -> &str {
        self.parts.model.label()
    }

    fn label_values(&self, label: &ArrayRef) -> Result<Float64Array> {
        let model = &self.parts.model;
        if let Some(column) = model.offset() {
            let problem =
                format!("was fitted with `{column}` beside its features, which predictions leave out");
            return Err(DeliveryError::NotEvaluated { label: model.label().to_owned(), problem }.into());
        }
        model.label_values(label)
    }

    fn task(&self) -> Task {
        self.parts.model.task()
    }
}

impl Model {
    /// Writes its files; the version of the package.
    fn write(&self, draft: &mut Draft) -> Result<u32> {
        match self {
            Self::Linear(model) => {
                draft.write_json(MODEL_FILE, model)?;
                Ok(MODEL_VERSION)
            }
            Self::Network(network) => {
                draft.write_json(MODEL_FILE, &network.record)?;
                draft.write_bytes(WEIGHTS_FILE, &network.model().to_safetensors()?)?;
                Ok(NETWORK_VERSION)
            }
        }
    }

    /// Reads its files, of a package whose transform makes these features.
    fn read(artifact: &Artifact, space: &FeatureSpace) -> Result<Self> {
        if !artifact.manifest().files.contains_key(WEIGHTS_FILE) {
            return Ok(Self::Linear(artifact.read_json(MODEL_FILE)?));
        }
        let record: NetworkRecord = artifact.read_json(MODEL_FILE)?;
        let path = artifact.path(WEIGHTS_FILE);
        let bytes = artifact.read(WEIGHTS_FILE)?;
        let in_file = |error: Error| error.in_place(format!("`{}`", path.display()));
        let model = NetworkModel::from_safetensors(record.network.clone(), &bytes)
            .map_err(|error| in_file(error.into()))?;
        Ok(Self::from(Network::new(record, model, space).map_err(|error| in_file(error.into()))?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, StringViewArray};
    use serde_json::json;
    use sluice_core::execution::Execution;
    use sluice_core::role::Roles;
    use sluice_testkit::MemorySource;
    use sluice_training::{RidgeOptions, TrainingColumns, TrainingData, fit_ridge};
    use sluice_transform::fit;

    use super::*;

    #[test]
    fn a_row_alone_is_predicted_as_in_a_batch() {
        let (rows, present) = (200_u32, |row: u32, salt: u32| !(row * 7 + salt).is_multiple_of(11));
        let number = |row: u32, salt: u32| f64::from((row * 31 + salt * 17) % 97) / 7.0;
        let columns: Vec<(&str, ArrayRef)> = vec![
            (
                "x",
                Arc::new(
                    (0..rows).map(|row| present(row, 1).then(|| number(row, 1))).collect::<Float64Array>(),
                ),
            ),
            (
                "z",
                Arc::new(
                    (0..rows).map(|row| present(row, 5).then(|| number(row, 2))).collect::<Float64Array>(),
                ),
            ),
            (
                "c",
                Arc::new(
                    (0..rows)
                        .map(|row| present(row, 2).then(|| ["a", "b", "c"][row as usize % 3]))
                        .collect::<StringViewArray>(),
                ),
            ),
            ("d", Arc::new(Decimal128Array::from_iter_values((0..rows).map(|row| i128::from(row % 13))))),
            ("y", Arc::new((0..rows).map(|row| Some(number(row, 3))).collect::<Float64Array>())),
        ];
        let table = RecordBatch::try_from_iter(columns).unwrap();
        let source = MemorySource::new(&table, 64);
        let spec = serde_json::from_value(json!([
            { "impute": { "columns": ["x"], "with": "mean" } },
            { "standardize": ["x"] },
            { "one_hot": ["c"] },
            { "pass_through": ["d"] },
        ]))
        .unwrap();
        let transform = fit(&spec, &source, &Roles::default(), &Execution::with_threads(1)).unwrap();
        let shared: Arc<dyn BatchTransform> = Arc::new(transform.clone());
        let columns = TrainingColumns::from("y");
        let data = TrainingData { source: &source, transform: &shared, columns: &columns };
        let model = fit_ridge(data, &RidgeOptions::from(1.0), &Execution::with_threads(1)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let parts = PackageParts::new(transform, model);
        let package =
            parts.publish(&table, OnnxMode::Off, BTreeMap::new(), &folder.path().join("model")).unwrap();

        let normal =
            |name: &str| sluice_core::column::normalize(table.column_by_name(name).unwrap()).unwrap();
        let inputs: Vec<ArrayRef> =
            package.transform().input_columns().iter().map(|column| normal(&column.name)).collect();
        let expected = package.predict_sound(&Batch::new(&table)).unwrap().remove(0);
        for (row, expected) in expected.iter().enumerate() {
            let cells: Vec<Cell<'_>> = inputs.iter().map(|column| Cell::of_column(column, row)).collect();
            let found = package.predict_row(&cells).unwrap().map(|outputs| outputs[0].to_bits());
            assert_eq!(found, expected.map(f64::to_bits), "row {row}");
        }
    }
}
