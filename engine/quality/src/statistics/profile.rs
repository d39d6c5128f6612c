//! Everything that is known of one column after one pass.
//!
//! Numbers: moments over finite values (double-double, `summaries::moments`), range, zeros, quantiles,
//! distinct. Text: lengths in bytes, distinct, top values. Dates and timestamps: range, distinct. Nulls, NaN
//! and infinities are counted apart and enter nothing else; an empty string is a value, and counted too.
//! Memory per column is bounded: some 700 kB for numbers while they are gathered, 100 kB after; at worst some
//! 18 MB for text of long, all-different values.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType, TimestampNanosecondType};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::Result;
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::{
    ColumnStatistics, Distinct as DistinctStatistics, NumericStatistics, Presence,
    Quantiles as QuantileStatistics, TextStatistics, TimeStatistics, TopValues,
};
use sluice_summaries::{
    ColumnSummary, Distinct, Frequencies, Moments, Quantiles, finite_counted, finite_rows, hash_bytes,
    hash_f64, hash_i64,
};

use super::time::iso;

/// How many of the most frequent values are shown; all of them while there are no more than this.
const TOP_VALUES: usize = 128;

/// The quantiles that statistics hold.
pub(super) const QUANTILES: [f64; 17] =
    [0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0];

/// The summary of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    kind: ColumnKind,
    presence: Presence,
    values: Values,
}

/// What is kept beyond presence, by kind of column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Values {
    Nothing,
    Numbers(Box<Numbers>),
    Texts(Box<Texts>),
    Times(Box<Times>),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Numbers {
    moments: Moments,
    quantiles: Quantiles,
    distinct: Distinct,
    num_zeros: u64,
    range: Option<(f64, f64)>,
    /// Of integers and unscaled decimals, which `f64` may not hold.
    exact_range: Option<(i128, i128)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Texts {
    distinct: Distinct,
    frequencies: Frequencies,
    num_values: u64,
    total_length_bytes: u64,
    lengths: Option<(u64, u64)>,
    is_text: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Times {
    distinct: Distinct,
    range: Option<(i64, i64)>,
}

impl ColumnProfile {
    /// The summary of a column of this kind.
    #[must_use]
    pub fn new(kind: ColumnKind) -> Self {
        let values = match &kind {
            ColumnKind::Boolean
            | ColumnKind::Integer
            | ColumnKind::Unsigned
            | ColumnKind::Float
            | ColumnKind::Decimal { .. } => Values::Numbers(Box::default()),
            ColumnKind::Text => Values::Texts(Box::new(Texts { is_text: true, ..Texts::default() })),
            ColumnKind::Binary => Values::Texts(Box::default()),
            ColumnKind::Date | ColumnKind::Timestamp { .. } => Values::Times(Box::default()),
            ColumnKind::Null | ColumnKind::List(_) | ColumnKind::Struct(_) | ColumnKind::Other(_) => {
                Values::Nothing
            }
        };
        Self { kind, presence: Presence::default(), values }
    }
}

fn widen<T: PartialOrd + Copy>(range: &mut Option<(T, T)>, value: T) {
    match range {
        None => *range = Some((value, value)),
        Some((low, high)) => {
            if value < *low {
                *low = value;
            }
            if value > *high {
                *high = value;
            }
        }
    }
}

fn join<T: PartialOrd + Copy>(range: &mut Option<(T, T)>, later: Option<(T, T)>) {
    if let Some((low, high)) = later {
        widen(range, low);
        widen(range, high);
    }
}

impl Numbers {
    fn add(&mut self, value: f64, count: u64) {
        // One zero, so that the range does not depend on which of the two came first.
        let value = if value == 0.0 { 0.0 } else { value };
        widen(&mut self.range, value);
        if value == 0.0 {
            self.num_zeros += count;
        }
    }

    /// What needs the values as they are: distinct ones, and the range of integers and decimals.
    fn exact(&mut self, values: &ArrayRef) {
        match Column::view(values) {
            Column::Float(values) => {
                let finite = values.iter().flatten().filter(|value| value.is_finite());
                finite.for_each(|value| self.distinct.insert_hash(hash_f64(value)));
            }
            Column::Boolean(values) => {
                values
                    .iter()
                    .flatten()
                    .for_each(|value| self.distinct.insert_hash(hash_i64(i64::from(value))));
            }
            Column::Integer(values) => {
                values.iter().flatten().for_each(|value| self.distinct.insert_hash(hash_i64(value)));
                let range = (arrow::compute::min(values), arrow::compute::max(values));
                if let (Some(low), Some(high)) = range {
                    join(&mut self.exact_range, Some((i128::from(low), i128::from(high))));
                }
            }
            Column::Unsigned(values) => {
                values
                    .iter()
                    .flatten()
                    .for_each(|value| self.distinct.insert_hash(hash_bytes(&value.to_le_bytes())));
                let range = (arrow::compute::min(values), arrow::compute::max(values));
                if let (Some(low), Some(high)) = range {
                    join(&mut self.exact_range, Some((i128::from(low), i128::from(high))));
                }
            }
            Column::Decimal(values) => {
                values
                    .iter()
                    .flatten()
                    .for_each(|value| self.distinct.insert_hash(hash_bytes(&value.to_le_bytes())));
                if let (Some(low), Some(high)) = (arrow::compute::min(values), arrow::compute::max(values)) {
                    join(&mut self.exact_range, Some((low, high)));
                }
            }
            _ => {}
        }
    }

    fn finish(self, kind: &ColumnKind) -> (NumericStatistics, DistinctStatistics) {
        let ranks = self.quantiles.ranks();
        let values: Vec<(f64, f64)> =
            QUANTILES.iter().filter_map(|q| Some((*q, ranks.quantile(*q)?))).collect();
        let quantiles = (!values.is_empty()).then(|| QuantileStatistics {
            values,
            rank_error_fraction: self.quantiles.rank_error_fraction(),
        });
        let exact_range = self
            .exact_range
            .filter(|(low, high)| low.unsigned_abs() > 1 << 53 || high.unsigned_abs() > 1 << 53)
            .map(|(low, high)| (decimal_text(low, kind), decimal_text(high, kind)));
        let statistics = NumericStatistics {
            num_finite: self.moments.count(),
            num_zeros: self.num_zeros,
            mean: self.moments.mean(),
            standard_deviation: self.moments.standard_deviation(0),
            min: self.range.map(|(low, _)| low),
            max: self.range.map(|(_, high)| high),
            exact_range,
            quantiles,
            histograms: None,
        };
        (statistics, distinct(&self.distinct))
    }
}

fn decimal_text(value: i128, kind: &ColumnKind) -> String {
    match kind {
        ColumnKind::Decimal { scale, .. } if *scale > 0 => {
            let scale = usize::from(scale.unsigned_abs());
            let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
            let sign = if value < 0 { "-" } else { "" };
            format!("{sign}{}.{}", &digits[..digits.len() - scale], &digits[digits.len() - scale..])
        }
        _ => value.to_string(),
    }
}

fn distinct(summary: &Distinct) -> DistinctStatistics {
    let estimate = summary.estimate();
    DistinctStatistics { count: estimate.value, relative_error: estimate.relative_standard_error }
}

impl Texts {
    fn add(&mut self, bytes: &[u8], text: Option<&str>, count: u64, presence: &mut Presence) {
        let length = bytes.len() as u64;
        self.num_values += count;
        self.total_length_bytes += length * count;
        widen(&mut self.lengths, length);
        if bytes.is_empty() {
            presence.num_empty += count;
        }
        self.distinct.insert_hash(hash_bytes(bytes));
        if let Some(text) = text {
            self.frequencies.update_counted(text, count);
        }
    }

    fn finish(self) -> (Option<TextStatistics>, DistinctStatistics, Option<TopValues>) {
        let lengths = self.lengths.map(|(min_length_bytes, max_length_bytes)| TextStatistics {
            mean_length_bytes: self.total_length_bytes as f64 / self.num_values as f64,
            min_length_bytes,
            max_length_bytes,
            num_invalid_utf8: 0,
        });
        let top = self.is_text.then(|| {
            let complete =
                self.frequencies.distinct_if_exact().is_some_and(|count| count <= TOP_VALUES as u64);
            TopValues {
                values: self.frequencies.top(TOP_VALUES),
                max_error: self.frequencies.undercount_rows(),
                is_complete: complete,
            }
        });
        (lengths, distinct(&self.distinct), top)
    }
}

impl Times {
    fn add(&mut self, values: &ArrayRef) {
        let mut one = |value: i64| {
            self.distinct.insert_hash(hash_i64(value));
            widen(&mut self.range, value);
        };
        match Column::view(values) {
            Column::Date(_) => {
                values.as_primitive::<Date32Type>().iter().flatten().for_each(|day| one(i64::from(day)));
            }
            Column::TimestampMicrosecond(_) => {
                values.as_primitive::<TimestampMicrosecondType>().iter().flatten().for_each(one);
            }
            Column::TimestampNanosecond(_) => {
                values.as_primitive::<TimestampNanosecondType>().iter().flatten().for_each(one);
            }
            _ => {}
        }
    }
}

impl ColumnSummary for ColumnProfile {
    type Output = ColumnStatistics;

    fn empty(&self) -> Self {
        Self::new(self.kind.clone())
    }

    fn rows(&mut self, name: &str, values: &ArrayRef) -> Result<()> {
        match &mut self.values {
            Values::Numbers(numbers) => {
                let mut finite = Vec::new();
                finite_rows(name, values, "statistics", &mut self.presence, &mut finite)?;
                numbers.moments.update(&finite);
                numbers.quantiles.update(&finite);
                finite.iter().for_each(|value| numbers.add(*value, 1));
                numbers.exact(values);
                return Ok(());
            }
            Values::Texts(texts) => {
                let view = Column::view(values);
                for row in 0..values.len() {
                    match (view, view.text(row)) {
                        (_, Some(text)) => texts.add(text.as_bytes(), Some(text), 1, &mut self.presence),
                        (Column::Binary(bytes), None) if !bytes.is_null(row) => {
                            texts.add(bytes.value(row), None, 1, &mut self.presence);
                        }
                        _ => self.presence.num_missing += 1,
                    }
                }
            }
            Values::Times(times) => {
                self.presence.num_missing += values.null_count() as u64;
                times.add(values);
            }
            Values::Nothing => self.presence.num_missing += values.logical_null_count() as u64,
        }
        self.presence.num_rows += values.len() as u64;
        Ok(())
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        match &mut self.values {
            Values::Numbers(numbers) => {
                let mut finite = Vec::new();
                finite_counted(column, "statistics", &mut self.presence, &mut finite)?;
                numbers.moments.update_counted(finite.iter().copied());
                for &(value, count) in &finite {
                    numbers.quantiles.update_counted(value, count);
                    numbers.add(value, count);
                }
                numbers.exact(&column.values);
                return Ok(());
            }
            Values::Texts(texts) => {
                let view = Column::view(&column.values);
                for (row, &count) in column.counts.iter().enumerate() {
                    if let Some(text) = view.text(row) {
                        texts.add(text.as_bytes(), Some(text), count, &mut self.presence);
                    }
                }
            }
            Values::Times(times) => times.add(&column.values),
            Values::Nothing => {}
        }
        self.presence.num_missing += column.nulls;
        self.presence.num_rows += column.rows();
        Ok(())
    }

    fn absent(&mut self, rows: u64) {
        self.presence.num_rows += rows;
        self.presence.num_absent += rows;
    }

    fn merge(&mut self, later: Self) {
        self.presence.merge(&later.presence);
        match (&mut self.values, later.values) {
            (Values::Numbers(mine), Values::Numbers(later)) => {
                mine.moments.merge(later.moments);
                mine.quantiles.merge(later.quantiles);
                mine.distinct.merge(later.distinct);
                mine.num_zeros += later.num_zeros;
                join(&mut mine.range, later.range);
                join(&mut mine.exact_range, later.exact_range);
            }
            (Values::Texts(mine), Values::Texts(later)) => {
                mine.distinct.merge(later.distinct);
                mine.frequencies.merge(later.frequencies);
                mine.num_values += later.num_values;
                mine.total_length_bytes += later.total_length_bytes;
                join(&mut mine.lengths, later.lengths);
            }
            (Values::Times(mine), Values::Times(later)) => {
                mine.distinct.merge(later.distinct);
                join(&mut mine.range, later.range);
            }
            // Two profiles of one plan have the same kind, so nothing else meets but nothing and nothing.
            _ => {}
        }
    }

    fn finish(self) -> ColumnStatistics {
        let mut statistics =
            ColumnStatistics { presence: self.presence, ..ColumnStatistics::new("", self.kind.clone()) };
        match self.values {
            Values::Numbers(numbers) => {
                let (numeric, distinct) = numbers.finish(&self.kind);
                statistics.numeric = Some(numeric);
                statistics.distinct = Some(distinct);
            }
            Values::Texts(texts) => {
                let (text, distinct, top_values) = texts.finish();
                statistics.text = text;
                statistics.distinct = Some(distinct);
                statistics.top_values = top_values;
            }
            Values::Times(times) => {
                statistics.distinct = Some(distinct(&times.distinct));
                statistics.time = times.range.map(|(earliest, latest)| TimeStatistics {
                    earliest: iso(&self.kind, earliest),
                    latest: iso(&self.kind, latest),
                    resolution: None,
                    quantiles: Vec::new(),
                    rank_error_fraction: 0.0,
                    histogram: Vec::new(),
                });
            }
            Values::Nothing => {}
        }
        statistics
    }

    fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.values {
                Values::Numbers(numbers) => {
                    size_of::<Numbers>()
                        + numbers.moments.size_bytes()
                        + numbers.quantiles.size_bytes()
                        + numbers.distinct.size_bytes()
                }
                Values::Texts(texts) => {
                    size_of::<Texts>() + texts.distinct.size_bytes() + texts.frequencies.size_bytes()
                }
                Values::Times(times) => size_of::<Times>() + times.distinct.size_bytes(),
                Values::Nothing => 0,
            }
    }
}
