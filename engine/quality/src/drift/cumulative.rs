//! What is known of the finite numbers of one side: at which value which share of them is reached.
//!
//! A table of values with their counts says it exactly, a sketch within its rank error. Saved statistics say it at the
//! quantiles and at the bounds of the histograms that they hold: a quantile `v` at `q` with rank error `e` says that
//! the share below `v` is at most `q + e` and that up to `v` at least `q - e`; so does a bound of a histogram with the
//! count up to it. Between two known values the share lies between the shares there (`low`, `high`), and the best guess
//! (`value`) is that the numbers are spread evenly.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{ColumnStatistics, Histogram, NumericStatistics};
use sluice_summaries::Ranks;

use super::view::{Counting, View};

/// A share of the values, with what it is at least and at most.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Share {
    pub(super) low: f64,
    pub(super) value: f64,
    pub(super) high: f64,
}

impl Share {
    pub(super) const ALL: Self = Self::exactly(1.0);
    pub(super) const NONE: Self = Self::exactly(0.0);

    const fn exactly(value: f64) -> Self {
        Self { low: value, value, high: value }
    }

    /// Within bounds that are a share, the guess between them.
    fn new(low: f64, value: f64, high: f64) -> Self {
        let low = low.clamp(0.0, 1.0);
        let high = high.clamp(low, 1.0);
        Self { low, value: value.clamp(low, high), high }
    }

    /// Between what is reached before and what is reached after, a part of the way.
    pub(super) fn between(before: Self, after: Self, part: f64) -> Self {
        let value = before.value + (after.value - before.value) * part;
        Self::new(before.low, value, after.high)
    }
}

/// A value, with the share of the numbers below it and up to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Knot {
    pub(super) at: f64,
    pub(super) below: Share,
    pub(super) up_to: Share,
}

/// The finite numbers of one side by rank.
#[derive(Clone, Debug, PartialEq)]
pub struct Cumulative {
    pub(super) knots: Vec<Knot>,
    count: f64,
    /// The largest gap between what a share is at least and at most.
    uncertainty: f64,
    /// Whether it was made from values, not from a few quantiles.
    is_table: bool,
}

impl Cumulative {
    /// From values in ascending order with their counts, exactly; none without values.
    #[must_use]
    pub fn of_values(entries: impl Iterator<Item = (f64, u64)>) -> Option<Self> {
        Self::of_ranks(&Ranks::exact(entries))
    }

    /// From a table of values by rank, of which none were left out by sampling (as `drift::tables` makes it), within its
    /// bound; none without values.
    #[must_use]
    pub fn of_ranks(ranks: &Ranks) -> Option<Self> {
        let (min, max) = (ranks.min()?, ranks.max()?);
        let (count, error) = (ranks.count() as f64, ranks.rank_error_rows() as f64);
        // What is held of a rank is never too high, and too low by twice the error at most.
        let share = |held: f64| {
            if held >= count {
                return Share::ALL;
            }
            Share::new(held / count, (held + error) / count, (held + 2.0 * error) / count)
        };
        let mut knots: Vec<Knot> = Vec::new();
        let mut held = 0.0;
        for (at, times) in ranks.entries() {
            let below = if knots.is_empty() && at <= min { Share::NONE } else { share(held) };
            if knots.is_empty() && at > min {
                knots.push(Knot { at: min + 0.0, below: Share::NONE, up_to: share(1.0_f64.min(count)) });
            }
            held += times as f64;
            knots.push(Knot { at: at + 0.0, below, up_to: share(held) });
        }
        if let Some(last) = knots.last_mut() {
            last.up_to = Share::ALL;
            if last.at < max {
                let below = Share::new((count - 1.0 - 2.0 * error) / count, (count - 1.0) / count, 1.0);
                last.up_to = below;
                knots.push(Knot { at: max + 0.0, below, up_to: Share::ALL });
            }
        }
        Some(Self { knots, count, uncertainty: 2.0 * error / count, is_table: true })
    }

    /// From saved statistics: exactly where all values are listed, else from quantiles and histograms; none where there
    /// are no finite numbers.
    #[must_use]
    pub fn of_statistics(column: &ColumnStatistics) -> Option<Self> {
        Self::of_view(View::new(column, Counting::ROWS))
    }

    /// The same of a column whose rows may count by weights.
    pub(super) fn of_view(side: View<'_>) -> Option<Self> {
        let numeric = side.column.numeric.as_ref().filter(|numeric| numeric.num_finite > 0)?;
        let count = side.finite();
        if !(count > 0.0) {
            return None;
        }
        let listed = if side.is_weighted() { None } else { listed(side.column) };
        let exact = listed.and_then(|values| Self::of_values(values.into_iter()));
        exact.map(|exact| Self { count, ..exact }).or_else(|| {
            let knots = knots(numeric, side)?;
            let between = knots.windows(2).map(|pair| pair[1].below.high - pair[0].up_to.low);
            let within = knots.iter().map(|knot| knot.up_to.high - knot.up_to.low);
            let uncertainty = between.chain(within).fold(0.0, f64::max);
            Some(Self { knots, count, uncertainty, is_table: false })
        })
    }

    /// How many numbers it stands for.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.count
    }

    /// By how much a share that it answers may be off, at most.
    #[must_use]
    pub fn uncertainty(&self) -> f64 {
        self.uncertainty
    }

    /// Whether it comes from the values themselves, exactly or by a fine sketch.
    #[must_use]
    pub fn is_table(&self) -> bool {
        self.is_table
    }

    /// The smallest and the largest number.
    #[must_use]
    pub fn extremes(&self) -> (f64, f64) {
        let end = |knot: Option<&Knot>| knot.map_or(0.0, |knot| knot.at);
        (end(self.knots.first()), end(self.knots.last()))
    }

    /// The share of the numbers up to a value.
    pub(super) fn up_to(&self, value: f64) -> Share {
        let after = self.knots.partition_point(|knot| knot.at <= value);
        match (after.checked_sub(1).map(|index| self.knots[index]), self.knots.get(after)) {
            (None, _) => Share::NONE,
            (Some(_), None) => Share::ALL,
            (Some(before), Some(_)) if before.at >= value => before.up_to,
            (Some(before), Some(after)) => {
                Share::between(before.up_to, after.below, part(before.at, value, after.at))
            }
        }
    }

    /// The share of the numbers below a value.
    pub(super) fn below(&self, value: f64) -> Share {
        let index = self.knots.partition_point(|knot| knot.at < value);
        match self.knots.get(index) {
            Some(knot) if knot.at <= value => knot.below,
            _ => self.up_to(value),
        }
    }

    /// The smallest value up to which this share of the numbers is reached.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        let index = self.knots.partition_point(|knot| knot.up_to.value < share);
        let Some(knot) = self.knots.get(index) else { return self.extremes().1 };
        let Some(before) = index.checked_sub(1).map(|index| self.knots[index]) else { return knot.at };
        let (from, to) = (before.up_to.value, knot.below.value);
        if to <= from || share > to {
            return knot.at;
        }
        let part = (share - from) / (to - from);
        before.at * (1.0 - part) + knot.at * part
    }

    /// The standard deviation of the numbers between two quantiles: it cannot be moved by a few that are far out.
    pub(super) fn trimmed_deviation(&self, trim: f64) -> f64 {
        // Places are counted from the first quantile in units of what lies between both: from an outlier far below, all
        // others would differ in their last digits only.
        let (first, last) = (self.quantile(trim), self.quantile(1.0 - trim));
        let half_range = last / 2.0 - first / 2.0;
        if !(half_range > 0.0) {
            return 0.0;
        }
        let place = |at: f64| ((at / 2.0 - first / 2.0) / half_range).clamp(0.0, 1.0);
        let clip = |share: f64| share.clamp(trim, 1.0 - trim);
        let (mut mass, mut sum, mut squares) = (0.0, 0.0, 0.0);
        let mut add = |share: f64, from: f64, to: f64| {
            mass += share;
            sum += share * f64::midpoint(from, to);
            squares += share * (from * from + from * to + to * to) / 3.0;
        };
        for (index, knot) in self.knots.iter().enumerate() {
            if let Some(before) = index.checked_sub(1).map(|index| self.knots[index]) {
                let (from, to) = (before.up_to.value, knot.below.value);
                let (low, high) = (clip(from), clip(to));
                if high > low {
                    let at = |share: f64| {
                        let part = (share - from) / (to - from);
                        place(before.at * (1.0 - part) + knot.at * part)
                    };
                    add(high - low, at(low), at(high));
                }
            }
            let atom = clip(knot.up_to.value) - clip(knot.below.value);
            if atom > 0.0 {
                add(atom, place(knot.at), place(knot.at));
            }
        }
        if !(mass > 0.0) {
            return 0.0;
        }
        let variance = squares / mass - (sum / mass) * (sum / mass);
        // Rounding of the squares is no deviation.
        if variance <= 1e-28 { 0.0 } else { (variance.sqrt() * half_range * 2.0).min(f64::MAX) }
    }
}

/// How far a value is on the way between two others; halves, so that the widest range does not overflow.
fn part(low: f64, value: f64, high: f64) -> f64 {
    (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
}

/// All values of a column with their counts, where its most frequent values are all there are.
fn listed(column: &ColumnStatistics) -> Option<Vec<(f64, u64)>> {
    let top = column.top_values.as_ref().filter(|top| top.is_complete && top.max_error == 0)?;
    let number = |text: &str| match column.kind {
        ColumnKind::Boolean => text.parse::<bool>().ok().map(f64::from),
        // Zeros of either sign are one number.
        _ => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|number| number + 0.0),
    };
    let values = top.values.iter().map(|(text, count)| Some((number(text)?, *count)));
    let mut values = values.collect::<Option<Vec<_>>>()?;
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    values.dedup_by(|later, first| {
        let is_same = later.0.total_cmp(&first.0).is_eq();
        first.1 += if is_same { later.1 } else { 0 };
        is_same
    });
    Some(values)
}

/// That the share `share` is reached at a value, within an error.
struct Reached {
    at: f64,
    share: f64,
    error: f64,
}

/// What quantiles and histograms say, in ascending order of values.
fn knots(numeric: &NumericStatistics, side: View<'_>) -> Option<Vec<Knot>> {
    let mut reached = Vec::new();
    if let Some(quantiles) = side.quantiles() {
        let error = quantiles.rank_error_fraction;
        reached.extend(quantiles.values.iter().map(|&(share, at)| Reached { at, share, error }));
    }
    if let Some(histograms) = side.histograms() {
        reached.extend(of_histogram(&histograms.equal_width));
        reached.extend(of_histogram(&histograms.equal_depth));
    }
    reached.retain(|one| one.at.is_finite());
    let low = numeric.min.or_else(|| reached.iter().map(|one| one.at).reduce(f64::min))?;
    let high = numeric.max.or_else(|| reached.iter().map(|one| one.at).reduce(f64::max))?;
    reached.retain(|one| one.at >= low && one.at <= high);
    reached.push(Reached { at: low, share: 0.0, error: 0.0 });
    reached.push(Reached { at: high, share: 1.0, error: 0.0 });
    reached.sort_by(|a, b| (a.at + 0.0).total_cmp(&(b.at + 0.0)).then(a.share.total_cmp(&b.share)));
    let mut knots: Vec<Knot> = Vec::new();
    for Reached { at, share, error } in reached {
        let (least, most) = ((share - error).clamp(0.0, 1.0), (share + error).clamp(0.0, 1.0));
        match knots.last_mut().filter(|last| last.at.total_cmp(&(at + 0.0)).is_eq()) {
            Some(last) => {
                last.below.high = last.below.high.min(most);
                last.up_to.low = last.up_to.low.max(least);
                last.up_to.value = last.up_to.value.max(share);
            }
            None => knots.push(Knot {
                at: at + 0.0,
                below: Share { low: 0.0, value: share, high: most },
                up_to: Share { low: least, value: share, high: 1.0 },
            }),
        }
    }
    // How much zeros weigh is not known.
    if !side.is_weighted() {
        with_zeros(&mut knots, numeric);
    }
    tighten(&mut knots);
    Some(knots)
}

/// The bounds of a histogram with the share up to them.
fn of_histogram(histogram: &Histogram) -> Vec<Reached> {
    let total: f64 = histogram.buckets.iter().map(|bucket| bucket.count).sum();
    if !(total > 0.0) {
        return Vec::new();
    }
    let mut up_to = 0.0;
    let bound = |bucket: &sluice_core::statistics::Bucket| {
        up_to += bucket.count;
        Reached { at: bucket.high, share: up_to / total, error: histogram.max_error / total }
    };
    histogram.buckets.iter().map(bound).collect()
}

/// Zeros are counted; where zero is an end of the range, that is a share known exactly.
fn with_zeros(knots: &mut [Knot], numeric: &NumericStatistics) {
    let share = numeric.num_zeros as f64 / numeric.num_finite as f64;
    let is_zero = |knot: &Knot| knot.at.abs() < f64::MIN_POSITIVE;
    if let Some(first) = knots.first_mut().filter(|knot| is_zero(knot)) {
        first.up_to = Share::exactly(share);
    }
    if let Some(last) = knots.last_mut().filter(|knot| is_zero(knot)) {
        last.below = Share::exactly(1.0 - share);
    }
}

/// Shares only rise: what is reached early is reached later, and what is not reached late is not reached before.
fn tighten(knots: &mut [Knot]) {
    if let Some(first) = knots.first_mut() {
        first.below = Share::NONE;
    }
    if let Some(last) = knots.last_mut() {
        last.up_to = Share::ALL;
    }
    let (mut low, mut value) = (0.0_f64, 0.0_f64);
    for share in knots.iter_mut().flat_map(|knot| [&mut knot.below, &mut knot.up_to]) {
        low = low.max(share.low);
        value = value.max(share.value);
        (share.low, share.value) = (low, value);
    }
    let mut high = 1.0_f64;
    for share in knots.iter_mut().rev().flat_map(|knot| [&mut knot.up_to, &mut knot.below]) {
        high = high.min(share.high).max(share.low);
        *share = Share::new(share.low, share.value, high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: &[(f64, u64)]) -> Cumulative {
        Cumulative::of_values(values.iter().copied()).unwrap()
    }

    #[test]
    fn a_table_answers_exactly() {
        let cumulative = table(&[(-1.0, 1), (0.0, 2), (5.0, 1)]);
        assert_eq!(cumulative.up_to(-2.0), Share::NONE);
        assert_eq!(cumulative.up_to(0.0).value.to_bits(), 0.75_f64.to_bits());
        assert_eq!(cumulative.up_to(4.0).value.to_bits(), 0.75_f64.to_bits());
        assert_eq!(cumulative.up_to(5.0), Share::ALL);
        assert_eq!([0.25, 0.5, 0.76].map(|q| cumulative.quantile(q).to_string()), ["-1", "0", "5"]);
        assert!(Cumulative::of_values(std::iter::empty()).is_none());
    }

    #[test]
    fn quantiles_bound_every_share() {
        let values: Vec<f64> = (0..1000).map(|i| (f64::from(i) / 100.0).exp()).collect();
        let exact = table(&values.iter().map(|value| (*value, 1)).collect::<Vec<_>>());
        let quantile = |q: f64| (q, exact.quantile(q).max(values[0]));
        let quantiles = sluice_core::statistics::Quantiles {
            values: [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0].map(quantile).to_vec(),
            rank_error_fraction: 0.0,
        };
        let numeric = NumericStatistics {
            num_finite: 1000,
            num_zeros: 0,
            mean: None,
            standard_deviation: None,
            min: Some(values[0]),
            max: Some(values[999]),
            exact_range: None,
            quantiles: Some(quantiles),
            histograms: None,
        };
        let mut column = ColumnStatistics::new("x", ColumnKind::Float);
        column.numeric = Some(numeric);
        let saved = Cumulative::of_statistics(&column).unwrap();
        assert!(!saved.is_table() && saved.uncertainty() <= 0.26);
        for value in &values {
            let (truth, known) = (exact.up_to(*value).value, saved.up_to(*value));
            let inside = known.low <= truth + 1e-12 && truth <= known.high + 1e-12;
            assert!(inside, "{value}: {truth} {known:?}");
        }
    }

    #[test]
    fn a_deviation_without_the_ends_forgets_outliers() {
        let plain: Vec<(f64, u64)> = (0..1000).map(|i| (f64::from(i), 1)).collect();
        let deviation = |values: &[(f64, u64)]| table(values).trimmed_deviation(0.01);
        let without = deviation(&plain);
        assert!((without - 980.0 / 12.0_f64.sqrt()).abs() < 1.0, "{without}");
        assert!(deviation(&[(3.0, 7)]).abs() < f64::MIN_POSITIVE);
        // The outliers take the place of some of the largest, or of the smallest.
        for far in [1e15, 1e300, -1e15, -1e300] {
            let mut wild = plain.clone();
            wild.insert(if far < 0.0 { 0 } else { plain.len() }, (far, 5));
            let wild = deviation(&wild);
            assert!((wild - without).abs() < 0.01 * without, "{far}: {wild} {without}");
        }
    }
}
