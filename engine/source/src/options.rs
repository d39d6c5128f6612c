//! How a source is read: format, CSV dialect, size of its splits.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use sluice_core::options::OptionsError;
use sluice_core::plan::PlanOptions;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values, RFC 4180.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The format that a file extension stands for.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        match extension.to_ascii_lowercase().as_str() {
            "csv" | "tsv" => Some(Self::Csv),
            "parquet" | "pq" => Some(Self::Parquet),
            _ => None,
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Csv => "CSV",
            Self::Parquet => "Parquet",
        })
    }
}

/// How a source is read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceOptions {
    /// The format of all files; `None` finds it by extension, then by the first bytes.
    pub format: Option<Format>,
    /// For CSV.
    pub csv: CsvOptions,
    /// Size of splits; a constant of the plan that tests lower.
    #[serde(skip)]
    pub plan: PlanOptions,
}

/// The dialect of CSV files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsvOptions {
    /// What stands between cells: one ASCII character other than a quote or a line end.
    pub delimiter: char,
    /// Whether the first row holds the names of the columns; without, they are `column_1` to `column_n`.
    pub header: bool,
    /// Unquoted cells that mean null, after removing spaces around them. A quoted cell is never null.
    pub null_values: Vec<String>,
    /// Types of columns that are not to be inferred.
    pub types: BTreeMap<String, CsvType>,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: ',', header: true, null_values: vec![String::new()], types: BTreeMap::new() }
    }
}

/// A type given for a column instead of inferring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CsvType {
    /// As it stands.
    Text,
    /// 64-bit integers; leading zeros and a plus sign are accepted.
    Integer,
    /// Double precision.
    Float,
    /// `true`, `false`, `1`, `0`.
    Boolean,
    /// `YYYY-MM-DD`.
    Date,
    /// `YYYY-MM-DD HH:MM:SS`, or a date, which is its midnight.
    Timestamp,
}

impl CsvType {
    /// With its article, for messages.
    #[must_use]
    pub fn with_article(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Boolean => "a boolean",
            Self::Date => "a date",
            Self::Timestamp => "a timestamp",
        }
    }
}

/// A checked dialect.
#[derive(Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    nulls: Vec<String>,
}

impl CsvOptions {
    pub(crate) fn check(&self) -> Result<Dialect, OptionsError> {
        let delimiter = u8::try_from(self.delimiter)
            .ok()
            .filter(|byte| byte.is_ascii() && !matches!(byte, 0 | b'"' | b'\n' | b'\r'));
        let Some(delimiter) = delimiter else {
            return Err(OptionsError::Conflict {
                name: "delimiter".into(),
                problem: format!("cannot be `{}`", self.delimiter.escape_default()),
                hint: Some("use one ASCII character such as `,`, `;`, `|` or a tab".into()),
            });
        };
        let nulls = self.null_values.iter().map(|value| trim(value).to_owned()).collect();
        Ok(Dialect { delimiter, header: self.header, nulls })
    }
}

impl Dialect {
    /// What sets it apart from the default; states of files read in other dialects must not be merged.
    pub(crate) fn mark(&self) -> String {
        let default = self.delimiter == b',' && self.header && self.nulls == [""];
        if default { String::new() } else { format!("{}{}{:?}", self.delimiter, self.header, self.nulls) }
    }

    /// Whether an unquoted cell, spaces around it removed, means null.
    pub(crate) fn is_null(&self, trimmed: &str) -> bool {
        self.nulls.iter().any(|null| null == trimmed)
    }
}

/// Removes spaces and tabs at both ends.
pub(crate) fn trim(text: &str) -> &str {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = text.as_bytes();
    if blank(bytes.first()) || blank(bytes.last()) { text.trim_matches([' ', '\t']) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_checked() {
        for delimiter in [',', ';', '\t', '|', ' '] {
            assert!(CsvOptions { delimiter, ..CsvOptions::default() }.check().is_ok());
        }
        for delimiter in ['"', '\n', '\0', 'é', '→'] {
            assert!(CsvOptions { delimiter, ..CsvOptions::default() }.check().is_err());
        }
    }

    #[test]
    fn options_come_from_configuration() {
        let text = r#"{"format": "csv", "csv": {"delimiter": ";", "types": {"zip": "text"}}}"#;
        let options: SourceOptions = serde_json::from_str(text).unwrap();
        assert_eq!(options.format, Some(Format::Csv));
        assert_eq!(options.csv.delimiter, ';');
        assert_eq!(options.csv.types["zip"], CsvType::Text);
        assert_eq!(options.csv.null_values, [""]);
        assert!(serde_json::from_str::<SourceOptions>(r#"{"delimiter": ";"}"#).is_err());
    }
}
