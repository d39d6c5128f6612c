//! Which subset a row belongs to: the one that a column names, the one that the hash of its key falls into, the one in
//! whose interval its time lies, or the one that the folder `Split-NAME` of its file names.
//!
//! By hash: u = XXH3-64(row hash, seed) / 2^64; subsets lie side by side on [0, 1) in byte order of their
//! names, each as wide as its share, and the row belongs to the one that u falls into. So a row stays in its
//! subset whatever the order of rows, the file or the machine.
//!
//! By time: a subset is the interval from its `from` (included) to its `before` (not included). Intervals must not
//! overlap; rows in none of them are left out and counted, so that a gap can keep what was known at the time of
//! training apart from what it is judged on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use sluice_core::batch::Batch;
use sluice_core::column::Column;
use sluice_core::error::{CommonError, Error, Result};

use crate::error::IngestError;
use crate::interval::{Interval, IntervalOptions};

/// The word that chooses intervals of time.
const BY_TIME: &str = "time";

/// The word that chooses the hash of the key.
const BY_HASH: &str = "hash";

/// The word that chooses the folders `Split-NAME` that files lie in, as TFX has them.
pub const BY_SPLIT_FOLDER: &str = "split-folder";

/// 2^64: hashes lie below it.
const TWO_TO_64: f64 = (1_u128 << 64) as f64;

/// More subsets than this are a mistake.
const MAX_SUBSETS: usize = 64;

/// How rows are shared out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SubsetOptions {
    /// `hash`, `time`, `split-folder`, or the column that names each row's subset.
    pub by: String,
    /// By hash: another seed gives other subsets; 0 unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// By hash: the share of each subset; together 1. By time: the interval of each subset.
    #[serde(flatten)]
    pub shares: BTreeMap<String, Share>,
}

/// What belongs to a subset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Share {
    /// This part of all rows.
    Part(f64),
    /// The rows of this time.
    Time(IntervalOptions),
}

/// Checked options.
#[derive(Clone, Debug)]
pub(crate) enum Rule {
    Hash { seed: u64, bounds: Vec<(f64, String)> },
    Time(Vec<(Interval, String)>),
    Column(String),
    SplitFolder,
}

impl SubsetOptions {
    /// The column that names the subset, if one does.
    #[must_use]
    pub fn column(&self) -> Option<&str> {
        (![BY_HASH, BY_TIME, BY_SPLIT_FOLDER].contains(&self.by.as_str())).then_some(self.by.as_str())
    }

    /// Whether the time of a row says its subset.
    #[must_use]
    pub fn by_time(&self) -> bool {
        self.by == BY_TIME
    }

    /// Whether the folder of its file says the subset of a row.
    #[must_use]
    pub fn by_split_folder(&self) -> bool {
        self.by == BY_SPLIT_FOLDER
    }

    /// How rows are assigned, in words.
    #[must_use]
    pub fn rule(&self) -> String {
        match self.column() {
            Some(column) => format!("by column `{column}`"),
            None if self.by_time() => "by their time".into(),
            None if self.by_split_folder() => "by the folder `Split-NAME` of their file".into(),
            None => "by the hash of their key".into(),
        }
    }

    /// Checks names and shares.
    ///
    /// # Errors
    /// [`IngestError`].
    pub fn check(&self) -> Result<(), IngestError> {
        self.checked().map(drop)
    }

    pub(crate) fn checked(&self) -> Result<Rule, IngestError> {
        if self.column().is_some() || self.by_split_folder() {
            let seed = self.seed.map(|_| "seed");
            if let Some(name) = self.shares.keys().next().map(String::as_str).or(seed) {
                return Err(IngestError::ShareOfColumn { column: self.by.clone(), name: name.into() });
            }
            return Ok(self.column().map_or(Rule::SplitFolder, |column| Rule::Column(column.into())));
        }
        for name in self.shares.keys() {
            check_name(name).map_err(|_| IngestError::ShareName { name: name.clone() })?;
        }
        if self.by_time() {
            if self.seed.is_some() {
                return Err(IngestError::ShareOfColumn { column: BY_TIME.into(), name: "seed".into() });
            }
            return Ok(Rule::Time(self.intervals()?));
        }
        let mut shares: Vec<(&String, f64)> = Vec::new();
        for (name, share) in &self.shares {
            match share {
                Share::Part(share) => shares.push((name, *share)),
                Share::Time(_) => {
                    return Err(IngestError::NotAShare {
                        name: name.clone(),
                        by: BY_HASH,
                        wants: "a share such as 0.8",
                    });
                }
            }
        }
        for (name, share) in shares.iter().copied() {
            // One subset may take everything only if it is the only one; `1` is then its share.
            if !(share > 0.0 && (share < 1.0 || shares.len() == 1)) {
                return Err(IngestError::Share { name: name.clone(), share });
            }
        }
        // An empty sum is -0; adding 0 takes the sign off.
        let sum = shares.iter().map(|(_, share)| share).sum::<f64>() + 0.0;
        if (sum - 1.0).abs() > 1e-9 {
            return Err(IngestError::ShareSum { sum });
        }
        let mut bound = 0.0;
        let bounds = shares
            .into_iter()
            .map(|(name, share)| {
                bound += share;
                (bound, name.clone())
            })
            .collect();
        Ok(Rule::Hash { seed: self.seed.unwrap_or(0), bounds })
    }

    /// The intervals, none of which overlap.
    fn intervals(&self) -> Result<Vec<(Interval, String)>, IngestError> {
        let mut intervals: Vec<(Interval, String)> = Vec::new();
        for (name, share) in &self.shares {
            let Share::Time(options) = share else {
                let wants = "`from` and `before`";
                return Err(IngestError::NotAShare { name: name.clone(), by: BY_TIME, wants });
            };
            let interval = options.checked(name)?;
            if let Some((_, other)) = intervals.iter().find(|(other, _)| other.overlaps(&interval)) {
                return Err(IngestError::Overlap { first: other.clone(), second: name.clone() });
            }
            intervals.push((interval, name.clone()));
        }
        if intervals.is_empty() {
            return Err(IngestError::NoIntervals);
        }
        Ok(intervals)
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), IngestError> {
    let sound = !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if sound { Ok(()) } else { Err(IngestError::Name { name: name.into() }) }
}

impl Rule {
    /// The subset of each row of a batch, as indices into `names`, which grows as names appear; `None` for a row
    /// that belongs to no subset. `time` is the column that says when a row happened, `folder` the subset that the folder
    /// of its file names.
    pub(crate) fn assign(
        &self,
        batch: &Batch,
        (time, folder): (Option<&str>, Option<&str>),
        names: &mut Vec<String>,
    ) -> Result<Vec<Option<usize>>> {
        match self {
            Self::Hash { seed, bounds } => {
                if names.is_empty() {
                    names.extend(bounds.iter().map(|(_, name)| name.clone()));
                }
                let hashes = batch
                    .row_hashes()
                    .ok_or_else(|| CommonError::Internal("row hashes were not asked for".into()))?;
                Ok(hashes.iter().map(|hash| Some(place(*hash, *seed, bounds))).collect())
            }
            Self::Time(intervals) => {
                if names.is_empty() {
                    names.extend(intervals.iter().map(|(_, name)| name.clone()));
                }
                let column = time.ok_or(IngestError::NoTime)?;
                let intervals: Vec<Interval> = intervals.iter().map(|(interval, _)| *interval).collect();
                crate::interval::assign(column, batch.require(column)?, &intervals)
            }
            Self::Column(column) => by_column(column, batch, names),
            Self::SplitFolder => {
                let name = folder.ok_or_else(|| CommonError::Internal("a file without a subset".into()))?;
                let known = names.iter().position(|known| known == name);
                let index = known.unwrap_or_else(|| {
                    names.push(name.to_owned());
                    names.len() - 1
                });
                Ok(vec![Some(index); batch.rows()])
            }
        }
    }
}

fn place(hash: u64, seed: u64, bounds: &[(f64, String)]) -> usize {
    let position = xxh3_64_with_seed(&hash.to_le_bytes(), seed) as f64 / TWO_TO_64;
    // The last bound may fall short of 1 by rounding; what lies beyond belongs to the last subset.
    bounds.iter().position(|(bound, _)| position < *bound).unwrap_or(bounds.len() - 1)
}

fn by_column(column: &str, batch: &Batch, names: &mut Vec<String>) -> Result<Vec<Option<usize>>> {
    let values = batch.require(column)?;
    let view = Column::view(values);
    if !matches!(view, Column::Text(_) | Column::CodedText(..) | Column::Null(_)) {
        return Err(CommonError::ColumnKind {
            column: column.into(),
            found: sluice_core::column::ColumnKind::of(values.data_type()).to_string(),
            expected: "text such as `train` and `eval`",
            purpose: "`subsets.by`".into(),
        }
        .into());
    }
    (0..batch.rows())
        .map(|row| {
            let Some(name) = view.text(row) else {
                return Err(Error::from(IngestError::Null { column: column.into() }).at_row(row));
            };
            if let Some(index) = names.iter().position(|known| known == name) {
                return Ok(Some(index));
            }
            check_name(name).map_err(|error| Error::from(error).at_row(row))?;
            if names.len() == MAX_SUBSETS {
                return Err(IngestError::TooMany { column: column.into(), limit: MAX_SUBSETS }.into());
            }
            names.push(name.to_owned());
            Ok(Some(names.len() - 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(shares: &[(&str, f64)]) -> SubsetOptions {
        SubsetOptions {
            by: "hash".into(),
            seed: Some(7),
            shares: shares.iter().map(|(name, share)| ((*name).to_owned(), Share::Part(*share))).collect(),
        }
    }

    #[test]
    fn shares_are_checked() {
        let by_column = |seed| SubsetOptions { by: "subset".into(), seed, shares: BTreeMap::new() };
        assert!(by_column(None).check().is_ok());
        let by_folder = |seed| SubsetOptions { by: "split-folder".into(), seed, shares: BTreeMap::new() };
        assert!(by_folder(None).check().is_ok() && by_folder(None).column().is_none());
        assert!(matches!(by_folder(Some(7)).check(), Err(IngestError::ShareOfColumn { .. })));
        assert!(matches!(by_column(Some(7)).check(), Err(IngestError::ShareOfColumn { .. })));
        assert!(options(&[("train", 0.8), ("eval", 0.2)]).check().is_ok());
        assert!(matches!(
            options(&[("train", 0.8), ("eval", 0.1)]).check(),
            Err(IngestError::ShareSum { .. })
        ));
        assert!(matches!(
            options(&[("train", f64::NAN), ("eval", 0.1)]).check(),
            Err(IngestError::Share { .. })
        ));
        assert!(matches!(
            options(&[("../etc", 0.5), ("eval", 0.5)]).check(),
            Err(IngestError::ShareName { .. })
        ));
    }

    #[test]
    fn rows_fall_where_their_hash_says_in_the_right_shares() {
        let Rule::Hash { seed, bounds } = options(&[("train", 0.8), ("eval", 0.2)]).checked().unwrap() else {
            unreachable!()
        };
        let mut counts = [0_u32; 2];
        for row in 0..100_000_u64 {
            counts[place(row, seed, &bounds)] += 1;
        }
        // eval comes first by name; 20,000 ± 5 standard deviations (126 each).
        assert!((19_370..20_630).contains(&counts[0]), "{counts:?}");
        // Frozen: a change would move rows between subsets.
        assert_eq!([1, 2, 3, 4, 5, 6].map(|row| place(row, seed, &bounds)), FROZEN);
    }

    // Checked against the Python package xxhash 3.
    const FROZEN: [usize; 6] = [1, 1, 0, 1, 0, 1];
}
