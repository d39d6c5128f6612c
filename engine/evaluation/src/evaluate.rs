//! Evaluates a candidate against a baseline on the same rows, in one scan, and decides.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_core::error::{CommonError, ErrorKind, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{State, fold};
use sluice_core::group::{GroupTables, Grouping, KeyPart};
use sluice_core::seam::BatchSource;

use crate::accepted::Accepted;
use crate::curves::Curves;
use crate::entrants::{Baseline, Entrants, against, told};
use crate::error::EvaluationError;
use crate::evaluation::{
    ContenderMetrics, Evaluation, LeftOut, MetricName, Resampled, SliceKey, SliceMetrics,
};
use crate::fairness;
use crate::gate::{Comparison, Figures, Gate, Outcome, Reason, RuleName, SliceFigures, Verdict};
use crate::measure::{MeasureOptions, Measured, MeasuredSlice, Measures};
use crate::metric::{Metric, Side};
use crate::options::{CheckedOptions, EvaluateOptions};
use crate::slice::SliceNames;
use crate::subject::{Against, ContenderName, Subject};
use crate::tables::Tables;

/// Evaluates the candidate on all rows of `source`, and `baseline` and contenders on the same rows, in the same scan.
///
/// Every model has all metrics in all slices, and its change against the baseline; the verdict is about the candidate
/// alone. The label is the column that the candidate predicts. A baseline that predicts another label, reads a column
/// that the data lack, or fails on a row is *not comparable*: the verdict says why, and fails unless forced. (Only
/// when it fails on a row, the rows are read once more, without it.)
///
/// # Errors
/// Wrong options; a label or prediction of candidate or contender that is null, NaN or infinite, with its row; a contender
/// that predicts something else or reads a column that the data lack, or fails on a row; no rows; a slice column
/// that is absent or null throughout; what reading meets. For these, [`Verdict::of_error`] makes a verdict.
pub fn evaluate<'a>(
    source: &dyn BatchSource,
    models: impl Into<Entrants<'a>>,
    baseline: &Baseline,
    options: &EvaluateOptions,
    execution: &Execution,
) -> Result<Evaluation> {
    let models = models.into();
    let (measures, mut subject) = prepare(source, models, baseline, options, execution)?;
    let state = match fold(source, &measures, execution) {
        Err(error) if error.downcast_ref::<EvaluationError>().is_some_and(is_baseline) => {
            let against = Against::NotComparable { digest: subject.baseline_digest(), reason: told(&error) };
            let (measures, alone) = prepare(source, models, &Baseline::None, options, execution)?;
            subject = Subject { against, ..alone };
            fold(source, &measures, execution)?
        }
        state => state?,
    };
    if state.rows == 0 {
        return Err(EvaluationError::RowsMissing { source_name: source.name() }.into());
    }
    conclude(state, &subject, options, execution)
}

/// What is to be gathered of the rows, and about whom: what [`evaluate`] folds and [`conclude`] decides on, for those who
/// share the rows among machines. An accumulator per model but the baseline, the candidate's first; then those of the
/// contenders of the subject.
///
/// # Errors
/// Wrong options, contenders that do not fit, and what reading meets where slices follow from the rows.
pub fn prepare<'a>(
    source: &dyn BatchSource,
    models: impl Into<Entrants<'a>>,
    baseline: &Baseline,
    options: &EvaluateOptions,
    execution: &Execution,
) -> Result<(Vec<Measures>, Subject)> {
    let models = models.into();
    let candidate = models.candidate;
    let checked = options.check()?.for_task(&candidate.task())?.bound(source.plan())?;
    let contenders = models.contenders_for(source)?;
    let slicing = checked.slices.resolve(source, (checked.weight.as_deref(), checked.missing), execution)?;
    let against = against(source, candidate.as_ref(), baseline);
    let model = match (baseline, &against) {
        (Baseline::Model(model), Against::Model { .. }) => Some(model),
        _ => None,
    };
    let options = MeasureOptions {
        metrics: &checked.metrics,
        groupings: checked.groupings.clone(),
        weight: checked.weight.clone(),
        missing: checked.missing,
        label_shift: checked.label_shift,
    };
    let subject = Subject {
        label: candidate.label().into(),
        task: candidate.task(),
        candidate_digest: candidate.digest().into(),
        against,
        contenders: contenders
            .iter()
            .map(|(name, model)| ContenderName { name: (*name).into(), digest: model.digest().into() })
            .collect(),
    };
    let names = || contenders.iter().map(|(name, _)| *name);
    let sliced = |measures: Measures| {
        let measures = measures.among(names()).with_slicing(&slicing);
        let measures = match checked.score_bins {
            Some(bins) => measures.with_score_bins(bins),
            None => measures,
        };
        match checked.resampling {
            Some(resampling) => measures.with_replicates(resampling, &checked.key),
            None => measures,
        }
    };
    let mut measures = vec![sliced(Measures::new(candidate, model, &options))];
    for (name, contender) in &contenders {
        measures.push(sliced(Measures::new(contender, model, &options).of_contender(name)));
    }
    Ok((measures, subject))
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

/// From what was gathered of all rows to the figures and the verdict.
///
/// # Errors
/// Wrong options; a slice column that is null throughout; no row in which nothing is missing.
pub fn conclude(
    state: State<Vec<Measures>>,
    subject: &Subject,
    options: &EvaluateOptions,
    execution: &Execution,
) -> Result<Evaluation> {
    let checked = options.check()?.for_task(&subject.task)?;
    let State { groups, rows, accumulator } = state;
    let accepted = Accepted::of(&subject.against);
    let mut finished = sluice_core::Accumulator::finish(accumulator).into_iter();
    let measured = finished.next().ok_or_else(|| CommonError::Internal("nothing was measured".into()))?;
    let excluded = measured.excluded().clone();
    let rows = rows - excluded.rows();
    if rows == 0 {
        return Err(EvaluationError::AllExcluded { excluded }.into());
    }
    let measured = measured.rank(execution)?;
    let mut others = Vec::new();
    for (contender, measured) in subject.contenders.iter().zip(finished) {
        others.push((contender.name.as_str(), measured.rank(execution)?));
    }
    let others: Vec<(&str, &Measured)> = others.iter().map(|(name, measured)| (*name, measured)).collect();
    let Sliced { slices, shown, left_out } =
        Sliced::of(&measured, &others, &groups, &checked, accepted.as_ref())?;
    let mut verdict = judge(&slices, &left_out, rows, subject, &checked);
    let overall = slices.iter().find(|slice| slice.key.is_overall());
    if let Some(text) = checked.order_statistics.told(overall) {
        verdict.reasons.insert(0, Reason::about(RuleName::Evaluation, rows, true, text));
    }
    if excluded.rows() > 0 {
        verdict.reasons.insert(0, Reason::about(RuleName::Evaluation, rows, true, excluded.to_string()));
    }
    let slices = slices
        .iter()
        .zip(shown)
        .map(|(slice, Shown { contenders, curves, tables })| SliceMetrics {
            contenders,
            curves,
            tables,
            ..SliceMetrics::new(slice.key.clone(), slice, checked.alpha)
        })
        .collect();
    let metrics = checked
        .metrics
        .iter()
        .map(|metric| MetricName { name: metric.name.clone(), direction: metric.direction })
        .collect();
    let fairness = fairness::assess(&measured, &others, &groups, &checked.fairness, checked.alpha)?;
    let verdict = fairness::judged(verdict, &checked.fairness, &fairness);
    Ok(Evaluation {
        label: subject.label.clone(),
        label_shift: checked.label_shift,
        excluded: (excluded.rows() > 0).then_some(excluded),
        metrics,
        contenders: subject.contenders.clone(),
        slices,
        left_out: left_out.into_iter().map(|(_, left_out)| left_out).collect(),
        resampled: checked.resampling.map(|_| Resampled {
            intervals: checked.intervals,
            key: checked.key.clone(),
            rows_per_key: measured.rows_per_key(),
        }),
        order_statistics: checked.order_statistics,
        verdict,
        fairness,
    })
}

/// The figures of all slices.
struct Sliced {
    slices: Vec<SliceFigures>,
    /// Of each slice.
    shown: Vec<Shown>,
    left_out: Vec<(Grouping, LeftOut)>,
}

impl Sliced {
    fn of(
        measured: &Measured,
        others: &[(&str, &Measured)],
        groups: &GroupTables,
        checked: &CheckedOptions,
        accepted: Option<&Accepted<'_>>,
    ) -> Result<Self> {
        let (mut slices, mut shown, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let mut num_slices = 0;
        for grouping in measured.groupings().iter().filter(|grouping| !grouping.is_overall()) {
            num_slices += groups.table(grouping)?.keys().len();
        }
        let is_few = num_slices <= DRAWN_SLICES;
        for (place, grouping) in measured.groupings().iter().enumerate() {
            let mut small = Small::new(grouping, checked.slices.minimum_rows(grouping));
            for (number, key) in ordered_keys(groups, grouping, measured.names())? {
                // A slice of which all rows are left out is none.
                let Some(slice) = measured.slice(place, number).filter(|slice| slice.rows() > 0) else {
                    continue;
                };
                if small.takes(&key, slice.rows()) {
                    continue;
                }
                let all = |slice: &MeasuredSlice<'_>| -> Vec<Figures> {
                    let of = |metric: &Arc<Metric>| {
                        let mut figures = figures(metric, slice, measured.is_paired(), checked.alpha);
                        if let Some(accepted) = accepted {
                            accepted.join(&mut figures, &key, slice.rows(), checked.alpha);
                        }
                        figures
                    };
                    checked.metrics.iter().map(of).collect()
                };
                let figures = all(&slice);
                let (rows, weight) = (slice.rows(), slice.weight());
                let is_drawn = is_few || grouping.is_overall();
                let mut of_slice = Shown::of(&slice, measured.is_paired(), is_drawn);
                for (name, measured) in others {
                    let Some(slice) = measured.slice(place, number) else { continue };
                    of_slice.show(name, &slice, Side::Candidate, is_drawn);
                    let metrics = ContenderMetrics::new(&all(&slice), checked.alpha);
                    of_slice.contenders.insert((*name).to_owned(), metrics);
                }
                shown.push(of_slice);
                slices.push(SliceFigures { grouping: grouping.clone(), key, rows, weight, figures });
            }
            left_out.extend(small.left_out());
        }
        Ok(Self { slices, shown, left_out })
    }
}

/// The groups of a grouping in the order of their keys. A column without any value is an error.
pub(crate) fn ordered_keys(
    groups: &GroupTables,
    grouping: &Grouping,
    names: &SliceNames,
) -> Result<Vec<(usize, SliceKey)>> {
    let table = groups.table(grouping)?;
    for (index, column) in grouping.columns.iter().enumerate() {
        let is_empty = table.keys().iter().all(|key| key.get(index) == Some(&KeyPart::Null));
        if is_empty && !names.is_computed(column) {
            return Err(EvaluationError::SliceColumnEmpty { column: column.clone() }.into());
        }
    }
    let mut keys: Vec<_> = table.keys().iter().map(|key| names.key(grouping, key)).enumerate().collect();
    keys.sort_by(|(_, (first, _)), (_, (second, _))| first.cmp(second));
    Ok(keys.into_iter().map(|(number, (_, key))| (number, key)).collect())
}

/// The slices of a slicing that are too small for it.
struct Small<'a> {
    grouping: &'a Grouping,
    minimum_rows: u64,
    /// With their rows.
    slices: Vec<(u64, SliceKey)>,
}

/// Slices that are left out are named, if they are no more than this; of more, the largest.
const NAMED_SLICES: usize = 20;

impl<'a> Small<'a> {
    fn new(grouping: &'a Grouping, minimum_rows: u64) -> Self {
        Self { grouping, minimum_rows, slices: Vec::new() }
    }

    /// Whether a slice is too small.
    fn takes(&mut self, key: &SliceKey, rows: u64) -> bool {
        let is_small = rows < self.minimum_rows;
        if is_small {
            self.slices.push((rows, key.clone()));
        }
        is_small
    }

    fn left_out(mut self) -> Option<(Grouping, LeftOut)> {
        // In the order of their keys where they have as many rows.
        self.slices.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
        let left_out = LeftOut {
            columns: self.grouping.columns.clone(),
            minimum_rows: self.minimum_rows,
            num_slices: self.slices.len() as u64,
            rows: self.slices.iter().map(|(rows, _)| rows).sum(),
            largest: self.slices.into_iter().take(NAMED_SLICES).map(|(_, key)| key).collect(),
        };
        (left_out.num_slices > 0).then(|| (self.grouping.clone(), left_out))
    }
}

/// Of more slices than these, calibration curves and matrices of several classes are of all rows only.
const DRAWN_SLICES: usize = 64;

/// What is shown of a slice that the gate does not look at: figures of contenders, and what plots and tables show, by
/// `candidate`, `baseline` and the names of contenders.
struct Shown {
    contenders: BTreeMap<String, ContenderMetrics>,
    curves: BTreeMap<String, Curves>,
    tables: BTreeMap<String, Tables>,
}

impl Shown {
    fn of(slice: &MeasuredSlice<'_>, is_paired: bool, is_drawn: bool) -> Self {
        let mut shown =
            Self { contenders: BTreeMap::new(), curves: BTreeMap::new(), tables: BTreeMap::new() };
        let sides = [("candidate", Side::Candidate), ("baseline", Side::Baseline)];
        for (name, side) in sides.into_iter().take(1 + usize::from(is_paired)) {
            shown.show(name, slice, side, is_drawn);
        }
        shown
    }

    /// Adds what plots and tables of a model show.
    fn show(&mut self, name: &str, slice: &MeasuredSlice<'_>, side: Side, is_drawn: bool) {
        let (mut curves, mut tables) = (slice.curves(side), slice.tables(side));
        if !is_drawn {
            curves.calibration.clear();
            tables.classes = None;
        }
        if curves != Curves::default() {
            self.curves.insert(name.to_owned(), curves);
        }
        if !tables.is_empty() {
            self.tables.insert(name.to_owned(), tables);
        }
    }
}

fn figures(metric: &Arc<Metric>, slice: &MeasuredSlice<'_>, is_paired: bool, alpha: f64) -> Figures {
    Figures {
        metric: Arc::clone(metric),
        candidate: slice.value(metric, Side::Candidate),
        interval: slice.interval(metric, Side::Candidate, alpha),
        bounds: slice.bounds(metric, Side::Candidate),
        baseline: is_paired.then(|| slice.value(metric, Side::Baseline)),
        baseline_interval: is_paired.then(|| slice.interval(metric, Side::Baseline, alpha)),
        baseline_bounds: slice.bounds(metric, Side::Baseline),
        change: is_paired.then(|| slice.change(metric)),
    }
}

fn judge(
    slices: &[SliceFigures],
    left_out: &[(Grouping, LeftOut)],
    rows: u64,
    subject: &Subject,
    checked: &CheckedOptions,
) -> Verdict {
    let comparison = subject.against.comparison();
    let forced = if comparison == Comparison::NotComparable { checked.force.clone() } else { None };
    let mut reasons: Vec<Reason> = about_baseline(subject, forced.as_deref(), rows).into_iter().collect();
    let gate = Gate {
        requirements: &checked.requirements,
        comparison,
        alpha: checked.alpha,
        forced: forced.is_some(),
    };
    reasons.extend(gate.reasons(slices));
    reasons.extend(
        left_out
            .iter()
            .filter_map(|(grouping, left_out)| about_left_out(grouping, left_out, slices, checked)),
    );
    reasons.extend(gate.about_checks(&reasons, checked.accept_any, rows));
    let outcome = if reasons.iter().all(|reason| reason.passed) { Outcome::Pass } else { Outcome::Fail };
    Verdict {
        outcome,
        comparison,
        candidate_digest: subject.candidate_digest.clone(),
        baseline_digest: subject.baseline_digest(),
        alpha: checked.alpha,
        rows,
        forced,
        reasons,
    }
}

/// What is to be said of slices that are required to be good, and too small to be judged: where there are no others,
/// nothing was judged.
fn about_left_out(
    grouping: &Grouping,
    left_out: &LeftOut,
    slices: &[SliceFigures],
    checked: &CheckedOptions,
) -> Option<Reason> {
    checked.requirements.iter().find(|requirement| requirement.place.grouping == *grouping)?;
    let is_judged = slices.iter().any(|slice| slice.grouping == *grouping);
    let nothing = if is_judged { "" } else { "; no slice is left to be judged" };
    let text = format!("{left_out}{nothing}");
    Some(Reason::about(RuleName::SlicesLeftOut, left_out.rows, is_judged, text))
}

/// What is to be said of the baseline before any figure.
fn about_baseline(subject: &Subject, forced: Option<&str>, rows: u64) -> Option<Reason> {
    let is_same = subject.baseline_digest().is_some_and(|digest| digest == subject.candidate_digest);
    let (passed, text) = match (&subject.against, forced) {
        (Against::Model { .. }, _) if is_same => {
            (true, "candidate and baseline are the same package, so nothing can change".into())
        }
        (Against::Model { .. }, _) => return None,
        (Against::Accepted(accepted), _) => (true, Accepted::told(accepted, is_same)),
        (Against::Nothing, _) => (true, "there is no baseline; only the bounds of values apply".into()),
        (Against::NotComparable { reason, .. }, Some(why)) => {
            (true, format!("the baseline is not comparable: {reason}; forced: {why}"))
        }
        (Against::NotComparable { reason, .. }, None) => {
            (false, format!("the baseline is not comparable: {reason}"))
        }
    };
    Some(Reason::about(RuleName::Baseline, rows, passed, text))
}
