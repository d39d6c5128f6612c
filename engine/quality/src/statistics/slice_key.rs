//! The values that name slices, and which of them each row has.
//!
//! A row of a list column has every value of its list, once each; nulls are no values. A row that has no value in
//! one of the columns of a slice is in no slice, as TFDV has it.

use std::collections::HashMap;
use std::hash::Hash;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::kernels::cast_utils::Parser;
use arrow::datatypes::{DataType, Date32Type};
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};

use super::time::iso;

/// The longest text, in bytes, that may name a slice.
pub(super) const LONGEST_KEY: usize = 1024;

/// A value that rows of a slice have in common, in its natural order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum KeyValue {
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    /// Days since 1970-01-01.
    Date(i32),
    Text(Box<str>),
}

impl std::fmt::Display for KeyValue {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(value) => value.fmt(formatter),
            Self::Integer(value) => value.fmt(formatter),
            Self::Unsigned(value) => value.fmt(formatter),
            Self::Date(day) => formatter.write_str(&iso(&ColumnKind::Date, i64::from(*day))),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}

impl KeyValue {
    /// Whether values of this kind name slices. Floats do not: few are ever equal.
    pub(super) fn is_key(kind: &ColumnKind) -> bool {
        matches!(
            kind,
            ColumnKind::Boolean
                | ColumnKind::Integer
                | ColumnKind::Unsigned
                | ColumnKind::Date
                | ColumnKind::Text
        )
    }

    /// The value that a text means in a column of this kind.
    pub(super) fn parse(kind: &ColumnKind, text: &str) -> Option<Self> {
        match kind {
            ColumnKind::Boolean => text.parse().ok().map(Self::Boolean),
            ColumnKind::Integer => text.parse().ok().map(Self::Integer),
            ColumnKind::Unsigned => text.parse().ok().map(Self::Unsigned),
            // Only a day as it is shown: the parser would take an instant and drop its time.
            ColumnKind::Date => Date32Type::parse(text).map(Self::Date).filter(|day| day.to_string() == text),
            ColumnKind::Text => Some(Self::Text(text.into())),
            _ => None,
        }
    }
}

/// A text too long to be a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong {
    /// Row of the array.
    pub(super) row: usize,
    /// Its length.
    pub(super) bytes: usize,
}

/// The row has no value.
const MISSING: u32 = u32::MAX;
/// The row has another value than the one that is wanted.
const OTHER: u32 = u32::MAX - 1;

/// Which values the rows of a batch have, by numbers that follow first appearance.
#[derive(Clone, Debug)]
pub(super) struct RowKeys<K> {
    /// By number.
    pub(super) keys: Vec<K>,
    /// The numbers of each row in turn: those of row r from `starts[r]` to `starts[r + 1]`; without `starts` one each.
    ids: Vec<u32>,
    starts: Option<Vec<usize>>,
    /// Rows without a value.
    pub(super) missing: Vec<bool>,
}

impl<K> RowKeys<K> {
    /// The numbers of a row.
    #[inline]
    pub(super) fn of(&self, row: usize) -> &[u32] {
        match &self.starts {
            Some(starts) => &self.ids[starts[row]..starts[row + 1]],
            None if self.ids[row] >= OTHER => &[],
            None => &self.ids[row..=row],
        }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.starts.as_ref().map_or(self.ids.len(), |starts| starts.len() - 1)
    }

    /// At least as many as all rows have keys.
    pub(super) fn entries(&self) -> usize {
        self.ids.len()
    }

    /// The number of each row, or one above all numbers; `None` where rows may have several.
    pub(super) fn single(&self) -> Option<&[u32]> {
        self.starts.is_none().then_some(&*self.ids)
    }

    /// The rows with other numbers, given by number, and without the keys; which rows are missing is no longer known.
    pub(super) fn renumbered(mut self, numbers: &[u32]) -> RowKeys<()> {
        for id in &mut self.ids {
            *id = numbers.get(*id as usize).copied().unwrap_or(*id);
        }
        RowKeys { keys: Vec::new(), ids: self.ids, starts: self.starts, missing: Vec::new() }
    }

    /// Bytes held, capacity included, but for what the keys hold.
    pub(super) fn size_bytes(&self) -> usize {
        let starts = self.starts.as_ref().map_or(0, |starts| starts.capacity() * size_of::<usize>());
        self.ids.capacity() * size_of::<u32>()
            + starts
            + self.missing.capacity()
            + self.keys.capacity() * size_of::<K>()
    }

    /// The rows that are chosen have this key.
    pub(super) fn chosen(key: K, rows: impl Iterator<Item = Option<bool>>) -> Self {
        let id = |is_chosen: Option<bool>| is_chosen.map_or(MISSING, |it| if it { 0 } else { OTHER });
        Self::one_each(vec![key], rows.map(id).collect())
    }

    fn one_each(keys: Vec<K>, ids: Vec<u32>) -> Self {
        let missing = ids.iter().map(|id| *id == MISSING).collect();
        Self { keys, ids, starts: None, missing }
    }
}

#[cfg(test)]
impl RowKeys<()> {
    /// Rows with these numbers.
    pub(super) fn numbered(numbers: impl Iterator<Item = Option<u32>>) -> Self {
        Self::one_each(Vec::new(), numbers.map(|number| number.unwrap_or(OTHER)).collect())
    }
}

/// Numbers values as they come.
struct Numbering<'a, T> {
    numbers: HashMap<T, u32>,
    keys: Vec<KeyValue>,
    wanted: Option<&'a KeyValue>,
}

impl<'a, T: Hash + Eq + Copy> Numbering<'a, T> {
    fn new(wanted: Option<&'a KeyValue>) -> Self {
        Self { numbers: HashMap::new(), keys: Vec::new(), wanted }
    }

    #[inline]
    fn number(&mut self, value: T, key: impl FnOnce() -> KeyValue) -> u32 {
        if let Some(number) = self.numbers.get(&value) {
            return *number;
        }
        let key = key();
        let number = match self.wanted {
            Some(wanted) if *wanted != key => OTHER,
            // A batch has at most 65,536 rows.
            _ => u32::try_from(self.keys.len()).unwrap_or(OTHER - 1),
        };
        if number != OTHER {
            self.keys.push(key);
        }
        self.numbers.insert(value, number);
        number
    }

    fn of_values(
        mut self,
        values: impl Iterator<Item = Option<T>>,
        key: impl Fn(T) -> KeyValue,
    ) -> RowKeys<KeyValue> {
        let ids =
            values.map(|value| value.map_or(MISSING, |value| self.number(value, || key(value)))).collect();
        RowKeys::one_each(self.keys, ids)
    }
}

/// The values of the rows of a column; with `wanted` only this one.
pub(super) fn keys_of(array: &ArrayRef, wanted: Option<&KeyValue>) -> Result<RowKeys<KeyValue>, TooLong> {
    if let DataType::List(_) = array.data_type() {
        return keys_of_lists(array, wanted);
    }
    Ok(match Column::view(array) {
        Column::Boolean(values) => Numbering::new(wanted).of_values(values.iter(), KeyValue::Boolean),
        Column::Integer(values) => Numbering::new(wanted).of_values(values.iter(), KeyValue::Integer),
        Column::Unsigned(values) => Numbering::new(wanted).of_values(values.iter(), KeyValue::Unsigned),
        Column::Date(values) => Numbering::new(wanted).of_values(values.iter(), KeyValue::Date),
        view @ Column::Text(_) => {
            let texts = |row| view.text(row);
            if let Some((row, text)) = (0..array.len())
                .find_map(|row| Some((row, texts(row)?)).filter(|(_, text)| text.len() > LONGEST_KEY))
            {
                return Err(TooLong { row, bytes: text.len() });
            }
            Numbering::new(wanted)
                .of_values((0..array.len()).map(texts), |text: &str| KeyValue::Text(text.into()))
        }
        Column::CodedText(codes, values) => {
            let too_long =
                |code: i32| usize::try_from(code).ok().filter(|code| values.value(*code).len() > LONGEST_KEY);
            if let Some((row, code)) =
                codes.iter().enumerate().find_map(|(row, code)| Some((row, too_long(code?)?)))
            {
                return Err(TooLong { row, bytes: values.value(code).len() });
            }
            let mut numbering = Numbering::new(wanted);
            // Each code is looked up once, not once per row. Two codes may mean the same text.
            let mut of_code: Vec<Option<u32>> = vec![None; values.len()];
            let mut one = |row: usize| {
                let code = usize::try_from(codes.value(row)).ok().filter(|_| !codes.is_null(row))?;
                if values.is_null(code) {
                    return None;
                }
                let text = values.value(code);
                let number = || numbering.number(text, || KeyValue::Text(text.into()));
                Some(*of_code[code].get_or_insert_with(number))
            };
            let ids = (0..array.len()).map(|row| one(row).unwrap_or(MISSING)).collect();
            RowKeys::one_each(numbering.keys, ids)
        }
        // The options were checked: nothing else comes but columns of nulls.
        _ => RowKeys::one_each(Vec::new(), vec![MISSING; array.len()]),
    })
}

fn keys_of_lists(array: &ArrayRef, wanted: Option<&KeyValue>) -> Result<RowKeys<KeyValue>, TooLong> {
    let lists = array.as_list::<i32>();
    let offsets = lists.value_offsets();
    let at = |row: usize| usize::try_from(offsets[row]).unwrap_or(0);
    let row_of = |element: usize| (0..lists.len()).find(|row| at(row + 1) > element).unwrap_or(0);
    let elements = keys_of(lists.values(), wanted)
        .map_err(|too_long| TooLong { row: row_of(too_long.row), ..too_long })?;
    let (mut ids, mut starts, mut missing) = (Vec::new(), vec![0], Vec::with_capacity(lists.len()));
    for row in 0..lists.len() {
        let first = ids.len();
        let mut is_missing = true;
        if !lists.is_null(row) {
            for element in at(row)..at(row + 1) {
                ids.extend_from_slice(elements.of(element));
                is_missing &= elements.missing[element];
            }
        }
        ids[first..].sort_unstable();
        let mut kept = first;
        for index in first..ids.len() {
            if index == first || ids[index] != ids[kept - 1] {
                ids[kept] = ids[index];
                kept += 1;
            }
        }
        ids.truncate(kept);
        starts.push(ids.len());
        missing.push(is_missing);
    }
    Ok(RowKeys { keys: elements.keys, ids, starts: Some(starts), missing })
}

/// The keys that the values of several columns make together.
pub(super) fn combined(columns: Vec<RowKeys<KeyValue>>) -> Option<RowKeys<Vec<KeyValue>>> {
    let mut columns = columns.into_iter();
    let RowKeys { keys, ids, starts, missing } = columns.next()?;
    let keys = keys.into_iter().map(|key| vec![key]).collect();
    let first = RowKeys { keys, ids, starts, missing };
    Some(columns.fold(first, |so_far, next| joined(&so_far, &next)))
}

fn joined(left: &RowKeys<Vec<KeyValue>>, right: &RowKeys<KeyValue>) -> RowKeys<Vec<KeyValue>> {
    let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
    let mut keys = Vec::new();
    let mut number = |mine: u32, theirs: u32| {
        *numbers.entry((mine, theirs)).or_insert_with(|| {
            let mut key = left.keys[mine as usize].clone();
            key.push(right.keys[theirs as usize].clone());
            keys.push(key);
            u32::try_from(keys.len() - 1).unwrap_or(OTHER - 1)
        })
    };
    let rows = left.missing.len();
    if let (Some(mine), Some(theirs)) = (left.single(), right.single()) {
        let joined = |(mine, theirs): (&u32, &u32)| match (*mine, *theirs) {
            (MISSING, _) | (_, MISSING) => MISSING,
            (OTHER, _) | (_, OTHER) => OTHER,
            (mine, theirs) => number(mine, theirs),
        };
        let ids = mine.iter().zip(theirs).map(joined).collect();
        return RowKeys::one_each(keys, ids);
    }
    let (mut ids, mut starts) = (Vec::with_capacity(rows), Vec::with_capacity(rows + 1));
    starts.push(0);
    for row in 0..rows {
        for mine in left.of(row) {
            for theirs in right.of(row) {
                ids.push(number(*mine, *theirs));
            }
        }
        starts.push(ids.len());
    }
    let missing = left.missing.iter().zip(&right.missing).map(|(mine, theirs)| *mine || *theirs).collect();
    RowKeys { keys, ids, starts: Some(starts), missing }
}
