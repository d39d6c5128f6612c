//! From a coefficient and its standard error to statistic, p-value and confidence interval.
//!
//! The statistic is the coefficient over its standard error; p is two-sided, that the coefficient is 0; the interval
//! reaches as many standard errors to both sides as the quantile at (1 + confidence) / 2 says.

use serde::{Deserialize, Serialize};

use sluice_core::distribution::{normal, student};

/// What a statistic is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The normal distribution: the statistic is z.
    Normal,
    /// Student's t distribution with so many degrees of freedom, above 0 and not always whole: the statistic is t.
    StudentT(f64),
}

/// A standard error with what follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CoefficientTest {
    /// How far an estimate like this one strays from sample to sample.
    pub standard_error: f64,
    /// The coefficient over its standard error.
    pub statistic: f64,
    /// How likely a statistic this far from 0, to either side, is where the coefficient is 0.
    pub p_value: f64,
    /// The confidence interval, from its lower to its upper end.
    pub interval: (f64, f64),
}

/// Tests of the coefficients of one model.
#[derive(Clone, Copy, Debug)]
pub struct CoefficientTests {
    reference: Reference,
    /// Standard errors from the middle of an interval to its ends.
    reach: f64,
}

impl CoefficientTests {
    /// `confidence` lies between 0 and 1, both excluded.
    #[must_use]
    pub fn new(reference: Reference, confidence: f64) -> Self {
        let tail = (1.0 - confidence) / 2.0;
        let reach = match reference {
            Reference::Normal => normal::upper_quantile(tail),
            Reference::StudentT(freedom) => student::upper_quantile(tail, freedom),
        };
        Self { reference, reach }
    }

    /// Of one coefficient; none where there is no standard error above 0, as of a coefficient that is 0 because its
    /// column was left out, or where a figure is outside the range of numbers.
    #[must_use]
    pub fn of(&self, coefficient: f64, standard_error: f64) -> Option<CoefficientTest> {
        let statistic = coefficient / standard_error;
        let tail = match self.reference {
            Reference::Normal => normal::upper_tail(statistic.abs()),
            Reference::StudentT(freedom) => student::upper_tail(statistic.abs(), freedom),
        };
        let half = self.reach * standard_error;
        let test = CoefficientTest {
            standard_error,
            statistic,
            p_value: 2.0 * tail,
            interval: (coefficient - half, coefficient + half),
        };
        let is_sound = standard_error > 0.0
            && [statistic, tail, test.interval.0, test.interval.1].iter().all(|figure| figure.is_finite());
        is_sound.then_some(test)
    }
}

#[cfg(test)]
mod tests {
    use super::{CoefficientTest, CoefficientTests, Reference};
    use sluice_testkit::assert_relative;

    fn assert_test(found: CoefficientTest, statistic: f64, p_value: f64, interval: (f64, f64)) {
        assert_relative(found.statistic, statistic, 1e-14);
        assert_relative(found.p_value, p_value, 1e-12);
        assert_relative(found.interval.0, interval.0, 1e-12);
        assert_relative(found.interval.1, interval.1, 1e-12);
    }

    #[test]
    fn tests_equal_scipy() {
        // SciPy 1.17.1: 2 * t.sf(|t|, df), 2 * norm.sf(|z|), c -/+ ppf((1 + confidence) / 2) * se.
        let tests = CoefficientTests::new(Reference::StudentT(5.0), 0.95);
        let found = tests.of(20.0, 0.5).unwrap();
        assert_test(
            found,
            40.0,
            1.841_196_217_177_295_4e-7,
            (18.714_709_082_181_844, 21.285_290_917_818_156),
        );
        let tests = CoefficientTests::new(Reference::Normal, 0.9);
        let found = tests.of(-0.75, 0.5).unwrap();
        let expected = (-1.572_426_813_475_736_2, 0.072_426_813_475_736_24);
        assert_test(found, -1.5, 0.133_614_402_537_716_07, expected);
    }

    #[test]
    fn without_a_standard_error_there_is_no_test() {
        let tests = CoefficientTests::new(Reference::StudentT(7.5), 0.95);
        for error in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(tests.of(1.0, error), None, "{error}");
        }
        assert_eq!(tests.of(1e300, 1e-300), None);
        // Far out a p-value of 0 is the nearest number to it.
        assert_eq!(tests.of(1e30, 1.0).map(|test| test.p_value > 0.0), Some(true));
        let tests = CoefficientTests::new(Reference::Normal, 0.95);
        assert_eq!(tests.of(1e60, 1.0).map(|test| test.p_value.to_bits()), Some(0.0_f64.to_bits()));
    }
}
