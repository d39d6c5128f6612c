//! What each feature adds to a prediction of a network: integrated gradients (Sundararajan, Taly & Yan, "Axiomatic
//! attribution for deep networks", ICML 2017), from the average training row to the row.
//!
//! The contribution of input i is `(x_i − b_i) ∫ ∂f/∂x_i (b + t (x − b)) dt` over t from 0 to 1, where f is the sum before
//! the link and b the baseline: the mean of each number and, of an id, the mean of the vectors of the training rows
//! (ids themselves have no way between them). The numbers or vectors of one feature are added up. Contributions add up to
//! f(x) − f(b) (completeness); the base value is f(b).
//!
//! The integral is taken by Gauss-Legendre quadrature of 8 points on 1, 2, 4, … equal pieces until the sum of the
//! contributions is within `TOLERANCE` of f(x) − f(b), relative to 1 + |f(x) − f(b)|, or there are `MAX_PIECES` of them;
//! along a network of `ReLU` f is linear in pieces, so that the error falls with the pieces. What then is left of the difference
//! is dealt to the features in proportion to the sizes of their contributions, so that rows add up to rounding. All in
//! double precision, row by row: the same bits for any number of threads.

use arrow::array::Float64Array;
use arrow::buffer::NullBuffer;

use sluice_core::error::Result;
use sluice_core::features::FeatureBatch;
use sluice_networks::double::{DoubleNetwork, Point};
use sluice_training::explain::{Attribution, AttributionMethod};

use super::{Network, Source, in_units, lookups};

/// How near contributions come to their sum before the last of it is shared out.
const TOLERANCE: f64 = 1e-4;
/// Pieces of the way, at most.
const MAX_PIECES: usize = 256;

/// Nodes and weights of Gauss-Legendre quadrature of 8 points on [0, 1] (Abramowitz & Stegun, table 25.4), the second half
/// mirrored.
const NODES: [(f64, f64); 4] = [
    (0.019_855_071_751_231_884, 0.050_614_268_145_188_13),
    (0.101_666_761_293_186_63, 0.111_190_517_226_687_24),
    (0.237_233_795_041_835_5, 0.156_853_322_938_943_64),
    (0.408_282_678_752_175_1, 0.181_341_891_689_181),
];

/// Integrated gradients of a network.
#[derive(Clone, Debug)]
pub struct NetworkExplainer {
    network: Network,
    tensors: Vec<Vec<f64>>,
    features: Vec<String>,
    targets: Vec<String>,
    baseline: Point,
    /// The sums at the baseline.
    base: Vec<f64>,
}

impl NetworkExplainer {
    /// Of a network.
    #[must_use]
    pub fn new(network: &Network, features: Vec<String>) -> Self {
        let model = network.model();
        let tensors = network.doubles();
        let super::Baseline { numeric, vectors } = network.record.baseline.clone();
        let baseline = Point { numeric, vectors };
        let base = DoubleNetwork::new(model.plan(), &tensors).scores(&baseline);
        let targets = network.targets();
        Self { network: network.clone(), tensors, features, targets, baseline, base }
    }

    fn in_units(&self, sum: f64) -> f64 {
        self.network.scale().map_or(sum, |scale| in_units(scale, sum))
    }

    /// What each feature adds to one of the sums of a row, which is `whole` in all.
    fn of_row(&self, double: DoubleNetwork<'_>, point: &Point, output: usize, whole: f64) -> Vec<f64> {
        let mut pieces = 1;
        loop {
            let (sums, total) = self.integrated(double, point, output, pieces);
            let gap = whole - total;
            if gap.abs() <= TOLERANCE * (1.0 + whole.abs()) || pieces >= MAX_PIECES {
                return self.shared_out(sums, gap);
            }
            pieces *= 2;
        }
    }

    /// The quadrature on so many pieces: by feature, and all together.
    fn integrated(
        &self,
        double: DoubleNetwork<'_>,
        point: &Point,
        output: usize,
        pieces: usize,
    ) -> (Vec<f64>, f64) {
        let mut sums = vec![0.0; self.features.len()];
        let width = 1.0 / pieces as f64;
        for piece in 0..pieces {
            for (node, weight) in
                NODES.iter().flat_map(|(node, weight)| [(*node, *weight), (1.0 - node, *weight)])
            {
                let there = point.between(&self.baseline, (piece as f64 + node) * width);
                let gradient = double.gradient(&there, &double.trace(&there), output);
                self.add(&mut sums, point, &gradient, weight * width);
            }
        }
        let total = sums.iter().sum();
        (sums, total)
    }

    /// Adds gradient x way, times a factor, to the features that inputs are of.
    fn add(&self, sums: &mut [f64], point: &Point, gradient: &Point, factor: f64) {
        let along = |to: &[f64], from: &[f64], gradient: &[f64]| -> f64 {
            let way = to.iter().zip(from).zip(gradient);
            way.map(|((to, from), gradient)| (to - from) * gradient).sum::<f64>() * factor
        };
        let from = &self.baseline;
        let of_id = |place: usize| -> f64 {
            let own = lookups(self.network.model()).enumerate().filter(|(_, (feature, _))| *feature == place);
            own.map(|(at, _)| along(&point.vectors[at], &from.vectors[at], &gradient.vectors[at])).sum()
        };
        for (sum, source) in sums.iter_mut().zip(self.network.reader().sources()) {
            *sum += match *source {
                Source::Numbers { first, width } => {
                    let cells = first..first + width;
                    along(
                        &point.numeric[cells.clone()],
                        &from.numeric[cells.clone()],
                        &gradient.numeric[cells],
                    )
                }
                Source::Ids { place, .. } => of_id(place),
            };
        }
    }

    /// What is left of the sum, in proportion to the sizes; nothing where there is none.
    fn shared_out(&self, mut sums: Vec<f64>, gap: f64) -> Vec<f64> {
        let size: f64 = sums.iter().map(|sum| sum.abs()).sum();
        if size > 0.0 {
            sums.iter_mut().for_each(|sum| *sum += gap * sum.abs() / size);
        }
        sums
    }
}

impl Attribution for NetworkExplainer {
    fn method(&self) -> AttributionMethod {
        AttributionMethod::IntegratedGradients
    }

    fn features(&self) -> &[String] {
        &self.features
    }

    fn outputs(&self) -> Vec<(&str, f64)> {
        let base = self.base.iter().map(|base| self.in_units(*base));
        self.targets.iter().map(String::as_str).zip(base).collect()
    }

    fn contributions(
        &self,
        features: &FeatureBatch,
        soundness: Option<&NullBuffer>,
    ) -> Result<Vec<Vec<Float64Array>>> {
        let model = self.network.model();
        let double = DoubleNetwork::new(model.plan(), &self.tensors);
        let rows = self.network.reader().read(features, 0..features.rows);
        let stretch = self.network.scale().map_or(1.0, |scale| f64::from(scale.deviation));
        let (width, places) =
            (model.description().inputs.numeric.len(), model.description().inputs.categorical.len());
        let mut found = vec![vec![vec![0.0; rows.rows]; self.features.len()]; self.targets.len()];
        for row in (0..rows.rows).filter(|row| rows.is_sound(*row)) {
            let numeric = rows.numeric[row * width..(row + 1) * width].iter().map(|value| f64::from(*value));
            let point = double.point(numeric.collect(), &rows.ids[row * places..(row + 1) * places]);
            let sums = double.scores(&point);
            for (output, found) in found.iter_mut().enumerate() {
                let whole = sums[output] - self.base[output];
                let own = self.of_row(double, &point, output, whole);
                found.iter_mut().zip(own).for_each(|(found, own)| found[row] = own * stretch);
            }
        }
        let column = |values: Vec<f64>| Float64Array::new(values.into(), soundness.cloned());
        Ok(found.into_iter().map(|features| features.into_iter().map(column).collect()).collect())
    }
}
