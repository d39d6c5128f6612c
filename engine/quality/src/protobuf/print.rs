//! Protobuf text, laid out as protobuf's own Python printer does (compared with version 7.36): fields by
//! number, one block per message, one line per scalar, two spaces per level, maps by key. Strings keep their
//! UTF-8, bytes are escaped in octal. Fields of newer versions that were read from text come last in their message;
//! those from binary form, which have only a number, are left out.

use std::fmt::Write;

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MapKey, Value};

use super::number::{shortest, text_of_double};
use super::unknown;

/// The text of a message, with a newline at its end unless it is empty.
pub(crate) fn print(message: &DynamicMessage) -> String {
    let mut text = String::new();
    print_fields(&mut text, message, 0);
    text
}

fn print_fields(text: &mut String, message: &DynamicMessage, level: usize) {
    let mut fields: Vec<(FieldDescriptor, &Value)> = message.fields().collect();
    fields.sort_by_key(|(field, _)| field.number());
    for (field, value) in fields {
        let (name, kind) = (field.name(), field.kind());
        match value {
            Value::List(values) => values.iter().for_each(|value| print_one(text, name, &kind, value, level)),
            Value::Map(entries) => print_map(text, &field, entries.iter().collect(), level),
            one => print_one(text, name, &kind, one, level),
        }
    }
    unknown::kept(message).iter().for_each(|words| text.push_str(&unknown::lines(words, level)));
}

fn print_one(text: &mut String, name: &str, kind: &Kind, value: &Value, level: usize) {
    let indent = level * 2;
    if let Value::Message(message) = value {
        text.push_str(&format!("{:indent$}{name} {{\n", ""));
        print_fields(text, message, level + 1);
        text.push_str(&format!("{:indent$}}}\n", ""));
    } else {
        text.push_str(&format!("{:indent$}{name}: {}\n", "", scalar(kind, value)));
    }
}

fn print_map(text: &mut String, field: &FieldDescriptor, mut entries: Vec<(&MapKey, &Value)>, level: usize) {
    entries.sort_by_key(|(key, _)| *key);
    let indent = level * 2;
    let Kind::Message(entry) = field.kind() else { return };
    let (key_kind, value_kind) = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
    for (key, value) in entries {
        text.push_str(&format!("{:indent$}{} {{\n", "", field.name()));
        print_one(text, "key", &key_kind, &Value::from(key.clone()), level + 1);
        print_one(text, "value", &value_kind, value, level + 1);
        text.push_str(&format!("{:indent$}}}\n", ""));
    }
}

fn scalar(kind: &Kind, value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => text_of_double(shortest(*value)),
        Value::F64(value) => text_of_double(*value),
        Value::String(value) => format!("\"{}\"", escape(value)),
        Value::Bytes(value) => format!("\"{}\"", escape_bytes(value)),
        Value::EnumNumber(number) => kind
            .as_enum()
            .and_then(|kind| kind.get_value(*number))
            .map_or_else(|| number.to_string(), |value| value.name().to_owned()),
        Value::Message(_) | Value::List(_) | Value::Map(_) => String::new(),
    }
}

/// A string as it stands between quotes: C's escapes, everything beyond ASCII as it is.
pub(crate) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => escape_byte(&mut escaped, byte),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn escape_bytes(value: &[u8]) -> String {
    let mut escaped = String::with_capacity(value.len());
    value.iter().for_each(|byte| escape_byte(&mut escaped, *byte));
    escaped
}

fn escape_byte(escaped: &mut String, byte: u8) {
    match byte {
        b'\t' => escaped.push_str("\\t"),
        b'\n' => escaped.push_str("\\n"),
        b'\r' => escaped.push_str("\\r"),
        b'"' | b'\'' | b'\\' => {
            escaped.push('\\');
            escaped.push(char::from(byte));
        }
        32..127 => escaped.push(char::from(byte)),
        // Writing to a string cannot fail.
        _ => _ = write!(escaped, "\\{byte:03o}"),
    }
}
