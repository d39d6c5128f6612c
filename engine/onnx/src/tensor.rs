//! Tensors of two dimensions, rows by columns: what goes in, what comes out, and constants.

use crate::proto::TensorProto;

/// What a tensor holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementType {
    /// Double precision.
    Double,
    /// Single precision.
    Single,
    /// Signed integers of 64 bits.
    Integer,
    /// Unsigned integers of 64 bits.
    Unsigned,
    /// True or false.
    Boolean,
    /// Text in UTF-8.
    Text,
}

impl ElementType {
    /// The number of `TensorProto.DataType`.
    pub(crate) fn code(self) -> i32 {
        match self {
            Self::Single => 1,
            Self::Integer => 7,
            Self::Text => 8,
            Self::Boolean => 9,
            Self::Double => 11,
            Self::Unsigned => 13,
        }
    }

    /// The name of the tensor type, as ONNX writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "int64",
            Self::Text => "string",
            Self::Boolean => "bool",
            Self::Double => "double",
            Self::Single => "float",
            Self::Unsigned => "uint64",
        }
    }
}

/// Elements, row by row; how many columns there are is said beside it.
#[derive(Clone, Debug, PartialEq)]
pub enum Tensor {
    /// Double precision.
    Double(Vec<f64>),
    /// Single precision.
    Single(Vec<f32>),
    /// Signed integers.
    Integer(Vec<i64>),
    /// Unsigned integers.
    Unsigned(Vec<u64>),
    /// True or false.
    Boolean(Vec<bool>),
    /// Text.
    Text(Vec<String>),
}

impl Tensor {
    /// What it holds.
    #[must_use]
    pub fn element_type(&self) -> ElementType {
        match self {
            Self::Double(_) => ElementType::Double,
            Self::Single(_) => ElementType::Single,
            Self::Integer(_) => ElementType::Integer,
            Self::Unsigned(_) => ElementType::Unsigned,
            Self::Boolean(_) => ElementType::Boolean,
            Self::Text(_) => ElementType::Text,
        }
    }

    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Double(values) => values.len(),
            Self::Single(values) => values.len(),
            Self::Integer(values) => values.len(),
            Self::Unsigned(values) => values.len(),
            Self::Boolean(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As an initializer of these dimensions.
    pub(crate) fn to_proto(&self, name: &str, dims: &[i64]) -> TensorProto {
        let raw_data = match self {
            Self::Double(values) => Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::Single(values) => Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::Integer(values) => Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::Unsigned(values) => Some(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::Boolean(values) => Some(values.iter().map(|value| u8::from(*value)).collect()),
            Self::Text(_) => None,
        };
        let string_data = match self {
            Self::Text(values) => values.iter().map(|value| value.clone().into_bytes()).collect(),
            _ => Vec::new(),
        };
        TensorProto {
            dims: dims.to_vec(),
            data_type: self.element_type().code(),
            string_data,
            name: name.to_owned(),
            raw_data,
        }
    }
}
