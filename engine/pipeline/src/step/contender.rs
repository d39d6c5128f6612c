//! Models that can be evaluated: packages, and descriptions of models that others made.

use std::path::Path;
use std::sync::Arc;

use fs_err as fs;

use sluice_core::batch::Batch;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::seam::{BatchSource, Predictor, Task};
use sluice_delivery::ModelPackage;
use sluice_delivery::foreign::{CheckedForeign, ForeignModel, ForeignOptions};
use sluice_evaluation::measure::Missing;

use crate::spec::from_yaml;

/// The description in a folder.
const DESCRIPTION_FILE: &str = "model.yaml";

/// The first rows of which the mean of the label is taken where no model knows it.
const HEAD_ROWS: usize = 1000;

/// A model to be evaluated.
#[derive(Clone, Debug)]
pub enum Contender {
    /// A package of ours.
    Package(Box<ModelPackage>),
    /// Predictions in the data, a program, an ONNX file.
    Foreign(Box<CheckedForeign>),
}

/// The models of an evaluation, but for what they are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Entrants<'a> {
    /// The one that is judged.
    pub candidate: &'a Contender,
    /// Models that are measured beside it, by their names; nothing is decided about them.
    pub contenders: &'a [(String, Contender)],
}

impl<'a> From<&'a Contender> for Entrants<'a> {
    fn from(candidate: &'a Contender) -> Self {
        Self { candidate, contenders: &[] }
    }
}

impl From<ModelPackage> for Contender {
    fn from(package: ModelPackage) -> Self {
        Self::Package(Box::new(package))
    }
}

impl Contender {
    /// Opens a package's folder, or a description: a YAML file, a folder with a `model.yaml`, or the YAML text
    /// itself, in braces. Paths within are relative to the file.
    ///
    /// # Errors
    /// What opening a package or reading a description meets.
    pub fn open(place: &str) -> Result<Self> {
        if place.trim_start().starts_with('{') {
            let options: ForeignOptions = from_yaml(place, "the description of a model")?;
            return Self::described(&options, Path::new("."));
        }
        let path = Path::new(place);
        let within = path.join(DESCRIPTION_FILE);
        let file = if within.is_file() { within.as_path() } else { path };
        if !file.is_file() {
            return ModelPackage::open(path).map(Self::from);
        }
        let text = fs::read_to_string(file).map_err(CommonError::on("read", file))?;
        let options: ForeignOptions = from_yaml(&text, &file.display().to_string())?;
        Self::described(&options, file.parent().unwrap_or(Path::new(".")))
    }

    /// Of a description whose paths are relative to `base`.
    ///
    /// # Errors
    /// What is wrong with the description.
    pub fn described(options: &ForeignOptions, base: &Path) -> Result<Self> {
        Ok(Self::Foreign(Box::new(options.check(base)?)))
    }

    /// What identifies the model.
    #[must_use]
    pub fn digest(&self) -> &str {
        match self {
            Self::Package(package) => package.artifact().digest(),
            Self::Foreign(description) => &description.digest,
        }
    }

    /// The column that it predicts.
    #[must_use]
    pub fn label(&self) -> &str {
        match self {
            Self::Package(package) => package.label(),
            Self::Foreign(description) => &description.label,
        }
    }

    /// The columns of the data that hold its predictions.
    #[must_use]
    pub fn predictions(&self) -> &[String] {
        match self {
            Self::Package(_) => &[],
            Self::Foreign(description) => description.predictions(),
        }
    }

    /// Ready to predict the rows of `source`; a row that a package cannot predict is an error, or has no prediction where
    /// such rows are left out.
    ///
    /// # Errors
    /// As [`ForeignModel::ready`].
    pub fn ready(
        &self,
        source: &dyn BatchSource,
        missing: Missing,
        execution: &Execution,
    ) -> Result<Arc<dyn Predictor>> {
        match self {
            Self::Package(package) => {
                let package = ModelPackage::clone(package);
                Ok(Arc::new(if missing == Missing::Exclude { package.with_gaps() } else { package }))
            }
            Self::Foreign(description) => {
                ForeignModel::shared(CheckedForeign::clone(description), source, execution)
            }
        }
    }

    /// A number near the mean of the label, about which sums keep their digits: the mean over the training rows,
    /// else over the first rows here.
    ///
    /// # Errors
    /// What reading meets.
    pub fn label_shift(&self, source: &dyn BatchSource, ready: &dyn Predictor) -> Result<f64> {
        let label = match self {
            Self::Package(package) => return Ok(package.model().label_mean()),
            Self::Foreign(description) => &description.label,
        };
        let column = source.plan().columns.iter().position(|column| column.name == *label);
        let (Task::Regression, Some(column)) = (ready.task(), column) else { return Ok(0.0) };
        let (mut sum, mut rows) = (0.0, 0_u32);
        for batch in source.head(&[column], HEAD_ROWS)? {
            let labels = ready.label_values(Batch::new(&batch).require(label)?)?;
            for value in labels.iter().flatten().filter(|value| value.is_finite()) {
                sum += value;
                rows += 1;
            }
        }
        let mean = sum / f64::from(rows);
        Ok(if mean.is_finite() { mean } else { 0.0 })
    }
}
