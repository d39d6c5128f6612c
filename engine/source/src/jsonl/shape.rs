//! What a key holds, from all of its values: single values of one type, lists, or objects, at any depth.
//!
//! Single values that differ in type are text with a note, as everywhere. A list beside an object, or either beside
//! a single value, has no type at all and is an error. Objects of which none has a key stay JSON text, since
//! Parquet knows no structs without fields.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

use super::keys::Keys;
use super::token::{Problem, Value, items, members};
use crate::cells::{Class, Inference, classify};

/// More keys than this are values in the place of keys.
pub(super) const MAX_KEYS: usize = 1 << 14;

/// A value that has no place in its column.
#[derive(Debug)]
pub(super) enum Misfit {
    /// It is something else than the values before.
    Mixed {
        /// From the column to where it is: `.key` and `[]`.
        path: String,
        found: &'static str,
        expected: &'static str,
        /// Where the first of those before is.
        first: String,
    },
    /// A key stands twice in one object.
    Duplicate(String),
    TooManyKeys,
    Syntax(Problem),
}

impl From<Problem> for Misfit {
    fn from(problem: Problem) -> Self {
        Self::Syntax(problem)
    }
}

impl Misfit {
    fn within(self, step: &str) -> Self {
        match self {
            Self::Mixed { path, found, expected, first } => {
                Self::Mixed { path: format!("{step}{path}"), found, expected, first }
            }
            Self::Duplicate(_) | Self::TooManyKeys | Self::Syntax(_) => self,
        }
    }
}

/// The shape of the values so far.
#[derive(Debug)]
pub(super) struct Shape {
    single: Inference,
    state: State,
}

#[derive(Debug)]
enum State {
    Nothing,
    /// Where the first one is.
    Single(String),
    List(String, Box<Shape>),
    Object(String, Box<Object>),
}

#[derive(Debug, Default)]
struct Object {
    keys: Keys,
    fields: Vec<Shape>,
    /// For each key, the number of the last object that had it.
    seen: Vec<u64>,
    objects: u64,
}

impl State {
    fn name(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Single(_) => "a single value",
            Self::List(..) => "a list",
            Self::Object(..) => "an object",
        }
    }
}

impl Shape {
    pub(super) fn new() -> Self {
        Self { single: Inference::new(None), state: State::Nothing }
    }

    /// Takes in a value; `place` says where it is.
    pub(super) fn observe(
        &mut self,
        value: Value<'_>,
        place: &dyn Fn() -> String,
        scratch: &mut String,
    ) -> Result<(), Misfit> {
        let (text, class) = match value {
            Value::Null => return Ok(()),
            Value::Boolean(text) => (text, Class::Boolean),
            Value::Number(text) if self.single.is_open() => (text, classify(text)),
            Value::Number(text) => (text, Class::Float),
            Value::Text(ref text) => (text.text(scratch), Class::Text),
            Value::Nested(text) => return self.observe_nested(text, place, scratch),
        };
        match &self.state {
            State::Single(_) => {}
            State::Nothing => self.state = State::Single(place()),
            State::List(first, _) | State::Object(first, _) => {
                return Err(self.mixed("a single value", first.clone()));
            }
        }
        if self.single.is_open() {
            self.single.observe_value(text, class, place);
        }
        Ok(())
    }

    fn mixed(&self, found: &'static str, first: String) -> Misfit {
        Misfit::Mixed { path: String::new(), found, expected: self.state.name(), first }
    }

    fn observe_nested(
        &mut self,
        text: &str,
        place: &dyn Fn() -> String,
        scratch: &mut String,
    ) -> Result<(), Misfit> {
        let is_list = text.starts_with('[');
        if matches!(self.state, State::Nothing) {
            self.state = if is_list {
                State::List(place(), Box::new(Self::new()))
            } else {
                State::Object(place(), Box::default())
            };
        }
        match &mut self.state {
            State::List(_, item) if is_list => {
                items(text, |value| item.observe(value, place, scratch).map_err(|misfit| misfit.within("[]")))
            }
            State::Object(_, object) if !is_list => object.observe(text, place, scratch),
            State::Nothing => Ok(()),
            State::Single(first) | State::List(first, _) | State::Object(first, _) => {
                let first = first.clone();
                Err(self.mixed(if is_list { "a list" } else { "an object" }, first))
            }
        }
    }

    /// The type, in normal form, and what is to be noted about it; `path` leads here.
    pub(super) fn finish(self, path: &str) -> (DataType, Vec<String>) {
        let told = |note: String| if path.is_empty() { note } else { format!("`{path}` {note}") };
        match self.state {
            State::Nothing | State::Single(_) => {
                let (kind, note) = self.single.finish();
                (kind.normal_type().unwrap_or(DataType::Utf8View), note.map(told).into_iter().collect())
            }
            State::List(_, item) => {
                let (item, notes) = item.finish(&format!("{path}[]"));
                (DataType::List(Arc::new(Field::new("item", item, true))), notes)
            }
            State::Object(first, object) if object.fields.is_empty() => {
                (DataType::Utf8View, vec![told(format!("kept as JSON text: objects without keys ({first})"))])
            }
            State::Object(_, object) => {
                let (mut fields, mut notes) = (Vec::new(), Vec::new());
                for (name, field) in object.keys.into_names().into_iter().zip(object.fields) {
                    let (data_type, more) = field.finish(&format!("{path}.{name}"));
                    fields.push(Field::new(name, data_type, true));
                    notes.extend(more);
                }
                (DataType::Struct(fields.into()), notes)
            }
        }
    }
}

impl Object {
    fn observe(
        &mut self,
        text: &str,
        place: &dyn Fn() -> String,
        scratch: &mut String,
    ) -> Result<(), Misfit> {
        self.objects += 1;
        let mut position = 0;
        members(text, |key, value| {
            let field = match self.keys.find(position, key) {
                Some(field) => field,
                None if self.fields.len() >= MAX_KEYS => return Err(Misfit::TooManyKeys),
                None => {
                    self.fields.push(Shape::new());
                    self.seen.push(0);
                    self.keys.add(key.text(scratch).to_owned())
                }
            };
            position += 1;
            if std::mem::replace(&mut self.seen[field], self.objects) == self.objects {
                return Err(Misfit::Duplicate(self.keys.names()[field].clone()));
            }
            let observed = self.fields[field].observe(value, place, scratch);
            observed.map_err(|misfit| misfit.within(&format!(".{}", self.keys.names()[field])))
        })
    }
}
