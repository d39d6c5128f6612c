//! Standard errors from replicates of a figure, and how they are asked for.
//!
//! - **Bootstrap** (B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7 (1979)), with
//!   a Poisson(1) weight per row and replicate in place of a draw with replacement (Chamandy, Muralidharan, Najmi &
//!   Naidu, "Estimating uncertainty for massive data streams", Google (2012)): the variance is s² n/(n − 1), with s² the
//!   sample variance of the R replicates and n the rows; n/(n − 1) because a resampled row spreads about the mean of
//!   the sample. Its degrees of freedom ν are 1/ν = 1/(n − 1) + 1/(R − 1): relative variances of both estimates add up.
//! - **Jackknife** of G = 20 groups of rows, each left out once, as TensorFlow Model Analysis has it: with the pseudo
//!   values G T − (G − 1) T₍ᵢ₎, the standard error is their standard deviation by √G, which is (G − 1) sd(T₍ᵢ₎)/√G; G − 1
//!   degrees of freedom.
//!
//! Spread below 10⁻¹² of the replicates, or of what they are differences of, is the rounding of their sums, and none.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use sluice_core::options::{OptionsError, Range};

use super::Estimate;
use crate::metric::Undefined;

/// Groups of the jackknife.
pub(crate) const JACKKNIFE_GROUPS: usize = 20;
/// Spread below this share of the largest replicate is rounding.
const NOISE: f64 = 1e-12;
/// A figure that does not exist in more than one of so many replicates has no error.
const MISSING_ONE_IN: usize = 10;

/// How standard errors and intervals are found: `analytic`, `jackknife`, `bootstrap` or
/// `{bootstrap: {replicates: 200, seed: 0}}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IntervalOptions {
    /// From formulas: the delta method, Wilson's interval of shares.
    #[default]
    Analytic,
    /// From Poisson weights keyed by row.
    Bootstrap(BootstrapOptions),
    /// From twenty groups of rows, keyed by row, each left out once.
    Jackknife,
}

/// Options of the bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BootstrapOptions {
    /// How many replicates.
    pub replicates: u64,
    /// Another number, other weights.
    pub seed: u64,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self { replicates: 200, seed: 0 }
    }
}

/// Rows that are drawn again, as checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resampling {
    /// Poisson weights.
    Bootstrap {
        /// How many replicates.
        replicates: usize,
        /// What the weights follow from, beside the row.
        seed: u64,
    },
    /// Groups of rows, each left out once.
    Jackknife,
}

impl IntervalOptions {
    /// The numbers of replicates that are allowed.
    pub const REPLICATES: Range = Range::closed(20.0, 10_000.0);

    /// The way rows are drawn again, if they are.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for a number of replicates.
    pub fn check(&self) -> Result<Option<Resampling>, OptionsError> {
        Ok(match self {
            Self::Analytic => None,
            Self::Jackknife => Some(Resampling::Jackknife),
            Self::Bootstrap(BootstrapOptions { replicates, seed }) => {
                let name = "intervals.bootstrap.replicates";
                Self::REPLICATES.check(name, *replicates as f64)?;
                let replicates = usize::try_from(*replicates).unwrap_or(usize::MAX);
                Some(Resampling::Bootstrap { replicates, seed: *seed })
            }
        })
    }
}

impl<'de> Deserialize<'de> for IntervalOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntervalVisitor)
    }
}

struct IntervalVisitor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    bootstrap: BootstrapOptions,
}

impl<'de> Visitor<'de> for IntervalVisitor {
    type Value = IntervalOptions;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("analytic, jackknife, bootstrap or {bootstrap: {replicates: N, seed: N}}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<IntervalOptions, E> {
        match text {
            "analytic" => Ok(IntervalOptions::Analytic),
            "jackknife" => Ok(IntervalOptions::Jackknife),
            "bootstrap" => Ok(IntervalOptions::Bootstrap(BootstrapOptions::default())),
            _ => Err(E::unknown_variant(text, &["analytic", "bootstrap", "jackknife"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<IntervalOptions, A::Error> {
        let Sections { bootstrap } = Sections::deserialize(MapAccessDeserializer::new(map))?;
        Ok(IntervalOptions::Bootstrap(bootstrap))
    }
}

impl Resampling {
    /// How many replicates there are.
    #[must_use]
    pub fn replicates(self) -> usize {
        match self {
            Self::Bootstrap { replicates, .. } => replicates,
            Self::Jackknife => JACKKNIFE_GROUPS,
        }
    }

    /// How much too large a figure of this value is on average, as its replicates tell; 0 of the jackknife, which would
    /// multiply the noise of the figure by its groups.
    pub(crate) fn bias(self, value: f64, replicates: &[Option<f64>]) -> f64 {
        let known: Vec<f64> = replicates.iter().copied().flatten().collect();
        match self {
            Self::Bootstrap { .. } if !known.is_empty() => {
                known.iter().sum::<f64>() / known.len() as f64 - value
            }
            Self::Bootstrap { .. } | Self::Jackknife => 0.0,
        }
    }

    /// The estimate of a figure with this value, from its replicates; `None` where it does not exist in one. `units` are
    /// the rows, or the keys that draw rows together; `level` the size of what a difference was taken of, 0 of what none was.
    ///
    /// # Errors
    /// Too few rows, too few replicates in which the figure exists, figures beyond the range of `f64`.
    pub(crate) fn estimate(
        self,
        value: f64,
        replicates: &[Option<f64>],
        units: f64,
        level: f64,
    ) -> Result<Estimate, Undefined> {
        let known: Vec<f64> = replicates.iter().copied().flatten().collect();
        let missing = replicates.len() - known.len();
        let tolerated = match self {
            Self::Bootstrap { replicates, .. } => replicates / MISSING_ONE_IN,
            Self::Jackknife => 0,
        };
        if !(units > 1.0) {
            return Err(Undefined::TooFewRows);
        }
        if missing > tolerated || known.len() < 2 {
            return Err(Undefined::TooFewReplicates);
        }
        let (spread, others) = (variance(&known, level), known.len() as f64 - 1.0);
        match self {
            Self::Bootstrap { .. } => {
                let freedom = 1.0 / (1.0 / (units - 1.0) + 1.0 / others);
                Estimate::new(value, spread * (units / (units - 1.0)), freedom)
            }
            Self::Jackknife => Estimate::new(value, spread * others * others / (others + 1.0), others),
        }
    }
}

/// The sample variance, of two numbers at least; in two passes.
fn variance(values: &[f64], level: f64) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let largest =
        values.iter().fold(level.abs(), |most, value| if value.abs() > most { value.abs() } else { most });
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    let variance = squares / (count - 1.0);
    if variance.sqrt() <= NOISE * largest { 0.0 } else { variance }
}

#[cfg(test)]
mod tests {
    use sluice_testkit::close::assert_relative;

    use super::*;

    fn estimate(resampling: Resampling, value: f64, replicates: &[f64]) -> Estimate {
        let replicates: Vec<Option<f64>> = replicates.iter().copied().map(Some).collect();
        resampling.estimate(value, &replicates, 50.0, 0.0).unwrap()
    }

    #[test]
    fn the_jackknife_is_that_of_tensorflow_model_analysis() {
        // jackknife_test.py, cases "x" and "x slice 2" (golden.json tfma-087 and tfma-089): standard error, degrees.
        for (full, samples, error) in [(1.6, [1.0, 2.0], 0.5), (3.3, [2.0, 4.0], 1.0)] {
            let found = estimate(Resampling::Jackknife, full, &samples);
            assert_relative(found.standard_error, error, 1e-15);
            assert_relative(found.degrees_of_freedom, 1.0, 0.0);
            assert_relative(found.difference, full, 0.0);
        }
    }

    #[test]
    fn the_bootstrap_adds_up_both_uncertainties() {
        let found = estimate(Resampling::Bootstrap { replicates: 4, seed: 0 }, 2.0, &[1.0, 2.0, 3.0, 6.0]);
        // statistics.variance([1, 2, 3, 6]) of Python 3.12 is 14/3.
        assert_relative(found.standard_error, (14.0 / 3.0 * 50.0 / 49.0_f64).sqrt(), 1e-15);
        assert_relative(found.degrees_of_freedom, 1.0 / (1.0 / 49.0 + 1.0 / 3.0), 1e-15);
    }

    #[test]
    fn rounding_is_no_spread_and_missing_replicates_no_error() {
        let noisy = [0.3, 0.3 + 1e-16, 0.3 - 1e-15, 0.3];
        let found = estimate(Resampling::Bootstrap { replicates: 4, seed: 0 }, 0.3, &noisy);
        assert_relative(found.standard_error, 0.0, 0.0);
        let bootstrap = Resampling::Bootstrap { replicates: 20, seed: 0 };
        let with_missing = |missing: usize| -> Vec<Option<f64>> {
            (0..20)
                .map(|place| (place >= missing).then_some(f64::from(u8::try_from(place).unwrap())))
                .collect()
        };
        assert!(bootstrap.estimate(1.0, &with_missing(2), 9.0, 0.0).is_ok());
        assert_eq!(bootstrap.estimate(1.0, &with_missing(3), 9.0, 0.0), Err(Undefined::TooFewReplicates));
        assert_eq!(
            Resampling::Jackknife.estimate(1.0, &with_missing(1), 9.0, 0.0),
            Err(Undefined::TooFewReplicates)
        );
        assert_eq!(bootstrap.estimate(1.0, &with_missing(0), 1.0, 0.0), Err(Undefined::TooFewRows));
    }

    #[test]
    fn forms_are_read_and_written_alike() {
        for (json, again) in [
            (r#""analytic""#, r#""analytic""#),
            (r#""jackknife""#, r#""jackknife""#),
            (r#""bootstrap""#, r#"{"bootstrap":{"replicates":200,"seed":0}}"#),
            (r#"{"bootstrap":{"replicates":50}}"#, r#"{"bootstrap":{"replicates":50,"seed":0}}"#),
        ] {
            let options: IntervalOptions = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&options).unwrap(), again);
        }
        for wrong in [r#""bootstrp""#, r#"{"bootstrap":{"replicate":50}}"#, r#"{"jackknife":{}}"#, "3"] {
            assert!(serde_json::from_str::<IntervalOptions>(wrong).is_err(), "{wrong}");
        }
        let few = IntervalOptions::Bootstrap(BootstrapOptions { replicates: 19, seed: 0 });
        let error = few.check().unwrap_err().to_string();
        assert!(error.starts_with("`intervals.bootstrap.replicates` is 19, but must be"), "{error}");
    }
}
