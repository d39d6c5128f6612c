//! The operations in ONNX, each as the steps that ours takes, in the same order, so that the same bits
//! come out.

use sluice_core::error::{CommonError, Result};
use sluice_onnx::{Edge, ElementType, GraphBuilder, Operator, Tensor};
use sluice_transform::Mapper;
use sluice_transform::constants::{
    Affine, Buckets, ClipBounds, Fill, LevelOutput, LevelTable, Levels, RangeScale,
};
use sluice_transform::graph::Node;

use super::bound::Bound;
use super::value::Value;
use super::{functions, inexpressible};

/// Integers from here on are no longer exact as doubles; a float that large is none of the levels.
const EXACT_INTEGERS: i64 = 1 << 53;

/// What a node makes of the values that it reads.
#[allow(
    clippy::match_wildcard_for_single_variants,
    reason = "an operation that is added later is refused by its name until it is written here"
)]
pub(crate) fn export(node: &Node, inputs: &[Value], graph: &mut GraphBuilder) -> Result<Value> {
    let mut step = Step { node, inputs, graph };
    match &node.mapper {
        Mapper::Impute(fill) => step.impute(fill),
        Mapper::IsMissing => step.is_missing(),
        Mapper::Standardize(constants) => {
            step.affine(Affine { center: constants.mean, scale: constants.standard_deviation })
        }
        Mapper::ScaleToRange(constants) => step.scale_to_range(constants),
        Mapper::MaxAbsScale(constants) | Mapper::RobustScale(constants) => step.affine(*constants),
        Mapper::Math(function) => {
            let (x, bound) = step.number()?;
            let (edge, bound) = functions::export(*function, &x, bound, step.graph);
            Ok(Value::Number { edge, bound })
        }
        Mapper::Clip(bounds) => step.clip(*bounds),
        Mapper::Bucketize(buckets) => step.bucketize(buckets),
        Mapper::OneHot(table) => step.one_hot(table),
        _ => Err(inexpressible(&node.operation, "has no form in ONNX").into()),
    }
}

/// A node on its way into the graph.
struct Step<'a> {
    node: &'a Node,
    inputs: &'a [Value],
    graph: &'a mut GraphBuilder,
}

impl Step<'_> {
    fn input(&self) -> Result<&Value> {
        let missing = || CommonError::Internal(format!("`{}` reads nothing", self.node.operation));
        Ok(self.inputs.first().ok_or_else(missing)?)
    }

    /// The doubles that the operation reads.
    fn number(&mut self) -> Result<(Edge, Bound)> {
        let value = self.input()?.clone();
        let refused = || inexpressible(&self.node.operation, "reads a column that is no number in ONNX");
        Ok(value.number(self.graph).ok_or_else(refused)?)
    }

    fn affine(&mut self, Affine { center, scale }: Affine) -> Result<Value> {
        let (x, bound) = self.number()?;
        let (center_edge, scale_edge) = (self.graph.number(center), self.graph.number(scale));
        let centered = self.graph.node(&Operator::Sub, &[&x, &center_edge]);
        let edge = self.graph.node(&Operator::Div, &[&centered, &scale_edge]);
        Ok(Value::Number { edge, bound: bound.after_linear(center, scale) })
    }

    fn scale_to_range(&mut self, constants: &RangeScale) -> Result<Value> {
        let RangeScale { minimum, maximum, low, high, clip } = *constants;
        let (x, bound) = self.number()?;
        let width = maximum - minimum;
        let minimum_edge = self.graph.number(minimum);
        let mut scaled = self.graph.node(&Operator::Sub, &[&x, &minimum_edge]);
        if width > 0.0 {
            let width = self.graph.number(width);
            scaled = self.graph.node(&Operator::Div, &[&scaled, &width]);
        }
        let (span, low_edge) = (self.graph.number(high - low), self.graph.number(low));
        scaled = self.graph.node(&Operator::Mul, &[&scaled, &span]);
        let edge = self.graph.node(&Operator::Add, &[&scaled, &low_edge]);
        let scale = if width > 0.0 { width / (high - low) } else { 1.0 / (high - low) };
        let bound = bound.after_linear(minimum, scale).after_linear(low, 1.0);
        let edge = if clip { self.held(&edge, Some(low), Some(high)) } else { edge };
        Ok(Value::Number { edge, bound })
    }

    fn clip(&mut self, ClipBounds { at_least, at_most }: ClipBounds) -> Result<Value> {
        let (x, bound) = self.number()?;
        let edge = self.held(&x, at_least, at_most);
        Ok(Value::Number { edge, bound })
    }

    /// Comparisons instead of `Clip`, for which runtimes do what they like with NaN.
    fn held(&mut self, x: &Edge, at_least: Option<f64>, at_most: Option<f64>) -> Edge {
        let mut held = x.clone();
        for (bound, beyond) in [(at_least, Operator::Less), (at_most, Operator::Greater)] {
            if let Some(bound) = bound {
                let bound = self.graph.number(bound);
                let beyond = self.graph.node(&beyond, &[&held, &bound]);
                held = self.graph.node(&Operator::Where, &[&beyond, &bound, &held]);
            }
        }
        held
    }

    fn impute(&mut self, fill: &Fill) -> Result<Value> {
        let number = match fill {
            Fill::Number(value) => *value,
            Fill::Boolean(value) => f64::from(*value),
            Fill::Text(text) => {
                return match self.input()? {
                    Value::Text { edge, missing, fill } => Ok(Value::Text {
                        edge: edge.clone(),
                        missing: missing.clone(),
                        // What an earlier one has filled is not missing any more.
                        fill: fill.clone().or_else(|| Some(text.clone())),
                    }),
                    _ => {
                        Err(inexpressible(&self.node.operation, "fills a column of nothing with text").into())
                    }
                };
            }
        };
        let (x, bound) = self.number()?;
        let fill = self.graph.number(number);
        let is_nan = self.graph.is_nan(&x);
        let edge = self.graph.node(&Operator::Where, &[&is_nan, &fill, &x]);
        Ok(Value::Number { edge, bound })
    }

    fn is_missing(&mut self) -> Result<Value> {
        let missing = match self.input()?.clone() {
            Value::Text { missing, fill: None, .. } | Value::Raw { missing, .. } => missing,
            Value::Text { missing, fill: Some(_), .. } => {
                let present = self.graph.node(&Operator::Not, &[&missing]);
                self.graph.node(&Operator::And, &[&missing, &present])
            }
            Value::Number { edge, .. } => self.graph.is_nan(&edge),
            Value::Indicators { .. } => {
                return Err(inexpressible(&self.node.operation, "reads levels").into());
            }
        };
        Ok(Value::exact(self.graph.node(&Operator::Cast(ElementType::Double), &[&missing])))
    }

    /// How many edges a number reaches is its bucket.
    fn bucketize(&mut self, buckets: &Buckets) -> Result<Value> {
        let (x, _) = self.number()?;
        let graph = &mut *self.graph;
        let edges = buckets.edges.len();
        let is_nan = graph.is_nan(&x);
        let bucket = if edges == 0 {
            graph.number(0.0)
        } else {
            let edges = graph.row(&Tensor::Double(buckets.edges.clone()));
            let reached = graph.node(&Operator::GreaterOrEqual, &[&x, &edges]);
            let reached = graph.node(&Operator::Cast(ElementType::Double), &[&reached]);
            graph.sum_of_rows(&reached)
        };
        let nan = graph.number(f64::NAN);
        let bucket = graph.node(&Operator::Where, &[&is_nan, &nan, &bucket]);
        Ok(match buckets.output {
            LevelOutput::Number => Value::exact(bucket),
            LevelOutput::Levels => {
                let numbers = (0..=edges).map(|number| number as f64).collect();
                self.indicators(&bucket, &Tensor::Double(numbers), None)
            }
        })
    }

    fn one_hot(&mut self, table: &LevelTable) -> Result<Value> {
        match (table.levels(), self.input()?.clone()) {
            (Levels::Text(levels), Value::Text { edge, missing, fill }) => {
                let fill = fill.and_then(|fill| levels.iter().position(|level| *level == fill));
                let mapper = Operator::CategoryMapper { categories: levels.clone() };
                let code = self.graph.node(&mapper, &[&edge]);
                let fill = fill.and_then(|fill| i64::try_from(fill).ok()).unwrap_or(-1);
                let fill = self.graph.row(&Tensor::Integer(vec![fill]));
                let code = self.graph.node(&Operator::Where, &[&missing, &fill, &code]);
                let codes = Tensor::Integer((0..).take(levels.len()).collect());
                Ok(self.indicators(&code, &codes, None))
            }
            (Levels::Integer(levels), Value::Raw { edge, missing, elements: ElementType::Integer }) => {
                Ok(self.indicators(&edge, &Tensor::Integer(levels.clone()), Some(&missing)))
            }
            // Runtimes compare no unsigned integers; as doubles they are told apart below 2^53.
            (Levels::Integer(levels), Value::Raw { elements: ElementType::Unsigned, .. })
                if levels.iter().any(|level| *level >= EXACT_INTEGERS) =>
            {
                let problem = "has levels past 2^53 in an unsigned column, which has no form in ONNX";
                Err(inexpressible(&self.node.operation, problem).into())
            }
            (levels, _) => {
                let numbers: Vec<f64> = match levels {
                    Levels::Integer(levels) => levels.iter().map(|level| whole(*level)).collect(),
                    Levels::Float(levels) => levels.clone(),
                    Levels::Boolean(levels) => levels.iter().map(|level| f64::from(*level)).collect(),
                    Levels::Text(_) => {
                        let problem = "looks for text in a column that has none";
                        return Err(inexpressible(&self.node.operation, problem).into());
                    }
                };
                let (x, _) = self.number()?;
                Ok(self.indicators(&x, &Tensor::Double(numbers), None))
            }
        }
    }

    /// One column per level: 1 where the value is that level and not missing.
    fn indicators(&mut self, x: &Edge, levels: &Tensor, missing: Option<&Edge>) -> Value {
        let graph = &mut *self.graph;
        let row = graph.row(levels);
        let mut is_level = graph.node(&Operator::Equal, &[x, &row]);
        if let Some(missing) = missing {
            let present = graph.node(&Operator::Not, &[missing]);
            is_level = graph.node(&Operator::And, &[&is_level, &present]);
        }
        let edge = graph.node(&Operator::Cast(ElementType::Double), &[&is_level]);
        Value::Indicators { edge, levels: levels.len() }
    }
}

/// A level for floats; NaN, which nothing equals, where floats no longer tell integers apart.
fn whole(level: i64) -> f64 {
    if -EXACT_INTEGERS < level && level < EXACT_INTEGERS { level as f64 } else { f64::NAN }
}
