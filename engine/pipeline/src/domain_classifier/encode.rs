//! The rows of both sides as levels, which a logistic regression takes one by one, and products of normal scores.
//!
//! | column | levels |
//! |---|---|
//! | numbers | tenths of both sides together (each value its own where there are at most ten), NaN, missing; infinities are the ends |
//! | labels | the 20 most frequent of both sides together (of equals the first in byte order), others, missing |
//!
//! Of 2 to [`MAX_PAIRED`] columns of numbers the products of two normal scores are features too: the score of a value is the
//! normal quantile at its mid-rank among both sides, that of what is missing 0. They show what goes together. A column of
//! one level tells nothing and is left out, a column that one side lacks or has another type there has signals of its own.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef};
use sluice_core::column::{Column, ColumnKind, numbers};
use sluice_core::distribution::normal;
use sluice_core::error::Result;
use sluice_quality::drift::{Comparison, DriftOptions};

use super::DomainSample;

/// Columns of the matrix of a fit, at most: beyond, the columns of the data are chosen (`fit`).
pub(super) const MAX_WIDTH: usize = 400;
/// Columns of numbers of which all pairs are looked at.
pub(super) const MAX_PAIRED: usize = 16;
/// Bins of numbers.
const BINS: usize = 10;
/// Labels of their own.
const LABELS: usize = 20;
const PURPOSE: &str = "the domain classifier";

/// A column of the data as levels.
#[derive(Debug)]
pub(super) struct EncodedColumn {
    pub(super) name: String,
    /// The level of each row.
    pub(super) levels: Vec<u32>,
    /// How many there are.
    pub(super) num_levels: usize,
}

/// What two columns of numbers tell together.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) values: Vec<f64>,
}

/// Both sides, the current one first.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) is_current: Vec<bool>,
    pub(super) keys: Vec<u64>,
    pub(super) columns: Vec<EncodedColumn>,
    pub(super) pairs: Vec<Pair>,
}

impl Encoded {
    /// The rows of both samples, and what was left out of them.
    pub(super) fn new(
        current: &DomainSample,
        reference: &DomainSample,
        options: &DriftOptions,
    ) -> Result<(Self, Vec<String>)> {
        let sizes = [current.keys.len(), reference.keys.len()];
        let is_current = (0..sizes[0] + sizes[1]).map(|row| row < sizes[0]).collect();
        let keys = current.keys.iter().chain(&reference.keys).copied().collect();
        let mut encoded = Self { is_current, keys, ..Self::default() };
        let (mut scored, mut notes) = (Vec::new(), Vec::new());
        for (name, now) in &current.columns {
            // What one side lacks is told by its presence.
            let Some(before) = reference.column(name) else { continue };
            let is_categorical = options.categorical.contains(name);
            let compared = [now, before].map(|side| {
                let kind = ColumnKind::of(side.data_type());
                (Comparison::of(&kind, is_categorical), kind == ColumnKind::Boolean)
            });
            if compared[0] != compared[1] {
                notes.push(format!("column `{name}` has another type, and is left out"));
                continue;
            }
            let (levels, num_levels) = if compared[0].0 == Comparison::Numbers {
                let values = values(name, [now, before])?;
                let levels = of_numbers(&values);
                if levels.1 > 1 {
                    scored.push((name.clone(), values));
                }
                levels
            } else {
                of_labels([now, before])
            };
            if num_levels > 1 {
                encoded.columns.push(EncodedColumn { name: name.clone(), levels, num_levels });
            }
        }
        if (2..=MAX_PAIRED).contains(&scored.len()) {
            encoded.pairs = pairs(&scored);
        }
        Ok((encoded, notes))
    }
}

/// The numbers of both sides; none where missing.
fn values(name: &str, sides: [&ArrayRef; 2]) -> Result<Vec<Option<f64>>> {
    let mut all = Vec::with_capacity(sides[0].len() + sides[1].len());
    for side in sides {
        all.extend(numbers(name, side, PURPOSE)?.iter());
    }
    Ok(all)
}

/// Levels of numbers, and how many there are.
fn of_numbers(values: &[Option<f64>]) -> (Vec<u32>, usize) {
    let mut sorted: Vec<f64> = values.iter().flatten().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let mut bounds = sorted.clone();
    bounds.dedup_by(|a, b| !(*a > *b));
    if bounds.len() > BINS {
        let at = |tenth: usize| sorted[tenth * (sorted.len() - 1) / BINS];
        bounds = (1..BINS).map(at).collect();
        bounds.dedup_by(|a, b| !(*a > *b));
    } else {
        // The last is whatever is above the one before.
        bounds.pop();
    }
    let bins = number(bounds.len()) + 1;
    let level = |value: &Option<f64>| match value {
        Some(value) if value.is_nan() => bins,
        Some(value) => number(bounds.partition_point(|bound| bound < value)),
        None => bins + 1,
    };
    compact(values.iter().map(level).collect())
}

/// Levels of labels, and how many there are.
fn of_labels(sides: [&ArrayRef; 2]) -> (Vec<u32>, usize) {
    let texts: Vec<Option<String>> = sides.into_iter().flat_map(texts).collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for text in texts.iter().flatten() {
        *counts.entry(text).or_default() += 1;
    }
    let mut listed: Vec<(&str, u64)> = counts.into_iter().collect();
    // Stable, so that of equals the first in byte order stays first.
    listed.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    listed.truncate(LABELS);
    let codes: BTreeMap<&str, u32> =
        listed.iter().zip(0..).map(|((label, _), code)| (*label, code)).collect();
    let other = number(codes.len());
    let level = |text: &Option<String>| match text {
        Some(text) => codes.get(text.as_str()).copied().unwrap_or(other),
        None => other + 1,
    };
    compact(texts.iter().map(level).collect())
}

/// The values of a column as names.
fn texts(array: &ArrayRef) -> Vec<Option<String>> {
    let view = Column::view(array);
    let text = |row: usize| match view {
        Column::Boolean(values) => values.value(row).to_string(),
        Column::Integer(values) => values.value(row).to_string(),
        Column::Unsigned(values) => values.value(row).to_string(),
        // -0 is 0.
        Column::Float(values) => (values.value(row) + 0.0).to_string(),
        Column::Decimal(values) => values.value_as_string(row),
        Column::Binary(values) => values.value(row).escape_ascii().to_string(),
        _ => view.text(row).unwrap_or_default().to_owned(),
    };
    (0..array.len()).map(|row| array.is_valid(row).then(|| text(row))).collect()
}

/// A number of levels, which are few.
fn number(levels: usize) -> u32 {
    u32::try_from(levels).unwrap_or(u32::MAX)
}

/// Numbers levels anew, so that each has a row.
fn compact(mut levels: Vec<u32>) -> (Vec<u32>, usize) {
    let mut present: Vec<u32> = levels.clone();
    present.sort_unstable();
    present.dedup();
    for level in &mut levels {
        *level = number(present.partition_point(|other| *other < *level));
    }
    (levels, present.len())
}

/// The products of the normal scores of every two columns.
fn pairs(columns: &[(String, Vec<Option<f64>>)]) -> Vec<Pair> {
    let scores: Vec<Vec<f64>> = columns.iter().map(|(_, values)| normal_scores(values)).collect();
    let mut found = Vec::new();
    for (first, x) in scores.iter().enumerate() {
        for (second, y) in scores.iter().enumerate().skip(first + 1) {
            let name = format!("{} × {}", columns[first].0, columns[second].0);
            found.push(Pair { name, values: x.iter().zip(y).map(|(x, y)| x * y).collect() });
        }
    }
    found
}

/// Normal quantiles at the mid-ranks of values; 0 for what is missing or NaN.
fn normal_scores(values: &[Option<f64>]) -> Vec<f64> {
    let value = |row: usize| values[row].filter(|value| !value.is_nan());
    let mut order: Vec<(f64, usize)> = (0..values.len()).filter_map(|row| Some((value(row)?, row))).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let all = order.len() as f64;
    let mut scores = vec![0.0; values.len()];
    let mut before = 0;
    for tied in order.chunk_by(|a, b| !(a.0 < b.0)) {
        let middle = (before as f64 + tied.len() as f64 / 2.0) / all;
        let score =
            if middle > 0.5 { normal::upper_quantile(1.0 - middle) } else { -normal::upper_quantile(middle) };
        tied.iter().for_each(|(_, row)| scores[*row] = score);
        before += tied.len();
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_numbers_are_levels_of_their_own_and_nothing_is_lost() {
        let values = [Some(2.0), Some(1.0), None, Some(f64::NAN), Some(1.0), Some(f64::INFINITY)];
        assert_eq!(of_numbers(&values), (vec![1, 0, 4, 3, 0, 2], 5));
        assert_eq!(of_numbers(&[Some(0.0), Some(-0.0)]).1, 1);
        assert_eq!(of_numbers(&[None, None]).1, 1);
        assert_eq!(of_numbers(&[]).1, 0);
    }

    #[test]
    fn many_numbers_fall_into_tenths() {
        let values: Vec<Option<f64>> = (0..1000).map(|row| Some(f64::from(row * 7 % 1000))).collect();
        let (levels, num_levels) = of_numbers(&values);
        assert_eq!(num_levels, 10);
        for level in 0..10 {
            let rows = levels.iter().filter(|found| **found == level).count();
            assert!((98..=102).contains(&rows), "{level}: {rows}");
        }
    }

    #[test]
    fn scores_are_symmetric_and_ties_share_theirs() {
        let scores = normal_scores(&[Some(5.0), None, Some(1.0), Some(3.0), Some(3.0)]);
        assert!((scores[0] + scores[2]).abs() < 1e-12 && scores[0] > 1.1, "{scores:?}");
        assert!(scores[1].abs() < 1e-12 && scores[3].abs() < 1e-12 && scores[4].abs() < 1e-12);
    }
}
