//! A finished table of values by rank: quantiles, ranks and histograms, with a hard bound on the rank error.
//!
//! Definition of a quantile: the smallest value whose cumulative count is at least `q n`, "inverted CDF"
//! (Hyndman & Fan, "Sample quantiles in statistical packages", The American Statistician 50 (1996),
//! definition 1; NumPy's `inverted_cdf`, with the product `q n` rounded to `f64` as there). The first and the
//! last are exact always.
//!
//! The table knows `held(v) <= true(v) <= held(v) + error` for the count of values up to any `v`; answers
//! assume the middle, so their rank is off by at most half of that, [`Ranks::rank_error_rows`]. Without
//! values every answer is `None`. 16 bytes an entry; a quantile takes a binary search.

/// Values in ascending order with their cumulative counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranks {
    values: Vec<f64>,
    /// For each value, how many are at most that large, too low by at most `undercount`.
    cumulative: Vec<u64>,
    undercount: u64,
    min: f64,
    max: f64,
}

/// One bar of a histogram: values above `low` (in the first bar: from `low`) up to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Lower end.
    pub low: f64,
    /// Upper end, included.
    pub high: f64,
    /// How many values, within twice the rank error.
    pub count: u64,
}

impl Ranks {
    /// A table of ascending entries; `min` and `max` are those of all values, `undercount` is one-sided.
    pub(crate) fn new(entries: &[(f64, u64)], undercount: u64, min: f64, max: f64) -> Self {
        let mut total = 0;
        let cumulative = entries.iter().map(|(_, count)| {
            total += count;
            total
        });
        let cumulative = cumulative.collect();
        Self { values: entries.iter().map(|(value, _)| *value).collect(), cumulative, undercount, min, max }
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// The smallest value.
    #[must_use]
    pub fn min(&self) -> Option<f64> {
        (self.count() != 0).then_some(self.min)
    }

    /// The largest value.
    #[must_use]
    pub fn max(&self) -> Option<f64> {
        (self.count() != 0).then_some(self.max)
    }

    /// By how many rows the rank of an answer can be off.
    #[must_use]
    pub fn rank_error_rows(&self) -> u64 {
        self.undercount.div_ceil(2)
    }

    /// The value at quantile `q` between 0 and 1; `None` without values and for any other `q`.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and count")]
        let rank = ((q * count as f64).ceil() as u64).clamp(1, count);
        let middle = self.undercount / 2;
        // Up to there nothing may be held, and the first entry may already lie beyond.
        if rank <= middle.max(1) {
            return Some(self.min);
        }
        if rank == count {
            return Some(self.max);
        }
        let index = self.cumulative.partition_point(|held| held + middle < rank);
        self.values.get(index).copied()
    }

    /// How many values are at most `value`, within [`Ranks::rank_error_rows`]; exact outside of the extremes.
    #[must_use]
    pub fn rank(&self, value: f64) -> u64 {
        if self.count() == 0 || !(value >= self.min) {
            return 0;
        }
        if value >= self.max {
            return self.count();
        }
        let index = self.values.partition_point(|held| *held <= value);
        let held = if index == 0 { 0 } else { self.cumulative[index - 1] };
        (held + self.undercount / 2).clamp(1, self.count() - 1)
    }

    /// At most `bars` bars of about equal count; equal values share a bar.
    #[must_use]
    pub fn equi_depth(&self, bars: u32) -> Vec<Bar> {
        let ends = (1..=bars).filter_map(|bar| self.quantile(f64::from(bar) / f64::from(bars)));
        self.bars(ends)
    }

    /// `bars` bars of equal width; one if all values are equal.
    #[must_use]
    pub fn equi_width(&self, bars: u32) -> Vec<Bar> {
        let part = |bar: u32| f64::from(bar) / f64::from(bars);
        // Two products instead of a difference: max - min may overflow.
        let inner = (1..bars).map(|bar| self.min * (1.0 - part(bar)) + self.max * part(bar));
        let ends = inner.chain((bars > 0).then_some(self.max));
        self.bars(ends)
    }

    fn bars(&self, ends: impl Iterator<Item = f64>) -> Vec<Bar> {
        let mut bars: Vec<Bar> = Vec::new();
        let (mut low, mut before) = (self.min, 0);
        for end in ends {
            let high = if end > self.max { self.max } else { end };
            if self.count() != 0 && (high > low || (bars.is_empty() && high >= self.max)) {
                let up_to_high = self.rank(high);
                bars.push(Bar { low, high, count: up_to_high.saturating_sub(before) });
                (low, before) = (high, up_to_high.max(before));
            }
        }
        bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(f64, u64)]) -> Ranks {
        Ranks::new(entries, 0, entries[0].0, entries[entries.len() - 1].0)
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        // numpy 2: np.quantile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], q, method="inverted_cdf")
        let ten: Vec<(f64, u64)> = (1..=10).map(|value| (f64::from(value), 1)).collect();
        for (q, expected) in [
            (0.0, 1.0),
            (0.05, 1.0),
            (0.1, 1.0),
            (0.11, 2.0),
            (0.3, 3.0),
            (0.5, 5.0),
            (0.7, 7.0),
            (1.0, 10.0),
        ] {
            assert_eq!(table(&ten).quantile(q), Some(expected), "{q}");
        }
        assert_eq!(table(&ten).quantile(f64::NAN), None);
        assert_eq!(table(&ten).quantile(1.1), None);
        assert_eq!(Ranks::new(&[], 0, 0.0, 0.0).quantile(0.5), None);
    }

    #[test]
    fn ranks_and_bars_by_hand() {
        let three = table(&[(1.0, 4), (2.0, 1), (5.0, 5)]);
        assert_eq!([0.0, 1.0, 1.5, 2.0, 5.0, 9.0].map(|value| three.rank(value)), [0, 4, 4, 5, 10, 10]);
        let bar = |low, high, count| Bar { low, high, count };
        assert_eq!(three.equi_width(2), [bar(1.0, 3.0, 5), bar(3.0, 5.0, 5)]);
        assert_eq!(three.equi_depth(2), [bar(1.0, 2.0, 5), bar(2.0, 5.0, 5)]);
        let constant = table(&[(7.0, 3)]);
        assert_eq!(constant.equi_depth(4), [bar(7.0, 7.0, 3)]);
        assert_eq!(constant.equi_width(4), [bar(7.0, 7.0, 3)]);
        assert_eq!(Ranks::new(&[], 0, 0.0, 0.0).equi_width(3), []);
    }
}
