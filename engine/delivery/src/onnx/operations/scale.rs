//! Scaling, clipping, and both with constants per key.

use sluice_core::error::Result;
use sluice_onnx::{Edge, Operator};
use sluice_transform::constants::{Affine, ClipBounds, PerKey, RangeScale, Standardize};

use super::Step;
use crate::onnx::bound::Bound;
use crate::onnx::value::Value;

impl Step<'_> {
    pub(super) fn affine(&mut self, Affine { center, scale }: Affine) -> Result<Value> {
        let x = self.number(0)?;
        let centered = self.with(&Operator::Sub, &x.edge, center);
        let edge = self.with(&Operator::Div, &centered, scale);
        let bound = x.bound.after_linear(center, scale);
        Ok(Self::of_number(x, edge, bound))
    }

    pub(super) fn standardize_per_key(&mut self, constants: &PerKey<Standardize>) -> Result<Value> {
        let x = self.number(0)?;
        let key = self.key(1, constants.keys.keys())?;
        let all = || constants.constants.iter().chain([&constants.overall]);
        let mean = self.entry(&key, all().map(|of_key| of_key.mean).collect());
        let deviation = self.entry(&key, all().map(|of_key| of_key.standard_deviation).collect());
        let centered = self.node(&Operator::Sub, &[&x.edge, &mean]);
        let edge = self.node(&Operator::Div, &[&centered, &deviation]);
        let bounds = all().map(|of_key| x.bound.after_linear(of_key.mean, of_key.standard_deviation));
        let bound = bounds.fold(Bound::EXACT, Bound::larger);
        Ok(Self::of_number(x, edge, bound))
    }

    pub(super) fn scale_to_range(&mut self, constants: &RangeScale) -> Result<Value> {
        let x = self.number(0)?;
        let minimum = self.graph.number(constants.minimum);
        let width = self.graph.number(divisor(constants));
        let bound = range_bound(x.bound, constants);
        let edge = self.in_range(&x.edge, (&minimum, &width), constants);
        Ok(Self::of_number(x, edge, bound))
    }

    pub(super) fn scale_to_range_per_key(&mut self, constants: &PerKey<RangeScale>) -> Result<Value> {
        let x = self.number(0)?;
        let key = self.key(1, constants.keys.keys())?;
        let all = || constants.constants.iter().chain([&constants.overall]);
        let minimum = self.entry(&key, all().map(|of_key| of_key.minimum).collect());
        let width = self.entry(&key, all().map(divisor).collect());
        let bound = all().map(|of_key| range_bound(x.bound, of_key)).fold(Bound::EXACT, Bound::larger);
        // The range that comes out is an option, the same for all keys.
        let edge = self.in_range(&x.edge, (&minimum, &width), &constants.overall);
        Ok(Self::of_number(x, edge, bound))
    }

    fn in_range(&mut self, x: &Edge, (minimum, width): (&Edge, &Edge), constants: &RangeScale) -> Edge {
        let RangeScale { low, high, clip, .. } = *constants;
        let share = self.node(&Operator::Sub, &[x, minimum]);
        let share = self.node(&Operator::Div, &[&share, width]);
        let scaled = self.with(&Operator::Mul, &share, high - low);
        let edge = self.with(&Operator::Add, &scaled, low);
        if clip { self.held(&edge, Some(low), Some(high)) } else { edge }
    }

    pub(super) fn clip(&mut self, ClipBounds { at_least, at_most }: ClipBounds) -> Result<Value> {
        let x = self.number(0)?;
        let edge = self.held(&x.edge, at_least, at_most);
        let bound = x.bound;
        Ok(Self::of_number(x, edge, bound))
    }

    /// Comparisons instead of `Clip`, for which runtimes do what they like with NaN.
    pub(super) fn held(&mut self, x: &Edge, at_least: Option<f64>, at_most: Option<f64>) -> Edge {
        let mut held = x.clone();
        for (bound, beyond) in [(at_least, Operator::Less), (at_most, Operator::Greater)] {
            if let Some(bound) = bound {
                let is_beyond = self.with(&beyond, &held, bound);
                held = self.put(&is_beyond, bound, &held);
            }
        }
        held
    }
}

/// The width of the training values; 1, which changes no bit, where it is 0.
fn divisor(constants: &RangeScale) -> f64 {
    let width = constants.maximum - constants.minimum;
    if width > 0.0 { width } else { 1.0 }
}

fn range_bound(bound: Bound, constants: &RangeScale) -> Bound {
    let scale = divisor(constants) / (constants.high - constants.low);
    bound.after_linear(constants.minimum, scale).after_linear(constants.low, 1.0)
}
