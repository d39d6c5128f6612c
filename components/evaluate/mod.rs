//! `sluice evaluate`: metrics, slices, and the gate.

mod merge;
mod outputs;

use std::path::PathBuf;

use clap::Args;
use sluice_core::Result;
use sluice_core::error::CommonError;
use sluice_core::options::quoted;
use sluice_delivery::Registry;
use sluice_delivery::kubeflow::ArtifactType;
use sluice_evaluation::comparison::IntervalOptions;
use sluice_evaluation::gate::{Columns, RequirementOptions};
use sluice_evaluation::measure::Missing;
use sluice_evaluation::slice::weak::WeakSliceOptions;
use sluice_evaluation::{
    ContenderName, CustomMetric, EvaluateOptions, FairnessOptions, MetricEntry, OrderStatistics, Resampled,
};
use sluice_pipeline::eval_config::TakenOver;
use sluice_pipeline::spec::from_yaml;
use sluice_pipeline::step;
use sluice_pipeline::step::contender::{Contender, Entrants};
use sluice_pipeline::step::evaluate::{Compared, Evaluated};
use sluice_pipeline::step::evaluate_state::EvaluationState;

use crate::answer::Answer;
use crate::arguments::{MemoryArgument, SourceArguments, parse_missing};
use crate::data::Data;
use crate::executor::{Contract, Input, Output};
use crate::failure::ArgumentError;
use crate::pipeline_argument::PipelineArgument;
use crate::session::Session;
use crate::{tables, verdict};

mod predictions;

use predictions::{PredictionArguments, named};

pub(crate) const CONTRACT: Contract = Contract {
    command: "evaluate",
    inputs: &[
        Input { name: "dataset", kind: ArtifactType::Dataset, argument: "input", or_parameter: false },
        Input { name: "model", kind: ArtifactType::Model, argument: "model", or_parameter: false },
        Input { name: "baseline", kind: ArtifactType::Model, argument: "baseline", or_parameter: false },
    ],
    outputs: &[
        Output {
            name: "evaluation",
            kind: ArtifactType::Artifact,
            argument: Some("out"),
            help: "Metrics, slices and verdict",
        },
        METRICS,
        Output {
            name: "classification",
            kind: ArtifactType::ClassificationMetrics,
            argument: None,
            help: "Of a classifier, the curve of true and false positive rates",
        },
        Output {
            name: "summary",
            kind: ArtifactType::Markdown,
            argument: Some("markdown"),
            help: "The verdict, what speaks against the model, and the worst slices",
        },
        REPORT,
    ],
    results: &[verdict::BLESSED, verdict::BLESSING, verdict::OUTCOME, verdict::COMPARISON, verdict::REASONS],
    // A component without a model would take a missing artifact for one that was not meant.
    demands: &["model"],
    // Predictions in the data are described in the artifact `model`; `report` is the page. Metrics are accepted, states merged and tests listed where a file outlives the task.
    omits: &[
        "prediction",
        "contender_prediction",
        "against",
        "report",
        "update_accepted",
        "shard",
        "partial",
        "junit",
        "tfx_blessing",
    ],
    on_error: Some(verdict::of_error),
};

/// The overall metrics of an evaluation.
pub(crate) const METRICS: Output =
    Output { name: "metrics", kind: ArtifactType::Metrics, argument: None, help: "The overall metrics" };

/// The page of an evaluation, as an orchestrator shows it.
pub(crate) const REPORT: Output =
    Output { name: "report", kind: ArtifactType::Html, argument: None, help: "The page of the evaluation" };

const EXAMPLES: &str = "\
Examples:
  sluice evaluate dataset --model model --out evaluation --require '{metric: rmse, at_most: 60}'
  sluice evaluate dataset --model model --baseline old-model --out evaluation \\
      --slice sex --require '{metric: rmse, block_if_worse: 0.0, every: sex}'
  sluice evaluate dataset --model model --out evaluation --accept-any --slice '{column: fare, quantiles: 4}' \\
      --slice '{name: night, expression: \"hour < 6\"}' --slice '[night, {column: company, top: 10}]' \\
      --slice '{column: trip_start_timestamp, by: month}'
  sluice evaluate dataset --model model --pipeline pipeline.yaml --registry registry --name tips --out evaluation
  sluice evaluate scored.parquet --label tips --prediction new_score --baseline-prediction old_score \\
      --block-regressions --out evaluation
  sluice evaluate dataset --model model --baseline old-model --out evaluation --block-regressions \\
      --contender gbm=gbm.yaml --contender wide=models/wide
  sluice evaluate rows.parquet --out evaluation --baseline model --block-regressions \\
      --model '{label: tips, command: {run: [python, predict.py], columns: [miles, fare]}}'
  sluice evaluate dataset --model model --against accepted-metrics.json --slice sex --out evaluation \\
      --junit junit.xml --markdown summary.md
  sluice evaluate dataset --model model --require '{metric: rmse, at_most: 60}' --shard 2/5 --partial --out part-2
  sluice evaluate merge part-1 part-2 part-3 part-4 part-5 --out evaluation

Rules of `--require`: at_most, at_least (the value); change_at_most, change_at_least, relative_change_at_most,
relative_change_at_least (candidate - baseline, also as a share of the baseline); block_if_worse (blocks on proof of
harm, Holm-corrected over slices), prove_not_worse (passes on proof only), both also in percent of the baseline. Where:
overall, `every: COLUMN`, `where: {COLUMN: VALUE}`; `minimum_rows: N` with `if_fewer: skip` or `fail`. Metrics, unless
named: rmse, mse, mae, r2, mean_error of numbers; auc, log_loss, brier_score, accuracy, precision, recall, f1,
expected_calibration_error of two classes; accuracy, log_loss, macro_f1 of several; micro_f1, macro_f1, samples_f1,
subset_accuracy, hamming_loss, log_loss, label_ranking_average_precision of sets of labels. docs/metrics.md has all of them.";

/// Evaluate a model, by slices and against a baseline, and decide.
///
/// Candidate and baseline predict the same rows in one scan. Writes metrics and the verdict with every reason;
/// exit code 1 when the model fails.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct EvaluateArguments {
    #[command(subcommand)]
    action: Option<merge::EvaluateAction>,
    /// A data set made by `ingest`, or files with the label.
    #[arg(value_name = "INPUT", required = true)]
    input: Option<String>,
    /// The model to judge: a package; or the description of another model, as a YAML file or in braces.
    #[arg(long, value_name = "MODEL", required_unless_present = "prediction")]
    model: Option<String>,
    /// The model to compare with: a package or a description, as for `--model`.
    #[arg(long, value_name = "MODEL")]
    baseline: Option<String>,
    /// Measure this model too, on the same rows and in the same scan, as `NAME=MODEL`: a package or a description, as for
    /// `--model`; may be given several times. It has all metrics, slices and intervals and its change against the baseline;
    /// the verdict is about the candidate alone.
    #[arg(long, value_name = "NAME=MODEL")]
    contender: Vec<String>,
    #[command(flatten)]
    predictions: PredictionArguments,
    /// Compare with the model in production instead: the one that this registry (a folder or a URL) has as
    /// `latest-blessed`, if any.
    #[arg(
        long, value_name = "REGISTRY", requires = "name", conflicts_with_all = ["baseline", "baseline_prediction"]
    )]
    registry: Option<String>,
    /// The name of the model in the registry.
    #[arg(long, requires = "registry")]
    name: Option<String>,
    #[command(flatten)]
    accepted: outputs::AcceptedArguments,
    /// The folder of the artifact; an artifact that is there already is replaced when the new one is complete.
    #[arg(long, value_name = "FOLDER", required = true)]
    out: Option<PathBuf>,
    /// The subset of a data set to judge on; `eval` unless given.
    #[arg(long)]
    subset: Option<String>,
    /// Take metrics, slices and requirements of this pipeline file: its path, or its text.
    #[arg(long, value_name = "PIPELINE", conflicts_with_all = ["metric", "slice", "require", "block_regressions", "accept_any", "fairness", "alpha", "intervals", "order_statistics"])]
    pipeline: Option<PipelineArgument>,
    /// Take metrics, slices and thresholds of a configuration of TensorFlow Model Analysis (an `EvalConfig`, as text or
    /// JSON). What has no counterpart is refused by name.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pipeline", "metric", "slice", "require", "accept_any"])]
    eval_config: Option<PathBuf>,
    /// A metric to report, such as rmse, `precision(threshold=0.3)` or `{name: cost, expression: price * abs(prediction -
    /// label)}`; those of the task unless given.
    #[arg(long)]
    metric: Vec<String>,
    /// A slice to report: a column, several joined by commas, or YAML as in `evaluate.slices` of a pipeline file; may
    /// be given several times.
    #[arg(long, value_name = "COLUMNS")]
    slice: Vec<String>,
    /// The column with the weight of the rows; unless given, every row counts once, or as the
    /// roles of the pipeline file say.
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// A requirement, as in `evaluate.require` of a pipeline file; may be given several times.
    #[arg(long, value_name = "YAML")]
    require: Vec<String>,
    /// Require that no reported metric with a better direction is proven worse than the baseline's, overall and in every
    /// slice; all tests together keep the level.
    #[arg(long)]
    block_regressions: bool,
    /// Let any model pass: without a requirement, nothing is checked, which is no pass.
    #[arg(long, conflicts_with_all = ["require", "block_regressions"])]
    accept_any: bool,
    /// Compare the rates of groups: a column, or an entry of `evaluate.fairness` of a pipeline file; may be given
    /// several times.
    #[arg(long, value_name = "YAML")]
    fairness: Vec<String>,
    /// The level of every test.
    #[arg(long)]
    alpha: Option<f64>,
    /// What is done with rows in which the label, the weight or a prediction is missing: `refuse` (an error that names
    /// the row; unless given) or `exclude` (left out for all models, and counted).
    #[arg(long, value_name = "POLICY", value_parser = parse_missing)]
    missing: Option<Missing>,
    /// Also look for slices on which the model is bad, into `weak_slices.json`: options as in `evaluate.weak_slices` of a
    /// pipeline file, `{}` for the usual ones.
    #[arg(long, value_name = "YAML")]
    weak_slices: Option<String>,
    /// Where intervals come from: `analytic` unless given, `jackknife`, `bootstrap`, or as in
    /// `{bootstrap: {replicates: 500, seed: 1}}`.
    #[arg(long, value_name = "YAML")]
    intervals: Option<String>,
    /// Where metrics that follow from the order of scores, such as `auc`, come from: `exact` (unless given: rows are kept and
    /// put in order), or `histogram` or `{histogram: {bins: 1000}}` (ranges of scores are, with bounds beside each value).
    #[arg(long, value_name = "YAML")]
    order_statistics: Option<String>,
    /// A column whose values rows of one draw of the bootstrap or jackknife share; several make one key. The key of
    /// the data set unless given; without any, each row is drawn by itself.
    #[arg(long, value_name = "COLUMN")]
    key: Vec<String>,
    /// Let a baseline that cannot be compared not block, for this recorded reason.
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
    #[command(flatten)]
    outputs: outputs::OutputArguments,
    #[command(flatten)]
    state: merge::StateArguments,
    #[command(flatten)]
    pub(crate) memory: MemoryArgument,
    #[command(flatten)]
    source: SourceArguments,
}

impl EvaluateArguments {
    /// The options: those of a file, or as they are written, with what stands beside either; against accepted metrics,
    /// regressions are what is looked for unless something else is required.
    fn options(&self, taken: Option<&TakenOver>) -> Result<EvaluateOptions> {
        let base = match (taken, &self.pipeline) {
            (Some(taken), _) => taken.options.clone(),
            (None, Some(pipeline)) => {
                let file = pipeline.read()?;
                let (weight, key) = (file.spec.data.roles.weight, file.spec.data.roles.key);
                EvaluateOptions { weight, key, ..file.spec.evaluate.options }
            }
            (None, None) => self.written()?,
        };
        let mut options = EvaluateOptions {
            force: self.force.clone().or(base.force),
            weight: self.weight.clone().or(base.weight),
            missing: self.missing.unwrap_or(base.missing),
            weak_slices: self.weak_slices()?.or(base.weak_slices),
            alpha: self.alpha.unwrap_or(base.alpha),
            block_regressions: self.block_regressions || base.block_regressions,
            key: if self.key.is_empty() { base.key } else { self.key.clone() },
            ..base
        };
        for text in &self.fairness {
            options.fairness.push(from_yaml::<FairnessOptions>(text, "--fairness")?);
        }
        if let Some(text) = &self.intervals {
            options.intervals = from_yaml::<IntervalOptions>(text, "--intervals")?;
        }
        if let Some(text) = &self.order_statistics {
            options.order_statistics = from_yaml::<OrderStatistics>(text, "--order-statistics")?;
        }
        options.block_regressions |=
            self.accepted.is_given() && options.require.is_empty() && !options.accept_any;
        Ok(options)
    }

    /// The configuration of TensorFlow Model Analysis, if there is one; tells what of it is not needed.
    fn eval_config(&self, session: &Session) -> Result<Option<TakenOver>> {
        let Some(path) = &self.eval_config else { return Ok(None) };
        let text = fs_err::read_to_string(path).map_err(CommonError::on("read", path))?;
        let taken = TakenOver::read(&text, &path.display().to_string())?;
        for note in &taken.notes {
            session.printer.note(&format!("not needed: {note}"));
        }
        Ok(Some(taken))
    }

    /// What no file says.
    fn written(&self) -> Result<EvaluateOptions> {
        let entries = self.metric.iter().map(|text| metric(text)).collect::<Result<_>>()?;
        let (metrics, custom) = MetricEntry::split(entries);
        let require = self.require.iter().map(|text| Ok(from_yaml::<RequirementOptions>(text, "--require")?));
        Ok(EvaluateOptions {
            metrics,
            custom,
            slices: self.slice.iter().map(|text| slice(text)).collect::<Result<_>>()?,
            require: require.collect::<Result<_>>()?,
            accept_any: self.accept_any,
            ..EvaluateOptions::default()
        })
    }
}

impl EvaluateArguments {
    /// The model to judge.
    fn candidate(&self) -> Result<Contender> {
        match (&self.model, self.predictions.candidate()?) {
            (_, Some(columns)) => Ok(columns),
            (Some(place), None) => Contender::open(place),
            // clap asks for one of them.
            (None, None) => Err(CommonError::Internal("no model is named".into()).into()),
        }
    }

    /// The models that are measured beside it.
    fn contenders(&self) -> Result<Vec<(String, Contender)>> {
        let mut contenders = Vec::new();
        for text in &self.contender {
            let (name, place) = named("--contender", text, "gbm=models/gbm")?;
            let opened =
                Contender::open(place).map_err(|error| error.in_place(format!("contender `{name}`")))?;
            contenders.push((name.to_owned(), opened));
        }
        contenders.extend(self.predictions.contenders()?);
        ContenderName::check(contenders.iter().map(|(name, _)| name.as_str()))?;
        Ok(contenders)
    }

    fn weak_slices(&self) -> Result<Option<WeakSliceOptions>> {
        Ok(self.weak_slices.as_ref().map(|text| from_yaml(text, "--weak-slices")).transpose()?)
    }

    /// The model to compare with.
    fn baseline(&self, session: &Session) -> Result<Option<Contender>> {
        let (Some(registry), Some(name)) = (&self.registry, &self.name) else {
            return match (&self.baseline, self.predictions.baseline()?) {
                (_, Some(columns)) => Ok(Some(columns)),
                (place, None) => place.as_deref().map(Contender::open).transpose(),
            };
        };
        let Some((version, model)) =
            Registry::open(registry, name, &session.execution.cancel)?.latest_blessed()?
        else {
            session.printer.message("no baseline yet: the registry has no version of this model");
            return Ok(None);
        };
        session.printer.message(&format!("against version {version}"));
        Ok(Some(model.into()))
    }
}

/// What is to be known where rows are not drawn one by one.
fn clustered(resampled: &Resampled) -> Option<String> {
    let rows = resampled.rows_per_key.filter(|_| resampled.is_clustered())?;
    let key = quoted(resampled.key.iter().map(String::as_str));
    Some(format!("{key} repeats, in {rows:.3} rows on average: rows of one key are drawn together"))
}

/// A metric by its name, or one of the user's own.
fn metric(text: &str) -> Result<MetricEntry> {
    if text.trim_start().starts_with('{') {
        return Ok(MetricEntry::Custom(from_yaml::<CustomMetric>(text, "--metric")?));
    }
    Ok(MetricEntry::Name(text.to_owned()))
}

/// The columns of a slice. YAML says what commas cannot: names with a comma in them, buckets, expressions.
fn slice(text: &str) -> Result<Columns> {
    if text.trim_start().starts_with(['[', '{']) {
        return Ok(from_yaml(text, "--slice")?);
    }
    Ok(Columns(text.split(',').map(|column| column.trim().into()).collect()))
}

pub(crate) fn run(arguments: &EvaluateArguments, session: &Session) -> Result<Answer> {
    if let Some(merge::EvaluateAction::Merge(arguments)) = &arguments.action {
        return merge::run(arguments, session);
    }
    // The parser demands them, unless there is another task.
    let (Some(input), Some(out)) = (&arguments.input, &arguments.out) else {
        let hint = "judge a model: `sluice evaluate INPUT --model MODEL --out FOLDER`";
        return Err(ArgumentError::new("data and a folder are demanded", hint).into());
    };
    arguments.predictions.check()?;
    let taken = arguments.eval_config(session)?;
    let mut options = arguments.options(taken.as_ref())?;
    options.check()?;
    let candidate = arguments.candidate()?;
    if let Some(taken) = &taken {
        taken.check_label(candidate.label())?;
    }
    let contenders = arguments.contenders()?;
    let models = Entrants { candidate: &candidate, contenders: &contenders };
    let baseline = arguments.baseline(session)?;
    let accepted = arguments.accepted.read(session)?;
    let compared = match &accepted {
        Some(accepted) => Compared::Accepted(accepted),
        None => baseline.as_ref().into(),
    };
    let data = Data::open(input, &arguments.source, session)?;
    if options.key.is_empty() {
        options.key = data.key();
    }
    let (source, digest) = data.rows(arguments.subset.as_deref(), session)?;
    let execution = &session.execution;
    if arguments.state.partial {
        let what = (arguments.state.shard(), execution);
        let state = EvaluationState::of_shard(&source, &digest, models, compared, &options, what)?;
        return merge::published(&state, out, session);
    }
    let evaluated = step::evaluate::evaluate(&source, &digest, models, compared, &options, out, execution);
    let evaluated = match evaluated {
        Ok(evaluated) => evaluated,
        Err(error) => {
            let verdict = step::evaluate::verdict_of_error(&candidate, &options, &error);
            arguments.outputs.write_failure(&verdict, &error, session);
            return Err(error);
        }
    };
    arguments.outputs.write(&evaluated)?;
    arguments.accepted.accept(&evaluated.evaluation, accepted.is_some(), session)?;
    told(&evaluated, session)
}

/// Prints an evaluation, and answers with its verdict.
fn told(evaluated: &Evaluated, session: &Session) -> Result<Answer> {
    let evaluation = &evaluated.evaluation;
    let (weak, page) = (evaluated.weak_slices()?, evaluated.page()?);
    if let Some(note) = evaluation.resampled.as_ref().and_then(clustered) {
        session.printer.note(&note);
    }
    session.printer.result(evaluation, || {
        let weak = weak.as_ref().map_or_else(String::new, |weak| format!("\n{}", tables::weak_slices(weak)));
        let verdict = tables::verdict(&evaluation.verdict, session.printer);
        format!("{}{}{weak}\n{verdict}", tables::metrics(evaluation), tables::fairness(evaluation))
    });
    Ok(verdict::of_evaluation(evaluation, page))
}
