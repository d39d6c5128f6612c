//! What a value of the transform is in the graph.

use sluice_onnx::{Edge, ElementType, GraphBuilder, Operator};

use super::bound::Bound;
use super::nulls::Nulls;

/// Doubles, NaN where they are missing.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    pub(crate) edge: Edge,
    /// How far they may be from ours.
    pub(crate) bound: Bound,
    /// Which NaN is a null.
    pub(crate) nulls: Nulls,
}

/// What dates and timestamps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Days,
    Microseconds,
    Nanoseconds,
}

impl TimeUnit {
    /// How long it is.
    pub(crate) fn nanoseconds(self) -> i128 {
        match self {
            Self::Days => 86_400_000_000_000,
            Self::Microseconds => 1_000,
            Self::Nanoseconds => 1,
        }
    }

    /// How the package calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Days => "days",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }
}

/// A value of the transform.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Doubles.
    Number(Number),
    /// A column as it comes: integers or booleans, with where it is missing.
    Raw { edge: Edge, missing: Edge, elements: ElementType },
    /// Dates or timestamps since 1970-01-01 as integers, with where they are missing.
    Instant { edge: Edge, missing: Edge, unit: TimeUnit },
    /// Text, with where it is missing and what then goes in.
    Text { edge: Edge, missing: Edge, fill: Option<String> },
    /// One of a few texts by its place among them; −1 where it is null.
    Choice { code: Edge, texts: Vec<String> },
    /// One indicator per level, as doubles.
    Indicators { edge: Edge, levels: usize },
}

impl Value {
    /// Doubles that are ours to the bit; each NaN is a null.
    pub(crate) fn exact(edge: Edge) -> Self {
        let nulls = Nulls::nan(edge.clone());
        Self::Number(Number { edge, bound: Bound::EXACT, nulls })
    }

    /// As doubles; `None` for what is no number.
    pub(crate) fn number(&self, graph: &mut GraphBuilder) -> Option<Number> {
        match self {
            Self::Number(number) => Some(number.clone()),
            Self::Raw { edge, missing, .. } => {
                let nan = graph.number(f64::NAN);
                let number = graph.node(&Operator::Cast(ElementType::Double), &[edge]);
                let edge = graph.node(&Operator::Where, &[missing, &nan, &number]);
                Some(Number { edge, bound: Bound::EXACT, nulls: Nulls::mask(missing.clone()) })
            }
            Self::Instant { .. } | Self::Text { .. } | Self::Choice { .. } | Self::Indicators { .. } => None,
        }
    }
}
