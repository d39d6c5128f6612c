//! What statistics are asked for beyond one profile per column, checked against the columns of the source.
//!
//! The keys are those of the section `statistics` of a pipeline file and the names of the options of
//! `sluice statistics`. Messages name a key as it stands there.

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Diagnostic, ErrorKind, Result};
use sluice_core::options::OptionsError;
use sluice_core::plan::PlannedColumn;
use sluice_core::schema::{Domain, FeatureType, Schema};

use super::composed::ComposedFeature;
use super::slice_spec::SliceSpec;

/// Slices of one entry of `slices` unless told otherwise.
pub const MAX_SLICES: u64 = 1000;

/// What statistics are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatisticsOptions {
    /// The columns that are described; all of them where none is named.
    pub columns: Vec<String>,
    /// Columns that are not described.
    pub exclude: Vec<String>,
    /// How much a row counts: adds weighted figures to every column.
    pub weight: Option<String>,
    /// Parts of the rows that are described as well, each like the whole.
    pub slices: Vec<SliceSpec>,
    /// More slices than this of one entry of `slices` are an error.
    pub max_slices: u64,
    /// What the columns may tell something about.
    pub label: Option<String>,
    /// Pairs of columns whose covariance is wanted.
    pub crosses: Vec<CrossSpec>,
    /// Integers that are names, not quantities: their values are counted as those of text are.
    pub categories: Vec<String>,
    /// The sparse and weighted features of the schema; nobody names them but [`StatisticsOptions::with_schema`].
    #[serde(skip)]
    pub composed: Vec<ComposedFeature>,
}

impl Default for StatisticsOptions {
    fn default() -> Self {
        Self {
            columns: Vec::new(),
            exclude: Vec::new(),
            weight: None,
            slices: Vec::new(),
            max_slices: MAX_SLICES,
            label: None,
            crosses: Vec::new(),
            categories: Vec::new(),
            composed: Vec::new(),
        }
    }
}

/// A pair of columns, `A,B`, or every pair of numeric columns, `all`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CrossSpec {
    /// Every pair of numeric columns.
    All,
    /// These two.
    Pair(String, String),
}

impl std::str::FromStr for CrossSpec {
    type Err = OptionsError;

    fn from_str(text: &str) -> Result<Self, OptionsError> {
        if text == "all" {
            return Ok(Self::All);
        }
        match text.split_once(',') {
            Some((x, y)) if !x.is_empty() && !y.is_empty() && !y.contains(',') && x != y => {
                Ok(Self::Pair(x.into(), y.into()))
            }
            _ => Err(OptionsError::Conflict {
                name: "crosses".into(),
                problem: format!("has `{text}`, which is no pair of columns"),
                hint: Some("for example `fare,trip_miles`, or `all`".into()),
            }),
        }
    }
}

impl TryFrom<String> for CrossSpec {
    type Error = OptionsError;

    fn try_from(text: String) -> Result<Self, OptionsError> {
        text.parse()
    }
}

impl From<CrossSpec> for String {
    fn from(spec: CrossSpec) -> Self {
        match spec {
            CrossSpec::All => "all".into(),
            CrossSpec::Pair(x, y) => format!("{x},{y}"),
        }
    }
}

/// Statistics that cannot be had, because of an option or of the data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatisticsError {
    /// A slice that cannot be read.
    #[error("slice `{slice}` {problem}")]
    SliceMalformed {
        /// As it was given.
        slice: String,
        /// What is wrong, continuing the sentence.
        problem: String,
    },
    /// A column whose values cannot be the key of a slice.
    #[error("slice `{slice}`: column `{column}` is {found}, whose values are no keys")]
    SliceKind {
        /// The slice.
        slice: String,
        /// Its column.
        column: String,
        /// What the column holds.
        found: ColumnKind,
    },
    /// A value that the column cannot have.
    #[error("slice `{slice}`: `{value}` is no value of column `{column}`, which is {found}")]
    SliceValue {
        /// The slice.
        slice: String,
        /// Its column.
        column: String,
        /// What was asked for.
        value: String,
        /// What the column holds.
        found: ColumnKind,
    },
    /// More slices than are wanted.
    #[error("slice `{slice}` has at least {seen} slices, but `max_slices` is {limit}")]
    TooManySlices {
        /// The slice.
        slice: String,
        /// Different keys that were seen before giving up.
        seen: u64,
        /// How many there may be.
        limit: u64,
    },
    /// A text too long to name a slice.
    #[error("slice `{slice}`: column `{column}` holds a text of {bytes} bytes; a key has at most {limit}")]
    SliceKeyTooLong {
        /// The slice.
        slice: String,
        /// Its column.
        column: String,
        /// The length of the text.
        bytes: usize,
        /// The longest key.
        limit: usize,
    },
    /// A weight that is none.
    #[error("weight column `{column}` is {found} here, but every row needs a finite weight of 0 or more")]
    WeightMalformed {
        /// The weight.
        column: String,
        /// What it holds.
        found: String,
    },
    /// A sparse or weighted feature whose columns have no rows in common.
    #[error("feature `{feature}` of the schema: `{value}` and `{partner}` are not in the same struct")]
    ComposedApart {
        /// The feature.
        feature: String,
        /// Its values.
        value: String,
        /// What goes with them.
        partner: String,
    },
    /// Every column was left out.
    #[error("`columns` and `exclude` leave no column to describe")]
    NoColumns,
}

impl Diagnostic for StatisticsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::WeightMalformed { .. } | Self::SliceKeyTooLong { .. } => ErrorKind::Malformed,
            Self::SliceMalformed { .. }
            | Self::SliceKind { .. }
            | Self::SliceValue { .. }
            | Self::TooManySlices { .. }
            | Self::ComposedApart { .. }
            | Self::NoColumns => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::SliceMalformed { .. } => "give columns and values: `company`, `company=Flash`, \
                `company,payment_type` or `company='Taxi, Inc.'` (quotes around what has other signs than letters); or \
                an expression that is true or false: `fare > 20`, `(hour % 2 = 0)`"
                .into(),
            Self::SliceKind { found: ColumnKind::Float | ColumnKind::Decimal { .. }, .. } => {
                "a slice needs text, integers, booleans or dates; ask for a range by an expression (`fare > 20`), or cut \
                 the numbers into a few ranges as a column of the query of `sluice ingest`"
                    .into()
            }
            Self::SliceKind { .. } => "a slice needs text, integers, booleans or dates".into(),
            Self::SliceValue { found: ColumnKind::Date, .. } => "write days as 2026-01-31".into(),
            Self::SliceValue { found: ColumnKind::Boolean, .. } => "write `true` or `false`".into(),
            Self::SliceValue { .. } => "write a whole number in the range of the column".into(),
            Self::TooManySlices { slice, .. } => format!(
                "slice by a column of fewer values, name the value (`{slice}=VALUE`), or raise `max_slices` \
                 (`--max-slices`) where memory allows"
            ),
            Self::SliceKeyTooLong { .. } => "slice by a column of short values".into(),
            Self::WeightMalformed { .. } => {
                "correct the row, give rows that should not count the weight 0, or leave the weight out".into()
            }
            Self::ComposedApart { .. } => {
                "values and weights are compared row by row: correct the paths in the schema, or leave the feature \
                 out"
                    .into()
            }
            Self::NoColumns => "leave one of them out".into(),
        })
    }
}

impl StatisticsOptions {
    /// Every column that the options name, with the key that does.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let slices = self.slices.iter().flat_map(SliceSpec::columns).map(|column| ("slices", column));
        let crosses = self.crosses.iter().flat_map(|cross| match cross {
            CrossSpec::All => Vec::new(),
            CrossSpec::Pair(x, y) => vec![("crosses", x.as_str()), ("crosses", y.as_str())],
        });
        let lists =
            [("columns", &self.columns), ("exclude", &self.exclude), ("categories", &self.categories)];
        let listed =
            lists.into_iter().flat_map(|(key, names)| names.iter().map(move |name| (key, name.as_str())));
        let single = [("weight", &self.weight), ("label", &self.label)];
        let single = single.into_iter().filter_map(|(key, name)| Some((key, name.as_deref()?)));
        single.chain(slices).chain(crosses).chain(listed)
    }

    /// Checks what needs no data: ranges, and slices given twice.
    ///
    /// # Errors
    /// [`OptionsError`], [`StatisticsError::SliceMalformed`].
    pub fn check(&self) -> Result<()> {
        if self.max_slices == 0 {
            let (name, range) = ("max_slices".into(), "at least 1".into());
            return Err(OptionsError::OutOfRange { name, value: "0".into(), range }.into());
        }
        for (index, slice) in self.slices.iter().enumerate() {
            if self.slices[..index].contains(slice) {
                let problem = "is given twice".into();
                return Err(StatisticsError::SliceMalformed { slice: slice.to_string(), problem }.into());
            }
        }
        Ok(())
    }

    /// The same options with every name resolved against the columns of a source.
    ///
    /// # Errors
    /// [`CommonError::ColumnMissing`] with the nearest name, [`CommonError::ColumnKind`], [`StatisticsError`].
    pub fn check_columns(&self, columns: &[PlannedColumn]) -> Result<()> {
        self.check()?;
        for (key, name) in self.named() {
            // A slice that is no column may have been meant as an expression, which is another message.
            let kind = kind_of(columns, name).ok_or_else(|| missing(columns, key, name))?;
            let wrong = match key {
                "weight" => (!kind.is_number(), "numbers"),
                "crosses" => (!super::crosses::takes(kind), "numbers"),
                "categories" => (!matches!(kind, ColumnKind::Integer | ColumnKind::Unsigned), "integers"),
                _ => (false, ""),
            };
            if let (true, expected) = wrong {
                return Err(CommonError::ColumnKind {
                    column: name.into(),
                    found: kind.to_string(),
                    expected,
                    purpose: format!("`{key}`"),
                }
                .into());
            }
        }
        self.slices.iter().try_for_each(|slice| slice.check(columns))?;
        if !columns.iter().any(|column| self.describes(&column.name)) {
            return Err(StatisticsError::NoColumns.into());
        }
        Ok(())
    }

    /// Whether the column of this name gets a profile.
    #[must_use]
    pub fn describes(&self, name: &str) -> bool {
        !name.starts_with(sluice_core::RESERVED_PREFIX)
            && (self.columns.is_empty() || self.columns.iter().any(|mine| mine == name))
            && !self.exclude.iter().any(|mine| mine == name)
    }

    /// Adds what the schema asks for: to the categories the integers that it calls categorical, or true and false,
    /// those among `columns` that do hold integers, as TFDV has it; and its sparse and weighted features.
    ///
    /// # Errors
    /// [`StatisticsError::ComposedApart`].
    pub fn with_schema(mut self, schema: &Schema, columns: &[PlannedColumn]) -> Result<Self> {
        self.composed = ComposedFeature::of_schema(schema)?;
        for feature in &schema.features {
            let is_category = match &feature.domain {
                Some(Domain::Int { is_categorical, .. }) => *is_categorical,
                Some(Domain::Boolean { .. }) => true,
                _ => false,
            };
            let is_integer =
                matches!(kind_of(columns, &feature.name), Some(ColumnKind::Integer | ColumnKind::Unsigned))
                    && matches!(feature.feature_type, Some(FeatureType::Int) | None);
            if is_category && is_integer && !self.categories.contains(&feature.name) {
                self.categories.push(feature.name.clone());
            }
        }
        Ok(self)
    }
}

/// What a column of the source holds, if there is one of this name that is not ours.
pub(super) fn kind_of<'a>(columns: &'a [PlannedColumn], name: &str) -> Option<&'a ColumnKind> {
    let mut theirs = columns.iter().filter(|column| !column.name.starts_with(sluice_core::RESERVED_PREFIX));
    theirs.find(|column| column.name == name).map(|column| &column.kind)
}

fn missing(columns: &[PlannedColumn], key: &str, name: &str) -> sluice_core::Error {
    let available: Vec<String> = columns
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| !name.starts_with(sluice_core::RESERVED_PREFIX))
        .collect();
    if key == "slices" && name.contains(['+', '*', '/', '%', '"', '|']) {
        let problem = "names no column of the data; an expression goes in parentheses".into();
        return StatisticsError::SliceMalformed { slice: name.into(), problem }.into();
    }
    let place = format!("the data, but `{key}` names it");
    CommonError::ColumnMissing { column: name.into(), place, available }.into()
}
