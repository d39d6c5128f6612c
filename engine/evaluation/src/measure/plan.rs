//! What is gathered of the rows, and about which models: the same in all shards.

use serde::{Deserialize, Serialize};
use sluice_core::group::Grouping;
use sluice_core::seam::{Predictor, Task};

use super::bins::{BinPlan, Bins};
use super::cells::{CellPlan, CellSums};
use super::classes::{ClassPlan, ClassSums};
use super::custom::CustomPlan;
use super::grouped::GroupedSums;
use super::maxima::{Maxima, MaximumPlan};
use super::moments::{MomentPlan, MomentSums};
use super::ranked::{RankedPlan, RankedRows, RowShape};
use super::replicates::{ReplicatePlan, ReplicateSums};
use super::score_bins::{ScoreBinPlan, ScoreBins};
use super::{MeasureOptions, Missing, Needed, Role};
use crate::metric::ClassFormula;
use crate::slice::SliceNames;

/// What is gathered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasurePlan {
    pub(super) label: String,
    pub(super) label_columns: Vec<String>,
    pub(super) label_shift: f64,
    pub(super) weight: Option<String>,
    pub(super) task: Task,
    pub(super) missing: Missing,
    /// Of the model that is measured.
    pub(super) role: Role,
    pub(super) candidate_digest: String,
    pub(super) baseline_digest: Option<String>,
    /// All models of the evaluation: what a row must have predictions of, where those that lack one may be left out.
    pub(super) models: Vec<Role>,
    pub(super) groupings: Vec<Grouping>,
    pub(super) moments: MomentPlan,
    pub(super) cells: CellPlan,
    pub(super) ranked: RankedPlan,
    /// None where intervals are analytic.
    pub(super) replicates: Option<ReplicatePlan>,
    pub(super) maxima: MaximumPlan,
    pub(super) bins: BinPlan,
    pub(super) classes: ClassPlan,
    pub(super) names: SliceNames,
    pub(super) custom: CustomPlan,
    /// Empty where figures of order are exact.
    pub(super) score_bins: ScoreBinPlan,
}

impl MeasurePlan {
    /// Nothing is measured yet.
    pub(super) fn new(
        candidate: &dyn Predictor,
        baseline: Option<&dyn Predictor>,
        options: &MeasureOptions<'_>,
    ) -> Self {
        let is_weighted = options.weight.is_some();
        Self {
            label: candidate.label().into(),
            label_columns: candidate.label_columns(),
            label_shift: options.label_shift,
            weight: options.weight.clone(),
            task: candidate.task(),
            missing: options.missing,
            role: Role::Candidate,
            candidate_digest: candidate.digest().into(),
            baseline_digest: baseline.map(|model| model.digest().into()),
            models: [Role::Candidate].into_iter().chain(baseline.map(|_| Role::Baseline)).collect(),
            groupings: options.groupings.clone(),
            moments: MomentPlan::new(baseline.is_some(), is_weighted),
            cells: CellPlan::new(is_weighted),
            ranked: RankedPlan::default(),
            replicates: None,
            maxima: MaximumPlan::default(),
            bins: BinPlan::new(is_weighted),
            custom: CustomPlan::default(),
            classes: ClassPlan::new(candidate.task().outputs(), baseline.is_some(), is_weighted),
            names: SliceNames::default(),
            score_bins: ScoreBinPlan::default(),
        }
    }

    /// The place of the class that a rate is of.
    pub(super) fn class_place(&self, formula: &ClassFormula) -> usize {
        let Task::MultiClass { classes } = &self.task else { return 0 };
        let is_it = |class: &String| Some(class) == formula.class.as_ref();
        classes.iter().position(is_it).unwrap_or(0)
    }

    /// What a row must have.
    pub(super) fn needed(&self) -> Needed<'_> {
        Needed {
            labels: &self.label_columns,
            weight: self.weight.as_deref(),
            outputs: self.task.outputs(),
            models: &self.models,
        }
    }

    pub(super) fn no_sums(&self) -> Vec<GroupedSums> {
        let empty = |grouping: &Grouping| {
            let mut sums = GroupedSums {
                moments: MomentSums::new(&self.moments),
                cells: CellSums::new(&self.cells),
                replicates: ReplicateSums::new(self),
                maxima: Maxima::new(&self.maxima),
                bins: Bins::new(&self.bins),
                classes: ClassSums::new(&self.classes),
                score_bins: ScoreBins::new(self.score_bins),
                ..GroupedSums::default()
            };
            sums.grow(self, usize::from(grouping.is_overall()));
            sums
        };
        self.groupings.iter().map(empty).collect()
    }

    /// Whether there are groupings of more than one group. Each has all rows, and exact sums do not depend on how
    /// their terms were grouped, so the moments of all rows are then joined from those of slices, in the end.
    pub(super) fn is_sliced(&self) -> bool {
        self.sliced().next().is_some()
    }

    /// The groupings of more than one group.
    pub(super) fn sliced(&self) -> impl Iterator<Item = &Grouping> {
        self.groupings.iter().filter(|grouping| !grouping.is_overall())
    }

    pub(super) fn row_shape(&self) -> RowShape {
        RowShape {
            is_of_classes: self.task != Task::Regression,
            is_weighted: self.weight.is_some(),
            models: 1 + usize::from(self.baseline_digest.is_some()),
            groupings: self.sliced().count(),
            has_identities: self.replicates.is_some(),
        }
    }

    /// Whether a metric asks for the rows themselves.
    pub(super) fn keeps_rows(&self) -> bool {
        !self.ranked.is_empty() && self.score_bins.is_empty()
    }

    pub(super) fn no_rows(&self) -> Option<RankedRows> {
        self.keeps_rows().then(|| RankedRows::new(self.row_shape()))
    }
}
