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
    let places: HashMap<&str, usize> =
        others.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let known: HashSet<&str> = names.iter().map(String::as_str).collect();
    let missing: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| !places.contains_key(name)).collect();
    let extra: Vec<&str> = others.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    let difference = match (told(&missing, "missing"), told(&extra, "extra")) {
        (None, None) => {
            return Ok(names.iter().filter_map(|name| places.get(name.as_str()).copied()).collect());
        }
        (Some(missing), Some(extra)) => format!("{missing}, {extra}"),
        (Some(one), None) | (None, Some(one)) => one,
    };
    Err(SourceError::ColumnsDiffer { first: first.into(), other: other.into(), difference })
}

/// The first few of some columns in words.
fn told(names: &[&str], what: &str) -> Option<String> {
    const TOLD: usize = 5;
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
    let order = match_names(first, &names(columns), other, &names(others))?;
    for (column, &place) in columns.iter().zip(&order) {
        let also = &others[place].kind;
        if column.kind != *also {
            return Err(SourceError::ColumnsDiffer {
                first: first.into(),
                other: other.into(),
                difference: format!("column `{}` is {also} instead of {}", column.name, column.kind),
            });
        }
    }
    Ok(order)
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
        assert!(error.to_string().ends_with("column `a` is text instead of integer"));
        assert!(
            check_row_hash("1", &[PlannedColumn { name: "__row_hash".into(), kind: ColumnKind::Integer }])
                .is_err()
        );
    }
}
