//! Evaluates a candidate against a baseline on the same rows, in one scan, and decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_core::error::{Error, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{State, fold};
use sluice_core::group::{GroupTables, Grouping, KeyPart};
use sluice_core::options::quoted;
use sluice_core::seam::{BatchSource, Predictor, Task};

use crate::curves::Curves;
use crate::error::EvaluationError;
use crate::evaluation::{Evaluation, MetricName, Resampled, SliceKey, SliceMetrics};
use crate::gate::{Comparison, Figures, Gate, Outcome, Reason, RuleName, SliceFigures, Verdict};
use crate::measure::{MeasureOptions, Measured, MeasuredSlice, Measures};
use crate::metric::{Metric, Side};
use crate::options::{CheckedOptions, EvaluateOptions};
use crate::tables::Tables;

/// What the candidate is compared with.
#[derive(Clone, Default)]
pub enum Baseline {
    /// Nothing: the first model.
    #[default]
    None,
    /// The model in production.
    Model(Arc<dyn Predictor>),
    /// There is one, but it cannot be compared; why.
    NotComparable(String),
}

impl std::fmt::Debug for Baseline {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Model(model) => formatter.debug_tuple("Model").field(&model.digest()).finish(),
            Self::NotComparable(reason) => formatter.debug_tuple("NotComparable").field(reason).finish(),
        }
    }
}

/// Evaluates `candidate` on all rows of `source`, and `baseline` on the same rows.
///
/// The label is the column that the candidate predicts. A baseline that predicts another label, reads a column
/// that the data lack, or fails on a row is *not comparable*: the verdict says why, and fails unless forced. (Only
/// when it fails on a row, the rows are read once more, without it.)
///
/// # Errors
/// Wrong options; a label or candidate prediction that is null, NaN or infinite, with its row; no rows; a slice
/// column that is absent or null throughout; what reading meets. For these, [`Verdict::of_error`] makes a verdict.
pub fn evaluate(
    source: &dyn BatchSource,
    candidate: &Arc<dyn Predictor>,
    baseline: &Baseline,
    options: &EvaluateOptions,
    execution: &Execution,
) -> Result<Evaluation> {
    let checked = options.check()?.for_task(&candidate.task())?;
    let baseline_digest = match baseline {
        Baseline::Model(model) => Some(model.digest().to_owned()),
        Baseline::None | Baseline::NotComparable(_) => None,
    };
    let baseline = match baseline {
        Baseline::Model(model) => match obstacle(source, candidate.as_ref(), model.as_ref()) {
            Some(reason) => Baseline::NotComparable(reason),
            None => Baseline::Model(Arc::clone(model)),
        },
        other => other.clone(),
    };
    let scan = |model: Option<&Arc<dyn Predictor>>| {
        let options = MeasureOptions {
            metrics: &checked.metrics,
            groupings: checked.groupings.clone(),
            weight: checked.weight.clone(),
            label_shift: checked.label_shift,
        };
        let measures = Measures::new(candidate, model, &options);
        let measures = match checked.resampling {
            Some(resampling) => measures.with_replicates(resampling, &checked.key),
            None => measures,
        };
        fold(source, &measures, execution)
    };
    let (state, baseline) = match &baseline {
        Baseline::Model(model) => match scan(Some(model)) {
            Err(error) if error.downcast_ref::<EvaluationError>().is_some_and(is_baseline) => {
                (scan(None)?, Baseline::NotComparable(told(&error)))
            }
            result => (result?, baseline),
        },
        Baseline::None | Baseline::NotComparable(_) => (scan(None)?, baseline),
    };
    if state.rows == 0 {
        return Err(EvaluationError::RowsMissing { source_name: source.name() }.into());
    }
    let models = Models { candidate: candidate.as_ref(), baseline: &baseline, baseline_digest };
    conclude(state, &models, &checked)
}

/// Why the baseline cannot be compared, as far as can be known before reading.
fn obstacle(source: &dyn BatchSource, candidate: &dyn Predictor, baseline: &dyn Predictor) -> Option<String> {
    if baseline.label() != candidate.label() {
        return Some(format!(
            "it predicts `{}`, the candidate predicts `{}`",
            baseline.label(),
            candidate.label()
        ));
    }
    let (own, theirs) = (candidate.task(), baseline.task());
    if own != theirs {
        return Some(format!("it predicts {}, the candidate {}", meaning(&theirs), meaning(&own)));
    }
    let missing = baseline.inputs().into_iter().find(|column| source.plan().column(column).is_none())?;
    Some(format!("it reads column `{missing}`, which {} does not have", source.name()))
}

/// What a model predicts, in words.
fn meaning(task: &Task) -> String {
    match task {
        Task::Regression => "a number".into(),
        Task::Binary { positive } => format!("the probability of `{}`", positive.as_deref().unwrap_or("1")),
        Task::MultiClass { classes } => {
            format!("the probabilities of {}", quoted(classes.iter().map(String::as_str)))
        }
    }
}

/// Whether the baseline does not fit the rows, as opposed to a bug here.
fn is_baseline(error: &EvaluationError) -> bool {
    match error {
        EvaluationError::BaselineFailed { source } => {
            matches!(source.kind(), ErrorKind::Usage | ErrorKind::Malformed)
        }
        _ => false,
    }
}

/// An error with its causes and places on one line.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    for cause in error.causes() {
        text.push_str(": ");
        text.push_str(&cause);
    }
    for place in error.places() {
        text.push_str(", in ");
        text.push_str(place);
    }
    text
}

/// The two sides of an evaluation.
struct Models<'a> {
    candidate: &'a dyn Predictor,
    baseline: &'a Baseline,
    baseline_digest: Option<String>,
}

/// From sums to figures to the verdict.
fn conclude(state: State<Measures>, models: &Models<'_>, checked: &CheckedOptions) -> Result<Evaluation> {
    let State { groups, rows, accumulator } = state;
    let mut slices = Vec::new();
    let measured: Measured = sluice_core::Accumulator::finish(accumulator);
    for (place, grouping) in measured.groupings().iter().enumerate() {
        for (number, key) in ordered_keys(&groups, grouping)? {
            let Some(slice) = measured.slice(place, number) else { continue };
            let of = |metric: &Arc<Metric>| figures(metric, &slice, measured.is_paired(), checked.alpha);
            let figures = checked.metrics.iter().map(of).collect();
            let key = SliceKey::new(grouping, &key);
            let name = (!grouping.is_overall()).then(|| key.to_string());
            let (rows, weight) = (slice.rows(), slice.weight());
            let shown = shown(&slice, measured.is_paired());
            slices.push((
                (key, shown),
                SliceFigures { grouping: grouping.clone(), name, rows, weight, figures },
            ));
        }
    }
    let (keys, figures): (Vec<_>, Vec<_>) = slices.into_iter().unzip();
    let verdict = judge(&figures, rows, models, checked);
    let slices = keys
        .into_iter()
        .zip(&figures)
        .map(|((key, (curves, tables)), slice)| SliceMetrics {
            curves,
            tables,
            ..SliceMetrics::new(key, slice, checked.alpha)
        })
        .collect();
    let metrics = checked
        .metrics
        .iter()
        .map(|metric| MetricName { name: metric.name.clone(), direction: metric.direction })
        .collect();
    Ok(Evaluation {
        label: models.candidate.label().into(),
        label_shift: checked.label_shift,
        metrics,
        slices,
        resampled: checked.resampling.map(|_| Resampled {
            intervals: checked.intervals,
            key: checked.key.clone(),
            rows_per_key: measured.rows_per_key(),
        }),
        verdict,
    })
}

/// The groups of a grouping by the text of their keys. A column without any value is an error.
fn ordered_keys(groups: &GroupTables, grouping: &Grouping) -> Result<Vec<(usize, Vec<KeyPart>)>> {
    let table = groups.table(grouping)?;
    for (index, column) in grouping.columns.iter().enumerate() {
        if table.keys().iter().all(|key| key.get(index) == Some(&KeyPart::Null)) {
            return Err(EvaluationError::SliceColumnEmpty { column: column.clone() }.into());
        }
    }
    let mut keys: Vec<(usize, Vec<KeyPart>)> = table.keys().iter().cloned().enumerate().collect();
    keys.sort_by_cached_key(|(_, key)| key.iter().map(ToString::to_string).collect::<Vec<_>>());
    Ok(keys)
}

/// The curves and tables of both models, by their names.
fn shown(slice: &MeasuredSlice<'_>, is_paired: bool) -> (BTreeMap<String, Curves>, BTreeMap<String, Tables>) {
    let (mut curves, mut tables) = (BTreeMap::new(), BTreeMap::new());
    let sides = [("candidate", Some(Side::Candidate)), ("baseline", is_paired.then_some(Side::Baseline))];
    for (name, side) in sides {
        let Some(side) = side else { continue };
        let (drawn, counted) = (slice.curves(side), slice.tables(side));
        if drawn != Curves::default() {
            curves.insert(name.to_owned(), drawn);
        }
        if !counted.is_empty() {
            tables.insert(name.to_owned(), counted);
        }
    }
    (curves, tables)
}

fn figures(metric: &Arc<Metric>, slice: &MeasuredSlice<'_>, is_paired: bool, alpha: f64) -> Figures {
    Figures {
        metric: Arc::clone(metric),
        candidate: slice.value(metric, Side::Candidate),
        interval: slice.interval(metric, Side::Candidate, alpha),
        baseline: is_paired.then(|| slice.value(metric, Side::Baseline)),
        change: is_paired.then(|| slice.change(metric)),
    }
}

fn judge(slices: &[SliceFigures], rows: u64, models: &Models<'_>, checked: &CheckedOptions) -> Verdict {
    let Models { candidate, baseline, baseline_digest } = models;
    let comparison = match baseline {
        Baseline::None => Comparison::NoBaseline,
        Baseline::Model(_) => Comparison::Compared,
        Baseline::NotComparable(_) => Comparison::NotComparable,
    };
    let forced = if comparison == Comparison::NotComparable { checked.force.clone() } else { None };
    let mut reasons = about_baseline(baseline, candidate.digest(), forced.as_deref(), rows);
    let gate = Gate {
        requirements: &checked.requirements,
        comparison,
        alpha: checked.alpha,
        forced: forced.is_some(),
    };
    reasons.extend(gate.reasons(slices));
    if checked.requirements.is_empty() {
        let text = "no bounds are set under `require`, so no figure was checked";
        reasons.push(Reason::about(RuleName::NoRequirement, rows, true, text.into()));
    }
    let outcome = if reasons.iter().all(|reason| reason.passed) { Outcome::Pass } else { Outcome::Fail };
    Verdict {
        outcome,
        comparison,
        candidate_digest: candidate.digest().into(),
        baseline_digest: baseline_digest.clone(),
        alpha: checked.alpha,
        rows,
        forced,
        reasons,
    }
}

/// What is to be said of the baseline before any figure.
fn about_baseline(
    baseline: &Baseline,
    candidate_digest: &str,
    forced: Option<&str>,
    rows: u64,
) -> Vec<Reason> {
    let (passed, text) = match (baseline, forced) {
        (Baseline::Model(model), _) if model.digest() == candidate_digest => {
            (true, "candidate and baseline are the same package, so nothing can change".into())
        }
        (Baseline::Model(_), _) => return Vec::new(),
        (Baseline::None, _) => (true, "there is no baseline; only the bounds of values apply".into()),
        (Baseline::NotComparable(reason), Some(why)) => {
            (true, format!("the baseline is not comparable: {reason}; forced: {why}"))
        }
        (Baseline::NotComparable(reason), None) => {
            (false, format!("the baseline is not comparable: {reason}"))
        }
    };
    vec![Reason::about(RuleName::Baseline, rows, passed, text)]
}
