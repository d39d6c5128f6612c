//! Numbers that carry their derivatives, so that a metric is written once, as its formula, and its standard error
//! follows (forward differentiation; Griewank & Walther, "Evaluating Derivatives", chapter 3).

use std::ops::{Add, Div, Mul, Neg, Sub};

use sluice_core::double_double::DoubleDouble;

/// A number and its derivatives with respect to the inputs of a formula.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dual {
    pub(crate) value: DoubleDouble,
    pub(crate) slope: Vec<DoubleDouble>,
}

impl Dual {
    /// The inputs of a formula.
    pub(crate) fn inputs(values: &[DoubleDouble]) -> Vec<Self> {
        let unit = |index: usize| {
            let one = |other| if other == index { DoubleDouble::ONE } else { DoubleDouble::ZERO };
            (0..values.len()).map(one).collect()
        };
        values.iter().enumerate().map(|(index, value)| Self { value: *value, slope: unit(index) }).collect()
    }

    /// A number that depends on no input.
    pub(crate) fn constant(value: f64) -> Self {
        Self { value: value.into(), slope: Vec::new() }
    }

    /// A function of it, known with its derivative there.
    pub(crate) fn map(&self, value: DoubleDouble, derivative: DoubleDouble) -> Self {
        Self { value, slope: self.slope.iter().map(|slope| *slope * derivative).collect() }
    }

    /// The square root; that of 0 counts as a constant, as a model without any error has no variance.
    pub(crate) fn sqrt(&self) -> Self {
        let root = self.value.sqrt();
        let derivative = if root.high > 0.0 { DoubleDouble::from(0.5) / root } else { DoubleDouble::ZERO };
        self.map(root, derivative)
    }

    /// The natural logarithm of a number above 0.
    pub(crate) fn ln(&self) -> Self {
        // ln(high + low) = ln(high) + low/high, to the second order of low.
        let logarithm = DoubleDouble::sum(self.value.high.ln(), self.value.low / self.value.high);
        self.map(logarithm, DoubleDouble::ONE / self.value)
    }

    /// The square.
    pub(crate) fn square(&self) -> Self {
        self.map(self.value * self.value, self.value * 2.0)
    }

    /// Both slopes combined, where either may be that of a constant.
    fn join(&self, other: &Self, value: DoubleDouble, own: DoubleDouble, theirs: DoubleDouble) -> Self {
        let count = std::cmp::max(self.slope.len(), other.slope.len());
        let at =
            |slope: &[DoubleDouble], index: usize| slope.get(index).copied().unwrap_or(DoubleDouble::ZERO);
        let slope = (0..count).map(|index| at(&self.slope, index) * own + at(&other.slope, index) * theirs);
        Self { value, slope: slope.collect() }
    }
}

impl Add for &Dual {
    type Output = Dual;

    fn add(self, other: Self) -> Dual {
        self.join(other, self.value + other.value, DoubleDouble::ONE, DoubleDouble::ONE)
    }
}

impl Sub for &Dual {
    type Output = Dual;

    fn sub(self, other: Self) -> Dual {
        self.join(other, self.value - other.value, DoubleDouble::ONE, -DoubleDouble::ONE)
    }
}

impl Mul for &Dual {
    type Output = Dual;

    fn mul(self, other: Self) -> Dual {
        self.join(other, self.value * other.value, other.value, self.value)
    }
}

impl Div for &Dual {
    type Output = Dual;

    /// Of a divisor that is not 0.
    fn div(self, other: Self) -> Dual {
        let quotient = self.value / other.value;
        self.join(other, quotient, DoubleDouble::ONE / other.value, -(quotient / other.value))
    }
}

impl Neg for &Dual {
    type Output = Dual;

    fn neg(self) -> Dual {
        self.map(-self.value, -DoubleDouble::ONE)
    }
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    #[test]
    fn derivatives_equal_differences() {
        let function =
            |x: &[Dual]| &(&x[0] * &x[1]).sqrt() / &(&x[0].square() - &(&x[1] + &Dual::constant(3.0)));
        let at = |x: f64, y: f64| function(&Dual::inputs(&[x.into(), y.into()]));
        let (x, y, step) = (1.25, 2.5, 1e-6);
        let dual = at(x, y);
        let difference = |high: Dual, low: Dual| (high.value - low.value).to_f64() / (2.0 * step);
        assert_relative(dual.slope[0].to_f64(), difference(at(x + step, y), at(x - step, y)), 1e-9);
        assert_relative(dual.slope[1].to_f64(), difference(at(x, y + step), at(x, y - step)), 1e-9);
    }

    #[test]
    fn the_root_of_nothing_has_no_variance() {
        let root = Dual::inputs(&[DoubleDouble::ZERO])[0].sqrt();
        assert_relative(root.slope[0].to_f64(), 0.0, 0.0);
    }
}
