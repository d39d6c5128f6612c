//! Statistics for tests, as few words as possible.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    ColumnStatistics, DatasetStatistics, Distinct, NumericStatistics, Presence, TopValues,
};

/// A column of `num_rows` rows, all present, without further figures.
pub(crate) fn column(name: &str, kind: ColumnKind, num_rows: u64) -> ColumnStatistics {
    let presence = Presence { num_rows, ..Presence::default() };
    ColumnStatistics { presence, ..ColumnStatistics::new(name, kind) }
}

/// A text column with exactly these values.
pub(crate) fn text(name: &str, values: &[(&str, u64)]) -> ColumnStatistics {
    let num_rows = values.iter().map(|(_, count)| count).sum();
    let mut sample = column(name, ColumnKind::Text, num_rows);
    let values: Vec<(String, u64)> =
        values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect();
    sample.distinct = Some(Distinct { count: values.len() as u64, relative_error: 0.0 });
    sample.top_values = Some(TopValues { values, max_error: 0, is_complete: true });
    sample
}

/// A column of ten finite numbers.
pub(crate) fn numbers(name: &str, kind: ColumnKind, min: f64, max: f64) -> ColumnStatistics {
    let mut sample = column(name, kind, 10);
    sample.numeric = Some(NumericStatistics {
        num_finite: 10,
        num_zeros: 0,
        mean: None,
        standard_deviation: None,
        min: Some(min),
        max: Some(max),
        exact_range: None,
        quantiles: None,
        histograms: None,
    });
    sample
}

/// The column with so many of its rows null.
pub(crate) fn missing(mut column: ColumnStatistics, num_missing: u64) -> ColumnStatistics {
    column.presence.num_missing = num_missing;
    column
}

/// A data set of these columns; as many rows as the first has.
pub(crate) fn dataset(columns: Vec<ColumnStatistics>) -> DatasetStatistics {
    let num_rows = columns.first().map_or(10, |column| column.presence.num_rows);
    DatasetStatistics { name: "eval".into(), num_rows, columns, ..DatasetStatistics::default() }
}
