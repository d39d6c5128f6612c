//! Models that are not packages: predictions that stand in the data, a program that reads and writes Arrow, an ONNX
//! file. They can be judged and compared as packages are, without their transform being known here.
//!
//! - [`ForeignOptions`]: the description, a YAML file or text;
//! - `command`: starts a program, sends it the rows and keeps its answer in a `Spool`;
//! - `onnx`: an ONNX file, run by onnxruntime;
//! - [`ForeignModel`]: any of them as a `Predictor`.

mod command;
mod error;
mod label_sets;
mod onnx;
mod options;
mod spool;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array};

use sluice_core::batch::Batch;
use sluice_core::column::numbers;
use sluice_core::error::{Error, Result};
use sluice_core::execution::Execution;
use sluice_core::features::{FeatureBatch, FeatureColumn, FeatureKind, FeatureSpace, FeatureSpec};
use sluice_core::seam::{BatchSource, BatchTransform, Predictor, Task};

pub use error::ForeignError;
pub use options::{CheckedForeign, CommandOptions, ForeignOptions, OnnxOptions, TaskName};

use onnx::OnnxModel;
use spool::Spool;

/// A model that is not a package, ready to predict the rows of one source.
#[derive(Debug)]
pub struct ForeignModel {
    description: CheckedForeign,
    space: FeatureSpace,
    answers: Answers,
}

/// Where predictions come from.
#[derive(Debug)]
enum Answers {
    /// Columns of the data.
    Columns(Vec<String>),
    /// A program answered all rows of the source beforehand.
    Spooled(Spool),
    /// A graph.
    Onnx(Box<OnnxModel>),
}

impl ForeignModel {
    /// The model of a description, for the rows of `source`: a program is started and scores all of them, an ONNX
    /// file is loaded and its inputs are compared with the columns that there are.
    ///
    /// # Errors
    /// [`ForeignError`]: columns that are absent, a program that cannot be started, dies or answers other than it
    /// should, an ONNX file or runtime that cannot be loaded.
    pub fn ready(
        description: CheckedForeign,
        source: &dyn BatchSource,
        execution: &Execution,
    ) -> Result<Self> {
        let answers = match &description.answers {
            options::Kind::Columns(columns) => Answers::Columns(columns.clone()),
            options::Kind::Command(command) => {
                Answers::Spooled(command::score(command, &description, source, execution)?)
            }
            options::Kind::Onnx(file) => {
                Answers::Onnx(Box::new(OnnxModel::load(file, &description, source)?))
            }
        };
        let outputs = description.task.outputs();
        let name = |output: usize| format!("prediction_{output}");
        let feature =
            |output| FeatureSpec { name: name(output), kind: FeatureKind::Number, sources: answers.inputs() };
        let space = FeatureSpace { features: (0..outputs).map(feature).collect() };
        Ok(Self { description, space, answers })
    }

    /// As [`ForeignModel::ready`], for those who share models.
    ///
    /// # Errors
    /// As [`ForeignModel::ready`].
    pub fn shared(
        description: CheckedForeign,
        source: &dyn BatchSource,
        execution: &Execution,
    ) -> Result<Arc<dyn Predictor>> {
        Ok(Arc::new(Self::ready(description, source, execution)?))
    }
}

impl Answers {
    fn inputs(&self) -> Vec<String> {
        match self {
            Self::Columns(columns) => columns.clone(),
            Self::Spooled(_) => Vec::new(),
            Self::Onnx(model) => model.columns(),
        }
    }
}

impl BatchTransform for ForeignModel {
    fn inputs(&self) -> Vec<String> {
        self.answers.inputs()
    }

    fn space(&self) -> &FeatureSpace {
        &self.space
    }

    fn apply(&self, batch: &Batch) -> Result<FeatureBatch> {
        let outputs = self.description.task.outputs();
        let columns = match &self.answers {
            Answers::Columns(columns) if columns.len() < outputs => {
                let name = &columns[0];
                label_sets::columns_of(name, batch.require(name)?, outputs)?
            }
            Answers::Columns(columns) => {
                let column = |name: &String| numbers(name, batch.require(name)?, "a prediction");
                columns.iter().map(column).collect::<Result<Vec<_>>>()?
            }
            Answers::Spooled(spool) => spool.rows(batch.split(), batch.first_row(), batch.rows())?,
            Answers::Onnx(model) => model.predict(batch, outputs)?,
        };
        Ok(FeatureBatch {
            rows: batch.rows(),
            columns: columns.into_iter().map(FeatureColumn::Numbers).collect(),
        })
    }
}

impl Predictor for ForeignModel {
    fn digest(&self) -> &str {
        &self.description.digest
    }

    fn label(&self) -> &str {
        &self.description.label
    }

    fn label_values(&self, label: &ArrayRef) -> Result<Float64Array> {
        let CheckedForeign { label: name, classes, .. } = &self.description;
        if !classes.is_empty() {
            return sluice_training::Class::places(name, label, classes);
        }
        let values = numbers(name, label, "the evaluation")?;
        if matches!(self.description.task, Task::Binary { .. }) {
            #[expect(clippy::float_cmp, reason = "0 and 1 are exact")]
            let is_class = |value: f64| value == 0.0 || value == 1.0;
            let row = (0..values.len()).find(|&row| values.is_valid(row) && !is_class(values.value(row)));
            if let Some(row) = row {
                let found = values.value(row).to_string();
                return Err(
                    Error::from(ForeignError::LabelNotBinary { label: name.clone(), found }).at_row(row)
                );
            }
        }
        Ok(values)
    }

    fn label_columns(&self) -> Vec<String> {
        self.description.label_columns.clone()
    }

    fn label_sets(&self, columns: &[&ArrayRef]) -> Result<Vec<Float64Array>> {
        label_sets::label_sets(&self.description, columns)
    }

    fn task(&self) -> Task {
        self.description.task.clone()
    }
}

#[cfg(test)]
mod tests;
