//! `tf.Example` on the wire. A map is written as protobuf writes it: a list of pairs, so that names keep their order and
//! one that stands twice is seen.

use prost::{Message, Oneof};

/// The most that a message without features takes: a map that is there and empty.
const EMPTY_BYTES: usize = 2;

/// Features by name.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Example {
    #[prost(message, optional, tag = "1")]
    pub(super) features: Option<Features>,
    /// What only a `tf.SequenceExample` has.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) feature_lists: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Features {
    #[prost(message, repeated, tag = "1")]
    pub(super) pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Pair {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) feature: Option<Feature>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Feature {
    #[prost(oneof = "Values", tags = "1, 2, 3")]
    pub(super) values: Option<Values>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Values {
    #[prost(message, tag = "1")]
    Bytes(BytesList),
    #[prost(message, tag = "2")]
    Floats(FloatList),
    #[prost(message, tag = "3")]
    Integers(IntegerList),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BytesList {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(super) values: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct FloatList {
    #[prost(float, repeated, tag = "1")]
    pub(super) values: Vec<f32>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct IntegerList {
    #[prost(int64, repeated, tag = "1")]
    pub(super) values: Vec<i64>,
}

/// Which of the three lists a feature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    Bytes,
    Float,
    Integer,
}

impl ValueKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "a list of bytes",
            Self::Float => "a list of floats",
            Self::Integer => "a list of integers",
        }
    }
}

impl Values {
    pub(super) fn kind(&self) -> ValueKind {
        match self {
            Self::Bytes(_) => ValueKind::Bytes,
            Self::Floats(_) => ValueKind::Float,
            Self::Integers(_) => ValueKind::Integer,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(list) => list.values.len(),
            Self::Floats(list) => list.values.len(),
            Self::Integers(list) => list.values.len(),
        }
    }
}

impl Example {
    /// The features of a record; in words, what it is instead.
    pub(super) fn of_record(content: &[u8]) -> Result<Vec<Pair>, String> {
        let example = Self::decode(content).map_err(|error| error.to_string())?;
        if example.feature_lists.is_some() {
            return Err("it is a `tf.SequenceExample`, which is not read".into());
        }
        let pairs = example.features.map(|features| features.pairs).unwrap_or_default();
        // Fields that nobody knows are passed over, so that most messages look like an empty one.
        if pairs.is_empty() && content.len() > EMPTY_BYTES {
            return Err("it has no features".into());
        }
        Ok(pairs)
    }
}
