//! What data should look like: the plain type that stages share. `quality` infers it, reads and writes it as
//! TFDV's `schema.pbtxt`, and checks data against it.

use serde::{Deserialize, Serialize};

/// TFDV's types: every column is one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureType {
    /// Text, binary, dates and timestamps.
    Bytes,
    /// Integers and booleans.
    Int,
    /// Floats and decimals.
    Float,
    /// Structs.
    Struct,
}

impl FeatureType {
    /// The name in TFDV's schema.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "BYTES",
            Self::Int => "INT",
            Self::Float => "FLOAT",
            Self::Struct => "STRUCT",
        }
    }
}

/// How often a column must have a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PresenceConstraint {
    /// At least this share of rows, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_fraction: Option<f64>,
    /// At least so many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_count: Option<i64>,
}

/// Which values a column may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Integers within bounds, both included.
    Int {
        /// The least.
        min: Option<i64>,
        /// The greatest.
        max: Option<i64>,
        /// Whether the numbers are names: their statistics are those of text.
        is_categorical: bool,
    },
    /// Floats within bounds, both included.
    Float {
        /// The least.
        min: Option<f64>,
        /// The greatest.
        max: Option<f64>,
        /// NaN is a finding.
        disallow_nan: bool,
        /// Infinities are a finding.
        disallow_inf: bool,
        /// Whether the numbers are names: their statistics are those of text.
        is_categorical: bool,
    },
    /// One of these values.
    Strings {
        /// The name of the domain, which several columns may share.
        name: String,
        /// In byte order.
        values: Vec<String>,
        /// Whether values are worth counting; not said unless the file says so.
        is_categorical: Option<bool>,
    },
    /// True or false; for text, spelled like this.
    Boolean {
        /// The text for true.
        true_value: Option<String>,
        /// The text for false.
        false_value: Option<String>,
    },
    /// Dates or times as text or integers.
    Time {
        /// The format of texts, or the unit of integers (`UNIX_SECONDS`).
        format: String,
    },
    /// Text in a natural language, images, addresses and the like: what TFDV calls it (`url_domain`). Nothing of it is
    /// checked beyond the type of the column.
    Semantic(String),
}

/// How many values a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueCount {
    /// At least so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
}

/// How many values rows have.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Any number.
    #[default]
    Any,
    /// In every row so many along each dimension; `[1]` is one value.
    Fixed(Vec<i64>),
    /// Within bounds, from the outermost lists inwards; one entry for lists that are not nested.
    ValueCounts(Vec<ValueCount>),
}

impl Shape {
    /// One value in every row.
    #[must_use]
    pub fn scalar() -> Self {
        Self::Fixed(vec![1])
    }
}

/// TFDV's stages in the life of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    /// Not said: validated.
    #[default]
    Unknown,
    /// Not there yet: not validated.
    Planned,
    /// Being tried: not validated.
    Alpha,
    /// Soon in production: validated.
    Beta,
    /// Validated.
    Production,
    /// On its way out: not validated.
    Deprecated,
    /// For looking only: not validated.
    DebugOnly,
    /// Not used: not validated.
    Disabled,
    /// Made by validation itself: validated.
    ValidationDerived,
}

impl Lifecycle {
    /// Whether columns in this stage are validated.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Self::Unknown | Self::Beta | Self::Production | Self::ValidationDerived)
    }
}

/// How many different values there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueConstraint {
    /// At least so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// At most so many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
}

/// How far the distribution of a column may be from another one; the greatest distances allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparator {
    /// The greatest difference between the shares of one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infinity_norm: Option<f64>,
    /// Jensen-Shannon divergence in bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jensen_shannon_divergence: Option<f64>,
    /// Whether that is measured on the histogram of equal depth instead of that of equal width.
    #[serde(default)]
    pub on_quantiles: bool,
    /// The greatest difference between the counts of one value, as a share of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalized_absolute_difference: Option<f64>,
}

/// By how much the number of rows may differ from another data set's, as ratios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RowsComparator {
    /// At least this many times the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_fraction: Option<f64>,
    /// At most this many times the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fraction: Option<f64>,
}

/// What one column, or one field of a struct, should look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The column, or the field.
    pub name: String,
    /// Its type.
    pub feature_type: Option<FeatureType>,
    /// How often it has a value.
    pub presence: PresenceConstraint,
    /// How many values it has.
    pub shape: Shape,
    /// Which values it may have.
    pub domain: Option<Domain>,
    /// The share of values that must lie in the domain; 1 unless said otherwise.
    pub min_domain_mass: f64,
    /// How many different values there may be.
    pub unique: Option<UniqueConstraint>,
    /// Where in its life it is.
    pub lifecycle: Lifecycle,
    /// Environments in which it is, besides the default ones.
    pub in_environment: Vec<String>,
    /// Environments in which it is not.
    pub not_in_environment: Vec<String>,
    /// How far it may be from what it was.
    pub drift: Option<Comparator>,
    /// How far serving may be from training.
    pub skew: Option<Comparator>,
    /// The fields, of a struct.
    pub fields: Vec<Self>,
}

impl Feature {
    /// A column without any demand.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            feature_type: None,
            presence: PresenceConstraint::default(),
            shape: Shape::Any,
            domain: None,
            min_domain_mass: 1.0,
            unique: None,
            lifecycle: Lifecycle::Unknown,
            in_environment: Vec::new(),
            not_in_environment: Vec::new(),
            drift: None,
            skew: None,
            fields: Vec::new(),
        }
    }

    /// Whether it is validated at all.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.lifecycle.is_live()
    }

    /// Whether it is part of the data in an environment: named there, or not excluded and the environment is one of
    /// the schema's default ones. Without an environment every column is.
    #[must_use]
    pub fn is_in(&self, environment: Option<&str>, schema: &Schema) -> bool {
        let Some(environment) = environment else { return true };
        let names = |list: &[String]| list.iter().any(|name| name == environment);
        names(&self.in_environment)
            || (!names(&self.not_in_environment) && names(&schema.default_environments))
    }

    /// Whether data without this column break the schema, in an environment where it belongs.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.is_live()
            && (self.presence.min_count.unwrap_or(0) > 0 || self.presence.min_fraction.unwrap_or(0.0) > 0.0)
    }
}

/// Values at given positions, spread over several list columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SparseFeature {
    /// Its name.
    pub name: String,
    /// The columns of positions.
    pub index_columns: Vec<String>,
    /// The column of values.
    pub value_column: String,
    /// Where in its life it is.
    pub lifecycle: Lifecycle,
}

/// Values with a weight each, in two list columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedFeature {
    /// Its name.
    pub name: String,
    /// The steps to the values.
    pub value_path: Vec<String>,
    /// The steps to the weights.
    pub weight_path: Vec<String>,
    /// Where in its life it is.
    pub lifecycle: Lifecycle,
}

/// What a data set should look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// One per column.
    pub features: Vec<Feature>,
    /// Sparse columns.
    pub sparse_features: Vec<SparseFeature>,
    /// Weighted columns.
    pub weighted_features: Vec<WeightedFeature>,
    /// Environments in which columns are that do not say otherwise.
    pub default_environments: Vec<String>,
    /// Fewer rows than this are a finding.
    pub min_rows: Option<i64>,
    /// More rows than this are a finding.
    pub max_rows: Option<i64>,
    /// How the number of rows may differ from the previous span's.
    pub rows_drift: Option<RowsComparator>,
    /// How the number of rows may differ from the previous version's of the span.
    pub rows_version: Option<RowsComparator>,
}

impl Schema {
    /// What a column should look like.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }

    /// What a column or a field of a struct should look like, by its steps.
    #[must_use]
    pub fn at(&self, steps: &[String]) -> Option<&Feature> {
        let (first, rest) = steps.split_first()?;
        rest.iter().try_fold(self.feature(first)?, |feature, step| {
            feature.fields.iter().find(|field| field.name == *step)
        })
    }
}
