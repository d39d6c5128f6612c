//! A model that an iteration starts from: its coefficients, matched by the names of their columns.

use super::{LinearModel, Output};
use crate::error::TrainingError;

/// Where the iteration for one output starts.
#[derive(Clone, Debug, PartialEq)]
pub struct StartValues {
    /// The intercept.
    pub intercept: f64,
    /// One per column of the design matrix; 0 for a column that the earlier model did not have.
    pub coefficients: Vec<f64>,
}

impl LinearModel {
    /// Where to start a fit of `family` for `targets` with design columns of these names: the coefficients of this model
    /// by name. Columns that it has and the fit has not are left out.
    ///
    /// # Errors
    /// [`TrainingError::OtherStart`] for a model of another family or other targets.
    pub fn start_values(
        &self,
        family: &str,
        targets: &[&str],
        columns: &[String],
    ) -> Result<Vec<StartValues>, TrainingError> {
        let other = |what, found: &str, expected: &str| {
            Err(TrainingError::OtherStart { what, found: found.into(), expected: expected.into() })
        };
        if self.family != family {
            return other("family", &self.family, family);
        }
        let mine: Vec<&str> = self.outputs.iter().map(|output| output.target.as_str()).collect();
        if mine != targets {
            return other("label", &mine.join("`, `"), &targets.join("`, `"));
        }
        Ok(self.outputs.iter().map(|output| output.start_values(columns)).collect())
    }
}

impl Output {
    fn start_values(&self, columns: &[String]) -> StartValues {
        let known: std::collections::BTreeMap<&str, f64> = self
            .coefficients
            .iter()
            .map(|coefficient| (coefficient.column.as_str(), coefficient.value))
            .collect();
        let coefficients = columns.iter().map(|column| known.get(column.as_str()).copied().unwrap_or(0.0));
        StartValues { intercept: self.intercept, coefficients: coefficients.collect() }
    }
}
