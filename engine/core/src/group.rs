//! Groups of rows: slices of an evaluation, keys of a per-key scaling. Every row of a batch has one dense
//! group number per [`Grouping`]; the table from numbers to keys travels with the state, and a [`GroupMap`]
//! renumbers a later state when two are joined. Numbers follow the first appearance in row order.

use std::hash::BuildHasher;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array};
use arrow::compute::{max, min};
use foldhash::fast::FixedState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::column::Column;
use crate::encoding::encode;
use crate::error::{CommonError, Diagnostic, ErrorKind, Result};

/// The columns whose values, taken together, are the key of a group. No columns: one group of all rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Grouping {
    /// In the order in which the key is shown.
    pub columns: Vec<String>,
}

impl Grouping {
    /// The grouping that puts every row into one group.
    #[must_use]
    pub fn overall() -> Self {
        Self::default()
    }

    /// The grouping by these columns.
    #[must_use]
    pub fn by<I: IntoIterator<Item = S>, S: Into<String>>(columns: I) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect() }
    }

    /// Whether it is the group of all rows.
    #[must_use]
    pub fn is_overall(&self) -> bool {
        self.columns.is_empty()
    }
}

/// A value as part of a group's key, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPart {
    /// The value was null.
    Null,
    /// The value, as text.
    Value(String),
}

impl std::fmt::Display for KeyPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => formatter.write_str("(null)"),
            Self::Value(text) => formatter.write_str(text),
        }
    }
}

/// More groups than a state may hold.
#[derive(Debug, thiserror::Error)]
#[error("grouping by {columns} makes more than {limit} groups")]
pub struct TooManyGroups {
    columns: String,
    limit: usize,
}

impl Diagnostic for TooManyGroups {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some("group by columns of fewer values, or bucketize them first".into())
    }
}

/// The group numbers of the rows of a batch.
#[derive(Clone, Debug)]
pub struct GroupNumbers {
    /// How many groups there are so far, over all batches of the split.
    pub count: usize,
    numbers: Option<Vec<u32>>,
}

impl GroupNumbers {
    /// The group of a row.
    #[inline]
    #[must_use]
    pub fn of(&self, row: usize) -> usize {
        self.numbers.as_ref().map_or(0, |numbers| numbers[row] as usize)
    }

    /// Those of the rows that `keep` marks.
    #[must_use]
    pub(crate) fn filtered(&self, keep: &BooleanArray) -> Self {
        let kept = |numbers: &Vec<u32>| keep.values().set_indices().map(|row| numbers[row]).collect();
        Self { count: self.count, numbers: self.numbers.as_ref().map(kept) }
    }

    /// Whether all rows are in one group by definition.
    #[must_use]
    pub fn is_overall(&self) -> bool {
        self.numbers.is_none()
    }
}

/// The table from dense numbers to keys, of one grouping.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "StoredTable", into = "StoredTable")]
pub struct GroupTable {
    grouping: Grouping,
    encoded: Vec<Vec<u8>>,
    encoded_bytes: usize,
    keys: Vec<Vec<KeyPart>>,
    index: HashTable<u32>,
}

#[derive(Serialize, Deserialize)]
struct StoredTable {
    grouping: Grouping,
    encoded: Vec<Vec<u8>>,
    keys: Vec<Vec<KeyPart>>,
}

impl From<StoredTable> for GroupTable {
    fn from(stored: StoredTable) -> Self {
        let mut table = Self::new(stored.grouping);
        for (encoded, key) in stored.encoded.into_iter().zip(stored.keys) {
            table.insert(&encoded, || key.clone());
        }
        table
    }
}

impl From<GroupTable> for StoredTable {
    fn from(table: GroupTable) -> Self {
        Self { grouping: table.grouping, encoded: table.encoded, keys: table.keys }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    FixedState::with_seed(0).hash_one(bytes)
}

impl GroupTable {
    /// More groups than this in one grouping are refused: a mistake far more often than a wish.
    pub const LIMIT: usize = 1 << 20;

    /// An empty table.
    #[must_use]
    pub fn new(grouping: Grouping) -> Self {
        let (encoded, keys, index) = (Vec::new(), Vec::new(), HashTable::new());
        let mut table = Self { grouping, encoded, encoded_bytes: 0, keys, index };
        if table.grouping.is_overall() {
            table.insert(&[], Vec::new);
        }
        table
    }

    /// What it groups by.
    #[must_use]
    pub fn grouping(&self) -> &Grouping {
        &self.grouping
    }

    /// The keys, by number.
    #[must_use]
    pub fn keys(&self) -> &[Vec<KeyPart>] {
        &self.keys
    }

    /// How many groups there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no group yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn size_bytes(&self) -> usize {
        let parts = self.grouping.columns.len() * size_of::<KeyPart>();
        let fixed = 2 * size_of::<Vec<u8>>() + parts;
        self.encoded_bytes * 2 + self.encoded.capacity() * fixed + self.index.allocation_size()
    }

    fn insert(&mut self, encoded: &[u8], key: impl FnOnce() -> Vec<KeyPart>) -> u32 {
        let hashed = hash(encoded);
        let stored = &self.encoded;
        if let Some(number) = self.index.find(hashed, |number| stored[*number as usize] == encoded) {
            return *number;
        }
        // The limit keeps numbers far below 2^32.
        let number = u32::try_from(self.encoded.len()).unwrap_or(u32::MAX);
        self.encoded_bytes += encoded.len();
        self.encoded.push(encoded.to_vec());
        self.keys.push(key());
        let stored = &self.encoded;
        self.index.insert_unique(hashed, number, |number| hash(&stored[*number as usize]));
        number
    }

    /// Numbers the rows of a batch, adding groups as they appear. `columns` are those of the grouping.
    ///
    /// # Errors
    /// [`TooManyGroups`]; [`CommonError::ColumnKind`] for a nested column.
    pub fn number(&mut self, columns: &[&ArrayRef], rows: usize) -> Result<GroupNumbers> {
        if self.grouping.is_overall() {
            return Ok(GroupNumbers { count: 1, numbers: None });
        }
        let grouping = self.grouping.clone();
        let numbers = for_each_key(&grouping, columns, rows, |bytes, row| {
            self.insert(bytes, || columns.iter().map(|array| key_part(array, row)).collect())
        })?;
        if self.len() > Self::LIMIT {
            let columns = crate::options::quoted(grouping.columns.iter().map(String::as_str));
            return Err(TooManyGroups { columns, limit: Self::LIMIT }.into());
        }
        Ok(GroupNumbers { count: self.len(), numbers: Some(numbers) })
    }

    /// The numbers of the rows of a batch, none of rows whose group is not in the table. `columns` are those of the
    /// grouping.
    ///
    /// # Errors
    /// [`CommonError::ColumnKind`] for a nested column.
    pub fn find(&self, columns: &[&ArrayRef], rows: usize) -> Result<Vec<Option<u32>>> {
        if self.grouping.is_overall() {
            return Ok(vec![Some(0); rows]);
        }
        for_each_key(&self.grouping, columns, rows, |bytes, _| {
            self.index.find(hash(bytes), |number| self.encoded[*number as usize] == bytes).copied()
        })
    }

    /// A table of some of its groups, which get the numbers of their places here.
    #[must_use]
    pub fn keep(&self, groups: &[usize]) -> Self {
        let mut table = Self::new(self.grouping.clone());
        for group in groups {
            table.insert(&self.encoded[*group], || self.keys[*group].clone());
        }
        table
    }

    /// Takes over the groups of a later table; answers the new number of each of its groups.
    fn absorb(&mut self, later: &Self) -> Vec<u32> {
        later
            .encoded
            .iter()
            .zip(&later.keys)
            .map(|(encoded, key)| self.insert(encoded, || key.clone()))
            .collect()
    }
}

/// Something for each row, from the bytes of its key.
fn for_each_key<T: Copy>(
    grouping: &Grouping,
    columns: &[&ArrayRef],
    rows: usize,
    mut of_key: impl FnMut(&[u8], usize) -> T,
) -> Result<Vec<T>> {
    let names = &grouping.columns;
    let mut bytes = Vec::new();
    if let [array] = columns {
        let answer = |row: usize| {
            bytes.clear();
            encode(&names[0], array, row, &mut bytes)?;
            Ok(of_key(&bytes, row))
        };
        match Column::view(array) {
            Column::CodedText(codes, values) => {
                let slot = |row: usize| match codes.is_null(row) {
                    true => values.len(),
                    false => usize::try_from(codes.value(row)).unwrap_or(values.len()),
                };
                return for_each_slot(rows, values.len() + 1, slot, answer);
            }
            Column::Integer(values) => {
                if let Some((least, span)) = narrow_span(values, rows) {
                    let slot = |row: usize| match values.is_null(row) {
                        true => span,
                        false => usize::try_from(values.value(row).wrapping_sub(least)).unwrap_or(span),
                    };
                    return for_each_slot(rows, span + 1, slot, answer);
                }
            }
            _ => {}
        }
        return (0..rows).map(answer).collect();
    }
    let mut answers = Vec::with_capacity(rows);
    for row in 0..rows {
        bytes.clear();
        for (name, array) in names.iter().zip(columns) {
            encode(name, array, row, &mut bytes)?;
        }
        answers.push(of_key(&bytes, row));
    }
    Ok(answers)
}

/// Something for each row, from the slot of its value: asked once for each slot, not once per row.
fn for_each_slot<T: Copy>(
    rows: usize,
    slots: usize,
    slot: impl Fn(usize) -> usize,
    mut answer: impl FnMut(usize) -> Result<T>,
) -> Result<Vec<T>> {
    let mut of_slot: Vec<Option<T>> = vec![None; slots];
    let mut answers = Vec::with_capacity(rows);
    for row in 0..rows {
        let known = &mut of_slot[slot(row)];
        answers.push(match *known {
            Some(answer) => answer,
            None => *known.insert(answer(row)?),
        });
    }
    Ok(answers)
}

/// The least of some integers, and one more than how far the greatest is from it, if that is no more than the rows.
fn narrow_span(values: &Int64Array, rows: usize) -> Option<(i64, usize)> {
    let (least, greatest) = (min(values)?, max(values)?);
    let span = usize::try_from(greatest.abs_diff(least)).ok()?.checked_add(1)?;
    (span <= rows).then_some((least, span))
}

/// How a value is shown as part of a key.
fn key_part(array: &ArrayRef, row: usize) -> KeyPart {
    if array.is_null(row) || matches!(Column::view(array), Column::Null(_)) {
        return KeyPart::Null;
    }
    let text = match Column::view(array) {
        view @ (Column::Text(_) | Column::CodedText(..)) => match view.text(row) {
            Some(text) => text.to_owned(),
            None => return KeyPart::Null,
        },
        Column::Float(values) => format!("{}", values.value(row)),
        _ => arrow::util::display::array_value_to_string(array, row).unwrap_or_else(|_| "?".into()),
    };
    KeyPart::Value(text)
}

/// The group tables of a state, one per grouping.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GroupTables(Vec<GroupTable>);

/// For two joined states: the new numbers of the later state's groups. The default is that of states without groups.
#[derive(Clone, Debug, Default)]
pub struct GroupMap(Vec<(Grouping, usize, Vec<u32>)>);

impl GroupTables {
    /// Empty tables for these groupings.
    #[must_use]
    pub fn new(groupings: &[Grouping]) -> Self {
        Self(groupings.iter().cloned().map(GroupTable::new).collect())
    }

    /// The table of a grouping.
    ///
    /// # Errors
    /// [`CommonError::Internal`] when the grouping was not among the inputs of the fold.
    pub fn table(&self, grouping: &Grouping) -> Result<&GroupTable> {
        self.0.iter().find(|table| table.grouping == *grouping).ok_or_else(|| missing(grouping))
    }

    /// All tables.
    #[must_use]
    pub fn all(&self) -> &[GroupTable] {
        &self.0
    }

    /// Bytes held, about: keys are counted by their encoding, which is no shorter than what they hold beside it.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.0.iter().map(GroupTable::size_bytes).sum::<usize>() + self.0.capacity() * size_of::<GroupTable>()
    }

    pub(crate) fn all_mut(&mut self) -> &mut [GroupTable] {
        &mut self.0
    }

    /// Takes over the groups of later rows.
    #[must_use]
    pub fn merge(&mut self, later: &Self) -> GroupMap {
        GroupMap(
            self.0
                .iter_mut()
                .zip(&later.0)
                .map(|(mine, theirs)| {
                    let numbers = mine.absorb(theirs);
                    (mine.grouping.clone(), mine.len(), numbers)
                })
                .collect(),
        )
    }
}

impl GroupMap {
    /// For a grouping: how many groups the joined state has, and the new number of each later group.
    ///
    /// # Errors
    /// [`CommonError::Internal`] when the grouping was not among the inputs of the fold.
    pub fn of(&self, grouping: &Grouping) -> Result<(usize, &[u32])> {
        self.0
            .iter()
            .find(|(mine, ..)| mine == grouping)
            .map(|(_, count, numbers)| (*count, numbers.as_slice()))
            .ok_or_else(|| missing(grouping))
    }
}

fn missing(grouping: &Grouping) -> crate::error::Error {
    CommonError::Internal(format!("grouping {:?} is not among the inputs", grouping.columns)).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringViewArray};

    use super::*;

    #[test]
    fn numbers_follow_first_appearance_and_null_is_a_group() {
        let mut table = GroupTable::new(Grouping::by(["sex", "age"]));
        let sex: ArrayRef = Arc::new(StringViewArray::from(vec![Some("f"), None, Some("f"), Some("m")]));
        let age: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 1, 1]));
        let numbers = table.number(&[&sex, &age], 4).unwrap();
        assert_eq!((0..4).map(|row| numbers.of(row)).collect::<Vec<_>>(), [0, 1, 0, 2]);
        assert_eq!(table.keys()[1], [KeyPart::Null, KeyPart::Value("1".into())]);
    }

    #[test]
    fn integers_near_one_another_are_the_groups_of_integers_far_from_one_another() {
        let values = [Some(-3), None, Some(4), Some(-3), Some(0), None, Some(4), Some(-2), Some(0)];
        let far = [Some(i64::MIN), Some(i64::MAX)];
        for first in [&values[..], &[&far[..], &values[..]].concat()] {
            let column: ArrayRef = Arc::new(Int64Array::from(first.to_vec()));
            let mut whole = GroupTable::new(Grouping::by(["g"]));
            let numbers = whole.number(&[&column], first.len()).unwrap();
            let mut single = GroupTable::new(Grouping::by(["g"]));
            for (row, value) in first.iter().enumerate() {
                // Of two rows that are far apart nothing is looked up by slot.
                let pair: ArrayRef = Arc::new(Int64Array::from(vec![*value, Some(1 << 40)]));
                let lone = single.number(&[&pair.slice(0, 1)], 1).unwrap();
                assert_eq!(lone.of(0), numbers.of(row), "row {row}");
                assert_eq!(whole.find(&[&pair], 2).unwrap(), [u32::try_from(lone.of(0)).ok(), None]);
            }
            assert_eq!(whole.keys(), single.keys());
        }
    }

    #[test]
    fn a_part_of_a_table_finds_its_groups_only() {
        let mut table = GroupTable::new(Grouping::by(["g"]));
        let column: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b"), Some("c")]));
        table.number(&[&column], 4).unwrap();
        let part = table.keep(&[2, 1]);
        assert_eq!(part.find(&[&column], 4).unwrap(), [None, Some(1), Some(0), None]);
        assert_eq!(part.keys(), [[KeyPart::Value("b".into())], [KeyPart::Null]]);
    }

    #[test]
    fn later_groups_are_renumbered() {
        let by = Grouping::by(["g"]);
        let mut first = GroupTables::new(std::slice::from_ref(&by));
        let mut later = first.clone();
        let column = |values: Vec<&str>| -> ArrayRef { Arc::new(StringViewArray::from(values)) };
        first.0[0].number(&[&column(vec!["a", "b"])], 2).unwrap();
        later.0[0].number(&[&column(vec!["c", "b"])], 2).unwrap();
        let map = first.merge(&later);
        assert_eq!(map.of(&by).unwrap(), (3, [2, 1].as_slice()));
        let stored = postcard::to_stdvec(&first).unwrap();
        let restored: GroupTables = postcard::from_bytes(&stored).unwrap();
        assert_eq!(postcard::to_stdvec(&restored).unwrap(), stored);
        assert_eq!(restored.table(&by).unwrap().len(), 3);
    }
}
