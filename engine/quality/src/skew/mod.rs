//! Skew of features between training and serving: the same rows, found by their keys on both sides, and how many of them
//! say something else.
//!
//! The counts are those of TFDV's feature skew detector (the current side is its test, the reference its base):
//!
//! | here | TFDV | of the pairs of rows with one key |
//! |---|---|---|
//! | `num_reference` | `base_count` | the reference has a value |
//! | `num_current` | `test_count` | the current side has |
//! | `num_match` | `match_count` | both have the same |
//! | `reference_only` | `base_only` | only the reference has one |
//! | `current_only` | `test_only` | only the current side has |
//! | `mismatch` | `mismatch_count` | both have one, and they differ |
//! | `num_different` | `diff_count` | the last three together |
//!
//! Null is no value; NaN is one, equal to itself, and -0 is 0. Numbers are compared as numbers whatever their types, text
//! as text; a number is never equal to a text. A key with a null anywhere joins nothing, a key that a side has more than
//! once is counted and left out (TFDV's default too).
//!
//! Rows are joined by 128 bits of their keys' hashes, values compared by 64 bits of theirs: of 10^9 different pairs of
//! values the chance that any is taken for equal is 5e-11. Time: a scan of both sides for each part of the keys that
//! memory holds ([`PARTITION_BYTES`], or a third of the limit), and one for the examples. Parts are ranges of hashes, so
//! that neither memory nor threads change a figure or an example.

mod cells;
mod examples;
mod findings;
mod join;
mod side;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sluice_core::column::ColumnKind;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::options::{Range, suggest};
use sluice_core::seam::BatchSource;
use sluice_core::{Diagnostic, ErrorKind};

use join::Joined;
use side::{Part, Side};

pub use examples::SkewExample;
pub use findings::skew_validation;

/// What the rows of a part of the keys take at most, unless memory is limited.
pub const PARTITION_BYTES: u64 = 1 << 29;

/// How rows are joined and compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SkewOptions {
    /// The columns that identify a row on both sides.
    pub key: Vec<String>,
    /// The columns that are compared; all unless some are named.
    pub columns: Vec<String>,
    /// Columns that are not.
    pub exclude: Vec<String>,
    /// Numbers are rounded to so many decimals before they are compared; compared exactly without.
    pub float_digits: Option<u32>,
    /// Examples of each column, at most.
    pub examples: u32,
    /// The greatest share of different pairs of a column that is no alarm.
    pub threshold: f64,
    /// The same of single columns.
    pub of_column: BTreeMap<String, f64>,
    /// The greatest share of the current rows without a counterpart that is no alarm; any without.
    pub max_unmatched: Option<f64>,
}

impl Default for SkewOptions {
    fn default() -> Self {
        Self {
            key: Vec::new(),
            columns: Vec::new(),
            exclude: Vec::new(),
            float_digits: None,
            examples: 5,
            threshold: 0.0,
            of_column: BTreeMap::new(),
            max_unmatched: None,
        }
    }
}

/// Options that do not fit the data.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SkewError {
    /// Nothing to join by.
    #[error("no key is named")]
    NoKey,
    /// A column that is not there.
    #[error("column `{column}` is not in {side}")]
    ColumnUnknown {
        /// Which side or sides.
        side: &'static str,
        /// The column.
        column: String,
        /// The columns that are there.
        available: Vec<String>,
    },
    /// A key of two types, which never joins.
    #[error("the key `{column}` is {current} in the current data and {reference} in the reference")]
    KeyTypes {
        /// The column.
        column: String,
        /// The type on the current side.
        current: ColumnKind,
        /// The type in the reference.
        reference: ColumnKind,
    },
    /// The options leave nothing.
    #[error("no column beside the key is left to compare")]
    NoColumns,
}

impl Diagnostic for SkewError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NoKey => Some("name the columns that identify a row".into()),
            Self::ColumnUnknown { column, available, .. } => {
                suggest(column, available.iter().map(String::as_str))
            }
            Self::KeyTypes { .. } => {
                Some("read it as text on both sides, or cast it when the data are written".into())
            }
            Self::NoColumns => Some("leave `columns` or `exclude` out".into()),
        }
    }
}

impl SkewOptions {
    /// Checks what needs no data.
    ///
    /// # Errors
    /// `OptionsError`, [`SkewError::NoKey`].
    pub fn check(&self) -> Result<()> {
        if self.key.is_empty() {
            return Err(SkewError::NoKey.into());
        }
        let shares = Range::closed(0.0, 1.0);
        shares.check("threshold", self.threshold)?;
        for (column, share) in &self.of_column {
            shares.check(column, *share)?;
        }
        self.max_unmatched.map(|share| shares.check("max_unmatched", share)).transpose()?;
        let digits =
            self.float_digits.map(|digits| Range::closed(0.0, 15.0).check("float_digits", f64::from(digits)));
        digits.transpose()?;
        Ok(())
    }

    /// The columns that are compared, in the order of the reference, then those that only the current side has.
    fn compared(&self, current: &dyn BatchSource, reference: &dyn BatchSource) -> Result<Vec<String>> {
        let plans = [reference.plan(), current.plan()];
        let all = || plans.iter().flat_map(|plan| plan.columns.iter().map(|column| &column.name));
        let available: BTreeSet<&String> = all().collect();
        for column in self.columns.iter().chain(&self.exclude).chain(self.of_column.keys()) {
            if !available.contains(column) {
                return Err(unknown("either side", column, available.into_iter().cloned().collect()));
            }
        }
        for column in &self.key {
            for (plan, side) in plans.iter().zip(["the reference", "the current side"]) {
                if plan.column(column).is_none() {
                    return Err(unknown(side, column, plan.column_names()));
                }
            }
            let kinds = plans.map(|plan| plan.column(column).map_or(ColumnKind::Null, |it| it.kind.clone()));
            if !cells::may_be_equal(&kinds[0], &kinds[1]) {
                let [reference, current] = kinds;
                return Err(SkewError::KeyTypes { column: column.clone(), current, reference }.into());
            }
        }
        let mut seen = BTreeSet::new();
        let is_compared = |name: &&String| {
            (self.columns.is_empty() || self.columns.contains(name))
                && !self.exclude.contains(name)
                && !self.key.contains(name)
                && !name.starts_with(sluice_core::RESERVED_PREFIX)
        };
        let found: Vec<String> =
            all().filter(is_compared).filter(|name| seen.insert(*name)).cloned().collect();
        if found.is_empty() { Err(SkewError::NoColumns.into()) } else { Ok(found) }
    }
}

fn unknown(side: &'static str, column: &str, available: Vec<String>) -> sluice_core::Error {
    SkewError::ColumnUnknown { side, column: column.to_owned(), available }.into()
}

/// The rows of a side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideRows {
    /// All of them.
    pub num_rows: u64,
    /// Those with a null in the key.
    pub without_key: u64,
    /// Keys that it has more than once.
    pub duplicate_keys: u64,
    /// The rows of these.
    pub duplicate_rows: u64,
    /// Rows whose key the other side lacks.
    pub unmatched: u64,
}

/// One column of the pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureSkew {
    /// Its name.
    pub column: String,
    /// Pairs in which the current side has a value.
    pub num_current: u64,
    /// Pairs in which the reference has.
    pub num_reference: u64,
    /// Pairs in which both have the same.
    pub num_match: u64,
    /// Pairs in which only the current side has one.
    pub current_only: u64,
    /// Pairs in which only the reference has one.
    pub reference_only: u64,
    /// Pairs in which both have one, and they differ.
    pub mismatch: u64,
    /// The last three together.
    pub num_different: u64,
    /// The same as a share of the pairs in which any has a value; 0 where there is none.
    pub share: f64,
    /// The greatest share that is no alarm.
    pub threshold: f64,
    /// Whether it is above.
    pub alarm: bool,
    /// Some pairs that differ: those with the least hash of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<SkewExample>,
}

/// What became of the rows of both sides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SkewReport {
    /// The subset.
    pub subset: String,
    /// The columns of the key.
    pub key: Vec<String>,
    /// The current side.
    pub current: SideRows,
    /// The reference.
    pub reference: SideRows,
    /// Pairs of rows with one key.
    pub num_pairs: u64,
    /// The share of the current rows that are in no pair because the reference lacks their key.
    pub unmatched_share: f64,
    /// Whether that is more than is allowed, or nothing was joined at all.
    pub unmatched_alarm: bool,
    /// In the order of the reference, then those that only the current side has.
    pub features: Vec<FeatureSkew>,
}

impl SkewReport {
    /// The columns that raise an alarm.
    pub fn alarms(&self) -> impl Iterator<Item = &FeatureSkew> {
        self.features.iter().filter(|feature| feature.alarm)
    }

    /// Whether nothing raises one.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        !self.unmatched_alarm && self.alarms().next().is_none()
    }
}

/// Joins the rows of two sources by their keys, and compares their columns.
///
/// # Errors
/// [`SkewError`], `OptionsError`, what reading meets.
pub fn compare_by_key(
    subset: &str,
    current: &dyn BatchSource,
    reference: &dyn BatchSource,
    options: &SkewOptions,
    execution: &Execution,
) -> Result<SkewReport> {
    options.check()?;
    let columns = options.compared(current, reference)?;
    let sides = [current, reference].map(|source| Side::new(source, options, &columns));
    let mut joined = Joined::new(columns.len(), options.examples as usize);
    for part in Part::all(&sides, execution) {
        let [current, reference] = &sides;
        let rows = (current.read(part, execution)?, reference.read(part, execution)?);
        joined.add(rows.0, rows.1);
    }
    let examples = examples::of(&joined, &sides, &columns, options, execution)?;
    Ok(report(subset, joined, columns, examples, options))
}

fn report(
    subset: &str,
    joined: Joined,
    columns: Vec<String>,
    examples: Vec<Vec<SkewExample>>,
    options: &SkewOptions,
) -> SkewReport {
    let Joined { current, reference, num_pairs, counts, .. } = joined;
    let features = columns.into_iter().zip(counts).zip(examples).map(|((column, counts), examples)| {
        let threshold = options.of_column.get(&column).copied().unwrap_or(options.threshold);
        let num_different = counts.current_only + counts.reference_only + counts.mismatch;
        let with_any = counts.matching + num_different;
        let share = if with_any > 0 { num_different as f64 / with_any as f64 } else { 0.0 };
        FeatureSkew {
            column,
            num_current: counts.matching + counts.current_only + counts.mismatch,
            num_reference: counts.matching + counts.reference_only + counts.mismatch,
            num_match: counts.matching,
            current_only: counts.current_only,
            reference_only: counts.reference_only,
            mismatch: counts.mismatch,
            num_different,
            share,
            threshold,
            alarm: share > threshold,
            examples,
        }
    });
    let features = features.collect();
    let rows = current.num_rows;
    let unmatched_share = if rows > 0 { current.unmatched as f64 / rows as f64 } else { 0.0 };
    let is_beyond = options.max_unmatched.is_some_and(|most| unmatched_share > most);
    SkewReport {
        subset: subset.to_owned(),
        key: options.key.clone(),
        current,
        reference,
        num_pairs,
        unmatched_share,
        // Where nothing was joined, nothing is known: that is no success.
        unmatched_alarm: is_beyond || (num_pairs == 0 && rows > 0),
        features,
    }
}
