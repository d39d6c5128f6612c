//! A run: all steps in order, each leaving its artifact in the folder of the run, ending with the verdict.
//!
//! `OUT/runs/0001/` holds `dataset`, `statistics`, `schema`, `validation`, `transform`, `model`, `evaluation`
//! and the record `run.json`, the only file with times, host and threads. `OUT/registry` is the registry
//! unless the pipeline names another.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fs_err as fs;
use serde::Serialize;

use sluice_core::artifact::EngineRecord;
use sluice_core::error::{CommonError, Error, Result};
use sluice_core::execution::Execution;
use sluice_core::plan::PlanOptions;
use sluice_delivery::{FileRegistry, ModelPackage, Pushed};
use sluice_evaluation::Evaluation;
use sluice_evaluation::gate::Outcome;
use sluice_report::{count, significant};

use crate::spec::{BaselineSpec, PipelineFile};
use crate::step;
use crate::step::statistics::StatisticsRecord;
use crate::step::validate::ValidationRecord;

/// Where and how a run runs.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// The folder of runs and registry.
    pub out: PathBuf,
    /// Threads, cancelling, progress.
    pub execution: Execution,
}

impl RunOptions {
    /// Into this folder, on all cores, silent.
    #[must_use]
    pub fn new(out: impl Into<PathBuf>) -> Self {
        Self { out: out.into(), execution: Execution::default() }
    }
}

/// What one step did.
#[derive(Clone, Debug, Serialize)]
pub struct StepReport {
    /// Its name.
    pub name: &'static str,
    /// What it did, in a few words.
    pub summary: String,
    /// Rows that it read.
    pub rows: u64,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub duration: Duration,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The pipeline.
    pub pipeline: String,
    /// The folder of the run.
    pub folder: PathBuf,
    /// Its steps, as far as it came.
    pub steps: Vec<StepReport>,
    /// What validation found.
    pub validation: Option<ValidationRecord>,
    /// Metrics and verdict.
    pub evaluation: Option<Evaluation>,
    /// What was registered.
    pub pushed: Option<Pushed>,
    /// The step that turned data or model down.
    pub rejected_by: Option<&'static str>,
}

impl RunReport {
    /// Whether data and model were accepted.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.rejected_by.is_none()
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

/// Runs all steps. `finished` hears of each step as it ends.
///
/// # Errors
/// What a step meets, with the step among the places; artifacts of the steps before it stay.
pub fn run(
    file: &PipelineFile,
    options: &RunOptions,
    finished: &mut dyn FnMut(&StepReport),
) -> Result<RunReport> {
    let started = Instant::now();
    let started_at_seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let folder = new_folder(&options.out.join("runs"))?;
    let mut runner = Runner {
        file,
        options,
        finished,
        report: RunReport {
            pipeline: file.spec.pipeline.clone(),
            folder,
            steps: Vec::new(),
            validation: None,
            evaluation: None,
            pushed: None,
            rejected_by: None,
        },
    };
    let outcome = runner.all_steps();
    let report = runner.report;
    let record = RunRecord {
        report: &report,
        pipeline_file: file.path.display().to_string(),
        started_at_seconds,
        seconds: started.elapsed().as_secs_f64(),
        threads: options.execution.threads.get(),
        host: fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned(),
        engine: EngineRecord::current(),
        error: outcome.as_ref().err().map(|error| format!("{error:?}")),
    };
    let recorded = write_record(&report.folder.join("run.json"), &record);
    outcome?;
    recorded?;
    Ok(report)
}

/// Makes the next numbered folder; runs side by side get different ones.
fn new_folder(runs: &Path) -> Result<PathBuf> {
    fs::create_dir_all(runs).map_err(CommonError::on("create", runs))?;
    let entries = fs::read_dir(runs).map_err(CommonError::on("read", runs))?;
    let last = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u64>().ok()).max();
    let mut number = last.map_or(1, |last| last + 1);
    loop {
        let folder = runs.join(format!("{number:04}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(CommonError::file("create", &folder, error).into()),
        }
    }
}

fn write_record(path: &Path, record: &RunRecord<'_>) -> Result<()> {
    let mut bytes =
        serde_json::to_vec_pretty(record).map_err(|error| CommonError::Internal(error.to_string()))?;
    bytes.push(b'\n');
    sluice_core::artifact::write_whole(path, &bytes)
}

struct Runner<'a> {
    file: &'a PipelineFile,
    options: &'a RunOptions,
    finished: &'a mut dyn FnMut(&StepReport),
    report: RunReport,
}

impl Runner<'_> {
    /// Runs one step, times it and reports it.
    fn step<T>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&Path, &Execution) -> Result<(T, u64, String)>,
    ) -> Result<T> {
        self.options.execution.cancel.check()?;
        let started = Instant::now();
        let folder = self.report.folder.clone();
        let (value, rows, summary) = work(&folder, &self.options.execution)
            .map_err(|error: Error| error.in_place(format!("step `{name}`")))?;
        let step = StepReport { name, summary, rows, duration: started.elapsed() };
        (self.finished)(&step);
        self.report.steps.push(step);
        Ok(value)
    }

    fn registry(&self) -> Result<FileRegistry> {
        let root = match &self.file.spec.push.registry {
            Some(path) => self.file.resolve(path),
            None => self.options.out.join("registry"),
        };
        FileRegistry::new(root, &self.file.spec.pipeline)
    }

    fn all_steps(&mut self) -> Result<()> {
        let file = self.file;
        let dataset = self.step("ingest", |folder, execution| {
            let options = step::ingest::options(file);
            let target = folder.join("dataset");
            let dataset = step::ingest::ingest(
                file.input(),
                file.base(),
                &file.source_options(),
                &options,
                &target,
                execution,
            )?;
            let record = dataset.record();
            let subsets: Vec<String> =
                record.subsets.iter().map(|(name, rows)| format!("{name} {}", count(*rows))).collect();
            let summary = format!("{} rows: {}", count(record.rows_read), subsets.join(", "));
            let rows = record.rows_read;
            Ok((dataset, rows, summary))
        })?;
        let rows = dataset.record().rows_read;
        let (statistics, statistics_digest) = self.step("statistics", |folder, execution| {
            let statistics = step::statistics::of_dataset(&dataset, execution)?;
            let artifact = statistics.publish(dataset.artifact().digest(), &folder.join("statistics"))?;
            let columns = statistics.subsets.first().map_or(0, |subset| subset.columns.len());
            let summary = format!("{columns} columns of {} subsets", statistics.subsets.len());
            Ok(((statistics, artifact.digest().to_owned()), rows, summary))
        })?;
        if !self.validated(&statistics, &statistics_digest)? {
            self.report.rejected_by = Some("validate");
            return Ok(());
        }
        let model = self.trained(&dataset)?;
        let passed = self.evaluated(&dataset, &model)?;
        if !passed {
            self.report.rejected_by = Some("evaluate");
            return Ok(());
        }
        self.pushed(&model)
    }

    /// Schema and validation; whether the data may flow on.
    fn validated(&mut self, statistics: &StatisticsRecord, digest: &str) -> Result<bool> {
        let file = self.file;
        let inferred = file.spec.schema.is_none();
        let (schema, schema_digest) = self.step("schema", |folder, _| {
            let (schema, origin) = match &file.spec.schema {
                Some(path) => (step::schema::read(&file.resolve(path))?, format!("read from `{path}`")),
                None => {
                    let train = statistics.subset(step::TRAIN).ok_or_else(|| {
                        CommonError::Internal("there are no statistics of the training rows".into())
                    })?;
                    (step::schema::infer(train), "inferred from the training rows".to_owned())
                }
            };
            let made_of = if inferred { ("inferred-from", digest) } else { ("origin", "file") };
            let artifact = step::schema::publish(&schema, made_of, &folder.join("schema"))?;
            let summary = format!("{} features, {origin}", schema.schema().features.len());
            Ok(((schema, artifact.digest().to_owned()), 0, summary))
        })?;
        let validation = self.step("validate", |folder, _| {
            let validation = ValidationRecord::new(statistics, &schema, inferred, &file.spec.validate);
            let made_of = [("statistics", digest), ("schema", schema_digest.as_str())];
            validation.publish(&schema, made_of, &folder.join("validation"))?;
            let (errors, warnings) = validation.counts();
            let summary = match (errors, warnings) {
                (0, 0) => "nothing found".to_owned(),
                (errors, warnings) => format!("{errors} errors, {warnings} warnings"),
            };
            Ok((validation, 0, summary))
        })?;
        let accepted = validation.accepted;
        self.report.validation = Some(validation);
        Ok(accepted)
    }

    fn trained(&mut self, dataset: &sluice_ingest::Dataset) -> Result<ModelPackage> {
        let file = self.file;
        let rows = dataset.record().subsets.get(step::TRAIN).copied().unwrap_or(0);
        let (transform, artifact) = self.step("transform", |folder, execution| {
            let target = folder.join("transform");
            let fitted = step::transform::fit(
                &file.spec.transform,
                dataset,
                &file.spec.data.roles,
                &target,
                execution,
            )?;
            let space = sluice_core::seam::BatchTransform::space(&fitted.0);
            let summary = format!("{} features in {} columns", space.features.len(), space.width());
            Ok((fitted, rows, summary))
        })?;
        self.step("train", |folder, execution| {
            let target = folder.join("model");
            let parts = (&transform, &artifact);
            let model =
                step::train::train(&file.spec.train, dataset, parts, file.label(), &target, execution)?;
            let diagnostics = &model.model().diagnostics;
            let mut summary = format!(
                "{}, alpha {}, {} of {} coefficients determined",
                model.model().family,
                significant(diagnostics.alpha),
                diagnostics.rank,
                model.model().coefficients.len()
            );
            if model.model().method == "exact" {
                summary.push_str(", ill-conditioned: read once more in double-double");
            }
            Ok((model, rows, summary))
        })
    }

    /// Whether the model passes the gate.
    fn evaluated(&mut self, dataset: &sluice_ingest::Dataset, model: &ModelPackage) -> Result<bool> {
        let file = self.file;
        let registry = self.registry()?;
        let evaluation = self.step("evaluate", |folder, execution| {
            let (baseline, compared) = match &file.spec.evaluate.baseline {
                BaselineSpec::None => (None, "without a baseline".to_owned()),
                BaselineSpec::Path(path) => {
                    (Some(ModelPackage::open(&file.resolve(path))?), format!("against `{path}`"))
                }
                BaselineSpec::LatestBlessed => match registry.latest_blessed()? {
                    Some((version, model)) => (Some(model), format!("against version {version}")),
                    None => (None, "no baseline yet".to_owned()),
                },
            };
            let source = dataset.subset(step::EVAL, PlanOptions::default(), execution)?;
            let evaluated = step::evaluate::evaluate(
                &source,
                dataset.artifact().digest(),
                model,
                baseline.as_ref(),
                &file.spec.evaluate.options,
                &folder.join("evaluation"),
                execution,
            )?;
            let slices = evaluated.evaluation.slices.len() - 1;
            let summary = match slices {
                0 => compared,
                slices => format!("{compared}, {slices} slices"),
            };
            Ok((evaluated.evaluation, sluice_core::seam::BatchSource::plan(&source).rows(), summary))
        })?;
        let passed = evaluation.verdict.outcome == Outcome::Pass;
        self.report.evaluation = Some(evaluation);
        Ok(passed)
    }

    fn pushed(&mut self, model: &ModelPackage) -> Result<()> {
        let registry = self.registry()?;
        let Some(evaluation) = &self.report.evaluation else { return Ok(()) };
        let verdict = evaluation.verdict.clone();
        let pushed = self.step("push", |_, _| {
            let pushed = step::push::push(&registry, model, &verdict)?;
            let summary = match &pushed {
                Some(pushed) if pushed.is_new => format!("registered as version {}", pushed.version),
                Some(pushed) => format!("already registered as version {}", pushed.version),
                None => "not registered".to_owned(),
            };
            Ok((pushed, 0, summary))
        })?;
        self.report.pushed = pushed;
        Ok(())
    }
}
