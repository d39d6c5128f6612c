//! Reading: what is registered, where it came from, and the packages.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use sluice_core::artifact::{Artifact, MANIFEST_FILE, hex_digest};
use sluice_core::error::{ErrorKind, Result};

use super::backend::{Fetched, Stored, Tag};
use super::error::RegistryError;
use super::index::{AliasMove, Index, MoveKind, Parsed, parse};
use super::record::VersionRecord;
use super::{CLAIMS, INDEX_FILE, LATEST_BLESSED, Registry, VERSIONS, number_of, record_name, version_folder};
use crate::package::ModelPackage;

/// What a list shows of a version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VersionEntry {
    /// Its number.
    pub version: u64,
    /// The digest of the package.
    pub digest: String,
    /// The aliases that point at it.
    pub aliases: Vec<String>,
    /// Where it lies.
    pub path: String,
    /// Where it came from; what an earlier version of the program was stopped in has none.
    pub record: Option<VersionRecord>,
}

/// Where the aliases of a model point, and how they came there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct History {
    /// Where each alias points.
    pub aliases: BTreeMap<String, u64>,
    /// All moves, in order.
    pub moves: Vec<AliasMove>,
}

/// What an index was read from.
pub(super) struct Base {
    /// The file's content; none if there is no file yet.
    pub(super) tag: Option<Tag>,
    /// Whether the file holds all of the index.
    pub(super) is_current: bool,
}

impl Registry {
    /// The index, and what it was read from.
    pub(super) fn read_index(&self) -> Result<(Index, Base)> {
        let Some(Stored { bytes, tag }) = self.backend.read(INDEX_FILE)? else {
            return Ok((self.index_of_records(BTreeMap::new())?, Base { tag: None, is_current: false }));
        };
        let (index, is_current) = match parse(&bytes, &self.index_place())? {
            Parsed::Index(index) => (index, true),
            Parsed::AliasesOnly(aliases) => (self.index_of_records(aliases)?, false),
        };
        Ok((index, Base { tag: Some(tag), is_current }))
    }

    /// The index of a model whose file knows aliases only, or is lost: a version is what has a package and a
    /// record, or an alias. What has neither is left of a push that was cut short, and its number is not
    /// given again.
    fn index_of_records(&self, aliases: BTreeMap<String, u64>) -> Result<Index> {
        let names: BTreeSet<String> = self.backend.list("")?.into_iter().map(|listed| listed.name).collect();
        let is_there = |version: u64| names.contains(&format!("{}/{MANIFEST_FILE}", version_folder(version)));
        let numbers: BTreeSet<u64> = names
            .iter()
            .filter_map(|name| number_of(name, VERSIONS).or_else(|| number_of(name, CLAIMS)))
            .collect();
        let mut index = Index { aliases, ..Index::default() };
        let mut records = Vec::new();
        for number in numbers {
            let is_aliased = index.aliases.values().any(|version| *version == number);
            let has_record = names.contains(&record_name(number));
            match (is_there(number), has_record) {
                (true, true) => records.push(number),
                (true, false) if is_aliased => {
                    let name = format!("{}/{MANIFEST_FILE}", version_folder(number));
                    if let Some(stored) = self.backend.read(&name)? {
                        index.versions.insert(number, hex_digest(&stored.bytes));
                    }
                }
                _ => {
                    index.removed.insert(number);
                }
            }
        }
        let records = self.records(&records)?;
        index.versions.extend(records.iter().map(|record| (record.version, record.digest.clone())));
        index.history = supposed_history(&index, &records);
        Ok(index)
    }

    /// The records of versions; those that have none are left out.
    fn records(&self, versions: &[u64]) -> Result<Vec<VersionRecord>> {
        let names: Vec<String> = versions.iter().map(|version| record_name(*version)).collect();
        let mut records = Vec::new();
        for ((version, name), stored) in versions.iter().zip(&names).zip(self.backend.read_all(&names)?) {
            let Some(stored) = stored else { continue };
            let read = serde_json::from_slice(&stored.bytes).and_then(|record: VersionRecord| {
                let is_own = record.version == *version;
                is_own.then_some(record).ok_or_else(|| serde::de::Error::custom("it is of another version"))
            });
            let path = || self.backend.place(name);
            records.push(read.map_err(|source| RegistryError::Damaged { path: path(), source })?);
        }
        Ok(records)
    }

    /// The numbers of all versions, ascending.
    ///
    /// # Errors
    /// [`RegistryError::Damaged`], [`RegistryError::Newer`]; what reading the place meets.
    pub fn versions(&self) -> Result<Vec<u64>> {
        Ok(self.read_index()?.0.versions.into_keys().collect())
    }

    /// All versions, ascending, with what is known of them.
    ///
    /// # Errors
    /// As [`Registry::versions`].
    pub fn entries(&self) -> Result<Vec<VersionEntry>> {
        let (index, _) = self.read_index()?;
        let numbers: Vec<u64> = index.versions.keys().copied().collect();
        let mut records: BTreeMap<u64, VersionRecord> =
            self.records(&numbers)?.into_iter().map(|record| (record.version, record)).collect();
        let entry = |(version, digest): (&u64, &String)| VersionEntry {
            version: *version,
            digest: digest.clone(),
            aliases: index.aliases_of(*version),
            path: self.path_of(*version),
            record: records.remove(version),
        };
        Ok(index.versions.iter().map(entry).collect())
    }

    /// One version, with what is known of it.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchVersion`]; as [`Registry::versions`].
    pub fn entry(&self, version: u64) -> Result<VersionEntry> {
        let (index, _) = self.read_index()?;
        let Some(digest) = index.versions.get(&version) else { return Err(self.no_version(version).into()) };
        Ok(VersionEntry {
            version,
            digest: digest.clone(),
            aliases: index.aliases_of(version),
            path: self.path_of(version),
            record: self.records(&[version])?.pop(),
        })
    }

    /// Where the aliases point, and how they came there.
    ///
    /// # Errors
    /// As [`Registry::versions`].
    pub fn history(&self) -> Result<History> {
        let (index, _) = self.read_index()?;
        Ok(History { aliases: index.aliases, moves: index.history })
    }

    /// The version that an alias points at.
    ///
    /// # Errors
    /// As [`Registry::versions`].
    pub fn alias(&self, alias: &str) -> Result<Option<u64>> {
        Ok(self.read_index()?.0.aliases.get(alias).copied())
    }

    /// The version of a number or an alias.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchModel`], [`RegistryError::NoSuchVersion`], [`RegistryError::NoSuchAlias`]; as
    /// [`Registry::versions`].
    pub fn resolve(&self, wanted: &str) -> Result<u64> {
        let (index, _) = self.read_index()?;
        self.must_have_versions(&index)?;
        if let Ok(version) = wanted.parse::<u64>() {
            let is_there = index.versions.contains_key(&version);
            return if is_there { Ok(version) } else { Err(self.no_version(version).into()) };
        }
        self.alias_in(&index, wanted)
    }

    /// Where an alias points that must be there.
    pub(super) fn alias_in(&self, index: &Index, alias: &str) -> Result<u64> {
        self.must_have_versions(index)?;
        index.aliases.get(alias).copied().ok_or_else(|| {
            let available = index.aliases.keys().cloned().collect();
            let (name, alias, registry) = (self.name.clone(), alias.to_owned(), self.place.clone());
            RegistryError::NoSuchAlias { name, alias, registry, available }.into()
        })
    }

    /// Refuses a model of which nothing is registered.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchModel`]; as [`Registry::versions`].
    pub fn must_exist(&self) -> Result<()> {
        self.must_have_versions(&self.read_index()?.0)
    }

    pub(super) fn must_have_versions(&self, index: &Index) -> Result<()> {
        if index.versions.is_empty() && index.aliases.is_empty() {
            let (name, registry) = (self.name.clone(), self.place.clone());
            return Err(RegistryError::NoSuchModel { name, registry }.into());
        }
        Ok(())
    }

    pub(super) fn no_version(&self, version: u64) -> RegistryError {
        RegistryError::NoSuchVersion { name: self.name.clone(), version, registry: self.place.clone() }
    }

    pub(super) fn path_of(&self, version: u64) -> String {
        self.backend.place(&version_folder(version))
    }

    /// Opens a version and predicts its example rows again: what is not on this machine is loaded into a
    /// temporary folder, which goes with the answer.
    ///
    /// # Errors
    /// As [`Registry::artifact`], and what opening a package meets.
    pub fn package(&self, version: u64) -> Result<FetchedPackage> {
        let (index, _) = self.read_index()?;
        let digest = index.versions.get(&version).ok_or_else(|| self.no_version(version))?;
        self.open_package(version, digest)
    }

    /// Opens the artifact of a version and verifies it: its files against its manifest, its digest against
    /// the one that was registered.
    ///
    /// # Errors
    /// [`RegistryError::NoSuchVersion`], [`RegistryError::PackageMissing`], [`RegistryError::OtherPackage`],
    /// `ArtifactError`; what reading the place meets.
    pub fn artifact(&self, version: u64) -> Result<FetchedArtifact> {
        let (index, _) = self.read_index()?;
        let digest = index.versions.get(&version).ok_or_else(|| self.no_version(version))?;
        self.open_artifact(version, digest)
    }

    fn open_artifact(&self, version: u64, digest: &str) -> Result<FetchedArtifact> {
        let fetched = self.backend.fetch(&version_folder(version))?.ok_or_else(|| self.missing(version))?;
        let artifact = Artifact::open_any(&fetched.folder)?;
        if artifact.digest() != digest {
            let (registered, found) = (digest.to_owned(), artifact.digest().to_owned());
            let path = self.path_of(version);
            return Err(RegistryError::OtherPackage { path, version, registered, found }.into());
        }
        Ok(FetchedArtifact { artifact, _fetched: fetched })
    }

    fn open_package(&self, version: u64, digest: &str) -> Result<FetchedPackage> {
        let FetchedArtifact { artifact, _fetched } = self.open_artifact(version, digest)?;
        let package = ModelPackage::from_artifact(artifact)
            .map_err(|error| error.in_place(format!("`{}`", self.path_of(version))))?;
        Ok(FetchedPackage { package, _fetched })
    }

    fn missing(&self, version: u64) -> RegistryError {
        let (name, path) = (self.name.clone(), self.path_of(version));
        RegistryError::PackageMissing { name, version, path }
    }

    /// The model that passed the gate last; `None` when none ever did.
    ///
    /// # Errors
    /// [`RegistryError::NoAlias`] when there are versions but none is in force; as [`Registry::package`].
    pub fn latest_blessed(&self) -> Result<Option<(u64, ModelPackage)>> {
        let (index, _) = self.read_index()?;
        let Some(version) = index.aliases.get(LATEST_BLESSED).copied() else {
            let versions = index.versions.len();
            if versions == 0 {
                return Ok(None);
            }
            let (name, registry) = (self.name.clone(), self.place.clone());
            return Err(RegistryError::NoAlias { name, versions, registry }.into());
        };
        let digest = index.versions.get(&version).ok_or_else(|| self.missing(version))?;
        match self.open_package(version, digest) {
            Ok(fetched) => Ok(Some((version, fetched.package))),
            // It was moved and what it pointed at was collected, between the two looks.
            Err(error) if error.kind() == ErrorKind::Malformed => {
                if self.alias(LATEST_BLESSED)? == Some(version) { Err(error) } else { self.latest_blessed() }
            }
            Err(error) => Err(error),
        }
    }
}

/// An artifact, and the folder it lies in while this lives.
#[derive(Debug)]
pub struct FetchedArtifact {
    artifact: Artifact,
    _fetched: Fetched,
}

impl FetchedArtifact {
    /// The artifact.
    #[must_use]
    pub fn artifact(&self) -> &Artifact {
        &self.artifact
    }
}

/// A package, and the folder it lies in while this lives.
#[derive(Debug)]
pub struct FetchedPackage {
    package: ModelPackage,
    _fetched: Fetched,
}

impl FetchedPackage {
    /// The package.
    #[must_use]
    pub fn package(&self) -> &ModelPackage {
        &self.package
    }
}

/// How `latest-blessed` came to where it is, as far as the records say: it went from version to version.
fn supposed_history(index: &Index, records: &[VersionRecord]) -> Vec<AliasMove> {
    let Some(current) = index.aliases.get(LATEST_BLESSED).copied() else { return Vec::new() };
    let mut from = None;
    let mut moves = Vec::new();
    let before = records.iter().filter(|record| record.version < current);
    let current_record = records.iter().find(|record| record.version == current);
    let at = |record: Option<&VersionRecord>| record.map_or(0, |record| record.pushed_at_seconds);
    for (to, at_seconds) in
        before.map(|record| (record.version, record.pushed_at_seconds)).chain([(current, at(current_record))])
    {
        moves.push(AliasMove {
            id: uuid::Uuid::nil(),
            alias: LATEST_BLESSED.into(),
            action: MoveKind::Push,
            from,
            to: Some(to),
            at_seconds,
            by: "unknown".into(),
            reason: Some("before moves were noted".into()),
        });
        from = Some(to);
    }
    moves
}
