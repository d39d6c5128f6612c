//! Sums by ranges of the predicted probability, per slice and model: how often what is said happens.
//!
//! Of two classes the probability is that of the positive one, compared with 1 and 0. Of several classes it is that of
//! the predicted one, compared with whether it came.

use serde::{Deserialize, Serialize};
use sluice_core::double_double::DoubleDouble;
use sluice_summaries::ExactSum;

use super::term::predicted_class;
use super::{Pair, place};
use crate::curves::CalibrationBin;
use crate::metric::Side;

/// How many ranges of equal width there are, once for each metric that asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BinPlan {
    counts: Vec<usize>,
    is_weighted: bool,
}

impl BinPlan {
    pub(crate) fn new(is_weighted: bool) -> Self {
        Self { counts: Vec::new(), is_weighted }
    }

    pub(crate) fn add(&mut self, bins: usize) {
        if !self.counts.contains(&bins) {
            self.counts.push(bins);
        }
    }

    /// The number of ranges that was asked for first.
    pub(crate) fn first(&self) -> Option<usize> {
        self.counts.first().copied()
    }

    /// Ranges per slice: of both models, whether there is a baseline or not.
    fn len(&self) -> usize {
        2 * self.counts.iter().sum::<usize>()
    }

    /// How many ranges there are, once for each list of sums that replicates hold.
    pub(crate) fn replicated(&self, is_paired: bool) -> Vec<usize> {
        self.counts.iter().flat_map(|bins| std::iter::repeat_n(*bins, 1 + usize::from(is_paired))).collect()
    }

    /// The range of each row, and how much more was said than came: candidate, baseline.
    pub(crate) fn gaps(&self, pair: &Pair<'_>) -> Vec<(Vec<u32>, Vec<f64>)> {
        let mut found = Vec::new();
        for bins in &self.counts {
            for columns in std::iter::once(&pair.candidate).chain(pair.baseline.as_ref()) {
                let of = |(row, label): (usize, &f64)| {
                    let (probability, label) = said(columns, row, *label);
                    let range = u32::try_from(range_of(probability, *bins)).unwrap_or(u32::MAX);
                    (range, (probability - label) * pair.weight.map_or(1.0, |weight| weight[row]))
                };
                found.push(pair.label.iter().enumerate().map(of).unzip());
            }
        }
        found
    }

    /// Where the ranges of a model begin.
    fn start(&self, bins: usize, side: Side) -> usize {
        let before = self.counts.iter().take_while(|count| **count != bins).sum::<usize>();
        2 * before + if side == Side::Baseline { bins } else { 0 }
    }
}

/// What one range holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bin {
    rows: u64,
    weight: ExactSum,
    prediction: ExactSum,
    label: ExactSum,
}

/// The ranges of every slice of one grouping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bins {
    ranges: usize,
    bins: Vec<Bin>,
}

/// The place of the range of equal width that a probability lies in: above its lower end, up to its upper end.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a probability times a count")]
pub(super) fn range_of(probability: f64, bins: usize) -> usize {
    let upper = |range: usize| (range + 1) as f64 / bins as f64;
    let guess = std::cmp::min((probability * bins as f64) as usize, bins - 1);
    // The product is rounded: the ends decide.
    if guess > 0 && probability <= upper(guess - 1) { guess - 1 } else { guess }
}

impl Bins {
    pub(crate) fn new(plan: &BinPlan) -> Self {
        Self { ranges: plan.len(), bins: Vec::new() }
    }

    pub(crate) fn grow(&mut self, groups: usize) {
        if groups * self.ranges > self.bins.len() {
            self.bins.resize(groups * self.ranges, Bin::default());
        }
    }

    /// Adds rows of groups.
    pub(crate) fn add(&mut self, plan: &BinPlan, pair: &Pair<'_>, group_of: impl Fn(usize) -> usize) {
        let sides = [(Side::Candidate, Some(&pair.candidate)), (Side::Baseline, pair.baseline.as_ref())];
        for (side, columns) in sides {
            let Some(columns) = columns else { continue };
            for bins in &plan.counts {
                let start = plan.start(*bins, side);
                for (row, label) in pair.label.iter().enumerate() {
                    let (probability, label) = said(columns, row, *label);
                    let place = group_of(row) * self.ranges + start + range_of(probability, *bins);
                    self.bins[place].add(probability, label, pair.weight.map(|weight| weight[row]));
                }
            }
        }
    }

    pub(crate) fn merge(&mut self, later: &Self, groups: usize, numbers: &[u32]) {
        self.grow(groups);
        for (theirs, bins) in later.bins.chunks(std::cmp::max(self.ranges, 1)).enumerate() {
            let first = numbers[theirs] as usize * self.ranges;
            for (mine, more) in self.bins[first..].iter_mut().zip(bins) {
                mine.rows += more.rows;
                mine.weight.merge(more.weight);
                mine.prediction.merge(more.prediction);
                mine.label.merge(more.label);
            }
        }
    }

    /// Whether the parts fit one another, as those of a restored state might not.
    pub(crate) fn is_sound(&self, plan: &BinPlan, groups: usize) -> bool {
        self.ranges == plan.len() && groups.checked_mul(self.ranges) == Some(self.bins.len())
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.bins.capacity() * size_of::<Bin>()
    }

    fn of(&self, plan: &BinPlan, group: usize, bins: usize, side: Side) -> &[Bin] {
        let first = group * self.ranges + plan.start(bins, side);
        self.bins.get(first..first + bins).unwrap_or_default()
    }

    /// Σ|Σw(p − y)| over the ranges of one slice, to be divided by its weight.
    pub(crate) fn distance(&self, plan: &BinPlan, group: usize, bins: usize, side: Side) -> DoubleDouble {
        let gap = |bin: &Bin| (bin.prediction.to_double_double() - bin.label.to_double_double()).abs();
        self.of(plan, group, bins, side).iter().fold(DoubleDouble::ZERO, |sum, bin| sum + gap(bin))
    }

    /// The ranges of one slice that have rows.
    pub(crate) fn calibration(
        &self,
        plan: &BinPlan,
        group: usize,
        bins: usize,
        side: Side,
    ) -> Vec<CalibrationBin> {
        let all = self.of(plan, group, bins, side).iter().enumerate();
        all.filter_map(|(range, bin)| {
            let weight = bin.weight(plan);
            let mean = |sum: &ExactSum| (sum.to_double_double() / weight).to_f64();
            (weight.high > 0.0).then(|| CalibrationBin {
                low: range as f64 / bins as f64,
                high: (range + 1) as f64 / bins as f64,
                rows: bin.rows,
                weight: weight.to_f64(),
                mean_prediction: mean(&bin.prediction),
                mean_label: mean(&bin.label),
            })
        })
        .collect()
    }
}

impl Bin {
    fn add(&mut self, probability: f64, label: f64, weight: Option<f64>) {
        self.rows += 1;
        match weight {
            None => {
                self.prediction.add(probability);
                self.label.add(label);
            }
            Some(weight) => {
                self.weight.add(weight);
                self.prediction.add_product(weight, probability);
                self.label.add_product(weight, label);
            }
        }
    }

    fn weight(&self, plan: &BinPlan) -> DoubleDouble {
        if plan.is_weighted { self.weight.to_double_double() } else { DoubleDouble::from(self.rows) }
    }
}

/// The probability that a row's prediction names, and 1 where what it names came, else 0.
fn said(columns: &[&[f64]], row: usize, label: f64) -> (f64, f64) {
    if let [only] = columns {
        return (only[row], label);
    }
    let predicted = predicted_class(columns, row);
    let probability = columns.get(predicted).map_or(0.0, |column| column[row]);
    (probability, f64::from(u8::from(predicted == place(label))))
}
