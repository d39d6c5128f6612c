//! A run: all steps in order, ending with the verdict.
//!
//! `OUT/artifacts/KIND/KEY` holds the artifacts of all runs; a step whose inputs, options and engine are those of
//! an artifact that is there does not run again, so a run goes on where an earlier one was stopped.
//! `OUT/runs/0001` holds a link to each artifact of that run and the record `run.json`, the only file with
//! times, host and threads. `OUT/ledger.sqlite` remembers all runs ([`crate::ledger`]). `OUT/registry` is the registry
//! unless the pipeline names another.

pub(crate) mod alive;
mod cache;
mod chronicle;
mod earlier;
mod facts;
mod notes;
mod runner;
mod step_name;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fs_err as fs;
use serde::Serialize;

use sluice_core::artifact::{EngineRecord, sweep_drafts, write_whole};
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_delivery::{Pushed, who};
use sluice_evaluation::Evaluation;

use crate::openlineage::OpenLineageTarget;
use crate::spec::PipelineFile;
use crate::step::kept_states::SpanCounts;
use crate::step::validate::ValidationRecord;

pub use notes::Notes;
pub use step_name::StepName;

pub(crate) use facts::{kind_of, place};

use chronicle::Chronicle;
use runner::Runner;

/// Where and how a run runs.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The folder of artifacts, runs and registry.
    pub out: PathBuf,
    /// This step and all after it run even if their artifacts are there.
    pub from: Option<StepName>,
    /// These steps run even if their artifacts are there.
    pub force: Vec<StepName>,
    /// Nothing runs; the report says what would.
    pub dry_run: bool,
    /// Whether the run is recorded in `OUT/ledger.sqlite`. Under an orchestrator that keeps a store of its own, and in
    /// folders without locks, it is not.
    pub ledger: bool,
    /// Where events of `OpenLineage` go.
    pub openlineage: Option<OpenLineageTarget>,
    /// The file that Prometheus' figures of the run are written to.
    pub prometheus: Option<PathBuf>,
    /// What went wrong with the records of the run, which does not fail for it.
    pub notes: Notes,
    /// Threads, cancelling, progress.
    pub execution: Execution,
}

impl RunOptions {
    /// Into this folder, on all cores, silent.
    #[must_use]
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self {
            out: out.into(),
            from: None,
            force: Vec::new(),
            dry_run: false,
            ledger: true,
            openlineage: None,
            prometheus: None,
            notes: Notes::default(),
            execution: Execution::default(),
        }
    }
}

/// Whether a step ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It ran.
    Ran,
    /// Its artifact was there.
    Cached,
    /// It would run (in a dry run).
    WouldRun,
}

/// What one step did.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Its name.
    pub name: StepName,
    /// Whether it ran.
    pub state: StepState,
    /// Why it ran, or would.
    pub reason: String,
    /// What it did, in a few words.
    pub summary: String,
    /// Rows that it read; 0 when it did not run.
    pub rows: u64,
    /// Of data with spans, how many were read, and of how many the state of an earlier run was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans: Option<SpanCounts>,
    /// States of spans that were there but could not be used, and why; their rows were read again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unusable_states: Vec<String>,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
    /// Its artifact.
    pub artifact: Option<PathBuf>,
    /// What its key was made of: digests of inputs and options by name.
    pub made_from: serde_json::Value,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The pipeline.
    pub pipeline: String,
    /// The folder of the run; none in a dry run.
    pub folder: Option<PathBuf>,
    /// Its steps, as far as it came.
    pub steps: Vec<StepReport>,
    /// What validation found.
    pub validation: Option<ValidationRecord>,
    /// Metrics and verdict.
    pub evaluation: Option<Evaluation>,
    /// What was registered.
    pub pushed: Option<Pushed>,
    /// The step that turned data or model down.
    pub rejected_by: Option<StepName>,
}

impl RunReport {
    /// Whether data and model were accepted.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.rejected_by.is_none()
    }

    /// Whether no step but `push` had to run.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.steps.iter().all(|step| step.state == StepState::Cached || step.name == StepName::Push)
    }
}

/// The record of a run: what may differ from run to run stands here and nowhere else.
#[derive(Serialize)]
struct RunRecord<'a> {
    #[serde(flatten)]
    report: &'a RunReport,
    pipeline_file: String,
    started_at_seconds: u64,
    seconds: f64,
    threads: usize,
    host: String,
    engine: EngineRecord,
    error: Option<String>,
}

/// Runs all steps that need to run. `finished` hears of each step as it ends.
///
/// # Errors
/// What a step meets, with the step among the places; artifacts of the steps before it stay, and the next run
/// goes on from there. Before the first step: [`crate::ledger::LedgerError`], where the run cannot be recorded.
pub fn run(
    file: &PipelineFile,
    options: &RunOptions,
    finished: &mut dyn FnMut(&StepReport),
) -> Result<RunReport> {
    if options.dry_run {
        let mut runner = Runner::new(file, options, None, finished);
        return runner.all_steps().map(|()| runner.finish().0);
    }
    let (began, started) = (SystemTime::now(), Instant::now());
    let (number, folder) = new_folder(&options.out.join("runs"))?;
    let chronicle = Chronicle::begin(file, options, (number, &folder), began).inspect_err(|_| {
        // A run that never began leaves no number behind.
        let _ = fs::remove_dir(&folder);
    })?;
    let mut runner = Runner::new(file, options, Some((number, folder.clone(), chronicle)), finished);
    let outcome = runner.all_steps();
    let (report, chronicle) = runner.finish();
    let record = RunRecord {
        report: &report,
        pipeline_file: file.path.display().to_string(),
        started_at_seconds: began.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
        seconds: started.elapsed().as_secs_f64(),
        threads: options.execution.threads.get(),
        host: who::host(),
        engine: EngineRecord::current(),
        error: outcome.as_ref().err().map(|error| format!("{error:?}")),
    };
    let recorded = write_record(&folder.join("run.json"), &record);
    let outcome = outcome.and(recorded);
    if let Some(chronicle) = chronicle {
        chronicle.end(&report, outcome.as_ref().err(), started.elapsed());
    }
    outcome.map(|()| report)
}

/// Folders of earlier runs that are swept.
const SWEPT: usize = 16;

/// Makes the next numbered folder; runs side by side get different ones.
fn new_folder(runs: &Path) -> Result<(u64, PathBuf)> {
    fs::create_dir_all(runs).map_err(CommonError::on("create", runs))?;
    let entries = fs::read_dir(runs).map_err(CommonError::on("read", runs))?;
    let last = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).max();
    let mut number = last.map_or(1, |last| last + 1);
    // What runs that were killed while they wrote their record have left; those at work keep theirs.
    for earlier in (1..number).rev().take(SWEPT) {
        sweep_drafts(&runs.join(format!("{earlier:04}")));
    }
    loop {
        let folder = runs.join(format!("{number:04}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok((number, folder)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(CommonError::file("create", &folder, error).into()),
        }
    }
}

fn write_record(path: &Path, record: &RunRecord<'_>) -> Result<()> {
    let mut bytes =
        serde_json::to_vec_pretty(record).map_err(|error| CommonError::Internal(error.to_string()))?;
    bytes.push(b'\n');
    write_whole(path, &bytes)
}
