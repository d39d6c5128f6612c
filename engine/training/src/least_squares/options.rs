//! What the user chooses: the family, its penalties, and what all families have in common.

use serde::{Deserialize, Serialize};

use sluice_core::memory::MemoryLimit;
use sluice_core::options::{OptionsError, Range};

use super::penalty::{Grid, Penalty};
use crate::inference::InferenceOptions;
use crate::solve::Objective;
use crate::wide::GRAM_LIMIT;

/// Least squares: no penalty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeastSquaresOptions {
    /// Columns that the same features predict beside the label, each by an equation of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether coefficients below 0 are ruled out; the intercept is free.
    #[serde(default, skip_serializing_if = "is_off")]
    pub non_negative: bool,
    /// Whether an intercept is fitted.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub intercept: bool,
    /// What is said of the fit beside its coefficients.
    #[serde(default, skip_serializing_if = "InferenceOptions::is_default")]
    pub inference: InferenceOptions,
}

/// Ridge regression: alpha times the squares of the coefficients beside the sum of squared errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RidgeOptions {
    /// The penalty, or a grid to choose it from.
    pub alpha: Penalty,
    /// The bytes that matrices of products may take, all folds together, before the model is solved by iterations;
    /// [`GRAM_LIMIT`] without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gram_limit: Option<MemoryLimit>,
    /// Columns that the same features predict beside the label, each by an equation of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether coefficients below 0 are ruled out; the intercept is free.
    #[serde(default, skip_serializing_if = "is_off")]
    pub non_negative: bool,
    /// Whether an intercept is fitted.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub intercept: bool,
    /// What is said of the fit beside its coefficients.
    #[serde(default, skip_serializing_if = "InferenceOptions::is_default")]
    pub inference: InferenceOptions,
}

/// Lasso: alpha times the magnitudes of the coefficients beside half the mean squared error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LassoOptions {
    /// The penalty, or penalties to choose it from.
    pub alpha: Penalty,
    /// Columns that the same features predict beside the label, each by an equation of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether coefficients below 0 are ruled out; the intercept is free.
    #[serde(default, skip_serializing_if = "is_off")]
    pub non_negative: bool,
    /// Whether an intercept is fitted.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub intercept: bool,
}

/// Elastic net: alpha times a mixture of magnitudes and half squares beside half the mean squared error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ElasticNetOptions {
    /// The penalty, or penalties to choose it from.
    pub alpha: Penalty,
    /// The share of the magnitudes in the mixture, or several to choose from.
    pub l1_ratio: MixingRatio,
    /// Columns that the same features predict beside the label, each by an equation of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Whether coefficients below 0 are ruled out; the intercept is free.
    #[serde(default, skip_serializing_if = "is_off")]
    pub non_negative: bool,
    /// Whether an intercept is fitted.
    #[serde(default = "on", skip_serializing_if = "is_on")]
    pub intercept: bool,
}

/// The share of the magnitudes in the penalty of an elastic net: `0.5`, or `[0.1, 0.5, 0.9]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "`l1_ratio` is a number from 0 to 1, or a list of such")]
pub enum MixingRatio {
    /// This one.
    Fixed(f64),
    /// The one of these with the least mean squared error in cross-validation.
    Searched(Vec<f64>),
}

fn on() -> bool {
    true
}

fn is_on(value: &bool) -> bool {
    *value
}

fn is_off(value: &bool) -> bool {
    !value
}

impl Default for LeastSquaresOptions {
    fn default() -> Self {
        let inference = InferenceOptions::default();
        Self { targets: Vec::new(), non_negative: false, intercept: true, inference }
    }
}

impl From<f64> for RidgeOptions {
    fn from(alpha: f64) -> Self {
        Penalty::from(alpha).into()
    }
}

impl From<Penalty> for RidgeOptions {
    fn from(alpha: Penalty) -> Self {
        let inference = InferenceOptions::default();
        Self { alpha, gram_limit: None, targets: Vec::new(), non_negative: false, intercept: true, inference }
    }
}

impl From<Penalty> for LassoOptions {
    fn from(alpha: Penalty) -> Self {
        Self { alpha, targets: Vec::new(), non_negative: false, intercept: true }
    }
}

/// That nothing is said of a fit that cannot be had with its signs: estimates that may not be below 0 are not spread normally.
fn check_inference(
    family: Family,
    inference: &InferenceOptions,
    non_negative: bool,
) -> Result<(), OptionsError> {
    if !non_negative || inference.is_default() {
        return Ok(());
    }
    Err(OptionsError::Conflict {
        name: format!("{}.inference", family.name()),
        problem: "is set beside `non_negative`, with which coefficients have no standard errors".into(),
        hint: Some("leave one of them out".into()),
    })
}

impl LeastSquaresOptions {
    /// # Errors
    /// [`OptionsError`] for options that do not go together or are out of their range.
    pub fn check(&self) -> Result<(), OptionsError> {
        check_inference(Family::LeastSquares, &self.inference, self.non_negative)?;
        LinearOptions::from(self).check()
    }
}

impl RidgeOptions {
    /// # Errors
    /// [`OptionsError`] for options that do not go together or are out of their range.
    pub fn check(&self) -> Result<(), OptionsError> {
        check_inference(Family::Ridge, &self.inference, self.non_negative)?;
        if self.gram_limit.is_some() && (self.non_negative || !self.intercept) {
            let other = if self.non_negative { "non_negative: true" } else { "intercept: false" };
            return Err(OptionsError::Conflict {
                name: "ridge.gram_limit".into(),
                problem: format!(
                    "is set beside `{other}`, with which the matrix of products is always needed"
                ),
                hint: Some("leave one of them out".into()),
            });
        }
        LinearOptions::from(self).check()
    }
}

/// The families that one scan determines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// No penalty.
    LeastSquares,
    /// A penalty of squares.
    Ridge,
    /// A penalty of magnitudes.
    Lasso,
    /// A penalty of both.
    ElasticNet,
}

impl Family {
    /// As the options name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LeastSquares => "least_squares",
            Self::Ridge => "ridge",
            Self::Lasso => "lasso",
            Self::ElasticNet => "elastic_net",
        }
    }

    /// What is minimised at a penalty, over rows of so much weight.
    #[must_use]
    pub(super) fn objective(self, penalty: Candidate, non_negative: bool, weight_sum: f64) -> Objective {
        let Candidate { alpha, l1_ratio } = penalty;
        let (absolute, square) = match self {
            Self::LeastSquares | Self::Ridge => (0.0, alpha),
            Self::Lasso => (alpha * weight_sum, 0.0),
            Self::ElasticNet => {
                let l1_ratio = l1_ratio.unwrap_or(1.0);
                (alpha * weight_sum * l1_ratio, alpha * weight_sum * (1.0 - l1_ratio))
            }
        };
        Objective { alpha, absolute, square, non_negative }
    }
}

/// A penalty to try.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) alpha: f64,
    /// Of an elastic net.
    pub(super) l1_ratio: Option<f64>,
}

/// What all families have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearOptions {
    /// The family.
    pub family: Family,
    /// The penalty; 0 for least squares.
    pub alpha: Penalty,
    /// The mixtures to try, ascending; empty where the family has none.
    pub l1_ratios: Vec<f64>,
    /// Whether coefficients below 0 are ruled out.
    pub non_negative: bool,
    /// Whether an intercept is fitted.
    pub intercept: bool,
    /// The bytes past which it is solved by iterations; never without.
    pub gram_limit: Option<u64>,
    /// What is said of the fit beside its coefficients; nothing of estimates that absolute penalties or signs bend, whose
    /// errors are not spread normally.
    pub inference: Option<InferenceOptions>,
}

impl From<&LeastSquaresOptions> for LinearOptions {
    fn from(options: &LeastSquaresOptions) -> Self {
        let LeastSquaresOptions { non_negative, intercept, inference, .. } = *options;
        let inference = (!non_negative).then_some(inference);
        let (family, alpha) = (Family::LeastSquares, Penalty::Fixed(0.0));
        Self { family, alpha, l1_ratios: Vec::new(), non_negative, intercept, gram_limit: None, inference }
    }
}

impl From<&RidgeOptions> for LinearOptions {
    fn from(options: &RidgeOptions) -> Self {
        let RidgeOptions { non_negative, intercept, inference, .. } = *options;
        let inference = (!non_negative).then_some(inference);
        let alpha = options.alpha.clone();
        let limit = options.gram_limit.map_or(GRAM_LIMIT, MemoryLimit::in_bytes);
        // Signs and lines through the origin need the matrix.
        let gram_limit = (intercept && !non_negative).then_some(limit);
        Self {
            family: Family::Ridge,
            alpha,
            l1_ratios: Vec::new(),
            non_negative,
            intercept,
            gram_limit,
            inference,
        }
    }
}

impl From<&LassoOptions> for LinearOptions {
    fn from(options: &LassoOptions) -> Self {
        let LassoOptions { non_negative, intercept, .. } = *options;
        let alpha = options.alpha.clone();
        Self {
            family: Family::Lasso,
            alpha,
            l1_ratios: Vec::new(),
            non_negative,
            intercept,
            gram_limit: None,
            inference: None,
        }
    }
}

impl From<&ElasticNetOptions> for LinearOptions {
    fn from(options: &ElasticNetOptions) -> Self {
        let ElasticNetOptions { non_negative, intercept, .. } = *options;
        let alpha = options.alpha.clone();
        let mut l1_ratios = match &options.l1_ratio {
            MixingRatio::Fixed(ratio) => vec![*ratio],
            // -0 is 0.
            MixingRatio::Searched(ratios) => ratios.iter().map(|ratio| ratio + 0.0).collect(),
        };
        l1_ratios.sort_unstable_by(f64::total_cmp);
        l1_ratios.dedup_by_key(|ratio| ratio.to_bits());
        Self {
            family: Family::ElasticNet,
            alpha,
            l1_ratios,
            non_negative,
            intercept,
            gram_limit: None,
            inference: None,
        }
    }
}

impl LinearOptions {
    /// Mixtures at most.
    pub const MAX_RATIOS: usize = 100;

    /// # Errors
    /// [`OptionsError`] for a penalty, a grid, a mixture or a number of folds out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        let family = self.family.name();
        self.alpha.check(family)?;
        self.inference.map_or(Ok(()), |inference| inference.check(family))?;
        let is_path =
            matches!(&self.alpha, Penalty::Searched(search) if matches!(search.grid, Grid::Path { .. }));
        let conflict = |name: &str, problem: String, hint: &str| {
            let (name, hint) = (format!("{family}.{name}"), Some(hint.to_owned()));
            Err(OptionsError::Conflict { name, problem, hint })
        };
        if is_path && self.family == Family::Ridge {
            let problem =
                "cannot be a path: a penalty of squares has no least one that makes all coefficients 0";
            return conflict("alpha", problem.into(), "give `grid` or `log_grid`");
        }
        if self.family != Family::ElasticNet {
            return Ok(());
        }
        if self.l1_ratios.is_empty() || self.l1_ratios.len() > Self::MAX_RATIOS {
            let problem =
                format!("has {} ratios, but must have 1 to {}", self.l1_ratios.len(), Self::MAX_RATIOS);
            return conflict("l1_ratio", problem, "0 is a penalty of squares alone, 1 is the lasso");
        }
        for ratio in &self.l1_ratios {
            Range::closed(0.0, 1.0).check(&format!("{family}.l1_ratio"), *ratio)?;
        }
        if is_path && self.l1_ratios[0] == 0.0 {
            let problem = "is 0, where no penalty makes all coefficients 0, so that there is no path";
            return conflict(
                "l1_ratio",
                problem.into(),
                "give `alpha.grid` or `alpha.log_grid`, or leave 0 out",
            );
        }
        if self.l1_ratios.len() > 1 && matches!(self.alpha, Penalty::Fixed(_)) {
            let problem = "has several ratios, but nothing chooses among them";
            return conflict(
                "l1_ratio",
                problem.into(),
                "give `alpha` as a search: `{grid: [0.1], folds: 5}`",
            );
        }
        Ok(())
    }

    /// What is minimised at a penalty, over rows of so much weight.
    pub(super) fn objective(&self, penalty: Candidate, weight_sum: f64) -> Objective {
        self.family.objective(penalty, self.non_negative, weight_sum)
    }
}
