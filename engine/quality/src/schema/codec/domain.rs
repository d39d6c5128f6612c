//! Which values a column may have: in the feature itself, or by the name of a list or range that several share.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use sluice_core::schema::Domain;

use super::encode::Encoder;
use super::{SEMANTIC, TIME_UNITS};
use crate::error::QualityError;
use crate::protobuf::{Fields, message};

/// The domains at the top of a file, by name.
pub(super) struct Shared(BTreeMap<String, Domain>);

impl Shared {
    /// # Errors
    /// [`QualityError::NameRepeated`].
    pub(super) fn of(schema: &DynamicMessage, file: &str) -> Result<Self, QualityError> {
        let mut shared = BTreeMap::new();
        for (field, what) in [
            ("string_domain", "string domain"),
            ("int_domain", "int domain"),
            ("float_domain", "float domain"),
        ] {
            for domain in schema.messages(field) {
                let name = domain.text("name").unwrap_or_default();
                let decoded = match field {
                    "string_domain" => decode_list(&domain, &name),
                    "int_domain" => decode_integers(&domain),
                    _ => decode_floats(&domain),
                };
                if shared.insert(name.clone(), decoded).is_some() {
                    return Err(QualityError::NameRepeated { file: file.into(), what, name });
                }
            }
        }
        Ok(Self(shared))
    }
}

/// The domain of a feature, which `path` names.
pub(super) fn decode_domain(
    feature: &DynamicMessage,
    path: &str,
    shared: &Shared,
    file: &str,
) -> Result<Option<Domain>, QualityError> {
    if let Some(domain) = feature.text("domain") {
        return match shared.0.get(&domain) {
            Some(found) => Ok(Some(found.clone())),
            None => Err(QualityError::DomainMissing {
                file: file.into(),
                feature: path.into(),
                domain,
                available: shared.0.keys().cloned().collect(),
            }),
        };
    }
    if let Some(list) = feature.message("string_domain") {
        let name = list.text("name").unwrap_or_else(|| path.to_owned());
        return Ok(Some(decode_list(&list, &name)));
    }
    Ok(decode_own_domain(feature))
}

/// The domain that stands in the feature itself, other than a list of strings.
pub(crate) fn decode_own_domain(feature: &DynamicMessage) -> Option<Domain> {
    if let Some(range) = feature.message("int_domain") {
        return Some(decode_integers(&range));
    }
    if let Some(range) = feature.message("float_domain") {
        return Some(decode_floats(&range));
    }
    if let Some(words) = feature.message("bool_domain") {
        let (true_value, false_value) = (words.text("true_value"), words.text("false_value"));
        return Some(Domain::Boolean { true_value, false_value });
    }
    if let Some(time) = feature.message("time_domain") {
        let unit = time.number("integer_format").and_then(|number| {
            TIME_UNITS.iter().find(|(known, _)| *known == number).map(|(_, name)| (*name).to_owned())
        });
        return Some(Domain::Time { format: time.text("string_format").or(unit).unwrap_or_default() });
    }
    let semantic = SEMANTIC.into_iter().find(|field| feature.has_field_by_name(field));
    semantic.map(|field| Domain::Semantic(field.to_owned()))
}

fn decode_list(list: &DynamicMessage, name: &str) -> Domain {
    let is_categorical = match list.number("is_categorical") {
        Some(1) => Some(true),
        Some(2) => Some(false),
        _ => None,
    };
    Domain::Strings { name: name.to_owned(), values: list.texts("value"), is_categorical }
}

fn decode_integers(range: &DynamicMessage) -> Domain {
    Domain::Int {
        min: range.integer("min"),
        max: range.integer("max"),
        is_categorical: range.truth("is_categorical"),
    }
}

fn decode_floats(range: &DynamicMessage) -> Domain {
    Domain::Float {
        min: range.double("min"),
        max: range.double("max"),
        disallow_nan: range.truth("disallow_nan"),
        disallow_inf: range.truth("disallow_inf"),
        is_categorical: range.truth("is_categorical"),
    }
}

/// Writes a domain into a feature; `steps` lead to it.
pub(super) fn encode_domain(
    feature: &mut DynamicMessage,
    domain: &Domain,
    steps: &[String],
    encoder: &mut Encoder<'_>,
) {
    let (field, encoded) = match domain {
        Domain::Int { min, max, is_categorical } => {
            let mut range = message("IntDomain");
            range.put_integer("min", *min);
            range.put_integer("max", *max);
            put_flag(&mut range, "is_categorical", *is_categorical);
            ("int_domain", range)
        }
        Domain::Float { min, max, disallow_nan, disallow_inf, is_categorical } => {
            let mut range = message("FloatDomain");
            for (name, bound) in [("min", min), ("max", max)] {
                if let Some(bound) = bound {
                    #[expect(clippy::cast_possible_truncation, reason = "the format holds single precision")]
                    range.put(name, Value::F32(*bound as f32));
                }
            }
            put_flag(&mut range, "disallow_nan", *disallow_nan);
            put_flag(&mut range, "disallow_inf", *disallow_inf);
            put_flag(&mut range, "is_categorical", *is_categorical);
            ("float_domain", range)
        }
        Domain::Strings { name, values, is_categorical } => {
            let list = encode_list(name, values, *is_categorical);
            if !encoder.share(name, &list, steps) {
                ("string_domain", list)
            } else {
                feature.put_text("domain", name);
                return;
            }
        }
        Domain::Boolean { true_value, false_value } => {
            let mut words = message("BoolDomain");
            for (name, word) in [("true_value", true_value), ("false_value", false_value)] {
                if let Some(word) = word {
                    words.put_text(name, word);
                }
            }
            ("bool_domain", words)
        }
        Domain::Time { format } => {
            let mut time = message("TimeDomain");
            match TIME_UNITS.iter().find(|(_, name)| name == format) {
                Some((number, _)) => time.put("integer_format", Value::EnumNumber(*number)),
                None if !format.is_empty() => time.put_text("string_format", format),
                None => {}
            }
            ("time_domain", time)
        }
        Domain::Semantic(name) => {
            let field = feature.descriptor().get_field_by_name(name).filter(|_| super::is_semantic(name));
            let Some(prost_reflect::Kind::Message(kind)) = field.map(|field| field.kind()) else { return };
            feature.put(name, Value::Message(DynamicMessage::new(kind)));
            return;
        }
    };
    feature.put(field, Value::Message(encoded));
}

fn put_flag(message: &mut DynamicMessage, name: &str, is_set: bool) {
    if is_set {
        message.put(name, Value::Bool(true));
    }
}

fn encode_list(name: &str, values: &[String], is_categorical: Option<bool>) -> DynamicMessage {
    let mut list = message("StringDomain");
    list.put_text("name", name);
    if !values.is_empty() {
        list.put_texts("value", values);
    }
    if let Some(is_categorical) = is_categorical {
        list.put("is_categorical", Value::EnumNumber(if is_categorical { 1 } else { 2 }));
    }
    list
}
