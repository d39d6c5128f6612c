//! What a ledger says of runs: all of them in short, one in full.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use serde::Serialize;
use serde_json::Value;

use sluice_core::error::Result;

use super::LEDGER_FILE;
use super::entry::Properties;
use super::error::LedgerError;
use super::kinds::{EventType, PIPELINE_RUN, TypeKind, execution_state, execution_type};
use super::store::{Store, type_of};
use crate::run::StepName;
use crate::run::alive::is_alive;

/// The state of a run that runs.
pub(super) const RUNNING: &str = "running";
/// The state of a run whose process ended without a word.
pub(super) const STOPPED: &str = "stopped";

/// How a run stands.
pub const STATES: [&str; 6] = [RUNNING, "accepted", "rejected", "failed", "canceled", STOPPED];

/// Runs of one output folder, to be asked.
#[derive(Debug)]
pub struct Ledger {
    pub(super) store: Store,
    out: PathBuf,
    run_type: i64,
}

/// Which runs are listed.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Of this pipeline.
    pub pipeline: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// At most so many, the newest; all without.
    pub limit: Option<usize>,
}

/// A run in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its name, `PIPELINE.NUMBER`.
    pub run: String,
    /// The pipeline.
    pub pipeline: String,
    /// Its number in its folder.
    pub number: u64,
    /// `running`, `accepted`, `rejected`, `failed`, `canceled`, or `stopped`: its process ended without a word.
    pub state: String,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_ms: i64,
    /// How long it took; none while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The folder of artifacts, runs and registry.
    pub out: PathBuf,
    /// What else was recorded: who, where, with what, and what came of it.
    pub properties: Properties,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepSummary {
    /// Its number in the ledger.
    pub id: i64,
    /// The step; of an execution that another program recorded its type.
    pub step: String,
    /// `running`, `complete`, `cached`, `failed`, `canceled`.
    pub state: String,
    /// When it began, in milliseconds since 1970-01-01 UTC.
    pub started_ms: i64,
    /// What is known of how it went.
    pub properties: Properties,
    /// Its options.
    pub parameters: Properties,
    /// What it read.
    pub inputs: Vec<ArtifactSummary>,
    /// What it made, or found made.
    pub outputs: Vec<ArtifactSummary>,
}

/// An artifact.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArtifactSummary {
    /// Its number in the ledger.
    pub id: i64,
    /// The name by which the step knows it.
    pub channel: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it is.
    pub uri: String,
    /// Of its content.
    pub digest: String,
    /// What is known of it.
    pub properties: Properties,
}

/// A run in full.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunDetail {
    /// In short.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// Its steps, in order.
    pub steps: Vec<StepSummary>,
}

impl RunDetail {
    /// A step of it.
    #[must_use]
    pub fn step(&self, name: StepName) -> Option<&StepSummary> {
        self.steps.iter().find(|step| step.step == name.name())
    }

    /// The overall metrics of the candidate, by name.
    pub fn metrics(&self) -> impl Iterator<Item = (&str, &Value)> {
        let outputs = self.step(StepName::Evaluate).into_iter().flat_map(|step| &step.outputs);
        outputs
            .flat_map(|artifact| &artifact.properties)
            .filter_map(|(name, value)| Some((name.strip_prefix("metric.")?, value)))
    }
}

impl StepSummary {
    /// A figure of how it went.
    #[must_use]
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.properties.get(name)?.as_f64()
    }

    /// A text of how it went.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.as_str()
    }
}

impl RunSummary {
    /// Of what was recorded, a text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.properties.get(name)?.as_str()
    }
}

impl Ledger {
    /// Opens the ledger of an output folder to read it.
    ///
    /// # Errors
    /// `LedgerError`: there is none, it is locked, of another version, or damaged.
    pub fn open(out: &Path) -> Result<Self> {
        let store = Store::open(&out.join(LEDGER_FILE))?;
        let run_type = store.read(|connection| type_of(connection, PIPELINE_RUN, TypeKind::Context))?;
        Ok(Self { store, out: out.to_owned(), run_type })
    }

    /// The runs, newest first.
    ///
    /// # Errors
    /// `LedgerError`.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>> {
        // Whether a run that is said to run still does only its folder knows.
        let recorded = match filter.state.as_deref() {
            Some(STOPPED) => Some("('running', 'stopped')".to_owned()),
            Some(state) if STATES.contains(&state) => Some(format!("('{state}')")),
            _ => None,
        };
        let mut sql = String::from("SELECT c.id, c.name, c.create_time_since_epoch FROM Context AS c");
        let mut values: Vec<&dyn ToSql> = Vec::new();
        for (alias, name, condition) in [
            ("n", "number", None),
            ("p", "pipeline", filter.pipeline.as_ref().map(|_| "= ?".to_owned())),
            ("s", "state", recorded.map(|states| format!("IN {states}"))),
        ] {
            if name != "number" && condition.is_none() {
                continue;
            }
            sql.push_str(&format!(
                " JOIN ContextProperty AS {alias} ON {alias}.context_id = c.id AND {alias}.name = '{name}' \
                 AND {alias}.is_custom_property = 1"
            ));
            if let Some(condition) = condition {
                sql.push_str(&format!(" AND {alias}.string_value {condition}"));
            }
        }
        if let Some(pipeline) = &filter.pipeline {
            values.push(pipeline);
        }
        // The order of numbers is that of time. The sign keeps the index of types and names out, whose rows would all have
        // to be read and sorted before the first is known.
        sql.push_str(" WHERE +c.type_id = ? ORDER BY c.id DESC");
        values.push(&self.run_type);
        let limit = filter.limit.unwrap_or(usize::MAX);
        self.store.read(|connection| {
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query(values.as_slice())?;
            let mut runs = Vec::new();
            while runs.len() < limit {
                let Some(row) = rows.next()? else { break };
                let run = self.summary(connection, (row.get(0)?, row.get(1)?, row.get(2)?))?;
                if filter.state.as_ref().is_none_or(|state| *state == run.state) {
                    runs.push(run);
                }
            }
            Ok(runs)
        })
    }

    /// The run of a name: `latest`, its number, or `PIPELINE.NUMBER`.
    ///
    /// # Errors
    /// `LedgerError`.
    pub fn find(&self, run: &str) -> Result<RunSummary> {
        let found = self.store.read(|connection| {
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            let found: Option<(i64, String, i64)> = match run.parse::<i64>() {
                _ if run == "latest" => return Ok(None),
                Ok(number) => {
                    let sql = "SELECT c.id, c.name, c.create_time_since_epoch FROM ContextProperty AS n \
                               JOIN Context AS c ON c.id = n.context_id WHERE n.name = 'number' \
                               AND n.is_custom_property = 1 AND n.int_value = ? AND c.type_id = ?";
                    connection.query_row(sql, params![number, self.run_type], row).optional()?
                }
                Err(_) => {
                    let sql = "SELECT id, name, create_time_since_epoch FROM Context WHERE type_id = ? AND name = ?";
                    connection.query_row(sql, params![self.run_type, run], row).optional()?
                }
            };
            found.map(|found| self.summary(connection, found)).transpose()
        })?;
        if let Some(found) = found {
            return Ok(found);
        }
        let latest = self.runs(&RunFilter { limit: Some(1), ..RunFilter::default() })?.pop();
        match latest {
            Some(latest) if run == "latest" => Ok(latest),
            latest => Err(LedgerError::NoSuchRun {
                run: run.into(),
                path: self.store.path().into(),
                latest: latest.map(|run| run.run),
            }
            .into()),
        }
    }

    /// A run in full.
    ///
    /// # Errors
    /// `LedgerError`.
    pub fn detail(&self, run: &str) -> Result<RunDetail> {
        let summary = self.find(run)?;
        let steps = self.store.read(|connection| {
            let mut steps = Vec::new();
            for step in StepName::ALL {
                if let Some(id) = execution_of(connection, &summary.run, step)? {
                    steps.push(execution(connection, id)?);
                }
            }
            Ok(steps)
        })?;
        let mut detail = RunDetail { summary, steps };
        if detail.summary.state == STOPPED {
            for step in detail.steps.iter_mut().filter(|step| step.state == RUNNING) {
                STOPPED.clone_into(&mut step.state);
            }
        }
        Ok(detail)
    }

    fn summary(
        &self,
        connection: &Connection,
        (id, run, started_ms): (i64, String, i64),
    ) -> rusqlite::Result<RunSummary> {
        let mut properties = properties(connection, "Context", "context_id", id)?.1;
        let mut take = |name: &str| properties.remove(name);
        let text =
            |value: Option<Value>| value.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let (pipeline, mut state) = (text(take("pipeline")), text(take("state")));
        let number = take("number").and_then(|number| number.as_u64()).unwrap_or_default();
        let seconds = take("seconds").and_then(|seconds| seconds.as_f64());
        if state == RUNNING && !is_alive(&self.out.join(format!("runs/{number:04}"))) {
            STOPPED.clone_into(&mut state);
        }
        let out = self.out.clone();
        Ok(RunSummary { run, pipeline, number, state, started_ms, seconds, out, properties })
    }
}

/// The execution of a step of a run.
pub(super) fn execution_of(
    connection: &Connection,
    run: &str,
    step: StepName,
) -> rusqlite::Result<Option<i64>> {
    let of_type = type_of(connection, &execution_type(step), TypeKind::Execution)?;
    connection
        .prepare_cached("SELECT id FROM Execution WHERE type_id = ? AND name = ?")?
        .query_row(params![of_type, format!("{run}.{step}")], |row| row.get(0))
        .optional()
}

/// An execution with its artifacts.
pub(super) fn execution(connection: &Connection, id: i64) -> rusqlite::Result<StepSummary> {
    let sql = "SELECT t.name, x.last_known_state, x.create_time_since_epoch FROM Execution AS x \
               JOIN Type AS t ON t.id = x.type_id WHERE x.id = ?";
    let (kind, state, started_ms): (String, Option<i64>, i64) =
        connection.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (mut properties, parameters) = properties(connection, "Execution", "execution_id", id)?;
    let step = properties.remove("step").and_then(|step| step.as_str().map(str::to_owned)).unwrap_or(kind);
    let sql = "SELECT e.type, e.artifact_id, p.step_key FROM Event AS e LEFT JOIN EventPath AS p \
               ON p.event_id = e.id AND p.is_index_step = 0 WHERE e.execution_id = ? ORDER BY e.id";
    let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let (event, artifact, channel): (i64, i64, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let found = self::artifact(connection, artifact, channel.unwrap_or_default())?;
        if is_output(event) { outputs.push(found) } else { inputs.push(found) }
    }
    let state = execution_state(state).to_owned();
    Ok(StepSummary { id, step, state, started_ms, properties, parameters, inputs, outputs })
}

/// Whether an event of this number says that the execution has made the artifact: outputs of our own and of others.
pub(super) fn is_output(event: i64) -> bool {
    event == EventType::Output as i64 || matches!(event, 1 | 6 | 7)
}

/// An artifact, under the name that an execution has for it.
pub(super) fn artifact(
    connection: &Connection,
    id: i64,
    channel: String,
) -> rusqlite::Result<ArtifactSummary> {
    let sql = "SELECT t.name, a.uri FROM Artifact AS a JOIN Type AS t ON t.id = a.type_id WHERE a.id = ?";
    let (kind, uri): (String, Option<String>) =
        connection.prepare_cached(sql)?.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (declared, mut properties) = properties(connection, "Artifact", "artifact_id", id)?;
    properties.extend(declared);
    let digest = properties.remove("digest").and_then(|digest| digest.as_str().map(str::to_owned));
    let (uri, digest) = (uri.unwrap_or_default(), digest.unwrap_or_default());
    Ok(ArtifactSummary { id, channel, kind, uri, digest, properties })
}

/// Properties that the type declares, and custom ones.
fn properties(
    connection: &Connection,
    table: &str,
    key: &str,
    id: i64,
) -> rusqlite::Result<(Properties, Properties)> {
    let sql = format!(
        "SELECT name, is_custom_property, int_value, double_value, string_value, bool_value FROM {table}Property \
         WHERE {key} = ?"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id])?;
    let (mut declared, mut custom) = (Properties::new(), Properties::new());
    while let Some(row) = rows.next()? {
        let integer: Option<i64> = row.get(2)?;
        let (double, text): (Option<f64>, Option<String>) = (row.get(3)?, row.get(4)?);
        let value = match (integer, double, text, row.get::<_, Option<bool>>(5)?) {
            (Some(value), ..) => value.into(),
            (_, Some(value), ..) => value.into(),
            (_, _, Some(value), _) => value.into(),
            (.., Some(value)) => value.into(),
            // Of a kind that we do not write.
            _ => Value::Null,
        };
        let properties = if row.get(1)? { &mut custom } else { &mut declared };
        properties.insert(row.get(0)?, value);
    }
    Ok((declared, custom))
}
