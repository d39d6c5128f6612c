//! The text form of values, under which operations on categories know them: text is itself, integers are decimal,
//! floats the shortest text that reads back as the same number (3.0 is `3`, so that a column of integers that became
//! one of floats keeps its values), booleans `true` and `false`. Null and NaN have none.

use std::fmt::Write as _;
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use arrow::buffer::NullBuffer;

use sluice_core::column::{Column, ColumnKind};
use sluice_core::error::{CommonError, Result};

use crate::fit::analyzer::Rows;
use crate::graph::{Cell, CellInputs};
use crate::operation::Inputs;

/// A column whose values have a text form.
pub(crate) struct Texts<'a> {
    view: Column<'a>,
    nulls: Option<NullBuffer>,
    rows: usize,
}

fn no_texts(name: &str, found: String, purpose: String) -> sluice_core::Error {
    let expected = "text, numbers or booleans";
    CommonError::ColumnKind { column: name.to_owned(), found, expected, purpose }.into()
}

fn write_float(value: f64, text: &mut String) {
    // Writing to a string cannot fail; adding 0.0 makes one zero of two.
    let _ = write!(text, "{}", value + 0.0);
}

impl<'a> Texts<'a> {
    /// The texts of a column.
    ///
    /// # Errors
    /// [`CommonError::ColumnKind`] for what has no text form.
    pub(crate) fn of(name: &str, values: &'a ArrayRef, operation: &str) -> Result<Self> {
        let view = Column::view(values);
        match view {
            Column::Null(_)
            | Column::Boolean(_)
            | Column::Integer(_)
            | Column::Unsigned(_)
            | Column::Float(_)
            | Column::Text(_)
            | Column::CodedText(..) => Ok(Self { view, nulls: values.logical_nulls(), rows: values.len() }),
            _ => {
                let found = ColumnKind::of(values.data_type()).to_string();
                Err(no_texts(name, found, format!("`{operation}`")))
            }
        }
    }

    /// The text of a row; `None` for null and NaN.
    pub(crate) fn get<'s>(&'s self, row: usize, scratch: &'s mut String) -> Option<&'s str> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        scratch.clear();
        match self.view {
            Column::Text(_) | Column::CodedText(..) => return self.view.text(row),
            Column::Boolean(values) => scratch.push_str(if values.value(row) { "true" } else { "false" }),
            // Writing to a string cannot fail.
            Column::Integer(values) => _ = write!(scratch, "{}", values.value(row)),
            Column::Unsigned(values) => _ = write!(scratch, "{}", values.value(row)),
            Column::Float(values) if values.value(row).is_nan() => return None,
            Column::Float(values) => write_float(values.value(row), scratch),
            _ => return None,
        }
        Some(scratch)
    }

    /// A function of the text of each row; asked once per code where the column has codes.
    pub(crate) fn map<T: Copy>(&self, mut of: impl FnMut(Option<&str>) -> T) -> Vec<T> {
        let mut scratch = String::new();
        let Column::CodedText(codes, texts) = self.view else {
            return (0..self.rows).map(|row| of(self.get(row, &mut scratch))).collect();
        };
        let mut of_code: Vec<Option<T>> = vec![None; texts.len() + 1];
        let mut of_row = |row: usize| {
            let code = (!codes.is_null(row)).then(|| codes.value(row));
            let code = code.and_then(|code| usize::try_from(code).ok()).unwrap_or(texts.len());
            *of_code[code].get_or_insert_with(|| of(self.view.text(row)))
        };
        (0..self.rows).map(&mut of_row).collect()
    }
}

/// Appends a part of a key. Equal keys have equal texts, different ones different texts.
pub(crate) fn push_part(part: Option<&str>, key: &mut String) {
    match part {
        // Writing to a string cannot fail.
        Some(text) => _ = write!(key, "{}:{text}", text.len()),
        None => key.push('-'),
    }
}

/// The parts of a key.
pub(crate) fn parts(key: &str) -> Vec<Option<String>> {
    let mut parts = Vec::new();
    let mut rest = key;
    while !rest.is_empty() {
        if let Some(later) = rest.strip_prefix('-') {
            parts.push(None);
            rest = later;
            continue;
        }
        let Some((length, later)) = rest.split_once(':') else { break };
        let Some((part, later)) = length.parse().ok().and_then(|length| later.split_at_checked(length))
        else {
            break;
        };
        parts.push(Some(part.to_owned()));
        rest = later;
    }
    parts
}

/// A function of the key of each row; asked once per code where a single column has codes.
pub(crate) fn map_keys<T: Copy>(columns: &[Texts<'_>], rows: usize, mut of: impl FnMut(&str) -> T) -> Vec<T> {
    let mut key = String::new();
    if let [column] = columns {
        return column.map(|text| {
            key.clear();
            push_part(text, &mut key);
            of(&key)
        });
    }
    let mut scratch = String::new();
    let of_row = |row: usize| {
        key.clear();
        columns.iter().for_each(|column| push_part(column.get(row, &mut scratch), &mut key));
        of(&key)
    };
    (0..rows).map(of_row).collect()
}

/// The tokens of each row: its text, or those of its list.
pub(crate) struct Tokens<'a> {
    texts: Texts<'a>,
    list: Option<&'a ListArray>,
}

impl<'a> Tokens<'a> {
    /// The tokens of a column.
    ///
    /// # Errors
    /// As [`Texts::of`].
    pub(crate) fn of(name: &str, values: &'a ArrayRef, operation: &str) -> Result<Self> {
        match values.as_list_opt::<i32>() {
            Some(list) => Ok(Self { texts: Texts::of(name, list.values(), operation)?, list: Some(list) }),
            None => Ok(Self { texts: Texts::of(name, values, operation)?, list: None }),
        }
    }

    /// Where the tokens of a row are.
    pub(crate) fn row(&self, row: usize) -> Range<usize> {
        let Some(list) = self.list else { return row..row + 1 };
        if list.is_null(row) {
            return 0..0;
        }
        let place = |offset: i32| usize::try_from(offset).unwrap_or(0);
        place(list.value_offsets()[row])..place(list.value_offsets()[row + 1])
    }

    /// The lists, where it is a column of lists.
    pub(crate) fn list(&self) -> Option<&'a ListArray> {
        self.list
    }

    /// All tokens, by their places.
    pub(crate) fn texts(&self) -> &Texts<'a> {
        &self.texts
    }
}

impl Inputs<'_> {
    /// The texts of an input.
    pub(crate) fn texts(&self, index: usize) -> Result<Texts<'_>> {
        Texts::of(self.names[index], self.values[index].column()?, self.operation)
    }

    /// The texts of the inputs from one on, which together are a key.
    pub(crate) fn key(&self, first: usize) -> Result<Vec<Texts<'_>>> {
        (first..self.values.len()).map(|index| self.texts(index)).collect()
    }
}

impl Rows<'_> {
    /// The texts of a value.
    pub(crate) fn texts(&self, index: usize) -> Result<Texts<'_>> {
        Texts::of(self.names[index], self.values[index].column()?, "transform")
    }

    /// The texts of the values from one on, which together are a key.
    pub(crate) fn key(&self, first: usize) -> Result<Vec<Texts<'_>>> {
        (first..self.values.len()).map(|index| self.texts(index)).collect()
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.values.first().map_or(0, |value| value.rows())
    }
}

impl CellInputs<'_, '_> {
    /// The text of a cell; `None` for null and NaN.
    ///
    /// # Errors
    /// [`CommonError::ColumnKind`] for what has no text form.
    pub(crate) fn text<'s>(&'s self, index: usize, scratch: &'s mut String) -> Result<Option<&'s str>> {
        scratch.clear();
        match self.cell(index) {
            Cell::Null => return Ok(None),
            Cell::Text(text) => return Ok(Some(text)),
            Cell::Boolean(value) => scratch.push_str(if *value { "true" } else { "false" }),
            // Writing to a string cannot fail.
            Cell::Integer(value) => _ = write!(scratch, "{value}"),
            Cell::Unsigned(value) => _ = write!(scratch, "{value}"),
            Cell::Float(value) if value.is_nan() => return Ok(None),
            Cell::Float(value) => write_float(*value, scratch),
            other => {
                let found = match other.number() {
                    Err(kind) => kind.to_string(),
                    Ok(_) => ColumnKind::Float.to_string(),
                };
                return Err(no_texts(&self.names[index], found, format!("`{}`", self.operation)));
            }
        }
        Ok(Some(scratch))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array};

    use super::*;

    #[test]
    fn a_key_reads_back_as_its_parts() {
        let written = [Some("a:1-"), None, Some(""), Some("é"), None];
        let mut key = String::new();
        written.iter().for_each(|part| push_part(*part, &mut key));
        let read: Vec<Option<String>> = written.iter().map(|part| part.map(str::to_owned)).collect();
        assert_eq!(parts(&key), read);
    }

    #[test]
    fn a_whole_float_has_the_text_of_the_integer() {
        let mut scratch = String::new();
        let floats: ArrayRef =
            Arc::new(Float64Array::from(vec![Some(-0.0), Some(3.0), None, Some(f64::NAN)]));
        let texts = Texts::of("x", &floats, "hash_buckets").unwrap();
        let found: Vec<Option<String>> =
            (0..4).map(|row| texts.get(row, &mut scratch).map(str::to_owned)).collect();
        assert_eq!(found, [Some("0".to_owned()), Some("3".to_owned()), None, None]);
        let integers: ArrayRef = Arc::new(Int64Array::from(vec![3]));
        assert_eq!(Texts::of("x", &integers, "hash_buckets").unwrap().get(0, &mut scratch), Some("3"));
    }
}
