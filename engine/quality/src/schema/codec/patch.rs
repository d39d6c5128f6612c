//! A changed schema, written into the message that it came from. Both the old and the new plain schema are encoded;
//! where these two differ, and only there, the message is changed. So it keeps what the plain type has no word for.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use sluice_core::schema::{Feature, Schema};

use super::encode;
use crate::protobuf::Fields;

/// Repeated fields whose messages are told apart by their names.
const NAMED: [&str; 4] = ["feature", "string_domain", "sparse_feature", "weighted_feature"];

/// Brings a message from what `old` says to what `new` says.
pub(crate) fn patch(message: &mut DynamicMessage, old: &Schema, new: &Schema) {
    let inline = inline_lists(message);
    release(message, &old.features, &new.features, &shared_ranges(message));
    merge(message, &encode(old, &inline), &encode(new, &inline));
}

/// The steps to features whose list of strings stands in the feature itself.
pub(crate) fn inline_lists(schema: &DynamicMessage) -> BTreeSet<Vec<String>> {
    fn walk(owner: &DynamicMessage, above: &[String], found: &mut BTreeSet<Vec<String>>) {
        for feature in owner.messages("feature") {
            let mut steps = above.to_vec();
            steps.push(feature.text("name").unwrap_or_default());
            if let Some(fields) = feature.message("struct_domain") {
                walk(&fields, &steps, found);
            }
            if feature.has_field_by_name("string_domain") {
                found.insert(steps);
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(schema, &[], &mut found);
    found
}

/// The ranges at the top of the file, which features may name as their domain.
fn shared_ranges(schema: &DynamicMessage) -> BTreeMap<String, (&'static str, DynamicMessage)> {
    let ranges = |field: &'static str| schema.messages(field).into_iter().map(move |range| (field, range));
    ranges("int_domain")
        .chain(ranges("float_domain"))
        .map(|(field, range)| (range.text("name").unwrap_or_default(), (field, range)))
        .collect()
}

/// Lets go of what would hide a change: a reference to a shared range becomes a range of the feature's own, the old
/// flag `deprecated` gives way to the stage.
fn release(
    owner: &mut DynamicMessage,
    old: &[Feature],
    new: &[Feature],
    ranges: &BTreeMap<String, (&'static str, DynamicMessage)>,
) {
    let find = |features: &[Feature], name: &str| -> Option<usize> {
        features.iter().position(|feature| feature.name == name)
    };
    let Some(Value::List(features)) = owner.get_field_by_name_mut("feature") else { return };
    for feature in features.iter_mut().filter_map(Value::as_message_mut) {
        let name = feature.text("name").unwrap_or_default();
        let (Some(before), Some(after)) = (find(old, &name), find(new, &name)) else { continue };
        let (before, after) = (&old[before], &new[after]);
        if before.lifecycle != after.lifecycle && feature.truth("deprecated") {
            feature.clear_field_by_name("deprecated");
        }
        let range = feature.text("domain").and_then(|domain| ranges.get(&domain));
        if let Some((field, range)) = range.filter(|_| before.domain != after.domain) {
            feature.put(field, Value::Message(range.clone()));
        }
        if !before.fields.is_empty()
            && feature.has_field_by_name("struct_domain")
            && let Some(Value::Message(fields)) = feature.get_field_by_name_mut("struct_domain")
        {
            release(fields, &before.fields, &after.fields, ranges);
        }
    }
}

/// Changes in `into` what differs between `old` and `new`.
fn merge(into: &mut DynamicMessage, old: &DynamicMessage, new: &DynamicMessage) {
    for field in new.descriptor().fields() {
        let of = |message: &DynamicMessage| {
            message.has_field(&field).then(|| message.get_field(&field).into_owned())
        };
        let (before, after) = (of(old), of(new));
        if before == after {
            continue;
        }
        match after {
            None if before.is_some() && NAMED.contains(&field.name()) => {
                merge_named(into, field.name(), &messages(before), &[]);
            }
            // What the message has beyond the old schema's words goes with the field.
            None => into.clear_field(&field),
            Some(Value::Message(after)) if into.has_field(&field) => {
                let before = before.and_then(|value| value.as_message().cloned());
                let before = before.unwrap_or_else(|| DynamicMessage::new(after.descriptor()));
                if let Some(inner) = into.get_field_mut(&field).as_message_mut() {
                    merge(inner, &before, &after);
                }
            }
            Some(after @ Value::List(_)) if NAMED.contains(&field.name()) && !is_single(&field) => {
                merge_named(into, field.name(), &messages(before), &messages(Some(after)));
            }
            Some(after) => into.set_field(&field, after),
        }
    }
}

fn is_single(field: &prost_reflect::FieldDescriptor) -> bool {
    !field.is_list()
}

fn messages(value: Option<Value>) -> Vec<DynamicMessage> {
    match value {
        Some(Value::List(items)) => items.into_iter().filter_map(|item| item.as_message().cloned()).collect(),
        _ => Vec::new(),
    }
}

/// Messages keep their order; new ones come last; those that neither schema speaks of stay.
fn merge_named(into: &mut DynamicMessage, field: &str, old: &[DynamicMessage], new: &[DynamicMessage]) {
    let name = |message: &DynamicMessage| message.text("name").unwrap_or_default();
    let find = |list: &[DynamicMessage], wanted: &str| list.iter().find(|one| name(one) == wanted).cloned();
    let mut merged = into.messages(field);
    merged.retain(|one| find(new, &name(one)).is_some() || find(old, &name(one)).is_none());
    for after in new {
        let name_after = name(after);
        let known = merged.iter_mut().find(|one| name(one) == name_after);
        match known {
            Some(known) => {
                let before =
                    find(old, &name_after).unwrap_or_else(|| DynamicMessage::new(after.descriptor()));
                merge(known, &before, after);
            }
            None => merged.push(after.clone()),
        }
    }
    if merged.is_empty() {
        into.clear_field_by_name(field);
    } else {
        into.put_messages(field, merged);
    }
}
