//! From what a run has made back to the data: executions and artifacts, and the events between them.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use sluice_core::error::Result;

use super::error::LedgerError;
use super::kinds::{ExecutionState, TypeKind};
use super::read::{ArtifactSummary, Ledger, StepSummary, artifact, execution, execution_of};
use super::store::type_of;
use crate::run::StepName;

/// Executions beyond this are not followed: a lineage that is longer is no longer read.
const MAX_EXECUTIONS: usize = 2000;
/// Digits of a digest that an artifact can be asked for by.
const MIN_DIGITS: usize = 6;
/// Digits that tell artifacts apart in a message.
const MANY_DIGITS: usize = 16;

/// Executions and artifacts, and what went from the ones to the others.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Lineage {
    /// What it is the lineage of.
    pub of: String,
    /// In the order in which they were found.
    pub artifacts: Vec<LineageArtifact>,
    /// The latest first.
    pub executions: Vec<LineageExecution>,
    /// What was read and made.
    pub edges: Vec<Edge>,
}

/// An artifact of a lineage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LineageArtifact {
    /// What is known of it.
    #[serde(flatten)]
    pub artifact: ArtifactSummary,
    /// The run that made it, where the lineage does not show how.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by_run: Option<i64>,
}

/// An execution of a lineage.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LineageExecution {
    /// Its number in the ledger.
    pub id: i64,
    /// The step; of an execution that another program recorded its type.
    pub step: String,
    /// The number of its run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// `running`, `complete`, `cached`, `failed`, `canceled`.
    pub state: String,
    /// What it did, in a few words.
    pub summary: String,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// An event between an execution and an artifact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// The execution.
    pub execution: i64,
    /// The artifact.
    pub artifact: i64,
    /// Whether the execution made it; else it read it.
    pub is_output: bool,
    /// What it is to the execution.
    pub channel: String,
}

impl Edge {
    /// Whether it is beside the way from the data: what something was compared with, or measured beside.
    #[must_use]
    pub fn is_aside(&self) -> bool {
        !self.is_output && ["baseline_", "contender_"].iter().any(|aside| self.channel.starts_with(aside))
    }
}

impl Lineage {
    /// What an execution has read, or made.
    pub fn of_execution(
        &self,
        execution: i64,
        is_output: bool,
    ) -> impl Iterator<Item = (&Edge, &LineageArtifact)> {
        self.edges
            .iter()
            .filter(move |edge| edge.execution == execution && edge.is_output == is_output)
            .filter_map(|edge| Some((edge, self.artifact(edge.artifact)?)))
    }

    /// The execution that has made an artifact.
    #[must_use]
    pub fn maker(&self, artifact: i64) -> Option<&LineageExecution> {
        let edge = self.edges.iter().find(|edge| edge.artifact == artifact && edge.is_output)?;
        self.executions.iter().find(|execution| execution.id == edge.execution)
    }

    /// An artifact by its number.
    #[must_use]
    pub fn artifact(&self, id: i64) -> Option<&LineageArtifact> {
        self.artifacts.iter().find(|artifact| artifact.artifact.id == id)
    }

    /// The artifacts that no execution here has read but to compare with: where a walk to the data begins.
    pub fn ends(&self) -> impl Iterator<Item = &LineageArtifact> {
        let reads = |edge: &Edge, id| edge.artifact == id && !edge.is_output && !edge.is_aside();
        let is_made = |id| self.edges.iter().any(|edge| edge.artifact == id && edge.is_output);
        let is_read = move |id: i64| {
            let mut edges = self.edges.iter();
            edges.any(|edge| reads(edge, id) || (edge.artifact == id && edge.is_aside() && !is_made(id)))
        };
        self.artifacts.iter().filter(move |artifact| !is_read(artifact.artifact.id))
    }

    fn add(&mut self, step: StepSummary) {
        for (artifacts, is_output) in [(step.outputs.clone(), true), (step.inputs.clone(), false)] {
            for artifact in artifacts {
                let (id, channel) = (artifact.id, artifact.channel.clone());
                self.edges.push(Edge { execution: step.id, artifact: id, is_output, channel });
                if self.artifact(id).is_none() {
                    self.artifacts.push(LineageArtifact { artifact, made_by_run: None });
                }
            }
        }
        let run = step.properties.get("run").and_then(serde_json::Value::as_i64);
        let (summary, seconds) =
            (step.text("summary").unwrap_or_default().to_owned(), step.figure("seconds"));
        let StepSummary { id, step, state, .. } = step;
        self.executions.push(LineageExecution { id, step, run, state, summary, seconds });
    }
}

impl Ledger {
    /// The lineage of all that a run has made. What comes from other runs is not followed: the model that it is compared
    /// with, the statistics of earlier data; it says which run made it.
    ///
    /// # Errors
    /// `LedgerError`.
    pub fn lineage_of_run(&self, run: &str) -> Result<Lineage> {
        let run = self.find(run)?;
        self.store.read(|connection| {
            let mut lineage = Lineage { of: run.run.clone(), ..Lineage::default() };
            for step in StepName::ALL.into_iter().rev() {
                if let Some(id) = execution_of(connection, &run.run, step)? {
                    lineage.add(execution(connection, id)?);
                }
            }
            name_makers(connection, &mut lineage)?;
            Ok(lineage)
        })
    }

    /// The lineage of an artifact, by the first digits of its digest, back to what nothing in the ledger has made.
    ///
    /// # Errors
    /// `LedgerError`.
    pub fn lineage_of_artifact(&self, digest: &str) -> Result<Lineage> {
        let start = self.find_artifact(digest)?;
        self.store.read(|connection| {
            let found = artifact(connection, start, String::new())?;
            let mut lineage = Lineage { of: format!("{} {digest}", found.kind), ..Lineage::default() };
            lineage.artifacts.push(LineageArtifact { artifact: found, made_by_run: None });
            let mut met: BTreeSet<i64> = BTreeSet::new();
            let mut next = 0;
            while next < lineage.artifacts.len() && lineage.executions.len() < MAX_EXECUTIONS {
                let id = lineage.artifacts[next].artifact.id;
                next += 1;
                let Some((maker, _)) = maker(connection, id)? else { continue };
                if met.insert(maker) {
                    let mut step = execution(connection, maker)?;
                    // What else came out of it is not where this came from.
                    let wanted: BTreeSet<i64> =
                        lineage.artifacts.iter().map(|artifact| artifact.artifact.id).collect();
                    step.outputs.retain(|output| wanted.contains(&output.id));
                    lineage.add(step);
                } else if let Some(channel) = channel(connection, maker, id)? {
                    lineage.edges.push(Edge { execution: maker, artifact: id, is_output: true, channel });
                }
            }
            Ok(lineage)
        })
    }

    /// Whether some text may be the beginning of a digest.
    #[must_use]
    pub fn may_be_digest(text: &str) -> bool {
        text.len() >= MIN_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The artifact of a digest; a registered version rather than the same package elsewhere, whose maker it has among its
    /// inputs.
    fn find_artifact(&self, digest: &str) -> Result<i64> {
        let until = format!("{digest}g");
        let found: Vec<(i64, String, String)> = self.store.read(|connection| {
            let pushed = type_of(connection, "PushedModel", TypeKind::Artifact)?;
            let sql = "SELECT p.artifact_id, p.string_value, t.name FROM ArtifactProperty AS p \
                       JOIN Artifact AS a ON a.id = p.artifact_id JOIN Type AS t ON t.id = a.type_id \
                       WHERE p.name = 'digest' AND p.is_custom_property = 1 AND p.string_value >= ?1 \
                       AND p.string_value < ?2 ORDER BY a.type_id = ?3 DESC, a.id LIMIT 20";
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map(params![digest.to_ascii_lowercase(), until, pushed], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect()
        })?;
        let path = || self.store.path().to_owned();
        let digests: BTreeSet<&String> = found.iter().map(|(_, digest, _)| digest).collect();
        match found.first() {
            None => Err(LedgerError::NoSuchArtifact { digest: digest.into(), path: path() }.into()),
            Some(_) if digests.len() > 1 => {
                let found = found.iter().take(4).map(|(_, digest, kind)| {
                    format!("{kind} {}", digest.chars().take(MANY_DIGITS).collect::<String>())
                });
                Err(LedgerError::Ambiguous { digest: digest.into(), path: path(), found: found.collect() }
                    .into())
            }
            Some((id, ..)) => Ok(*id),
        }
    }
}

/// The execution that has made an artifact, and its run: the first that did, not one that found it made.
fn maker(connection: &Connection, artifact: i64) -> rusqlite::Result<Option<(i64, Option<i64>)>> {
    let sql = "SELECT e.execution_id, r.int_value FROM Event AS e JOIN Execution AS x ON x.id = e.execution_id \
               LEFT JOIN ExecutionProperty AS r ON r.execution_id = x.id AND r.name = 'run' \
               AND r.is_custom_property = 0 WHERE e.artifact_id = ? AND e.type IN (1, 4, 6, 7) \
               ORDER BY x.last_known_state = ?, e.execution_id LIMIT 1";
    connection
        .prepare_cached(sql)?
        .query_row(params![artifact, ExecutionState::Cached as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}

fn channel(connection: &Connection, execution: i64, artifact: i64) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT p.step_key FROM Event AS e JOIN EventPath AS p ON p.event_id = e.id AND p.is_index_step = 0 \
               WHERE e.artifact_id = ? AND e.execution_id = ? AND e.type IN (1, 4, 6, 7) LIMIT 1";
    connection.prepare_cached(sql)?.query_row(params![artifact, execution], |row| row.get(0)).optional()
}

/// Of what comes from elsewhere, which run made it.
fn name_makers(connection: &Connection, lineage: &mut Lineage) -> rusqlite::Result<()> {
    let made: BTreeSet<i64> =
        lineage.edges.iter().filter(|edge| edge.is_output).map(|edge| edge.artifact).collect();
    for artifact in lineage.artifacts.iter_mut().filter(|artifact| !made.contains(&artifact.artifact.id)) {
        artifact.made_by_run = maker(connection, artifact.artifact.id)?.and_then(|(_, run)| run);
    }
    Ok(())
}
