//! Principal components: columns turned to the directions in which they vary most, each uncorrelated with the
//! others (scikit-learn's `PCA`; Jolliffe, Principal Component Analysis, 2nd edition, chapters 1 to 3).
//!
//! Component k of a row x is (x − mean) · `v_k`, `v_k` being the eigenvector of the k-th largest eigenvalue of the
//! sample covariance (divisor n − 1) of the training rows; with `whiten` it is divided by the root of that
//! eigenvalue, unless rounding is all that is left of it. Of each `v_k` the loading with the largest magnitude is
//! positive, as in scikit-learn from 1.5 (of equal ones the first). TFT's `pca` is the same matrix of `v_k`, its
//! projections are not centred.
//!
//! Rows with a null, a NaN or an infinity in any of the columns are left out of the fit; when applied, those with a
//! null or a NaN have null components, and infinities follow IEEE 754. One scan.

mod jacobi;

use arrow::array::{Array, Float64Array};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use serde::{Deserialize, Serialize};

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::options::{OptionsError, quoted};

use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ProductsAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// More columns than this are refused: the time grows with their cube.
const MOST_COLUMNS: usize = 1000;

/// The options of `pca`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pca {
    /// The columns.
    pub columns: Vec<String>,
    /// How many components are kept; as many as there are columns without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<usize>,
    /// Whether each component has standard deviation 1.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub whiten: bool,
    /// What the names of the components begin with, before their number from 1.
    #[serde(default = "default_prefix", rename = "as")]
    pub prefix: String,
}

fn default_prefix() -> String {
    "pca".into()
}

impl OfColumns for Pca {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, components: None, whiten: false, prefix: default_prefix() }
    }
}

impl Plan for Pca {
    fn check(&self) -> Result<(), OptionsError> {
        let out_of_range = |name: &str, value: usize, most: usize| {
            Err(OptionsError::OutOfRange {
                name: name.into(),
                value: value.to_string(),
                range: format!("from 1 to {most}"),
            })
        };
        let twice = self.columns.iter().enumerate().find(|(at, name)| self.columns[..*at].contains(name));
        if let Some((_, name)) = twice {
            return Err(OptionsError::Conflict {
                name: "pca".into(),
                problem: format!("names column `{name}` twice"),
                hint: Some("name each column once".into()),
            });
        }
        let columns = self.columns.len();
        if !(1..=MOST_COLUMNS).contains(&columns) {
            return out_of_range("the number of `pca.columns`", columns, MOST_COLUMNS);
        }
        match self.components {
            Some(components) if !(1..=columns).contains(&components) => {
                out_of_range("pca.components", components, columns)
            }
            _ => Ok(()),
        }
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let inputs = self.columns.iter().map(|column| graph.number(column)).collect::<Result<Vec<_>, _>>()?;
        let components = self.components.unwrap_or(self.columns.len());
        let names: Vec<String> = (1..=components).map(|number| format!("{} {number}", self.prefix)).collect();
        let fitting = PcaFitting { columns: self.columns.clone(), components, whiten: self.whiten };
        graph.step(&inputs, names.iter().map(|name| (name.as_str(), ValueKind::FLOAT)), fitting)?;
        Ok(())
    }
}

#[derive(Debug)]
struct PcaFitting {
    columns: Vec<String>,
    components: usize,
    whiten: bool,
}

impl Fitting for PcaFitting {
    fn wanted(&self) -> Vec<Wanted> {
        let inputs = (0..self.columns.len()).collect();
        vec![Wanted { inputs, analyzer: ProductsAnalyzer::new().into() }]
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let known = answers.into_iter().find_map(Analyzer::into_products);
        let found = known.as_ref().map_or(0, ProductsAnalyzer::count);
        let too_few = || TransformError::TooFewRows {
            operation: "pca",
            columns: quoted(self.columns.iter().map(String::as_str)),
            found,
        };
        let centered = known.filter(|_| found >= 2).and_then(|known| known.centered());
        let centered = centered.ok_or_else(too_few)?;
        let divisor = DoubleDouble::from(found - 1);
        let covariance: Vec<f64> =
            centered.products.iter().map(|product| (*product / divisor).to_f64()).collect();
        if covariance.iter().any(|value| !value.is_finite()) {
            let columns = quoted(self.columns.iter().map(String::as_str));
            return Err(TransformError::TooLarge { operation: "pca", columns }.into());
        }
        let means = centered.means.iter().map(|mean| mean.to_f64()).collect();
        let components = Components::of(means, &covariance, self.components, self.whiten);
        Ok(Fitted::Done(Mapper::Pca(Box::new(components))))
    }
}

/// Directions of a space of columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Components {
    /// The means of the columns, subtracted.
    pub means: Vec<f64>,
    /// The directions, one after the other, each with a loading for every column.
    pub loadings: Vec<Vec<f64>>,
    /// The variances along them in the training rows, descending.
    pub variances: Vec<f64>,
    /// What the components are divided by: 1 without `whiten`.
    pub scales: Vec<f64>,
}

impl Components {
    /// From a covariance matrix, the lower triangle row by row.
    fn of(means: Vec<f64>, covariance: &[f64], count: usize, whiten: bool) -> Self {
        let mut pairs = jacobi::eigenpairs(means.len(), covariance);
        pairs.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        pairs.truncate(count);
        let largest = pairs.first().map_or(0.0, |(variance, _)| *variance);
        let negligible = largest * f64::EPSILON * means.len() as f64;
        let scale = |variance: f64| if whiten && variance > negligible { variance.sqrt() } else { 1.0 };
        let (variances, loadings): (Vec<f64>, Vec<Vec<f64>>) = pairs
            .into_iter()
            .map(|(variance, vector)| (if variance > 0.0 { variance } else { 0.0 }, signed(vector)))
            .unzip();
        Self {
            means,
            loadings,
            scales: variances.iter().map(|variance| scale(*variance)).collect(),
            variances,
        }
    }

    /// Component `number` of the row whose numbers `of` gives.
    fn component(&self, number: usize, of: impl Fn(usize) -> f64) -> f64 {
        let each = self.means.iter().zip(&self.loadings[number]).enumerate();
        let sum = each.fold(0.0, |sum, (column, (mean, loading))| sum + (of(column) - mean) * loading);
        sum / self.scales[number]
    }
}

/// The direction in which the loading of the largest magnitude is positive.
fn signed(vector: Vec<f64>) -> Vec<f64> {
    let largest = vector.iter().map(|loading| loading.abs()).fold(0.0, |a, b| if b > a { b } else { a });
    // Magnitudes that only rounding tells apart are equal.
    let first = vector.iter().find(|loading| loading.abs() >= largest * (1.0 - 1e-9));
    if first.is_some_and(|loading| *loading < 0.0) {
        return vector.into_iter().map(|loading| 0.0 - loading).collect();
    }
    vector
}

impl Map for Components {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let columns =
            (0..inputs.values.len()).map(|index| inputs.numbers(index)).collect::<Result<Vec<_>>>()?;
        let is_known =
            |row: usize| columns.iter().all(|column| column.is_valid(row) && !column.value(row).is_nan());
        let nulls = NullBuffer::new(BooleanBuffer::collect_bool(inputs.rows, is_known));
        let component = |number: usize| {
            let values: Vec<f64> = (0..inputs.rows)
                .map(|row| {
                    if nulls.is_null(row) {
                        return 0.0;
                    }
                    self.component(number, |column| columns[column].value(row))
                })
                .collect();
            Value::floats(Float64Array::new(values.into(), Some(nulls.clone())))
        };
        Ok((0..self.loadings.len()).map(component).collect())
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let mut row = Vec::with_capacity(inputs.slots.len());
        for index in 0..inputs.slots.len() {
            row.extend(inputs.number(index)?.filter(|value| !value.is_nan()));
        }
        let is_known = row.len() == inputs.slots.len();
        outputs.extend((0..self.loadings.len()).map(|number| {
            if is_known { Cell::Float(self.component(number, |column| row[column])) } else { Cell::Null }
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use serde_json::json;

    use super::*;
    use crate::testing::{check_laws, check_paths, features, fitted, refusal, table};

    #[test]
    fn the_components_of_tft() {
        // golden.json tft-019: the directions are (1, 0, 0) and (0, 1, 0); tft-017 has their variances, divisor n.
        let column = |values: [f64; 4]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        let rows = table(vec![
            ("a", column([0.0, 4.0, 2.0, 2.0])),
            ("b", column([0.0, 0.0, -1.0, 1.0])),
            ("c", column([1.0; 4])),
        ]);
        let pca = json!([{ "pca": { "columns": ["a", "b", "c"], "components": 2, "whiten": true } }]);
        let transform = fitted(&rows, &pca).unwrap();
        let Mapper::Pca(components) = &transform.nodes()[0].mapper else { panic!("no components") };
        assert_eq!(components.loadings, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
        for (mean, expected) in components.means.iter().zip([2.0, 0.0, 1.0]) {
            assert!((mean - expected).abs() < 1e-16, "{mean}");
        }
        sluice_testkit::assert_relative(components.variances[0], 8.0 / 3.0, 1e-15);
        let found = features(&transform, &rows);
        assert_eq!((found[0].0.as_str(), found[1].0.as_str()), ("pca 1", "pca 2"));
        sluice_testkit::assert_relative(found[0].1[1].unwrap(), 2.0 / (8.0_f64 / 3.0).sqrt(), 1e-15);
    }

    #[test]
    fn rows_with_holes_are_left_out_and_have_no_components() {
        let of = |values: Vec<Option<f64>>| Arc::new(Float64Array::from(values)) as ArrayRef;
        let x = (0..60).map(|n| (n % 7 != 0).then(|| f64::from(n * n % 31)));
        let y = (0..60).map(|n| Some(if n % 11 == 0 { f64::NAN } else { f64::from(n * 13 % 17) + 1e6 }));
        let rows = table(vec![("x", of(x.collect())), ("y", of(y.collect()))]);
        let pca = json!([{ "pca": ["x", "y"] }]);
        let transform = fitted(&rows, &pca).unwrap();
        let found = features(&transform, &rows);
        assert_eq!((found[0].1[7], found[1].1[11]), (None, None));
        let known: Vec<f64> = found[0].1.iter().flatten().copied().collect();
        assert_eq!(known.len(), 60 - 9 - 5);
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        assert!(mean.abs() < 1e-9, "{mean}");
        check_paths(&transform, &rows);
        check_laws(&rows, &pca);
        let empty = table(vec![("x", of(vec![Some(1.0), None])), ("y", of(vec![Some(2.0), Some(3.0)]))]);
        let refused = refusal(&empty, &pca);
        assert!(refused.contains("two training rows") && refused.contains("found 1"), "{refused}");
        let many = refusal(&rows, &json!([{ "pca": { "columns": ["x", "y"], "components": 3 } }]));
        assert!(many.starts_with("`pca.components` is 3, but must be from 1 to 2"), "{many}");
    }
}
