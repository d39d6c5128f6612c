//! Two lists of labels side by side, each label once.
//!
//! Statistics list the most frequent labels only. A label that one side lists and the other does not, because its list
//! is cut off, may still be there; such labels count on both sides among `(other)`, with all that is not listed. The
//! distances of what is left are those of two coarser distributions, never more than the true ones.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::view::{ListedLabels, View};

/// What labels are called that are not told apart.
pub const OTHER: &str = "(other)";

/// One label, or one range of numbers, with its counts on both sides: what the figures are computed from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlignedBin {
    /// The label, or the range: above the first bound, up to the second.
    pub bin: String,
    /// Values of the current side; of saved statistics a fraction where a range was cut.
    pub current: f64,
    /// Values of the reference.
    pub reference: f64,
}

/// The labels of both sides.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct AlignedLabels {
    /// The greatest difference first, `(other)` last.
    pub(super) bins: Vec<AlignedBin>,
    /// By how much the difference of the shares of each may be off.
    pub(super) slack: Vec<f64>,
    /// Whether all labels of both sides are known, with exact counts.
    pub(super) is_complete: bool,
}

impl AlignedLabels {
    /// None where a side lists no labels.
    pub(super) fn new(current: View<'_>, reference: View<'_>) -> Option<Self> {
        let sides: [ListedLabels<'_>; 2] = [current.labels()?, reference.labels()?];
        let [n, m] = [sides[0].total, sides[1].total];
        let mut all: BTreeMap<&str, [Option<f64>; 2]> = BTreeMap::new();
        for (index, side) in sides.iter().enumerate() {
            for (label, count) in &side.values {
                all.entry(label).or_default()[index] = Some(*count);
            }
        }
        let is_complete = sides.iter().all(|side| side.is_complete);
        let mut aligned = Self { is_complete, ..Self::default() };
        let mut other = [n, m];
        let slack = sides.iter().map(|side| side.max_error / side.total.max(1.0)).sum::<f64>();
        for (label, counts) in all {
            let is_known = |index: usize| counts[index].is_some() || sides[index].is_complete;
            if !(is_known(0) && is_known(1)) {
                continue;
            }
            let [current, reference] = counts.map(|count| count.unwrap_or(0.0));
            other = [(other[0] - current).max(0.0), (other[1] - reference).max(0.0)];
            aligned.bins.push(AlignedBin { bin: label.to_owned(), current, reference });
        }
        let difference = |bin: &AlignedBin| (bin.current / n.max(1.0) - bin.reference / m.max(1.0)).abs();
        aligned.bins.sort_by(|a, b| difference(b).total_cmp(&difference(a)).then_with(|| a.bin.cmp(&b.bin)));
        aligned.slack = vec![slack; aligned.bins.len()];
        if !aligned.is_complete && other.iter().any(|count| *count > 0.0) {
            let num_listed = aligned.bins.len() as f64;
            aligned.bins.push(AlignedBin { bin: OTHER.into(), current: other[0], reference: other[1] });
            aligned.slack.push((slack * num_listed).min(1.0));
        }
        Some(aligned)
    }

    pub(super) fn pairs(&self) -> Vec<(f64, f64)> {
        self.bins.iter().map(|bin| (bin.current, bin.reference)).collect()
    }
}
