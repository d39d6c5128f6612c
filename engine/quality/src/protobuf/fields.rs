//! Fields of a message by name. A field that is not set reads as `None`, also where it has a default.

use prost_reflect::{DynamicMessage, Value};

use super::number::shortest;

/// Reading and setting fields by name.
pub(crate) trait Fields {
    /// A set field, converted by `convert`.
    fn read<T>(&self, name: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Option<T>;

    /// A set or unset field gets this value.
    fn put(&mut self, name: &str, value: Value);

    /// A string.
    fn text(&self, name: &str) -> Option<String> {
        self.read(name, |value| value.as_str().map(str::to_owned))
    }

    /// A 64-bit integer.
    fn integer(&self, name: &str) -> Option<i64> {
        self.read(name, Value::as_i64)
    }

    /// The number of an enumeration's value.
    fn number(&self, name: &str) -> Option<i32> {
        self.read(name, Value::as_enum_number)
    }

    /// A double; of a float the shortest decimal that means it, so that 0.1 stays 0.1.
    fn double(&self, name: &str) -> Option<f64> {
        self.read(name, |value| value.as_f64().or_else(|| value.as_f32().map(shortest)))
    }

    /// A truth value, false where not set.
    fn truth(&self, name: &str) -> bool {
        self.read(name, Value::as_bool).unwrap_or(false)
    }

    /// A message.
    fn message(&self, name: &str) -> Option<DynamicMessage> {
        self.read(name, |value| value.as_message().cloned())
    }

    /// The messages of a repeated field.
    fn messages(&self, name: &str) -> Vec<DynamicMessage> {
        self.list(name, |value| value.as_message().cloned())
    }

    /// The strings of a repeated field.
    fn texts(&self, name: &str) -> Vec<String> {
        self.list(name, |value| value.as_str().map(str::to_owned))
    }

    /// The elements of a repeated field.
    fn list<T>(&self, name: &str, convert: impl Fn(&Value) -> Option<T>) -> Vec<T> {
        self.read(name, |value| Some(value.as_list()?.iter().filter_map(&convert).collect()))
            .unwrap_or_default()
    }

    /// Sets a string.
    fn put_text(&mut self, name: &str, value: impl Into<String>) {
        self.put(name, Value::String(value.into()));
    }

    /// Sets a 64-bit integer, if there is one.
    fn put_integer(&mut self, name: &str, value: Option<i64>) {
        if let Some(value) = value {
            self.put(name, Value::I64(value));
        }
    }

    /// Sets the messages of a repeated field.
    fn put_messages(&mut self, name: &str, values: Vec<DynamicMessage>) {
        self.put(name, Value::List(values.into_iter().map(Value::Message).collect()));
    }

    /// Sets the strings of a repeated field.
    fn put_texts(&mut self, name: &str, values: &[String]) {
        self.put(name, Value::List(values.iter().cloned().map(Value::String).collect()));
    }
}

impl Fields for DynamicMessage {
    fn read<T>(&self, name: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        if !self.has_field_by_name(name) {
            return None;
        }
        convert(self.get_field_by_name(name)?.as_ref())
    }

    fn put(&mut self, name: &str, value: Value) {
        #[expect(
            clippy::expect_used,
            reason = "names and types are constants of this crate, tests set each"
        )]
        self.try_set_field_by_name(name, value).expect("the field exists with this type");
    }
}
