//! The pipeline file: one YAML file that says what data, which transform, which model and which gate.

mod error;
mod parse;
mod train;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::role::Roles;
use sluice_delivery::onnx::{self, OnnxMode};
use sluice_evaluation::{ContenderName, EvaluateOptions};
use sluice_ingest::{SpanSelection, SubsetOptions};
use sluice_quality::rules::{RowChecks, Rule, UniqueKey};
use sluice_quality::statistics::StatisticsOptions;
use sluice_quality::validation::{FindingCode, NewColumns, SeverityOverride, ValidateOptions};
use sluice_source::{CsvOptions, Format, SourceOptions};
use sluice_transform::TransformSpec;

use crate::step;
use crate::step::ingest::InputOptions;

pub use error::SpecError;
pub use parse::{from_yaml, to_yaml};
pub use train::TrainSpec;

/// What a pipeline does.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSpec {
    /// Its name, which is also the name of the model in the registry.
    pub pipeline: String,
    /// What is read.
    pub data: DataSpec,
    /// A schema in TFDV's text format, relative to the pipeline file; inferred from the training rows without.
    #[serde(default)]
    pub schema: Option<String>,
    /// What the statistics hold beyond one description per column.
    #[serde(default)]
    pub statistics: StatisticsOptions,
    /// How data are checked against the schema.
    #[serde(default)]
    pub validate: ValidateSpec,
    /// The features.
    pub transform: TransformSpec,
    /// The model.
    pub train: TrainSpec,
    /// Whether the model package also holds transform and model as ONNX.
    #[serde(default)]
    pub onnx: OnnxMode,
    /// The gate.
    #[serde(default)]
    pub evaluate: EvaluateSpec,
    /// The registry.
    #[serde(default)]
    pub push: PushSpec,
}

/// What is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Names of sources and where they are: a file, a glob or a folder, relative to the pipeline file or in a bucket;
    /// `{SPAN}`, `{VERSION}` and dates in a path number the pieces in which data arrive.
    pub inputs: BTreeMap<String, String>,
    /// The spans that are read; the latest without.
    #[serde(default)]
    pub spans: Option<SpanSelection>,
    /// SQL over the inputs by their names.
    #[serde(default)]
    pub query: Option<String>,
    /// The format of the files, where their names do not tell.
    #[serde(default)]
    pub format: Option<Format>,
    /// The dialect of CSV files.
    #[serde(default)]
    pub csv: CsvOptions,
    /// Whether the schema gives the columns of CSV files their types, so that none are inferred.
    #[serde(default)]
    pub types_from_schema: bool,
    /// Rows of CSV files that types are inferred from; all of them without.
    #[serde(default)]
    pub infer_rows: Option<u64>,
    /// What columns are for.
    pub roles: Roles,
    /// How rows are shared out between training and evaluation.
    pub subsets: SubsetOptions,
}

/// How data are checked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "ValidateSections")]
pub struct ValidateSpec {
    /// What the data are compared with.
    pub previous: PreviousSpec,
    /// How statistics are judged.
    pub options: ValidateOptions,
    /// What is checked row by row.
    pub rows: RowChecks,
}

/// What the data are compared with, for the drift comparators of the schema, the number of rows and gaps of spans.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum PreviousSpec {
    /// Nothing.
    #[default]
    None,
    /// The data before that an earlier run accepted, if there are any.
    LatestAccepted,
    /// Statistics, of TFDV too, relative to the pipeline file.
    Path(String),
}

impl From<String> for PreviousSpec {
    fn from(text: String) -> Self {
        match text.as_str() {
            "latest-accepted" => Self::LatestAccepted,
            "none" => Self::None,
            _ => Self::Path(text),
        }
    }
}

/// The keys of both, side by side.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ValidateSections {
    previous: PreviousSpec,
    new_columns: NewColumns,
    environment: Option<String>,
    severity: BTreeMap<FindingCode, SeverityOverride>,
    slices: bool,
    rules: Vec<Rule>,
    unique: Vec<UniqueKey>,
    examples: usize,
}

impl Default for ValidateSections {
    fn default() -> Self {
        let ValidateOptions { new_columns, environment, severity, slices } = ValidateOptions::default();
        let RowChecks { rules, unique, examples } = RowChecks::default();
        let previous = PreviousSpec::default();
        Self { previous, new_columns, environment, severity, slices, rules, unique, examples }
    }
}

impl From<ValidateSections> for ValidateSpec {
    fn from(sections: ValidateSections) -> Self {
        let ValidateSections {
            previous,
            new_columns,
            environment,
            severity,
            slices,
            rules,
            unique,
            examples,
        } = sections;
        Self {
            previous,
            options: ValidateOptions { new_columns, environment, severity, slices },
            rows: RowChecks { rules, unique, examples },
        }
    }
}

/// The gate and what it compares with.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(from = "EvaluateSections")]
pub struct EvaluateSpec {
    /// What the candidate is compared with.
    pub baseline: BaselineSpec,
    /// Models that are measured beside the candidate, without a say in the verdict: a package or the description of
    /// another model, relative to the pipeline file, by the name that reports give it.
    pub contenders: BTreeMap<String, String>,
    /// Metrics, slices and requirements.
    pub options: EvaluateOptions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EvaluateSections {
    baseline: BaselineSpec,
    contenders: BTreeMap<String, String>,
    metrics: Vec<sluice_evaluation::MetricEntry>,
    slices: Vec<sluice_evaluation::gate::Columns>,
    require: Vec<sluice_evaluation::gate::RequirementOptions>,
    block_regressions: bool,
    accept_any: bool,
    alpha: f64,
    force: Option<String>,
    missing: sluice_evaluation::measure::Missing,
    weak_slices: Option<sluice_evaluation::slice::weak::WeakSliceOptions>,
    fairness: Vec<sluice_evaluation::FairnessOptions>,
    intervals: sluice_evaluation::comparison::IntervalOptions,
    order_statistics: sluice_evaluation::OrderStatistics,
}

impl Default for EvaluateSections {
    fn default() -> Self {
        let EvaluateOptions {
            slices,
            require,
            block_regressions,
            accept_any,
            alpha,
            force,
            intervals,
            order_statistics,
            missing,
            weak_slices,
            fairness,
            ..
        } = EvaluateOptions::default();
        let EvaluateSpec { baseline, contenders, .. } = EvaluateSpec::default();
        let metrics = Vec::new();
        Self {
            baseline,
            contenders,
            metrics,
            slices,
            require,
            block_regressions,
            accept_any,
            alpha,
            force,
            intervals,
            order_statistics,
            missing,
            weak_slices,
            fairness,
        }
    }
}

impl From<EvaluateSections> for EvaluateSpec {
    fn from(sections: EvaluateSections) -> Self {
        let EvaluateSections {
            baseline,
            contenders,
            metrics,
            slices,
            require,
            block_regressions,
            accept_any,
            alpha,
            force,
            intervals,
            order_statistics,
            missing,
            weak_slices,
            fairness,
        } = sections;
        let (metrics, custom) = sluice_evaluation::MetricEntry::split(metrics);
        // Weight and key are roles of the data, the shift is the model's.
        let options = EvaluateOptions {
            metrics,
            custom,
            slices,
            require,
            block_regressions,
            accept_any,
            alpha,
            force,
            intervals,
            order_statistics,
            missing,
            weak_slices,
            fairness,
            ..EvaluateOptions::default()
        };
        Self { baseline, contenders, options }
    }
}

/// What the candidate is compared with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum BaselineSpec {
    /// The model of the registry that passed the gate last, if there is one.
    #[default]
    LatestBlessed,
    /// Nothing.
    None,
    /// A model package, relative to the pipeline file.
    Path(String),
}

impl From<String> for BaselineSpec {
    fn from(text: String) -> Self {
        match text.as_str() {
            "latest-blessed" => Self::LatestBlessed,
            "none" => Self::None,
            _ => Self::Path(text),
        }
    }
}

/// The registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushSpec {
    /// Its URL, or its folder, relative to the pipeline file; `registry` in the folder of the runs without.
    #[serde(default)]
    pub registry: Option<String>,
}

/// A pipeline file that was read and checked.
#[derive(Clone, Debug)]
pub struct PipelineFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it says.
    pub spec: PipelineSpec,
    /// Copies of files that it names and that are not on this machine, by the name that it gives them.
    pub fetched: BTreeMap<String, PathBuf>,
    /// The SHA-256 of its text, in hex.
    pub digest: String,
}

impl PipelineFile {
    /// Reads a pipeline file and checks what can be checked without the data.
    ///
    /// # Errors
    /// [`SpecError`] with the place in the file; unavailable when it cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs_err::read_to_string(path).map_err(sluice_core::error::CommonError::on("read", path))?;
        Self::parse(&text, path)
    }

    /// Checks the text of a pipeline file as if it stood at `path`: messages name it, and paths in the text are
    /// relative to its folder.
    ///
    /// # Errors
    /// [`SpecError`] with the place in the text.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let spec: PipelineSpec = from_yaml(text, &shown)?;
        let digest = sluice_core::artifact::hex_digest(text.as_bytes());
        let file = Self { path: path.to_owned(), spec, fetched: BTreeMap::new(), digest };
        file.check().map_err(|error| error.in_place(format!("`{shown}`")))?;
        Ok(file)
    }

    fn check(&self) -> Result<()> {
        let spec = &self.spec;
        // The name becomes a folder of the registry.
        sluice_delivery::registry::check_model_name(&spec.pipeline)?;
        if spec.data.inputs.is_empty() {
            return Err(SpecError::NoInputs.into());
        }
        if spec.data.types_from_schema && spec.schema.is_none() {
            return Err(SpecError::NoSchema.into());
        }
        if spec.data.subsets.by_time() && spec.data.roles.time.is_none() {
            return Err(sluice_ingest::IngestError::NoTime.into());
        }
        step::ingest::check_query(&self.inputs(), &spec.data.roles.key)
            .map_err(|error| error.in_place("`data.query`"))?;
        if spec.data.roles.label.is_none() {
            return Err(SpecError::NoLabel.into());
        }
        let targets = spec.train.targets().iter().map(String::as_str);
        let mut named: Vec<&str> =
            spec.data.roles.columns().chain(spec.data.subsets.column()).chain(targets).collect();
        named.sort_unstable();
        if let Some(pair) = named.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SpecError::TwoRoles { column: pair[0].into() }.into());
        }
        spec.data.subsets.check()?;
        spec.statistics.check().map_err(|error| error.in_place("`statistics`"))?;
        spec.validate.rows.check().map_err(|error| error.in_place("`validate`"))?;
        for operation in &spec.transform.0 {
            operation.check()?;
        }
        if spec.onnx == OnnxMode::Required {
            onnx::check(&spec.transform)
                .map_err(|error| sluice_core::Error::from(error).in_place("`onnx: required`"))?;
        }
        spec.train.check()?;
        spec.evaluate.options.check()?;
        ContenderName::check(spec.evaluate.contenders.keys().map(String::as_str))
            .map_err(|error| sluice_core::Error::from(error).in_place("`evaluate`"))?;
        Ok(())
    }

    /// The folder that paths in the file are relative to.
    #[must_use]
    pub fn base(&self) -> &Path {
        match self.path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        }
    }

    /// A path of the file, or the copy of what it names.
    #[must_use]
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.fetched.get(path).cloned().unwrap_or_else(|| self.base().join(path))
    }

    /// The label; reading the file made sure that there is one.
    #[must_use]
    pub fn label(&self) -> &str {
        self.spec.data.roles.label.as_deref().unwrap_or_default()
    }

    /// Where the rows come from.
    #[must_use]
    pub fn inputs(&self) -> InputOptions {
        InputOptions {
            inputs: self.spec.data.inputs.clone(),
            base: self.base().to_owned(),
            source: self.source_options(),
            schema: self
                .spec
                .schema
                .as_ref()
                .filter(|_| self.spec.data.types_from_schema)
                .map(|path| self.resolve(path)),
            query: self.spec.data.query.clone(),
            spans: self.spec.data.spans.clone(),
        }
    }

    /// How the inputs are read.
    fn source_options(&self) -> SourceOptions {
        SourceOptions {
            format: self.spec.data.format,
            csv: self.spec.data.csv.clone(),
            infer_rows: self.spec.data.infer_rows,
            ..SourceOptions::default()
        }
    }
}

#[cfg(test)]
mod tests;
