//! Sums of losses over slices, the test whether one is worse than another, and the correction for many tests.

use sluice_core::distribution::student::upper_tail;

/// Sums per slice: all there is without weights are the first three.
pub(super) const PLAIN_SUMS: usize = 2;
pub(super) const WEIGHTED_SUMS: usize = 5;

/// Below this share of its parts a centred sum of squares is rounding, and zero.
const NOISE: f64 = 1e-12;

/// What is known of the losses of a slice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) rows: u64,
    /// Σw.
    weight: f64,
    /// Σwl.
    loss: f64,
    /// Σw².
    square_weight: f64,
    /// Σw²l.
    square_loss: f64,
    /// Σw²l².
    square: f64,
}

impl Sums {
    /// From what a scan added up: Σl, Σl²; or Σw, Σwl, Σw², Σw²l, Σw²l².
    pub(super) fn new(rows: u64, sums: &[f64]) -> Self {
        match *sums {
            [weight, loss, square_weight, square_loss, square] => {
                Self { rows, weight, loss, square_weight, square_loss, square }
            }
            [loss, square] => {
                let weight = rows as f64;
                Self { rows, weight, loss, square_weight: weight, square_loss: loss, square }
            }
            _ => Self::default(),
        }
    }

    /// The rows that are not in a part of it.
    pub(super) fn without(&self, part: &Self) -> Self {
        Self {
            rows: self.rows.saturating_sub(part.rows),
            weight: self.weight - part.weight,
            loss: self.loss - part.loss,
            square_weight: self.square_weight - part.square_weight,
            square_loss: self.square_loss - part.square_loss,
            square: self.square - part.square,
        }
    }

    pub(super) fn mean(&self) -> f64 {
        self.loss / self.weight
    }

    /// Rows, as many as would tell as much were their weights equal.
    fn effective_rows(&self) -> f64 {
        self.weight * self.weight / self.square_weight
    }

    /// The variance of the mean, and that of a row; none of a single row.
    fn variances(&self) -> Option<(f64, f64)> {
        let rows = self.effective_rows();
        if self.rows < 2 || !(self.weight > 0.0) || !(rows > 1.0) {
            return None;
        }
        let mean = self.mean();
        let centred = self.square - 2.0 * mean * self.square_loss + mean * mean * self.square_weight;
        let centred = if centred <= NOISE * self.square { 0.0 } else { centred };
        let of_mean = centred / (self.weight * self.weight) * (rows / (rows - 1.0));
        Some((of_mean, of_mean * rows))
    }
}

/// Whether the losses of some rows are worse than those of others (B. L. Welch, 1947), one-sided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Test {
    /// Mean inside minus mean outside.
    pub(super) effect: f64,
    pub(super) standard_error: f64,
    /// The effect in standard deviations: √2 · effect / √(σ² inside + σ² outside).
    pub(super) effect_size: f64,
    pub(super) t: f64,
    pub(super) p_value: f64,
}

impl Test {
    /// None where either side has no variance to tell.
    pub(super) fn new(inside: &Sums, outside: &Sums) -> Option<Self> {
        let ((own, own_row), (theirs, their_row)) = (inside.variances()?, outside.variances()?);
        let effect = inside.mean() - outside.mean();
        let variance = own + theirs;
        let standard_error = variance.sqrt();
        if !effect.is_finite() || !standard_error.is_finite() {
            return None;
        }
        let freedom = variance * variance
            / (own * own / (inside.effective_rows() - 1.0)
                + theirs * theirs / (outside.effective_rows() - 1.0));
        let (t, effect_size) = if variance > 0.0 {
            (effect / standard_error, std::f64::consts::SQRT_2 * effect / (own_row + their_row).sqrt())
        } else if effect == 0.0 {
            (0.0, 0.0)
        } else {
            (f64::INFINITY.copysign(effect), f64::INFINITY.copysign(effect))
        };
        let p_value = match (variance > 0.0, effect > 0.0) {
            (true, _) => upper_tail(t, freedom),
            (false, is_worse) => f64::from(u8::from(!is_worse)),
        };
        Some(Self { effect, standard_error, effect_size, t, p_value })
    }
}

/// The q-values of tests (Y. Benjamini, Y. Hochberg, 1995): the least rate of false discoveries at which each is one.
pub(super) fn false_discovery_rates(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let tests = p_values.len() as f64;
    let mut rates = vec![1.0; p_values.len()];
    let mut least = 1.0_f64;
    for (place, index) in order.iter().enumerate().rev() {
        let rate = p_values[*index] * tests / (place + 1) as f64;
        if rate < least {
            least = rate;
        }
        rates[*index] = least;
    }
    rates
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    fn sums(losses: &[f64]) -> Sums {
        let square = losses.iter().map(|loss| loss * loss).sum();
        Sums::new(losses.len() as u64, &[losses.iter().sum(), square])
    }

    #[test]
    fn the_test_is_that_of_scipy() {
        // scipy 1.17.1: ttest_ind([3.1, 2.9, 5.5, 4.2], [1.0, 2.5, 2.2, 1.9, 3.0, 0.4], equal_var=False,
        // alternative="greater"): statistic, pvalue.
        let (inside, outside) = (sums(&[3.1, 2.9, 5.5, 4.2]), sums(&[1.0, 2.5, 2.2, 1.9, 3.0, 0.4]));
        let test = Test::new(&inside, &outside).unwrap();
        assert_relative(test.t, 2.918_249_558_569_393_7, 1e-12);
        assert_relative(test.p_value, 0.014_578_266_414_495_41, 1e-10);
        let weighted = |losses: &[f64]| {
            let (loss, square) =
                (losses.iter().sum::<f64>(), losses.iter().map(|loss| loss * loss).sum::<f64>());
            let rows = losses.len() as f64;
            Sums::new(losses.len() as u64, &[2.0 * rows, 2.0 * loss, 4.0 * rows, 4.0 * loss, 4.0 * square])
        };
        let same =
            Test::new(&weighted(&[3.1, 2.9, 5.5, 4.2]), &weighted(&[1.0, 2.5, 2.2, 1.9, 3.0, 0.4])).unwrap();
        assert_relative(same.p_value, test.p_value, 1e-12);
        assert_relative(same.effect_size, test.effect_size, 1e-12);
    }

    #[test]
    fn without_variance_the_answer_is_certain() {
        let (one, two) = (sums(&[1.0, 1.0, 1.0]), sums(&[0.5, 0.5]));
        let p_value = |inside, outside| Test::new(inside, outside).unwrap().p_value;
        assert_relative(p_value(&one, &two), 0.0, 0.0);
        assert_relative(p_value(&two, &one), 1.0, 0.0);
        assert_relative(p_value(&one, &one), 1.0, 0.0);
        assert_eq!(Test::new(&one, &sums(&[2.0])), None);
    }

    #[test]
    fn rates_are_those_of_statsmodels() {
        // statsmodels 0.15: multipletests([0.01, 0.04, 0.03, 0.005, 0.8], method="fdr_bh")[1].
        let rates = false_discovery_rates(&[0.01, 0.04, 0.03, 0.005, 0.8]);
        for (rate, expected) in rates.iter().zip([0.025, 0.05, 0.05, 0.025, 0.8]) {
            assert_relative(*rate, expected, 1e-12);
        }
        assert!(false_discovery_rates(&[]).is_empty());
    }
}
