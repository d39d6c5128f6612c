//! What can be wrong with a registry, and what can be asked of it in vain.

use sluice_core::error::{Diagnostic, ErrorKind};

/// A version in the words of a message, or that there is none.
fn shown(version: Option<u64>) -> String {
    version.map_or_else(|| "no version".into(), |version| format!("version {version}"))
}

/// An error of a registry.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A model name that cannot be a folder.
    #[error("`{name}` cannot be the name of a model")]
    Name {
        /// The name.
        name: String,
    },
    /// The name of an alias that cannot be one.
    #[error("`{alias}` cannot be the name of an alias")]
    AliasName {
        /// The name.
        alias: String,
    },
    /// A file that is not what it should be.
    #[error("registry file `{path}` is damaged")]
    Damaged {
        /// The file.
        path: String,
        /// What the decoder says.
        source: serde_json::Error,
    },
    /// A file of a later version of the program.
    #[error("registry file `{path}` has format {found}, this program reads {expected}")]
    Newer {
        /// The file.
        path: String,
        /// What this program reads.
        expected: u64,
        /// What it is.
        found: String,
    },
    /// A package that is not the one that was registered.
    #[error("the package at `{path}` is not the one that was registered as version {version}")]
    OtherPackage {
        /// The package.
        path: String,
        /// The version.
        version: u64,
        /// The digest that was registered.
        registered: String,
        /// The digest that was found.
        found: String,
    },
    /// Versions without the alias that says which one is in force.
    #[error("model `{name}` has {versions} versions in registry `{registry}`, but none is `latest-blessed`")]
    NoAlias {
        /// The model.
        name: String,
        /// How many versions there are.
        versions: usize,
        /// The registry.
        registry: String,
    },
    /// A model of which nothing is registered.
    #[error("there is no model `{name}` in registry `{registry}`")]
    NoSuchModel {
        /// The model.
        name: String,
        /// The registry.
        registry: String,
    },
    /// A version whose package is not where it was registered.
    #[error("the package of version {version} of `{name}` is missing: there is nothing at `{path}`")]
    PackageMissing {
        /// The model.
        name: String,
        /// The version.
        version: u64,
        /// Where the package should be.
        path: String,
    },
    /// A version that was asked for and is not there.
    #[error("model `{name}` has no version {version} in registry `{registry}`")]
    NoSuchVersion {
        /// The model.
        name: String,
        /// The version.
        version: u64,
        /// The registry.
        registry: String,
    },
    /// Neither a version nor an alias.
    #[error("model `{name}` has no alias `{alias}` in registry `{registry}`")]
    NoSuchAlias {
        /// The model.
        name: String,
        /// What was asked for.
        alias: String,
        /// The registry.
        registry: String,
        /// The aliases that are there.
        available: Vec<String>,
    },
    /// An alias that is not where its mover thought.
    #[error("alias `{alias}` points at {}, not at {}", shown(*.found), shown(*.expected))]
    AliasMoved {
        /// The alias.
        alias: String,
        /// Where it was thought to point.
        expected: Option<u64>,
        /// Where it points.
        found: Option<u64>,
    },
    /// The reserved alias, asked to go away.
    #[error("alias `{alias}` cannot be removed")]
    Reserved {
        /// The alias.
        alias: String,
    },
    /// A version whose verdict does not let it pass.
    #[error("version {version} of `{name}` did not pass: {problem}")]
    NotPassed {
        /// The model.
        name: String,
        /// The version.
        version: u64,
        /// What its verdict says, or lacks.
        problem: String,
    },
    /// A version that was in force and was rolled back, offered again.
    #[error("version {version} of `{name}` was rolled back {when} by {by}: {reason}")]
    RolledBack {
        /// The model.
        name: String,
        /// The version.
        version: u64,
        /// When.
        when: String,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
        /// The registry.
        registry: String,
    },
    /// An alias that pointed at nothing before, or at what is gone.
    #[error("alias `{alias}` cannot be rolled back: {problem}")]
    NothingBefore {
        /// The alias.
        alias: String,
        /// Why not.
        problem: String,
    },
    /// A promotion to where the version is.
    #[error("registry `{registry}` cannot be promoted to itself")]
    SameRegistry {
        /// The registry.
        registry: String,
    },
    /// So many others change the registry that a change of ours never fits.
    #[error("registry file `{path}` was changed by others {attempts} times in a row")]
    Busy {
        /// The file.
        path: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// A store that writes over what is there although it was told not to.
    #[error("the store of `{path}` does not keep to conditions of writes ({condition})")]
    Unconditional {
        /// Where it was tried.
        path: String,
        /// Which it does not know.
        condition: &'static str,
    },
    /// A place that can be read only.
    #[error("`{place}` can only be read, so it cannot hold a registry")]
    ReadOnly {
        /// The place.
        place: String,
    },
}

impl Diagnostic for RegistryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Damaged { .. }
            | Self::OtherPackage { .. }
            | Self::PackageMissing { .. }
            | Self::NoAlias { .. } => ErrorKind::Malformed,
            Self::Busy { .. } => ErrorKind::Unavailable,
            Self::Name { .. }
            | Self::AliasName { .. }
            | Self::Newer { .. }
            | Self::NoSuchModel { .. }
            | Self::NoSuchVersion { .. }
            | Self::NoSuchAlias { .. }
            | Self::AliasMoved { .. }
            | Self::Reserved { .. }
            | Self::NotPassed { .. }
            | Self::RolledBack { .. }
            | Self::NothingBefore { .. }
            | Self::SameRegistry { .. }
            | Self::Unconditional { .. }
            | Self::ReadOnly { .. } => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Name { .. } => "use letters, digits, `-`, `_` and `.`, 64 at most".into(),
            Self::AliasName { .. } => {
                "use letters, digits, `-`, `_` and `.`, 64 at most, and begin with a letter".into()
            }
            Self::Damaged { .. } => "restore the file from a backup; the versions are untouched".into(),
            Self::Newer { .. } => "use the version of sluice that wrote it, or a later one".into(),
            Self::PackageMissing { .. } => "restore the folder from a backup, or point the alias at another version with \
                 `sluice registry rollback`"
                .into(),
            Self::OtherPackage { registered, found, .. } => format!(
                "its digest is {found}, registered was {registered}; restore the folder from a backup, or point the alias \
                 at another version with `sluice registry rollback`"
            ),
            Self::NoAlias { name, registry, .. } => format!(
                "point it at a version with `sluice registry alias {registry} {name} latest-blessed VERSION`; without it \
                 a model could pass the gate without being compared"
            ),
            Self::NoSuchModel { registry, .. } => {
                format!("`sluice registry list {registry}` shows the models that are there")
            }
            Self::NoSuchVersion { name, registry, .. } => {
                format!("`sluice registry list {registry} {name}` shows the versions that are there")
            }
            Self::NoSuchAlias { alias, available, .. } => {
                let available = || available.iter().map(String::as_str);
                let there = || format!("give a version's number, or one of {}", sluice_core::options::quoted(available()));
                sluice_core::options::suggest(alias, available()).unwrap_or_else(there)
            }
            Self::AliasMoved { .. } => "someone else has moved it: look again, then decide again".into(),
            Self::Reserved { .. } => "it says which model is in force; move it instead".into(),
            Self::NotPassed { .. } => {
                "evaluate it and push it again, or let it pass with `--force REASON`, which is recorded".into()
            }
            Self::RolledBack { name, version, registry, .. } => format!(
                "train another, or put it in force again with `sluice registry alias {registry} {name} latest-blessed \
                 {version}`"
            ),
            Self::NothingBefore { .. } => "set it to a version with `sluice registry alias`".into(),
            Self::SameRegistry { .. } => {
                "name two registries; within one, `sluice registry alias` moves an alias".into()
            }
            Self::Busy { .. } => "try again when there are fewer writers".into(),
            Self::Unconditional { .. } => {
                "writers at the same time could overwrite one another: use a store that has `If-None-Match` and `If-Match` \
                 (S3, Google Cloud Storage, Azure, recent MinIO), or a folder"
                    .into()
            }
            Self::ReadOnly { .. } => "push to a folder, `s3://`, `gs://` or `az://`".into(),
        };
        Some(hint)
    }
}
