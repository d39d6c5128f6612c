//! The stable words for what can be wrong, each with TFDV's number, name and short description for it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sluice_core::options::OptionsError;

/// Defines the codes and their table in one place, so that none can lack a row.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal, $number:literal, $tfdv:literal, $short:literal;)+) => {
        /// What is wrong, as a stable word (`missing-column`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[doc = $doc])+ $name,)+
        }

        impl FindingCode {
            /// All there are, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The word, the number, the name and the short description of TFDV's anomaly.
            fn row(self) -> (&'static str, i32, &'static str, &'static str) {
                match self {
                    $(Self::$name => ($word, $number, $tfdv, $short),)+
                }
            }
        }
    };
}

codes! {
    /// The schema has a feature without a name.
    FeatureMissingName = "feature-missing-name", 67, "FEATURE_MISSING_NAME", "unspecified name";
    /// The schema does not say the type of a column.
    FeatureMissingType = "feature-missing-type", 68, "FEATURE_MISSING_TYPE",
        "unspecified type: determine the type and set it, rather than deprecating.";
    /// The schema contradicts itself.
    SchemaInvalid = "schema-invalid", 69, "INVALID_SCHEMA_SPECIFICATION", "Invalid schema";
    /// A list of values in the schema contradicts itself.
    DomainSpecificationInvalid = "domain-specification-invalid", 81, "INVALID_DOMAIN_SPECIFICATION",
        "Malformed domain";
    /// The domain in the schema does not fit the type.
    DomainInvalidForType = "domain-invalid-for-type", 66, "DOMAIN_INVALID_FOR_TYPE",
        "The domain does not match the type";
    /// A required column is not in the data.
    MissingColumn = "missing-column", 35, "SCHEMA_MISSING_COLUMN", "Column dropped";
    /// A required column is in the data without a single value.
    NotPresent = "not-present", 19, "FEATURE_TYPE_NOT_PRESENT", "Column dropped";
    /// A column that the schema does not know.
    NewColumn = "new-column", 36, "SCHEMA_NEW_COLUMN", "New column";
    /// A column in an environment to which it does not belong.
    WrongEnvironment = "wrong-environment", 36, "SCHEMA_NEW_COLUMN", "Column missing in environment";
    /// Lists lie in lists to another depth than the schema says.
    NestednessMismatch = "nestedness-mismatch", 65, "VALUE_NESTEDNESS_MISMATCH", "Mismatched value nest level";
    /// Rows or lists with fewer values than demanded.
    TooFewValues = "too-few-values", 18, "FEATURE_TYPE_LOW_NUMBER_VALUES", "Missing values";
    /// Rows or lists with more values than allowed.
    TooManyValues = "too-many-values", 15, "FEATURE_TYPE_HIGH_NUMBER_VALUES", "Superfluous values";
    /// The schema says how many values each row has, some rows have another number.
    ShapeBroken = "shape-broken", 80, "INVALID_FEATURE_SHAPE", "Feature shape dropped";
    /// Too few rows have a value.
    LowNumberPresent = "low-number-present", 17, "FEATURE_TYPE_LOW_NUMBER_PRESENT", "Column dropped";
    /// Too small a share of rows has a value.
    LowFractionPresent = "low-fraction-present", 16, "FEATURE_TYPE_LOW_FRACTION_PRESENT", "Column dropped";
    /// The data have another type.
    UnexpectedType = "unexpected-type", 70, "UNEXPECTED_DATA_TYPE", "Unexpected data type";
    /// Text that is not UTF-8 where a list of values is expected.
    InvalidUtf8 = "invalid-utf8", 13, "ENUM_TYPE_INVALID_UTF8", "Invalid UTF8 strings";
    /// Text that is not in the list of the schema.
    UnexpectedValue = "unexpected-value", 14, "ENUM_TYPE_UNEXPECTED_STRING_VALUES", "Unexpected string values";
    /// Text that is neither the word for true nor that for false.
    TextNotBoolean = "text-not-boolean", 9, "BOOL_TYPE_UNEXPECTED_STRING", "Non-boolean values";
    /// Text that is not an integer.
    TextNotInteger = "text-not-integer", 30, "INT_TYPE_NOT_INT_STRING", "Invalid values";
    /// Text that is not a number.
    TextNotFloat = "text-not-float", 25, "FLOAT_TYPE_STRING_NOT_FLOAT", "Invalid values";
    /// An integer above 1 where 0 and 1 are expected.
    BooleanTooBig = "boolean-too-big", 1, "BOOL_TYPE_BIG_INT", "Non-boolean values";
    /// An integer below 0 where 0 and 1 are expected.
    BooleanTooSmall = "boolean-too-small", 7, "BOOL_TYPE_SMALL_INT", "Non-boolean values";
    /// A float other than 0 and 1 where these are expected.
    FloatNotBoolean = "float-not-boolean", 52, "BOOL_TYPE_UNEXPECTED_FLOAT", "Non-boolean values";
    /// An integer above the bound.
    IntegerTooBig = "integer-too-big", 28, "INT_TYPE_BIG_INT", "Out-of-range values";
    /// An integer below the bound.
    IntegerTooSmall = "integer-too-small", 32, "INT_TYPE_SMALL_INT", "Out-of-range values";
    /// A float above the bound.
    FloatTooBig = "float-too-big", 22, "FLOAT_TYPE_BIG_FLOAT", "Out-of-range values";
    /// A float below the bound.
    FloatTooSmall = "float-too-small", 24, "FLOAT_TYPE_SMALL_FLOAT", "Out-of-range values";
    /// NaN where there must be none.
    HasNan = "has-nan", 53, "FLOAT_TYPE_HAS_NAN", "Invalid values";
    /// Infinity where there must be none.
    HasInfinity = "has-infinity", 62, "FLOAT_TYPE_HAS_INF", "Invalid values";
    /// The data say that the values have a meaning that the schema does not name.
    SemanticDomainUpdate = "semantic-domain-update", 48, "SEMANTIC_DOMAIN_UPDATE", "Updated semantic domain";
    /// More different values than allowed.
    TooManyDistinct = "too-many-distinct", 59, "FEATURE_TYPE_HIGH_UNIQUE", "High number of unique values";
    /// Fewer different values than demanded.
    TooFewDistinct = "too-few-distinct", 60, "FEATURE_TYPE_LOW_UNIQUE", "Low number of unique values";
    /// How many different values there are was not counted, though the schema bounds it.
    NoDistinct = "no-distinct", 61, "FEATURE_TYPE_NO_UNIQUE", "No unique values";
    /// The data set that a column is compared with does not have it.
    ControlDataMissing = "control-data-missing", 40, "COMPARATOR_CONTROL_DATA_MISSING",
        "previous data missing";
    /// The share of a value changed by more than allowed.
    InfinityNormHigh = "infinity-norm-high", 42, "COMPARATOR_L_INFTY_HIGH",
        "High Linfty distance between current and previous";
    /// The distribution changed by more than allowed.
    JensenShannonHigh = "jensen-shannon-high", 63, "COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH",
        "High approximate Jensen-Shannon divergence between current and previous";
    /// The count of a value changed by more than allowed.
    AbsoluteDifferenceHigh = "absolute-difference-high", 87,
        "COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH",
        "High normalized absolute difference between current and previous";
    /// A sparse feature has the name of a feature.
    SparseNameCollision = "sparse-name-collision", 47, "SPARSE_FEATURE_NAME_COLLISION",
        "Sparse feature name collision";
    /// Rows of a sparse feature that lack the values.
    SparseMissingValue = "sparse-missing-value", 44, "SPARSE_FEATURE_MISSING_VALUE", "Missing value feature";
    /// Rows of a sparse feature that lack the positions.
    SparseMissingIndex = "sparse-missing-index", 45, "SPARSE_FEATURE_MISSING_INDEX", "Missing index feature";
    /// Rows of a sparse feature with more or fewer values than positions.
    SparseLengthMismatch = "sparse-length-mismatch", 46, "SPARSE_FEATURE_LENGTH_MISMATCH",
        "Length mismatch between value and index feature";
    /// A weighted feature has the name of a feature or a sparse feature.
    WeightedNameCollision = "weighted-name-collision", 54, "WEIGHTED_FEATURE_NAME_COLLISION",
        "Weighted feature name collision";
    /// Rows of a weighted feature that lack the values.
    WeightedMissingValue = "weighted-missing-value", 55, "WEIGHTED_FEATURE_MISSING_VALUE",
        "Missing value feature";
    /// Rows of a weighted feature that lack the weights.
    WeightedMissingWeight = "weighted-missing-weight", 56, "WEIGHTED_FEATURE_MISSING_WEIGHT",
        "Missing weight feature";
    /// Rows of a weighted feature with more or fewer values than weights.
    WeightedLengthMismatch = "weighted-length-mismatch", 57, "WEIGHTED_FEATURE_LENGTH_MISMATCH",
        "Length mismatch between value and weight feature";
    /// No rows at all.
    NoRows = "no-rows", 43, "NO_DATA_IN_SPAN", "No data";
    /// A span that lies between others is not in the data.
    SpanMissing = "span-missing", 43, "NO_DATA_IN_SPAN", "Span missing";
    /// Fewer rows than demanded.
    TooFewRows = "too-few-rows", 51, "DATASET_LOW_NUM_EXAMPLES", "Low num examples in dataset.";
    /// More rows than allowed.
    TooManyRows = "too-many-rows", 58, "DATASET_HIGH_NUM_EXAMPLES", "High num examples in dataset.";
    /// Fewer rows than before, by more than allowed.
    FewerRowsThanBefore = "fewer-rows-than-before", 49, "COMPARATOR_LOW_NUM_EXAMPLES",
        "Low num examples in current dataset versus the previous span.";
    /// More rows than before, by more than allowed.
    MoreRowsThanBefore = "more-rows-than-before", 50, "COMPARATOR_HIGH_NUM_EXAMPLES",
        "High num examples in current dataset versus the previous span.";
    /// A rule that too many rows break.
    RuleBroken = "rule-broken", 86, "CUSTOM_VALIDATION", "Rule broken";
    /// Rows that share a key which must be unique.
    KeyRepeated = "key-repeated", 86, "CUSTOM_VALIDATION", "Key repeated";
    /// A column is no longer what it was in other data.
    Drift = "drift", 86, "CUSTOM_VALIDATION", "Drift";
    /// The statistics do not say enough to decide a check.
    Undecided = "undecided", 83, "STATS_NOT_AVAILABLE", "Not decided";
}

impl FindingCode {
    /// The word that stands for it in JSON and in options.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.row().0
    }

    /// TFDV's type of anomaly for it.
    #[must_use]
    pub fn tfdv(self) -> TfdvType {
        let (_, number, name, short) = self.row();
        TfdvType { name: name.into(), number, short_description: short.into(), description: String::new() }
    }

    /// The few words that TFDV shows for it.
    #[must_use]
    pub fn short_description(self) -> &'static str {
        self.row().3
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for FindingCode {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.word() == text).ok_or_else(|| OptionsError::NoSuchChoice {
            name: "severity".into(),
            value: text.into(),
            choices: Self::ALL.iter().map(|code| code.word().to_owned()).collect(),
        })
    }
}

/// A type of anomaly in TFDV's `AnomalyInfo.Type`, and what TFDV says in such a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TfdvType {
    /// Its name.
    pub name: String,
    /// Its number.
    pub number: i32,
    /// The few words that TFDV shows.
    #[serde(default)]
    pub short_description: String,
    /// TFDV's sentence with its figures; empty where TFDV has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}
