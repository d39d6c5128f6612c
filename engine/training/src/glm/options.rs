//! What the user chooses of a generalised linear model.

use serde::{Deserialize, Serialize};

use sluice_core::options::{OptionsError, Range};

use super::labels::Class;

/// The distribution of the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// One of several classes, by the logistic function of sums (of one for two classes, of one each for more).
    Logistic,
    /// Counts: the variance is the mean. Log link.
    Poisson,
    /// Amounts above 0: the variance is the mean squared. Log link.
    Gamma,
    /// Amounts of at least 0: the variance is the mean to a power. Log link.
    Tweedie,
}

impl Distribution {
    /// Its name in a pipeline file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic",
            Self::Poisson => "poisson",
            Self::Gamma => "gamma",
            Self::Tweedie => "tweedie",
        }
    }
}

/// The options of `logistic`, `poisson`, `gamma` and `tweedie`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GlmOptions {
    /// The penalty: 0 is maximum likelihood.
    pub alpha: f64,
    /// The share of the penalty that is on magnitudes rather than on squares.
    #[serde(default)]
    pub l1_ratio: f64,
    /// Of `tweedie`: the power of the mean that the variance is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power: Option<f64>,
    /// Of `logistic` with two classes: the one whose probability is predicted; the greater unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<Class>,
    /// A column that is added to the sum as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<String>,
    /// A column above 0 whose logarithm is added to the sum: what counts and amounts are in proportion to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<String>,
    /// Whether there is an intercept, which is never penalised.
    #[serde(default = "yes")]
    pub intercept: bool,
    /// The iteration ends where a step is this short, in standard errors of the coefficients.
    #[serde(default = "default_tolerance")]
    pub tolerance: f64,
    /// Steps at most.
    #[serde(default = "default_iterations")]
    pub max_iterations: u32,
}

fn yes() -> bool {
    true
}

fn default_tolerance() -> f64 {
    GlmOptions::DEFAULT_TOLERANCE
}

fn default_iterations() -> u32 {
    GlmOptions::DEFAULT_ITERATIONS
}

impl From<f64> for GlmOptions {
    /// This penalty on squares, and what is usual otherwise.
    fn from(alpha: f64) -> Self {
        Self {
            alpha,
            l1_ratio: 0.0,
            power: None,
            positive: None,
            offset: None,
            exposure: None,
            intercept: true,
            tolerance: Self::DEFAULT_TOLERANCE,
            max_iterations: Self::DEFAULT_ITERATIONS,
        }
    }
}

impl GlmOptions {
    /// The tolerance unless given.
    pub const DEFAULT_TOLERANCE: f64 = 1e-6;
    /// The steps unless given.
    pub const DEFAULT_ITERATIONS: u32 = 100;
    /// The powers of `tweedie`: from the variance of counts over that of amounts to the inverse Gaussian.
    pub const POWER: Range = Range::closed(1.0, 3.0);

    /// # Errors
    /// [`OptionsError::OutOfRange`]; [`OptionsError::Conflict`] for an option of another distribution.
    pub fn check(&self, distribution: Distribution) -> Result<(), OptionsError> {
        let name = |option: &str| format!("{}.{option}", distribution.name());
        Range::at_least(0.0).check(&name("alpha"), self.alpha)?;
        Range::closed(0.0, 1.0).check(&name("l1_ratio"), self.l1_ratio)?;
        Range::open(0.0, 1.0).check(&name("tolerance"), self.tolerance)?;
        Range::closed(1.0, 10_000.0).check(&name("max_iterations"), f64::from(self.max_iterations))?;
        let is_tweedie = distribution == Distribution::Tweedie;
        let is_logistic = distribution == Distribution::Logistic;
        let conflict = |option: &str, problem: &str| {
            Err(OptionsError::Conflict { name: name(option), problem: problem.into(), hint: None })
        };
        match self.power {
            Some(power) if is_tweedie => Self::POWER.check(&name("power"), power).map(drop)?,
            Some(_) => return conflict("power", "is an option of `tweedie` alone"),
            None if is_tweedie => {
                return conflict("power", "is missing; 1.5 is usual for amounts with zeros");
            }
            None => {}
        }
        if self.positive.is_some() && !is_logistic {
            return conflict("positive", "is an option of `logistic` alone");
        }
        if self.exposure.is_some() && is_logistic {
            return conflict("exposure", "is an option of models with log link alone");
        }
        Ok(())
    }

    /// The columns beside label and weight that it reads.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let offset = self.offset.iter().map(|column| (column.as_str(), "offset"));
        offset.chain(self.exposure.iter().map(|column| (column.as_str(), "exposure")))
    }
}
