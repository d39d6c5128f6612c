//! What a check found: one place where data and schema disagree, with exact figures and what would settle it.

use serde::{Deserialize, Serialize};

use super::code::{FindingCode, TfdvType};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be read; the data may pass.
    Warning,
    /// The data break the schema.
    Error,
}

/// One place where data and schema disagree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub code: FindingCode,
    /// What TFDV calls it.
    pub tfdv: TfdvType,
    /// How much it weighs.
    pub severity: Severity,
    /// The slice of the data; none where it concerns all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slice: Option<String>,
    /// The column, or the steps to a field of a struct joined by points; none where it concerns the whole data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The steps to a field of a struct, at least two; empty for a column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// The rule of the schema, as the path of a field: `presence.min_fraction`.
    pub rule: String,
    /// What the rule demands.
    pub expected: String,
    /// What the data have; counts are exact unless it says "at least".
    pub observed: String,
    /// One sentence.
    pub message: String,
    /// What to change in the schema if the data are right; protobuf text wherever that says it.
    pub suggestion: String,
    /// Rows, or values of lists, that break the rule, where the count is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_violations: Option<u64>,
    /// The first rows that break the rule, where the data were at hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<RowExample>,
}

/// A row that breaks a rule, and where to find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowExample {
    /// The file, relative to the source.
    pub file: String,
    /// The row in the file, from 1, without a header.
    pub row: u64,
    /// The row group in the file, from 0, where it has row groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_group: Option<u64>,
    /// The values of the key columns, as text; none for null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<(String, Option<String>)>,
    /// What stands there, shortened; none for null.
    #[serde(default)]
    pub value: Option<String>,
}

/// The words of a finding.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) rule: &'static str,
    pub(crate) expected: String,
    pub(crate) observed: String,
    pub(crate) message: String,
    pub(crate) suggestion: String,
}

impl Finding {
    /// An error that concerns a column.
    pub(crate) fn column(code: FindingCode, column: &str, words: Words) -> Self {
        Self { column: Some(column.to_owned()), ..Self::dataset(code, words) }
    }

    /// An error that concerns the whole data set.
    pub(crate) fn dataset(code: FindingCode, words: Words) -> Self {
        let Words { rule, expected, observed, message, suggestion } = words;
        let (rule, severity) = (rule.to_owned(), Severity::Error);
        Self {
            code,
            tfdv: code.tfdv(),
            severity,
            slice: None,
            column: None,
            path: Vec::new(),
            rule,
            expected,
            observed,
            message,
            suggestion,
            num_violations: None,
            examples: Vec::new(),
        }
    }

    /// With what TFDV says in such a case.
    pub(crate) fn saying(mut self, description: impl Into<String>) -> Self {
        self.tfdv.description = description.into();
        self
    }

    /// With other few words of TFDV than those of the code.
    pub(crate) fn in_short(mut self, short_description: impl Into<String>) -> Self {
        self.tfdv.short_description = short_description.into();
        self
    }

    /// With the exact number of rows or values that break the rule, where it is known.
    pub(crate) fn violated_by(mut self, count: Option<u64>) -> Self {
        self.num_violations = count;
        self
    }

    /// The same as a warning.
    pub(crate) fn into_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }
}

/// "1 row", "2 rows".
pub(crate) fn rows(count: u64) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}
