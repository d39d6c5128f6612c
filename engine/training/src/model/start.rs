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

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> LinearModel {
        serde_json::from_value(serde_json::json!({
            "family": "poisson", "label": "y", "label_mean": 1.0, "link": "identity", "method": "whole", "rows": 3,
            "outputs": [{
                "target": "y", "alpha": 0.0, "intercept": 0.5,
                "coefficients": [{ "column": "a", "value": 2.0 }, { "column": "b", "value": -1.0 }],
                "diagnostics": {
                    "alpha": 0.0, "rows": 3, "rank": 2, "constant": [], "aliased": [], "condition": 1.0,
                    "effective_degrees": 3.0, "residual_square": 0.0, "label_square": 1.0,
                    "residual_variance": null, "standard_errors": null, "intercept_standard_error": null,
                    "method": "double_double", "refinements": 0,
                },
            }],
        }))
        .unwrap()
    }

    #[test]
    fn coefficients_are_found_by_name_and_another_model_is_refused() {
        let columns = ["b", "c"].map(str::to_owned);
        let start = model().start_values("poisson", &["y"], &columns).unwrap();
        assert_eq!(start, [StartValues { intercept: 0.5, coefficients: vec![-1.0, 0.0] }]);
        let refused = |family: &str, targets: &[&str]| {
            model().start_values(family, targets, &columns).unwrap_err().to_string()
        };
        let message = "the model to start from is of family `poisson`, not of `gamma`";
        assert_eq!(refused("gamma", &["y"]), message);
        assert_eq!(
            refused("poisson", &["y", "z"]),
            "the model to start from is of label `y`, not of `y`, `z`"
        );
    }
}
