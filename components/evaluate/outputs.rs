//! What `sluice evaluate` writes beside its artifact, and the accepted metrics that it compares with.

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::artifact::write_whole;
use sluice_core::error::{CommonError, Error, ErrorKind};
use sluice_evaluation::Evaluation;
use sluice_evaluation::gate::{Outcome, Verdict};
use sluice_pipeline::step::evaluate::{AcceptedMetrics, Evaluated, METRICS_FILE};
use sluice_pipeline::step::evaluation_page;
use sluice_pipeline::step::evaluation_reports::{summary, verdict_junit, verdict_summary};
use sluice_pipeline::step::tfx::write_blessing;

use crate::session::Session;

/// Files that CI systems and TFX read.
#[derive(Debug, Args)]
pub(crate) struct OutputArguments {
    /// A file for the results in the XML of `JUnit`, a test per requirement and slice; the artifact has one too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// A file for a summary in Markdown, as a comment on a pull request; the artifact has one too.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// A file for the page of the evaluation; the artifact has one too.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// A folder for the marker that Evaluator of TFX leaves for its Pusher: an empty file `BLESSED` if the model passes, else
    /// `NOT_BLESSED`.
    #[arg(long, value_name = "FOLDER")]
    tfx_blessing: Option<PathBuf>,
}

impl OutputArguments {
    /// Writes them.
    pub(super) fn write(&self, evaluated: &Evaluated) -> Result<()> {
        let evaluation = &evaluated.evaluation;
        if let Some(path) = &self.report {
            write_whole(path, &evaluated.page()?)?;
        }
        self.write_texts(&evaluation.verdict, || summary(evaluation))
    }

    /// Writes what can be said of an evaluation that failed, unless it was stopped; what fails here is no reason to forget
    /// the first error.
    pub(super) fn write_failure(&self, verdict: &Verdict, error: &Error, session: &Session) {
        if matches!(error.kind(), ErrorKind::Interrupted(_)) {
            return;
        }
        if let Err(other) = self.write_verdict(verdict) {
            session.printer.note(&other.to_string());
        }
    }

    fn write_verdict(&self, verdict: &Verdict) -> Result<()> {
        if let Some(path) = &self.report {
            write_whole(path, evaluation_page::page_of_error(verdict).as_bytes())?;
        }
        self.write_texts(verdict, || verdict_summary(verdict))
    }

    fn write_texts(&self, verdict: &Verdict, markdown: impl Fn() -> String) -> Result<()> {
        if let Some(path) = &self.junit {
            write_whole(path, verdict_junit(verdict).as_bytes())?;
        }
        if let Some(path) = &self.markdown {
            write_whole(path, markdown().as_bytes())?;
        }
        if let Some(folder) = &self.tfx_blessing {
            write_blessing(verdict.outcome == Outcome::Pass, &verdict.candidate_digest, folder)?;
        }
        Ok(())
    }
}

/// Metrics that an earlier model was accepted with.
#[derive(Debug, Args)]
pub(crate) struct AcceptedArguments {
    /// Compare with the metrics of an accepted evaluation, without its model: its `metrics.json`, or its folder. Fails on
    /// regressions beyond noise, in all metrics and slices unless `--require` says other. Where there is no such file yet,
    /// nothing is compared, and a model that passes makes it.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["baseline", "baseline_prediction", "registry", "partial"])]
    against: Option<PathBuf>,
    /// Replace the file of `--against` by the new metrics where the model passes.
    #[arg(long, requires = "against")]
    update_accepted: bool,
}

impl AcceptedArguments {
    /// Whether there are to be any.
    pub(super) fn is_given(&self) -> bool {
        self.against.is_some()
    }

    /// The metrics, if there are any yet.
    pub(super) fn read(&self, session: &Session) -> Result<Option<AcceptedMetrics>> {
        let Some(path) = &self.against else { return Ok(None) };
        if !path.exists() {
            session.printer.message(&format!("no accepted metrics yet: `{}` is not there", path.display()));
            return Ok(None);
        }
        AcceptedMetrics::read(path).map(Some)
    }

    /// Accepts the metrics of a model that passed, if there were none yet or they are to be replaced.
    pub(super) fn accept(&self, evaluation: &Evaluation, had_any: bool, session: &Session) -> Result<()> {
        let Some(path) = &self.against else { return Ok(()) };
        if evaluation.verdict.outcome != Outcome::Pass || (had_any && !self.update_accepted) {
            return Ok(());
        }
        let path = if path.is_dir() { path.join(METRICS_FILE) } else { path.clone() };
        let mut bytes = serde_json::to_vec_pretty(evaluation)
            .map_err(|error| CommonError::Internal(error.to_string()))?;
        bytes.push(b'\n');
        write_whole(&path, &bytes)?;
        session.printer.message(&format!("accepted metrics are in `{}`", path.display()));
        Ok(())
    }
}
