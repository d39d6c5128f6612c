//! Promotion: a version from the registry of one environment into that of the next, verdict and all.

use serde::Serialize;

use sluice_core::error::Result;

use super::error::RegistryError;
use super::push::{Pushed, Registration};
use super::record::Origin;
use super::{LATEST_BLESSED, Registry};

/// What a promotion did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Promotion {
    /// What was promoted.
    pub from: Origin,
    /// What it is now.
    #[serde(flatten)]
    pub pushed: Pushed,
}

/// What is promoted, and how.
#[derive(Clone, Debug, Default)]
pub struct PromotionOptions {
    /// A version's number or an alias; `latest-blessed` unless given.
    pub version: Option<String>,
    /// A further alias that is pointed at it.
    pub alias: Option<String>,
    /// Why, for the record of the alias.
    pub reason: Option<String>,
    /// Why it goes in although its verdict, or a rollback there, speaks against it.
    pub forced: Option<String>,
}

/// Copies a version from one registry to another, where it is put in force. Its package is verified against
/// the digest that was registered, its verdict looked at once more and attached.
///
/// # Errors
/// [`RegistryError::NotPassed`] when the verdict does not let it pass; [`RegistryError::SameRegistry`]; as
/// [`Registry::artifact`] and [`Registry::push`].
pub fn promote(source: &Registry, target: &Registry, options: &PromotionOptions) -> Result<Promotion> {
    let places = [source, target].map(|registry| {
        let place = registry.backend.place("");
        fs_err::canonicalize(&place).map_or(place, |path| path.display().to_string())
    });
    if places[0] == places[1] {
        return Err(RegistryError::SameRegistry { registry: source.place.clone() }.into());
    }
    let version = source.resolve(options.version.as_deref().unwrap_or(LATEST_BLESSED))?;
    let fetched = source.artifact(version)?;
    let record = source.entry(version)?.record;
    let problem = match &record {
        None => Some("it has no record".to_owned()),
        Some(record) => record.problem(),
    };
    if let (Some(problem), None) = (problem, &options.forced) {
        return Err(RegistryError::NotPassed { name: source.name.clone(), version, problem }.into());
    }
    let origin = Origin {
        registry: source.place.clone(),
        version,
        pushed_at_seconds: record.as_ref().map_or(0, |record| record.pushed_at_seconds),
        pushed_by: record.as_ref().and_then(|record| record.pushed_by.clone()),
    };
    let registration = Registration {
        verdict: record.map(|record| record.verdict).unwrap_or_default(),
        origin: Some(origin.clone()),
        reason: options.reason.clone(),
        forced: options.forced.clone(),
        alias: options.alias.clone(),
    };
    let pushed = target.push(fetched.artifact(), &registration)?;
    Ok(Promotion { from: origin, pushed })
}
