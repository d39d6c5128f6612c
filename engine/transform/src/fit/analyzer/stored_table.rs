//! The form in which a [`Table`] travels: its keys in the order of their bytes, runs on disk read on the way, so that the
//! bytes are the same whatever was in memory.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeSeq as _, SerializeStruct as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use sluice_core::error::CommonError;

use super::table::{Keys, Table, Tally};

impl<T: Tally> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The length comes before the keys, so runs are read twice.
        let count = self.count().map_err(S::Error::custom)?;
        let mut stored = serializer.serialize_struct("Table", 4)?;
        stored.serialize_field("keys", &self.keys())?;
        stored.serialize_field("limit", &self.limit())?;
        stored.serialize_field("overflows", &count.is_none())?;
        stored.serialize_field("tallies", &Tallies { table: self, count })?;
        stored.end()
    }
}

/// The keys with their tallies; nothing of a table past its limit.
struct Tallies<'a, T> {
    table: &'a Table<T>,
    count: Option<usize>,
}

impl<T: Tally> Serialize for Tallies<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tallies = serializer.serialize_seq(Some(self.count.unwrap_or(0)))?;
        if self.count.is_some() {
            // What the serialiser says is another kind of error than what reading says.
            let mut refused = None;
            let read = self.table.each(|key, tally| {
                tallies.serialize_element(&(Key(key), tally)).map_err(|error| {
                    let message = error.to_string();
                    refused = Some(error);
                    CommonError::Internal(message).into()
                })
            });
            if let Some(error) = refused {
                return Err(error);
            }
            read.map_err(S::Error::custom)?;
        }
        tallies.end()
    }
}

/// The bytes of a key, which formats store in one piece.
struct Key<'a>(&'a [u8]);

impl Serialize for Key<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// The same, restored.
struct StoredKey(Vec<u8>);

impl<'de> Deserialize<'de> for StoredKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;

        impl<'de> Visitor<'de> for Bytes {
            type Value = StoredKey;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<StoredKey, E> {
                Ok(StoredKey(bytes.to_vec()))
            }

            // Of formats that know no bytes.
            fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<StoredKey, A::Error> {
                let mut key = Vec::new();
                while let Some(byte) = bytes.next_element()? {
                    key.push(byte);
                }
                Ok(StoredKey(key))
            }
        }

        deserializer.deserialize_bytes(Bytes)
    }
}

#[derive(Deserialize)]
struct Stored<T> {
    keys: Keys,
    limit: usize,
    overflows: bool,
    tallies: Vec<(StoredKey, T)>,
}

impl<'de, T: Tally> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = Stored::<T>::deserialize(deserializer)?;
        let mut table = Self::new(stored.keys, stored.limit);
        for (StoredKey(key), tally) in stored.tallies {
            if !stored.keys.takes(&key) {
                return Err(D::Error::custom("a key that is none of its table"));
            }
            table.tally(&key).join(tally);
        }
        if stored.overflows {
            table.overflow();
        }
        Ok(table)
    }
}
