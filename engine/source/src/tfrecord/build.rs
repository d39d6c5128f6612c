//! Values of features to Arrow arrays of a type that the pre-pass found.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, Float64Builder, Int64Builder, ListArray, NullArray, NullBufferBuilder,
    StringViewBuilder,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, FieldRef};

use super::example::Values;

/// A feature is not what the pre-pass saw.
#[derive(Debug)]
pub(super) struct Mismatch;

/// Values of one kind.
#[derive(Debug)]
pub(super) enum Items {
    Integers(Int64Builder),
    Floats(Float64Builder),
    Texts(StringViewBuilder),
    Bytes(BinaryViewBuilder),
}

/// A column in the making.
#[derive(Debug)]
pub(super) enum Builder {
    Nothing(usize),
    Single(Items),
    Lists { item: FieldRef, items: Items, ends: Vec<i32>, count: usize, nulls: NullBufferBuilder },
}

impl Items {
    fn new(data_type: &DataType, rows: usize) -> Self {
        match data_type {
            DataType::Int64 => Self::Integers(Int64Builder::with_capacity(rows)),
            DataType::Float64 => Self::Floats(Float64Builder::with_capacity(rows)),
            DataType::Utf8View => Self::Texts(StringViewBuilder::with_capacity(rows)),
            _ => Self::Bytes(BinaryViewBuilder::with_capacity(rows)),
        }
    }

    fn append_null(&mut self) {
        match self {
            Self::Integers(builder) => builder.append_null(),
            Self::Floats(builder) => builder.append_null(),
            Self::Texts(builder) => builder.append_null(),
            Self::Bytes(builder) => builder.append_null(),
        }
    }

    fn append(&mut self, values: &Values) -> Result<(), Mismatch> {
        match (self, values) {
            (Self::Integers(builder), Values::Integers(list)) => builder.append_slice(&list.values),
            (Self::Floats(builder), Values::Floats(list)) => {
                list.values.iter().for_each(|value| builder.append_value(f64::from(*value)));
            }
            (Self::Texts(builder), Values::Bytes(list)) => {
                for value in &list.values {
                    builder.append_value(std::str::from_utf8(value).map_err(|_| Mismatch)?);
                }
            }
            (Self::Bytes(builder), Values::Bytes(list)) => {
                list.values.iter().for_each(|value| builder.append_value(value));
            }
            _ => return Err(Mismatch),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Integers(builder) => Arc::new(builder.finish()),
            Self::Floats(builder) => Arc::new(builder.finish()),
            Self::Texts(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
        }
    }
}

impl Builder {
    pub(super) fn new(data_type: &DataType, rows: usize) -> Self {
        match data_type {
            DataType::Null => Self::Nothing(0),
            DataType::List(item) => Self::Lists {
                item: Arc::clone(item),
                items: Items::new(item.data_type(), rows),
                ends: Vec::with_capacity(rows),
                count: 0,
                nulls: NullBufferBuilder::new(rows),
            },
            other => Self::Single(Items::new(other, rows)),
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Nothing(rows) => *rows += 1,
            Self::Single(items) => items.append_null(),
            Self::Lists { ends, nulls, .. } => {
                ends.push(ends.last().copied().unwrap_or(0));
                nulls.append_null();
            }
        }
    }

    pub(super) fn append(&mut self, values: &Values) -> Result<(), Mismatch> {
        match self {
            Self::Nothing(_) => Err(Mismatch),
            Self::Single(items) if values.len() == 1 => items.append(values),
            Self::Single(_) => Err(Mismatch),
            Self::Lists { items, ends, count, nulls, .. } => {
                items.append(values)?;
                *count += values.len();
                ends.push(i32::try_from(*count).map_err(|_| Mismatch)?);
                nulls.append_non_null();
                Ok(())
            }
        }
    }

    /// The rows so far as an array; the builder begins anew.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Nothing(rows) => Arc::new(NullArray::new(std::mem::take(rows))),
            Self::Single(items) => items.finish(),
            Self::Lists { item, items, ends, count, nulls } => {
                *count = 0;
                let offsets: ScalarBuffer<i32> = std::iter::once(0).chain(std::mem::take(ends)).collect();
                let nulls = nulls.finish();
                Arc::new(ListArray::new(Arc::clone(item), OffsetBuffer::new(offsets), items.finish(), nulls))
            }
        }
    }
}
