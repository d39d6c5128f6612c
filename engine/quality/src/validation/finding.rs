//! What a check found: one place where data and schema disagree, with exact figures and what would settle it.

use serde::{Deserialize, Serialize};

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be read; the data may pass.
    Warning,
    /// The data break the schema.
    Error,
}

/// What is wrong, as a stable word (`missing-column`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingCode {
    /// The data have another type.
    UnexpectedType,
    /// A required column is not in the data.
    MissingColumn,
    /// A required column is in the data without a single value.
    NotPresent,
    /// Too small a share of rows has a value.
    LowFractionPresent,
    /// Too few rows have a value.
    LowNumberPresent,
    /// The schema says one value per row, some rows have none.
    ShapeBroken,
    /// A column that the schema does not know.
    NewColumn,
    /// Text that is not in the list of the schema.
    UnexpectedValue,
    /// Text that is neither the word for true nor that for false.
    TextNotBoolean,
    /// Text that is not an integer.
    TextNotInteger,
    /// Text that is not a number.
    TextNotFloat,
    /// An integer above 1 where 0 and 1 are expected.
    BooleanTooBig,
    /// An integer below 0 where 0 and 1 are expected.
    BooleanTooSmall,
    /// A float other than 0 and 1 where these are expected.
    FloatNotBoolean,
    /// An integer above the bound.
    IntegerTooBig,
    /// An integer below the bound.
    IntegerTooSmall,
    /// A float above the bound.
    FloatTooBig,
    /// A float below the bound.
    FloatTooSmall,
    /// NaN where there must be none.
    HasNan,
    /// Infinity where there must be none.
    HasInfinity,
    /// Fewer rows than demanded.
    TooFewRows,
    /// More rows than allowed.
    TooManyRows,
    /// No rows at all.
    NoRows,
    /// The domain in the schema does not fit the type.
    DomainInvalidForType,
    /// The schema contradicts itself.
    SchemaInvalid,
    /// The statistics do not say enough to decide a check.
    Undecided,
    /// Too many rows for which a rule of the pipeline file does not hold.
    RuleBroken,
    /// Rows that share their key with an earlier row.
    KeyRepeated,
}

impl FindingCode {
    /// The number, name and short description that TFDV's anomalies have for it.
    fn of_tfdv(self) -> (i32, &'static str, &'static str) {
        match self {
            Self::UnexpectedType => (70, "UNEXPECTED_DATA_TYPE", "Unexpected data type"),
            Self::MissingColumn => (35, "SCHEMA_MISSING_COLUMN", "Column dropped"),
            Self::NotPresent => (19, "FEATURE_TYPE_NOT_PRESENT", "Column dropped"),
            Self::LowFractionPresent => (16, "FEATURE_TYPE_LOW_FRACTION_PRESENT", "Column dropped"),
            Self::LowNumberPresent => (17, "FEATURE_TYPE_LOW_NUMBER_PRESENT", "Column dropped"),
            Self::ShapeBroken => (80, "INVALID_FEATURE_SHAPE", "Feature shape dropped"),
            Self::NewColumn => (36, "SCHEMA_NEW_COLUMN", "New column"),
            Self::UnexpectedValue => (14, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "Unexpected string values"),
            Self::TextNotBoolean => (9, "BOOL_TYPE_UNEXPECTED_STRING", "Non-boolean values"),
            Self::TextNotInteger => (30, "INT_TYPE_NOT_INT_STRING", "Invalid values"),
            Self::TextNotFloat => (25, "FLOAT_TYPE_STRING_NOT_FLOAT", "Invalid values"),
            Self::BooleanTooBig => (1, "BOOL_TYPE_BIG_INT", "Non-boolean values"),
            Self::BooleanTooSmall => (7, "BOOL_TYPE_SMALL_INT", "Non-boolean values"),
            Self::FloatNotBoolean => (52, "BOOL_TYPE_UNEXPECTED_FLOAT", "Non-boolean values"),
            Self::IntegerTooBig => (28, "INT_TYPE_BIG_INT", "Out-of-range values"),
            Self::IntegerTooSmall => (32, "INT_TYPE_SMALL_INT", "Out-of-range values"),
            Self::FloatTooBig => (22, "FLOAT_TYPE_BIG_FLOAT", "Out-of-range values"),
            Self::FloatTooSmall => (24, "FLOAT_TYPE_SMALL_FLOAT", "Out-of-range values"),
            Self::HasNan => (53, "FLOAT_TYPE_HAS_NAN", "Invalid values"),
            Self::HasInfinity => (62, "FLOAT_TYPE_HAS_INF", "Invalid values"),
            Self::TooFewRows => (51, "DATASET_LOW_NUM_EXAMPLES", "Low num examples in dataset."),
            Self::TooManyRows => (58, "DATASET_HIGH_NUM_EXAMPLES", "High num examples in dataset."),
            Self::NoRows => (43, "NO_DATA_IN_SPAN", "No data"),
            Self::DomainInvalidForType => {
                (66, "DOMAIN_INVALID_FOR_TYPE", "The domain does not match the type")
            }
            Self::SchemaInvalid => (69, "INVALID_SCHEMA_SPECIFICATION", "Invalid schema"),
            Self::Undecided => (83, "STATS_NOT_AVAILABLE", "Not decided"),
            Self::RuleBroken => (86, "CUSTOM_VALIDATION", "Rule broken"),
            Self::KeyRepeated => (86, "CUSTOM_VALIDATION", "Key repeated"),
        }
    }

    /// TFDV's type of anomaly for it.
    #[must_use]
    pub fn tfdv(self) -> TfdvType {
        let (number, name, _) = self.of_tfdv();
        TfdvType { name: name.into(), number }
    }

    /// The few words that TFDV shows for it.
    #[must_use]
    pub fn short_description(self) -> &'static str {
        self.of_tfdv().2
    }
}

/// A type of anomaly in TFDV's `AnomalyInfo.Type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TfdvType {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i32,
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
    /// The column; none where it concerns the whole data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
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
            column: None,
            rule,
            expected,
            observed,
            message,
            suggestion,
            num_violations: None,
            examples: Vec::new(),
        }
    }

    /// The same as a warning.
    pub(crate) fn into_warning(self) -> Self {
        Self { severity: Severity::Warning, ..self }
    }
}

/// A change of one column in the schema, on one line.
pub(crate) fn change(column: &str, body: &str) -> String {
    format!("feature {{ name: \"{}\" {body} }}", crate::protobuf::escape(column))
}

/// "1 row", "2 rows".
pub(crate) fn rows(count: u64) -> String {
    if count == 1 { "1 row".into() } else { format!("{count} rows") }
}
