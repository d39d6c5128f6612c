//! From slicings as they are written to what is computed per batch: expressions are bound to the columns of the data,
//! and where cut points or the largest groups are asked for, the rows are read once before.

use std::sync::Arc;

use sluice_core::RESERVED_PREFIX;
use sluice_core::column::ColumnKind;
use sluice_core::error::{Error, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::{State, fold};
use sluice_core::group::GroupTables;
use sluice_core::seam::{BatchSource, Derive};
use sluice_expressions::Expression;

use super::dates::DateBuckets;
use super::derive::{Answers, Buckets, Largest};
use super::error::SliceError;
use super::names::{Shown, SliceNames};
use super::plan::{Computed, Rule, SlicePlan};
use super::survey::Survey;
use crate::measure::Missing;

/// Computed columns, ready to be computed, and what their slices are called.
#[derive(Clone, Default)]
pub(crate) struct Slicing {
    pub(crate) derived: Vec<(String, Arc<dyn Derive>)>,
    pub(crate) names: SliceNames,
}

impl SlicePlan {
    /// Binds the slicings to a source.
    ///
    /// # Errors
    /// What does not fit the columns; what reading meets.
    pub(crate) fn resolve(
        &self,
        source: &dyn BatchSource,
        (weight, missing): (Option<&str>, Missing),
        execution: &Execution,
    ) -> Result<Slicing> {
        let mut slicing = Slicing::default();
        for computed in self.computed() {
            check(computed, source)?;
        }
        let mut waiting: Vec<&Computed> = self.computed().iter().collect();
        while !waiting.is_empty() {
            waiting = slicing.add_known(waiting, source)?;
            waiting = slicing.add_surveyed(waiting, source, (weight, missing), execution)?;
        }
        Ok(slicing)
    }
}

/// That a computed column fits the columns of the source, as far as can be known before reading.
fn check(computed: &Computed, source: &dyn BatchSource) -> Result<()> {
    let plan = source.plan();
    if plan.column(&computed.name).is_some() {
        return Err(SliceError::NameTaken { name: computed.name.clone() }.into());
    }
    if let Rule::Bounds { column, .. } | Rule::Quantiles { column, .. } = &computed.rule {
        let kind = &plan.require(column, &source.name())?.kind;
        if !kind.is_number() && *kind != ColumnKind::Null {
            let kind = kind.to_string();
            return Err(SliceError::NotANumber { column: column.clone(), kind }.into());
        }
    }
    Ok(())
}

impl Slicing {
    /// Adds what needs no look at the rows; answers what does, or reads what does.
    fn add_known<'a>(
        &mut self,
        waiting: Vec<&'a Computed>,
        source: &dyn BatchSource,
    ) -> Result<Vec<&'a Computed>> {
        let mut left = Vec::new();
        for computed in waiting {
            match &computed.rule {
                Rule::Bounds { column, bounds } => self.add_buckets(computed, column, bounds.clone()),
                Rule::Dates { column, by } => {
                    let kind = &source.plan().require(column, &source.name())?.kind;
                    let buckets = DateBuckets::new(column, *by, kind)?;
                    self.derived.push((computed.name.clone(), Arc::new(buckets)));
                    let name = computed.shown.as_deref().unwrap_or(column);
                    self.names.add(&computed.name, by.shown(name));
                }
                Rule::Expression { text } => {
                    let expression = bind(text, source)?;
                    self.derived.push((computed.name.clone(), Arc::new(Answers(expression))));
                    let shown = computed.shown.clone().unwrap_or_else(|| text.clone());
                    self.names.add(&computed.name, Shown::Values(shown));
                }
                Rule::Quantiles { .. } | Rule::Top { .. } => left.push(computed),
            }
        }
        Ok(left)
    }

    /// Looks at the rows for all that can be found out now; answers what has to wait for it.
    fn add_surveyed<'a>(
        &mut self,
        waiting: Vec<&'a Computed>,
        source: &dyn BatchSource,
        (weight, missing): (Option<&str>, Missing),
        execution: &Execution,
    ) -> Result<Vec<&'a Computed>> {
        let names: Vec<&str> = waiting.iter().map(|computed| computed.name.as_str()).collect();
        let is_ready = |computed: &&Computed| match &computed.rule {
            Rule::Top { grouping, .. } => {
                !grouping.columns.iter().any(|column| names.contains(&column.as_str()))
            }
            _ => true,
        };
        let (ready, left): (Vec<&Computed>, Vec<&Computed>) = waiting.iter().copied().partition(is_ready);
        let mut survey = Survey::new(&self.derived, weight, missing);
        for computed in &ready {
            match &computed.rule {
                Rule::Quantiles { column, .. } => survey.with_quantiles(column),
                Rule::Top { grouping, .. } => survey.with_groups(grouping),
                Rule::Bounds { .. } | Rule::Dates { .. } | Rule::Expression { .. } => {}
            }
        }
        if survey.is_empty() {
            return Ok(left);
        }
        execution.progress.begin("slices", source.plan().extent());
        let State { accumulator: survey, groups, .. } = fold(source, &survey, execution)?;
        // Of the scan that follows.
        execution.progress.begin("evaluate", source.plan().extent());
        for computed in ready {
            self.add_found(computed, &survey, &groups)?;
        }
        Ok(left)
    }

    fn add_found(&mut self, computed: &Computed, survey: &Survey, groups: &GroupTables) -> Result<()> {
        match &computed.rule {
            Rule::Quantiles { column, buckets } => {
                self.add_buckets(computed, column, survey.bounds(column, *buckets));
            }
            Rule::Top { grouping, count } => {
                let kept = survey.largest(groups.table(grouping)?, *count as usize, &self.names);
                let shown = self.names.of_largest(grouping, kept.keys(), computed.shown.as_deref());
                self.names.add(&computed.name, shown);
                self.derived.push((computed.name.clone(), Arc::new(Largest::new(kept))));
            }
            Rule::Bounds { .. } | Rule::Dates { .. } | Rule::Expression { .. } => {}
        }
        Ok(())
    }

    fn add_buckets(&mut self, computed: &Computed, column: &str, bounds: Vec<f64>) {
        let shown = computed.shown.as_deref().unwrap_or(column);
        self.names.add(&computed.name, SliceNames::of_buckets(shown, &bounds));
        self.derived.push((computed.name.clone(), Arc::new(Buckets::new(column, bounds))));
    }
}

/// An expression over the columns of a source, whose answers can be keys.
fn bind(text: &str, source: &dyn BatchSource) -> Result<Expression> {
    let theirs = source.plan().columns.iter().filter(|column| !column.name.starts_with(RESERVED_PREFIX));
    let columns: Vec<_> = theirs.map(|column| (column.name.clone(), column.kind.clone())).collect();
    let expression =
        Expression::parse(text, &columns).map_err(|error| Error::from(error).in_place("slices"))?;
    match expression.kind() {
        kind @ (ColumnKind::List(_) | ColumnKind::Struct(_) | ColumnKind::Other(_)) => {
            Err(SliceError::NotAKey { text: text.into(), kind: kind.to_string() }.into())
        }
        _ => Ok(expression),
    }
}
