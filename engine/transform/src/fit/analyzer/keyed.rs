//! A state per key, where a key is made of the texts of one or several columns (null and NaN are one value of their
//! own). Past its limit a table is emptied and only known to be too large, so that it does not depend on the order of
//! rows.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use sluice_core::column::{ColumnKind, numbers};
use sluice_core::error::Result;
use sluice_core::spill::Scratch;
use sluice_summaries::ExactSum;

use super::{Analyze, ColumnAnalyzer, Keys, Rows, Table, text_of};
use crate::operation::keys::Key;
use crate::operation::texts::{Texts, map_keys, parts, push_part};

/// More keys than this are not held unless told otherwise.
pub(crate) const MAX_KEYS: usize = 1 << 20;

/// States by key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "StoredKeyed<S>", into = "StoredKeyed<S>")]
#[serde(bound(serialize = "S: Clone + Serialize", deserialize = "S: Deserialize<'de>"))]
pub(crate) struct Keyed<S> {
    limit: usize,
    overflows: bool,
    numbers: HashMap<Box<str>, usize, FixedState>,
    states: Vec<S>,
}

/// The same, sorted by key.
#[derive(Serialize, Deserialize)]
struct StoredKeyed<S> {
    limit: usize,
    overflows: bool,
    states: Vec<(Box<str>, S)>,
}

impl<S> From<Keyed<S>> for StoredKeyed<S> {
    fn from(keyed: Keyed<S>) -> Self {
        let (limit, overflows) = (keyed.limit, keyed.overflows);
        let mut pairs: Vec<(Box<str>, S)> = keyed.into_pairs().collect();
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Self { limit, overflows, states: pairs }
    }
}

impl<S> From<StoredKeyed<S>> for Keyed<S> {
    fn from(stored: StoredKeyed<S>) -> Self {
        let mut keyed = Self { overflows: stored.overflows, ..Self::new(stored.limit) };
        for (key, state) in stored.states {
            keyed.numbers.insert(key, keyed.states.len());
            keyed.states.push(state);
        }
        keyed
    }
}

impl<S: PartialEq> PartialEq for Keyed<S> {
    fn eq(&self, other: &Self) -> bool {
        let is_theirs = |key: &str, number: usize| {
            other.numbers.get(key).is_some_and(|theirs| other.states[*theirs] == self.states[number])
        };
        (self.limit, self.overflows, self.states.len()) == (other.limit, other.overflows, other.states.len())
            && self.numbers.iter().all(|(key, number)| is_theirs(key, *number))
    }
}

impl<S> Keyed<S> {
    /// No keys yet.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            overflows: false,
            numbers: HashMap::with_hasher(FixedState::with_seed(0)),
            states: Vec::new(),
        }
    }

    /// The keys with their states, in any order.
    fn into_pairs(self) -> impl Iterator<Item = (Box<str>, S)> {
        let mut states: Vec<Option<S>> = self.states.into_iter().map(Some).collect();
        self.numbers
            .into_iter()
            .filter_map(move |(key, number)| states[number].take().map(|state| (key, state)))
    }

    /// The number of a key, for [`Keyed::state`].
    pub(crate) fn number(&mut self, key: &str, new: impl FnOnce() -> S) -> usize {
        if let Some(number) = self.numbers.get(key) {
            return *number;
        }
        self.numbers.insert(key.into(), self.states.len());
        self.states.push(new());
        self.states.len() - 1
    }

    /// The state of a numbered key.
    pub(crate) fn state(&mut self, number: usize) -> &mut S {
        &mut self.states[number]
    }

    /// Gives up the states where there are too many keys. To be called at the end of each batch.
    pub(crate) fn bound(&mut self) {
        if self.overflows || self.states.len() > self.limit {
            *self = Self { overflows: true, ..Self::new(self.limit) };
        }
    }

    /// Joins the states of later rows.
    pub(crate) fn merge(&mut self, later: Self, mut join: impl FnMut(&mut S, S) -> Result<()>) -> Result<()> {
        self.overflows |= later.overflows;
        // Numbers do not show, and the states of two keys never meet: the order of the table does not matter.
        for (key, state) in later.into_pairs() {
            match self.numbers.get(&key) {
                Some(number) => join(&mut self.states[*number], state)?,
                None => {
                    self.numbers.insert(key, self.states.len());
                    self.states.push(state);
                }
            }
        }
        self.bound();
        Ok(())
    }

    /// The parts of the keys with their states, sorted by the parts; what the limit is if there were more.
    pub(crate) fn into_sorted(self) -> Result<Vec<(Key, S)>, usize> {
        if self.overflows {
            return Err(self.limit);
        }
        let mut pairs: Vec<(Key, S)> =
            StoredKeyed::from(self).states.into_iter().map(|(key, state)| (parts(&key), state)).collect();
        pairs.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        Ok(pairs)
    }

    pub(crate) fn size_bytes(&self, of: impl Fn(&S) -> usize) -> usize {
        self.numbers.allocation_size()
            + self.numbers.keys().map(|key| key.len()).sum::<usize>()
            + self.states.iter().map(of).sum::<usize>()
    }
}

/// Hands the values of each key to `add`, in the order of rows.
pub(crate) fn by_number(pairs: &mut [(usize, f64)], mut add: impl FnMut(usize, &[f64])) {
    pairs.sort_by_key(|(number, _)| *number);
    let mut values = Vec::new();
    for run in pairs.chunk_by(|a, b| a.0 == b.0) {
        values.clear();
        values.extend(run.iter().map(|(_, value)| *value));
        add(run[0].0, &values);
    }
}

/// What is gathered of one column, for each key of others and overall: reads the column, then those of the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyedColumn {
    pub(crate) overall: ColumnAnalyzer,
    pub(crate) keys: Keyed<ColumnAnalyzer>,
}

impl KeyedColumn {
    /// What `column` gathers, for each key.
    pub(crate) fn new(column: ColumnAnalyzer) -> Self {
        Self { overall: column, keys: Keyed::new(MAX_KEYS) }
    }
}

impl Analyze for KeyedColumn {
    fn empty(&self) -> Self {
        Self { overall: self.overall.empty(), keys: Keyed::new(MAX_KEYS) }
    }

    fn prepare(&mut self, kind: Option<&ColumnKind>) {
        self.overall.prepare(kind);
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        self.overall.rows(&Rows {
            names: vec![rows.names[0]],
            values: vec![rows.values[0]],
            hashes: None,
        })?;
        let Self { overall, keys } = self;
        let of_row = map_keys(&rows.key(1)?, rows.len(), |key| keys.number(key, || overall.empty()));
        let values = rows.values[0].column()?;
        if overall.is_text() {
            let texts = Texts::of(rows.names[0], values, "transform")?;
            let mut scratch = String::new();
            for (row, number) in of_row.into_iter().enumerate() {
                if let Some(text) = texts.get(row, &mut scratch) {
                    keys.state(number).add_text(text);
                }
            }
        } else {
            let values = numbers(rows.names[0], values, "the transform")?;
            let finite = |(value, number): (Option<f64>, usize)| {
                value.filter(|value| value.is_finite()).map(|value| (number, value))
            };
            let mut pairs: Vec<(usize, f64)> = values.iter().zip(of_row).filter_map(finite).collect();
            by_number(&mut pairs, |number, values| keys.state(number).add_finite(values));
        }
        keys.bound();
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        self.overall.merge(later.overall)?;
        self.keys.merge(later.keys, Analyze::merge)
    }

    fn size_bytes(&self) -> usize {
        self.overall.size_bytes() + self.keys.size_bytes(Analyze::size_bytes)
    }
}

/// How often each key occurs; a row with null or NaN in any part has none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyCounts(Table<u64>);

impl KeyCounts {
    /// Nothing yet; no more keys than `limit` are told.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Table::new(Keys::Text, limit))
    }

    /// The parts of the keys, sorted; what the limit is if there are more.
    pub(crate) fn into_keys(self) -> Result<Result<Vec<Key>, usize>> {
        let mut keys: Vec<Key> = Vec::new();
        let is_whole = self.0.each(|key, _| {
            keys.push(parts(text_of(key)?));
            Ok(())
        })?;
        keys.sort_unstable();
        Ok(if is_whole { Ok(keys) } else { Err(self.0.limit()) })
    }
}

impl Analyze for KeyCounts {
    fn empty(&self) -> Self {
        Self(self.0.empty())
    }

    fn rows(&mut self, rows: &Rows<'_>) -> Result<()> {
        let columns = rows.key(0)?;
        let (mut key, mut scratch) = (String::new(), String::new());
        for row in 0..rows.len() {
            key.clear();
            let mut is_whole = true;
            for column in &columns {
                let part = column.get(row, &mut scratch);
                is_whole &= part.is_some();
                push_part(part, &mut key);
            }
            if is_whole {
                *self.0.tally(key.as_bytes()) += 1;
            }
        }
        self.0.bound();
        Ok(())
    }

    fn merge(&mut self, later: Self) -> Result<()> {
        self.0.merge(later.0)
    }

    fn shed(&mut self, least: usize, scratch: &Scratch) -> Result<()> {
        self.0.shed(least, scratch)
    }

    fn sheddable_bytes(&self) -> usize {
        self.0.size_in_memory()
    }

    fn size_bytes(&self) -> usize {
        self.0.size_bytes()
    }
}

/// Sums by key.
pub(crate) type KeyedSums = Keyed<ExactSum>;

impl Keyed<ExactSum> {
    /// Adds a number to the sum of a key.
    pub(crate) fn add(&mut self, key: &str, value: f64) {
        let number = self.number(key, ExactSum::default);
        self.state(number).add(value);
    }

    /// Joins the sums of later rows.
    pub(crate) fn merge_sums(&mut self, later: Self) -> Result<()> {
        self.merge(later, |mine, later| {
            mine.merge(later);
            Ok(())
        })
    }
}
