//! Haversine: the distance along the surface of a sphere between two places in degrees,
//! 2R · asin √(sin²(Δφ/2) + cos φ₁ · cos φ₂ · sin²(Δλ/2)) (Sinnott, "Virtues of the Haversine", Sky and Telescope 68
//! (1984), p. 159). R is the mean radius of the Earth, 6,371.0088 km (Moritz, "Geodetic Reference System
//! 1980", J. Geodesy 74 (2000), R₁); the ellipsoid differs by about half a percent. scikit-learn's
//! `haversine_distances` has R = 1.
//!
//! Each coordinate is a column or a number. Longitudes may go round. A latitude beyond ±90 and an infinite
//! coordinate are no place: the distance is null, to be imputed, or named with its row by the model. Null
//! gives null, NaN gives NaN.

use arrow::array::Float64Array;
use serde::{Deserialize, Serialize};

use sluice_core::error::Result;
use sluice_core::options::OptionsError;

use crate::error::TransformError;
use crate::fit::Builder;
use crate::graph::{Cell, CellInputs};
use crate::operation::{Inputs, Known, Map, Mapper, Plan};
use crate::value::{Value, ValueKind};

/// The mean radius of the Earth in metres.
const EARTH_RADIUS_METRES: f64 = 6_371_008.8;

/// What distances are measured in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// 1,000 metres.
    #[default]
    Kilometres,
    /// International miles of 1,609.344 metres.
    Miles,
    /// Metres.
    Metres,
}

impl LengthUnit {
    fn metres(self) -> f64 {
        match self {
            Self::Kilometres => 1_000.0,
            Self::Miles => 1_609.344,
            Self::Metres => 1.0,
        }
    }
}

/// A latitude or longitude, as the user gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a column, or a number of degrees")]
pub enum Coordinate {
    /// The same for all rows.
    Degrees(f64),
    /// A column of degrees.
    Column(String),
}

/// The options of `haversine`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Haversine {
    /// Latitude and longitude of one place.
    pub from: [Coordinate; 2],
    /// Latitude and longitude of the other.
    pub to: [Coordinate; 2],
    /// What the distance is called.
    #[serde(rename = "as")]
    pub name: String,
    /// What it is measured in.
    #[serde(default)]
    pub unit: LengthUnit,
}

impl Haversine {
    fn coordinates(&self) -> impl Iterator<Item = &Coordinate> {
        self.from.iter().chain(&self.to)
    }
}

impl Plan for Haversine {
    fn check(&self) -> Result<(), OptionsError> {
        for (place, coordinate) in self.coordinates().enumerate() {
            let limit = if place % 2 == 0 { 90.0 } else { f64::MAX };
            if let Coordinate::Degrees(degrees) = coordinate
                && !(degrees.abs() <= limit)
            {
                return Err(OptionsError::OutOfRange {
                    name: format!("haversine.{}", if place < 2 { "from" } else { "to" }),
                    value: degrees.to_string(),
                    range: "a latitude from -90 to 90, then a finite longitude".into(),
                });
            }
        }
        Ok(())
    }

    fn plan(&self, graph: &mut Builder<'_>) -> Result<()> {
        let mut inputs = Vec::new();
        let mut degrees = [None; 4];
        for (coordinate, constant) in self.coordinates().zip(&mut degrees) {
            match coordinate {
                Coordinate::Degrees(value) => *constant = Some(*value),
                Coordinate::Column(column) => inputs.push(graph.number(column)?),
            }
        }
        if inputs.is_empty() {
            return Err(
                TransformError::Constantless { operation: "haversine", name: self.name.clone() }.into()
            );
        }
        let distance = Distance { degrees, radius: EARTH_RADIUS_METRES / self.unit.metres() };
        let outputs = [(self.name.as_str(), ValueKind::FLOAT)];
        graph.step(&inputs, outputs, Known(Mapper::Haversine(distance)))?;
        Ok(())
    }
}

/// The distance on a sphere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distance {
    /// Latitude and longitude of both places where they are the same for all rows; the others are inputs, in
    /// order.
    pub degrees: [Option<f64>; 4],
    /// The radius, in the unit of the distance.
    pub radius: f64,
}

impl Distance {
    /// The distance; `None` where one of the two is no place.
    fn of(&self, [latitude, longitude, other_latitude, other_longitude]: [f64; 4]) -> Option<f64> {
        let is_place = |latitude: f64, longitude: f64| latitude.abs() <= 90.0 && longitude.is_finite();
        let is_nan =
            [latitude, longitude, other_latitude, other_longitude].iter().any(|value| value.is_nan());
        if is_nan {
            return Some(f64::NAN);
        }
        if !is_place(latitude, longitude) || !is_place(other_latitude, other_longitude) {
            return None;
        }
        let half_sine = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin();
        let (north, east) = (half_sine(latitude, other_latitude), half_sine(longitude, other_longitude));
        let cosines = latitude.to_radians().cos() * other_latitude.to_radians().cos();
        let root = (north * north + cosines * east * east).sqrt();
        // Rounding may leave a hair more than 1 between antipodes.
        let root = if root > 1.0 { 1.0 } else { root };
        Some(2.0 * self.radius * root.asin())
    }

    /// The four coordinates, the constant ones among those that are read.
    fn places(&self, mut read: impl FnMut(usize) -> Option<f64>) -> Option<[f64; 4]> {
        let mut input = 0;
        let mut places = [0.0; 4];
        for (place, constant) in places.iter_mut().zip(&self.degrees) {
            *place = match constant {
                Some(degrees) => *degrees,
                None => {
                    input += 1;
                    read(input - 1)?
                }
            };
        }
        Some(places)
    }
}

impl Map for Distance {
    fn apply(&self, inputs: &Inputs<'_>) -> Result<Vec<Value>> {
        let columns =
            (0..inputs.values.len()).map(|index| inputs.numbers(index)).collect::<Result<Vec<_>>>()?;
        let number = |index: usize, row: usize| {
            let column = columns.get(index)?;
            arrow::array::Array::is_valid(column, row).then(|| column.value(row))
        };
        let distance =
            |row: usize| self.places(|index| number(index, row)).and_then(|places| self.of(places));
        Ok(vec![Value::floats((0..inputs.rows).map(distance).collect::<Float64Array>())])
    }

    fn apply_row<'a>(&self, inputs: &CellInputs<'_, 'a>, outputs: &mut Vec<Cell<'a>>) -> Result<()> {
        let cells = (0..inputs.slots.len()).map(|index| inputs.number(index)).collect::<Result<Vec<_>>>()?;
        let places = self.places(|index| cells.get(index).copied().flatten());
        outputs.push(places.and_then(|places| self.of(places)).map_or(Cell::Null, Cell::Float));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use serde_json::{Value as Json, json};
    use sluice_testkit::assert_relative;

    use super::*;
    use crate::testing::{check_paths, feature, fitted, numbers_of, reference, refusal, table};

    fn places(from: &[[Option<f64>; 2]], to: &[[Option<f64>; 2]]) -> arrow::array::RecordBatch {
        let column = |places: &[[Option<f64>; 2]], which: usize| {
            Arc::new(places.iter().map(|place| place[which]).collect::<Float64Array>()) as ArrayRef
        };
        table(vec![
            ("a", column(from, 0)),
            ("b", column(from, 1)),
            ("c", column(to, 0)),
            ("d", column(to, 1)),
        ])
    }

    fn operation(unit: &str) -> Json {
        json!([{ "haversine": { "from": ["a", "b"], "to": ["c", "d"], "as": "way", "unit": unit } }])
    }

    #[test]
    fn distances_agree_with_scikit_learn() {
        let case = &reference("dates_text_lists.json")["haversine"];
        let pairs = |list: &Json| -> Vec<[Option<f64>; 2]> {
            list.as_array().unwrap().iter().map(|pair| [pair[0].as_f64(), pair[1].as_f64()]).collect()
        };
        let rows = places(&pairs(&case["from"]), &pairs(&case["to"]));
        let expected = numbers_of(&case["kilometres"]);
        for (unit, metres) in [("kilometres", 1000.0), ("miles", 1609.344), ("metres", 1.0)] {
            let transform = fitted(&rows, &operation(unit)).unwrap();
            check_paths(&transform, &rows);
            for (found, expected) in feature(&transform, &rows, "way").into_iter().zip(&expected) {
                // Antipodes lie where the arc sine is steep: there half the digits are left.
                let bound = if *expected > 20_000.0 { 1e-8 } else { 1e-12 };
                let kilometres = found.unwrap() * metres / 1000.0;
                if *expected < 1e-9 {
                    assert!(kilometres < 1e-9, "{kilometres} is not 0");
                } else {
                    assert_relative(kilometres, *expected, bound);
                }
            }
        }
    }

    #[test]
    fn what_is_no_place_has_no_distance() {
        let home = [Some(10.0), Some(20.0)];
        let from = [
            [Some(90.5), Some(0.0)],
            [None, Some(0.0)],
            [Some(f64::NAN), Some(0.0)],
            [Some(0.0), Some(f64::INFINITY)],
            [Some(10.0), Some(380.0)],
        ];
        let rows = places(&from, &[home; 5]);
        let transform = fitted(&rows, &operation("metres")).unwrap();
        check_paths(&transform, &rows);
        let found = feature(&transform, &rows, "way");
        assert!(found[0].is_none() && found[1].is_none() && found[3].is_none());
        assert!(found[2].unwrap().is_nan());
        assert!(found[4].unwrap() < 1e-6, "longitudes go round: {found:?}");
    }

    #[test]
    fn a_place_can_be_the_same_for_all_rows() {
        let rows = places(&[[Some(0.0), Some(0.0)]], &[[Some(0.0), Some(90.0)]]);
        let mixed = json!([{ "haversine": { "from": [0, "b"], "to": ["c", 90], "as": "way" } }]);
        let transform = fitted(&rows, &mixed).unwrap();
        check_paths(&transform, &rows);
        let quarter = std::f64::consts::FRAC_PI_2 * 6371.0088;
        assert_relative(feature(&transform, &rows, "way")[0].unwrap(), quarter, 1e-14);
        let nowhere = json!([{ "haversine": { "from": [0, 0], "to": [1, 1], "as": "way" } }]);
        assert!(refusal(&rows, &nowhere).starts_with("`haversine` makes `way` from no column"));
        let beyond = json!([{ "haversine": { "from": [91, 0], "to": ["c", "d"], "as": "way" } }]);
        assert!(refusal(&rows, &beyond).contains("a latitude from -90 to 90"));
        let taken = json!([{ "haversine": { "from": [0, 0], "to": ["c", "d"], "as": "a" } }]);
        assert!(refusal(&rows, &taken).contains("cannot call its result `a`"));
    }
}
