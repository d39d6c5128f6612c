//! What a value of the transform is in the graph.

use sluice_onnx::{Edge, ElementType, GraphBuilder, Operator};

use super::bound::Bound;

/// A value of the transform.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Doubles, NaN where it is missing.
    Number { edge: Edge, bound: Bound },
    /// A column as it comes: integers or booleans, with where it is missing.
    Raw { edge: Edge, missing: Edge, elements: ElementType },
    /// Text, with where it is missing and what then goes in.
    Text { edge: Edge, missing: Edge, fill: Option<String> },
    /// One indicator per level, as doubles.
    Indicators { edge: Edge, levels: usize },
}

impl Value {
    /// Doubles that are ours to the bit.
    pub(crate) fn exact(edge: Edge) -> Self {
        Self::Number { edge, bound: Bound::EXACT }
    }

    /// As doubles; `None` for what is no number.
    pub(crate) fn number(&self, graph: &mut GraphBuilder) -> Option<(Edge, Bound)> {
        match self {
            Self::Number { edge, bound } => Some((edge.clone(), *bound)),
            Self::Raw { edge, missing, .. } => {
                let nan = graph.number(f64::NAN);
                let number = graph.node(&Operator::Cast(ElementType::Double), &[edge]);
                Some((graph.node(&Operator::Where, &[missing, &nan, &number]), Bound::EXACT))
            }
            Self::Text { .. } | Self::Indicators { .. } => None,
        }
    }
}
