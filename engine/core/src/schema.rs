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
    },
    /// One of these values.
    Strings {
        /// The name of the domain, which several columns may share.
        name: String,
        /// In byte order.
        values: Vec<String>,
    },
    /// True or false; for text, spelled like this.
    Boolean {
        /// The text for true.
        true_value: Option<String>,
        /// The text for false.
        false_value: Option<String>,
    },
}

/// What one column should look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// The column.
    pub name: String,
    /// Its type.
    pub feature_type: Option<FeatureType>,
    /// How often it has a value.
    pub presence: PresenceConstraint,
    /// Whether every present row has exactly one value (TFDV's `shape { dim { size: 1 } }`).
    pub is_scalar: bool,
    /// Which values it may have.
    pub domain: Option<Domain>,
    /// The share of values that must lie in the domain; 1 unless said otherwise.
    pub min_domain_mass: f64,
    /// Whether it is validated at all (TFDV's life-cycle stages).
    pub is_live: bool,
}

impl Feature {
    /// A column without any demand.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            feature_type: None,
            presence: PresenceConstraint::default(),
            is_scalar: false,
            domain: None,
            min_domain_mass: 1.0,
            is_live: true,
        }
    }

    /// Whether data without this column break the schema.
    #[must_use]
    pub fn is_required(&self) -> bool {
        self.is_live
            && (self.presence.min_count.unwrap_or(0) > 0 || self.presence.min_fraction.unwrap_or(0.0) > 0.0)
    }
}

/// What a data set should look like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// One per column.
    pub features: Vec<Feature>,
    /// Fewer rows than this are a finding.
    pub min_rows: Option<i64>,
    /// More rows than this are a finding.
    pub max_rows: Option<i64>,
}

impl Schema {
    /// What a column should look like.
    #[must_use]
    pub fn feature(&self, name: &str) -> Option<&Feature> {
        self.features.iter().find(|feature| feature.name == name)
    }
}
