//! `sluice should-retrain`: whether a model should be trained again, for a scheduler.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use sluice_core::Result;
use sluice_core::artifact::{Artifact, write_whole};
use sluice_core::error::CommonError;
use sluice_delivery::kubeflow::{ArtifactType, ParameterType};
use sluice_delivery::registry::parse_age;
use sluice_delivery::{LATEST_BLESSED, Registry};
use sluice_pipeline::ledger::Ledger;
use sluice_pipeline::retrain::{Evidence, LastTraining, RetrainOptions, RetrainRecord};
use sluice_pipeline::step::drift::{DRIFT_KIND, DRIFT_VERSION, DriftRecord};
use sluice_pipeline::step::evaluate::open_verdict;

use crate::answer::Answer;
use crate::executor::{Contract, Input, Outcome, Output};
use crate::printer::Printer;
use crate::session::{Exit, Session};

/// Reasons that an orchestrator is told at most; the artifact has all of them.
const REASONS_TOLD: usize = 100;

pub(crate) const CONTRACT: Contract = Contract {
    command: "should-retrain",
    inputs: &[
        Input { name: "drift", kind: ArtifactType::Artifact, argument: "drift", or_parameter: false },
        Input {
            name: "prediction_drift",
            kind: ArtifactType::Artifact,
            argument: "prediction_drift",
            or_parameter: false,
        },
        Input {
            name: "evaluation",
            kind: ArtifactType::Artifact,
            argument: "evaluation",
            or_parameter: false,
        },
    ],
    outputs: &[
        Output {
            name: "retraining",
            kind: ArtifactType::Artifact,
            argument: Some("out"),
            help: "The verdict with everything that was looked at, as JSON and Markdown",
        },
        Output {
            name: "summary",
            kind: ArtifactType::Markdown,
            argument: Some("markdown"),
            help: "The verdict and its reasons",
        },
    ],
    results: &[
        Outcome {
            name: "retrain",
            kind: ParameterType::Boolean,
            help: "Whether the model should be trained again",
        },
        Outcome {
            name: "decision",
            kind: ParameterType::Text,
            help: "RETRAIN, KEEP, or ERROR, for conditions on texts",
        },
        Outcome { name: "reasons", kind: ParameterType::List, help: "Why, one sentence each" },
    ],
    demands: &[],
    // What a ledger tells lies on one machine.
    omits: &["ledger", "pipeline"],
    on_error: Some(|error| answer(Exit::Rejected, "ERROR", vec![error.to_string()])),
};

const EXAMPLES: &str = "\
Examples:
  sluice should-retrain --drift drift --max-drifted-columns 2
  sluice should-retrain --drift drift --evaluation evaluation --registry registry --name tips --max-age 30d
  sluice should-retrain --ledger sluice-runs/tips --max-age 7d --new-rows 125000 --max-new-share 0.2 --json
  sluice should-retrain --prediction-drift predictions-drift --evaluation evaluation --markdown why.md --out verdict

In a scheduler's shell:
  sluice should-retrain --drift drift --ledger runs/tips --max-age 30d
  case $? in 0) ;; 1) sluice run pipeline.yaml ;; *) exit 1 ;; esac";

/// Tell whether a model should be trained again, and why.
///
/// Reasons are columns that drifted, drift of the label or of predictions, an evaluation with new labelled rows that
/// fails, the age of the model, and rows that it has not seen; each is told with its value and its bound. Exit code 0:
/// no reason; 1: train again; others: nothing could be decided.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ShouldRetrainArguments {
    /// What `sluice drift --out` wrote: its alarms are reasons. May be given several times.
    #[arg(long, value_name = "FOLDER")]
    drift: Vec<PathBuf>,
    /// The same of predictions, every column of which is one. May be given several times.
    #[arg(long, value_name = "FOLDER")]
    prediction_drift: Vec<PathBuf>,
    /// What `sluice evaluate --out` wrote about the model in production with new labelled rows: requirements that are
    /// not met are reasons. May be given several times.
    #[arg(long, value_name = "FOLDER")]
    evaluation: Vec<PathBuf>,
    /// The registry of the model in production, a folder or a URL: its version tells when it was registered, and on how
    /// many rows it was trained. A model of which nothing is registered is to be trained.
    #[arg(long, value_name = "REGISTRY", requires = "name", conflicts_with = "ledger")]
    registry: Option<String>,
    /// Its name there.
    #[arg(long, value_name = "NAME", requires = "registry")]
    name: Option<String>,
    /// Its version there, or an alias.
    #[arg(long, value_name = "VERSION", default_value = LATEST_BLESSED)]
    version: String,
    /// The folder that `sluice run` writes to, in place of a registry: the newest accepted run in its ledger tells.
    #[arg(long, value_name = "FOLDER")]
    ledger: Option<PathBuf>,
    /// The pipeline, where a ledger has several.
    #[arg(long, value_name = "NAME", requires = "ledger")]
    pipeline: Option<String>,
    /// Feature columns of a drift report that may have alarms.
    #[arg(long, value_name = "N", default_value_t = 0)]
    max_drifted_columns: u64,
    /// The greatest age of the model: `30d`, `12h`.
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    max_age: Option<Duration>,
    /// Rows that the model has not seen; those of the current side of the first drift report unless given.
    #[arg(long, value_name = "N")]
    new_rows: Option<u64>,
    /// The most rows that the model has not seen.
    #[arg(long, value_name = "N")]
    max_new_rows: Option<u64>,
    /// The most rows that it has not seen, per row that it was trained on.
    #[arg(long, value_name = "SHARE")]
    max_new_share: Option<f64>,
    /// A file for the verdict in Markdown; the artifact has one too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// The folder of the artifact; without, the verdict is only printed.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

/// Names and digests of what a verdict is made from.
type Inputs = Vec<(String, String)>;

impl ShouldRetrainArguments {
    fn evidence(&self, session: &Session) -> Result<(Evidence, Inputs)> {
        let mut inputs = Inputs::new();
        let mut drift = |paths: &[PathBuf], name: &str| -> Result<Vec<(String, DriftRecord)>> {
            let mut found = Vec::new();
            for (index, path) in paths.iter().enumerate() {
                let digest = Artifact::open(path, DRIFT_KIND, DRIFT_VERSION)?.digest().to_owned();
                inputs.push((numbered(name, index), digest));
                found.push((shown(path), DriftRecord::open(path)?));
            }
            Ok(found)
        };
        let (features, predictions) =
            (drift(&self.drift, "drift")?, drift(&self.prediction_drift, "prediction_drift")?);
        let mut evaluations = Vec::new();
        for (index, path) in self.evaluation.iter().enumerate() {
            let (verdict, artifact) = open_verdict(path)?;
            inputs.push((numbered("evaluation", index), artifact.digest().to_owned()));
            evaluations.push((shown(path), verdict));
        }
        let training = self.training(session)?;
        let model = training.iter().filter(|training| !training.digest.is_empty());
        inputs.extend(model.map(|training| ("model".to_owned(), training.digest.clone())));
        let evidence = Evidence {
            drift: features,
            prediction_drift: predictions,
            evaluations,
            training,
            new_rows: self.new_rows,
        };
        Ok((evidence, inputs))
    }

    fn training(&self, session: &Session) -> Result<Option<LastTraining>> {
        if let (Some(place), Some(name)) = (&self.registry, &self.name) {
            let registry = Registry::open(place, name, &session.execution.cancel)?;
            let with_rows = self.max_new_share.is_some();
            let place = format!("{name} in {}", registry.place());
            return LastTraining::of_registry(&registry, &place, &self.version, with_rows).map(Some);
        }
        let of_ledger = |folder: &PathBuf| {
            LastTraining::of_ledger(&Ledger::open(folder)?, &shown(folder), self.pipeline.as_deref())
        };
        self.ledger.as_ref().map(of_ledger).transpose()
    }

    fn options(&self) -> RetrainOptions {
        RetrainOptions {
            max_drifted_columns: self.max_drifted_columns,
            max_age_seconds: self.max_age.map(|age| age.as_secs()),
            max_new_rows: self.max_new_rows,
            max_new_share: self.max_new_share,
        }
    }
}

/// The name of one of several inputs.
fn numbered(name: &str, index: usize) -> String {
    if index == 0 { name.to_owned() } else { format!("{name}_{}", index + 1) }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn run(arguments: &ShouldRetrainArguments, session: &Session) -> Result<Answer> {
    let (evidence, inputs) = arguments.evidence(session)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_err(|_| CommonError::Internal("the clock stands before 1970".into()))?;
    let record = RetrainRecord::new(&evidence, arguments.options(), now)?;
    if let Some(path) = &arguments.markdown {
        write_whole(path, record.markdown().as_bytes())?;
    }
    if let Some(out) = &arguments.out {
        record.publish(&inputs, out)?;
    }
    session.printer.result(&record, || text(&record, session.printer));
    let reasons: Vec<String> = record.reasons().map(|check| check.text.clone()).collect();
    let (exit, decision) = if record.retrain { (Exit::Rejected, "RETRAIN") } else { (Exit::Done, "KEEP") };
    Ok(answer(exit, decision, reasons).metadata("retraining", "retrain", record.retrain))
}

fn answer(exit: Exit, decision: &str, mut reasons: Vec<String>) -> Answer {
    let rest = reasons.len().saturating_sub(REASONS_TOLD);
    reasons.truncate(REASONS_TOLD);
    if rest > 0 {
        reasons.push(format!("and {rest} more, in the artifact"));
    }
    Answer::new(exit)
        .parameter("retrain", decision == "RETRAIN")
        .parameter("decision", decision)
        .parameter("reasons", reasons)
}

fn text(record: &RetrainRecord, printer: Printer) -> String {
    let word = if record.retrain { "RETRAIN" } else { "KEEP" };
    let (reasons, checks) = (record.reasons().count(), record.checks.len());
    format!(
        "{}{}  {reasons} reasons in {checks} checks\n",
        record.text(),
        printer.verdict(!record.retrain, word)
    )
}
