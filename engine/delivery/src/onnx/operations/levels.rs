//! Levels and edges: one-hot, buckets, and numbers that are looked up by level. A code is an integer of 64 bits, the
//! place of a level, or −1 where there is none; as the place in a table −1 is its last entry.

use sluice_core::error::Result;
use sluice_onnx::{Edge, ElementType, Operator, Tensor};
use sluice_transform::constants::{
    Buckets, Interpolation, LevelOutput, LevelTable, Levels, Ordinals, Shares,
};

use super::Step;
use crate::onnx::bound::Bound;
use crate::onnx::nulls::as_number;
use crate::onnx::value::Value;

/// Integers from here on are no longer exact as doubles; a float that large is none of the levels.
const EXACT_INTEGERS: i64 = 1 << 53;

/// Where a value is which level.
enum Found {
    /// By the code of the level.
    Code(Edge),
    /// One boolean for each level.
    Indicators(Edge),
}

impl Step<'_> {
    pub(super) fn one_hot(&mut self, table: &LevelTable) -> Result<Value> {
        let levels = table.levels();
        Ok(match self.found(self.input(0)?.clone(), levels)? {
            Found::Code(code) => self.indicators(&code, level_count(levels)),
            Found::Indicators(edge) => {
                let edge = as_number(&edge, self.graph);
                Value::Indicators { edge, levels: level_count(levels) }
            }
        })
    }

    pub(super) fn ordinal(&mut self, ordinals: &Ordinals) -> Result<Value> {
        let code = self.code(self.input(0)?.clone(), ordinals.levels.levels())?;
        let places = (0..level_count(ordinals.levels.levels())).map(|place| place as f64);
        let unseen = ordinals.unseen.unwrap_or(f64::NAN);
        Ok(Value::exact(self.entry(&code, places.chain([unseen]).collect())))
    }

    pub(super) fn frequency(&mut self, shares: &Shares) -> Result<Value> {
        let code = self.code(self.input(0)?.clone(), shares.levels.levels())?;
        Ok(Value::exact(self.entry(&code, shares.shares.iter().copied().chain([0.0]).collect())))
    }

    /// The code of a value among levels.
    pub(super) fn code(&mut self, value: Value, levels: &Levels) -> Result<Edge> {
        let indicators = match self.found(value, levels)? {
            Found::Code(code) => return Ok(code),
            Found::Indicators(indicators) => as_number(&indicators, self.graph),
        };
        // One term of the sum is a place from 1, the others are 0.
        let places = (1..=level_count(levels)).map(|place| place as f64).collect();
        let places = self.graph.column(&Tensor::Double(places));
        let place = self.node(&Operator::MatMul, &[&indicators, &places]);
        let code = self.with(&Operator::Sub, &place, 1.0);
        Ok(self.node(&Operator::Cast(ElementType::Integer), &[&code]))
    }

    fn found(&mut self, value: Value, levels: &Levels) -> Result<Found> {
        match (levels, value) {
            (Levels::Text(levels), Value::Text { edge, missing, fill }) => {
                let fill = fill.and_then(|fill| levels.iter().position(|level| *level == fill));
                let mapper = Operator::CategoryMapper { categories: levels.clone() };
                let code = self.node(&mapper, &[&edge]);
                let fill = self.integer(fill.map_or(-1, place));
                Ok(Found::Code(self.node(&Operator::Where, &[&missing, &fill, &code])))
            }
            (Levels::Text(levels), Value::Choice { code, texts }) => {
                let codes = texts.iter().map(|text| levels.iter().position(|level| level == text));
                let codes = codes.map(|code| code.map_or(-1, place)).collect();
                Ok(Found::Code(self.recoded(&code, codes)))
            }
            (Levels::Integer(levels), Value::Raw { edge, missing, elements: ElementType::Integer }) => {
                let levels = Tensor::Integer(levels.clone());
                Ok(Found::Indicators(self.is_level(&edge, &levels, Some(&missing))))
            }
            // Runtimes compare no unsigned integers; as doubles they are told apart below 2^53.
            (Levels::Integer(levels), Value::Raw { elements: ElementType::Unsigned, .. })
                if levels.iter().any(|level| *level >= EXACT_INTEGERS) =>
            {
                let problem = "has levels past 2^53 in an unsigned column, which has no form in ONNX";
                Err(self.refused(problem))
            }
            (levels, value) => {
                let numbers: Vec<f64> = match levels {
                    Levels::Integer(levels) => levels.iter().map(|level| whole(*level)).collect(),
                    Levels::Float(levels) => levels.clone(),
                    Levels::Boolean(levels) => levels.iter().map(|level| f64::from(*level)).collect(),
                    Levels::Text(_) => {
                        return Err(self.refused("looks for text in a column that has none"));
                    }
                };
                let number = value.number(self.graph);
                let x = number.ok_or_else(|| self.refused("reads a column that is no number in ONNX"))?;
                Ok(Found::Indicators(self.is_level(&x.edge, &Tensor::Double(numbers), None)))
            }
        }
    }

    /// One column per level: whether the value is that level and not missing.
    fn is_level(&mut self, x: &Edge, levels: &Tensor, missing: Option<&Edge>) -> Edge {
        let row = self.graph.row(levels);
        let is_level = self.node(&Operator::Equal, &[x, &row]);
        let Some(missing) = missing else { return is_level };
        let present = self.node(&Operator::Not, &[missing]);
        self.node(&Operator::And, &[&is_level, &present])
    }

    /// One column per code.
    pub(super) fn indicators(&mut self, code: &Edge, levels: usize) -> Value {
        let codes = Tensor::Integer((0..).take(levels).collect());
        let is_level = self.is_level(code, &codes, None);
        Value::Indicators { edge: as_number(&is_level, self.graph), levels }
    }

    /// The number at a code; the last where there is none.
    pub(super) fn entry(&mut self, code: &Edge, numbers: Vec<f64>) -> Edge {
        let table = self.graph.table(&Tensor::Double(numbers));
        self.node(&Operator::Gather, &[&table, code])
    }

    /// Other codes for codes; none stays none.
    pub(super) fn recoded(&mut self, code: &Edge, mut codes: Vec<i64>) -> Edge {
        codes.push(-1);
        let table = self.graph.table(&Tensor::Integer(codes));
        self.node(&Operator::Gather, &[&table, code])
    }

    /// An integer, as a tensor of one row and one column.
    pub(super) fn integer(&mut self, value: i64) -> Edge {
        self.graph.row(&Tensor::Integer(vec![value]))
    }

    /// Where a code is of none.
    pub(super) fn is_no_code(&mut self, code: &Edge) -> Edge {
        let zero = self.integer(0);
        self.node(&Operator::Less, &[code, &zero])
    }

    /// How many edges a number reaches is its bucket.
    pub(super) fn bucketize(&mut self, buckets: &Buckets) -> Result<Value> {
        let x = self.number(0)?.edge;
        let is_nan = self.graph.is_nan(&x);
        let edges = buckets.edges.len();
        let bucket = if edges == 0 {
            self.graph.number(0.0)
        } else {
            self.count(&Operator::GreaterOrEqual, &x, &buckets.edges)
        };
        let bucket = self.put(&is_nan, f64::NAN, &bucket);
        Ok(match buckets.output {
            LevelOutput::Number => Value::exact(bucket),
            LevelOutput::Levels => {
                let numbers = Tensor::Double((0..=edges).map(|number| number as f64).collect());
                let is_level = self.is_level(&bucket, &numbers, None);
                Value::Indicators { edge: as_number(&is_level, self.graph), levels: edges + 1 }
            }
        })
    }

    /// How many numbers a double compares to like that.
    pub(super) fn count(&mut self, comparison: &Operator, x: &Edge, numbers: &[f64]) -> Edge {
        let row = self.graph.row(&Tensor::Double(numbers.to_vec()));
        let is_reached = self.node(comparison, &[x, &row]);
        let is_reached = as_number(&is_reached, self.graph);
        self.graph.sum_of_rows(&is_reached)
    }

    /// A count as the place below it in a table of so many intervals: the first and the last hold what lies beyond.
    pub(super) fn interval(&mut self, above: &Edge, intervals: usize) -> Edge {
        let below = self.with(&Operator::Sub, above, 1.0);
        let below = self.held(&below, Some(0.0), Some(intervals.saturating_sub(1) as f64));
        self.node(&Operator::Cast(ElementType::Integer), &[&below])
    }

    /// The place among edges, from 0 to 1.
    pub(super) fn interpolate(&mut self, Interpolation { edges }: &Interpolation) -> Result<Value> {
        let x = self.number(0)?;
        let (Some(first), Some(last)) = (edges.first().copied(), edges.last().copied()) else {
            return Err(self.refused("interpolates among no edges"));
        };
        let above = self.count(&Operator::GreaterOrEqual, &x.edge, edges);
        let mut inside = self.graph.number(0.0);
        if edges.len() > 1 {
            let place = self.interval(&above, edges.len() - 1);
            let previous = self.entry(&place, edges[..edges.len() - 1].to_vec());
            let next = self.entry(&place, edges[1..].to_vec());
            let width = self.node(&Operator::Sub, &[&next, &previous]);
            let within = self.node(&Operator::Sub, &[&x.edge, &previous]);
            let within = self.node(&Operator::Div, &[&within, &width]);
            let whole = self.with(&Operator::Sub, &above, 1.0);
            let sum = self.node(&Operator::Add, &[&whole, &within]);
            inside = self.with(&Operator::Div, &sum, (edges.len() - 1) as f64);
        }
        let is_below = self.with(&Operator::Less, &x.edge, first);
        let edge = self.put(&is_below, 0.0, &inside);
        let is_above = self.with(&Operator::GreaterOrEqual, &x.edge, last);
        let edge = self.put(&is_above, 1.0, &edge);
        let is_nan = self.graph.is_nan(&x.edge);
        let edge = self.put(&is_nan, f64::NAN, &edge);
        let bound = Bound::joined([x.bound]);
        Ok(Self::of_number(x, edge, bound))
    }
}

pub(super) fn level_count(levels: &Levels) -> usize {
    match levels {
        Levels::Text(levels) => levels.len(),
        Levels::Integer(levels) => levels.len(),
        Levels::Float(levels) => levels.len(),
        Levels::Boolean(levels) => levels.len(),
    }
}

/// A place as an element of a tensor.
pub(super) fn place(place: usize) -> i64 {
    i64::try_from(place).unwrap_or(i64::MAX)
}

/// A level for floats; NaN, which nothing equals, where floats no longer tell integers apart.
fn whole(level: i64) -> f64 {
    if -EXACT_INTEGERS < level && level < EXACT_INTEGERS { level as f64 } else { f64::NAN }
}
