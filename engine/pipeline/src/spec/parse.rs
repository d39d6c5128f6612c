//! From YAML text to options: every error names the key, and unknown names come with the nearest known one.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use sluice_core::error::CommonError;
use sluice_core::options::suggest;

use super::error::SpecError;

/// Reads options from YAML (or JSON, which is YAML); `file` is for messages.
///
/// # Errors
/// [`SpecError::Syntax`], [`SpecError::Content`].
pub fn from_yaml<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, SpecError> {
    // YAML 1.2: `y`, `no` and `on` are texts, so that a column may be called so.
    let value: Value =
        serde_saphyr::from_str_with_options(text, serde_saphyr::options! { strict_booleans: true }).map_err(
            |error| SpecError::Syntax { file: file.into(), problem: one_line(&error.to_string()) },
        )?;
    if value.is_null() {
        return Err(SpecError::Content { file: file.into(), problem: "it is empty".into(), hint: None });
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let (problem, hint) = explain(&error.into_inner().to_string());
        let problem = if path == "." { problem } else { format!("{problem} (at `{path}`)") };
        SpecError::Content { file: file.into(), problem, hint }
    })
}

/// A value as YAML, which [`from_yaml`] reads again.
///
/// # Errors
/// `CommonError::Internal` where it cannot be written.
pub fn to_yaml(value: &impl Serialize) -> sluice_core::Result<String> {
    serde_saphyr::to_string(value).map_err(|error| CommonError::Internal(format!("YAML: {error}")).into())
}

/// The parser's message without the picture of the source that follows it.
fn one_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default().trim();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // What follows is advice to whoever calls the parser.
    line.split(", set DuplicateKeyPolicy").next().unwrap_or(line).to_owned()
}

/// Splits serde's sentence into a problem and a hint.
fn explain(message: &str) -> (String, Option<String>) {
    for (start, what) in [("unknown field `", "key"), ("unknown variant `", "name")] {
        let Some((wrong, rest)) = message.strip_prefix(start).and_then(|rest| rest.split_once('`')) else {
            continue;
        };
        let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
        return (format!("unknown {what} `{wrong}`"), suggest(wrong, known));
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return (format!("key {field} is missing"), None);
    }
    (message.to_owned(), None)
}
