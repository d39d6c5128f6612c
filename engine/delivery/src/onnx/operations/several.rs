//! Operations on several numbers: products, principal components, distances.

use sluice_core::error::Result;
use sluice_onnx::{Edge, Operator, Tensor};
use sluice_transform::constants::{Components, Distance, Products};

use super::Step;
use crate::onnx::bound::Bound;
use crate::onnx::functions;
use crate::onnx::nulls::Nulls;
use crate::onnx::value::{Number, Value};

impl Step<'_> {
    /// Products are taken from the left; 1 · x, with which ours begin, is x.
    pub(super) fn polynomial(&mut self, Products { terms }: &Products) -> Result<Vec<Value>> {
        let factors = self.numbers()?;
        let product = |term: &Vec<usize>| -> Option<Value> {
            let mut of_term = term.iter().map(|factor| factors.get(*factor));
            let first = of_term.next()??.clone();
            let bounds = term.iter().filter_map(|factor| Some(factors.get(*factor)?.bound));
            let bound = Bound::joined(bounds);
            let mut product = Number { bound, ..first };
            for factor in of_term {
                let factor = factor?;
                product.edge = self.graph.node(&Operator::Mul, &[&product.edge, &factor.edge]);
                product.nulls = product.nulls.join(&factor.nulls);
            }
            Some(Value::Number(product))
        };
        let products: Option<Vec<Value>> = terms.iter().map(product).collect();
        products.ok_or_else(|| self.refused("multiplies columns that are not there"))
    }

    /// All components side by side, a column of the data at a time: the sums are ours to the bit.
    pub(super) fn pca(&mut self, components: &Components) -> Result<Vec<Value>> {
        let columns = self.numbers()?;
        let bound = Bound::joined(columns.iter().map(|column| column.bound));
        let mut sum = self.graph.number(0.0);
        for (place, (column, mean)) in columns.iter().zip(&components.means).enumerate() {
            let centered = self.with(&Operator::Sub, &column.edge, *mean);
            let loadings = components.loadings.iter().map(|of_component| of_component[place]).collect();
            let loadings = self.graph.row(&Tensor::Double(loadings));
            let product = self.node(&Operator::Mul, &[&centered, &loadings]);
            sum = self.node(&Operator::Add, &[&sum, &product]);
        }
        let scales = self.graph.row(&Tensor::Double(components.scales.clone()));
        let all = self.node(&Operator::Div, &[&sum, &scales]);
        // A NaN in any column is as good as null here.
        let nulls = columns
            .iter()
            .fold(Nulls::default(), |nulls, column| nulls.join(&Nulls::nan(column.edge.clone())));
        let of_component = |number| {
            let edge = self.graph.select_column(&all, number);
            Value::Number(Number { edge, bound, nulls: nulls.clone() })
        };
        Ok((0..components.loadings.len()).map(of_component).collect())
    }

    pub(super) fn haversine(&mut self, distance: &Distance) -> Result<Value> {
        let columns = self.numbers()?;
        let mut read = columns.iter();
        let mut places = Vec::with_capacity(4);
        for constant in distance.degrees {
            places.push(match constant {
                Some(degrees) => self.graph.number(degrees),
                None => match read.next() {
                    Some(column) => column.edge.clone(),
                    None => return Err(self.refused("reads fewer columns than it has coordinates")),
                },
            });
        }
        let [latitude, longitude, other_latitude, other_longitude] =
            [0, 1, 2, 3].map(|place| places[place].clone());
        let north = self.half_sine(&latitude, &other_latitude);
        let east = self.half_sine(&longitude, &other_longitude);
        let cosines = self.cosine(&latitude);
        let other = self.cosine(&other_latitude);
        let cosines = self.node(&Operator::Mul, &[&cosines, &other]);
        let north = self.node(&Operator::Mul, &[&north, &north]);
        let along = self.node(&Operator::Mul, &[&cosines, &east]);
        let along = self.node(&Operator::Mul, &[&along, &east]);
        let square = self.node(&Operator::Add, &[&north, &along]);
        let root = self.node(&Operator::Sqrt, &[&square]);
        let root = self.held(&root, None, Some(1.0));
        let angle = functions::arcsine(&root, self.graph);
        let edge = self.with(&Operator::Mul, &angle, 2.0 * distance.radius);
        let nowhere = self.nowhere(&latitude, &longitude);
        let other_nowhere = self.nowhere(&other_latitude, &other_longitude);
        let nowhere = self.node(&Operator::Or, &[&nowhere, &other_nowhere]);
        let edge = self.put(&nowhere, f64::NAN, &edge);
        let nulls = columns.iter().fold(Nulls::mask(nowhere), |nulls, column| nulls.join(&column.nulls));
        let bound = Bound::joined(columns.iter().map(|column| column.bound)).after_function(Bound::FUNCTION);
        Ok(Value::Number(Number { edge, bound, nulls }))
    }

    fn radians(&mut self, degrees: &Edge) -> Edge {
        self.with(&Operator::Mul, degrees, std::f64::consts::PI / 180.0)
    }

    fn cosine(&mut self, degrees: &Edge) -> Edge {
        let angle = self.radians(degrees);
        self.node(&Operator::Cos, &[&angle])
    }

    fn half_sine(&mut self, from: &Edge, to: &Edge) -> Edge {
        let difference = self.node(&Operator::Sub, &[to, from]);
        let angle = self.radians(&difference);
        let half = self.with(&Operator::Div, &angle, 2.0);
        self.node(&Operator::Sin, &[&half])
    }

    /// Where a latitude lies beyond a pole or a longitude is infinite.
    fn nowhere(&mut self, latitude: &Edge, longitude: &Edge) -> Edge {
        let latitude = self.node(&Operator::Abs, &[latitude]);
        let is_beyond = self.with(&Operator::Greater, &latitude, 90.0);
        let longitude = self.node(&Operator::Abs, &[longitude]);
        let is_infinite = self.with(&Operator::Equal, &longitude, f64::INFINITY);
        self.node(&Operator::Or, &[&is_beyond, &is_infinite])
    }
}
