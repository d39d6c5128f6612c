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
    /// x where positive, alpha (e^x − 1) elsewhere.
    Elu,
    /// a = b.
    Equal,
    /// e to the power of x.
    Exp,
    /// The next integer down.
    Floor,
    /// The entries of a table, along its first axis, by their places; −1 is the last.
    Gather,
    /// The matrix product with a transposed matrix, and a row added to each row.
    Gemm,
    /// a > b.
    Greater,
    /// a ≥ b.
    GreaterOrEqual,
    /// The tensor itself.
    Identity,
    /// x where positive, alpha x elsewhere.
    LeakyRelu {
        /// The slope below 0.
        alpha: f32,
    },
    /// a < b.
    Less,
    /// The natural logarithm.
    Log,
    /// The matrix product.
    MatMul,
    /// The larger of both.
    Max,
    /// The smaller of both.
    Min,
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
    /// x where positive, 0 elsewhere.
    Relu,
    /// The columns of some places, given as an input.
    SelectColumn,
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// The sine.
    Sin,
    /// The square root.
    Sqrt,
    /// Without axes of length 1, given as an input.
    Squeeze,
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
            Self::Elu => "Elu",
            Self::Equal => "Equal",
            Self::Exp => "Exp",
            Self::Floor => "Floor",
            Self::Gather | Self::SelectColumn => "Gather",
            Self::Gemm => "Gemm",
            Self::Greater => "Greater",
            Self::GreaterOrEqual => "GreaterOrEqual",
            Self::Identity => "Identity",
            Self::LeakyRelu { .. } => "LeakyRelu",
            Self::Less => "Less",
            Self::Log => "Log",
            Self::MatMul => "MatMul",
            Self::Max => "Max",
            Self::Min => "Min",
            Self::Mod => "Mod",
            Self::Mul => "Mul",
            Self::Neg => "Neg",
            Self::Not => "Not",
            Self::Or => "Or",
            Self::Pow => "Pow",
            Self::Reciprocal => "Reciprocal",
            Self::ReduceSum => "ReduceSum",
            Self::Relu => "Relu",
            Self::Sigmoid => "Sigmoid",
            Self::Sin => "Sin",
            Self::Sqrt => "Sqrt",
            Self::Squeeze => "Squeeze",
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
            Self::Gemm => vec![integer("transB", 1)],
            Self::LeakyRelu { alpha } => vec![float("alpha", *alpha)],
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

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(value), r#type: 1, ..AttributeProto::default() }
}
