//! What every table must hold to about its columns, whatever its format.

use std::collections::{HashMap, HashSet};

use sluice_core::column::ColumnKind;
use sluice_core::options::quoted;
use sluice_core::plan::PlannedColumn;
use sluice_core::{RESERVED_PREFIX, ROW_HASH_COLUMN};

use crate::error::SourceError;

/// At least one column, no name twice, none of ours.
pub(crate) fn check_names(file: &str, names: &[String]) -> Result<(), SourceError> {
    if names.is_empty() {
        return Err(SourceError::NoColumns { file: file.into() });
    }
    let mut seen = HashMap::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        if name.starts_with(RESERVED_PREFIX) && name != ROW_HASH_COLUMN {
            return Err(SourceError::ReservedColumn { file: file.into(), column: name.clone() });
        }
        if let Some(first) = seen.insert(name, index) {
            return Err(SourceError::DuplicateColumn {
                file: file.into(),
                column: name.clone(),
                first: first + 1,
                second: index + 1,
            });
        }
    }
    Ok(())
}

/// The stored row hash is what `ingest` writes.
pub(crate) fn check_row_hash(file: &str, columns: &[PlannedColumn]) -> Result<(), SourceError> {
    match columns.iter().find(|column| column.name == ROW_HASH_COLUMN) {
        Some(column) if column.kind != ColumnKind::Unsigned => Err(SourceError::ForeignRowHash {
            file: file.into(),
            column: column.name.clone(),
            found: column.kind.clone(),
        }),
        _ => Ok(()),
    }
}

/// The same names in any order: for each of `names`, where it stands in `others`.
pub(crate) fn match_names(
    first: &str,
    names: &[String],
    other: &str,
    others: &[String],
) -> Result<Vec<usize>, SourceError> {
    if names == others {
        return Ok((0..names.len()).collect());
    }
    check_names(other, others)?;
    let (order, differences) = order_of(names, others);
    agree(first, other, order, &differences)
}

/// For each of `names`, where it stands in `others`, and what is missing or extra there, in words.
fn order_of(names: &[String], others: &[String]) -> (Vec<Option<usize>>, Vec<String>) {
    let places: HashMap<&str, usize> =
        others.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let missing: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !places.contains_key(name)).collect();
    let extra: Vec<&str> = others.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    let differences = [told(&missing, "missing"), told(&extra, "extra")];
    let order = names.iter().map(|name| places.get(name.as_str()).copied()).collect();
    (order, differences.into_iter().flatten().collect())
}

fn agree(
    first: &str,
    other: &str,
    order: Vec<Option<usize>>,
    differences: &[String],
) -> Result<Vec<usize>, SourceError> {
    if differences.is_empty() {
        return Ok(order.into_iter().flatten().collect());
    }
    let difference = differences.join(", ");
    Err(SourceError::ColumnsDiffer { first: first.into(), other: other.into(), difference })
}

/// Columns that are named in one message, at most.
const TOLD: usize = 5;

/// The first few of some columns in words.
fn told(names: &[&str], what: &str) -> Option<String> {
    let shown = quoted(names.iter().copied().take(TOLD));
    match (names.len(), names.len().saturating_sub(TOLD)) {
        (0, _) => None,
        (1, _) => Some(format!("column {shown} is {what}")),
        (_, 0) => Some(format!("columns {shown} are {what}")),
        (_, more) => Some(format!("columns {shown} and {more} more are {what}")),
    }
}

/// The same names and kinds in any order: for each of `columns`, where it stands in `others`.
pub(crate) fn match_columns(
    first: &str,
    columns: &[PlannedColumn],
    other: &str,
    others: &[PlannedColumn],
) -> Result<Vec<usize>, SourceError> {
    let names =
        |columns: &[PlannedColumn]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let (order, mut differences) = order_of(&names(columns), &names(others));
    let found =
        columns.iter().zip(&order).filter_map(|(column, place)| Some((column, others.get((*place)?)?)));
    let unlike: Vec<String> = found
        .filter(|(column, found)| column.kind != found.kind)
        .map(|(column, found)| {
            format!("column `{}` is {} instead of {}", column.name, found.kind, column.kind)
        })
        .collect();
    differences.extend(unlike.iter().take(TOLD).cloned());
    if unlike.len() > TOLD {
        differences.push(format!("{} more are of another type", unlike.len() - TOLD));
    }
    agree(first, other, order, &differences)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn names_are_checked() {
        assert!(check_names("f", &names(&["a", "__row_hash"])).is_ok());
        assert!(matches!(check_names("f", &[]), Err(SourceError::NoColumns { .. })));
        assert!(matches!(check_names("f", &names(&["__x"])), Err(SourceError::ReservedColumn { .. })));
        let error = check_names("f", &names(&["a", "b", "a"])).unwrap_err();
        assert_eq!(error.to_string(), "`f` has two columns named `a`, number 1 and number 3");
    }

    #[test]
    fn the_difference_is_named() {
        let message = |others: &[&str]| {
            match_names("1", &names(&["a", "b"]), "2", &names(others)).map_err(|e| e.to_string())
        };
        assert_eq!(message(&["a", "b"]), Ok(vec![0, 1]));
        assert_eq!(message(&["b", "a"]), Ok(vec![1, 0]));
        assert!(message(&["a", "c"]).unwrap_err().ends_with("column `b` is missing, column `c` is extra"));
        assert!(message(&["a"]).unwrap_err().ends_with("column `b` is missing"));
        assert!(message(&["b", "c", "a"]).unwrap_err().ends_with("column `c` is extra"));
        assert!(message(&["b", "b", "a"]).unwrap_err().contains("`2` has two columns named `b`"));
        let many = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
        assert!(message(&many).unwrap_err().contains(" and 2 more are extra"));
        let column = |kind| [PlannedColumn { name: "a".into(), kind }];
        let error =
            match_columns("1", &column(ColumnKind::Integer), "2", &column(ColumnKind::Text)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`2` and `1` do not have the same columns: column `a` is text instead of integer"
        );
        let table = |kinds: &[(&str, ColumnKind)]| -> Vec<PlannedColumn> {
            kinds
                .iter()
                .map(|(name, kind)| PlannedColumn { name: (*name).into(), kind: kind.clone() })
                .collect()
        };
        let first = [("a", ColumnKind::Integer), ("b", ColumnKind::Date), ("c", ColumnKind::Float)];
        let other = [("c", ColumnKind::Boolean), ("d", ColumnKind::Text), ("a", ColumnKind::Text)];
        let error = match_columns("1", &table(&first), "2", &table(&other)).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "column `b` is missing, column `d` is extra, column `a` is text instead of integer, \
                 column `c` is boolean instead of float"
            ),
            "{error}"
        );
        assert!(
            check_row_hash("1", &[PlannedColumn { name: "__row_hash".into(), kind: ColumnKind::Integer }])
                .is_err()
        );
    }
}
