//! The kind of a column as states hold it. The form that JSON has leaves out what is not set, which the format of
//! states, without names, cannot.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use sluice_core::column::ColumnKind;

#[derive(Serialize, Deserialize)]
enum Held {
    Null,
    Boolean,
    Integer,
    Unsigned,
    Float,
    Decimal(u8, i8),
    Text,
    Binary,
    Date,
    Timestamp(Option<String>, bool),
    List(Box<Self>),
    Struct(Vec<(String, Self)>),
    Other(String),
}

impl From<&ColumnKind> for Held {
    fn from(kind: &ColumnKind) -> Self {
        match kind {
            ColumnKind::Null => Self::Null,
            ColumnKind::Boolean => Self::Boolean,
            ColumnKind::Integer => Self::Integer,
            ColumnKind::Unsigned => Self::Unsigned,
            ColumnKind::Float => Self::Float,
            ColumnKind::Decimal { precision, scale } => Self::Decimal(*precision, *scale),
            ColumnKind::Text => Self::Text,
            ColumnKind::Binary => Self::Binary,
            ColumnKind::Date => Self::Date,
            ColumnKind::Timestamp { zone, nanoseconds } => Self::Timestamp(zone.clone(), *nanoseconds),
            ColumnKind::List(item) => Self::List(Box::new(item.as_ref().into())),
            ColumnKind::Struct(fields) => {
                Self::Struct(fields.iter().map(|(name, kind)| (name.clone(), kind.into())).collect())
            }
            ColumnKind::Other(name) => Self::Other(name.clone()),
        }
    }
}

impl From<Held> for ColumnKind {
    fn from(held: Held) -> Self {
        match held {
            Held::Null => Self::Null,
            Held::Boolean => Self::Boolean,
            Held::Integer => Self::Integer,
            Held::Unsigned => Self::Unsigned,
            Held::Float => Self::Float,
            Held::Decimal(precision, scale) => Self::Decimal { precision, scale },
            Held::Text => Self::Text,
            Held::Binary => Self::Binary,
            Held::Date => Self::Date,
            Held::Timestamp(zone, nanoseconds) => Self::Timestamp { zone, nanoseconds },
            Held::List(item) => Self::List(Box::new((*item).into())),
            Held::Struct(fields) => {
                Self::Struct(fields.into_iter().map(|(name, kind)| (name, kind.into())).collect())
            }
            Held::Other(name) => Self::Other(name),
        }
    }
}

pub(super) fn serialize<S: Serializer>(kind: &ColumnKind, serializer: S) -> Result<S::Ok, S::Error> {
    Held::from(kind).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ColumnKind, D::Error> {
    Held::deserialize(deserializer).map(ColumnKind::from)
}
