//! The file: opened, made where there is none, and refused where it is something else.
//!
//! While a run writes there is a write-ahead log: a step then costs no flush to disk, readers never wait, and a power
//! failure takes back the last steps at most. At the end of the run the file goes back to a rollback journal, and nothing
//! stands beside it: so it can be copied, mounted read-only, and opened by any client.
//!
//! A flush takes milliseconds, so only those are made that keep the file whole when the power fails: the head of the new
//! log, and at the end the log and then the file. Changing between the two kinds of journal rewrites two bytes of the
//! file's first sector, whose old and new content are both sound with what lies beside it, and is left unflushed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};

use sluice_core::error::{CommonError, Error, Result};

use super::error::LedgerError;
use super::kinds::{
    ArtifactKind, BASE_TYPES, CONTEXTS, EXECUTION_PROPERTIES, PropertyType, TypeKind, execution_base_type,
    execution_type,
};
use crate::run::StepName;

/// The version of ML Metadata's tables.
pub const SCHEMA_VERSION: i64 = 10;
/// The version of what stands in them, kept as `user_version`, which ML Metadata leaves alone.
pub const LAYOUT_VERSION: i64 = 1;

const TABLES: &str = include_str!("schema.sql");

/// How long one waits for another process.
const PATIENCE: Duration = Duration::from_secs(5);

/// Statements that are prepared once: all those of a run.
const STATEMENTS: usize = 64;

/// An open ledger.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    path: String,
}

/// The numbers of types, by name.
#[derive(Debug, Default)]
pub(super) struct Types {
    artifacts: BTreeMap<&'static str, i64>,
    executions: BTreeMap<StepName, i64>,
    contexts: BTreeMap<&'static str, i64>,
}

impl Store {
    /// Opens the ledger at a path, or makes it.
    pub(super) fn create(path: &Path) -> Result<(Self, Types)> {
        if let Some(folder) = path.parent() {
            fs_err::create_dir_all(folder).map_err(CommonError::on("create", folder))?;
        }
        let mut store = Self::connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        store.check()?;
        store.unsettle()?;
        let types = store.transaction(|transaction| {
            let found: i64 = transaction.query_row(
                "SELECT COUNT(*) FROM sqlite_master WHERE name = 'MLMDEnv'",
                [],
                |row| row.get(0),
            )?;
            if found == 0 {
                transaction.execute_batch(TABLES)?;
                transaction.execute("INSERT INTO MLMDEnv VALUES (?)", [SCHEMA_VERSION])?;
            }
            let layout: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if layout != LAYOUT_VERSION {
                transaction.pragma_update(None, "user_version", LAYOUT_VERSION)?;
            }
            Types::ensure(transaction)
        })?;
        Ok((store, types))
    }

    /// Opens the ledger at a path to read it.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if !path.is_file() {
            return Err(LedgerError::Absent { path: path.display().to_string() }.into());
        }
        let store = Self::connect(path, OpenFlags::empty())?;
        if !store.check()? {
            return Err(LedgerError::OtherDatabase { path: store.path }.into());
        }
        Ok(store)
    }

    fn connect(path: &Path, more: OpenFlags) -> Result<Self> {
        let shown = path.display().to_string();
        // Written to also where it is only read: what a killed run has left in the journal is taken back. SQLite goes
        // on reading where the file may not be written.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let connected = Connection::open_with_flags(path, flags).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS);
            Ok(connection)
        });
        Ok(Self { connection: connected.map_err(|source| LedgerError::of(&shown, source))?, path: shown })
    }

    /// Whether it has tables of our versions; an empty database has none.
    fn check(&self) -> Result<bool> {
        let other = |what, found, expected| {
            Err(LedgerError::OtherVersion { path: self.path.clone(), what, found, expected }.into())
        };
        let count = self.read(|connection| {
            connection.query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        })?;
        if count == 0 {
            return Ok(false);
        }
        let version: Option<i64> = self
            .read(|connection| {
                connection.query_row("SELECT MAX(schema_version) FROM MLMDEnv", [], |row| row.get(0))
            })
            .map_err(|error| match error.downcast_ref::<LedgerError>() {
                Some(LedgerError::Refused { path, .. }) => {
                    LedgerError::OtherDatabase { path: path.clone() }.into()
                }
                _ => error,
            })?;
        match version {
            Some(SCHEMA_VERSION) => {}
            found => {
                return other(
                    "the tables of ML Metadata's version",
                    found.unwrap_or_default(),
                    SCHEMA_VERSION,
                );
            }
        }
        let layout: i64 =
            self.read(|connection| connection.pragma_query_value(None, "user_version", |row| row.get(0)))?;
        if layout > LAYOUT_VERSION { other("the layout", layout, LAYOUT_VERSION) } else { Ok(true) }
    }

    /// Begins to write through a log. Where somebody reads at this very moment the journal stays as it is, which is slower.
    fn unsettle(&self) -> Result<()> {
        self.read(|connection| {
            connection.pragma_update(None, "synchronous", "OFF")?;
            let mode = connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0));
            let is_log = mode.is_ok_and(|mode: String| mode == "wal");
            connection.pragma_update(None, "synchronous", if is_log { "NORMAL" } else { "FULL" })
        })
    }

    /// Leaves one file behind, unless others are at work; the last of them will.
    pub(super) fn settle(&self) {
        let _ = self.connection.busy_timeout(Duration::ZERO);
        // From the first transaction on nobody else comes in, so that all that is in the log is flushed by the checkpoint.
        // What fails ends the batch.
        let _ = self.connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT; PRAGMA wal_checkpoint(TRUNCATE); \
             PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE",
        );
    }

    /// The path as messages show it.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Reads.
    pub(super) fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        Ok(ask(&self.connection).map_err(|source| LedgerError::of(&self.path, source))?)
    }

    /// Writes in one transaction, all or nothing.
    pub(super) fn transaction<T>(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let written = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(
            |transaction| {
                let value = write(&transaction)?;
                transaction.commit()?;
                Ok(value)
            },
        );
        Ok(written.map_err(|source| LedgerError::of(&self.path, source))?)
    }
}

/// The error with the system's answer, which the database keeps to itself, where nothing can be written beside the ledger.
pub(super) fn with_reason(error: Error, path: &Path) -> Error {
    if !matches!(error.downcast_ref(), Some(LedgerError::Unusable { .. })) {
        return error;
    }
    let probe = path.with_extension("probe");
    let written = fs_err::File::create(&probe).and_then(|mut file| {
        file.write_all(b"\n")?;
        file.sync_all()
    });
    // It says nothing any more.
    let _ = fs_err::remove_file(&probe);
    written.err().map_or(error, |error| CommonError::file("write", path, error).into())
}

impl Types {
    /// Finds the types, and makes those that are missing.
    fn ensure(transaction: &Transaction<'_>) -> rusqlite::Result<Self> {
        for (name, kind) in BASE_TYPES {
            ensure_type(transaction, name, kind, None, &[])?;
        }
        let mut types = Self::default();
        for kind in ArtifactKind::ALL {
            let (base, properties) = (kind.base_type(), kind.properties());
            let id = ensure_type(transaction, kind.name(), TypeKind::Artifact, base, properties)?;
            types.artifacts.insert(kind.name(), id);
        }
        for step in StepName::ALL {
            let (name, base) = (execution_type(step), Some(execution_base_type(step)));
            let id = ensure_type(transaction, &name, TypeKind::Execution, base, &EXECUTION_PROPERTIES)?;
            types.executions.insert(step, id);
        }
        for name in CONTEXTS {
            types.contexts.insert(name, ensure_type(transaction, name, TypeKind::Context, None, &[])?);
        }
        Ok(types)
    }

    pub(super) fn artifact(&self, kind: ArtifactKind) -> i64 {
        self.artifacts.get(kind.name()).copied().unwrap_or_default()
    }

    pub(super) fn execution(&self, step: StepName) -> i64 {
        self.executions.get(&step).copied().unwrap_or_default()
    }

    pub(super) fn context(&self, name: &str) -> i64 {
        self.contexts.get(name).copied().unwrap_or_default()
    }
}

/// The number of a type; 0 where there is none.
pub(super) fn type_of(connection: &Connection, name: &str, kind: TypeKind) -> rusqlite::Result<i64> {
    let found = connection
        .prepare_cached("SELECT id FROM Type WHERE name = ? AND version IS NULL AND type_kind = ?")?
        .query_row(params![name, kind as i64], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or_default())
}

fn ensure_type(
    transaction: &Transaction<'_>,
    name: &str,
    kind: TypeKind,
    base: Option<&str>,
    properties: &[(&str, PropertyType)],
) -> rusqlite::Result<i64> {
    let found = type_of(transaction, name, kind)?;
    if found != 0 {
        return Ok(found);
    }
    transaction.execute("INSERT INTO Type (name, type_kind) VALUES (?, ?)", params![name, kind as i64])?;
    let id = transaction.last_insert_rowid();
    for (property, data_type) in properties {
        transaction.execute(
            "INSERT INTO TypeProperty (type_id, name, data_type) VALUES (?, ?, ?)",
            params![id, property, *data_type as i64],
        )?;
    }
    if let Some(base) = base {
        transaction.execute(
            "INSERT INTO ParentType (type_id, parent_type_id) VALUES (?, ?)",
            params![id, type_of(transaction, base, kind)?],
        )?;
    }
    Ok(id)
}
