//! Values of JSON to Arrow arrays of a type that [`shape`](super::shape) found.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, NullBufferBuilder, StructArray, new_null_array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields};

use sluice_core::column::ColumnKind;

use super::keys::Keys;
use super::token::{Problem, Value, items, members};
use crate::cells::Builder;

/// A value is not what the pre-pass saw.
#[derive(Debug)]
pub(super) struct Mismatch;

impl From<Problem> for Mismatch {
    fn from(_: Problem) -> Self {
        Self
    }
}

/// A column in the making, or what one holds.
#[derive(Debug)]
pub(super) enum Values {
    Single(Builder),
    List { item: FieldRef, items: Box<Self>, ends: Vec<i32>, count: usize, nulls: NullBufferBuilder },
    Object(Object),
}

#[derive(Debug)]
pub(super) struct Object {
    types: Fields,
    keys: Keys,
    fields: Vec<Values>,
    /// For each field, how many values it has.
    filled: Vec<usize>,
    rows: usize,
    nulls: NullBufferBuilder,
}

impl Values {
    pub(super) fn new(data_type: &DataType, rows: usize) -> Self {
        match data_type {
            DataType::List(item) => Self::List {
                item: Arc::clone(item),
                items: Box::new(Self::new(item.data_type(), rows)),
                ends: Vec::with_capacity(rows),
                count: 0,
                nulls: NullBufferBuilder::new(rows),
            },
            DataType::Struct(types) => Self::Object(Object {
                keys: Keys::new(types.iter().map(|field| field.name().clone()).collect()),
                fields: types.iter().map(|field| Self::new(field.data_type(), rows)).collect(),
                types: types.clone(),
                filled: vec![0; types.len()],
                rows: 0,
                nulls: NullBufferBuilder::new(rows),
            }),
            other => Self::Single(Builder::new(&ColumnKind::of(other), rows)),
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Single(builder) => builder.append_null(),
            Self::List { ends, nulls, .. } => {
                ends.push(ends.last().copied().unwrap_or(0));
                nulls.append_null();
            }
            Self::Object(object) => object.end_row(false),
        }
    }

    pub(super) fn append(&mut self, value: Value<'_>, scratch: &mut String) -> Result<(), Mismatch> {
        if value == Value::Null {
            self.append_null();
            return Ok(());
        }
        match self {
            Self::Single(builder) => {
                let text = match value {
                    Value::Null => return Ok(()),
                    Value::Boolean(text) | Value::Number(text) | Value::Nested(text) => text,
                    // A string only fits a text.
                    Value::Text(_) if !builder.is_verbatim() => return Err(Mismatch),
                    Value::Text(ref text) => text.text(scratch),
                };
                builder.append(text).ok_or(Mismatch)
            }
            Self::List { items: values, ends, count, nulls, .. } => {
                let Value::Nested(text) = value else { return Err(Mismatch) };
                items(text, |value| {
                    *count += 1;
                    values.append(value, scratch)
                })?;
                ends.push(i32::try_from(*count).map_err(|_| Mismatch)?);
                nulls.append_non_null();
                Ok(())
            }
            Self::Object(object) => {
                let Value::Nested(text) = value else { return Err(Mismatch) };
                object.append(text, scratch)
            }
        }
    }

    /// The rows so far as an array; the builder begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Single(builder) => builder.finish(),
            Self::List { item, items, ends, count, nulls } => {
                *count = 0;
                let offsets: ScalarBuffer<i32> = std::iter::once(0).chain(std::mem::take(ends)).collect();
                let nulls = nulls.finish();
                Arc::new(ListArray::new(Arc::clone(item), OffsetBuffer::new(offsets), items.finish(), nulls))
            }
            Self::Object(object) => object.finish(),
        }
    }
}

impl Object {
    fn append(&mut self, text: &str, scratch: &mut String) -> Result<(), Mismatch> {
        let mut position = 0;
        members(text, |key, value| {
            let field = self.keys.find(position, key).ok_or(Mismatch)?;
            position += 1;
            if self.filled[field] != self.rows {
                return Err(Mismatch);
            }
            self.filled[field] += 1;
            self.fields[field].append(value, scratch)
        })?;
        self.end_row(true);
        Ok(())
    }

    fn end_row(&mut self, is_there: bool) {
        self.rows += 1;
        for (field, filled) in self.fields.iter_mut().zip(&mut self.filled) {
            if *filled < self.rows {
                *filled += 1;
                field.append_null();
            }
        }
        self.nulls.append(is_there);
    }

    fn finish(&mut self) -> ArrayRef {
        let arrays: Vec<ArrayRef> = self.fields.iter_mut().map(Values::finish).collect();
        let nulls = self.nulls.finish();
        let rows = std::mem::take(&mut self.rows);
        self.filled.fill(0);
        match StructArray::try_new(self.types.clone(), arrays, nulls) {
            Ok(array) => Arc::new(array),
            // The fields have the types and the rows of the struct, so this does not come up.
            Err(_) => new_null_array(&DataType::Struct(self.types.clone()), rows),
        }
    }
}
