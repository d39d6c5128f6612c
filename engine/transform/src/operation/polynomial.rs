//! Polynomial: all products of the columns from the second degree up to `degree`, without the constant 1
//! (scikit-learn's `PolynomialFeatures(include_bias=False)`, in its order: by degree, then by the place of the
//! columns). With `interaction_only` no column stands in a product twice. The columns themselves stay, and are
//! features.
//!
//! The products are called `fare²`, `fare × miles`, `fare² × miles`, or as `as` says, one name for each. A product
//! with a null is null; NaN and infinities follow IEEE 754. There is nothing to learn.
//!
//! A fit that sums in double-double is also handed what rounding took from each product, so that powers of one column,
//! which all but determine one another, are told apart.

use arrow::array::{Array, Float64Array};
use arrow::buffer::NullBuffer;
use serde::{Deserialize, Serialize};

use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::fit::Builder;
use crate::graph::{Cell, CellInputs};
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::spec::OfColumns;
use crate::value::{Value, ValueKind};

/// More products than this are refused.
const MOST_PRODUCTS: u128 = 10_000;
/// The highest degree.
const HIGHEST_DEGREE: usize = 10;

/// The options of `polynomial`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polynomial {
    /// The columns.
    pub columns: Vec<String>,
    /// The highest degree of a product, from 2 to 10.
    #[serde(default = "default_degree")]
    pub degree: usize,
    /// Whether no column stands in a product twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interaction_only: bool,
    /// What the products are called, one each, in their order.
    #[serde(default, rename = "as", skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

fn default_degree() -> usize {
    2
}

impl OfColumns for Polynomial {
    fn of_columns(columns: Vec<String>) -> Self {
        Self { columns, degree: default_degree(), interaction_only: false, names: Vec::new() }
    }
}

impl Plan for Polynomial {
    fn check(&self) -> Result<(), OptionsError> {
        if !(2..=HIGHEST_DEGREE).contains(&self.degree) {
            return Err(OptionsError::OutOfRange {
                name: "polynomial.degree".into(),
                value: self.degree.to_string(),
                range: format!("from 2 to {HIGHEST_DEGREE}"),
            });
        }
        let conflict = |problem: String, hint: &str| {
            Err(OptionsError::Conflict { name: "polynomial".into(), problem, hint: Some(hint.into()) })
        };
        let twice = self.columns.iter().enumerate().find(|(at, name)| self.columns[..*at].contains(name));
        if let Some((_, name)) = twice {
            return conflict(format!("names column `{name}` twice"), "name each column once");
        }
        let count = self.count();
        if count > MOST_PRODUCTS {
            let problem = format!("would make {count} products of {} columns", self.columns.len());
            let hint = format!(
                "{MOST_PRODUCTS} are allowed: name fewer columns, lower `degree`, or set \
                 `interaction_only: true`"
            );
            return conflict(problem, &hint);
        }
        if count == 0 {
            let hint = "name two columns or more, or leave `interaction_only` out";
            return conflict("makes no product".into(), hint);
        }
        if !self.names.is_empty() && self.names.len() as u128 != count {
            return Err(OptionsError::Conflict {
                name: "polynomial.as".into(),
                problem: format!("gives {} names to {count} products", self.names.len()),
                hint: Some("give one name for each product, or none".into()),
            });
        }
        Ok(())
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let inputs = self.columns.iter().map(|column| graph.number(column)).collect::<Result<Vec<_>, _>>()?;
        for column in &self.columns {
            graph.keep(column)?;
        }
        let terms = self.terms();
        let names: Vec<String> = if self.names.is_empty() {
            terms.iter().map(|term| self.name(term)).collect()
        } else {
            self.names.clone()
        };
        let outputs = names.iter().map(|name| (name.as_str(), ValueKind::FLOAT));
        graph.step(&inputs, outputs, Known(Mapper::Polynomial(Products { terms })))?;
        Ok(())
    }
}

impl Polynomial {
    /// How many products there are, of any number of columns.
    fn count(&self) -> u128 {
        let columns = self.columns.len() as u128;
        let of_degree = |degree: u128| {
            // Choose `degree` of as many, with or without coming back.
            let from = if self.interaction_only { columns } else { (columns + degree).saturating_sub(1) };
            (0..degree).fold(1_u128, |product, index| {
                product.saturating_mul(from.saturating_sub(index)) / (index + 1)
            })
        };
        (2..=self.degree as u128).map(of_degree).fold(0, u128::saturating_add)
    }

    /// The factors of each product: places of columns, ascending.
    fn terms(&self) -> Vec<Vec<usize>> {
        let columns = self.columns.len();
        let mut terms: Vec<Vec<usize>> = (0..columns).map(|column| vec![column]).collect();
        let mut last_degree = 0..terms.len();
        for _ in 2..=self.degree {
            let first = terms.len();
            for index in last_degree {
                let Some(last) = terms[index].last().copied() else { continue };
                for factor in last + usize::from(self.interaction_only)..columns {
                    let mut term = terms[index].clone();
                    term.push(factor);
                    terms.push(term);
                }
            }
            last_degree = first..terms.len();
        }
        terms.drain(..columns);
        terms
    }

    fn name(&self, term: &[usize]) -> String {
        let factors = term.chunk_by(|a, b| a == b).map(|equal| {
            let exponent = if equal.len() > 1 { superscript(equal.len()) } else { String::new() };
            format!("{}{exponent}", self.columns[equal[0]])
        });
        factors.collect::<Vec<_>>().join(" × ")
    }
}

fn superscript(exponent: usize) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    exponent.to_string().bytes().filter_map(|digit| DIGITS.get(usize::from(digit - b'0'))).collect()
}

/// Products of inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Products {
    /// The factors of each product, by the place of the input, ascending.
    pub terms: Vec<Vec<usize>>,
}

impl Map for Products {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let columns =
            (0..inputs.values.len()).map(|index| inputs.numbers(index)).collect::<Result<Vec<_>>>()?;
        let product = |term: &Vec<usize>| {
            let mut products = vec![1.0; inputs.rows];
            let mut nulls: Option<NullBuffer> = None;
            for factor in term {
                let column = &columns[*factor];
                products.iter_mut().zip(column.values()).for_each(|(product, value)| *product *= value);
                nulls = NullBuffer::union(nulls.as_ref(), column.nulls());
            }
            Value::floats(Float64Array::new(products.into(), nulls))
        };
        Ok(self.terms.iter().map(product).collect())
    }

    fn rounds_products(&self) -> bool {
        true
    }

    fn remainders(&self, inputs: &Inputs<'_>) -> Result<Vec<Vec<f64>>> {
        let columns =
            (0..inputs.values.len()).map(|index| inputs.numbers(index)).collect::<Result<Vec<_>>>()?;
        let of_term = |term: &Vec<usize>| {
            let of_row = |row: usize| remainder(term.iter().map(|factor| columns[*factor].value(row)));
            (0..inputs.rows).map(of_row).collect()
        };
        Ok(self.terms.iter().map(of_term).collect())
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let count = inputs.slots.len();
        let values = (0..count).map(|index| inputs.number(index)).collect::<Result<Vec<_>>>()?;
        outputs.extend(self.terms.iter().map(|term| {
            let product = term.iter().try_fold(1.0, |product, factor| Some(product * values[*factor]?));
            product.map_or(Cell::Null, Cell::Float)
        }));
        Ok(())
    }
}

/// What rounding takes from a product, factor after factor; 0 where the product leaves the range of numbers.
fn remainder(factors: impl Iterator<Item = f64>) -> f64 {
    let (rounded, exact) =
        factors.fold((1.0, DoubleDouble::ONE), |(rounded, exact), factor| (rounded * factor, exact * factor));
    let remainder = (exact.high - rounded) + exact.low;
    if remainder.is_finite() { remainder } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use serde_json::json;

    use super::*;
    use crate::testing::{check_paths, features, fitted, refusal, table};

    #[test]
    fn products_are_those_of_scikit_learn_by_name() {
        let rows = table(vec![
            ("fare", Arc::new(Float64Array::from(vec![Some(2.0), None, Some(-1.5)])) as ArrayRef),
            ("miles", Arc::new(Float64Array::from(vec![3.0, 1.0, f64::INFINITY]))),
        ]);
        let transform =
            fitted(&rows, &json!([{ "polynomial": { "columns": ["fare", "miles"], "degree": 3 } }])).unwrap();
        let found = features(&transform, &rows);
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        let products =
            ["fare²", "fare × miles", "miles²", "fare³", "fare² × miles", "fare × miles²", "miles³"];
        assert_eq!(names, [&["fare", "miles"][..], &products].concat());
        let first: Vec<Option<f64>> = found.iter().map(|(_, values)| values[0]).collect();
        assert_eq!(first, [2.0, 3.0, 4.0, 6.0, 9.0, 8.0, 12.0, 18.0, 27.0].map(Some));
        assert_eq!((found[2].1[1], found[3].1[1], found[4].1[1]), (None, None, Some(1.0)));
        assert_eq!(found[3].1[2], Some(f64::NEG_INFINITY));
        check_paths(&transform, &rows);
        let options = json!({ "columns": ["fare", "miles"], "interaction_only": true, "as": ["both"] });
        let crossed = json!([{ "polynomial": options }]);
        let names: Vec<String> =
            features(&fitted(&rows, &crossed).unwrap(), &rows).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["fare", "miles", "both"]);
    }

    #[test]
    fn products_with_their_remainders_are_exact() {
        use sluice_core::batch::Batch;
        use sluice_core::seam::BatchTransform;
        let x = vec![Some(0.1), Some(-6.860_120_914), None, Some(1e100)];
        let rows = table(vec![("x", Arc::new(Float64Array::from(x)) as ArrayRef)]);
        let options =
            json!([{ "polynomial": { "columns": ["x"], "degree": 3 } }, { "max_abs_scale": ["x"] }]);
        let transform = fitted(&rows, &options).unwrap();
        // The column itself is scaled; its powers are as they were multiplied.
        assert_eq!(transform.rounded(), [1, 2]);
        let exact = transform.apply_exact(&Batch::new(&rows)).unwrap();
        assert_eq!(exact.features.rows, 4);
        let remainders: Vec<_> =
            exact.remainders.iter().map(|remainder| (remainder.feature, &remainder.values)).collect();
        let (rounded, low) = sluice_core::double_double::two_product(0.1, 0.1);
        assert_eq!((remainders[0].0, remainders[0].1[0].to_bits()), (1, low.to_bits()));
        let cube = DoubleDouble { high: rounded, low } * 0.1;
        let found = DoubleDouble::sum(rounded * 0.1, remainders[1].1[0]);
        assert_eq!((found.high.to_bits(), found.low.to_bits()), (cube.high.to_bits(), cube.low.to_bits()));
        assert!(remainders.iter().all(|(_, values)| values.iter().all(|value| value.is_finite())));
        let chained = json!([{ "polynomial": { "columns": ["x"] } }, { "max_abs_scale": ["x²"] }]);
        assert!(fitted(&rows, &chained).unwrap().rounded().is_empty());
    }

    #[test]
    fn the_count_is_known_before_a_product_is_made() {
        let of = |columns: usize, degree: usize, interaction_only: bool| Polynomial {
            columns: (0..columns).map(|column| format!("c{column}")).collect(),
            degree,
            interaction_only,
            names: Vec::new(),
        };
        for (columns, degree, interaction_only) in [(3, 2, false), (4, 5, false), (5, 3, true), (2, 10, true)]
        {
            let polynomial = of(columns, degree, interaction_only);
            assert_eq!(polynomial.count(), polynomial.terms().len() as u128, "{columns} to {degree}");
        }
        assert!(of(1, 3, true).check().is_err() && of(1, 3, false).check().is_ok());
        assert!(of(usize::from(u16::MAX), 10, false).check().is_err());
        let rows = table(vec![("a", Arc::new(Float64Array::from(vec![1.0])) as ArrayRef)]);
        let refused = |options: serde_json::Value| refusal(&rows, &json!([{ "polynomial": options }]));
        assert!(refused(json!({ "columns": ["a"], "degree": 11 })).contains("must be from 2 to 10"));
        assert!(refused(json!({ "columns": ["a", "a"] })).contains("names column `a` twice"));
        assert!(refused(json!({ "columns": ["a"], "as": ["b", "c"] })).contains("2 names to 1 products"));
        let many: Vec<String> = (0..200).map(|column| format!("c{column}")).collect();
        assert!(refused(json!({ "columns": many })).contains("would make 20100 products of 200 columns"));
    }
}
