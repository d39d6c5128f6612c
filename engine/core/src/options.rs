//! Options are checked once: an unchecked value comes in, a checked one goes on, and NaN never passes.

use crate::error::{Diagnostic, ErrorKind};

/// An option that is not what it must be.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// A number outside its range.
    #[error("`{name}` is {value}, but must be {range}")]
    OutOfRange {
        /// The option.
        name: String,
        /// What was given.
        value: String,
        /// What is allowed, in words.
        range: String,
    },
    /// A word that is not one of the choices.
    #[error("`{name}` has no choice `{value}`")]
    NoSuchChoice {
        /// The option.
        name: String,
        /// What was given.
        value: String,
        /// What there is.
        choices: Vec<String>,
    },
    /// Options that exclude or need one another.
    #[error("`{name}` {problem}")]
    Conflict {
        /// The option.
        name: String,
        /// What is wrong, continuing the sentence.
        problem: String,
        /// What to do.
        hint: Option<String>,
    },
}

impl Diagnostic for OptionsError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::OutOfRange { .. } => None,
            Self::NoSuchChoice { value, choices, .. } => suggest(value, choices.iter().map(String::as_str))
                .or_else(|| Some(format!("choose one of {}", quoted(choices.iter().map(String::as_str))))),
            Self::Conflict { hint, .. } => hint.clone(),
        }
    }
}

/// The numbers that an option accepts; both ends finite or open, NaN never.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    low: f64,
    high: f64,
    low_open: bool,
    high_open: bool,
}

impl Range {
    /// Finite numbers from `low` on.
    #[must_use]
    pub const fn at_least(low: f64) -> Self {
        Self { low, high: f64::INFINITY, low_open: false, high_open: true }
    }

    /// Finite numbers above `low`.
    #[must_use]
    pub const fn above(low: f64) -> Self {
        Self { low, high: f64::INFINITY, low_open: true, high_open: true }
    }

    /// Numbers from `low` to `high`, both included.
    #[must_use]
    pub const fn closed(low: f64, high: f64) -> Self {
        Self { low, high, low_open: false, high_open: false }
    }

    /// Numbers between `low` and `high`, both excluded.
    #[must_use]
    pub const fn open(low: f64, high: f64) -> Self {
        Self { low, high, low_open: true, high_open: true }
    }

    /// The value, if it lies in the range.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] with the range in words; NaN and infinities never pass.
    pub fn check(&self, name: &str, value: f64) -> Result<f64, OptionsError> {
        let above = if self.low_open { value > self.low } else { value >= self.low };
        let below = if self.high_open { value < self.high } else { value <= self.high };
        if above && below && value.is_finite() {
            return Ok(value);
        }
        Err(OptionsError::OutOfRange { name: name.into(), value: value.to_string(), range: self.to_string() })
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let low = if self.low_open { "above" } else { "at least" };
        if self.high.is_infinite() {
            return write!(formatter, "a finite number {low} {}", self.low);
        }
        let high = if self.high_open { "below" } else { "at most" };
        write!(formatter, "{low} {} and {high} {}", self.low, self.high)
    }
}

/// A sentence that proposes the nearest of `names`, if one is near enough to be a slip of the hand.
pub fn suggest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.into_iter().collect();
    let lowered = wrong.to_lowercase();
    let best = names
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&lowered, &name.to_lowercase()), *name))
        .min_by_key(|(distance, _)| *distance);
    let allowed = (wrong.chars().count() / 3).clamp(1, 3);
    match best {
        Some((distance, name)) if distance <= allowed => Some(format!("did you mean `{name}`?")),
        _ if names.is_empty() => None,
        _ if names.len() <= 24 => Some(format!("there is {}", quoted(names.iter().copied()))),
        _ => {
            Some(format!("there are {} names, beginning {}", names.len(), quoted(names[..8].iter().copied())))
        }
    }
}

/// Names in backticks, separated by commas.
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_infinity_never_pass() {
        for range in [Range::at_least(0.0), Range::above(0.0), Range::closed(0.0, 1.0), Range::open(0.0, 1.0)]
        {
            assert!(range.check("alpha", f64::NAN).is_err());
            assert!(range.check("alpha", f64::INFINITY).is_err());
        }
        assert!(Range::above(0.0).check("alpha", 0.0).is_err());
        assert!(Range::at_least(0.0).check("alpha", 0.0).is_ok());
        let message = Range::closed(0.0, 1.0).check("fraction", 2.0).unwrap_err().to_string();
        assert_eq!(message, "`fraction` is 2, but must be at least 0 and at most 1");
    }

    #[test]
    fn far_names_are_listed_instead_of_guessed() {
        assert_eq!(suggest("rmes", ["mae", "rmse"]).unwrap(), "did you mean `rmse`?");
        assert_eq!(suggest("accuracy", ["mae", "rmse"]).unwrap(), "there is `mae`, `rmse`");
    }
}
