//! Linear scalings of one column, fitted on the finite values of the training rows.
//!
//! - `scale_to_range`: (x − min) / (max − min) · (high − low) + low (scikit-learn's `MinMaxScaler`, TFT's
//!   `scale_by_min_max`). A constant column becomes `low` (TFT: the sigmoid of x). Values beyond those of training
//!   leave the range unless `clip` holds them in.
//! - `max_abs_scale`: x / max |x| (scikit-learn's `MaxAbsScaler`); a column of zeros is left alone.
//! - `robust_scale`: (x − median) / (quantile high − quantile low), by default the interquartile range (scikit-learn's
//!   `RobustScaler`); not scaled where the two quantiles are one value. Quantiles are interpolated as NumPy does, exact
//!   up to 2,048 distinct values, within their bound beyond.
//!
//! Null stays null, NaN stays NaN; infinities stay infinite, or are clipped.

use serde::{Deserialize, Serialize};

use sluice_core::affine::AffineMap;
use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::per_key::{self, OfNumber, PerKey};
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// The options of `scale_to_range`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleToRange {
    /// The columns.
    pub columns: Vec<String>,
    /// What the smallest and the largest value of the training rows become.
    #[serde(default = "unit_range")]
    pub range: [f64; 2],
    /// Whether values beyond those of training are held in the range.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clip: bool,
    /// Columns for each combination of whose values constants are learnt apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<String>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn unit_range() -> [f64; 2] {
    [0.0, 1.0]
}

impl OfColumns for ScaleToRange {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, range: unit_range(), clip: false, per: Vec::new(), names: Vec::new() }
    }
}

/// The options of `max_abs_scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxAbsScale {
    /// The columns.
    pub columns: Vec<String>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl OfColumns for MaxAbsScale {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, names: Vec::new() }
    }
}

/// The options of `robust_scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustScale {
    /// The columns.
    pub columns: Vec<String>,
    /// The two quantiles whose distance becomes 1.
    #[serde(default = "quartiles")]
    pub quantiles: [f64; 2],
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn quartiles() -> [f64; 2] {
    [0.25, 0.75]
}

impl OfColumns for RobustScale {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, quantiles: quartiles(), names: Vec::new() }
    }
}

/// How the constants follow from the training rows.
#[derive(Clone, Copy, Debug)]
enum Method {
    Range { low: f64, high: f64, clip: bool },
    MaxAbs,
    Robust { low: f64, high: f64 },
}

#[derive(Debug)]
struct ScaleFitting {
    operation: &'static str,
    column: String,
    method: Method,
    keys: usize,
}

fn plan(
    graph: &mut Builder<'_>,
    operation: &'static str,
    (columns, names): (&[String], &[String]),
    per: &[String],
    method: Method,
) -> Result<()> {
    for (column, name) in graph.renamed(columns, names)? {
        let mut inputs = vec![graph.number(column)?];
        inputs.extend(graph.scalars(per)?);
        let fitting = ScaleFitting { operation, column: column.to_owned(), method, keys: per.len() };
        graph.step(&inputs, [(name, ValueKind::FLOAT)], fitting)?;
    }
    Ok(())
}

fn ascending(
    name: &str,
    [low, high]: [f64; 2],
    range: &str,
    within: std::ops::RangeInclusive<f64>,
) -> Result<(), OptionsError> {
    if low < high && within.contains(&low) && within.contains(&high) {
        return Ok(());
    }
    Err(OptionsError::OutOfRange {
        name: name.into(),
        value: format!("[{low}, {high}]"),
        range: range.into(),
    })
}

impl Plan for ScaleToRange {
    fn check(&self) -> Result<(), OptionsError> {
        let range = "two finite numbers, the smaller first";
        ascending("scale_to_range.range", self.range, range, f64::MIN..=f64::MAX)
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let [low, high] = self.range;
        let method = Method::Range { low, high, clip: self.clip };
        plan(graph, "scale_to_range", (&self.columns, &self.names), &self.per, method)
    }
}

impl Plan for MaxAbsScale {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        plan(graph, "max_abs_scale", (&self.columns, &self.names), &[], Method::MaxAbs)
    }
}

impl Plan for RobustScale {
    fn check(&self) -> Result<(), OptionsError> {
        let range = "two numbers from 0 to 1, the smaller first";
        ascending("robust_scale.quantiles", self.quantiles, range, 0.0..=1.0)
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let [low, high] = self.quantiles;
        plan(graph, "robust_scale", (&self.columns, &self.names), &[], Method::Robust { low, high })
    }
}

impl Fitting for ScaleFitting {
    fn wanted(&self) -> Vec<Wanted> {
        let analyzer = match self.method {
            Method::Range { .. } | Method::MaxAbs => ColumnAnalyzer::new().with_bounds(),
            Method::Robust { .. } => ColumnAnalyzer::new().with_quantiles(),
        };
        if self.keys > 0 { per_key::wanted(analyzer, self.keys) } else { vec![Wanted::of(0, analyzer)] }
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        if self.keys > 0 {
            let of = |column: &ColumnAnalyzer| self.method.range(column);
            let constants = PerKey::fit(answers, (self.operation, &self.column), of)?;
            return Ok(Fitted::Done(Mapper::ScaleToRangePerKey(Box::new(constants))));
        }
        let column = answers.into_iter().find_map(Analyzer::into_column);
        let mapper = column.and_then(|column| self.method.fit(&column));
        let no_values = TransformError::NoValues { operation: self.operation, column: self.column };
        Ok(Fitted::Done(mapper.ok_or(no_values)?))
    }
}

impl Method {
    fn range(self, column: &ColumnAnalyzer) -> Option<RangeScale> {
        let Self::Range { low, high, clip } = self else { return None };
        let (minimum, maximum) = column.bounds?.of_values()?;
        Some(RangeScale { minimum, maximum, low, high, clip })
    }

    /// The constants; `None` when there was no value.
    fn fit(self, column: &ColumnAnalyzer) -> Option<Mapper> {
        Some(match self {
            Self::Range { .. } => Mapper::ScaleToRange(self.range(column)?),
            Self::MaxAbs => {
                let (minimum, maximum) = column.bounds?.of_values()?;
                let largest = if maximum > -minimum { maximum } else { -minimum };
                Mapper::MaxAbsScale(Affine { center: 0.0, scale: if largest > 0.0 { largest } else { 1.0 } })
            }
            Self::Robust { low, high } => {
                let ranks = column.quantiles.as_ref()?.ranks();
                let center = ranks.interpolated(0.5)?;
                let width = ranks.interpolated(high)? - ranks.interpolated(low)?;
                // What is left of rounding is no width, as in `standardize`.
                let negligible = 10.0 * f64::EPSILON * center.abs();
                Mapper::RobustScale(Affine { center, scale: if width > negligible { width } else { 1.0 } })
            }
        })
    }
}

/// (x − center) / scale.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// Subtracted.
    pub center: f64,
    /// Divided by; above 0.
    pub scale: f64,
}

impl Affine {
    fn of(self, value: f64) -> f64 {
        (value - self.center) / self.scale
    }
}

impl Map for Affine {
    fn inverse(&self, value: f64) -> Option<f64> {
        Some(value * self.scale + self.center)
    }

    fn affine(&self) -> Option<AffineMap> {
        Some(AffineMap::scaling(self.center, self.scale))
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        inputs.map_numbers(|value| self.of(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of(value))
    }
}

/// (x − minimum) / (maximum − minimum) · (high − low) + low.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RangeScale {
    /// The smallest value of the training rows.
    pub minimum: f64,
    /// The largest.
    pub maximum: f64,
    /// What the smallest becomes.
    pub low: f64,
    /// What the largest becomes.
    pub high: f64,
    /// Whether what lies beyond is held in the range.
    pub clip: bool,
}

impl OfNumber for RangeScale {
    fn of(&self, value: f64) -> f64 {
        let width = self.maximum - self.minimum;
        let share = if width > 0.0 { (value - self.minimum) / width } else { value - self.minimum };
        let scaled = share * (self.high - self.low) + self.low;
        // `clamp` keeps NaN.
        if self.clip { scaled.clamp(self.low, self.high) } else { scaled }
    }
}

impl Map for RangeScale {
    fn inverse(&self, value: f64) -> Option<f64> {
        let share = (value - self.low) / (self.high - self.low);
        let width = self.maximum - self.minimum;
        Some(self.minimum + if width > 0.0 { share * width } else { share })
    }

    fn affine(&self) -> Option<AffineMap> {
        let width = self.maximum - self.minimum;
        let divisor = if width > 0.0 { width } else { 1.0 };
        let map = AffineMap { center: self.minimum, divisor, factor: self.high - self.low, offset: self.low };
        (!self.clip).then_some(map)
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        inputs.map_numbers(|value| self.of(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of(value))
    }
}
