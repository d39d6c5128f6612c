//! Scale to Gaussian: takes the heavy tails of a column back to those of a normal distribution (TFT's
//! `scale_to_gaussian`).
//!
//! A column is taken for location + scale · u · e^(h u² / 2) with u normal, h being one number below 0 and another
//! above (Tukey's hh distribution); what comes out is u, by ±√(W(h z²) / h) of z = (x − location) / scale, W being
//! Lambert's function. [`tukey`] says how the numbers follow from the training rows. A column with lighter tails
//! than the normal distribution is standardized: (x − mean) / standard deviation; a constant column is centred.
//!
//! Only finite values are learnt from. Null stays null, NaN stays NaN, infinities stay infinite. One scan and exact up
//! to 8,192 distinct values. Beyond that two: the first leaves quantiles, the second sums up the values themselves
//! weighted by their ranks, which are off by some 0.05 % of the rows; h then is, by some 0.001. TFT looks for h in steps
//! down to 1e-6 at best, here it is found to the last digits: results differ by as much.

mod tukey;

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, Knot, OrderedAnalyzer, Wanted};

use crate::graph::{Cell, CellInputs};
use crate::operation::standardize::Standardize;
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};
use tukey::LMoments;

/// Distinct values up to which the fit is exact.
const DISTINCT: usize = 8192;
/// Below this h z² the square root of W(h z²) / h is z, to 1e-14.
pub const NEGLIGIBLE: f64 = 1e-14;
/// Steps to Lambert's function: they square the error, and 5 are enough.
pub const LAMBERT_STEPS: usize = 6;

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
            let fitting = GaussianFitting { column: column.to_owned(), known: None };
            graph.step(&[input], [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct GaussianFitting {
    column: String,
    /// What a first scan told, where its ranks are not exact.
    known: Option<(Standardize, Vec<Knot>)>,
}

impl Fitting for GaussianFitting {
    fn is_iterated(&self) -> bool {
        true
    }

    fn wanted(&self) -> Vec<Wanted> {
        vec![match &self.known {
            None => Wanted::of(0, ColumnAnalyzer::new().with_moments().with_quantiles_up_to(DISTINCT)),
            Some((standardized, knots)) => {
                Wanted::of(0, OrderedAnalyzer::new(standardized.mean, knots.clone()))
            }
        }]
    }

    fn fit(mut self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let done = |moments: Option<LMoments>, standardized: Standardize| {
            Ok(Fitted::Done(Mapper::ScaleToGaussian(Tails::of(moments, standardized))))
        };
        if let Some((standardized, _)) = self.known {
            let means = answers.into_iter().find_map(Analyzer::into_ordered).and_then(|known| known.means());
            return done(means.and_then(|means| LMoments::of(means, standardized.mean)), standardized);
        }
        let column = answers.into_iter().find_map(Analyzer::into_column);
        let known = column.and_then(|column| {
            let standardized = Standardize::fit(column.moments.as_ref()?)?;
            Some((standardized, column.quantiles?))
        });
        let Some((standardized, quantiles)) = known else {
            let column = self.column;
            return Err(TransformError::NoValues { operation: "scale_to_gaussian", column }.into());
        };
        let ranks = quantiles.ranks();
        if quantiles.is_exact() {
            return done(tukey::l_moments(&ranks, standardized.mean), standardized);
        }
        self.known = Some((standardized, tukey::knots(&ranks)));
        Ok(Fitted::Again(self))
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
    fn of(moments: Option<LMoments>, standardized: Standardize) -> Self {
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
        inputs.map_numbers(|value| self.of_number(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of_number(value))
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
    fn many_distinct_values_take_a_second_scan() {
        // The values at equal steps of the share, so that the moments of the rows are those of the distribution.
        let count = 40_000_u32;
        let of = |index: u32| {
            let rank = (index * 7919) % count;
            let u = crate::operation::quantile::normal::quantile((f64::from(rank) + 0.5) / f64::from(count));
            10.0 + 2.0 * u * (if u < 0.0 { 0.05 } else { 0.2 } * u * u / 2.0).exp()
        };
        let rows = column((0..count).map(|index| Some(of(index))).collect());
        let operations = json!([{ "scale_to_gaussian": ["x"] }]);
        let source = sluice_testkit::MemorySource::new(&rows, 5000);
        let execution = sluice_core::execution::Execution::with_threads(2);
        let spec = crate::testing::spec(&operations);
        let transform = crate::fit(&spec, &source, &sluice_core::role::Roles::default(), &execution).unwrap();
        let Mapper::ScaleToGaussian(tails) = &transform.nodes()[0].mapper else { panic!("no tails") };
        for (found, expected) in
            [(tails.lower, 0.05), (tails.upper, 0.2), (tails.location, 10.0), (tails.scale, 2.0)]
        {
            assert!((found - expected).abs() < 2e-3, "{tails:?}");
        }
        // The weighted sums are those of the exact ranks, with a value that many rows hold too.
        let mut values: Vec<f64> =
            (0..30_000).map(|index| if index % 3 == 0 { 10.0 } else { of(index) }).collect();
        let rows = column(values.iter().map(|value| Some(*value)).collect());
        let source = sluice_testkit::MemorySource::new(&rows, 5000);
        let transform = crate::fit(&spec, &source, &sluice_core::role::Roles::default(), &execution).unwrap();
        let Mapper::ScaleToGaussian(found) = &transform.nodes()[0].mapper else { panic!("no tails") };
        values.sort_unstable_by(f64::total_cmp);
        let exact = sluice_summaries::Ranks::exact(
            values.chunk_by(|a, b| a >= b).map(|equal| (equal[0], equal.len() as u64)),
        );
        let unused = Standardize { mean: f64::NAN, standard_deviation: f64::NAN };
        let expected = Tails::of(tukey::l_moments(&exact, 10.0), unused);
        assert!(expected.upper > 0.2, "the heap in the middle makes the tails heavier: {expected:?}");
        for (found, expected) in [
            (found.lower, expected.lower),
            (found.upper, expected.upper),
            (found.location, expected.location),
            (found.scale, expected.scale),
        ] {
            assert!((found - expected).abs() < 2e-3, "{found} is not {expected}");
        }
        let few = rows.slice(0, 14_000);
        crate::testing::check_laws(&few, &operations);
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
