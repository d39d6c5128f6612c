//! Writes a run as it goes. What is to be written waits until it was: a step that could not be recorded is recorded
//! together with the next one.

use std::path::Path;

use rusqlite::{OptionalExtension, Params, Transaction, params};

use sluice_core::error::Result;

use super::entry::{ArtifactEntry, Port, Properties, RunEntry, StepEntry};
use super::kinds::{
    ArtifactKind, Column, EXECUTION_PROPERTIES, EventType, ExecutionState, NODE, PIPELINE, PIPELINE_RUN,
    component,
};
use super::read::{RUNNING, STOPPED};
use super::store::{Store, Types, with_reason};
use crate::run::alive::is_alive;

/// ML Metadata's state of an artifact that is there.
const LIVE: i64 = 2;

/// The ledger, while a run writes to it.
#[derive(Debug)]
pub(crate) struct LedgerWriter {
    store: Store,
    types: Types,
    run: RunEntry,
    waiting: Vec<Waiting>,
}

/// What was not written yet.
#[derive(Debug)]
enum Waiting {
    Step(Box<StepEntry>),
    End { at: i64, properties: Properties },
}

/// The contexts of a step.
struct Contexts {
    pipeline: i64,
    run: i64,
}

impl LedgerWriter {
    /// Opens the ledger of a folder of runs, or makes it, and records that a run has begun. Runs that ended without a
    /// word are closed.
    ///
    /// # Errors
    /// `LedgerError`.
    pub(crate) fn begin(path: &Path, runs: &Path, run: RunEntry) -> Result<Self> {
        Self::begin_at(path, runs, run).map_err(|error| with_reason(error, path))
    }

    fn begin_at(path: &Path, runs: &Path, run: RunEntry) -> Result<Self> {
        let (mut store, types) = Store::create(path)?;
        store.transaction(|transaction| {
            close_stopped(transaction, &types, runs, run.started)?;
            let contexts = contexts_of(transaction, &types, &run)?;
            let mut properties = run.properties.clone();
            properties.insert("pipeline".into(), run.pipeline.clone().into());
            properties.insert("number".into(), run.number.into());
            properties.insert("state".into(), RUNNING.into());
            set(transaction, &CONTEXT, contexts.run, &properties, &[])
        })?;
        Ok(Self { store, types, run, waiting: Vec::new() })
    }

    /// Notes how a step stands; it is written with the next [`LedgerWriter::write`].
    pub(crate) fn step(&mut self, entry: StepEntry) {
        self.waiting.push(Waiting::Step(Box::new(entry)));
    }

    /// Notes that the run is over.
    pub(crate) fn end(&mut self, at: i64, properties: Properties) {
        self.waiting.push(Waiting::End { at, properties });
    }

    /// Writes what waits; what cannot be written goes on waiting.
    ///
    /// # Errors
    /// `LedgerError`.
    pub(crate) fn write(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let Self { store, types, run, waiting } = self;
        store.transaction(|transaction| {
            let contexts = contexts_of(transaction, types, run)?;
            for entry in waiting.iter() {
                match entry {
                    Waiting::Step(entry) => write_step(transaction, types, &contexts, run, entry)?,
                    Waiting::End { at, properties } => {
                        set(transaction, &CONTEXT, contexts.run, properties, &[])?;
                        CONTEXT.touch(transaction, contexts.run, *at)?;
                    }
                }
            }
            Ok(())
        })?;
        waiting.clear();
        Ok(())
    }
}

impl Drop for LedgerWriter {
    fn drop(&mut self) {
        self.store.settle();
    }
}

/// Something that has properties, by its tables.
struct Subject {
    table: &'static str,
    key: &'static str,
}

const CONTEXT: Subject = Subject { table: "Context", key: "context_id" };
const EXECUTION: Subject = Subject { table: "Execution", key: "execution_id" };
const ARTIFACT: Subject = Subject { table: "Artifact", key: "artifact_id" };

impl Subject {
    fn touch(&self, transaction: &Transaction<'_>, id: i64, at: i64) -> rusqlite::Result<()> {
        let sql = format!("UPDATE {} SET last_update_time_since_epoch = ? WHERE id = ?", self.table);
        execute(transaction, &sql, params![at, id])
    }
}

fn execute(transaction: &Transaction<'_>, sql: &str, values: impl Params) -> rusqlite::Result<()> {
    transaction.prepare_cached(sql)?.execute(values).map(|_| ())
}

/// The number of the one row that a query finds.
fn find(transaction: &Transaction<'_>, sql: &str, values: impl Params) -> rusqlite::Result<Option<i64>> {
    transaction.prepare_cached(sql)?.query_row(values, |row| row.get(0)).optional()
}

/// Sets properties; those that the type has not declared are custom ones.
fn set(
    transaction: &Transaction<'_>,
    of: &Subject,
    id: i64,
    properties: &Properties,
    declared: &[&str],
) -> rusqlite::Result<()> {
    let sql = format!(
        "INSERT OR REPLACE INTO {}Property ({}, name, is_custom_property, int_value, double_value, string_value, \
         bool_value) VALUES (?, ?, ?, ?, ?, ?, ?)",
        of.table, of.key
    );
    let mut statement = transaction.prepare_cached(&sql)?;
    for (name, value) in properties {
        let Some(value) = Column::of(value) else { continue };
        let (mut integer, mut double, mut text, mut truth) = (None, None, None, None);
        match value {
            Column::Int(value) => integer = Some(value),
            Column::Double(value) => double = Some(value),
            Column::Text(value) => text = Some(value),
            Column::Bool(value) => truth = Some(value),
        }
        let is_custom = !declared.contains(&name.as_str());
        statement.execute(params![id, name, is_custom, integer, double, text, truth])?;
    }
    Ok(())
}

fn context(
    transaction: &Transaction<'_>,
    types: &Types,
    (kind, name): (&str, &str),
    uuid: Option<&str>,
    at: i64,
) -> rusqlite::Result<i64> {
    let of_type = types.context(kind);
    let found =
        find(transaction, "SELECT id FROM Context WHERE type_id = ? AND name = ?", params![of_type, name])?;
    if let Some(id) = found {
        return Ok(id);
    }
    execute(
        transaction,
        "INSERT INTO Context (type_id, name, external_id, create_time_since_epoch, last_update_time_since_epoch) \
         VALUES (?, ?, ?, ?, ?)",
        params![of_type, name, uuid, at, at],
    )?;
    Ok(transaction.last_insert_rowid())
}

fn contexts_of(transaction: &Transaction<'_>, types: &Types, run: &RunEntry) -> rusqlite::Result<Contexts> {
    let pipeline = context(transaction, types, (PIPELINE, &run.pipeline), None, run.started)?;
    let run_name = run.name();
    let of_run = context(transaction, types, (PIPELINE_RUN, &run_name), Some(&run.uuid), run.started)?;
    execute(
        transaction,
        "INSERT OR IGNORE INTO ParentContext (context_id, parent_context_id) VALUES (?, ?)",
        params![of_run, pipeline],
    )?;
    Ok(Contexts { pipeline, run: of_run })
}

fn write_step(
    transaction: &Transaction<'_>,
    types: &Types,
    contexts: &Contexts,
    run: &RunEntry,
    entry: &StepEntry,
) -> rusqlite::Result<()> {
    let node = context(
        transaction,
        types,
        (NODE, &format!("{}.{}", run.pipeline, entry.step)),
        None,
        entry.started,
    )?;
    let contexts = [contexts.pipeline, contexts.run, node];
    let id = execution(transaction, types, run, entry)?;
    set(transaction, &EXECUTION, id, &entry.parameters, &[])?;
    let mut properties = entry.properties.clone();
    properties.insert("component".into(), component(entry.step).into());
    properties.insert("run".into(), run.number.into());
    properties.insert("started".into(), entry.started.into());
    properties.insert("step".into(), entry.step.name().into());
    let declared = EXECUTION_PROPERTIES.map(|(name, _)| name);
    set(transaction, &EXECUTION, id, &properties, &declared)?;
    for context in contexts {
        let sql = "INSERT OR IGNORE INTO Association (context_id, execution_id) VALUES (?, ?)";
        execute(transaction, sql, params![context, id])?;
    }
    for (ports, event) in [(&entry.inputs, EventType::Input), (&entry.outputs, EventType::Output)] {
        for port in ports {
            let artifact = artifact(transaction, types, &port.artifact, event, entry.at)?;
            for context in contexts {
                let sql = "INSERT OR IGNORE INTO Attribution (context_id, artifact_id) VALUES (?, ?)";
                execute(transaction, sql, params![context, artifact])?;
            }
            write_event(transaction, (artifact, id), port, event, entry.at)?;
        }
    }
    Ok(())
}

fn execution(
    transaction: &Transaction<'_>,
    types: &Types,
    run: &RunEntry,
    entry: &StepEntry,
) -> rusqlite::Result<i64> {
    let (of_type, name) = (types.execution(entry.step), format!("{}.{}", run.name(), entry.step));
    let sql = "SELECT id FROM Execution WHERE type_id = ? AND name = ?";
    let state = entry.state as i64;
    if let Some(id) = find(transaction, sql, params![of_type, name])? {
        execute(transaction, "UPDATE Execution SET last_known_state = ? WHERE id = ?", params![state, id])?;
        EXECUTION.touch(transaction, id, entry.at)?;
        return Ok(id);
    }
    execute(
        transaction,
        "INSERT INTO Execution (type_id, last_known_state, name, create_time_since_epoch, \
         last_update_time_since_epoch) VALUES (?, ?, ?, ?, ?)",
        params![of_type, state, name, entry.started, entry.at],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// Finds an artifact by its name, or adds it; where it lies, and what is known of it, is what was seen last.
fn artifact(
    transaction: &Transaction<'_>,
    types: &Types,
    entry: &ArtifactEntry,
    event: EventType,
    at: i64,
) -> rusqlite::Result<i64> {
    let of_type = types.artifact(entry.kind);
    let sql = "SELECT id FROM Artifact WHERE type_id = ? AND name = ?";
    let id = match find(transaction, sql, params![of_type, entry.name])? {
        // Whoever made it has said more of it than whoever reads it.
        Some(id) if event != EventType::Output => return Ok(id),
        Some(id) => {
            let sql =
                "UPDATE Artifact SET uri = ?, last_update_time_since_epoch = ? WHERE id = ? AND uri <> ?";
            execute(transaction, sql, params![entry.uri, at, id, entry.uri])?;
            id
        }
        None => {
            execute(
                transaction,
                "INSERT INTO Artifact (type_id, uri, state, name, create_time_since_epoch, \
                 last_update_time_since_epoch) VALUES (?, ?, ?, ?, ?, ?)",
                params![of_type, entry.uri, LIVE, entry.name, at, at],
            )?;
            transaction.last_insert_rowid()
        }
    };
    let mut properties = entry.properties.clone();
    properties.insert("digest".into(), entry.digest.clone().into());
    if entry.kind == ArtifactKind::ModelBlessing {
        with_ids(transaction, types, &mut properties)?;
    }
    let declared: Vec<&str> = entry.kind.properties().iter().map(|(name, _)| *name).collect();
    set(transaction, &ARTIFACT, id, &properties, &declared)?;
    Ok(id)
}

/// TensorFlow Extended finds the latest blessed model by the numbers of artifacts in its blessing.
fn with_ids(
    transaction: &Transaction<'_>,
    types: &Types,
    properties: &mut Properties,
) -> rusqlite::Result<()> {
    for (digest, id) in
        [("current_model_digest", "current_model_id"), ("baseline_model_digest", "baseline_model_id")]
    {
        let Some(digest) = properties.get(digest).and_then(|digest| digest.as_str()) else { continue };
        let sql = "SELECT id FROM Artifact WHERE type_id = ? AND name = ?";
        if let Some(found) = find(transaction, sql, params![types.artifact(ArtifactKind::Model), digest])? {
            properties.insert(id.into(), found.into());
        }
    }
    Ok(())
}

/// ML Metadata has one event of a type for an artifact and an execution. Where a model is compared with itself, it is an
/// input as what is judged, and a declared input as the baseline.
fn write_event(
    transaction: &Transaction<'_>,
    (artifact, execution): (i64, i64),
    port: &Port,
    event: EventType,
    at: i64,
) -> rusqlite::Result<()> {
    let mut types = vec![event];
    if event == EventType::Input {
        types.push(EventType::DeclaredInput);
    }
    for event in types {
        let sql = "SELECT p.step_key FROM Event AS e JOIN EventPath AS p ON p.event_id = e.id AND p.is_index_step = 0 \
                   WHERE e.artifact_id = ? AND e.execution_id = ? AND e.type = ?";
        let mut statement = transaction.prepare_cached(sql)?;
        let found: Option<Option<String>> =
            statement.query_row(params![artifact, execution, event as i64], |row| row.get(0)).optional()?;
        match found {
            Some(channel) if channel.as_deref() == Some(&port.channel) => return Ok(()),
            Some(_) => continue,
            None => {}
        }
        execute(
            transaction,
            "INSERT INTO Event (artifact_id, execution_id, type, milliseconds_since_epoch) VALUES (?, ?, ?, ?)",
            params![artifact, execution, event as i64, at],
        )?;
        let id = transaction.last_insert_rowid();
        let sql = "INSERT INTO EventPath (event_id, is_index_step, step_index, step_key) VALUES (?, ?, ?, ?)";
        execute(transaction, sql, params![id, 0, None::<i64>, port.channel])?;
        execute(transaction, sql, params![id, 1, 0, None::<String>])?;
        return Ok(());
    }
    Ok(())
}

/// Closes the runs of processes that are gone, so that other readers of the ledger see it too.
fn close_stopped(transaction: &Transaction<'_>, types: &Types, runs: &Path, at: i64) -> rusqlite::Result<()> {
    let sql = "SELECT c.id, c.name, n.int_value FROM ContextProperty AS s JOIN Context AS c ON c.id = s.context_id \
               JOIN ContextProperty AS n ON n.context_id = c.id AND n.name = 'number' AND n.is_custom_property = 1 \
               WHERE s.name = 'state' AND s.is_custom_property = 1 AND s.string_value = ? AND c.type_id = ?";
    let found: Vec<(i64, String, i64)> = transaction
        .prepare_cached(sql)?
        .query_map(params![RUNNING, types.context(PIPELINE_RUN)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (id, name, number) in found {
        if is_alive(&runs.join(format!("{number:04}"))) {
            continue;
        }
        let properties = Properties::from([("state".to_owned(), STOPPED.into())]);
        set(transaction, &CONTEXT, id, &properties, &[])?;
        CONTEXT.touch(transaction, id, at)?;
        let sql = "SELECT x.id FROM Execution AS x JOIN Association AS a ON a.execution_id = x.id \
                   WHERE a.context_id = ? AND x.last_known_state = ?";
        let executions: Vec<i64> = transaction
            .prepare_cached(sql)?
            .query_map(params![id, ExecutionState::Running as i64], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for execution in executions {
            let state = ExecutionState::Canceled as i64;
            let sql = "UPDATE Execution SET last_known_state = ? WHERE id = ?";
            execute(transaction, sql, params![state, execution])?;
            EXECUTION.touch(transaction, execution, at)?;
            let error = format!("the process of run `{name}` ended without a word");
            let properties = Properties::from([("error".to_owned(), error.into())]);
            set(transaction, &EXECUTION, execution, &properties, &["error"])?;
        }
    }
    Ok(())
}
