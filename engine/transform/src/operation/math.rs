//! Functions of one number, without anything to learn, and `clip`. Null stays null and NaN stays NaN; what a
//! function is not defined for follows IEEE 754: the logarithm of 0 is −∞, of −1 and the root of −1 NaN. What then
//! reaches a model as no number stops the training and names its row.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::fit::Builder;
use crate::graph::{Cell, CellInputs};
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// |x|.
    Abs,
    /// The next integer up.
    Ceil,
    /// The cosine of x in radians.
    Cos,
    /// e to the power of x.
    Exp,
    /// The next integer down.
    Floor,
    /// The natural logarithm.
    Log,
    /// log(1 + x), exact near 0.
    Log1p,
    /// The logarithm to base 10.
    Log10,
    /// The logarithm to base 2.
    Log2,
    /// −x.
    Negate,
    /// 1 / x.
    Reciprocal,
    /// The nearest integer, halves to even.
    Round,
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// −1, 0 or 1.
    Sign,
    /// The sine of x in radians.
    Sin,
    /// The square root.
    Sqrt,
    /// x².
    Square,
    /// The hyperbolic tangent.
    Tanh,
}

impl Function {
    pub(crate) fn of(self, x: f64) -> f64 {
        match self {
            Self::Abs => x.abs(),
            Self::Ceil => x.ceil(),
            Self::Cos => x.cos(),
            Self::Exp => x.exp(),
            Self::Floor => x.floor(),
            Self::Log => x.ln(),
            Self::Log1p => x.ln_1p(),
            Self::Log10 => x.log10(),
            Self::Log2 => x.log2(),
            Self::Negate => -x,
            Self::Reciprocal => x.recip(),
            Self::Round => x.round_ties_even(),
            Self::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            // `signum` of a zero is 1.
            Self::Sign => {
                if x == 0.0 {
                    0.0
                } else {
                    x.signum()
                }
            }
            Self::Sin => x.sin(),
            Self::Sqrt => x.sqrt(),
            Self::Square => x * x,
            Self::Tanh => x.tanh(),
        }
    }
}

/// The options of `math`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Math {
    /// The columns.
    pub columns: Vec<String>,
    /// The function.
    pub function: Function,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Plan for Math {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.number(column)?;
            graph.step(&[input], [(name, ValueKind::FLOAT)], Known(Mapper::Math(self.function)))?;
        }
        Ok(())
    }
}

impl Map for Function {
    fn inverse(&self, value: f64) -> Option<f64> {
        match self {
            Self::Exp => Some(value.ln()),
            Self::Log => Some(value.exp()),
            Self::Log1p => Some(value.exp_m1()),
            Self::Log10 => Some(10.0_f64.powf(value)),
            Self::Log2 => Some(value.exp2()),
            Self::Negate => Some(-value),
            Self::Reciprocal => Some(value.recip()),
            Self::Sigmoid => Some((value / (1.0 - value)).ln()),
            Self::Sqrt => Some(if value < 0.0 { f64::NAN } else { value * value }),
            Self::Tanh => Some(value.atanh()),
            Self::Abs
            | Self::Ceil
            | Self::Cos
            | Self::Floor
            | Self::Round
            | Self::Sign
            | Self::Sin
            | Self::Square => None,
        }
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        inputs.map_numbers(|value| self.of(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of(value))
    }
}

/// The options of `clip`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clip {
    /// The columns.
    pub columns: Vec<String>,
    /// Smaller values become this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// Larger values become this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl Plan for Clip {
    fn check(&self) -> Result<(), OptionsError> {
        let (low, high) = (self.at_least.unwrap_or(f64::NEG_INFINITY), self.at_most.unwrap_or(f64::INFINITY));
        if self.at_least.is_none() && self.at_most.is_none() {
            return Err(OptionsError::Conflict {
                name: "clip".into(),
                problem: "has neither `at_least` nor `at_most`".into(),
                hint: Some("say where to clip: `clip: {columns: [fare], at_most: 100}`".into()),
            });
        }
        if low <= high {
            return Ok(());
        }
        Err(OptionsError::OutOfRange {
            name: "clip.at_least".into(),
            value: low.to_string(),
            range: format!("a number up to `clip.at_most`, {high}"),
        })
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.number(column)?;
            let bounds = ClipBounds { at_least: self.at_least, at_most: self.at_most };
            graph.step(&[input], [(name, ValueKind::FLOAT)], Known(Mapper::Clip(bounds)))?;
        }
        Ok(())
    }
}

/// Holds numbers between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipBounds {
    /// The lower one.
    pub at_least: Option<f64>,
    /// The upper one.
    pub at_most: Option<f64>,
}

impl ClipBounds {
    fn of(self, value: f64) -> f64 {
        // Comparisons with NaN are false, so NaN stays.
        let value = self.at_least.filter(|low| value < *low).unwrap_or(value);
        self.at_most.filter(|high| value > *high).unwrap_or(value)
    }
}

impl Map for ClipBounds {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        inputs.map_numbers(|value| self.of(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of(value))
    }
}
