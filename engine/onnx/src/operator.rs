//! The operators that graphs are written with, each with its options. All of them are in operator set 17
//! of `ai.onnx` with double precision in onnxruntime and in tract; [`Operator::CategoryMapper`] is in
//! `ai.onnx.ml`.

use crate::proto::AttributeProto;
use crate::tensor::ElementType;

/// An operator.
#[derive(Clone, Debug, PartialEq)]
pub enum Operator {
    /// |x|.
    Abs,
    /// a + b.
    Add,
    /// Both.
    And,
    /// Another type of element.
    Cast(ElementType),
    /// Text to integers; −1 for text that is not named.
    CategoryMapper {
        /// The text of each integer from 0.
        categories: Vec<String>,
    },
    /// The next integer up.
    Ceil,
    /// Columns side by side.
    Concat,
    /// The cosine.
    Cos,
    /// a / b.
    Div,
    /// a = b.
    Equal,
    /// e to the power of x.
    Exp,
    /// The next integer down.
    Floor,
    /// The entries of a table, along its one axis, by their places; −1 is the last.
    Gather,
    /// a > b.
    Greater,
    /// a ≥ b.
    GreaterOrEqual,
    /// The tensor itself.
    Identity,
    /// a < b.
    Less,
    /// The natural logarithm.
    Log,
    /// The matrix product.
    MatMul,
    /// What is left of a divided by b, with the sign of a; of doubles.
    Mod,
    /// a x b.
    Mul,
    /// −x.
    Neg,
    /// Not.
    Not,
    /// One of both, or both.
    Or,
    /// a to the power of b.
    Pow,
    /// 1 / x.
    Reciprocal,
    /// The sum over axes, given as an input, that stay as axes of length 1.
    ReduceSum,
    /// The columns of one place, given as an input.
    SelectColumn,
    /// The sine.
    Sin,
    /// The square root.
    Sqrt,
    /// a − b.
    Sub,
    /// The hyperbolic tangent.
    Tanh,
    /// b where a is true, c elsewhere.
    Where,
}

impl Operator {
    /// Its name in ONNX.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Abs => "Abs",
            Self::Add => "Add",
            Self::And => "And",
            Self::Cast(_) => "Cast",
            Self::CategoryMapper { .. } => "CategoryMapper",
            Self::Ceil => "Ceil",
            Self::Concat => "Concat",
            Self::Cos => "Cos",
            Self::Div => "Div",
            Self::Equal => "Equal",
            Self::Exp => "Exp",
            Self::Floor => "Floor",
            Self::Gather | Self::SelectColumn => "Gather",
            Self::Greater => "Greater",
            Self::GreaterOrEqual => "GreaterOrEqual",
            Self::Identity => "Identity",
            Self::Less => "Less",
            Self::Log => "Log",
            Self::MatMul => "MatMul",
            Self::Mod => "Mod",
            Self::Mul => "Mul",
            Self::Neg => "Neg",
            Self::Not => "Not",
            Self::Or => "Or",
            Self::Pow => "Pow",
            Self::Reciprocal => "Reciprocal",
            Self::ReduceSum => "ReduceSum",
            Self::Sin => "Sin",
            Self::Sqrt => "Sqrt",
            Self::Sub => "Sub",
            Self::Tanh => "Tanh",
            Self::Where => "Where",
        }
    }

    /// The operator set that it is in; empty is `ai.onnx`.
    #[must_use]
    pub fn domain(&self) -> &'static str {
        match self {
            Self::CategoryMapper { .. } => "ai.onnx.ml",
            _ => "",
        }
    }

    pub(crate) fn attributes(&self) -> Vec<AttributeProto> {
        match self {
            Self::Cast(to) => vec![integer("to", i64::from(to.code()))],
            // Columns are the second axis.
            Self::Concat | Self::SelectColumn => vec![integer("axis", 1)],
            Self::Gather => vec![integer("axis", 0)],
            Self::Mod => vec![integer("fmod", 1)],
            Self::ReduceSum => vec![integer("keepdims", 1)],
            Self::CategoryMapper { categories } => vec![
                AttributeProto {
                    name: "cats_int64s".into(),
                    ints: (0..).take(categories.len()).collect(),
                    r#type: 7,
                    ..AttributeProto::default()
                },
                AttributeProto {
                    name: "cats_strings".into(),
                    strings: categories.iter().map(|text| text.clone().into_bytes()).collect(),
                    r#type: 8,
                    ..AttributeProto::default()
                },
                integer("default_int64", -1),
            ],
            _ => Vec::new(),
        }
    }
}

fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(value), r#type: 2, ..AttributeProto::default() }
}
