//! Bucketize with `interpolate`: where a number lies among the n edges of its buckets, from 0 to 1 (TFT's
//! `apply_buckets_with_interpolation`): 0 up to the first edge, 1 from the last on, and
//! `(i − 1 + (x − edge[i−1]) / (edge[i] − edge[i−1])) / (n − 1)` between edges i − 1 and i. A single edge
//! gives 0 below it and 1 from it on. With quantiles as edges it is an empirical distribution function. Null stays null, NaN
//! stays NaN (TFT: 0.5); infinities are 0 and 1.

use serde::{Deserialize, Serialize};

use sluice_core::error::Result;

use crate::graph::{Cell, CellInputs};
use crate::operation::{Inputs, Map};
use crate::value::Value;

/// Numbers to their place among edges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interpolation {
    /// The inner edges of buckets, ascending.
    pub edges: Vec<f64>,
}

impl Interpolation {
    fn of(&self, value: f64) -> f64 {
        if value.is_nan() {
            return value;
        }
        let above = self.edges.partition_point(|edge| *edge <= value);
        match (above, self.edges.get(above)) {
            (0, _) => 0.0,
            (_, None) => 1.0,
            (above, Some(next)) => {
                let previous = self.edges[above - 1];
                let within = (value - previous) / (next - previous);
                ((above - 1) as f64 + within) / (self.edges.len() - 1) as f64
            }
        }
    }
}

impl Map for Interpolation {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        inputs.map_numbers(|value| self.of(value))
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        inputs.map_number(outputs, |value| self.of(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(edges: &[f64], values: &[f64]) -> Vec<f64> {
        let interpolation = Interpolation { edges: edges.to_vec() };
        values.iter().map(|value| interpolation.of(*value)).collect()
    }

    /// golden.json tft-037, 039 and 045, and of 041 and 043 what is no NaN.
    #[test]
    fn the_cases_of_tft_pass() {
        assert_eq!(places(&[0.0, 2.0], &[1.0]), [0.5]);
        let ten = [-1111.0, 0.0, 5.0, 9.0, 10.0, 11.0, 15.0, 19.0, 20.0, 21.0, 1111.0];
        assert_eq!(places(&[10.0, 20.0], &ten), [0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.5, 0.9, 1.0, 1.0, 1.0]);
        let powers = [-1111.0, 10.0, 50.0, 100.0, 1000.0, 9000.0, 10000.0, 1_293_817_391.0];
        let expected = [0.0, 0.0, 4.0 / 27.0, 1.0 / 3.0, 2.0 / 3.0, 26.0 / 27.0, 1.0, 1.0];
        for (found, expected) in places(&[10.0, 100.0, 1000.0, 10000.0], &powers).into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-15, "{found} is not {expected}");
        }
        assert_eq!(places(&[0.0, 1.0], &[f64::NEG_INFINITY, 0.0, 1.0, f64::INFINITY]), [0.0, 0.0, 1.0, 1.0]);
        assert_eq!(places(&[3.0], &[2.9, 3.0]), [0.0, 1.0]);
        assert!(places(&[0.0, 1.0], &[f64::NAN])[0].is_nan());
    }
}
