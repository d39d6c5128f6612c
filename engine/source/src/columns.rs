//! What every table must hold to about its columns, whatever its format.

use std::collections::HashMap;

use sluice_core::column::ColumnKind;
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

/// The same names in the same order.
pub(crate) fn compare_names(
    first: &str,
    names: &[String],
    other: &str,
    others: &[String],
) -> Result<(), SourceError> {
    let differ = |difference: String| {
        Err(SourceError::ColumnsDiffer { first: first.into(), other: other.into(), difference })
    };
    for (index, (name, also)) in names.iter().zip(others).enumerate() {
        if name != also {
            return differ(format!("column {} is `{also}` instead of `{name}`", index + 1));
        }
    }
    match (names.get(others.len()), others.get(names.len())) {
        (Some(missing), _) => differ(format!("column {} is missing, `{missing}`", others.len() + 1)),
        (_, Some(extra)) => differ(format!("column {} is extra, `{extra}`", names.len() + 1)),
        (None, None) => Ok(()),
    }
}

/// The same names and kinds in the same order.
pub(crate) fn compare_columns(
    first: &str,
    columns: &[PlannedColumn],
    other: &str,
    others: &[PlannedColumn],
) -> Result<(), SourceError> {
    let names =
        |columns: &[PlannedColumn]| columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    compare_names(first, &names(columns), other, &names(others))?;
    match columns.iter().zip(others).find(|(column, also)| column.kind != also.kind) {
        Some((column, also)) => Err(SourceError::ColumnsDiffer {
            first: first.into(),
            other: other.into(),
            difference: format!("column `{}` is {} instead of {}", column.name, also.kind, column.kind),
        }),
        None => Ok(()),
    }
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
            compare_names("1", &names(&["a", "b"]), "2", &names(others)).map_err(|e| e.to_string())
        };
        assert!(message(&["a", "b"]).is_ok());
        assert!(message(&["a", "c"]).unwrap_err().ends_with("column 2 is `c` instead of `b`"));
        assert!(message(&["a"]).unwrap_err().ends_with("column 2 is missing, `b`"));
        assert!(message(&["a", "b", "c"]).unwrap_err().ends_with("column 3 is extra, `c`"));
        let column = |kind| [PlannedColumn { name: "a".into(), kind }];
        let error =
            compare_columns("1", &column(ColumnKind::Integer), "2", &column(ColumnKind::Text)).unwrap_err();
        assert!(error.to_string().ends_with("column `a` is text instead of integer"));
        assert!(
            check_row_hash("1", &[PlannedColumn { name: "__row_hash".into(), kind: ColumnKind::Integer }])
                .is_err()
        );
    }
}
