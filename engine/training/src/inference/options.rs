//! What is wanted to be known of a fit.

use serde::{Deserialize, Serialize};

use sluice_core::options::{OptionsError, Range};

/// What is said of a fit beside its coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InferenceOptions {
    /// How likely an interval covers what it is about, between 0 and 1.
    pub confidence: f64,
    /// What the standard errors assume of the noise.
    pub standard_errors: StandardErrors,
    /// Whether residuals, leverages and influential rows are looked at, in one more scan.
    pub diagnostics: bool,
}

/// What standard errors assume of the noise of the label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StandardErrors {
    /// It has one variance (over the weight) in all rows.
    #[default]
    Classical,
    /// It may have another variance in each row, estimated by its squared residual (White).
    Hc0,
    /// As `hc0`, times rows over residual degrees of freedom.
    Hc1,
    /// As `hc0`, each squared residual over (1 - leverage).
    Hc2,
    /// As `hc0`, each squared residual over (1 - leverage)²: about the jackknife.
    Hc3,
}

impl Default for InferenceOptions {
    fn default() -> Self {
        Self { confidence: 0.95, standard_errors: StandardErrors::Classical, diagnostics: false }
    }
}

impl InferenceOptions {
    /// The levels of confidence that are allowed.
    pub const CONFIDENCE: Range = Range::open(0.0, 1.0);

    /// # Errors
    /// [`OptionsError::OutOfRange`] for a level of confidence out of its range; `family` is the section of the spec.
    pub fn check(&self, family: &str) -> Result<(), OptionsError> {
        Self::CONFIDENCE.check(&format!("{family}.inference.confidence"), self.confidence).map(drop)
    }

    /// Whether it is what nobody needs to write down.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the rows are read once more, with the fitted coefficients.
    #[must_use]
    pub fn needs_scan(&self) -> bool {
        self.diagnostics || self.standard_errors != StandardErrors::Classical
    }
}

impl StandardErrors {
    /// As the options name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Classical => "classical",
            Self::Hc0 => "hc0",
            Self::Hc1 => "hc1",
            Self::Hc2 => "hc2",
            Self::Hc3 => "hc3",
        }
    }

    /// By what a row of this leverage multiplies its squared residual; none where the row alone decides its fit.
    pub(super) fn factor(self, leverage: f64) -> Option<f64> {
        let left = 1.0 - leverage;
        match self {
            Self::Classical | Self::Hc0 | Self::Hc1 => Some(1.0),
            Self::Hc2 => (left > super::DECIDED).then(|| 1.0 / left),
            Self::Hc3 => (left > super::DECIDED).then(|| 1.0 / (left * left)),
        }
    }
}
