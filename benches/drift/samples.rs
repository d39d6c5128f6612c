//! Samples of columns, as rows and as the statistics that are kept of them.

use std::collections::BTreeMap;

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    Bucket, ColumnStatistics, DatasetStatistics, Histogram, NumericStatistics, Quantiles, TextStatistics,
    TopValues,
};
use sluice_quality::drift::{Cumulative, DriftSide, Tables};

/// Above so many rows, numbers are rounded to hundredths and drawn as counts of these, which is exact and takes no time
/// per row.
const MOST_ROWS: usize = 20_000;
/// Hundredths on either side of 0 in which all numbers lie.
const REACH: i32 = 450;

/// `SplitMix64`.
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn uniform(&mut self) -> f64 {
        (sluice_core::splitmix::next(&mut self.0) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    /// Gamma of a shape of at least 1 (Marsaglia and Tsang, 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Hits of `count` trials, exactly: by order statistics down to a few trials (Devroye, 1986, X.4.3).
    pub(crate) fn binomial(&mut self, mut count: u64, mut share: f64) -> u64 {
        let mut hits = 0;
        while count > 24 {
            let middle = count / 2 + 1;
            let (a, b) = (self.gamma(middle as f64), self.gamma((count + 1 - middle) as f64));
            let median = a / (a + b);
            if median <= share {
                hits += middle;
                (count, share) = (count - middle, (share - median) / (1.0 - median));
            } else {
                (count, share) = (middle - 1, share / median);
            }
        }
        hits + (0..count).filter(|_| self.uniform() < share).count() as u64
    }
}

/// What is done to the first column of numbers, or the first of labels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Nothing,
    Shift(f64),
    Spread(f64),
    /// Two in a hundred are that many times as large.
    Tail(f64),
    Outliers,
    /// That share of the rows turns to the last label.
    Mass(f64),
    /// That share of the rows turns to a label that was not there.
    New(f64),
    /// That share of the rows loses its value.
    Missing(f64),
}

/// The values with their counts, ascending.
fn numbers(rows: usize, change: Change, chance: &mut Chance) -> (Vec<(f64, u64)>, u64) {
    if rows > MOST_ROWS {
        return (counted(rows as u64, change, chance), 0);
    }
    let one = |index: usize, chance: &mut Chance| {
        let value = chance.normal();
        let is = |share: f64, chance: &mut Chance| chance.uniform() < share;
        match change {
            Change::Shift(by) => Some(value + by),
            Change::Spread(by) => Some(value * by),
            Change::Tail(by) if is(0.02, chance) => Some(value * by),
            Change::Missing(share) if is(share, chance) => None,
            Change::Outliers if index < 10 => Some(1e9),
            _ => Some(value),
        }
    };
    let values: Vec<Option<f64>> = (0..rows).map(|index| one(index, chance)).collect();
    let missing = values.iter().filter(|value| value.is_none()).count() as u64;
    (counted_up(values.into_iter().flatten().collect()), missing)
}

/// The same rounded to hundredths: one share after another of what is left.
fn counted(rows: u64, change: Change, chance: &mut Chance) -> Vec<(f64, u64)> {
    let by = match change {
        Change::Nothing => 0.0,
        Change::Shift(by) => by,
        _ => panic!("{change:?} of many rows is not simulated"),
    };
    let above = |edge: f64| sluice_core::distribution::normal::upper_tail(edge - by);
    let (mut left, mut left_share, mut found) = (rows, 1.0, Vec::new());
    for hundredth in -REACH..=REACH {
        let value = f64::from(hundredth) / 100.0;
        let next = if hundredth == REACH { 0.0 } else { above(value + 0.005) };
        let count = chance.binomial(left, (1.0 - next / left_share).clamp(0.0, 1.0));
        if count > 0 {
            found.push((value, count));
        }
        (left, left_share) = (left - count, next);
    }
    found
}

/// Ten labels with the shares of a geometric sequence.
pub(crate) fn labels(rows: usize, change: Change, chance: &mut Chance) -> ColumnStatistics {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let (mut left, share) = (rows as u64, 0.4);
    for label in 0..10 {
        let count = if label == 9 { left } else { chance.binomial(left, share) };
        let moved = match change {
            Change::Mass(share) | Change::New(share) => chance.binomial(count, share),
            _ => 0,
        };
        let to = if matches!(change, Change::Mass(_)) { "9" } else { "99" };
        for (label, count) in [(label.to_string(), count - moved), (to.to_owned(), moved)] {
            if count > 0 {
                *counts.entry(label).or_default() += count;
            }
        }
        left -= count;
    }
    let mut column = ColumnStatistics::new("label", ColumnKind::Text);
    column.presence.num_rows = rows as u64;
    column.text = Some(TextStatistics {
        mean_length_bytes: 1.0,
        min_length_bytes: 1,
        max_length_bytes: 1,
        num_invalid_utf8: 0,
    });
    let values = counts.into_iter().collect();
    column.top_values = Some(TopValues { values, max_error: 0, is_complete: true });
    column
}

/// TFDV's ten buckets of equal width of ascending values with their counts.
pub(crate) fn equal_width(values: &[(f64, u64)]) -> Histogram {
    let (Some((low, _)), Some((high, _))) = (values.first(), values.last()) else {
        return Histogram::default();
    };
    let width = (high - low) / 10.0;
    let mut buckets: Vec<Bucket> = (0..10)
        .map(|index| {
            let end = if index == 9 { *high } else { low + width * f64::from(index + 1) };
            Bucket { low: low + width * f64::from(index), high: end, count: 0.0 }
        })
        .collect();
    for (value, count) in values {
        let bucket = buckets.iter_mut().find(|bucket| *value <= bucket.high);
        bucket.into_iter().for_each(|bucket| bucket.count += *count as f64);
    }
    Histogram { buckets, max_error: 0.0 }
}

/// Equal values as one with their count, ascending.
pub(crate) fn counted_up(mut values: Vec<f64>) -> Vec<(f64, u64)> {
    values.sort_by(f64::total_cmp);
    let mut counted: Vec<(f64, u64)> = Vec::new();
    for value in values {
        match counted.last_mut().filter(|last| last.0.total_cmp(&value).is_eq()) {
            Some(last) => last.1 += 1,
            None => counted.push((value, 1)),
        }
    }
    counted
}

/// What statistics keep of numbers, and their table.
pub(crate) fn summed_up(name: &str, values: &[(f64, u64)], missing: u64) -> (ColumnStatistics, Cumulative) {
    let count: u64 = values.iter().map(|(_, count)| count).sum();
    let at = |q: f64| {
        let (mut reached, rank) = (0, q * count as f64);
        let place = values.iter().position(|(_, times)| {
            reached += times;
            reached as f64 >= rank
        });
        (q, values[place.unwrap_or(values.len() - 1)].0)
    };
    let kept = [0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0];
    let mut column = ColumnStatistics::new(name, ColumnKind::Float);
    column.presence.num_rows = count + missing;
    column.presence.num_missing = missing;
    column.numeric = Some(NumericStatistics {
        num_finite: count,
        num_zeros: 0,
        mean: None,
        standard_deviation: None,
        min: values.first().map(|first| first.0),
        max: values.last().map(|last| last.0),
        exact_range: None,
        quantiles: Some(Quantiles { values: kept.map(at).to_vec(), rank_error_fraction: 0.0 }),
        histograms: None,
    });
    (column, Cumulative::of_values(values.iter().copied()).unwrap())
}

/// The statistics of a sample, and its numbers.
pub(crate) struct Side(pub(crate) DatasetStatistics, pub(crate) Tables);

impl Side {
    pub(crate) fn seen(&self, is_saved: bool) -> DriftSide<'_> {
        DriftSide { statistics: &self.0, tables: (!is_saved).then_some(&self.1) }
    }
}

/// Nine columns of numbers for each of labels; the first two change.
pub(crate) fn side(rows: usize, columns: usize, change: Change, chance: &mut Chance) -> Side {
    let mut side = Side(DatasetStatistics { num_rows: rows as u64, ..Default::default() }, Tables::new());
    for index in 0..columns {
        let name = format!("x{index}");
        let own = if index < 2 { change } else { Change::Nothing };
        if index % 10 == 1 {
            let column = ColumnStatistics { name, ..labels(rows, own, chance) };
            side.0.columns.push(column);
            continue;
        }
        let own = if matches!(own, Change::Mass(_) | Change::New(_)) { Change::Nothing } else { own };
        let (values, missing) = numbers(rows, own, chance);
        let (column, table) = summed_up(&name, &values, missing);
        side.0.columns.push(column);
        let _ = side.1.insert(name, table);
    }
    side
}

/// A batch whose means differ from those of other batches by chance, `spread` of a deviation, and all of them by `shift`.
pub(crate) fn batch(rows: usize, columns: usize, (spread, shift): (f64, f64), chance: &mut Chance) -> Side {
    let mut side = Side(DatasetStatistics { num_rows: rows as u64, ..Default::default() }, Tables::new());
    for index in 0..columns {
        let name = format!("x{index}");
        let by = spread * chance.normal() + if index == 0 { shift } else { 0.0 };
        let (values, missing) = numbers(rows, Change::Shift(by), chance);
        let (column, table) = summed_up(&name, &values, missing);
        side.0.columns.push(column);
        let _ = side.1.insert(name, table);
    }
    side
}
