//! Scores of two classes in ranges of equal width, per slice and model: what figures of order follow from where the rows
//! themselves are not kept (`order_statistics: histogram`).
//!
//! A range holds what its rows of each class weigh, and its least and its greatest score: where these are one, its rows are
//! tied in truth and nothing is lost. Rows of weight 0 move no figure and are left out. Weights are summed to 106 bits, in
//! order within a split and along the fold's tree, so the bits are the same for any number of threads and shards.
//!
//! Memory: slices × models × ranges × 32 bytes, with weights 96, whatever the rows. What is written holds ranges with
//! rows only.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;

use super::Pair;
use super::bins::range_of;
use crate::metric::Side;

/// How many ranges there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ScoreBinPlan {
    /// 0: rows are kept instead, or nothing is asked of their order.
    bins: usize,
    models: usize,
    is_weighted: bool,
}

/// A row that is in no range.
const NOWHERE: u32 = u32::MAX;

impl ScoreBinPlan {
    pub(crate) fn new(bins: usize, models: usize, is_weighted: bool) -> Self {
        Self { bins, models, is_weighted }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(self) -> bool {
        self.bins == 0
    }

    /// The ranges of a model.
    pub(crate) fn bins(self) -> usize {
        self.bins
    }

    /// How many models there are.
    pub(crate) fn models(self) -> usize {
        self.models
    }

    /// What replicates hold of a model: the ranges of negative rows, then those of positive ones.
    pub(crate) fn replicated(self) -> usize {
        2 * self.bins
    }

    /// Ranges per slice.
    fn len(self) -> usize {
        self.bins * self.models
    }

    /// The range of each row, by model; after those of negative rows come those of positive ones, as replicates hold them.
    pub(crate) fn places(self, pair: &Pair<'_>) -> Vec<Vec<u32>> {
        if self.is_empty() {
            return Vec::new();
        }
        let place = |row: usize, score: f64| {
            if pair.weight.is_some_and(|weight| !(weight[row] > 0.0)) {
                return NOWHERE;
            }
            let first = if pair.label[row] > 0.5 { self.bins } else { 0 };
            u32::try_from(first + range_of(score, self.bins)).unwrap_or(NOWHERE)
        };
        let of_model = |columns: &Vec<&[f64]>| {
            let scores = columns.first().copied().unwrap_or_default();
            scores.iter().enumerate().map(|(row, score)| place(row, *score)).collect()
        };
        std::iter::once(&pair.candidate).chain(pair.baseline.as_ref()).map(of_model).collect()
    }
}

/// What a range holds of its rows, by class: negative, positive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ScoreBin {
    /// How many rows.
    pub(crate) rows: [u64; 2],
    /// The least score.
    pub(crate) least: f64,
    /// The greatest score.
    pub(crate) greatest: f64,
}

impl Default for ScoreBin {
    fn default() -> Self {
        Self { rows: [0; 2], least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

impl ScoreBin {
    fn is_empty(&self) -> bool {
        self.rows == [0; 2]
    }

    fn merge(&mut self, later: &Self) {
        self.rows[0] += later.rows[0];
        self.rows[1] += later.rows[1];
        if later.least < self.least {
            self.least = later.least;
        }
        if later.greatest > self.greatest {
            self.greatest = later.greatest;
        }
    }
}

/// What the rows of a range weigh, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BinWeight {
    /// Σw.
    pub(crate) weight: [DoubleDouble; 2],
    /// Σw².
    pub(crate) square: [DoubleDouble; 2],
}

impl BinWeight {
    fn merge(&mut self, later: &Self) {
        for class in [0, 1] {
            self.weight[class] = self.weight[class] + later.weight[class];
            self.square[class] = self.square[class] + later.square[class];
        }
    }
}

/// The ranges of every slice of one grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub(crate) struct ScoreBins {
    /// Ranges of a slice.
    width: usize,
    bins: Vec<ScoreBin>,
    /// None without weights.
    weights: Vec<BinWeight>,
}

impl ScoreBins {
    pub(crate) fn new(plan: ScoreBinPlan) -> Self {
        Self { width: plan.len(), bins: Vec::new(), weights: Vec::new() }
    }

    pub(crate) fn grow(&mut self, plan: ScoreBinPlan, groups: usize) {
        if groups * self.width > self.bins.len() {
            self.bins.resize(groups * self.width, ScoreBin::default());
            if plan.is_weighted {
                self.weights.resize(self.bins.len(), BinWeight::default());
            }
        }
    }

    /// Adds rows of groups; `places` are those of the plan.
    pub(crate) fn add(
        &mut self,
        plan: ScoreBinPlan,
        places: &[Vec<u32>],
        pair: &Pair<'_>,
        group_of: impl Fn(usize) -> usize,
    ) {
        let models = std::iter::once(&pair.candidate).chain(pair.baseline.as_ref());
        for ((model, columns), places) in models.enumerate().zip(places) {
            let scores = columns.first().copied().unwrap_or_default();
            for (row, (place, score)) in places.iter().zip(scores).enumerate() {
                if *place == NOWHERE {
                    continue;
                }
                let (class, range) = (*place as usize / plan.bins, *place as usize % plan.bins);
                let at = group_of(row) * self.width + model * plan.bins + range;
                let mut rows = [0; 2];
                rows[class] = 1;
                self.bins[at].merge(&ScoreBin { rows, least: *score, greatest: *score });
                if let Some(weight) = pair.weight {
                    let sums = &mut self.weights[at];
                    sums.weight[class] = sums.weight[class] + weight[row];
                    sums.square[class] = sums.square[class] + DoubleDouble::product(weight[row], weight[row]);
                }
            }
        }
    }

    /// Adds those of later rows; `numbers` says which group of ours each of theirs is.
    pub(crate) fn merge(&mut self, plan: ScoreBinPlan, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(plan, groups);
        let width = std::cmp::max(self.width, 1);
        for (group, bins) in later.bins.chunks(width).enumerate() {
            let first = numbers[group] as usize * self.width;
            self.bins[first..].iter_mut().zip(bins).for_each(|(mine, theirs)| mine.merge(theirs));
        }
        for (group, weights) in later.weights.chunks(width).enumerate() {
            let first = numbers[group] as usize * self.width;
            self.weights[first..].iter_mut().zip(weights).for_each(|(mine, theirs)| mine.merge(theirs));
        }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, plan: ScoreBinPlan, groups: usize) -> bool {
        self.width == plan.len()
            && groups.checked_mul(self.width) == Some(self.bins.len())
            && self.weights.len() == if plan.is_weighted { self.bins.len() } else { 0 }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.bins.capacity() * size_of::<ScoreBin>() + self.weights.capacity() * size_of::<BinWeight>()
    }

    /// The ranges of a model in a slice that have rows, from the highest to the lowest, with their weights and numbers.
    pub(crate) fn falling(
        &self,
        plan: ScoreBinPlan,
        group: usize,
        side: Side,
    ) -> impl Iterator<Item = (usize, ScoreBin, BinWeight)> {
        let first = group * self.width + if side == Side::Baseline { plan.bins } else { 0 };
        let bins = self.bins.get(first..first + plan.bins).unwrap_or_default();
        let weight = move |range: usize, bin: &ScoreBin| match self.weights.get(first + range) {
            Some(weights) => *weights,
            None => {
                let weight = bin.rows.map(DoubleDouble::from);
                BinWeight { weight, square: weight }
            }
        };
        let all = bins.iter().enumerate().rev().filter(|(_, bin)| !bin.is_empty());
        all.map(move |(range, bin)| (range, *bin, weight(range, bin)))
    }
}

/// The ranges that have rows, by their places.
#[derive(Serialize, Deserialize)]
struct Stored {
    width: usize,
    len: usize,
    bins: Vec<(usize, ScoreBin)>,
    /// Of the same ranges; none without weights.
    weights: Option<Vec<BinWeight>>,
}

impl From<ScoreBins> for Stored {
    fn from(bins: ScoreBins) -> Self {
        let ScoreBins { width, bins, weights } = bins;
        let of_rows = |(place, _): &(usize, &ScoreBin)| weights.get(*place).copied().unwrap_or_default();
        let held = || bins.iter().enumerate().filter(|(_, bin)| !bin.is_empty());
        Self {
            width,
            len: bins.len(),
            bins: held().map(|(place, bin)| (place, *bin)).collect(),
            weights: (!weights.is_empty()).then(|| held().map(|entry| of_rows(&entry)).collect()),
        }
    }
}

/// No state holds more ranges: it is damaged.
const MOST: usize = 1 << 31;

impl TryFrom<Stored> for ScoreBins {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let Stored { width, len, bins: held, weights: held_weights } = stored;
        let damaged = "the ranges of the scores do not fit one another";
        let is_in = |(place, bin): &(usize, ScoreBin)| *place < len && !bin.is_empty();
        if len > MOST || !held.iter().all(is_in) || !held.is_sorted_by(|one, next| one.0 < next.0) {
            return Err(damaged);
        }
        let mut bins = Vec::new();
        bins.try_reserve_exact(len).map_err(|_| damaged)?;
        bins.resize(len, ScoreBin::default());
        let mut weights = Vec::new();
        if let Some(of_held) = held_weights {
            if of_held.len() != held.len() {
                return Err(damaged);
            }
            weights.try_reserve_exact(len).map_err(|_| damaged)?;
            weights.resize(len, BinWeight::default());
            held.iter().zip(of_held).for_each(|((place, _), weight)| weights[*place] = weight);
        }
        held.into_iter().for_each(|(place, bin)| bins[place] = bin);
        Ok(Self { width, bins, weights })
    }
}
