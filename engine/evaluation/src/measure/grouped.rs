//! The sums of the slices of one grouping.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;
use sluice_core::group::GroupNumbers;
use sluice_summaries::ExactSum;

use super::MeasurePlan;
use super::bins::Bins;
use super::cells::CellSums;
use super::classes::ClassSums;
use super::maxima::Maxima;
use super::moments::MomentSums;
use super::replicates::ReplicateSums;
use super::score_bins::ScoreBins;

/// The sums of one grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct GroupedSums {
    pub(super) rows: Vec<u64>,
    /// None without weights.
    pub(super) weights: Vec<ExactSum>,
    pub(super) moments: MomentSums,
    pub(super) cells: CellSums,
    pub(super) replicates: ReplicateSums,
    pub(super) maxima: Maxima,
    pub(super) bins: Bins,
    pub(super) classes: ClassSums,
    pub(super) score_bins: ScoreBins,
}

impl GroupedSums {
    pub(super) fn grow(&mut self, plan: &MeasurePlan, groups: usize) {
        if groups > self.rows.len() {
            self.rows.resize(groups, 0);
            if plan.weight.is_some() {
                self.weights.resize(groups, ExactSum::default());
            }
            self.moments.grow(groups);
            self.cells.grow(&plan.cells, groups);
            self.replicates.grow(groups);
            self.maxima.grow(groups);
            self.bins.grow(groups);
            self.classes.grow(&plan.classes, groups);
            self.score_bins.grow(plan.score_bins, groups);
        }
    }

    /// Adds rows and their weight.
    pub(super) fn count(&mut self, rows: usize, weight: Option<&[f64]>, numbers: &GroupNumbers) {
        if numbers.is_overall() {
            self.rows[0] += rows as u64;
        } else {
            (0..rows).for_each(|row| self.rows[numbers.of(row)] += 1);
        }
        for (row, weight) in weight.unwrap_or_default().iter().enumerate() {
            self.weights[numbers.of(row)].add(*weight);
        }
    }

    pub(super) fn merge(&mut self, plan: &MeasurePlan, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(plan, groups);
        for (rows, number) in later.rows.iter().zip(numbers) {
            self.rows[*number as usize] += rows;
        }
        for (weight, number) in later.weights.iter().zip(numbers) {
            self.weights[*number as usize].merge(*weight);
        }
        self.moments.merge(&later.moments, groups, numbers);
        self.cells.merge(&plan.cells, &later.cells, groups, numbers);
        self.replicates.merge(&later.replicates, groups, numbers);
        self.maxima.merge(&later.maxima, groups, numbers);
        self.bins.merge(&later.bins, groups, numbers);
        self.classes.merge(&plan.classes, &later.classes, groups, numbers);
        self.score_bins.merge(plan.score_bins, &later.score_bins, groups, numbers);
    }

    pub(super) fn is_sound(&self, plan: &MeasurePlan) -> bool {
        let groups = self.rows.len();
        self.weights.len() == if plan.weight.is_some() { groups } else { 0 }
            && self.moments.is_sound(&plan.moments, groups)
            && self.cells.is_sound(&plan.cells, groups)
            && self.replicates.is_sound(plan, groups)
            && self.maxima.is_sound(&plan.maxima, groups)
            && self.bins.is_sound(&plan.bins, groups)
            && self.classes.is_sound(&plan.classes, groups)
            && self.score_bins.is_sound(plan.score_bins, groups)
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.rows.capacity() * size_of::<u64>()
            + self.weights.capacity() * size_of::<ExactSum>()
            + self.moments.size_bytes()
            + self.cells.size_bytes()
            + self.replicates.size_bytes()
            + self.maxima.size_bytes()
            + self.bins.size_bytes()
            + self.classes.size_bytes()
            + self.score_bins.size_bytes()
    }

    pub(super) fn weight(&self, group: usize) -> DoubleDouble {
        match self.weights.get(group) {
            Some(weight) => weight.to_double_double(),
            None => DoubleDouble::from(self.rows.get(group).copied().unwrap_or(0)),
        }
    }
}
