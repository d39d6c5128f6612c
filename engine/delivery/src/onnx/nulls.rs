//! Which values are null. A null double is NaN in the graph; where a NaN of the data must be told from a null, as
//! expressions do, these say which is which. Nothing stands in the graph before it is asked for.

use std::collections::{BTreeMap, BTreeSet};

use sluice_onnx::{Edge, ElementType, GraphBuilder, Operator, Tensor};

/// The rows that are null: those of any part.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Nulls(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    /// Where this is true.
    Mask(Edge),
    /// Where these doubles are NaN.
    Nan(Edge),
    /// Where a column of floats is null: its mask is an input.
    Column { name: String, values: Edge },
    /// Where the first is null and the condition true, or the second is and it is not.
    Chosen { condition: Edge, then: Nulls, otherwise: Nulls },
    /// Where all are.
    All(Vec<Nulls>),
    /// Where AND, or else OR, of conditions is neither true nor false.
    Undecided { conditions: Vec<(Edge, Nulls)>, is_and: bool },
}

/// The inputs that say where columns of floats are null: those that there are, and those that were asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Masks {
    pub(crate) known: BTreeMap<String, Edge>,
    pub(crate) wanted: BTreeSet<String>,
}

impl Nulls {
    /// Where this is true.
    pub(crate) fn mask(mask: Edge) -> Self {
        Self(vec![Part::Mask(mask)])
    }

    /// Where these doubles are NaN.
    pub(crate) fn nan(values: Edge) -> Self {
        Self(vec![Part::Nan(values)])
    }

    /// Where a column of floats is null.
    pub(crate) fn column(name: String, values: Edge) -> Self {
        Self(vec![Part::Column { name, values }])
    }

    /// Those of one of two, by a condition.
    pub(crate) fn chosen(condition: Edge, then: Self, otherwise: Self) -> Self {
        if then == otherwise {
            return then;
        }
        Self(vec![Part::Chosen { condition, then, otherwise }])
    }

    /// Where all are null.
    pub(crate) fn all(parts: Vec<Self>) -> Self {
        if parts.iter().any(Self::is_never) {
            return Self::default();
        }
        Self(vec![Part::All(parts)])
    }

    /// Those of AND, or else OR, of conditions that are true where an edge is.
    pub(crate) fn undecided(conditions: Vec<(Edge, Self)>, is_and: bool) -> Self {
        if conditions.iter().all(|(_, nulls)| nulls.is_never()) {
            return Self::default();
        }
        Self(vec![Part::Undecided { conditions, is_and }])
    }

    /// Where one or the other is null.
    pub(crate) fn join(mut self, other: &Self) -> Self {
        for part in &other.0 {
            if !self.0.contains(part) {
                self.0.push(part.clone());
            }
        }
        self
    }

    /// Whether nothing is.
    pub(crate) fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// As booleans; `None` where nothing is null.
    pub(crate) fn edge(&self, graph: &mut GraphBuilder, masks: &mut Masks) -> Option<Edge> {
        let parts: Vec<Edge> = self.0.iter().filter_map(|part| part.edge(graph, masks)).collect();
        any(&parts, graph)
    }
}

impl Part {
    fn edge(&self, graph: &mut GraphBuilder, masks: &mut Masks) -> Option<Edge> {
        match self {
            Self::Mask(mask) => Some(mask.clone()),
            Self::Nan(values) => Some(graph.is_nan(values)),
            Self::Column { name, values } => Some(match masks.known.get(name) {
                Some(mask) => mask.clone(),
                None => {
                    masks.wanted.insert(name.clone());
                    graph.is_nan(values)
                }
            }),
            Self::Chosen { condition, then, otherwise } => {
                let then = then.edge(graph, masks);
                let then = then.map(|then| graph.node(&Operator::And, &[condition, &then]));
                let otherwise = otherwise.edge(graph, masks).map(|otherwise| {
                    let is_other = graph.node(&Operator::Not, &[condition]);
                    graph.node(&Operator::And, &[&is_other, &otherwise])
                });
                let parts: Vec<Edge> = then.into_iter().chain(otherwise).collect();
                any(&parts, graph)
            }
            Self::All(parts) => {
                let parts: Option<Vec<Edge>> = parts.iter().map(|part| part.edge(graph, masks)).collect();
                Some(chain(&parts?, &Operator::And, graph)?)
            }
            Self::Undecided { conditions, is_and } => undecided(conditions, *is_and, graph, masks),
        }
    }
}

/// AND is null where none is false and one is null; OR where none is true and one is null.
fn undecided(
    conditions: &[(Edge, Nulls)],
    is_and: bool,
    graph: &mut GraphBuilder,
    masks: &mut Masks,
) -> Option<Edge> {
    let nulls: Vec<Option<Edge>> = conditions.iter().map(|(_, nulls)| nulls.edge(graph, masks)).collect();
    let some: Vec<Edge> = nulls.iter().flatten().cloned().collect();
    let mut decided = any(&some, graph)?;
    for ((is_true, _), is_null) in conditions.iter().zip(&nulls) {
        let leaves_open = match (is_and, is_null) {
            (true, Some(is_null)) => graph.node(&Operator::Or, &[is_true, is_null]),
            (true, None) => is_true.clone(),
            (false, _) => graph.node(&Operator::Not, &[is_true]),
        };
        decided = graph.node(&Operator::And, &[&decided, &leaves_open]);
    }
    Some(decided)
}

/// Where one of them is true; `None` of none.
pub(crate) fn any(parts: &[Edge], graph: &mut GraphBuilder) -> Option<Edge> {
    chain(parts, &Operator::Or, graph)
}

/// Booleans joined from the left; `None` of none.
pub(crate) fn chain(parts: &[Edge], operator: &Operator, graph: &mut GraphBuilder) -> Option<Edge> {
    let (first, rest) = parts.split_first()?;
    Some(rest.iter().fold(first.clone(), |so_far, next| graph.node(operator, &[&so_far, next])))
}

/// True for all rows.
pub(crate) fn constant(value: bool, graph: &mut GraphBuilder) -> Edge {
    graph.row(&Tensor::Boolean(vec![value]))
}

/// Booleans as 1 and 0.
pub(crate) fn as_number(truth: &Edge, graph: &mut GraphBuilder) -> Edge {
    graph.node(&Operator::Cast(ElementType::Double), &[truth])
}
