//! Registering: claim a number, write the package, write its record, and put it in force, in this order.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use sluice_core::artifact::Artifact;
use sluice_core::error::Result;

use super::backend::Put;
use super::error::RegistryError;
use super::index::{Index, MoveKind};
use super::record::{Claim, Origin, VersionRecord, actor, now_seconds, pretty};
use super::{
    ATTEMPTS, CLAIMS, LATEST_BLESSED, Registry, claim_name, new_move, number_of, pause, record_name,
    version_folder,
};

/// What a push did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// The version.
    pub version: u64,
    /// Whether it is new; the same package is registered once.
    pub is_new: bool,
    /// Where it lies.
    pub path: String,
}

/// With what a package is registered.
#[derive(Clone, Debug, Default)]
pub struct Registration {
    /// The verdict about it.
    pub verdict: Value,
    /// The version that it is a copy of, if it is promoted.
    pub origin: Option<Origin>,
    /// Why, for the record of the alias.
    pub reason: Option<String>,
    /// Why it is let in although its verdict, or a rollback, speaks against it.
    pub forced: Option<String>,
    /// A further alias that is pointed at it.
    pub alias: Option<String>,
}

/// How an attempt ended.
enum Attempt {
    Done(Pushed),
    /// The number was given up meanwhile, by whoever collected garbage.
    GivenUp,
}

impl Registry {
    /// Registers a package and points `latest-blessed` at it. A package that is registered already keeps its
    /// version. Whether the verdict lets it pass, the caller has looked.
    ///
    /// # Errors
    /// [`RegistryError::RolledBack`]; what writing the place meets. `latest-blessed` is then as it was.
    pub fn push(&self, package: &Artifact, registration: &Registration) -> Result<Pushed> {
        if let Some(alias) = &registration.alias {
            super::index::check_alias(alias)?;
        }
        self.backend.prepare()?;
        // Written before the first claim: what is claimed or complete is not registered unless the index says
        // so.
        let index = self.update(|index| Ok(index.clone()))?;
        if let Some(version) = index.version_of(package.digest()) {
            self.write_record(version, package.digest(), registration)?;
            if let Attempt::Done(pushed) = self.commit(version, package.digest(), registration)? {
                return Ok(pushed);
            }
        }
        let mut taken = BTreeSet::new();
        for attempt in 0..ATTEMPTS {
            let version = self.claim(package.digest(), &taken)?;
            match self.backend.put(&version_folder(version), package)? {
                Put::Done => {}
                Put::Taken => {
                    taken.insert(version);
                    continue;
                }
            }
            self.write_record(version, package.digest(), registration)?;
            match self.commit(version, package.digest(), registration)? {
                Attempt::Done(pushed) => return Ok(pushed),
                Attempt::GivenUp => pause(attempt),
            }
        }
        Err(RegistryError::Busy { path: self.index_place(), attempts: ATTEMPTS }.into())
    }

    /// Writes the record of a version that has none.
    pub(super) fn write_record(&self, version: u64, digest: &str, registration: &Registration) -> Result<()> {
        let record = VersionRecord {
            version,
            digest: digest.into(),
            verdict: registration.verdict.clone(),
            pushed_at_seconds: now_seconds(),
            pushed_by: Some(actor()),
            promoted_from: registration.origin.clone(),
            forced: registration.forced.clone(),
        };
        self.backend.create(&record_name(version), &pretty(&record)?).map(drop)
    }

    /// The number for a package: that under which another has just registered it, one that was claimed for it and never
    /// registered, or the next that is free.
    fn claim(&self, digest: &str, taken: &BTreeSet<u64>) -> Result<u64> {
        let (index, _) = self.read_index()?;
        if let Some(version) = index.version_of(digest).filter(|version| !taken.contains(version)) {
            return Ok(version);
        }
        let claims: BTreeSet<u64> =
            self.backend.list(CLAIMS)?.iter().filter_map(|listed| number_of(&listed.name, CLAIMS)).collect();
        let is_open = |version: &u64| {
            !index.versions.contains_key(version)
                && !index.removed.contains(version)
                && !taken.contains(version)
        };
        for version in claims.iter().copied().filter(is_open) {
            if self.is_claimed_for(version, digest)? {
                return Ok(version);
            }
        }
        let claim = pretty(&Claim { digest: digest.into(), by: actor(), at_seconds: now_seconds() })?;
        // From the last that is registered, not from the last claim in the listing: a listing is no snapshot, and
        // may show a claim but not an earlier one, which may be for this very package. What is registered was
        // claimed after those below it, hence before the listing began.
        let mut version = index.last() + 1;
        while !is_open(&version)
            || (claims.contains(&version) || !self.backend.create(&claim_name(version), &claim)?)
                && !self.is_claimed_for(version, digest)?
        {
            version += 1;
        }
        Ok(version)
    }

    /// Whether a number is claimed for a package; a claim that cannot be read is somebody else's.
    fn is_claimed_for(&self, version: u64, digest: &str) -> Result<bool> {
        let stored = self.backend.read(&claim_name(version))?;
        let claim = stored.and_then(|stored| serde_json::from_slice::<Claim>(&stored.bytes).ok());
        Ok(claim.is_some_and(|claim| claim.digest == digest))
    }

    /// Registers a version whose package and record are there, and moves the aliases, at once.
    fn commit(&self, version: u64, digest: &str, registration: &Registration) -> Result<Attempt> {
        let action = if registration.origin.is_some() { MoveKind::Promote } else { MoveKind::Push };
        let reason = registration.forced.as_deref().or(registration.reason.as_deref());
        let aliases = [Some(LATEST_BLESSED), registration.alias.as_deref()].into_iter().flatten();
        let mut is_new = false;
        let pushed = self.update(|index| {
            // Another may have registered the same package under another number, or given this one up.
            let known = index.version_of(digest);
            if known.is_none() && index.removed.contains(&version) {
                return Ok(None);
            }
            let version = known.unwrap_or(version);
            is_new = known.is_none();
            if known.is_none() {
                index.versions.insert(version, digest.into());
            } else if registration.forced.is_none() {
                self.refuse_rolled_back(index, version)?;
            }
            for alias in aliases.clone() {
                index.apply(new_move(alias, action, Some(version), reason));
            }
            Ok(Some(version))
        })?;
        Ok(pushed.map_or(Attempt::GivenUp, |version| {
            Attempt::Done(Pushed { version, is_new, path: self.path_of(version) })
        }))
    }

    /// A model that an operator took out of force does not come back because a pipeline ran once more.
    fn refuse_rolled_back(&self, index: &Index, version: u64) -> Result<()> {
        let Some(back) = index.rolled_back(LATEST_BLESSED, version) else { return Ok(()) };
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(back.at_seconds);
        Err(RegistryError::RolledBack {
            name: self.name.clone(),
            version,
            when: sluice_report::timestamp(at),
            by: back.by.clone(),
            reason: back.reason.clone().unwrap_or_else(|| "no reason was given".into()),
            registry: self.place.clone(),
        }
        .into())
    }
}
