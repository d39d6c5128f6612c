//! Power transform: the power that brings a column nearest to a normal distribution, then mean 0 and standard
//! deviation 1 (scikit-learn's `PowerTransformer`).
//!
//! - `box_cox`, for numbers above 0: (x^λ − 1) / λ, log x at λ = 0 (Box & Cox, "An analysis of transformations",
//!   Journal of the Royal Statistical Society B 26 (1964)). A training value of 0 or below is an error; when applied,
//!   a number below 0 becomes NaN and 0 the limit, which is −∞ for λ ≤ 0.
//! - `yeo_johnson`, for numbers of any sign: ((x + 1)^λ − 1) / λ from 0 up, −((1 − x)^(2−λ) − 1) / (2 − λ) below 0,
//!   with logarithms in the limits (Yeo & Johnson, "A new family of power transformations to improve normality or
//!   symmetry", Biometrika 87 (2000)).
//!
//! λ maximises the likelihood of the finite training values: [`likelihood`] says how. A constant column has λ = 1, the
//! identity. Null stays null and NaN stays NaN; infinities become the limit, infinite or not.
//!
//! One scan up to [`DISTINCT`] distinct values; beyond that the first scan leaves quantiles, which tell λ roughly, and
//! further ones, usually one, the moments of the transformed column at λs around it.

pub(crate) mod likelihood;

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_summaries::Moments;

use self::likelihood::{Found, Outcome, Point, Search};
use crate::error::TransformError;
use crate::fit::Builder;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, PowerAnalyzer, Wanted};
use crate::graph::{Cell, CellInputs};
use crate::operation::{Fitted, Fitting, Inputs, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// Distinct values up to which one scan tells all.
pub(crate) const DISTINCT: usize = 8192;

/// Which family of powers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerMethod {
    /// For numbers of any sign.
    #[default]
    YeoJohnson,
    /// For numbers above 0.
    BoxCox,
}

impl PowerMethod {
    /// The logarithm whose multiples are the exponents, with the sign of x for Yeo-Johnson.
    pub(crate) fn log(self, x: f64) -> f64 {
        match self {
            Self::YeoJohnson => x.abs().ln_1p().copysign(x),
            Self::BoxCox => x.ln(),
        }
    }

    /// The transformed number from its logarithm.
    pub(crate) fn of_log(self, log: f64, lambda: f64) -> f64 {
        match self {
            Self::YeoJohnson if log < 0.0 => -raised(-log, 2.0 - lambda),
            Self::YeoJohnson | Self::BoxCox => raised(log, lambda),
        }
    }
}

impl PowerMethod {
    /// The number whose transform this is; NaN where there is none.
    fn inverse(self, raised: f64, lambda: f64) -> f64 {
        match self {
            Self::YeoJohnson if raised < 0.0 => -lowered(-raised, 2.0 - lambda).exp_m1(),
            Self::YeoJohnson => lowered(raised, lambda).exp_m1(),
            Self::BoxCox => lowered(raised, lambda).exp(),
        }
    }
}

/// The logarithm that [`raised`] made this of.
fn lowered(raised: f64, lambda: f64) -> f64 {
    if lambda.abs() < f64::MIN_POSITIVE { raised } else { (lambda * raised).ln_1p() / lambda }
}

/// (e^(λ log) − 1) / λ, exact near λ = 0.
fn raised(log: f64, lambda: f64) -> f64 {
    if lambda.abs() < f64::MIN_POSITIVE { log } else { (lambda * log).exp_m1() / lambda }
}

/// The options of `power_transform`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerTransform {
    /// The columns.
    pub columns: Vec<String>,
    /// Which family of powers.
    #[serde(default)]
    pub method: PowerMethod,
    /// Whether the results have mean 0 and standard deviation 1.
    #[serde(default = "yes")]
    pub standardize: bool,
    /// What the results are called, one each; they replace their columns without.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn yes() -> bool {
    true
}

impl OfColumns for PowerTransform {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, method: PowerMethod::default(), standardize: true, names: Vec::new() }
    }
}

impl Plan for PowerTransform {
    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        for (column, name) in graph.renamed(&self.columns, &self.names)? {
            let input = graph.number(column)?;
            let fitting = PowerFitting {
                column: column.to_owned(),
                method: self.method,
                standardize: self.standardize,
                search: None,
            };
            graph.step(&[input], [(name, ValueKind::FLOAT)], fitting)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct PowerFitting {
    column: String,
    method: PowerMethod,
    standardize: bool,
    /// Where λ is looked for, once it is known roughly.
    search: Option<Search>,
}

impl Fitting for PowerFitting {
    fn is_iterated(&self) -> bool {
        true
    }

    fn wanted(&self) -> Vec<Wanted> {
        vec![match &self.search {
            None => Wanted::of(0, ColumnAnalyzer::new().with_quantiles_up_to(DISTINCT)),
            Some(search) => Wanted::of(0, PowerAnalyzer::new(self.method, search.lambdas())),
        }]
    }

    fn fit(mut self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let Some(search) = self.search.take() else { return self.begin(answers) };
        let Some(known) = answers.into_iter().find_map(Analyzer::into_power) else {
            return Err(self.no_values().into());
        };
        match search.step(&known.points()) {
            Outcome::Narrower(search) => {
                self.search = Some(search);
                Ok(Fitted::Again(self))
            }
            Outcome::Found(found) => Ok(self.done(found)),
            // The table of quantiles had a likelihood somewhere, all the rows have none: nothing is gained by a power.
            Outcome::Nowhere => Ok(self.done(Found::identity(known.moments_at_one()))),
        }
    }
}

impl PowerFitting {
    fn no_values(&self) -> TransformError {
        TransformError::NoValues { operation: "power_transform", column: self.column.clone() }
    }

    /// What the first scan tells: all, where the table of values is exact.
    fn begin(mut self: Box<Self>, answers: Vec<Analyzer>) -> Result<Fitted> {
        let column = answers.into_iter().find_map(Analyzer::into_column);
        let Some(quantiles) = column.and_then(|column| column.quantiles) else {
            return Err(self.no_values().into());
        };
        let ranks = quantiles.ranks();
        let (Some(smallest), Some(largest)) = (ranks.min(), ranks.max()) else {
            return Err(self.no_values().into());
        };
        if self.method == PowerMethod::BoxCox && smallest <= 0.0 {
            return Err(TransformError::NotPositive {
                operation: "power_transform",
                column: self.column,
                value: smallest,
            }
            .into());
        }
        let logs: Vec<(f64, u64)> =
            ranks.entries().map(|(value, count)| (self.method.log(value), count)).collect();
        let method = self.method;
        let at = |lambda: f64| moments_of(method, &logs, lambda);
        let is_constant = !(smallest < largest);
        let search = Search::over((method.log(smallest), method.log(largest)), method);
        let found = match search {
            Some(search) if !is_constant => search.settle(mean(&logs), at),
            _ => None,
        };
        let Some(found) = found else {
            return Ok(self.done(Found::identity(at(1.0))));
        };
        if quantiles.is_exact() {
            return Ok(self.done(Found::at(found, at(found))));
        }
        self.search = Some(Search::around(found, (method.log(smallest), method.log(largest)), method));
        Ok(Fitted::Again(self))
    }

    fn done(self, found: Found) -> Fitted {
        // What is left of rounding is no spread, as in `standardize`.
        let negligible = 10.0 * f64::EPSILON * found.mean.abs();
        let is_spread = found.standard_deviation > negligible;
        let (center, scale) = match (self.standardize, is_spread) {
            (false, _) => (0.0, 1.0),
            (true, false) => (found.mean, 1.0),
            (true, true) => (found.mean, found.standard_deviation),
        };
        Fitted::Done(Mapper::PowerTransform(Powered {
            method: self.method,
            lambda: found.lambda,
            center,
            scale,
        }))
    }
}

/// The moments of transformed values that are given by their logarithms.
fn moments_of(method: PowerMethod, logs: &[(f64, u64)], lambda: f64) -> Moments {
    let mut moments = Moments::new();
    moments.update_counted(logs.iter().map(|(log, count)| (method.of_log(*log, lambda), *count)));
    moments
}

fn mean(logs: &[(f64, u64)]) -> f64 {
    let mut moments = Moments::new();
    moments.update_counted(logs.iter().copied());
    moments.mean().unwrap_or(0.0)
}

/// What a scan tells of one λ.
impl Point {
    pub(crate) fn of(lambda: f64, mean_log: f64, moments: &Moments) -> Self {
        Self::new(
            lambda,
            mean_log,
            moments.mean().unwrap_or(0.0),
            moments.standard_deviation(0).unwrap_or(0.0),
        )
    }
}

/// (T(x) − center) / scale, T the power transform.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Powered {
    /// The family of powers.
    pub method: PowerMethod,
    /// The power.
    pub lambda: f64,
    /// Subtracted from the transformed number.
    pub center: f64,
    /// Divided by; above 0.
    pub scale: f64,
}

impl Powered {
    fn of(&self, x: f64) -> f64 {
        (self.method.of_log(self.method.log(x), self.lambda) - self.center) / self.scale
    }
}

impl Map for Powered {
    fn inverse(&self, value: f64) -> Option<f64> {
        Some(self.method.inverse(value * self.scale + self.center, self.lambda))
    }

    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        inputs.map_numbers(|value| self.of(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of(value))
    }
}

#[cfg(test)]
mod tests;
