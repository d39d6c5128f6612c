//! Curves that bring a column to another distribution: powers, quantiles, tails drawn in.

use sluice_core::error::Result;
use sluice_onnx::{Edge, Operator};
use sluice_transform::constants::{
    CENTRAL, FAR, LAMBERT_STEPS, MIDDLE, NEGLIGIBLE, NORMAL_ENDS, Powered, QuantileTable, Ratio, Tails,
};
use sluice_transform::spec::{Distribution, PowerMethod};

use super::Step;
use crate::onnx::bound::Bound;
use crate::onnx::functions;
use crate::onnx::value::Value;

/// A row of the graph holds so many quantiles at most.
const MAX_QUANTILES: usize = 10_000;

impl Step<'_> {
    pub(super) fn power(&mut self, powered: &Powered) -> Result<Value> {
        let Powered { method, lambda, center, scale } = *powered;
        let x = self.number(0)?;
        let raised = match method {
            PowerMethod::BoxCox => {
                let log = self.node(&Operator::Log, &[&x.edge]);
                self.raised(&log, lambda)
            }
            PowerMethod::YeoJohnson => {
                let size = self.node(&Operator::Abs, &[&x.edge]);
                let log = functions::log1p(&size, self.graph);
                let above = self.raised(&log, lambda);
                let below = self.raised(&log, 2.0 - lambda);
                let below = self.node(&Operator::Neg, &[&below]);
                let is_below = self.with(&Operator::Less, &x.edge, 0.0);
                self.node(&Operator::Where, &[&is_below, &below, &above])
            }
        };
        let centered = self.with(&Operator::Sub, &raised, center);
        let edge = self.with(&Operator::Div, &centered, scale);
        let bound = x.bound.after_function(Bound::POWER).after_linear(center, scale);
        Ok(Self::of_number(x, edge, bound))
    }

    /// (e^(λ log) − 1) / λ.
    fn raised(&mut self, log: &Edge, lambda: f64) -> Edge {
        if lambda.abs() < f64::MIN_POSITIVE {
            return log.clone();
        }
        let exponent = self.with(&Operator::Mul, log, lambda);
        let power = functions::expm1(&exponent, self.graph);
        self.with(&Operator::Div, &power, lambda)
    }

    pub(super) fn quantile(&mut self, table: &QuantileTable) -> Result<Value> {
        let count = table.quantiles.len();
        if count > MAX_QUANTILES {
            return Err(self.refused(format!("has {count} quantiles, more than {MAX_QUANTILES} in ONNX")));
        }
        let x = self.number(0)?;
        let share = self.share(&x.edge, table)?;
        let joined = Bound::joined([x.bound]);
        Ok(match table.output {
            Distribution::Uniform => Self::of_number(x, share, joined),
            Distribution::Normal => {
                let normal = self.normal_quantile(&share);
                let edge = self.held(&normal, Some(NORMAL_ENDS.0), Some(NORMAL_ENDS.1));
                Self::of_number(x, edge, joined.after_function(Bound::FUNCTION))
            }
        })
    }

    fn share(&mut self, x: &Edge, table: &QuantileTable) -> Result<Edge> {
        let quantiles = &table.quantiles;
        let (Some(first), Some(last)) = (quantiles.first().copied(), quantiles.last().copied()) else {
            return Err(self.refused("has no quantiles"));
        };
        let mut share = self.graph.number(0.0);
        let count = quantiles.len();
        if count > 1 {
            let above = self.count(&Operator::GreaterOrEqual, x, quantiles);
            let place = self.interval(&above, count - 1);
            let step = |below: usize| {
                (table.reference(below + 1) - table.reference(below))
                    / (quantiles[below + 1] - quantiles[below])
            };
            let slope = self.entry(&place, (0..count - 1).map(step).collect());
            let low = self.entry(&place, quantiles[..count - 1].to_vec());
            let from = self.entry(&place, (0..count - 1).map(|below| table.reference(below)).collect());
            let within = self.node(&Operator::Sub, &[x, &low]);
            let within = self.node(&Operator::Mul, &[&slope, &within]);
            let from_below = self.node(&Operator::Add, &[&within, &from]);
            // x is a quantile, or several: the middle of their shares.
            let passed = self.count(&Operator::Greater, x, quantiles);
            let following = self.with(&Operator::Add, &passed, 1.0);
            let following = self.interval(&following, count);
            let reached = self.entry(&following, (0..count).map(|place| table.reference(place)).collect());
            let both = self.node(&Operator::Add, &[&from_below, &reached]);
            let middle = self.with(&Operator::Mul, &both, 0.5);
            let is_between = self.node(&Operator::Equal, &[&passed, &above]);
            share = self.node(&Operator::Where, &[&is_between, &from_below, &middle]);
        }
        let is_above = self.with(&Operator::GreaterOrEqual, x, last);
        let share = self.put(&is_above, 1.0, &share);
        let is_below = self.with(&Operator::GreaterOrEqual, x, first);
        let is_first = self.with(&Operator::Equal, x, first);
        let is_beyond = self.node(&Operator::Not, &[&is_below]);
        let is_low = self.node(&Operator::Or, &[&is_beyond, &is_first]);
        let share = self.put(&is_low, 0.0, &share);
        let is_nan = self.graph.is_nan(x);
        Ok(self.put(&is_nan, f64::NAN, &share))
    }

    /// The number below which a share of the normal distribution lies, by the ratios of polynomials that ours takes.
    fn normal_quantile(&mut self, share: &Edge) -> Edge {
        let from_half = self.with(&Operator::Sub, share, 0.5);
        let square = self.node(&Operator::Mul, &[&from_half, &from_half]);
        let center = self.graph.number(0.180_625);
        let inner = self.node(&Operator::Sub, &[&center, &square]);
        let central = self.ratio(&CENTRAL, &inner);
        let central = self.node(&Operator::Mul, &[&central, &from_half]);

        let is_lower = self.with(&Operator::Less, &from_half, 0.0);
        let one = self.graph.number(1.0);
        let upper = self.node(&Operator::Sub, &[&one, share]);
        let tail = self.node(&Operator::Where, &[&is_lower, share, &upper]);
        let log = self.node(&Operator::Log, &[&tail]);
        let log = self.node(&Operator::Neg, &[&log]);
        let depth = self.node(&Operator::Sqrt, &[&log]);
        let near = self.with(&Operator::Sub, &depth, 1.6);
        let near = self.ratio(&MIDDLE, &near);
        let far = self.with(&Operator::Sub, &depth, 5.0);
        let far = self.ratio(&FAR, &far);
        let is_far = self.with(&Operator::Greater, &depth, 5.0);
        let distance = self.node(&Operator::Where, &[&is_far, &far, &near]);
        // No tail is infinitely far, which the polynomials of an infinite depth do not say.
        let is_end = self.with(&Operator::Equal, &tail, 0.0);
        let distance = self.put(&is_end, f64::INFINITY, &distance);
        let negative = self.node(&Operator::Neg, &[&distance]);
        let outer = self.node(&Operator::Where, &[&is_lower, &negative, &distance]);
        let size = self.node(&Operator::Abs, &[&from_half]);
        let is_outer = self.with(&Operator::Greater, &size, 0.425);
        self.node(&Operator::Where, &[&is_outer, &outer, &central])
    }

    fn ratio(&mut self, (numerator, denominator): &Ratio, x: &Edge) -> Edge {
        let numerator = functions::polynomial(numerator, x, self.graph);
        let denominator = functions::polynomial(denominator, x, self.graph);
        self.node(&Operator::Div, &[&numerator, &denominator])
    }

    pub(super) fn gaussian(&mut self, tails: &Tails) -> Result<Value> {
        let Tails { location, scale, lower, upper } = *tails;
        let x = self.number(0)?;
        let centered = self.with(&Operator::Sub, &x.edge, location);
        let z = self.with(&Operator::Div, &centered, scale);
        let is_lower = self.with(&Operator::Less, &z, 0.0);
        let upper = self.graph.number(upper);
        let tail = self.put(&is_lower, lower, &upper);
        let size = self.node(&Operator::Abs, &[&z]);
        let log = self.node(&Operator::Log, &[&size]);
        let log = self.with(&Operator::Mul, &log, 2.0);
        let log_tail = self.node(&Operator::Log, &[&tail]);
        let log = self.node(&Operator::Add, &[&log_tail, &log]);
        let lambert = self.lambert(&log);
        let share = self.node(&Operator::Div, &[&lambert, &tail]);
        let root = self.node(&Operator::Sqrt, &[&share]);
        let negative = self.node(&Operator::Neg, &[&root]);
        let drawn = self.node(&Operator::Where, &[&is_lower, &negative, &root]);
        let weight = self.node(&Operator::Mul, &[&tail, &z]);
        let weight = self.node(&Operator::Mul, &[&weight, &z]);
        let is_heavy = self.with(&Operator::Greater, &weight, NEGLIGIBLE);
        let is_finite = self.with(&Operator::Less, &size, f64::INFINITY);
        let is_drawn = self.node(&Operator::And, &[&is_heavy, &is_finite]);
        let edge = self.node(&Operator::Where, &[&is_drawn, &drawn, &z]);
        let bound = x.bound.after_linear(location, scale).after_function(Bound::POWER);
        Ok(Self::of_number(x, edge, bound))
    }

    /// Lambert's function of what has this logarithm, in the steps that ours takes.
    fn lambert(&mut self, log: &Edge) -> Edge {
        let power = self.node(&Operator::Exp, &[log]);
        let near = functions::log1p(&power, self.graph);
        let is_small = self.with(&Operator::Less, log, 700.0);
        let mut w = self.node(&Operator::Where, &[&is_small, &near, log]);
        let one = self.graph.number(1.0);
        for _ in 0..LAMBERT_STEPS {
            let rest = self.node(&Operator::Add, &[&one, log]);
            let of_w = self.node(&Operator::Log, &[&w]);
            let rest = self.node(&Operator::Sub, &[&rest, &of_w]);
            let more = self.node(&Operator::Add, &[&one, &w]);
            let factor = self.node(&Operator::Div, &[&rest, &more]);
            w = self.node(&Operator::Mul, &[&w, &factor]);
        }
        w
    }
}
