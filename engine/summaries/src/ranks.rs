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
pub struct Ranks<T = f64> {
    values: Vec<T>,
    /// For each value, how many are at most that large, too low by at most `undercount`.
    cumulative: Vec<u64>,
    undercount: u64,
    /// By how much a count can be off either way, beyond that.
    sampling_error: u64,
    extremes: Option<(T, T)>,
}

/// One bar of a histogram: values above `low` (in the first bar: from `low`) up to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar<T = f64> {
    /// Lower end.
    pub low: T,
    /// Upper end, included.
    pub high: T,
    /// How many values, within twice the rank error.
    pub count: u64,
}

impl Ranks<f64> {
    /// The quantile between the two values around it, in proportion: definition 7 of Hyndman & Fan, the default of
    /// NumPy and scikit-learn. `None` without values and for `q` outside of 0 to 1.
    #[must_use]
    pub fn interpolated(&self, q: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let place = q * (count - 1) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and count")]
        let below = place.floor() as u64;
        let (low, high) = (self.value_at(below + 1)?, self.value_at(below + 2)?);
        let share = place - place.floor();
        // NumPy's way, so that the digits agree: from the nearer end.
        Some(if share >= 0.5 { high - (high - low) * (1.0 - share) } else { low + (high - low) * share })
    }
}

impl<T: Copy + PartialOrd> Ranks<T> {
    /// A table of ascending entries; `extremes` are those of all values, `undercount` is one-sided.
    pub(crate) fn new(
        entries: impl Iterator<Item = (T, u64)>,
        undercount: u64,
        sampling_error: u64,
        extremes: Option<(T, T)>,
    ) -> Self {
        let (mut values, mut cumulative) = (Vec::new(), Vec::new());
        let mut total = 0;
        for (value, count) in entries {
            total += count;
            values.push(value);
            cumulative.push(total);
        }
        Self { values, cumulative, undercount, sampling_error, extremes }
    }

    /// A table of all values with their counts, ascending.
    pub fn exact(entries: impl Iterator<Item = (T, u64)>) -> Self {
        let mut table = Self::new(entries, 0, 0, None);
        table.extremes = table.values.first().copied().zip(table.values.last().copied());
        table
    }

    /// How many values there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    /// The values in ascending order with their counts; all values where the table is exact, else those that stand
    /// for the others.
    pub fn entries(&self) -> impl Iterator<Item = (T, u64)> + '_ {
        let before = std::iter::once(0).chain(self.cumulative.iter().copied());
        self.values
            .iter()
            .zip(&self.cumulative)
            .zip(before)
            .map(|((value, up_to), before)| (*value, up_to - before))
    }

    /// The smallest value.
    #[must_use]
    pub fn min(&self) -> Option<T> {
        self.extremes.map(|(min, _)| min)
    }

    /// The largest value.
    #[must_use]
    pub fn max(&self) -> Option<T> {
        self.extremes.map(|(_, max)| max)
    }

    /// By how many rows the rank of an answer can be off.
    #[must_use]
    pub fn rank_error_rows(&self) -> u64 {
        self.undercount.div_ceil(2) + self.sampling_error
    }

    /// The value at quantile `q` between 0 and 1; `None` without values and for any other `q`.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<T> {
        let count = self.count();
        if !(0.0..=1.0).contains(&q) {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 and count")]
        let rank = (q * count as f64).ceil() as u64;
        self.value_at(rank)
    }

    /// The value that stands at a rank, counted from 1; ranks beyond the ends are the ends. `None` without values.
    #[must_use]
    pub fn value_at(&self, rank: u64) -> Option<T> {
        let (count, (min, max)) = (self.count(), self.extremes?);
        let rank = rank.clamp(1, count);
        let middle = self.undercount / 2;
        // Up to there nothing may be held, and the first entry may already lie beyond.
        if rank <= middle.max(1) {
            return Some(min);
        }
        if rank == count {
            return Some(max);
        }
        let index = self.cumulative.partition_point(|held| held + middle < rank);
        self.values.get(index).copied()
    }

    /// How many values are at most `value`, within [`Ranks::rank_error_rows`]; exact outside of the extremes.
    #[must_use]
    pub fn rank(&self, value: T) -> u64 {
        let Some((min, max)) = self.extremes else { return 0 };
        if !(value >= min) {
            return 0;
        }
        if value >= max {
            return self.count();
        }
        let index = self.values.partition_point(|held| *held <= value);
        let held = if index == 0 { 0 } else { self.cumulative[index - 1] };
        (held + self.undercount / 2).clamp(1, self.count() - 1)
    }

    /// One bar up to each of the ascending `ends`; equal ends give empty bars without width.
    pub fn bars(&self, ends: impl Iterator<Item = T>) -> Vec<Bar<T>> {
        let Some((min, max)) = self.extremes else { return Vec::new() };
        let (mut low, mut before) = (min, 0);
        let bars = ends.map(|end| {
            let high = if end > max { max } else { end };
            let up_to_high = self.rank(high).max(before);
            let bar = Bar { low, high, count: up_to_high - before };
            (low, before) = (high, up_to_high);
            bar
        });
        bars.collect()
    }
}

impl Ranks {
    /// `bars` bars of equal width; one if all values are equal.
    #[must_use]
    pub fn equi_width(&self, bars: u32) -> Vec<Bar> {
        let Some((min, max)) = self.extremes else { return Vec::new() };
        if min >= max {
            return self.bars(core::iter::once(max));
        }
        let width = (max - min) / f64::from(bars);
        let part = |bar: u32| f64::from(bar) / f64::from(bars);
        let inner = (1..bars).map(|bar| match width {
            // As NumPy's `linspace`.
            width if width.is_finite() => min + width * f64::from(bar),
            // Two products instead of a difference, which overflowed.
            _ => min * (1.0 - part(bar)) + max * part(bar),
        });
        self.bars(inner.chain((bars > 0).then_some(max)))
    }

    /// `bars` bars of about equal count, up to the smallest values that more than 1/bars, 2/bars … of all do not
    /// exceed (where TFDV cuts). A value so heavy that it ends several bars leaves all but the first of them empty
    /// and without width.
    #[must_use]
    pub fn equi_depth(&self, bars: u32) -> Vec<Bar> {
        let rank = |bar: u32| u128::from(self.count()) * u128::from(bar) / u128::from(bars) + 1;
        let ends = (1..=bars).filter_map(|bar| self.value_at(u64::try_from(rank(bar)).unwrap_or(u64::MAX)));
        self.bars(ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(f64, u64)]) -> Ranks {
        Ranks::exact(entries.iter().copied())
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
        assert_eq!(table(&[]).quantile(0.5), None);
    }

    #[test]
    fn ranks_and_bars_by_hand() {
        let three = table(&[(1.0, 4), (2.0, 1), (5.0, 5)]);
        assert_eq!([0.0, 1.0, 1.5, 2.0, 5.0, 9.0].map(|value| three.rank(value)), [0, 4, 4, 5, 10, 10]);
        let bar = |low, high, count| Bar { low, high, count };
        assert_eq!(three.entries().collect::<Vec<_>>(), [(1.0, 4), (2.0, 1), (5.0, 5)]);
        assert_eq!(three.equi_width(2), [bar(1.0, 3.0, 5), bar(3.0, 5.0, 5)]);
        assert_eq!(three.equi_depth(2), [bar(1.0, 5.0, 10), bar(5.0, 5.0, 0)]);
        assert_eq!(three.equi_depth(3), [bar(1.0, 1.0, 4), bar(1.0, 5.0, 6), bar(5.0, 5.0, 0)]);
        let constant = table(&[(7.0, 3)]);
        assert_eq!(constant.equi_depth(2), [bar(7.0, 7.0, 3), bar(7.0, 7.0, 0)]);
        assert_eq!(constant.equi_width(4), [bar(7.0, 7.0, 3)]);
        assert_eq!(table(&[]).equi_width(3), []);
    }
}
