//! Rows that share their key with an earlier row.
//!
//! A key is the XXH3-128 hash of its values in the engine's typed encoding; that two different keys of a
//! billion share a hash has a chance below 2e-21. A row with a null in its key has no key, as in SQL's
//! `UNIQUE`; such rows are counted apart.
//!
//! A state is the sorted list of the keys seen, 48 bytes each. Up to `max_keys` different keys the count is
//! exact. Beyond, only keys whose hash begins with so many zero bits are kept (adaptive sampling: Wegman;
//! Flajolet 1990), as few bits as bring the list below the limit. Every key is then in the sample with all
//! its rows or not at all, so the repeated rows counted are a lower bound, and scaled by a power of two an
//! unbiased estimate. Which keys are in the sample depends on the set of keys alone: not on order, threads or
//! shards.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use serde::{Deserialize, Serialize};
use sluice_core::batch::Inputs;
use sluice_core::encoding::encode;
use sluice_core::error::Result;
use sluice_core::group::GroupMap;
use sluice_core::plan::Plan;
use sluice_core::seam::{BatchSource, Delivery, Request};
use sluice_core::{Accumulator, Batch, Input};
use xxhash_rust::xxh3::xxh3_128;

use super::examples::{Sighting, key_of};
use crate::validation::{Finding, FindingCode, RowExample, Severity};

/// So many different keys are counted exactly unless told otherwise: 384 MiB, and twice that while states are
/// joined.
pub const MAX_KEYS: usize = 1 << 23;

/// Where a row is: its split and its number in it.
type Place = (u64, u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    hash: u128,
    /// Of the first row with this key.
    first: Place,
    rows: u64,
}

/// Counts the rows that repeat the key of an earlier one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct KeyScan {
    options: Options,
    num_rows: u64,
    num_without_key: u64,
    /// Keys are kept whose hash begins with so many zero bits.
    zero_bits: u32,
    /// Ascending by hash, one per key.
    sorted: Vec<Entry>,
    /// Rows that came since, in any order.
    fresh: Vec<Entry>,
    /// The first rows that repeat a key, in the order of the data.
    repeats: Vec<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Options {
    columns: Vec<String>,
    max_keys: usize,
    max_examples: usize,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    options: Options,
    num_rows: u64,
    num_without_key: u64,
    zero_bits: u32,
    sorted: Vec<Entry>,
    repeats: Vec<Place>,
}

impl From<KeyScan> for Stored {
    fn from(mut scan: KeyScan) -> Self {
        scan.settle();
        Self {
            options: scan.options,
            num_rows: scan.num_rows,
            num_without_key: scan.num_without_key,
            zero_bits: scan.zero_bits,
            sorted: scan.sorted,
            repeats: scan.repeats,
        }
    }
}

impl TryFrom<Stored> for KeyScan {
    type Error = &'static str;

    fn try_from(stored: Stored) -> Result<Self, &'static str> {
        let is_sorted = stored.sorted.windows(2).all(|pair| pair[0].hash < pair[1].hash);
        if !is_sorted || stored.sorted.iter().any(|entry| entry.rows == 0) || stored.zero_bits > 128 {
            return Err("a state of keys is not sorted or has a key without rows");
        }
        Ok(Self {
            options: stored.options,
            num_rows: stored.num_rows,
            num_without_key: stored.num_without_key,
            zero_bits: stored.zero_bits,
            sorted: stored.sorted,
            fresh: Vec::new(),
            repeats: stored.repeats,
        })
    }
}

impl KeyScan {
    /// Keys of these columns. Up to `max_keys` different ones are counted exactly; at most `max_examples`
    /// rows are kept, the first in the data that repeat a key.
    #[must_use]
    pub fn new(columns: &[String], max_keys: usize, max_examples: usize) -> Self {
        let options =
            Options { columns: columns.to_vec(), max_keys: std::cmp::max(max_keys, 1), max_examples };
        Self {
            options,
            num_rows: 0,
            num_without_key: 0,
            zero_bits: 0,
            sorted: Vec::new(),
            fresh: Vec::new(),
            repeats: Vec::new(),
        }
    }

    fn add(&mut self, batch: &Batch) -> Result<()> {
        let columns: Vec<(&str, &ArrayRef)> = self
            .options
            .columns
            .iter()
            .map(|name| Ok((name.as_str(), batch.require(name)?)))
            .collect::<Result<_>>()?;
        let nulls: Vec<_> = columns.iter().map(|(_, array)| array.logical_nulls()).collect();
        let mut bytes = Vec::new();
        for row in 0..batch.rows() {
            if nulls.iter().flatten().any(|nulls| nulls.is_null(row)) {
                self.num_without_key += 1;
                continue;
            }
            bytes.clear();
            for (name, array) in &columns {
                encode(name, array, row, &mut bytes)?;
            }
            let hash = xxh3_128(&bytes);
            if hash.leading_zeros() >= self.zero_bits {
                let first = (batch.split(), batch.first_row() + row as u64);
                self.fresh.push(Entry { hash, first, rows: 1 });
            }
        }
        self.num_rows += batch.rows() as u64;
        // Sorting costs the same per row whenever the fresh rows are as many as the sorted keys.
        if self.fresh.len() >= std::cmp::max(self.sorted.len(), 1 << 16) {
            self.settle();
        }
        Ok(())
    }

    /// Brings the fresh rows among the sorted keys, and the list below its limit.
    fn settle(&mut self) {
        if !self.fresh.is_empty() {
            let mut fresh = std::mem::take(&mut self.fresh);
            fresh.sort_unstable_by_key(|entry| (entry.hash, entry.first));
            self.join(fresh);
        }
        while self.sorted.len() > self.options.max_keys {
            self.zero_bits += 1;
            self.keep_sample();
        }
    }

    fn keep_sample(&mut self) {
        let zero_bits = self.zero_bits;
        self.sorted.retain(|entry| entry.hash.leading_zeros() >= zero_bits);
        // Rows that were seen to repeat a key do so, whether it stays in the sample or not.
    }

    /// Joins keys that are sorted by hash and place and lie later in the data.
    fn join(&mut self, later: Vec<Entry>) {
        let mut joined: Vec<Entry> = Vec::with_capacity(self.sorted.len() + later.len());
        let (mut mine, mut theirs) =
            (std::mem::take(&mut self.sorted).into_iter().peekable(), later.into_iter().peekable());
        let mut repeats = std::mem::take(&mut self.repeats);
        loop {
            let takes_mine = match (mine.peek(), theirs.peek()) {
                (Some(left), Some(right)) => left.hash <= right.hash,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let Some(next) = (if takes_mine { mine.next() } else { theirs.next() }) else { break };
            match joined.last_mut() {
                Some(last) if last.hash == next.hash => {
                    last.rows += next.rows;
                    repeats.push(next.first);
                    self.cut(&mut repeats, 1 << 16);
                }
                _ => joined.push(next),
            }
        }
        self.cut(&mut repeats, 0);
        joined.shrink_to_fit();
        (self.sorted, self.repeats) = (joined, repeats);
    }

    /// Keeps the first examples once there are more than `slack` to choose from.
    fn cut(&self, repeats: &mut Vec<Place>, slack: usize) {
        if repeats.len() > slack + self.options.max_examples || slack == 0 {
            repeats.sort_unstable();
            repeats.truncate(self.options.max_examples);
        }
    }
}

impl Accumulator for KeyScan {
    type Output = KeyOutcome;

    fn inputs(&self) -> Inputs {
        self.options.columns.iter().fold(Inputs::default(), |inputs, name| inputs.with_column(name))
    }

    fn empty(&self) -> Self {
        Self::new(&self.options.columns, self.options.max_keys, self.options.max_examples)
    }

    fn update(&mut self, input: Input<'_>) -> Result<()> {
        match input {
            Input::Rows(batch) => self.add(batch),
            // Asks for rows only; what is counted is for others.
            Input::Counted(_) => Ok(()),
        }
    }

    fn merge(&mut self, mut later: Self, _: &GroupMap) -> Result<()> {
        self.settle();
        later.settle();
        self.num_rows += later.num_rows;
        self.num_without_key += later.num_without_key;
        let zero_bits = std::cmp::max(self.zero_bits, later.zero_bits);
        for state in [&mut *self, &mut later] {
            state.zero_bits = zero_bits;
            state.keep_sample();
        }
        self.repeats.append(&mut later.repeats);
        self.join(later.sorted);
        self.settle();
        Ok(())
    }

    fn finish(mut self) -> KeyOutcome {
        self.settle();
        let num_sampled: u64 = self.sorted.iter().map(|entry| entry.rows - 1).sum();
        KeyOutcome {
            columns: self.options.columns,
            num_rows: self.num_rows,
            num_without_key: self.num_without_key,
            num_repeated: num_sampled.max(self.repeats.len() as u64),
            num_sampled,
            num_keys: self.sorted.len() as u64,
            zero_bits: self.zero_bits,
            repeats: self.repeats,
        }
    }

    fn size_bytes(&self) -> usize {
        let entries = self.sorted.capacity() + self.fresh.capacity();
        size_of::<Self>() + entries * size_of::<Entry>() + self.repeats.capacity() * size_of::<Place>()
    }
}

/// How often keys are repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyOutcome {
    /// The columns of the key.
    pub columns: Vec<String>,
    /// Rows.
    pub num_rows: u64,
    /// Rows with a null in the key: these have none.
    pub num_without_key: u64,
    /// Rows that repeat the key of an earlier row; at least so many where `is_exact` says no.
    pub num_repeated: u64,
    /// Those among the keys of the sample.
    num_sampled: u64,
    /// Different keys; of the sample where `is_exact` says no.
    pub num_keys: u64,
    /// The sample has the keys whose hash begins with so many zero bits.
    zero_bits: u32,
    /// The first rows that repeat a key: split and row in it.
    repeats: Vec<Place>,
}

impl KeyOutcome {
    /// Whether all keys were counted, not only a sample.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.zero_bits == 0
    }

    /// The finding: an error where a key is repeated, a warning where only a sample was looked at and nothing
    /// is repeated in it.
    ///
    /// # Errors
    /// What reading the rows shown as examples meets: at most one split for each.
    pub fn finding(self, source: &dyn BatchSource) -> Result<Option<Finding>> {
        let name = self.columns.join(", ");
        let sample = match self.zero_bits {
            0 => String::new(),
            bits => format!("; of 2^{bits} keys one was looked at"),
        };
        if self.num_repeated == 0 && self.is_exact() {
            return Ok(None);
        }
        let is_open = self.num_repeated == 0;
        let at_least = if self.is_exact() { "" } else { "at least " };
        let count = format!("{at_least}{} of {} rows", self.num_repeated, self.num_rows);
        let estimate = match self.zero_bits {
            0 => String::new(),
            bits => format!(", an estimated {:.0}", self.num_sampled as f64 * 2_f64.powi(bits.cast_signed())),
        };
        let nulls = match self.num_without_key {
            0 => String::new(),
            nulls => format!("; {nulls} rows have a null in the key and were not compared"),
        };
        let code = if is_open { FindingCode::Undecided } else { FindingCode::KeyRepeated };
        let message = if is_open {
            format!("whether key ({name}) is unique could not be decided for all rows")
        } else {
            format!("key ({name}) is repeated in {count}")
        };
        Ok(Some(Finding {
            code,
            tfdv: code.tfdv(),
            severity: if is_open { Severity::Warning } else { Severity::Error },
            slice: None,
            path: Vec::new(),
            column: if let [column] = &self.columns[..] { Some(column.clone()) } else { None },
            rule: format!("unique ({name})"),
            expected: "a key of its own in each row".into(),
            observed: format!("{count} repeat the key of an earlier row{estimate}{sample}{nulls}"),
            message,
            suggestion: if is_open {
                "raise the limit of keys to count them all".into()
            } else {
                "name more columns in the key".into()
            },
            num_violations: self.is_exact().then_some(self.num_repeated),
            examples: examples(&self.repeats, &self.columns, source)?,
        }))
    }
}

/// Reads some rows again, for their keys.
fn examples(places: &[Place], columns: &[String], source: &dyn BatchSource) -> Result<Vec<RowExample>> {
    let plan: &Plan = source.plan();
    let rows: Vec<usize> = plan
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| columns.contains(&column.name))
        .map(|(index, _)| index)
        .collect();
    let mut found = Vec::with_capacity(places.len());
    let mut splits: Vec<u64> = places.iter().map(|(split, _)| *split).collect();
    splits.dedup();
    for number in splits {
        let Some(split) = usize::try_from(number).ok().and_then(|index| plan.splits.get(index)) else {
            continue;
        };
        let mut first_row = 0;
        let request = Request { rows: rows.clone(), ..Request::default() };
        source.read(split, &request, &mut |delivery| {
            let Delivery::Rows(record_batch) = delivery else { return Ok(()) };
            let end = first_row + record_batch.num_rows() as u64;
            let batch = Batch::in_split(&record_batch, number, first_row, Arc::default());
            for (_, row) in
                places.iter().filter(|(split, row)| *split == number && (first_row..end).contains(row))
            {
                let in_batch = usize::try_from(row - first_row).unwrap_or(usize::MAX);
                let key = key_of(&batch, columns, in_batch);
                let value = key
                    .iter()
                    .map(|(_, text)| text.as_deref().unwrap_or("null"))
                    .collect::<Vec<_>>()
                    .join(", ");
                let sighting = Sighting { split: number, row: *row, key, value: Some(value) };
                found.extend(sighting.locate(source));
            }
            first_row = end;
            Ok(())
        })?;
    }
    Ok(found)
}
