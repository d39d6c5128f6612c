//! The graph of a fitted transform, and the model behind it.

use std::collections::BTreeMap;

use sluice_core::error::{CommonError, Result};
use sluice_core::seam::{BatchTransform as _, FeatureModel as _};
use sluice_onnx::{Edge, ElementType, GraphBuilder, Operator, Tensor};
use sluice_training::{Link, Output};
use sluice_transform::Transform;

use super::bound::Bound;
use super::inexpressible;
use super::inputs::Inputs;
use super::nulls::Masks;
use super::operations;
use super::value::Value;
use crate::model::Model;
use crate::package::PackageParts;

/// Both files, before they were run.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) inputs: Inputs,
    pub(crate) transform_file: Vec<u8>,
    pub(crate) model_file: Vec<u8>,
    /// What the outputs are called.
    pub(crate) features: String,
    /// Those of the model file, in the order of the model's outputs.
    pub(crate) predictions: Vec<String>,
    /// The columns of the widest tensor on the way.
    pub(crate) widest: usize,
    /// By the columns of the design matrix.
    pub(crate) bounds: Vec<Bound>,
}

impl Export {
    pub(crate) fn new(parts: &PackageParts) -> Result<Self> {
        let mut inputs = Inputs::new(parts.transform.input_columns())?;
        // What must tell NaN from null is known when all is in a graph, inputs are declared before: one for nothing.
        let masks = features(&parts.transform, &inputs, &mut GraphBuilder::new("masks"))?.masks;
        inputs.add_masks(&masks.wanted);
        let columns = parts.transform.space().column_names();
        let width = columns.len();
        let mut graph = GraphBuilder::new("transform");
        let Features { matrix, bounds, .. } = features(&parts.transform, &inputs, &mut graph)?;
        let features_name = free_name(&graph, "features");
        graph.output(&features_name, &matrix, (ElementType::Double, width), "")?;
        let widest = std::cmp::max(width, graph.widest());
        graph.property("features", &serde_json::Value::from(columns).to_string());
        let transform_file = graph.finish();

        let mut graph = GraphBuilder::new("model");
        let made = features(&parts.transform, &inputs, &mut graph)?;
        let mut predictions = Vec::new();
        let sums: Vec<Edge> = match &parts.model {
            Model::Linear(model) => {
                model.outputs.iter().map(|output| linear(output, &made.matrix, &mut graph)).collect()
            }
            Model::Network(network) => super::network::sums(network, &made.columns, &mut graph)?,
        };
        let predicted = predicted(parts.model.link(), sums, &mut graph);
        let widest = std::cmp::max(widest, graph.widest());
        for ((name, target), edge) in parts.outputs().iter().zip(parts.model.targets()).zip(&predicted) {
            let name = free_name(&graph, name);
            let about = format!("{target}; NaN where a feature is missing or not finite");
            graph.output(&name, edge, (ElementType::Double, 1), &about)?;
            predictions.push(name);
        }
        graph.property("label", parts.model.label());
        let model_file = graph.finish();
        Ok(Self { inputs, transform_file, model_file, features: features_name, predictions, widest, bounds })
    }
}

/// A column of the data may have the name of an output.
fn free_name(graph: &GraphBuilder, name: &str) -> String {
    let mut name = name.to_owned();
    while graph.is_taken(&name) {
        name.push('_');
    }
    name
}

/// What a graph makes of the features.
struct Features {
    /// By feature.
    columns: Vec<Feature>,
    /// The design matrix.
    matrix: Edge,
    /// By its columns.
    bounds: Vec<Bound>,
    /// The masks that were asked for.
    masks: Masks,
}

/// A feature of a graph, as doubles.
#[derive(Clone, Debug)]
pub(super) enum Feature {
    /// A number, NaN where it is missing.
    Number(Edge),
    /// An indicator for each of so many levels.
    Indicators(Edge, usize),
}

impl Feature {
    fn edge(&self) -> &Edge {
        match self {
            Self::Number(edge) | Self::Indicators(edge, _) => edge,
        }
    }
}

fn features(transform: &Transform, inputs: &Inputs, graph: &mut GraphBuilder) -> Result<Features> {
    let (values, mut masks) = inputs.declare(graph)?;
    let mut values: BTreeMap<String, Value> = values.into_iter().collect();
    for node in transform.nodes() {
        let read = node.inputs.iter().filter_map(|id| values.get(id).cloned()).collect::<Vec<_>>();
        let made = operations::export(node, &read, graph, &mut masks)?;
        values.extend(node.outputs.iter().cloned().zip(made));
    }
    let (mut columns, mut bounds) = (Vec::new(), Vec::new());
    for (name, id) in transform.features() {
        let value =
            values.get(id).ok_or_else(|| CommonError::Internal(format!("no value `{id}` to export")))?;
        match value {
            Value::Indicators { edge, levels } => {
                columns.push(Feature::Indicators(edge.clone(), *levels));
                bounds.extend(std::iter::repeat_n(Bound::EXACT, *levels));
            }
            other => {
                let number = other.number(graph).ok_or_else(|| inexpressible(name, "is no number"))?;
                columns.push(Feature::Number(number.edge));
                bounds.push(number.bound);
            }
        }
    }
    let edges: Vec<&Edge> = columns.iter().map(Feature::edge).collect();
    let matrix = graph.node(&Operator::Concat, &edges);
    Ok(Features { columns, matrix, bounds, masks })
}

/// The predictions of each output: its sum through the inverse of the link. 1 / (1 + e^−sum) and 1 / Σ e^(other − own)
/// are right at both ends too, where e to a power is infinite or 0.
fn predicted(link: Link, sums: Vec<Edge>, graph: &mut GraphBuilder) -> Vec<Edge> {
    match link {
        Link::Identity => sums,
        Link::Log => sums.iter().map(|sum| graph.node(&Operator::Exp, &[sum])).collect(),
        Link::Logit => {
            let one = graph.number(1.0);
            let mut inverse = |sum: &Edge| {
                let negative = graph.node(&Operator::Neg, &[sum]);
                let power = graph.node(&Operator::Exp, &[&negative]);
                let below = graph.node(&Operator::Add, &[&one, &power]);
                graph.node(&Operator::Reciprocal, &[&below])
            };
            sums.iter().map(&mut inverse).collect()
        }
        Link::Softmax => {
            let all: Vec<&Edge> = sums.iter().collect();
            let all = graph.node(&Operator::Concat, &all);
            let mut share = |own: &Edge| {
                let beyond = graph.node(&Operator::Sub, &[&all, own]);
                let powers = graph.node(&Operator::Exp, &[&beyond]);
                let total = graph.sum_of_rows(&powers);
                graph.node(&Operator::Reciprocal, &[&total])
            };
            sums.iter().map(&mut share).collect()
        }
    }
}

/// Features x coefficients + intercept. Σ (x − x) is 0, or NaN where a feature is NaN or infinite: there
/// is no prediction then, as in `sluice predict`.
fn linear(output: &Output, features: &Edge, graph: &mut GraphBuilder) -> Edge {
    let coefficients = output.coefficients.iter().map(|coefficient| coefficient.value).collect();
    let coefficients = graph.column(&Tensor::Double(coefficients));
    let intercept = graph.number(output.intercept);
    let product = graph.node(&Operator::MatMul, &[features, &coefficients]);
    let sum = graph.node(&Operator::Add, &[&product, &intercept]);
    let nothing = graph.node(&Operator::Sub, &[features, features]);
    let soundness = graph.sum_of_rows(&nothing);
    graph.node(&Operator::Add, &[&sum, &soundness])
}
