//! The levels of a column and what looks them up: one table for every operation that knows values by name. Null,
//! NaN, infinities and values that are not among the levels have no code.

use arrow::array::{Array, ArrayRef, UInt32Array};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use sluice_core::column::{Column, ColumnKind};
use sluice_core::encoding::canonical_bits;
use sluice_core::error::{CommonError, Result};

use crate::error::TransformError;
use crate::fit::analyzer::{Counted, ValueCounts};
use crate::graph::{Cell, CellInputs};
use crate::operation::Inputs;
use crate::value::Value;

/// The levels of a column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Levels {
    /// Of text.
    Text(Vec<String>),
    /// Of integers.
    Integer(Vec<i64>),
    /// Of floats, and of whatever else becomes a float.
    Float(Vec<f64>),
    /// Of booleans.
    Boolean(Vec<bool>),
}

impl Levels {
    /// The values that were counted, sorted, with how often each occurs; nothing where there are more than are told.
    ///
    /// # Errors
    /// [`TransformError::Kind`] for integers that are none of ours, and what reading the counts meets.
    pub(crate) fn of(
        counts: &ValueCounts,
        operation: &'static str,
        column: &str,
    ) -> Result<Option<(Self, Vec<u64>)>> {
        let (mut levels, mut numbers) = (Self::Text(Vec::new()), Vec::new());
        let is_whole = counts.each(|value, count| {
            if numbers.is_empty() {
                levels = Self::none_of_kind(value);
            }
            numbers.push(count);
            match (&mut levels, value) {
                (Self::Text(levels), Counted::Text(text)) => levels.push(text.to_owned()),
                (Self::Integer(levels), Counted::Integer(value)) => levels.push(value),
                (Self::Integer(levels), Counted::Unsigned(value)) => {
                    levels.push(i64::try_from(value).map_err(|_| TransformError::Kind {
                        operation,
                        column: column.to_owned(),
                        found: "unsigned integers past 2^63 - 1".into(),
                        expected: "integers up to 2^63 - 1",
                    })?);
                }
                (Self::Float(levels), Counted::Float(value)) => levels.push(value),
                (Self::Boolean(levels), Counted::Boolean(value)) => levels.push(value),
                _ => return Err(CommonError::Internal("values of one column are of two kinds".into()).into()),
            }
            Ok(())
        })?;
        Ok(is_whole.then_some((levels, numbers)))
    }

    fn none_of_kind(value: Counted<'_>) -> Self {
        match value {
            Counted::Text(_) => Self::Text(Vec::new()),
            Counted::Integer(_) | Counted::Unsigned(_) => Self::Integer(Vec::new()),
            Counted::Float(_) => Self::Float(Vec::new()),
            Counted::Boolean(_) => Self::Boolean(Vec::new()),
        }
    }

    /// Keeps the levels for which `keep`, in order, is true.
    pub(crate) fn retain(&mut self, keep: &[bool]) {
        fn kept<T>(levels: &mut Vec<T>, keep: &[bool]) {
            let mut keep = keep.iter();
            levels.retain(|_| keep.next().copied().unwrap_or(false));
        }
        match self {
            Self::Text(levels) => kept(levels, keep),
            Self::Integer(levels) => kept(levels, keep),
            Self::Float(levels) => kept(levels, keep),
            Self::Boolean(levels) => kept(levels, keep),
        }
    }

    /// As text, in order.
    pub(crate) fn labels(&self) -> Vec<String> {
        match self {
            Self::Text(levels) => levels.clone(),
            Self::Integer(levels) => levels.iter().map(ToString::to_string).collect(),
            Self::Float(levels) => levels.iter().map(ToString::to_string).collect(),
            Self::Boolean(levels) => levels.iter().map(ToString::to_string).collect(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(levels) => levels.len(),
            Self::Integer(levels) => levels.len(),
            Self::Float(levels) => levels.len(),
            Self::Boolean(levels) => levels.len(),
        }
    }
}

/// Levels that can be looked up.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Levels", into = "Levels")]
pub struct LevelTable {
    levels: Levels,
    encoder: Encoder,
}

impl From<Levels> for LevelTable {
    fn from(levels: Levels) -> Self {
        Self::new(levels)
    }
}

impl From<LevelTable> for Levels {
    fn from(table: LevelTable) -> Self {
        table.levels
    }
}

impl PartialEq for LevelTable {
    fn eq(&self, other: &Self) -> bool {
        self.levels == other.levels
    }
}

impl LevelTable {
    pub(crate) fn new(levels: Levels) -> Self {
        let encoder = Encoder::new(&levels);
        Self { levels, encoder }
    }

    /// The levels, in the order of their codes.
    #[must_use]
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// The codes of a column; `None` when it has a type that the levels cannot be found in.
    pub(crate) fn codes(&self, values: &ArrayRef) -> Option<UInt32Array> {
        self.encoder.apply(values)
    }

    /// The codes of the first input of an operation.
    pub(crate) fn codes_of(&self, inputs: &Inputs<'_>) -> Result<UInt32Array, TransformError> {
        let changed = |found| TransformError::KindChanged {
            operation: inputs.operation.to_owned(),
            column: inputs.names[0].to_owned(),
            found,
        };
        let Value::Column(values) = inputs.values[0] else { return Err(changed("levels".into())) };
        self.codes(values).ok_or_else(|| changed(ColumnKind::of(values.data_type()).to_string()))
    }

    /// The code of the first cell that an operation reads.
    pub(crate) fn code_of(&self, inputs: &CellInputs<'_, '_>) -> Result<Option<u32>, TransformError> {
        self.code(inputs.cell(0)).map_err(|found| TransformError::KindChanged {
            operation: inputs.operation.to_owned(),
            column: inputs.names[0].clone(),
            found,
        })
    }

    /// The code of one cell.
    ///
    /// # Errors
    /// What the cell holds, when it has a type that the levels cannot be found in.
    pub(crate) fn code(&self, cell: &Cell<'_>) -> Result<Option<u32>, String> {
        Ok(match (&self.encoder, cell) {
            (_, Cell::Null) => None,
            (Encoder::Text(index), Cell::Text(text)) => index.get(text.as_ref()).copied(),
            (Encoder::Integer(index), Cell::Integer(value)) => index.get(value).copied(),
            (Encoder::Integer(index), Cell::Unsigned(value)) => {
                i64::try_from(*value).ok().and_then(|value| index.get(&value).copied())
            }
            (Encoder::Integer(index), Cell::Float(value)) => {
                whole(*value).and_then(|value| index.get(&value).copied())
            }
            (Encoder::Float(index), Cell::Float(value)) => index.get(&canonical_bits(*value)).copied(),
            (Encoder::Float(index), Cell::Integer(value)) => {
                index.get(&canonical_bits(*value as f64)).copied()
            }
            (Encoder::Boolean(codes), Cell::Boolean(value)) => codes[usize::from(*value)],
            (_, other) => {
                let value = other.to_value();
                return match self.codes(value.column().map_err(|error| error.to_string())?) {
                    Some(codes) => Ok((!codes.is_null(0)).then(|| codes.value(0))),
                    None => Err(value.column().map_or_else(
                        |error| error.to_string(),
                        |array| ColumnKind::of(array.data_type()).to_string(),
                    )),
                };
            }
        })
    }
}

type Index<K> = HashMap<K, u32, FixedState>;

#[derive(Clone, Debug)]
enum Encoder {
    Text(Index<String>),
    Integer(Index<i64>),
    Float(Index<u64>),
    Boolean([Option<u32>; 2]),
}

fn index<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> Index<K> {
    let mut index = Index::with_hasher(FixedState::with_seed(0));
    for (code, key) in keys.enumerate() {
        // `max_levels` and the group limit keep codes far below 2^32.
        index.insert(key, u32::try_from(code).unwrap_or(u32::MAX));
    }
    index
}

impl Encoder {
    fn new(levels: &Levels) -> Self {
        match levels {
            Levels::Text(levels) => Self::Text(index(levels.iter().cloned())),
            Levels::Integer(levels) => Self::Integer(index(levels.iter().copied())),
            Levels::Float(levels) => Self::Float(index(levels.iter().map(|level| canonical_bits(*level)))),
            Levels::Boolean(levels) => {
                let code = |wanted: bool| {
                    levels.iter().position(|level| *level == wanted).map(|code| u32::from(code > 0))
                };
                Self::Boolean([code(false), code(true)])
            }
        }
    }

    fn apply(&self, values: &ArrayRef) -> Option<UInt32Array> {
        let rows = values.len();
        Some(match (self, Column::view(values)) {
            (Self::Text(index), Column::CodedText(codes, texts)) => {
                let of_code: Vec<Option<u32>> =
                    texts.iter().map(|text| text.and_then(|text| index.get(text).copied())).collect();
                codes
                    .iter()
                    .map(|code| {
                        code.and_then(|code| usize::try_from(code).ok()).and_then(|code| of_code[code])
                    })
                    .collect()
            }
            (Self::Text(index), view @ Column::Text(_)) => {
                (0..rows).map(|row| view.text(row).and_then(|text| index.get(text).copied())).collect()
            }
            (Self::Integer(index), Column::Integer(values)) => {
                values.iter().map(|value| value.and_then(|value| index.get(&value).copied())).collect()
            }
            (Self::Integer(index), Column::Unsigned(values)) => values
                .iter()
                .map(|value| {
                    value
                        .and_then(|value| i64::try_from(value).ok())
                        .and_then(|value| index.get(&value).copied())
                })
                .collect(),
            (Self::Float(index), Column::Float(values)) => values
                .iter()
                .map(|value| value.and_then(|value| index.get(&canonical_bits(value)).copied()))
                .collect(),
            (Self::Float(index), Column::Integer(values)) => values
                .iter()
                .map(|value| value.and_then(|value| index.get(&canonical_bits(value as f64)).copied()))
                .collect(),
            (Self::Integer(index), Column::Float(values)) => values
                .iter()
                .map(|value| value.and_then(whole).and_then(|value| index.get(&value).copied()))
                .collect(),
            (Self::Boolean(codes), Column::Boolean(values)) => {
                values.iter().map(|value| value.and_then(|value| codes[usize::from(value)])).collect()
            }
            (_, Column::Null(_)) => UInt32Array::new_null(rows),
            _ => return None,
        })
    }
}

/// The integer that a float is, if it is one: 3.0 is the level 3.
#[allow(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn whole(value: f64) -> Option<i64> {
    let inside = value.abs() < 9_007_199_254_740_992.0;
    (inside && value.fract() == 0.0).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringViewArray};

    use super::*;

    #[test]
    fn unseen_null_and_nan_have_no_code() {
        let encoder = Encoder::new(&Levels::Text(vec!["a".into(), "b".into()]));
        let values: ArrayRef = Arc::new(StringViewArray::from(vec![Some("b"), Some("z"), None]));
        assert_eq!(encoder.apply(&values).unwrap(), UInt32Array::from(vec![Some(1), None, None]));
        let encoder = Encoder::new(&Levels::Float(vec![0.0, 0.5]));
        let values: ArrayRef = Arc::new(Float64Array::from(vec![-0.0, 0.5, f64::NAN]));
        assert_eq!(encoder.apply(&values).unwrap(), UInt32Array::from(vec![Some(0), Some(1), None]));
        let encoder = Encoder::new(&Levels::Integer(vec![1, 3]));
        let values: ArrayRef = Arc::new(Float64Array::from(vec![3.0, 3.5]));
        assert_eq!(encoder.apply(&values).unwrap(), UInt32Array::from(vec![Some(1), None]));
    }
}
