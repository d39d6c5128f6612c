//! Where a requirement holds: overall, in every slice of a grouping, or in the slice of given values.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::group::Grouping;
use sluice_core::options::{OptionsError, quoted};

use super::requirement::Columns;
use crate::evaluation::{SliceKey, SlicePart};
use crate::slice::{Dimension, SlicePlan};

/// A value of a slice column, as options give it; `null` is the slice of rows without a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SliceValue {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Another number.
    Number(f64),
    /// A text, or the text of any other value.
    Text(String),
}

impl SliceValue {
    /// Whether a slice has this value. Numbers are compared as numbers: 5 is 5.0.
    fn is(&self, value: Option<&str>) -> bool {
        match (self, value) {
            (Self::Null, None) => true,
            (Self::Null, Some(_)) | (_, None) => false,
            (Self::Boolean(own), Some(value)) => value == own.to_string(),
            (Self::Integer(own), Some(value)) => value == own.to_string() || is_number(value, *own as f64),
            (Self::Number(own), Some(value)) => is_number(value, *own),
            (Self::Text(own), Some(value)) => value == own,
        }
    }

    /// As slices show it.
    fn shown(&self) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Boolean(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Number(value) => Some(value.to_string()),
            Self::Text(value) => Some(value.clone()),
        }
    }
}

/// Whether a text is this number.
fn is_number(text: &str, number: f64) -> bool {
    text.parse::<f64>().is_ok_and(|value| value.partial_cmp(&number) == Some(Ordering::Equal))
}

/// The slices that a requirement covers.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) grouping: Grouping,
    fixed: Vec<(String, SliceValue)>,
}

impl Place {
    /// `place` names the entry in messages, such as `require[1]`.
    pub(crate) fn new(
        every: Option<&Columns>,
        fixed: &BTreeMap<String, SliceValue>,
        place: &str,
        slices: &mut SlicePlan,
    ) -> Result<Self, OptionsError> {
        let all = every.map_or_else(Vec::new, Columns::columns);
        if let Some(twice) = all.iter().find(|column| fixed.contains_key(**column)) {
            return Err(OptionsError::Conflict {
                name: place.into(),
                problem: format!("has `{twice}` under both `every` and `where`"),
                hint: Some("a column has either one value or all".into()),
            });
        }
        let grouping = match every {
            Some(every) if fixed.is_empty() => slices.add(every, &format!("{place}.every"))?,
            None if fixed.is_empty() => Grouping::overall(),
            _ => {
                let every = every.into_iter().flat_map(|every| every.0.iter().cloned());
                let dimensions = fixed.keys().map(|column| Dimension::from(column.as_str())).chain(every);
                slices.add(&Columns(dimensions.collect()), &format!("{place}.where"))?
            }
        };
        let shown = slices.shown(&grouping);
        if let Some(other) = fixed.keys().find(|column| !shown.contains(column)) {
            let named = |columns: &[String]| quoted(columns.iter().map(String::as_str));
            let all =
                slices.groupings().iter().map(|grouping| format!("by {}", named(&slices.shown(grouping))));
            return Err(OptionsError::Conflict {
                name: place.into(),
                problem: format!(
                    "has `{other}` under `where`, but slices of that name are told by {}, so none would match",
                    named(&shown)
                ),
                hint: Some(format!(
                    "fix the values of {} instead; there are slices {}",
                    named(&shown),
                    all.collect::<Vec<_>>().join("; ")
                )),
            });
        }
        let fixed = fixed.iter().map(|(column, value)| (column.clone(), value.clone())).collect();
        Ok(Self { grouping, fixed })
    }

    /// Every slice of a grouping.
    pub(crate) fn of(grouping: &Grouping) -> Self {
        Self { grouping: grouping.clone(), fixed: Vec::new() }
    }

    /// Whether a slice is one of these.
    pub(crate) fn covers(&self, grouping: &Grouping, key: &SliceKey) -> bool {
        *grouping == self.grouping
            && self.fixed.iter().all(|(column, value)| {
                let part = key.parts.iter().find(|part| part.column == *column);
                part.is_some_and(|part| value.is(part.value.as_deref()))
            })
    }

    /// The slice that is named; nothing where none is.
    pub(crate) fn named(&self) -> Option<String> {
        let part = |(column, value): &(String, SliceValue)| SlicePart {
            column: column.clone(),
            value: value.shown(),
        };
        let key = SliceKey { parts: self.fixed.iter().map(part).collect() };
        (!key.is_overall()).then(|| key.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_as_what_they_are() {
        let value = |json: &str| serde_json::from_str::<SliceValue>(json).unwrap();
        for (json, text, is_same) in [
            ("null", None, true),
            ("null", Some("null"), false),
            ("true", Some("true"), true),
            ("5", Some("5"), true),
            ("5", Some("5.0"), true),
            ("0.1", Some("0.1"), true),
            ("0.1", Some("0.10000000000000001"), true),
            ("\"5\"", Some("5"), true),
            ("\"5\"", Some("5.0"), false),
            ("\"cash\"", Some("cash"), true),
            ("\"cash\"", None, false),
        ] {
            assert_eq!(value(json).is(text), is_same, "{json} {text:?}");
        }
    }
}
