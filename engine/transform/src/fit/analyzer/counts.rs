//! How often each value of a column occurs, exactly. Null, NaN and infinities are counted apart; zeros of both signs
//! are one value. Past a limit ([`ValueCounts::LIMIT`]) of different values the counting stops: it is then known that there are more.

use std::hash::Hash;

use arrow::array::{Array, ArrayRef};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::encoding::canonical_bits;
use sluice_core::error::{CommonError, Result};
use sluice_core::seam::CountedColumn;

use super::{Analyze, Rows};
use crate::operation::impute::Fill;

/// Counts by value.
pub(crate) type CountMap<K> = HashMap<K, u64, FixedState>;

/// Counts of values of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "StoredCounts", into = "StoredCounts")]
pub(crate) enum Counts {
    /// Of text.
    Text(CountMap<Box<str>>),
    /// Of signed integers.
    Integer(CountMap<i64>),
    /// Of unsigned integers.
    Unsigned(CountMap<u64>),
    /// Of finite floats, by their canonical bits.
    Float(CountMap<u64>),
    /// Of false and true.
    Boolean([u64; 2]),
}

/// The same, sorted.
#[derive(Serialize, Deserialize)]
enum StoredCounts {
    Text(Vec<(Box<str>, u64)>),
    Integer(Vec<(i64, u64)>),
    Unsigned(Vec<(u64, u64)>),
    Float(Vec<(u64, u64)>),
    Boolean([u64; 2]),
}

fn sorted<K: Ord>(counts: CountMap<K>) -> Vec<(K, u64)> {
    let mut pairs: Vec<(K, u64)> = counts.into_iter().collect();
    pairs.sort_unstable();
    pairs
}

fn empty_map<K>() -> CountMap<K> {
    CountMap::with_hasher(FixedState::with_seed(0))
}

fn map<K: Eq + Hash>(pairs: Vec<(K, u64)>) -> CountMap<K> {
    let mut counts = empty_map();
    counts.extend(pairs);
    counts
}

impl From<Counts> for StoredCounts {
    fn from(counts: Counts) -> Self {
        match counts {
            Counts::Text(counts) => Self::Text(sorted(counts)),
            Counts::Integer(counts) => Self::Integer(sorted(counts)),
            Counts::Unsigned(counts) => Self::Unsigned(sorted(counts)),
            Counts::Float(counts) => Self::Float(sorted(counts)),
            Counts::Boolean(counts) => Self::Boolean(counts),
        }
    }
}

impl From<StoredCounts> for Counts {
    fn from(counts: StoredCounts) -> Self {
        match counts {
            StoredCounts::Text(counts) => Self::Text(map(counts)),
            StoredCounts::Integer(counts) => Self::Integer(map(counts)),
            StoredCounts::Unsigned(counts) => Self::Unsigned(map(counts)),
            StoredCounts::Float(counts) => Self::Float(map(counts)),
            StoredCounts::Boolean(counts) => Self::Boolean(counts),
        }
    }
}

impl Counts {
    /// For a column of this kind.
    fn new(kind: Option<&ColumnKind>) -> Self {
        match kind {
            Some(ColumnKind::Integer) => Self::Integer(empty_map()),
            Some(ColumnKind::Unsigned) => Self::Unsigned(empty_map()),
            Some(ColumnKind::Float) => Self::Float(empty_map()),
            Some(ColumnKind::Boolean) => Self::Boolean([0; 2]),
            _ => Self::Text(empty_map()),
        }
    }

    fn emptied(&self) -> Self {
        match self {
            Self::Text(_) => Self::Text(empty_map()),
            Self::Integer(_) => Self::Integer(empty_map()),
            Self::Unsigned(_) => Self::Unsigned(empty_map()),
            Self::Float(_) => Self::Float(empty_map()),
            Self::Boolean(_) => Self::Boolean([0; 2]),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(counts) => counts.len(),
            Self::Integer(counts) => counts.len(),
            Self::Unsigned(counts) | Self::Float(counts) => counts.len(),
            Self::Boolean(counts) => counts.iter().filter(|count| **count > 0).count(),
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Text(counts) => {
                counts.allocation_size() + counts.keys().map(|key| key.len()).sum::<usize>()
            }
            Self::Integer(counts) => counts.allocation_size(),
            Self::Unsigned(counts) | Self::Float(counts) => counts.allocation_size(),
            Self::Boolean(_) => 0,
        }
    }

    /// As counts of floats, for a fractional value among integers.
    fn into_floats(self) -> Self {
        let floats = |pairs: Vec<(f64, u64)>| {
            let mut counts = empty_map();
            for (value, count) in pairs {
                *counts.entry(canonical_bits(value)).or_insert(0) += count;
            }
            Self::Float(counts)
        };
        match self {
            Self::Integer(counts) => floats(counts.into_iter().map(|(key, n)| (key as f64, n)).collect()),
            Self::Unsigned(counts) => floats(counts.into_iter().map(|(key, n)| (key as f64, n)).collect()),
            Self::Boolean([no, yes]) => {
                floats([(0.0, no), (1.0, yes)].into_iter().filter(|(_, count)| *count > 0).collect())
            }
            other => other,
        }
    }
}

/// How often each value occurs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ValueCounts {
    counts: Counts,
    /// Null and NaN: what `impute` fills.
    num_missing: u64,
    num_infinite: u64,
    num_absent: u64,
    limit: usize,
    overflows: bool,
}

impl ValueCounts {
    /// More different values than this are not counted, unless told otherwise.
    pub(crate) const LIMIT: usize = 1 << 20;

    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            counts: Counts::new(None),
            num_missing: 0,
            num_infinite: 0,
            num_absent: 0,
            limit: Self::LIMIT,
            overflows: false,
        }
    }

    /// Counts no more different values than this.
    pub(crate) fn with_limit(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Rows, whatever they hold.
    pub(crate) fn num_rows(&self) -> u64 {
        let counted: u64 = match &self.counts {
            Counts::Text(counts) => counts.values().sum(),
            Counts::Integer(counts) => counts.values().sum(),
            Counts::Unsigned(counts) | Counts::Float(counts) => counts.values().sum(),
            Counts::Boolean(counts) => counts.iter().sum(),
        };
        counted + self.num_missing + self.num_infinite + self.num_absent
    }

    /// The counts; incomplete past the limit.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Whether all different values are counted.
    pub(crate) fn is_complete(&self) -> bool {
        !self.overflows
    }

    /// How many different values there are; past the limit, more than this.
    pub(crate) fn len(&self) -> usize {
        if self.overflows { self.limit } else { self.counts.len() }
    }

    /// Gives up the counts where there are too many, so that the state does not depend on the order of rows.
    fn bound(&mut self) {
        if self.overflows || self.counts.len() > self.limit {
            self.overflows = true;
            self.counts = self.counts.emptied();
        }
    }

    fn add_text(&mut self, text: &str, count: u64) {
        let Counts::Text(counts) = &mut self.counts else { return };
        match counts.get_mut(text) {
            Some(known) => *known += count,
            None => drop(counts.insert(text.into(), count)),
        }
    }

    fn add_float(&mut self, value: f64, count: u64) {
        if value.is_nan() {
            self.num_missing += count;
        } else if value.is_infinite() {
            self.num_infinite += count;
        } else if let Counts::Float(counts) = &mut self.counts {
            *counts.entry(canonical_bits(value)).or_insert(0) += count;
        }
    }

    /// Adds values, the n-th of them `count(n)` times.
    fn add(&mut self, name: &str, values: &ArrayRef, count: impl Fn(usize) -> u64) -> Result<()> {
        let view = Column::view(values);
        let nulls = values.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        if let Column::CodedText(codes, texts) = view {
            return self.add_coded(codes, texts, count);
        }
        for row in 0..values.len() {
            let count = count(row);
            if is_null(row) {
                self.num_missing += count;
                continue;
            }
            match (&view, &mut self.counts) {
                (Column::Text(texts), Counts::Text(_)) => self.add_text(texts.value(row), count),
                (Column::Integer(values), Counts::Integer(counts)) => {
                    *counts.entry(values.value(row)).or_insert(0) += count;
                }
                (Column::Unsigned(values), Counts::Unsigned(counts)) => {
                    *counts.entry(values.value(row)).or_insert(0) += count;
                }
                (Column::Float(values), Counts::Float(_)) => self.add_float(values.value(row), count),
                (Column::Boolean(values), Counts::Boolean(counts)) => {
                    counts[usize::from(values.value(row))] += count;
                }
                _ => {
                    return Err(CommonError::ColumnKind {
                        column: name.to_owned(),
                        found: ColumnKind::of(values.data_type()).to_string(),
                        expected: "the kind that the plan of the data says",
                        purpose: "the transform".into(),
                    }
                    .into());
                }
            }
        }
        self.bound();
        Ok(())
    }

    fn add_coded(
        &mut self,
        codes: &arrow::array::Int32Array,
        texts: &arrow::array::StringArray,
        count: impl Fn(usize) -> u64,
    ) -> Result<()> {
        let mut by_code = vec![0_u64; texts.len()];
        for row in 0..codes.len() {
            let code =
                (!codes.is_null(row)).then(|| codes.value(row)).and_then(|code| usize::try_from(code).ok());
            match code.filter(|code| !texts.is_null(*code)) {
                Some(code) => by_code[code] += count(row),
                None => self.num_missing += count(row),
            }
        }
        for (code, count) in by_code.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            self.add_text(texts.value(code), count);
        }
        self.bound();
        Ok(())
    }
}

impl Analyze for ValueCounts {
    fn empty(&self) -> Self {
        Self { counts: self.counts.emptied(), limit: self.limit, ..Self::new() }
    }

    fn prepare(&mut self, kind: Option<&ColumnKind>) {
        self.counts = Counts::new(kind);
    }

    fn takes_counted(&self) -> bool {
        true
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        self.add(rows.names[0], rows.values[0].column()?, |_| 1)
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        self.num_missing += column.nulls;
        self.add(&column.column, &column.values, |row| column.counts[row])
    }

    fn absent(&mut self, rows: u64) {
        self.num_absent += rows;
    }

    fn fill(&mut self, fill: &Fill) {
        let count = std::mem::take(&mut self.num_missing);
        if count == 0 || self.overflows {
            return;
        }
        match fill {
            Fill::Text(text) => self.add_text(text, count),
            Fill::Boolean(value) => {
                if let Counts::Boolean(counts) = &mut self.counts {
                    counts[usize::from(*value)] += count;
                }
            }
            Fill::Number(value) => self.fill_number(*value, count),
        }
        self.bound();
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        fn join<K: Eq + Hash>(mine: &mut CountMap<K>, later: CountMap<K>) {
            for (key, count) in later {
                *mine.entry(key).or_insert(0) += count;
            }
        }
        self.num_missing += later.num_missing;
        self.num_infinite += later.num_infinite;
        self.num_absent += later.num_absent;
        self.overflows |= later.overflows;
        match (&mut self.counts, later.counts) {
            (Counts::Text(mine), Counts::Text(later)) => join(mine, later),
            (Counts::Integer(mine), Counts::Integer(later)) => join(mine, later),
            (Counts::Unsigned(mine), Counts::Unsigned(later))
            | (Counts::Float(mine), Counts::Float(later)) => {
                join(mine, later);
            }
            (Counts::Boolean(mine), Counts::Boolean(later)) => {
                mine.iter_mut().zip(later).for_each(|(mine, later)| *mine += later);
            }
            _ => return Err(CommonError::Internal("two states count values of other kinds".into()).into()),
        }
        self.bound();
        Ok(())
    }

    fn size_bytes(&self) -> usize {
        self.counts.size_bytes()
    }
}

impl ValueCounts {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and inside the range")]
    fn fill_number(&mut self, value: f64, count: u64) {
        let is_whole = value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0;
        let fits = match &self.counts {
            Counts::Integer(_) => is_whole,
            Counts::Unsigned(_) => is_whole && value >= 0.0,
            Counts::Text(_) | Counts::Float(_) | Counts::Boolean(_) => false,
        };
        match &mut self.counts {
            Counts::Integer(counts) if fits => *counts.entry(value as i64).or_insert(0) += count,
            Counts::Unsigned(counts) if fits => *counts.entry(value as u64).or_insert(0) += count,
            Counts::Text(_) => {}
            _ => {
                self.counts = self.counts.clone().into_floats();
                self.add_float(value, count);
            }
        }
    }
}
