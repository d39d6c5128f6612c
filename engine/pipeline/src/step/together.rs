//! What shares the scan of statistics: a transform that is fitted, rules over rows. The results are those of the steps
//! alone, bit by bit.

use std::collections::BTreeMap;
use std::path::Path;

use sluice_core::Accumulator;
use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::{Missing, Part, PartStates, Partial, State, fold, fold_kept};
use sluice_core::plan::PlanOptions;
use sluice_core::role::Roles;
use sluice_core::seam::BatchSource;
use sluice_ingest::Dataset;
use sluice_quality::rules::{RowChecks, RowCounts, RowScan};
use sluice_quality::statistics::{Statistics, StatisticsOptions, finish};
use sluice_transform::{Analysis, Fitter, TransformSpec};

use crate::step::TRAIN;
use crate::step::kept_states::Reading;
use crate::step::state::KeptStatistics;
use crate::step::statistics::{StatisticsRecord, spans_of};
use crate::step::transform::Fit;
use crate::step::transform_state::KeptAnalyses;

/// What shares the scan of statistics.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// A transform that is fitted on the training rows, and what columns are for.
    pub transform: Option<(&'a TransformSpec, &'a Roles)>,
    /// Rules and keys that are counted in the rows of every subset, and the columns shown with examples.
    pub rows: Option<(&'a RowChecks, &'a [String])>,
}

impl Beside<'_> {
    /// Whether anything does.
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.transform.is_some() || self.rows.is_some()
    }

    /// Its name in the progress.
    fn named(&self, subset: &str) -> String {
        let also = [(self.transform.is_some(), ", transform"), (self.rows.is_some(), ", rules")];
        let also: String = also.into_iter().filter_map(|(is_there, what)| is_there.then_some(what)).collect();
        format!("statistics of {subset}{also}")
    }
}

/// What one scan of a data set answered.
#[derive(Debug, Default)]
pub struct Together {
    /// The statistics.
    pub statistics: StatisticsRecord,
    /// What was read for them.
    pub reading: Reading,
    /// The fitted transform, where it was asked for and could share the scan.
    pub transform: Option<Fit>,
    /// What was counted for rules and keys in each subset, where they were asked for and could share the scan.
    pub rows: BTreeMap<String, RowCounts>,
}

/// The statistics of every subset, with what shares their scan: the rows are read once for all of it, and again only
/// where operations of the transform need constants of others first.
///
/// # Errors
/// What reading, fitting and evaluating meet; which of the steps it concerns, only running them alone tells.
pub fn together(
    dataset: &Dataset,
    options: &StatisticsOptions,
    beside: Beside<'_>,
    execution: &Execution,
) -> Result<Together> {
    let mut together = Together::default();
    for name in dataset.record().subsets.keys() {
        let source = dataset.subset(name, PlanOptions::default(), execution)?;
        let transform = beside.transform.filter(|_| name == TRAIN);
        together.add(name, (&source, None), options, Beside { transform, ..beside }, execution)?;
    }
    Ok(together.of(dataset))
}

/// As [`together`], or of one subset, with a folder of states: spans whose state is kept there are not read, and the
/// states of the others are kept there. Rules share the scan where it reads everything, and the transform where the
/// same spans are to be read for it; what does not share the scan is not in the answer.
///
/// # Errors
/// As [`together`]; `StateError` for a folder that is something else, and what keeping states meets.
pub fn together_kept(
    (dataset, subset): (&Dataset, Option<&str>),
    options: &StatisticsOptions,
    mut beside: Beside<'_>,
    states: &Path,
    execution: &Execution,
) -> Result<Together> {
    let mut work = Vec::new();
    let all = dataset.record().subsets.keys().map(String::as_str);
    for name in subset.map_or_else(|| all.collect(), |subset| vec![subset]) {
        let source = dataset.subset(name, PlanOptions::default(), execution)?;
        let mut statistics = KeptStatistics::new(states, (dataset, name), options, source.plan())?;
        let missing = statistics.kept.missing(source.plan());
        work.push((name, source, statistics, missing));
    }
    if work.iter().any(|(_, _, _, missing)| !missing.is_whole()) {
        beside.rows = None;
    }
    let mut together = Together::default();
    for (name, source, statistics, missing) in work {
        together.reading.set_aside(&statistics.kept);
        let mut kept = KeptTogether { statistics, analyses: None };
        if let Some(of) = beside.transform.filter(|_| name == TRAIN) {
            let mut analyses = KeptAnalyses::new(states, dataset, of, source.plan())?;
            let is_same = analyses.kept.missing(source.plan()).is_same(&missing);
            kept.analyses = is_same.then_some(analyses);
        }
        let transform = beside.transform.filter(|_| kept.analyses.is_some());
        let beside = Beside { transform, ..beside };
        together.add(name, (&source, Some((kept, missing))), options, beside, execution)?;
    }
    Ok(together.of(dataset))
}

/// As [`together`], of a source that is not shared out: one subset, `all`.
///
/// # Errors
/// As [`together`].
pub fn together_of_source(
    source: &dyn BatchSource,
    options: &StatisticsOptions,
    beside: Beside<'_>,
    execution: &Execution,
) -> Result<Together> {
    let mut together = Together::default();
    together.add("all", (source, None), options, beside, execution)?;
    Ok(together)
}

impl Together {
    /// Reads a subset once.
    fn add(
        &mut self,
        name: &str,
        (source, kept): (&dyn BatchSource, Option<(KeptTogether<'_>, Missing)>),
        options: &StatisticsOptions,
        beside: Beside<'_>,
        execution: &Execution,
    ) -> Result<()> {
        let plan = source.plan();
        let statistics = Statistics::new(options, &plan.columns)?.for_plan(plan);
        let fitter =
            beside.transform.map(|(spec, roles)| Fitter::new(spec, &plan.columns, roles)).transpose()?;
        let analysis = fitter.as_ref().map(Fitter::next_scan).transpose()?.flatten();
        let scan = beside.rows.map(|(checks, key)| checks.scan(plan, key));
        let all = (statistics, (analysis, scan.transpose()?));
        let (kept, missing) = match kept {
            Some((kept, missing)) => (Some(kept), missing),
            None => (None, Missing::new(plan, |_| false)),
        };
        execution.progress.begin(&beside.named(name), missing.extent(plan));
        let mut reading = Reading::default();
        let state = match kept {
            Some(mut kept) => {
                kept.analyses.iter().for_each(|analyses| reading.set_aside(&analyses.kept));
                fold_kept(source, &all, &missing, &mut kept, execution)?
            }
            None => fold(source, &all, execution)?,
        };
        execution.progress.end();
        self.reading.add(&missing);
        let State { groups, rows, accumulator: (statistics, (analysis, scan)) } = state;
        self.statistics.subsets.push(finish(name, State { groups, rows, accumulator: statistics }));
        if let Some(mut fitter) = fitter {
            analysis.map_or(Ok(()), |analysis| fitter.absorb(analysis))?;
            fitter.scan(source, execution)?;
            reading.add(&missing);
            self.transform = Some(Fit { transform: fitter.finish()?, reading });
        }
        if let Some(scan) = scan {
            self.rows.insert(name.to_owned(), scan.finish());
        }
        Ok(())
    }

    /// Names the spans.
    fn of(mut self, dataset: &Dataset) -> Self {
        for subset in &mut self.statistics.subsets {
            subset.spans = spans_of(dataset);
        }
        self
    }
}

/// What the accumulators of a shared scan are.
type Shared = (Statistics, (Option<Analysis>, Option<RowScan>));

/// The kept states of what shares a scan, each by itself.
struct KeptTogether<'a> {
    statistics: KeptStatistics<'a>,
    /// There where the transform shares the scan.
    analyses: Option<KeptAnalyses<'a>>,
}

impl PartStates<Shared> for KeptTogether<'_> {
    fn take(&mut self, part: &Part) -> Result<Partial<Shared>> {
        let statistics = self.statistics.take(part)?;
        match &self.analyses {
            None => Ok(statistics.map(|statistics| (statistics, (None, None)))),
            Some(analyses) => {
                let both = statistics.zip(analyses.take(part)?)?;
                Ok(both.map(|(statistics, analysis)| (statistics, (Some(analysis), None))))
            }
        }
    }

    fn keep(&mut self, state: &Partial<Shared>) -> Result<()> {
        if let Some(statistics) = state.part_of(|(statistics, _)| Some(statistics)) {
            self.statistics.keep(&statistics)?;
        }
        match (&self.analyses, state.part_of(|(_, (analysis, _))| analysis.as_ref())) {
            (Some(analyses), Some(state)) => analyses.keep(&state),
            _ => Ok(()),
        }
    }
}
