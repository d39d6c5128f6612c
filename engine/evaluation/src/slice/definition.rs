//! Slices as they are written: `sex`, `[sex, age_group]`, or a map with the keys below, alone or inside a list.
//!
//! | key | range | meaning |
//! |---|---|---|
//! | `column` | a column | all its values; or its buckets, with `bounds`, `quantiles` or `by` |
//! | `bounds` | ascending finite numbers | buckets of the column: below the first, from each to the next, from the last |
//! | `quantiles` | 2 to 1,000 | so many buckets of about as many rows each |
//! | `by` | a [`DateBucket`] | buckets of a column of dates or timestamps |
//! | `expression` | SQL | all its answers: true, false, null, or any scalar |
//! | `columns` | a list | the cross of what it holds |
//! | `top` | 1 to 16,000 | only so many, by weight; the rest is one slice, `(other)` |
//! | `minimum_rows` | from 1 | slices with fewer rows are left out, and counted |
//! | `name` | a text | what it is called in reports, in other slices and in `every` |

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use sluice_core::group::Grouping;
use sluice_core::options::OptionsError;

use super::dates::DateBucket;
use super::plan::SlicePlan;

/// A slicing: what makes the key of a slice, taken together. In YAML one dimension or a list of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Columns(pub Vec<Dimension>);

/// One part of a slicing.
#[derive(Clone, Debug, PartialEq)]
pub enum Dimension {
    /// All values of a column, or what another slicing has named so.
    Column(String),
    /// Anything else.
    Defined(Box<SliceDefinition>),
}

/// A part of a slicing in full; see the head of this file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SliceDefinition {
    /// What it is called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// All values of a column, or buckets of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Where the buckets of the column begin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Vec<f64>>,
    /// How many buckets of about as many rows each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantiles: Option<u32>,
    /// Which periods of the calendar, or what of it comes back, of a column of dates or timestamps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<DateBucket>,
    /// SQL over the columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// The cross of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// Only the largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top: Option<u32>,
    /// Smaller ones are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_rows: Option<u64>,
}

impl From<&str> for Dimension {
    fn from(column: &str) -> Self {
        Self::Column(column.into())
    }
}

impl From<String> for Dimension {
    fn from(column: String) -> Self {
        Self::Column(column)
    }
}

impl From<SliceDefinition> for Dimension {
    fn from(definition: SliceDefinition) -> Self {
        Self::Defined(Box::new(definition))
    }
}

impl Columns {
    /// The grouping by these alone, without names of others.
    ///
    /// # Errors
    /// [`OptionsError`] when there is nothing to slice by, something twice, or a key that does not fit another.
    pub fn check(&self, option: &str) -> Result<Grouping, OptionsError> {
        SlicePlan::default().add(self, option)
    }

    /// The columns that it names, those inside expressions left out; a name of another slicing may be among them.
    #[must_use]
    pub fn columns(&self) -> Vec<&str> {
        self.0.iter().flat_map(Dimension::columns).collect()
    }

    /// The names that its parts are given.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().flat_map(Dimension::names).collect()
    }
}

impl Dimension {
    fn columns(&self) -> Vec<&str> {
        match self {
            Self::Column(column) => vec![column],
            Self::Defined(definition) => {
                let inner = definition.columns.iter().flat_map(Columns::columns);
                definition.column.as_deref().into_iter().chain(inner).collect()
            }
        }
    }

    fn names(&self) -> Vec<&str> {
        match self {
            Self::Column(_) => Vec::new(),
            Self::Defined(definition) => {
                let inner = definition.columns.iter().flat_map(Columns::names);
                definition.name.as_deref().into_iter().chain(inner).collect()
            }
        }
    }
}

impl Serialize for Dimension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Column(column) => serializer.serialize_str(column),
            Self::Defined(definition) => definition.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ColumnsVisitor)
    }
}

impl<'de> Deserialize<'de> for Dimension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DimensionVisitor)
    }
}

const EXPECTED: &str = "a column, a list, or a map with `column`, `expression` or `columns`";

/// One dimension, or a list.
struct ColumnsVisitor;

impl<'de> Visitor<'de> for ColumnsVisitor {
    type Value = Columns;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_str<E>(self, column: &str) -> Result<Columns, E> {
        Ok(Columns(vec![column.into()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Columns, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Columns)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Columns, A::Error> {
        DimensionVisitor.visit_map(map).map(|dimension| Columns(vec![dimension]))
    }
}

struct DimensionVisitor;

impl<'de> Visitor<'de> for DimensionVisitor {
    type Value = Dimension;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_str<E>(self, column: &str) -> Result<Dimension, E> {
        Ok(column.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Dimension, A::Error> {
        let columns = Some(ColumnsVisitor.visit_seq(list)?);
        Ok(SliceDefinition { columns, ..SliceDefinition::default() }.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Dimension, A::Error> {
        SliceDefinition::deserialize(MapAccessDeserializer::new(map)).map(Dimension::from)
    }
}
