//! Functions of text. Positions and lengths count characters (Unicode code points), `octet_length` counts
//! bytes.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int64Type};
use regex::Regex;
use sluice_core::error::Result;

use super::{Answer, Failures, Operand, Text, booleans, primitives, texts, whole};
use crate::node::{TextFunction, TextTest};

pub(super) fn matches(
    pattern: &Regex,
    is_negated: bool,
    operand: &Operand,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Answer> {
    let values = Text::of(&operand.array)?;
    Ok((booleans(rows, nulls, |row| pattern.is_match(values.get(row)) != is_negated), Failures::none()))
}

pub(super) fn test(
    test: TextTest,
    operands: &[Operand],
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<Answer> {
    let (left, right) = (Text::of(&operands[0].array)?, Text::of(&operands[1].array)?);
    let array = booleans(rows, nulls, |row| {
        let (text, part) = (left.get(operands[0].index(row)), right.get(operands[1].index(row)));
        match test {
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
            TextTest::Contains => text.contains(part),
        }
    });
    Ok((array, Failures::none()))
}

pub(super) fn characters(operand: &Operand, rows: usize, nulls: Option<NullBuffer>) -> Result<Answer> {
    let values = Text::of(&operand.array)?;
    let count = |row| i64::try_from(values.get(row).chars().count()).unwrap_or(i64::MAX);
    Ok((Arc::new(primitives::<Int64Type>(rows, nulls, count)), Failures::none()))
}

pub(super) fn bytes(operand: &Operand, rows: usize, nulls: Option<NullBuffer>) -> Result<Answer> {
    let length = |bytes: usize| i64::try_from(bytes).unwrap_or(i64::MAX);
    let array = if *operand.array.data_type() == DataType::BinaryView {
        let values = operand.array.as_binary_view();
        primitives::<Int64Type>(rows, nulls, |row| length(values.value(row).len()))
    } else {
        let values = Text::of(&operand.array)?;
        primitives(rows, nulls, |row| length(values.get(row).len()))
    };
    Ok((Arc::new(array), Failures::none()))
}

/// The characters from `start` on (from 1; before the end where negative), as DuckDB counts:
/// positions before the text use up the length.
fn substring(text: &str, start: i128, length: Option<i128>) -> &str {
    let count = i128::try_from(text.chars().count()).unwrap_or(i128::MAX);
    let first = if start < 0 { count + start + 1 } else { start };
    let end = length.map_or(count + 1, |length| first.saturating_add(length));
    let (first, end) = (first.clamp(1, count + 1), end.clamp(1, count + 1));
    if end <= first {
        return "";
    }
    let byte = |position: i128| {
        let skipped = usize::try_from(position - 1).unwrap_or(usize::MAX);
        text.char_indices().nth(skipped).map_or(text.len(), |(byte, _)| byte)
    };
    &text[byte(first)..byte(end)]
}

pub(super) fn apply(
    function: TextFunction,
    operands: &[Operand],
    rows: usize,
    nulls: Option<&NullBuffer>,
) -> Result<Answer> {
    let first = Text::of(&operands[0].array)?;
    let first = move |row| first.get(operands[0].index(row));
    let array = match function {
        TextFunction::Lower => texts(rows, nulls, |row| first(row).to_lowercase().into()),
        TextFunction::Upper => texts(rows, nulls, |row| first(row).to_uppercase().into()),
        TextFunction::Trim { left, right } => texts(rows, nulls, |row| {
            let text = first(row);
            let text = if left { text.trim_start_matches(' ') } else { text };
            (if right { text.trim_end_matches(' ') } else { text }).into()
        }),
        TextFunction::Replace => {
            let (from, to) = (Text::of(&operands[1].array)?, Text::of(&operands[2].array)?);
            texts(rows, nulls, |row| {
                let (from, to) = (from.get(operands[1].index(row)), to.get(operands[2].index(row)));
                // Nothing is found nowhere: SQL leaves the text alone.
                if from.is_empty() { Cow::Borrowed(first(row)) } else { first(row).replace(from, to).into() }
            })
        }
        TextFunction::Substring => {
            let start = whole(&operands[1].array)?;
            let length = operands.get(2).map(|operand| whole(&operand.array)).transpose()?;
            texts(rows, nulls, |row| {
                let length = length.as_ref().map(|length| length(operands[2].index(row)));
                substring(first(row), start(operands[1].index(row)), length).into()
            })
        }
        TextFunction::Concatenate => {
            let second = Text::of(&operands[1].array)?;
            texts(rows, nulls, |row| [first(row), second.get(operands[1].index(row))].concat().into())
        }
    };
    debug_assert_eq!(array.len(), rows);
    Ok((array, Failures::none()))
}
