//! Metrics by the names that TensorFlow Model Analysis and Keras have for them.

use serde_json::{Map, Value};

use sluice_evaluation::metric::Metric;

use super::EvalConfigError;
use super::file::MetricConfig;

/// Classes whose names here do not follow from their names there.
const CLASSES: &[(&str, &str)] = &[
    ("MeanSquaredError", "mse"),
    ("MSE", "mse"),
    ("RootMeanSquaredError", "rmse"),
    ("MeanAbsoluteError", "mae"),
    ("MAE", "mae"),
    ("MeanAbsolutePercentageError", "mape"),
    ("MAPE", "mape"),
    ("MeanSquaredLogarithmicError", "msle"),
    ("MSLE", "msle"),
    ("BinaryAccuracy", "accuracy"),
    ("BinaryCrossentropy", "log_loss"),
    ("CategoricalCrossentropy", "log_loss"),
    ("SparseCategoricalCrossentropy", "log_loss"),
    ("CategoricalAccuracy", "accuracy"),
    ("SparseCategoricalAccuracy", "accuracy"),
    ("F1Score", "f1"),
    ("MatthewsCorrelationCoefficient", "mcc"),
    ("AUC", "auc"),
];

/// Classes that ask for what every evaluation reports of every slice.
const ALWAYS: [&str; 2] = ["ExampleCount", "WeightedExampleCount"];

/// A metric of the file.
#[derive(Debug)]
pub(super) struct Named {
    /// What thresholds call it.
    pub(super) label: String,
    /// What it is called here; none where it is reported in any case.
    pub(super) metric: Option<String>,
}

/// The metric of a class with its settings.
pub(super) fn named(config: &MetricConfig) -> Result<Named, EvalConfigError> {
    let class = config.class_name.as_str();
    let refused = |what: String| EvalConfigError::Unsupported { what, hint: None };
    let settings: Map<String, Value> = match config.config.trim() {
        "" => Map::new(),
        text => {
            // The file holds the settings without the braces, or with them.
            let text = if text.starts_with('{') { text.to_owned() } else { format!("{{{text}}}") };
            serde_json::from_str(&text)
                .map_err(|error| refused(format!("`config` of `{class}` is not JSON ({error})")))?
        }
    };
    let mut label = snake_case(class);
    let known = CLASSES.iter().find(|(name, _)| *name == class).map(|(_, own)| (*own).to_owned());
    let mut name = known.unwrap_or_else(|| label.clone());
    let mut parameters = Vec::new();
    for (key, value) in &settings {
        match (key.as_str(), value) {
            ("name", Value::String(text)) => label.clone_from(text),
            // Exact here, whatever the number of buckets there.
            ("num_thresholds" | "dtype", _) | (_, Value::Null) => {}
            ("curve", Value::String(curve)) if class == "AUC" => {
                name = if curve.eq_ignore_ascii_case("PR") { "auc_pr".into() } else { "auc".into() };
            }
            ("from_logits", Value::Bool(false)) => {}
            ("thresholds", Value::Array(values)) if values.len() == 1 => {
                parameters.push(format!("threshold={}", values[0]));
            }
            ("thresholds" | "threshold", Value::Number(value)) => {
                parameters.push(format!("threshold={value}"));
            }
            _ => return Err(refused(format!("the setting `{key}: {value}` of `{class}`"))),
        }
    }
    if ALWAYS.contains(&class) {
        return Ok(Named { label, metric: None });
    }
    let metric = match parameters.as_slice() {
        [] => name,
        some => format!("{name}({})", some.join(",")),
    };
    let found = Metric::find(&metric).map_err(|error| EvalConfigError::Unsupported {
        what: format!("the metric `{class}`"),
        hint: Some(format!("{error}; leave it out of the file, or leave `--eval-config` out and write what is wanted with `--metric`")),
    })?;
    Ok(Named { label, metric: Some(found.name.clone()) })
}

/// `BinaryAccuracy` as `binary_accuracy`.
fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().collect();
    let mut name = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let after_lower = index > 0 && !letters[index - 1].is_uppercase();
        let before_lower = index > 0 && letters.get(index + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && (after_lower || before_lower) && !name.ends_with('_') {
            name.push('_');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_have_the_names_that_thresholds_use() {
        for (class, name) in
            [("AUC", "auc"), ("BinaryAccuracy", "binary_accuracy"), ("F1Score", "f1_score"), ("MSE", "mse")]
        {
            assert_eq!(snake_case(class), name);
        }
    }
}
