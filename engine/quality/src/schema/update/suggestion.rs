//! A change that a finding proposes as a piece of a schema: `feature { name: "fare" presence { min_fraction: 0.9 } }`.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use crate::error::QualityError;
use crate::protobuf::{self, Fields};
use crate::schema::codec;
use crate::schema::text::SchemaFile;

/// Merges the piece into the schema; false where the text is none. Fields that it has take its values, lists of words
/// get the ones they lack.
///
/// # Errors
/// Where what comes of it is no schema.
pub(super) fn apply(file: &mut SchemaFile, text: &str) -> Result<bool, QualityError> {
    let Ok(piece) = protobuf::read(protobuf::descriptor("Schema"), text, "suggestion") else {
        return Ok(false);
    };
    if piece.fields().next().is_none() {
        return Ok(false);
    }
    let mut message = file.message().clone();
    merge(&mut message, &piece);
    let schema = codec::decode(&message, "suggestion")?;
    file.adopt(message, schema);
    Ok(true)
}

fn merge(into: &mut DynamicMessage, piece: &DynamicMessage) {
    for (field, value) in piece.fields() {
        match value {
            Value::Message(inner) if into.has_field(&field) => {
                if let Some(known) = into.get_field_mut(&field).as_message_mut() {
                    merge(known, inner);
                }
            }
            Value::List(items) if into.has_field(&field) => {
                if let Some(known) = into.get_field_mut(&field).as_list_mut() {
                    // Levels and dimensions have no names: they are one thing.
                    if items.iter().any(|item| item.as_message().is_some() && name(item).is_none()) {
                        known.clear();
                    }
                    items.iter().for_each(|item| merge_item(known, item));
                }
            }
            value => into.set_field(&field, value.clone()),
        }
    }
}

fn merge_item(known: &mut Vec<Value>, item: &Value) {
    if let (Some(wanted), Value::Message(piece)) = (name(item), item) {
        let same = known.iter_mut().find(|value| name(value).as_ref() == Some(&wanted));
        if let Some(same) = same.and_then(Value::as_message_mut) {
            return merge(same, piece);
        }
    }
    if item.as_message().is_some() || !known.contains(item) {
        known.push(item.clone());
    }
}

fn name(value: &Value) -> Option<String> {
    let message = value.as_message()?;
    message.descriptor().get_field_by_name("name")?;
    message.text("name")
}
