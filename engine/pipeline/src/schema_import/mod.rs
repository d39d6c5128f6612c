//! Schemas of other tools as ours: pandera, Great Expectations, JSON Schema, Arrow. What has a plain counterpart in TFDV's
//! schema is taken over, and everything else is listed, so that nothing is lost without a word.

mod arrow_schema;
mod draft;
mod great_expectations;
mod json_schema;
mod pandera;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sluice_core::error::{CommonError, Result};
use sluice_core::options::OptionsError;
use sluice_core::schema::Schema;
use sluice_core::{Diagnostic, ErrorKind};
use sluice_source::{Format, SourceOptions};

use crate::spec::from_yaml;

/// Whose schema it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SchemaOrigin {
    /// A `DataFrameSchema` of pandera, as its `to_yaml` or `to_json` writes it.
    Pandera,
    /// A suite of Great Expectations, in JSON.
    GreatExpectations,
    /// JSON Schema of an object per row; that of pydantic's models too.
    JsonSchema,
    /// The schema of an Arrow or Parquet file.
    Arrow,
}

impl SchemaOrigin {
    const ALL: [Self; 4] = [Self::Pandera, Self::GreatExpectations, Self::JsonSchema, Self::Arrow];

    /// Its word in options.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pandera => "pandera",
            Self::GreatExpectations => "great-expectations",
            Self::JsonSchema => "json-schema",
            Self::Arrow => "arrow",
        }
    }
}

impl std::str::FromStr for SchemaOrigin {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, OptionsError> {
        Self::ALL.into_iter().find(|origin| origin.word() == text).ok_or_else(|| OptionsError::NoSuchChoice {
            name: "from".into(),
            value: text.into(),
            choices: Self::ALL.iter().map(|origin| origin.word().to_owned()).collect(),
        })
    }
}

/// What became of a rule that is not taken over as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is not in the schema.
    LeftOut,
    /// What is in the schema says nearly the same.
    Approximated,
}

/// A rule that is not taken over as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remark {
    /// The column; none where it concerns all of them.
    pub column: Option<String>,
    /// The rule, as its tool calls it.
    pub rule: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, or what to do instead.
    pub why: String,
}

/// A schema, and what it does not say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Imported {
    /// Whose it was.
    pub origin: SchemaOrigin,
    /// What is taken over.
    pub schema: Schema,
    /// What is not, in the order of the file.
    pub remarks: Vec<Remark>,
}

/// A file that is no schema.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// Nothing in it says whose it is.
    #[error("`{file}` is no schema of pandera, Great Expectations, JSON Schema or Arrow")]
    Unrecognised {
        /// The file.
        file: String,
    },
    /// It is not what it was said to be.
    #[error("`{file}` is no schema of {origin}: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// Whose it was said to be.
        origin: &'static str,
        /// What is wrong.
        problem: String,
    },
}

impl Diagnostic for ImportError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Malformed
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unrecognised { .. } => "say whose it is with `--from`".into(),
            Self::Malformed { .. } => {
                "give what `DataFrameSchema.to_yaml`, `ExpectationSuite.to_json_dict`, `model_json_schema` or a writer of \
                 Arrow or Parquet files wrote"
                    .into()
            }
        })
    }
}

/// Reads a schema of another tool; whose it is follows from the content unless told.
///
/// # Errors
/// Unavailable where it cannot be read, [`ImportError`].
pub fn import(path: &Path, origin: Option<SchemaOrigin>) -> Result<Imported> {
    let file = path.display().to_string();
    if origin == Some(SchemaOrigin::Arrow) || (origin.is_none() && is_named_as_table(path)) {
        let schema = sluice_source::arrow_schema(&file, Path::new(""), &SourceOptions::default())?;
        let schema = schema.ok_or_else(|| ImportError::Malformed {
            file,
            origin: SchemaOrigin::Arrow.word(),
            problem: "text has no schema of its own".into(),
        })?;
        return Ok(arrow_schema::import(&schema));
    }
    let bytes = fs_err::read(path).map_err(CommonError::on("read", path))?;
    let text = String::from_utf8(bytes).map_err(|_| ImportError::Unrecognised { file: file.clone() })?;
    // JSON is YAML too.
    let value: Value = from_yaml(&text, &file)?;
    let found = match origin {
        Some(origin) => origin,
        None => recognised(&value).ok_or_else(|| ImportError::Unrecognised { file: file.clone() })?,
    };
    let malformed =
        |problem: String| ImportError::Malformed { file: file.clone(), origin: found.word(), problem };
    let imported = match found {
        SchemaOrigin::Pandera => pandera::import(&value),
        SchemaOrigin::GreatExpectations => great_expectations::import(&value),
        SchemaOrigin::JsonSchema => json_schema::import(&value),
        SchemaOrigin::Arrow => Err("it is text".to_owned()),
    };
    Ok(imported.map_err(malformed)?)
}

/// Whether a file is called like one of Arrow or Parquet.
fn is_named_as_table(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    matches!(Format::of_extension(extension), Some(Format::Parquet | Format::Arrow))
}

fn recognised(value: &Value) -> Option<SchemaOrigin> {
    let has = |key: &str| value.get(key).is_some();
    if has("expectations") {
        Some(SchemaOrigin::GreatExpectations)
    } else if has("columns") && (has("schema_type") || has("strict") || has("checks") || has("index")) {
        Some(SchemaOrigin::Pandera)
    } else if ["properties", "$schema", "$ref", "$defs", "items"].into_iter().any(has) {
        Some(SchemaOrigin::JsonSchema)
    } else {
        None
    }
}
