//! Scale to Gaussian: takes the heavy tails of a column back to those of a normal distribution (TFT's
//! `scale_to_gaussian`).
//!
//! A column is taken for location + scale · u · e^(h u² / 2) with u normal, h being one number below 0 and another
//! above (Tukey's hh distribution); what comes out is u, by ±√(W(h z²) / h) of z = (x − location) / scale, W being
//! Lambert's function. [`tukey`] says how the numbers follow from the training rows. A column with lighter tails
//! than the normal distribution is standardized: (x − mean) / standard deviation; a constant column is centred.
//!
//! Only finite values are learnt from. Null stays null, NaN stays NaN, infinities stay infinite. One scan. Exact up
//! to 8,192 distinct values, beyond that within the rank error of the quantiles, some 0.05 % of the rows. TFT looks
//! for h in steps down to 1e-6 at best, here it is found to the last digits: results differ by as much.

mod tukey;

use arrow::datatypes::Float64Type;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::standardize::Standardize;
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// Distinct values up to which the fit is exact.
const DISTINCT: usize = 8192;
/// Below this h z² the square root of W(h z²) / h is z, to 1e-14.
const NEGLIGIBLE: f64 = 1e-14;
/// Steps to Lambert's function: they square the error, and 5 are enough.
const LAMBERT_STEPS: usize = 6;

/// The options of `scale_to_gaussian`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaleToGaussian {
    /// The columns.
    pub columns: Vec<String>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl OfColumns for ScaleToGaussian {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, names: Vec::new() }
    }
}

impl Plan for ScaleToGaussian {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.number(column)?;
            let fitting = GaussianFitting { column: column.to_owned() };
            graph.step(&[input], [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct GaussianFitting {
    column: String,
}

impl Fitting for GaussianFitting {
    fn wanted(&self) -> Vec<Wanted> {
        vec![Wanted::of(0, ColumnAnalyzer::new().with_moments().with_quantiles_up_to(DISTINCT))]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let column = answers.into_iter().find_map(Analyzer::into_column);
        let constants = column.and_then(|column| {
            let standardized = Standardize::fit(column.moments.as_ref()?)?;
            Some(Tails::of(&column.quantiles?.ranks(), standardized))
        });
        let no_values = TransformError::NoValues { operation: "scale_to_gaussian", column: self.column };
        Ok(Fitted::Done(Mapper::ScaleToGaussian(constants.ok_or(no_values)?)))
    }
}

/// The normal number behind one with heavy tails.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tails {
    /// Subtracted.
    pub location: f64,
    /// Divided by; above 0.
    pub scale: f64,
    /// How heavy the lower tail is: from 0, as in a normal distribution, up to 1.
    pub lower: f64,
    /// How heavy the upper tail is.
    pub upper: f64,
}

impl Tails {
    fn of(ranks: &sluice_summaries::Ranks, standardized: Standardize) -> Self {
        let moments = tukey::l_moments(ranks, standardized.mean);
        let fitted = moments.and_then(|moments| Some((moments, tukey::tails(&moments)?)));
        let Some((moments, (lower, upper))) = fitted else {
            let Standardize { mean, standard_deviation } = standardized;
            return Self { location: mean, scale: standard_deviation, lower: 0.0, upper: 0.0 };
        };
        let (mean, scale) = tukey::location_and_scale(lower, upper);
        let scale = moments.scale / scale;
        Self { location: moments.mean - scale * mean, scale, lower, upper }
    }

    fn of_number(&self, x: f64) -> f64 {
        let z = (x - self.location) / self.scale;
        let tail = if z < 0.0 { self.lower } else { self.upper };
        if !(tail * z * z > NEGLIGIBLE) || z.is_infinite() {
            return z;
        }
        (lambert(tail.ln() + 2.0 * z.abs().ln()) / tail).sqrt().copysign(z)
    }
}

/// W(y), the w with w e^w = y, from log y: Newton's method for w + log w = log y (Corless et al., "On the Lambert W
/// function", Advances in Computational Mathematics 5 (1996)).
fn lambert(log: f64) -> f64 {
    let mut w = if log < 700.0 { log.exp().ln_1p() } else { log };
    for _ in 0..LAMBERT_STEPS {
        w *= (1.0 + log - w.ln()) / (1.0 + w);
    }
    w
}

impl Map for Tails {
    fn inverse(&self, value: f64) -> Option<f64> {
        let tail = if value < 0.0 { self.lower } else { self.upper };
        Some(value * (tail * value * value / 2.0).exp() * self.scale + self.location)
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.numbers(0)?;
        Ok(vec![Value::floats(values.unary::<_, Float64Type>(|value| self.of_number(value)))])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        outputs.push(inputs.number(0)?.map_or(Cell::Null, |value| Cell::Float(self.of_number(value))));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array};
    use serde_json::json;

    use super::*;
    use crate::testing::{check_paths, features, fitted, table};

    fn column(values: Vec<Option<f64>>) -> arrow::array::RecordBatch {
        table(vec![("x", Arc::new(Float64Array::from(values)) as ArrayRef)])
    }

    #[test]
    fn lambert_is_what_undoes_w_e_to_the_w() {
        for w in [1e-7_f64, 0.1, 1.0, 3.0, 50.0, 690.0] {
            sluice_testkit::assert_relative(lambert(w.ln() + w), w, 1e-14);
        }
    }

    #[test]
    fn light_tails_are_standardized_and_heavy_ones_drawn_in() {
        let even = column((0..50).map(|n| Some(f64::from(n))).collect());
        let transform = fitted(&even, &json!([{ "scale_to_gaussian": ["x"] }])).unwrap();
        let standardized = fitted(&even, &json!([{ "standardize": ["x"] }])).unwrap();
        assert_eq!(features(&transform, &even), features(&standardized, &even));
        let heavy = |n: i32| {
            let u = f64::from(n) / 20.0;
            3.0 + u * (if u < 0.0 { 0.1 } else { 0.4 } * u * u / 2.0).exp()
        };
        let mut values: Vec<Option<f64>> = (-50..=50).map(|n| Some(heavy(n))).collect();
        values.extend([None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)]);
        let rows = column(values);
        let transform = fitted(&rows, &json!([{ "scale_to_gaussian": ["x"] }])).unwrap();
        let Mapper::ScaleToGaussian(tails) = &transform.nodes()[0].mapper else { panic!("no tails") };
        assert!(tails.upper > tails.lower && tails.upper < 1.0, "{tails:?}");
        let found = &features(&transform, &rows)[0].1;
        assert!(found[101].is_none() && found[102].unwrap().is_nan());
        assert_eq!((found[103], found[104]), (Some(f64::INFINITY), Some(f64::NEG_INFINITY)));
        check_paths(&transform, &rows);
        let constant = column(vec![Some(3.5); 5]);
        let found =
            features(&fitted(&constant, &json!([{ "scale_to_gaussian": ["x"] }])).unwrap(), &constant);
        assert_eq!(found[0].1, [Some(0.0); 5]);
    }
}
