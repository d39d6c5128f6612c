//! The distributions: for each row the loss (half its deviance), its slope and its curvature in the linear predictor η.
//!
//! | family | link | half deviance | slope, downhill | curvature (expected) |
//! |---|---|---|---|---|
//! | logistic | logit | ln(1 + e^η) − yη | y − p | p(1 − p) |
//! | softmax | log, normalised | ln Σ e^η − `η_y` | `y_k` − `p_k` | `p_k(δ_kl` − `p_l`) |
//! | power 1 | log | y ln(y/μ) − y + μ | y − μ | μ |
//! | power 2 | log | y/μ − 1 − ln(y/μ) | y/μ − 1 | 1 |
//! | power p | log | y^(2−p)/((1−p)(2−p)) − yμ^(1−p)/(1−p) + μ^(2−p)/(2−p) | (y − μ)μ^(1−p) | μ^(2−p) |
//!
//! (`McCullagh` & Nelder, Generalized Linear Models, 2nd edition, 1989, sections 2.3 to 2.5; Jørgensen, The Theory of
//! Dispersion Models, 1997, for powers.) Exponentials are taken of −|η|, so that the logistic function keeps all
//! digits at both ends and nothing overflows but what is beyond `f64`. The observed curvature, where it is never
//! negative (power up to 2), brings iterations to their end faster than the expected one, which the statistics want.

use serde::{Deserialize, Serialize};

/// A distribution with its link.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Family {
    /// Two classes, 0 and 1.
    Logistic,
    /// So many classes, from 0.
    Softmax(usize),
    /// The variance is the mean to this power.
    Power(f64),
}

/// What one row adds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Terms {
    /// Half the deviance.
    pub(super) loss: f64,
    /// Minus its derivative.
    pub(super) slope: f64,
    /// Its second derivative, or the expectation of it.
    pub(super) curvature: f64,
    /// The squared residual over the variance.
    pub(super) pearson: f64,
}

impl Family {
    /// Linear predictors of a row.
    pub(super) fn predictors(self) -> usize {
        match self {
            Self::Softmax(classes) => classes,
            Self::Logistic | Self::Power(_) => 1,
        }
    }

    /// Whether labels are numbers of classes.
    pub(super) fn has_classes(self) -> bool {
        !matches!(self, Self::Power(_))
    }

    /// Whether expected and observed curvature are the same.
    pub(super) fn is_canonical(self) -> bool {
        !matches!(self, Self::Power(power) if power > 1.0)
    }

    /// What is wrong with a finite label, if it has no such value.
    pub(super) fn problem(self, label: f64) -> Option<&'static str> {
        match self {
            Self::Power(power) if power < 2.0 && label < 0.0 => Some("negative"),
            Self::Power(power) if power >= 2.0 && !(label > 0.0) => Some("not above 0"),
            _ => None,
        }
    }

    /// The linear predictor at a mean, without offset.
    pub(super) fn link(self, mean: f64) -> f64 {
        match self {
            Self::Logistic => (mean / (1.0 - mean)).ln(),
            Self::Softmax(_) | Self::Power(_) => mean.ln(),
        }
    }

    /// What a row of one linear predictor adds.
    pub(super) fn terms(self, label: f64, predictor: f64, is_expected: bool) -> Terms {
        match self {
            Self::Logistic | Self::Softmax(_) => logistic(label, predictor),
            Self::Power(power) => {
                let is_expected = is_expected || power > 2.0;
                power_terms(power, label, predictor, is_expected)
            }
        }
    }
}

fn logistic(label: f64, predictor: f64) -> Terms {
    // As if the label were 1: η of the other class is −η.
    let toward = if label > 0.0 { predictor } else { -predictor };
    let small = (-toward.abs()).exp();
    let (loss, miss) = if toward > 0.0 {
        (small.ln_1p(), small / (1.0 + small))
    } else {
        (small.ln_1p() - toward, 1.0 / (1.0 + small))
    };
    Terms {
        loss,
        slope: if label > 0.0 { miss } else { -miss },
        curvature: small / ((1.0 + small) * (1.0 + small)),
        pearson: if toward > 0.0 { small } else { small.recip() },
    }
}

#[expect(clippy::float_cmp, reason = "powers 1 and 2 are cases of their own, exactly")]
fn power_terms(power: f64, label: f64, predictor: f64, is_expected: bool) -> Terms {
    if power == 1.0 {
        let mean = predictor.exp();
        let residual = label - mean;
        let loss = if label > 0.0 { label * (label.ln() - predictor) - residual } else { mean };
        return Terms { loss, slope: residual, curvature: mean, pearson: residual * residual / mean };
    }
    if power == 2.0 {
        let ratio = label * (-predictor).exp();
        let slope = ratio - 1.0;
        let loss = slope - (label.ln() - predictor);
        let curvature = if is_expected { 1.0 } else { ratio };
        return Terms { loss, slope, curvature, pearson: slope * slope };
    }
    let (first, second) = (1.0 - power, 2.0 - power);
    // μ^(1−p) and μ^(2−p).
    let (low, high) = ((first * predictor).exp(), (second * predictor).exp());
    let own = if label > 0.0 { (second * label.ln()).exp() / (first * second) } else { 0.0 };
    let slope = label * low - high;
    let mean = predictor.exp();
    Terms {
        loss: own - label * low / first + high / second,
        slope,
        curvature: if is_expected { high } else { second * high - first * label * low },
        pearson: (label - mean) * (label - mean) * (-power * predictor).exp(),
    }
}

/// Turns the linear predictors of a row into probabilities, and answers −ln of that of class `label`.
pub(super) fn softmax(label: usize, predictors: &mut [f64]) -> f64 {
    let largest =
        predictors.iter().fold(f64::NEG_INFINITY, |most, &x| if x > most || x.is_nan() { x } else { most });
    let own = predictors[label] - largest;
    let mut sum = 0.0;
    for predictor in predictors.iter_mut() {
        *predictor = (*predictor - largest).exp();
        sum += *predictor;
    }
    for predictor in predictors.iter_mut() {
        *predictor /= sum;
    }
    sum.ln() - own
}

#[cfg(test)]
mod tests {
    use super::{Family, softmax};
    use sluice_testkit::assert_relative;

    const FAMILIES: [(Family, &[f64]); 6] = [
        (Family::Logistic, &[0.0, 1.0]),
        (Family::Power(1.0), &[0.0, 1.0, 7.0]),
        (Family::Power(1.5), &[0.0, 0.3, 4.0]),
        (Family::Power(2.0), &[0.2, 3.0]),
        (Family::Power(2.5), &[0.2, 3.0]),
        (Family::Power(3.0), &[0.2, 3.0]),
    ];

    #[test]
    fn slopes_and_curvatures_are_derivatives() {
        for (family, labels) in FAMILIES {
            for &label in labels {
                for predictor in [-2.0, -0.3, 0.0, 0.8, 1.7] {
                    let at = |shift: f64| family.terms(label, predictor + shift, false);
                    let step = 1e-5;
                    let slope = (at(-step).loss - at(step).loss) / (2.0 * step);
                    assert!(
                        (slope - at(0.0).slope).abs() < 1e-8 * (1.0 + at(0.0).loss.abs()),
                        "{family:?} {label} {predictor}"
                    );
                    // Above power 2 the curvature is the expected one.
                    if !matches!(family, Family::Power(power) if power > 2.0) {
                        let curvature = (at(-step).slope - at(step).slope) / (2.0 * step);
                        assert!(
                            (curvature - at(0.0).curvature).abs() < 1e-7,
                            "{family:?} {label} {predictor}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn half_deviance_is_zero_at_the_label() {
        for (family, labels) in &FAMILIES[1..] {
            for label in labels.iter().filter(|label| **label > 0.0) {
                let terms = family.terms(*label, label.ln(), true);
                assert!(
                    terms.loss.abs() < 1e-14 && terms.slope.abs() < 1e-13,
                    "{family:?} {label} {terms:?}"
                );
            }
        }
    }

    #[test]
    fn far_predictors_lose_no_digits_and_do_not_overflow() {
        let far = Family::Logistic.terms(1.0, 700.0, false);
        assert_relative(far.loss, (-700.0_f64).exp(), 1e-15);
        assert_relative(far.slope, (-700.0_f64).exp(), 1e-15);
        let wrong = Family::Logistic.terms(0.0, 1e300, false);
        assert_relative(wrong.loss, 1e300, 1e-15);
        assert_relative(wrong.slope, -1.0, 1e-15);
        let mut predictors = [1e300, -1e300, 1e300];
        let loss = softmax(0, &mut predictors);
        assert_relative(loss, 2.0_f64.ln(), 1e-15);
        assert_eq!(predictors.map(f64::to_bits), [0.5_f64, 0.0, 0.5].map(f64::to_bits));
    }

    #[test]
    fn labels_that_a_distribution_cannot_have_are_told() {
        assert_eq!(Family::Power(1.0).problem(-1.0), Some("negative"));
        assert_eq!(Family::Power(1.5).problem(0.0), None);
        assert_eq!(Family::Power(2.0).problem(0.0), Some("not above 0"));
    }
}
