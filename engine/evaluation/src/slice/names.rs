//! What the keys of slices are called, and in which order they stand.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sluice_core::group::{Grouping, KeyPart};

use crate::evaluation::{SliceKey, SlicePart};

/// What all slices that are not among the largest are called together.
const OTHER: &str = "(other)";

/// How the keys of a computed column are shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Shown {
    /// Its values, under this name.
    Values(String),
    /// The parts of the key at each place.
    Places(Vec<Vec<SlicePart>>),
}

/// The names of the slices of computed columns, by column; those of the others are their values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SliceNames(BTreeMap<String, Shown>);

/// Keys stand by place, and where there are none by text.
type Order = Vec<(usize, String)>;

impl SliceNames {
    pub(crate) fn add(&mut self, column: &str, shown: Shown) {
        self.0.insert(column.into(), shown);
    }

    /// Whether a column is computed.
    pub(crate) fn is_computed(&self, column: &str) -> bool {
        self.0.contains_key(column)
    }

    /// The slice of a key, and its place among the others of its grouping.
    pub(crate) fn key(&self, grouping: &Grouping, key: &[KeyPart]) -> (Order, SliceKey) {
        let mut parts = Vec::new();
        let mut order = Order::new();
        for (column, part) in grouping.columns.iter().zip(key) {
            parts.extend(self.parts(column, part));
            order.push(match (self.0.get(column), part) {
                (Some(Shown::Places(_)), KeyPart::Null) => (usize::MAX, String::new()),
                (Some(Shown::Places(_)), KeyPart::Value(place)) => {
                    (place.parse().unwrap_or(usize::MAX), String::new())
                }
                _ => (0, part.to_string()),
            });
        }
        (order, SliceKey { parts })
    }

    /// What a key says, column by column.
    pub(crate) fn texts(&self, grouping: &Grouping, key: &[KeyPart]) -> Vec<String> {
        let (_, key) = self.key(grouping, key);
        key.parts.into_iter().map(|part| part.value.unwrap_or_else(|| KeyPart::Null.to_string())).collect()
    }

    /// What a value of a column adds to the key of a slice.
    pub(crate) fn parts(&self, column: &str, part: &KeyPart) -> Vec<SlicePart> {
        let text = match part {
            KeyPart::Null => None,
            KeyPart::Value(text) => Some(text.clone()),
        };
        match self.0.get(column) {
            None => vec![SlicePart { column: column.into(), value: text }],
            Some(Shown::Values(name)) => vec![SlicePart { column: name.clone(), value: text }],
            Some(Shown::Places(places)) => {
                let place = text.and_then(|text| places.get(text.parse::<usize>().ok()?));
                // Null has no place, but the columns of any other.
                let null = || places.first().map(|parts| parts.iter().map(without_value).collect());
                place.cloned().or_else(null).unwrap_or_default()
            }
        }
    }

    /// The names of buckets between bounds, NaN last.
    pub(crate) fn of_buckets(name: &str, bounds: &[f64]) -> Shown {
        let mut values = Vec::new();
        for place in 0..=bounds.len() {
            let low = place.checked_sub(1).and_then(|below| bounds.get(below));
            values.push(match (low, bounds.get(place)) {
                (None, None) => "[-inf, inf]".to_owned(),
                (None, Some(high)) => format!("[-inf, {})", number(*high)),
                (Some(low), Some(high)) => format!("[{}, {})", number(*low), number(*high)),
                (Some(low), None) => format!("[{}, inf]", number(*low)),
            });
        }
        values.push("NaN".into());
        Self::of_places(name, values)
    }

    /// These names, place by place.
    pub(crate) fn of_places(name: &str, values: Vec<String>) -> Shown {
        let part = |value| vec![SlicePart { column: name.into(), value: Some(value) }];
        Shown::Places(values.into_iter().map(part).collect())
    }

    /// The names of some groups and of all others. With a name of the slicing its only column is called so.
    pub(crate) fn of_largest(&self, grouping: &Grouping, keys: &[Vec<KeyPart>], name: Option<&str>) -> Shown {
        let of = |key: &Vec<KeyPart>| -> Vec<SlicePart> {
            let columns = grouping.columns.iter().zip(key);
            columns.flat_map(|(column, part)| self.parts(column, part)).collect()
        };
        let mut places: Vec<Vec<SlicePart>> = keys.iter().map(of).collect();
        let mut other = OTHER.to_owned();
        while places.iter().flatten().any(|part| part.value.as_deref() == Some(&other)) {
            other = format!("({other})");
        }
        let columns = grouping.columns.iter().flat_map(|column| self.parts(column, &KeyPart::Null));
        places.push(columns.map(|part| SlicePart { value: Some(other.clone()), ..part }).collect());
        if let Some(name) = name {
            for part in places.iter_mut().flatten() {
                part.column = name.into();
            }
        }
        Shown::Places(places)
    }
}

fn without_value(part: &SlicePart) -> SlicePart {
    SlicePart { value: None, ..part.clone() }
}

/// The shortest text that reads back as the same number, without dozens of zeros.
pub(crate) fn number(value: f64) -> String {
    if value == 0.0 || (1e-5..1e15).contains(&value.abs()) {
        format!("{value}")
    } else {
        format!("{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_is_called_as_no_value_is() {
        let names = SliceNames::default();
        let grouping = Grouping::by(["g"]);
        let keys = [vec![KeyPart::Value("(other)".into())], vec![KeyPart::Null]];
        let Shown::Places(places) = names.of_largest(&grouping, &keys, None) else { panic!("no places") };
        let values: Vec<Option<&str>> = places.iter().map(|parts| parts[0].value.as_deref()).collect();
        assert_eq!(values, [Some("(other)"), None, Some("((other))")]);
    }

    #[test]
    fn buckets_are_called_by_their_ends() {
        let Shown::Places(places) = SliceNames::of_buckets("x", &[-1e-9, 0.5, 1e300]) else {
            panic!("no places")
        };
        let values: Vec<&str> = places.iter().map(|parts| parts[0].value.as_deref().unwrap()).collect();
        assert_eq!(values, ["[-inf, -1e-9)", "[-1e-9, 0.5)", "[0.5, 1e300)", "[1e300, inf]", "NaN"]);
    }
}
