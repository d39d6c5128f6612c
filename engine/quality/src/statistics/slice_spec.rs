//! How a slice is asked for: columns, each with a value or all of its values; or an expression that is true.
//!
//! As text: `company`, `company=Flash`, `company,payment_type=Cash`. A name or value with a comma, an equals sign
//! or spaces at its ends stands in single quotes, in which a quote is written twice: `company='Taxi, Inc.'`.
//! In a pipeline file the same text, or a list of such texts, or a map from columns to values (null: all of
//! them). Columns are in byte order of their names, as TFDV has them in the names of slices.
//!
//! A text is an expression ([`sluice_expressions`]) if outside of single quotes it has a sign that columns and
//! values have not (`<`, `>`, `!`, `(`, or a second `=` before the next comma), or a word of SQL in the place of a
//! column. So the text alone decides, and not the data; what should be an expression and is not takes parentheses.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::plan::PlannedColumn;
use sluice_core::statistics::SliceCondition;

use super::options::{StatisticsError, kind_of};
use super::row_filter::RowFilter;
use super::slice_key::KeyValue;

/// What the rows of a slice have in common, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct SliceSpec {
    form: Form,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// In byte order of the columns; at least one.
    Parts(Vec<(String, Option<String>)>),
    /// True in the rows of the slice.
    Expression(String),
}

/// The forms that a pipeline file knows.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a slice is a text, a list of texts, or a map from columns to values")]
enum Written {
    Text(String),
    List(Vec<String>),
    Map(BTreeMap<String, Option<Scalar>>),
}

/// YAML reads `2` and `true` as what they look like.
#[derive(Serialize, Deserialize)]
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
                if let Some(text) = texts.iter().find(|text| is_expression(text)) {
                    let problem = format!("has the expression `{text}` among columns");
                    return Err(StatisticsError::SliceMalformed { slice: shown, problem });
                }
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

impl From<SliceSpec> for Written {
    fn from(spec: SliceSpec) -> Self {
        match spec.form {
            Form::Expression(text) => Self::Text(text),
            Form::Parts(parts) => {
                let parts = parts.into_iter().map(|(column, value)| (column, value.map(Scalar::Text)));
                Self::Map(parts.collect())
            }
        }
    }
}

impl std::str::FromStr for SliceSpec {
    type Err = StatisticsError;

    fn from_str(text: &str) -> Result<Self, StatisticsError> {
        if is_expression(text) {
            return Ok(Self { form: Form::Expression(text.trim().to_owned()) });
        }
        Self::new(text, parse(text)?)
    }
}

impl std::fmt::Display for SliceSpec {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let quote = |text: &str| match text.contains([',', '=', '\'']) || text.trim() != text {
            true => format!("'{}'", text.replace('\'', "''")),
            false => text.to_owned(),
        };
        if let Form::Expression(text) = &self.form {
            return formatter.write_str(text);
        }
        for (index, (column, value)) in self.parts().iter().enumerate() {
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
        Ok(Self { form: Form::Parts(parts) })
    }

    /// Its columns, in byte order. Those of an expression are known once it is bound to columns.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.parts().iter().map(|(column, _)| column.as_str())
    }

    /// Its columns with the values asked for; none: all that there are. An expression has none.
    #[must_use]
    pub fn parts(&self) -> &[(String, Option<String>)] {
        match &self.form {
            Form::Parts(parts) => parts,
            Form::Expression(_) => &[],
        }
    }

    /// The expression that is true in the rows of the slice, if it is one.
    #[must_use]
    pub fn expression(&self) -> Option<&str> {
        match &self.form {
            Form::Parts(_) => None,
            Form::Expression(text) => Some(text),
        }
    }

    /// Whether rows with these in common are a slice of it.
    #[must_use]
    pub fn covers(&self, conditions: &[SliceCondition]) -> bool {
        match &self.form {
            Form::Expression(text) => matches!(conditions, [only] if only.column == *text),
            Form::Parts(parts) => {
                let mut pairs = parts.iter().zip(conditions);
                let is_covered =
                    |((column, value), condition): (&(String, Option<String>), &SliceCondition)| {
                        *column == condition.column && (value.is_none() || *value == condition.value)
                    };
                parts.len() == conditions.len() && pairs.all(is_covered)
            }
        }
    }

    /// Whether it is one slice, because every column has a value.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.parts().iter().all(|(_, value)| value.is_some())
    }

    /// Checks that the columns have values that can be keys, and binds an expression; that the columns of the other
    /// forms are there was checked before.
    ///
    /// # Errors
    /// [`StatisticsError`] with the prefix `Slice`, and what is wrong with an expression.
    pub(super) fn check(&self, columns: &[PlannedColumn]) -> Result<()> {
        if let Some(text) = self.expression() {
            RowFilter::new(text, columns)?;
        }
        for (column, value) in self.parts() {
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

/// Words of SQL that make an expression of what would else be the name of a column.
const WORDS: [&str; 9] = ["AND", "OR", "NOT", "IS", "IN", "LIKE", "ILIKE", "BETWEEN", "CASE"];

/// Whether a text is an expression and not columns with values.
fn is_expression(text: &str) -> bool {
    // Every other piece stands in quotes; a quote that is written twice has nothing between.
    let unquoted: Vec<&str> = text.split('\'').step_by(2).collect();
    if unquoted.iter().any(|piece| piece.contains(['<', '>', '!', '('])) {
        return true;
    }
    // What stands in quotes is one sign here, so that a word after it is no part of a value.
    unquoted.join("\n").split(',').any(|part| {
        let (column, value) = part.split_once('=').unwrap_or((part, ""));
        let after_quotes = value.split_once('\n').map_or("", |(_, after)| after);
        let is_word = |word: &str| WORDS.iter().any(|known| known.eq_ignore_ascii_case(word));
        value.contains('=') || [column, after_quotes].iter().any(|text| text.split_whitespace().any(is_word))
    })
}

/// The columns and values of a text, in its order.
fn parse(text: &str) -> Result<Vec<(String, Option<String>)>, StatisticsError> {
    let malformed =
        |problem: &str| StatisticsError::SliceMalformed { slice: text.into(), problem: problem.into() };
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
            (" fare >= 3 ", "fare >= 3"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn the_text_alone_says_what_is_an_expression() {
        for text in [
            "fare > 20",
            "fare>=20",
            "income=>50K",
            "(company = 'Flash')",
            "a = 1 OR b = 2",
            "company = 'Taxi, Inc.' and is_late",
            "company LIKE 'Taxi%'",
            "tips IS NULL",
            "not is_late",
            "a, b > 2",
            "hour in (1, 2)",
        ] {
            let spec: SliceSpec = text.parse().unwrap();
            assert_eq!((spec.expression(), spec.is_single()), (Some(text), true));
            assert_eq!(spec.columns().count(), 0);
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(serde_json::from_str::<SliceSpec>(&json).unwrap(), spec, "{json}");
        }
        for text in [
            "company",
            "company=Checker and Sons",
            "income='>50K'",
            "'fare > 20'",
            "company='a(b)'",
            "'not here','in'=3",
            "company='O''Hare or so'",
            "android",
            "a=1,b=2",
        ] {
            assert_eq!(text.parse::<SliceSpec>().unwrap().expression(), None, "{text}");
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
        let error = read(r#"["company", "fare > 2"]"#).unwrap_err();
        assert!(error.contains("has the expression `fare > 2` among columns"), "{error}");
    }
}
