//! Statistics made up for the tests.

use sluice_core::column::ColumnKind;
use sluice_core::statistics::{
    Bucket, ColumnStatistics, DatasetStatistics, Distinct, Histogram, Histograms, NumericStatistics,
    Presence, Quantiles, TextStatistics, TopValues,
};

pub(super) const QUANTILES: [f64; 15] =
    [0.0, 0.01, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.9, 0.99, 1.0];

pub(super) fn presence(num_rows: u64, num_missing: u64) -> Presence {
    Presence { num_rows, num_missing, ..Presence::default() }
}

pub(super) fn equal(low: f64, high: f64, counts: &[f64]) -> Histogram {
    let bound = |index: usize| low + (high - low) * index as f64 / counts.len() as f64;
    let buckets = counts.iter().enumerate().map(|(index, count)| Bucket {
        low: bound(index),
        high: bound(index + 1),
        count: *count,
    });
    Histogram { buckets: buckets.collect(), max_error: 0.0 }
}

/// Numbers spread evenly from `low` to `high`.
pub(super) fn numbers(name: &str, rows: u64, low: f64, high: f64) -> ColumnStatistics {
    let present = rows as f64;
    let even = equal(low, high, &[present / 10.0; 10]);
    ColumnStatistics {
        presence: presence(rows, 0),
        numeric: Some(NumericStatistics {
            num_finite: rows,
            num_zeros: 0,
            mean: Some(low / 2.0 + high / 2.0),
            standard_deviation: Some((high - low) / 12.0_f64.sqrt()),
            min: Some(low),
            max: Some(high),
            exact_range: None,
            quantiles: Some(Quantiles {
                values: QUANTILES.iter().map(|q| (*q, low + (high - low) * q)).collect(),
                rank_error_fraction: 0.0,
            }),
            histograms: Some(Histograms { equal_width: even.clone(), equal_depth: even }),
        }),
        distinct: Some(Distinct { count: rows, relative_error: 0.0 }),
        ..ColumnStatistics::new(name, ColumnKind::Float)
    }
}

/// Text with these values and no others.
pub(super) fn text(name: &str, values: &[(&str, u64)]) -> ColumnStatistics {
    let rows = values.iter().map(|it| it.1).sum();
    ColumnStatistics {
        presence: presence(rows, 0),
        text: Some(TextStatistics {
            mean_length_bytes: 7.5,
            min_length_bytes: 1,
            max_length_bytes: 12,
            num_invalid_utf8: 0,
        }),
        distinct: Some(Distinct { count: values.len() as u64, relative_error: 0.0 }),
        top_values: Some(TopValues {
            values: values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect(),
            max_error: 0,
            is_complete: true,
        }),
        ..ColumnStatistics::new(name, ColumnKind::Text)
    }
}

pub(super) fn data_set(name: &str, columns: Vec<ColumnStatistics>) -> DatasetStatistics {
    let num_rows = columns.first().map_or(0, |column| column.presence.num_rows);
    DatasetStatistics { name: name.into(), num_rows, columns, ..DatasetStatistics::default() }
}
