//! Sets of labels, and lists of predictions: columns of the data that hold several numbers per row.
//!
//! The labels of a row stand in a list of those that it has, or in a column for each that is 1 or true where it has it.

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray};
use sluice_core::column::{ColumnKind, numbers};
use sluice_core::error::{CommonError, Error, Result};
use sluice_training::Class;

use super::error::ForeignError;
use super::options::CheckedForeign;

/// Whether each row has each label: a column of 1 and 0 per label. A row whose labels are not known is null in all of them.
///
/// # Errors
/// A label that the model does not know, or is null within its list, and what is neither 0 nor 1, with its row; columns of
/// other types.
pub(super) fn label_sets(description: &CheckedForeign, columns: &[&ArrayRef]) -> Result<Vec<Float64Array>> {
    let CheckedForeign { label, label_columns, classes, .. } = description;
    match columns {
        [list] if label_columns.len() <= 1 => of_list(label, list, classes),
        columns => label_columns.iter().zip(columns).map(|(name, column)| flags(name, column)).collect(),
    }
}

/// A column that is 1 or true where a row has the label.
fn flags(name: &str, column: &ArrayRef) -> Result<Float64Array> {
    let values = numbers(name, column, "one of several labels")?;
    #[expect(clippy::float_cmp, reason = "0 and 1 are exact")]
    let is_flag = |value: f64| value == 0.0 || value == 1.0;
    match (0..values.len()).find(|&row| values.is_valid(row) && !is_flag(values.value(row))) {
        None => Ok(values),
        Some(row) => {
            let found = values.value(row).to_string();
            Err(Error::from(ForeignError::LabelNoFlag { label: name.into(), found }).at_row(row))
        }
    }
}

fn of_list(label: &str, column: &ArrayRef, classes: &[Class]) -> Result<Vec<Float64Array>> {
    let lists = list(label, column, "lists of labels")?;
    let (first, last) = ends(lists);
    let items = lists.values().slice(first, last - first);
    let row_of = |item: usize| row_of(lists, first + item);
    let places = Class::places(label, &items, classes).map_err(|mut error| {
        let item = error.take_row().and_then(|item| usize::try_from(item).ok());
        match item {
            Some(item) => error.at_row(row_of(item)),
            None => error,
        }
    })?;
    let mut sets: Vec<Vec<Option<f64>>> =
        vec![(0..lists.len()).map(|row| lists.is_valid(row).then_some(0.0)).collect(); classes.len()];
    for (item, place) in places.values().iter().enumerate() {
        let row = row_of(item);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "places in a list")]
        let set = sets.get_mut(*place as usize).filter(|_| lists.is_valid(row));
        if let Some(set) = set {
            set[row] = Some(1.0);
        }
    }
    Ok(sets.into_iter().map(Float64Array::from).collect())
}

/// The numbers of a column of lists, of which each has so many: a column per place. A list that is null is null in all.
///
/// # Errors
/// A list of another length, with its row; a column of another type.
pub(super) fn columns_of(name: &str, column: &ArrayRef, width: usize) -> Result<Vec<Float64Array>> {
    let lists = list(name, column, "lists of predictions")?;
    let values = numbers(name, lists.values(), "a prediction")?;
    let offsets = lists.value_offsets();
    let start = |row: usize| usize::try_from(offsets[row]).unwrap_or_default();
    let other = (0..lists.len()).find(|&row| lists.is_valid(row) && start(row + 1) - start(row) != width);
    if let Some(row) = other {
        let found = start(row + 1) - start(row);
        let problem = ForeignError::ListLength { column: name.into(), found, needed: width };
        return Err(Error::from(problem).at_row(row));
    }
    let number = |row: usize, place: usize| {
        let at = start(row) + place;
        (lists.is_valid(row) && values.is_valid(at)).then(|| values.value(at))
    };
    Ok((0..width).map(|place| (0..lists.len()).map(|row| number(row, place)).collect()).collect())
}

fn list<'a>(name: &str, column: &'a ArrayRef, expected: &'static str) -> Result<&'a ListArray> {
    column.as_list_opt::<i32>().ok_or_else(|| {
        CommonError::ColumnKind {
            column: name.into(),
            found: ColumnKind::of(column.data_type()).to_string(),
            expected,
            purpose: "a model of several labels per row".into(),
        }
        .into()
    })
}

/// The first item of all lists, and the one past the last.
fn ends(lists: &ListArray) -> (usize, usize) {
    let offsets = lists.value_offsets();
    let at = |offset: Option<&i32>| offset.and_then(|it| usize::try_from(*it).ok()).unwrap_or_default();
    (at(offsets.first()), at(offsets.last()))
}

/// The list that an item belongs to.
fn row_of(lists: &ListArray, item: usize) -> usize {
    let begins_before = |offset: &i32| usize::try_from(*offset).unwrap_or_default() <= item;
    lists.value_offsets().partition_point(begins_before).saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{BooleanArray, ListBuilder, StringViewBuilder};
    use arrow::datatypes::Float64Type;

    use super::*;

    fn classes() -> Vec<Class> {
        ["a", "b", "c"].map(|name| Class::Text(name.into())).to_vec()
    }

    fn lists(rows: &[Option<&[Option<&str>]>]) -> ArrayRef {
        let mut builder = ListBuilder::new(StringViewBuilder::new());
        for row in rows {
            for item in row.unwrap_or_default() {
                builder.values().append_option(*item);
            }
            builder.append(row.is_some());
        }
        Arc::new(builder.finish())
    }

    #[test]
    fn lists_of_labels_become_a_column_per_label() {
        let rows = lists(&[
            Some(&[Some("c")]),
            Some(&[Some("b"), Some("a"), Some("b")]),
            Some(&[]),
            None,
            Some(&[Some("c")]),
        ]);
        let found = of_list("y", &rows.slice(1, 4), &classes()).unwrap();
        let expected = [
            [Some(1.0), Some(0.0), None, Some(0.0)],
            [Some(1.0), Some(0.0), None, Some(0.0)],
            [Some(0.0), Some(0.0), None, Some(1.0)],
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.iter().collect::<Vec<_>>(), expected);
        }
        for (wrong, said) in [(Some("d"), "`d`"), (None, "null")] {
            let rows = lists(&[Some(&[Some("a"), Some("b")]), Some(&[]), Some(&[Some("a"), wrong])]);
            let mut error = of_list("y", &rows, &classes()).unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(error.take_row(), Some(2));
        }
        let text: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["a"]));
        let error = of_list("y", &text, &classes()).unwrap_err();
        assert!(error.to_string().contains("lists of labels"), "{error}");
    }

    #[test]
    fn flags_are_booleans_or_numbers() {
        let truths: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]));
        let found = flags("a", &truths).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [Some(1.0), None, Some(0.0)]);
        let wrong: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 0.5]));
        let mut error = flags("a", &wrong).unwrap_err();
        assert_eq!((error.to_string().contains("`a` is 0.5"), error.take_row()), (true, Some(1)));
    }

    #[test]
    fn lists_of_predictions_have_a_number_per_label() {
        let rows =
            [Some(vec![Some(0.1), Some(0.2)]), None, Some(vec![None, Some(0.4)]), Some(vec![Some(0.5)])];
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>(rows));
        let found = columns_of("p", &lists.slice(1, 2), 2).unwrap();
        let found: Vec<Vec<Option<f64>>> = found.iter().map(|column| column.iter().collect()).collect();
        assert_eq!(found, [vec![None, None], vec![None, Some(0.4)]]);
        let mut error = columns_of("p", &lists, 2).unwrap_err();
        assert_eq!((error.to_string().contains("has 1 number"), error.take_row()), (true, Some(3)));
    }
}
