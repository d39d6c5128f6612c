//! Standardize: (x − mean) / standard deviation, fitted on the finite values of the training rows, divisor n
//! (scikit-learn's `StandardScaler`, TFT's `scale_to_z_score`). A constant column is centred and not scaled. Null
//! stays null; NaN and infinities stay what they are and stop the training, which names their row. With `per`, mean and
//! deviation are those of a row's key: see `operation::per_key`.

use arrow::datatypes::Float64Type;
use serde::{Deserialize, Serialize};

use sluice_core::affine::AffineMap;
use sluice_core::error::Result;
use sluice_summaries::Moments;

use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::per_key::{self, OfNumber, PerKey};
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// The options of `standardize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandardizeOptions {
    /// The columns.
    pub columns: Vec<String>,
    /// Columns for each combination of whose values constants are learnt apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per: Vec<String>,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

impl OfColumns for StandardizeOptions {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, per: Vec::new(), names: Vec::new() }
    }
}

impl Plan for StandardizeOptions {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let mut inputs = vec![graph.number(column)?];
            inputs.extend(graph.scalars(&self.per)?);
            let fitting = StandardizeFitting { column: column.to_owned(), keys: self.per.len() };
            graph.step(&inputs, [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct StandardizeFitting {
    column: String,
    keys: usize,
}

impl Fitting for StandardizeFitting {
    fn wanted(&self) -> Vec<Wanted> {
        let column = ColumnAnalyzer::new().with_moments();
        if self.keys > 0 { per_key::wanted(column, self.keys) } else { vec![Wanted::of(0, column)] }
    }

    fn fit(self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        if self.keys > 0 {
            let of = |column: &ColumnAnalyzer| Standardize::fit(column.moments.as_ref()?);
            let constants = PerKey::fit(answers, ("standardize", &self.column), of)?;
            return Ok(Fitted::Done(Mapper::StandardizePerKey(Box::new(constants))));
        }
        let column = answers.into_iter().find_map(Analyzer::into_column);
        let fitted = column.and_then(|column| Standardize::fit(column.moments.as_ref()?));
        let constants = fitted
            .ok_or(crate::TransformError::NoValues { operation: "standardize", column: self.column })?;
        Ok(Fitted::Done(Mapper::Standardize(constants)))
    }
}

/// The fitted constants.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standardize {
    /// Subtracted.
    pub mean: f64,
    /// Divided by; never 0.
    pub standard_deviation: f64,
}

impl Standardize {
    /// From the moments of the training rows; `None` when there was no value.
    pub(crate) fn fit(moments: &Moments) -> Option<Self> {
        let mean = moments.mean()?;
        let spread = moments.standard_deviation(0)?;
        // What is left of rounding the mean is not a spread: scikit-learn draws the line at 10 ulp too.
        let negligible = 10.0 * f64::EPSILON * mean.abs();
        let standard_deviation = if spread > negligible { spread } else { 1.0 };
        Some(Self { mean, standard_deviation })
    }
}

impl OfNumber for Standardize {
    fn of(&self, value: f64) -> f64 {
        (value - self.mean) / self.standard_deviation
    }
}

impl Map for Standardize {
    fn inverse(&self, value: f64) -> Option<f64> {
        Some(value * self.standard_deviation + self.mean)
    }

    fn affine(&self) -> Option<AffineMap> {
        Some(AffineMap::scaling(self.mean, self.standard_deviation))
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.numbers(0)?;
        let scaled = values.unary::<_, Float64Type>(|value| (value - self.mean) / self.standard_deviation);
        Ok(vec![Value::floats(scaled)])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let scaled = inputs.number(0)?.map(|value| (value - self.mean) / self.standard_deviation);
        outputs.push(scaled.map_or(Cell::Null, Cell::Float));
        Ok(())
    }
}
