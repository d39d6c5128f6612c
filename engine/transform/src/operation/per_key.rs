//! Constants per key: `standardize`, `scale_to_range` and `impute` with `per: [columns]` learn their constants for each
//! combination of values of other columns (TFT's `scale_to_z_score_per_key`, `scale_by_min_max_per_key`; group-wise imputing
//! as by pandas' `groupby(…).transform`). Null and NaN in a key are a value like any other. A key that was not seen in
//! training, or had no value there, takes the constants of all rows; TFT leaves a value of an unknown key as it is.

use arrow::array::{ArrayRef, BooleanArray, Float64Array, StringViewArray};
use serde::{Deserialize, Serialize};

use sluice_core::column::Column;
use sluice_core::error::Result;

use crate::error::TransformError;
use crate::fit::analyzer::{Analyzer, ColumnAnalyzer, KeyedColumn, Wanted};
use crate::operation::impute::Fill;
use crate::operation::keys::{Key, KeyTable};
use crate::operation::{Inputs, Map};
use crate::value::Value;

/// Constants by key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PerKey<C> {
    /// The keys that were seen.
    pub keys: KeyTable,
    /// By the number of the key.
    pub constants: Vec<C>,
    /// For keys that were not seen.
    pub overall: C,
}

/// The analyzer of a column per key: reads the first input, the others are the key.
pub(crate) fn wanted(column: ColumnAnalyzer, keys: usize) -> Vec<Wanted> {
    vec![Wanted { inputs: (0..=keys).collect(), analyzer: KeyedColumn::new(column).into() }]
}

impl<C: Clone> PerKey<C> {
    /// Constants by key, from what the analyzer of [`wanted`] told.
    pub(crate) fn fit(
        answers: Vec<Analyzer>,
        (operation, column): (&'static str, &str),
        constants: impl Fn(&ColumnAnalyzer) -> Option<C>,
    ) -> Result<Self, TransformError> {
        let no_values = || TransformError::NoValues { operation, column: column.to_owned() };
        let keyed = answers.into_iter().find_map(Analyzer::into_keyed).ok_or_else(no_values)?;
        let overall = constants(&keyed.overall).ok_or_else(no_values)?;
        let too_many = |limit| TransformError::TooManyKeys { operation, column: column.to_owned(), limit };
        let pairs = keyed.keys.into_sorted().map_err(too_many)?;
        let known = pairs.into_iter().filter_map(|(key, column)| Some((key, constants(&column)?)));
        let (keys, constants): (Vec<Key>, Vec<C>) = known.unzip();
        Ok(Self { keys: KeyTable::from(keys), constants, overall })
    }

    /// The constants of each row.
    fn of_rows(&self, inputs: &Inputs<'_>) -> Result<impl Iterator<Item = &C>> {
        let found = self.keys.find(&inputs.key(1)?, inputs.rows);
        let constants = |number: Option<u32>| {
            number.and_then(|number| self.constants.get(number as usize)).unwrap_or(&self.overall)
        };
        Ok(found.into_iter().map(constants))
    }
}

/// A function of a number with fitted constants.
pub(crate) trait OfNumber {
    /// What the number becomes.
    fn of(&self, value: f64) -> f64;
}

impl<C: OfNumber + Clone> Map for PerKey<C> {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.numbers(0)?;
        let rows = values.iter().zip(self.of_rows(inputs)?);
        let scaled: Float64Array =
            rows.map(|(value, constants)| value.map(|value| constants.of(value))).collect();
        Ok(vec![Value::floats(scaled)])
    }
}

impl Map for PerKey<Fill> {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let values = inputs.values[0].column()?;
        let fills = self.of_rows(inputs)?;
        let filled: ArrayRef = match (&self.overall, Column::view(values)) {
            (Fill::Text(overall), view) => {
                let text = |(row, fill): (usize, &Fill)| match fill {
                    Fill::Text(fill) => view.text(row).unwrap_or(fill).to_owned(),
                    _ => view.text(row).unwrap_or(overall).to_owned(),
                };
                let texts: Vec<String> = fills.enumerate().map(text).collect();
                std::sync::Arc::new(StringViewArray::from_iter_values(texts))
            }
            (Fill::Boolean(_), Column::Boolean(booleans)) => {
                let filled: BooleanArray = booleans
                    .iter()
                    .zip(fills)
                    .map(|(value, fill)| Some(value.unwrap_or(matches!(fill, Fill::Boolean(true)))))
                    .collect();
                std::sync::Arc::new(filled)
            }
            (Fill::Boolean(_), _) => {
                let filled: BooleanArray =
                    fills.map(|fill| Some(matches!(fill, Fill::Boolean(true)))).collect();
                std::sync::Arc::new(filled)
            }
            (Fill::Number(overall), _) => {
                let number = |(value, fill): (Option<f64>, &Fill)| {
                    let fill = if let Fill::Number(fill) = fill { *fill } else { *overall };
                    value.filter(|value| !value.is_nan()).unwrap_or(fill)
                };
                let values = inputs.numbers(0)?;
                let filled: Float64Array = values.iter().zip(fills).map(number).map(Some).collect();
                std::sync::Arc::new(filled)
            }
        };
        Ok(vec![Value::Column(filled)])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use sluice_testkit::close::assert_relative;

    use crate::testing::{check_laws, check_paths, columns_of, features, fitted, golden, reference};

    fn check(found: &[Option<f64>], expected: &Json, tolerance: f64) {
        let expected = expected.as_array().unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            match expected.as_f64() {
                Some(expected) => assert_relative(found.unwrap(), expected, tolerance),
                None if expected.is_null() => assert_eq!(*found, None),
                None => assert!(found.unwrap().is_nan()),
            }
        }
    }

    #[test]
    fn the_golden_values_of_tft() {
        let case = golden("tft-007");
        let rows = columns_of(&case["input"]);
        let fit = json!([{ "standardize": { "columns": ["x"], "per": ["key"] } }]);
        let transform = fitted(&rows, &fit).unwrap();
        check(&features(&transform, &rows)[0].1, &case["expect"]["out"], 1e-12);
        check_paths(&transform, &rows);
        check_laws(&rows, &fit);
        // tft-013 scales a matrix as one column.
        let rows = columns_of(&json!({ "x": [25, -25, 5, 0, 7], "key": ["b", "b", "b", "b", "a"] }));
        let fit = json!([{ "scale_to_range": { "columns": ["x"], "per": ["key"] } }]);
        let transform = fitted(&rows, &fit).unwrap();
        check(&features(&transform, &rows)[0].1, &json!([1.0, 0.0, 0.6, 0.5, 0.0]), 1e-12);
        check_laws(&rows, &fit);
    }

    #[test]
    fn groups_agree_with_pandas_formulas() {
        let data = &reference("categories.json")["per_key"];
        let rows = columns_of(&data["rows"]);
        let later = columns_of(&data["later"]);
        for case in data["cases"].as_array().unwrap() {
            let transform = fitted(&rows, &case["operations"]).unwrap();
            check(&features(&transform, &later)[0].1, &case["later"], 1e-12);
            check_paths(&transform, &later);
            check_laws(&rows, &case["operations"]);
        }
    }

    #[test]
    fn text_and_booleans_are_filled_per_key() {
        let rows = columns_of(&json!({
            "city": ["x", "x", null, "y", null, "y", null],
            "flag": [true, true, null, false, null, false, null],
            "key": ["a", "a", "a", "b", "b", "b", "c"],
        }));
        let fit = json!([
            { "impute": { "columns": ["city", "flag"], "with": "most_frequent", "per": ["key"] } },
            { "ordinal": ["city", "flag"] },
        ]);
        let transform = fitted(&rows, &fit).unwrap();
        let found = features(&transform, &rows);
        // Of two equally frequent values the smallest goes to the unknown.
        assert_eq!(found[0].1, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 0.0].map(Some));
        assert_eq!(found[1].1, [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0].map(Some));
        check_paths(&transform, &rows);
        check_laws(&rows, &fit);
    }
}
