//! Keys that were seen in training, by the texts of their columns, and what looks them up. Null and NaN are one value
//! of their own.

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::texts::{Texts, map_keys, push_part};

/// A key: the text of each column.
pub type Key = Vec<Option<String>>;

/// Keys that can be looked up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<Key>", into = "Vec<Key>")]
pub struct KeyTable {
    keys: Vec<Key>,
    index: HashMap<String, u32, FixedState>,
}

impl From<Vec<Key>> for KeyTable {
    fn from(keys: Vec<Key>) -> Self {
        let mut index = HashMap::with_hasher(FixedState::with_seed(0));
        for (number, key) in keys.iter().enumerate() {
            let mut text = String::new();
            key.iter().for_each(|part| push_part(part.as_deref(), &mut text));
            // Analyzers hold far fewer keys than 2^32.
            index.insert(text, u32::try_from(number).unwrap_or(u32::MAX));
        }
        Self { keys, index }
    }
}

impl From<KeyTable> for Vec<Key> {
    fn from(table: KeyTable) -> Self {
        table.keys
    }
}

impl PartialEq for KeyTable {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys
    }
}

impl KeyTable {
    /// The keys, in the order of their numbers.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// The number of the key of each row; `None` for keys that were not seen.
    pub(crate) fn find(&self, columns: &[Texts<'_>], rows: usize) -> Vec<Option<u32>> {
        map_keys(columns, rows, |key| self.index.get(key).copied())
    }
}
