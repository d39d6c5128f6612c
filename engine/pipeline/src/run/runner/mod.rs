//! Walks through the steps: finds what is there, makes what is not, stops at a rejection.

mod evaluation;
mod judge;
mod summaries;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fs_err as fs;
use serde_json::{Value, json};

use sluice_core::error::{CommonError, Error, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::seam::BatchTransform;
use sluice_core::spill::Scratch;
use sluice_delivery::{ModelPackage, Registry};
use sluice_evaluation::gate::Outcome;
use sluice_ingest::Dataset;
use sluice_quality::rules::RowCounts;
use sluice_storage::Location;
use sluice_transform::Transform;

use super::cache::{Store, latest_parts};
use super::chronicle::Chronicle;
use super::facts::{self, Facts};
use super::step_name::StepName;
use super::{RunOptions, RunReport, StepReport, StepState};
use crate::key::KeyParts;
use crate::spec::PipelineFile;
use crate::step;
use crate::step::evaluate::Evaluated;
use crate::step::kept_states::Reading;
use crate::step::train::TrainInputs;
use crate::step::transform::Fit;
use summaries::{dataset_summary, train_summary};

pub(super) struct Runner<'a> {
    file: &'a PipelineFile,
    options: &'a RunOptions,
    finished: &'a mut dyn FnMut(&StepReport),
    store: Store,
    earlier: BTreeMap<StepName, KeyParts>,
    /// The transform that was fitted in the scan of the statistics, until its step comes.
    fitted: Option<Fit>,
    /// What was counted for rules and keys in that scan, by subset, until validation comes.
    counted: BTreeMap<String, RowCounts>,
    /// The number of this run; none in a dry run.
    number: Option<u64>,
    /// The step that runs, and since when.
    current: Option<(StepName, Instant)>,
    report: RunReport,
    /// The records of the run; none in a dry run.
    chronicle: Option<Chronicle<'a>>,
}

/// How often a training by epochs notes how far it is.
const CHECKPOINTS: Duration = Duration::from_secs(60);

/// How a step is found, made and told.
struct Work<O, M, R, S, F> {
    name: StepName,
    parts: KeyParts,
    /// Its options, for the records.
    parameters: Value,
    open: O,
    make: M,
    /// What making it has read.
    reading: R,
    summary: S,
    /// What the records are told of it.
    facts: F,
}

impl<'a> Runner<'a> {
    pub(super) fn new(
        file: &'a PipelineFile,
        options: &'a RunOptions,
        recorded: Option<(u64, PathBuf, Chronicle<'a>)>,
        finished: &'a mut dyn FnMut(&StepReport),
    ) -> Self {
        let (number, folder, chronicle) = match recorded {
            Some((number, folder, chronicle)) => (Some(number), Some(folder), Some(chronicle)),
            None => (None, None, None),
        };
        Self {
            file,
            options,
            finished,
            store: Store::new(&options.out),
            earlier: latest_parts(&options.out.join("runs"), number),
            number,
            fitted: None,
            counted: BTreeMap::new(),
            current: None,
            report: RunReport {
                pipeline: file.spec.pipeline.clone(),
                folder,
                steps: Vec::new(),
                validation: None,
                evaluation: None,
                pushed: None,
                rejected_by: None,
            },
            chronicle,
        }
    }

    /// What was done, and the records of it.
    pub(super) fn finish(self) -> (RunReport, Option<Chronicle<'a>>) {
        (self.report, self.chronicle)
    }

    /// Tells that a step is done, and the records what it did.
    fn done(&mut self, step: StepReport, facts: Facts) {
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.finished(&step, facts);
        }
        self.tell(step);
    }

    fn tell(&mut self, step: StepReport) {
        (self.finished)(&step);
        self.report.steps.push(step);
    }

    /// A step begins with the first thing that is done for it, such as reading through its input; answers when.
    fn begin(&mut self, name: StepName) -> Instant {
        match self.current {
            Some((current, started)) if current == name => started,
            _ => {
                if !self.options.dry_run {
                    self.options.execution.progress.step(name.name());
                }
                if let Some(chronicle) = &mut self.chronicle {
                    chronicle.reached(name);
                }
                let started = Instant::now();
                self.current = Some((name, started));
                started
            }
        }
    }

    fn is_forced(&self, step: StepName) -> bool {
        self.options.from.is_some_and(|from| step >= from) || self.options.force.contains(&step)
    }

    /// Whether the artifact of a step is not there, or not wanted.
    fn is_missing(&self, name: StepName, parts: &KeyParts) -> Result<bool> {
        Ok(self.is_forced(name) || !self.store.path(name, &parts.key()?).exists())
    }

    fn transform_parts(&self, dataset: &Dataset) -> Result<KeyParts> {
        let spec = &self.file.spec;
        KeyParts::new()
            .with("dataset", dataset.artifact().digest())
            .with_options("options", &(&spec.transform, &spec.data.roles))
    }

    /// Where the states of spans are kept; data without spans have one state, which is as good as the artifact.
    fn states(&self, dataset: &Dataset) -> Option<PathBuf> {
        (!dataset.record().spans.is_empty()).then(|| self.store.root().to_owned())
    }

    /// Why a step whose artifact is not there (or not wanted) runs.
    fn reason(&self, name: StepName, parts: &KeyParts) -> String {
        if self.is_forced(name) {
            return "asked for".into();
        }
        match self.earlier.get(&name) {
            None => "it never ran".into(),
            Some(earlier) => parts.changes_since(earlier),
        }
    }

    /// Finds the artifact of a step, or makes it. `None` in a dry run when it would have to be made.
    fn step<T>(
        &mut self,
        work: Work<
            impl FnOnce(&Path) -> Result<T>,
            impl FnOnce(&Path, &Execution) -> Result<T>,
            impl FnOnce() -> Reading,
            impl FnOnce(&T) -> String,
            impl FnOnce(&T) -> Facts,
        >,
    ) -> Result<Option<T>> {
        let Work { name, parts, parameters, open, make, reading, summary, facts } = work;
        self.options.execution.cancel.check()?;
        let started = self.begin(name);
        if let Some(chronicle) = &mut self.chronicle {
            chronicle.planned(&parameters, &parts);
        }
        let path = self.store.path(name, &parts.key()?);
        let at_step = |error: Error| error.in_place(format!("step `{name}`"));
        let found = if path.exists() && !self.is_forced(name) { Some(open(&path)) } else { None };
        let mut report = StepReport {
            name,
            state: StepState::Cached,
            reason: String::new(),
            summary: String::new(),
            rows: 0,
            spans: None,
            duration: Duration::ZERO,
            artifact: Some(path.clone()),
            unusable_states: Vec::new(),
            made_from: parts.to_json(),
        };
        let value = match found {
            Some(Ok(value)) => value,
            // What is damaged is made again; what cannot be read now may be readable later.
            Some(Err(error)) if error.kind() == ErrorKind::Unavailable => return Err(at_step(error)),
            other => {
                report.reason = match other {
                    Some(_) => "its last result cannot be used".into(),
                    None => self.reason(name, &parts),
                };
                if self.options.dry_run {
                    report.state = StepState::WouldRun;
                    self.tell(report);
                    return Ok(None);
                }
                report.state = StepState::Ran;
                if let Some(chronicle) = &mut self.chronicle {
                    chronicle.running();
                }
                let execution = self.options.execution.clone().with_scratch(Scratch::beside(&path));
                let made = make(&path, &execution).map_err(|error| {
                    // An evaluation that failed has left its verdict.
                    if path.exists() {
                        let _ = self.link(name, &path);
                    }
                    at_step(error)
                })?;
                let reading = reading();
                (report.rows, report.spans, report.unusable_states) =
                    (reading.rows, reading.spans(), reading.unusable);
                made
            }
        };
        self.link(name, &path)?;
        report.summary = summary(&value);
        report.duration = started.elapsed();
        self.done(report, facts(&value));
        Ok(Some(value))
    }

    /// Links the artifact into the folder of the run, relative, so that the whole may move.
    fn link(&self, step: StepName, path: &Path) -> Result<()> {
        let (Some(folder), Some(name), Some(key)) = (&self.report.folder, step.folder(), path.file_name())
        else {
            return Ok(());
        };
        let target = Path::new("../../artifacts").join(name).join(key);
        let link = folder.join(name);
        Ok(fs::os::unix::fs::symlink(target, &link).map_err(CommonError::on("create", &link))?)
    }

    fn registry(&self) -> Result<Registry> {
        let name = &self.file.spec.pipeline;
        match &self.file.spec.push.registry {
            Some(url) if Location::is_remote(url) => {
                Registry::open(url, name, &self.options.execution.cancel)
            }
            Some(path) => Registry::in_folder(self.file.resolve(path), name),
            None => Registry::in_folder(self.options.out.join("registry"), name),
        }
    }

    /// All steps, and in a dry run those that would follow.
    pub(super) fn all_steps(&mut self) -> Result<()> {
        self.walk()?;
        let stopped =
            self.report.steps.last().filter(|step| step.state == StepState::WouldRun).map(|step| step.name);
        let Some(stopped) = stopped else { return Ok(()) };
        for name in StepName::ALL.into_iter().filter(|name| *name > stopped) {
            self.tell(StepReport {
                name,
                state: StepState::WouldRun,
                reason: format!("after `{stopped}`, if nothing is turned down"),
                summary: String::new(),
                rows: 0,
                spans: None,
                duration: Duration::ZERO,
                artifact: None,
                unusable_states: Vec::new(),
                made_from: Value::Null,
            });
        }
        Ok(())
    }

    fn walk(&mut self) -> Result<()> {
        if !self.options.dry_run {
            self.store.sweep();
        }
        let _ = self.begin(StepName::Ingest);
        // A column that is not there is found before the first row is read, not after the training.
        crate::check::check(self.file)
            .map_err(|error| error.in_place(format!("step `{}`", StepName::Ingest)))?;
        let Some(dataset) = self.ingested()? else { return Ok(()) };
        let Some(accepted) = self.judged(&dataset)? else { return Ok(()) };
        if !accepted {
            self.report.rejected_by = Some(StepName::Validate);
            return Ok(());
        }
        let Some(model) = self.trained(&dataset)? else { return Ok(()) };
        let Some(evaluated) = self.evaluated(&dataset, &model)? else { return Ok(()) };
        if evaluated.evaluation.verdict.outcome != Outcome::Pass {
            self.report.rejected_by = Some(StepName::Evaluate);
            return Ok(());
        }
        self.pushed(&model, &evaluated)
    }

    fn ingested(&mut self) -> Result<Option<Dataset>> {
        let file = self.file;
        let at_step = |error: Error| error.in_place(format!("step `{}`", StepName::Ingest));
        let execution = &self.options.execution;
        let options = step::ingest::options(file);
        let inputs = file.inputs();
        let opened = step::ingest::Inputs::open(&inputs, &options.key, execution).map_err(at_step)?;
        let mut parts = KeyParts::new().with_options("options", &options)?;
        match &inputs.query {
            None => {
                for (_, digest) in opened.digests() {
                    parts = parts.with("source", digest);
                }
            }
            Some(query) => {
                parts = parts.with_options("query", query)?;
                for (name, digest) in opened.digests() {
                    parts = parts.with(&format!("input {name}"), digest);
                }
            }
        }
        let rows = opened.rows();
        let read = facts::inputs(&opened.opened(&inputs), &inputs.base);
        if let Some(chronicle) = &mut self.chronicle {
            for port in &read {
                let part = match &inputs.query {
                    None => "source".to_owned(),
                    Some(_) => format!("input {}", port.channel),
                };
                chronicle.know(&part, port.clone());
            }
        }
        self.step(Work {
            name: StepName::Ingest,
            parts,
            parameters: json!({
                "options": options, "query": inputs.query, "inputs": inputs.inputs,
                "spans": inputs.spans.as_ref().map(ToString::to_string),
            }),
            open: Dataset::open,
            make: |target: &Path, execution: &Execution| opened.ingest(&options, target, execution),
            reading: || Reading::of_rows(rows),
            summary: dataset_summary,
            facts: |dataset: &Dataset| facts::dataset(dataset, &read),
        })
    }

    #[expect(clippy::too_many_lines, reason = "two steps, the second on what the first has made")]
    fn trained(&mut self, dataset: &Dataset) -> Result<Option<ModelPackage>> {
        let file = self.file;
        let spec = &file.spec;
        let dataset_digest = dataset.artifact().digest();
        let parts = self.transform_parts(dataset)?;
        let fitted = self.fitted.take();
        let shared = fitted.is_some();
        let (states, reading) = (self.states(dataset), RefCell::default());
        let transform = self.step(Work {
            name: StepName::Transform,
            parts,
            parameters: json!({"operations": spec.transform, "roles": spec.data.roles}),
            open: step::transform::open,
            make: |target: &Path, execution: &Execution| {
                let (spec, roles) = (&spec.transform, &spec.data.roles);
                let fit = match fitted {
                    Some(mut fit) => {
                        step::transform::check_lineage(spec, dataset, roles, execution)?;
                        fit.reading.rows = 0;
                        fit
                    }
                    None => step::transform::fit(spec, dataset, roles, states.as_deref(), execution)?,
                };
                reading.replace(fit.reading);
                step::transform::publish(fit.transform, dataset, target)
            },
            reading: || reading.take(),
            summary: |(transform, _): &(Transform, _)| {
                let space = transform.space();
                let summary = format!("{} features in {} columns", space.features.len(), space.width());
                if shared { summary + ", from the scan of the statistics" } else { summary }
            },
            facts: |(transform, _): &(Transform, _)| facts::transform(transform),
        })?;
        let Some((transform, artifact)) = transform else { return Ok(None) };
        let parts = KeyParts::new()
            .with("dataset", dataset_digest)
            .with("transform", artifact.digest())
            .with_options("options", &(&spec.train, &spec.data.roles, spec.onnx))?;
        let (states, reading) = (self.states(dataset), RefCell::default());
        self.step(Work {
            name: StepName::Train,
            parts,
            parameters: json!({"model": spec.train, "onnx": spec.onnx, "roles": spec.data.roles}),
            open: ModelPackage::open,
            make: |target: &Path, execution: &Execution| {
                let inputs = TrainInputs {
                    transform: (&transform, &artifact),
                    roles: &spec.data.roles,
                    onnx: spec.onnx,
                    // Sums serve a model that is solved from them.
                    states: states.as_deref().filter(|_| spec.train.folds().is_some()),
                    start: None,
                    checkpoints: Some(CHECKPOINTS),
                };
                let trained = step::train::train(&spec.train, dataset, inputs, target, execution)?;
                reading.replace(trained.reading);
                Ok(trained.package)
            },
            reading: || reading.take(),
            summary: train_summary,
            facts: facts::model,
        })
    }

    /// Registers the model; it is idempotent, so it is never cached.
    fn pushed(&mut self, model: &ModelPackage, evaluated: &Evaluated) -> Result<()> {
        let started = self.begin(StepName::Push);
        let mut report = StepReport {
            name: StepName::Push,
            state: StepState::WouldRun,
            reason: String::new(),
            summary: String::new(),
            rows: 0,
            spans: None,
            duration: Duration::ZERO,
            artifact: None,
            unusable_states: Vec::new(),
            made_from: Value::Null,
        };
        let mut facts = Facts::default();
        if !self.options.dry_run {
            let registry = self.registry()?;
            if let Some(chronicle) = &mut self.chronicle {
                // It has no key, since it is never cached; what it reads is the model and its verdict.
                let parts = KeyParts::default().with("model", "").with("blessing", "");
                chronicle.planned(&json!({"registry": self.file.spec.push.registry}), &parts);
                chronicle.running();
            }
            let pushed = step::push::push(&registry, model, &evaluated.evaluation.verdict)
                .map_err(|error| error.in_place(format!("step `{}`", StepName::Push)))?;
            report.state = StepState::Ran;
            report.summary = match &pushed {
                Some(pushed) if pushed.is_new => format!("registered as version {}", pushed.version),
                Some(pushed) => format!("already registered as version {}", pushed.version),
                None => "not registered".to_owned(),
            };
            facts = facts::push(model, pushed.as_ref());
            self.report.pushed = pushed;
        }
        report.duration = started.elapsed();
        self.done(report, facts);
        Ok(())
    }
}
