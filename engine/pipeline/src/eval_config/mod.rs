//! Options of an evaluation from a configuration of TensorFlow Model Analysis (an `EvalConfig`, as text or JSON).
//!
//! What has a meaning here is taken over, what only says how TensorFlow runs a model is noted as not needed, and
//! everything else is refused by name: a threshold that is not checked must not look as if it were.
//!
//! | there | here |
//! |---|---|
//! | `model_specs.label_key` | must be the label of the model |
//! | `model_specs.example_weight_key` | the weight |
//! | `slicing_specs`: `feature_keys`, `feature_values` | slices by these columns |
//! | `metrics_specs.metrics`: `class_name`, `config` | metrics, with their threshold |
//! | `value_threshold` | `at_least`, `at_most` |
//! | `change_threshold` with its direction | `change_at_most`, `relative_change_at_most`, or `..._at_least` |
//! | thresholds of metrics | for every slice of `slicing_specs` |
//! | `per_slice_thresholds` | for the slices that they name |
//! | `options.min_slice_size` | `minimum_rows`; smaller slices are skipped |

mod file;
mod metric;

use std::collections::BTreeMap;

use serde_json::Value;

use sluice_core::error::{Diagnostic, ErrorKind};
use sluice_evaluation::EvaluateOptions;
use sluice_evaluation::gate::{Columns, RequirementOptions, SliceValue};

use file::{Direction, EvalConfig, MetricThreshold, MetricsSpec, ModelSpec, PerSliceThreshold, SlicingSpec};
use metric::Named;

/// A configuration that cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum EvalConfigError {
    /// Not what it claims to be.
    #[error("`{file}` is not an `EvalConfig`: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        hint: Option<String>,
    },
    /// Something that has no counterpart here.
    #[error("{what} has no counterpart here")]
    Unsupported {
        /// Which field, setting or class.
        what: String,
        /// What to do.
        hint: Option<String>,
    },
    /// A threshold for a metric that is not there.
    #[error("there is a threshold for `{name}`, but no metric of this name")]
    MetricMissing {
        /// The name.
        name: String,
    },
    /// A label that the model does not predict.
    #[error("the `label_key` is `{configured}`, the model predicts `{predicted}`")]
    OtherLabel {
        /// In the file.
        configured: String,
        /// Of the model.
        predicted: String,
    },
}

impl Diagnostic for EvalConfigError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Malformed { hint, .. } => hint.clone(),
            Self::Unsupported { hint, .. } => hint.clone().or_else(|| {
                Some("leave it out of the file; or leave `--eval-config` out and write it with `--require` or in a pipeline file".into())
            }),
            Self::MetricMissing { .. } => Some("list the metric under `metrics`".into()),
            Self::OtherLabel { .. } => {
                Some("evaluate a model of this label, or change the `label_key`".into())
            }
        }
    }
}

/// A configuration in our own terms.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// The options.
    pub options: EvaluateOptions,
    /// What the file says and nothing here needs.
    pub notes: Vec<String>,
    label: String,
}

impl TakenOver {
    /// From the text of a file; `file` is for messages.
    ///
    /// # Errors
    /// [`EvalConfigError`].
    pub fn read(text: &str, file: &str) -> Result<Self, EvalConfigError> {
        Translation::of(&file::read(text, file)?)
    }

    /// Checks that the file is about a model of this label.
    ///
    /// # Errors
    /// [`EvalConfigError::OtherLabel`].
    pub fn check_label(&self, predicted: &str) -> Result<(), EvalConfigError> {
        if self.label.is_empty() || self.label == predicted {
            return Ok(());
        }
        let (configured, predicted) = (self.label.clone(), predicted.to_owned());
        Err(EvalConfigError::OtherLabel { configured, predicted })
    }
}

/// What has been taken over so far.
#[derive(Default)]
struct Translation {
    options: EvaluateOptions,
    notes: Vec<String>,
    label: String,
    slices: Vec<SlicingSpec>,
    minimum_rows: Option<u64>,
}

impl Translation {
    fn of(config: &EvalConfig) -> Result<TakenOver, EvalConfigError> {
        let mut taken = Self::default();
        refuse(&[("cross_slicing_specs", &config.cross_slicing_specs)])?;
        config.model_specs.iter().try_for_each(|spec| taken.model(spec))?;
        taken.general(config);
        // Without any, all rows are meant.
        taken.slices.clone_from(&config.slicing_specs);
        if taken.slices.is_empty() {
            taken.slices.push(SlicingSpec::default());
        }
        for spec in &config.slicing_specs {
            refuse(&[("slicing_specs.slice_keys_sql", &spec.slice_keys_sql)])?;
            let columns = columns(spec);
            if !columns.0.is_empty() && !taken.options.slices.contains(&columns) {
                taken.options.slices.push(columns);
            }
        }
        config.metrics_specs.iter().try_for_each(|spec| taken.metrics(spec))?;
        Ok(TakenOver { options: taken.options, notes: taken.notes, label: taken.label })
    }

    fn model(&mut self, spec: &ModelSpec) -> Result<(), EvalConfigError> {
        refuse(&[
            ("model_specs.label_keys", &spec.label_keys),
            ("model_specs.prediction_key", &spec.prediction_key),
            ("model_specs.prediction_keys", &spec.prediction_keys),
            ("model_specs.example_weight_keys", &spec.example_weight_keys),
            ("model_specs.padding_options", &spec.padding_options),
        ])?;
        for (name, value) in [
            ("signature_name", &spec.signature_name),
            ("model_type", &spec.model_type),
            ("preprocessing_function_names", &spec.preprocessing_function_names),
            ("inference_batch_size", &spec.inference_batch_size),
        ] {
            self.note(!is_absent(value), format!("`model_specs.{name}` says how TensorFlow runs a model"));
        }
        for (name, value, known) in [
            ("label_key", &spec.label_key, &mut self.label),
            ("example_weight_key", &spec.example_weight_key, self.options.weight.get_or_insert_default()),
        ] {
            if !known.is_empty() && !value.is_empty() && known != value {
                let what = format!("a second `model_specs.{name}` (of `{}`)", spec.name);
                return Err(EvalConfigError::Unsupported { what, hint: None });
            }
            if !value.is_empty() {
                known.clone_from(value);
            }
        }
        self.options.weight = self.options.weight.take().filter(|weight| !weight.is_empty());
        let role =
            "`model_specs.is_baseline`: the baseline is given with `--baseline`, `--registry` or `--against`";
        self.note(spec.is_baseline, role.into());
        Ok(())
    }

    fn general(&mut self, config: &EvalConfig) {
        let options = &config.options;
        self.minimum_rows = options.min_slice_size.map(file::Wrapped::get).filter(|rows| *rows > 1);
        for (name, value) in [
            ("include_default_metrics", &options.include_default_metrics),
            ("compute_confidence_intervals", &options.compute_confidence_intervals),
            ("confidence_intervals", &options.confidence_intervals),
            ("disabled_outputs", &options.disabled_outputs),
        ] {
            let note = format!("`options.{name}`: every metric that has an interval is reported with it");
            self.note(!is_absent(value), note);
        }
    }

    fn metrics(&mut self, spec: &MetricsSpec) -> Result<(), EvalConfigError> {
        refuse(&[
            ("metrics_specs.output_names", &spec.output_names),
            ("metrics_specs.binarize", &spec.binarize),
            ("metrics_specs.query_key", &spec.query_key),
            ("metrics_specs.aggregate", &spec.aggregate),
            ("metrics_specs.cross_slice_thresholds", &spec.cross_slice_thresholds),
            ("metrics_specs.output_weights", &spec.output_weights),
        ])?;
        let weights = &spec.example_weights;
        if weights.unweighted || (weights.weighted && self.options.weight.is_none()) {
            let what = "`metrics_specs.example_weights` other than the `example_weight_key` says".into();
            return Err(EvalConfigError::Unsupported { what, hint: None });
        }
        self.note(
            !spec.model_names.is_empty(),
            "`metrics_specs.model_names`: all models have all metrics".into(),
        );
        let mut named: Vec<Named> = Vec::new();
        for config in &spec.metrics {
            refuse(&[("metrics.cross_slice_thresholds", &config.cross_slice_thresholds)])?;
            let is_of_tensorflow =
                |module: &str| module.starts_with("tensorflow_model_analysis") || module.contains("keras");
            if config.module.as_str().is_some_and(|module| !module.is_empty() && !is_of_tensorflow(module)) {
                let what = format!("`{}` of the module {}", config.class_name, config.module);
                return Err(EvalConfigError::Unsupported { what, hint: None });
            }
            let one = metric::named(config)?;
            if let Some(metric) = one.metric.clone().filter(|metric| !self.options.metrics.contains(metric)) {
                self.options.metrics.push(metric);
            }
            let slices = self.slices.clone();
            if let Some(threshold) = &config.threshold {
                self.require(&one, threshold, &slices)?;
            }
            self.per_slice(&one, &config.per_slice_thresholds)?;
            named.push(one);
        }
        let find = |name: &String| {
            let found = named.iter().find(|one| one.label == *name);
            found.ok_or_else(|| EvalConfigError::MetricMissing { name: name.clone() })
        };
        for (name, threshold) in &spec.thresholds {
            let slices = self.slices.clone();
            self.require(find(name)?, threshold, &slices)?;
        }
        for (name, thresholds) in &spec.per_slice_thresholds {
            self.per_slice(find(name)?, &thresholds.thresholds)?;
        }
        Ok(())
    }

    fn per_slice(&mut self, metric: &Named, all: &[PerSliceThreshold]) -> Result<(), EvalConfigError> {
        for one in all {
            if one.slicing_specs.is_empty() {
                let what = format!("a threshold per slice of `{}` without `slicing_specs`", metric.label);
                return Err(EvalConfigError::Unsupported { what, hint: None });
            }
            self.require(metric, &one.threshold, &one.slicing_specs)?;
        }
        Ok(())
    }

    /// Requires the threshold of the slices.
    fn require(
        &mut self,
        metric: &Named,
        threshold: &MetricThreshold,
        slices: &[SlicingSpec],
    ) -> Result<(), EvalConfigError> {
        let Some(name) = &metric.metric else {
            let what = format!("a threshold of `{}`", metric.label);
            let hint = Some("`minimum_rows` of a requirement asks for rows".into());
            return Err(EvalConfigError::Unsupported { what, hint });
        };
        let bounds = bounds(name, threshold)?;
        for slice in slices {
            refuse(&[("slicing_specs.slice_keys_sql", &slice.slice_keys_sql)])?;
            let value = |(column, text): (&String, &String)| (column.clone(), SliceValue::Text(text.clone()));
            let every = slice.feature_keys.clone();
            self.options.require.push(RequirementOptions {
                every: (!every.is_empty()).then_some(Columns(every.into_iter().map(Into::into).collect())),
                only_where: slice.feature_values.iter().map(value).collect::<BTreeMap<_, _>>(),
                minimum_rows: self.minimum_rows,
                ..bounds.clone()
            });
        }
        Ok(())
    }

    fn note(&mut self, applies: bool, note: String) {
        if applies && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// The columns of a slicing.
fn columns(spec: &SlicingSpec) -> Columns {
    // Values first, as a requirement orders them.
    Columns(spec.feature_values.keys().chain(&spec.feature_keys).cloned().map(Into::into).collect())
}

/// The bounds of a threshold.
fn bounds(metric: &str, threshold: &MetricThreshold) -> Result<RequirementOptions, EvalConfigError> {
    let mut options = RequirementOptions { metric: metric.to_owned(), ..RequirementOptions::default() };
    if let Some(value) = &threshold.value_threshold {
        options.at_least = value.lower_bound.map(file::Wrapped::get);
        options.at_most = value.upper_bound.map(file::Wrapped::get);
    }
    if let Some(change) = &threshold.change_threshold {
        let (absolute, relative) =
            (change.absolute.map(file::Wrapped::get), change.relative.map(file::Wrapped::get));
        match change.direction {
            Direction::LowerIsBetter => {
                (options.change_at_most, options.relative_change_at_most) = (absolute, relative);
            }
            Direction::HigherIsBetter => {
                (options.change_at_least, options.relative_change_at_least) = (absolute, relative);
            }
            Direction::Unknown => {
                let what = format!("a `change_threshold` of `{metric}` without a direction");
                let hint = Some("set LOWER_IS_BETTER or HIGHER_IS_BETTER".into());
                return Err(EvalConfigError::Unsupported { what, hint });
            }
        }
    }
    Ok(options)
}

/// Whether a field is not set, or set to what it is without.
fn is_absent(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn refuse(fields: &[(&str, &Value)]) -> Result<(), EvalConfigError> {
    match fields.iter().find(|(_, value)| !is_absent(value)) {
        Some((name, _)) => Err(EvalConfigError::Unsupported { what: format!("`{name}`"), hint: None }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
