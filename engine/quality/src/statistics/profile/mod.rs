//! Everything that is known of one column after one pass, and of the fields of its structs.
//!
//! Numbers: moments over finite values (double-double, `summaries::moments`), range, zeros, quantiles, histograms,
//! distinct. Text: lengths in bytes, distinct, top values. Dates and timestamps: range, resolution, quantiles,
//! histogram, distinct. Top values also of booleans, integers and dates, while there are few. Lists: how many
//! values rows have, level by level, and all of the above over the innermost values. Structs: presence, and a
//! profile of each field over the present structs. Maps: presence only. Nulls, NaN and infinities are counted apart
//! and enter nothing else; an empty string is a value, and counted too.
//!
//! Memory per column is bounded: some 200 kB for numbers; at worst some 18 MB for text of long, all-different values.

mod histograms;
mod kind;
mod lists;
mod numbers;
mod prepared;
mod texts;
mod times;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{filter, is_not_null};
use serde::{Deserialize, Serialize};

use sluice_core::column::ColumnKind;
use sluice_core::error::{CommonError, Result};
use sluice_core::seam::CountedColumn;
use sluice_core::statistics::{
    ColumnStatistics, Distinct as DistinctStatistics, MAX_TOP_VALUES, Presence, TopValues,
};
use sluice_summaries::{ColumnSummary, Distinct, hash_bytes};

pub(super) use self::lists::list_elements;
pub(super) use self::prepared::{Prepared, Ranked};

use self::prepared::keys_with_counts;

use self::lists::Lists;
use self::numbers::{Numbers, Sampling, Scale};
use self::texts::Texts;
use self::times::Times;
use crate::schema::serialized_steps;

#[cfg(test)]
pub(crate) use self::histograms::{equal_width, histograms, pooled};

/// The quantiles that statistics hold.
pub(super) const QUANTILES: [f64; 17] =
    [0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0];

/// The summary of one column, or of a field of a struct.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    #[serde(with = "kind")]
    kind: ColumnKind,
    presence: Presence,
    lists: Option<Lists>,
    values: Values,
    /// Of a struct, or of the structs in lists.
    fields: Vec<(String, Self)>,
    /// Rows of the whole table, which decide how much is sampled.
    table_rows: u64,
    #[serde(skip)]
    seed: u64,
}

/// What is kept beyond presence, by kind of column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Values {
    Nothing,
    Numbers(Box<Numbers>),
    Texts(Box<Texts>),
    Times(Box<Times>),
}

impl Values {
    fn of(kind: &ColumnKind) -> Self {
        match kind {
            ColumnKind::Boolean | ColumnKind::Integer => {
                Self::Numbers(Box::new(Numbers::new(Scale::Integer)))
            }
            ColumnKind::Unsigned => Self::Numbers(Box::new(Numbers::new(Scale::Unsigned))),
            ColumnKind::Float => Self::Numbers(Box::new(Numbers::new(Scale::Float))),
            ColumnKind::Decimal { .. } => Self::Numbers(Box::new(Numbers::of_decimals())),
            ColumnKind::Text => Self::Texts(Box::new(Texts::new(true))),
            ColumnKind::Binary => Self::Texts(Box::new(Texts::new(false))),
            ColumnKind::Date | ColumnKind::Timestamp { .. } => Self::Times(Box::new(Times::new(kind))),
            ColumnKind::Null | ColumnKind::List(_) | ColumnKind::Struct(_) | ColumnKind::Other(_) => {
                Self::Nothing
            }
        }
    }
}

impl ColumnProfile {
    /// The summary of a column of this kind.
    #[must_use]
    pub fn new(kind: ColumnKind) -> Self {
        let innermost = kind.innermost();
        let depth = depth(&kind);
        let fields = match innermost {
            ColumnKind::Struct(fields) => {
                fields.iter().map(|(name, kind)| (name.clone(), Self::new(kind.clone()))).collect()
            }
            _ => Vec::new(),
        };
        Self {
            values: Values::of(innermost),
            presence: Presence::default(),
            lists: (depth > 0).then(|| Lists::new(depth)),
            fields,
            table_rows: 0,
            seed: 0,
            kind,
        }
    }

    /// The same for a table of so many rows: quantiles of large ones are taken from samples, within their bound.
    #[must_use]
    pub fn with_table_rows(mut self, rows: u64) -> Self {
        self.table_rows = rows;
        let fields = self.fields.into_iter();
        self.fields = fields.map(|(name, field)| (name, field.with_table_rows(rows))).collect();
        self
    }

    /// The statistics of a column and of its fields, in preorder, with the names that they have under `column`.
    #[must_use]
    pub fn named(column: &str, mut statistics: Vec<ColumnStatistics>) -> Vec<ColumnStatistics> {
        for one in &mut statistics {
            if one.path.is_empty() {
                column.clone_into(&mut one.name);
            } else {
                one.path.insert(0, column.to_owned());
                one.name = serialized_steps(&one.path);
            }
        }
        statistics
    }

    /// The kind of its column.
    pub(super) fn kind(&self) -> &ColumnKind {
        &self.kind
    }

    /// Adds the values of these ranks with their counts, ascending, and rows that are null.
    pub(super) fn prepared(&mut self, values: &Prepared, counts: &[(u32, u64)], nulls: u64) {
        self.presence.num_missing += nulls;
        self.presence.num_rows += nulls + counts.iter().map(|(_, count)| count).sum::<u64>();
        match &mut self.values {
            Values::Numbers(numbers) => {
                let (pairs, [nan, infinity, negative]) = values.numbers(counts);
                self.presence.num_nan += nan;
                self.presence.num_positive_infinity += infinity;
                self.presence.num_negative_infinity += negative;
                numbers.ascending(&pairs);
            }
            Values::Texts(texts) => texts.prepared(values, counts, &mut self.presence),
            Values::Times(times) => times.ascending(&values.numbers(counts).0),
            Values::Nothing => {}
        }
    }

    /// Takes in values of which nulls were counted, those of the innermost lists where there are lists.
    fn update(&mut self, name: &str, values: &ArrayRef) -> Result<()> {
        let sampling = Sampling { stride: Sampling::stride_of(self.table_rows), seed: self.seed };
        match &mut self.values {
            Values::Numbers(numbers) => numbers.rows(name, values, sampling, &mut self.presence)?,
            Values::Texts(texts) => texts.rows(values, &mut self.presence),
            Values::Times(times) => times.rows(values, sampling),
            Values::Nothing => {}
        }
        let Some(structs) = values.as_struct_opt().filter(|_| !self.fields.is_empty()) else { return Ok(()) };
        let present = if structs.null_count() == 0 { None } else { Some(is_not_null(structs)) };
        let present = present.transpose().map_err(internal)?;
        for (index, (field, profile)) in self.fields.iter_mut().enumerate() {
            let values = match (&present, structs.columns().get(index)) {
                (None, Some(column)) => Arc::clone(column),
                (Some(present), Some(column)) => filter(column, present).map_err(internal)?,
                (_, None) => return Err(internal(format!("struct `{name}` lacks field `{field}`"))),
            };
            profile.seed = self.seed ^ hash_bytes(field.as_bytes()).rotate_left(1);
            profile.rows(field, &values)?;
        }
        Ok(())
    }
}

pub(super) fn internal(error: impl ToString) -> sluice_core::Error {
    CommonError::Internal(error.to_string()).into()
}

fn depth(kind: &ColumnKind) -> usize {
    if let ColumnKind::List(item) = kind { 1 + depth(item) } else { 0 }
}

fn distinct(summary: &Distinct) -> DistinctStatistics {
    let estimate = summary.estimate();
    DistinctStatistics { count: estimate.value, relative_error: estimate.relative_standard_error }
}

/// The top values of a column of which all values are known, if they are few enough to show.
fn all_values(values: impl Iterator<Item = (String, u64)>) -> Option<TopValues> {
    let mut values: Vec<(String, u64)> = values.collect();
    if values.len() > MAX_TOP_VALUES {
        return None;
    }
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
    Some(TopValues { values, max_error: 0, is_complete: true })
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

impl ColumnSummary for ColumnProfile {
    type Output = Vec<ColumnStatistics>;

    fn empty(&self) -> Self {
        Self::new(self.kind.clone()).with_table_rows(self.table_rows)
    }

    fn begin(&mut self, column: &str, split: u64, first_row: u64) {
        // Different for each batch, and the same for any number of threads.
        let place = [split.to_le_bytes(), first_row.to_le_bytes()].concat();
        self.seed = hash_bytes(column.as_bytes()) ^ hash_bytes(&place).rotate_left(32);
    }

    fn rows(&mut self, name: &str, values: &ArrayRef) -> Result<()> {
        self.presence.num_rows += values.len() as u64;
        self.presence.num_missing += values.logical_null_count() as u64;
        let innermost = self.lists.as_mut().map(|lists| lists.rows(values)).transpose()?;
        self.update(name, innermost.as_ref().unwrap_or(values))
    }

    fn counted(&mut self, column: &CountedColumn) -> Result<()> {
        self.presence.num_missing += column.nulls;
        self.presence.num_rows += column.rows();
        match &mut self.values {
            Values::Numbers(numbers) => match keys_with_counts(column, &mut self.presence) {
                Some(pairs) => numbers.ascending(&pairs),
                // No source counts booleans or decimals.
                None => return Err(internal(format!("`{}` was counted, but is no number", column.column))),
            },
            Values::Times(times) => match keys_with_counts(column, &mut self.presence) {
                Some(pairs) => times.ascending(&pairs),
                None => return Err(internal(format!("`{}` was counted, but is no time", column.column))),
            },
            Values::Texts(texts) => texts.counted(column, &mut self.presence),
            Values::Nothing => {}
        }
        Ok(())
    }

    fn absent(&mut self, rows: u64) {
        self.presence.num_rows += rows;
        self.presence.num_absent += rows;
    }

    fn merge(&mut self, later: Self) {
        self.presence.merge(&later.presence);
        if let (Some(mine), Some(later)) = (&mut self.lists, later.lists) {
            mine.merge(later);
        }
        match (&mut self.values, later.values) {
            (Values::Numbers(mine), Values::Numbers(later)) => mine.merge(*later),
            (Values::Texts(mine), Values::Texts(later)) => mine.merge(*later),
            (Values::Times(mine), Values::Times(later)) => mine.merge(*later),
            // Two profiles of one plan have the same kind, so nothing else meets but nothing and nothing.
            _ => {}
        }
        for ((_, mine), (_, later)) in self.fields.iter_mut().zip(later.fields) {
            mine.merge(later);
        }
    }

    fn finish(self) -> Vec<ColumnStatistics> {
        let kind = self.kind.innermost().clone();
        let mut statistics =
            ColumnStatistics { presence: self.presence, ..ColumnStatistics::new("", kind.clone()) };
        statistics.valency = self.lists.map(Lists::finish);
        match self.values {
            Values::Numbers(numbers) => numbers.finish(&kind, &mut statistics),
            Values::Texts(texts) => texts.finish(&mut statistics),
            Values::Times(times) => times.finish(&kind, &mut statistics),
            Values::Nothing => {}
        }
        let mut all = vec![statistics];
        for (name, field) in self.fields {
            all.extend(field.finish().into_iter().map(|mut statistics| {
                statistics.path.insert(0, name.clone());
                statistics
            }));
        }
        all
    }

    fn size_bytes(&self) -> usize {
        let values = match &self.values {
            Values::Numbers(numbers) => numbers.size_bytes(),
            Values::Texts(texts) => texts.size_bytes(),
            Values::Times(times) => times.size_bytes(),
            Values::Nothing => 0,
        };
        let fields: usize =
            self.fields.iter().map(|(name, field)| name.capacity() + field.size_bytes()).sum();
        size_of::<Self>() + self.lists.as_ref().map_or(0, Lists::size_bytes) + values + fields
    }
}
