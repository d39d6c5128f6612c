//! What can be wrong with a schema file. Data that break a schema are findings, not errors.

use sluice_core::options::suggest;
use sluice_core::{Diagnostic, ErrorKind};

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QualityError {
    /// A field that the format does not have.
    #[error("`{file}`, line {line}: `{message}` has no field `{field}`")]
    FieldUnknown {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// The message that was being read.
        message: String,
        /// The name that was found.
        field: String,
        /// The fields that the message has.
        available: Vec<String>,
    },
    /// A word that an enumeration does not have.
    #[error("`{file}`, line {line}: `{enumeration}` has no value `{value}`")]
    ValueUnknown {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// The enumeration.
        enumeration: String,
        /// The word that was found.
        value: String,
        /// The words there are.
        available: Vec<String>,
    },
    /// Text that is not protobuf's text format.
    #[error("`{file}`, line {line}: cannot read the schema as protobuf text")]
    TextMalformed {
        /// The file, as the user knows it.
        file: String,
        /// From 1.
        line: usize,
        /// What the parser says.
        source: Box<prost_reflect::text_format::ParseError>,
    },
    /// A column without a name.
    #[error("`{file}`: feature {position} has no name")]
    NameMissing {
        /// The file, as the user knows it.
        file: String,
        /// The position among the features, from 1.
        position: usize,
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
    /// A column that refers to a string domain which is not there.
    #[error("`{file}`: feature `{feature}` refers to the string domain `{domain}`, which is not there")]
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
    /// An environment that the schema does not have.
    #[error("the schema has no environment `{environment}`")]
    EnvironmentUnknown {
        /// The environment that was asked for.
        environment: String,
        /// The default environments of the schema.
        available: Vec<String>,
    },
}

impl Diagnostic for QualityError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EnvironmentUnknown { .. } => ErrorKind::Usage,
            _ => ErrorKind::Malformed,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::FieldUnknown { field: wrong, available, .. }
            | Self::ValueUnknown { value: wrong, available, .. }
            | Self::DomainMissing { domain: wrong, available, .. } => {
                suggest(wrong, available.iter().map(String::as_str))
            }
            Self::TextMalformed { .. } => {
                Some("a schema is protobuf text, such as `feature { name: \"fare\" type: FLOAT }`".into())
            }
            Self::NameMissing { .. } => Some("give it the name of its column: `name: \"fare\"`".into()),
            Self::NameRepeated { .. } => Some("keep one of them".into()),
            Self::EnvironmentUnknown { available, .. } if available.is_empty() => {
                Some("the schema has none; add `default_environment: \"SERVING\"` to it".into())
            }
            Self::EnvironmentUnknown { environment, available } => {
                let names = available.iter().map(String::as_str);
                let list = || available.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                suggest(environment, names).or_else(|| Some(format!("it has {}", list())))
            }
        }
    }
}
