//! Counts or sums by key, as many as there are: what exceeds the memory that they may take lies on disk in sorted runs,
//! and is joined when the keys are asked for. What comes out, and what is serialised, are the keys in the order of their
//! bytes with their joined states; it does not depend on what was in memory and what on disk.
//!
//! Keys stand one after another in one buffer, so that a key takes its bytes and some 30 more. Past its limit a table is
//! only known to be too large, so that it does not depend on the order of rows.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Place;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use sluice_core::error::{CommonError, Result};
use sluice_core::spill::{RunWriter, Runs, Scratch, Sorted, merge};
use sluice_summaries::ExactSum;

/// What is held of a key, nothing by default; joining must not depend on the order.
pub(crate) trait Tally: Clone + Default + Serialize + DeserializeOwned {
    /// Adds that of other rows.
    fn join(&mut self, other: Self);
}

impl Tally for u64 {
    fn join(&mut self, other: Self) {
        *self += other;
    }
}

impl Tally for ExactSum {
    fn join(&mut self, other: Self) {
        self.merge(other);
    }
}

/// What keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Keys {
    /// Text in UTF-8.
    Text,
    /// Eight bytes.
    Number,
}

impl Keys {
    /// Whether these bytes are one of them.
    pub(super) fn takes(self, key: &[u8]) -> bool {
        match self {
            Self::Text => std::str::from_utf8(key).is_ok(),
            Self::Number => key.len() == 8,
        }
    }
}

/// The text of a key of a table of texts.
pub(crate) fn text_of(key: &[u8]) -> Result<&str> {
    std::str::from_utf8(key).map_err(|_| CommonError::Internal("a key is no text".into()).into())
}

/// A key, which begins where the one before ends.
#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    end: usize,
    tally: T,
}

/// Tallies by key.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    keys: Keys,
    limit: usize,
    overflows: bool,
    bytes: Vec<u8>,
    entries: Vec<Entry<T>>,
    places: HashTable<u32>,
    runs: Runs,
}

/// What a table that grows without a fold around it keeps in memory, where it has runs.
const SHED_BYTES: usize = 1 << 25;

/// Never changes, so that speed is the same in every run; the order of places does not show.
const HASHER: FixedState = FixedState::with_seed(0);

fn key_of<'a, T>(bytes: &'a [u8], entries: &[Entry<T>], number: usize) -> &'a [u8] {
    let begin = number.checked_sub(1).map_or(0, |before| entries[before].end);
    &bytes[begin..entries[number].end]
}

impl<T: Tally> Table<T> {
    /// No keys; more than `limit` will not be told.
    pub(crate) fn new(keys: Keys, limit: usize) -> Self {
        Self {
            keys,
            limit,
            overflows: false,
            bytes: Vec::new(),
            entries: Vec::new(),
            places: HashTable::new(),
            runs: Runs::default(),
        }
    }

    /// The same options, no keys.
    pub(crate) fn empty(&self) -> Self {
        Self::new(self.keys, self.limit)
    }

    pub(super) fn keys(&self) -> Keys {
        self.keys
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Gives up the keys for good.
    pub(super) fn overflow(&mut self) {
        *self = Self { overflows: true, ..self.empty() };
    }

    /// The tally of a key, as far as it is in memory.
    pub(crate) fn tally(&mut self, key: &[u8]) -> &mut T {
        let Self { bytes, entries, places, .. } = self;
        let is_key = |number: &u32| key_of(bytes, entries, *number as usize) == key;
        let hash_of = |number: &u32| HASHER.hash_one(key_of(bytes, entries, *number as usize));
        let number = match places.entry(HASHER.hash_one(key), is_key, hash_of) {
            Place::Occupied(place) => *place.get() as usize,
            Place::Vacant(place) => {
                let number = entries.len();
                // `bound` keeps tables below 2^32 keys.
                place.insert(u32::try_from(number).unwrap_or(u32::MAX));
                bytes.extend_from_slice(key);
                entries.push(Entry { end: bytes.len(), tally: T::default() });
                number
            }
        };
        &mut entries[number].tally
    }

    /// Gives up the keys where there are too many. To be called at the end of each batch.
    pub(crate) fn bound(&mut self) {
        // A batch is far smaller than 2^31 keys.
        if self.overflows || self.entries.len() > std::cmp::min(self.limit, 1 << 31) {
            self.overflow();
        }
    }

    /// Joins that of later rows.
    pub(crate) fn merge(&mut self, later: Self) -> Result<()> {
        self.overflows |= later.overflows;
        let mut later = later;
        if later.entries.len() > self.entries.len() && !self.overflows {
            std::mem::swap(self, &mut later);
        }
        for number in 0..later.entries.len() {
            let tally = later.entries[number].tally.clone();
            self.tally(key_of(&later.bytes, &later.entries, number)).join(tally);
        }
        self.runs.append(later.runs, T::join)?;
        self.bound();
        Ok(())
    }

    /// Puts the keys in memory on disk, where they take at least so many bytes.
    pub(crate) fn shed(&mut self, least: usize, scratch: &Scratch) -> Result<()> {
        if self.entries.is_empty() || self.size_in_memory() < least {
            return Ok(());
        }
        let mut writer = RunWriter::new(scratch);
        for number in self.sorted() {
            writer.push(key_of(&self.bytes, &self.entries, number), &self.entries[number].tally)?;
        }
        let mut runs = std::mem::take(&mut self.runs);
        runs.push(writer.finish()?);
        runs.bound(T::join)?;
        *self = Self { runs, ..self.empty() };
        Ok(())
    }

    /// The numbers of the keys in memory, in the order of the bytes.
    fn sorted(&self) -> impl Iterator<Item = usize> {
        let key = |number: usize| key_of(&self.bytes, &self.entries, number);
        let first = if self.entries.is_empty() { &[] } else { key(0) };
        // What all begin with tells nothing; the eight bytes behind it mostly tell all.
        let common = (0..self.entries.len()).fold(first.len(), |common, number| {
            let pairs = key(number).iter().zip(&first[..common]);
            pairs.take_while(|(mine, first)| mine == first).count()
        });
        let leading = |number: usize| {
            let rest = &key(number)[common..];
            let mut leading = [0; 8];
            let length = std::cmp::min(rest.len(), 8);
            leading[..length].copy_from_slice(&rest[..length]);
            (u64::from_be_bytes(leading), number)
        };
        let mut order: Vec<(u64, usize)> = (0..self.entries.len()).map(leading).collect();
        order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| key(a.1).cmp(key(b.1))));
        order.into_iter().map(|(_, number)| number)
    }

    /// Hands each key with its tally to `visit`, in the order of the bytes. False where there are more than the limit; what
    /// was handed over until then is to be forgotten.
    pub(crate) fn each(&self, mut visit: impl FnMut(&[u8], T) -> Result<()>) -> Result<bool> {
        if self.overflows {
            return Ok(false);
        }
        if self.runs.is_empty() {
            for number in self.sorted() {
                visit(key_of(&self.bytes, &self.entries, number), self.entries[number].tally.clone())?;
            }
            return Ok(self.entries.len() <= self.limit);
        }
        let mut sources: Vec<Box<dyn Sorted<T> + '_>> = Vec::new();
        sources.extend(self.runs.readers().map(|reader| Box::new(reader) as Box<dyn Sorted<T> + '_>));
        sources.push(Box::new(InMemory { table: self, order: self.sorted() }));
        let mut count = 0;
        merge(sources, T::join, |key, tally| {
            count += 1;
            let is_within = count <= self.limit;
            if is_within {
                visit(key, tally)?;
            }
            Ok(is_within)
        })?;
        Ok(count <= self.limit)
    }

    /// How many keys there are; none past the limit.
    pub(crate) fn count(&self) -> Result<Option<usize>> {
        if self.runs.is_empty() {
            return Ok((!self.overflows).then_some(self.entries.len()));
        }
        let mut count = 0;
        let is_whole = self.each(|_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(is_whole.then_some(count))
    }

    /// The same tallies under other keys, which may join.
    pub(crate) fn map_keys(&self, keys: Keys, new_key: impl Fn(&[u8]) -> [u8; 8]) -> Result<Self> {
        let mut table = Self { overflows: self.overflows, ..Self::new(keys, self.limit) };
        let is_whole = self.each(|key, tally| {
            table.tally(&new_key(key)).join(tally);
            if let Some(scratch) = self.runs.scratch() {
                table.shed(SHED_BYTES, scratch)?;
            }
            Ok(())
        })?;
        table.overflows |= !is_whole;
        table.bound();
        Ok(table)
    }

    /// Bytes that [`Table::shed`] would put on disk.
    pub(crate) fn size_in_memory(&self) -> usize {
        self.bytes.capacity()
            + self.entries.capacity() * size_of::<Entry<T>>()
            + self.places.allocation_size()
    }

    /// Bytes held in memory.
    pub(crate) fn size_bytes(&self) -> usize {
        self.size_in_memory() + self.runs.size_bytes()
    }
}

/// The keys in memory, one after the other.
struct InMemory<'a, T, I> {
    table: &'a Table<T>,
    order: I,
}

impl<T: Tally, I: Iterator<Item = usize>> Sorted<T> for InMemory<'_, T, I> {
    fn next(&mut self, key: &mut Vec<u8>) -> Result<Option<T>> {
        let Some(number) = self.order.next() else { return Ok(None) };
        key.clear();
        key.extend_from_slice(key_of(&self.table.bytes, &self.table.entries, number));
        Ok(Some(self.table.entries[number].tally.clone()))
    }
}

impl<T: Tally + PartialEq> PartialEq for Table<T> {
    fn eq(&self, other: &Self) -> bool {
        let content = |table: &Self| {
            let mut pairs: Vec<(Box<[u8]>, T)> = Vec::new();
            let is_whole = table.each(|key, tally| {
                pairs.push((key.into(), tally));
                Ok(())
            });
            is_whole.map(|is_whole| is_whole.then_some(pairs))
        };
        let is_same = |(mine, other): (Option<_>, Option<_>)| mine == other;
        (self.keys, self.limit) == (other.keys, other.limit)
            && content(self).and_then(|mine| Ok((mine, content(other)?))).is_ok_and(is_same)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
