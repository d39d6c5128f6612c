//! Moving aliases: by hand, and back.

use serde::Serialize;

use sluice_core::error::Result;

use super::error::RegistryError;
use super::index::{Index, MoveKind, check_alias};
use super::{LATEST_BLESSED, Registry, new_move};

/// What became of an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The alias.
    pub alias: String,
    /// Where it pointed.
    pub from: Option<u64>,
    /// Where it points.
    pub to: Option<u64>,
}

/// Refuses a move of an alias that is not where its mover thinks.
fn check_expected(index: &Index, alias: &str, expected: Option<Option<u64>>) -> Result<()> {
    let found = index.aliases.get(alias).copied();
    match expected {
        Some(expected) if expected != found => {
            Err(RegistryError::AliasMoved { alias: alias.into(), expected, found }.into())
        }
        _ => Ok(()),
    }
}

impl Registry {
    /// Points an alias at a version. `latest-blessed` goes only to a version whose verdict says `pass`,
    /// unless `forced` says why. With `expected`, only if it points there (at nothing: `Some(None)`).
    ///
    /// # Errors
    /// [`RegistryError::AliasName`], [`RegistryError::NoSuchVersion`], [`RegistryError::AliasMoved`],
    /// [`RegistryError::NotPassed`]; what writing the place meets.
    pub fn set_alias(
        &self,
        alias: &str,
        version: u64,
        expected: Option<Option<u64>>,
        reason: Option<&str>,
        forced: Option<&str>,
    ) -> Result<Moved> {
        check_alias(alias)?;
        let entry = self.entry(version)?;
        if alias == LATEST_BLESSED && forced.is_none() {
            let problem = match &entry.record {
                None => Some("it has no record".to_owned()),
                Some(record) => record.problem(),
            };
            if let Some(problem) = problem {
                return Err(RegistryError::NotPassed { name: self.name.clone(), version, problem }.into());
            }
        }
        self.backend.prepare()?;
        self.update(|index| {
            check_expected(index, alias, expected)?;
            if !index.versions.contains_key(&version) {
                return Err(self.no_version(version).into());
            }
            let from = index.aliases.get(alias).copied();
            index.apply(new_move(alias, MoveKind::Set, Some(version), forced.or(reason)));
            Ok(Moved { alias: alias.into(), from, to: Some(version) })
        })
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// [`RegistryError::Reserved`] for `latest-blessed`, [`RegistryError::NoSuchAlias`],
    /// [`RegistryError::AliasMoved`]; what writing the place meets.
    pub fn remove_alias(
        &self,
        alias: &str,
        expected: Option<Option<u64>>,
        reason: Option<&str>,
    ) -> Result<Moved> {
        if alias == LATEST_BLESSED {
            return Err(RegistryError::Reserved { alias: alias.into() }.into());
        }
        self.alias_in(&self.read_index()?.0, alias)?;
        self.backend.prepare()?;
        self.update(|index| {
            check_expected(index, alias, expected)?;
            let from = self.alias_in(index, alias)?;
            index.apply(new_move(alias, MoveKind::Remove, None, reason));
            Ok(Moved { alias: alias.into(), from: Some(from), to: None })
        })
    }

    /// Takes an alias back to the version before; repeated, further back.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchAlias`], [`RegistryError::NothingBefore`], [`RegistryError::AliasMoved`]; what
    /// writing the place meets.
    pub fn roll_back(
        &self,
        alias: &str,
        expected: Option<Option<u64>>,
        reason: Option<&str>,
    ) -> Result<Moved> {
        self.alias_in(&self.read_index()?.0, alias)?;
        self.backend.prepare()?;
        self.update(|index| {
            check_expected(index, alias, expected)?;
            let (from, to) = (self.alias_in(index, alias)?, index.before(alias)?);
            index.apply(new_move(alias, MoveKind::Rollback, Some(to), reason));
            Ok(Moved { alias: alias.into(), from: Some(from), to: Some(to) })
        })
    }
}
