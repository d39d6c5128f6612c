//! Push: an accepted model into the registry.

use sluice_core::error::{CommonError, Diagnostic, ErrorKind, Result};
use sluice_delivery::registry::Registration;
use sluice_delivery::{ModelPackage, Pushed, Registry};
use sluice_evaluation::gate::{Outcome, Verdict};

/// A push that the verdict does not allow.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The verdict is about another model.
    #[error("the verdict is about model {judged}, not about {pushed}")]
    OtherModel {
        /// The digest that was judged.
        judged: String,
        /// The digest that was to be pushed.
        pushed: String,
    },
}

impl Diagnostic for PushError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("give the model and the evaluation of the same run".into())
    }
}

/// Registers `model` if `verdict` lets it pass; `None` when it does not.
///
/// # Errors
/// [`PushError::OtherModel`]; what writing the registry meets.
pub fn push(registry: &Registry, model: &ModelPackage, verdict: &Verdict) -> Result<Option<Pushed>> {
    let pushed = model.artifact().digest();
    if verdict.candidate_digest != pushed {
        return Err(PushError::OtherModel {
            judged: verdict.candidate_digest.clone(),
            pushed: pushed.into(),
        }
        .into());
    }
    if verdict.outcome != Outcome::Pass {
        return Ok(None);
    }
    let verdict = serde_json::to_value(verdict).map_err(|error| CommonError::Internal(error.to_string()))?;
    registry.push(model.artifact(), &Registration { verdict, ..Registration::default() }).map(Some)
}
