//! Between the message and the plain [`Schema`]. What the plain type has no word for (comparators,
//! environments, annotations, other domains) stays in the message and is not lost.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, Value};
use sluice_core::schema::{Domain, Feature, FeatureType, Lifecycle, PresenceConstraint, Schema, Shape};

use crate::error::QualityError;
use crate::protobuf::{Fields, message};

/// The stages of the format, by number.
const STAGES: [(i32, Lifecycle); 8] = [
    (1, Lifecycle::Planned),
    (2, Lifecycle::Alpha),
    (3, Lifecycle::Beta),
    (4, Lifecycle::Production),
    (5, Lifecycle::Deprecated),
    (6, Lifecycle::DebugOnly),
    (7, Lifecycle::Disabled),
    (9, Lifecycle::ValidationDerived),
];

/// The string domains of a file, by name.
type Lists = BTreeMap<String, Vec<String>>;

/// The plain schema of a message.
///
/// # Errors
/// [`QualityError::NameMissing`], [`QualityError::NameRepeated`], [`QualityError::DomainMissing`].
pub(crate) fn decode(schema: &DynamicMessage, file: &str) -> Result<Schema, QualityError> {
    let mut lists = Lists::new();
    for list in schema.messages("string_domain") {
        let name = list.text("name").unwrap_or_default();
        if lists.insert(name.clone(), list.texts("value")).is_some() {
            return Err(QualityError::NameRepeated { file: file.into(), what: "string domain", name });
        }
    }
    let mut features: Vec<Feature> = Vec::new();
    let mut names = std::collections::BTreeSet::new();
    for (index, message) in schema.messages("feature").iter().enumerate() {
        let feature = decode_feature(message, index + 1, &lists, file)?;
        if !names.insert(feature.name.clone()) {
            return Err(QualityError::NameRepeated {
                file: file.into(),
                what: "feature",
                name: feature.name,
            });
        }
        features.push(feature);
    }
    let limits = schema.message("dataset_constraints");
    let limit = |name: &str| limits.as_ref().and_then(|limits| limits.integer(name));
    Ok(Schema {
        features,
        min_rows: limit("min_examples_count"),
        max_rows: limit("max_examples_count"),
        ..Schema::default()
    })
}

fn decode_feature(
    message: &DynamicMessage,
    position: usize,
    lists: &Lists,
    file: &str,
) -> Result<Feature, QualityError> {
    let name = message.text("name").filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Err(QualityError::NameMissing { file: file.into(), position });
    };
    let presence =
        message.message("presence").map_or_else(PresenceConstraint::default, |presence| PresenceConstraint {
            min_fraction: presence.double("min_fraction"),
            min_count: presence.integer("min_count"),
        });
    let shape = message.message("shape").map_or(Shape::Any, |shape| {
        Shape::Fixed(shape.messages("dim").iter().map(|dim| dim.integer("size").unwrap_or(0)).collect())
    });
    let mass =
        message.message("distribution_constraints").and_then(|limits| limits.double("min_domain_mass"));
    let stage = message.number("lifecycle_stage").unwrap_or(0);
    Ok(Feature {
        feature_type: message.number("type").and_then(decode_type),
        presence,
        shape,
        domain: decode_domain(message, &name, lists, file)?,
        min_domain_mass: mass.unwrap_or(1.0),
        lifecycle: if message.truth("deprecated") {
            Lifecycle::Deprecated
        } else {
            STAGES.iter().find(|(number, _)| *number == stage).map_or(Lifecycle::Unknown, |(_, stage)| *stage)
        },
        ..Feature::new(name)
    })
}

fn decode_type(number: i32) -> Option<FeatureType> {
    [FeatureType::Bytes, FeatureType::Int, FeatureType::Float, FeatureType::Struct]
        .into_iter()
        .find(|feature_type| type_number(*feature_type) == number)
}

fn type_number(feature_type: FeatureType) -> i32 {
    match feature_type {
        FeatureType::Bytes => 1,
        FeatureType::Int => 2,
        FeatureType::Float => 3,
        FeatureType::Struct => 4,
    }
}

fn decode_domain(
    feature: &DynamicMessage,
    name: &str,
    lists: &Lists,
    file: &str,
) -> Result<Option<Domain>, QualityError> {
    if let Some(domain) = feature.text("domain") {
        let Some(values) = lists.get(&domain) else {
            let available = lists.keys().cloned().collect();
            return Err(QualityError::DomainMissing {
                file: file.into(),
                feature: name.into(),
                domain,
                available,
            });
        };
        return Ok(Some(Domain::Strings { name: domain, values: values.clone(), is_categorical: None }));
    }
    if let Some(list) = feature.message("string_domain") {
        let name = list.text("name").unwrap_or_else(|| name.to_owned());
        return Ok(Some(Domain::Strings { name, values: list.texts("value"), is_categorical: None }));
    }
    if let Some(range) = feature.message("int_domain") {
        return Ok(Some(Domain::Int {
            min: range.integer("min"),
            max: range.integer("max"),
            is_categorical: range.truth("is_categorical"),
        }));
    }
    if let Some(range) = feature.message("float_domain") {
        return Ok(Some(Domain::Float {
            min: range.double("min"),
            max: range.double("max"),
            disallow_nan: range.truth("disallow_nan"),
            disallow_inf: range.truth("disallow_inf"),
            is_categorical: range.truth("is_categorical"),
        }));
    }
    Ok(feature.message("bool_domain").map(|words| Domain::Boolean {
        true_value: words.text("true_value"),
        false_value: words.text("false_value"),
    }))
}

/// The message of a plain schema.
pub(crate) fn encode(schema: &Schema) -> DynamicMessage {
    let mut encoded = message("Schema");
    let mut lists: Vec<(String, Vec<String>)> = Vec::new();
    let features: Vec<_> =
        schema.features.iter().map(|feature| encode_feature(feature, &mut lists)).collect();
    if !features.is_empty() {
        encoded.put_messages("feature", features);
    }
    let lists: Vec<_> = lists.iter().map(|(name, values)| encode_list(name, values)).collect();
    if !lists.is_empty() {
        encoded.put_messages("string_domain", lists);
    }
    if schema.min_rows.is_some() || schema.max_rows.is_some() {
        let mut limits = message("DatasetConstraints");
        limits.put_integer("min_examples_count", schema.min_rows);
        limits.put_integer("max_examples_count", schema.max_rows);
        encoded.put("dataset_constraints", Value::Message(limits));
    }
    encoded
}

/// The message of one column; its list of strings, if it has one, goes to `lists` unless it is there.
fn encode_feature(feature: &Feature, lists: &mut Vec<(String, Vec<String>)>) -> DynamicMessage {
    let mut encoded = message("Feature");
    encoded.put_text("name", &feature.name);
    if let Some(feature_type) = feature.feature_type {
        encoded.put("type", Value::EnumNumber(type_number(feature_type)));
    }
    if feature.presence != PresenceConstraint::default() {
        let mut presence = message("FeaturePresence");
        if let Some(fraction) = feature.presence.min_fraction {
            presence.put("min_fraction", Value::F64(fraction));
        }
        presence.put_integer("min_count", feature.presence.min_count);
        encoded.put("presence", Value::Message(presence));
    }
    if let Shape::Fixed(sizes) = &feature.shape {
        let dimension = |size: &i64| {
            let mut dimension = message("FixedShape.Dim");
            dimension.put_integer("size", Some(*size));
            dimension
        };
        let mut shape = message("FixedShape");
        shape.put_messages("dim", sizes.iter().map(dimension).collect());
        encoded.put("shape", Value::Message(shape));
    }
    if feature.min_domain_mass.to_bits() != 1.0_f64.to_bits() {
        let mut limits = message("DistributionConstraints");
        limits.put("min_domain_mass", Value::F64(feature.min_domain_mass));
        encoded.put("distribution_constraints", Value::Message(limits));
    }
    if let Some((number, _)) = STAGES.iter().find(|(_, stage)| *stage == feature.lifecycle) {
        encoded.put("lifecycle_stage", Value::EnumNumber(*number));
    }
    if let Some(domain) = &feature.domain {
        encode_domain(&mut encoded, domain, lists);
    }
    encoded
}

fn encode_domain(feature: &mut DynamicMessage, domain: &Domain, lists: &mut Vec<(String, Vec<String>)>) {
    match domain {
        Domain::Int { min, max, is_categorical } => {
            let mut range = message("IntDomain");
            range.put_integer("min", *min);
            range.put_integer("max", *max);
            if *is_categorical {
                range.put("is_categorical", Value::Bool(true));
            }
            feature.put("int_domain", Value::Message(range));
        }
        Domain::Float { min, max, disallow_nan, disallow_inf, is_categorical } => {
            let mut range = message("FloatDomain");
            for (name, bound) in [("min", min), ("max", max)] {
                if let Some(bound) = bound {
                    #[expect(clippy::cast_possible_truncation, reason = "the format holds single precision")]
                    range.put(name, Value::F32(*bound as f32));
                }
            }
            for (name, is_set) in [
                ("disallow_nan", disallow_nan),
                ("disallow_inf", disallow_inf),
                ("is_categorical", is_categorical),
            ] {
                if *is_set {
                    range.put(name, Value::Bool(true));
                }
            }
            feature.put("float_domain", Value::Message(range));
        }
        Domain::Strings { name, values, is_categorical: _ } => {
            match lists.iter().find(|(known, _)| known == name) {
                // The same name for another list: it stands in the column itself.
                Some((_, known)) if known != values => {
                    feature.put("string_domain", Value::Message(encode_list(name, values)));
                }
                known => {
                    if known.is_none() {
                        lists.push((name.clone(), values.clone()));
                    }
                    feature.put_text("domain", name);
                }
            }
        }
        Domain::Boolean { true_value, false_value } => {
            let mut words = message("BoolDomain");
            for (name, word) in [("true_value", true_value), ("false_value", false_value)] {
                if let Some(word) = word {
                    words.put_text(name, word);
                }
            }
            feature.put("bool_domain", Value::Message(words));
        }
        // Nothing infers these; a file that has them keeps its message.
        Domain::Time { .. } | Domain::Semantic(_) => {}
    }
}

fn encode_list(name: &str, values: &[String]) -> DynamicMessage {
    let mut list = message("StringDomain");
    list.put_text("name", name);
    list.put_texts("value", values);
    list
}
