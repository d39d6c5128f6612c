//! From a feature back to the column that it was made from, for reading coefficients, thresholds and predictions in
//! the units of the data. Operations that leave one number of one number and forget nothing have an inverse;
//! `impute` is taken as it is, so that what was filled in stays filled in.

use arrow::array::Float64Array;

use sluice_core::error::Result;

use super::Transform;
use crate::error::TransformError;

impl Transform {
    /// The source column that a feature was made from, and what stood in it where the feature has these values. Null
    /// stays null; a value that the feature cannot have becomes NaN, or the nearest one of a `quantile_transform`.
    ///
    /// # Errors
    /// [`TransformError::NoSuchFeature`] with the nearest name, [`TransformError::NoInverse`] for an operation that
    /// forgets, such as `bucketize`, or that reads several columns.
    pub fn inverse(&self, feature: &str, values: &Float64Array) -> Result<(String, Float64Array)> {
        let Some(stored) = self.features.iter().find(|stored| stored.name == feature) else {
            let available = self.features.iter().map(|stored| stored.name.clone()).collect();
            return Err(TransformError::NoSuchFeature { feature: feature.to_owned(), available }.into());
        };
        let (mut value, mut cells) = (stored.value.as_str(), values.clone());
        while let Some(node) =
            self.nodes().iter().find(|node| node.outputs.iter().any(|output| output == value))
        {
            let no_inverse = || TransformError::NoInverse {
                operation: node.operation.clone(),
                feature: feature.to_owned(),
            };
            let ([input], [_]) = (&node.inputs[..], &node.outputs[..]) else {
                return Err(no_inverse().into());
            };
            let map = node.mapper.as_map();
            let before = cells.iter().map(|cell| match cell {
                None => Ok(None),
                Some(cell) => map.inverse(cell).map(Some).ok_or_else(no_inverse),
            });
            cells = before.collect::<Result<Float64Array, TransformError>>()?;
            value = input;
        }
        Ok((value.to_owned(), cells))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Array, ArrayRef};
    use serde_json::json;

    use super::*;
    use crate::testing::{features, fitted, table};

    #[test]
    fn what_goes_there_comes_back() {
        let numbers = [0.25, 3.5, 0.75, 12.0, 7.0, 1.5, 0.25, 40.0];
        let rows = table(vec![("x", Arc::new(Float64Array::from(numbers.to_vec())) as ArrayRef)]);
        let mut cases = vec![
            json!([{ "standardize": ["x"] }]),
            json!([{ "scale_to_range": { "columns": ["x"], "range": [-2, 5] } }]),
            json!([{ "max_abs_scale": ["x"] }, { "robust_scale": ["x"] }]),
            json!([{ "power_transform": ["x"] }]),
            json!([{ "scale_to_gaussian": ["x"] }]),
            json!([{ "power_transform": { "columns": ["x"], "method": "box_cox", "standardize": false } }]),
            json!([
                { "standardize": ["x"] },
                { "power_transform": { "columns": ["x"], "as": ["y"] } },
                { "drop": ["x"] },
            ]),
            json!([{ "quantile_transform": ["x"] }]),
            json!([{ "quantile_transform": { "columns": ["x"], "output": "normal" } }]),
            json!([{ "impute": { "columns": ["x"], "with": "mean" } }, { "standardize": ["x"] }]),
            json!([{ "max_abs_scale": ["x"] }, { "math": { "columns": ["x"], "function": "tanh" } }]),
        ];
        for function in ["exp", "log", "log1p", "log10", "log2", "negate", "reciprocal", "sigmoid", "sqrt"] {
            cases.push(json!([{ "math": { "columns": ["x"], "function": function } }]));
        }
        for operations in cases {
            let transform = fitted(&rows, &operations).unwrap();
            let (name, found) = features(&transform, &rows).remove(0);
            let made: Float64Array = found.into_iter().chain([None]).collect();
            let (source, back) = transform.inverse(&name, &made).unwrap();
            assert_eq!(source, "x");
            for (found, expected) in back.iter().zip(numbers) {
                // The sigmoid of 40 is 1 − 4e-18, which is 1: nothing comes back of it.
                let is_lost = operations[0]["math"]["function"] == "sigmoid" && expected > 20.0;
                let error = (found.unwrap() - expected).abs() / expected;
                assert!(is_lost || error < 1e-9, "{operations}: {found:?} is not {expected}");
            }
            assert!(back.is_null(numbers.len()), "null stays null");
        }
    }

    #[test]
    fn what_has_no_inverse_is_said() {
        let column = |values: [f64; 3]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
        let rows = table(vec![("x", column([1.0, 2.0, 4.0])), ("y", column([3.0, 1.0, 2.0]))]);
        let operations = json!([
            { "standardize": ["x"] },
            { "bucketize": { "columns": ["y"], "buckets": 2, "output": "number", "as": ["half"] } },
            { "derive": { "sum": "x + y" } },
        ]);
        let transform = fitted(&rows, &operations).unwrap();
        let refused = |feature: &str| {
            let error = transform.inverse(feature, &Float64Array::from(vec![0.0])).unwrap_err();
            format!("{error} / {}", error.hint().unwrap_or_default())
        };
        assert!(refused("half").starts_with("feature `half` does not lead back to a column: `bucketize`"));
        assert!(refused("sum").contains("`derive` has no inverse"));
        assert_eq!(refused("hlf"), "there is no feature `hlf` / did you mean `half`?");
    }
}
