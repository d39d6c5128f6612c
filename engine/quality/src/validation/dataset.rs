//! What concerns the whole data set: its rows, and columns that the schema does not know.

use std::collections::BTreeSet;

use sluice_core::RESERVED_PREFIX;
use sluice_core::schema::Schema;
use sluice_core::statistics::{ColumnStatistics, DatasetStatistics};

use super::finding::{Finding, FindingCode, Words, rows};
use super::{NewColumns, type_in_words};
use crate::schema::{InferOptions, infer_feature, write_schema};

/// A data set without rows.
pub(crate) fn no_rows() -> Finding {
    let words = Words {
        rule: "data",
        expected: "rows".into(),
        observed: rows(0),
        message: "the data set has no rows, nothing could be checked".into(),
        suggestion: "no schema accepts it; look for the rows in the step before".into(),
    };
    Finding::dataset(FindingCode::NoRows, words)
}

/// The number of rows, each bound by itself.
pub(crate) fn check_rows(statistics: &DatasetStatistics, schema: &Schema, findings: &mut Vec<Finding>) {
    let found = statistics.num_rows;
    let words = |name: &'static str, rule: &'static str, bound: i64, side: &str| Words {
        rule,
        expected: format!("{side} {bound} rows"),
        observed: rows(found),
        message: format!("the data set has {}, the schema demands {side} {bound}", rows(found)),
        suggestion: format!("dataset_constraints {{ {name}: {found} }}"),
    };
    if let Some(least) = schema.min_rows.filter(|least| i128::from(found) < i128::from(*least)) {
        let words = words("min_examples_count", "dataset_constraints.min_examples_count", least, "at least");
        findings.push(Finding::dataset(FindingCode::TooFewRows, words));
    }
    if let Some(most) = schema.max_rows.filter(|most| i128::from(found) > i128::from(*most)) {
        let words = words("max_examples_count", "dataset_constraints.max_examples_count", most, "at most");
        findings.push(Finding::dataset(FindingCode::TooManyRows, words));
    }
}

/// Columns that the schema does not know; our own (`__row_hash`) are none of its business.
pub(crate) fn check_new_columns(
    statistics: &DatasetStatistics,
    schema: &Schema,
    new_columns: NewColumns,
    findings: &mut Vec<Finding>,
) {
    if new_columns == NewColumns::Ignore {
        return;
    }
    let known: BTreeSet<&str> = schema.features.iter().map(|feature| feature.name.as_str()).collect();
    for column in &statistics.columns {
        if column.name.starts_with(RESERVED_PREFIX) || known.contains(column.name.as_str()) {
            continue;
        }
        let finding = new_column(column);
        findings.push(if new_columns == NewColumns::Warning { finding.into_warning() } else { finding });
    }
}

fn new_column(column: &ColumnStatistics) -> Finding {
    let kind = type_in_words(&column.kind);
    let proposal =
        Schema { features: vec![infer_feature(column, &InferOptions::default())], ..Schema::default() };
    let words = Words {
        rule: "feature",
        expected: "a column that the schema describes".into(),
        observed: format!("{kind} in {}", rows(column.presence.num_present())),
        message: format!("column `{}` is not in the schema; it is {kind}", column.name),
        suggestion: write_schema(&proposal.into()),
    };
    Finding::column(FindingCode::NewColumn, &column.name, words)
}
