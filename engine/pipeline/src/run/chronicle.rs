//! Keeps the records of a run while it goes: the ledger, OpenLineage's events, Prometheus' file.
//!
//! Whether the ledger can be written is found out before the first step: a model must not be registered that nothing
//! tells the origin of. Once steps have run their results are not thrown away because the ledger cannot be written any
//! more (a full disk, another program's lock): what is missing is written with the end of the run, and if that fails
//! too, the run says so. Where the other two go is never waited for and never ends a run.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use uuid::Uuid;

use sluice_core::artifact::EngineRecord;
use sluice_core::error::{Error, ErrorKind, Result};
use sluice_delivery::who;

use super::alive::Alive;
use super::facts::{Facts, kind_of};
use super::{RunOptions, RunReport, StepName, StepReport, StepState};
use crate::key::KeyParts;
use crate::ledger::{
    ArtifactEntry, ExecutionState, LEDGER_FILE, LedgerWriter, Port, Properties, RunEntry, StepEntry,
    flattened, milliseconds,
};
use crate::openlineage::{Emitter, StepEvent};
use crate::prometheus;
use crate::spec::PipelineFile;

/// The records of a run.
pub(super) struct Chronicle<'a> {
    options: &'a RunOptions,
    run: RunEntry,
    ledger: Option<LedgerWriter>,
    /// Why the ledger could not be written the last time.
    trouble: Option<Error>,
    events: Option<Emitter>,
    /// What the names of a step's parts stand for, and the name by which a step knows it.
    known: Vec<(String, Port)>,
    current: Option<Current>,
    _alive: Alive,
}

/// The step that is under way.
struct Current {
    name: StepName,
    uuid: String,
    started: SystemTime,
    parameters: Properties,
    inputs: Vec<Port>,
    /// Whether it was told to have begun.
    is_told: bool,
}

impl<'a> Chronicle<'a> {
    /// Begins the records of the run with this number.
    ///
    /// # Errors
    /// What opening the ledger meets.
    pub(super) fn begin(
        file: &PipelineFile,
        options: &'a RunOptions,
        (number, folder): (u64, &Path),
        started: SystemTime,
    ) -> Result<Self> {
        let alive = Alive::begin(folder)?;
        let run = RunEntry {
            pipeline: file.spec.pipeline.clone(),
            number,
            uuid: Uuid::now_v7().to_string(),
            started: milliseconds(started),
            properties: of_run(file, options, folder),
        };
        let (runs, path) = (options.out.join("runs"), options.out.join(LEDGER_FILE));
        let ledger = options.ledger.then(|| LedgerWriter::begin(&path, &runs, run.clone())).transpose()?;
        let mut events = options.openlineage.as_ref().map(|target| Emitter::new(target, &run));
        if let Some(events) = &mut events {
            events.run_started(started);
        }
        let (trouble, known, current) = (None, Vec::new(), None);
        Ok(Self { options, run, ledger, trouble, events, known, current, _alive: alive })
    }

    /// A step is reached.
    pub(super) fn reached(&mut self, name: StepName) {
        self.current = Some(Current {
            name,
            uuid: Uuid::now_v7().to_string(),
            started: SystemTime::now(),
            parameters: Properties::new(),
            inputs: Vec::new(),
            is_told: false,
        });
    }

    /// What a part of keys stands for from now on.
    pub(super) fn know(&mut self, part: &str, port: Port) {
        self.known.retain(|(known, _)| known != part);
        self.known.push((part.to_owned(), port));
    }

    /// What a part of keys stands for.
    pub(super) fn known(&self, part: &str) -> Option<&Port> {
        self.known.iter().find(|(known, _)| known == part).map(|(_, port)| port)
    }

    /// What the step depends on is known.
    pub(super) fn planned(&mut self, parameters: &Value, parts: &KeyParts) {
        let inputs = parts.names().filter_map(|part| self.known(part)).cloned().collect();
        if let Some(current) = &mut self.current {
            current.parameters = flattened(parameters);
            current.inputs = inputs;
        }
    }

    /// The step has to do something: what follows takes time.
    pub(super) fn running(&mut self) {
        let Some(current) = &mut self.current else { return };
        current.is_told = true;
        let entry = current.entry(ExecutionState::Running, milliseconds(SystemTime::now()));
        if let Some(ledger) = &mut self.ledger {
            ledger.step(entry);
        }
        if let Some(events) = &mut self.events {
            events.step_started(&current.event(), current.started);
        }
        self.write();
    }

    /// The step is done.
    pub(super) fn finished(&mut self, report: &StepReport, facts: Facts) {
        let Some(mut current) = self.current.take() else { return };
        let Facts { properties, outputs, outcome, facets } = facts;
        let artifact = report.artifact.as_ref().and_then(|path| {
            ArtifactEntry::of_folder(kind_of(report.name), path, properties).map(ArtifactEntry::in_channel)
        });
        let outputs: Vec<Port> = artifact.iter().cloned().chain(outputs).collect();
        let now = SystemTime::now();
        let state = match report.state {
            StepState::Cached => ExecutionState::Cached,
            StepState::Ran | StepState::WouldRun => ExecutionState::Complete,
        };
        let mut entry = current.entry(state, milliseconds(now));
        entry.properties = of_report(report, outcome);
        entry.outputs = outputs.clone();
        if let Some(ledger) = &mut self.ledger {
            ledger.step(entry);
        }
        if let Some(events) = &mut self.events {
            if !current.is_told {
                events.step_started(&current.event(), current.started);
            }
            events.step_finished(&current.event(), &outputs, facets, now);
        }
        if let (Some(artifact), Some(part)) = (artifact, report.name.folder()) {
            self.know(part, artifact);
        }
        for port in outputs.into_iter().skip(1) {
            self.know(&port.channel.clone(), port);
        }
        // A step that was there already is written together with the next one.
        if current.is_told {
            current.is_told = false;
            self.write();
        }
    }

    /// The run is over; the step that was under way has failed.
    pub(super) fn end(mut self, report: &RunReport, failure: Option<&Error>, duration: Duration) {
        let now = SystemTime::now();
        if let (Some(failure), Some(current)) = (failure, self.current.take()) {
            let state = match failure.kind() {
                ErrorKind::Interrupted(_) => ExecutionState::Canceled,
                _ => ExecutionState::Failed,
            };
            let mut entry = current.entry(state, milliseconds(now));
            entry.properties.insert("error".into(), format!("{failure:?}").into());
            if let Some(ledger) = &mut self.ledger {
                ledger.step(entry);
            }
            if let Some(events) = &mut self.events {
                if !current.is_told {
                    events.step_started(&current.event(), current.started);
                }
                events.step_failed(&current.event(), failure, now);
            }
        }
        let written = self.ledger.as_mut().map_or(Ok(()), |ledger| {
            ledger.end(milliseconds(now), of_end(report, failure, duration));
            ledger.write()
        });
        if let Err(error) = written {
            let path = self.options.out.join(LEDGER_FILE);
            let note = format!("the ledger `{}` lacks what this run did: {}", path.display(), told(&error));
            self.options.notes.add(note);
        }
        if let Some(events) = self.events.take() {
            let lost = events.run_ended(report, failure, now);
            lost.into_iter().for_each(|note| self.options.notes.add(note));
        }
        if let Some(path) = &self.options.prometheus {
            let written = prometheus::write(path, &self.run, report, failure, (now, duration));
            if let Err(error) = written {
                let note = format!("`{}` could not be written: {}", path.display(), told(&error));
                self.options.notes.add(note);
            }
        }
    }

    /// Writes what the ledger lacks. After a failure one does not wait again before the end.
    fn write(&mut self) {
        if self.trouble.is_none() {
            self.trouble = self.ledger.as_mut().and_then(|ledger| ledger.write().err());
        }
    }
}

/// An error in a line.
fn told(error: &Error) -> String {
    std::iter::once(error.to_string()).chain(error.causes()).collect::<Vec<_>>().join(": ")
}

impl Current {
    fn entry(&self, state: ExecutionState, at: i64) -> StepEntry {
        StepEntry {
            step: self.name,
            state,
            started: milliseconds(self.started),
            at,
            parameters: self.parameters.clone(),
            properties: Properties::new(),
            inputs: self.inputs.clone(),
            outputs: Vec::new(),
        }
    }

    fn event(&self) -> StepEvent<'_> {
        StepEvent { step: self.name, uuid: &self.uuid, inputs: &self.inputs }
    }
}

/// Who runs what, where, with what.
fn of_run(file: &PipelineFile, options: &RunOptions, folder: &Path) -> Properties {
    let engine = EngineRecord::current();
    let pairs = [
        ("pipeline_file", file.path.display().to_string().into()),
        ("pipeline_digest", file.digest.clone().into()),
        ("folder", crate::ledger::uri_of(folder).into()),
        ("user", who::user().into()),
        ("host", who::host().into()),
        ("engine_version", engine.version.into()),
        ("cpu_level", engine.cpu_level.into()),
        ("threads", options.execution.threads.get().into()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_report(report: &StepReport, outcome: Option<&str>) -> Properties {
    let mut properties = Properties::from([
        ("summary".to_owned(), report.summary.clone().into()),
        ("seconds".to_owned(), report.duration.as_secs_f64().into()),
    ]);
    let mut add = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    if !report.reason.is_empty() {
        add("reason", report.reason.clone().into());
    }
    if report.rows > 0 {
        add("rows", report.rows.into());
    }
    if let Some(spans) = report.spans {
        add("spans_read", spans.read.into());
        add("spans_reused", spans.reused.into());
    }
    if let Some(outcome) = outcome {
        add("outcome", outcome.into());
    }
    properties
}

/// What came of the run.
fn of_end(report: &RunReport, failure: Option<&Error>, duration: Duration) -> Properties {
    let state = match failure.map(Error::kind) {
        Some(ErrorKind::Interrupted(_)) => "canceled",
        Some(_) => "failed",
        None if report.accepted() => "accepted",
        None => "rejected",
    };
    let ran = report.steps.iter().filter(|step| step.state == StepState::Ran).count();
    let mut pairs: Vec<(&str, Value)> = vec![
        ("state", state.into()),
        ("seconds", duration.as_secs_f64().into()),
        ("steps_ran", ran.into()),
        ("steps_cached", (report.steps.len() - ran).into()),
    ];
    if let Some(failure) = failure {
        pairs.push(("error", format!("{failure:?}").into()));
        pairs.push(("exit_code", failure.kind().exit_code().into()));
    }
    if let Some(step) = report.rejected_by {
        pairs.push(("rejected_by", step.name().into()));
    }
    if let Some(evaluation) = &report.evaluation {
        pairs.push(("outcome", json!(evaluation.verdict.outcome)));
        pairs.push(("comparison", json!(evaluation.verdict.comparison)));
    }
    if let Some(pushed) = &report.pushed {
        pairs.push(("version", pushed.version.into()));
        pairs.push(("is_new_version", pushed.is_new.into()));
    }
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
