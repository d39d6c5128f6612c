//! What is kept of numbers.
//!
//! While there are at most 2,048 different values they are counted, and all figures follow from the counts in the end:
//! exact for any layout. Beyond, each figure has its own summary. Values are order keys throughout, so that
//! integers past 2^53 stay what they are; decimals are counted as `f64`, but for their range and distinct values.
//! Of tables above 262,144 rows the quantiles take one value in 2, 4 or 8; but 16,384 of a split whole where its batches have
//! fewer values than that.

use arrow::array::{Array, ArrayRef, Float64Array};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::double_double::DoubleDouble;
use sluice_core::error::Result;
use sluice_core::statistics::{
    ColumnStatistics, NumericStatistics, Presence, Quantiles as QuantileStatistics,
};
use sluice_summaries::{
    Distinct, Moments, Quantiles, Strata, TALLY_CAPACITY, Tally, different_at_least, extent, f64_of_key,
    hash_bytes, hash_f64, hash_i64, key_of_f64, key_of_u64, u64_of_key, wide,
};

use super::histograms::histograms;
use super::{QUANTILES, all_values, distinct, join, widen};

/// Values of a split that go to the quantiles whole before sampling begins, where a batch has fewer than that.
const WHOLE_VALUES: usize = 16_384;

/// Values of which all figures are taken before the next ones, so that they stay in the cache; a multiple of all
/// strides and of the blocks of the moments.
const BLOCK: usize = 8192;

/// How the quantiles of a batch are sampled.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    pub(super) stride: usize,
    pub(super) seed: u64,
}

impl Sampling {
    /// One of how many values is sorted, so that the bound on the rank error stays below 1 %.
    pub(super) fn stride_of(table_rows: u64) -> usize {
        match table_rows {
            ..0x4_0000 => 1,
            0x4_0000..0x8_0000 => 2,
            0x8_0000..1_000_000 => 4,
            _ => 8,
        }
    }
}

/// What the quantiles take of a batch.
struct Picking {
    /// How many of the next values whole.
    whole: usize,
    /// A sample of the others.
    strata: Strata,
}

/// What order keys stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Scale {
    Float,
    Integer,
    Unsigned,
}

impl Scale {
    #[inline]
    pub(super) fn number(self, key: i64) -> f64 {
        match self {
            Self::Float => f64_of_key(key),
            Self::Integer => key as f64,
            Self::Unsigned => u64_of_key(key) as f64,
        }
    }

    fn integer(self, key: i64) -> Option<i128> {
        match self {
            Self::Float => None,
            Self::Integer => Some(key.into()),
            Self::Unsigned => Some(u64_of_key(key).into()),
        }
    }

    fn zero(self) -> i64 {
        if self == Self::Unsigned { i64::MIN } else { 0 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Numbers {
    scale: Scale,
    /// All values, while they are few; the rest is empty until they are not.
    tally: Option<Tally>,
    /// Of numbers, not of instants.
    moments: Option<Moments>,
    pub(super) quantiles: Quantiles,
    pub(super) distinct: Distinct,
    num_zeros: u64,
    /// Order keys.
    pub(super) range: Option<(i64, i64)>,
    /// Of unscaled decimals.
    decimals: Option<(i128, i128)>,
}

impl Numbers {
    pub(super) fn new(scale: Scale) -> Self {
        Self {
            scale,
            tally: Some(Tally::new()),
            moments: Some(Moments::new()),
            quantiles: Quantiles::new(),
            distinct: Distinct::new(),
            num_zeros: 0,
            range: None,
            decimals: None,
        }
    }

    /// Decimals, of which different ones may be one `f64`.
    pub(super) fn of_decimals() -> Self {
        Self { tally: None, ..Self::new(Scale::Float) }
    }

    /// Instants, which have no mean.
    pub(super) fn of_instants() -> Self {
        Self { moments: None, ..Self::new(Scale::Integer) }
    }

    pub(super) fn rows(
        &mut self,
        name: &str,
        values: &ArrayRef,
        sampling: Sampling,
        presence: &mut Presence,
    ) -> Result<()> {
        match Column::view(values) {
            Column::Integer(integers) if integers.null_count() == 0 => {
                self.integers(integers.values(), sampling);
            }
            Column::Integer(integers) => {
                self.integers(&integers.iter().flatten().collect::<Vec<_>>(), sampling);
            }
            Column::Unsigned(integers) => {
                let keys: Vec<i64> = integers.iter().flatten().map(key_of_u64).collect();
                self.integers(&keys, sampling);
            }
            Column::Boolean(flags) => {
                let ones = flags.true_count() as u64;
                let zeros = (flags.len() - flags.null_count()) as u64 - ones;
                self.pairs(&[(0, zeros), (1, ones)]);
            }
            Column::Decimal(decimals) => {
                for value in decimals.iter().flatten() {
                    widen(&mut self.decimals, value);
                    self.distinct.insert_hash(hash_bytes(&value.to_le_bytes()));
                }
                let rounded = numbers(name, values, "statistics")?;
                self.floats(&rounded, sampling, presence);
            }
            Column::Float(floats) => self.floats(floats, sampling, presence),
            _ => {}
        }
        Ok(())
    }

    /// Finite values go in, the others are counted.
    fn floats(&mut self, values: &Float64Array, sampling: Sampling, presence: &mut Presence) {
        if values.null_count() == 0 {
            self.valid_floats(values.values(), sampling, presence);
        } else {
            let valid: Vec<f64> = values.iter().flatten().collect();
            self.valid_floats(&valid, sampling, presence);
        }
    }

    /// All figures of a block before the next one, so that each value comes from memory once.
    fn valid_floats(&mut self, values: &[f64], sampling: Sampling, presence: &mut Presence) {
        let taken = |value: f64, tally: &mut Tally, presence: &mut Presence| {
            !count_odd(value, 1, presence) || tally.add(key_of_f64(value), 1)
        };
        self.foresee(values, hash_f64);
        let rest = &values[self.tallied(values, |value, tally| taken(value, tally, presence))..];
        if rest.is_empty() {
            return;
        }
        // Of decimals the distinct values are known before they are rounded.
        let has_distinct = self.decimals.is_none();
        if has_distinct {
            self.distinct.expect(rest, hash_f64);
        }
        let mut picking = self.picking(sampling, rest.len());
        let mut finite = Vec::new();
        for block in rest.chunks(BLOCK) {
            let (mut block, mut all) = (block, extent(block));
            if !all.is_finite {
                finite.clear();
                finite.extend(block.iter().copied().filter(|value| count_odd(*value, 1, presence)));
                (block, all) = (&finite, extent(&finite));
            }
            if block.is_empty() {
                continue;
            }
            if let Some(moments) = &mut self.moments {
                moments.update_within(block, &all);
            }
            self.num_zeros += all.zeros;
            let range = (key_of_f64(all.min), key_of_f64(all.max));
            join(&mut self.range, Some(range));
            if has_distinct {
                self.distinct.insert_all(block, hash_f64);
            }
            self.rank(block, range, &mut picking, key_of_f64);
        }
        self.quantiles.update_strata(picking.strata);
    }

    pub(super) fn integers(&mut self, keys: &[i64], sampling: Sampling) {
        self.foresee(keys, hash_i64);
        let rest = &keys[self.tallied(keys, |key, tally| tally.add(key, 1))..];
        if rest.is_empty() {
            return;
        }
        match self.scale {
            Scale::Float => {}
            Scale::Integer => self.distinct.expect(rest, hash_i64),
            Scale::Unsigned => self.distinct.expect(rest, hash_unsigned),
        }
        let mut picking = self.picking(sampling, rest.len());
        for block in rest.chunks(BLOCK) {
            self.integer_block(block, &mut picking);
        }
        self.quantiles.update_strata(picking.strata);
    }

    fn integer_block(&mut self, block: &[i64], picking: &mut Picking) {
        let Some(first) = block.first() else { return };
        let zero = self.scale.zero();
        let (range, zeros) = wide(
            #[inline(always)]
            || {
                block.iter().fold(((*first, *first), 0_u64), |((low, high), zeros), key| {
                    ((low.min(*key), high.max(*key)), zeros + u64::from(*key == zero))
                })
            },
        );
        if let Some(moments) = &mut self.moments {
            moments.update_integers(block);
        }
        self.num_zeros += zeros;
        join(&mut self.range, Some(range));
        self.insert_distinct(block, |key| key);
        self.rank(block, range, picking, |key| key);
    }

    /// Where values are few, the first of a split go to the quantiles whole.
    fn picking(&self, sampling: Sampling, values: usize) -> Picking {
        let is_whole = sampling.stride > 1 && values < WHOLE_VALUES;
        let ranked = if is_whole { self.quantiles.count() } else { u64::MAX };
        let whole = WHOLE_VALUES.saturating_sub(usize::try_from(ranked).unwrap_or(usize::MAX));
        Picking { whole, strata: Strata::new(sampling.stride, sampling.seed, values) }
    }

    fn rank<T: Copy>(
        &mut self,
        values: &[T],
        range: (i64, i64),
        picking: &mut Picking,
        key: impl Fn(T) -> i64,
    ) {
        let (first, rest) = values.split_at(picking.whole.min(values.len()));
        picking.whole -= first.len();
        if !first.is_empty() {
            let keys: Vec<i64> = first.iter().map(|value| key(*value)).collect();
            self.quantiles.update_keys(&keys);
        }
        picking.strata.add(rest, range, key);
    }

    /// Gives up counting where the first of the values that come are too many different ones.
    fn foresee<T: Copy>(&mut self, values: &[T], hash: impl Fn(T) -> u64) {
        /// NaN and the infinities have hashes too.
        const TOO_MANY: usize = TALLY_CAPACITY + 3;
        if self.tally.is_some()
            && values.len() > 2 * TALLY_CAPACITY
            && different_at_least(&values[..2 * TALLY_CAPACITY], hash) > TOO_MANY
        {
            self.spill();
        }
    }

    /// Counts values while they are few, and answers how many it took.
    fn tallied<T: Copy>(&mut self, values: &[T], mut take: impl FnMut(T, &mut Tally) -> bool) -> usize {
        let Some(tally) = &mut self.tally else { return 0 };
        let refused = values.iter().position(|value| !take(*value, tally));
        if refused.is_some() {
            self.spill();
        }
        refused.unwrap_or(values.len())
    }

    /// Takes in keys with their counts.
    pub(super) fn pairs(&mut self, pairs: &[(i64, u64)]) {
        let mut rest = pairs;
        if let Some(tally) = &mut self.tally {
            match pairs.iter().position(|(key, count)| !tally.add(*key, *count)) {
                None => return,
                Some(refused) => rest = &pairs[refused..],
            }
            self.spill();
        }
        self.summarize(rest);
    }

    /// Takes in keys with their counts, ascending.
    pub(super) fn ascending(&mut self, pairs: &[(i64, u64)]) {
        if let Some(tally) = &mut self.tally {
            if tally.extend_ascending(pairs) {
                return;
            }
            self.spill();
        }
        self.moments_of(pairs);
        self.quantiles.update_ascending(pairs);
        for (key, _) in [pairs.first(), pairs.last()].into_iter().flatten() {
            widen(&mut self.range, *key);
        }
        let zero = self.scale.zero();
        let zeros = pairs.binary_search_by_key(&zero, |(key, _)| *key);
        self.num_zeros += zeros.map_or(0, |place| pairs[place].1);
        self.insert_distinct(pairs, |(key, _)| key);
    }

    /// The values are no longer few: what was counted goes to the summaries.
    fn spill(&mut self) {
        if let Some(tally) = self.tally.take() {
            self.summarize(&tally.sorted());
        }
    }

    fn summarize(&mut self, pairs: &[(i64, u64)]) {
        let zero = self.scale.zero();
        self.moments_of(pairs);
        for (key, count) in pairs {
            self.quantiles.update_counted_key(*key, *count);
            widen(&mut self.range, *key);
            self.num_zeros += if *key == zero { *count } else { 0 };
        }
        self.insert_distinct(pairs, |(key, _)| key);
    }

    fn moments_of(&mut self, pairs: &[(i64, u64)]) {
        match (&mut self.moments, self.scale) {
            (Some(moments), Scale::Float) => {
                moments.update_counted(pairs.iter().map(|(key, count)| (f64_of_key(*key), *count)));
            }
            (Some(moments), Scale::Integer | Scale::Unsigned) => moments.update_counted_integers(pairs),
            (None, _) => {}
        }
    }

    fn insert_distinct<T: Copy>(&mut self, values: &[T], key: impl Fn(T) -> i64) {
        match self.scale {
            Scale::Float => self.distinct.insert_all(values, |value| hash_f64(f64_of_key(key(value)))),
            Scale::Integer => self.distinct.insert_all(values, |value| hash_i64(key(value))),
            Scale::Unsigned => {
                self.distinct.insert_all(values, |value| hash_unsigned(key(value)));
            }
        }
    }

    pub(super) fn merge(&mut self, mut later: Self) {
        if let (Some(mine), Some(theirs)) = (&mut self.tally, &later.tally) {
            // Where all find room the order does not show; where not, what was counted before may not either.
            if !mine.merge(theirs) {
                self.pairs(&theirs.sorted());
            }
            return;
        }
        self.spill();
        later.spill();
        if let (Some(mine), Some(later)) = (&mut self.moments, later.moments) {
            mine.merge(later);
        }
        self.quantiles.merge(later.quantiles);
        self.distinct.merge(later.distinct);
        self.num_zeros += later.num_zeros;
        join(&mut self.range, later.range);
        join(&mut self.decimals, later.decimals);
    }

    /// Brings everything into the summaries; answers all values, if they are few.
    pub(super) fn settle(&mut self) -> Option<Vec<(i64, u64)>> {
        let all = self.tally.as_ref().map(Tally::sorted);
        self.spill();
        all
    }

    pub(super) fn finish(mut self, kind: &ColumnKind, statistics: &mut ColumnStatistics) {
        let all = self.settle();
        let scale = self.scale;
        let ranks = self.quantiles.ranks_by(|key| scale.number(key));
        let values: Vec<(f64, f64)> =
            QUANTILES.iter().filter_map(|q| Some((*q, ranks.quantile(*q)?))).collect();
        let quantiles = (!values.is_empty()).then(|| QuantileStatistics {
            values,
            rank_error_fraction: self.quantiles.rank_error_fraction(),
        });
        let integers = self.range.and_then(|(low, high)| Some((scale.integer(low)?, scale.integer(high)?)));
        let exact_range = self
            .decimals
            .or(integers)
            .filter(|(low, high)| low.unsigned_abs() > 1 << 53 || high.unsigned_abs() > 1 << 53)
            .map(|(low, high)| (decimal_text(low, kind), decimal_text(high, kind)));
        let moments = self.moments.unwrap_or_default();
        // The keys of unsigned integers lack 2^63.
        let lacking = DoubleDouble::from(if scale == Scale::Unsigned { 1_u64 << 63 } else { 0 });
        statistics.numeric = Some(NumericStatistics {
            num_finite: moments.count(),
            num_zeros: self.num_zeros,
            mean: moments.mean_double_double().map(|mean| (mean + lacking).to_f64()),
            standard_deviation: moments.standard_deviation(0),
            min: self.range.map(|(low, _)| scale.number(low)),
            max: self.range.map(|(_, high)| scale.number(high)),
            exact_range,
            quantiles,
            histograms: histograms(&ranks),
        });
        statistics.distinct = Some(distinct(&self.distinct));
        if matches!(kind, ColumnKind::Boolean | ColumnKind::Integer | ColumnKind::Unsigned) {
            let text = |key: i64| match kind {
                ColumnKind::Boolean => (key != 0).to_string(),
                _ => scale.integer(key).unwrap_or_default().to_string(),
            };
            statistics.top_values =
                all.and_then(|all| all_values(all.into_iter().map(|(key, count)| (text(key), count))));
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + self.tally.as_ref().map_or(0, Tally::size_bytes)
            + self.quantiles.size_bytes()
            + self.distinct.size_bytes()
    }
}

fn hash_unsigned(key: i64) -> u64 {
    hash_bytes(&u64_of_key(key).to_le_bytes())
}

/// Whether a value is finite; counts it if not.
#[inline]
pub(super) fn count_odd(value: f64, count: u64, presence: &mut Presence) -> bool {
    if value.is_finite() {
        return true;
    }
    if value.is_nan() {
        presence.num_nan += count;
    } else if value > 0.0 {
        presence.num_positive_infinity += count;
    } else {
        presence.num_negative_infinity += count;
    }
    false
}

fn decimal_text(value: i128, kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Decimal { scale, .. } if *scale > 0 => {
            let scale = usize::from(scale.unsigned_abs());
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
            let sign = if value < 0 { "-" } else { "" };
            format!("{sign}{}.{}", &digits[..digits.len() - scale], &digits[digits.len() - scale..])
        }
        ColumnKind::Decimal { scale, .. } if value != 0 => {
            format!("{value}{}", "0".repeat(usize::from(scale.unsigned_abs())))
        }
        _ => value.to_string(),
    }
}
