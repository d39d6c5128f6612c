//! The penalty: a number, or a grid of which cross-validation chooses.

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use sluice_core::options::{OptionsError, Range};

/// The penalty: `0.4`, `{grid: [0.1, 1, 10], folds: 5}`, `{log_grid: [1e-4, 1e4, 33], folds: 5}`, or
/// `{path: 100, folds: 5}`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Penalty {
    /// This one; 0 is ordinary least squares.
    Fixed(f64),
    /// The one that cross-validation chooses.
    Searched(PenaltySearch),
}

/// What a cross-validation chooses from, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Sections", into = "Sections")]
pub struct PenaltySearch {
    /// The penalties.
    pub grid: Grid,
    /// Parts that the rows are cut into, by their key.
    pub folds: u32,
    /// Which is chosen.
    pub rule: Rule,
}

/// Which penalty a cross-validation chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The one with the least mean squared error; of equal ones, the largest.
    #[default]
    Best,
    /// The largest whose mean squared error is within one standard error of the least.
    OneStandardError,
}

impl Rule {
    pub(super) fn is_best(&self) -> bool {
        *self == Self::Best
    }
}

/// The penalties of a search.
#[derive(Clone, Debug, PartialEq)]
pub enum Grid {
    /// These.
    Values(Vec<f64>),
    /// From `low` to `high`, both included, each the same multiple of the one before; just `low` where
    /// `count` is 1.
    Geometric {
        /// The least, above 0.
        low: f64,
        /// The largest, at least `low`.
        high: f64,
        /// How many.
        count: u32,
    },
    /// From the least penalty at which all coefficients are 0 down to a thousandth of it, each the same multiple of the
    /// one before.
    Path {
        /// How many.
        count: u32,
    },
}

/// [`PenaltySearch`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grid: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_grid: Option<(f64, f64, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<u32>,
    #[serde(default = "default_folds")]
    folds: u32,
    #[serde(default, skip_serializing_if = "Rule::is_best")]
    rule: Rule,
}

fn default_folds() -> u32 {
    PenaltySearch::DEFAULT_FOLDS
}

impl TryFrom<Sections> for PenaltySearch {
    type Error = OptionsError;

    fn try_from(sections: Sections) -> Result<Self, OptionsError> {
        let grid = match (sections.grid, sections.log_grid, sections.path) {
            (Some(values), None, None) => Grid::Values(values),
            (None, Some((low, high, count)), None) => Grid::Geometric { low, high, count },
            (None, None, Some(count)) => Grid::Path { count },
            (values, logarithmic, path) => {
                let is_none = values.is_none() && logarithmic.is_none() && path.is_none();
                let found = if is_none { "none" } else { "several" };
                return Err(OptionsError::Conflict {
                    name: "alpha".into(),
                    problem: format!("needs one of `grid`, `log_grid` and `path`, but has {found}"),
                    hint: None,
                });
            }
        };
        Ok(Self { grid, folds: sections.folds, rule: sections.rule })
    }
}

impl From<PenaltySearch> for Sections {
    fn from(search: PenaltySearch) -> Self {
        let PenaltySearch { grid, folds, rule } = search;
        let empty = Self { grid: None, log_grid: None, path: None, folds, rule };
        match grid {
            Grid::Values(values) => Self { grid: Some(values), ..empty },
            Grid::Geometric { low, high, count } => Self { log_grid: Some((low, high, count)), ..empty },
            Grid::Path { count } => Self { path: Some(count), ..empty },
        }
    }
}

impl From<f64> for Penalty {
    fn from(alpha: f64) -> Self {
        Self::Fixed(alpha)
    }
}

impl Penalty {
    /// The penalties that are allowed.
    pub const RANGE: Range = Range::at_least(0.0);

    /// # Errors
    /// [`OptionsError::OutOfRange`], [`OptionsError::Conflict`], with `family` before the key.
    pub fn check(&self, family: &str) -> Result<(), OptionsError> {
        match self {
            Self::Fixed(alpha) => Self::RANGE.check(&format!("{family}.alpha"), *alpha).map(drop),
            Self::Searched(search) => search.check(family),
        }
    }
}

impl Penalty {
    /// The folds that the rows are gathered in: 1 where the penalty is given.
    #[must_use]
    pub fn folds(&self) -> u32 {
        match self {
            Self::Fixed(_) => 1,
            Self::Searched(search) => search.folds,
        }
    }

    /// The penalties to try, ascending, each once; `most` answers the least penalty at which all coefficients are 0,
    /// where that is asked for.
    #[must_use]
    pub fn alphas(&self, most: impl FnOnce() -> f64) -> Vec<f64> {
        match self {
            Self::Fixed(alpha) => vec![*alpha],
            Self::Searched(search) => search.alphas(most),
        }
    }
}

impl PenaltySearch {
    /// Folds unless told otherwise.
    pub const DEFAULT_FOLDS: u32 = 5;
    /// The numbers of folds that are allowed.
    pub const FOLDS: Range = Range::closed(2.0, 50.0);
    /// Penalties at most.
    pub const MAX_COUNT: u32 = 1000;
    /// The smallest penalty of a path, as a share of its largest: that of scikit-learn's `LassoCV`.
    pub const PATH_LENGTH: f64 = 1e-3;

    /// # Errors
    /// [`OptionsError::OutOfRange`] or [`OptionsError::Conflict`] with the key that is wrong, `family` before it.
    pub fn check(&self, family: &str) -> Result<(), OptionsError> {
        let name = |key: &str| format!("{family}.alpha.{key}");
        let counts = Range::closed(1.0, f64::from(Self::MAX_COUNT));
        Self::FOLDS.check(&name("folds"), f64::from(self.folds))?;
        match &self.grid {
            Grid::Values(values) => {
                if values.is_empty() || values.len() > Self::MAX_COUNT as usize {
                    let most = Self::MAX_COUNT;
                    return Err(OptionsError::Conflict {
                        name: name("grid"),
                        problem: format!("has {} penalties, but must have 1 to {most}", values.len()),
                        hint: None,
                    });
                }
                for (index, value) in values.iter().enumerate() {
                    Penalty::RANGE.check(&name(&format!("grid[{index}]")), *value)?;
                }
            }
            Grid::Geometric { low, high, count } => {
                Range::above(0.0).check(&name("log_grid[0]"), *low)?;
                Range::at_least(*low).check(&name("log_grid[1]"), *high)?;
                counts.check(&name("log_grid[2]"), f64::from(*count))?;
            }
            Grid::Path { count } => counts.check(&name("path"), f64::from(*count)).map(drop)?,
        }
        Ok(())
    }

    /// The penalties, ascending, each once.
    fn alphas(&self, most: impl FnOnce() -> f64) -> Vec<f64> {
        let mut alphas = match &self.grid {
            // -0 is 0.
            Grid::Values(values) => values.iter().map(|value| value + 0.0).collect(),
            Grid::Geometric { low, high, count } => geometric(*low, *high, *count),
            Grid::Path { count } => path(most(), *count),
        };
        alphas.sort_unstable_by(f64::total_cmp);
        alphas.dedup_by_key(|alpha| alpha.to_bits());
        alphas
    }
}

/// From `most` down to a thousandth of it. Where no feature is related to the label, `most` is 0 and so is all.
fn path(most: f64, count: u32) -> Vec<f64> {
    let least = most * PenaltySearch::PATH_LENGTH;
    match count {
        1 => vec![most],
        _ if least > 0.0 => geometric(least, most, count),
        _ => vec![most],
    }
}

/// Powers of ten with evenly spaced exponents, so that whole decades come out as such; the ends are exact.
fn geometric(low: f64, high: f64, count: u32) -> Vec<f64> {
    let (first, last) = (low.log10(), high.log10());
    (0..count)
        .map(|index| match index {
            0 => low,
            _ if index + 1 == count => high,
            _ => {
                let share = f64::from(index) * (last - first) / f64::from(count - 1);
                match 10_f64.powf(first + share) {
                    // Rounding can step over an end where the two are close.
                    alpha if alpha < low => low,
                    alpha if alpha > high => high,
                    alpha => alpha,
                }
            }
        })
        .collect()
}

impl<'de> Deserialize<'de> for Penalty {
    // Not `untagged`, which would not say what is wrong within the object.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PenaltyVisitor)
    }
}

struct PenaltyVisitor;

impl<'de> Visitor<'de> for PenaltyVisitor {
    type Value = Penalty;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(
            "a number, {grid: [number, ...], folds: N}, {log_grid: [low, high, count], folds: N} or \
             {path: count, folds: N}",
        )
    }

    fn visit_f64<E>(self, value: f64) -> Result<Penalty, E> {
        Ok(Penalty::Fixed(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Penalty, E> {
        Ok(Penalty::Fixed(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Penalty, E> {
        Ok(Penalty::Fixed(value as f64))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Penalty, A::Error> {
        PenaltySearch::deserialize(MapAccessDeserializer::new(map)).map(Penalty::Searched)
    }
}

#[cfg(test)]
mod tests {
    use super::{Grid, Penalty, PenaltySearch, Rule};
    use crate::least_squares::{LinearOptions, RidgeOptions};

    fn read(json: &str) -> Result<RidgeOptions, String> {
        let options: RidgeOptions = serde_json::from_str(json).map_err(|error| error.to_string())?;
        LinearOptions::from(&options).check().map(|()| options).map_err(|error| error.to_string())
    }

    #[test]
    fn forms_are_read_and_written_alike() {
        let search = |grid, folds, rule| Penalty::Searched(PenaltySearch { grid, folds, rule });
        let logarithmic = Grid::Geometric { low: 1e-4, high: 1e4, count: 33 };
        for (json, alpha, again) in [
            (r#"{"alpha":0.4}"#, 0.4.into(), r#"{"alpha":0.4}"#),
            (r#"{"alpha":1}"#, 1.0.into(), r#"{"alpha":1.0}"#),
            (
                r#"{"alpha":{"grid":[0.1,1]}}"#,
                search(Grid::Values(vec![0.1, 1.0]), 5, Rule::Best),
                r#"{"alpha":{"grid":[0.1,1.0],"folds":5}}"#,
            ),
            (
                r#"{"alpha":{"log_grid":[1e-4,1e4,33],"folds":10}}"#,
                search(logarithmic, 10, Rule::Best),
                r#"{"alpha":{"log_grid":[0.0001,10000.0,33],"folds":10}}"#,
            ),
            (
                r#"{"alpha":{"grid":[1],"rule":"one_standard_error"},"non_negative":false,"intercept":true}"#,
                search(Grid::Values(vec![1.0]), 5, Rule::OneStandardError),
                r#"{"alpha":{"grid":[1.0],"folds":5,"rule":"one_standard_error"}}"#,
            ),
        ] {
            let options = read(json).unwrap();
            assert_eq!(options, RidgeOptions::from(alpha));
            assert_eq!(serde_json::to_string(&options).unwrap(), again);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused = |alpha: &str, expected: &str| {
            let message = read(&format!(r#"{{"alpha":{alpha}}}"#)).unwrap_err();
            assert!(message.contains(expected), "{alpha}: {message}");
        };
        refused(
            r#""big""#,
            r#"string "big", expected a number, {grid: [number, ...], folds: N}, {log_grid:"#,
        );
        refused("[1, 2]", "expected a number, {grid:");
        refused("-1", "`ridge.alpha` is -1");
        refused(r#"{"gird":[1]}"#, "unknown field `gird`, expected one of `grid`, `log_grid`, `path`,");
        refused(r#"{"grid":[1],"fold":3}"#, "unknown field `fold`");
        refused(r#"{"folds":3}"#, "`alpha` needs one of `grid`, `log_grid` and `path`, but has none");
        refused(r#"{"grid":[1],"log_grid":[1,2,3]}"#, "has several");
        refused(r#"{"grid":[]}"#, "`ridge.alpha.grid` has 0 penalties, but must have 1 to 1000");
        refused(r#"{"grid":[1,-0.5]}"#, "`ridge.alpha.grid[1]` is -0.5");
        refused(
            r#"{"grid":[1],"folds":1}"#,
            "`ridge.alpha.folds` is 1, but must be at least 2 and at most 50",
        );
        refused(r#"{"grid":[1],"folds":51}"#, "`ridge.alpha.folds` is 51");
        refused(r#"{"log_grid":[0,1,3]}"#, "`ridge.alpha.log_grid[0]` is 0");
        refused(
            r#"{"log_grid":[2,1,3]}"#,
            "`ridge.alpha.log_grid[1]` is 1, but must be a finite number at least 2",
        );
        refused(r#"{"log_grid":[1,2,0]}"#, "`ridge.alpha.log_grid[2]` is 0");
        refused(r#"{"log_grid":[1,2,1001]}"#, "`ridge.alpha.log_grid[2]` is 1001");
        refused(r#"{"log_grid":[1,2]}"#, "a tuple of size 3");
        refused(r#"{"path":10}"#, "`ridge.alpha` cannot be a path");
        refused(r#"{"path":0}"#, "`ridge.alpha.path` is 0");
        refused(r#"{"grid":[1],"rule":"least"}"#, "unknown variant `least`");
    }

    #[test]
    fn grids_ascend_and_hold_whole_decades() {
        let alphas = |grid| PenaltySearch { grid, folds: 5, rule: Rule::Best }.alphas(|| 40.0);
        assert_eq!(alphas(Grid::Values(vec![3.0, -0.0, 1.0, 0.0, 3.0])), [0.0, 1.0, 3.0]);
        let found = alphas(Grid::Geometric { low: 1e-4, high: 1e4, count: 33 });
        assert_eq!(found.len(), 33);
        let decades: Vec<f64> = found.iter().step_by(4).copied().collect();
        assert_eq!(decades, [1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4]);
        sluice_testkit::assert_relative(found[1], 1.778_279_410_038_922_8e-4, 1e-15);
        assert_eq!(alphas(Grid::Geometric { low: 0.3, high: 0.7, count: 2 }), [0.3, 0.7]);
        assert_eq!(alphas(Grid::Geometric { low: 0.3, high: 0.7, count: 1 }), [0.3]);
        assert_eq!(alphas(Grid::Geometric { low: 0.3, high: 0.3, count: 9 }), [0.3]);
        let path = alphas(Grid::Path { count: 4 });
        assert_eq!((path[0], path[3], path.len()), (0.04, 40.0, 4));
        sluice_testkit::assert_relative(path[2], 4.0, 1e-15);
        assert_eq!(alphas(Grid::Path { count: 1 }), [40.0]);
    }
}
