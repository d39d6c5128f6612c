//! Haversine: the distance along the surface of a sphere between two places in degrees,
//! 2R · asin √(sin²(Δφ/2) + cos φ₁ · cos φ₂ · sin²(Δλ/2)) (Sinnott, "Virtues of the Haversine", Sky and Telescope 68
//! (1984), p. 159). R is the mean radius of the Earth, 6,371.0088 km (Moritz, "Geodetic Reference System 1980",
//! J. Geodesy 74 (2000), R₁); the ellipsoid differs by up to 0.56 %. scikit-learn's `haversine_distances` has R = 1.
//!
//! Each coordinate is a column or a number. Longitudes may go round. A latitude beyond ±90 and an infinite coordinate
//! are no place: the distance is null, to be imputed, or named with its row by the model. Null gives null, NaN gives NaN.

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
            return Err(TransformError::Constantless { operation: "haversine", name: self.name.clone() }.into());
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
    /// Latitude and longitude of both places where they are the same for all rows; the others are inputs, in order.
    pub degrees: [Option<f64>; 4],
    /// The radius, in the unit of the distance.
    pub radius: f64,
}

impl Distance {
    /// The distance; `None` where one of the two is no place.
    fn of(&self, [latitude, longitude, other_latitude, other_longitude]: [f64; 4]) -> Option<f64> {
        let is_place = |latitude: f64, longitude: f64| latitude.abs() <= 90.0 && longitude.is_finite();
        let is_nan = [latitude, longitude, other_latitude, other_longitude].iter().any(|value| value.is_nan());
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
        let columns = (0..inputs.values.len()).map(|index| inputs.numbers(index)).collect::<Result<Vec<_>>>()?;
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
