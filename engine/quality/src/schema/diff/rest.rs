//! What the plain schema has no word for: annotations, what a semantic domain demands, tensor representations, lists
//! that no column refers to, fields of newer versions. Compared as text.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::{ChangeKind, Changes};
use crate::protobuf::{self, Fields, unknown};
use crate::schema::path::serialized_steps;

/// Fields of a feature; what a domain holds is compared where both have the same one.
const FEATURE: [&str; 9] = [
    "group_presence",
    "annotation",
    "natural_language_domain",
    "image_domain",
    "time_of_day_domain",
    "validation_derived_source",
    "sequence_metadata",
    "audio_domain",
    "video_domain",
];
const SCHEMA: [&str; 3] =
    ["annotation", "tensor_representation_group", "represent_variable_length_as_ragged"];

pub(super) fn compare(changes: &mut Changes, old: &DynamicMessage, new: &DynamicMessage) {
    features(changes, &[], old, new);
    changes.column = None;
    fields(changes, &SCHEMA, old, new);
    for field in ["string_domain", "int_domain", "float_domain"] {
        shared(changes, field, old, new);
    }
}

fn features(changes: &mut Changes, above: &[String], old: &DynamicMessage, new: &DynamicMessage) {
    let after = new.messages("feature");
    for before in old.messages("feature") {
        let name = before.text("name");
        let Some(after) = after.iter().find(|after| after.text("name") == name) else { continue };
        let mut steps = above.to_vec();
        steps.extend(name);
        changes.column = Some(serialized_steps(&steps));
        fields(changes, &FEATURE, &before, after);
        if let (Some(before), Some(after)) = (before.message("struct_domain"), after.message("struct_domain"))
        {
            features(changes, &steps, &before, &after);
        }
    }
}

fn fields(changes: &mut Changes, names: &[&str], old: &DynamicMessage, new: &DynamicMessage) {
    for name in names {
        let (before, after) = (text_of(old, name), text_of(new, name));
        // A domain that came or went was reported as such.
        if name.ends_with("_domain") && (before.is_none() || after.is_none()) {
            continue;
        }
        changes.other(name, before, after);
    }
    let words = |message: &DynamicMessage| {
        let lines: Vec<String> = unknown::kept(message).iter().map(|words| one_line(words)).collect();
        (!lines.is_empty()).then(|| lines.join(" "))
    };
    changes.other("fields of newer versions", words(old), words(new));
}

/// One field as text on one line.
fn text_of(message: &DynamicMessage, name: &str) -> Option<String> {
    if !message.has_field_by_name(name) {
        return None;
    }
    let mut only = DynamicMessage::new(message.descriptor());
    let value: Value = message.get_field_by_name(name)?.into_owned();
    only.put(name, value);
    Some(one_line(&protobuf::print(&only)))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Lists and ranges at the top that no column of either file refers to; the others were compared with their columns.
fn shared(changes: &mut Changes, field: &str, old: &DynamicMessage, new: &DynamicMessage) {
    let mut used = BTreeSet::new();
    references(old, &mut used);
    references(new, &mut used);
    let named = |schema: &DynamicMessage| -> Vec<(String, String)> {
        let name = |domain: &DynamicMessage| domain.text("name").unwrap_or_default();
        let idle = schema.messages(field).into_iter().filter(|domain| !used.contains(&name(domain)));
        idle.map(|domain| (name(&domain), one_line(&protobuf::print(&domain)))).collect()
    };
    let (before, after) = (named(old), named(new));
    let find = |list: &[(String, String)], name: &str| {
        list.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone())
    };
    for (name, text) in &before {
        let rule = format!("{field} `{name}`");
        match find(&after, name) {
            Some(new) => changes.other(&rule, Some(text.clone()), Some(new)),
            None => changes.push(ChangeKind::Changed, &rule, Some(text.clone()), None),
        }
    }
    for (name, text) in after.iter().filter(|(name, _)| find(&before, name).is_none()) {
        changes.push(ChangeKind::Changed, &format!("{field} `{name}`"), None, Some(text.clone()));
    }
}

fn references(owner: &DynamicMessage, used: &mut BTreeSet<String>) {
    for feature in owner.messages("feature") {
        used.extend(feature.text("domain"));
        if let Some(fields) = feature.message("struct_domain") {
            references(&fields, used);
        }
    }
}
