//! Which rules of a schema file validation does not look at, so that passing is not mistaken for more than it is.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use crate::protobuf::{Fields, unknown as kept};

/// Fields of a schema that are checked or demand nothing.
const SCHEMA_FIELDS: [&str; 11] = [
    "feature",
    "sparse_feature",
    "weighted_feature",
    "default_environment",
    "string_domain",
    "annotation",
    "int_domain",
    "float_domain",
    "dataset_constraints",
    "tensor_representation_group",
    "represent_variable_length_as_ragged",
];

/// Fields of a feature that are checked or demand nothing.
const FEATURE_FIELDS: [&str; 25] = [
    "name",
    "value_count",
    "value_counts",
    "shape",
    "unique_constraints",
    "in_environment",
    "not_in_environment",
    "drift_comparator",
    "skew_comparator",
    "struct_domain",
    "time_domain",
    "mid_domain",
    "url_domain",
    "deprecated",
    "type",
    "domain",
    "int_domain",
    "float_domain",
    "string_domain",
    "bool_domain",
    "presence",
    "distribution_constraints",
    "annotation",
    "lifecycle_stage",
    "sequence_metadata",
];

/// The rules that nobody checks, in the order of the file.
pub(crate) fn rules(schema: &DynamicMessage) -> Vec<String> {
    let mut rules = Vec::new();
    for feature in schema.messages("feature") {
        let name = feature.text("name").unwrap_or_default();
        let names = set_fields(&feature).into_iter();
        let open = names.filter(|field| !FEATURE_FIELDS.contains(&field.as_str()));
        rules.extend(open.map(|field| format!("feature `{name}`: {field}")));
        sparse_in(&feature, &name, &mut rules);
    }
    rules.extend(set_fields(schema).into_iter().filter(|field| !SCHEMA_FIELDS.contains(&field.as_str())));
    rules
}

/// Sparse features within structs are neither counted nor judged.
fn sparse_in(feature: &DynamicMessage, path: &str, rules: &mut Vec<String>) {
    let Some(fields) = feature.message("struct_domain") else { return };
    if !fields.messages("sparse_feature").is_empty() {
        rules.push(format!("feature `{path}`: struct_domain.sparse_feature"));
    }
    for field in fields.messages("feature") {
        sparse_in(&field, &format!("{path}.{}", field.text("name").unwrap_or_default()), rules);
    }
}

/// Fields that this version has no definition of, each with the messages around it.
pub(crate) fn unknown(schema: &DynamicMessage) -> Vec<String> {
    let mut found = Vec::new();
    unknown_in(schema, "", &mut found);
    found
}

fn unknown_in(message: &DynamicMessage, place: &str, found: &mut Vec<String>) {
    for words in kept::kept(message) {
        let end =
            words.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(words.len());
        found.push(format!("{place}{}", &words[..end]));
    }
    found.extend(kept::numbers(message).iter().map(|number| format!("{place}field number {number}")));
    let mut fields: Vec<_> = message.fields().collect();
    fields.sort_by_key(|(field, _)| field.number());
    for (field, value) in fields {
        let inner: Vec<&DynamicMessage> = match value {
            Value::Message(inner) => vec![inner],
            Value::List(items) => items.iter().filter_map(Value::as_message).collect(),
            _ => Vec::new(),
        };
        for inner in inner {
            let name = inner.descriptor().get_field_by_name("name").and_then(|_| inner.text("name"));
            let place = match name {
                Some(name) => format!("{place}{} `{name}`: ", field.name()),
                None => format!("{place}{}: ", field.name()),
            };
            unknown_in(inner, &place, found);
        }
    }
}

fn set_fields(message: &DynamicMessage) -> Vec<String> {
    message.fields().map(|(field, _)| field.name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use crate::schema::read_schema;

    #[test]
    fn only_what_is_not_looked_at_is_named() {
        let text = "feature { name: 'a' type: INT value_count { min: 2 } presence { min_count: 1 } }
            feature { name: 'b' drift_comparator { } not_in_environment: 'SERVING' group_presence { } }
            feature { name: 's' struct_domain { feature { name: 'x' struct_domain { sparse_feature { name: 'y' } } } } }
            feature { name: 'c' type: BYTES image_domain { max_image_byte_size: 3 } }
            dataset_constraints { min_examples_count: 3 num_examples_drift_comparator { } }
            default_environment: 'SERVING'";
        let rules = read_schema(text, "schema.pbtxt").unwrap().unchecked_rules();
        let wanted = [
            "feature `b`: group_presence",
            "feature `s.x`: struct_domain.sparse_feature",
            "feature `c`: image_domain",
        ];
        assert_eq!(rules, wanted);
    }
}
