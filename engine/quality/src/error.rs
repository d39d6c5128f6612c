//! What can be wrong with a schema file, with a rule, or with what is asked of them. Data that break them are findings,
//! not errors.

use sluice_core::options::suggest;
use sluice_core::{Diagnostic, ErrorKind};

/// A schema or a rule that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QualityError {
    /// A field that the format does not have.
    #[error("`{file}`, line {line}, column {column}: `{message}` has no field `{field}`")]
    FieldUnknown {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The message that was being read.
        message: String,
        /// The name that was found.
        field: String,
        /// The fields that the message has.
        available: Vec<String>,
    },
    /// A word that an enumeration does not have.
    #[error("`{file}`, line {line}, column {column}: `{enumeration}` has no value `{value}`")]
    ValueUnknown {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The enumeration.
        enumeration: String,
        /// The word that was found.
        value: String,
        /// The words there are.
        available: Vec<String>,
    },
    /// Text that is not protobuf's text format.
    #[error("`{file}`, line {line}, column {column}: cannot read the schema as protobuf text")]
    TextMalformed {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// What the parser says.
        source: Box<prost_reflect::text_format::ParseError>,
    },
    /// Bytes that are not a schema in binary form.
    #[error("`{file}`: cannot read the schema in protobuf's binary form")]
    BinaryMalformed {
        /// The file, as the user knows it.
        file: String,
        /// What the decoder says.
        source: prost_reflect::prost::DecodeError,
    },
    /// Bytes that are not UTF-8 where text is expected.
    #[error("`{file}`, line {line}: the schema is not text in UTF-8")]
    NotText {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// Where it stops being text.
        source: std::str::Utf8Error,
    },
    /// A file that says nothing, which is not the same as a schema without rules.
    #[error("`{file}` is empty")]
    Empty {
        /// The file, as the user knows it.
        file: String,
    },
    /// A column, or a field of a struct, without a name.
    #[error("`{file}`: feature {position}{} has no name", within(owner))]
    NameMissing {
        /// The file, as the user knows it.
        file: String,
        /// The position among the features, from 1.
        position: usize,
        /// The struct that it is a field of; empty for a column.
        owner: String,
    },
    /// A column that a request names and nobody has.
    #[error("there is no column `{column}`")]
    ColumnUnknown {
        /// The name that was asked for.
        column: String,
        /// The columns there are.
        available: Vec<String>,
    },
    /// An environment that a request names and nobody declares.
    #[error(
        "column `{column}` cannot be absent from the environment `{environment}`, which is not one of the schema"
    )]
    EnvironmentUnknown {
        /// The column.
        column: String,
        /// The environment that was asked for.
        environment: String,
        /// The environments there are.
        available: Vec<String>,
    },
    /// A finding that no change of the schema settles, or not without more being known.
    #[error("no change of the schema settles {code}{}", of_column(column))]
    NotFixable {
        /// TFDV's name for it.
        code: String,
        /// The column; none where it concerns the whole data set.
        column: Option<String>,
        /// Why, and what to do.
        hint: String,
    },
    /// A column or a string domain that is described twice.
    #[error("`{file}`: {what} `{name}` is described twice")]
    NameRepeated {
        /// The file, as the user knows it.
        file: String,
        /// "feature" or "string domain".
        what: &'static str,
        /// The name that occurs twice.
        name: String,
    },
    /// A column that refers to a domain which is not there.
    #[error("`{file}`: feature `{feature}` refers to the domain `{domain}`, which is not there")]
    DomainMissing {
        /// The file, as the user knows it.
        file: String,
        /// The column.
        feature: String,
        /// The domain it names.
        domain: String,
        /// The domains there are.
        available: Vec<String>,
    },
    /// A rule whose expression is neither true nor false.
    #[error("rule `{rule}` answers {kind}, not true or false")]
    RuleNotBoolean {
        /// The expression.
        rule: String,
        /// What it answers.
        kind: String,
    },
    /// Two rules, or two keys, that reports could not tell apart.
    #[error("two rules are called `{rule}`")]
    RuleRepeated {
        /// The name, or the expression where it has none.
        rule: String,
    },
    /// A key that all rows would share.
    #[error("a key of `unique` names no column")]
    KeyWithoutColumns,
    /// An environment that the schema does not have.
    #[error("the schema has no environment `{environment}`")]
    EnvironmentNotInSchema {
        /// The environment that was asked for.
        environment: String,
        /// The default environments of the schema.
        available: Vec<String>,
    },
}

fn within(owner: &str) -> String {
    if owner.is_empty() { String::new() } else { format!(" of struct `{owner}`") }
}

fn of_column(column: &Option<String>) -> String {
    column.as_ref().map_or_else(String::new, |column| format!(" of column `{column}`"))
}

impl Diagnostic for QualityError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::ColumnUnknown { .. }
            | Self::EnvironmentUnknown { .. }
            | Self::EnvironmentNotInSchema { .. }
            | Self::NotFixable { .. }
            | Self::RuleRepeated { .. }
            | Self::KeyWithoutColumns
            | Self::RuleNotBoolean { .. } => ErrorKind::Usage,
            _ => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::FieldUnknown { field: wrong, available, .. }
            | Self::ValueUnknown { value: wrong, available, .. }
            | Self::ColumnUnknown { column: wrong, available }
            | Self::EnvironmentUnknown { environment: wrong, available, .. }
            | Self::DomainMissing { domain: wrong, available, .. } => {
                suggest(wrong, available.iter().map(String::as_str))
            }
            Self::TextMalformed { .. } => {
                Some("a schema is protobuf text, such as `feature { name: \"fare\" type: FLOAT }`".into())
            }
            Self::NotFixable { hint, .. } => Some(hint.clone()),
            Self::NotText { .. } | Self::BinaryMalformed { .. } => Some(
                "a schema in binary form is named `.pb` or `.binpb`; other files are read as text".into(),
            ),
            Self::Empty { .. } => {
                Some("begin with what the data say: `sluice schema infer STATISTICS --out schema`".into())
            }
            Self::NameMissing { .. } => Some("give it the name of its column: `name: \"fare\"`".into()),
            Self::NameRepeated { .. } => Some("keep one of them".into()),
            Self::RuleNotBoolean { .. } => {
                Some("write what should hold in each row, such as `fare <= trip_total`".into())
            }
            Self::RuleRepeated { .. } => Some("keep one of them, or give one another `name`".into()),
            Self::KeyWithoutColumns => Some("for example `unique: [[trip_id]]`".into()),
            Self::EnvironmentNotInSchema { available, .. } if available.is_empty() => {
                Some("the schema has none; add `default_environment: \"SERVING\"` to it".into())
            }
            Self::EnvironmentNotInSchema { environment, available } => {
                let names = available.iter().map(String::as_str);
                let list = || available.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                suggest(environment, names).or_else(|| Some(format!("it has {}", list())))
            }
        }
    }
}
