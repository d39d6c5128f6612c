//! The search itself: level by level, then the tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use sluice_core::error::Result;
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::seam::{BatchSource, Predictor};

use super::columns::{NO_CODE, coded};
use super::figures::{Sums, Test, false_discovery_rates};
use super::options::{Loss, WeakSliceOptions};
use super::scan::{Level, LossSums, ScanPlan, Search, chunks};
use super::{MAX_REPORTED, WeakSlice, WeakSlices};
use crate::error::EvaluationError;
use crate::evaluation::SliceKey;

/// Cells of a scan, at most: some 6 MB for each state of it, 12 with weights.
const MAX_CELLS: usize = 1 << 18;

/// A column and one of its codes, each; columns ascend.
type Conditions = Vec<(usize, u8)>;

/// Slices that have enough rows.
type Slices = BTreeMap<Conditions, Sums>;

/// Finds the slices of a source on which a model is worse than on its other rows.
///
/// # Errors
/// Wrong options; a column that is not there or cannot be sliced by; labels and predictions that are not numbers; no
/// rows; what reading meets.
pub fn find_weak_slices(
    source: &dyn BatchSource,
    candidate: &Arc<dyn Predictor>,
    weight: Option<&str>,
    options: &WeakSliceOptions,
    execution: &Execution,
) -> Result<WeakSlices> {
    options.check()?;
    let loss = options.loss(&candidate.task())?;
    let except = options.except.iter().map(String::as_str);
    let labels = candidate.label_columns();
    let taken: Vec<&str> = labels.iter().map(String::as_str).chain(weight).chain(except).collect();
    let columns = coded(source, &taken, options, execution)?;
    let counts: Vec<usize> = columns.iter().map(|column| column.all_conditions.len()).collect();
    let search = Search {
        model: Arc::clone(candidate),
        term: loss.term,
        sign: loss.sign,
        weight: weight.map(str::to_owned),
        missing: options.missing,
        codes: counts.iter().map(|count| (0..NO_CODE).take(*count).collect()).collect(),
        counts,
        columns,
    };
    let mut finder = Finder { source, execution, options, search: Arc::new(search), levels: Vec::new() };
    let total = finder.first_level()?;
    if options.conditions > 1 {
        finder.second_level(&total)?;
    }
    if options.conditions > 2 {
        finder.third_level(&total)?;
    }
    Ok(finder.report(&total, &loss))
}

/// The state of a search.
struct Finder<'a> {
    source: &'a dyn BatchSource,
    execution: &'a Execution,
    options: &'a WeakSliceOptions,
    search: Arc<Search>,
    /// By number of conditions less one.
    levels: Vec<Slices>,
}

/// A slice that was tested.
struct Tested {
    conditions: Conditions,
    sums: Sums,
    /// Against the rows outside.
    outside: Test,
    /// The least of all its tests.
    t: f64,
    /// The largest of all its tests.
    p_value: f64,
}

impl Finder<'_> {
    fn scan(&self, level: Level) -> Result<LossSums> {
        let plan = Arc::new(ScanPlan::new(&self.search, level));
        self.execution.progress.begin("weak slices", self.source.plan().extent());
        let state = fold(self.source, &LossSums::new(&plan), self.execution)?;
        Ok(state.accumulator)
    }

    /// The slices of a scan that have enough rows, and leave enough outside: nearly all rows are no slice.
    fn large(&self, sums: &LossSums, total: &Sums) -> Slices {
        let least = self.options.least_rows(total.rows);
        let cells = sums.plan().conditions().into_iter().zip(sums.all().skip(1));
        cells.filter(|(_, sums)| sums.rows >= least && total.rows - sums.rows >= least).collect()
    }

    /// Sums up every value of every column; what has too few rows is looked at no further. Answers the sums of all rows.
    fn first_level(&mut self) -> Result<Sums> {
        let sums = self.scan(Level::Single)?;
        let total = sums.all().next().unwrap_or_default();
        if total.rows == 0 {
            return Err(EvaluationError::RowsMissing { source_name: self.source.name() }.into());
        }
        let large = self.large(&sums, &total);
        let old = &self.search;
        let mut columns = old.columns.clone();
        let mut codes: Vec<Vec<u8>> = old.counts.iter().map(|count| vec![NO_CODE; *count]).collect();
        let mut counts = vec![0; columns.len()];
        let mut slices = Slices::new();
        for (place, column) in columns.iter_mut().enumerate() {
            for (code, condition) in column.all_conditions.iter().enumerate() {
                let Ok(code) = u8::try_from(code) else { continue };
                let Some(sums) = large.get(&vec![(place, code)]) else { continue };
                let new = u8::try_from(column.conditions.len()).unwrap_or(NO_CODE);
                codes[place][usize::from(code)] = new;
                column.conditions.push(condition.clone());
                slices.insert(vec![(place, new)], *sums);
            }
            counts[place] = column.conditions.len();
        }
        let search = Search {
            model: Arc::clone(&old.model),
            weight: old.weight.clone(),
            columns,
            codes,
            counts,
            ..**old
        };
        self.search = Arc::new(search);
        self.levels.push(slices);
        Ok(total)
    }

    /// Sums up every two values of every two columns.
    fn second_level(&mut self, total: &Sums) -> Result<()> {
        let columns = 0..self.search.counts.len();
        let pairs: Vec<(usize, usize)> =
            columns.clone().flat_map(|a| columns.clone().skip(a + 1).map(move |b| (a, b))).collect();
        let mut slices = Slices::new();
        for chunk in chunks(&self.search, &pairs, MAX_CELLS) {
            let sums = self.scan(Level::Pairs(pairs[chunk].to_vec()))?;
            slices.extend(self.large(&sums, total));
        }
        self.levels.push(slices);
        Ok(())
    }

    /// Adds a third condition to the slices of two that stand out most.
    fn third_level(&mut self, total: &Sums) -> Result<()> {
        let mut parents: Vec<Tested> = self
            .tested(total)
            .into_iter()
            .filter(|slice| slice.conditions.len() == 2 && slice.t > 0.0)
            .collect();
        parents.sort_by(|a, b| b.t.total_cmp(&a.t).then_with(|| a.conditions.cmp(&b.conditions)));
        let cells: usize = self.search.counts.iter().sum();
        let most = std::cmp::min(self.options.beam as usize, MAX_CELLS / std::cmp::max(cells, 1));
        let parents = parents.into_iter().take(most).map(|slice| [slice.conditions[0], slice.conditions[1]]);
        let sums = self.scan(Level::Triples(parents.collect()))?;
        let slices = self.large(&sums, total);
        self.levels.push(slices);
        Ok(())
    }

    /// All slices so far, as far as they can be tested.
    fn tested(&self, total: &Sums) -> Vec<Tested> {
        let slices = self.levels.iter().flatten();
        slices.filter_map(|(conditions, sums)| self.test(conditions, sums, total)).collect()
    }

    fn test(&self, conditions: &Conditions, sums: &Sums, total: &Sums) -> Option<Tested> {
        let outside = Test::new(sums, &total.without(sums))?;
        let (mut t, mut p_value) = (outside.t, outside.p_value);
        if conditions.len() > 1 {
            let parents = self.levels.get(conditions.len() - 2)?;
            for left_out in 0..conditions.len() {
                let mut parent = conditions.clone();
                parent.remove(left_out);
                // With its condition nothing is left of the parent: both are one slice, which has been tested.
                let rest = Test::new(sums, &parents.get(&parent)?.without(sums))?;
                // Neither is NaN.
                if rest.t < t {
                    t = rest.t;
                }
                if rest.p_value > p_value {
                    p_value = rest.p_value;
                }
            }
        }
        Some(Tested { conditions: conditions.clone(), sums: *sums, outside, t, p_value })
    }

    fn report(&self, total: &Sums, loss: &Loss) -> WeakSlices {
        let tested = self.tested(total);
        let p_values: Vec<f64> = tested.iter().map(|slice| slice.p_value).collect();
        let rates = false_discovery_rates(&p_values);
        let num_tested = tested.len() as u64;
        let mut weak: Vec<(Tested, f64)> =
            tested.into_iter().zip(rates).filter(|(_, rate)| *rate <= self.options.level).collect();
        weak.sort_by(|(a, _), (b, _)| {
            let by_size = b.outside.effect_size.total_cmp(&a.outside.effect_size);
            by_size.then_with(|| a.conditions.cmp(&b.conditions))
        });
        let num_weak = weak.len() as u64;
        weak.truncate(MAX_REPORTED);
        let slices = weak.iter().map(|(slice, rate)| WeakSlice {
            slice: self.key(&slice.conditions),
            rows: slice.sums.rows,
            share: slice.sums.rows as f64 / total.rows as f64,
            loss_inside: loss.sign * slice.sums.mean(),
            loss_outside: loss.sign * total.without(&slice.sums).mean(),
            effect: slice.outside.effect,
            standard_error: slice.outside.standard_error,
            effect_size: slice.outside.effect_size.is_finite().then_some(slice.outside.effect_size),
            p_value: slice.p_value,
            q_value: *rate,
            explained_by: self.explanation(slice, &weak, total),
        });
        WeakSlices {
            label: self.search.model.label().into(),
            loss: loss.name.clone(),
            rows: total.rows,
            mean_loss: loss.sign * total.mean(),
            minimum_rows: self.options.least_rows(total.rows),
            level: self.options.level,
            columns: self.search.columns.iter().map(|column| column.column.clone()).collect(),
            num_tested,
            num_weak,
            slices: slices.collect(),
        }
    }

    /// The weak part of a slice with the largest effect, without which nothing shows that the slice is worse than others.
    fn explanation(&self, slice: &Tested, weak: &[(Tested, f64)], total: &Sums) -> Option<SliceKey> {
        let outside = total.without(&slice.sums);
        let is_part = |part: &&(Tested, f64)| {
            part.0.conditions.len() > slice.conditions.len()
                && slice.conditions.iter().all(|condition| part.0.conditions.contains(condition))
        };
        let explains = |part: &&(Tested, f64)| {
            Test::new(&slice.sums.without(&part.0.sums), &outside)
                .is_none_or(|rest| rest.p_value > self.options.level)
        };
        let part = weak.iter().filter(is_part).find(explains)?;
        Some(self.key(&part.0.conditions))
    }

    fn key(&self, conditions: &Conditions) -> SliceKey {
        let columns = &self.search.columns;
        let part =
            |&(column, code): &(usize, u8)| columns.get(column)?.conditions.get(usize::from(code)).cloned();
        SliceKey { parts: conditions.iter().filter_map(part).collect() }
    }
}
