//! The scans that fitting will take, foreseen before any row is read: the same packing as in fitting, with every
//! operation taken for known once its scan is over.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Fitter, ValueId};

/// A scan of the training rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedScan {
    /// From 1.
    pub number: usize,
    /// What is learned in it, in the order of the operations.
    pub learns: Vec<PlannedLearning>,
    /// The source columns that it reads.
    pub columns: Vec<ScannedColumn>,
}

/// An operation that learns in a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedLearning {
    /// The operation.
    pub operation: String,
    /// The names that it reads.
    pub reads: Vec<String>,
    /// The names that it writes.
    pub writes: Vec<String>,
    /// Whether a column is imputed before it, by a value that the same scan finds.
    pub with_impute: bool,
    /// Whether it may need further scans, as the rows will tell.
    pub is_iterated: bool,
}

/// A source column that a scan reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ScannedColumn {
    /// Its name.
    pub name: String,
    /// Whether its distinct values with their counts will do, which dictionary-encoded files have at hand.
    pub counted: bool,
}

impl Fitter {
    /// The scans that are still to come; none for operations that learn nothing.
    #[must_use]
    pub fn scans(&self) -> Vec<PlannedScan> {
        let mut settled = self.settled();
        let mut scans = Vec::new();
        loop {
            let gatherings = self.gatherings(&settled);
            if gatherings.is_empty() {
                return scans;
            }
            let mut learning: BTreeMap<usize, bool> = BTreeMap::new();
            let (mut counted, mut by_row) = (BTreeSet::new(), BTreeSet::new());
            for gathering in gatherings {
                *learning.entry(gathering.step).or_default() |= gathering.filled_by.is_some();
                let values = gathering.values.clone();
                let is_counted = gathering.into_entry(&self.blueprint).counted;
                let columns = if is_counted { &mut counted } else { &mut by_row };
                for value in values {
                    columns.extend(self.blueprint.values[value].sources.iter().cloned());
                }
            }
            let learns = learning.iter().map(|(step, with_impute)| self.planned(*step, *with_impute));
            let columns: BTreeSet<&String> = counted.union(&by_row).collect();
            let columns = columns
                .into_iter()
                .map(|name| ScannedColumn { name: name.clone(), counted: !by_row.contains(name) });
            scans.push(PlannedScan {
                number: scans.len() + 1,
                learns: learns.collect(),
                columns: columns.collect(),
            });
            for step in learning.into_keys() {
                settled[step] = true;
            }
        }
    }

    fn planned(&self, step: usize, with_impute: bool) -> PlannedLearning {
        let step = &self.blueprint.steps[step];
        let names = |values: &[ValueId]| -> Vec<String> {
            values.iter().map(|value| self.blueprint.values[*value].name.clone()).collect()
        };
        PlannedLearning {
            operation: step.operation.to_owned(),
            reads: names(&step.inputs),
            writes: names(&step.outputs),
            with_impute,
            is_iterated: step.fitting.as_ref().is_some_and(|fitting| fitting.is_iterated()),
        }
    }
}
