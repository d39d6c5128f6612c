//! The operations in ONNX, each as the steps that ours takes, in the same order, so that the same bits
//! come out. One file per family.

mod curves;
mod dates;
mod expression;
mod keys;
mod levels;
mod missing;
mod scale;
mod several;

use sluice_core::error::{CommonError, Result};
use sluice_onnx::{Edge, GraphBuilder, Operator};
use sluice_transform::Mapper;
use sluice_transform::constants::Affine;
use sluice_transform::graph::Node;

use super::bound::Bound;
use super::nulls::Masks;
use super::value::{Number, Value};
use super::{functions, inexpressible};

/// What a node makes of the values that it reads, one value per output.
#[allow(
    clippy::match_wildcard_for_single_variants,
    reason = "an operation that is added later is refused by its name until it is written here"
)]
pub(crate) fn export(
    node: &Node,
    inputs: &[Value],
    graph: &mut GraphBuilder,
    masks: &mut Masks,
) -> Result<Vec<Value>> {
    let mut step = Step { node, inputs, graph, masks };
    let value = match &node.mapper {
        Mapper::Impute(fill) => step.impute(fill)?,
        Mapper::ImputePerKey(fills) => step.impute_per_key(fills)?,
        Mapper::IsMissing => step.is_missing()?,
        Mapper::Standardize(constants) => {
            step.affine(Affine { center: constants.mean, scale: constants.standard_deviation })?
        }
        Mapper::StandardizePerKey(constants) => step.standardize_per_key(constants)?,
        Mapper::ScaleToRange(constants) => step.scale_to_range(constants)?,
        Mapper::ScaleToRangePerKey(constants) => step.scale_to_range_per_key(constants)?,
        Mapper::MaxAbsScale(constants) | Mapper::RobustScale(constants) => step.affine(*constants)?,
        Mapper::Math(function) => {
            let x = step.number(0)?;
            let (edge, bound) = functions::export(*function, &x.edge, x.bound, step.graph);
            Value::Number(Number { edge, bound, nulls: x.nulls })
        }
        Mapper::Clip(bounds) => step.clip(*bounds)?,
        Mapper::Bucketize(buckets) => step.bucketize(buckets)?,
        Mapper::Interpolate(interpolation) => step.interpolate(interpolation)?,
        Mapper::OneHot(table) => step.one_hot(table)?,
        Mapper::Ordinal(ordinals) => step.ordinal(ordinals)?,
        Mapper::Frequency(shares) => step.frequency(shares)?,
        Mapper::TargetMean(means) => step.target_mean(means)?,
        Mapper::Vocabulary(tokens) => step.vocabulary(tokens.stored())?,
        Mapper::Cross(combinations) => step.cross(combinations)?,
        Mapper::PowerTransform(powered) => step.power(powered)?,
        Mapper::QuantileTransform(table) => step.quantile(table)?,
        Mapper::ScaleToGaussian(tails) => step.gaussian(tails)?,
        Mapper::Haversine(distance) => step.haversine(distance)?,
        Mapper::Derive(derived) => step.derive(derived)?,
        Mapper::Polynomial(products) => return step.polynomial(products),
        Mapper::Pca(components) => return step.pca(components),
        Mapper::DateParts(parts) => return step.date_parts(parts),
        Mapper::Cyclic(angle) => return step.cyclic(angle),
        _ => return Err(step.refused("has no form in ONNX")),
    };
    Ok(vec![value])
}

/// A node on its way into the graph.
struct Step<'a> {
    node: &'a Node,
    inputs: &'a [Value],
    graph: &'a mut GraphBuilder,
    masks: &'a mut Masks,
}

impl Step<'_> {
    /// Why the operation cannot be said.
    fn refused(&self, problem: impl Into<String>) -> sluice_core::Error {
        inexpressible(&self.node.operation, problem).into()
    }

    fn input(&self, place: usize) -> Result<&Value> {
        let missing = || CommonError::Internal(format!("`{}` reads nothing", self.node.operation));
        Ok(self.inputs.get(place).ok_or_else(missing)?)
    }

    /// The doubles that the operation reads.
    fn number(&mut self, place: usize) -> Result<Number> {
        let value = self.input(place)?.clone();
        let number = value.number(self.graph);
        number.ok_or_else(|| self.refused("reads a column that is no number in ONNX"))
    }

    /// All inputs as doubles.
    fn numbers(&mut self) -> Result<Vec<Number>> {
        (0..self.inputs.len()).map(|place| self.number(place)).collect()
    }

    fn node(&mut self, operator: &Operator, inputs: &[&Edge]) -> Edge {
        self.graph.node(operator, inputs)
    }

    /// An operator on doubles and a constant.
    fn with(&mut self, operator: &Operator, x: &Edge, constant: f64) -> Edge {
        let constant = self.graph.number(constant);
        self.graph.node(operator, &[x, &constant])
    }

    /// A constant where a condition is true, else what is there.
    fn put(&mut self, condition: &Edge, constant: f64, otherwise: &Edge) -> Edge {
        let constant = self.graph.number(constant);
        self.graph.node(&Operator::Where, &[condition, &constant, otherwise])
    }

    /// What an operation on one number makes of it, in the same rows null.
    fn of_number(x: Number, edge: Edge, bound: Bound) -> Value {
        Value::Number(Number { edge, bound, nulls: x.nulls })
    }
}
