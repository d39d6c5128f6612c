//! Garbage: versions that nothing leads to, and what pushers that were killed have left.
//!
//! A number is first given up in the index, by the same write that no alias can come back to it after; only
//! then is anything removed. A pusher that was slow and finds its number given up begins again with another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use sluice_core::error::Result;

use super::index::Index;
use super::{CLAIMS, Registry, VERSIONS, number_of};

/// What is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GarbageOptions {
    /// So many of the newest versions.
    pub keep: usize,
    /// For each alias, the versions that so many rollbacks would lead to.
    pub rollbacks: usize,
    /// Versions that were pushed less long ago.
    pub older_than: Duration,
    /// What an unfinished push has written less long ago: it may be at work.
    pub unfinished_after: Duration,
    /// Only look.
    pub dry_run: bool,
}

impl Default for GarbageOptions {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self { keep: 10, rollbacks: 5, older_than: Duration::ZERO, unfinished_after: day, dry_run: false }
    }
}

/// The length of time that a number with a unit says: `30d`, `12h`, `90m`, `45s`.
///
/// # Errors
/// What to write instead.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let hint = || "write a number and `d`, `h`, `m` or `s`: 30d".to_owned();
    let unit = text.chars().last().ok_or_else(hint)?;
    let number: u64 = text.strip_suffix(unit).and_then(|digits| digits.parse().ok()).ok_or_else(hint)?;
    let seconds = match unit {
        'd' => 24 * 60 * 60,
        'h' => 60 * 60,
        'm' => 60,
        's' => 1,
        _ => return Err(hint()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(hint)
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Collected {
    /// Versions.
    pub versions: Vec<u64>,
    /// Numbers of pushes that were never finished.
    pub unfinished: Vec<u64>,
    /// Files or objects, those of an earlier collection that was cut short among them.
    pub files: usize,
    /// Versions that are still there.
    pub kept: Vec<u64>,
}

/// What there is of a number.
#[derive(Debug, Default)]
struct Leavings {
    names: Vec<String>,
    newest: Option<SystemTime>,
}

impl Registry {
    /// Removes versions that are neither among the newest nor led to by an alias or its rollbacks, and what
    /// killed pushers have left.
    ///
    /// # Errors
    /// As [`Registry::versions`]; what writing the place meets.
    pub fn collect_garbage(&self, options: &GarbageOptions) -> Result<Collected> {
        let now = SystemTime::now();
        let leavings = self.leavings()?;
        let (index, _) = self.read_index()?;
        if leavings.is_empty() {
            self.must_have_versions(&index)?;
        }
        let too_new = self.too_new(options.older_than, now)?;
        let rested = |leavings: &Leavings| {
            leavings.newest.is_none_or(|newest| {
                now.duration_since(newest).is_ok_and(|since| since >= options.unfinished_after)
            })
        };
        let rested: BTreeSet<u64> =
            leavings.iter().filter(|(_, found)| rested(found)).map(|(number, _)| *number).collect();
        let choose = |index: &Index| {
            let versions = candidates(index, options, &too_new);
            let is_unfinished =
                |number: &&u64| !index.versions.contains_key(number) && !index.removed.contains(number);
            let unfinished: Vec<u64> = rested.iter().filter(is_unfinished).copied().collect();
            (versions, unfinished)
        };
        let (versions, unfinished, index) = if options.dry_run {
            let (versions, unfinished) = choose(&index);
            (versions, unfinished, index)
        } else {
            self.backend.prepare()?;
            self.update(|index| {
                let (versions, unfinished) = choose(index);
                for number in versions.iter().chain(&unfinished) {
                    index.versions.remove(number);
                    index.removed.insert(*number);
                }
                Ok((versions, unfinished, index.clone()))
            })?
        };
        let is_gone = |number: &u64| {
            index.removed.contains(number) || versions.contains(number) || unfinished.contains(number)
        };
        let names: Vec<String> = leavings
            .iter()
            .filter(|(number, _)| is_gone(number))
            .flat_map(|(_, found)| found.names.clone())
            .collect();
        let mut files = names.len();
        if !options.dry_run {
            self.backend.remove(&names)?;
            files += self.backend.sweep()?;
        }
        let kept = index.versions.keys().copied().filter(|version| !versions.contains(version)).collect();
        Ok(Collected { versions, unfinished, files, kept })
    }

    /// What there is of every number.
    fn leavings(&self) -> Result<BTreeMap<u64, Leavings>> {
        let mut found: BTreeMap<u64, Leavings> = BTreeMap::new();
        for folder in [VERSIONS, CLAIMS] {
            for listed in self.backend.list(folder)? {
                let Some(number) = number_of(&listed.name, folder) else { continue };
                let leavings = found.entry(number).or_default();
                leavings.newest = std::cmp::max(leavings.newest, Some(listed.modified));
                leavings.names.push(listed.name);
            }
        }
        Ok(found)
    }

    /// The versions that were pushed less long ago.
    fn too_new(&self, older_than: Duration, now: SystemTime) -> Result<BTreeSet<u64>> {
        if older_than.is_zero() {
            return Ok(BTreeSet::new());
        }
        let is_new = |seconds: u64| {
            let pushed = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            now.duration_since(pushed).is_ok_and(|since| since < older_than)
        };
        let entries = self.entries()?.into_iter();
        let new = entries
            .filter(|entry| entry.record.as_ref().is_some_and(|record| is_new(record.pushed_at_seconds)));
        Ok(new.map(|entry| entry.version).collect())
    }
}

/// The versions that may go.
fn candidates(index: &Index, options: &GarbageOptions, too_new: &BTreeSet<u64>) -> Vec<u64> {
    let referenced = index.referenced(options.rollbacks);
    let older = index.versions.len().saturating_sub(options.keep);
    let versions = index.versions.keys().take(older);
    versions.filter(|version| !referenced.contains(version) && !too_new.contains(version)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        for (text, seconds) in [("30d", 2_592_000), ("12h", 43_200), ("90m", 5_400), ("0s", 0)] {
            assert_eq!(parse_age(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "d", "30", "3w", "-1d", "1.5h", "1é", "18446744073709551615d"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }
}
