//! Fitting: what the operations must know of the training rows, gathered in as few scans as their dependencies
//! allow.
//!
//! An operation can be fitted once the values that it reads can be computed, so a scan gathers for all operations
//! whose inputs need no constants that are still unknown. One thing more: where `impute` precedes, the analyzer
//! reads the raw column and is told afterwards what went into the missing cells, so that impute and standardize, or
//! impute and one-hot, take one scan. Analyzers of source columns take counted views where the file has them.

mod analysis;
pub(crate) mod analyzer;
mod builder;
mod schedule;

pub use analysis::Analysis;
pub(crate) use builder::{Blueprint, Builder, Input, ValueId, role_name};
pub use schedule::{PlannedLearning, PlannedScan, ScannedColumn};

use std::collections::BTreeSet;

use serde::Serialize;

use sluice_core::batch::RowIdentity;
use sluice_core::error::{CommonError, Result};
use sluice_core::execution::Execution;
use sluice_core::fold::fold;
use sluice_core::plan::PlannedColumn;
use sluice_core::role::{Lineage, Roles};
use sluice_core::seam::BatchSource;

use crate::error::TransformError;
use crate::graph::{Node, Program, Transform};
use crate::leakage;
use crate::operation::{Fitted, Mapper};
use crate::spec::TransformSpec;
use analysis::{Entry, Gathering};
use analyzer::Analyze as _;

/// Fits a transform on the rows of `source` (the training rows, nothing else).
///
/// # Errors
/// [`TransformError`] when an operation does not fit its column, and what reading meets.
pub fn fit(
    spec: &TransformSpec,
    source: &dyn BatchSource,
    roles: &Roles,
    execution: &Execution,
) -> Result<Transform> {
    let mut fitter = Fitter::new(spec, &source.plan().columns, roles)?;
    fitter.scan(source, execution)?;
    fitter.finish()
}

/// A transform that is being fitted, scan by scan.
#[derive(Debug)]
pub struct Fitter {
    columns: Vec<PlannedColumn>,
    /// What identifies a row, for folds: the same as in training.
    identity: RowIdentity,
    blueprint: Blueprint,
    mappers: Vec<Option<Mapper>>,
}

/// A feature of a planned transform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedFeature {
    /// Its name.
    pub name: String,
    /// What it holds, in words.
    pub kind: String,
    /// The source columns that it is made from.
    pub sources: Vec<String>,
}

impl Fitter {
    /// Binds the operations to the columns of the data.
    ///
    /// # Errors
    /// [`TransformError`] when an operation does not fit its columns.
    pub fn new(spec: &TransformSpec, columns: &[PlannedColumn], roles: &Roles) -> Result<Self> {
        let blueprint = Blueprint::new(spec, columns, roles)?;
        let mappers = vec![None; blueprint.steps.len()];
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let identity = RowIdentity::choose(&roles.key, &names);
        let mut fitter = Self { columns: columns.to_vec(), identity, blueprint, mappers };
        fitter.settle()?;
        Ok(fitter)
    }

    /// The features that it will have.
    #[must_use]
    pub fn features(&self) -> Vec<PlannedFeature> {
        let feature = |(name, value): &(String, ValueId)| {
            let info = &self.blueprint.values[*value];
            PlannedFeature {
                name: name.clone(),
                kind: info.kind.to_string(),
                sources: info.sources.iter().cloned().collect(),
            }
        };
        self.blueprint.features.iter().map(feature).collect()
    }

    /// Refuses features that are made from source columns that the label is made from too, unless the roles allow it.
    ///
    /// # Errors
    /// [`TransformError::Leakage`].
    pub fn check_lineage(&self, roles: &Roles, lineage: &Lineage) -> Result<(), TransformError> {
        let sources = |value: &ValueId| &self.blueprint.values[*value].sources;
        let features = self.blueprint.features.iter().map(|(name, value)| (name, sources(value)));
        leakage::check_lineage(features, roles, lineage)
    }

    /// What the next scan of the training rows must gather; `None` when everything is known.
    ///
    /// # Errors
    /// [`CommonError::Internal`] when no scan would tell anything new, which is a bug.
    pub fn next_scan(&self) -> Result<Option<Analysis>> {
        let gatherings = self.gatherings(&self.settled());
        if gatherings.is_empty() {
            let is_done = self.mappers.iter().all(Option::is_some);
            let stuck = || CommonError::Internal("a transform waits for what no scan tells".into()).into();
            return if is_done { Ok(None) } else { Err(stuck()) };
        }
        let wanted: BTreeSet<ValueId> =
            gatherings.iter().flat_map(|gathering| gathering.values.clone()).collect();
        let program = self.program(&wanted);
        Ok(Some(Analysis::new(
            program,
            gatherings.into_iter().map(|gathering| gathering.into_entry(&self.blueprint)).collect(),
            &self.identity,
        )))
    }

    /// Takes what the scan of [`Fitter::next_scan`] told.
    ///
    /// # Errors
    /// [`TransformError`] when the rows leave an operation nothing to learn from, or too many levels.
    pub fn absorb(&mut self, analysis: Analysis) -> Result<()> {
        let mut entries: Vec<Entry> = analysis.into_entries();
        let gatherings = self.gatherings(&self.settled());
        if gatherings.len() != entries.len() {
            return Err(CommonError::Internal("a state is of another scan of the transform".into()).into());
        }
        for step in 0..self.blueprint.steps.len() {
            let mut answers = Vec::new();
            let mut is_gathered = false;
            for (gathering, entry) in gatherings.iter().zip(&mut entries) {
                if gathering.step != step {
                    continue;
                }
                is_gathered = true;
                let mut answer = entry.analyzer.take();
                if let (Some(answer), Some(filling)) = (&mut answer, gathering.filled_by)
                    && let Some(Mapper::Impute(fill)) = &self.mappers[filling]
                {
                    answer.fill(fill)?;
                }
                answers.extend(answer);
            }
            if is_gathered {
                self.fit_step(step, answers)?;
            }
        }
        self.settle()
    }

    fn fit_step(&mut self, step: usize, answers: Vec<analyzer::Analyzer>) -> Result<()> {
        let Some(fitting) = self.blueprint.steps[step].fitting.take() else { return Ok(()) };
        match fitting.fit(answers)? {
            Fitted::Done(mapper) => self.mappers[step] = Some(mapper),
            Fitted::Again(fitting) => self.blueprint.steps[step].fitting = Some(fitting),
        }
        Ok(())
    }

    /// Reads the source as often as it takes.
    ///
    /// # Errors
    /// What reading and fitting meet.
    pub fn scan(&mut self, source: &dyn BatchSource, execution: &Execution) -> Result<()> {
        while let Some(analysis) = self.next_scan()? {
            execution.progress.begin("transform", source.plan().extent());
            let state = fold(source, &analysis, execution)?;
            execution.progress.end();
            self.absorb(state.accumulator)?;
        }
        Ok(())
    }

    /// The fitted transform.
    ///
    /// # Errors
    /// [`CommonError::Internal`] when a scan is still missing.
    pub fn finish(self) -> Result<Transform> {
        if self.mappers.iter().any(Option::is_none) {
            return Err(CommonError::Internal("a transform is finished before its scans".into()).into());
        }
        let wanted: BTreeSet<ValueId> = self.blueprint.features.iter().map(|(_, value)| *value).collect();
        let features = self.blueprint.features.iter();
        let features = features.map(|(name, value)| (name.clone(), self.blueprint.values[*value].id.clone()));
        Transform::new(self.program(&wanted), features.collect(), &self.identity)
    }

    /// Fits whatever needs nothing of the rows.
    fn settle(&mut self) -> Result<()> {
        for step in 0..self.blueprint.steps.len() {
            if self.blueprint.steps[step].fitting.as_ref().is_some_and(|fitting| fitting.wanted().is_empty())
            {
                self.fit_step(step, Vec::new())?;
            }
        }
        Ok(())
    }

    /// The steps whose constants are known by now.
    fn settled(&self) -> Vec<bool> {
        self.mappers.iter().map(Option::is_some).collect()
    }

    /// Whether a value can be computed with the constants of the steps that are known.
    fn is_computable(&self, settled: &[bool], value: ValueId) -> bool {
        match self.blueprint.values[value].step {
            None => true,
            Some(step) => {
                let inputs = &self.blueprint.steps[step].inputs;
                settled[step] && inputs.iter().all(|input| self.is_computable(settled, *input))
            }
        }
    }

    /// The `impute` that makes a value and can be fitted in this scan, with the column that it reads.
    fn filling(&self, settled: &[bool], value: ValueId) -> Option<(usize, ValueId)> {
        let step = self.blueprint.values[value].step?;
        let [input] = self.blueprint.steps[step].inputs[..] else { return None };
        let is_impute = self.blueprint.steps[step].operation == "impute";
        let is_open = !settled[step] && self.is_computable(settled, input);
        (is_impute && is_open).then_some((step, input))
    }

    /// What the next scan gathers once some steps are known, in the order of the steps.
    fn gatherings(&self, settled: &[bool]) -> Vec<Gathering> {
        let mut gatherings = Vec::new();
        for (number, step) in self.blueprint.steps.iter().enumerate() {
            let Some(fitting) = step.fitting.as_ref().filter(|_| !settled[number]) else { continue };
            let mut of_step = Vec::new();
            let known: Vec<ValueId> = step.inputs.iter().chain(&step.fitted_on).copied().collect();
            for wanted in fitting.wanted() {
                let values: Vec<ValueId> = wanted.inputs.iter().map(|input| known[*input]).collect();
                if values.iter().all(|value| self.is_computable(settled, *value)) {
                    of_step.push(Gathering::new(number, values, None, wanted.analyzer));
                } else if let [value] = values[..]
                    && wanted.analyzer.takes_fill()
                    && let Some((filling, raw)) = self.filling(settled, value)
                {
                    of_step.push(Gathering::new(number, vec![raw], Some(filling), wanted.analyzer));
                } else {
                    of_step.clear();
                    break;
                }
            }
            gatherings.append(&mut of_step);
        }
        gatherings
    }

    /// The nodes that lead to some values, with the source columns that they read.
    fn program(&self, wanted: &BTreeSet<ValueId>) -> Program {
        let blueprint = &self.blueprint;
        let mut needed = wanted.clone();
        for step in blueprint.steps.iter().rev() {
            if step.outputs.iter().any(|output| needed.contains(output)) {
                needed.extend(step.inputs.iter().copied());
            }
        }
        let is_source = |value: &&ValueId| blueprint.values[**value].step.is_none();
        let sources: Vec<&str> =
            needed.iter().filter(is_source).map(|value| blueprint.values[*value].name.as_str()).collect();
        let ids =
            |values: &[ValueId]| values.iter().map(|value| blueprint.values[*value].id.clone()).collect();
        let steps = blueprint.steps.iter().zip(&self.mappers);
        let nodes = steps.filter(|(step, _)| step.outputs.iter().any(|output| needed.contains(output)));
        let node = |(step, mapper): (&builder::Step, &Option<Mapper>)| {
            mapper.as_ref().map(|mapper| Node {
                operation: step.operation.to_owned(),
                inputs: ids(&step.inputs),
                outputs: ids(&step.outputs),
                mapper: mapper.clone(),
            })
        };
        Program {
            inputs: sources
                .iter()
                .filter_map(|name| self.columns.iter().find(|column| column.name == *name).cloned())
                .collect(),
            nodes: nodes.filter_map(node).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
