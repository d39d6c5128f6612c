//! How a slice is asked for: columns, each with a value or all of its values.
//!
//! As text: `company`, `company=Flash`, `company,payment_type=Cash`. A name or value with a comma, an equals sign
//! or spaces at its ends stands in single quotes, in which a quote is written twice: `company='Taxi, Inc.'`.
//! In a pipeline file the same text, or a list of such texts, or a map from columns to values (null: all of
//! them). Columns are in byte order of their names, as TFDV has them in the names of slices.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::plan::PlannedColumn;

use super::options::{StatisticsError, kind_of};
use super::slice_key::KeyValue;

/// What the rows of a slice have in common, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "BTreeMap<String, Option<String>>")]
pub struct SliceSpec {
    /// In byte order of the columns; at least one.
    parts: Vec<(String, Option<String>)>,
}

/// The forms that a pipeline file knows.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a slice is a text, a list of texts, or a map from columns to values")]
enum Written {
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, Option<Scalar>>),
}

/// YAML reads `2` and `true` as what they look like.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

impl From<Scalar> for String {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Boolean(value) => value.to_string(),
            Scalar::Integer(value) => value.to_string(),
            Scalar::Text(text) => text,
        }
    }
}

impl TryFrom<Written> for SliceSpec {
    type Error = StatisticsError;

    fn try_from(written: Written) -> Result<Self, StatisticsError> {
        match written {
            Written::Text(text) => text.parse(),
            Written::List(texts) => {
                let shown = texts.join(",");
                let parts = texts.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
                Self::new(&shown, parts.into_iter().flatten().collect())
            }
            Written::Map(parts) => {
                let shown = parts.keys().cloned().collect::<Vec<_>>().join(",");
                let parts = parts.into_iter().map(|(column, value)| (column, value.map(String::from)));
                Self::new(&shown, parts.collect())
            }
        }
    }
}

impl From<SliceSpec> for BTreeMap<String, Option<String>> {
    fn from(spec: SliceSpec) -> Self {
        spec.parts.into_iter().collect()
    }
}

impl std::str::FromStr for SliceSpec {
    type Err = StatisticsError;

    fn from_str(text: &str) -> Result<Self, StatisticsError> {
        Self::new(text, parse(text)?)
    }
}

impl std::fmt::Display for SliceSpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quote = |text: &str| match text.contains([',', '=', '\'']) || text.trim() != text {
            true => format!("'{}'", text.replace('\'', "''")),
            false => text.to_owned(),
        };
        for (index, (column, value)) in self.parts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(formatter, "{comma}{}", quote(column))?;
            if let Some(value) = value {
                write!(formatter, "={}", quote(value))?;
            }
        }
        Ok(())
    }
}

impl SliceSpec {
    fn new(shown: &str, mut parts: Vec<(String, Option<String>)>) -> Result<Self, StatisticsError> {
        let malformed = |problem: String| StatisticsError::SliceMalformed { slice: shown.into(), problem };
        if parts.is_empty() || parts.iter().any(|(column, _)| column.is_empty()) {
            return Err(malformed("names no column".into()));
        }
        parts.sort();
        if let Some(pair) = parts.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(malformed(format!("names column `{}` twice", pair[0].0)));
        }
        Ok(Self { parts })
    }

    /// Its columns, in byte order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|(column, _)| column.as_str())
    }

    /// Its columns with the values asked for; none: all that there are.
    #[must_use]
    pub fn parts(&self) -> &[(String, Option<String>)] {
        &self.parts
    }

    /// Whether it is one slice, because every column has a value.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.parts.iter().all(|(_, value)| value.is_some())
    }

    /// Checks that the columns have values that can be keys; that they are there was checked before.
    ///
    /// # Errors
    /// [`StatisticsError::SliceKind`], [`StatisticsError::SliceValue`].
    pub(super) fn check(&self, columns: &[PlannedColumn]) -> Result<()> {
        for (column, value) in &self.parts {
            let Some(kind) = kind_of(columns, column) else { continue };
            // A column that only has nulls so far has no slices, and is no mistake.
            let (slice, column) = (self.to_string(), column.clone());
            let found = kind.clone();
            if !KeyValue::is_key(kind.innermost()) && *kind != ColumnKind::Null {
                return Err(StatisticsError::SliceKind { slice, column, found }.into());
            }
            if let Some(value) = value
                && *kind != ColumnKind::Null
                && KeyValue::parse(kind.innermost(), value).is_none()
            {
                let value = value.clone();
                return Err(StatisticsError::SliceValue { slice, column, value, found }.into());
            }
        }
        Ok(())
    }
}

/// The columns and values of a text, in its order.
fn parse(text: &str) -> Result<Vec<(String, Option<String>)>, StatisticsError> {
    let malformed =
        |problem: &str| StatisticsError::SliceMalformed { slice: text.into(), problem: problem.into() };
    // `<=`, `>=`, `!=` and `==` are no "column equals value".
    if ["<=", ">=", "!=", "=="].iter().any(|operator| text.contains(operator)) && !text.contains('\'') {
        return Err(malformed("is an expression, but slices are made of columns and their values"));
    }
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (column, after) =
            word(rest, &[',', '=']).ok_or_else(|| malformed("has a quote without an end"))?;
        let (value, after) = match after.strip_prefix('=') {
            Some(after) => {
                let (value, after) =
                    word(after, &[',']).ok_or_else(|| malformed("has a quote without an end"))?;
                (Some(value), after)
            }
            None => (None, after),
        };
        parts.push((column, value));
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(parts),
            None => return Err(malformed("goes on after a quote")),
        }
    }
}

/// A name or value up to one of `ends`, quoted or not, and what follows; `None` where a quote does not end.
fn word<'a>(text: &'a str, ends: &[char]) -> Option<(String, &'a str)> {
    let text = text.trim_start();
    let Some(mut quoted) = text.strip_prefix('\'') else {
        let end = text.find(ends).unwrap_or(text.len());
        return Some((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let mut word = String::new();
    loop {
        let (before, after) = quoted.split_once('\'')?;
        word.push_str(before);
        match after.strip_prefix('\'') {
            Some(after) => {
                word.push('\'');
                quoted = after;
            }
            None => return Some((word, after.trim_start())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match text.parse::<SliceSpec>() {
            Ok(spec) => spec.to_string(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn texts_are_read_and_written() {
        for (text, expected) in [
            ("company", "company"),
            ("payment_type , company = Flash Cab", "company=Flash Cab,payment_type"),
            ("company='Taxi, Inc.'", "company='Taxi, Inc.'"),
            ("company='O''Hare'", "company='O''Hare'"),
            ("'a,b'='c=d'", "'a,b'='c=d'"),
            ("company=", "company="),
            ("", "slice `` names no column"),
            ("a,,b", "slice `a,,b` names no column"),
            ("a,a=1", "slice `a,a=1` names column `a` twice"),
            ("a='x", "slice `a='x` has a quote without an end"),
            ("a='x'y", "slice `a='x'y` goes on after a quote"),
            ("fare>=3", "slice `fare>=3` is an expression, but slices are made of columns and their values"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn a_pipeline_file_may_write_text_list_or_map() {
        let read = |json: &str| serde_json::from_str::<SliceSpec>(json).map_err(|error| error.to_string());
        let expected: SliceSpec = "hour=3,company".parse().unwrap();
        for json in [r#""company, hour=3""#, r#"["hour=3", "company"]"#, r#"{"company": null, "hour": 3}"#] {
            assert_eq!(read(json).as_ref(), Ok(&expected), "{json}");
        }
        assert_eq!(serde_json::to_string(&expected).unwrap(), r#"{"company":null,"hour":"3"}"#);
        assert!(read("3").unwrap_err().contains("a slice is a text, a list of texts, or a map"));
        assert!(read("[]").unwrap_err().contains("names no column"));
    }
}
