//! `aliases.json`: which versions are registered, where the aliases point, and how they came there.
//!
//! The one file of a model that is ever replaced, and only if it is still the one that was read: a version is
//! registered, put in force or given up by one write of it. Aliases stand at the top level, as they always
//! did; keys that begin with `$` hold the rest. A file without `$format` is one of a version of the program
//! that had nothing but aliases.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use sluice_core::error::Result;

use super::error::RegistryError;

/// The format that is written.
pub(super) const FORMAT: u64 = 2;

/// What moved an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveKind {
    /// A model that passed the gate was pushed.
    Push,
    /// A version was promoted from another registry.
    Promote,
    /// Somebody set it.
    Set,
    /// It went back to the version before.
    Rollback,
    /// Somebody removed it.
    Remove,
}

impl MoveKind {
    /// The word of the file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Promote => "promote",
            Self::Set => "set",
            Self::Rollback => "rollback",
            Self::Remove => "remove",
        }
    }
}

/// One move of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasMove {
    /// Its own, so that no two writers ever write the same content: a write whose answer was lost is known by
    /// it.
    pub id: Uuid,
    /// The alias.
    pub alias: String,
    /// What moved it.
    pub action: MoveKind,
    /// Where it pointed before.
    pub from: Option<u64>,
    /// Where it points since.
    pub to: Option<u64>,
    /// Seconds since 1970-01-01 UTC.
    pub at_seconds: u64,
    /// Who, and on which machine.
    pub by: String,
    /// Why, if that was said.
    pub reason: Option<String>,
}

/// The file's content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Where each alias points.
    pub(super) aliases: BTreeMap<String, u64>,
    /// The versions that are registered, with the digests of their packages.
    pub(super) versions: BTreeMap<u64, String>,
    /// Numbers that were given up, and are never given again.
    pub(super) removed: BTreeSet<u64>,
    /// All moves of aliases, in order.
    pub(super) history: Vec<AliasMove>,
}

/// What a file holds.
pub(super) enum Parsed {
    /// All of it.
    Index(Index),
    /// A file of a version that knew aliases only; what is registered, the folder says.
    AliasesOnly(BTreeMap<String, u64>),
}

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "$format")]
    format: Option<Value>,
}

#[derive(Serialize, Deserialize)]
struct Layout {
    #[serde(flatten)]
    aliases: BTreeMap<String, u64>,
    #[serde(rename = "$format")]
    format: u64,
    #[serde(rename = "$versions")]
    versions: BTreeMap<u64, String>,
    #[serde(rename = "$removed")]
    removed: BTreeSet<u64>,
    #[serde(rename = "$history")]
    history: Vec<AliasMove>,
}

/// Reads the file; `path` is for messages.
///
/// # Errors
/// [`RegistryError::Damaged`]; [`RegistryError::Newer`].
pub(super) fn parse(bytes: &[u8], path: &str) -> Result<Parsed> {
    let damaged = |source| RegistryError::Damaged { path: path.into(), source };
    let Format { format } = serde_json::from_slice(bytes).map_err(damaged)?;
    match format {
        None => Ok(Parsed::AliasesOnly(serde_json::from_slice(bytes).map_err(damaged)?)),
        Some(format) if format.as_u64() == Some(FORMAT) => {
            let Layout { aliases, versions, removed, history, .. } =
                serde_json::from_slice(bytes).map_err(damaged)?;
            Ok(Parsed::Index(Index { aliases, versions, removed, history }))
        }
        Some(other) => {
            let found = other.to_string();
            Err(RegistryError::Newer { path: path.into(), expected: FORMAT, found }.into())
        }
    }
}

impl Index {
    /// The file's bytes.
    ///
    /// # Errors
    /// None in practice.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let Self { aliases, versions, removed, history } = self.clone();
        let layout = Layout { aliases, format: FORMAT, versions, removed, history };
        super::record::pretty(&layout)
    }

    /// The version of a package, the latest of several.
    pub(super) fn version_of(&self, digest: &str) -> Option<u64> {
        self.versions.iter().rev().find(|(_, known)| *known == digest).map(|(version, _)| *version)
    }

    /// The greatest number that was ever given, as far as this file knows.
    pub(super) fn last(&self) -> u64 {
        let last = |set: Option<&u64>| set.copied().unwrap_or(0);
        std::cmp::max(last(self.versions.keys().next_back()), last(self.removed.last()))
    }

    /// The aliases that point at a version.
    pub(super) fn aliases_of(&self, version: u64) -> Vec<String> {
        self.aliases.iter().filter(|(_, to)| **to == version).map(|(alias, _)| alias.clone()).collect()
    }

    /// Moves an alias and notes it; one that is there already stays as it is.
    pub(super) fn apply(&mut self, mut wanted: AliasMove) {
        wanted.from = self.aliases.get(&wanted.alias).copied();
        if wanted.from == wanted.to {
            return;
        }
        match wanted.to {
            Some(version) => self.aliases.insert(wanted.alias.clone(), version),
            None => self.aliases.remove(&wanted.alias),
        };
        self.history.push(wanted);
    }

    /// The versions an alias pointed at, the one it points at last, without those that were rolled back: what
    /// a rollback goes through, from the end.
    pub(super) fn stack(&self, alias: &str) -> Vec<u64> {
        let mut stack: Vec<u64> = Vec::new();
        for made in self.history.iter().filter(|made| made.alias == alias) {
            match (made.action, made.to) {
                (_, None) => stack.clear(),
                (MoveKind::Rollback, Some(to)) => {
                    stack.truncate(stack.iter().rposition(|version| *version == to).map_or(0, |at| at + 1));
                    if stack.is_empty() {
                        stack.push(to);
                    }
                }
                (MoveKind::Push | MoveKind::Promote | MoveKind::Set | MoveKind::Remove, Some(to)) => {
                    stack.push(to);
                }
            }
        }
        // What an editor wrote by hand was not noted.
        if let Some(current) = self.aliases.get(alias)
            && stack.last() != Some(current)
        {
            stack.push(*current);
        }
        stack
    }

    /// Where a rollback of an alias goes.
    ///
    /// # Errors
    /// [`RegistryError::NothingBefore`].
    pub(super) fn before(&self, alias: &str) -> Result<u64> {
        let problem = |problem: String| RegistryError::NothingBefore { alias: alias.into(), problem };
        let stack = self.stack(alias);
        let current = self.aliases.get(alias);
        let Some(current) = current else { return Err(problem("it does not exist".into()).into()) };
        let before = stack.iter().rev().find(|version| *version != current);
        match before {
            Some(version) if self.versions.contains_key(version) => Ok(*version),
            Some(version) => {
                Err(problem(format!("version {version}, where it pointed before, was removed")).into())
            }
            None => Err(problem(format!("it has only pointed at version {current}")).into()),
        }
    }

    /// The versions that an alias points at, or that up to `rollbacks` rollbacks would lead to.
    pub(super) fn referenced(&self, rollbacks: usize) -> BTreeSet<u64> {
        let mut kept = BTreeSet::new();
        for alias in self.aliases.keys() {
            let mut of_alias: Vec<u64> = Vec::new();
            for version in self.stack(alias).into_iter().rev() {
                if of_alias.last() != Some(&version) {
                    of_alias.push(version);
                }
            }
            kept.extend(of_alias.into_iter().take(rollbacks.saturating_add(1)));
        }
        kept
    }

    /// The rollback that took a version out of force, if nothing has put it in force since.
    pub(super) fn rolled_back(&self, alias: &str, version: u64) -> Option<&AliasMove> {
        let last =
            self.history.iter().rev().find(|made| {
                made.alias == alias && (made.from == Some(version) || made.to == Some(version))
            })?;
        (last.action == MoveKind::Rollback && last.from == Some(version)).then_some(last)
    }
}

/// Checks the name of an alias.
///
/// # Errors
/// [`RegistryError::AliasName`].
pub(super) fn check_alias(alias: &str) -> Result<()> {
    let is_sound = alias.len() <= 64
        && alias.starts_with(|first: char| first.is_ascii_alphabetic())
        && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if is_sound { Ok(()) } else { Err(RegistryError::AliasName { alias: alias.into() }.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(index: &mut Index, action: MoveKind, to: Option<u64>) {
        if let Some(to) = to {
            index.versions.entry(to).or_insert_with(|| format!("digest {to}"));
        }
        index.apply(AliasMove {
            id: Uuid::now_v7(),
            alias: "live".into(),
            action,
            from: None,
            to,
            at_seconds: 7,
            by: "anna@host".into(),
            reason: None,
        });
    }

    fn rollback(index: &mut Index) -> Result<u64> {
        let to = index.before("live")?;
        moved(index, MoveKind::Rollback, Some(to));
        Ok(to)
    }

    #[test]
    fn a_repeated_rollback_goes_further_back_and_what_was_rolled_back_is_not_come_back_to() {
        let mut index = Index::default();
        for version in [1, 2, 2, 3] {
            moved(&mut index, MoveKind::Push, Some(version));
        }
        assert_eq!(index.history.len(), 3, "a move to where it is is none");
        assert_eq!(rollback(&mut index).unwrap(), 2);
        assert_eq!(index.rolled_back("live", 3).unwrap().to, Some(2));
        assert_eq!(rollback(&mut index).unwrap(), 1);
        assert_eq!(
            rollback(&mut index).unwrap_err().to_string(),
            "alias `live` cannot be rolled back: it has only \
             pointed at version 1"
        );
        moved(&mut index, MoveKind::Push, Some(4));
        assert_eq!(index.stack("live"), [1, 4]);
        assert_eq!(rollback(&mut index).unwrap(), 1);
        // Put in force again by hand.
        moved(&mut index, MoveKind::Set, Some(3));
        assert_eq!(index.rolled_back("live", 3), None);
        assert_eq!(index.rolled_back("live", 2).unwrap().to, Some(1));
        assert_eq!(rollback(&mut index).unwrap(), 1);
        moved(&mut index, MoveKind::Remove, None);
        assert!(rollback(&mut index).unwrap_err().to_string().ends_with("it does not exist"));
        moved(&mut index, MoveKind::Set, Some(2));
        assert!(rollback(&mut index).is_err(), "what was before it was removed is over");
    }

    #[test]
    fn what_aliases_and_their_rollbacks_lead_to_is_referenced() {
        let mut index = Index::default();
        for version in [1, 2, 3, 2, 4] {
            moved(&mut index, MoveKind::Push, Some(version));
        }
        assert_eq!(index.referenced(0), BTreeSet::from([4]));
        assert_eq!(index.referenced(1), BTreeSet::from([2, 4]));
        assert_eq!(index.referenced(2), BTreeSet::from([2, 3, 4]));
        assert_eq!(index.referenced(usize::MAX), BTreeSet::from([1, 2, 3, 4]));
        index.versions.remove(&2);
        assert!(rollback(&mut index).unwrap_err().to_string().contains("version 2, where it pointed before"));
    }

    #[test]
    fn the_file_is_read_as_it_was_written_and_aliases_stand_at_its_top() {
        let mut index = Index::default();
        moved(&mut index, MoveKind::Push, Some(12));
        index.removed.extend([3, 4]);
        let bytes = index.to_bytes().unwrap();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&value["live"], &value["$format"]), (&12.into(), &2.into()));
        assert_eq!(value["$versions"], serde_json::json!({"12": "digest 12"}));
        let Parsed::Index(read) = parse(&bytes, "aliases.json").unwrap() else { panic!("of another format") };
        assert_eq!(read, index);
        assert_eq!(
            (index.last(), index.version_of("digest 12"), index.aliases_of(12)),
            (12, Some(12), vec!["live".to_owned()])
        );
        let Parsed::AliasesOnly(aliases) = parse(br#"{"latest-blessed": 1}"#, "").unwrap() else {
            panic!("of another format")
        };
        assert_eq!(aliases, BTreeMap::from([("latest-blessed".to_owned(), 1)]));
    }

    #[test]
    fn damage_and_later_formats_are_told_apart() {
        use sluice_core::ErrorKind;
        for (text, kind) in [
            ("", ErrorKind::Malformed),
            ("[]", ErrorKind::Malformed),
            (r#"{"live": "one"}"#, ErrorKind::Malformed),
            (r#"{"live": -1}"#, ErrorKind::Malformed),
            (r#"{"$format": 2, "live": 1}"#, ErrorKind::Malformed),
            (r#"{"$format": 3, "$else": {}}"#, ErrorKind::Usage),
            (r#"{"$format": "new"}"#, ErrorKind::Usage),
        ] {
            let error = parse(text.as_bytes(), "aliases.json").err().unwrap();
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.to_string().contains("`aliases.json`"), "{error}");
        }
        for name in ["", "1", "$x", "-x", "a b", "a/b", "ä"] {
            assert!(check_alias(name).is_err(), "{name}");
        }
        check_alias("latest-blessed").unwrap();
    }
}
