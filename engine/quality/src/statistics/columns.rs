//! Summaries of columns, joined by the names of the columns: parts of the data may have different ones.

use sluice_summaries::{ColumnSummary, OfColumn};

/// Joins summaries of later rows. A column that only one of the two has was absent in all rows of the other; one that
/// only the later has comes after those that were there. `rows` is how many rows each of the two stands for.
pub(super) fn merge<S: ColumnSummary>(
    mine: &mut Vec<OfColumn<S>>,
    mut later: Vec<OfColumn<S>>,
    rows: (u64, u64),
) {
    for column in &mut *mine {
        match later.iter().position(|other| other.column == column.column) {
            Some(position) => column.summary.merge(later.remove(position).summary),
            None => column.summary.absent(rows.1),
        }
    }
    for column in later {
        let mut joined = column.summary.empty();
        joined.absent(rows.0);
        joined.merge(column.summary);
        mine.push(OfColumn::new(column.column, joined));
    }
}
